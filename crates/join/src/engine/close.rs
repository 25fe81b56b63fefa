//! Closing a window: decide its I/Os, learn from them, write their rows.

use std::collections::BTreeMap;

use fathom_model::{Io, IoClass, NodeIndex, Op, StreamIndex, Tap};

use super::Engine;
use super::bulk::Round;
use super::legs::Built;
use super::resolve::{Decisions, Tie};
use crate::clock::{Constraints, PairClock};
use crate::pool::{ClaimRef, PendingIo};

impl Engine {
    /// Closes the windows of one number, which are those of `streams`.
    pub(super) fn close_all(&mut self, window: i64, streams: &[StreamIndex]) {
        self.vote_on_shifts(window, streams);
        let mut round = self.bulk_round(window, streams);
        // What one initiator's window says about clocks must not change what is decided of the next one's: the bulk decided all of
        // them by what was known before.
        let mut learnt = Vec::new();
        for &stream in streams {
            learnt.extend(self.close(window, stream, round.as_mut()));
        }
        self.clocks.extend(learnt);
        self.link_clocks(window);
        if let Some(round) = round {
            self.shelve(round);
        }
    }

    /// Closes the window of one initiator; gives what is known of its pairs' clocks from now on.
    fn close(
        &mut self,
        window: i64,
        stream: StreamIndex,
        mut round: Option<&mut Round>,
    ) -> Vec<((StreamIndex, StreamIndex), PairClock)> {
        let pooled = self.stream_mut(stream).windows.remove(&window);
        let mut ios = pooled.unwrap_or_default();
        ios.sort_by_key(|&io| {
            (
                self.pool.ios[io].event.end_unix_nanos(),
                self.pool.ios[io].event.ordinal,
            )
        });
        self.note_silence(window, stream, &ios);

        let claims: Vec<ClaimRef> = ios
            .iter()
            .flat_map(|&io| (0..self.pool.ios[io].places.places.len()).map(move |place| ClaimRef { io, place }))
            .collect();
        let mut decisions = Decisions::default();
        let unplaced = self.unplaced(stream, window, &ios);
        let mut open = Vec::new();
        // Where legs have no offset, what is only likely of the far sides would decide whose legs are whose.
        let likely = !self.has_unplaced(stream);
        for claim in &claims {
            if decisions.contains_key(claim) {
                continue;
            }
            let resolved = self.resolve(*claim, window, &unplaced.ties, &mut decisions, None);
            if likely && resolved.is_open && matches!(self.pool.ios[claim.io].op, Op::Write | Op::Unmap) {
                open.push(*claim);
            } else {
                self.contest(&resolved);
            }
        }
        let known = (round.as_deref(), &unplaced.ties);
        self.resolve_by_likelihood((stream, window), &ios, &open, &mut decisions, known);
        self.find_pieces(&mut decisions, &claims, self.cut(window));
        self.find_merged(&mut decisions, &claims, (stream, self.cut(window)));
        self.find_cached(stream, &mut decisions, &claims, self.cut(window));
        self.tie_unplaced(&unplaced, window, &mut decisions);
        self.find_attempts(&mut decisions, &claims, self.cut(window));
        let mut parity = self.find_parity(stream, &ios, &decisions, self.cut(window));
        let mut clocks = self.learn(stream, &claims, &decisions, round.as_deref());
        if let Some(round) = &mut round {
            round.read_clocks(self, stream);
        }
        self.note_overdue(stream, &claims, &decisions);
        self.weigh_shifts(stream, &claims, &decisions, round.as_deref());
        self.doubt_caches(&claims, &decisions);

        let mut built: Vec<Built> = Vec::with_capacity(ios.len());
        for &io in &ios {
            built.push(self.build(io, &decisions, parity.remove(&io).unwrap_or_default()));
        }
        self.name_slowest(stream, window, &mut built, round);
        for &io in &ios {
            self.pool.remove_io(io);
        }
        for one in &built {
            for &event in &one.used {
                self.pool.remove_event(event);
            }
        }
        for one in built {
            self.write(one);
        }
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.closed_until = stream.closed_until.max(window + 1);
        }
        for (pair, clock) in &mut clocks {
            std::mem::swap(clock, self.clocks.entry(*pair).or_default());
        }
        clocks
    }

    /// Remembers up to when windows closed without hearing a silent node.
    fn note_silence(&mut self, window: i64, stream: StreamIndex, ios: &[usize]) {
        if self.silent.is_empty() {
            return;
        }
        let cut = self.cut(window);
        let mut nodes: Vec<NodeIndex> = ios.iter().flat_map(|&io| self.pool.ios[io].places.nodes()).collect();
        nodes.sort_unstable();
        nodes.dedup();
        for node in nodes.into_iter().filter(|node| self.silent.contains(node)) {
            let offset = self
                .life_at(node, stream, cut)
                .and_then(|far| self.highest_offset(stream, far, cut))
                .unwrap_or(0);
            let until = self.closed_without.entry(node).or_insert(i64::MIN);
            *until = (*until).max(cut.saturating_add(offset));
        }
    }

    /// Draws constraints on the clocks from what is sure, and gives them to the pairs. Returns these as they were before.
    fn learn(
        &mut self,
        stream: StreamIndex,
        claims: &[ClaimRef],
        decisions: &Decisions,
        round: Option<&Round>,
    ) -> Vec<((StreamIndex, StreamIndex), PairClock)> {
        let in_bulk = round.map(|round| round.constraints(stream));
        let mut learnt: BTreeMap<(StreamIndex, StreamIndex), Constraints> = in_bulk.into_iter().flatten().collect();
        for claim in claims {
            let io = &self.pool.ios[claim.io];
            let Some(found) = decisions
                .get(claim)
                .filter(|found| !found.unsure && !found.by_likelihood)
            else {
                continue;
            };
            // A flush has no offset, and the pieces of a split request are found last: neither is sure enough to learn from.
            let own = found.cache.is_none() && !found.merged;
            let single = if let [one] = found.device[..] { Some(one) } else { None };
            let single = single.filter(|_| own);
            let Some(inner) = found.target.or(single).filter(|_| io.op != Op::Flush) else {
                continue;
            };
            let inner = &self.pool.events[inner];
            if inner.node == io.node {
                continue;
            }
            let (outer, outer_tap) = match found.initiator.filter(|_| found.tie == Tie::Own) {
                Some(leg) => (self.pool.events[leg].event, Tap::Initiator),
                None => (io.event, Tap::Volume),
            };
            // What was under way while a clock was set is of neither.
            let (own, far) = (io.event.stream, inner.event.stream);
            let outer_span = (outer.start_unix_nanos, outer.end_unix_nanos());
            if self.span_offset(own, far, outer_span).is_none() {
                continue;
            }
            let slack = self.resolution(io.event.stream, outer_tap) + self.resolution(inner.event.stream, inner.tap);
            learnt.entry((io.event.stream, inner.event.stream)).or_default().add(
                (outer.start_unix_nanos, outer.end_unix_nanos()),
                (inner.event.start_unix_nanos, inner.event.end_unix_nanos()),
                slack,
                2 * slack,
            );
        }
        let mut before = Vec::with_capacity(learnt.len());
        for (pair, constraints) in learnt {
            let clock = self.clocks.entry(pair).or_default();
            before.push((pair, clock.clone()));
            clock.learn(&self.config, constraints);
        }
        before
    }

    fn write(&mut self, built: Built) {
        let Built {
            io,
            legs,
            class,
            legs_expected,
            slowest,
            ..
        } = built;
        let PendingIo {
            event,
            node,
            volume,
            op,
            offset,
            length,
            ..
        } = io;
        let from = self.rows.legs.len();
        self.rows.legs.extend(legs);
        self.rows.ios.push(Io {
            event,
            node,
            volume,
            op,
            offset,
            length,
            class,
            legs_expected,
            slowest: slowest.map(|mut slowest| {
                slowest.leg += from;
                slowest
            }),
            legs: from..self.rows.legs.len(),
        });
    }
}

/// The class of an I/O from its legs.
pub(super) fn class_of(legs: &[fathom_model::Leg], legs_expected: u32, whole: bool) -> IoClass {
    let missing = |leg: &fathom_model::Leg| {
        leg.missing_initiator.is_some() || leg.missing_target.is_some() || leg.missing_device.is_some() || !leg.found()
    };
    if !whole || (legs.len() as u32) < legs_expected || legs.iter().any(missing) {
        IoClass::Incomplete
    } else if legs.iter().any(|leg| leg.ambiguous) {
        IoClass::Ambiguous
    } else {
        IoClass::Exact
    }
}
