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

#[cfg(test)]
mod tests {
    use super::*;

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
