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
