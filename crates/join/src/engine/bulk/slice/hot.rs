//! Claims as the events of a slice meet them.

use rustc_hash::FxHashMap;

use super::super::NOTHING;
use super::super::claim::{Claim, hash};
use super::super::decide::Event;
use super::crowd::Crowd;
use crate::assign::Interval;

/// With more claims than this a hash is crowded: then an event looks only at those that are near it in time.
const CROWD: usize = if cfg!(test) { 4 } else { 64 };

/// A claim in one line of the cache.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Hot {
    pub(super) offset: u64,
    /// Where its events on the far clock must lie, generously.
    pub(super) far: (i64, i64),
    /// Where its legs must lie, generously.
    pub(super) own: (i64, i64),
    pub(super) node: u32,
    /// The next one with the same hash.
    pub(super) next: u32,
    /// Numbers of the events that touch it: leg, target, device.
    pub(super) seen: [u32; 3],
    pub(super) side: u16,
    /// Something speaks against it.
    pub(super) odd: bool,
}

/// Memory that one slice leaves to the next.
#[derive(Debug, Default)]
pub(in super::super) struct Scratch {
    /// First those that are to be decided.
    pub(super) claims: Vec<Hot>,
    heads: Vec<u32>,
    /// Events that touch a claim.
    pub(super) events: Vec<Event>,
    /// Events of a batch that may.
    pub(super) near: Vec<Near>,
    /// Claims that are many with one hash, by the first of them; made when the first event meets them.
    crowds: FxHashMap<u32, Crowd>,
}

/// What of an event says which claims it touches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Met {
    pub(super) span: Interval,
    /// Of a leg the initiator's side.
    pub(super) leg_of: Option<u16>,
}

impl Met {
    #[inline]
    const fn touches(&self, claim: &Hot) -> bool {
        match self.leg_of {
            Some(side) => claim.meets_leg(side, self.span),
            None => claim.meets_far(self.span),
        }
    }
}

/// Who an event may belong to, of those that it touches: the only one, or the only one that may have it.
#[derive(Clone, Copy, Debug)]
struct Owner {
    touched: usize,
    owner: u32,
    owners: usize,
}

impl Owner {
    const NOBODY: Self = Self {
        touched: 0,
        owner: NOTHING,
        owners: 0,
    };

    /// Takes another claim that is touched.
    fn add(&mut self, claim: u32, may_have: impl Fn(u32) -> bool) {
        self.touched += 1;
        if self.touched == 1 {
            (self.owner, self.owners) = (claim, 1);
            return;
        }
        if self.touched == 2 && !may_have(self.owner) {
            self.owners = 0;
        }
        if may_have(claim) {
            self.owners += 1;
            self.owner = claim;
        }
    }
}

/// An event of a batch that may have the key of a claim.
#[derive(Clone, Copy, Debug)]
pub(super) struct Near {
    pub(super) offset: u64,
    pub(super) node: u32,
    /// The first claim with the same hash.
    pub(super) head: u32,
    pub(super) row: u32,
}

impl Hot {
    pub(super) const fn of(claim: &Claim) -> Self {
        Self {
            offset: claim.offset,
            far: claim.far,
            own: claim.own(),
            node: claim.node,
            next: NOTHING,
            seen: [NOTHING; 3],
            side: claim.side,
            odd: false,
        }
    }

    #[inline]
    const fn meets_far(&self, (start, end): Interval) -> bool {
        start <= self.far.1 && end >= self.far.0
    }

    #[inline]
    const fn meets_leg(&self, side: u16, (start, end): Interval) -> bool {
        self.side == side && start <= self.own.1 && end >= self.own.0
    }
}

impl Scratch {
    /// Makes the claims that are to be decided ready to be met.
    pub(super) fn index(&mut self) {
        let size = (self.claims.len() * 2).next_power_of_two().max(16);
        self.heads.clear();
        self.heads.resize(size, NOTHING);
        self.events.clear();
        self.crowds.clear();
        for (at, claim) in self.claims.iter_mut().enumerate() {
            let head = &mut self.heads[slot(size, claim.node, claim.offset)];
            claim.next = std::mem::replace(head, at as u32);
        }
    }

    /// The first claim that may have a key.
    #[inline]
    pub(super) fn head(&self, node: u32, offset: u64) -> u32 {
        self.heads[slot(self.heads.len(), node, offset)]
    }

    /// Whether one of the claims that are to be decided has a key. What others contend for without them is not this slice's business.
    #[inline]
    pub(super) fn is_asked(&self, node: u32, offset: u64) -> bool {
        let mut next = self.heads[slot(self.heads.len(), node, offset)];
        while let Some(claim) = self.claims.get(next as usize) {
            if claim.offset == offset && claim.node == node {
                return true;
            }
            next = claim.next;
        }
        false
    }

    /// Adds a claim that is not to be decided and has the key of one that is.
    #[inline]
    pub(super) fn add(&mut self, mut claim: Hot) {
        let size = self.heads.len();
        let head = &mut self.heads[slot(size, claim.node, claim.offset)];
        claim.next = std::mem::replace(head, self.claims.len() as u32);
        self.claims.push(claim);
    }

    /// Notes an event at the claims that it touches, as `seen` of a kind: at the only one; of several at the only one that it may belong to, and
    /// where that is not one, at all of them that something speaks against them.
    pub(super) fn meet(
        &mut self,
        (event, kind): (Event, usize),
        near: &Near,
        met: &Met,
        may_have: impl Fn(&Hot) -> bool,
        odd: bool,
    ) {
        // Nearly always there is one claim that it touches.
        let (mut next, mut only, mut count) = (near.head, NOTHING, 0);
        let mut many = !self.crowds.is_empty();
        while let Some(claim) = self.claims.get(next as usize).filter(|_| !many) {
            count += 1;
            if near.is_key_of(claim) && met.touches(claim) {
                many = only != NOTHING;
                only = next;
            }
            many |= count > CROWD;
            next = claim.next;
        }
        if many {
            self.meet_many((event, kind), near, met, may_have, odd);
        } else if let Some(claim) = self.claims.get_mut(only as usize) {
            if odd {
                claim.odd = true;
            } else {
                note(claim, &mut self.events, event, kind);
            }
        }
    }

    /// The same where it touches several claims, or those with its hash are many.
    #[inline(never)]
    fn meet_many(
        &mut self,
        (event, kind): (Event, usize),
        near: &Near,
        met: &Met,
        may_have: impl Fn(&Hot) -> bool,
        odd: bool,
    ) {
        let known = !self.crowds.is_empty() && self.crowds.contains_key(&near.head);
        let few = (!known).then(|| self.owner_of_few(near, met, &may_have)).flatten();
        let is_crowded = few.is_none();
        let Owner { touched, owner, owners } = few.unwrap_or_else(|| self.owner_in_crowd(near, met, &may_have));
        if touched == 0 {
            return;
        }
        if owners != 1 || odd {
            self.speak_against(near, met, is_crowded);
            return;
        }
        note(&mut self.claims[owner as usize], &mut self.events, event, kind);
    }

    /// Who an event may belong to; `None` where they are too many to be looked at one by one.
    fn owner_of_few(&self, near: &Near, met: &Met, may_have: impl Fn(&Hot) -> bool) -> Option<Owner> {
        let mut found = Owner::NOBODY;
        let (mut next, mut count) = (near.head, 0);
        while let Some(claim) = self.claims.get(next as usize) {
            let this = std::mem::replace(&mut next, claim.next);
            count += 1;
            if count > CROWD {
                return None;
            }
            if near.is_key_of(claim) && met.touches(claim) {
                found.add(this, |claim| may_have(&self.claims[claim as usize]));
            }
        }
        Some(found)
    }

    /// The same in a crowd, as far as it is more than that there are several.
    fn owner_in_crowd(&mut self, near: &Near, met: &Met, may_have: impl Fn(&Hot) -> bool) -> Owner {
        let claims = &self.claims;
        let crowd = self.crowds.entry(near.head).or_insert_with(|| {
            let after = |&claim: &u32| Some(claims[claim as usize].next).filter(|&next| next != NOTHING);
            let numbers = std::iter::successors(Some(near.head), after);
            Crowd::new(numbers.collect(), claims)
        });
        let mut found = Owner::NOBODY;
        for claim in crowd.touched((near.node, near.offset), met) {
            found.add(claim, |claim| may_have(&claims[claim as usize]));
            if found.touched > 1 && found.owners > 1 {
                break;
            }
        }
        found
    }

    /// Notes that something speaks against all claims that an event touches.
    fn speak_against(&mut self, near: &Near, met: &Met, is_crowded: bool) {
        let claims = &mut self.claims;
        if let Some(crowd) = self.crowds.get_mut(&near.head).filter(|_| is_crowded) {
            crowd.speak_against((near.node, near.offset), met, |claim| claims[claim as usize].odd = true);
            return;
        }
        let mut next = near.head;
        while let Some(claim) = claims.get_mut(next as usize) {
            next = claim.next;
            claim.odd |= near.is_key_of(claim) && met.touches(claim);
        }
    }
}

/// Notes an event at the only claim that it may belong to.
#[inline]
fn note(claim: &mut Hot, events: &mut Vec<Event>, event: Event, kind: usize) {
    let number = &mut claim.seen[kind];
    if *number == NOTHING {
        *number = events.len() as u32;
        events.push(event);
    } else {
        claim.odd = true;
    }
}

impl Near {
    #[inline]
    const fn is_key_of(&self, claim: &Hot) -> bool {
        claim.offset == self.offset && claim.node == self.node
    }
}

#[inline]
fn slot(size: usize, node: u32, offset: u64) -> usize {
    (hash(node, offset) >> (64 - size.trailing_zeros())) as usize
}
