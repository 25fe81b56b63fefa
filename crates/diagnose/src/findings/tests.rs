//! One cause is one finding, from when it is found until it is over; its name outlives restarts; people can speak of it.

use fathom_model::finding::{Note, Severity};

use super::*;
use crate::fixture::{Cluster, Request, START, Times, healthy};

const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1000 * MILLISECOND;

/// So many seconds at 100 writes a second, in turn by `i0` and `i1`.
pub(crate) fn cluster(seconds: i64, worse: impl Fn(i64, usize, &mut Times)) -> Cluster {
    let mut cluster = Cluster::new();
    for write in 0..100 * seconds {
        let at = write * 10 * MILLISECOND;
        let mut times = [0, 1, 2].map(|copy| healthy(write as u64, copy));
        for (copy, times) in times.iter_mut().enumerate() {
            worse(at, copy, times);
        }
        cluster.make(Request {
            at,
            from: ["i0", "i1"][(write % 2) as usize],
            times,
            before: 0,
            without: &[],
        });
    }
    cluster
}

/// The rows of a stretch, in seconds since the start.
pub(crate) fn part(cluster: &Cluster, from: i64, until: i64) -> JoinedRows {
    let mut rows = JoinedRows::default();
    let within = |io: &&Io| (from..until).contains(&(io.event.start_unix_nanos - START).div_euclid(SECOND));
    for io in cluster.rows.ios.iter().filter(within) {
        let first = rows.legs.len();
        rows.legs.extend(cluster.rows.legs_of(io).iter().cloned());
        let mut io = io.clone();
        if let Some(slowest) = &mut io.slowest {
            slowest.leg = slowest.leg - io.legs.start + first;
        }
        io.legs = first..rows.legs.len();
        rows.ios.push(io);
    }
    rows
}

/// Slow between two seconds.
pub(crate) fn slow_between(from: i64, until: i64, copy: usize) -> impl Fn(i64, usize, &mut Times) {
    move |at, of, times| {
        if of == copy && (from * SECOND..until * SECOND).contains(&at) {
            times.device += 2_000_000;
        }
    }
}

fn second(unix_ns: i64) -> i64 {
    (unix_ns - START).div_euclid(SECOND)
}

fn tracked(cluster: &Cluster) -> (Tracker, Vec<Change>) {
    let mut tracker = Tracker::default();
    tracker.add(&cluster.rows, &cluster.catalog);
    tracker.finish(&cluster.catalog);
    let changes = tracker.take_changes();
    (tracker, changes)
}

fn kinds(changes: &[Change]) -> Vec<ChangeKind> {
    let told = changes.iter().filter(|change| change.kind != ChangeKind::Updated);
    told.map(|change| change.kind).collect()
}

#[test]
fn healthy_cluster_opens_nothing() {
    let (tracker, changes) = tracked(&cluster(60, |_, _, _| {}));
    assert_eq!((tracker.findings().count(), changes), (0, Vec::new()));
}

#[test]
fn slow_drive_is_opened_with_all_that_is_known_and_closed_five_minutes_after_it_is_over() {
    let cluster = cluster(400, slow_between(20, 40, 1));
    let (tracker, changes) = tracked(&cluster);
    assert_eq!(kinds(&changes), [ChangeKind::Opened, ChangeKind::Closed]);
    let numbers: Vec<u64> = changes.iter().map(|change| change.sequence).collect();
    assert_eq!(numbers, (1..=changes.len() as u64).collect::<Vec<_>>());
    let opened = &changes[0].finding;
    assert!((20..26).contains(&second(opened.opened_unix_ns)), "{opened:?}");
    let finding = tracker.findings().next().unwrap();
    assert_eq!(
        (finding.code.as_str(), finding.object().as_str()),
        ("DISK_SLOW", "t1/disk0")
    );
    assert_eq!(
        finding.severity,
        Severity::Critical,
        "writes took several times as long"
    );
    assert_eq!(finding.victims[0].volume, "vol0");
    assert!(finding.victims[0].writes > 1000, "{:?}", finding.victims);
    assert!(!finding.evidence[0].writes.is_empty());
    assert!(
        finding.next[0].contains("'t1'") && finding.next[0].contains("'0'"),
        "{:?}",
        finding.next
    );
    assert!((38..42).contains(&second(finding.last_unix_ns)), "{finding:?}");
    let closed = second(finding.closed_unix_ns.unwrap());
    assert!(
        (300..395).contains(&closed),
        "five minutes after the evidence ended: {closed}"
    );
}

#[test]
fn rare_stalls_have_a_code_of_their_own() {
    let stalls = |at: i64, copy: usize, times: &mut Times| {
        if copy == 2 && at > 20 * SECOND && (at / MILLISECOND) % 700 == 0 {
            times.device += 40 * MILLISECOND as u64;
        }
    };
    let (tracker, _) = tracked(&cluster(300, stalls));
    let codes: Vec<&str> = tracker.findings().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["DISK_STALLS"]);
}

#[test]
fn what_flaps_is_one_finding() {
    let flaps = |at: i64, copy: usize, times: &mut Times| {
        // 15 s of every 100 s within a stretch, and once more 20 min later.
        let second = at / SECOND;
        let is_slow = (second < 500 && second % 100 > 85) || (1700..1715).contains(&second);
        if copy == 1 && is_slow {
            times.device += 2_000_000;
        }
    };
    let (tracker, changes) = tracked(&cluster(1720, flaps));
    assert_eq!(
        kinds(&changes),
        [ChangeKind::Opened, ChangeKind::Closed, ChangeKind::Reopened]
    );
    let findings: Vec<&Finding> = tracker.findings().collect();
    assert_eq!((findings.len(), findings[0].reopened), (1, 1));
    let updates = changes.len() - 3;
    assert!(updates < 12, "at most one a minute, and only for news: {updates}");
    assert!(findings[0].cost_ns > changes[0].finding.cost_ns);
}

#[test]
fn two_at_once_are_two_findings_and_each_ends_by_itself() {
    let (one, two) = (slow_between(10, 100, 0), slow_between(30, 440, 2));
    let worse = |at: i64, copy: usize, times: &mut Times| {
        one(at, copy, times);
        two(at, copy, times);
    };
    let (tracker, changes) = tracked(&cluster(450, worse));
    let mut states: Vec<(String, State)> = tracker
        .findings()
        .map(|finding| (finding.object(), finding.state))
        .collect();
    states.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = [("t0/disk0", State::Closed), ("t2/disk0", State::Open)];
    assert_eq!(states, expected.map(|(name, state)| (name.to_owned(), state)));
    assert_eq!(
        kinds(&changes),
        [ChangeKind::Opened, ChangeKind::Opened, ChangeKind::Closed]
    );
    let ids: BTreeSet<&str> = tracker.findings().map(|finding| finding.id.as_str()).collect();
    assert_eq!(ids.len(), 2);
}

#[test]
fn successor_goes_on_under_the_same_names_and_says_nothing_twice() {
    let cluster = cluster(120, slow_between(20, 110, 1));
    let (whole, told) = tracked(&cluster);
    for cut in [19, 22, 30, 60, 112] {
        let mut first = Tracker::default();
        let (before, after) = (part(&cluster, 0, cut), part(&cluster, cut, 120));
        first.add(&before, &cluster.catalog);
        let mut changes = first.take_changes();
        let mut second = Tracker::resume(first.kept());
        second.warm(&before);
        second.settle(&cluster.catalog);
        second.add(&after, &cluster.catalog);
        second.finish(&cluster.catalog);
        changes.extend(second.take_changes());
        assert_eq!(kinds(&changes), kinds(&told), "cut at {cut} s");
        let (one, other) = (whole.findings().next().unwrap(), second.findings().next().unwrap());
        assert_eq!(
            (&one.id, &one.code, one.severity, one.cost_ns, one.opened_unix_ns),
            (
                &other.id,
                &other.code,
                other.severity,
                other.cost_ns,
                other.opened_unix_ns
            ),
            "cut at {cut} s"
        );
        assert_eq!(one.victims, other.victims, "cut at {cut} s");
    }
}

#[test]
fn successor_without_rows_keeps_what_is_open_and_finds_it_again() {
    let cluster = cluster(200, slow_between(20, 190, 1));
    let mut first = Tracker::default();
    first.add(&part(&cluster, 0, 100), &cluster.catalog);
    let before = first.kept();
    let mut second = Tracker::resume(before.clone());
    second.add(&part(&cluster, 100, 200), &cluster.catalog);
    let after = second.kept();
    assert_eq!(after.findings.len(), 1);
    assert_eq!(after.findings[0].id, before.findings[0].id);
    assert_eq!(after.findings[0].state, State::Open);
    assert!(after.findings[0].cost_ns > before.findings[0].cost_ns);
}

#[test]
fn findings_do_not_depend_on_how_rows_are_handed_over() {
    let cluster = cluster(60, slow_between(20, 50, 1));
    let (whole, told) = tracked(&cluster);
    let mut pieces = Tracker::default();
    for from in 0..60 {
        pieces.add(&part(&cluster, from, from + 1), &cluster.catalog);
    }
    pieces.finish(&cluster.catalog);
    assert_eq!(pieces.take_changes(), told);
    assert_eq!(pieces.kept(), whole.kept());
}

#[test]
fn successor_of_one_that_had_judged_everything_counts_nothing_twice() {
    let cluster = cluster(60, slow_between(20, 60, 1));
    let (whole, _) = tracked(&cluster);
    let mut successor = Tracker::resume(whole.kept());
    successor.warm(&cluster.rows);
    successor.settle(&cluster.catalog);
    successor.finish(&cluster.catalog);
    assert_eq!(successor.take_changes(), []);
    assert_eq!(successor.kept(), whole.kept());
}

fn note(by: &str, until: Option<i64>, request: &str) -> Note {
    Note {
        by: by.to_owned(),
        at_unix_ns: 1,
        until_unix_ns: until,
        text: String::new(),
        request: request.to_owned(),
    }
}

#[test]
fn what_people_say_is_said_once_and_runs_out() {
    let (mut tracker, _) = tracked(&cluster(60, slow_between(20, 60, 1)));
    let id = tracker.findings().next().unwrap().id.clone();
    for _ in 0..2 {
        tracker
            .say(&id, Said::Muted, ("r1", Some(note("ann", Some(100), "r1"))), 1)
            .unwrap();
        tracker
            .say(&id, Said::Acknowledged, ("", Some(note("ben", None, ""))), 2)
            .unwrap();
    }
    assert_eq!(
        kinds(&tracker.take_changes()),
        [ChangeKind::Muted, ChangeKind::Acknowledged]
    );
    assert_eq!(
        tracker.say("no", Said::Muted, ("", None), 3),
        Err(Refused::NoSuchFinding)
    );
    // It is kept by a successor, and runs out there.
    let mut successor = Tracker::resume(tracker.kept());
    successor.expire(99);
    assert_eq!(successor.take_changes(), []);
    successor.expire(100);
    let changes = successor.take_changes();
    assert_eq!(kinds(&changes), [ChangeKind::Unmuted]);
    assert_eq!(changes[0].finding.muted, None);
    assert_eq!(changes[0].finding.acknowledged.as_ref().unwrap().by, "ben");
    successor.say(&id, Said::Acknowledged, ("", None), 4).unwrap();
    assert_eq!(kinds(&successor.take_changes()), [ChangeKind::Unacknowledged]);
}

#[test]
fn request_that_comes_again_changes_nothing_whatever_was_said_meanwhile() {
    let (mut tracker, _) = tracked(&cluster(60, slow_between(20, 60, 1)));
    let id = tracker.findings().next().unwrap().id.clone();
    let ann = || ("q1", Some(note("ann", None, "q1")));
    tracker.say(&id, Said::Acknowledged, ann(), 1).unwrap();
    let ben = ("q2", Some(note("ben", None, "q2")));
    tracker.say(&id, Said::Acknowledged, ben, 2).unwrap();
    tracker.take_changes();
    let mut successor = Tracker::resume(tracker.kept());
    for tracker in [&mut tracker, &mut successor] {
        let said = tracker.say(&id, Said::Acknowledged, ann(), 3).unwrap();
        assert_eq!(said.acknowledged.as_ref().unwrap().by, "ben");
        // Taken back once: what is said after that stays when the taking back comes again.
        tracker.say(&id, Said::Acknowledged, ("q3", None), 4).unwrap();
        tracker.say(&id, Said::Acknowledged, ann(), 5).unwrap();
        tracker
            .say(&id, Said::Acknowledged, ("q4", Some(note("cid", None, "q4"))), 6)
            .unwrap();
        let said = tracker.say(&id, Said::Acknowledged, ("q3", None), 7).unwrap();
        assert_eq!(said.acknowledged.as_ref().unwrap().by, "cid");
        assert_eq!(
            kinds(&tracker.take_changes()),
            [ChangeKind::Unacknowledged, ChangeKind::Acknowledged]
        );
        // One id, two requests: nobody knows which of them is meant.
        let other = ("q1", Some(note("dan", None, "q1")));
        assert_eq!(
            tracker.say(&id, Said::Acknowledged, other, 8),
            Err(Refused::OtherRequest)
        );
        assert_eq!(tracker.say(&id, Said::Muted, ann(), 9), Err(Refused::OtherRequest));
    }
}

#[test]
fn names_with_anything_in_them_stay_names() {
    let one = Object::of(&culprit("a/1:b", None));
    let other = Object::of(&culprit("a", Some("1:b")));
    assert_ne!(one.key(), other.key());
    // Of a link both ends are alike.
    assert_eq!(
        Object::of(&culprit("a", Some("b"))),
        Object::of(&culprit("b", Some("a")))
    );
}

fn culprit(node: &str, peer: Option<&str>) -> fathom_model::report::Culprit {
    fathom_model::report::Culprit {
        kind: "link".to_owned(),
        node: Some(node.to_owned()),
        disk: None,
        peer: peer.map(str::to_owned),
        resource: None,
        confidence: 1.0,
        cost_ns: 0,
        guessed_ns: 0,
        hidden_ns: 0,
        since: String::new(),
        until: String::new(),
        evidence: Vec::new(),
    }
}
