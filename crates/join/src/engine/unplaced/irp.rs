//! Whether legs carry the IRP of their I/O: unverified of Windows (`domain/etw.md`), so it is learnt from the traffic.
//!
//! A request keeps its IRP from start to end, so that no two requests of a node under way have the same one. Where a leg that lies
//! inside an I/O has the I/O's own, the I/O's IRP was passed down; where legs have IRPs of their own, this never happens. So
//! either nearly all legs agree or none does. What lies between is no IRP, or not of all legs, and is not used.

use std::collections::BTreeMap;

use fathom_model::{Catalog, StreamId, StreamIndex};
use serde::{Deserialize, Serialize};

use super::super::Engine;
use super::Unplaced;

/// Nothing is concluded from fewer legs than this.
const ENOUGH: u64 = 16;

/// Legs carry the IRP of their I/O when at most one in so many does not: the I/Os of some are lost or not complete yet.
const ODD_ONE_IN: u64 = 32;

/// Beyond this many legs counts are halved, so that they follow.
const MOST: u64 = 1 << 20;

/// How many legs were seen with and without the IRP of an I/O around them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct Counts {
    same: u64,
    other: u64,
}

impl Counts {
    /// Whether legs carry the IRP of their I/O.
    const fn is_shared(self) -> bool {
        self.same >= ENOUGH && self.other <= self.same / ODD_ONE_IN
    }

    /// Whether enough is known to say that they do or do not.
    const fn is_known(self) -> bool {
        self.is_shared() || (self.other >= ENOUGH && self.same == 0)
    }
}

/// What was learnt, an initiator.
pub(in crate::engine) type Correlations = BTreeMap<StreamIndex, Counts>;

/// What is kept of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrelationState {
    /// The initiator's stream.
    pub initiator: StreamId,
    /// Legs with the correlation of an I/O that they lie in.
    pub same: u64,
    /// Legs with another one than all I/Os that they lie in.
    pub other: u64,
}

impl Engine {
    /// Counts the legs that ended in a window, and says whether legs carry the IRP of their I/O.
    pub(super) fn learn_correlation(&mut self, stream: StreamIndex, window: i64, found: &Unplaced) -> bool {
        let width = self.config.window_nanos;
        let ends = window.saturating_mul(width)..window.saturating_add(1).saturating_mul(width);
        let counts = self.correlations.entry(stream).or_default();
        for (at, leg) in found.legs.iter().enumerate() {
            let Some(own) = leg.correlation.filter(|_| ends.contains(&leg.span.1)) else {
                continue;
            };
            let (mut same, mut any) = (false, false);
            for copy in found.copies_of(at) {
                same |= found.copies[copy].correlation == Some(own);
                any |= found.copies[copy].correlation.is_some();
            }
            counts.same += u64::from(same);
            counts.other += u64::from(any && !same);
        }
        if counts.same + counts.other > MOST {
            counts.same /= 2;
            counts.other /= 2;
        }
        counts.is_shared()
    }

    /// Whether the legs of an initiator that have no offset carry the correlation (the IRP) of their I/O, so that it ties them;
    /// `None` while that is not known, or neither is so.
    pub(in crate::engine) fn legs_share_correlation(&self, stream: StreamIndex) -> Option<bool> {
        let counts = self.correlations.get(&stream)?;
        counts.is_known().then(|| counts.is_shared())
    }

    pub(in crate::engine) fn correlation_state(&self) -> Vec<CorrelationState> {
        let kept = self.correlations.iter().map(|(&stream, counts)| CorrelationState {
            initiator: self.catalog.stream(stream).clone(),
            same: counts.same,
            other: counts.other,
        });
        let mut kept: Vec<CorrelationState> = kept.collect();
        kept.sort_by(|a, b| a.initiator.cmp(&b.initiator));
        kept
    }
}

/// What was kept, in the indices of another catalog.
pub(in crate::engine) fn restore(catalog: &mut Catalog, kept: Vec<CorrelationState>) -> Correlations {
    let counts = kept.into_iter().map(|kept| {
        let counts = Counts {
            same: kept.same,
            other: kept.other,
        };
        (catalog.intern_stream(&kept.initiator), counts)
    });
    counts.collect()
}

impl Unplaced {
    /// Notes the legs that their IRP ties to one copy: the only one of the two.
    pub(super) fn tie_by_irp(&mut self) {
        if !self.shared {
            return;
        }
        let mut ties = Vec::new();
        for copy in 0..self.copies.len() {
            let Some(own) = self.copies[copy].correlation else {
                continue;
            };
            let done = |&leg: &usize| !self.legs[leg].failed;
            let mut legs = self.legs_of(copy).filter(done);
            let (Some(leg), None) = (legs.next(), legs.next()) else {
                continue;
            };
            let mut copies = self.copies_of(leg);
            let only = copies.next() == Some(copy) && copies.next().is_none();
            if only && self.legs[leg].correlation == Some(own) && !self.legs[leg].contested {
                ties.push((self.copies[copy].claim, self.legs[leg].event));
            }
        }
        self.ties = ties.into_iter().collect();
    }
}
