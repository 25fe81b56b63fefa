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
