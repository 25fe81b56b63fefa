//! What failed attempts of a leg made at the far side.
//!
//! An attempt whose answer was lost was served all the same: the target and the drive saw the request once for each attempt that
//! reached them. Those requests are the leg's too. They began while an attempt was under way, and the one that went well has its own
//! already; what could be of several I/Os, or of none of the attempts, stays where it is.

use std::collections::BTreeMap;

use fathom_model::{Op, StreamIndex, Tap};
use rustc_hash::{FxHashMap, FxHashSet};

use super::Engine;
use super::pieces::Rivals;
use super::resolve::{Claimant, Decisions, Found, contains, interval, widen};
use crate::assign::Interval;
use crate::overlaps::Overlaps;
use crate::pool::ClaimRef;

/// Requests at one tap that attempts of a claim may have made.
struct Wanted {
    claim: ClaimRef,
    tap: Tap,
    /// No more than so many attempts were made.
    attempts: usize,
    events: Vec<usize>,
}

impl Engine {
    /// The failed attempts of claimants on one disk, each with whose it is and where on the far clock what it made must lie.
    pub(super) fn attempts_at(&self, claimants: &[Claimant], far: StreamIndex, tap: Tap) -> Vec<(usize, Interval)> {
        let mut attempts = Vec::new();
        for (owner, claimant) in claimants.iter().enumerate() {
            let slack = self.resolution(claimant.stream, Tap::Initiator) + self.resolution(far, tap);
            attempts.extend(claimant.found.attempts.iter().filter_map(|&at| {
                let span = interval(&self.pool.events[at]);
                let (low, high) = self.span_offset(claimant.stream, far, span)?;
                let (start, end) = widen(span, slack);
                Some((owner, (start.saturating_add(low), end.saturating_add(high))))
            }));
        }
        attempts
    }

    /// Takes from the events at a tap of a place those that attempts made. An attempt is over before the next one begins, and between
    /// two clocks nothing changes that order: of what only one claimant or its attempts could have, the last that fits the leg that
    /// went well is that leg's, and what began before it was made by attempts, as far as there were as many. Gives what is left, and
    /// what was taken with whose it is.
    pub(super) fn without_attempts(
        &self,
        claimants: &[Claimant],
        events: &[usize],
        (widened, attempts): (&[Interval], &[(usize, Interval)]),
    ) -> (Vec<usize>, Vec<(usize, usize)>) {
        let outers: Vec<Interval> = widened
            .iter()
            .copied()
            .chain(attempts.iter().map(|one| one.1))
            .collect();
        let owner = |outer: usize| {
            outer
                .checked_sub(widened.len())
                .map_or(outer, |attempt| attempts[attempt].0)
        };
        let around = Overlaps::new(&outers);
        // Of whoever has attempts what nobody else could have, in order of time.
        let mut only: BTreeMap<usize, Vec<usize>> = attempts.iter().map(|&(owner, _)| (owner, Vec::new())).collect();
        for &event in events {
            let held = around.holding(interval(&self.pool.events[event])).map(owner);
            let mut owners = held.filter(|&owner| self.may_have(&claimants[owner], event));
            let first = owners.next();
            if let Some(of_owner) = first.and_then(|first| only.get_mut(&first))
                && owners.all(|other| Some(other) == first)
                && !self.pool.events[event].contested
            {
                of_owner.push(event);
            }
        }
        let mut mine = Vec::new();
        for (of, own) in only {
            // Where the one that went well has nothing, it may have been lost, and an attempt's would pass for it.
            let fits = |&event: &usize| contains(widened[of], interval(&self.pool.events[event]));
            let before = own.iter().rposition(fits).unwrap_or(0);
            let made = attempts.iter().filter(|&&(owner, _)| owner == of).count();
            if before <= made {
                mine.extend(own[..before].iter().map(|&event| (of, event)));
            }
        }
        let taken: FxHashSet<usize> = mine.iter().map(|&(_, event)| event).collect();
        let left = events.iter().copied().filter(|event| !taken.contains(event));
        (left.collect(), mine)
    }

    /// Finds what the failed attempts of a window's legs made at targets and drives.
    pub(super) fn find_attempts(&self, decisions: &mut Decisions, order: &[ClaimRef], cut: i64) {
        let retried = |claim: &&ClaimRef| decisions.get(claim).is_some_and(|found| !found.attempts.is_empty());
        if !order.iter().any(|claim| retried(&claim)) {
            return;
        }
        let used: FxHashSet<usize> = decisions.values().flat_map(Found::events).collect();
        let mut wanted: Vec<Wanted> = Vec::new();
        for &claim in order.iter().filter(retried) {
            let found = &decisions[&claim];
            let single = found.cache.is_none() && !found.merged;
            let at = [
                (Tap::Target, found.target),
                (Tap::Device, found.device.first().copied().filter(|_| single)),
            ];
            for (tap, own) in at {
                // Where the one that went well was not seen, another of the leg's would pass for it.
                if let Some(own) = own {
                    let far = self.pool.events[own].event.stream;
                    wanted.push(Wanted {
                        claim,
                        tap,
                        attempts: found.attempts.len(),
                        events: self.made_by_attempts(claim, found, (far, tap), &used),
                    });
                }
            }
        }
        let mut owners: FxHashMap<usize, u32> = FxHashMap::default();
        for &event in wanted.iter().flat_map(|one| &one.events) {
            *owners.entry(event).or_default() += 1;
        }
        let mut rivals = Rivals::default();
        for Wanted {
            claim,
            tap,
            attempts,
            events,
        } in wanted
        {
            let io = &self.pool.ios[claim.io];
            let place = io.places.places[claim.place];
            let events: Vec<usize> = events
                .into_iter()
                .filter(|event| {
                    let seen = &self.pool.events[*event];
                    let on = rivals.on(self, (io.op, &place), seen.event.stream, (decisions, cut));
                    let mut others = on.that_may_have(interval(seen)).filter(|other| *other != claim);
                    owners[event] == 1 && others.all(|other| decisions.contains_key(&other))
                })
                .collect();
            let found = decisions.entry(claim).or_default();
            let known = match tap {
                Tap::Target => found.targets_before.len(),
                _ => found.devices_before.len(),
            };
            if known + events.len() > attempts {
                continue;
            }
            match tap {
                Tap::Target => found.targets_before.extend(events),
                _ => found.devices_before.extend(events),
            }
        }
    }

    /// Requests for a claim's place that began while one of its attempts was under way and ended within its I/O, in order of time.
    fn made_by_attempts(
        &self,
        claim: ClaimRef,
        found: &Found,
        (far, tap): (StreamIndex, Tap),
        used: &FxHashSet<usize>,
    ) -> Vec<usize> {
        let io = &self.pool.ios[claim.io];
        let (place, own) = (io.places.places[claim.place], io.event.stream);
        let slack = self.resolution(own, Tap::Initiator) + self.resolution(far, tap);
        let on_far = |span: Interval| -> Option<Interval> {
            let (low, high) = self.span_offset(own, far, span)?;
            let (start, end) = widen(span, slack);
            Some((start.saturating_add(low), end.saturating_add(high)))
        };
        let attempts = found
            .attempts
            .iter()
            .filter_map(|&at| on_far(interval(&self.pool.events[at])));
        let attempts: Vec<Interval> = attempts.collect();
        let whole = on_far((io.event.start_unix_nanos, io.event.end_unix_nanos()));
        let Some(whole) = whole.filter(|_| io.op != Op::Flush) else {
            return Vec::new();
        };
        let made = self
            .pool
            .far_within(io.op, place.disk, place.offset, whole)
            .filter(|at| {
                let event = &self.pool.events[*at];
                let same = event.tap == tap && event.length == place.length && event.event.stream == far;
                let start = event.event.start_unix_nanos;
                let in_attempt = attempts.iter().any(|&(from, until)| from <= start && start <= until);
                same && in_attempt && !event.contested && !used.contains(at)
            });
        let mut made: Vec<usize> = made.collect();
        made.sort_by_key(|&at| {
            let event = &self.pool.events[at].event;
            (event.start_unix_nanos, event.end_unix_nanos(), event.ordinal)
        });
        made
    }
}
