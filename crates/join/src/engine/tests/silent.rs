//! Nodes that come when nobody waits for them any more.

use fathom_model::{IoClass, Missing, UnmatchedCause};

use super::super::{End, Engine};
use super::cluster::{Cluster, Made, Options};
use crate::config::Config;

fn send(engine: &mut Engine, made: &Made) {
    let stream = engine.open_stream(&made.info);
    engine.set_devices(stream, &made.devices).unwrap();
    engine.push(stream, 0, made.batch(0, made.events.len())).unwrap();
    engine.end(stream, End::Finished).unwrap();
}

/// Two nodes write, and the second comes when all others are through: what far sides saw of its writes has been set aside, so that
/// its legs are late there and not absent, and so it stays over a restart.
#[test]
fn writer_that_comes_after_the_silence_time_has_legs_that_are_late_and_is_told() {
    let options = Options {
        initiators: 2,
        ios: 60,
        millis: 1_000,
        ..Options::default()
    };
    let cluster = Cluster::busy(&options);
    let streams = cluster.streams();
    let (late, others) = streams.split_last().unwrap();
    let config = Config::default();
    let mut engine = Engine::new(config.clone());
    engine.set_topology(&cluster.topology);
    others.iter().for_each(|made| send(&mut engine, made));
    let node = engine.catalog().find_node(&late.info.id.node).unwrap();
    let waiting = engine.advance();
    assert!(waiting.iter().all(|waiting| waiting.node == node), "{waiting:?}");
    assert_eq!(engine.take_rows().ios.len(), 0);
    assert_eq!(engine.closed_without(node), None);

    engine.set_silent(node, true);
    engine.advance();
    let rows = engine.take_rows();
    assert_eq!(rows.ios.len(), 60);
    assert!(rows.ios.iter().all(|io| io.class == IoClass::Exact));
    // A drive and a bus target for each of two copies at least.
    assert!(rows.unmatched.len() >= 60 * 4);
    assert!(rows.unmatched.iter().all(|row| row.cause == UnmatchedCause::Foreign));

    let mut engine = Engine::restore(config, &cluster.topology, engine.state(), Vec::new()).unwrap();
    send(&mut engine, late);
    engine.advance();
    let rows = engine.take_rows();
    let node = engine.catalog().find_node(&late.info.id.node).unwrap();
    let newest = others.iter().flat_map(|made| &made.events).chain(&late.events);
    let newest = newest.map(fathom_model::IoEvent::end_unix_nanos).max();
    assert!(engine.closed_without(node).is_some_and(|until| Some(until) <= newest));
    assert_eq!(rows.ios.len(), 60);
    for leg in &rows.legs {
        assert!(leg.initiator.is_some() && leg.device.is_none());
        assert_eq!(leg.missing_device, Some(Missing::Late), "{leg:#?}");
        assert_eq!(leg.missing_target, Some(Missing::Late));
    }
    // A target that was silent says nothing of what it wrote: it writes nothing.
    let target = engine.catalog().find_node(&others[0].info.id.node).unwrap();
    assert_eq!(engine.closed_without(target), None);
}
