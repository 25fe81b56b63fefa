//! What is missing because ordinals were lost says so, and what is missing at other times does not.

use fathom_model::{Missing, Tap};

use super::cluster::{Cluster, Draft};
use super::legs::{background, write};
use super::play::{Plan, play};
use crate::config::Config;

/// Four writes a millisecond apart. Of the second and third the first node's events are lost; of the last they are not there.
#[test]
fn legs_of_the_time_of_lost_ordinals_are_lost_and_others_absent() {
    let mut cluster = Cluster::busy(&background());
    let ios: Vec<usize> = (0..4).map(|at| cluster.plain(write(512, 4096, at * 1_000))).collect();
    cluster.plain(write(512, 4096, 10_000));
    let node = cluster.spots(0, 512, 4096)[0].node;
    let far = |draft: &Draft, io: usize| {
        draft.owner.io == Some(io)
            && draft.node == node
            && draft.device.tap != Tap::Volume
            && draft.device.tap != Tap::Initiator
    };
    cluster.drafts.retain(|draft| !far(draft, ios[3]));
    let streams = cluster.streams();
    let at = streams.iter().position(|made| made.node == node).unwrap();
    let of = |io: usize| {
        let owners = streams[at].owners.iter().enumerate();
        owners
            .filter(move |(_, owner)| owner.io == Some(io))
            .map(|(ordinal, _)| ordinal)
    };
    let (from, until) = (of(ios[1]).min().unwrap(), of(ios[2]).max().unwrap() + 1);
    let lost = vec![(at, from, until)];
    let missing = |lost: Vec<(usize, usize, usize)>| {
        let plan = Plan { lost, ..Plan::PLAIN };
        let played = play(&Config::default(), &cluster.topology, &streams, &plan);
        let node = played.engine.catalog().find_node(&cluster.nodes[node]).unwrap();
        ios.iter()
            .map(|&io| {
                let (_, legs) = played.io(&streams, io);
                legs.iter().find(|leg| leg.node == node).unwrap().missing_device
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(missing(Vec::new()), [None, None, None, Some(Missing::Absent)]);
    let found = missing(lost);
    assert_eq!(found[..3], [None, Some(Missing::Lost), Some(Missing::Lost)]);
    // The next event of the node is that of the write 7 ms later: until then it may be among the lost.
    assert_eq!(found[3], Some(Missing::Lost));
}
