//! Writes are counted, not legs.

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
