//! Writes come out by their completion on one clock, and as soon as nothing can come before them.

use super::*;
use crate::fixture::{Cluster, START, healthy};

const MILLISECOND: i64 = 1_000_000;

fn clock(node: &str, reference: &str, offset_ns: i64, error_ns: u64) -> Clock {
    Clock {
        node: node.to_owned(),
        reference: reference.to_owned(),
        offset_ns: Some(offset_ns),
        drift_ppb: None,
        error_ns: Some(error_ns),
    }
}

fn writes(starts: &[i64]) -> Cluster {
    let mut cluster = Cluster::new();
    for &at in starts {
        cluster.write(at * MILLISECOND, [0, 1, 2].map(|copy| healthy(1, copy)), &[]);
    }
    cluster
}

fn drain(line: &mut Line<'_>, until: Option<i64>) -> Vec<i64> {
    let mut starts = Vec::new();
    while line.advance(until) {
        let (rows, io) = line.write().unwrap();
        assert_eq!(rows.legs_of(io).len(), 3);
        starts.push((io.event.start_unix_nanos - START) / MILLISECOND);
    }
    starts
}

#[test]
fn writes_wait_for_those_that_may_come_before_them() {
    let (early, late) = (writes(&[30, 10, 50]), writes(&[40, 20]));
    let mut line = Line::new(&[]);
    line.take(Cow::Borrowed(&early.rows), &early.catalog);
    // They end 0.4 ms after they start.
    assert_eq!(drain(&mut line, Some(START + 20 * MILLISECOND)), [10]);
    line.take(Cow::Owned(late.rows.clone()), &early.catalog);
    assert_eq!(drain(&mut line, Some(START + 45 * MILLISECOND)), [20, 30, 40]);
    assert_eq!(line.chunks.len(), 1, "rows are kept as long as one of them waits");
    assert_eq!(drain(&mut line, None), [50]);
    assert!(line.chunks.is_empty() && !line.advance(None));
}

#[test]
fn clocks_are_tied_through_others_by_the_surest_offset() {
    let clocks = [
        clock("t0", "i0", 5, 100),
        clock("t0", "i0", 7, 10),
        clock("t0", "i1", -3, 10),
        clock("x", "y", 1, 1),
    ];
    // t0 is 7 ahead of i0, i1 is 3 ahead of t0.
    let expected = [("i0", 0), ("t0", 7), ("i1", 10), ("x", 0), ("y", -1)];
    let expected: BTreeMap<String, i64> = expected.map(|(name, ahead)| (name.to_owned(), ahead)).into();
    assert_eq!(ahead(&clocks), expected);
    let line = Line::new(&clocks);
    assert_eq!(line.furthest, 10, "no write of i1 is settled before that much later");
}

#[test]
fn names_that_come_later_follow_and_keep_their_indices() {
    let mut names = Names::default();
    let mut catalog = Catalog::default();
    catalog.intern_node(&"c".into());
    catalog.intern_node(&"a".into());
    names.learn(&catalog);
    assert_eq!(names.nodes, [NodeIndex(1), NodeIndex(0)]);
    catalog.intern_node(&"z".into());
    catalog.intern_node(&"b".into());
    names.learn(&catalog);
    assert_eq!(names.nodes, [1, 0, 3, 2].map(NodeIndex));
    assert_eq!(names.catalog.node(NodeIndex(2)).as_str(), "b");
}
