//! Objectives: what is promised of writes, and the minutes in which it was not kept.

use serde::{Deserialize, Serialize};

/// What is promised: a percentile of the writes of a minute is below a limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// Its name.
    pub name: String,
    /// The volume; none: all writes of the cluster together.
    pub volume: Option<String>,
    /// Writes of at most this many bytes count.
    pub up_to_bytes: u64,
    /// The percentile, above 0 and below 100.
    pub percentile: f64,
    /// The limit.
    pub below_ns: u64,
}

/// A minute in which it was not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowMinute {
    /// When it began, on the clocks of those who wrote.
    pub minute_unix_ns: i64,
    /// The objective's name.
    pub objective: String,
    /// Its volume.
    pub volume: Option<String>,
    /// Writes that counted.
    pub writes: u64,
    /// Those that took at least the limit.
    pub slow: u64,
    /// The percentile as it was.
    pub value_ns: u64,
    /// The limit.
    pub below_ns: u64,
}
