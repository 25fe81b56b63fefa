//! A copy of a part of an I/O, looking for its events.

use fathom_model::{DiskIndex, NodeIndex, Tap};
use smallvec::SmallVec;

use super::BulkIo;
use super::context::{Context, slack};
use crate::assign::Interval;
use crate::engine::Engine;
use crate::layout::{Place, Spot};
use crate::overlaps::Overlaps;
use crate::pool::{LegEvent, Pool};

/// Who has a claim that a round does not decide in its slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An I/O of a lane: nobody decides it yet.
    Rival,
    /// An I/O in the pool.
    Pooled,
}

/// A claim, and where its events must lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) offset: u64,
    pub(super) start: i64,
    pub(super) end: i64,
    /// Where its events on the far clock must lie, generously.
    pub(super) far: (i64, i64),
    /// How much generously is on the own clock.
    slack: i64,
    pub(super) node: u32,
    pub(super) disk: u32,
    pub(super) length: u64,
    pub(super) side: u16,
    pub(super) kind: Kind,
    /// The pool has something for it too, or its far side's clock is not known.
    pub(super) odd: bool,
}

impl Claim {
    /// Where its legs must lie, generously.
    pub(super) const fn own(&self) -> (i64, i64) {
        (
            self.start.saturating_sub(self.slack),
            self.end.saturating_add(self.slack),
        )
    }
}

/// A multiplicative hash; the high bits are good.
#[inline]
pub(super) const fn hash(node: u32, offset: u64) -> u64 {
    (offset ^ ((node as u64) << 50)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The claim of an I/O of a lane on a place.
pub(super) fn claim_of(engine: &Engine, context: &Context, side: usize, io: &BulkIo, spot: &Spot, kind: Kind) -> Claim {
    claim_at(engine, context, side, (io.start, io.end), &Place::from(*spot), kind)
}

/// The claim on a place of an I/O that lasted from one time to another.
pub(super) fn claim_at(
    engine: &Engine,
    context: &Context,
    side: usize,
    (start, end): (i64, i64),
    place: &Place,
    kind: Kind,
) -> Claim {
    let far = context.far(place.node.0);
    // What lasts longer than a round looks back is rare enough to ask for alone; so is what a clock that was set is asked about,
    // and then wherever either clock has it.
    let offset = |far: usize, x: i64| {
        let alone = || engine.widest_offset(context.sides[side].stream, context.sides[far].stream, x);
        context.offset(side, far, x).or_else(alone)
    };
    let start = start.max(end.saturating_sub(context.longest_io_nanos));
    let bounds = far.and_then(|far| {
        let (low, _) = offset(far, start)?;
        let (_, high) = offset(far, end)?;
        let slack = slack(context, side, far);
        let (from, until) = (start.saturating_add(low), end.saturating_add(high));
        // Of a clock that was set it may not be known which holds: see `Engine::anywhere`.
        let known = context.offset(side, far, start).is_some() && context.offset(side, far, end).is_some();
        let slack = if known {
            slack
        } else {
            slack.saturating_add(until.saturating_sub(from))
        };
        Some((from.saturating_sub(slack), until.saturating_add(slack)))
    });
    Claim {
        offset: place.offset,
        start,
        end,
        // Where the clock is not known, or of which life of the node it is, anything may be its own.
        far: bounds.unwrap_or((i64::MIN, i64::MAX)),
        slack: context.sides[side].own_slack(),
        node: place.node.0,
        disk: place.disk.0,
        length: place.length,
        side: side as u16,
        kind,
        odd: bounds.is_none(),
    }
}

/// Whether an event of the pool touches a claim.
pub(super) fn meets_pooled(context: &Context, pool: &Pool, claim: &Claim) -> bool {
    let own = &context.sides[usize::from(claim.side)];
    let overlaps = |(from, until): (i64, i64), event: &LegEvent| {
        event.event.start_unix_nanos <= until && event.event.end_unix_nanos() >= from
    };
    let (disk, node) = (DiskIndex(claim.disk), NodeIndex(claim.node));
    let far = pool.far_around(disk, claim.offset, claim.far);
    let legs = pool.legs_around(own.node, node, claim.offset, claim.own());
    let mut far = far.map(|at| &pool.events[at]);
    let mut legs = legs.map(|at| &pool.events[at]);
    // What another node says of this one's disks is on a clock of its own.
    let elsewhere = || {
        let mut all = pool.far_around(disk, claim.offset, (i64::MIN, i64::MAX));
        pool.is_seen_elsewhere(disk, node) && all.any(|at| pool.events[at].node != node)
    };
    far.any(|event| overlaps(claim.far, event)) || legs.any(|event| overlaps(claim.own(), event)) || elsewhere()
}

/// An event of the lane or the pool, as far as it may touch claims.
#[derive(Clone, Copy, Debug)]
pub(super) struct Toucher {
    pub(super) offset: u64,
    pub(super) start: i64,
    pub(super) end: i64,
    /// The node of its disk; of a leg the node that it leads to.
    pub(super) node: u32,
    pub(super) side: u16,
    pub(super) tap: Tap,
}

impl Toucher {
    /// Whether it lies, even partly, where a claim's events must.
    pub(super) fn touches(&self, claim: &Claim) -> bool {
        let (from, until) = if self.tap == Tap::Initiator {
            if claim.side != self.side {
                return false;
            }
            claim.own()
        } else {
            claim.far
        };
        self.start <= until && self.end >= from
    }
}

/// Claims with one key, to be asked whether an event touches any of them.
#[derive(Debug)]
pub(super) struct Touching {
    far: Overlaps,
    /// Of each initiator's side that has claims.
    own: SmallVec<[(u16, Overlaps); 1]>,
}

impl Touching {
    pub(super) fn new(claims: &[&Claim]) -> Self {
        let far: Vec<Interval> = claims.iter().map(|claim| claim.far).collect();
        let own = of_sides(claims.iter().map(|claim| (claim.side, claim.own())));
        Self {
            far: Overlaps::new(&far),
            own: own
                .into_iter()
                .map(|(side, spans)| (side, Overlaps::new(&spans)))
                .collect(),
        }
    }

    /// Whether an event touches one of the claims: see [`Toucher::touches`].
    pub(super) fn any(&self, event: &Toucher) -> bool {
        let touches = |spans: &Overlaps| spans.touching((event.start, event.end)).next().is_some();
        if event.tap == Tap::Initiator {
            self.own
                .iter()
                .any(|(side, spans)| *side == event.side && touches(spans))
        } else {
            touches(&self.far)
        }
    }
}

/// Stretches by the side that they are of.
pub(super) fn of_sides(spans: impl Iterator<Item = (u16, Interval)>) -> SmallVec<[(u16, Vec<Interval>); 1]> {
    let mut found: SmallVec<[(u16, Vec<Interval>); 1]> = SmallVec::new();
    for (side, span) in spans {
        match found.iter_mut().find(|(other, _)| *other == side) {
            Some((_, spans)) => spans.push(span),
            None => found.push((side, vec![span])),
        }
    }
    found
}
