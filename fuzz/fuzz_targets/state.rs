//! Any bytes as a file that somebody hands over: JSON, CLIXML or what a cmdlet printed. No panic, neither in reading it nor in what follows.

#![no_main]

use fathom_model::NodeId;
use fathom_state::history::{Picture, polls_of};
use fathom_state::{decode_all, disks, integrity, jobs, performance, pools, qos, rdma, support, vms};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The first byte says what the file is called: a text that is no CLIXML may still be what was printed.
    let Some((&first, bytes)) = bytes.split_first() else { return };
    let path = ["x.json", "x.xml", "x.txt", "Node_HV01/x.xml"][usize::from(first % 4)];
    let Ok(bags) = support::bags(path, bytes) else { return };
    let node = NodeId::new("n1");
    let _ = performance::samples(&bags, &node);
    let rows = decode_all(&bags, &node, 1).observations;
    let mut picture = Picture::at(2);
    rows.iter().for_each(|row| picture.add(row));
    polls_of(&rows, "import").iter().for_each(|row| picture.add(row));
    let nodes: Vec<NodeId> = picture.heard().keys().cloned().collect();
    let _ = jobs::about(&picture);
    let _ = jobs::courses(&rows, 2);
    let _ = disks::beside(&picture);
    let _ = integrity::beside(&picture);
    let _ = pools::beside(&picture);
    let _ = vms::beside(&picture);
    let _ = rdma::matrix(&picture, &nodes, &rows);
    let _ = qos::settings(&picture, &nodes);
});
