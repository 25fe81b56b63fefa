//! A job that writes wait for is one finding, which has what they waited; one that they do not wait for is none.

use std::collections::BTreeSet;

use fathom_model::NodeId;
use fathom_model::condition::{JobReading, ObservationRef};
use fathom_model::finding::{ChangeKind, Finding};

use super::*;
use crate::findings::conditions::tests::slow_link;
use crate::findings::tests::{cluster, part};
use crate::fixture::{Cluster, START, moved};

const SECOND: i64 = BIN_NANOS;

/// A job that began at a second.
fn job(began: i64) -> Condition {
    Condition {
        resource: Some("j1".to_owned()),
        job: Some(JobReading {
            name: "vol0's repair".to_owned(),
            began_unix_ns: START + began * SECOND,
            moved_bytes: Some(3 << 30),
            total_bytes: None,
        }),
        text: "job runs".to_owned(),
        observations: vec![ObservationRef {
            kind: "storage_job".to_owned(),
            node: "i0".to_owned(),
            id: "j1".to_owned(),
            at_unix_ns: 1,
            counter: None,
        }],
        ..Condition::new(Sign::JobRuns, "job", "")
    }
}

/// Plays a cluster second by second, with a job that is read so every 5 s of a stretch and not in the rest.
fn play(tracker: &mut Tracker, cluster: &Cluster, seconds: (i64, i64), runs: (i64, i64), began: i64) {
    let running = [job(began)];
    for second in seconds.0..seconds.1 {
        tracker.add(&part(cluster, second, second + 1), &cluster.catalog);
        if second % 5 == 0 {
            let standing = if (runs.0..runs.1).contains(&second) {
                &running[..]
            } else {
                &[]
            };
            tracker.read(Sign::JobRuns, standing, "i0", START + second * SECOND);
        }
    }
    tracker.finish(&cluster.catalog);
}

fn tracker(moves: Option<(i64, i64)>, cluster: &Cluster) -> Tracker {
    let mut tracker = Tracker::default();
    if let Some((from, until)) = moves {
        tracker.add_unmatched(&moved(from, until), &cluster.catalog);
    }
    tracker
}

fn open(tracker: &Tracker) -> Vec<Finding> {
    let open = tracker.findings().filter(|finding| finding.state == State::Open);
    open.cloned().collect()
}

fn codes(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn what_began_with_a_job_where_it_works_is_the_jobs_with_its_cost_and_its_victims() {
    let cluster = slow_link();
    let mut alone = tracker(None, &cluster);
    play(&mut alone, &cluster, (0, 90), (0, 0), 0);
    let cost: u64 = open(&alone).iter().map(|finding| finding.cost_ns).sum();
    // Known before anything is felt, or only afterwards.
    for first_read in [20, 45] {
        let mut tracker = tracker(Some((18, 90)), &cluster);
        play(&mut tracker, &cluster, (0, 90), (first_read, 90), 18);
        let all = open(&tracker);
        assert_eq!(codes(&all), ["JOB_COSTS_WRITES"], "{all:?}");
        let finding = &all[0];
        assert_eq!((finding.kind.as_str(), finding.object().as_str()), ("job", "j1"));
        assert_eq!(finding.disks, ["t1/disk0"]);
        assert_eq!(finding.cost_ns, cost, "what was felt is all of it, and once");
        let victims: u64 = finding.victims.iter().filter_map(|victim| victim.cost_ns).sum();
        let nodes: u64 = finding.initiators.iter().map(|node| node.cost_ns).sum();
        assert_eq!((victims, nodes), (cost, cost));
        assert_eq!(finding.initiators.len(), 2);
        assert!(
            finding.next[0].contains("'vol0''s repair'") && finding.next[0].contains("'i0'"),
            "{:?}",
            finding.next
        );
        assert!(
            finding.evidence[0].text.contains("vol0's repair"),
            "{:?}",
            finding.evidence
        );
        let changes = tracker.take_changes();
        let opened = changes.iter().find(|change| change.finding.id == finding.id).unwrap();
        assert!(
            opened.kind == ChangeKind::Opened && opened.finding.cost_ns > 0,
            "{opened:?}"
        );
        let parts = tracker.findings().filter(|other| other.state == State::Closed);
        parts.for_each(|part| assert_eq!(part.part_of.as_deref(), Some(finding.id.as_str())));
    }
}

/// What a repair moves may fill a link: then the repair is the cause, and of a link that is full for something else it is not.
#[test]
fn job_that_fills_a_link_is_the_cause_and_not_the_link() {
    let cluster = slow_link();
    let full = Condition {
        resource: Some("SMB1".to_owned()),
        since_unix_ns: Some(START + 18 * SECOND),
        text: "it is full".to_owned(),
        observations: vec![ObservationRef {
            kind: "adapter".to_owned(),
            node: "t1".to_owned(),
            id: "SMB1".to_owned(),
            at_unix_ns: 1,
            counter: None,
        }],
        ..Condition::new(Sign::Saturated, "adapter", "t1")
    };
    for (moves, expected) in [(Some((18, 90)), "JOB_COSTS_WRITES"), (None, "LINK_SATURATED")] {
        let mut tracker = tracker(moves, &cluster);
        for second in [18, 24] {
            tracker.read(
                Sign::Saturated,
                std::slice::from_ref(&full),
                "t1",
                START + second * SECOND,
            );
        }
        play(&mut tracker, &cluster, (0, 90), (18, 90), 18);
        let all = open(&tracker);
        assert_eq!(codes(&all), [expected], "{all:?}");
        assert!(all[0].cost_ns > 0);
    }
}

#[test]
fn job_that_no_write_feels_is_no_finding() {
    let cluster = cluster(60, |_, _, _| {});
    let mut tracker = tracker(Some((10, 60)), &cluster);
    play(&mut tracker, &cluster, (0, 60), (10, 60), 10);
    assert_eq!(tracker.findings().count(), 0);
}

#[test]
fn what_began_before_the_job_or_is_where_it_does_not_work_keeps_its_name() {
    let cluster = slow_link();
    for (moves, began) in [(Some((60, 90)), 60), (None, 18)] {
        let mut tracker = tracker(moves, &cluster);
        play(&mut tracker, &cluster, (0, 90), (began, 90), began);
        let all = open(&tracker);
        assert!(
            !all.is_empty() && all.iter().all(|finding| finding.kind != "job"),
            "{all:?}"
        );
    }
}

#[test]
fn what_is_slow_after_the_job_has_ended_is_a_finding_of_its_own() {
    let cluster = slow_link();
    let mut tracker = tracker(Some((18, 40)), &cluster);
    play(&mut tracker, &cluster, (0, 90), (20, 40), 18);
    let all: Vec<Finding> = tracker.findings().cloned().collect();
    let job = all.iter().find(|finding| finding.kind == "job").unwrap();
    assert_eq!(job.state, State::Closed, "{all:?}");
    let open = open(&tracker);
    assert!(
        !open.is_empty() && open.iter().all(|finding| finding.kind != "job"),
        "{open:?}"
    );
}

#[test]
fn what_was_felt_of_a_job_alone_opens_nothing_when_it_has_ended() {
    let cluster = cluster(120, |at, of, times| {
        if of == 1 && (20 * SECOND..50 * SECOND).contains(&at) {
            times.way += 2_000_000;
        }
    });
    let mut tracker = tracker(Some((18, 50)), &cluster);
    play(&mut tracker, &cluster, (0, 120), (20, 51), 18);
    let all: Vec<Finding> = tracker.findings().cloned().collect();
    assert_eq!(codes(&all), ["JOB_COSTS_WRITES"], "{all:?}");
    assert_eq!(all[0].state, State::Closed);
}

#[test]
fn successor_keeps_the_job_and_counts_nothing_twice() {
    let cluster = slow_link();
    let mut whole = tracker(Some((18, 90)), &cluster);
    play(&mut whole, &cluster, (0, 90), (20, 90), 18);
    let mut first = tracker(Some((18, 90)), &cluster);
    for second in 0..60 {
        first.add(&part(&cluster, second, second + 1), &cluster.catalog);
        if second % 5 == 0 && second >= 20 {
            first.read(Sign::JobRuns, &[job(18)], "i0", START + second * SECOND);
        }
    }
    let mut second = Tracker::resume(first.kept());
    second.warm(&part(&cluster, 0, 60));
    second.settle(&cluster.catalog);
    // Its drives are known by the finding until more is moved.
    play(&mut second, &cluster, (60, 90), (60, 90), 18);
    let (one, other) = (open(&whole), open(&second));
    assert_eq!(codes(&other), ["JOB_COSTS_WRITES"], "{other:?}");
    assert_eq!((&one[0].id, one[0].cost_ns), (&other[0].id, other[0].cost_ns));
    assert_eq!(one[0].victims, other[0].victims);
}

#[test]
fn what_is_felt_at_a_node_that_is_worked_on_is_no_incident() {
    let cluster = slow_link();
    let mut tracker = Tracker::default();
    tracker.set_maintenance(&[NodeId::new("t1")].into());
    tracker.add(&part(&cluster, 0, 60), &cluster.catalog);
    let all = open(&tracker);
    assert!(
        !all.is_empty() && all.iter().all(|finding| finding.severity == Severity::Maintenance),
        "{all:?}"
    );
    // It is one when it goes on after the work.
    tracker.set_maintenance(&BTreeSet::new());
    tracker.add(&part(&cluster, 60, 90), &cluster.catalog);
    let after = open(&tracker);
    assert!(
        after.iter().all(|finding| finding.severity > Severity::Maintenance),
        "{after:?}"
    );
    let last = tracker.take_changes().pop().unwrap();
    assert_eq!(
        (last.kind, last.finding.severity),
        (ChangeKind::Updated, after[0].severity)
    );
}
