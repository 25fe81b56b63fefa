//! A condition opens when it stands, closes when it is gone, and has what writes feel of it: one cause, one finding.

use super::*;
use crate::findings::tests::{cluster, part, slow_between};
use crate::fixture::START;

mod felt;

const SECOND: i64 = BIN_NANOS;

fn condition(sign: Sign, kind: &str, node: &str, peer: Option<&str>, disk: Option<&str>) -> Condition {
    Condition {
        disk: disk.map(str::to_owned),
        peer: peer.map(str::to_owned),
        text: "it is so".to_owned(),
        observations: ["i0", "t1"]
            .map(|reader| ObservationRef {
                kind: "disk".to_owned(),
                node: reader.to_owned(),
                id: "d".to_owned(),
                at_unix_ns: 1,
                counter: None,
            })
            .to_vec(),
        ..Condition::new(sign, kind, node)
    }
}

fn fallback() -> Condition {
    condition(Sign::TcpFallback, "link", "i0", Some("t1"), None)
}

fn kinds(tracker: &mut Tracker) -> Vec<ChangeKind> {
    tracker.take_changes().iter().map(|change| change.kind).collect()
}

#[test]
fn condition_opens_after_it_stood_and_closes_after_it_was_gone() {
    let mut tracker = Tracker::default();
    let mut at = |second: i64, stands: bool, node: &str| {
        let standing = if stands { vec![fallback()] } else { vec![] };
        tracker.read(Sign::TcpFallback, &standing, node, second * SECOND);
        kinds(&mut tracker)
    };
    assert!(at(0, true, "i0").is_empty());
    // Another node's clock says nothing of how long it stood.
    assert!(at(100, true, "t1").is_empty());
    assert!(at(4, true, "i0").is_empty());
    assert_eq!(at(5, true, "i0"), [ChangeKind::Opened]);
    assert!(at(6, true, "i0").is_empty());
    assert!(at(7, false, "i0").is_empty());
    // It came back before it was over.
    assert!(at(20, true, "i0").is_empty());
    assert!(at(30, false, "i0").is_empty());
    assert!(at(59, false, "i0").is_empty());
    // Who has nothing to say of it does not close it.
    assert!(at(20, false, "t0").is_empty());
    assert!(at(90, false, "t0").is_empty());
    assert_eq!(at(60, false, "i0"), [ChangeKind::Closed]);
    assert!(at(100, true, "i0").is_empty());
    assert_eq!(at(110, true, "i0"), [ChangeKind::Reopened]);
    let finding = tracker.findings().next().unwrap().clone();
    assert_eq!(
        (finding.code.as_str(), finding.reopened, finding.cost_ns),
        ("LINK_TCP_FALLBACK", 1, 0)
    );
    assert!(!finding.observations.is_empty() && !finding.next.is_empty());
    assert_eq!(tracker.findings().count(), 1);
}

#[test]
fn what_flickers_opens_nothing() {
    let mut tracker = Tracker::default();
    for second in 0..60 {
        let standing = if second % 4 == 3 { vec![] } else { vec![fallback()] };
        tracker.read(Sign::TcpFallback, &standing, "i0", second * SECOND);
    }
    assert_eq!(tracker.findings().count(), 0);
}

#[test]
fn successor_goes_on_and_closes_what_is_gone_by_then() {
    let mut tracker = Tracker::default();
    for second in [0, 5] {
        tracker.read(Sign::TcpFallback, &[fallback()], "i0", second * SECOND);
    }
    let mut successor = Tracker::resume(tracker.kept());
    successor.read(Sign::TcpFallback, &[fallback()], "i0", 6 * SECOND);
    assert!(kinds(&mut successor).is_empty(), "it is open already");
    let mut successor = Tracker::resume(successor.kept());
    for second in [10, 20, 40] {
        successor.read(Sign::TcpFallback, &[], "i0", second * SECOND);
    }
    assert_eq!(kinds(&mut successor), [ChangeKind::Closed]);
}

/// The link of copy 1 is slow from second 20 on.
pub(in crate::findings) fn slow_link() -> crate::fixture::Cluster {
    cluster(90, |at, of, times| {
        if of == 1 && at >= 20 * SECOND {
            times.way += 2_000_000;
        }
    })
}

#[test]
fn slow_link_folds_under_the_fallback_with_its_cost_and_its_writes() {
    let cluster = slow_link();
    let alone = {
        let mut tracker = Tracker::default();
        tracker.add(&cluster.rows, &cluster.catalog);
        tracker.finish(&cluster.catalog);
        tracker.findings().cloned().collect::<Vec<Finding>>()
    };
    // Which ends it has is the fixture's.
    let link = alone
        .iter()
        .find(|finding| finding.kind == "link" || finding.kind == "node")
        .unwrap();
    let cause = match &link.peer {
        Some(peer) => condition(Sign::TcpFallback, "link", &link.node, Some(peer), None),
        None => condition(Sign::TcpFallback, "node", &link.node, None, None),
    };
    for first_by_state in [true, false] {
        let mut tracker = Tracker::default();
        let read = |tracker: &mut Tracker, second: i64| {
            tracker.read(
                Sign::TcpFallback,
                std::slice::from_ref(&cause),
                "i0",
                START + second * SECOND,
            );
        };
        if first_by_state {
            read(&mut tracker, 19);
            read(&mut tracker, 24);
        }
        tracker.add(&part(&cluster, 0, 50), &cluster.catalog);
        if !first_by_state {
            assert!(tracker.findings().any(|finding| finding.id == link.id));
            read(&mut tracker, 19);
            read(&mut tracker, 50);
        }
        // A kill in the middle loses nothing of it.
        let mut tracker = {
            let mut successor = Tracker::resume(tracker.kept());
            successor.warm(&part(&cluster, 0, 50));
            successor.settle(&cluster.catalog);
            successor
        };
        tracker.add(&part(&cluster, 50, 90), &cluster.catalog);
        tracker.finish(&cluster.catalog);
        let open: Vec<&Finding> = tracker
            .findings()
            .filter(|finding| finding.state == State::Open)
            .collect();
        assert_eq!(open.len(), 1, "{open:?}");
        let whole = open[0];
        assert_eq!(whole.code, "LINK_TCP_FALLBACK");
        let ratio = whole.cost_ns as f64 / link.cost_ns as f64;
        assert!((0.9..1.1).contains(&ratio), "{} {}", whole.cost_ns, link.cost_ns);
        assert!(!whole.victims.is_empty());
        assert!(
            whole.evidence.iter().any(|reason| !reason.writes.is_empty()),
            "{whole:?}"
        );
        for part in tracker.findings().filter(|finding| finding.state == State::Closed) {
            assert_eq!(part.part_of.as_ref(), Some(&whole.id), "{part:?}");
        }
    }
}

#[test]
fn fallback_that_began_after_the_link_was_slow_is_no_cause() {
    let cluster = slow_link();
    let mut tracker = Tracker::default();
    tracker.add(&cluster.rows, &cluster.catalog);
    let slow = tracker.findings().next().unwrap().clone();
    let cause = match &slow.peer {
        Some(peer) => condition(Sign::TcpFallback, "link", &slow.node, Some(peer), None),
        None => condition(Sign::TcpFallback, "node", &slow.node, None, None),
    };
    for second in [200, 210] {
        tracker.read(
            Sign::TcpFallback,
            std::slice::from_ref(&cause),
            "i0",
            START + second * SECOND,
        );
    }
    tracker.finish(&cluster.catalog);
    let open = tracker
        .findings()
        .filter(|finding| finding.state == State::Open)
        .count();
    assert_eq!(open, 2);
}

#[test]
fn symptom_is_part_of_what_writes_feel_and_a_cause_has_it() {
    let cluster = cluster(60, slow_between(20, 60, 1));
    let felt = {
        let mut tracker = Tracker::default();
        tracker.add(&cluster.rows, &cluster.catalog);
        tracker.findings().next().unwrap().clone()
    };
    assert_eq!(felt.kind, "disk");
    let of_disk = condition(Sign::DiskUnhealthy, "disk", &felt.node, None, felt.disk.as_deref());
    let symptom = Condition {
        is_symptom: true,
        ..of_disk.clone()
    };
    let told = |condition: &Condition, before: bool| {
        let mut tracker = Tracker::default();
        let read = |tracker: &mut Tracker| {
            for second in [10, 16, 17] {
                let at = START + second * SECOND;
                tracker.read(Sign::DiskUnhealthy, std::slice::from_ref(condition), "i0", at);
            }
        };
        if before {
            read(&mut tracker);
        }
        tracker.add(&cluster.rows, &cluster.catalog);
        if !before {
            read(&mut tracker);
            tracker.finish(&cluster.catalog);
        }
        let open = tracker.findings().filter(|finding| finding.state == State::Open);
        open.map(|finding| finding.code.clone()).collect::<Vec<_>>()
    };
    for before in [true, false] {
        assert_eq!(told(&symptom, before), ["DISK_SLOW"]);
    }
    assert_eq!(told(&of_disk, true), ["DISK_UNHEALTHY"]);
}

#[test]
fn one_pair_is_part_of_its_node() {
    let mut tracker = Tracker::default();
    for second in [0, 5] {
        tracker.read(Sign::TcpFallback, &[fallback()], "i0", second * SECOND);
    }
    let of_node = condition(Sign::TcpFallback, "node", "t1", None, None);
    for second in [6, 11] {
        tracker.read(Sign::TcpFallback, std::slice::from_ref(&of_node), "i0", second * SECOND);
    }
    let findings: Vec<&Finding> = tracker.findings().collect();
    assert_eq!(findings.len(), 2);
    assert_eq!(findings[0].part_of.as_ref(), Some(&findings[1].id));
    assert_eq!((findings[0].state, findings[1].state), (State::Closed, State::Open));
}
