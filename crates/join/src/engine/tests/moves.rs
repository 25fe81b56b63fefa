//! Slabs that move in mid-run: what is made before, about and after the change is looked for where it may be.

use fathom_model::{Extent, ExtentMap, IoClass, Missing, Op, Validity};

use super::cluster::{CHUNK, Cluster, MS, Options, Rng, START, Spot};
use super::play::{Plan, assert_same, play};
use super::traffic::{Request, Trip};
use super::truth::score;
use crate::config::Config;

/// Where copy 0 of the first chunk lies afterwards.
const MOVED_TO: u64 = 3 << 30;

/// In true time.
const CHANGE: i64 = START + 2_000 * MS;

/// How well the moment is known.
const UNSURE: i64 = 300 * MS;

/// A cluster in which copy 0 of the first chunk moves from `n0` to `n2`, and what is written and read meanwhile.
fn moving(seed: u64, ios: u64) -> Cluster {
    // What does not move lies on `n1` and `n2`.
    moving_among(seed, ios, 2)
}

/// The same with I/Os to so many chunks.
fn moving_among(seed: u64, ios: u64, chunks: u64) -> Cluster {
    let mut cluster = Cluster::idle(&Options {
        seed,
        millis: 4_000,
        offset_nanos: 50 * MS,
        ..Options::default()
    });
    let mut extents: Vec<Extent> = cluster.topology.extents.extents().to_vec();
    let old = extents
        .iter_mut()
        .find(|extent| extent.copy == 0 && extent.volume_offset == 0)
        .unwrap();
    assert_eq!(old.disk.as_str(), "n0/disk0");
    let mut new = old.clone();
    old.valid.until_unix_nanos = Some(CHANGE + UNSURE);
    new.valid = Validity {
        from_unix_nanos: Some(CHANGE - UNSURE),
        until_unix_nanos: None,
    };
    (new.disk, new.disk_offset) = ("n2/disk0".into(), MOVED_TO);
    extents.push(new);
    cluster.topology.extents = ExtentMap::try_new(extents).unwrap();
    let mut rng = Rng::new(seed);
    for at in 0..ios {
        let start = START + 4_000 * MS / ios as i64 * at as i64;
        let length = 4096_u64 << rng.below(4);
        let request = Request {
            initiator: 0,
            op: if rng.chance(200) { Op::Read } else { Op::Write },
            // Most of them where nothing moves, some over a border.
            offset: rng.below((chunks * CHUNK - length) / 4096) * 4096,
            length,
            start,
        };
        let mut spots = cluster.spots(0, request.offset, length);
        for spot in &mut spots {
            if start >= CHANGE && spot.copy == 0 && request.offset < CHUNK && spot.part == 0 {
                *spot = Spot {
                    node: 2,
                    offset: MOVED_TO + request.offset,
                    ..*spot
                };
            }
        }
        if request.op == Op::Read {
            let copy = rng.below(2) as u32;
            spots.retain(|spot| spot.copy == copy);
        }
        let trips = vec![Trip::PLAIN; spots.len()];
        cluster.io(request, &spots, &trips, 2_000);
    }
    cluster
}

#[test]
fn what_moves_is_found_before_about_and_after_the_change() {
    for seed in 1..6 {
        let cluster = moving(seed, 900);
        let streams = cluster.streams();
        let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
        let score = score(&played, &streams);
        assert_eq!((score.wrong, score.left), (0, 0), "seed {seed}: {score:?}");
        assert_eq!((score.exact, score.ios), (900, 900), "seed {seed}: {score:?}");
    }
}

#[test]
fn rows_of_what_moves_depend_on_events_alone() {
    let cluster = moving(7, 600);
    let streams = cluster.streams();
    let plain = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    let one_by_one = Config {
        bulk: false,
        ..Config::default()
    };
    assert_same(
        &plain.named,
        &play(&one_by_one, &cluster.topology, &streams, &Plan::PLAIN).named,
    );
    for seed in 1..6 {
        let plan = Plan {
            restarts: 3,
            ..Plan::wild(seed)
        };
        assert_same(
            &plain.named,
            &play(&Config::default(), &cluster.topology, &streams, &plan).named,
        );
    }
}

/// Takes from a map what it says of the change.
fn forget_change(cluster: &mut Cluster) {
    let mut extents = cluster.topology.extents.extents().to_vec();
    extents.retain(|extent| extent.valid.from_unix_nanos.is_none());
    extents.iter_mut().for_each(|extent| extent.valid = Validity::default());
    cluster.topology.extents = ExtentMap::try_new(extents).unwrap();
}

/// A map that says nothing of the change finds the copies where they were, and says that the others are not there: what else is
/// asked of the node bears out its clock.
#[test]
fn move_that_the_map_does_not_know_is_not_guessed() {
    let mut cluster = moving_among(3, 600, 3);
    forget_change(&mut cluster);
    let streams = cluster.streams();
    let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    assert_eq!(score(&played, &streams).wrong, 0);
    let after = played.rows.ios.iter().filter(|io| io.class == IoClass::Incomplete);
    assert!(after.count() > 50);
    let absent = |leg: &fathom_model::Leg| leg.missing_device == Some(Missing::Absent);
    assert!(played.rows.legs.iter().any(absent));
}

/// A node that answers nothing at all any more may as well have had its clock set: then that is said, and nothing is guessed.
#[test]
fn node_that_answers_nothing_any_more_is_not_said_to_lack_what_was_asked() {
    let mut cluster = moving(3, 600);
    forget_change(&mut cluster);
    let streams = cluster.streams();
    let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    assert_eq!(score(&played, &streams).wrong, 0);
    let lacking = played.rows.legs.iter().filter(|leg| leg.missing_device.is_some());
    let mut count = 0;
    for leg in lacking {
        let cause = leg.missing_device.unwrap();
        assert!(matches!(cause, Missing::Absent | Missing::Unaligned), "{leg:?}");
        assert_eq!(played.engine.catalog().node(leg.node).as_str(), "n0", "{leg:?}");
        count += 1;
    }
    assert!(count > 50);
}

#[test]
fn extents_that_overlap_have_to_follow_on_each_other() {
    let cluster = moving(1, 1);
    let extents = cluster.topology.extents.extents();
    let with = |valid: fn(usize) -> Validity| {
        let versions = extents.iter().filter(|extent| !extent.valid.is_always()).cloned();
        let versions = versions.enumerate().map(|(at, extent)| Extent {
            valid: valid(at),
            ..extent
        });
        ExtentMap::try_new(versions.collect())
    };
    assert!(with(|_| Validity::default()).is_err());
    assert!(
        with(|at| Validity {
            from_unix_nanos: (at == 1).then_some(5),
            until_unix_nanos: None
        })
        .is_err()
    );
    assert!(
        with(|at| Validity {
            from_unix_nanos: (at == 1).then_some(5),
            until_unix_nanos: (at == 0).then_some(9)
        })
        .is_ok()
    );
}
