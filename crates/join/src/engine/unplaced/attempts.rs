//! Attempts that failed and were made again.
//!
//! Attempts of one copy follow one another: each ended before the leg that went well began. A failed attempt is a copy's when no
//! other copy can have it; else whose it was stays open, and it says so itself (`ambiguous`).

use fathom_model::{Missing, Tap};

use super::super::Engine;
use super::super::resolve::{Decisions, Tie, contains, interval, widen};
use super::tie::Tying;
use super::{Few, Unplaced};
use crate::pool::ClaimRef;

impl Engine {
    /// Notes the legs that went well of copies with attempts that failed, where by the initiator alone the copy has no other and the leg
    /// is no other copy's. The far side then saw the request more than once, and which of these was the leg's is known by it alone.
    pub(super) fn tie_retried(&self, unplaced: &mut Unplaced) {
        let mut ties = Vec::new();
        let failed = unplaced.legs.iter().enumerate().filter(|(_, leg)| leg.failed);
        for (at, attempt) in failed {
            let mut copies = unplaced.copies_of(at);
            let (Some(copy), None) = (copies.next(), copies.next()) else {
                continue;
            };
            let claim = unplaced.copies[copy].claim;
            let done = |&leg: &usize| !unplaced.legs[leg].failed;
            let mut legs = unplaced.legs_of(copy).filter(done);
            let (Some(leg), None) = (legs.next(), legs.next()) else {
                continue;
            };
            let of = &unplaced.legs[leg];
            let alone = unplaced.copies_of(leg).take(2).eq([copy]);
            let after = attempt.span.1 <= of.span.0.saturating_add(self.step(attempt.event));
            if alone && after && !of.contested && self.holds_a_request(claim, of.event) && !self.may_be_lost(claim) {
                ties.push((claim, of.event));
            }
        }
        for (claim, event) in ties {
            unplaced.ties.entry(claim).or_insert(event);
        }
    }

    /// Whether something was seen at a claim's place that lies in a leg, as far as the clocks are known: it is not the leg of something
    /// else whose I/O is missing.
    fn holds_a_request(&self, claim: ClaimRef, leg: usize) -> bool {
        let io = &self.pool.ios[claim.io];
        let place = io.places.places[claim.place];
        let outer = &self.pool.events[leg];
        let own = io.event.stream;
        self.pool.far(io.op, place.disk, place.offset).any(|at| {
            let event = &self.pool.events[at];
            let far = event.event.stream;
            let slack = self.resolution(own, Tap::Initiator) + self.resolution(far, event.tap);
            let (start, end) = widen(interval(outer), slack);
            let offset = self
                .span_offset(own, far, interval(outer))
                .filter(|_| event.length == place.length);
            offset.is_some_and(|(low, high)| {
                contains((start.saturating_add(low), end.saturating_add(high)), interval(event))
            })
        })
    }

    /// Whether events of a claim's I/O may have been lost at its initiator.
    fn may_be_lost(&self, claim: ClaimRef) -> bool {
        let event = &self.pool.ios[claim.io].event;
        let span = (event.start_unix_nanos, event.end_unix_nanos());
        self.uncovered(event.stream, span) == Some(Missing::Lost)
    }

    /// Ties failed attempts to the copies of a window that closes. Where no attempt went well, the last stands for the leg.
    pub(super) fn tie_attempts(&mut self, unplaced: &Unplaced, tying: &Tying, decisions: &mut Decisions) {
        let mut last: Vec<usize> = Vec::new();
        for (at, leg) in unplaced.legs.iter().enumerate().filter(|(_, leg)| leg.failed) {
            let before_leg = |copy: &usize| {
                let own = tying.sure.get(copy).map(|&leg| unplaced.legs[leg].span.0);
                own.is_none_or(|start| leg.span.1 <= start.saturating_add(self.step(leg.event)))
            };
            let copies: Few = unplaced.copies_of(at).filter(before_leg).collect();
            let Some(&copy) = copies.iter().find(|&&copy| unplaced.copies[copy].closing) else {
                continue;
            };
            if copies.len() > 1 || leg.contested {
                self.pool.events[leg.event].contested = true;
                continue;
            }
            let found = decisions.entry(unplaced.copies[copy].claim).or_default();
            found.attempts.push(leg.event);
            last.push(copy);
        }
        last.sort_unstable();
        last.dedup();
        for copy in last {
            let found = decisions.entry(unplaced.copies[copy].claim).or_default();
            found.attempts.sort_by_key(|&at| {
                let event = &self.pool.events[at].event;
                (event.start_unix_nanos, event.end_unix_nanos(), event.ordinal)
            });
            if found.initiator.is_none() {
                found.initiator = found.attempts.pop();
                found.tie = Tie::Own;
            }
        }
    }

    /// How far a recorded end may lie beyond the start of what followed it.
    fn step(&self, event: usize) -> i64 {
        let leg = &self.pool.events[event];
        3 * self.resolution(leg.event.stream, leg.tap)
    }
}
