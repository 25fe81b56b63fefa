//! Claims as the events of a slice meet them.

use super::super::NOTHING;
use super::super::claim::{Claim, hash};
use super::super::decide::Event;

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
    /// Numbers of the events that touch it.
    pub(super) leg: u32,
    pub(super) target: u32,
    pub(super) device: u32,
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
            leg: NOTHING,
            target: NOTHING,
            device: NOTHING,
            side: claim.side,
            odd: false,
        }
    }

    pub(super) const fn meets_far(&self, (start, end): (i64, i64)) -> bool {
        start <= self.far.1 && end >= self.far.0
    }

    pub(super) const fn meets_leg(&self, side: u16, (start, end): (i64, i64)) -> bool {
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
        for (at, claim) in self.claims.iter_mut().enumerate() {
            let head = &mut self.heads[slot(size, claim.node, claim.offset)];
            claim.next = std::mem::replace(head, at as u32);
        }
    }

    /// The first claim that may have a key.
    pub(super) fn head(&self, node: u32, offset: u64) -> u32 {
        self.heads[slot(self.heads.len(), node, offset)]
    }

    /// Whether one of the claims that are to be decided has a key. What others contend for without them is not this slice's business.
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
    pub(super) fn add(&mut self, mut claim: Hot) {
        let size = self.heads.len();
        let head = &mut self.heads[slot(size, claim.node, claim.offset)];
        claim.next = std::mem::replace(head, self.claims.len() as u32);
        self.claims.push(claim);
    }

    /// Notes an event at the claims that it touches: at the only one as `seen`; of several at the only one that it may belong to, and
    /// where that is not one, at all of them that something speaks against them.
    pub(super) fn meet(
        &mut self,
        event: impl Fn() -> Event,
        near: &Near,
        touches: impl Fn(&Hot) -> bool,
        may_have: impl Fn(&Hot) -> bool,
        seen: impl Fn(&mut Hot) -> &mut u32,
        odd: bool,
    ) {
        let same = |claim: &Hot| claim.offset == near.offset && claim.node == near.node;
        let (mut touched, mut owner, mut owners) = (0, NOTHING, 0);
        let mut next = near.head;
        while let Some(claim) = self.claims.get(next as usize) {
            let this = std::mem::replace(&mut next, claim.next);
            if !same(claim) || !touches(claim) {
                continue;
            }
            touched += 1;
            if touched == 1 {
                (owner, owners) = (this, 1);
                continue;
            }
            if touched == 2 && !may_have(&self.claims[owner as usize]) {
                owners = 0;
            }
            if may_have(&self.claims[this as usize]) {
                owners += 1;
                owner = this;
            }
        }
        if touched == 0 {
            return;
        }
        if owners != 1 || odd {
            let mut next = near.head;
            while let Some(claim) = self.claims.get_mut(next as usize) {
                next = claim.next;
                claim.odd |= same(claim) && touches(claim);
            }
            return;
        }
        let claim = &mut self.claims[owner as usize];
        let number = seen(claim);
        if *number == NOTHING {
            *number = self.events.len() as u32;
            self.events.push(event());
        } else {
            claim.odd = true;
        }
    }
}

fn slot(size: usize, node: u32, offset: u64) -> usize {
    (hash(node, offset) >> (64 - size.trailing_zeros())) as usize
}
