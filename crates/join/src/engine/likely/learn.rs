//! How long the steps of legs take is learnt before it is made use of: from what is sure, and then from all legs as they are likely
//! to be.

use fathom_model::{Op, StreamIndex, Tap};
use rustc_hash::FxHashSet;

use super::super::Engine;
use super::super::bulk::Round;
use super::super::parity::ParityLegs;
use super::super::resolve::{Decisions, Ties};
use crate::delays::{Samples, Usual};
use crate::pool::ClaimRef;

/// Of more I/Os than this in a window a part is learnt from.
const SAMPLE: usize = 2048;

impl Engine {
    /// Learns from a window's I/Os, as far as they are sure, how long the steps of legs take, and then decides the places of the
    /// claims that more than one assignment is possible for.
    pub(in crate::engine) fn resolve_by_likelihood(
        &mut self,
        (stream, window): (StreamIndex, i64),
        ios: &[usize],
        open: &[ClaimRef],
        decisions: &mut Decisions,
        (round, ties): (Option<&Round>, &Ties),
    ) {
        let all = ios.len() + round.map_or(0, |round| round.count(stream));
        let one_in = all.div_ceil(SAMPLE).max(1) as u64;
        let mut samples = Samples::default();
        // An I/O with an open leg is here whichever way the others are decided; those alone can be learnt from again.
        let mut unsettled = Vec::new();
        let mut sampled = Vec::new();
        for &at in ios {
            let io = &self.pool.ios[at];
            // Of what is in a parity tier too the last end is not known here.
            let mirrored = matches!(io.op, Op::Write | Op::Unmap) && io.places.parity.is_empty();
            if is_sampled(io.event.ordinal, one_in) && mirrored {
                sampled.push(at);
                let built = self.build(at, decisions, ParityLegs::default());
                if built.legs.iter().any(|leg| leg.ambiguous) {
                    unsettled.push(at);
                }
                let span = (io.event.start_unix_nanos, io.event.end_unix_nanos());
                samples.observe(io.op, span, &built.legs, false);
            }
        }
        let mut in_bulk = Samples::default();
        if let Some(round) = round {
            let wanted = |ordinal| is_sampled(ordinal, one_in);
            round.delays(&self.workers, stream, wanted, &mut in_bulk);
        }
        samples.merge(if open.is_empty() {
            std::mem::take(&mut in_bulk)
        } else {
            in_bulk.clone()
        });
        let mut usual = Usual::default();
        let before = self.delays.entry(stream).or_default().clone();
        self.delays.entry(stream).or_default().learn(samples, &mut usual);
        if open.is_empty() {
            return;
        }
        let delays = self.delays.entry(stream).or_default().clone();
        let mut by_order = self.samples(&unsettled, decisions, true);
        let lacks = delays.lacks_any(&by_order, &usual);
        // Where of some steps next to nothing was sure, what order says of them is mostly right, or else so spread that it decides
        // nothing; and what it decides shows them as they are.
        if !lacks || self.is_whole(open, decisions) {
            if lacks {
                delays.only_lacking(&mut by_order, &usual);
                let mut begun = delays;
                begun.learn(by_order, &mut usual);
                self.delays.insert(stream, begun);
            }
            // Legs that are sure are rather the short ones of their kind, since less contends with them. So how long steps take is
            // learnt again from all legs, those that are open as often as they are likely to be so long.
            let likely = self.likely(open, (stream, window), ties, usual, true);
            let mut drawn = decisions.clone();
            self.resolve_all(open, (window, ties), &mut drawn, &likely);
            let mut samples = self.samples(&sampled, &drawn, true);
            samples.merge(in_bulk);
            usual = Usual::default();
            let mut learnt = before;
            learnt.learn(samples, &mut usual);
            self.delays.insert(stream, learnt);
        }
        let likely = self.likely(open, (stream, window), ties, usual, false);
        let resolved = self.resolve_all(open, (window, ties), decisions, &likely);
        resolved.iter().for_each(|resolved| self.contest(resolved));
    }

    /// Whether every claim on an open place has what is to be expected of it. Where an event is not there, order may be shifted
    /// from then on, and all that it says wrong in the same way.
    fn is_whole(&self, open: &[ClaimRef], decisions: &Decisions) -> bool {
        let place = |claim: &ClaimRef| {
            let io = &self.pool.ios[claim.io];
            let place = io.places.places[claim.place];
            (io.op, place.disk, place.offset, place.length)
        };
        let places: FxHashSet<_> = open.iter().map(place).collect();
        decisions
            .iter()
            .filter(|(claim, _)| places.contains(&place(claim)))
            .all(|(claim, found)| {
                let io = &self.pool.ios[claim.io];
                let local = io.places.places[claim.place].node == io.node;
                // Legs without an offset are tied later.
                let stream = io.event.stream;
                let gives_legs = self.gives(stream, Tap::Initiator) && !self.has_unplaced(stream);
                let has_leg = local || !gives_legs || found.initiator.is_some();
                has_leg && (found.target.is_some() || !found.lacks_device())
            })
    }

    /// What I/Os in the pool show of how long steps take, as far as it is decided, or also as order has it.
    fn samples(&self, ios: &[usize], decisions: &Decisions, open: bool) -> Samples {
        let mut samples = Samples::default();
        for &at in ios {
            let io = &self.pool.ios[at].event;
            let built = self.build(at, decisions, ParityLegs::default());
            let span = (io.start_unix_nanos, io.end_unix_nanos());
            samples.observe(built.io.op, span, &built.legs, open);
        }
        samples
    }
}

/// Whether an I/O is learnt from, one in so many: by ordinal alone, so that it does not matter which way it was decided.
const fn is_sampled(ordinal: u64, one_in: u64) -> bool {
    (ordinal.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).is_multiple_of(one_in)
}
