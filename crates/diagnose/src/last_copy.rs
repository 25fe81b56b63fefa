//! Who came last: how often writes waited for the copy on each disk, against how often they should have.
//!
//! Copies are sent one after the other, so even among equals the one sent last comes last more often. The expected share asks:
//! if every leg took a time drawn from one common distribution (that of all legs seen at an initiator in the writes before this
//! one), how often would this copy have been the last, given when each leg of this write was sent? What is above that is the
//! disk's own doing or its link's. Where a leg was not seen at the initiator, or too few were before, every leg's chance is the same.

use std::collections::BTreeMap;

use fathom_model::cell::Attribution;
use fathom_model::report;
use fathom_model::{Catalog, DiskIndex, Io, JoinedRows, Op};

use crate::chances::Common;

/// Last copies of writes, a disk.
#[derive(Clone, Debug, Default)]
pub struct LastCopies {
    disks: BTreeMap<DiskIndex, Entry>,
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
            for (at, (leg, &chance)) in legs.iter().zip(&self.chances).enumerate() {
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
            self.common.add(seen.duration_nanos);
        }
    }

    /// Takes what other writes than those of the rows added up to: of a cell that is of a disk.
    pub fn add_cell(&mut self, disk: DiskIndex, cell: &Attribution) {
        if cell.writes == 0 {
            return;
        }
        let entry = self.disks.entry(disk).or_default();
        entry.writes += cell.writes;
        entry.last += cell.last;
        entry.expected += cell.expected_millionths as f64 / 1e6;
        entry.leads += cell.leads;
        entry.added = entry.added.saturating_add(cell.added_nanos);
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
