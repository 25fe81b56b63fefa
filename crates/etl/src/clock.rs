//! The clock of a trace: from its ticks to nanoseconds since 1970.

use std::fmt;

/// 100 ns steps from 1601, where Windows counts from, to 1970.
const STEPS_1601_TO_1970: i128 = 116_444_736_000_000_000;

const NANOS: i128 = 1_000_000_000;

/// Of frequencies below this a second's ticks times a billion fit into 63 bits.
const MOST_SHORT: u64 = (i64::MAX / NANOS as i64) as u64;

/// Which clock stamped the records (`ReservedFlags` of the log-file header; `Wnode.ClientContext` of the session).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClockKind {
    /// The performance counter.
    Qpc,
    /// The system's time, in 100 ns since 1601.
    SystemTime,
    /// Processor cycles.
    Cycles,
}

impl ClockKind {
    pub(crate) const fn of(value: u32) -> Option<Self> {
        match value {
            1 => Some(Self::Qpc),
            2 => Some(Self::SystemTime),
            3 => Some(Self::Cycles),
            _ => None,
        }
    }
}

impl fmt::Display for ClockKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Qpc => "performance counter",
            Self::SystemTime => "system time",
            Self::Cycles => "processor cycles",
        })
    }
}

/// Turns ticks into time, in integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Ticks a second of the stamps.
    pub(crate) frequency: u64,
    /// The tick at which `base_nanos` was.
    pub(crate) base_ticks: i64,
    /// Nanoseconds since 1970 at `base_ticks`.
    pub(crate) base_nanos: i128,
    /// Ticks a second of the performance counter, in which response times are whatever stamps the records.
    pub(crate) response_frequency: u64,
}

impl Clock {
    /// Of a session whose stamps are the performance counter: `frequency` ticks a second (0 counts as 1), and at `ticks` it was
    /// `unix_nanos`.
    #[must_use]
    pub const fn of_counter(frequency: u64, ticks: i64, unix_nanos: i64) -> Self {
        Self {
            frequency,
            base_ticks: ticks,
            base_nanos: unix_nanos as i128,
            response_frequency: frequency,
        }
    }

    /// How fine its times are, in nanoseconds, rounded up.
    #[must_use]
    pub fn resolution_nanos(&self) -> u64 {
        (NANOS as u64).div_ceil(self.frequency.max(1)).max(1)
    }

    /// Nanoseconds since 1970, rounded down; `None` where they do not fit.
    #[must_use]
    #[inline]
    pub fn unix_nanos(&self, ticks: i64) -> Option<i64> {
        let nanos = match (ticks.checked_sub(self.base_ticks), self.frequency.max(1)) {
            // Nearly always whole seconds and the rest fit, and no division of 128 bits is needed.
            (Some(passed), frequency @ 1..MOST_SHORT) => {
                let frequency = frequency as i64;
                let (seconds, rest) = (passed.div_euclid(frequency), passed.rem_euclid(frequency));
                i128::from(seconds) * NANOS + i128::from(rest * NANOS as i64 / frequency)
            }
            (_, frequency) => {
                let passed = i128::from(ticks) - i128::from(self.base_ticks);
                (passed * NANOS).div_euclid(i128::from(frequency))
            }
        };
        i64::try_from(self.base_nanos + nanos).ok()
    }

    /// A response time as nanoseconds, rounded down; `None` where it does not fit.
    #[must_use]
    pub fn response_nanos(&self, ticks: u64) -> Option<u64> {
        u64::try_from(i128::from(ticks) * NANOS / i128::from(self.response_frequency.max(1))).ok()
    }
}

/// Windows' 100 ns since 1601 as nanoseconds since 1970.
pub(crate) fn unix_nanos_of_file_time(steps: i64) -> i128 {
    (i128::from(steps) - STEPS_1601_TO_1970) * 100
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(frequency: u64) -> Clock {
        Clock {
            frequency,
            base_ticks: 1_000,
            base_nanos: 5_000_000_000,
            response_frequency: 3_579_545,
        }
    }

    #[test]
    fn ticks_are_counted_from_the_start_in_both_directions() {
        assert_eq!(clock(10_000_000).unix_nanos(1_001), Some(5_000_000_100));
        assert_eq!(clock(10_000_000).unix_nanos(999), Some(4_999_999_900));
        // 1e9 / 3 is no integer: rounded down, also before the start.
        assert_eq!(clock(3).unix_nanos(1_001), Some(5_333_333_333));
        assert_eq!(clock(3).unix_nanos(999), Some(4_666_666_666));
    }

    #[test]
    fn the_short_division_is_the_long_one() {
        let ticks = [
            i64::MIN,
            -7_000_000_001,
            -1,
            0,
            1,
            999,
            1_000,
            12_345_678_901_234,
            i64::MAX,
        ];
        let frequencies = [
            0,
            1,
            3,
            3_579_545,
            10_000_000,
            2_893_000_000,
            MOST_SHORT - 1,
            MOST_SHORT,
            u64::MAX,
        ];
        for frequency in frequencies {
            let clock = clock(frequency);
            for ticks in ticks {
                let passed = i128::from(ticks) - 1_000;
                let nanos = (passed * NANOS).div_euclid(i128::from(frequency.max(1)));
                let long = i64::try_from(5_000_000_000 + nanos).ok();
                assert_eq!(clock.unix_nanos(ticks), long, "{ticks} at {frequency}");
            }
        }
    }

    #[test]
    fn response_time_has_the_performance_counters_ticks() {
        assert_eq!(clock(10_000_000).response_nanos(3_579_545), Some(1_000_000_000));
        assert_eq!(clock(10_000_000).response_nanos(1), Some(279));
    }

    #[test]
    fn time_that_does_not_fit_is_none() {
        assert_eq!(clock(1).unix_nanos(i64::MAX), None);
        assert_eq!(clock(1).unix_nanos(i64::MIN), None);
        assert_eq!(
            Clock {
                response_frequency: 1,
                ..clock(1)
            }
            .response_nanos(u64::MAX),
            None
        );
    }

    #[test]
    fn system_time_counts_from_1601() {
        assert_eq!(unix_nanos_of_file_time(116_444_736_000_000_001), 100);
    }
}
