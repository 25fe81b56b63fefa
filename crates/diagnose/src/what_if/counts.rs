//! Counts of durations by size, of which some may be taken away: few bytes where few sizes occur.

use std::collections::BTreeMap;

use super::Percentiles;

/// Bins an octave, as a power of two: a duration is known to one part in 512.
const BITS: u32 = 9;

/// Counts by bin; a difference has negative ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    bins: BTreeMap<u32, i64>,
    total: i64,
}

impl Counts {
    pub(crate) fn add(&mut self, nanos: u64, count: i64) {
        *self.bins.entry(bin(nanos)).or_default() += count;
        self.total += count;
    }

    pub(crate) const fn total(&self) -> i64 {
        self.total
    }

    /// The value at a share from 0 to 1, by nearest rank; none where there is nothing.
    pub(crate) fn quantile(&self, share: f64) -> Option<u64> {
        let rank = (self.total as f64 * share).ceil().max(1.0);
        let mut below = 0_i64;
        let found = self.bins.iter().find(|(_, count)| {
            below += **count;
            below as f64 >= rank
        });
        found.map(|(bin, _)| middle(*bin))
    }

    /// How many are surely at least so long: of the bin that it lies in none.
    pub(crate) fn beyond(&self, nanos: u64) -> u64 {
        let beyond = self.bins.range(bin(nanos) + 1..);
        beyond.map(|(_, count)| count.unsigned_abs()).sum()
    }

    /// Of these and a difference together; none where nothing is left.
    pub(crate) fn percentiles(&self, difference: &Self) -> Option<Percentiles> {
        let total = u64::try_from(self.total + difference.total)
            .ok()
            .filter(|total| *total > 0)?;
        let mut bins = self.bins.clone();
        for (&bin, &count) in &difference.bins {
            *bins.entry(bin).or_default() += count;
        }
        // By nearest rank.
        let mut wanted = [50_u64, 95, 99]
            .map(|percent| (total * percent).div_ceil(100))
            .into_iter();
        let mut percentiles = [0; 3];
        let (mut at, mut next, mut below) = (0, wanted.next(), 0_i64);
        for (&bin, &count) in &bins {
            below += count;
            while let Some(rank) = next.filter(|rank| i128::from(*rank) <= i128::from(below)) {
                percentiles[at] = middle(bin);
                at += 1;
                next = wanted.next();
                debug_assert!(rank > 0, "there is something");
            }
        }
        Some(percentiles)
    }
}

/// The bin of a duration: itself where it is short, else its octave and the next bits.
fn bin(nanos: u64) -> u32 {
    let octave = nanos.max(1).ilog2();
    if octave < BITS {
        return nanos as u32;
    }
    let shift = octave - BITS;
    ((shift + 1) << BITS) + ((nanos >> shift) as u32 - (1 << BITS))
}

/// The middle of a bin.
fn middle(bin: u32) -> u64 {
    let (octaves, rest) = (bin >> BITS, u64::from(bin & ((1 << BITS) - 1)));
    if octaves == 0 {
        return rest;
    }
    let shift = octaves - 1;
    let low = ((1 << BITS) + rest) << shift;
    low + (1_u64 << shift) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_keep_durations_to_one_part_in_five_hundred() {
        for nanos in [0, 1, 511, 512, 513, 1023, 1024, 123_456, 9_876_543_210, u64::MAX] {
            let kept = middle(bin(nanos));
            assert!(kept.abs_diff(nanos) <= nanos / 512, "{nanos} is kept as {kept}");
        }
    }

    #[test]
    fn percentiles_are_by_nearest_rank_and_follow_a_difference() {
        let (mut counts, mut difference) = (Counts::default(), Counts::default());
        (1..=100).for_each(|nanos| counts.add(nanos, 1));
        assert_eq!(counts.percentiles(&difference), Some([50, 95, 99]));
        for nanos in 90..=100 {
            difference.add(nanos, -1);
            difference.add(1, 1);
        }
        assert_eq!(counts.percentiles(&difference), Some([39, 84, 88]));
        assert_eq!(Counts::default().percentiles(&Counts::default()), None);
    }
}
