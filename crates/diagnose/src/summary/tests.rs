//! What is incomplete has a reason.

use super::*;
use crate::fixture::{Cluster, healthy};

#[test]
fn write_outside_all_extents_is_missing_for_want_of_an_extent() {
    let mut cluster = Cluster::new();
    for at in 0..3_i64 {
        cluster.write(at * 1_000_000, [0, 1, 2].map(|copy| healthy(at as u64, copy)), &[]);
    }
    for io in &mut cluster.rows.ios[1..] {
        (io.class, io.legs_expected, io.legs) = (IoClass::Incomplete, 0, 0..0);
    }
    let mut summary = Summary::default();
    cluster
        .rows
        .ios
        .iter()
        .for_each(|io| summary.add(io, cluster.rows.legs_of(io)));
    let missing = summary.missing(&cluster.catalog);
    let row = |row: &MissingCount| (row.node.clone(), row.tap.clone(), row.cause.clone(), row.legs);
    let expected = ("i0".to_owned(), "volume".to_owned(), "no_extent".to_owned(), 2);
    assert_eq!(missing.iter().map(row).collect::<Vec<_>>(), [expected]);
}

#[test]
fn node_that_was_not_heard_lacks_the_target_that_others_have() {
    let mut cluster = Cluster::new();
    for at in 0..3_i64 {
        cluster.write(at * 1_000_000, [0, 1, 2].map(|copy| healthy(at as u64, copy)), &[]);
    }
    let lost = cluster.rows.legs[0].node;
    let has_target = |cluster: &Cluster| cluster.rows.legs.iter().any(|leg| leg.target.is_some());
    assert!(has_target(&cluster));
    for leg in cluster.rows.legs.iter_mut().filter(|leg| leg.node == lost) {
        (leg.target, leg.device, leg.missing_device) = (None, None, Some(Missing::NoDaemon));
    }
    let count = |cluster: &Cluster| {
        let mut summary = Summary::default();
        for io in &cluster.rows.ios {
            summary.add(io, cluster.rows.legs_of(io));
        }
        let rows = summary.missing(&cluster.catalog);
        rows.into_iter()
            .map(|row| (row.tap, row.cause, row.legs))
            .collect::<Vec<_>>()
    };
    let of = |tap: &str| (tap.to_owned(), "no_daemon".to_owned(), 3);
    assert_eq!(count(&cluster), [of("device"), of("target")]);
    // Where nobody has it, as on Windows, it is not missing.
    cluster.rows.legs.iter_mut().for_each(|leg| leg.target = None);
    assert_eq!(count(&cluster), [of("device")]);
}
