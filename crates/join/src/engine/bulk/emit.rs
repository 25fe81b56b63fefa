//! From what a round decided to fan-outs.

use std::collections::BTreeSet;
use std::sync::Arc;

use fathom_model::fan_out::MoreOrdinals;
use fathom_model::{ClockStatement, DiskIndex, Leg, LegMethod, NodeIndex, Observation, Slowest, StreamIndex, Tap};

use super::context::{Context, Side};
use super::slice::{Decided, Last};
use super::{BulkIo, FanOuts, Gathered, NOTHING, Pick, Round, Shelves, Workers};
use crate::delays::Samples;
use crate::layout::Spot;
use crate::pauses::{Stretches, Tally};
use crate::slowest::{self, End, Known, Replies, Reply};

/// Whose I/Os are looked at, and by what clocks.
struct Source<'a> {
    context: &'a Context,
    side: usize,
    own: &'a Side,
    gathered: &'a Gathered,
}

/// An I/O that was decided.
pub(super) struct Fanned<'a> {
    pub(super) io: &'a BulkIo,
    pub(super) places: &'a [Spot],
    pub(super) picks: &'a [Pick],
    /// What was seen of the places, one after the other.
    seen: &'a [Observation],
    /// Empty as long as nobody asked the clocks.
    clocks: &'a [ClockStatement],
}

/// A place with what was seen of it: leg, target, device.
pub(super) type Seen<'a> = (&'a Spot, &'a Pick, [Option<Observation>; 3]);

impl Round {
    fn source(&self, stream: StreamIndex) -> Option<Source<'_>> {
        let side = self.context.side_of(stream)?;
        Some(Source::new(&self.context, side, &self.gathered[side]))
    }

    /// Asks the clocks about the legs of a stream's I/Os; gives what those say about replies.
    pub(in crate::engine) fn replies(
        &mut self,
        (workers, shelves): (&Workers, &Shelves),
        stream: StreamIndex,
    ) -> Replies {
        let mut all = Replies::default();
        let Some(side) = self.context.side_of(stream) else {
            return all;
        };
        let source = Source::new(&self.context, side, &self.gathered[side]);
        let learnt = workers.map_mut(&mut self.slices, |slice| {
            let decided = &mut slice.of_side[side];
            decided.ends = shelves.ends.take();
            source.ask_clocks(decided)
        });
        learnt.iter().for_each(|replies| all.merge(replies));
        all
    }

    /// What the I/Os of a stream say about stretches in which legs may be missing: of those that were decided none is.
    pub(in crate::engine) fn tally(
        &self,
        workers: &Workers,
        stream: StreamIndex,
        known: &Known,
        stretches: &Stretches,
    ) -> Tally {
        let mut all = Tally::default();
        let Some(source) = self.source(stream) else {
            return all;
        };
        let tallies = workers.map(self.slices.len(), |at| {
            let mut tally = Tally::default();
            let decided = &self.slices[at].of_side[source.side];
            for one in decided.fanned(source.gathered) {
                let is_overdue = |until| {
                    let mut replies = one.replies(source.own.node);
                    replies.any(|reply| known.is_overdue(&reply, until))
                };
                let seen = one.picks.iter().filter(|pick| pick.seen[0]).count() as u32;
                tally.add_whole(stretches, (one.io.start, one.io.end), seen, is_overdue);
            }
            tally
        });
        tallies.iter().for_each(|tally| all.merge(tally));
        all
    }

    /// All I/Os of a stream that were decided.
    fn all_of<'a>(&'a self, source: &'a Source<'a>) -> impl Iterator<Item = Fanned<'a>> {
        let slices = self.slices.iter().map(|slice| &slice.of_side[source.side]);
        slices.flat_map(|decided| decided.fanned(source.gathered))
    }

    /// Of some disks and taps those at which something of a stream's I/Os was seen.
    pub(in crate::engine) fn seen_of(
        &self,
        stream: StreamIndex,
        mut wanted: BTreeSet<(DiskIndex, Tap)>,
    ) -> Vec<(DiskIndex, Tap)> {
        let mut found = Vec::new();
        let Some(source) = self.source(stream).filter(|_| !wanted.is_empty()) else {
            return found;
        };
        for one in self.all_of(&source) {
            for (place, pick) in one.places.iter().zip(one.picks) {
                let [_, target, device] = pick.seen;
                for (seen, tap) in [(target, Tap::Target), (device, Tap::Device)] {
                    if seen && wanted.remove(&(place.disk, tap)) {
                        found.push((place.disk, tap));
                    }
                }
            }
            if wanted.is_empty() {
                break;
            }
        }
        found
    }

    /// How many I/Os of a stream were decided.
    pub(in crate::engine) fn count(&self, stream: StreamIndex) -> usize {
        let Some(side) = self.context.side_of(stream) else {
            return 0;
        };
        let decided = self.slices.iter().flat_map(|slice| &slice.of_side[side].decided);
        decided.filter(|decided| **decided).count()
    }

    /// What the I/Os of a stream with some ordinals say about the steps of legs.
    pub(in crate::engine) fn delays(
        &self,
        workers: &Workers,
        stream: StreamIndex,
        wanted: impl Fn(u64) -> bool + Sync,
        samples: &mut Samples,
    ) {
        let Some(source) = self.source(stream) else {
            return;
        };
        let found = workers.map(self.slices.len(), |at| {
            let mut samples = Samples::default();
            let decided = &self.slices[at].of_side[source.side];
            for one in decided.fanned(source.gathered).filter(|one| wanted(one.io.ordinal)) {
                let seen = one.places();
                let legs = seen.map(|seen| leg(seen, source.own.node, source.clock(one.io, seen.1)));
                let legs: Vec<Leg> = legs.collect();
                samples.observe(one.io.op, (one.io.start, one.io.end), &legs, false);
            }
            samples
        });
        found.into_iter().for_each(|found| samples.merge(found));
    }

    /// The fan-outs of a stream's I/Os, once replies were learnt. What was decided of them goes with them.
    pub(in crate::engine) fn fan_outs(
        &mut self,
        (workers, shelves): (&Workers, &Shelves),
        stream: StreamIndex,
        known: &Known,
    ) -> Vec<FanOuts> {
        let Some(side) = self.context.side_of(stream) else {
            return Vec::new();
        };
        let (own, gathered) = (&self.context.sides[side], &self.gathered[side]);
        let made = workers.map_mut(&mut self.slices, |slice| {
            let mut decided = std::mem::take(&mut slice.of_side[side]);
            shelves.ends.put(decided.name_last(gathered, known));
            FanOuts::new(own, Arc::clone(gathered), decided)
        });
        made.into_iter().filter(|one| !one.is_empty()).collect()
    }
}

impl<'a> Source<'a> {
    fn new(context: &'a Context, side: usize, gathered: &'a Gathered) -> Self {
        let own = &context.sides[side];
        Self {
            context,
            side,
            own,
            gathered,
        }
    }

    fn clock(&self, io: &BulkIo, pick: &Pick) -> Option<ClockStatement> {
        let bounds = self.context.offset(self.side, usize::from(pick.far), io.start);
        bounds.map(|(low, high)| ClockStatement::between(low, high))
    }

    /// Notes what is known of the far clock of each leg, and when its reply was there; gives what those say about replies.
    fn ask_clocks(&self, decided: &mut Decided) -> Replies {
        let mut replies = Replies::default();
        let legs = decided.picks.len();
        let Decided {
            picks,
            seen,
            clocks,
            ends,
            ..
        } = decided;
        clocks.clear();
        clocks.reserve(legs);
        ends.clear();
        ends.reserve(legs);
        let tables = self.context.tables_of(self.side);
        let ios = self.gathered.ios[decided.first..].iter().zip(&decided.decided);
        let (mut picks, mut seen) = (picks.as_mut_slice(), seen.as_slice());
        for (io, _) in ios.filter(|(_, decided)| **decided) {
            let places = &self.gathered.places[io.places()];
            let Some(picks) = picks.split_off_mut(..places.len()) else {
                break;
            };
            let moment = tables.moment(io.start);
            let first = ends.len();
            // What neither shows a leg nor leaves all open says nothing about replies.
            let (mut any_leg, mut all_after) = (false, true);
            for (place, pick) in places.iter().zip(picks) {
                let offset = tables.offset(pick.far.into(), &moment);
                pick.has_clock = offset.is_some();
                let clock = offset.map(|(low, high)| ClockStatement::between(low, high));
                clocks.push(clock.unwrap_or(NO_CLOCK));
                let [leg, target, device] = pick.seen;
                let (events, rest) = seen.split_at(usize::from(leg) + usize::from(target) + usize::from(device));
                seen = rest;
                // What is seen at the target is before what is seen at the drive.
                let service = events.get(usize::from(leg));
                let reply = Reply {
                    node: place.node,
                    local: place.node == self.own.node,
                    ambiguous: false,
                    leg_end: None,
                    between: None,
                    service_end: service.map(Observation::end_unix_nanos),
                    clock,
                };
                let end = match events.first().filter(|_| leg) {
                    None => reply.end(io.start),
                    Some(event) => {
                        let leg_end = Some(event.end_unix_nanos());
                        Reply { leg_end, ..reply }.end(io.start)
                    }
                };
                any_leg |= leg;
                all_after &= matches!(end, End::After { .. });
                ends.push(end);
            }
            if any_leg || all_after {
                let nodes = places.iter().map(|place| place.node);
                replies.learn_sure(io.end, self.own.node, nodes.zip(&ends[first..]));
            }
        }
        replies
    }
}

/// Stands where no clock is known.
const NO_CLOCK: ClockStatement = ClockStatement {
    offset_nanos: 0,
    error_nanos: 0,
};

/// A leg as rows show it.
pub(super) fn leg(
    (place, pick, [initiator, target, device]): Seen<'_>,
    own: NodeIndex,
    clock: Option<ClockStatement>,
) -> Leg {
    Leg {
        part: place.part.into(),
        copy: place.copy.into(),
        node: place.node,
        disk: place.disk,
        disk_offset: place.offset,
        length: place.length.into(),
        local: place.node == own,
        initiator,
        target,
        device,
        cache: None,
        merged: None,
        more: MoreOrdinals::default(),
        missing_initiator: None,
        missing_target: None,
        missing_device: None,
        method: LegMethod::Key,
        confidence: 1.0,
        ambiguous: false,
        candidate: pick.candidate,
        clock,
    }
}

impl<'a> Fanned<'a> {
    /// Its places with what was seen of them.
    pub(super) fn places(&self) -> impl Iterator<Item = Seen<'a>> + use<'a> {
        let mut seen = self.seen.iter().copied();
        let places = self.places.iter().zip(self.picks);
        places.map(move |(place, pick)| (place, pick, pick.seen.map(|is| if is { seen.next() } else { None })))
    }

    /// What is known of the far clock of each place, once the clocks were asked.
    pub(super) fn clocks(&self) -> impl Iterator<Item = Option<ClockStatement>> + use<'a> {
        let clocks = self.clocks.iter().zip(self.picks);
        clocks.map(|(clock, pick)| pick.has_clock.then_some(*clock))
    }

    /// What [`Reply::of`] says of its legs.
    fn replies(&self, own: NodeIndex) -> impl Iterator<Item = Reply> + use<'a> {
        self.places()
            .zip(self.clocks())
            .map(move |((place, _, [leg, target, device]), clock)| Reply {
                node: place.node,
                local: place.node == own,
                ambiguous: false,
                leg_end: leg.map(|seen| seen.end_unix_nanos()),
                between: None,
                service_end: target.or(device).map(|seen| seen.end_unix_nanos()),
                clock,
            })
    }
}

impl Decided {
    /// Its I/Os, decided or not.
    pub(super) fn ios<'a>(&self, gathered: &'a Gathered) -> &'a [BulkIo] {
        &gathered.ios[self.first..self.first + self.decided.len()]
    }

    /// The I/Os that were decided.
    pub(super) fn fanned<'a>(&'a self, gathered: &'a Gathered) -> impl Iterator<Item = Fanned<'a>> {
        let (mut picks, mut seen) = (self.picks.as_slice(), self.seen.as_slice());
        let mut clocks = self.clocks.as_slice();
        let ios = self.ios(gathered).iter().zip(&self.decided);
        ios.filter(|(_, decided)| **decided).map(move |(io, _)| {
            let legs = io.places as usize;
            let own_picks = picks.split_off(..legs).unwrap_or_default();
            let events = own_picks.iter().map(Pick::events).sum();
            Fanned {
                io,
                places: &gathered.places[io.places()],
                picks: own_picks,
                seen: seen.split_off(..events).unwrap_or_default(),
                clocks: clocks.split_off(..legs).unwrap_or_default(),
            }
        })
    }

    /// Finds out which leg each I/O waited for, where that can be known, by when replies were there; gives that memory back.
    fn name_last(&mut self, gathered: &Gathered, known: &Known) -> Vec<End> {
        let mut ends = std::mem::take(&mut self.ends);
        self.last.clear();
        self.last.reserve_exact(self.decided.len());
        let ios = gathered.ios[self.first..].iter().zip(&self.decided);
        let (mut picks, mut of_picks) = (self.picks.as_mut_slice(), ends.as_slice());
        for io in ios.filter(|(_, decided)| **decided).map(|(io, _)| io) {
            let places = &gathered.places[io.places()];
            let (Some(picks), Some(ends)) = (picks.split_off_mut(..places.len()), of_picks.split_off(..places.len()))
            else {
                break;
            };
            let note = |at: usize| picks[at].candidate = true;
            let slowest = slowest::name_on(known, io.end, |at| places[at].node, ends, note);
            self.last.push(Last::of(slowest));
        }
        ends.clear();
        ends
    }
}

impl Pick {
    /// How many events were seen.
    fn events(&self) -> usize {
        self.seen.iter().map(|&seen| usize::from(seen)).sum()
    }
}

impl Last {
    fn of(slowest: Option<Slowest>) -> Self {
        let unknown = Self {
            leg: NOTHING,
            confidence: 0.0,
            lead_nanos: u64::MAX,
        };
        slowest.map_or(unknown, |slowest| Self {
            leg: slowest.leg as u32,
            confidence: slowest.confidence,
            lead_nanos: slowest.lead_nanos.unwrap_or(u64::MAX),
        })
    }

    /// As rows show it, where legs begin at a place.
    pub(super) fn slowest(&self, first_leg: usize) -> Option<Slowest> {
        (self.leg != NOTHING).then(|| Slowest {
            leg: first_leg + self.leg as usize,
            lead_nanos: (self.lead_nanos != u64::MAX).then_some(self.lead_nanos),
            confidence: self.confidence,
        })
    }
}
