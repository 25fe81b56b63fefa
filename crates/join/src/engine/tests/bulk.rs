//! Deciding in bulk gives the rows that deciding one by one gives, on however many threads.

use proptest::prelude::*;

use super::super::{End, Engine, FanOuts};
use super::cluster::{Cluster, Made};
use super::legs::background;
use super::options::{any_options, cases};
use super::play::{Plan, assert_same, named, play};
use crate::config::Config;

fn decided(cluster: &Cluster, streams: &[Made]) -> Engine {
    let mut engine = Engine::new(Config::default());
    engine.set_topology(&cluster.topology);
    for made in streams {
        let stream = engine.open_stream(&made.info);
        engine.set_devices(stream, &made.devices).unwrap();
        engine.push(stream, 0, made.batch(0, made.events.len())).unwrap();
        engine.end(stream, End::Finished).unwrap();
    }
    engine.advance();
    engine
}

#[test]
fn columns_and_the_rows_beside_them_are_all_rows() {
    let cluster = Cluster::busy(&background());
    let streams = cluster.streams();
    let mut engine = decided(&cluster, &streams);
    let (fan_outs, mut rows) = engine.take_columns();
    assert!(
        fan_outs.iter().map(FanOuts::len).sum::<usize>() > 0,
        "some are decided in bulk"
    );
    for one in &fan_outs {
        let made = one.to_rows();
        assert_eq!((made.ios.len(), made.legs.len()), (one.len(), one.legs()));
        rows.append(made);
    }
    let all = decided(&cluster, &streams).take_rows();
    assert_same(&named(engine.catalog(), &rows), &named(engine.catalog(), &all));
}

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
