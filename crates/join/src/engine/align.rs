//! Clocks of pairs: finding a first alignment, and what is known of each.

use fathom_model::{NodeIndex, Op, StreamIndex, Tap};
use rustc_hash::FxHashMap;

use super::{End, Engine};
use crate::clock::vote::{Candidate, vote};
use crate::clock::{PairClock, Search};
use crate::layout::Place;
use crate::pool::PendingIo;

/// A vote looks at no more I/Os than about this: beyond it, at a sample of places by hash.
const SAMPLE: usize = 1 << 16;

/// Of a key met more often than this within a vote only so many I/Os are looked at: it says little about time and costs a lot.
const MOST_PER_KEY: usize = 8;

/// What is known about a node's clock, as seen from an initiator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReport {
    /// The node.
    pub node: NodeIndex,
    /// The initiator that it is measured against.
    pub reference: NodeIndex,
    /// When, on the initiator's clock.
    pub at_unix_nanos: i64,
    /// The node's clock minus the initiator's: the middle of what is possible.
    pub offset_nanos: i64,
    /// The truth lies within this of the offset.
    pub error_nanos: u64,
    /// How much faster the node's clock runs, in parts per billion.
    pub drift_ppb: i64,
}

impl Engine {
    /// What is known about each pair's clock now, by initiator and node.
    #[must_use]
    pub fn clocks(&self) -> Vec<ClockReport> {
        let mut reports: Vec<ClockReport> = self
            .clocks
            .iter()
            .filter_map(|(&(stream, far), clock)| {
                let at_unix_nanos = self.decided_until(stream);
                let (low, high) = clock.bounds(&self.config, at_unix_nanos)?;
                Some(ClockReport {
                    node: self.streams[&far].node,
                    reference: self.streams[&stream].node,
                    at_unix_nanos,
                    offset_nanos: low + (high - low) / 2,
                    error_nanos: (high - low).unsigned_abs().div_ceil(2),
                    drift_ppb: clock.drift_ppb().unwrap_or(0),
                })
            })
            .collect();
        reports.sort_by_key(|report| (self.catalog.node(report.reference), self.catalog.node(report.node)));
        reports
    }

    /// Lowest and highest offset of a far stream's clock when the initiator's shows `x`; `None` if it is not known.
    pub(super) fn offset(&self, stream: StreamIndex, far: StreamIndex, x: i64) -> Option<(i64, i64)> {
        // One node has one clock, whatever the number of its streams.
        if self.streams[&stream].node == self.streams[&far].node {
            return Some((0, 0));
        }
        self.clocks.get(&(stream, far))?.bounds(&self.config, x)
    }

    /// Which nodes must have been heard until when so that a window can use the events of `node`. Holds votes on the clocks of
    /// its streams when they are due.
    pub(super) fn alignment_needs(
        &mut self,
        node: NodeIndex,
        window: i64,
        stream: StreamIndex,
    ) -> Vec<(NodeIndex, i64)> {
        let cut = self.cut(window);
        let mut until = cut;
        if self.streams[&stream].node == node {
            return vec![(node, until)];
        }
        for far in self.lives(node).to_vec() {
            if self.is_past(far, cut) {
                continue;
            }
            if let Some(needs) = self.search(stream, far, window) {
                return needs;
            }
            until = cut.saturating_add(self.offset(stream, far, cut).map_or(0, |(_, high)| high));
            if !self.is_over(far) || self.streams[&far].heard >= until {
                break;
            }
        }
        vec![(node, until)]
    }

    /// Looks for a first alignment of a pair, if it has none; says who must be heard further for that.
    fn search(&mut self, stream: StreamIndex, far: StreamIndex, window: i64) -> Option<Vec<(NodeIndex, i64)>> {
        // Nothing that such a stream says has to be placed in time.
        if !self.gives(far, Tap::Target) && !self.gives(far, Tap::Device) {
            return None;
        }
        let cut = self.cut(window);
        let (own, node) = (self.streams[&stream].node, self.streams[&far].node);
        // What is over by the last life's end is a finished source; a life that another follows was heard so far and no further.
        let over = self.is_over(far) && self.streams[&far].ended != Some(End::Finished);
        let heard = if over {
            self.streams[&far].heard
        } else {
            self.heard_of(node)
        };
        loop {
            let clock = self.clocks.entry((stream, far)).or_default();
            if clock.is_aligned() {
                return None;
            }
            match clock.search {
                Search::Idle => {
                    // Of what is over and has nothing left nobody needs to know the time.
                    if over && !self.has_events(far, self.reach(cut)) {
                        return None;
                    }
                    let base = window.saturating_mul(self.config.window_nanos);
                    let clock = self.clocks.entry((stream, far)).or_default();
                    clock.search = Search::Waiting { base, attempt: 0 };
                }
                Search::Waiting { base, attempt } => {
                    let span = (self.config.window_nanos << (attempt + 1)).min(self.config.hold_nanos);
                    let until = base.saturating_add(span);
                    let short = heard < until;
                    if self.heard_of(own) < until || (short && !over) {
                        return Some(vec![(own, until), (node, if over { i64::MIN } else { until })]);
                    }
                    if !self.try_alignment(stream, far, until) {
                        let clock = self.clocks.entry((stream, far)).or_default();
                        // What is over before the end of the stretch gives no more to vote on.
                        clock.search = if short || span >= self.config.hold_nanos {
                            Search::GivenUp
                        } else {
                            Search::Waiting {
                                base,
                                attempt: attempt + 1,
                            }
                        };
                    }
                }
                Search::GivenUp => {
                    // Nobody waits for this pair any more; what is there now may still be enough.
                    if heard >= cut && self.try_alignment(stream, far, cut) {
                        continue;
                    }
                    return None;
                }
            }
        }
    }

    fn has_events(&self, stream: StreamIndex, since: i64) -> bool {
        let of_stream =
            |event: &crate::pool::LegEvent| event.event.stream == stream && event.event.end_unix_nanos() >= since;
        self.pool.events.iter().any(|(_, event)| of_stream(event))
    }

    /// Holds a vote over everything that completed before `until` on either clock.
    fn try_alignment(&mut self, stream: StreamIndex, far: StreamIndex, until: i64) -> bool {
        let candidates = self.candidates(stream, far, until);
        let Some(constraints) = vote(&self.config, candidates) else {
            return false;
        };
        let mut clock = PairClock::default();
        clock.start(&self.config, constraints);
        let found = clock.is_aligned();
        if found {
            self.clocks.insert((stream, far), clock);
        }
        found
    }

    fn candidates(&self, stream: StreamIndex, far: StreamIndex, until: i64) -> Vec<Candidate> {
        let node = self.streams[&far].node;
        let far_tap = if self.gives(far, Tap::Target) {
            Tap::Target
        } else {
            Tap::Device
        };
        let ios: Vec<&PendingIo> = self.streams[&stream]
            .windows
            .values()
            .flatten()
            .map(|&io| &self.pool.ios[io])
            .filter(|io| io.op != Op::Flush && io.event.end_unix_nanos() < until)
            .collect();
        let one_in = ios.len().div_ceil(SAMPLE) as u64;
        let sampled = |place: &Place| place.offset.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let places: Vec<(&PendingIo, &Place)> = ios
            .iter()
            .flat_map(|&io| io.places.places.iter().map(move |place| (io, place)))
            .filter(|(_, place)| place.node == node && sampled(place) % one_in == 0)
            .collect();
        let key = |(io, place): &(&PendingIo, &Place)| (io.op, place.disk, place.offset, place.length);
        let mut in_all: FxHashMap<_, usize> = FxHashMap::default();
        for place in &places {
            *in_all.entry(key(place)).or_default() += 1;
        }
        let mut met: FxHashMap<_, usize> = FxHashMap::default();
        let mut candidates = Vec::new();
        for of_io in &places {
            // Of a key that is met often a few are taken, spread over the stretch, but with all events that could be theirs.
            let times = met.entry(key(of_io)).or_default();
            *times += 1;
            if !(*times - 1).is_multiple_of(in_all[&key(of_io)].div_ceil(MOST_PER_KEY)) {
                continue;
            }
            let &(io, place) = of_io;
            let inners = self
                .pool
                .far(io.op, place.disk, place.offset)
                .map(|at| &self.pool.events[at]);
            let fits = inners.filter(|event| {
                let seen = event.event.stream == far && event.tap == far_tap;
                seen && event.length == place.length && event.event.end_unix_nanos() < until
            });
            let (outer, outer_tap) = self.tightest(io, place);
            let slack = self.resolution(stream, outer_tap) + self.resolution(far, far_tap);
            candidates.extend(fits.map(|event| Candidate {
                outer,
                inner: (event.event.start_unix_nanos, event.event.end_unix_nanos()),
                start_slack: slack,
                end_slack: 2 * slack,
            }));
        }
        candidates
    }

    /// The tightest interval on the initiator's clock within which a copy was written: its leg, if exactly one is seen.
    fn tightest(&self, io: &PendingIo, place: &Place) -> ((i64, i64), Tap) {
        let whole = (io.event.start_unix_nanos, io.event.end_unix_nanos());
        let mut legs = self
            .pool
            .legs(io.op, io.node, place.node, place.offset)
            .filter_map(|at| {
                let leg = &self.pool.events[at];
                let inside = leg.event.start_unix_nanos >= whole.0 && leg.event.end_unix_nanos() <= whole.1;
                let same = leg.length == place.length && leg.disk.is_none_or(|disk| disk == place.disk);
                (inside && same).then(|| (leg.event.start_unix_nanos, leg.event.end_unix_nanos()))
            });
        match (legs.next(), legs.next()) {
            (Some(leg), None) => (leg, Tap::Initiator),
            _ => (whole, Tap::Volume),
        }
    }
}
