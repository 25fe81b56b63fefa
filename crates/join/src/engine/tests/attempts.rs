//! A target that died and came back: attempts that failed are told from the legs of others by order.

use fathom_model::{Op, Tap};

use super::cluster::{Cluster, MS, Options, Owner, START};
use super::legs::{background, write};
use super::options::small;
use super::play::{Plan, assert_same, play};
use super::traffic::Trip;
use super::truth::score;
use crate::config::Config;

/// Two writes of one block, of which one was sent again: the attempt lies within both, but the other's leg was under way already
/// when it failed.
#[test]
fn attempt_that_failed_is_not_that_of_a_write_whose_leg_began_before() {
    let mut cluster = Cluster::busy(&background());
    let spots = cluster.spots(0, 512, 4096);
    let again = Trip {
        wait: 500_000,
        ..Trip::PLAIN
    };
    let slow = Trip {
        service: 300_000,
        ..Trip::PLAIN
    };
    let retried = cluster.io(write(512, 4096, 0), &spots, &[again, Trip::PLAIN], 2_000);
    let beside = cluster.io(write(512, 4096, 4), &spots, &[Trip::PLAIN, slow], 2_000);
    let (node, _) = cluster.initiator(0);
    let legs = |draft: &super::cluster::Draft| draft.device.tap == Tap::Initiator && draft.owner.copy == 0;
    let own = cluster
        .drafts
        .iter()
        .find(|draft| legs(draft) && draft.owner.io == Some(retried));
    let device = own.unwrap().device.clone();
    let at = START + 1_200 * MS;
    let owner = Owner {
        io: Some(retried),
        part: 0,
        copy: 0,
    };
    let offset = spots[0].offset;
    cluster.event(
        node,
        device,
        Op::Write,
        (offset, 4096),
        (at + 6_000, at + 200_000),
        owner,
    );
    cluster.drafts.last_mut().unwrap().status = 104;
    let streams = cluster.streams();
    let plain = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    let (_, legs) = plain.io(&streams, retried);
    assert_eq!(legs[0].more.initiator.len(), 1, "{legs:#?}");
    let (_, legs) = plain.io(&streams, beside);
    assert!(legs.iter().all(|leg| leg.more.initiator.is_empty()), "{legs:#?}");
    // The other copy may have been either's, and says so.
    assert!(!legs[0].ambiguous && legs[1].ambiguous, "{legs:#?}");
    assert_eq!(score(&plain, &streams).wrong, 0);
    for seed in 1..6 {
        let plan = Plan {
            restarts: 20,
            most_batch: 20,
            seed,
            ..Plan::PLAIN
        };
        let restarted = play(&Config::default(), &cluster.topology, &streams, &plan);
        assert_same(&plain.named, &restarted.named);
    }
}

/// Legs that fail up to four times, half of which were served all the same: the target and the drive saw those requests too.
#[test]
fn every_attempt_of_a_leg_is_its_own_with_what_it_made() {
    for unplaced in [false, true] {
        for without in [vec![], vec![Tap::Target]] {
            let options = Options {
                seed: 11,
                nodes: 4,
                copies: 3,
                ios: 500,
                blocks: 400,
                offset_nanos: 200 * MS,
                retries_per_mille: 150,
                most_retries: 4,
                served_per_mille: 500,
                unplaced,
                without: without.clone(),
                ..Options::default()
            };
            let cluster = Cluster::busy(&options);
            let streams = cluster.streams();
            let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
            let score = score(&played, &streams);
            let context = format!(
                "unplaced {unplaced}, without {without:?}: {score:?}, {:?}",
                played.missing()
            );
            assert_eq!(score.wrong, 0, "{context}");
            // Without an offset what the far side saw is looked at before it is known which attempts there were.
            assert!(unplaced || score.exact * 100 >= score.ios * 99, "{context}");
            let failed = streams
                .iter()
                .flat_map(|made| &made.events)
                .filter(|event| event.status != 0);
            let (failed, legs) = (failed.count(), &played.rows.legs);
            let attempts: usize = legs.iter().map(|leg| leg.more.initiator.len()).sum();
            assert!(attempts * 100 >= failed * 95, "{attempts} of {failed}: {context}");
            assert!(legs.iter().any(|leg| leg.more.initiator.len() == 4), "{context}");
            let targets = legs.iter().map(|leg| leg.more.target.len()).max().unwrap();
            let devices = legs.iter().map(|leg| leg.more.device.len()).max().unwrap();
            assert!(
                unplaced || devices > 0 && (targets > 0) == without.is_empty(),
                "{context}"
            );
            // Each event of an attempt that was served has found its leg, but for a few that could be of two.
            assert!(unplaced || score.left * 100 <= score.claims * 2, "{context}");
            for leg in legs
                .iter()
                .filter(|leg| !leg.more.initiator.is_empty() && !leg.ambiguous)
            {
                assert!(
                    leg.initiator.is_none_or(|seen| seen.status == 0),
                    "the one that went well stands for the leg"
                );
                let inside = leg
                    .initiator
                    .zip(leg.device)
                    .is_none_or(|(outer, device)| device.duration_nanos <= outer.duration_nanos);
                assert!(
                    inside,
                    "what attempts made at the drive is no part of the leg's own time: {leg:?}"
                );
            }
        }
    }
}

/// Two writes of one block at once, both sent again, one attempt of each served: whose request is whose is not known, and not said.
#[test]
fn what_attempts_of_two_writes_made_at_once_is_left_alone() {
    let mut cluster = Cluster::busy(&background());
    let spots = cluster.spots(0, 512, 4096);
    let (node, _) = cluster.initiator(0);
    let mut writes = Vec::new();
    for at in [0, 30_000] {
        let again = Trip {
            wait: 700_000,
            ..Trip::PLAIN
        };
        writes.push(cluster.io(write(512, 4096, 0), &spots, &[again, again], 2_000));
        let start = START + 1_200 * MS + at;
        let spot = spots[0];
        let owner = Owner {
            io: writes.last().copied(),
            part: 0,
            copy: 0,
        };
        let path = cluster.path_device(0, 0, spot.node);
        let place = (spot.offset, spot.length);
        cluster.event(node, path, Op::Write, place, (start + 6_000, start + 400_000), owner);
        cluster.drafts.last_mut().unwrap().status = 104;
        let target = Cluster::disk_device(Tap::Target, spot.node, spot.disk);
        cluster.event(
            spot.node,
            target,
            Op::Write,
            place,
            (start + 50_000, start + 200_000),
            owner,
        );
    }
    let streams = cluster.streams();
    let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    assert_eq!(score(&played, &streams).wrong, 0);
    for write in writes {
        let (_, legs) = played.io(&streams, write);
        assert!(legs.iter().all(|leg| leg.more.target.is_empty()), "{legs:#?}");
    }
}

/// What is known to be of an attempt is not taken again, as a piece of another's request or as several that were made one.
#[test]
fn what_attempts_made_is_of_no_other_request() {
    let cluster = Cluster::busy(&Options {
        seed: 9_464_472_861_272_991_177,
        initiators: 2,
        nodes: 4,
        millis: 1_000,
        ios: 196,
        blocks: 58,
        reads_per_mille: 200,
        retries_per_mille: 50,
        without: vec![Tap::Target],
        split_bytes: Some(16_384),
        merges_per_mille: 300,
        ..Options::default()
    });
    let streams = cluster.streams_with_new_start(0, START);
    let played = play(&small(), &cluster.topology, &streams, &Plan::PLAIN);
    assert_eq!(
        played.uses.len(),
        streams.iter().map(|stream| stream.events.len()).sum::<usize>()
    );
}
