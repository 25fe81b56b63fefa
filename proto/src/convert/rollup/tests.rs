//! What goes over the wire comes back as it was, and what cannot be is refused.

use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::convert::Error;

fn sketch(values: &[u64]) -> Sketch {
    let mut sketch = Sketch::default();
    values.iter().for_each(|&value| sketch.add(value));
    sketch
}

pub(super) fn key() -> CohortKey {
    CohortKey {
        axis: Axis::Disk,
        subject: "Made-up NVMe".to_owned(),
        variant: "1.1".to_owned(),
    }
}

fn rollup() -> ClusterRollup {
    let mut counts = Counts::default();
    counts.add(Counted::Disk, State::Ok, 383);
    counts.add(Counted::Disk, State::Degraded, 1);
    ClusterRollup {
        site: "berlin".to_owned(),
        cluster: "c7".into(),
        labels: [("env".to_owned(), "prod".to_owned())].into(),
        revision: Revision {
            started_unix_ns: 5,
            number: 7,
        },
        from_unix_ns: 100,
        to_unix_ns: 200,
        state: State::Degraded,
        since_unix_ns: Some(150),
        reason: "disk n1/disk0: DISK_SLOW".to_owned(),
        counts,
        worst: vec![WorstChild {
            kind: Counted::Disk,
            name: "n1/disk0".to_owned(),
            state: State::Degraded,
            since_unix_ns: None,
            reason: "DISK_SLOW".to_owned(),
        }],
        worst_more: 2,
        findings: vec![FindingCount {
            code: "DISK_SLOW".to_owned(),
            severity: Severity::Warning,
            open: 1,
            muted: 0,
        }],
        findings_more: 3,
        latency: vec![TapLatency {
            tap: Tap::Volume,
            op: Op::Write,
            sketch: sketch(&[1_000_000, 2_000_000]),
        }],
        cohorts: vec![CohortRow {
            key: key(),
            devices: 384,
            writes: sketch(&[90_000]),
            reads: Sketch::default(),
            io_errors: 1,
            media_errors: Some(0),
            found: 1,
        }],
        cohorts_more: 4,
    }
}

/// The rollup over the wire with a change, which has to be refused.
fn refused(change: impl FnOnce(&mut wire::ClusterRollup)) -> String {
    let mut sent = wire::ClusterRollup::from(&rollup());
    change(&mut sent);
    rollup_from_wire(sent).expect_err("it is refused").to_string()
}

#[test]
fn a_rollup_comes_back_as_it_went() {
    let sent = wire::ClusterRollup::from(&rollup()).encode_to_vec();
    let came = wire::ClusterRollup::decode(sent.as_slice()).expect("it is the message");
    assert_eq!(rollup_from_wire(came), Ok(rollup()));
    assert_eq!(wire::ClusterRollup::from(&rollup()).encode_to_vec(), sent);
}

#[test]
fn a_rollup_of_nothing_is_unknown_and_comes_back() {
    let nothing = ClusterRollup::new(&fathom_model::rollup::ClusterKey::new("s", "c"), Revision::default());
    assert_eq!(nothing.state, State::Unknown);
    assert_eq!(rollup_from_wire((&nothing).into()), Ok(nothing));
}

#[test]
fn what_is_missing_or_cannot_be_is_refused_with_its_field() {
    assert!(refused(|sent| sent.site.clear()).starts_with("rollup.site is empty"));
    assert!(refused(|sent| sent.cluster = "a\nb".to_owned()).starts_with("rollup.cluster has the control character"));
    assert_eq!(refused(|sent| sent.revision = None), "rollup.revision is missing");
    assert!(refused(|sent| sent.to_unix_nanos = 99).contains("before rollup.from_unix_nanos"));
    assert!(refused(|sent| sent.state = "fine".to_owned()).contains("`fine` is not a known state"));
    assert!(refused(|sent| sent.state.clear()).contains("rollup.state"));
    assert!(refused(|sent| sent.counts[0].state = "fine".to_owned()).contains("rollup.counts"));
    assert!(refused(|sent| sent.findings[0].severity = "bad".to_owned()).contains("rollup.findings.severity"));
    assert!(refused(|sent| sent.latency[0].tap = "wire".to_owned()).contains("rollup.latency.tap"));
    assert!(refused(|sent| sent.latency[0].op = "look".to_owned()).contains("rollup.latency.op"));
    assert_eq!(
        refused(|sent| sent.latency[0].sketch = None),
        "rollup.latency.sketch is missing"
    );
    assert_eq!(
        refused(|sent| sent.cohorts[0].key = None),
        "rollup.cohorts.key is missing"
    );
}

#[test]
fn what_is_there_twice_is_refused_since_it_would_count_twice() {
    assert!(refused(|sent| sent.latency.push(sent.latency[0].clone())).contains("writes at volume are in it twice"));
    assert!(refused(|sent| sent.cohorts.push(sent.cohorts[0].clone())).contains("twice"));
}

#[test]
fn more_than_a_rollup_holds_is_refused() {
    let many = |sent: &mut wire::ClusterRollup| sent.worst = vec![sent.worst[0].clone(); MOST_WORST + 1];
    assert_eq!(refused(many), "number of rollup.worst is 21, the limit is 20");
    let many = |sent: &mut wire::ClusterRollup| sent.findings = vec![sent.findings[0].clone(); MOST_CODES + 1];
    assert!(refused(many).contains("rollup.findings"));
    let many = |sent: &mut wire::ClusterRollup| sent.cohorts = vec![sent.cohorts[0].clone(); MOST_COHORTS + 1];
    assert!(refused(many).contains("rollup.cohorts"));
    let many = |sent: &mut wire::ClusterRollup| {
        sent.labels = (0..=MOST_LABELS).map(|at| (at.to_string(), String::new())).collect();
    };
    assert!(refused(many).contains("rollup.labels"));
    let long = "x".repeat(LONGEST_TEXT + 1);
    let of = long.clone();
    assert!(refused(|sent| sent.reason = of).contains("rollup.reason is 257, the limit is 256"));
    assert!(refused(|sent| drop(sent.labels.insert(long, String::new()))).contains("rollup.labels"));
    let bins = |sent: &mut wire::ClusterRollup| {
        if let Some(sketch) = &mut sent.latency[0].sketch {
            sketch.counts = vec![1; BINS + 1];
        }
    };
    assert!(refused(bins).contains("rollup.latency.sketch is 3777"));
}

#[test]
fn kinds_of_a_later_version_are_left_out_and_counted() {
    let mut sent = wire::ClusterRollup::from(&rollup());
    sent.worst[0].kind = "rack".to_owned();
    sent.counts[0].kind = "rack".to_owned();
    sent.cohorts[0].key = Some(wire::CohortKey {
        axis: "switch".to_owned(),
        ..wire::CohortKey::default()
    });
    let came = rollup_from_wire(sent).expect("it is taken");
    assert!(came.worst.is_empty() && came.cohorts.is_empty());
    assert_eq!((came.worst_more, came.cohorts_more), (3, 4 + 384));
    assert_eq!(came.counts.total(Counted::Disk), 1);
}

#[test]
fn a_sketch_that_no_values_have_is_refused_with_its_field() {
    let mut bad = wire::Sketch::from(&sketch(&[5, 6]));
    bad.sum_nanos = 1;
    let error = sketch_from_wire("rollup.latency.sketch", bad).expect_err("it is refused");
    assert!(matches!(error, Error::Sketch { .. }));
    assert_eq!(
        error.to_string(),
        "rollup.latency.sketch is no sketch: 1 ns is no sum of 2 values from 5 to 6 ns"
    );
}

proptest! {
    #[test]
    fn whatever_bytes_come_nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>()) {
        let mut sent = wire::ClusterRollup::from(&rollup()).encode_to_vec();
        let at = at.index(sent.len());
        sent.splice(at..at, bytes);
        if let Ok(message) = wire::ClusterRollup::decode(sent.as_slice()) {
            let _ = rollup_from_wire(message);
        }
    }
}
