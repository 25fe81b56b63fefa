//! What a job explains is its own; where none is known nobody is named for sure.

use fathom_model::Topology;

use super::*;
use crate::findings::tests::cluster;
use crate::fixture::{START, moved};
use crate::overview;

const SECOND: i64 = 1_000_000_000;

fn running(from: i64) -> Running {
    Running {
        id: "j1".to_owned(),
        name: "repair".to_owned(),
        from_unix_nanos: START + from * SECOND,
        until_unix_nanos: Some(START + 90 * SECOND),
        moved_bytes: Some(1 << 30),
    }
}

/// The way of copy 1 is slow from second 20 on, and from second 18 on much is moved at its drive where `moves` says so.
fn report_of(moves: bool, running: &[Running]) -> Report {
    let mut cluster = cluster(90, |at, of, times| {
        if of == 1 && at >= 20 * SECOND {
            times.way += 2_000_000;
        }
    });
    if moves {
        cluster.rows.unmatched = moved(18, 90);
    }
    overview::report(
        &cluster.rows,
        &cluster.catalog,
        Vec::new(),
        &Topology::default(),
        running,
    )
}

#[test]
fn job_is_the_culprit_with_what_the_watch_counted() {
    let alone = report_of(false, &[]);
    let watched: u64 = alone.culprits.iter().map(|culprit| culprit.cost_ns).sum();
    let report = report_of(true, &[running(18)]);
    let culprit = report.culprit.unwrap();
    assert_eq!(
        (culprit.kind.as_str(), culprit.resource.as_deref()),
        ("job", Some("j1"))
    );
    assert_eq!((&culprit.node, &culprit.disk, &culprit.peer), (&None, &None, &None));
    assert_eq!(report.culprits, std::slice::from_ref(&culprit));
    assert!(
        culprit.cost_ns >= watched / 10 * 9 && culprit.cost_ns <= watched / 9 * 10,
        "{} {watched}",
        culprit.cost_ns
    );
    assert!(
        culprit.evidence[0].text.contains("job repair runs since"),
        "{:?}",
        culprit.evidence
    );
    assert!(culprit.evidence[1..].iter().any(|reason| !reason.writes.is_empty()));
}

#[test]
fn job_explains_nothing_that_was_there_before_it() {
    let report = report_of(true, &[running(60)]);
    assert!(
        report.culprits.iter().all(|culprit| culprit.kind != "job"),
        "{report:?}"
    );
}

#[test]
fn without_state_a_way_is_not_named_where_much_is_moved_for_no_write() {
    let named = report_of(false, &[]).culprit.unwrap();
    let doubted = report_of(true, &[]).culprit.unwrap();
    assert!(matches!(named.kind.as_str(), "link" | "node"), "{named:?}");
    assert_eq!(
        (doubted.kind.as_str(), doubted.node.as_deref()),
        ("unknown", Some("t1"))
    );
    assert!(doubted.confidence <= 0.5, "{doubted:?}");
    assert!(doubted.evidence[0].text.contains("by its size a repair"), "{doubted:?}");
}
