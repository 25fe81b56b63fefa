//! Which leg is which copy's, of those that no IRP ties.
//!
//! The copy's event at the far side is known by its key. A leg is the copy's only if that event lies inside it, by the bounds of
//! the clocks; that, and one leg a copy, mostly leaves one assignment. Copies of later windows take part as rivals as far as
//! contention leads.

use fathom_model::{Missing, StreamIndex, Tap};
use rustc_hash::FxHashMap;

use super::super::Engine;
use super::super::resolve::{Decisions, Found, Links, Tie, Ties, contains, interval, widen};
use super::{Few, Unplaced};
use crate::assign::{Assigned, Interval, assign_pairs};
use crate::pool::ClaimRef;

const NOTHING: usize = usize::MAX;

/// What a leg has to hold: an event at the far side.
#[derive(Clone, Copy, Debug)]
struct Inner {
    stream: StreamIndex,
    tap: Tap,
    span: Interval,
}

/// What is known of each copy while legs are tied.
#[derive(Debug)]
pub(super) struct Tying {
    /// Of the copies that contention leads to their numbers in the assignment.
    number: Vec<usize>,
    /// The copies in that order.
    reached: Vec<usize>,
    /// The same of legs.
    number_of_leg: Vec<usize>,
    legs: Vec<usize>,
    /// The far side of each copy that was asked for; `None` of a read's copy that was not the one.
    inner: FxHashMap<usize, Option<Vec<Inner>>>,
    /// The far sides of copies of later windows.
    rivals: Decisions,
    /// Whether an IRP ties a leg.
    tied: Vec<bool>,
    /// The surely tied leg of each copy, closing or not.
    pub(super) sure: FxHashMap<usize, usize>,
}

impl Engine {
    /// Ties legs without an offset to the copies of a window that closes.
    pub(in crate::engine) fn tie_unplaced(&mut self, unplaced: &Unplaced, window: i64, decisions: &mut Decisions) {
        if unplaced.copies.is_empty() {
            return;
        }
        let mut tying = Tying::new(unplaced);
        let edges = self.follow(unplaced, window, decisions, &mut tying);
        let assigned = tying.assign(unplaced, &edges);
        let whole = whole(&edges, tying.legs.len(), &assigned);
        for (at, one) in assigned.iter().enumerate() {
            let copy = tying.reached[at];
            let of = &unplaced.copies[copy];
            let could_have = || edges[at].iter().map(|&leg| &unplaced.legs[tying.legs[leg]]);
            let leg = one.inner.map(|leg| tying.legs[leg]);
            let io = &self.pool.ios[of.claim.io];
            // Where an I/O and a leg may be lost, what is left over of two may look like one.
            let span = (io.event.start_unix_nanos, io.event.end_unix_nanos());
            let lossy = self.uncovered(io.event.stream, span) == Some(Missing::Lost);
            let contested = io.legs_contested || leg.is_some_and(|leg| unplaced.legs[leg].contested);
            let sure = one.sure && !contested && (!lossy || leg.is_none());
            if let Some(leg) = leg.filter(|_| sure) {
                tying.sure.insert(copy, leg);
            }
            if !of.closing {
                // What the closing ones take may have been this one's.
                self.pool.ios[of.claim.io].legs_contested |= !sure;
                continue;
            }
            let found = decisions.entry(of.claim).or_default();
            if let Some(leg) = leg {
                found.initiator = Some(unplaced.legs[leg].event);
                found.by_order |= !one.sure;
                found.confidence *= match (one.sure, sure) {
                    (true, false) => 0.5,
                    _ => one.confidence,
                };
            }
            found.tie = match leg {
                _ if !sure => Tie::Doubtful,
                Some(leg) if !unplaced.is_alone(copy, leg) => Tie::Bounds,
                _ => Tie::Own,
            };
            if sure {
                continue;
            }
            if whole[at] && !contested && !lossy {
                let ends = could_have().map(|leg| leg.span.1);
                found.leg_end = ends.clone().min().zip(ends.max());
            }
            for leg in could_have() {
                self.pool.events[leg.event].contested = true;
            }
        }
        self.tie_attempts(unplaced, &tying, decisions);
    }

    /// Finds the copies and legs that contention leads to from those of the closing window; gives of each such copy the legs that
    /// it may have, by their numbers.
    fn follow(&self, unplaced: &Unplaced, window: i64, decisions: &Decisions, tying: &mut Tying) -> Vec<Vec<usize>> {
        let closing = (0..unplaced.copies.len()).filter(|&copy| unplaced.copies[copy].closing);
        for copy in closing {
            let found = decisions.get(&unplaced.copies[copy].claim);
            if found.is_none_or(|found| found.initiator.is_none()) {
                tying.reach(copy);
            }
        }
        let mut edges: Vec<Vec<usize>> = Vec::new();
        while let Some(&copy) = tying.reached.get(edges.len()) {
            let mut own = Vec::new();
            for leg in unplaced.legs_of(copy) {
                if !self.may_be(unplaced, (copy, leg), window, decisions, tying) {
                    continue;
                }
                let (number, is_new) = tying.reach_leg(leg);
                own.push(number);
                if !is_new {
                    continue;
                }
                for other in unplaced.copies_of(leg) {
                    if tying.number[other] == NOTHING && self.may_be(unplaced, (other, leg), window, decisions, tying) {
                        tying.reach(other);
                    }
                }
            }
            edges.push(own);
        }
        edges
    }

    /// Whether a leg may be a copy's by all that is known of the far side too.
    fn may_be(
        &self,
        unplaced: &Unplaced,
        (copy, leg): (usize, usize),
        window: i64,
        decisions: &Decisions,
        tying: &mut Tying,
    ) -> bool {
        let claim = unplaced.copies[copy].claim;
        let has_other = || {
            let found = decisions.get(&claim);
            found.is_some_and(|found| found.initiator.is_some()) || unplaced.ties.contains_key(&claim)
        };
        if unplaced.legs[leg].failed || tying.tied[leg] || has_other() {
            return false;
        }
        if !tying.inner.contains_key(&copy) {
            let inner = self.inner_of(claim, window, &unplaced.ties, decisions, &mut tying.rivals);
            tying.inner.insert(copy, inner);
        }
        let stream = self.pool.ios[claim.io].event.stream;
        let span = unplaced.legs[leg].span;
        let holds = |inner: &Inner| {
            let slack = self.resolution(stream, Tap::Initiator) + self.resolution(inner.stream, inner.tap);
            let (start, end) = widen(span, slack);
            let low = self.offset(stream, inner.stream, span.0);
            let high = self.offset(stream, inner.stream, span.1);
            let (Some((low, _)), Some((_, high))) = (low, high) else {
                return true;
            };
            contains((start.saturating_add(low), end.saturating_add(high)), inner.span)
        };
        tying.inner[&copy].as_ref().is_some_and(|inner| inner.iter().all(holds))
    }

    /// What a copy's leg has to hold; `None` if it has none.
    fn inner_of(
        &self,
        claim: ClaimRef,
        window: i64,
        ties: &Ties,
        decisions: &Decisions,
        rivals: &mut Decisions,
    ) -> Option<Vec<Inner>> {
        let io = &self.pool.ios[claim.io];
        if !io.op.goes_to_every_copy() && self.reads_another(claim, window, ties, decisions, rivals) {
            return None;
        }
        let found = self.far_side(claim, window, ties, decisions, rivals);
        // What is not sure of the far side, or only likely, says nothing of the leg.
        if found.unsure || found.by_likelihood {
            return Some(Vec::new());
        }
        // What a drive made of several requests, and what a cache took, is not the copy's own.
        let own = found.cache.is_none() && !found.merged;
        let events = found
            .target
            .iter()
            .chain(found.device.iter().filter(|_| own))
            .map(|&at| &self.pool.events[at]);
        let inner = events.map(|event| Inner {
            stream: event.event.stream,
            tap: event.tap,
            span: interval(event),
        });
        Some(inner.collect())
    }

    /// Whether a read went to another copy of the part, by what was seen at the far sides.
    fn reads_another(
        &self,
        claim: ClaimRef,
        window: i64,
        ties: &Ties,
        decisions: &Decisions,
        rivals: &mut Decisions,
    ) -> bool {
        let seen = |found: &Found| found.target.is_some() || !found.lacks_device();
        if seen(&self.far_side(claim, window, ties, decisions, rivals)) {
            return false;
        }
        let places = &self.pool.ios[claim.io].places.places;
        let part = places[claim.place].part;
        (0..places.len()).any(|place| {
            let other = ClaimRef { io: claim.io, place };
            let is_other = place != claim.place && places[place].part == part;
            is_other && {
                let found = self.far_side(other, window, ties, decisions, rivals);
                seen(&found) && !found.unsure
            }
        })
    }

    /// What was found for a copy at the far side; of one of a later window what would be, if it closed now.
    fn far_side(
        &self,
        claim: ClaimRef,
        window: i64,
        ties: &Ties,
        decisions: &Decisions,
        rivals: &mut Decisions,
    ) -> Found {
        if let Some(found) = decisions.get(&claim).or_else(|| rivals.get(&claim)) {
            return found.clone();
        }
        let claimants = self.consider(claim, window, ties, None).claimants;
        for claimant in claimants {
            rivals.entry(claimant.claim).or_insert(claimant.found);
        }
        rivals.entry(claim).or_default().clone()
    }
}

impl Tying {
    fn new(unplaced: &Unplaced) -> Self {
        let irps: Vec<usize> = unplaced.ties.values().copied().collect();
        let mut tying = Self {
            number: vec![NOTHING; unplaced.copies.len()],
            reached: Vec::new(),
            number_of_leg: vec![NOTHING; unplaced.legs.len()],
            legs: Vec::new(),
            inner: FxHashMap::default(),
            rivals: Decisions::default(),
            tied: vec![false; unplaced.legs.len()],
            sure: FxHashMap::default(),
        };
        if !irps.is_empty() {
            let leg_of: FxHashMap<usize, usize> = (0..unplaced.legs.len())
                .map(|leg| (unplaced.legs[leg].event, leg))
                .collect();
            irps.iter().for_each(|event| tying.tied[leg_of[event]] = true);
            for (copy, of) in unplaced.copies.iter().enumerate() {
                if let Some(event) = unplaced.ties.get(&of.claim) {
                    tying.sure.insert(copy, leg_of[event]);
                }
            }
        }
        tying
    }

    fn reach(&mut self, copy: usize) {
        self.number[copy] = self.reached.len();
        self.reached.push(copy);
    }

    /// The number of a leg, and whether it is reached only now.
    fn reach_leg(&mut self, leg: usize) -> (usize, bool) {
        let is_new = self.number_of_leg[leg] == NOTHING;
        if is_new {
            self.number_of_leg[leg] = self.legs.len();
            self.legs.push(leg);
        }
        (self.number_of_leg[leg], is_new)
    }

    /// One leg a copy. Where there is a choice the first to begin gets the first leg, since a leg is sent soon after its I/O.
    fn assign(&self, unplaced: &Unplaced, edges: &[Vec<usize>]) -> Vec<Assigned> {
        let mut order: Vec<usize> = (0..self.reached.len()).collect();
        order.sort_by_key(|&at| {
            let copy = self.reached[at];
            (unplaced.copies[copy].span, copy)
        });
        assign_pairs(edges.to_vec(), self.legs.len(), order)
    }
}

/// Of each copy whether all that contend for the same legs, directly or through others, have one: then its own is among those
/// that it may have.
fn whole(edges: &[Vec<usize>], legs: usize, assigned: &[Assigned]) -> Vec<bool> {
    let mut links = Links::new(edges.len());
    let mut last: Vec<Option<usize>> = vec![None; legs];
    for (copy, legs) in edges.iter().enumerate() {
        for &leg in legs {
            if let Some(other) = last[leg].replace(copy) {
                links.join(other, copy);
            }
        }
    }
    let mut short = vec![false; edges.len()];
    for (copy, one) in assigned.iter().enumerate() {
        short[links.root(copy)] |= one.inner.is_none();
    }
    (0..edges.len()).map(|copy| !short[links.root(copy)]).collect()
}

impl Unplaced {
    /// Whether, by the initiator alone, a leg is the only one that a copy may have, and no other's.
    fn is_alone(&self, copy: usize, leg: usize) -> bool {
        let done = |&leg: &usize| !self.legs[leg].failed;
        let legs: Few = self.legs_of(copy).filter(done).take(2).collect();
        let copies: Few = self.copies_of(leg).take(2).collect();
        legs[..] == [leg] && copies[..] == [copy]
    }
}
