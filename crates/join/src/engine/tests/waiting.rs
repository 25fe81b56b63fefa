//! What windows wait for, and what they must not depend on while they do.

use fathom_model::Tap;

use super::super::Engine;
use super::cluster::{Cluster, MS, Made, START};
use super::legs::{background, write};
use super::play::named;
use crate::config::Config;

/// An engine that has all of `streams` but no promise yet.
fn with_all(cluster: &Cluster, streams: &[Made]) -> Engine {
    let mut engine = Engine::new(Config::default());
    engine.set_topology(&cluster.topology);
    for made in streams {
        let stream = engine.open_stream(&made.info);
        engine.set_devices(stream, &made.devices).unwrap();
        engine.push(stream, 0, made.batch(0, made.events.len())).unwrap();
    }
    engine
}

/// "Nothing that completed before T is still to come" says nothing about what completed at T, but I/Os that ended right at the
/// time up to which everyone was heard took part when they happened to be there.
#[test]
fn what_ended_when_others_were_heard_counts_whether_it_came_or_not() {
    let mut cluster = Cluster::busy(&background());
    cluster.options.without = vec![Tap::Initiator, Tap::Target];
    let first = cluster.plain(write(512, 4096, 0));
    let second = cluster.plain(write(512, 4096, -10));
    let edge = START + 4_000 * MS;
    let drives = |draft: &super::cluster::Draft, io| draft.owner.io == Some(io) && draft.device.tap == Tap::Device;
    cluster.drafts.retain(|draft| !drives(draft, first));
    for draft in cluster.drafts.iter_mut().filter(|draft| draft.owner.io == Some(second)) {
        if draft.device.tap == Tap::Volume {
            draft.end = edge;
        }
    }
    let streams = cluster.streams();
    let rows = |left_out: usize| {
        let mut streams = streams.clone();
        let writer = streams.last_mut().unwrap();
        assert_eq!(writer.events.last().unwrap().end_unix_nanos(), edge);
        writer.events.truncate(writer.events.len() - left_out);
        let mut engine = with_all(&cluster, &streams);
        for made in &streams {
            let stream = engine.catalog().find_stream(&made.info.id).unwrap();
            let heard = if made.node == 3 { edge } else { edge + 10 * MS };
            engine.heard(stream, heard).unwrap();
        }
        engine.advance();
        let rows = engine.take_rows();
        assert_eq!(rows.ios.len(), 61, "all but the second");
        named(engine.catalog(), &rows)
    };
    assert_eq!(rows(0), rows(1));
}
