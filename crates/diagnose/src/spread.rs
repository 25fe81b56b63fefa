//! How durations are spread, roughly and in little memory: four bins an octave.

/// Bins: four an octave of nanoseconds.
pub(crate) const BINS: usize = 64 * 4;

/// The bin of a duration.
pub(crate) fn bin(nanos: u64) -> usize {
    if nanos < 4 {
        return 0;
    }
    let octave = 63 - nanos.leading_zeros() as usize;
    (octave * 4 + ((nanos >> (octave - 2)) & 3) as usize).min(BINS - 1)
}

/// The duration in the middle of a bin.
pub(crate) const fn middle(bin: usize) -> u64 {
    let octave = bin / 4;
    if octave < 2 {
        return 2;
    }
    let quarter = 1_u64 << (octave - 2);
    (1 << octave) + quarter * (bin as u64 % 4) + quarter / 2
}

/// Counts of durations, a bin.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spread {
    /// The bin of the first count.
    first: usize,
    counts: Vec<u32>,
}

impl Spread {
    pub(crate) fn add(&mut self, nanos: u64) {
        self.add_to(bin(nanos), 1);
    }

    pub(crate) fn take(&mut self, other: &Self) {
        for (at, &count) in other.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            self.add_to(other.first + at, count);
        }
    }

    fn add_to(&mut self, bin: usize, count: u32) {
        if self.counts.is_empty() {
            self.first = bin;
        }
        if bin < self.first {
            let more = self.first - bin;
            self.counts.splice(0..0, std::iter::repeat_n(0, more));
            self.first = bin;
        }
        let at = bin - self.first;
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] = self.counts[at].saturating_add(count);
    }

    /// Counts half of what it counted.
    pub(crate) fn halve(&mut self) {
        self.counts.iter_mut().for_each(|count| *count /= 2);
    }

    /// Durations in the middle of bins, with how many there were.
    pub(crate) fn durations(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        let counts = self.counts.iter().enumerate();
        counts.map(|(at, &count)| (middle(self.first + at), count))
    }

    /// The middle duration, to within an eighth; 0 when there is none.
    pub(crate) fn middle(&self) -> u64 {
        let total: u64 = self.counts.iter().map(|&count| u64::from(count)).sum();
        let mut before = 0;
        for (at, &count) in self.counts.iter().enumerate() {
            before += u64::from(count);
            if before > total / 2 {
                return middle(self.first + at);
            }
        }
        0
    }
}

#[cfg(test)]
mod tests;
