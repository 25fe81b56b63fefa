//! Clocks of pairs: finding a first alignment, and what is known of each.

use fathom_model::{NodeIndex, Op, StreamIndex, Tap};
use rustc_hash::FxHashMap;

use super::Engine;
use crate::clock::vote::{Candidate, vote};
use crate::clock::{PairClock, Search};
use crate::pool::PendingIo;

/// A vote looks at no more I/Os than about this: beyond it, at a sample of places by hash.
const SAMPLE: usize = 1 << 16;

/// A key met more often than this within a vote says little about time and costs a lot.
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

    /// Which nodes must have been heard until when so that a window can use the events of `node`. Holds a vote on the
    /// pair's clock when one is due.
    pub(super) fn alignment_needs(
        &mut self,
        node: NodeIndex,
        window: i64,
        stream: StreamIndex,
    ) -> Vec<(NodeIndex, i64)> {
        let cut = self.cut(window);
        let own = self.streams[&stream].node;
        let Some(far) = self.stream_of(node).filter(|_| own != node) else {
            return vec![(node, cut)];
        };
        loop {
            let clock = self.clocks.entry((stream, far)).or_default();
            if let Some((_, high)) = clock.bounds(&self.config, cut) {
                return vec![(node, cut.saturating_add(high))];
            }
            match clock.search {
                Search::Idle => {
                    let base = window.saturating_mul(self.config.window_nanos);
                    clock.search = Search::Waiting { base, attempt: 0 };
                }
                Search::Waiting { base, attempt } => {
                    let span = (self.config.window_nanos << (attempt + 1)).min(self.config.hold_nanos);
                    let until = base.saturating_add(span);
                    if self.heard_of(own) < until || self.heard_of(node) < until {
                        return vec![(own, until), (node, until)];
                    }
                    if !self.try_alignment(stream, far, until) {
                        let clock = self.clocks.entry((stream, far)).or_default();
                        clock.search = if span >= self.config.hold_nanos {
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
                    if self.heard_of(node) >= cut && self.try_alignment(stream, far, cut) {
                        continue;
                    }
                    return vec![(node, cut)];
                }
            }
        }
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
        let mut met: FxHashMap<_, usize> = FxHashMap::default();
        let mut candidates = Vec::new();
        for io in ios {
            for place in io.places.places.iter().filter(|place| place.node == node) {
                let sampled = place.offset.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
                if sampled % one_in != 0 {
                    continue;
                }
                let times = met.entry((place.disk, place.offset)).or_default();
                *times += 1;
                if *times > MOST_PER_KEY {
                    continue;
                }
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
                candidates.extend(fits.take(MOST_PER_KEY).map(|event| Candidate {
                    outer,
                    inner: (event.event.start_unix_nanos, event.event.end_unix_nanos()),
                    start_slack: slack,
                    end_slack: 2 * slack,
                }));
            }
        }
        candidates
    }

    /// The tightest interval on the initiator's clock within which a copy was written: its leg, if exactly one is seen.
    fn tightest(&self, io: &PendingIo, place: &crate::layout::Place) -> ((i64, i64), Tap) {
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
