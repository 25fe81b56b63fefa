//! Everything that a round looks at, by key.

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
pub(super) struct Collected {
    pub(super) context: Context,
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

impl Collected {
    pub(super) fn new(engine: &Engine, context: Context, deciding: Vec<(StreamIndex, Gathered)>, window: i64) -> Self {
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
        let ends = engine.span_of(window);
        // Until when, on each side's clock, something of the round can lie.
        let sides = context.sides.len();
        let far_until: Vec<i64> = (0..sides)
            .map(|far| {
                let until = deciding.iter().filter_map(|one| {
                    let (_, high) = context.offset(one.side, far, ends.end)?;
                    Some(
                        ends.end
                            .saturating_add(high)
                            .saturating_add(slack(&context, one.side, far)),
                    )
                });
                until.max().unwrap_or(i64::MIN)
            })
            .collect();
        let until: Vec<i64> = (0..sides)
            .map(|own| {
                let back = (0..sides).filter_map(|far| {
                    let (low, _) = context.offset(own, far, ends.end)?;
                    Some(
                        far_until[far]
                            .saturating_sub(low)
                            .saturating_add(slack(&context, own, far)),
                    )
                });
                back.max().unwrap_or(i64::MIN).max(far_until[own])
            })
            .collect();
        let cut = engine.cut(window);
        let rivals = (0..sides)
            .map(|side| engine.collect_ios(context.sides[side].stream, &(ends.end..cut), until[side]))
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

    /// All claims and events by key, tied.
    pub(super) fn parts(&self, engine: &Engine, threads: usize) -> Vec<Part> {
        let count = (self.ios / IOS_A_PART + 1).next_power_of_two().min(MOST_PARTS);
        let filled = parallel::map(threads, threads, |thread| {
            let mut parts: Vec<Part> = Vec::new();
            parts.resize_with(count, Part::default);
            self.fill(engine, thread, threads, &mut parts);
            parts
        });
        // Of each part what each thread has, so that nobody waits for another.
        let mut of_part: Vec<Vec<Part>> = Vec::new();
        of_part.resize_with(count, Vec::new);
        for parts in filled {
            for (at, part) in parts.into_iter().enumerate() {
                of_part[at].push(part);
            }
        }
        let of_part: Vec<std::sync::Mutex<Vec<Part>>> = of_part.into_iter().map(std::sync::Mutex::new).collect();
        parallel::map(threads, count, |at| {
            let pieces = std::mem::take(&mut *of_part[at].lock().expect("no worker panics"));
            let mut part = Part::joined(pieces);
            part.tie();
            part
        })
    }

    /// Adds one thread's share of all claims and events to its parts.
    fn fill(&self, engine: &Engine, thread: usize, threads: usize, parts: &mut [Part]) {
        let bits = parts.len().trailing_zeros();
        let part_of = |node: u32, offset: u64| {
            if bits == 0 {
                0
            } else {
                (hash(node, offset) >> (64 - bits)) as usize
            }
        };
        for one in &self.deciding {
            let share = &parallel::stretches(one.gathered.ios.len(), threads);
            let Some(share) = share.get(thread) else { continue };
            for (at, io) in one.gathered.ios[share.clone()].iter().enumerate() {
                for place in io.places() {
                    let mut claim = self.claim(engine, one.side, io, &one.gathered.places[place], Kind::Deciding);
                    claim.io = (one.first_io + share.start + at) as u32;
                    claim.slot = (one.first_place + place) as u32;
                    claim.odd = claim.odd || self.meets_pooled(&engine.pool, &claim);
                    parts[part_of(claim.node, claim.offset)].claims.push(claim);
                }
            }
        }
        if thread == 0 {
            self.fill_others(engine, parts, part_of);
        }
        for (side, until) in self.until.iter().enumerate() {
            let stream = self.context.sides[side].stream;
            let lane = &engine.streams[&stream].lane;
            for (number, batch) in lane.batches() {
                if batch.min_start > *until || number as usize % threads != thread {
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
                    let event = engine.event(stream, side as u16, at, batch, row);
                    parts[part_of(event.node, event.offset)].events.push(event);
                }
            }
        }
    }

    /// Adds the claims of I/Os that are not decided in bulk in this round.
    fn fill_others(&self, engine: &Engine, parts: &mut [Part], part_of: impl Fn(u32, u64) -> usize) {
        for (side, rivals) in self.rivals.iter().enumerate() {
            for io in &rivals.ios {
                for place in &rivals.places[io.places()] {
                    let mut claim = self.claim(engine, side, io, place, Kind::Rival);
                    claim.odd = self.meets_pooled(&engine.pool, &claim);
                    parts[part_of(claim.node, claim.offset)].claims.push(claim);
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
                let claim = Self::claim_at(engine, &self.context, side, (start, end), place, Kind::Pooled);
                parts[part_of(claim.node, claim.offset)].claims.push(claim);
            }
        }
    }

    fn claim(&self, engine: &Engine, side: usize, io: &BulkIo, place: &Place, kind: Kind) -> Claim {
        let mut claim = Self::claim_at(engine, &self.context, side, (io.start, io.end), place, kind);
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
    pub(super) fn pick(&self, parts: &[Part], threads: usize) -> (Vec<Picked>, Vec<bool>) {
        let found = parallel::map(threads, parts.len(), |at| {
            let part = &parts[at];
            let deciding = |at: &usize| part.claims[*at].kind == Kind::Deciding;
            let find = |at: usize| Some((part.claims[at].slot, part.found(at, &self.context)?));
            (0..part.claims.len())
                .filter(deciding)
                .filter_map(find)
                .collect::<Vec<_>>()
        });
        let mut picked = vec![Picked::NONE; self.places];
        for (slot, one) in found.into_iter().flatten() {
            picked[slot as usize] = one;
        }
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

    /// What was picked and decided, a stream.
    pub(super) fn split(self, picked: Vec<Picked>, decided: Vec<bool>) -> (Context, Vec<(StreamIndex, Decided)>) {
        let streams = self.deciding.into_iter().map(|one| {
            let ios = one.first_io..one.first_io + one.gathered.ios.len();
            let places = one.first_place..one.first_place + one.gathered.places.len();
            let decided = Decided {
                side: one.side,
                picked: picked[places].to_vec(),
                decided: decided[ios].to_vec(),
                gathered: one.gathered,
            };
            (one.stream, decided)
        });
        (self.context, streams.collect())
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
