//! Cache drives: which they are is learnt, and what they took is tied by time and length where only one assignment is possible.

use fathom_model::{IoClass, LegMethod, Missing, Op, Tap, UnmatchedCause};

use super::cluster::{Cluster, MS, Options, Owner, Rng, START};
use super::play::{Plan, Played, assert_same, play};
use super::truth::score;
use crate::config::Config;

fn cached(seed: u64) -> Options {
    Options {
        seed,
        nodes: 4,
        copies: 3,
        ios: 800,
        blocks: 400,
        offset_nanos: 300 * MS,
        cache: true,
        ..Options::default()
    }
}

fn drives(played: &Played) -> Vec<(String, Vec<String>)> {
    let catalog = played.engine.catalog();
    let name = |disk: &fathom_model::DiskIndex| catalog.disk(*disk).id.to_string();
    let caches = played.engine.caches();
    let mut drives: Vec<_> = caches
        .iter()
        .map(|(disk, drives)| (name(disk), drives.iter().map(name).collect::<Vec<_>>()))
        .collect();
    drives.sort();
    drives
}

#[test]
fn what_a_cache_took_is_tied_by_time_and_nothing_is_tied_wrongly() {
    for seed in 1..6 {
        for without in [vec![], vec![Tap::Initiator]] {
            let options = Options {
                without: without.clone(),
                ..cached(seed)
            };
            let cluster = Cluster::busy(&options);
            let streams = cluster.streams();
            let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
            let score = score(&played, &streams);
            let context = format!("seed {seed}, without {without:?}: {score:?}, {:?}", played.missing());
            assert_eq!((score.wrong, score.wrong_by_time), (0, 0), "{context}");
            // Sparse traffic: hardly two of one length are at a node at a time.
            assert!(score.exact * 100 >= score.ios * 80, "{context}");
            let expected: Vec<_> = (0..4)
                .map(|node| (format!("n{node}/disk0"), vec![format!("n{node}/cache0")]))
                .collect();
            assert_eq!(drives(&played), expected, "{context}");
            for leg in &played.rows.legs {
                if leg.device.is_some() {
                    assert_eq!(leg.method, LegMethod::Time);
                    let drive = played.engine.catalog().disk(leg.cache.unwrap());
                    assert_eq!(drive.name, "cache0");
                    assert!(leg.confidence > 0.9 || leg.ambiguous, "{leg:?}");
                }
            }
        }
    }
}

/// Without a target nothing at the other nodes has an offset that the initiator knows, so that their clocks stay unknown and
/// nothing of theirs is tied; what lies on the initiator's own node is.
#[test]
fn without_targets_only_local_copies_are_tied() {
    let cluster = Cluster::busy(&Options {
        converged: true,
        without: vec![Tap::Target],
        ..cached(2)
    });
    let streams = cluster.streams();
    let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    let score = score(&played, &streams);
    assert_eq!((score.wrong, score.wrong_by_time), (0, 0), "{score:?}");
    let (mut local, mut tied) = (0, 0);
    for leg in &played.rows.legs {
        if leg.local {
            local += 1;
            tied += usize::from(leg.cache.is_some());
        } else {
            assert_eq!(leg.missing_device, Some(Missing::Unaligned));
        }
    }
    assert!(tied * 10 > local * 8, "{tied} of {local}");
}

#[test]
fn several_that_could_be_it_are_said_and_not_guessed() {
    let cluster = Cluster::busy(&Options {
        ios: 8000,
        millis: 2000,
        ..cached(3)
    });
    let streams = cluster.streams();
    let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    let score = score(&played, &streams);
    assert_eq!(score.wrong, 0, "{score:?}");
    let indistinct = |leg: &&fathom_model::Leg| leg.missing_device == Some(Missing::Indistinct);
    assert!(played.rows.legs.iter().filter(indistinct).count() > 50);
    let lacking = played
        .rows
        .ios
        .iter()
        .filter(|io| played.rows.legs_of(io).iter().any(|leg| leg.device.is_none()));
    assert!(lacking.into_iter().all(|io| io.class == IoClass::Incomplete));
}

#[test]
fn caches_stay_known_over_a_restart() {
    let cluster = Cluster::busy(&cached(4));
    let streams = cluster.streams();
    let plain = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    let one_by_one = Config {
        bulk: false,
        ..Config::default()
    };
    let pooled = play(&one_by_one, &cluster.topology, &streams, &Plan::PLAIN);
    assert_same(&plain.named, &pooled.named);
    for seed in 1..8 {
        let plan = Plan {
            restarts: 4,
            ..Plan::wild(seed)
        };
        let restarted = play(&Config::default(), &cluster.topology, &streams, &plan);
        assert_same(&plain.named, &restarted.named);
        assert_eq!(plain.engine.state().caches, restarted.engine.state().caches);
    }
}

/// A boot drive is as busy as the disks, but not because of them; and some of the disks' events were lost.
#[test]
fn busy_drive_that_is_no_cache_is_not_taken_for_one() {
    for seed in 1..6 {
        let mut cluster = Cluster::busy(&Options {
            cache: false,
            ios: 2000,
            lost_per_mille: 150,
            lost_at: Some(Tap::Device),
            ..cached(seed)
        });
        let mut rng = Rng::new(seed);
        for node in 0..4 {
            for at in 0..2000 {
                let start = START + rng.between(0, 4_000 * MS);
                let mut device = Cluster::disk_device(Tap::Device, node, 9);
                device.name = "boot".to_owned();
                let length = 4096 << rng.below(6);
                let end = start + rng.between(20_000, 400_000);
                cluster.event(
                    node,
                    device,
                    Op::Write,
                    (at << 20, length),
                    (start, end),
                    Owner::default(),
                );
            }
        }
        let streams = cluster.streams();
        let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
        assert_eq!(score(&played, &streams).wrong, 0);
        assert!(played.engine.caches().is_empty(), "seed {seed}: {:?}", drives(&played));
        let boot = played.rows.unmatched.iter().filter(|row| row.device == "boot");
        let mut count = 0;
        for row in boot {
            assert_eq!(row.cause, UnmatchedCause::UnknownDevice);
            count += 1;
        }
        assert!(count > 5000, "{count}");
    }
}
