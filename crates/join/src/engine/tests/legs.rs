//! Parts, splits, local copies and what else a leg can be.

use fathom_model::{IoClass, Missing, Op, Tap, UnmatchedCause};

use super::cluster::{CHUNK, Cluster, MS, Options, START};
use super::play::{Plan, assert_same, play};
use super::traffic::{Request, Trip};
use super::truth::score;
use crate::config::Config;

/// Enough ordinary traffic in the first second to align the clocks, at offsets that are multiples of 4 KiB; the cases under
/// test use others, later.
pub(super) fn background() -> Options {
    Options {
        millis: 1_000,
        ios: 60,
        ..Options::default()
    }
}

pub(super) fn write(offset: u64, length: u64, after_micros: i64) -> Request {
    Request {
        initiator: 0,
        op: Op::Write,
        offset,
        length,
        start: START + 1_200 * MS + after_micros * 1_000,
    }
}

/// A drive that splits requests was looked at for pieces of a request whose own event was lost, and events that other
/// requests of the same window already had were taken as such pieces: one event in two fan-outs, and a panic when the second
/// was to be taken out of memory.
#[test]
fn whole_requests_of_others_are_no_pieces() {
    let mut cluster = Cluster::busy(&background());
    let big = cluster.plain(write(512, 128 << 10, 0));
    let first = cluster.plain(write(512, 64 << 10, 3));
    let second = cluster.plain(write(512 + (64 << 10), 64 << 10, 3));
    let drives = |draft: &super::cluster::Draft| draft.device.tap == Tap::Device;
    for draft in cluster
        .drafts
        .iter_mut()
        .filter(|draft| draft.owner.io == Some(first) || draft.owner.io == Some(second))
    {
        draft.end -= 6_000;
    }
    cluster
        .drafts
        .retain(|draft| !(draft.owner.io == Some(big) && drives(draft)));
    cluster.options.without = vec![Tap::Target];
    let streams = cluster.streams();
    let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    for io in [first, second] {
        assert_eq!(played.io(&streams, io).0.class, IoClass::Exact);
    }
    let (io, legs) = played.io(&streams, big);
    assert_eq!(io.class, IoClass::Incomplete);
    assert!(legs.iter().all(|leg| leg.missing_device == Some(Missing::Absent)));
}

/// A leg that ends after its write is the write's as long as lateness lasts; later it is known to have been its, but the write is
/// decided. Without any such write it is a leg whose write was not seen.
#[test]
fn leg_that_ends_long_after_its_write_is_set_aside_as_such_whatever_restarts() {
    let mut cluster = Cluster::busy(&background());
    let soon = cluster.plain(write(512, 4096, 0));
    let overran = cluster.plain(write(8_704, 4096, 50_000));
    let unseen = cluster.plain(write(16_896, 4096, 100_000));
    cluster.plain(write(25_088, 4096, 9_000_000));
    let leg = |draft: &super::cluster::Draft, io| {
        draft.owner.io == Some(io) && draft.owner.copy == 0 && draft.device.tap == Tap::Initiator
    };
    for draft in &mut cluster.drafts {
        draft.end += if leg(draft, soon) { 1_500 * MS } else { 0 };
        draft.end += if leg(draft, overran) { 4_000 * MS } else { 0 };
    }
    cluster
        .drafts
        .retain(|draft| !(draft.owner.io == Some(unseen) && draft.device.tap == Tap::Volume));
    let streams = cluster.streams();
    let plain = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    let (row, legs) = plain.io(&streams, soon);
    assert_eq!((row.class, legs[0].missing_initiator), (IoClass::Exact, None));
    let (_, legs) = plain.io(&streams, overran);
    assert_eq!(legs[0].missing_initiator, Some(Missing::Absent));
    let causes: Vec<(usize, UnmatchedCause)> = plain
        .rows
        .unmatched
        .iter()
        .filter(|row| row.tap == Tap::Initiator)
        .map(|row| {
            (
                plain.owner(&streams, (row.event.stream, row.event.ordinal)).io.unwrap(),
                row.cause,
            )
        })
        .collect();
    let no_write = (unseen, UnmatchedCause::NoWrite);
    assert_eq!(
        causes.iter().filter(|cause| **cause == no_write).count(),
        2,
        "{causes:?}"
    );
    assert!(
        causes.contains(&(overran, UnmatchedCause::AfterWrite)) && causes.len() == 3,
        "{causes:?}"
    );
    for seed in 1..20 {
        let plan = Plan {
            restarts: 30,
            most_batch: 20,
            seed,
            ..Plan::PLAIN
        };
        let restarted = play(&Config::default(), &cluster.topology, &streams, &plan);
        assert_same(&plain.named, &restarted.named);
    }
}

/// Where a path leads to several disks of its node, and they have copies at equal offsets, its legs name no disk: requests to
/// different disks took the same leg, which panicked when the second took it out of memory.
#[test]
fn leg_of_a_path_to_several_disks_belongs_to_one_request() {
    let mut cluster = Cluster::busy(&Options {
        nodes: 2,
        disks: 2,
        ..background()
    });
    assert!(cluster.path_device(0, 0, 0).disk.is_none());
    let late = Trip {
        wait: 60_000,
        ..Trip::PLAIN
    };
    let request = write(512, 4096, 0);
    let spots = cluster.spots(0, 512, 4096);
    let one = cluster.io(request, &spots, &[late; 2], 2_000);
    let other = cluster.plain(write(2 * CHUNK + 512, 4096, 10));
    let offsets = |offset| {
        cluster
            .spots(0, offset, 4096)
            .iter()
            .map(|spot| spot.offset)
            .collect::<Vec<_>>()
    };
    assert_eq!(offsets(512), offsets(2 * CHUNK + 512));
    let streams = cluster.streams();
    let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    for io in [one, other] {
        let (row, legs) = played.io(&streams, io);
        assert_eq!(row.class, IoClass::Exact, "{legs:#?}");
        assert!(legs.iter().all(|leg| leg.initiator.is_some()));
    }
    assert_eq!(score(&played, &streams).wrong, 0);
}
