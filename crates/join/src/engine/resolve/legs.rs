//! Initiator legs with an offset: which claim each is of.

use fathom_model::{Op, Tap};
use rustc_hash::FxHashSet;

use super::{Claimant, Contested, Links, Ties, interval, widen};
use crate::assign::Interval;
use crate::engine::Engine;
use crate::engine::likely::Likely;
use crate::overlaps::Overlaps;

/// Whose something may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Nobody,
    One(usize),
    Several,
}

impl Owner {
    const fn add(&mut self, claimant: usize) {
        *self = match self {
            Self::Nobody => Self::One(claimant),
            Self::One(_) | Self::Several => Self::Several,
        };
    }
}

impl Engine {
    /// Ties initiator legs to claims: same clock, so containment is exact. Returns the events that stay contested.
    pub(super) fn match_legs(
        &self,
        op: Op,
        claimants: &mut [Claimant],
        cut: i64,
        ties: &Ties,
        (links, likely): (&mut Links, Option<&Likely>),
    ) -> Vec<Contested> {
        let mut contested = Vec::new();
        let mut from = 0;
        // Claimants are sorted by stream: each initiator's legs are its own.
        while from < claimants.len() {
            let stream = claimants[from].stream;
            let count = claimants[from..]
                .iter()
                .take_while(|claimant| claimant.stream == stream)
                .count();
            let group = &mut claimants[from..from + count];
            from += count;
            if !self.gives(stream, Tap::Initiator) {
                continue;
            }
            let (failed, done) = self.legs_for(op, group, cut);
            let slack = self.resolution(stream, Tap::Initiator) + self.resolution(stream, Tap::Volume);
            let widened: Vec<Interval> = group.iter().map(|claimant| widen(claimant.outer, slack)).collect();
            contested.extend(self.settle(group, &done, &widened, Tap::Initiator, (links, likely)));
            self.legs_after_their_io(group, &done, cut, slack);
            self.failed_attempts(group, &failed, &widened);
            for claimant in group {
                if claimant.found.initiator.is_none() {
                    claimant.found.initiator = ties.get(&claimant.claim).copied();
                }
                if let Some(at) = claimant.found.initiator {
                    claimant.outer = interval(&self.pool.events[at]);
                    claimant.outer_tap = Tap::Initiator;
                }
            }
        }
        contested
    }

    /// The legs that claimants of one initiator could have: those that failed, and the others.
    pub(in crate::engine) fn legs_for(&self, op: Op, group: &[Claimant], cut: i64) -> (Vec<usize>, Vec<usize>) {
        let (place, stream) = (group[0].place, group[0].stream);
        let node = self.streams[&stream].node;
        let legs = self.pool.legs(op, node, place.node, place.offset);
        let legs = legs.filter(|&at| {
            let leg = &self.pool.events[at];
            let leads_here = |disk| group.iter().any(|claimant| claimant.place.disk == disk);
            let same = leg.length == place.length && leg.disk.is_none_or(leads_here);
            same && leg.event.stream == stream && leg.event.end_unix_nanos() < cut
        });
        self.in_order(legs)
            .into_iter()
            .partition(|&at| self.pool.events[at].event.status != 0)
    }

    /// A leg that ended after its I/O: the I/O did not wait for it. Taken only when there is no doubt whose it is.
    fn legs_after_their_io(&self, group: &mut [Claimant], legs: &[usize], cut: i64, slack: i64) {
        let taken: FxHashSet<usize> = group.iter().filter_map(|claimant| claimant.found.initiator).collect();
        let free = legs.iter().copied().filter(|at| !taken.contains(at));
        let free: Vec<usize> = free.filter(|&at| interval(&self.pool.events[at]).1 < cut).collect();
        if free.is_empty() {
            return;
        }
        // Legs come in the order of their starts.
        let starts: Vec<i64> = free.iter().map(|&at| interval(&self.pool.events[at]).0).collect();
        let mut owner: Vec<Owner> = vec![Owner::Nobody; free.len()];
        let mut only: Vec<Option<usize>> = Vec::with_capacity(group.len());
        for (at, claimant) in group.iter().enumerate() {
            let (start, end) = widen(claimant.outer, slack);
            let first = starts.partition_point(|&leg| leg < start);
            let began = (first..free.len()).take_while(|&leg| starts[leg] <= end);
            let overran = |&leg: &usize| {
                claimant.found.initiator.is_none()
                    && interval(&self.pool.events[free[leg]]).1 > end
                    && self.may_have(claimant, free[leg])
            };
            let (mut count, mut last) = (0, None);
            for leg in began.filter(overran) {
                owner[leg].add(at);
                count += 1;
                last = Some(leg);
            }
            only.push(last.filter(|_| count == 1));
        }
        for (at, leg) in only.into_iter().enumerate() {
            if let Some(leg) = leg.filter(|&leg| owner[leg] == Owner::One(at)) {
                group[at].found.initiator = Some(free[leg]);
            }
        }
    }

    /// Attempts that failed belong to the one claim that contains them and whose leg, where it is known, began after them: nothing is
    /// sent again before it has failed. Where no attempt went well, the last one stands for the leg.
    fn failed_attempts(&self, group: &mut [Claimant], failed: &[usize], widened: &[Interval]) {
        let around = Overlaps::new(widened);
        for &at in failed {
            let attempt = interval(&self.pool.events[at]);
            let before_leg = |claimant: &Claimant| {
                let leg = claimant.found.initiator.filter(|_| !claimant.found.unsure);
                let slack = self.resolution(claimant.stream, Tap::Initiator);
                leg.is_none_or(|leg| attempt.1 <= interval(&self.pool.events[leg]).0.saturating_add(slack))
            };
            let mut owners = around
                .holding(attempt)
                .filter(|&claimant| before_leg(&group[claimant]) && self.may_have(&group[claimant], at));
            if let (Some(owner), None) = (owners.next(), owners.next()) {
                group[owner].found.attempts.push(at);
            }
        }
        for claimant in group {
            if claimant.found.initiator.is_none() {
                claimant.found.initiator = claimant.found.attempts.pop();
            }
        }
    }
}
