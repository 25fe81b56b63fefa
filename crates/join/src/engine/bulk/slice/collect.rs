//! What the claims of a slice have, once all events were looked at.

use std::ops::Range;

use super::super::context::Span;
use super::super::decide::{Bounds, Events, Expected, Sought};
use super::super::tightest::Tightest;
use super::super::{At, Pick};
use super::hot::Scratch;
use super::{Slice, Work};

impl Work<'_> {
    /// What the claims that are to be decided have.
    pub(super) fn collect(&self, deciding: Vec<Range<usize>>, spans: &[Option<Span>], scratch: &mut Scratch) -> Slice {
        let sides = self.context.sides.len();
        let shelves = &self.engine.shelves;
        let mut used: Vec<Vec<At>> = (0..sides).map(|_| shelves.used.take()).collect();
        let mut clocks: Vec<Tightest> = vec![Tightest::default(); sides * sides];
        let mut claims = scratch.claims.as_slice();
        let events = Events::new(self.context, &self.devices, &scratch.events);
        let mut bounds: Vec<(usize, Bounds)> = Vec::new();
        let mut of_side = Vec::with_capacity(sides);
        let places = |side: usize, ios: &Range<usize>| -> usize {
            let ios = &self.deciding[side].ios[ios.clone()];
            ios.iter().map(|io| io.places as usize).sum()
        };
        let all_own: usize = deciding.iter().enumerate().map(|(side, ios)| places(side, ios)).sum();
        // Events that touch others' claims are few beside these.
        let own_events = scratch.events.len();
        used.iter_mut().for_each(|used| used.reserve(own_events / sides));
        for (side, ios) in deciding.into_iter().enumerate() {
            let gathered = &self.deciding[side];
            let own = places(side, &ios);
            let spans_of_side = &spans[side * sides..(side + 1) * sides];
            let expected = Expected::of_nodes(self.context, &self.devices, side, spans_of_side);
            let mut decided = shelves.decided.take();
            decided.first = ios.start;
            decided.decided.reserve(ios.len());
            decided.picks.reserve(own);
            decided
                .seen
                .reserve(own.saturating_mul(own_events).div_ceil(all_own.max(1)));
            for io in &gathered.ios[ios] {
                if self.is_long(io) {
                    decided.decided.push(false);
                    continue;
                }
                bounds.clear();
                let before = (decided.picks.len(), decided.seen.len());
                let own = claims.split_off(..io.places as usize).unwrap_or_default();
                for (place, claim) in gathered.places[io.places()].iter().zip(own) {
                    let sought = Sought { io, place, side };
                    if claim.odd {
                        break;
                    }
                    let Some(one) = events.find(&sought, claim.seen, &expected) else {
                        break;
                    };
                    let far = one.far;
                    let mut note = |number: u32, of: usize| {
                        let event = events.get(number);
                        if let Some(event) = event {
                            used[of].push(event.at);
                            decided.seen.push(event.observation(self.context.sides[of].stream));
                        }
                        event.is_some()
                    };
                    let [leg, target, device] = claim.seen;
                    let seen = [note(leg, side), note(target, far), note(device, far)];
                    decided.picks.push(Pick {
                        far: far as u16,
                        seen,
                        has_clock: false,
                        candidate: false,
                    });
                    if let Some(one) = one.bounds {
                        bounds.push((far, one));
                    }
                }
                let all = io.whole && io.places > 0 && decided.picks.len() - before.0 == io.places as usize;
                decided.decided.push(all);
                if !all {
                    // What was found of some of its places is not its own as long as the others are open.
                    for pick in decided.picks.drain(before.0..) {
                        for (seen, of) in pick.seen.into_iter().zip([side, pick.far.into(), pick.far.into()]) {
                            let left = used[of].len() - usize::from(seen);
                            used[of].truncate(left);
                        }
                    }
                    decided.seen.truncate(before.1);
                    continue;
                }
                for &(far, (upper, lower)) in &bounds {
                    clocks[side * sides + far].add(upper, lower);
                }
            }
            of_side.push(decided);
        }
        let clocks = clocks
            .into_iter()
            .enumerate()
            .filter(|(_, tightest)| !tightest.is_empty());
        Slice {
            of_side,
            used,
            clocks: clocks
                .map(|(pair, tightest)| (pair / sides, pair % sides, tightest))
                .collect(),
        }
    }
}
