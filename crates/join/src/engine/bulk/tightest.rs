//! What many I/Os say about a pair's clocks, thinned while it is drawn.

use crate::clock::{Constraints, STRETCH_BITS};

/// The tightest constraints of each stretch of time, as far as they come in order: the rest is thinned later.
#[derive(Clone, Debug, Default)]
pub(super) struct Tightest {
    upper: Vec<(i64, i64)>,
    lower: Vec<(i64, i64)>,
}

impl Tightest {
    #[inline]
    pub(super) fn add(&mut self, upper: (i64, i64), lower: (i64, i64)) {
        push(&mut self.upper, upper, 1);
        push(&mut self.lower, lower, -1);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.upper.is_empty()
    }

    /// Adds them to those of a pair.
    pub(super) fn give(&self, constraints: &mut Constraints) {
        constraints.extend(self.upper.iter().copied(), self.lower.iter().copied());
    }
}

/// Adds a point, or puts it in the place of one of the last few of the same stretch that is less tight.
#[inline]
fn push(points: &mut Vec<(i64, i64)>, point: (i64, i64), sign: i64) {
    let stretch = point.0 >> STRETCH_BITS;
    let is_tighter = |other: &(i64, i64)| (sign * point.1, point.0) < (sign * other.1, other.0);
    // Nearly always it is the last one's stretch.
    if let Some(last) = points.last_mut()
        && last.0 >> STRETCH_BITS == stretch
    {
        if is_tighter(last) {
            *last = point;
        }
        return;
    }
    let from = points.len().saturating_sub(4);
    if let Some(other) = points[from..]
        .iter_mut()
        .find(|other| other.0 >> STRETCH_BITS == stretch)
    {
        if is_tighter(other) {
            *other = point;
        }
        return;
    }
    points.push(point);
}
