//! Counts of neighbouring bins, in four bytes each as long as they fit: a fleet holds tens of thousands of sketches.

/// Counts that only grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bins {
    /// INVARIANT: as long as every count fits; so equal counts are equal bins.
    Narrow(Vec<u32>),
    /// At least one does not.
    Wide(Vec<u64>),
}

impl Default for Bins {
    fn default() -> Self {
        Self::Narrow(Vec::new())
    }
}

impl From<Vec<u64>> for Bins {
    fn from(counts: Vec<u64>) -> Self {
        let narrow: Result<Vec<u32>, _> = counts.iter().map(|count| u32::try_from(*count)).collect();
        narrow.map_or(Self::Wide(counts), Self::Narrow)
    }
}

impl From<Bins> for Vec<u64> {
    fn from(bins: Bins) -> Self {
        match bins {
            Bins::Narrow(counts) => counts.into_iter().map(u64::from).collect(),
            Bins::Wide(counts) => counts,
        }
    }
}

impl Bins {
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Narrow(counts) => counts.len(),
            Self::Wide(counts) => counts.len(),
        }
    }

    /// Bytes on the heap.
    pub(super) const fn heap_bytes(&self) -> usize {
        match self {
            Self::Narrow(counts) => counts.capacity() * size_of::<u32>(),
            Self::Wide(counts) => counts.capacity() * size_of::<u64>(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u64> {
        let (narrow, wide): (&[u32], &[u64]) = match self {
            Self::Narrow(counts) => (counts, &[]),
            Self::Wide(counts) => (&[], counts),
        };
        narrow.iter().map(|count| u64::from(*count)).chain(wide.iter().copied())
    }

    /// Makes room for so many before and after what there is.
    pub(super) fn grow(&mut self, before: usize, after: usize) {
        fn grown<T: Clone + Default>(counts: &mut Vec<T>, before: usize, after: usize) {
            if before > 0 {
                counts.splice(0..0, std::iter::repeat_n(T::default(), before));
            }
            counts.resize(counts.len() + after, T::default());
        }
        match self {
            Self::Narrow(counts) => grown(counts, before, after),
            Self::Wide(counts) => grown(counts, before, after),
        }
    }

    /// Counts some more at a place.
    pub(super) fn add(&mut self, at: usize, times: u64) {
        if let Self::Narrow(counts) = self {
            let sum = u32::try_from(times)
                .ok()
                .and_then(|times| counts[at].checked_add(times));
            if let Some(sum) = sum {
                counts[at] = sum;
                return;
            }
        }
        let mut counts: Vec<u64> = std::mem::take(self).into();
        counts[at] = counts[at].saturating_add(times);
        *self = Self::Wide(counts);
    }

    /// Counts so many in each of some bins, of which `first` is the place of the first.
    pub(super) fn add_each(&mut self, first: usize, bins: &[u16], counts: &[u64]) {
        let mut done = 0;
        if let Self::Narrow(own) = self {
            for (bin, times) in bins.iter().zip(counts) {
                let own = &mut own[usize::from(*bin) - first];
                let Some(sum) = u32::try_from(*times).ok().and_then(|times| own.checked_add(times)) else {
                    break;
                };
                *own = sum;
                done += 1;
            }
        }
        for (bin, times) in bins[done..].iter().zip(&counts[done..]) {
            self.add(usize::from(*bin) - first, *times);
        }
    }

    /// Counts all of another one from a place on.
    pub(super) fn add_all(&mut self, from: usize, other: &Self) {
        if let (Self::Narrow(own), Self::Narrow(more)) = (&mut *self, other) {
            let own = &mut own[from..from + more.len()];
            if own.iter().zip(more).all(|(own, more)| own.checked_add(*more).is_some()) {
                own.iter_mut().zip(more).for_each(|(own, more)| *own += more);
                return;
            }
        }
        // A sum does not fit, or a count of the other does not.
        let mut counts: Vec<u64> = std::mem::take(self).into();
        for (own, more) in counts[from..].iter_mut().zip(other.iter()) {
            *own = own.saturating_add(more);
        }
        *self = Self::Wide(counts);
    }
}
