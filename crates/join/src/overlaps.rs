//! Stretches of time, to be asked which of them have to do with another, without looking at all of them.

use crate::assign::Interval;
use crate::lowest::Lowest;

/// Stretches by their numbers.
#[derive(Debug)]
pub(crate) struct Overlaps {
    /// Ends and numbers, in the order of the ends.
    by_end: Vec<(i64, u32)>,
    /// Of each place in that order the start.
    starts: Lowest,
}

impl Overlaps {
    /// Of stretches that are numbered from 0 on.
    pub(crate) fn new(spans: &[Interval]) -> Self {
        let mut by_end: Vec<(i64, u32)> = spans.iter().zip(0..).map(|(&(_, end), number)| (end, number)).collect();
        by_end.sort_unstable();
        let starts = Lowest::new(by_end.iter().map(|&(_, number)| spans[number as usize].0));
        Self { by_end, starts }
    }

    /// Those that have to do with a stretch, even partly, in the order of their ends.
    pub(crate) fn touching(&self, (start, end): Interval) -> impl Iterator<Item = usize> + '_ {
        self.of(start, end)
    }

    /// Takes out those that have to do with a stretch, even partly: each is given once.
    pub(crate) fn take_touching(&mut self, (start, end): Interval, mut taken: impl FnMut(usize)) {
        let mut from = self.by_end.partition_point(|&(other, _)| other < start);
        while let Some(at) = self.starts.first(from, end).filter(|&at| at < self.by_end.len()) {
            taken(self.by_end[at].1 as usize);
            self.starts.remove(at);
            from = at + 1;
        }
    }

    /// Those that hold all of a stretch, in the order of their ends.
    pub(crate) fn holding(&self, (start, end): Interval) -> impl Iterator<Item = usize> + '_ {
        self.of(end, start)
    }

    /// Those that end no earlier than one time and start no later than another.
    fn of(&self, end: i64, start: i64) -> impl Iterator<Item = usize> + '_ {
        let first = self.by_end.partition_point(|&(other, _)| other < end);
        let found = self.starts.all(first, start);
        // Beyond the last there is nothing, whatever the limit.
        found
            .map_while(|at| self.by_end.get(at))
            .map(|&(_, number)| number as usize)
    }
}

/// Tells so much of which of some stretches have to do with which of others, even partly, that who has to do with whom, directly or
/// through others, is the same as if all of it were told. So it takes no longer where everything has to do with everything.
pub(crate) fn join_touching(some: &[Interval], others: &[Interval], mut joined: impl FnMut(usize, usize)) {
    let begins = |&(start, _): &Interval| start;
    let mut order: Vec<(i64, bool, usize)> = Vec::with_capacity(some.len() + others.len());
    order.extend(some.iter().map(begins).zip(0..).map(|(start, at)| (start, false, at)));
    order.extend(others.iter().map(begins).zip(0..).map(|(start, at)| (start, true, at)));
    order.sort_unstable();
    // Those that may reach beyond the place that was come to. Of several that are joined the longest stands for all: what has to do
    // with any of them from here on has to do with that one.
    let (mut open_some, mut open_others): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for (start, is_other, at) in order {
        let (open, spans) = if is_other {
            (&mut open_some, some)
        } else {
            (&mut open_others, others)
        };
        let mut longest: Option<usize> = None;
        for before in open.drain(..).filter(|&before| spans[before].1 >= start) {
            let (one, other) = if is_other { (before, at) } else { (at, before) };
            joined(one, other);
            if longest.is_none_or(|longest| spans[longest].1 < spans[before].1) {
                longest = Some(before);
            }
        }
        open.extend(longest);
        if is_other {
            open_others.push(at);
        } else {
            open_some.push(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_to_do_with_whom_is_the_same_as_if_all_were_told() {
        let mut state = 9_u64;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((state >> 33) % below) as i64
        };
        for round in 0..300 {
            let mut spans = |count: i64| -> Vec<Interval> {
                let span = |start: i64, long: i64| (start, start + long);
                (0..count).map(|_| span(next(60), next(9))).collect()
            };
            let (some, others) = (spans(round % 17), spans(round % 13));
            let root = |parent: &[usize], mut at: usize| {
                while parent[at] != at {
                    at = parent[at];
                }
                at
            };
            let join = |parent: &mut Vec<usize>, one: usize, other: usize| {
                let (a, b) = (root(parent, one), root(parent, other + some.len()));
                parent[a.max(b)] = a.min(b);
            };
            let all: Vec<usize> = (0..some.len() + others.len()).collect();
            let (mut told, mut plain) = (all.clone(), all.clone());
            join_touching(&some, &others, |one, other| join(&mut told, one, other));
            for (one, a) in some.iter().enumerate() {
                for (other, b) in others.iter().enumerate() {
                    if a.0 <= b.1 && b.0 <= a.1 {
                        join(&mut plain, one, other);
                    }
                }
            }
            let roots = |parent: &[usize]| -> Vec<usize> { all.iter().map(|&at| root(parent, at)).collect() };
            assert_eq!(roots(&told), roots(&plain), "{some:?} and {others:?}");
        }
    }

    #[test]
    fn what_was_taken_is_not_taken_again() {
        let spans: Vec<Interval> = (0..50).map(|at| (at % 7, at % 7 + at % 5)).collect();
        let mut overlaps = Overlaps::new(&spans);
        let mut left: Vec<usize> = (0..spans.len()).collect();
        for asked in [(3, 3), (0, 1), (5, 6), (0, 20), (0, 20)] {
            let mut taken = Vec::new();
            overlaps.take_touching(asked, |at| taken.push(at));
            taken.sort_unstable();
            let (touching, others) = left
                .into_iter()
                .partition(|&at: &usize| spans[at].1 >= asked.0 && spans[at].0 <= asked.1);
            left = others;
            let touching: Vec<usize> = touching;
            assert_eq!(taken, touching, "{asked:?}");
        }
        assert!(left.is_empty());
    }

    #[test]
    fn finds_what_a_look_at_all_finds() {
        let mut state = 5_u64;
        let mut next = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((state >> 33) % below) as i64
        };
        for count in 0..40 {
            let mut spans: Vec<Interval> = (0..count)
                .map(|_| {
                    let start = next(30);
                    (start, start + next(12))
                })
                .collect();
            if count % 3 == 0 {
                spans.push((i64::MIN, i64::MAX));
                // One that holds nothing.
                spans.push((i64::MAX, i64::MIN));
            }
            let overlaps = Overlaps::new(&spans);
            for asked in [(3, 3), (0, 50), (10, 14), (-5, -1), (60, 70), (i64::MIN, i64::MAX)] {
                let sorted = |found: &mut dyn Iterator<Item = usize>| {
                    let mut found: Vec<usize> = found.collect();
                    found.sort_unstable();
                    found
                };
                let plain = |fits: &dyn Fn(Interval) -> bool| -> Vec<usize> {
                    (0..spans.len()).filter(|&at| fits(spans[at])).collect()
                };
                let touching = plain(&|span| span.1 >= asked.0 && span.0 <= asked.1);
                let holding = plain(&|span| span.0 <= asked.0 && asked.1 <= span.1);
                assert_eq!(
                    sorted(&mut overlaps.touching(asked)),
                    touching,
                    "{asked:?} of {spans:?}"
                );
                assert_eq!(sorted(&mut overlaps.holding(asked)), holding, "{asked:?} in {spans:?}");
            }
        }
    }
}
