//! Without the disk that writes wait for they take what the others took; without another nothing changes.

use fathom_model::DiskIndex;

use super::*;
use crate::fixture::{Cluster, healthy};

#[test]
fn p99_without_the_slow_disk_is_that_of_the_others_and_without_another_the_same() {
    let mut cluster = Cluster::new();
    for at in 0..1000 {
        let mut times = [0, 1, 2].map(|copy| healthy(at as u64, copy));
        if at % 20 == 0 {
            times[1].device += 5_000_000;
        }
        cluster.write(at * 5_000_000, times, &[]);
    }
    let mut what_if = WhatIf::default();
    cluster.rows.ios.iter().for_each(|io| what_if.add(&cluster.rows, io));
    let slow = what_if.without(DiskIndex(1), 0.99).unwrap();
    assert!(
        slow.with_nanos > 5_000_000 && slow.without_nanos < 1_000_000,
        "{slow:?}"
    );
    assert!(slow.sooner >= 50, "{slow:?}");
    let other = what_if.without(DiskIndex(0), 0.99).unwrap();
    assert!(other.without_nanos > 5_000_000, "{other:?}");
    assert_eq!(what_if.without(DiskIndex(7), 0.99).map(|none| none.sooner), Some(0));
    assert_eq!(WhatIf::default().without(DiskIndex(0), 0.99), None);
}

#[test]
fn waiting_for_an_unknown_time_is_counted_and_changes_nothing() {
    let mut cluster = Cluster::new();
    cluster.write(0, [0, 1, 2].map(|copy| healthy(1, copy)), &[]);
    let last = cluster.rows.ios[0].slowest.unwrap();
    let disk = cluster.rows.legs[last.leg].disk;
    cluster.rows.ios[0].slowest.as_mut().unwrap().lead_nanos = None;
    let mut what_if = WhatIf::default();
    cluster.rows.ios.iter().for_each(|io| what_if.add(&cluster.rows, io));
    let without = what_if.without(disk, 0.5).unwrap();
    assert_eq!((without.sooner, without.unknown), (0, 1));
    assert_eq!(without.with_nanos, without.without_nanos);
}
