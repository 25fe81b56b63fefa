//! Deciding a slice of a round: the I/Os that completed in a short stretch of time, with all that could have to do with them.
//!
//! Slices are independent of one another: each looks at the lanes for itself and changes nothing. So they are worked on as many
//! threads as there are, and everything about one stays close to its processor.

use std::ops::Range;

use fathom_model::{ClockStatement, Observation};

use super::claim::{Claim, Kind, claim_of, meets_pooled};
use super::context::{Context, Span, slack};
use super::tightest::Tightest;
use super::{At, BulkIo, Entry, Gathered, NOTHING, Pick};
use crate::engine::Engine;
use crate::engine::align::Wanted;
use crate::slowest::End;

mod collect;
mod crowd;
mod hot;
mod meet;

use hot::Hot;
pub(super) use hot::Scratch;

/// A slice has about this many I/Os: few enough that their claims fit the processor's cache, enough that what is under way at
/// its ends, and is looked at twice, is little beside. (Tests want several.)
const IOS_A_SLICE: usize = if cfg!(test) { 16 } else { 4_096 };

/// At most so many slices a round.
const MOST_SLICES: usize = 4_096;

/// One in so many I/Os tells where slices begin.
const SAMPLE: usize = if cfg!(test) { 1 } else { 32 };

/// Of so many I/Os one may take longer than a slice looks back.
const LONG: usize = 1_000;

/// What all slices of a round look at.
#[derive(Debug)]
pub(super) struct Work<'a> {
    engine: &'a Engine,
    context: &'a Context,
    /// I/Os that complete in the round, a side, in the order of their ends.
    deciding: &'a [Gathered],
    /// I/Os of lanes that complete later.
    rivals: &'a [Gathered],
    /// Claims of I/Os in the pool.
    pooled: Vec<Claim>,
    /// Of some claim it is not known where its events lie: then all is one slice.
    anywhere: bool,
    /// I/Os that take longer than `reach`: by side and place in `deciding`. They are not decided here.
    long: Vec<(usize, usize)>,
    reach: i64,
    /// Of each side where slices begin on its clock, and where the last one ends.
    bounds: Vec<Vec<i64>>,
    /// The bounds of all pairs of clocks over the whole round.
    spans: Vec<Option<Span>>,
    /// Of each side its dictionary.
    devices: Vec<Vec<Entry>>,
    /// What the pool has events at.
    in_pool: Option<Wanted>,
}

/// What came out of a slice.
#[derive(Debug)]
pub(super) struct Slice {
    /// Of each side.
    pub(super) of_side: Vec<Decided>,
    /// Events of what was decided, a side.
    pub(super) used: Vec<Vec<At>>,
    /// What was decided says about clocks, by initiator's and far side.
    pub(super) clocks: Vec<(usize, usize, Tightest)>,
}

/// Of one side.
#[derive(Debug, Default)]
pub(super) struct Decided {
    /// The first of its I/Os in what was gathered of the side.
    pub(super) first: usize,
    /// An entry an I/O.
    pub(super) decided: Vec<bool>,
    /// An entry a place, of what was decided.
    pub(super) picks: Vec<Pick>,
    /// What was seen of those places, one after the other.
    pub(super) seen: Vec<Observation>,
    /// What is known of the far clock, an entry a pick, once that was learnt.
    pub(super) clocks: Vec<ClockStatement>,
    /// When its reply was there, as far as that is known, an entry a pick as well; until the last is named.
    pub(super) ends: Vec<End>,
    /// The leg that was the last, an entry an I/O that was decided, once that was found out.
    pub(super) last: Vec<Last>,
}

/// The leg that an I/O waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Last {
    /// Among its legs; [`NOTHING`] where that is not known.
    pub(super) leg: u32,
    pub(super) confidence: f32,
    /// How long after the one before it; `u64::MAX` where that is not known.
    pub(super) lead_nanos: u64,
}

impl Decided {
    pub(super) fn clear(&mut self) {
        self.decided.clear();
        self.picks.clear();
        self.seen.clear();
        self.clocks.clear();
        self.ends.clear();
        self.last.clear();
    }
}

/// Bounds on what a slice looks at, on one side's clock: ends no earlier, starts no later.
#[derive(Clone, Copy, Debug)]
struct Reach {
    from: i64,
    until: i64,
}

impl Reach {
    const NOTHING: Self = Self {
        from: i64::MAX,
        until: i64::MIN,
    };

    const EVERYTHING: Self = Self {
        from: i64::MIN,
        until: i64::MAX,
    };

    fn widen(&mut self, from: i64, until: i64) {
        self.from = self.from.min(from);
        self.until = self.until.max(until);
    }
}

/// Where the pool has events; `None` where it has none.
fn events_at(engine: &Engine) -> Option<Wanted> {
    let events = &engine.pool.events;
    (!events.is_empty()).then(|| Wanted::of(events.iter().map(|(_, event)| event.offset)))
}

impl<'a> Work<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        context: &'a Context,
        deciding: &'a [Gathered],
        rivals: &'a [Gathered],
        pooled: Vec<Claim>,
        anywhere: bool,
    ) -> Self {
        let sides = context.sides.len();
        let spans: Vec<Option<Span>> = (0..sides * sides)
            .map(|pair| context.span_of_all(pair / sides, pair % sides))
            .collect();
        let devices = context.sides.iter().map(|side| {
            let devices = &engine.streams[&side.stream].devices;
            devices.iter().map(Entry::of).collect()
        });
        let mut work = Self {
            devices: devices.collect(),
            in_pool: events_at(engine),
            engine,
            context,
            deciding,
            rivals,
            pooled,
            anywhere,
            long: Vec::new(),
            reach: 0,
            bounds: Vec::new(),
            spans,
        };
        work.cut();
        work
    }

    /// How many slices there are.
    pub(super) fn slices(&self) -> usize {
        self.bounds.first().map_or(0, |bounds| bounds.len() - 1)
    }

    /// Says where slices begin, and how far back they look.
    fn cut(&mut self) {
        let total: usize = self.deciding.iter().map(|side| side.ios.len()).sum();
        // What one clock shows when another one shows something, roughly: only how even slices are depends on it.
        let shifts: Vec<i64> = (0..self.deciding.len()).map(|side| self.shift(side)).collect();
        let mut sample: Vec<i64> = Vec::with_capacity(total / SAMPLE + self.deciding.len());
        let mut durations: Vec<i64> = Vec::with_capacity(sample.capacity());
        for (side, shift) in self.deciding.iter().zip(&shifts) {
            for io in side.ios.iter().step_by(SAMPLE) {
                sample.push(io.end.saturating_add(*shift));
                durations.push(io.end.saturating_sub(io.start));
            }
        }
        sample.sort_unstable();
        durations.sort_unstable();
        let beyond = durations.len() / LONG + 1;
        self.reach = durations
            .get(durations.len().saturating_sub(beyond))
            .copied()
            .unwrap_or(0)
            .max(1);
        let slices = if self.anywhere {
            1
        } else {
            total.div_ceil(IOS_A_SLICE).clamp(1, MOST_SLICES)
        };
        let inner = (1..slices).map(|slice| sample[slice * sample.len() / slices]);
        let mut inner: Vec<i64> = inner.collect();
        inner.dedup();
        self.bounds = shifts
            .iter()
            .map(|shift| {
                let mut bounds = vec![i64::MIN];
                bounds.extend(inner.iter().map(|bound| bound.saturating_sub(*shift)));
                bounds.push(i64::MAX);
                bounds
            })
            .collect();
        let long = self.engine.workers.map(self.deciding.len(), |side| {
            let ios = self.deciding[side].ios.iter().enumerate();
            let long = ios.filter(|(_, io)| self.is_long(io)).map(|(at, _)| (side, at));
            long.collect::<Vec<_>>()
        });
        self.long = long.concat();
    }

    /// Roughly what has to be added to a side's clock to have that of the first one.
    fn shift(&self, side: usize) -> i64 {
        let sides = self.context.sides.len();
        let middle = |span: Span| span.low / 2 + span.high / 2;
        let there = self.spans[side * sides].map(middle);
        let back = || self.spans[side].map(middle).map(|offset| -offset);
        there.or_else(back).unwrap_or(0)
    }

    /// The I/Os of a side that a slice decides.
    fn ios(&self, side: usize, slice: usize) -> Range<usize> {
        let bounds = &self.bounds[side];
        let ios = &self.deciding[side].ios;
        let at = |bound: i64| ios.partition_point(|io| io.end < bound);
        let last = slice + 2 == bounds.len();
        at(bounds[slice])..if last { ios.len() } else { at(bounds[slice + 1]) }
    }

    /// Decides one slice.
    pub(super) fn decide(&self, slice: usize, scratch: &mut Scratch) -> Slice {
        let sides = self.context.sides.len();
        let deciding: Vec<_> = (0..sides).map(|side| self.ios(side, slice)).collect();
        let spans = self.spans_of(&deciding);
        let (events, claims) = self.reaches(&deciding, &spans);
        scratch.claims.clear();
        for (side, ios) in deciding.iter().enumerate() {
            self.add_deciding(side, ios.clone(), &spans, &mut scratch.claims);
        }
        scratch.index();
        for (side, reach) in claims.iter().enumerate() {
            self.add_others(side, &deciding[side], *reach, scratch);
        }
        self.add_pooled(&claims, scratch);
        for (side, reach) in events.iter().enumerate() {
            self.meet(side, *reach, scratch);
        }
        self.collect(deciding, &spans, scratch)
    }

    /// The bounds of clocks over the I/Os of a slice.
    fn spans_of(&self, deciding: &[Range<usize>]) -> Vec<Option<Span>> {
        let sides = self.context.sides.len();
        let mut spans = vec![None; sides * sides];
        for (side, ios) in deciding.iter().enumerate() {
            let ios = &self.deciding[side].ios[ios.clone()];
            let (Some(first), Some(last)) = (ios.first(), ios.last()) else {
                continue;
            };
            // Legs may lie a little outside of their I/Os.
            let slack = self.context.sides[side].own_slack();
            let from = first.end.saturating_sub(self.reach).saturating_sub(slack);
            let until = last.end.saturating_add(slack);
            for far in 0..sides {
                spans[side * sides + far] = self.context.span(side, far, from, until);
            }
        }
        spans
    }

    /// How far a slice looks, on each side's clock: for events, and for the claims of others.
    fn reaches(&self, deciding: &[Range<usize>], spans: &[Option<Span>]) -> (Vec<Reach>, Vec<Reach>) {
        let context = self.context;
        let sides = context.sides.len();
        if self.anywhere {
            return (vec![Reach::EVERYTHING; sides], vec![Reach::EVERYTHING; sides]);
        }
        let mut events = vec![Reach::NOTHING; sides];
        let mut claims = vec![Reach::NOTHING; sides];
        for (side, ios) in deciding.iter().enumerate() {
            let ios = &self.deciding[side].ios[ios.clone()];
            let (Some(first), Some(last)) = (ios.first(), ios.last()) else {
                continue;
            };
            let (from, until) = (first.end.saturating_sub(self.reach), last.end);
            for far in 0..sides {
                if let Some(span) = spans[side * sides + far] {
                    let slack = slack(context, side, far);
                    events[far].widen(
                        from.saturating_add(span.low).saturating_sub(slack),
                        until.saturating_add(span.high).saturating_add(slack),
                    );
                }
            }
            let slack = context.sides[side].own_slack();
            events[side].widen(from.saturating_sub(slack), until.saturating_add(slack));
            claims[side].widen(from.saturating_sub(2 * slack), until.saturating_add(2 * slack));
        }
        for (side, claims) in claims.iter_mut().enumerate() {
            for (far, events) in events
                .iter()
                .enumerate()
                .filter(|(_, events)| events.from <= events.until)
            {
                if let Some(span) = self.spans[side * sides + far] {
                    let slack = slack(context, side, far);
                    claims.widen(
                        events.from.saturating_sub(span.high).saturating_sub(slack),
                        events.until.saturating_sub(span.low).saturating_add(slack),
                    );
                }
            }
        }
        (events, claims)
    }

    fn add_deciding(&self, side: usize, ios: Range<usize>, spans: &[Option<Span>], claims: &mut Vec<Hot>) {
        let context = self.context;
        let sides = context.sides.len();
        let own_slack = context.sides[side].own_slack();
        // Of each node how far before an I/O's start and after its end its events may be; `None` where its clock is not known.
        let far: Vec<Option<(i64, i64)>> = (0..context.nodes())
            .map(|node| {
                let far = context.far(node as u32)?;
                let span = spans[side * sides + far]?;
                let slack = slack(context, side, far);
                Some((span.low.saturating_sub(slack), span.high.saturating_add(slack)))
            })
            .collect();
        let gathered = &self.deciding[side];
        for io in self.short(&gathered.ios[ios]) {
            for place in &gathered.places[io.places()] {
                let around = far.get(place.node.as_usize()).copied().flatten();
                // Of the lane: see `decide::around`.
                let bounds = around.map(|(before, after)| (io.start + before, io.end + after));
                let mut claim = Hot {
                    offset: place.offset,
                    far: bounds.unwrap_or((i64::MIN, i64::MAX)),
                    own: (io.start - own_slack, io.end + own_slack),
                    node: place.node.0,
                    next: NOTHING,
                    seen: [NOTHING; 3],
                    side: side as u16,
                    odd: bounds.is_none(),
                };
                if self.in_pool.as_ref().is_some_and(|pool| pool.may_have(place.offset)) {
                    let sought = claim_of(self.engine, context, side, io, place, Kind::Rival);
                    claim.odd |= meets_pooled(context, &self.engine.pool, &sought);
                }
                claims.push(claim);
            }
        }
    }

    fn short<'b>(&'b self, ios: &'b [BulkIo]) -> impl Iterator<Item = &'b BulkIo> + 'b {
        ios.iter().filter(|io| !self.is_long(io))
    }

    const fn is_long(&self, io: &BulkIo) -> bool {
        io.end - io.start > self.reach
    }

    /// Adds the claims of I/Os of a side that may have something in common with the slice's own.
    fn add_others(&self, side: usize, own: &Range<usize>, reach: Reach, scratch: &mut Scratch) {
        if reach.from > reach.until {
            return;
        }
        let gathered = &self.deciding[side];
        let latest = reach.until.saturating_add(self.reach);
        let from = gathered.ios.partition_point(|io| io.end < reach.from);
        let until = gathered.ios.partition_point(|io| io.end <= latest);
        let before = &gathered.ios[from.min(own.start)..own.start];
        let after = &gathered.ios[own.end..until.max(own.end)];
        let starts_in_time = |io: &&BulkIo| io.start <= reach.until;
        for io in self.short(before).chain(self.short(after)).filter(starts_in_time) {
            self.add_other(side, gathered, io, scratch);
        }
        let long = self.long.iter().filter(|(of, _)| *of == side);
        for io in long.map(|&(_, at)| &gathered.ios[at]).filter(starts_in_time) {
            if io.end >= reach.from {
                self.add_other(side, gathered, io, scratch);
            }
        }
        let rivals = &self.rivals[side];
        for io in rivals.ios.iter().filter(starts_in_time) {
            self.add_other(side, rivals, io, scratch);
        }
    }

    fn add_other(&self, side: usize, gathered: &Gathered, io: &BulkIo, scratch: &mut Scratch) {
        for place in &gathered.places[io.places()] {
            if scratch.is_asked(place.node.0, place.offset) {
                let claim = claim_of(self.engine, self.context, side, io, place, Kind::Rival);
                scratch.add(Hot::of(&claim));
            }
        }
    }

    fn add_pooled(&self, reaches: &[Reach], scratch: &mut Scratch) {
        for claim in &self.pooled {
            let reach = reaches[usize::from(claim.side)];
            let near = claim.end >= reach.from && claim.start <= reach.until;
            if near && scratch.is_asked(claim.node, claim.offset) {
                scratch.add(Hot::of(claim));
            }
        }
    }
}
