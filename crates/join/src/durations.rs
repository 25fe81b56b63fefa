//! How long things take: histograms that are learnt, and what they say.

use serde::{Deserialize, Serialize};

/// A histogram of durations with four bins an octave: coarse, small, and the same on every machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Durations {
    counts: Vec<u32>,
}

impl Durations {
    pub(crate) fn bin(nanos: i64) -> usize {
        // Everything below 1 us is one bin.
        let units = (nanos.max(0) as u64) >> 8;
        if units < 4 {
            return 0;
        }
        let octave = 63 - units.leading_zeros() as usize;
        (octave - 2) * 4 + ((units >> (octave - 2)) & 3) as usize + 1
    }

    fn width(bin: usize) -> f64 {
        if bin == 0 {
            1024.0
        } else {
            (256_u64 << ((bin - 1) / 4)) as f64
        }
    }

    #[inline]
    pub(crate) fn add(&mut self, nanos: i64) {
        let bin = Self::bin(nanos);
        if self.counts.len() <= bin {
            self.counts.resize(bin + 1, 0);
        }
        self.counts[bin] = self.counts[bin].saturating_add(1);
    }

    pub(crate) fn total(&self) -> u32 {
        self.counts.iter().fold(0, |sum, &count| sum.saturating_add(count))
    }

    /// The bin from which on lies at most one sample in `one_in`, or one at all where there are fewer.
    pub(crate) fn rarest(&self, one_in: u32) -> usize {
        let most = (self.total() / one_in).max(1);
        let mut longer = 0_u32;
        let rare = self.counts.iter().rev().take_while(|&&count| {
            longer = longer.saturating_add(count);
            longer <= most
        });
        self.counts.len() - rare.count()
    }

    /// Halves every bin when there are many samples, so that the distribution follows.
    pub(crate) fn age(&mut self) {
        if self.total() > 100_000 {
            self.counts.iter_mut().for_each(|count| *count /= 2);
        }
    }

    /// The distribution as it is now.
    pub(crate) fn distribution(&self) -> Distribution {
        let total = self.total();
        let mut up_to = 0_u32;
        let mut bins = Vec::with_capacity(BINS);
        for bin in 0..BINS {
            let count = self.counts.get(bin).copied().unwrap_or(0);
            up_to = up_to.saturating_add(count);
            bins.push((
                // Half a sample in every bin, so that nothing is impossible.
                (f64::from(count) + 0.5) / Self::width(bin),
                (f64::from(up_to) + 0.5) / (f64::from(total) + 1.0),
            ));
        }
        Distribution { total, bins }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
    }
}

/// Bins that a duration can be in: the longest falls in the last.
pub(crate) const BINS: usize = 4 * 54 + 1;

/// A histogram made ready for questions.
#[derive(Clone, Debug)]
pub(crate) struct Distribution {
    pub(crate) total: u32,
    /// Of each bin the probability density, and the share of samples up to its end.
    bins: Vec<(f64, f64)>,
}

impl Distribution {
    /// Probability density at a duration.
    pub(crate) fn density(&self, nanos: i64) -> f64 {
        self.bins[Durations::bin(nanos).min(BINS - 1)].0
    }

    /// Share of samples in bins before a duration's own: all of them were shorter.
    pub(crate) fn share_below(&self, nanos: i64) -> f64 {
        let bin = Durations::bin(nanos).min(BINS - 1);
        bin.checked_sub(1).map_or(0.0, |before| self.bins[before].1)
    }

    /// Share of samples up to and with a duration's bin.
    pub(crate) fn share_up_to(&self, nanos: i64) -> f64 {
        self.bins[Durations::bin(nanos).min(BINS - 1)].1
    }
}
