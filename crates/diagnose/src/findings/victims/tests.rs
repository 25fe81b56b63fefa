//! Volumes and nodes share the whole cost, from the beginning of what was found.

use fathom_model::VolumeIndex;

use crate::findings::Tracker;
use crate::findings::tests::{cluster, slow_between};

#[test]
fn parts_of_all_volumes_and_of_all_nodes_add_up_to_the_cost() {
    let mut cluster = cluster(60, slow_between(20, 50, 1));
    for name in ["vol1", "vol2"] {
        cluster.catalog.intern_volume(&name.into());
    }
    for (number, io) in cluster.rows.ios.iter_mut().enumerate() {
        // Two of seven writes are to the second, one to the third.
        io.volume = VolumeIndex([0, 1, 0, 2, 0, 1, 0][number % 7]);
    }
    let mut tracker = Tracker::default();
    tracker.add(&cluster.rows, &cluster.catalog);
    tracker.finish(&cluster.catalog);
    let finding = tracker.findings().next().unwrap();
    let volumes: u64 = finding.victims.iter().filter_map(|victim| victim.cost_ns).sum();
    let nodes: u64 = finding.initiators.iter().map(|node| node.cost_ns).sum();
    assert!(finding.cost_ns > 1_000_000_000, "{finding:?}");
    assert_eq!((volumes, nodes), (finding.cost_ns, finding.cost_ns));
    let names: Vec<&str> = finding.victims.iter().map(|victim| victim.volume.as_str()).collect();
    assert_eq!(names, ["vol0", "vol1", "vol2"], "the most harmed first");
    let first = finding.victims[0].cost_ns.unwrap() as f64 / finding.cost_ns as f64;
    assert!((first - 4.0 / 7.0).abs() < 0.02, "{first}");
    // 30 s at 100 writes a second: all of them, and not those since it was found alone; and some that it held up as equals do.
    let writes: u64 = finding.victims.iter().map(|victim| victim.writes).sum();
    assert!((2950..=3500).contains(&writes), "{writes}");
    let writes: u64 = finding.initiators.iter().map(|node| node.writes).sum();
    assert!((2950..=3500).contains(&writes), "{writes}");
}
