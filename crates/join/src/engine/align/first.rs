//! First votes on the clocks of pairs: they change nothing, so that those of all pairs are held side by side.

use fathom_model::{StreamIndex, Tap};
use rustc_hash::FxHashMap;

use super::{Requests, SAMPLES};
use crate::clock::{Constraints, Search};
use crate::engine::Engine;

/// The first vote of a pair, held before it is asked for.
#[derive(Debug)]
pub(in crate::engine) struct FirstVote {
    /// What was looked at completed before this on the initiator's and on the far clock.
    pub(super) until: (i64, i64),
    pub(super) requests: Requests,
    pub(super) first: Option<Constraints>,
}

impl Engine {
    /// The first vote of an alignment: it changes nothing.
    pub(super) fn hold_vote(&self, stream: StreamIndex, far: StreamIndex, until: (i64, i64)) -> FirstVote {
        let requests = self.requests(stream, self.streams[&far].node, until.0);
        let first = self.vote_by(stream, far, until.1, &requests, SAMPLES[0], &FxHashMap::default());
        FirstVote { until, requests, first }
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
        let votes = self.workers.map(due.len(), |at| {
            let (stream, far, until) = due[at];
            self.hold_vote(stream, far, until)
        });
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
