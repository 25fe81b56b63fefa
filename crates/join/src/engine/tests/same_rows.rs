//! The same events give the same rows, whatever the batches, the order of nodes and the moments of calls; and each event is in
//! exactly one of them.

use proptest::prelude::*;

use super::cluster::{Cluster, MS, Rng, START};
use super::options::{any_options, cases};
use super::play::{Plan, assert_same, play};

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn order_of_arrival_does_not_matter((options, config) in any_options(), seed in 1_u64..) {
        let cluster = Cluster::busy(&options);
        let streams = cluster.streams();
        let plain = play(&config, &cluster.topology, &streams, &Plan::PLAIN);
        let wild = play(&config, &cluster.topology, &streams, &Plan::wild(seed));
        assert_same(&plain.named, &wild.named);
        prop_assert!(wild.engine.is_finished());
        prop_assert_eq!(wild.engine.in_memory(), 0);
        prop_assert_eq!(wild.uses.len(), streams.iter().map(|stream| stream.events.len()).sum::<usize>());
    }

    #[test]
    fn restarts_do_not_matter((options, config) in any_options(), seed in 1_u64.., restarts in 1_u32..6) {
        let cluster = Cluster::busy(&options);
        let streams = cluster.streams();
        let plain = play(&config, &cluster.topology, &streams, &Plan::PLAIN);
        let restarted = play(&config, &cluster.topology, &streams, &Plan { restarts, ..Plan::wild(seed) });
        assert_same(&plain.named, &restarted.named);
        prop_assert!(restarted.engine.is_finished());
        prop_assert_eq!(restarted.uses.len(), streams.iter().map(|stream| stream.events.len()).sum::<usize>());
    }

    #[test]
    fn node_that_starts_anew_does_not_matter((options, config) in any_options(), seed in 1_u64.., node: usize, at in 0_i64..1000) {
        let cluster = Cluster::busy(&options);
        let moment = START + at * options.millis * MS / 1000;
        let streams = cluster.streams_with_new_start(node % cluster.nodes.len(), moment);
        let plain = play(&config, &cluster.topology, &streams, &Plan::PLAIN);
        let wild = play(&config, &cluster.topology, &streams, &Plan { restarts: (seed % 3) as u32, ..Plan::wild(seed) });
        assert_same(&plain.named, &wild.named);
        prop_assert!(wild.engine.is_finished());
        prop_assert_eq!(wild.uses.len(), streams.iter().map(|stream| stream.events.len()).sum::<usize>());
    }

    #[test]
    fn what_was_heard_before_a_restart_need_not_be_said_again(
        (options, config) in any_options(), seed in 1_u64.., node: usize, at in 0_i64..1000, restarts in 1_u32..6,
    ) {
        let cluster = Cluster::busy(&options);
        let moment = START + at * options.millis * MS / 1000;
        let streams = cluster.streams_with_new_start(node % cluster.nodes.len(), moment);
        let plain = play(&config, &cluster.topology, &streams, &Plan::PLAIN);
        let restarted = play(&config, &cluster.topology, &streams, &Plan { restarts, repeats: false, ..Plan::wild(seed) });
        assert_same(&plain.named, &restarted.named);
        prop_assert!(restarted.engine.is_finished());
    }

    #[test]
    fn when_ordinals_are_said_to_be_lost_does_not_matter((options, config) in any_options(), seed in 1_u64..) {
        let cluster = Cluster::busy(&options);
        let streams = cluster.streams();
        let mut rng = Rng::new(seed);
        let mut lost = Vec::new();
        for (at, stream) in streams.iter().enumerate() {
            let events = stream.events.len();
            let mut from = rng.below(events as u64 / 2 + 1) as usize;
            while from < events && rng.chance(800) {
                let until = (from + 1 + rng.below(events as u64 / 8 + 2) as usize).min(events);
                lost.push((at, from, until));
                from = until + 1 + rng.below(events as u64 / 4 + 2) as usize;
            }
        }
        let plain = play(&config, &cluster.topology, &streams, &Plan { lost: lost.clone(), ..Plan::PLAIN });
        let wild = Plan { lost: lost.clone(), restarts: (seed % 4) as u32, ..Plan::wild(seed) };
        let wild = play(&config, &cluster.topology, &streams, &wild);
        assert_same(&plain.named, &wild.named);
        prop_assert!(wild.engine.is_finished());
        let events: usize = streams.iter().map(|stream| stream.events.len()).sum();
        let gone: usize = lost.iter().map(|&(_, from, until)| until - from).sum();
        prop_assert_eq!(wild.uses.len(), events - gone);
        let said: u64 = wild.engine.streams().iter().map(|stream| stream.lost).sum();
        prop_assert_eq!(said, gone as u64);
    }
}
