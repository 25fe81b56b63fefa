//! Requests that drives make one of several: every leg has the event, and it counts once.

use std::collections::BTreeMap;

use fathom_model::{IoClass, LegMethod, Merged, Op, Tap};

use super::cluster::{Cluster, MS, Options, START};
use super::options::small;
use super::play::{Plan, Played, assert_same, play, used};
use super::traffic::Request;
use super::truth::score;
use crate::config::Config;

fn merging(seed: u64) -> Options {
    Options {
        seed,
        nodes: 4,
        copies: 3,
        ios: 800,
        blocks: 400,
        offset_nanos: 300 * MS,
        merges_per_mille: 400,
        ..Options::default()
    }
}

/// Legs a merged event, by what they say of it.
fn shares(played: &Played) -> BTreeMap<(fathom_model::StreamIndex, u64), Vec<Merged>> {
    let mut shares: BTreeMap<_, Vec<Merged>> = BTreeMap::new();
    for leg in &played.rows.legs {
        if let Some(merged) = leg.merged {
            let event = leg.device.unwrap();
            shares.entry((event.stream, event.ordinal)).or_default().push(merged);
        }
    }
    shares
}

#[test]
fn every_leg_of_a_merged_request_has_it_and_one_counts_it() {
    for seed in 1..6 {
        for without in [vec![], vec![Tap::Target], vec![Tap::Initiator, Tap::Target]] {
            let options = Options {
                without: without.clone(),
                ..merging(seed)
            };
            let cluster = Cluster::busy(&options);
            let streams = cluster.streams();
            let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
            let score = score(&played, &streams);
            let context = format!("seed {seed}, without {without:?}: {score:?}, {:?}", played.missing());
            assert_eq!(score.wrong, 0, "{context}");
            assert!(score.exact * 100 >= score.ios * 98, "{context}");
            let shares = shares(&played);
            assert!(shares.len() > 300, "{context}");
            for legs in shares.values() {
                assert_eq!(legs.iter().filter(|&&merged| merged == Merged::First).count(), 1);
                assert_eq!(legs.len(), 2);
            }
        }
    }
}

#[test]
fn merged_requests_of_two_windows_are_told_over_a_restart() {
    let cluster = Cluster::busy(&merging(2));
    let streams = cluster.streams();
    let plain = play(&small(), &cluster.topology, &streams, &Plan::PLAIN);
    for seed in 1..10 {
        let plan = Plan {
            restarts: 4,
            ..Plan::wild(seed)
        };
        let restarted = play(&small(), &cluster.topology, &streams, &plan);
        assert_same(&plain.named, &restarted.named);
    }
}

/// Two writes of two windows, made one by the drives: the second refers to what was decided with the first.
#[test]
fn event_of_a_closed_window_is_referred_to_by_the_next() {
    let config = small();
    let mut cluster = Cluster::busy(&Options {
        merges_per_mille: 0,
        ..merging(3)
    });
    let border = (START / config.window_nanos + 20) * config.window_nanos;
    let before = cluster.ios;
    for number in 0..8_i64 {
        // The first completes 175 us after it began, on a clock that is not true time.
        let start = cluster.clocks[4].when(border + number * config.window_nanos) - 250_000;
        cluster.pair_apart(
            Request {
                initiator: 0,
                op: Op::Write,
                offset: 8192 * number as u64,
                length: 8192,
                start,
            },
            200_000,
        );
    }
    let streams = cluster.streams();
    let played = play(&config, &cluster.topology, &streams, &Plan::PLAIN);
    for number in before..cluster.ios {
        let (io, legs) = played.io(&streams, number);
        assert_eq!(io.class, IoClass::Exact, "{number}");
        assert!(
            legs.iter()
                .all(|leg| leg.merged.is_some() && leg.method == LegMethod::Key)
        );
    }
    let ordinals = used(&played.rows);
    let distinct: std::collections::BTreeSet<_> = ordinals.iter().collect();
    assert_eq!(distinct.len(), ordinals.len());
}
