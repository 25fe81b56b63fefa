//! The bounds within which the join works.

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;

/// Bounds of the join, all in event time. The defaults are those of the design.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Width of a window. An I/O belongs to the window of its own completion.
    pub window_nanos: i64,
    /// A window closes when every node that could hold a leg was heard this much past its end.
    pub lateness_nanos: i64,
    /// How long windows wait for a pair of nodes whose clocks are not aligned yet.
    pub hold_nanos: i64,
    /// Legs that ended longer than this before their I/O are not looked for; an event that nothing claimed for this
    /// long (and [`Self::max_offset_nanos`]) goes to `unmatched`.
    pub longest_io_nanos: i64,
    /// Clocks further apart than this are not aligned: two that are each off by up to a minute.
    pub max_offset_nanos: i64,
    /// Two clocks drift apart by no more than this, in parts per billion, and their drift may change at any moment within
    /// that: every stated bound is widened by what it could have become since the traffic that it is drawn from.
    pub max_drift_ppb: i64,
    /// How many windows the estimate of a pair's drift is drawn from. No bound depends on it.
    pub horizon_windows: usize,
    /// How many threads a window's bulk is decided on. The rows do not depend on it.
    pub threads: usize,
    /// Whether I/Os that only one assignment is possible for are decided in bulk. The rows do not depend on it: off, every
    /// I/O takes the way of those that are not as simple, which the tests hold it against.
    pub bulk: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            window_nanos: SECOND,
            lateness_nanos: 2 * SECOND,
            hold_nanos: 60 * SECOND,
            longest_io_nanos: 60 * SECOND,
            max_offset_nanos: 120 * SECOND,
            max_drift_ppb: 500_000,
            horizon_windows: 16,
            threads: 1,
            bulk: true,
        }
    }
}
