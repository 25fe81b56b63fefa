//! What percentiles of writes would have been without a disk, a link or a node: a write that waited for a copy there ends with the last
//! of its other copies.
//!
//! That is known where the ends of all its copies are, or where the lead of its last copy is and no second copy of it lies there.
//! A part of a write that has copies nowhere else could not have ended at all. Other writes are left as they were, and counted, so that
//! an answer can say how much of it rests on what was seen.
//!
//! A storage job is away in another way: it holds no copies, and makes others take longer ([`JobAway`]).

use std::collections::BTreeMap;

use fathom_model::cell::{Attribution, Candidate};
use fathom_model::{Catalog, DiskIndex, Io, JoinedRows, Leg, NodeIndex, Op};
use smallvec::SmallVec;

pub(crate) mod counts;
mod job;
mod named;

use counts::Counts;
pub use job::{JobAway, WithoutJob};
pub use named::{NotAway, Serials};

/// What could have been away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Away {
    /// A disk: copies on it.
    Disk(DiskIndex),
    /// The ways between two nodes, the lower index first: copies that went over them.
    Link(NodeIndex, NodeIndex),
    /// A node: copies on it.
    Node(NodeIndex),
}

impl Away {
    fn has(self, io: &Io, leg: &Leg) -> bool {
        match self {
            Self::Disk(disk) => leg.disk == disk,
            Self::Link(low, high) => !leg.local && (leg.node.min(io.node), leg.node.max(io.node)) == (low, high),
            Self::Node(node) => leg.node == node,
        }
    }

    /// What a copy could have been away with: its disk, its node, the link that it went over.
    pub(crate) fn of_last(io: &Io, leg: &Leg) -> impl Iterator<Item = Self> + use<> {
        let link = Self::Link(leg.node.min(io.node), leg.node.max(io.node));
        let link = (!leg.local).then_some(link);
        [Self::Disk(leg.disk), Self::Node(leg.node)].into_iter().chain(link)
    }

    /// The names: kind, node, disk, peer. Ends of a link are in the order of their names.
    #[must_use]
    pub fn names(self, catalog: &Catalog) -> (&'static str, String, Option<String>, Option<String>) {
        let name = |node: NodeIndex| catalog.node(node).to_string();
        match self {
            Self::Disk(disk) => {
                let disk = catalog.disk(disk);
                ("disk", disk.node.to_string(), Some(disk.name.clone()), None)
            }
            Self::Link(low, high) => {
                let (one, other) = (name(low), name(high));
                ("link", one.clone().min(other.clone()), None, Some(one.max(other)))
            }
            Self::Node(node) => ("node", name(node), None, None),
        }
    }
}

/// What writes took, and would have taken without each disk, link and node that one of them waited for.
#[derive(Clone, Debug, Default)]
pub struct WhatIf {
    all: Counts,
    /// Writes whose last copy is not known.
    unknown: u64,
    away: BTreeMap<Away, Changed>,
}

#[derive(Clone, Debug, Default)]
struct Changed {
    /// What the writes took that would have ended sooner, taken away, and what they would have taken, added.
    difference: Counts,
    given_back_nanos: u64,
    sooner: u64,
    unknown: u64,
}

/// Half, 95 % and 99 % of writes take at most these, in nanoseconds, to three digits.
pub type Percentiles = [u64; 3];

/// Writes without something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Without {
    /// Without what.
    pub away: Away,
    /// Percentiles as they would have been.
    pub percentiles: Percentiles,
    /// By how much all writes would have been shorter.
    pub given_back_nanos: u64,
    /// Writes that would have ended sooner.
    pub sooner: u64,
    /// Writes that waited for it by an unknown time, or have no other copy: they are counted as they were.
    pub unknown: u64,
}

impl WhatIf {
    /// Takes an I/O; other operations than writes are not counted.
    pub fn add(&mut self, rows: &JoinedRows, io: &Io) {
        if io.op != Op::Write {
            return;
        }
        let took = io.event.duration_nanos;
        self.all.add(took, 1);
        let legs = rows.legs_of(io);
        let last = io.slowest.and_then(|slowest| slowest.leg.checked_sub(io.legs.start));
        let Some(last) = last.and_then(|at| legs.get(at)) else {
            self.unknown += 1;
            return;
        };
        let ends = Ends::of(io, legs);
        for away in Away::of_last(io, last) {
            let changed = self.away.entry(away).or_default();
            match ends.given_back(away, io, legs) {
                Some(nanos) if nanos > 0 => {
                    changed.difference.add(took, -1);
                    changed.difference.add(took.saturating_sub(nanos), 1);
                    changed.given_back_nanos = changed.given_back_nanos.saturating_add(nanos);
                    changed.sooner += 1;
                }
                Some(_) => {}
                None => changed.unknown += 1,
            }
        }
    }

    /// Of what writes added up to: percentiles are then to 1 %.
    #[must_use]
    pub fn of_totals(totals: &BTreeMap<Candidate, Attribution>) -> Self {
        let mut what_if = Self::default();
        for (to, cell) in totals {
            let away = match *to {
                Candidate::All => {
                    cell.took
                        .values()
                        .for_each(|(nanos, count)| what_if.all.add(nanos, signed(count)));
                    what_if.unknown += cell.unknown;
                    continue;
                }
                Candidate::Missing(..) => continue,
                Candidate::Disk(disk) => Away::Disk(disk),
                Candidate::Link(low, high) => Away::Link(low, high),
                Candidate::Node(node) => Away::Node(node),
            };
            let mut difference = Counts::default();
            let took = cell.took.values();
            took.for_each(|(nanos, count)| difference.add(nanos, -signed(count)));
            let would = cell.would.values();
            would.for_each(|(nanos, count)| difference.add(nanos, signed(count)));
            let changed = Changed {
                difference,
                given_back_nanos: cell.given_back_nanos,
                sooner: cell.sooner,
                unknown: cell.unknown,
            };
            // What has copies and was never waited for gives nothing back.
            if changed.sooner > 0 || changed.unknown > 0 || cell.last > 0 {
                what_if.away.insert(away, changed);
            }
        }
        what_if
    }

    /// Writes that were counted.
    #[must_use]
    pub const fn writes(&self) -> u64 {
        self.all.total().unsigned_abs()
    }

    /// Writes of which it is not known which copy came last.
    #[must_use]
    pub const fn unknown(&self) -> u64 {
        self.unknown
    }

    /// Percentiles as they were; none without writes.
    #[must_use]
    pub fn percentiles(&self) -> Option<Percentiles> {
        self.all.percentiles(&Counts::default())
    }

    /// Without something; none without writes. What no write waited for gives nothing back.
    #[must_use]
    pub fn without(&self, away: Away) -> Option<Without> {
        let nothing = Changed::default();
        let changed = self.away.get(&away).unwrap_or(&nothing);
        Some(Without {
            away,
            percentiles: self.all.percentiles(&changed.difference)?,
            given_back_nanos: changed.given_back_nanos,
            sooner: changed.sooner,
            unknown: changed.unknown,
        })
    }

    /// All that some write waited for, what gives back the most first.
    #[must_use]
    pub fn ranked(&self) -> Vec<Without> {
        let mut ranked: Vec<Without> = self.away.keys().filter_map(|&away| self.without(away)).collect();
        // Of a node with one disk both give the same back: the smaller thing first.
        ranked.sort_by(|a, b| b.given_back_nanos.cmp(&a.given_back_nanos).then(a.away.cmp(&b.away)));
        ranked
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// When the copies of a write were done, as far as that is known.
#[derive(Clone, Debug)]
pub(crate) struct Ends {
    /// On the initiator's clock; none where one is not known.
    ends: Option<SmallVec<[i64; 6]>>,
    /// Whether there is a leg for each copy.
    is_whole: bool,
}

impl Ends {
    pub(crate) fn of(io: &Io, legs: &[Leg]) -> Self {
        Self {
            ends: legs.iter().map(end).collect(),
            is_whole: legs.len() == io.legs_expected as usize,
        }
    }

    /// By how much the write would have been shorter; none where that is not known.
    pub(crate) fn given_back(&self, away: Away, io: &Io, legs: &[Leg]) -> Option<u64> {
        let is_away = |leg: &&Leg| away.has(io, leg);
        // A part without another copy would not have been written.
        let alone = legs
            .iter()
            .filter(is_away)
            .any(|leg| legs.iter().all(|other| other.part != leg.part || away.has(io, other)));
        if alone || !self.is_whole {
            return None;
        }
        if let Some(ends) = &self.ends {
            let last = ends.iter().max()?;
            let left = ends.iter().zip(legs).filter(|(_, leg)| !away.has(io, leg));
            let left = left.map(|(end, _)| end).max()?;
            return u64::try_from(last.saturating_sub(*left)).ok();
        }
        // Without all ends the lead says it, if it is the lead over a copy that is not away too.
        let lead = io.slowest.and_then(|slowest| slowest.lead_nanos)?;
        (legs.iter().filter(is_away).count() == 1).then_some(lead)
    }
}

/// When a leg was done, on the initiator's clock.
fn end(leg: &Leg) -> Option<i64> {
    let seen = leg.initiator.or_else(|| leg.service().filter(|_| leg.local))?;
    Some(seen.end_unix_nanos())
}

#[cfg(test)]
mod tests;
