//! Ties the begin of an I/O to its end, where a provider logs two events for it.

use std::collections::HashMap;

use fathom_etl::decode::PairKey;

/// More I/Os than this in flight at once are not held, some 100 bytes each: their ends have no begin, and are counted.
const MOST_OPEN: usize = 1 << 18;

/// An I/O that has not ended for so long never will: its end was lost.
const GIVEN_UP_NANOS: i64 = 300_000_000_000;

/// I/Os that began.
#[derive(Debug)]
pub(super) struct Pairs<T> {
    open: HashMap<PairKey, (i64, T), rustc_hash::FxBuildHasher>,
    swept_unix_nanos: i64,
    pub(super) counts: PairCounts,
}

/// What became of begins and ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PairCounts {
    /// Begins whose end came.
    pub paired: u64,
    /// Ends whose begin was not seen: the session began in between, or it was lost.
    pub without_begin: u64,
    /// Begins whose end never came, or came after the key was used again.
    pub without_end: u64,
    /// Begins that found no room.
    pub no_room: u64,
}

impl<T> Default for Pairs<T> {
    fn default() -> Self {
        Self {
            open: HashMap::default(),
            swept_unix_nanos: 0,
            counts: PairCounts::default(),
        }
    }
}

impl<T> Pairs<T> {
    /// An I/O began. One with the same key that is still open has lost its end: keys are used again.
    pub(super) fn begin(&mut self, key: PairKey, at_unix_nanos: i64, request: T) {
        if at_unix_nanos.saturating_sub(self.swept_unix_nanos) > GIVEN_UP_NANOS {
            self.sweep(at_unix_nanos);
        }
        if self.open.len() >= MOST_OPEN && !self.open.contains_key(&key) {
            self.counts.no_room += 1;
            return;
        }
        if self.open.insert(key, (at_unix_nanos, request)).is_some() {
            self.counts.without_end += 1;
        }
    }

    /// An I/O ended: when it began, and what it was.
    pub(super) fn end(&mut self, key: &PairKey, at_unix_nanos: i64) -> Option<(i64, T)> {
        let begun = self.open.remove(key);
        // Events of two processors may come in the wrong order, and a key that was used again pairs with neither.
        let begun = begun.filter(|(start, _)| *start <= at_unix_nanos);
        match begun {
            Some(_) => self.counts.paired += 1,
            None => self.counts.without_begin += 1,
        }
        begun
    }

    /// Begins that wait for their end.
    #[cfg(test)]
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    fn sweep(&mut self, now: i64) {
        let before = self.open.len();
        self.open
            .retain(|_, (start, _)| now.saturating_sub(*start) <= GIVEN_UP_NANOS);
        self.counts.without_end += (before - self.open.len()) as u64;
        self.swept_unix_nanos = now;
    }
}

#[cfg(test)]
mod tests {
    use fathom_model::Tap;

    use super::*;

    fn key(value: u64) -> PairKey {
        PairKey {
            kind: Tap::Initiator,
            values: [1, value],
        }
    }

    #[test]
    fn an_address_that_is_used_again_pairs_with_its_last_begin() {
        let mut pairs = Pairs::default();
        pairs.begin(key(1), 10, "first");
        pairs.begin(key(1), 30, "second");
        assert_eq!(pairs.end(&key(1), 40), Some((30, "second")));
        assert_eq!(pairs.end(&key(1), 50), None);
        let counts = pairs.counts;
        assert_eq!((counts.paired, counts.without_begin, counts.without_end), (1, 1, 1));
    }

    #[test]
    fn an_end_before_its_begin_is_no_pair() {
        let mut pairs = Pairs::default();
        pairs.begin(key(1), 10, ());
        assert_eq!(pairs.end(&key(1), 9), None);
        assert_eq!(pairs.open(), 0);
    }

    #[test]
    fn what_never_ends_is_given_up() {
        let mut pairs = Pairs::default();
        pairs.begin(key(1), 1_000_000_000_000, ());
        pairs.begin(key(2), 1_000_000_000_000 + GIVEN_UP_NANOS + 1, ());
        assert_eq!(pairs.open(), 1);
        assert_eq!(pairs.counts.without_end, 1);
    }

    #[test]
    fn more_than_fit_are_counted() {
        let mut pairs = Pairs::default();
        for value in 0..MOST_OPEN as u64 + 5 {
            pairs.begin(key(value), 1, ());
        }
        assert_eq!((pairs.open(), pairs.counts.no_room), (MOST_OPEN, 5));
    }
}
