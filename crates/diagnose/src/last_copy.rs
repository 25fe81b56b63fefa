//! Who came last: how often writes waited for the copy on each disk, against how often they should have.
//!
//! Copies are sent one after the other, so even among equals the one sent last comes last more often. The expected share asks:
//! if every leg took a time drawn from one common distribution (that of all legs seen at an initiator in the writes before this
//! one), how often would this copy have been the last, given when each leg of this write was sent? What is above that is the
//! disk's own doing or its link's. Where a leg was not seen at the initiator, or too few were before, every leg's chance is the same.

use std::collections::BTreeMap;

use fathom_model::report;
use fathom_model::{Catalog, DiskIndex, Io, JoinedRows, Leg, Op};

use crate::spread::{BINS, bin, middle};

/// With fewer legs than this the common distribution is not trusted and everybody's chance is the same.
const ENOUGH: u64 = 200;

/// Last copies of writes, a disk.
#[derive(Clone, Debug)]
pub struct LastCopies {
    disks: BTreeMap<DiskIndex, Entry>,
    /// Durations of all legs so far.
    common: Vec<u64>,
    total: u64,
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

impl Default for LastCopies {
    fn default() -> Self {
        Self {
            disks: BTreeMap::new(),
            common: vec![0; BINS],
            total: 0,
        }
    }
}

impl LastCopies {
    /// Takes a write and its legs; other operations are not counted.
    pub fn add(&mut self, rows: &JoinedRows, io: &Io) {
        let legs = rows.legs_of(io);
        if io.op != Op::Write || legs.len() < 2 {
            return;
        }
        if let Some(slowest) = io.slowest {
            let chances = self.chances(legs);
            for (at, (leg, chance)) in legs.iter().zip(chances).enumerate() {
                let entry = self.disks.entry(leg.disk).or_default();
                // A write of several parts may have several legs on a disk.
                entry.writes += u64::from(!legs[..at].iter().any(|other| other.disk == leg.disk));
                entry.expected += chance;
                entry.leads += u64::from(slowest.lead_nanos.is_some());
            }
            let entry = self.disks.entry(rows.legs[slowest.leg].disk).or_default();
            entry.last += 1;
            entry.added = entry.added.saturating_add(slowest.lead_nanos.unwrap_or(0));
        }
        for seen in legs.iter().filter_map(|leg| leg.initiator) {
            self.common[bin(seen.duration_nanos)] += 1;
            self.total += 1;
        }
    }

    /// Each leg's chance to be the last if all were alike.
    fn chances(&self, legs: &[Leg]) -> Vec<f64> {
        let alike = 1.0 / legs.len() as f64;
        let starts: Option<Vec<i64>> = legs
            .iter()
            .map(|leg| leg.initiator.map(|seen| seen.start_unix_nanos))
            .collect();
        let Some(starts) = starts.filter(|_| self.total >= ENOUGH) else {
            return vec![alike; legs.len()];
        };
        let mut below = vec![0_u64; BINS + 1];
        for (at, &count) in self.common.iter().enumerate() {
            below[at + 1] = below[at] + count;
        }
        // Half of the bin that a duration falls into is shorter than it.
        let share_below = |nanos: i64| {
            let Ok(nanos) = u64::try_from(nanos) else { return 0.0 };
            let at = bin(nanos);
            (below[at] as f64 + self.common[at] as f64 / 2.0) / self.total as f64
        };
        let mut chances = vec![0.0; legs.len()];
        for (at, &count) in self.common.iter().enumerate().filter(|(_, count)| **count > 0) {
            let duration = middle(at) as i64;
            for (leg, &start) in starts.iter().enumerate() {
                let others = starts.iter().enumerate().filter(|&(other, _)| other != leg);
                let first: f64 = others
                    .map(|(_, &other)| share_below(start.saturating_add(duration) - other))
                    .product();
                chances[leg] += first * count as f64;
            }
        }
        let sum: f64 = chances.iter().sum();
        if sum > 0.0 {
            chances.iter().map(|chance| chance / sum).collect()
        } else {
            vec![alike; legs.len()]
        }
    }

    /// A row a disk, by node and disk.
    #[must_use]
    pub fn report(&self, catalog: &Catalog) -> Vec<report::LastCopy> {
        let mut rows: Vec<report::LastCopy> = self
            .disks
            .iter()
            .map(|(&disk, entry)| {
                let disk = catalog.disk(disk);
                report::LastCopy {
                    node: disk.node.to_string(),
                    disk: disk.name.clone(),
                    writes: entry.writes,
                    share: round(entry.last as f64 / entry.writes.max(1) as f64),
                    expected_share: round(entry.expected / entry.writes.max(1) as f64),
                    added_ns: (entry.leads > 0).then_some(entry.added),
                }
            })
            .collect();
        rows.sort_by(|a, b| (&a.node, &a.disk).cmp(&(&b.node, &b.disk)));
        rows
    }
}

/// Shares to four digits: more would claim more than the estimate holds.
fn round(share: f64) -> f64 {
    (share * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests;
