//! How long writes of a second took, together: what is held against other seconds, such as those in which a storage job ran.
//!
//! A job begins and ends within a minute, and which jobs ran is known only later: seconds are what both can be told of.

use std::collections::BTreeMap;

use super::SizeClass;
use crate::catalog::{NodeIndex, VolumeIndex};

/// Writes of one second that are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecondKey {
    /// The second of their completion since 1970, on the clock of their initiator.
    pub second: i64,
    /// Their volume.
    pub volume: VolumeIndex,
    /// Their initiator.
    pub node: NodeIndex,
    /// How long they are.
    pub size: SizeClass,
}

/// Enough of some durations for their mean and how far that may be off. All in whole numbers: in any order and any grouping the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    /// How many.
    pub count: u64,
    /// All together, in nanoseconds.
    pub sum_nanos: u64,
    /// Their squares together, in square nanoseconds.
    pub squares: u128,
}

impl Moments {
    /// Takes a duration.
    pub const fn add(&mut self, nanos: u64) {
        self.count = self.count.saturating_add(1);
        self.sum_nanos = self.sum_nanos.saturating_add(nanos);
        self.squares = self.squares.saturating_add((nanos as u128).pow(2));
    }

    /// Takes all of others.
    pub const fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.sum_nanos = self.sum_nanos.saturating_add(other.sum_nanos);
        self.squares = self.squares.saturating_add(other.squares);
    }

    /// Their mean in nanoseconds; of none not a number.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum_nanos as f64 / self.count as f64
    }

    /// Their variance in square nanoseconds; of none not a number.
    #[must_use]
    pub fn variance(&self) -> f64 {
        (self.squares as f64 / self.count as f64 - self.mean().powi(2)).max(0.0)
    }
}

/// Cells of `write_seconds`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seconds {
    /// By second and what is alike.
    pub cells: BTreeMap<SecondKey, Moments>,
}

impl Seconds {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Adds a cell.
    pub fn add(&mut self, key: SecondKey, moments: &Moments) {
        self.cells.entry(key).or_default().merge(moments);
    }

    /// Adds all cells of another.
    pub fn merge(&mut self, other: &Self) {
        other.cells.iter().for_each(|(key, moments)| self.add(*key, moments));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_all_values_in_any_grouping() {
        let of = |values: &[u64]| {
            let mut moments = Moments::default();
            values.iter().for_each(|value| moments.add(*value));
            moments
        };
        let (mut one, other) = (of(&[1, 2, 60_000_000_000]), of(&[5, 7]));
        one.merge(&other);
        assert_eq!(one, of(&[7, 1, 60_000_000_000, 5, 2]));
        let few = of(&[2, 4, 4, 4, 5, 5, 7, 9]);
        assert_eq!((few.mean(), few.variance()), (5.0, 4.0));
        assert!(Moments::default().mean().is_nan());
    }
}
