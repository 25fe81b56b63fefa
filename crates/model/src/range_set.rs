//! A set of ordinals as sorted, disjoint half-open ranges.

use serde::{Deserialize, Serialize};

/// A set of `u64` values kept as sorted, disjoint, non-adjacent half-open ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RangeSet {
    ranges: Vec<(u64, u64)>,
}

impl RangeSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// The ranges, sorted: start inside, end outside.
    #[must_use]
    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.ranges
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many values are in it.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|(start, end)| end - start).sum()
    }

    /// Whether `value` is in it.
    #[must_use]
    pub fn contains(&self, value: u64) -> bool {
        let after = self.ranges.partition_point(|&(start, _)| start <= value);
        after > 0 && value < self.ranges[after - 1].1
    }

    /// Adds `start..end`; an empty or inverted range adds nothing.
    pub fn insert(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        // All ranges that touch or overlap start..end melt into one.
        let first = self.ranges.partition_point(|&(_, stop)| stop < start);
        let last = self.ranges.partition_point(|&(from, _)| from <= end);
        if first == last {
            self.ranges.insert(first, (start, end));
            return;
        }
        let melted = (self.ranges[first].0.min(start), self.ranges[last - 1].1.max(end));
        self.ranges.splice(first..last, [melted]);
    }

    /// Takes away every value below `floor`.
    pub fn remove_below(&mut self, floor: u64) {
        self.ranges.retain_mut(|range| {
            range.0 = range.0.max(floor);
            range.0 < range.1
        });
    }

    /// What of `start..end` is not in the set, in order.
    #[must_use]
    pub fn gaps(&self, start: u64, end: u64) -> Vec<(u64, u64)> {
        let mut gaps = Vec::new();
        let mut at = start;
        for &(from, to) in &self.ranges {
            if to <= at {
                continue;
            }
            if from >= end {
                break;
            }
            if from > at {
                gaps.push((at, from.min(end)));
            }
            at = to;
        }
        if at < end {
            gaps.push((at, end));
        }
        gaps
    }
}

impl FromIterator<(u64, u64)> for RangeSet {
    fn from_iter<I: IntoIterator<Item = (u64, u64)>>(ranges: I) -> Self {
        let mut set = Self::new();
        ranges.into_iter().for_each(|(start, end)| set.insert(start, end));
        set
    }
}

#[cfg(test)]
mod tests;
