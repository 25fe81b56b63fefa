//! Durations as counts in bins, so that percentiles of many places can be put together: a sketch.
//!
//! # Bins
//!
//! Each octave of nanoseconds has 64 bins of one width, so that a bin is at most one 64th of what is in it wide, and its middle is off by
//! at most one 128th (0.78 %). Below 128 a bin is one value. In integers: of a value from 64 on whose highest bit is bit `e`, the bin is
//! `(e - 6) * 64 + (value >> (e - 6))`; of a smaller one the value itself. The same on every system and in every language, with no
//! logarithm to be rounded differently.
//!
//! # Merging
//!
//! Everything is added in integers or is a least or a greatest, and what would overflow stays at the greatest number: sketches merged in
//! any order and any grouping are equal to the bit, and equal to the sketch of all their values.

use serde::{Deserialize, Serialize};

mod bins;

use bins::Bins;

/// Bins that there are: of all values that 64 bits hold.
pub const BINS: usize = 58 * 64 + 64;

/// Bins of one octave.
const AN_OCTAVE: usize = 64;

/// The relative error that percentiles keep to.
pub const RELATIVE_ERROR: f64 = 0.01;

/// Durations in nanoseconds, as counts in bins.
///
/// Bounded: at most [`BINS`] counts, and as a rule some hundred, since only the bins between the least and the greatest value are held.
///
/// ```
/// use fathom_model::sketch::Sketch;
///
/// let (mut one, mut other) = (Sketch::default(), Sketch::default());
/// (1..=50).for_each(|millis| one.add(millis * 1_000_000));
/// (51..=100).for_each(|millis| other.add(millis * 1_000_000));
/// one.merge(&other);
/// let median = one.quantile(0.5).expect("there are values");
/// assert!((49_500_000..=50_500_000).contains(&median));
/// assert_eq!((one.count(), one.max()), (100, Some(100_000_000)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Sketch {
    /// The bin of the first count.
    first: usize,
    /// INVARIANT: neither the first nor the last is 0, so that equal sketches have equal parts.
    counts: Bins,
    count: u64,
    sum: u64,
    min: u64,
    max: u64,
}

/// A sketch as it is sent and stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// The bin of the first count.
    pub first_bin: u32,
    /// Values in each bin from there on; neither the first nor the last is 0.
    pub counts: Vec<u64>,
    /// All values together, in nanoseconds; at most the greatest number of 64 bits.
    pub sum_nanos: u64,
    /// The least value.
    pub min_nanos: u64,
    /// The greatest value.
    pub max_nanos: u64,
}

/// A sketch as a column keeps it: the bins that hold values, and how many each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kept<'a> {
    /// The bins, in rising order.
    pub bins: &'a [u16],
    /// Values in each; none is 0.
    pub counts: &'a [u64],
    /// All values together, in nanoseconds.
    pub sum: u64,
    /// The least value.
    pub min: u64,
    /// The greatest value.
    pub max: u64,
}

/// Why parts are no sketch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There are more bins than can be.
    #[error("bins go up to {last}, and there are {BINS}")]
    Bins {
        /// One past the last.
        last: u64,
    },
    /// The first or the last bin is empty.
    #[error("the first and the last bin hold a value each, and here one holds none")]
    Hollow,
    /// Bins do not rise, or have no count each.
    #[error("bins do not rise, or are not as many as the counts, or a count is 0")]
    Disordered,
    /// More values than 64 bits count.
    #[error("there are more values than 64 bits count")]
    TooMany,
    /// The least or the greatest value is in another bin.
    #[error("{what} is {value} ns, which is not in the bin {bin}")]
    Elsewhere {
        /// Which.
        what: &'static str,
        /// The value.
        value: u64,
        /// The bin that it has to be in.
        bin: usize,
    },
    /// The sum cannot be that of so many values between least and greatest.
    #[error("{sum} ns is no sum of {count} values from {min} to {max} ns")]
    Sum {
        /// The sum.
        sum: u64,
        /// How many values.
        count: u64,
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
}

impl Sketch {
    /// One without values.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            first: 0,
            counts: Bins::Narrow(Vec::new()),
            count: 0,
            sum: 0,
            min: 0,
            max: 0,
        }
    }

    /// Takes a value.
    pub fn add(&mut self, nanos: u64) {
        self.add_many(nanos, 1);
    }

    /// Takes a value several times.
    pub fn add_many(&mut self, nanos: u64, times: u64) {
        if times == 0 {
            return;
        }
        let bin = bin(nanos);
        self.reach(bin, bin);
        self.counts.add(bin - self.first, times);
        self.min = if self.count == 0 { nanos } else { self.min.min(nanos) };
        self.max = self.max.max(nanos);
        self.count = self.count.saturating_add(times);
        self.sum = self.sum.saturating_add(nanos.saturating_mul(times));
    }

    /// Takes all that another one has.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        self.reach(other.first, other.first + other.counts.len() - 1);
        self.counts.add_all(other.first - self.first, &other.counts);
        self.min = if self.count == 0 {
            other.min
        } else {
            self.min.min(other.min)
        };
        self.max = self.max.max(other.max);
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// Makes room for the bins from `low` to `high`.
    fn reach(&mut self, low: usize, high: usize) {
        if self.counts.len() == 0 {
            self.first = low;
        }
        let first = self.first.min(low);
        let after = (high + 1).saturating_sub(self.first + self.counts.len());
        self.counts.grow(self.first - first, after);
        self.first = first;
    }

    /// How many values it has.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All values together, in nanoseconds; at most the greatest number of 64 bits.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.sum
    }

    /// The least value, exactly.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// The greatest value, exactly.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// The mean, to the nanosecond below.
    #[must_use]
    pub fn mean(&self) -> Option<u64> {
        self.sum.checked_div(self.count)
    }

    /// The value that so great a share of all is at most, by nearest rank, to 1 %; of a share below 0 the least, above 1 the greatest.
    /// `None` without values.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let [value] = self.quantiles([share])?;
        Some(value)
    }

    /// The same for several shares, each at least the one before it, in one pass.
    #[must_use]
    pub fn quantiles<const N: usize>(&self, shares: [f64; N]) -> Option<[u64; N]> {
        if self.count == 0 {
            return None;
        }
        // A product with a share has the precision of 53 bits; more values than that are never asked for to the last one.
        let ranks = shares.map(|share| ((share * self.count as f64).ceil() as u64).clamp(1, self.count));
        let mut values = [self.max; N];
        let (mut at, mut before) = (0, 0_u64);
        for (offset, own) in self.counts.iter().enumerate() {
            before = before.saturating_add(own);
            while at < N && ranks[at] <= before {
                values[at] = middle(self.first + offset).clamp(self.min, self.max);
                at += 1;
            }
        }
        Some(values)
    }

    /// Bytes that it takes on the heap.
    #[must_use]
    pub const fn heap_bytes(&self) -> usize {
        self.counts.heap_bytes()
    }

    /// The bins that hold values, with how many, in rising order: few, where values lie in few.
    pub fn bins(&self) -> impl Iterator<Item = (u16, u64)> {
        let bins = (self.first..).zip(self.counts.iter());
        // There are fewer than 2^16 of them.
        bins.filter(|(_, count)| *count > 0)
            .map(|(bin, count)| (bin as u16, count))
    }

    /// Takes all that a sketch had whose bins somebody else kept.
    ///
    /// # Errors
    ///
    /// When they cannot be those of any values; then nothing was taken.
    pub fn merge_bins(&mut self, kept: Kept<'_>) -> Result<(), Fault> {
        let Kept { bins, counts, .. } = kept;
        if bins.len() != counts.len() || counts.contains(&0) || bins.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(Fault::Disordered);
        }
        let (Some(&low), Some(&high)) = (bins.first(), bins.last()) else {
            return if (kept.sum, kept.min, kept.max) == (0, 0, 0) {
                Ok(())
            } else {
                Err(Fault::Hollow)
            };
        };
        let (low, high) = (usize::from(low), usize::from(high));
        if high >= BINS {
            return Err(Fault::Bins { last: high as u64 + 1 });
        }
        let total = counts.iter().try_fold(0_u64, |sum, &count| sum.checked_add(count));
        let count = total.ok_or(Fault::TooMany)?;
        check_values((low, high), count, kept.sum, kept.min, kept.max)?;
        self.reach(low, high);
        self.counts.add_each(self.first, bins, counts);
        self.min = if self.count == 0 {
            kept.min
        } else {
            self.min.min(kept.min)
        };
        self.max = self.max.max(kept.max);
        self.count = self.count.saturating_add(count);
        self.sum = self.sum.saturating_add(kept.sum);
        Ok(())
    }

    /// The value in the middle of each bin that holds values, with how many: within 1 % of each of them, and the same for a bin in every
    /// sketch, so that what one has can be taken from another.
    pub fn values(&self) -> impl Iterator<Item = (u64, u64)> {
        self.bins().map(|(bin, count)| (middle(usize::from(bin)), count))
    }

    /// As it is sent and stored.
    #[must_use]
    pub fn parts(&self) -> Parts {
        Parts::from(self.clone())
    }
}

impl From<Sketch> for Parts {
    fn from(sketch: Sketch) -> Self {
        Self {
            first_bin: u32::try_from(sketch.first).unwrap_or(u32::MAX),
            counts: sketch.counts.into(),
            sum_nanos: sketch.sum,
            min_nanos: sketch.min,
            max_nanos: sketch.max,
        }
    }
}

impl TryFrom<Parts> for Sketch {
    type Error = Fault;

    /// Takes parts that somebody else made.
    ///
    /// # Errors
    ///
    /// When they cannot be those of any values.
    fn try_from(parts: Parts) -> Result<Self, Fault> {
        let nothing = Parts::default();
        let (Some(&low), Some(&high)) = (parts.counts.first(), parts.counts.last()) else {
            return if parts == nothing {
                Ok(Self::default())
            } else {
                Err(Fault::Hollow)
            };
        };
        let last = u64::from(parts.first_bin).saturating_add(parts.counts.len() as u64);
        if last > BINS as u64 {
            return Err(Fault::Bins { last });
        }
        if low == 0 || high == 0 {
            return Err(Fault::Hollow);
        }
        let total = parts
            .counts
            .iter()
            .try_fold(0_u64, |sum, &count| sum.checked_add(count));
        let count = total.ok_or(Fault::TooMany)?;
        let first = parts.first_bin as usize;
        let (min, max, sum) = (parts.min_nanos, parts.max_nanos, parts.sum_nanos);
        check_values((first, first + parts.counts.len() - 1), count, sum, min, max)?;
        Ok(Self {
            first,
            counts: Bins::from(parts.counts),
            count,
            sum,
            min,
            max,
        })
    }
}

/// Whether so many values in the bins from first to last can have this least, greatest and sum.
fn check_values((first, last): (usize, usize), count: u64, sum: u64, min: u64, max: u64) -> Result<(), Fault> {
    for (what, value, in_bin) in [("the least value", min, first), ("the greatest value", max, last)] {
        if bin(value) != in_bin {
            return Err(Fault::Elsewhere {
                what,
                value,
                bin: in_bin,
            });
        }
    }
    let (least, greatest) = (min.saturating_mul(count), max.saturating_mul(count));
    if min > max || sum < least || sum > greatest {
        return Err(Fault::Sum { sum, count, min, max });
    }
    Ok(())
}

/// The bin of a value.
const fn bin(nanos: u64) -> usize {
    if nanos < AN_OCTAVE as u64 {
        return nanos as usize;
    }
    let shift = 63 - 6 - nanos.leading_zeros() as usize;
    shift * AN_OCTAVE + (nanos >> shift) as usize
}

/// The value in the middle of a bin.
const fn middle(bin: usize) -> u64 {
    if bin < 2 * AN_OCTAVE {
        return bin as u64;
    }
    let shift = bin / AN_OCTAVE - 1;
    let low = ((bin % AN_OCTAVE + AN_OCTAVE) as u64) << shift;
    low + (1_u64 << shift) / 2
}

#[cfg(test)]
mod tests;
