//! Bounds on a grid of times, ready for look-up.

use super::envelope::Rate;

/// Bounds are reckoned at multiples of this many (as a power of two) nanoseconds, 4.2 ms, and between them by the fastest drift
/// from the nearer ones: at most 1 us wider than there is.
pub(super) const GRID_BITS: u32 = 22;

/// The bounds on one stretch of the grid: at its start and at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(super) number: i64,
    pub(super) low: (i64, i64),
    pub(super) high: (i64, i64),
    pub(super) rate: Rate,
}

impl Cell {
    /// The stretch of the grid that holds a time.
    #[inline]
    pub(crate) const fn number_of(x: i64) -> i64 {
        x >> GRID_BITS
    }

    /// Below the lowest and above the highest offset of this stretch; above its lower bounds and below its upper ones.
    pub(crate) fn span(&self) -> [(i64, i64); 2] {
        let within = self.rate.over(1 << GRID_BITS);
        let low = (self.low.0.min(self.low.1) - within, self.low.0.max(self.low.1));
        let high = (self.high.0.min(self.high.1), self.high.0.max(self.high.1) + within);
        [low, high]
    }

    /// Lowest and highest offset at a time of this stretch.
    #[inline]
    pub(crate) fn at(&self, x: i64) -> (i64, i64) {
        self.at_moment(&Moment::new(x, self.rate))
    }

    /// The same of a time whose place on the grid is known.
    #[inline]
    pub(crate) fn at_moment(&self, moment: &Moment) -> (i64, i64) {
        let &Moment { since, until, .. } = moment;
        (
            (self.low.0 - since).max(self.low.1 - until),
            (self.high.0 + since).min(self.high.1 + until),
        )
    }
}

/// A time, for asking several clocks about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// The stretch of the grid that holds it.
    pub(crate) number: i64,
    /// How much clocks can have drifted apart since that began, and until it ends.
    since: i64,
    until: i64,
}

impl Moment {
    #[inline]
    pub(crate) const fn new(x: i64, rate: Rate) -> Self {
        let number = Cell::number_of(x);
        let along = x - (number << GRID_BITS);
        Self {
            number,
            since: rate.over(along),
            until: rate.over((1 << GRID_BITS) - along),
        }
    }
}
