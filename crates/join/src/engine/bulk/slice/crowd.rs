//! Claims of a slice that are so many with one key that an event must not look at all of them.

use smallvec::SmallVec;

use super::super::claim::of_sides;
use super::hot::{Hot, Met};
use crate::assign::Interval;
use crate::overlaps::Overlaps;

/// Claims with one hash, by key: nearly always it is one.
#[derive(Debug)]
pub(super) struct Crowd {
    of_keys: SmallVec<[OfKey; 1]>,
}

/// Claims with one key.
#[derive(Debug)]
struct OfKey {
    node: u32,
    offset: u64,
    far: Members,
    /// Of each initiator's side that has claims.
    own: SmallVec<[(u16, Members); 1]>,
}

/// Claims by where their events must lie.
#[derive(Debug)]
struct Members {
    /// Their numbers in the slice.
    claims: Vec<u32>,
    spans: Overlaps,
    /// The same without those that something is known to speak against.
    clean: Overlaps,
}

impl Members {
    fn new(claims: Vec<u32>, spans: &[Interval]) -> Self {
        Self {
            claims,
            spans: Overlaps::new(spans),
            clean: Overlaps::new(spans),
        }
    }
}

impl Crowd {
    /// Of claims with these numbers.
    pub(super) fn new(mut numbers: Vec<u32>, claims: &[Hot]) -> Self {
        let key = |number: u32| {
            let claim = &claims[number as usize];
            (claim.node, claim.offset)
        };
        numbers.sort_unstable_by_key(|&number| (key(number), number));
        let of_keys = numbers.chunk_by(|&a, &b| key(a) == key(b)).map(|numbers| {
            let (node, offset) = key(numbers[0]);
            let all = || numbers.iter().map(|&number| &claims[number as usize]);
            let far: Vec<Interval> = all().map(|claim| claim.far).collect();
            let own = of_sides(all().map(|claim| (claim.side, claim.own)));
            let own = own.into_iter().map(|(side, spans)| {
                let of_side = numbers.iter().copied();
                let of_side = of_side.filter(|&number| claims[number as usize].side == side);
                (side, Members::new(of_side.collect(), &spans))
            });
            OfKey {
                node,
                offset,
                far: Members::new(numbers.to_vec(), &far),
                own: own.collect(),
            }
        });
        Self {
            of_keys: of_keys.collect(),
        }
    }

    fn members(&mut self, (node, offset): (u32, u64), met: &Met) -> Option<&mut Members> {
        let of_key = self
            .of_keys
            .iter_mut()
            .find(|of| (of.node, of.offset) == (node, offset))?;
        match met.leg_of {
            None => Some(&mut of_key.far),
            Some(side) => of_key.own.iter_mut().find(|of| of.0 == side).map(|of| &mut of.1),
        }
    }

    /// Claims with a key that an event touches.
    pub(super) fn touched(&mut self, key: (u32, u64), met: &Met) -> impl Iterator<Item = u32> + '_ {
        let span = met.span;
        let members = self.members(key, met);
        members
            .into_iter()
            .flat_map(move |of| of.spans.touching(span).map(|at| of.claims[at]))
    }

    /// Gives the claims with a key that an event touches to `odd`. It is told of none a second time: what speaks against a claim once
    /// does for good, and so all events together look at each claim once.
    pub(super) fn speak_against(&mut self, key: (u32, u64), met: &Met, mut odd: impl FnMut(u32)) {
        if let Some(of) = self.members(key, met) {
            of.clean.take_touching(met.span, |at| odd(of.claims[at]));
        }
    }
}
