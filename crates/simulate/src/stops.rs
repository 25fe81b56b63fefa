//! Stretches of time in which something stands still.

use crate::random::Random;

/// Random stops between two times: made as far as somebody asks, the same whoever asks.
#[derive(Clone, Debug)]
pub(crate) struct Stops {
    random: Random,
    every: f64,
    length: f64,
    until: u64,
    /// Sorted, apart from each other.
    made: Vec<(u64, u64)>,
    /// All stops that begin before this are made.
    known: u64,
}

impl Stops {
    /// Stops between `from` and `until` with these means, in nanoseconds.
    pub(crate) const fn new(random: Random, (from, until): (u64, u64), every: f64, length: f64) -> Self {
        Self {
            random,
            every,
            length,
            until,
            made: Vec::new(),
            known: from,
        }
    }

    fn make_until(&mut self, time: u64) {
        while self.known <= time && self.known < self.until {
            let start = self
                .known
                .saturating_add(self.random.exponential(self.every) as u64 + 1);
            let length = self.random.log_normal(self.length, 0.4) as u64 + 1;
            let end = start.saturating_add(length).min(self.until);
            if start < end {
                self.made.push((start, end));
            }
            self.known = end.max(start);
        }
    }

    /// When each stop up to a time begins, in order.
    pub(crate) fn begins(&mut self, until: u64) -> Vec<u64> {
        self.make_until(until);
        let begun = self.made.iter().map(|(start, _)| *start);
        begun.take_while(|start| *start <= until).collect()
    }

    /// When something that comes now goes on: now, or the end of the stop that it meets.
    pub(crate) fn release(&mut self, now: u64) -> u64 {
        self.make_until(now);
        let next = self.made.partition_point(|&(_, end)| end <= now);
        match self.made.get(next) {
            Some(&(start, end)) if start <= now => end,
            _ => now,
        }
    }

    /// When work of this length is done that begins now and pauses in every stop.
    pub(crate) fn through(&mut self, now: u64, work: u64) -> u64 {
        let mut at = self.release(now);
        let mut left = work;
        loop {
            self.make_until(at.saturating_add(left));
            let next = self.made.partition_point(|&(start, _)| start < at);
            match self.made.get(next) {
                Some(&(start, end)) if start < at.saturating_add(left) => {
                    left -= start - at;
                    at = end;
                }
                _ => return at.saturating_add(left),
            }
        }
    }
}

#[cfg(test)]
mod tests;
