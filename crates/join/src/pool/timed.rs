//! What is kept under one key, in the order of its ends.
//!
//! Nearly every key has one or two, and those are a short list. A place that is written again and again has thousands at a time:
//! then who looks for what lies in a stretch of time must not look at all of them, nor who takes one out.

use std::collections::BTreeSet;
use std::ops::Bound;

use smallvec::SmallVec;

use crate::assign::Interval;

/// More than so many are kept in a tree.
const FEW: usize = 16;

/// Items with a stretch of time each, in the order of (end, item).
#[derive(Clone, Debug)]
pub(crate) enum Timed<T, const N: usize>
where
    [(i64, T); N]: smallvec::Array<Item = (i64, T)>,
{
    Few(SmallVec<[(i64, T); N]>),
    /// With how long the longest since there were so many lasts: what begins by some time ends no later than that after it.
    Many(BTreeSet<(i64, T)>, u64),
}

impl<T: Copy + Default + Ord, const N: usize> Timed<T, N>
where
    [(i64, T); N]: smallvec::Array<Item = (i64, T)>,
{
    /// One that has nothing.
    pub(crate) fn new() -> Self {
        Self::Few(SmallVec::new())
    }

    /// Adds what lasts from a start to an end. `of` says how long one lasts that is here already.
    pub(crate) fn insert(&mut self, (start, end): Interval, item: T, of: impl Fn(T) -> u64) {
        match self {
            Self::Few(list) if list.len() < FEW => {
                let at = list.partition_point(|other| *other < (end, item));
                list.insert(at, (end, item));
            }
            Self::Few(list) => {
                let longest = list.iter().map(|&(_, other)| of(other)).max();
                let longest = longest.unwrap_or(0).max(end.abs_diff(start));
                let mut all: BTreeSet<(i64, T)> = list.drain(..).collect();
                all.insert((end, item));
                *self = Self::Many(all, longest);
            }
            Self::Many(all, longest) => {
                *longest = (*longest).max(end.abs_diff(start));
                all.insert((end, item));
            }
        }
    }

    pub(crate) fn remove(&mut self, end: i64, item: T) {
        match self {
            Self::Few(list) => list.retain(|other| *other != (end, item)),
            Self::Many(all, _) => {
                all.remove(&(end, item));
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Few(list) => list.is_empty(),
            Self::Many(all, _) => all.is_empty(),
        }
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.ending(i64::MIN, i64::MAX)
    }

    /// Those that end in a stretch of time.
    pub(crate) fn ending(&self, from: i64, until: i64) -> impl Iterator<Item = T> + '_ {
        let (few, many) = match self {
            Self::Few(list) => (list.as_slice(), None),
            Self::Many(all, _) => (&[][..], Some(all)),
        };
        let last = match until.checked_add(1) {
            Some(after) => Bound::Excluded((after, T::default())),
            None => Bound::Unbounded,
        };
        let many = many.filter(|_| from <= until);
        let many = many.map(|all| all.range((Bound::Included((from, T::default())), last)));
        let few = few.iter().filter(move |(end, _)| (from..=until).contains(end));
        few.chain(many.into_iter().flatten()).map(|&(_, item)| item)
    }

    /// All those that have to do with a stretch of time, even partly, and some that begin after it.
    pub(crate) fn around(&self, from: i64, until: i64) -> impl Iterator<Item = T> + '_ {
        let longest = match self {
            Self::Few(_) => u64::MAX,
            Self::Many(_, longest) => *longest,
        };
        self.ending(from, until.saturating_add_unsigned(longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_found_and_taken_out_as_few_are() {
        let mut state = 7_u64;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        };
        for count in [3, FEW, FEW + 1, 200] {
            let mut timed: Timed<usize, 2> = Timed::new();
            let mut plain: BTreeSet<(i64, usize)> = BTreeSet::new();
            for item in 0..count {
                let end = next(40) as i64;
                timed.insert((end - 3, end), item, |_| 3);
                plain.insert((end, item));
            }
            for _ in 0..count / 2 {
                let &(end, item) = plain.iter().nth(next(plain.len() as u64) as usize).unwrap();
                timed.remove(end, item);
                plain.remove(&(end, item));
            }
            for (from, until) in [(i64::MIN, i64::MAX), (5, 20), (20, 5), (12, 12), (39, i64::MAX)] {
                let inside = plain.iter().filter(|(end, _)| (from..=until).contains(end));
                let inside: Vec<usize> = inside.map(|&(_, item)| item).collect();
                assert_eq!(
                    timed.ending(from, until).collect::<Vec<_>>(),
                    inside,
                    "{from} to {until} of {count}"
                );
                let around: BTreeSet<usize> = timed.around(from, until).collect();
                let touch = |&(end, item): &(i64, usize)| end < from || end - 3 > until || around.contains(&item);
                assert!(
                    from > until || plain.iter().all(touch),
                    "about {from} to {until} of {count}"
                );
            }
            assert_eq!(timed.iter().count(), plain.len());
            let all: Vec<_> = plain.into_iter().collect();
            all.into_iter().for_each(|(end, item)| timed.remove(end, item));
            assert!(timed.is_empty());
        }
    }
}
