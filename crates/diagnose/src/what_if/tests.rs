//! Without what writes wait for they take what the other copies took; without another nothing changes.

use fathom_model::DiskIndex;

use super::*;
use crate::fixture::{Cluster, healthy};

fn what_if(cluster: &Cluster) -> WhatIf {
    let mut what_if = WhatIf::default();
    cluster.rows.ios.iter().for_each(|io| what_if.add(&cluster.rows, io));
    what_if
}

fn slow_at_times() -> Cluster {
    let mut cluster = Cluster::new();
    for at in 0..1000 {
        let mut times = [0, 1, 2].map(|copy| healthy(at as u64, copy));
        if at % 20 == 0 {
            times[1].device += 5_000_000;
        }
        cluster.write(at * 5_000_000, times, &[]);
    }
    cluster
}

#[test]
fn p99_without_the_slow_disk_is_that_of_the_others_and_without_another_the_same() {
    let cluster = slow_at_times();
    let what_if = what_if(&cluster);
    assert_eq!((what_if.writes(), what_if.unknown()), (1000, 0));
    let [_, _, with] = what_if.percentiles().unwrap();
    let slow = what_if.without(Away::Disk(DiskIndex(1))).unwrap();
    assert!(with > 5_000_000 && slow.percentiles[2] < 1_000_000, "{slow:?}");
    assert!(slow.sooner >= 50 && slow.unknown == 0, "{slow:?}");
    assert!((245_000_000..300_000_000).contains(&slow.given_back_nanos), "{slow:?}");
    let other = what_if.without(Away::Disk(DiskIndex(0))).unwrap();
    assert!(other.percentiles[2] > 5_000_000, "{other:?}");
    let nothing = what_if.without(Away::Disk(DiskIndex(7))).unwrap();
    assert_eq!(
        (nothing.sooner, nothing.percentiles),
        (0, what_if.percentiles().unwrap())
    );
    assert_eq!(WhatIf::default().without(Away::Disk(DiskIndex(0))), None);
}

#[test]
fn what_gives_back_the_most_comes_first() {
    let cluster = slow_at_times();
    let ranked = what_if(&cluster).ranked();
    assert_eq!(ranked[0].away.names(&cluster.catalog).1, "t1");
    assert!(
        matches!(ranked[0].away, Away::Disk(_)),
        "the smallest thing that gives it back: {:?}",
        ranked[0]
    );
    assert!(
        ranked
            .windows(2)
            .all(|pair| pair[0].given_back_nanos >= pair[1].given_back_nanos)
    );
    // One disk a node, one initiator: disk, link and node are the same copies.
    assert_eq!(ranked.len(), 9);
}

#[test]
fn waiting_for_an_unknown_time_is_counted_and_changes_nothing() {
    let mut cluster = Cluster::new();
    cluster.write(0, [0, 1, 2].map(|copy| healthy(1, copy)), &[]);
    let last = cluster.rows.ios[0].slowest.unwrap();
    let disk = cluster.rows.legs[last.leg].disk;
    cluster.rows.ios[0].slowest.as_mut().unwrap().lead_nanos = None;
    let other = (0..3).find(|leg| *leg != last.leg).unwrap();
    cluster.rows.legs[other].initiator = None;
    let what_if = what_if(&cluster);
    let without = what_if.without(Away::Disk(disk)).unwrap();
    assert_eq!((without.sooner, without.unknown), (0, 1));
    assert_eq!(Some(without.percentiles), what_if.percentiles());
}

#[test]
fn part_without_another_copy_is_not_made_shorter() {
    let mut cluster = Cluster::new();
    cluster.write(0, [0, 1, 2].map(|copy| healthy(1, copy)), &[]);
    let node = cluster.rows.legs[0].node;
    cluster.rows.legs.iter_mut().for_each(|leg| leg.node = node);
    let without = what_if(&cluster).without(Away::Node(node)).unwrap();
    assert_eq!((without.given_back_nanos, without.unknown), (0, 1));
}

#[test]
fn things_are_named_as_answers_show_them() {
    let catalog = Cluster::new().catalog;
    let node = |name: &str| catalog.find_node(&name.into()).unwrap();
    assert_eq!(Away::parse("disk:t1/disk0", &catalog), Ok(Away::Disk(DiskIndex(1))));
    assert_eq!(Away::parse("node:t2", &catalog), Ok(Away::Node(node("t2"))));
    let link = Away::parse("link:t2-i0", &catalog);
    assert_eq!(link, Ok(Away::Link(node("i0"), node("t2"))));
    assert_eq!(link, Away::parse("link:i0-t2", &catalog));
    for wrong in ["", "disk", "disk:", "disk:disk0", "volume:vol0", "link:i0"] {
        assert!(
            matches!(Away::parse(wrong, &catalog), Err(NotAway::Form { .. })),
            "{wrong}"
        );
    }
    for unknown in ["disk:t1/disk9", "node:t9", "link:t1-t9", "link:t1-t1"] {
        assert!(
            matches!(Away::parse(unknown, &catalog), Err(NotAway::Unknown { .. })),
            "{unknown}"
        );
    }
}
