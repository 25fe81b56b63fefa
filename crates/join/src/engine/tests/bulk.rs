//! Deciding in bulk gives the rows that deciding one by one gives, on however many threads.

use proptest::prelude::*;

use super::cluster::Cluster;
use super::options::{any_options, cases};
use super::play::{Plan, assert_same, play};
use crate::config::Config;

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn bulk_does_not_matter((options, config) in any_options(), seed in 1_u64.., threads in 1_usize..3) {
        let cluster = Cluster::busy(&options);
        let streams = cluster.streams();
        let one_by_one = Config { bulk: false, ..config.clone() };
        let in_bulk = Config { bulk: true, threads, ..config };
        let plain = play(&one_by_one, &cluster.topology, &streams, &Plan::PLAIN);
        let bulk = play(&in_bulk, &cluster.topology, &streams, &Plan::PLAIN);
        assert_same(&plain.named, &bulk.named);
        let wild = play(&in_bulk, &cluster.topology, &streams, &Plan { restarts: (seed % 3) as u32, ..Plan::wild(seed) });
        assert_same(&plain.named, &wild.named);
        prop_assert!(wild.engine.is_finished());
        prop_assert_eq!(wild.engine.in_memory(), 0);
    }
}
