//! Which claims have exactly the events that they should, and no rival for any of them.
//!
//! All claims and events with one (node, offset) meet in one part. An event *touches* a claim when it lies, even partly, in the
//! time in which the claim's events must lie. A claim is clean when each event that touches it touches no other claim, and
//! they are just the ones that are expected and fit. So no other assignment is possible, whatever else has the same key:
//! deciding all of them together could give nothing else.

use fathom_model::{DiskIndex, Tap, VolumeIndex};

use super::context::Context;
use super::{At, Claim, Event, Kind, NOTHING, Picked, Seen};
use crate::assign::Interval;
use crate::pool::Pool;

/// The claims and events of one part of the keys.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) claims: Vec<Claim>,
    pub(super) events: Vec<Event>,
    heads: Vec<u32>,
    next: Vec<u32>,
    states: Vec<State>,
    /// Of each event the one claim that it touches, `NOBODY` or `SEVERAL`.
    owners: Vec<u32>,
}

/// What touches a claim.
#[derive(Clone, Copy, Debug)]
struct State {
    leg: u32,
    target: u32,
    device: u32,
    /// Something speaks against it.
    odd: bool,
}

const NOBODY: u32 = u32::MAX;
const SEVERAL: u32 = u32::MAX - 1;

const FRESH: State = State {
    leg: NOTHING,
    target: NOTHING,
    device: NOTHING,
    odd: false,
};

/// The events of a place, by their numbers in the part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) slot: u32,
    events: [u32; 3],
    far: u16,
}

/// A multiplicative hash; the high bits are good.
pub(super) const fn hash(node: u32, offset: u64) -> u64 {
    (offset ^ ((node as u64) << 50)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Whether an event lies, even partly, where a claim's must.
pub(super) fn touches(claim: &Claim, event: &Event) -> bool {
    let (from, until) = if event.tap == Tap::Initiator {
        if claim.side != event.side {
            return false;
        }
        claim.own()
    } else {
        claim.far
    };
    event.start <= until && event.end >= from
}

impl Part {
    /// Empties it for another round.
    pub(super) fn clear(&mut self) {
        self.claims.clear();
        self.events.clear();
    }

    /// Finds who touches whom.
    pub(super) fn tie(&mut self) {
        let size = (self.claims.len() * 2).next_power_of_two().max(16);
        let shift = 40 - size.trailing_zeros();
        // The bits above chose the part; those below choose the place in it.
        let slot = |node: u32, offset: u64| ((hash(node, offset) >> shift) as usize) & (size - 1);
        self.heads.clear();
        self.heads.resize(size, NOTHING);
        self.next.clear();
        for (at, claim) in self.claims.iter().enumerate() {
            let head = &mut self.heads[slot(claim.node, claim.offset)];
            self.next.push(*head);
            *head = at as u32;
        }
        self.states.clear();
        self.states.resize(self.claims.len(), FRESH);
        self.owners.clear();
        for (at, event) in self.events.iter().enumerate() {
            let mut owner = NOBODY;
            let mut claim = self.heads[slot(event.node, event.offset)];
            while claim != NOTHING {
                let other = &self.claims[claim as usize];
                if other.offset == event.offset && other.node == event.node && touches(other, event) {
                    if owner == NOBODY {
                        owner = claim;
                    } else {
                        if owner != SEVERAL {
                            self.states[owner as usize].odd = true;
                            owner = SEVERAL;
                        }
                        self.states[claim as usize].odd = true;
                    }
                }
                claim = self.next[claim as usize];
            }
            self.owners.push(owner);
            if owner < SEVERAL {
                let state = &mut self.states[owner as usize];
                let seen = match event.tap {
                    Tap::Initiator => &mut state.leg,
                    Tap::Target => &mut state.target,
                    _ => &mut state.device,
                };
                state.odd |= *seen != NOTHING;
                *seen = at as u32;
            }
        }
    }

    /// What the clean claims of I/Os that are to be decided have.
    pub(super) fn all_found(&self, context: &Context) -> Vec<Found> {
        let mut all = Vec::with_capacity(self.claims.len());
        let deciding = (0..self.claims.len()).filter(|&at| self.claims[at].kind == Kind::Deciding);
        all.extend(deciding.filter_map(|at| self.found(at, context)));
        all
    }

    /// The events of what was found.
    pub(super) fn picked(&self, found: &Found) -> Picked {
        let seen = |at: u32| self.events.get(at as usize).map_or(Seen::NONE, Seen::of);
        Picked {
            seen: found.events.map(seen),
            far: found.far,
        }
    }

    /// What a claim of an I/O that is to be decided has, if it is clean.
    fn found(&self, at: usize, context: &Context) -> Option<Found> {
        let (claim, state) = (&self.claims[at], self.states[at]);
        if state.odd || claim.odd {
            return None;
        }
        let own = &context.sides[usize::from(claim.side)];
        let far_at = context.far(claim.node)?;
        let far = &context.sides[far_at];
        let local = own.node == far.node;
        let event = |at: u32| (at != NOTHING).then(|| &self.events[at as usize]);
        let fits = |event: &Event| event.op == claim.op && event.length == claim.length;
        let start = claim.start.max(claim.end.saturating_sub(context.longest_io_nanos));
        let (mut outer, mut outer_tap) = ((start, claim.end), Tap::Volume);

        let leg = event(state.leg);
        if leg.is_some() != (!local && own.gives(Tap::Initiator)) {
            return None;
        }
        if let Some(leg) = leg {
            let slack = own.resolution(Tap::Initiator) + own.resolution(Tap::Volume);
            let disk = leg.disk == NOTHING || leg.disk == claim.disk;
            let copy = leg.copy.is_none_or(|copy| copy == (claim.volume, claim.copy));
            if leg.status != 0 || !fits(leg) || !disk || !copy || !inside(widen(outer, slack), leg) {
                return None;
            }
            outer = (leg.start, leg.end);
            outer_tap = Tap::Initiator;
        }
        let within = |tap: Tap| -> Option<Interval> {
            let slack = own.resolution(outer_tap) + far.resolution(tap);
            let (start, end) = widen(outer, slack);
            let low = context.offset(usize::from(claim.side), far_at, outer.0)?.0;
            let high = context.offset(usize::from(claim.side), far_at, outer.1)?.1;
            Some((start.saturating_add(low), end.saturating_add(high)))
        };
        let right = |event: &Event| usize::from(event.side) == far_at && event.disk == claim.disk && fits(event);

        let target = event(state.target);
        // A local copy does not cross the bus: it may have a target event, where there are such, and need not.
        let expected = far.gives(Tap::Target);
        if target.is_some() != expected && !(local && expected) {
            return None;
        }
        if let Some(target) = target
            && !(right(target) && inside(within(Tap::Target)?, target))
        {
            return None;
        }
        let device = event(state.device);
        // A drive that nobody sees is no loss where the node sees its targets.
        if device.is_some() != far.gives(Tap::Device) || (device.is_none() && target.is_none()) {
            return None;
        }
        if let Some(device) = device {
            let bounds = match target {
                Some(target) => {
                    let slack = far.resolution(Tap::Target) + far.resolution(Tap::Device);
                    widen((target.start, target.end), slack)
                }
                None => within(Tap::Device)?,
            };
            if !(right(device) && inside(bounds, device)) {
                return None;
            }
        }
        Some(Found {
            slot: claim.slot,
            events: [state.leg, state.target, state.device],
            far: far_at as u16,
        })
    }

    /// A disk that answered a request with an event for a part of it, or for more than it, if there is one among what is not
    /// decided.
    pub(super) fn splits(&self, decided: &[bool], pool: &Pool) -> Option<u32> {
        let here = self.events.iter().find(|event| {
            let part = |claim: &Claim| {
                let shorter = claim.disk == event.disk && event.length < claim.length;
                shorter && undecided(claim, decided)
            };
            // For more than a request of a later window as well: this one's may have a part in it.
            let whole = |claim: &Claim| {
                let longer = claim.disk == event.disk && event.length > claim.length;
                longer && (claim.kind == Kind::Rival || undecided(claim, decided))
            };
            let exactly = || self.claims_of(event).any(|claim| claim.length == event.length);
            let device = event.tap == Tap::Device;
            device && (self.claims_of(event).any(part) || (self.claims_of(event).any(whole) && !exactly()))
        });
        let in_pool = |claim: &&Claim| {
            let mut far = pool
                .far_at(DiskIndex(claim.disk), claim.offset)
                .map(|at| &pool.events[at]);
            (claim.kind == Kind::Rival || undecided(claim, decided))
                && far.any(|event| event.tap == Tap::Device && event.length != u64::from(claim.length))
        };
        here.map(|event| event.disk)
            .or_else(|| self.claims.iter().find(in_pool).map(|claim| claim.disk))
    }

    /// What has to leave the lane for the pool, given which of the I/Os were decided: events that touch nothing that is still
    /// to come or was not decided. Also the keys for which somebody who is not decided yet contends.
    pub(super) fn leftovers(&self, decided: &[bool], until: impl Fn(&Event) -> i64) -> Leftovers {
        let mut leftovers = Leftovers::default();
        let undecided = |claim: &Claim| undecided(claim, decided);
        for claim in self
            .claims
            .iter()
            .filter(|claim| claim.kind == Kind::Rival && claim.odd)
        {
            leftovers.keys.push((claim.node, claim.offset));
        }
        for (event, &owner) in self.events.iter().zip(&self.owners) {
            let (mut any, mut rival) = (false, false);
            match owner {
                NOBODY => any = event.end <= until(event),
                SEVERAL => {
                    for claim in self.claims_of(event) {
                        any |= undecided(claim);
                        rival |= claim.kind == Kind::Rival;
                    }
                }
                owner => {
                    let claim = &self.claims[owner as usize];
                    if claim.kind == Kind::Deciding && decided[claim.io as usize] {
                        leftovers.used.push((event.side, event.at));
                        continue;
                    }
                    any = undecided(claim);
                }
            }
            if any && rival {
                leftovers.keys.push((event.node, event.offset));
            }
            if any {
                leftovers.events.push((event.side, event.at));
            }
        }
        leftovers
    }

    fn claims_of<'a>(&'a self, event: &'a Event) -> impl Iterator<Item = &'a Claim> + 'a {
        self.with_key(event.node, event.offset)
            .filter(|claim| touches(claim, event))
    }

    fn with_key(&self, node: u32, offset: u64) -> impl Iterator<Item = &Claim> + '_ {
        let size = self.heads.len();
        let shift = 40 - size.trailing_zeros();
        let mut at = self.heads[((hash(node, offset) >> shift) as usize) & (size - 1)];
        std::iter::from_fn(move || {
            let claim = self.claims.get(at as usize)?;
            at = self.next[at as usize];
            Some(claim)
        })
        .filter(move |claim| claim.offset == offset && claim.node == node)
    }
}

/// Whether the pool decides a claim in this round or later.
fn undecided(claim: &Claim, decided: &[bool]) -> bool {
    match claim.kind {
        Kind::Deciding => !decided[claim.io as usize],
        Kind::Pooled => true,
        Kind::Rival => false,
    }
}

/// What a part leaves.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    /// Events of I/Os that were decided.
    pub(super) used: Vec<(u16, At)>,
    /// Events for the pool.
    pub(super) events: Vec<(u16, At)>,
    /// (node, offset)
    pub(super) keys: Vec<(u32, u64)>,
}

const fn inside(outer: Interval, event: &Event) -> bool {
    outer.0 <= event.start && event.end <= outer.1
}

/// See `resolve::widen`.
const fn widen(outer: Interval, slack: i64) -> Interval {
    (outer.0.saturating_sub(slack), outer.1.saturating_add(2 * slack))
}

/// The copy that a leg's device is made for.
pub(super) type CopyOf = Option<(VolumeIndex, u32)>;
