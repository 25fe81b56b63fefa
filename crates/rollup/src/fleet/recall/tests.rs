//! A fleet goes on after a restart as if there had been none, but for what changed meanwhile.

use std::collections::BTreeMap;

use fathom_model::fleet::Changed;
use fathom_model::rollup::ClusterRollup;

use super::*;
use crate::fixture::{START, rollup};
use crate::fleet::Config;
use crate::{HOUR, SECOND};

fn key(cluster: &str) -> ClusterKey {
    ClusterKey::new("berlin", cluster)
}

/// What the predecessor had said by then, and its rollups.
fn kept(first: &Fleet, now: i64) -> (Memory, Vec<(ClusterRollup, i64)>) {
    let rollups = first.rollups().map(|(own, heard)| (own.clone(), heard)).collect();
    (first.memory(now), rollups)
}

fn restarted((memory, rollups): (Memory, Vec<(ClusterRollup, i64)>), now: i64) -> Fleet {
    let mut second = Fleet::new(Config::default());
    second.recall(memory, now);
    for (own, heard) in rollups {
        second.restore(own, heard, now);
    }
    second
}

/// Two clusters; one became critical two hours ago, one is ok since then.
fn before() -> Fleet {
    let mut fleet = Fleet::new(Config::default());
    fleet.begin(START - 20 * HOUR);
    fleet.apply(rollup("berlin", "c1", 1, State::Ok, START), START);
    fleet.apply(rollup("berlin", "c2", 1, State::Ok, START), START);
    fleet.apply(rollup("berlin", "c2", 2, State::Critical, START), START + SECOND);
    fleet
}

#[test]
fn what_is_as_it_was_has_been_so_since_then_and_did_not_change() {
    let first = before();
    let at = START + 2 * HOUR;
    let was = first.fleet_entry(at);
    let mut second = restarted(kept(&first, at), at);
    assert_eq!(second.state(&key("c2")), Some(State::Unknown));
    let heard = at + 5 * SECOND;
    second.apply(rollup("berlin", "c1", 2, State::Ok, heard), heard);
    second.apply(rollup("berlin", "c2", 3, State::Critical, heard), heard);
    second.tick(heard);
    let is = second.fleet_entry(heard);
    assert_eq!((is.state, is.since_unix_ns), (was.state, was.since_unix_ns));
    assert_eq!((is.last_hour, is.last_day), (was.last_hour, was.last_day));
    assert_eq!(is.last_day.worse, 1);
    let site = second.site_entry("berlin", heard).expect("it is there");
    assert_eq!(site.since_unix_ns, was.since_unix_ns);
    let c2 = second.cluster_entry(&key("c2"), heard).expect("it is there");
    assert_eq!(c2.since_unix_ns, START + SECOND);
    // Numbers of changes go on.
    second.apply(rollup("berlin", "c1", 3, State::Degraded, heard), heard);
    let (changes, from) = second.changes(&Selection::all(), START - 20 * HOUR, heard);
    assert_eq!(
        changes.iter().map(|change| change.number).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    assert_eq!(from, Some(START - 20 * HOUR), "it counted since then");
}

#[test]
fn what_changed_meanwhile_is_a_change_and_what_is_not_heard_again_was_lost() {
    let mut first = before();
    first.apply(rollup("berlin", "c3", 1, State::Ok, START), START);
    let at = START + 2 * HOUR;
    let mut second = restarted(kept(&first, at), at);
    second.apply(rollup("berlin", "c1", 2, State::Degraded, at), at);
    let hour = second.fleet_entry(at).last_hour;
    assert_eq!((hour.worse, hour.lost, hour.heard), (1, 0, 0));
    second.tick(at + 61 * SECOND);
    let hour = second.fleet_entry(at + 61 * SECOND).last_hour;
    assert_eq!((hour.worse, hour.lost), (1, 3), "c1 again, c2 and c3");
    // A second restart: those that were not known are not known since then, and that they still are is no change.
    let later = at + 120 * SECOND;
    let third = restarted(kept(&second, later), later);
    assert_eq!(third.fleet_entry(later).last_hour, hour);
    let c3 = third.cluster_entry(&key("c3"), later).expect("it is there");
    let c3_before = second.cluster_entry(&key("c3"), later).expect("it is there");
    assert_eq!(c3.since_unix_ns, c3_before.since_unix_ns);
}

#[test]
fn whether_a_cluster_that_is_not_known_was_heard_is_known_over_a_restart() {
    let mut first = Fleet::new(Config::default());
    first.begin(START);
    for cluster in ["says", "silent", "lost"] {
        first.apply(rollup("berlin", cluster, 1, State::Unknown, START), START);
    }
    first.apply(rollup("berlin", "says", 2, State::Unknown, START), START + 50 * SECOND);
    first.apply(
        rollup("berlin", "silent", 2, State::Unknown, START),
        START + 50 * SECOND,
    );
    let at = START + 70 * SECOND;
    first.tick(at);
    assert_eq!(first.fleet_entry(at).last_hour.lost, 1);
    let mut second = restarted(kept(&first, at), at);
    let count = |fleet: &Fleet, at: i64| {
        let hour = fleet.fleet_entry(at).last_hour;
        [hour.worse, hour.better, hour.lost, hour.heard]
    };
    second.tick(at + SECOND);
    assert_eq!(count(&second, at + SECOND), [0, 0, 1, 0]);
    // The one was heard all along and is better, the other is heard again.
    for cluster in ["says", "lost"] {
        second.apply(rollup("berlin", cluster, 3, State::Ok, at), at + 2 * SECOND);
    }
    assert_eq!(count(&second, at + 2 * SECOND), [0, 1, 1, 1]);
    // And the third does not come back.
    for cluster in ["says", "lost"] {
        second.apply(rollup("berlin", cluster, 4, State::Ok, at), at + 50 * SECOND);
    }
    second.tick(at + 61 * SECOND);
    assert_eq!(count(&second, at + 61 * SECOND), [0, 1, 2, 1]);
}

#[test]
fn a_pause_gives_those_that_are_waited_for_their_time_anew() {
    let at = START + 2 * HOUR;
    let mut second = restarted(kept(&before(), at), at);
    let back = at + 50 * SECOND;
    second.resume(45 * SECOND, back);
    second.tick(back + 59 * SECOND);
    assert_eq!(second.fleet_entry(back + 59 * SECOND).last_hour.lost, 0);
    second.tick(back + 60 * SECOND);
    assert_eq!(second.fleet_entry(back + 60 * SECOND).last_hour.lost, 2);
}

#[test]
fn a_restart_soon_after_a_restart_forgets_nothing() {
    let first = before();
    let at = START + 2 * HOUR;
    let was = first.memory(at);
    let second = restarted((was.clone(), Vec::new()), at);
    // Not one of its clusters is there again.
    assert_eq!(second.memory(at).changes, was.changes);
    assert_eq!(second.memory(at).clusters, was.clusters);
    let mut third = restarted(kept(&second, at), at);
    third.expect(&key("c2"), &BTreeMap::new(), at);
    third.apply(rollup("berlin", "c2", 3, State::Critical, at), at);
    let c2 = third.cluster_entry(&key("c2"), at).expect("it is there");
    assert_eq!((c2.since_unix_ns, c2.last_day.worse), (START + SECOND, 1));
}

#[test]
fn a_fleet_that_nobody_kept_counts_from_its_beginning() {
    let mut fleet = Fleet::new(Config::default());
    fleet.begin(START);
    let entry = fleet.fleet_entry(START + SECOND);
    assert_eq!(entry.last_hour.counted_from_unix_ns, Some(START));
    assert_eq!(entry.last_day.counted_from_unix_ns, Some(START));
    let later = fleet.fleet_entry(START + 2 * HOUR);
    assert_eq!(later.last_hour, Changed::default(), "all of the hour is counted");
    assert_eq!(later.last_day.counted_from_unix_ns, Some(START));
}

#[test]
fn updates_and_the_hours_before_them_are_known_over_a_restart() {
    use crate::fixture::{Random, cohort, row};
    use fathom_model::rollup::Axis;

    let with = |number: u64, at: i64, variant: &str, middle: f64| {
        let mut random = Random::new(number);
        let mut own = rollup("berlin", "c1", number, State::Ok, at);
        own.cohorts = vec![row(cohort(Axis::Disk, "NVMe", variant), 24, middle, &mut random)];
        own
    };
    let mut first = Fleet::new(Config::default());
    first.begin(START - HOUR);
    for hour in 0..8 {
        let at = START + hour * HOUR;
        first.apply(with(hour as u64 + 1, at, "1.0", 1e5), at);
    }
    let update = START + 8 * HOUR;
    first.apply(with(9, update, "1.1", 2e5), update);
    let at = update + HOUR;
    let own = key("c1");
    let (mut memory, rollups) = kept(&first, at);
    memory.software.insert(own.clone(), first.software(&own));
    let second = restarted((memory, rollups), at);
    assert_eq!(second.software(&own), first.software(&own));
    assert_eq!(second.updates_from_unix_ns(), Some(START - HOUR));
    let before = |fleet: &Fleet| {
        let cluster = fleet.clusters().next().expect("it is there");
        let key = cohort(Axis::Disk, "NVMe", "1.1");
        let updated = cluster.software.updated(&key).cloned();
        (updated, cluster.software.before(&key))
    };
    assert!(before(&first).0.is_some() && before(&first).1.is_some());
    assert_eq!(before(&second), before(&first));
    // What is waited for is kept by its successor too.
    let (mut memory, _) = kept(&first, at);
    memory.software.insert(own.clone(), first.software(&own));
    let mut waiting = Fleet::new(Config::default());
    waiting.recall(memory, at);
    assert_eq!(waiting.software(&own), first.software(&own));
}
