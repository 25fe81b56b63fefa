//! Clusters of which nothing comes.

use super::*;

#[test]
fn of_what_is_not_heard_nothing_is_ok() {
    let mut fleet = one();
    fleet.tick(START + 59 * SECOND);
    assert_eq!(fleet.state(&key("c1")), Some(State::Ok));
    let at = START + 60 * SECOND;
    fleet.tick(at);
    let entry = fleet.fleet_entry(at);
    assert_eq!(
        (entry.state, entry.clusters.ok, entry.clusters.unknown),
        (State::Unknown, 0, 1)
    );
    let all: Vec<_> = entry.counts.iter().collect();
    assert_eq!(
        all,
        [(Counted::Node, State::Unknown, 16), (Counted::Disk, State::Unknown, 24)]
    );
    assert_eq!(entry.heard_unix_ns, Some(START));
    assert_eq!(entry.reason, "cluster berlin/c1: nothing comes of it any more");
    let merged = fleet.latency(&Selection::all());
    assert_eq!((merged.clusters, merged.latency.len()), (0, 0));
    assert_eq!(merged.unheard, [(key("c1"), Some(START))]);
    assert_eq!(entry.last_hour.lost, 1);
    // It comes back: not ok before it has stayed so.
    fleet.apply(rollup("berlin", "c1", 2, State::Ok, at), at);
    assert_eq!(fleet.state(&key("c1")), Some(State::Unknown));
    fleet.apply(rollup("berlin", "c1", 3, State::Ok, at), at + 10 * SECOND);
    assert_eq!(fleet.state(&key("c1")), Some(State::Ok));
    assert_eq!(fleet.fleet_entry(at + 10 * SECOND).last_hour.heard, 1);
}

#[test]
fn a_cluster_whose_site_was_cut_off_is_unknown_soon() {
    let mut fleet = one();
    let at = START + 3 * SECOND;
    fleet.miss(&key("c1"), at);
    fleet.miss(&key("c9"), at);
    fleet.tick(START + 20 * SECOND);
    assert_eq!(fleet.state(&key("c1")), Some(State::Unknown));
    assert_eq!(fleet.len(), 1);
    // The same rollup again says that it is heard.
    let back = START + 21 * SECOND;
    assert_eq!(
        fleet.apply(rollup("berlin", "c1", 1, State::Ok, START), back),
        Applied::Same
    );
    fleet.tick(back + 10 * SECOND);
    assert_eq!(fleet.state(&key("c1")), Some(State::Ok));
    // And is missed again when nothing comes.
    fleet.tick(back + 60 * SECOND);
    assert_eq!(fleet.state(&key("c1")), Some(State::Unknown));
}

#[test]
fn a_short_cut_changes_nothing() {
    let mut fleet = one();
    fleet.apply(rollup("berlin", "c1", 2, State::Critical, START), START + SECOND);
    let (hour, since) = {
        let entry = fleet.fleet_entry(START + 2 * SECOND);
        (entry.last_hour, entry.since_unix_ns)
    };
    for cut in 0..5 {
        let at = START + (10 + 20 * cut) * SECOND;
        fleet.miss(&key("c1"), at);
        fleet.tick(at + 9 * SECOND);
        assert_eq!(fleet.state(&key("c1")), Some(State::Critical));
        fleet.apply(rollup("berlin", "c1", 2, State::Critical, START), at + 9 * SECOND);
        fleet.tick(at + 15 * SECOND);
    }
    let entry = fleet.fleet_entry(START + 110 * SECOND);
    assert_eq!((entry.state, entry.since_unix_ns), (State::Critical, since));
    assert_eq!(entry.last_hour, hour);
    // One that lasts is told, and what is in it is not said to be as it was.
    let at = START + 110 * SECOND;
    fleet.miss(&key("c1"), at);
    fleet.tick(at + 10 * SECOND);
    assert_eq!(fleet.state(&key("c1")), Some(State::Unknown));
    let entry = fleet.cluster_entry(&key("c1"), at + 10 * SECOND).expect("it is there");
    assert!(
        entry.worst.iter().all(|child| child.state == State::Unknown),
        "{entry:?}"
    );
    // Back, it has been critical for as long as its site says.
    let back = at + 60 * SECOND;
    let mut again = rollup("berlin", "c1", 3, State::Critical, back);
    again.since_unix_ns = Some(again.to_unix_ns - 100 * SECOND);
    fleet.apply(again, back);
    let entry = fleet.cluster_entry(&key("c1"), back).expect("it is there");
    assert_eq!(
        (entry.state, entry.since_unix_ns),
        (State::Critical, back - 100 * SECOND)
    );
}

#[test]
fn what_comes_back_critical_is_so_at_once_and_worse() {
    let mut fleet = one();
    let at = START + 3600 * SECOND;
    fleet.tick(at);
    fleet.apply(rollup("berlin", "c1", 2, State::Critical, at), at);
    assert_eq!(fleet.state(&key("c1")), Some(State::Critical));
    let hour = fleet.fleet_entry(at).last_hour;
    assert_eq!((hour.lost, hour.heard, hour.worse), (1, 1, 1));
}

/// What a cluster that is heard says of itself was once counted as its being lost and heard again, from the first minute of a fleet on.
#[test]
fn a_cluster_that_says_of_itself_that_it_is_not_known_is_heard() {
    let mut fleet = fleet();
    let mut number = 0;
    let mut say = |fleet: &mut Fleet, state, after: i64| {
        number += 1;
        let at = START + after * SECOND;
        fleet.apply(rollup("berlin", "c1", number, state, at), at);
        fleet.tick(at);
        let hour = fleet.fleet_entry(at).last_hour;
        (
            fleet.state(&key("c1")).expect("it is there"),
            [hour.worse, hour.better, hour.lost, hour.heard],
        )
    };
    // It began a moment ago, and has not heard its own nodes yet.
    assert_eq!(say(&mut fleet, State::Unknown, 0), (State::Unknown, [0, 0, 0, 0]));
    say(&mut fleet, State::Ok, 10);
    assert_eq!(say(&mut fleet, State::Ok, 20), (State::Ok, [0, 1, 0, 0]));
    // A node of it is not heard.
    say(&mut fleet, State::Unknown, 30);
    assert_eq!(say(&mut fleet, State::Unknown, 40), (State::Unknown, [1, 1, 0, 0]));
    // Nothing comes for a moment, and then for long: it was not known before, and now it is not heard.
    let cut = START + 50 * SECOND;
    fleet.miss(&key("c1"), cut);
    fleet.tick(cut + 9 * SECOND);
    assert_eq!(fleet.fleet_entry(cut + 9 * SECOND).last_hour.lost, 0);
    assert_eq!(say(&mut fleet, State::Unknown, 60), (State::Unknown, [1, 1, 0, 0]));
    fleet.tick(START + 120 * SECOND);
    let lost = fleet.fleet_entry(START + 120 * SECOND);
    assert_eq!((lost.state, lost.last_hour.lost), (State::Unknown, 1));
    // It is heard again, and as it was before.
    assert_eq!(say(&mut fleet, State::Unknown, 130), (State::Unknown, [1, 1, 1, 1]));
    say(&mut fleet, State::Degraded, 140);
    assert_eq!(say(&mut fleet, State::Degraded, 150), (State::Degraded, [2, 1, 1, 1]));
    // Not known is not better.
    say(&mut fleet, State::Unknown, 160);
    say(&mut fleet, State::Unknown, 200);
    assert_eq!(say(&mut fleet, State::Unknown, 230), (State::Unknown, [2, 1, 1, 1]));
    let (changes, _) = fleet.changes(&Selection::all(), START, START + 230 * SECOND);
    let hearing: Vec<_> = changes
        .iter()
        .filter_map(|change| match &change.what {
            What::State { from, to, hearing } => hearing.map(|hearing| (*from, *to, hearing)),
            What::Update(_) => None,
        })
        .collect();
    let unknown = Some(State::Unknown);
    assert_eq!(
        hearing,
        [
            (unknown, State::Unknown, Hearing::Lost),
            (unknown, State::Unknown, Hearing::Heard)
        ]
    );
}

/// A fleet coordinator that stood still for a minute once said of all clusters that they were lost, and since when it stood so.
#[test]
fn a_pause_of_the_fleet_is_nobodys_silence() {
    let mut fleet = fleet();
    for cluster in ["c1", "c2", "c3"] {
        fleet.apply(rollup("berlin", cluster, 1, State::Ok, START), START);
    }
    fleet.apply(rollup("berlin", "c2", 2, State::Degraded, START), START + SECOND);
    // One was cut off just before.
    fleet.miss(&key("c3"), START + 2 * SECOND);
    let was = fleet.fleet_entry(START + 2 * SECOND);
    let back = START + 3600 * SECOND;
    fleet.resume(3598 * SECOND, back);
    // Whoever looks may have read the clock before it was seen that time had passed.
    fleet.tick(back - 1_000);
    fleet.tick(back);
    let is = fleet.fleet_entry(back);
    assert_eq!((is.state, is.since_unix_ns), (was.state, was.since_unix_ns));
    assert_eq!((is.last_hour.lost, is.clusters.unknown), (0, 0));
    assert_eq!(
        is.last_hour.counted_from_unix_ns,
        Some(back),
        "what came and went meanwhile nobody knows"
    );
    fleet.apply(rollup("berlin", "c1", 2, State::Ok, back), back + 5 * SECOND);
    fleet.tick(back + 9 * SECOND);
    assert_eq!(fleet.fleet_entry(back + 9 * SECOND).last_hour.lost, 0);
    // What is not heard in its usual time anew is missing: the one that was cut off sooner.
    fleet.tick(back + 10 * SECOND);
    assert_eq!(fleet.state(&key("c3")), Some(State::Unknown));
    fleet.tick(back + 59 * SECOND);
    assert_eq!(fleet.state(&key("c2")), Some(State::Degraded));
    fleet.tick(back + 60 * SECOND);
    assert_eq!(fleet.state(&key("c2")), Some(State::Unknown));
    assert_eq!(fleet.state(&key("c1")), Some(State::Ok));
    assert_eq!(fleet.fleet_entry(back + 60 * SECOND).last_hour.lost, 2);
    // A clock that is set back afterwards hides nobody's silence.
    let past = START;
    fleet.apply(rollup("berlin", "c1", 3, State::Ok, past), past);
    fleet.tick(past + 60 * SECOND);
    assert_eq!(fleet.state(&key("c1")), Some(State::Unknown));
}
