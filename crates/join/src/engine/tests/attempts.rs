//! A target that died and came back: attempts that failed are told from the legs of others by order.

use fathom_model::{Op, Tap};

use super::cluster::{Cluster, MS, Owner, START};
use super::legs::{background, write};
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
