//! Made-up clusters of a fleet.

use fathom_model::fleet::{Changed, Hearing, Level, What};
use fathom_model::rollup::{Counted, Counts, Revision};
use fathom_model::{Op, Tap};
use proptest::prelude::*;

use super::*;
use crate::fixture::{START, rollup};
use crate::{HOUR, SECOND, Selection};

mod away;

fn fleet() -> Fleet {
    Fleet::new(Config::default())
}

fn key(cluster: &str) -> ClusterKey {
    ClusterKey::new("berlin", cluster)
}

/// A fleet of one cluster that is ok.
fn one() -> Fleet {
    let mut fleet = fleet();
    assert_eq!(
        fleet.apply(rollup("berlin", "c1", 1, State::Ok, START), START),
        Applied::New
    );
    fleet
}

#[test]
fn a_rollup_counts_once_and_an_older_one_not_at_all() {
    let mut fleet = one();
    let before = fleet.fleet_entry(START);
    assert_eq!(before.counts.of(Counted::Disk, State::Ok), 24);
    assert_eq!((before.clusters.ok, before.clusters.total()), (1, 1));
    assert_eq!(
        fleet.apply(rollup("berlin", "c1", 1, State::Ok, START), START),
        Applied::Same
    );
    assert_eq!(fleet.fleet_entry(START), before);
    fleet.apply(rollup("berlin", "c1", 3, State::Degraded, START), START);
    let newer = fleet.fleet_entry(START);
    assert_eq!((newer.state, newer.clusters.degraded), (State::Degraded, 1));
    assert_eq!(
        fleet.apply(rollup("berlin", "c1", 2, State::Ok, START), START),
        Applied::Older
    );
    assert_eq!(fleet.fleet_entry(START), newer);
    // A coordinator that was started later has newer ones, whatever their numbers.
    let mut later = rollup("berlin", "c1", 1, State::Critical, START);
    later.revision = Revision {
        started_unix_ns: START + 1,
        number: 1,
    };
    assert_eq!(fleet.apply(later, START), Applied::New);
    assert_eq!(fleet.state(&key("c1")), Some(State::Critical));
}

#[test]
fn what_was_forgotten_counts_no_more() {
    let mut fleet = one();
    fleet.apply(rollup("berlin", "c2", 1, State::Ok, START), START);
    fleet.apply(rollup("berlin", "c2", 2, State::Critical, START), START + SECOND);
    let now = START + 5 * SECOND;
    assert_eq!(fleet.fleet_entry(now).last_hour.worse, 1);
    fleet.forget(&key("c2"));
    assert_eq!(fleet.fleet_entry(now).last_hour.worse, 0);
    assert_eq!(
        fleet.changes(&Selection::all(), START, now).0.len(),
        1,
        "that c1 is heard"
    );
    fleet.forget(&key("c1"));
    let mut empty = Fleet::new(Config::default());
    empty.begin(START);
    assert_eq!(empty.fleet_entry(now).since_unix_ns, START);
}

#[test]
fn a_cluster_that_is_expected_is_unknown_until_it_says_something() {
    let mut fleet = fleet();
    assert!(fleet.expect(&key("c1"), &BTreeMap::new(), START));
    assert!(fleet.expect(&key("c1"), &BTreeMap::new(), START + 5));
    let entry = fleet.cluster_entry(&key("c1"), START).expect("it is there");
    assert_eq!((entry.state, entry.heard_unix_ns), (State::Unknown, None));
    assert_eq!(entry.reason, "nothing came of it yet");
    assert_eq!(fleet.fleet_entry(START).heard_unix_ns, None);
    fleet.apply(rollup("berlin", "c1", 1, State::Ok, START), START + SECOND);
    assert_eq!(fleet.state(&key("c1")), Some(State::Ok));
    assert_eq!(fleet.fleet_entry(START).last_day, Changed::default());
}

#[test]
fn worse_is_shown_at_once_and_better_when_it_stays() {
    let mut fleet = one();
    let say = |fleet: &mut Fleet, number, state, after| {
        let at = START + after * SECOND;
        fleet.apply(rollup("berlin", "c1", number, state, at), at);
        fleet.tick(at);
        fleet.state(&key("c1"))
    };
    assert_eq!(say(&mut fleet, 2, State::Degraded, 10), Some(State::Degraded));
    assert_eq!(say(&mut fleet, 3, State::Ok, 20), Some(State::Degraded));
    assert_eq!(say(&mut fleet, 4, State::Degraded, 30), Some(State::Degraded));
    assert_eq!(say(&mut fleet, 5, State::Ok, 40), Some(State::Degraded));
    // Without another rollup it is the tick that shows it.
    fleet.tick(START + 99 * SECOND);
    assert_eq!(fleet.state(&key("c1")), Some(State::Degraded));
    fleet.apply(
        rollup("berlin", "c1", 6, State::Ok, START + 99 * SECOND),
        START + 99 * SECOND,
    );
    fleet.tick(START + 100 * SECOND);
    assert_eq!(fleet.state(&key("c1")), Some(State::Ok));
    let hour = fleet.fleet_entry(START + 100 * SECOND).last_hour;
    assert_eq!((hour.worse, hour.better), (1, 1));
}

#[test]
fn what_was_waited_for_at_the_site_is_not_waited_for_again() {
    let mut fleet = one();
    fleet.apply(rollup("berlin", "c1", 2, State::Degraded, START), START + SECOND);
    let mut better = rollup("berlin", "c1", 3, State::Ok, START + 70 * SECOND);
    // The site shows it as ok since a minute, on its own clock.
    better.since_unix_ns = Some(START + 10 * SECOND);
    fleet.apply(better, START + 500 * SECOND);
    assert_eq!(fleet.state(&key("c1")), Some(State::Ok));
}

#[test]
fn a_restart_knows_who_was_there_and_shows_what_comes_at_once() {
    let mut first = one();
    first.apply(rollup("berlin", "c2", 7, State::Critical, START), START);
    let kept: Vec<(ClusterRollup, i64)> = first.rollups().map(|(own, heard)| (own.clone(), heard)).collect();
    let at = START + 20 * SECOND;
    let mut second = fleet();
    for (own, heard) in kept {
        assert_eq!(second.restore(own, heard, at), Applied::New);
    }
    let entry = second.fleet_entry(at);
    assert_eq!(
        (entry.state, entry.clusters.unknown, entry.clusters.total()),
        (State::Unknown, 2, 2)
    );
    assert_eq!(entry.heard_unix_ns, Some(START));
    // The same rollup again, since nothing changed at the site, and a newer one.
    assert_eq!(
        second.apply(rollup("berlin", "c1", 1, State::Ok, START), at),
        Applied::Same
    );
    assert_eq!(
        second.apply(rollup("berlin", "c2", 8, State::Critical, START), at),
        Applied::New
    );
    let entry = second.fleet_entry(at);
    assert_eq!((entry.clusters.ok, entry.clusters.critical), (1, 1));
    assert_eq!(entry.last_day, Changed::default());
}

#[test]
fn a_site_is_as_its_worst_cluster_and_names_it() {
    let mut fleet = one();
    fleet.apply(rollup("berlin", "c2", 1, State::Degraded, START), START);
    fleet.apply(rollup("berlin", "c3", 1, State::Critical, START), START + 1);
    fleet.apply(rollup("paris", "c1", 1, State::Ok, START), START);
    let berlin = fleet.site_entry("berlin", START).expect("it is there");
    assert_eq!((berlin.level, berlin.state), (Level::Site, State::Critical));
    let worst: Vec<&str> = berlin.worst.iter().map(|child| child.name.as_str()).collect();
    assert_eq!(worst, ["berlin/c3", "berlin/c2"]);
    assert_eq!(berlin.findings[0].open, 2);
    assert_eq!(fleet.site_entry("paris", START).expect("it is there").state, State::Ok);
    let all = fleet.fleet_entry(START);
    assert_eq!((all.worst[0].name.as_str(), all.worst.len()), ("berlin", 1));
    let drive = fleet.cluster_entry(&key("c3"), START).expect("it is there");
    assert_eq!(
        (drive.worst[0].kind.as_str(), drive.worst[0].name.as_str()),
        ("disk", "n0/disk0")
    );
    let sites = fleet.site_entries(&Selection::all(), START);
    assert_eq!(
        sites.iter().map(|site| site.site.as_str()).collect::<Vec<_>>(),
        ["berlin", "paris"]
    );
}

#[test]
fn worst_children_are_bounded_and_say_how_many_more() {
    let mut fleet = fleet();
    for number in 0..50 {
        fleet.apply(
            rollup("berlin", &format!("c{number}"), 1, State::Degraded, START),
            START,
        );
    }
    let site = fleet.site_entry("berlin", START).expect("it is there");
    assert_eq!((site.worst.len(), site.worst_more), (20, 30));
}

#[test]
fn answers_are_about_those_that_were_asked_for() {
    let mut fleet = one();
    fleet.apply(rollup("berlin", "c2", 1, State::Critical, START), START);
    fleet.apply(rollup("paris", "c1", 1, State::Degraded, START), START);
    let c1 = Selection::parse(&["c1"], &[] as &[&str]).expect("it is a selection");
    let entry = fleet.selected_entry(&c1, START);
    assert_eq!(
        (entry.state, entry.clusters.total(), entry.clusters.critical),
        (State::Degraded, 2, 0)
    );
    assert_eq!(entry.worst[0].name, "paris/c1");
    assert_eq!(fleet.cluster_entries(&c1, START).len(), 2);
    assert_eq!(fleet.keys(&c1).count(), 2);
    let (changes, _) = fleet.changes(&c1, START, START);
    assert_eq!(changes.len(), 2);
    // A site under a selection is what is selected of it.
    let sites = fleet.site_entries(&c1, START);
    let of = |at: usize| (sites[at].site.as_str(), sites[at].state, sites[at].clusters.total());
    assert_eq!(
        (of(0), of(1)),
        (("berlin", State::Ok, 1), ("paris", State::Degraded, 1))
    );
    let merged = fleet.latency(&c1);
    let [own] = &merged.latency[..] else {
        panic!("one tap and operation")
    };
    assert_eq!((own.tap, own.op, own.sketch.count()), (Tap::Volume, Op::Write, 200));
    let median = own.sketch.quantile(0.5).expect("there are values");
    assert!(median.abs_diff(500_000) <= 5_000, "{median}");
    let nobody = Selection::parse(&["nobody"], &[] as &[&str]).expect("it is a selection");
    assert_eq!(fleet.selected_entry(&nobody, START).state, State::Unknown);
}

#[test]
fn changes_are_counted_by_hour_and_day_and_bounded() {
    let mut fleet = Fleet::new(Config {
        most_changes: 10,
        ..Config::default()
    });
    fleet.apply(rollup("berlin", "c1", 1, State::Ok, START), START);
    fleet.apply(rollup("berlin", "c1", 2, State::Degraded, START), START + SECOND);
    let at = START + 2 * HOUR;
    let entry = fleet.fleet_entry(at);
    assert_eq!((entry.last_hour.worse, entry.last_day.worse), (0, 1));
    assert_eq!(fleet.fleet_entry(START + 25 * HOUR).last_day.worse, 0);
    for number in 0..20 {
        fleet.apply(rollup("berlin", &format!("d{number}"), 1, State::Ok, at), at + number);
    }
    let (changes, complete_from) = fleet.changes(&Selection::all(), START, at);
    assert_eq!((changes.len(), complete_from), (10, Some(at + 9)));
    assert_eq!(changes.first().map(|change| change.number), Some(13));
    let day = fleet.fleet_entry(at + SECOND).last_day;
    assert_eq!((day.worse, day.counted_from_unix_ns), (0, Some(at + 9)));
    // No more than a day is kept, whatever is asked for.
    let later = at + 30 * HOUR;
    let (_, complete_from) = fleet.changes(&Selection::all(), later - 48 * HOUR, later);
    assert_eq!(complete_from, Some(later - 24 * HOUR));
}

#[test]
fn a_watch_gets_what_looks_different_and_nothing_twice() {
    let mut fleet = one();
    let first = fleet.changed_since(0);
    assert!(first.is_all && first.changed == [key("c1")]);
    assert!(fleet.changed_since(first.version).changed.is_empty());
    // New latencies look the same; a new reason does not.
    fleet.apply(rollup("berlin", "c1", 2, State::Ok, START), START);
    assert_eq!(fleet.version(), first.version);
    fleet.apply(rollup("berlin", "c2", 1, State::Ok, START), START);
    fleet.apply(rollup("berlin", "c1", 3, State::Degraded, START), START);
    fleet.apply(rollup("berlin", "c2", 2, State::Degraded, START), START);
    let second = fleet.changed_since(first.version);
    assert_eq!(
        (second.is_all, &second.changed[..]),
        (false, &[key("c1"), key("c2")][..])
    );
    assert!(fleet.forget(&key("c2")) && !fleet.forget(&key("c2")));
    let third = fleet.changed_since(second.version);
    assert_eq!((third.changed.len(), &third.gone[..]), (0, &[key("c2")][..]));
    // Of another process: everything.
    assert!(fleet.changed_since(third.version + 100).is_all);
}

#[test]
fn what_was_taken_out_counts_no_more() {
    let mut fleet = one();
    fleet.apply(rollup("paris", "c1", 1, State::Critical, START), START);
    fleet.forget(&ClusterKey::new("paris", "c1"));
    let entry = fleet.fleet_entry(START);
    assert_eq!(
        (entry.state, entry.clusters.total(), entry.findings.len()),
        (State::Ok, 1, 0)
    );
    assert_eq!(fleet.site_entry("paris", START), None);
    assert_eq!(fleet.len(), 1);
}

#[test]
fn more_clusters_than_are_taken_are_refused() {
    let mut fleet = Fleet::new(Config {
        most_clusters: 1,
        ..Config::default()
    });
    fleet.apply(rollup("berlin", "c1", 1, State::Ok, START), START);
    let more = rollup("berlin", "c2", 1, State::Ok, START);
    assert_eq!(fleet.apply(more, START), Applied::TooMany);
    assert!(!fleet.expect(&key("c2"), &BTreeMap::new(), START));
    assert_eq!(
        fleet.apply(rollup("berlin", "c1", 2, State::Ok, START), START),
        Applied::New
    );
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Apply(usize, u64, State),
    Restore(usize, u64, State),
    Expect(usize),
    Forget(usize),
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let state = prop::sample::select(State::ALL.to_vec());
    let step = prop_oneof![
        6 => (0_usize..9, 1_u64..9, state.clone()).prop_map(|(at, number, state)| Step::Apply(at, number, state)),
        1 => (0_usize..9, 1_u64..9, state).prop_map(|(at, number, state)| Step::Restore(at, number, state)),
        1 => (0_usize..9).prop_map(Step::Expect),
        1 => (0_usize..9).prop_map(Step::Forget),
        3 => (0_i64..80).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..60)
}

fn name(at: usize) -> (String, String) {
    (format!("site{}", at % 3), format!("c{at}"))
}

proptest! {
    /// What is counted step by step is what would be counted anew, and nothing that is not heard is among what is ok.
    #[test]
    fn whatever_happens_totals_are_those_of_the_clusters(steps in steps()) {
        let (mut fleet, mut now) = (fleet(), START);
        for step in steps {
            match step {
                Step::Apply(at, number, state) => {
                    let (site, cluster) = name(at);
                    fleet.apply(rollup(&site, &cluster, number, state, now), now);
                }
                Step::Restore(at, number, state) => {
                    let (site, cluster) = name(at);
                    fleet.restore(rollup(&site, &cluster, number, state, now), now - SECOND, now);
                }
                Step::Expect(at) => {
                    let (site, cluster) = name(at);
                    fleet.expect(&ClusterKey::new(site, cluster), &BTreeMap::new(), now);
                }
                Step::Forget(at) => {
                    let (site, cluster) = name(at);
                    fleet.forget(&ClusterKey::new(site, cluster));
                }
                Step::Wait(seconds) => now += seconds * SECOND,
            }
            fleet.tick(now);
            let clusters = fleet.cluster_entries(&Selection::all(), now);
            let whole = fleet.fleet_entry(now);
            let mut counts = Counts::default();
            clusters.iter().for_each(|cluster| counts.add_all(&cluster.counts));
            prop_assert_eq!(whole.counts, counts);
            for state in State::ALL {
                let own = clusters.iter().filter(|cluster| cluster.state == state).count() as u64;
                prop_assert_eq!(whole.clusters.of(state), own);
            }
            let worst = clusters.iter().map(|cluster| cluster.state).max();
            prop_assert_eq!(whole.state, worst.unwrap_or(State::Unknown));
            let open: u64 = clusters.iter().flat_map(|own| &own.findings).map(|own| u64::from(own.open)).sum();
            prop_assert_eq!(whole.findings.iter().map(|own| u64::from(own.open)).sum::<u64>(), open);
            for site in fleet.site_entries(&Selection::all(), now) {
                let worst = clusters.iter().filter(|own| own.site == site.site).map(|own| own.state).max();
                prop_assert_eq!(Some(site.state), worst);
            }
            for cluster in &clusters {
                if cluster.heard_unix_ns.is_none_or(|heard| now - heard >= 60 * SECOND) {
                    prop_assert_eq!(cluster.state, State::Unknown);
                    prop_assert!(cluster.counts.iter().all(|(_, state, _)| state == State::Unknown));
                }
            }
        }
    }

    /// Rollups that come twice, late or in another order leave the same picture.
    #[test]
    fn the_order_of_rollups_changes_nothing(
        said in prop::collection::vec((0_usize..5, 1_u64..6), 1..30), again in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
    ) {
        let state = |at: usize, number: u64| State::ALL[(at + number as usize) % State::ALL.len()];
        let mut shuffled = said.clone();
        shuffled.reverse();
        shuffled.extend(again.iter().map(|at| said[at.index(said.len())]));
        let apply = |all: &[(usize, u64)]| {
            let mut fleet = fleet();
            for (at, number) in all {
                let (site, cluster) = name(*at);
                fleet.apply(rollup(&site, &cluster, *number, state(*at, *number), START), START);
            }
            // Whatever is waited for has been.
            for (at, number) in all {
                let (site, cluster) = name(*at);
                fleet.apply(rollup(&site, &cluster, *number, state(*at, *number), START), START + 59 * SECOND);
            }
            fleet.tick(START + 119 * SECOND - 1);
            let mut entry = fleet.fleet_entry(START + 119 * SECOND);
            (entry.last_hour, entry.last_day) = Default::default();
            (entry.counts, entry.clusters, entry.state)
        };
        prop_assert_eq!(apply(&said), apply(&shuffled));
    }
}
