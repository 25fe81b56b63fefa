//! Writes are counted, not legs, and what is not known is not zero.

use fathom_model::DiskIndex;

use super::*;
use crate::fixture::{Cluster, Request, healthy};

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

#[test]
fn nodes_and_pairs_add_up_to_what_their_disks_do() {
    let mut cluster = Cluster::new();
    for at in 0..200_i64 {
        let from = ["i0", "t1"][usize::from(at % 4 == 0)];
        cluster.make(Request {
            at: at * 1_000_000,
            from,
            times: [0, 1, 2].map(|copy| healthy(at as u64, copy)),
            before: 10_000,
            without: &[],
        });
    }
    let mut last = LastCopies::default();
    cluster.rows.ios.iter().for_each(|io| last.add(&cluster.rows, io));
    let (disks, nodes) = (last.report(&cluster.catalog), last.by_node(&cluster.catalog));
    // Each node has one disk here.
    let without_disk = disks.iter().cloned().map(|row| report::LastCopy { disk: None, ..row });
    assert_eq!(without_disk.collect::<Vec<_>>(), nodes);
    let pairs = last.by_pair(&cluster.catalog);
    let ends = pairs
        .iter()
        .map(|row| (row.node.as_str(), row.peer.as_deref().unwrap(), row.writes));
    let from_i0 = [("i0", "t0", 150), ("i0", "t1", 150), ("i0", "t2", 150)];
    // What t1 has of its own writes did not go anywhere.
    assert_eq!(
        ends.collect::<Vec<_>>(),
        [&from_i0[..], &[("t0", "t1", 50), ("t1", "t2", 50)]].concat()
    );
}

#[test]
fn interval_has_the_share_and_narrows_with_more_writes() {
    let near = |found: (f64, f64), known: (f64, f64)| {
        assert!(
            (found.0 - known.0).abs() < 1e-3 && (found.1 - known.1).abs() < 1e-3,
            "{found:?} for {known:?}"
        );
    };
    // As in tables: 0 of 10, 5 of 10, 10 of 10, 500 of 1,000.
    near(interval(0, 10), (0.0, 0.2775));
    near(interval(5, 10), (0.2366, 0.7634));
    near(interval(10, 10), (0.7225, 1.0));
    near(interval(500, 1_000), (0.4691, 0.5309));
    assert_eq!(interval(0, 0), (0.0, 1.0));
}

#[test]
fn interval_has_the_truth_in_about_95_of_100_samples() {
    // A third of draws: by a generator with known numbers, so that the test never changes.
    let mut state = 1_u64;
    let mut draw = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut held = 0;
    for _ in 0..2_000 {
        let count = (0..60).filter(|_| draw().is_multiple_of(3)).count() as u64;
        let (low, high) = interval(count, 60);
        held += u32::from((low..=high).contains(&(1.0 / 3.0)));
    }
    assert!((1_860..=1_950).contains(&held), "{held} of 2000");
}
