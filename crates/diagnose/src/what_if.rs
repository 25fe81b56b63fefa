//! What percentiles of writes would have been without a disk: where its copy was the last, the write ends with the second-last.
//!
//! That holds where the lead is known; other writes are left as they were, and counted, so that an answer can say how much of it
//! rests on what was seen.

use std::collections::BTreeMap;

use fathom_model::{DiskIndex, Io, JoinedRows, Op};
use hdrhistogram::Histogram;

use crate::latency::{histogram, record};

/// What writes took, and would have taken without each disk.
#[derive(Clone, Debug)]
pub struct WhatIf {
    all: Histogram<u64>,
    disks: BTreeMap<DiskIndex, Changed>,
}

#[derive(Clone, Debug)]
struct Changed {
    /// What the writes took that would have ended sooner.
    took: Histogram<u64>,
    /// What they would have taken.
    would: Histogram<u64>,
    /// Writes that waited for it by nobody knows how much.
    unknown: u64,
}

/// A percentile with and without a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Without {
    /// As it was, to three digits, in nanoseconds.
    pub with_nanos: u64,
    /// As it would have been.
    pub without_nanos: u64,
    /// Writes that would have ended sooner.
    pub sooner: u64,
    /// Writes that waited for it by an unknown time: they are counted as they were.
    pub unknown: u64,
}

impl Default for WhatIf {
    fn default() -> Self {
        Self {
            all: histogram(),
            disks: BTreeMap::new(),
        }
    }
}

impl WhatIf {
    /// Takes a write; other operations are not counted.
    pub fn add(&mut self, rows: &JoinedRows, io: &Io) {
        if io.op != Op::Write {
            return;
        }
        record(&mut self.all, io.event.duration_nanos);
        let Some(slowest) = io.slowest else { return };
        let legs = rows.legs_of(io);
        let Some(leg) = slowest.leg.checked_sub(io.legs.start).and_then(|at| legs.get(at)) else {
            return;
        };
        let changed = self.disks.entry(leg.disk).or_insert_with(|| Changed {
            took: histogram(),
            would: histogram(),
            unknown: 0,
        });
        match slowest.lead_nanos {
            Some(lead) => {
                record(&mut changed.took, io.event.duration_nanos);
                record(&mut changed.would, io.event.duration_nanos.saturating_sub(lead));
            }
            None => changed.unknown += 1,
        }
    }

    /// A percentile (0 to 1) with and without a disk; `None` without any write.
    #[must_use]
    pub fn without(&self, disk: DiskIndex, quantile: f64) -> Option<Without> {
        if self.all.is_empty() {
            return None;
        }
        let with_nanos = self.all.value_at_quantile(quantile);
        let Some(changed) = self.disks.get(&disk) else {
            return Some(Without {
                with_nanos,
                without_nanos: with_nanos,
                sooner: 0,
                unknown: 0,
            });
        };
        let mut without = self.all.clone();
        // The writes that changed are all among those that were counted, and histograms of three digits round alike.
        if without.subtract(&changed.took).is_err() || without.add(&changed.would).is_err() {
            return None;
        }
        Some(Without {
            with_nanos,
            without_nanos: without.value_at_quantile(quantile),
            sooner: changed.took.len(),
            unknown: changed.unknown,
        })
    }
}

#[cfg(test)]
mod tests;
