//! Everything that a round looks at, by key.

use std::sync::{Mutex, PoisonError};

use fathom_model::{DiskIndex, NodeIndex, Op, StreamIndex, Tap, VolumeIndex};

use super::super::Engine;
use super::context::Context;
use super::decide::{Part, hash};
use super::{BulkIo, Claim, Decided, Gathered, Kind, NOTHING, Picked, parallel};
use crate::layout::Place;
use crate::pool::Pool;

/// Below this many I/Os a round is not worth a second thread. (Tests want both ways.)
const WORTH_A_THREAD: usize = if cfg!(test) { 4 } else { 4_000 };

/// A part of the keys has about this many I/Os' claims, so that it stays close to the processor.
const IOS_A_PART: usize = if cfg!(test) { 4 } else { 2_048 };

/// At most so many parts: each thread fills all of them at once.
const MOST_PARTS: usize = 256;

/// The I/Os of a round, and how far it looks.
#[derive(Debug)]
pub(super) struct Collected<'a> {
    pub(super) context: &'a Context,
    /// With the side and the first number of its I/Os and of their places.
    deciding: Vec<Deciding>,
    ios: usize,
    places: usize,
    /// I/Os of lanes that complete later, a side.
    rivals: Vec<Gathered>,
    /// Of each side: events that start later have nothing to do with the round.
    pub(super) until: Vec<i64>,
}

#[derive(Debug)]
struct Deciding {
    stream: StreamIndex,
    side: usize,
    first_io: usize,
    first_place: usize,
    gathered: Gathered,
}

impl<'a> Collected<'a> {
    /// For I/Os that complete before `ends_before`.
    pub(super) fn new(
        engine: &Engine,
        context: &'a Context,
        deciding: Vec<(StreamIndex, Gathered)>,
        ends_before: i64,
        window: i64,
    ) -> Self {
        let (mut ios, mut places) = (0, 0);
        let deciding: Vec<Deciding> = deciding
            .into_iter()
            .map(|(stream, gathered)| {
                let side = context.sides.iter().position(|side| side.stream == stream);
                let one = Deciding {
                    stream,
                    side: side.expect("every stream is a side"),
                    first_io: ios,
                    first_place: places,
                    gathered,
                };
                ios += one.gathered.ios.len();
                places += one.gathered.places.len();
                one
            })
            .collect();
        // Until when, on each side's clock, something of the round can lie.
        let sides = context.sides.len();
        let far_until: Vec<i64> = (0..sides)
            .map(|far| {
                let until = deciding.iter().filter_map(|one| {
                    let (_, high) = context.offset(one.side, far, ends_before)?;
                    Some(
                        ends_before
                            .saturating_add(high)
                            .saturating_add(slack(context, one.side, far)),
                    )
                });
                until.max().unwrap_or(i64::MIN)
            })
            .collect();
        let until: Vec<i64> = (0..sides)
            .map(|own| {
                let back = (0..sides).filter_map(|far| {
                    let (low, _) = context.offset(own, far, ends_before)?;
                    Some(
                        far_until[far]
                            .saturating_sub(low)
                            .saturating_add(slack(context, own, far)),
                    )
                });
                back.max().unwrap_or(i64::MIN).max(far_until[own])
            })
            .collect();
        let cut = engine.cut(window);
        let rivals = (0..sides)
            .map(|side| engine.collect_all(context.sides[side].stream, &(ends_before..cut), until[side]))
            .collect();
        Self {
            context,
            deciding,
            ios,
            places,
            rivals,
            until,
        }
    }

    /// How many threads are worth it.
    pub(super) const fn threads(&self, most: usize) -> usize {
        if self.ios < WORTH_A_THREAD { 1 } else { most }
    }

    /// All claims and events by key, tied, in parts that were used before.
    pub(super) fn parts(&self, engine: &Engine, threads: usize, mut used: Vec<Part>) -> Vec<Part> {
        let count = (self.ios / IOS_A_PART + 1)
            .next_power_of_two()
            .clamp(threads, MOST_PARTS);
        used.resize_with(count, Part::default);
        // Each thread has parts of its own and looks at everything for what belongs there, so that nobody waits for another.
        let share = count.div_ceil(threads);
        let shares = used.chunks_mut(share).map(Mutex::new).collect::<Vec<_>>();
        parallel::map(threads, shares.len(), |at| {
            let mut parts = shares[at].lock().unwrap_or_else(PoisonError::into_inner);
            self.fill(engine, Share::new(&mut parts, at * share, count));
            parts.iter_mut().for_each(Part::tie);
        });
        drop(shares);
        used
    }

    /// Adds all claims and events that belong to a share of the parts.
    fn fill(&self, engine: &Engine, mut share: Share<'_>) {
        share.parts.iter_mut().for_each(|part| part.clear());
        for one in &self.deciding {
            for (at, io) in one.gathered.ios.iter().enumerate() {
                for place in io.places() {
                    let at_place = &one.gathered.places[place];
                    let Some(part) = share.part(at_place.node.0, at_place.offset) else {
                        continue;
                    };
                    let mut claim = self.claim(engine, one.side, io, at_place, Kind::Deciding);
                    claim.io = (one.first_io + at) as u32;
                    claim.slot = (one.first_place + place) as u32;
                    claim.odd = claim.odd || self.meets_pooled(&engine.pool, &claim);
                    part.claims.push(claim);
                }
            }
        }
        self.fill_others(engine, &mut share);
        for (side, until) in self.until.iter().enumerate() {
            let stream = self.context.sides[side].stream;
            for (number, batch) in engine.streams[&stream].lane.batches() {
                if batch.min_start > *until {
                    continue;
                }
                let columns = &batch.columns;
                for row in batch.rows() {
                    if columns.taps()[row] == Tap::Volume || columns.starts_unix_nanos()[row] > *until {
                        continue;
                    }
                    let at = super::At {
                        batch: number,
                        row: row as u32,
                    };
                    let node = engine.node_of(stream, batch, row);
                    if let Some(part) = share.part(node, engine.mapped_offset(stream, batch, row)) {
                        part.events.push(engine.event(stream, side as u16, at, batch, row));
                    }
                }
            }
        }
    }

    /// Adds the claims of I/Os that are not decided in bulk in this round.
    fn fill_others(&self, engine: &Engine, share: &mut Share<'_>) {
        for (side, rivals) in self.rivals.iter().enumerate() {
            for io in &rivals.ios {
                for place in &rivals.places[io.places()] {
                    let Some(part) = share.part(place.node.0, place.offset) else {
                        continue;
                    };
                    let mut claim = self.claim(engine, side, io, place, Kind::Rival);
                    claim.odd = self.meets_pooled(&engine.pool, &claim);
                    part.claims.push(claim);
                }
            }
        }
        for (_, io) in &engine.pool.ios {
            if !matches!(io.op, Op::Write | Op::Unmap) {
                continue;
            }
            let Some(side) = self.context.side_of(io.event.stream) else {
                continue;
            };
            let (start, end) = (io.event.start_unix_nanos, io.event.end_unix_nanos());
            for place in &io.places.places {
                if let Some(part) = share.part(place.node.0, place.offset) {
                    let span = (start, end);
                    part.claims
                        .push(Self::claim_at(engine, self.context, side, span, place, Kind::Pooled));
                }
            }
        }
    }

    fn claim(&self, engine: &Engine, side: usize, io: &BulkIo, place: &Place, kind: Kind) -> Claim {
        let mut claim = Self::claim_at(engine, self.context, side, (io.start, io.end), place, kind);
        claim.volume = io.volume;
        claim.op = io.op;
        claim
    }

    /// The claim of an I/O on a place, without what only matters for deciding it.
    pub(super) fn claim_at(
        engine: &Engine,
        context: &Context,
        side: usize,
        (start, end): (i64, i64),
        place: &Place,
        kind: Kind,
    ) -> Claim {
        let far = context.far(place.node.0);
        // What lasts longer than a round looks back is rare enough to ask for alone.
        let offset = |far: usize, x: i64| {
            let alone = || engine.offset(context.sides[side].stream, context.sides[far].stream, x);
            context.offset(side, far, x).or_else(alone)
        };
        let start = start.max(end.saturating_sub(context.longest_io_nanos));
        let bounds = far.and_then(|far| {
            let (low, _) = offset(far, start)?;
            let (_, high) = offset(far, end)?;
            let slack = slack(context, side, far);
            Some((
                start.saturating_add(low).saturating_sub(slack),
                end.saturating_add(high).saturating_add(slack),
            ))
        });
        let own = &context.sides[side];
        Claim {
            offset: place.offset,
            start,
            end,
            // An interval that holds nothing.
            far: bounds.unwrap_or((i64::MAX, i64::MIN)),
            slack: 3 * (own.resolution(Tap::Volume) + own.resolution(Tap::Initiator)),
            io: NOTHING,
            slot: NOTHING,
            node: place.node.0,
            disk: place.disk.0,
            copy: place.copy,
            volume: VolumeIndex(0),
            length: place.length as u32,
            side: side as u16,
            kind,
            op: Op::Write,
            odd: bounds.is_none(),
        }
    }

    /// Whether an event of the pool touches a claim.
    fn meets_pooled(&self, pool: &Pool, claim: &Claim) -> bool {
        let own = &self.context.sides[usize::from(claim.side)];
        let overlaps = |(from, until): (i64, i64), event: &crate::pool::LegEvent| {
            event.event.start_unix_nanos <= until && event.event.end_unix_nanos() >= from
        };
        let far = pool.far_at(DiskIndex(claim.disk), claim.offset);
        let legs = pool.legs_at(own.node, NodeIndex(claim.node), claim.offset);
        let mut far = far.map(|at| &pool.events[at]);
        let mut legs = legs.map(|at| &pool.events[at]);
        // What another node says of this one's disks is on a clock of its own.
        let elsewhere = |event: &crate::pool::LegEvent| event.node.0 != claim.node;
        far.any(|event| elsewhere(event) || overlaps(claim.far, event))
            || legs.any(|event| overlaps(claim.own(), event))
    }

    /// What was found for every place, and which I/Os have found all.
    pub(super) fn pick(&self, parts: &[Part], threads: usize, mut picked: Vec<Picked>) -> (Vec<Picked>, Vec<bool>) {
        let found = parallel::map(threads, parts.len(), |at| parts[at].all_found(self.context));
        picked.clear();
        picked.resize(self.places, Picked::NONE);
        // Each thread fills a stretch of its own, from all parts.
        let share = self.places.div_ceil(threads).max(1);
        let shares = picked.chunks_mut(share).map(Mutex::new).collect::<Vec<_>>();
        parallel::map(threads, shares.len(), |at| {
            let mut slots = shares[at].lock().unwrap_or_else(PoisonError::into_inner);
            let first = (at * share) as u32;
            for (part, found) in parts.iter().zip(&found) {
                for one in found {
                    if let Some(slot) = slots.get_mut(one.slot.wrapping_sub(first) as usize) {
                        *slot = part.picked(one);
                    }
                }
            }
        });
        drop(shares);
        let mut decided = Vec::with_capacity(self.ios);
        for one in &self.deciding {
            let slots = &picked[one.first_place..one.first_place + one.gathered.places.len()];
            decided.extend(one.gathered.ios.iter().map(|io| {
                let all = slots[io.places()].iter().all(|picked| picked.far != u16::MAX);
                io.whole && io.places > 0 && all
            }));
        }
        (picked, decided)
    }

    /// A disk that splits requests, if one is met.
    pub(super) fn splits(
        &self,
        engine: &Engine,
        parts: &[Part],
        decided: &[bool],
        threads: usize,
    ) -> Option<DiskIndex> {
        if decided.iter().all(|decided| *decided) && engine.pool.ios.is_empty() {
            return None;
        }
        let split = parallel::map(threads, parts.len(), |at| parts[at].splits(decided, &engine.pool));
        split.into_iter().flatten().next().map(DiskIndex)
    }

    /// What was decided, a stream.
    pub(super) fn split(self, decided: &[bool], stretch: usize) -> Vec<(StreamIndex, Decided)> {
        let streams = self.deciding.into_iter().map(|one| {
            let ios = one.first_io..one.first_io + one.gathered.ios.len();
            let decided = Decided {
                side: one.side,
                stretch,
                first_place: one.first_place,
                decided: decided[ios].to_vec(),
                gathered: one.gathered,
            };
            (one.stream, decided)
        });
        streams.collect()
    }
}

/// The parts of one thread among all.
struct Share<'a> {
    parts: &'a mut [Part],
    first: usize,
    shift: u32,
}

impl<'a> Share<'a> {
    const fn new(parts: &'a mut [Part], first: usize, count: usize) -> Self {
        Self {
            parts,
            first,
            shift: 64 - count.trailing_zeros(),
        }
    }

    /// The part of a key, if it is of this share.
    fn part(&mut self, node: u32, offset: u64) -> Option<&mut Part> {
        let at = hash(node, offset).checked_shr(self.shift).unwrap_or(0) as usize;
        self.parts.get_mut(at.wrapping_sub(self.first))
    }
}

/// How much further than its I/O an event may be recorded to lie, for the resolutions of all steps between.
fn slack(context: &Context, own: usize, far: usize) -> i64 {
    let (own, far) = (&context.sides[own], &context.sides[far]);
    let steps = own.resolution(Tap::Volume)
        + own.resolution(Tap::Initiator)
        + far.resolution(Tap::Target)
        + far.resolution(Tap::Device);
    3 * steps
}
