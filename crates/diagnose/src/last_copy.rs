//! Who came last: how often writes waited for the copy on each disk, on each node and between each two nodes, against how often they
//! should have.
//!
//! Copies are sent one after the other, so even among equals the one sent last comes last more often. The expected share asks:
//! if every leg took a time drawn from one common distribution (that of all legs seen at an initiator in the writes before this
//! one), how often would this copy have been the last, given when each leg of this write was sent? What is above that is the
//! disk's own doing or its link's. Where a leg was not seen at the initiator, or too few were before, every leg's chance is the same.
//!
//! A share is known as well as its writes are many: it comes with the interval that has it with 95 % confidence (Wilson's, which holds
//! for few writes and for shares of none or all too). It takes writes as drawn each for itself; those that came at once wait for the same,
//! so that of a short stretch less is known than it says.

use std::collections::BTreeMap;

use fathom_model::cell::Attribution;
use fathom_model::report;
use fathom_model::{Catalog, Io, JoinedRows, Op};
use smallvec::SmallVec;

use crate::chances::Common;
use crate::what_if::Away;

/// Last copies of writes, a disk, a node and a pair of nodes.
#[derive(Clone, Debug, Default)]
pub struct LastCopies {
    of: BTreeMap<Away, Entry>,
    /// Durations of all legs so far.
    common: Common,
    /// Those of the last write.
    chances: Vec<f64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    writes: u64,
    last: u64,
    expected: f64,
    /// Writes whose last copy's lead is known, whichever copy it was.
    leads: u64,
    added: u64,
}

impl LastCopies {
    /// Takes a write and its legs; other operations are not counted.
    pub fn add(&mut self, rows: &JoinedRows, io: &Io) {
        let legs = rows.legs_of(io);
        if io.op != Op::Write || legs.len() < 2 {
            return;
        }
        if let Some(slowest) = io.slowest {
            self.common.table().chances(legs, &mut self.chances);
            let mut counted: SmallVec<[Away; 12]> = SmallVec::new();
            for (leg, &chance) in legs.iter().zip(&self.chances) {
                for of in Away::of_last(io, leg) {
                    let entry = self.of.entry(of).or_default();
                    entry.expected += chance;
                    // A write of several parts may have several legs on a disk, and of several disks on a node.
                    if !counted.contains(&of) {
                        entry.writes += 1;
                        entry.leads += u64::from(slowest.lead_nanos.is_some());
                        counted.push(of);
                    }
                }
            }
            for of in Away::of_last(io, &rows.legs[slowest.leg]) {
                let entry = self.of.entry(of).or_default();
                entry.last += 1;
                entry.added = entry.added.saturating_add(slowest.lead_nanos.unwrap_or(0));
            }
        }
        for seen in legs.iter().filter_map(|leg| leg.initiator) {
            self.common.add(seen.duration_nanos);
        }
    }

    /// Takes what other writes than those of the rows added up to.
    pub fn add_cell(&mut self, of: Away, cell: &Attribution) {
        if cell.writes == 0 {
            return;
        }
        let entry = self.of.entry(of).or_default();
        entry.writes += cell.writes;
        entry.last += cell.last;
        entry.expected += cell.expected_millionths as f64 / 1e6;
        entry.leads += cell.leads;
        entry.added = entry.added.saturating_add(cell.added_nanos);
    }

    /// A row a disk, by node and disk.
    #[must_use]
    pub fn report(&self, catalog: &Catalog) -> Vec<report::LastCopy> {
        self.rows(catalog, |of| matches!(of, Away::Disk(_)))
    }

    /// A row a node.
    #[must_use]
    pub fn by_node(&self, catalog: &Catalog) -> Vec<report::LastCopy> {
        self.rows(catalog, |of| matches!(of, Away::Node(_)))
    }

    /// A row a pair of nodes between which copies went, by their names.
    #[must_use]
    pub fn by_pair(&self, catalog: &Catalog) -> Vec<report::LastCopy> {
        self.rows(catalog, |of| matches!(of, Away::Link(..)))
    }

    fn rows(&self, catalog: &Catalog, wanted: impl Fn(&Away) -> bool) -> Vec<report::LastCopy> {
        let of = self.of.iter().filter(|(of, _)| wanted(of));
        let mut rows: Vec<report::LastCopy> = of
            .map(|(of, entry)| {
                let (_, node, disk, peer) = of.names(catalog);
                let (share_low, share_high) = interval(entry.last, entry.writes);
                report::LastCopy {
                    node,
                    disk,
                    peer,
                    writes: entry.writes,
                    share: round(entry.last as f64 / entry.writes.max(1) as f64),
                    share_low: round(share_low),
                    share_high: round(share_high),
                    expected_share: round(entry.expected / entry.writes.max(1) as f64),
                    added_ns: (entry.leads > 0).then_some(entry.added),
                    added_writes: Some(entry.leads),
                }
            })
            .collect();
        rows.sort_by(|a, b| (&a.node, &a.disk, &a.peer).cmp(&(&b.node, &b.disk, &b.peer)));
        rows
    }
}

/// Wilson's interval of a share with 95 % confidence (E. B. Wilson, 1927): of none, everything.
fn interval(count: u64, of: u64) -> (f64, f64) {
    /// The normal distribution has 95 % within so many standard deviations.
    const DEVIATIONS: f64 = 1.959_964;
    if of == 0 {
        return (0.0, 1.0);
    }
    let (number, share) = (of as f64, count as f64 / of as f64);
    let squared = DEVIATIONS * DEVIATIONS;
    let middle = share + squared / (2.0 * number);
    let half = DEVIATIONS * (share * (1.0 - share) / number + squared / (4.0 * number * number)).sqrt();
    let whole = 1.0 + squared / number;
    (((middle - half) / whole).max(0.0), ((middle + half) / whole).min(1.0))
}

/// Shares to four digits: more would claim more than the estimate holds.
fn round(share: f64) -> f64 {
    (share * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests;
