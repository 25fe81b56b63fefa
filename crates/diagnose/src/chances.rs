//! Which copy would be the last, if all disks and links were alike.
//!
//! Every leg takes a time drawn from one common distribution, that of the legs that were seen, and begins when this write's leg began.

use fathom_model::Leg;

use crate::spread::{BINS, bin, middle};

/// With fewer legs than this the common distribution is not trusted and everybody's chance is the same.
const ENOUGH: u64 = 200;

/// Durations of legs.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            counts: vec![0; BINS],
            total: 0,
        }
    }
}

impl Common {
    pub(crate) fn add(&mut self, nanos: u64) {
        self.counts[bin(nanos)] += 1;
        self.total += 1;
    }

    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// The distribution as it is now.
    pub(crate) fn table(&self) -> Table {
        let mut below = Vec::with_capacity(BINS);
        let mut before = 0;
        // Half of the bin that a duration falls into is shorter than it.
        for &count in &self.counts {
            below.push((before as f64 + count as f64 / 2.0) / self.total as f64);
            before += count;
        }
        let held = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        Table {
            held: held.map(|(at, &count)| (middle(at) as i64, count as f64)).collect(),
            below,
            is_enough: self.total >= ENOUGH,
        }
    }
}

/// A distribution to ask.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    /// Durations that occur, and how often.
    held: Vec<(i64, f64)>,
    /// The share that is shorter, by bin.
    below: Vec<f64>,
    is_enough: bool,
}

impl Table {
    /// Each leg's chance to be the last, into `chances`.
    pub(crate) fn chances(&self, legs: &[Leg], chances: &mut Vec<f64>) {
        chances.clear();
        let alike = 1.0 / legs.len() as f64;
        let begun = |leg: &Leg| leg.initiator.map(|seen| seen.start_unix_nanos);
        if !self.is_enough || legs.iter().any(|leg| begun(leg).is_none()) {
            chances.resize(legs.len(), alike);
            return;
        }
        let share_below = |nanos: i64| match u64::try_from(nanos) {
            Ok(nanos) => self.below[bin(nanos)],
            Err(_) => 0.0,
        };
        let start = |leg: &Leg| begun(leg).unwrap_or(0);
        chances.resize(legs.len(), 0.0);
        for (at, leg) in legs.iter().enumerate() {
            let own = start(leg);
            let mut sum = 0.0;
            for &(duration, count) in &self.held {
                let end = own.saturating_add(duration);
                let mut first = 1.0;
                for (other, leg) in legs.iter().enumerate() {
                    if other != at {
                        first *= share_below(end - start(leg));
                    }
                }
                sum += first * count;
            }
            chances[at] = sum;
        }
        let sum: f64 = chances.iter().sum();
        if sum > 0.0 {
            chances.iter_mut().for_each(|chance| *chance /= sum);
        } else {
            chances.fill(alike);
        }
    }
}
