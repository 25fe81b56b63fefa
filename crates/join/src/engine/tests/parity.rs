//! A volume with a parity tier behind its mirror tier: copies stay exact, and what is seen of the columns is tied by time.

use fathom_model::{Extent, ExtentMap, IoClass, LegMethod, Op, Parity, Tap, Validity};
use proptest::prelude::*;

use super::cluster::{CHUNK, Cluster, Irps, MS, Made, Options, START, Spot, volume_id};
use super::options::{any_options, cases};
use super::play::{Plan, Played, assert_same, play};
use super::traffic::{Request, Trip};
use super::truth::score;
use crate::config::Config;

const COLUMNS: u32 = 5;
const PARITY: u32 = 2;
const DATA: u64 = (COLUMNS - PARITY) as u64;
const INTERLEAVE: u64 = 65_536;
const ROWS: u64 = 2;
const ROW: u64 = DATA * CHUNK;

/// Where the slabs of a row begin on their disks: beyond everything else.
fn slab_offset(row: u64) -> u64 {
    (8 << 30) + row * CHUNK
}

/// Which columns a stretch of a row goes to, with parity that turns by one column a stripe; requests side by side on one column are one.
fn columns(row: u64, (from, until): (u64, u64), with_parity: bool) -> Vec<(u32, u64, u64)> {
    let mut found: Vec<(u32, u64, u64)> = Vec::new();
    let mut add = |column: u64, begin: u64, end: u64| {
        let (column, begin) = ((column % u64::from(COLUMNS)) as u32, slab_offset(row) + begin);
        let end = slab_offset(row) + end;
        match found
            .iter_mut()
            .find(|(other, at, bytes)| *other == column && at + *bytes == begin)
        {
            Some((_, _, bytes)) => *bytes += end - begin,
            None => found.push((column, begin, end - begin)),
        }
    };
    let stripe_bytes = INTERLEAVE * DATA;
    for stripe in from / stripe_bytes..until.div_ceil(stripe_bytes) {
        let (mut lowest, mut highest) = (INTERLEAVE, 0);
        for unit in 0..DATA {
            let begin = stripe * stripe_bytes + unit * INTERLEAVE;
            let (a, b) = (from.max(begin), until.min(begin + INTERLEAVE));
            if a < b {
                add(
                    stripe + u64::from(PARITY) + unit,
                    stripe * INTERLEAVE + a - begin,
                    stripe * INTERLEAVE + b - begin,
                );
                (lowest, highest) = (lowest.min(a - begin), highest.max(b - begin));
            }
        }
        for parity in 0..u64::from(PARITY) * u64::from(with_parity) {
            add(
                stripe + parity,
                stripe * INTERLEAVE + lowest,
                stripe * INTERLEAVE + highest,
            );
        }
    }
    found
}

struct Tiers {
    cluster: Cluster,
    /// Where the parity tier begins in the volume.
    border: u64,
}

impl Tiers {
    /// Behind a cluster on which something happened already.
    fn behind(mut cluster: Cluster, interleave_bytes: Option<u64>) -> Self {
        let border = cluster.options.chunks * CHUNK;
        let nodes = cluster.options.nodes;
        let mut extents = cluster.topology.extents.extents().to_vec();
        for row in 0..ROWS {
            extents.extend((0..COLUMNS).map(|column| Extent {
                volume: volume_id(0),
                volume_offset: border + row * ROW,
                length: CHUNK,
                copy: 0,
                disk: format!("n{}/disk0", column as usize % nodes).as_str().into(),
                // Where two columns are on one disk they lie side by side.
                disk_offset: slab_offset(row) + (column as usize / nodes) as u64 * ROWS * CHUNK,
                valid: Validity::default(),
                stripe: None,
                parity: Some(Parity {
                    column,
                    columns: COLUMNS,
                    parity_columns: PARITY,
                    interleave_bytes,
                }),
            }));
        }
        cluster.topology.extents = ExtentMap::try_new(extents).unwrap();
        Self { cluster, border }
    }

    fn spots(&self, offset: u64, length: u64, with_parity: bool) -> Vec<Spot> {
        let nodes = self.cluster.options.nodes;
        let mut spots = Vec::new();
        let mut part = 0;
        if offset < self.border {
            spots = self.cluster.spots(0, offset, length.min(self.border - offset));
            part = spots.iter().map(|spot| spot.part).max().unwrap() + 1;
        }
        let (mut at, end) = (offset.max(self.border), offset + length);
        while at < end {
            let row = (at - self.border) / ROW;
            let until = end.min(self.border + (row + 1) * ROW);
            let within = |byte: u64| byte - self.border - row * ROW;
            spots.extend(columns(row, (within(at), within(until)), with_parity).into_iter().map(
                |(column, offset, length)| Spot {
                    part,
                    copy: column,
                    node: column as usize % nodes,
                    disk: 0,
                    offset: offset + (column as usize / nodes) as u64 * ROWS * CHUNK,
                    length,
                },
            ));
            (at, part) = (until, part + 1);
        }
        spots
    }

    /// Writes and reads that begin or lie in the parity tier, some of both tiers.
    fn add(&mut self, ios: usize, reads_per_mille: u64) {
        for _ in 0..ios {
            let rng = &mut self.cluster.rng;
            let length = 4096_u64 << rng.below(9);
            let offset = match rng.below(6) {
                0 => self.border - (length / 2).min(CHUNK).div_ceil(4096) * 4096,
                1 => self.border + ROW - (length / 2).div_ceil(4096) * 4096,
                _ => self.border + rng.below((ROWS * ROW - length) / 4096) * 4096,
            };
            let op = if rng.chance(reads_per_mille) {
                Op::Read
            } else {
                Op::Write
            };
            let start = START + rng.between(0, self.cluster.options.millis * MS);
            let mut spots = self.spots(offset, length, op == Op::Write);
            if op == Op::Read {
                let copy = self.cluster.rng.below(u64::from(self.cluster.options.copies)) as u32;
                let mirrored = if offset < self.border {
                    spots
                        .iter()
                        .filter(|spot| spot.offset < 8 << 30)
                        .map(|spot| spot.part)
                        .max()
                } else {
                    None
                };
                spots.retain(|spot| mirrored.is_none_or(|last| spot.part > last) || spot.copy == copy);
            }
            let trips: Vec<Trip> = spots
                .iter()
                .map(|_| Trip {
                    service: self.cluster.rng.between(20_000, 300_000),
                    ..Trip::PLAIN
                })
                .collect();
            let request = Request {
                initiator: 0,
                op,
                offset,
                length,
                start,
            };
            self.cluster.io(request, &spots, &trips, 2_000);
        }
    }
}

fn quiet(seed: u64) -> Options {
    Options {
        seed,
        nodes: 5,
        copies: 3,
        ios: 600,
        blocks: 300,
        offset_nanos: 200 * MS,
        drift_ppb: 50_000,
        ..Options::default()
    }
}

fn played(options: &Options, interleave: Option<u64>, ios: usize, reads: u64) -> (Tiers, Vec<Made>, Played) {
    let mut tiers = Tiers::behind(Cluster::busy(options), interleave);
    tiers.add(ios, reads);
    let streams = tiers.cluster.streams();
    let played = play(&Config::default(), &tiers.cluster.topology, &streams, &Plan::PLAIN);
    (tiers, streams, played)
}

fn in_parity(leg: &fathom_model::Leg) -> bool {
    leg.disk_offset >= 8 << 30
}

#[test]
fn copies_stay_exact_and_columns_are_tied_by_time() {
    for without in [
        vec![],
        vec![Tap::Target],
        vec![Tap::Initiator],
        vec![Tap::Initiator, Tap::Target],
    ] {
        let options = Options {
            without: without.clone(),
            ..quiet(1)
        };
        let (_, streams, played) = played(&options, Some(INTERLEAVE), 150, 200);
        let score = score(&played, &streams);
        let context = format!("without {without:?}: {score:?}, {:?}", played.missing());
        assert_eq!((score.wrong, score.wrong_by_time), (0, 0), "{context}");
        assert!(score.by_time > 500, "{context}");
        let mut mirrored = Vec::new();
        assert!(score.exact * 100 >= score.ios * 97, "{context}");
        for io in &played.rows.ios {
            for leg in played.rows.legs_of(io) {
                assert_eq!(leg.method == LegMethod::Time, in_parity(leg), "{leg:?}");
                assert!(leg.found() || io.class == IoClass::Incomplete);
                assert!(
                    !in_parity(leg) || leg.confidence < 1.0,
                    "by time nothing is beyond doubt"
                );
            }
            if played.rows.legs_of(io).iter().all(|leg| !in_parity(leg)) {
                // Two writes of one place at once are ambiguous without a parity tier as well.
                assert_ne!(io.class, IoClass::Incomplete, "{io:?}");
                mirrored.push(io.class);
            }
        }
        let exact = mirrored.iter().filter(|class| **class == IoClass::Exact).count();
        assert!(exact * 100 >= mirrored.len() * 98, "{exact} of {}", mirrored.len());
    }
}

#[test]
fn legs_without_an_offset_are_tied_to_columns_whose_far_side_they_hold() {
    for irps in [Irps::None, Irps::Own, Irps::Shared] {
        let options = Options {
            unplaced: true,
            without: vec![Tap::Target],
            irps,
            ..quiet(2)
        };
        let (_, streams, played) = played(&options, Some(INTERLEAVE), 150, 0);
        let score = score(&played, &streams);
        let context = format!("{irps:?}: {score:?}, {:?}", played.missing());
        assert_eq!((score.wrong, score.wrong_by_time), (0, 0), "{context}");
        let columns = played.rows.legs.iter().filter(|leg| in_parity(leg));
        let with_leg = columns.clone().filter(|leg| leg.initiator.is_some()).count();
        assert!(with_leg * 100 >= columns.count() * 95, "{context}");
    }
}

/// Two writes to one row at once, of which nothing says where in the row they went.
#[test]
fn several_under_way_in_one_row_are_said_to_be_ambiguous() {
    let options = Options {
        without: vec![Tap::Initiator],
        ..quiet(3)
    };
    let mut tiers = Tiers::behind(Cluster::busy(&options), None);
    let start = START + 1_500 * MS;
    let mut writes = Vec::new();
    for (at, offset) in [(0, 0), (3_000, 10 * INTERLEAVE)] {
        let request = Request {
            initiator: 0,
            op: Op::Write,
            offset: tiers.border + offset,
            length: 4096,
            start: start + at,
        };
        let spots = tiers.spots(request.offset, request.length, true);
        let trips = vec![Trip::PLAIN; spots.len()];
        writes.push(tiers.cluster.io(request, &spots, &trips, 2_000));
    }
    let streams = tiers.cluster.streams();
    let played = play(&Config::default(), &tiers.cluster.topology, &streams, &Plan::PLAIN);
    let mut legs = 0;
    for write in writes {
        let (io, of_io) = played.io(&streams, write);
        assert_ne!(io.class, IoClass::Exact);
        assert_eq!(io.legs_expected, 3, "one column of data and two of parity");
        legs += of_io.len();
        for leg in of_io {
            assert!(leg.ambiguous && leg.confidence <= 0.5, "{leg:?}");
        }
    }
    assert_eq!(legs, 6, "each request is of one of both");
    assert_eq!(score(&played, &streams).wrong, 0);
}

#[test]
fn lost_columns_leave_the_write_incomplete() {
    let mut tiers = Tiers::behind(Cluster::idle(&quiet(4)), Some(INTERLEAVE));
    tiers.cluster = {
        let extents = tiers.cluster.topology.extents.clone();
        let mut busy = Cluster::busy(&quiet(4));
        busy.topology.extents = extents;
        busy
    };
    let mut write = |offset: u64, length: u64, at: i64, kept: usize| {
        let request = Request {
            initiator: 0,
            op: Op::Write,
            offset: tiers.border + offset,
            length,
            start: START + at * MS,
        };
        let mut spots = tiers.spots(request.offset, request.length, true);
        spots.truncate(kept);
        let slower = |(at, _): (i64, &Spot)| Trip {
            service: 100_000 + 20_000 * at,
            ..Trip::PLAIN
        };
        let trips: Vec<Trip> = (0..).zip(&spots).map(slower).collect();
        tiers.cluster.io(request, &spots, &trips, 2_000)
    };
    // A little of one column, of which parity is not seen, and a whole stripe that lacks one column.
    let little = write(0, 4096, 1_000, 1);
    let stripe = write(0, DATA * INTERLEAVE, 1_200, 4);
    let whole = write(ROW, DATA * INTERLEAVE, 1_400, 5);
    let streams = tiers.cluster.streams();
    let played = play(&Config::default(), &tiers.cluster.topology, &streams, &Plan::PLAIN);
    let (io, legs) = played.io(&streams, little);
    assert_eq!((io.class, io.legs_expected, legs.len()), (IoClass::Incomplete, 3, 1));
    assert!(io.slowest.is_none() && legs.iter().all(|leg| !leg.candidate));
    let (io, legs) = played.io(&streams, stripe);
    assert_eq!((io.class, io.legs_expected, legs.len()), (IoClass::Incomplete, 5, 5));
    let lacking: Vec<_> = legs.iter().filter(|leg| !leg.found()).collect();
    assert_eq!(lacking.len(), 1);
    assert_eq!(
        lacking[0].missing_device,
        Some(fathom_model::Missing::Absent),
        "{:?}",
        lacking[0]
    );
    let (io, legs) = played.io(&streams, whole);
    assert_eq!(
        (io.class, io.legs_expected, legs.len()),
        (IoClass::Exact, 5, 5),
        "{legs:#?}"
    );
    assert!(io.slowest.is_some());
}

/// Bytes of a disk that a slab shares with another extent say nothing of either's time.
#[test]
fn slabs_whose_bytes_another_extent_has_too_are_not_looked_at() {
    let mut tiers = Tiers::behind(Cluster::busy(&quiet(5)), Some(INTERLEAVE));
    let mut extents = tiers.cluster.topology.extents.extents().to_vec();
    let slab = extents.iter().find(|extent| extent.parity.is_some()).unwrap().clone();
    extents.push(Extent {
        volume: volume_id(9),
        volume_offset: 0,
        length: 4096,
        parity: None,
        ..slab.clone()
    });
    tiers.cluster.topology.extents = ExtentMap::try_new(extents).unwrap();
    tiers.add(60, 0);
    let streams = tiers.cluster.streams();
    let played = play(&Config::default(), &tiers.cluster.topology, &streams, &Plan::PLAIN);
    let of_slab = |leg: &&fathom_model::Leg| {
        let disk = &played.engine.catalog().disk(leg.disk).id;
        *disk == slab.disk && (slab.disk_offset..slab.disk_offset + CHUNK).contains(&leg.disk_offset)
    };
    assert!(played.rows.legs.iter().filter(of_slab).all(|leg| !leg.found()));
    assert!(played.rows.legs.iter().any(|leg| in_parity(leg) && leg.found()));
}

proptest! {
    #![proptest_config(cases(30))]

    #[test]
    fn rows_of_both_tiers_depend_on_events_alone((options, config) in any_options(), seed in 1_u64.., ios in 1_usize..120, known: bool) {
        let mut tiers = Tiers::behind(Cluster::busy(&options), known.then_some(INTERLEAVE));
        tiers.add(ios, 150);
        let topology = &tiers.cluster.topology;
        let streams = tiers.cluster.streams();
        let plain = play(&config, topology, &streams, &Plan::PLAIN);
        let one_by_one = Config { bulk: false, ..config.clone() };
        assert_same(&plain.named, &play(&one_by_one, topology, &streams, &Plan::PLAIN).named);
        let wild = play(&config, topology, &streams, &Plan { restarts: (seed % 4) as u32, ..Plan::wild(seed) });
        assert_same(&plain.named, &wild.named);
        prop_assert!(wild.engine.is_finished());
        prop_assert_eq!(wild.uses.len(), streams.iter().map(|stream| stream.events.len()).sum::<usize>());
    }
}
