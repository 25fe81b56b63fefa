//! I/Os that lack legs: in which stretches of an initiator's time they may be missing, and what is learnt of that.

use fathom_model::{Leg, StreamIndex, Tap};

use super::Engine;
use super::bulk::Round;
use super::legs::Built;
use crate::pauses::{Stretches, Tally};
use crate::slowest::lost::Missing;
use crate::slowest::{End, Known, Reply};

impl Engine {
    /// Learns from a window's I/Os where legs are missing. Gives the stretches that are known, with how surely what is missing in
    /// one is missing because of it.
    pub(super) fn learn_stretches(
        &mut self,
        stream: StreamIndex,
        window: i64,
        known: &Known,
        (built, ends): (&[Built], &[Vec<End>]),
        round: Option<&Round>,
    ) -> Stretches {
        if !self.gives(stream, Tap::Initiator) {
            return Stretches::default();
        }
        let cut = self.cut(window);
        let state = &self.streams[&stream];
        let mut stretches = state.pauses.stretches(&state.gaps, cut);
        let mut tally = Tally::default();
        // What is tied by time in a parity tier tells nothing of what was lost.
        let mirrored = built
            .iter()
            .zip(ends)
            .filter(|(one, _)| one.io.places.parity.is_empty());
        for (one, ends) in mirrored {
            let io = (one.io.event.start_unix_nanos, one.io.event.end_unix_nanos());
            let sure = one.legs.iter().zip(&one.doubtful);
            let sure = sure.filter(|(_, doubtful)| doubtful.is_none()).map(|(leg, _)| leg);
            let is_overdue = |until| (sure.clone()).any(|leg: &Leg| known.is_overdue(&Reply::of(leg), until));
            let seen = one.legs.iter().filter(|leg| leg.initiator.is_some()).count() as u32;
            match Missing::of(io, &one.legs, ends) {
                None => tally.add_whole(&stretches, io, seen, is_overdue),
                Some(missing) => {
                    let counts = (seen, missing.count() as u32);
                    tally.add_lacking(&stretches, io, missing.time(), counts, is_overdue);
                }
            }
        }
        if let Some(round) = round {
            tally.merge(&round.tally(&self.workers, stream, known, &stretches));
        }
        let begin = self.span_of(window).start;
        self.stream_mut(stream).pauses.learn(&mut stretches, &tally, begin);
        stretches
    }
}
