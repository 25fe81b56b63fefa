//! Attempts that failed and were made again.
//!
//! Attempts of one copy follow one another: each ended before the leg that went well began. A failed attempt is a copy's when no
//! other copy can have it; else whose it was stays open, and it says so itself (`ambiguous`).

use super::super::Engine;
use super::super::resolve::{Decisions, Tie};
use super::tie::Tying;
use super::{Few, Unplaced};

impl Engine {
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
