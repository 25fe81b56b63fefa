//! Votes on the clocks of pairs. The first ones change nothing, so that those of all pairs are held side by side.

use std::collections::BTreeSet;

use fathom_model::{DiskIndex, StreamIndex, Tap};
use rustc_hash::FxHashMap;

use super::{Requests, SAMPLES};
use crate::clock::vote::vote;
use crate::clock::{Constraints, Search};
use crate::engine::Engine;
use crate::engine::bulk::Gathered;

/// The first vote of a pair, held before it is asked for.
#[derive(Debug)]
pub(in crate::engine) struct FirstVote {
    /// What was looked at completed before this on the initiator's and on the far clock.
    pub(super) until: (i64, i64),
    pub(super) first: Option<Constraints>,
}

impl Engine {
    /// Holds a vote over everything that completed before one time on the initiator's clock, and before another on the far one.
    pub(super) fn try_alignment(
        &mut self,
        stream: StreamIndex,
        far: StreamIndex,
        (until, far_until): (i64, i64),
    ) -> bool {
        let held = self.first_votes.remove(&(stream, far));
        let held = held.filter(|held| held.until == (until, far_until));
        let held = held.unwrap_or_else(|| self.hold_vote(stream, far, (until, far_until), None));
        if held
            .first
            .is_some_and(|constraints| self.start(stream, far, constraints))
        {
            return true;
        }
        let requests = self.requests(stream, self.streams[&far].node, until);
        if self.align_by(stream, far, far_until, &requests, &FxHashMap::default(), true) {
            return true;
        }
        // Perhaps the far side shows other offsets than the map.
        let tap = self.far_tap(far);
        let (shifts, mistaken) = self.shifts_without_clocks(far, tap, far_until, &requests.places);
        for (disk, shows) in mistaken {
            self.shifts.note_mistaken(disk, tap, shows);
        }
        shifts.values().any(|&bytes| bytes != 0) && self.align_by(stream, far, far_until, &requests, &shifts, false)
    }

    /// Begins a pair's clock with what a vote said; false where it does not hold.
    fn start(&mut self, stream: StreamIndex, far: StreamIndex, constraints: Constraints) -> bool {
        let clock = self.clocks.entry((stream, far)).or_default();
        clock.start(&self.config, constraints);
        clock.is_aligned()
    }

    /// Holds a vote on requests and on services before `until` that are shifted by so much more than is known of each disk. Of a vote
    /// that has begun the first sample was looked at.
    fn align_by(
        &mut self,
        stream: StreamIndex,
        far: StreamIndex,
        until: i64,
        requests: &Requests,
        shifts: &FxHashMap<DiskIndex, i64>,
        is_begun: bool,
    ) -> bool {
        let mut looked_at = 0;
        for most in SAMPLES {
            // A larger sample of the same is no other.
            let one_in = requests.one_in(most);
            if one_in == looked_at {
                break;
            }
            looked_at = one_in;
            if is_begun && most == SAMPLES[0] {
                continue;
            }
            let constraints = self.vote_by(stream, far, until, requests, most, shifts);
            if constraints.is_some_and(|constraints| self.start(stream, far, constraints)) {
                return true;
            }
        }
        false
    }

    /// What a sample of requests, of about so many I/Os, says of a pair's clock.
    fn vote_by(
        &self,
        stream: StreamIndex,
        far: StreamIndex,
        until: i64,
        requests: &Requests,
        most: usize,
        shifts: &FxHashMap<DiskIndex, i64>,
    ) -> Option<Constraints> {
        let one_in = requests.one_in(most);
        vote(
            &self.config,
            self.candidates(stream, far, until, &requests.places, one_in, shifts),
        )
    }

    /// The first vote of an alignment: it changes nothing.
    pub(super) fn hold_vote(
        &self,
        stream: StreamIndex,
        far: StreamIndex,
        until: (i64, i64),
        waiting: Option<&Gathered>,
    ) -> FirstVote {
        let node = self.streams[&far].node;
        let requests = self.sampled_requests(stream, node, until.0, (SAMPLES[0], waiting));
        let first = self.vote_by(stream, far, until.1, &requests, SAMPLES[0], &FxHashMap::default());
        FirstVote { until, first }
    }

    /// Holds the first votes of all pairs that are due for a window, side by side.
    pub(in crate::engine) fn hold_first_votes(&mut self, window: i64, streams: &[StreamIndex]) {
        let mut due = Vec::new();
        for &stream in streams {
            for node in self.copy_nodes(window, stream) {
                let others = self.lives(node).iter().filter(|&&far| far != stream);
                due.extend(others.filter_map(|&far| Some((stream, far, self.first_vote_until(stream, far, window)?))));
            }
        }
        // What an initiator asked of all nodes is looked up once.
        let own: BTreeSet<(StreamIndex, i64)> = due.iter().map(|&(stream, _, until)| (stream, until.0)).collect();
        let own: Vec<(StreamIndex, i64)> = own.into_iter().collect();
        let waiting = self
            .workers
            .map(own.len(), |at| self.waiting_until(own[at].0, own[at].1));
        let votes = self.workers.map(due.len(), |at| {
            let (stream, far, until) = due[at];
            let known = own.binary_search(&(stream, until.0)).ok().map(|at| &waiting[at]);
            self.hold_vote(stream, far, until, known)
        });
        waiting.into_iter().for_each(|waiting| self.shelve_gathered(waiting));
        let pairs = due.iter().map(|&(stream, far, _)| (stream, far));
        self.first_votes = pairs.zip(votes).collect();
    }

    /// Over what a first vote of a pair will be held now: see [`Self::search`].
    fn first_vote_until(&self, stream: StreamIndex, far: StreamIndex, window: i64) -> Option<(i64, i64)> {
        let sees = self.gives(far, Tap::Target) || self.gives(far, Tap::Device);
        let clock = self.clocks.get(&(stream, far));
        if !sees || self.is_over(far) || clock.is_some_and(|clock| clock.is_aligned() && !clock.is_linked()) {
            return None;
        }
        let (base, attempt) = match clock.map_or(Search::Idle, |clock| clock.search) {
            Search::Idle => (window.saturating_mul(self.config.window_nanos), 0),
            Search::Waiting { base, attempt } => (base, attempt),
            Search::GivenUp => return None,
        };
        let span = (self.config.window_nanos << (attempt + 1)).min(self.config.hold_nanos);
        let (until, far_until) = (base.saturating_add(span), self.first_of(far, base).saturating_add(span));
        let heard = self.heard_of(self.streams[&stream].node) >= until;
        (heard && self.heard_of(self.streams[&far].node) >= far_until).then_some((until, far_until))
    }
}
