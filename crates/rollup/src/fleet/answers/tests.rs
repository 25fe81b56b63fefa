//! What is answered of some clusters together, and what of them was not seen.

use fathom_model::rollup::Counted;

use super::*;
use crate::fixture::{START, rollup};
use crate::fleet::Config;
use crate::{HOUR, SECOND};

/// A fleet of one cluster that is ok.
fn one() -> Fleet {
    let mut fleet = Fleet::new(Config::default());
    fleet.apply(rollup("berlin", "c1", 1, State::Ok, START), START);
    fleet
}

#[test]
fn a_selection_has_been_as_it_is_since_its_clusters_are() {
    let mut fleet = one();
    fleet.apply(rollup("berlin", "c2", 1, State::Ok, START), START + 5 * SECOND);
    fleet.apply(rollup("berlin", "c3", 1, State::Critical, START), START + 7 * SECOND);
    let now = START + HOUR;
    let since = |terms: &[&str]| {
        let selection = Selection::parse(terms, &[] as &[&str]).expect("it is a selection");
        let entry = fleet.selected_entry(&selection, now);
        assert_eq!(
            fleet.site_entries(&selection, now)[0].since_unix_ns,
            entry.since_unix_ns
        );
        (entry.state, entry.since_unix_ns)
    };
    assert_eq!(since(&["c1"]), (State::Ok, START));
    assert_eq!(since(&["c1", "c2"]), (State::Ok, START + 5 * SECOND));
    assert_eq!(since(&["c*"]), (State::Critical, START + 7 * SECOND));
}

#[test]
fn what_was_not_seen_inside_a_cluster_is_named() {
    let mut fleet = one();
    assert_eq!(fleet.latency(&Selection::all()).partial, []);
    let mut blind = rollup("berlin", "c2", 1, State::Unknown, START);
    blind.counts.add(Counted::Node, State::Unknown, 2);
    fleet.apply(blind, START);
    let mut young = rollup("berlin", "c3", 1, State::Ok, START);
    young.from_unix_ns = START - 600 * SECOND;
    fleet.apply(young, START);
    let partial = fleet.latency(&Selection::all()).partial;
    let told: Vec<_> = partial
        .iter()
        .map(|own| {
            (
                own.cluster.cluster.as_str(),
                own.unknown_nodes,
                own.counted_from_unix_ns,
            )
        })
        .collect();
    assert_eq!(told, [("c2", 2, None), ("c3", 0, Some(START - 600 * SECOND))]);
    assert_eq!(fleet.cohorts(&Selection::all()).partial, partial);
}
