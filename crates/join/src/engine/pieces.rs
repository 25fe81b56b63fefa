//! Requests that a drive split: no event has their length, but a row of events covers them.

use fathom_model::{Op, StreamIndex, Tap};
use rustc_hash::FxHashSet;

use super::Engine;
use super::resolve::{Claimant, Decisions, Found, contains, interval};
use crate::assign::Interval;
use crate::layout::Place;
use crate::pool::ClaimRef;

impl Engine {
    /// Looks for the pieces into which a drive split the requests of claims that have no device event of their own
    /// length. Runs after all whole requests have found theirs.
    pub(super) fn find_pieces(&self, decisions: &mut Decisions, order: &[ClaimRef], cut: i64) {
        let of_others = decisions.values().flat_map(|found| found.device.iter().copied());
        let mut used: FxHashSet<usize> = of_others.collect();
        for claim in order {
            let io = &self.pool.ios[claim.io];
            let place = io.places.places[claim.place];
            let Some(found) = decisions.get(claim).filter(|found| found.device.is_empty()) else {
                continue;
            };
            if io.op == Op::Flush {
                continue;
            }
            let claimant = self.claimant(*claim, found);
            let streams = self.far_streams(io.op, &place, claimant.stream, cut);
            let row = streams.into_iter().find_map(|far| {
                let outer = self.far_interval(&claimant, far, Tap::Device)?;
                self.pieces(io.op, &place, far, outer, &used)
            });
            let Some(pieces) = row else { continue };
            let rivals = self.has_rivals(&claimant, &pieces, decisions, cut);
            used.extend(&pieces);
            let found = decisions.entry(*claim).or_default();
            found.device = pieces;
            found.unsure |= rivals;
            found.confidence *= if rivals { 0.5 } else { 1.0 };
        }
    }

    pub(super) fn claimant(&self, claim: ClaimRef, found: &Found) -> Claimant {
        let io = &self.pool.ios[claim.io];
        let whole = (io.event.start_unix_nanos, io.event.end_unix_nanos());
        let leg = found.initiator.map(|at| interval(&self.pool.events[at]));
        Claimant {
            number: 0,
            claim,
            place: io.places.places[claim.place],
            stream: io.event.stream,
            outer: leg.unwrap_or(whole),
            outer_tap: if leg.is_some() { Tap::Initiator } else { Tap::Volume },
            found: found.clone(),
        }
    }

    /// A row of events that cover a request without a gap, each the only possible one that is not yet another's.
    fn pieces(
        &self,
        op: Op,
        place: &Place,
        far: StreamIndex,
        outer: Interval,
        used: &FxHashSet<usize>,
    ) -> Option<Vec<usize>> {
        let mut pieces = Vec::new();
        let mut at = place.offset;
        let end = place.offset + place.length;
        while at < end {
            let mut candidates = self.pool.far(op, place.disk, at).filter(|event| {
                let piece = &self.pool.events[*event];
                let fits = piece.tap == Tap::Device && piece.length < place.length && at + piece.length <= end;
                let free = piece.event.stream == far && !used.contains(event);
                fits && free && piece.length > 0 && contains(outer, interval(piece))
            });
            let (Some(piece), None) = (candidates.next(), candidates.next()) else {
                return None;
            };
            pieces.push(piece);
            at += self.pool.events[piece].length;
        }
        Some(pieces)
    }

    /// Whether another I/O could have one of the pieces: as a request of that length, or as a piece of the same request made
    /// again. Those of this window have had their choice of whole requests, and contest what they were not sure of.
    fn has_rivals(&self, claimant: &Claimant, pieces: &[usize], decisions: &Decisions, cut: i64) -> bool {
        let op = self.pool.ios[claimant.claim.io].op;
        pieces.iter().any(|&piece| {
            let event = &self.pool.events[piece];
            let as_whole = Place {
                offset: event.offset,
                length: event.length,
                ..claimant.place
            };
            let undecided = |claim: &ClaimRef| !decisions.contains_key(claim);
            let without = |claim: &ClaimRef| decisions.get(claim).is_none_or(|found| found.device.is_empty());
            let could_have = |claim: ClaimRef| {
                let nothing = Found::default();
                let other = self.claimant(claim, decisions.get(&claim).unwrap_or(&nothing));
                let outer = self.far_interval(&other, event.event.stream, Tap::Device);
                let ended = self.pool.ios[claim.io].event.end_unix_nanos() < cut;
                claim != claimant.claim && ended && outer.is_some_and(|outer| contains(outer, interval(event)))
            };
            let mut whole = self.pool.claims(op, &as_whole).filter(undecided);
            let mut again = self.pool.claims(op, &claimant.place).filter(without);
            event.contested || whole.any(could_have) || again.any(could_have)
        })
    }
}
