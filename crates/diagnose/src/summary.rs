//! What was joined, and what was not seen.

use std::collections::BTreeMap;

use fathom_model::cell::{Candidate, Of};
use fathom_model::report::{Joined, MissingCount, UnmatchedCount};
use fathom_model::{Catalog, Io, IoClass, Leg, Missing, NodeIndex, Op, Tap, Unmatched, UnmatchedCause};

use crate::tally::Totals;

/// Events of no I/O that are counted together.
type UnmatchedKey = (NodeIndex, Option<String>, Tap, Op, UnmatchedCause);

/// Counts of I/Os by class and of what is missing.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    joined: Joined,
    missing: BTreeMap<(NodeIndex, Tap, Missing), u64>,
    /// Whether some node was seen to give `target`.
    has_targets: bool,
    unmatched: BTreeMap<UnmatchedKey, (u64, u64)>,
}

impl Summary {
    /// Takes an I/O and its legs.
    pub fn add(&mut self, io: &Io, legs: &[Leg]) {
        let joined = &mut self.joined;
        match io.op {
            Op::Read => joined.reads += 1,
            Op::Flush => joined.flushes += 1,
            Op::Unmap => joined.unmaps += 1,
            Op::Write => {
                joined.writes += 1;
                joined.last_unknown += u64::from(io.slowest.is_none());
                joined.legs_expected += u64::from(io.legs_expected);
                joined.legs += legs.iter().filter(|leg| leg.found()).count() as u64;
                match io.class {
                    IoClass::Exact => joined.exact += 1,
                    IoClass::Ambiguous => joined.ambiguous += 1,
                    IoClass::Incomplete => joined.incomplete += 1,
                }
                each_missing(io, legs, |node, tap, cause| {
                    *self.missing.entry((node, tap, cause)).or_default() += 1;
                });
                self.has_targets |= legs.iter().any(|leg| leg.target.is_some());
            }
        }
    }

    /// Takes an event that no I/O has.
    pub fn add_unmatched(&mut self, event: &Unmatched) {
        // A far-side device is a disk; an initiator has a device a path, too many to tell apart here.
        let device = event.tap.is_far_side().then(|| event.device.clone());
        let key = (event.node, device, event.tap, event.op, event.cause);
        let (events, bytes) = self.unmatched.entry(key).or_default();
        *events += 1;
        *bytes = bytes.saturating_add(event.length);
    }

    /// Of what I/Os added up to. Events of no I/O are in no cell.
    #[must_use]
    pub fn of_totals(totals: &Totals) -> Self {
        let has_targets = totals
            .latency
            .iter()
            .any(|(key, sketch)| (key.op, key.tap) == (Op::Write, Tap::Target) && sketch.count() > 0);
        let mut summary = Self {
            has_targets,
            ..Self::default()
        };
        for (key, sketch) in totals.latency.iter().filter(|(key, _)| matches!(key.of, Of::Io { .. })) {
            match key.op {
                Op::Read => summary.joined.reads += sketch.count(),
                Op::Flush => summary.joined.flushes += sketch.count(),
                Op::Unmap => summary.joined.unmaps += sketch.count(),
                // Of these more is known.
                Op::Write => {}
            }
        }
        for (to, cell) in &totals.attribution {
            match *to {
                Candidate::All => {
                    let joined = &mut summary.joined;
                    joined.writes += cell.writes;
                    joined.last_unknown += cell.unknown;
                    joined.legs += cell.joined.legs;
                    joined.legs_expected += cell.joined.legs_expected;
                    joined.exact += cell.joined.exact;
                    joined.ambiguous += cell.joined.ambiguous;
                    joined.incomplete += cell.joined.incomplete;
                }
                Candidate::Missing(node, tap, cause) => {
                    *summary.missing.entry((node, tap, cause)).or_default() += cell.writes;
                }
                Candidate::Disk(_) | Candidate::Link(..) | Candidate::Node(_) => {}
            }
        }
        summary
    }

    /// What was joined.
    #[must_use]
    pub fn joined(&self) -> Joined {
        self.joined.clone()
    }

    /// What is missing from writes, most first. Nodes that were not heard are taken to have `target` where others have it.
    #[must_use]
    pub fn missing(&self, catalog: &Catalog) -> Vec<MissingCount> {
        let mut missing = self.missing.clone();
        if self.has_targets {
            // Nobody said which taps they have.
            for (&(node, tap, cause), &legs) in &self.missing {
                if tap == Tap::Device && matches!(cause, Missing::NoDaemon | Missing::Silent) {
                    let targets = missing.entry((node, Tap::Target, cause)).or_default();
                    *targets = legs.max(*targets);
                }
            }
        }
        let mut rows: Vec<MissingCount> = missing
            .iter()
            .map(|(&(node, tap, cause), &legs)| MissingCount {
                node: catalog.node(node).to_string(),
                tap: tap.as_str().to_owned(),
                cause: cause.as_str().to_owned(),
                legs,
            })
            .collect();
        rows.sort_by(|a, b| (b.legs, &a.node, &a.tap, &a.cause).cmp(&(a.legs, &b.node, &b.tap, &b.cause)));
        rows
    }

    /// Events of no I/O, most bytes first.
    #[must_use]
    pub fn unmatched(&self, catalog: &Catalog) -> Vec<UnmatchedCount> {
        let mut rows: Vec<UnmatchedCount> = self
            .unmatched
            .iter()
            .map(|((node, device, tap, op, cause), &(events, bytes))| UnmatchedCount {
                node: catalog.node(*node).to_string(),
                device: device.clone(),
                tap: tap.as_str().to_owned(),
                op: op.as_str().to_owned(),
                cause: cause.as_str().to_owned(),
                events,
                bytes,
            })
            .collect();
        rows.sort_by(|a, b| {
            (b.bytes, b.events, &a.node, &a.tap, &a.op).cmp(&(a.bytes, a.events, &b.node, &b.tap, &b.op))
        });
        rows
    }
}

/// Says of a write which observations are not there.
pub(crate) fn each_missing(io: &Io, legs: &[Leg], mut is_missing: impl FnMut(NodeIndex, Tap, Missing)) {
    if io.class == IoClass::Incomplete {
        // Bytes that no part covers have no leg to say it: the writer's row counts writes.
        let parts = legs.iter().enumerate();
        let parts = parts.filter(|&(at, leg)| !legs[..at].iter().any(|other| other.part == leg.part));
        let covered: u64 = parts.map(|(_, leg)| leg.length).sum();
        if legs.is_empty() || covered < io.length {
            is_missing(io.node, Tap::Volume, Missing::NoExtent);
        }
    }
    for leg in legs {
        let taps = [
            (io.node, Tap::Initiator, leg.missing_initiator),
            (leg.node, Tap::Target, leg.missing_target),
            (leg.node, Tap::Device, leg.missing_device),
        ];
        for (node, tap, cause) in taps {
            if let Some(cause) = cause {
                is_missing(node, tap, cause);
            }
        }
    }
}

#[cfg(test)]
mod tests;
