//! From what a round decided to rows.

use std::collections::BTreeSet;

use fathom_model::fan_out::MoreOrdinals;
use fathom_model::{
    ClockStatement, DiskIndex, Io, IoClass, JoinedRows, Leg, LegMethod, Observation, Slowest, StreamIndex, Tap,
};

use super::context::{Context, Side};
use super::slice::Decided;
use super::{BulkIo, Gathered, Pick, Round, Workers};
use crate::delays::Samples;
use crate::layout::Place;
use crate::pauses::{Stretches, Tally};
use crate::slowest::{self, Known, Replies, Reply};

/// What the rows of one initiator are made from.
struct Source<'a> {
    context: &'a Context,
    side: usize,
    own: &'a Side,
    gathered: &'a Gathered,
}

/// An I/O that was decided.
struct Fanned<'a> {
    io: &'a BulkIo,
    places: &'a [Place],
    picks: &'a [Pick],
    /// What was seen of the places, one after the other.
    seen: &'a [Observation],
}

impl Round {
    fn source(&self, stream: StreamIndex) -> Option<Source<'_>> {
        let side = self.context.side_of(stream)?;
        let sides = &self.context.sides;
        Some(Source {
            context: &self.context,
            side,
            own: &sides[side],
            gathered: &self.gathered[side],
        })
    }

    /// What the I/Os of a stream say about replies.
    pub(in crate::engine) fn replies(&self, workers: &Workers, stream: StreamIndex) -> Replies {
        let mut all = Replies::default();
        let Some(source) = self.source(stream) else {
            return all;
        };
        let learnt = workers.map(self.slices.len(), |at| {
            let mut replies = Replies::default();
            let decided = &self.slices[at].of_side[source.side];
            for one in decided.fanned(source.gathered) {
                replies.learn((one.io.start, one.io.end), source.replies(&one));
            }
            replies
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
                let is_overdue = |until| source.replies(&one).any(|reply| known.is_overdue(&reply, until));
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
        // Few are wanted: what each says is noted in their order.
        let found = workers.map(self.slices.len(), |at| {
            let decided = &self.slices[at].of_side[source.side];
            let fanned = decided.fanned(source.gathered).filter(|one| wanted(one.io.ordinal));
            let legs = fanned.map(|one| (one.io, source.legs(&one).collect::<Vec<Leg>>()));
            legs.collect::<Vec<_>>()
        });
        for (io, legs) in found.iter().flatten() {
            samples.observe(io.op, (io.start, io.end), legs, false);
        }
    }

    /// The rows of a stream's I/Os.
    pub(in crate::engine) fn rows(&self, workers: &Workers, stream: StreamIndex, known: &Known) -> Vec<JoinedRows> {
        let Some(source) = self.source(stream) else {
            return Vec::new();
        };
        let rows = workers.map(self.slices.len(), |at| {
            let decided = &self.slices[at].of_side[source.side];
            let mut rows = JoinedRows::default();
            rows.ios.reserve_exact(decided.decided.len());
            rows.legs.reserve_exact(decided.picks.len());
            let mut ends = Vec::new();
            for one in decided.fanned(source.gathered) {
                let (io, from) = (one.io, rows.legs.len());
                rows.legs.extend(source.legs(&one));
                ends.clear();
                ends.extend(rows.legs[from..].iter().map(|leg| Reply::of(leg).end(io.start)));
                let slowest = slowest::name(known, io.end, &mut rows.legs[from..], &ends);
                let legs = from..rows.legs.len();
                rows.ios.push(source.io(io, legs, slowest));
            }
            rows
        });
        rows.into_iter().filter(|rows| !rows.is_empty()).collect()
    }
}

impl Source<'_> {
    fn io(&self, io: &BulkIo, legs: std::ops::Range<usize>, slowest: Option<Slowest>) -> Io {
        Io {
            event: Observation {
                stream: self.own.stream,
                ordinal: io.ordinal,
                start_unix_nanos: io.start,
                duration_nanos: io.end.abs_diff(io.start),
                status: io.status,
            },
            node: self.own.node,
            volume: io.volume,
            op: io.op,
            offset: io.offset,
            length: io.length,
            class: IoClass::Exact,
            legs_expected: io.places,
            slowest: slowest.map(|slowest| Slowest {
                leg: slowest.leg + legs.start,
                ..slowest
            }),
            legs,
        }
    }

    fn clock(&self, io: &BulkIo, pick: &Pick) -> Option<ClockStatement> {
        let bounds = self.context.offset(self.side, usize::from(pick.far), io.start);
        bounds.map(|(low, high)| ClockStatement::between(low, high))
    }

    fn is_local(&self, pick: &Pick) -> bool {
        self.context.sides[usize::from(pick.far)].node == self.own.node
    }

    /// What [`Reply::of`] will say of the legs.
    fn replies<'a>(&'a self, one: &'a Fanned<'_>) -> impl Iterator<Item = Reply> + 'a {
        one.places().map(|(place, pick, [leg, target, device])| Reply {
            node: place.node,
            local: self.is_local(pick),
            ambiguous: false,
            leg_end: leg.map(|seen| seen.end_unix_nanos()),
            between: None,
            service_end: target.or(device).map(|seen| seen.end_unix_nanos()),
            clock: self.clock(one.io, pick),
        })
    }

    fn legs<'a>(&'a self, one: &'a Fanned<'_>) -> impl Iterator<Item = Leg> + 'a {
        one.places().map(|(place, pick, [initiator, target, device])| Leg {
            part: place.part,
            copy: place.copy,
            node: place.node,
            disk: place.disk,
            disk_offset: place.offset,
            length: place.length,
            local: self.is_local(pick),
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
            candidate: false,
            clock: self.clock(one.io, pick),
        })
    }
}

impl<'a> Fanned<'a> {
    /// Its places with what was seen of them.
    fn places(&self) -> impl Iterator<Item = (&'a Place, &'a Pick, [Option<Observation>; 3])> + use<'a> {
        let mut seen = self.seen.iter().copied();
        let places = self.places.iter().zip(self.picks);
        places.map(move |(place, pick)| (place, pick, pick.seen.map(|is| if is { seen.next() } else { None })))
    }
}

impl Decided {
    /// Its I/Os, decided or not.
    pub(super) fn ios<'a>(&self, gathered: &'a Gathered) -> &'a [BulkIo] {
        &gathered.ios[self.first..self.first + self.decided.len()]
    }

    /// The I/Os that were decided.
    fn fanned<'a>(&'a self, gathered: &'a Gathered) -> impl Iterator<Item = Fanned<'a>> {
        let (mut picks, mut seen) = (self.picks.as_slice(), self.seen.as_slice());
        let ios = self.ios(gathered).iter().zip(&self.decided);
        ios.filter(|(_, decided)| **decided).map(move |(io, _)| {
            let (own_picks, other_picks) = picks.split_at(io.places as usize);
            let events = own_picks.iter().flat_map(|pick| pick.seen).filter(|seen| *seen).count();
            let (own_seen, other_seen) = seen.split_at(events);
            (picks, seen) = (other_picks, other_seen);
            Fanned {
                io,
                places: &gathered.places[io.places()],
                picks: own_picks,
                seen: own_seen,
            }
        })
    }
}
