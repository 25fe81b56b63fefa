//! Rows that an initiator lost in a range: what is missing of legs ended in it, and the slowest copy is named by that.

use std::collections::BTreeMap;

use fathom_model::{Op, Tap};

use super::cluster::{CHUNK, Cluster, MS, Options, Rng, START};
use super::options::small;
use super::play::{Plan, assert_same, play};
use super::traffic::{Request, Trip};
use crate::config::Config;

/// When rows are lost, in true time.
const LOST: (i64, i64) = (START + 900 * MS, START + 1_150 * MS);

/// A write every 200 us with three copies, of which each takes up to 4 ms to reply.
fn steady(seed: u64) -> Cluster {
    let mut cluster = Cluster::idle(&Options {
        copies: 3,
        millis: 1_400,
        offset_nanos: 5 * MS,
        drift_ppb: 20_000,
        ..Options::default()
    });
    let mut rng = Rng::new(seed);
    for at in 0..7_000_i64 {
        let request = Request {
            initiator: 0,
            op: Op::Write,
            offset: at as u64 * 4096 % (6 * CHUNK),
            length: 4096,
            start: START + at * 200_000,
        };
        let spots = cluster.spots(0, request.offset, request.length);
        let trips: Vec<Trip> = (0..spots.len())
            .map(|_| Trip {
                back: rng.between(10_000, 4 * MS),
                ..Trip::PLAIN
            })
            .collect();
        cluster.io(request, &spots, &trips, rng.between(2_000, 40_000));
    }
    cluster
}

/// When each I/O's legs ended at the initiator, a copy.
fn ends(cluster: &Cluster) -> BTreeMap<usize, Vec<(i64, u32)>> {
    let mut ends: BTreeMap<usize, Vec<(i64, u32)>> = BTreeMap::new();
    for draft in cluster.drafts.iter().filter(|draft| draft.device.tap == Tap::Initiator) {
        let io = ends.entry(draft.owner.io.unwrap()).or_default();
        io.push((draft.end, draft.owner.copy));
        io.sort_unstable();
    }
    ends
}

/// How many were named, and how many could not be, of the I/Os that lack legs; nobody is named wrong.
fn named(cluster: &Cluster, ends: &BTreeMap<usize, Vec<(i64, u32)>>, config: &Config) -> (usize, usize) {
    let streams = cluster.streams();
    let played = play(config, &cluster.topology, &streams, &Plan::PLAIN);
    for seed in 1..4 {
        let plan = Plan {
            restarts: 3,
            ..Plan::wild(seed)
        };
        assert_same(&played.named, &play(config, &cluster.topology, &streams, &plan).named);
    }
    let one_by_one = Config {
        bulk: false,
        ..config.clone()
    };
    assert_same(
        &played.named,
        &play(&one_by_one, &cluster.topology, &streams, &Plan::PLAIN).named,
    );
    let (mut right, mut open) = (0, 0);
    for io in &played.rows.ios {
        let number = played.owner(&streams, (io.event.stream, io.event.ordinal)).io.unwrap();
        let legs = played.rows.legs_of(io);
        let (_, slowest) = ends[&number].last().unwrap();
        let lacks = legs.iter().any(|leg| leg.initiator.is_none());
        match io.slowest {
            Some(named) => {
                assert_eq!(played.rows.legs[named.leg].copy, *slowest, "I/O {number}: {legs:?}");
                right += usize::from(lacks);
            }
            None => {
                assert!(legs.iter().any(|leg| leg.candidate && leg.copy == *slowest));
                // Two may have ended as one within the resolution of what was recorded.
                open += usize::from(lacks);
            }
        }
    }
    (right, open)
}

#[test]
fn slowest_copy_is_named_where_rows_were_lost_in_a_range() {
    for seed in 1..4 {
        let mut cluster = steady(seed);
        let ends = ends(&cluster);
        let initiator = cluster.initiator(0).0;
        let lost = |end: i64| (LOST.0..LOST.1).contains(&end);
        cluster
            .drafts
            .retain(|draft| draft.node != initiator || !lost(draft.end));
        let written: Vec<usize> = cluster
            .drafts
            .iter()
            .filter(|draft| draft.device.tap == Tap::Volume)
            .map(|draft| draft.owner.io.unwrap())
            .collect();
        let partly = |io: &&usize| {
            let ends = &ends[*io];
            ends.iter().any(|&(end, _)| lost(end)) && ends.iter().any(|&(end, _)| !lost(end))
        };
        let nameable = written.iter().filter(partly).count();
        assert!(nameable > 5);
        let (right, _) = named(&cluster, &ends, &small());
        assert!(right >= nameable, "seed {seed}: {right} of {nameable}");
    }
}

/// All replies wait for 250 ms, and some rows of the many that come at once then are lost: the pause has nothing to do with it.
#[test]
fn nothing_is_concluded_from_a_stall() {
    for seed in 1..4 {
        let mut cluster = steady(seed);
        let initiator = cluster.initiator(0).0;
        let mut rng = Rng::new(seed);
        for draft in cluster.drafts.iter_mut().filter(|draft| draft.node == initiator) {
            if (LOST.0..LOST.1).contains(&draft.end) {
                draft.end = LOST.1 + (draft.end - LOST.0) / 50;
            }
        }
        // The application had its answers after all replies.
        let ends = ends(&cluster);
        for draft in cluster
            .drafts
            .iter_mut()
            .filter(|draft| draft.device.tap == Tap::Volume)
        {
            draft.end = draft.end.max(ends[&draft.owner.io.unwrap()].last().unwrap().0 + 3_000);
        }
        let burst = LOST.1..LOST.1 + 6 * MS;
        cluster
            .drafts
            .retain(|draft| draft.device.tap != Tap::Initiator || !burst.contains(&draft.end) || !rng.chance(300));
        let (_, open) = named(&cluster, &ends, &small());
        assert!(open > 100, "seed {seed}: {open}");
    }
}
