//! Writes are counted, not legs, and what is not known is not zero.

use super::*;
use crate::fixture::{Cluster, healthy};

#[test]
fn write_with_two_parts_on_a_disk_counts_once_for_it() {
    let mut cluster = Cluster::new();
    for at in 0..10_i64 {
        cluster.write(at * 1_000_000, [0, 1, 2].map(|copy| healthy(at as u64, copy)), &[]);
    }
    // The third leg is a second part on the disk of the first.
    for leg in cluster.rows.legs.iter_mut().filter(|leg| leg.copy == 2) {
        (leg.part, leg.copy, leg.disk, leg.node) =
            (1, 0, DiskIndex(0), cluster.catalog.find_node(&"t0".into()).unwrap());
    }
    let mut last = LastCopies::default();
    cluster.rows.ios.iter().for_each(|io| last.add(&cluster.rows, io));
    let rows = last.report(&cluster.catalog);
    assert_eq!(rows.iter().map(|row| row.writes).collect::<Vec<_>>(), [10, 10]);
    let sum = |share: fn(&report::LastCopy) -> f64| rows.iter().map(share).sum::<f64>();
    assert!(
        (sum(|row| row.share) - 1.0).abs() < 1e-3 && (sum(|row| row.expected_share) - 1.0).abs() < 1e-3,
        "{rows:?}"
    );
}

#[test]
fn added_time_is_unknown_where_no_lead_is_and_zero_only_for_a_copy_that_never_was_the_last() {
    let mut cluster = Cluster::new();
    for at in 0..10_i64 {
        let mut times = [0, 1, 2].map(|copy| healthy(at as u64, copy));
        times[1].device += 5_000_000;
        cluster.write(at * 10_000_000, times, &[]);
    }
    let added = |cluster: &Cluster| {
        let mut last = LastCopies::default();
        cluster.rows.ios.iter().for_each(|io| last.add(&cluster.rows, io));
        let rows = last.report(&cluster.catalog);
        rows.iter().map(|row| row.added_ns).collect::<Vec<_>>()
    };
    let known = added(&cluster);
    assert_eq!((known[0], known[2]), (Some(0), Some(0)));
    assert!(known[1].is_some_and(|added| added > 10_000_000), "{known:?}");
    for io in &mut cluster.rows.ios {
        io.slowest.as_mut().unwrap().lead_nanos = None;
    }
    assert_eq!(added(&cluster), [None, None, None]);
}
