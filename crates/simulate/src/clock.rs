//! The nodes' clocks: from true time to what a node shows.

use serde::Serialize;

use crate::config::Config;
use crate::random::{Purpose, Random};

/// A node's clock. With x nanoseconds of true time since the run's start it shows
/// `epoch + x + offset + x * drift / 1e6 + max(0, x - drift_change_at) * drift_change / 1e6`, and from the moment on when that is
/// `step_at_ns` or later, `step_ns` more.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Clock {
    /// The run's start, nanoseconds since 1970.
    pub epoch_ns: i64,
    /// Offset at the run's start, in nanoseconds.
    pub offset_ns: f64,
    /// Drift, parts per million.
    pub drift_ppm: f64,
    /// When the drift changes, in nanoseconds of true time since the run's start.
    pub drift_change_at_ns: Option<f64>,
    /// By how much, parts per million.
    pub drift_change_ppm: f64,
    /// When the clock is set, on the clock before that, nanoseconds since 1970.
    pub step_at_ns: Option<i64>,
    /// By how much, in nanoseconds.
    pub step_ns: f64,
}

impl Clock {
    pub(crate) fn all(config: &Config) -> Vec<Self> {
        (0..config.nodes).map(|node| Self::new(config, node)).collect()
    }

    fn new(config: &Config, node: u32) -> Self {
        let mut random = Random::new(config.seed, Purpose::Clock, node as usize);
        let mut clock = Self {
            epoch_ns: config.epoch_unix_nanos,
            offset_ns: (random.signed() * config.clocks.offset_millis * 1e6).round(),
            // Three digits, as the recordings have it.
            drift_ppm: (random.signed() * config.clocks.drift_ppm * 1e3).round() / 1e3,
            drift_change_at_ns: None,
            drift_change_ppm: 0.0,
            step_at_ns: None,
            step_ns: 0.0,
        };
        let mine = config.clocks.changes.iter().filter(|change| change.node == node);
        for change in mine.clone().filter(|change| change.drift_ppm != 0.0) {
            clock.drift_change_at_ns = Some((change.at_seconds * 1e9).round());
            clock.drift_change_ppm = change.drift_ppm;
        }
        // A step is told on the clock itself, so its drift has to be known first.
        for change in mine.filter(|change| change.step_millis != 0.0) {
            clock.step_at_ns = Some(clock.monotonic((change.at_seconds * 1e9) as u64));
            clock.step_ns = (change.step_millis * 1e6).round();
        }
        clock
    }

    /// What the clock would show if it were never set: durations are measured on it.
    #[must_use]
    pub fn monotonic(&self, true_nanos: u64) -> i64 {
        let x = true_nanos as f64;
        let changed = self
            .drift_change_at_ns
            .map_or(0.0, |at| (x - at).max(0.0) * self.drift_change_ppm / 1e6);
        let beyond = self.offset_ns + x * self.drift_ppm / 1e6 + changed;
        self.epoch_ns
            .saturating_add_unsigned(true_nanos)
            .saturating_add(beyond.round() as i64)
    }

    /// What the clock shows.
    #[must_use]
    pub fn shown(&self, true_nanos: u64) -> i64 {
        self.set(self.monotonic(true_nanos))
    }

    /// What is shown instead of what the clock would show if it were never set.
    pub(crate) fn set(&self, monotonic: i64) -> i64 {
        match self.step_at_ns {
            Some(at) if monotonic >= at => monotonic.saturating_add(self.step_ns as i64),
            _ => monotonic,
        }
    }
}

#[cfg(test)]
mod tests;
