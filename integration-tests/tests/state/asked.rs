//! What is asked for by moment, node and name, and what is not there.

use fathom_integration_tests::process::{Certificates, Process};
use serde_json::{Value, json as value};

use super::{ask, moment, pair, rows};

pub(crate) fn of_other_moments_nodes_and_names(certificates: &Certificates, coordinator: &Process) {
    let json = |arguments: &[&str]| {
        let ran = ask(certificates, coordinator, arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
        ran.json()
    };
    let past = json(&["nodes", "-o", "json", "--at", &moment(900), "--node", "N1"]);
    assert_eq!((rows(&past, "cluster_nodes").len(), &past["nodes"]), (1, &Value::Null));
    assert!(past["unseen"]["warnings"][0].as_str().unwrap().contains("of now"));
    let past = json(&["volumes", "-o", "json", "--at", &moment(900)]);
    assert_eq!(
        (rows(&past, "virtual_disks").len(), &past["volumes"]),
        (1, &Value::Null)
    );
    let own = json(&["volumes", "-o", "json", "--node", "n0"]);
    // The volume, and how that node reaches it.
    assert_eq!((rows(&own, "csvs").len(), rows(&own, "virtual_disks").len()), (2, 1));
    let early = ask(certificates, coordinator, &["volumes", "--at", "2020-01-01T00:00:00Z"]);
    assert_eq!(early.code, 4, "{}", early.err);
    // What nobody knows is said, with what there is.
    for list in ["disks", "nodes", "rdma", "vms"] {
        let ran = ask(certificates, coordinator, &[list, "--node", "nope"]);
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains("`nope` (known: n0, n1, n2)"), "{}", ran.err);
    }
    for list in ["disks", "pools", "volumes", "vms"] {
        let ran = ask(certificates, coordinator, &[list, "--name", "nope"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.err.contains("nothing here has `nope`"), "{}", ran.err);
    }
    let ran = ask(certificates, coordinator, &["extents", "nope"]);
    assert!(ran.code == 2 && ran.err.contains("(known: vol0)"), "{}", ran.err);
    assert_eq!(rows(&json(&["rdma", "--node", "N2", "-o", "json"]), "pairs").len(), 4);
    // Of settings those of one node, and those in which it is the odd one; of extents those on its drives.
    let settings = |more: &[&str]| {
        let past = moment(900);
        let all = [&["qos", "-o", "json", "--at", past.as_str()], more].concat();
        rows(&json(&all), "settings").len()
    };
    assert_eq!(
        (
            settings(&["--drift", "--node", "N1"]),
            settings(&["--drift", "--node", "n0"])
        ),
        (7, 0)
    );
    let named = settings(&["--name", "smb"]);
    assert!(0 < named && named < settings(&[]), "{named}");
    let extents = |more: &[&str]| rows(&json(&[&["extents", "vol0", "-o", "json"], more].concat()), "extents").len();
    assert_eq!(
        (
            extents(&["--node", "n1"]),
            extents(&["--disk", "N2/"]),
            extents(&["--disk", "nope"])
        ),
        (1, 1, 0)
    );
    // How long a pair has gone over RDMA and how old that is stands in the matrix: long after, it is old.
    let late = ask(certificates, coordinator, &["rdma", "--at", "2027-01-01T00:00:00Z"]);
    assert!(
        late.code == 4 && late.out.contains("rdma p3 for ") && late.out.contains("101 d"),
        "{}",
        late.out
    );
    let extent = json(&["extents", "vol0", "-o", "json"])["extents"][0]["id"].clone();
    let history = json(&["history", extent.as_str().unwrap(), "--kind", "extent", "-o", "json"]);
    assert_eq!(rows(&history, "history").len(), 1);
    beside_what_is_listed(&json);
}

fn beside_what_is_listed(json: &dyn Fn(&[&str]) -> Value) {
    let own = json(&["disks", "-o", "json", "--node", "n2"]);
    let derived = &own["disks"][1]["derived"];
    assert!(derived["reliability_seen_unix_ns"].is_u64(), "{derived}");
    assert_eq!(own["disks"][1]["derived_unavailable"]["read_errors"], "null");
    let pools = json(&["pools", "-o", "json"]);
    let derived = &rows(&pools, "pools")[0]["derived"];
    assert_eq!(
        (&derived["media"], &derived["mixed_media"]),
        (&value!(["SSD"]), &value!(false))
    );
    // All that it reaches, and what others reach at it.
    let sbl = json(&["sbl", "--node", "n1", "-o", "json"]);
    assert_eq!(
        (rows(&sbl, "sbl_devices").len(), rows(&sbl, "sbl_targets").len()),
        (20, 0)
    );
    // Over TCP the policy of SMB Direct marks nothing.
    let priority = |at: u64| {
        let pairs = json(&["rdma", "-o", "json", "--at", &moment(at)]);
        pair(&pairs, "n0", "n1")["priority"].clone()
    };
    assert_eq!((priority(900), priority(1900)), (value!(3), Value::Null));
}
