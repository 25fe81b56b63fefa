//! Requests that a drive split: no event has their length, but a row of events covers them.

use fathom_model::{DiskIndex, Op, StreamIndex, Tap};
use rustc_hash::{FxHashMap, FxHashSet};

use super::Engine;
use super::resolve::{Claimant, Decisions, Found, interval};
use crate::assign::Interval;
use crate::layout::Place;
use crate::overlaps::Overlaps;
use crate::pool::ClaimRef;

impl Engine {
    /// Looks for the pieces into which a drive split the requests of claims that have no device event of their own
    /// length. Runs after all whole requests have found theirs.
    pub(super) fn find_pieces(&self, decisions: &mut Decisions, order: &[ClaimRef], cut: i64) {
        let mut used: FxHashSet<usize> = decisions.values().flat_map(Found::at_drive).collect();
        // The same for all claims on a place.
        let mut streams_of: FxHashMap<(Op, DiskIndex, u64), Vec<StreamIndex>> = FxHashMap::default();
        let mut rivals_on = Rivals::default();
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
            let streams = streams_of
                .entry((io.op, place.disk, place.offset))
                .or_insert_with(|| self.far_streams(io.op, &place, claimant.stream, cut));
            let row = streams.iter().find_map(|&far| {
                let outer = self.far_interval(&claimant, far, Tap::Device)?;
                self.pieces(io.op, &place, far, outer, &used)
            });
            let Some(pieces) = row else { continue };
            let rivals = self.has_rivals(&claimant, &pieces, decisions, (&mut rivals_on, cut));
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
            let mut candidates = self.pool.far_within(op, place.disk, at, outer).filter(|event| {
                let piece = &self.pool.events[*event];
                let fits = piece.tap == Tap::Device && piece.length < place.length && at + piece.length <= end;
                let free = piece.event.stream == far && !used.contains(event);
                fits && free && piece.length > 0
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
    fn has_rivals(
        &self,
        claimant: &Claimant,
        pieces: &[usize],
        decisions: &Decisions,
        (rivals, cut): (&mut Rivals, i64),
    ) -> bool {
        let op = self.pool.ios[claimant.claim.io].op;
        pieces.iter().any(|&piece| {
            let event = &self.pool.events[piece];
            let far = event.event.stream;
            let as_whole = Place {
                offset: event.offset,
                length: event.length,
                ..claimant.place
            };
            let undecided = |claim: &ClaimRef| !decisions.contains_key(claim);
            let without = |claim: &ClaimRef| decisions.get(claim).is_none_or(|found| found.device.is_empty());
            let other = |claim: &ClaimRef| *claim != claimant.claim;
            event.contested
                || rivals
                    .on(self, (op, &as_whole), far, (decisions, cut))
                    .that_may_have(interval(event))
                    .any(|claim| other(&claim) && undecided(&claim))
                || rivals
                    .on(self, (op, &claimant.place), far, (decisions, cut))
                    .that_may_have(interval(event))
                    .any(|claim| other(&claim) && without(&claim))
        })
    }
}

/// Who claims places, and where their drives' events must lie. What a claim's leg and target's event are does not change while pieces
/// are looked for, so that this is looked up once a place.
#[derive(Default)]
pub(super) struct Rivals {
    of: FxHashMap<(Op, DiskIndex, u64, u64, StreamIndex), OnPlace>,
}

pub(super) struct OnPlace {
    claims: Vec<ClaimRef>,
    outers: Overlaps,
}

impl Rivals {
    pub(super) fn on(
        &mut self,
        engine: &Engine,
        (op, place): (Op, &Place),
        far: StreamIndex,
        (decisions, cut): (&Decisions, i64),
    ) -> &OnPlace {
        let key = (op, place.disk, place.offset, place.length, far);
        self.of.entry(key).or_insert_with(|| {
            let nothing = Found::default();
            let (mut claims, mut outers) = (Vec::new(), Vec::new());
            for claim in engine.pool.claims(op, place) {
                let claimant = engine.claimant(claim, decisions.get(&claim).unwrap_or(&nothing));
                let ended = engine.pool.ios[claim.io].event.end_unix_nanos() < cut;
                if let Some(outer) = engine.far_interval(&claimant, far, Tap::Device).filter(|_| ended) {
                    claims.push(claim);
                    outers.push(outer);
                }
            }
            OnPlace {
                claims,
                outers: Overlaps::new(&outers),
            }
        })
    }
}

impl OnPlace {
    /// The claims in whose time an event lies.
    pub(super) fn that_may_have(&self, event: Interval) -> impl Iterator<Item = ClaimRef> + '_ {
        self.outers.holding(event).map(|number| self.claims[number])
    }
}
