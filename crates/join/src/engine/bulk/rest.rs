//! What slices left: who else has to leave the lanes, because it has to do with I/Os that the pool decides.

use std::collections::BTreeMap;
use std::ops::Range;

use fathom_model::{DiskIndex, NodeIndex, Op, StreamIndex, Tap};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::claim::{Claim, Kind, Toucher, Touching, claim_at, claim_of, meets_pooled};
use super::contend::Key;
use super::context::{Context, slack};
use super::{At, Entry, Gathered, Workers};
use crate::engine::Engine;
use crate::engine::align::Wanted;
use crate::engine::lane::Batch;
use crate::pool::{PendingIo, Pool};

/// How far, on each side's clock, something can lie that a round's I/Os have to do with.
pub(super) fn horizon(context: &Context, initiators: &[usize], ends_before: i64) -> Vec<i64> {
    let sides = context.sides.len();
    let far_until: Vec<i64> = (0..sides)
        .map(|far| {
            let until = initiators.iter().filter_map(|&side| {
                let (_, high) = context.offset(side, far, ends_before)?;
                let slack = slack(context, side, far);
                Some(ends_before.saturating_add(high).saturating_add(slack))
            });
            until.max().unwrap_or(i64::MIN)
        })
        .collect();
    (0..sides)
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
        .collect()
}

/// Whether an I/O that is to be decided, or could have the same events, asks something of a node whose clock is not known.
/// What such a claim is about may be anywhere.
pub(super) fn asks_unknown(engine: &Engine, context: &Context, deciding: &[Gathered], later: &Range<i64>) -> bool {
    let unknown = |own: usize, node: NodeIndex| {
        let Some(far) = context.far(node.0) else {
            return engine.lives(node).len() > 1;
        };
        let sees = context.sides[far].gives(Tap::Target) || context.sides[far].gives(Tap::Device);
        sees && context.offset(own, far, later.start).is_none()
    };
    let any = |own: usize| context.sides.iter().any(|far| unknown(own, far.node));
    let doubtful: Vec<usize> = (0..context.sides.len())
        .filter(|&own| context.sides[own].gives(Tap::Volume) && any(own))
        .collect();
    if doubtful.is_empty() {
        return false;
    }
    let asks = |own: usize, nodes: &[NodeIndex]| nodes.iter().any(|&node| unknown(own, node));
    let later = |&own: &usize| {
        let waiting = engine.collect_ios(context.sides[own].stream, later, i64::MAX);
        let asks = asks(own, &waiting.nodes);
        engine.shelve_gathered(waiting);
        asks
    };
    let pooled = |(_, io): (usize, &PendingIo)| {
        let side = context.side_of(io.event.stream);
        side.is_some_and(|own| io.places.places.iter().any(|place| unknown(own, place.node)))
    };
    let now = (0..deciding.len()).any(|side| asks(side, &deciding[side].nodes));
    now || doubtful.iter().any(later) || engine.pool.ios.iter().any(pooled)
}

/// The claims of all I/Os in the pool that the bulk has to do with.
pub(super) fn pooled_claims(engine: &Engine, context: &Context) -> Vec<Claim> {
    let ios = engine.pool.ios.iter().map(|(_, io)| io);
    let ios = ios.filter(|io| matches!(io.op, Op::Write | Op::Unmap));
    let with_side = ios.filter_map(|io| Some((io, context.side_of(io.event.stream)?)));
    with_side
        .flat_map(|(io, side)| {
            let span = (io.event.start_unix_nanos, io.event.end_unix_nanos());
            let places = io.places.places.iter();
            places.map(move |place| claim_at(engine, context, side, span, place, Kind::Pooled))
        })
        .collect()
}

/// With more claims than this a key is crowded.
const CROWD: usize = 16;

/// Claims that are not decided yet and the events that are left in the lanes.
#[derive(Debug, Default)]
pub(super) struct Rest {
    claims: Vec<Claim>,
    by_key: FxHashMap<Key, SmallVec<[u32; 3]>>,
    /// Of keys with so many claims that not all are to be looked at for every event those that differ in time alone, each with one that
    /// stands for them.
    crowded: FxHashMap<Key, Vec<(u32, Touching)>>,
    /// Of each side.
    events: Vec<Vec<Left>>,
}

/// An event that no slice used.
#[derive(Clone, Copy, Debug)]
struct Left {
    event: Toucher,
    at: At,
    disk: Option<DiskIndex>,
    length: u64,
}

/// What has to leave the lanes.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    /// With the side.
    pub(super) events: Vec<(usize, At)>,
    /// Keys for which somebody who is not decided yet contends.
    pub(super) keys: Vec<Key>,
}

impl Rest {
    /// Of what lies no later than `horizon` on each side's clock. What ended before `settled` leaves the lanes where it touches
    /// nothing; later events are looked at for what they have in common with the pool.
    pub(super) fn new(
        engine: &Engine,
        context: &Context,
        rivals: &[Gathered],
        (settled, horizon): (&[i64], &[i64]),
    ) -> Self {
        let mut rest = Self {
            claims: pooled_claims(engine, context),
            ..Self::default()
        };
        let pooled = Wanted::of(rest.claims.iter().map(|claim| claim.offset));
        rest.events = engine.workers.map(horizon.len(), |side| {
            let stream = context.sides[side].stream;
            let entries: Vec<Entry> = engine.streams[&stream].devices.iter().map(Entry::of).collect();
            let mut events = Vec::new();
            for (number, batch) in engine.streams[&stream].lane.batches() {
                let (columns, settled) = (&batch.columns, settled[side]);
                batch.for_each_between(i64::MIN, horizon[side], |row| {
                    let tap = columns.taps()[row];
                    let shift = entries[columns.devices()[row] as usize].shift;
                    let offset = columns.offsets()[row].wrapping_sub_signed(shift);
                    let matters = batch.end(row) <= settled || tap == Tap::Device || pooled.may_have(offset);
                    if matters && tap != Tap::Volume {
                        let at = At {
                            batch: number,
                            row: row as u32,
                        };
                        events.push(engine.left(stream, side, at, batch));
                    }
                });
            }
            events
        });
        // Claims that none of those events touches matter only where the pool has something for them.
        let touched = rest.events.iter().flatten().map(|left| left.event.offset);
        let in_pool = engine.pool.events.iter().map(|(_, event)| event.offset);
        let wanted = Wanted::of(touched.chain(in_pool));
        let of_sides = engine.workers.map(rivals.len(), |side| {
            let rivals = &rivals[side];
            let mut claims = Vec::new();
            for io in &rivals.ios {
                let places = rivals.places[io.places()].iter();
                for place in places.filter(|place| wanted.may_have(place.offset)) {
                    let mut claim = claim_of(engine, context, side, io, place, Kind::Rival);
                    claim.odd = meets_pooled(context, &engine.pool, &claim);
                    claims.push(claim);
                }
            }
            claims
        });
        of_sides
            .into_iter()
            .for_each(|mut claims| rest.claims.append(&mut claims));
        rest.by_key.reserve(rest.claims.len());
        for (at, claim) in rest.claims.iter().enumerate() {
            let with_key = rest.by_key.entry((claim.node, claim.offset)).or_default();
            with_key.push(at as u32);
        }
        let crowded = rest.by_key.iter().filter(|(_, claims)| claims.len() > CROWD);
        rest.crowded = crowded.map(|(&key, claims)| (key, rest.alike(claims))).collect();
        rest
    }

    /// Claims by all that they differ in but time.
    fn alike(&self, claims: &[u32]) -> Vec<(u32, Touching)> {
        let mut alike: BTreeMap<(bool, u32, u64), Vec<u32>> = BTreeMap::new();
        for &at in claims {
            let claim = &self.claims[at as usize];
            let by = (claim.kind == Kind::Pooled, claim.disk, claim.length);
            alike.entry(by).or_default().push(at);
        }
        let alike = alike.into_values().map(|claims| {
            let all: Vec<&Claim> = claims.iter().map(|&at| &self.claims[at as usize]).collect();
            (claims[0], Touching::new(&all))
        });
        alike.collect()
    }

    /// The claims that an event touches; of those that differ in time alone perhaps one that stands for them.
    fn touched<'a>(&'a self, event: &'a Toucher) -> impl Iterator<Item = &'a Claim> + 'a {
        let key = (event.node, event.offset);
        let with_key = self.by_key.get(&key).map_or(&[][..], SmallVec::as_slice);
        let crowded = (with_key.len() > CROWD).then(|| self.crowded.get(&key)).flatten();
        let few = if crowded.is_some() { &[][..] } else { with_key };
        let few = few.iter().filter(move |&&at| event.touches(&self.claims[at as usize]));
        let many = crowded.into_iter().flatten();
        let many = many.filter(move |(_, alike)| alike.any(event)).map(|(at, _)| at);
        few.chain(many).map(move |&at| &self.claims[at as usize])
    }

    /// A disk that answered a request with an event for a part of it, or for more than it, if there is one.
    pub(super) fn splits(&self, pool: &Pool) -> Option<DiskIndex> {
        let here = self.events.iter().flatten().find(|left| {
            let of_disk = |claim: &&Claim| Some(DiskIndex(claim.disk)) == left.disk;
            let part = |claim: &Claim| claim.kind == Kind::Pooled && left.length < claim.length;
            // For more than a request of a later window as well: this one's may have a part in it.
            let whole = |claim: &Claim| left.length > claim.length;
            let touched = || self.touched(&left.event).filter(of_disk);
            let exactly = || self.touched(&left.event).any(|claim| claim.length == left.length);
            left.event.tap == Tap::Device && (touched().any(part) || (touched().any(whole) && !exactly()))
        });
        // Of each place how long the drive's requests are that the pool has: one length, or, where there are more, two of them.
        let mut lengths: FxHashMap<(u32, u64), SmallVec<[u64; 2]>> = FxHashMap::default();
        let mut in_pool = |claim: &&Claim| {
            let far = pool.far_around(DiskIndex(claim.disk), claim.offset, (i64::MIN, i64::MAX));
            let mut far = far.map(|at| &pool.events[at]).peekable();
            if far.peek().is_none() {
                return false;
            }
            let lengths = lengths.entry((claim.disk, claim.offset)).or_insert_with(|| {
                let mut found = SmallVec::new();
                for event in far.filter(|event| event.tap == Tap::Device) {
                    if found.len() < 2 && !found.contains(&event.length) {
                        found.push(event.length);
                    }
                }
                found
            });
            lengths.iter().any(|&length| length != claim.length)
        };
        here.and_then(|left| left.disk)
            .or_else(|| self.claims.iter().find(&mut in_pool).map(|claim| DiskIndex(claim.disk)))
    }

    /// Events that touch nothing that is still to come, where they ended before `settled`, or something that the pool has.
    pub(super) fn leftovers(&self, workers: &Workers, settled: &[i64]) -> Leftovers {
        let mut leftovers = Leftovers::default();
        let odd = |claim: &&Claim| claim.kind == Kind::Rival && claim.odd;
        leftovers
            .keys
            .extend(self.claims.iter().filter(odd).map(|claim| (claim.node, claim.offset)));
        let of_sides = workers.map(self.events.len(), |side| {
            let mut leftovers = Leftovers::default();
            for left in &self.events[side] {
                let (mut any, mut pooled, mut rival) = (false, false, false);
                for claim in self.touched(&left.event) {
                    any = true;
                    pooled |= claim.kind == Kind::Pooled;
                    rival |= claim.kind == Kind::Rival;
                }
                if pooled || (!any && left.event.end <= settled[side]) {
                    leftovers.events.push((side, left.at));
                }
                if pooled && rival {
                    leftovers.keys.push((left.event.node, left.event.offset));
                }
            }
            leftovers
        });
        for mut of_side in of_sides {
            leftovers.events.append(&mut of_side.events);
            leftovers.keys.append(&mut of_side.keys);
        }
        leftovers
    }
}

impl Engine {
    fn left(&self, stream: StreamIndex, side: usize, at: At, batch: &Batch) -> Left {
        let row = at.row as usize;
        Left {
            event: self.toucher(stream, side, batch, row),
            at,
            disk: self.disk_of(stream, batch, row),
            length: batch.columns.lengths()[row],
        }
    }
}
