//! Some of a few: the legs of an I/O that may have been the last, without a list of them.

/// Some of the legs of an I/O, by their places.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Legs {
    /// A bit each.
    first: u64,
    /// Those that are beyond.
    more: Vec<usize>,
}

impl Legs {
    #[inline]
    pub(super) fn insert(&mut self, at: usize) {
        if at < 64 {
            self.first |= 1 << at;
        } else {
            self.more.push(at);
        }
    }

    /// The first so many.
    pub(super) fn all(legs: usize) -> Self {
        Self {
            first: if legs < 64 { (1 << legs) - 1 } else { u64::MAX },
            more: (64..legs).collect(),
        }
    }

    #[inline]
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let mut rest = self.first;
        let first = std::iter::from_fn(move || {
            let at = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
            rest &= rest - 1;
            Some(at)
        });
        first.chain(self.more.iter().copied())
    }

    pub(super) fn contains(&self, at: usize) -> bool {
        self.iter().any(|other| other == at)
    }

    /// The one, where it is one.
    #[inline]
    pub(super) fn only(&self) -> Option<usize> {
        match (self.first.count_ones(), self.more.as_slice()) {
            (1, []) => Some(self.first.trailing_zeros() as usize),
            (0, [only]) => Some(*only),
            _ => None,
        }
    }
}

impl FromIterator<usize> for Legs {
    fn from_iter<I: IntoIterator<Item = usize>>(legs: I) -> Self {
        let mut all = Self::default();
        legs.into_iter().for_each(|at| all.insert(at));
        all
    }
}
