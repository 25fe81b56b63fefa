//! A dictionary means the same for ever, and what it names is found as soon as a topology has it.

use fathom_model::{IoClass, UnmatchedCause};

use super::super::{End, Engine};
use super::cluster::Cluster;
use super::legs::background;
use crate::config::Config;
use crate::error::Error;

#[test]
fn dictionary_that_comes_before_the_topology_is_understood_with_it() {
    let cluster = Cluster::busy(&background());
    let streams = cluster.streams();
    let mut engine = Engine::new(Config::default());
    let opened: Vec<_> = streams
        .iter()
        .map(|made| {
            let stream = engine.open_stream(&made.info);
            engine.set_devices(stream, &made.devices).unwrap();
            stream
        })
        .collect();
    engine.set_topology(&cluster.topology);
    for (made, &stream) in streams.iter().zip(&opened) {
        engine.push(stream, 0, made.batch(0, made.events.len())).unwrap();
        engine.heard(stream, *made.heard.last().unwrap()).unwrap();
        engine.end(stream, End::Finished).unwrap();
    }
    engine.advance();
    let rows = engine.take_rows();
    assert!(rows.ios.iter().all(|io| io.class == IoClass::Exact));
    assert!(
        rows.unmatched
            .iter()
            .all(|row| row.cause != UnmatchedCause::UnknownDevice)
    );
}

#[test]
fn entry_that_changes_its_meaning_is_refused_and_an_equal_one_is_not() {
    let cluster = Cluster::busy(&background());
    let made = cluster.streams().remove(0);
    let mut engine = Engine::new(Config::default());
    engine.set_topology(&cluster.topology);
    let stream = engine.open_stream(&made.info);
    engine.set_devices(stream, &made.devices).unwrap();
    engine.set_devices(stream, &made.devices).unwrap();
    let mut changed = made.devices.clone();
    changed[0].disk = Some("t9/disk9".into());
    let refused = engine.set_devices(stream, &changed).unwrap_err();
    assert!(
        matches!(&refused, Error::DeviceChanged { device: 0, new, .. } if new.contains("t9/disk9")),
        "{refused}"
    );
}
