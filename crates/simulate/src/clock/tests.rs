//! Clocks drift, change their drift and are set as they are told.

use super::*;
use crate::config::ClockChange;

fn clock(changes: Vec<ClockChange>) -> Clock {
    let mut config = Config::default();
    config.clocks.offset_millis = 0.0;
    config.clocks.drift_ppm = 0.0;
    config.clocks.changes = changes;
    Clock::all(&config)[0]
}

const EPOCH: i64 = 1_790_000_000_000_000_000;
const SECOND: u64 = 1_000_000_000;

#[test]
fn default_clocks_differ_within_their_bounds() {
    let clocks = Clock::all(&Config::default());
    assert_eq!(clocks.len(), 4);
    assert!(
        clocks
            .iter()
            .all(|clock| clock.offset_ns.abs() <= 5e6 && clock.drift_ppm.abs() <= 20.0)
    );
    assert!(clocks[0].offset_ns != clocks[1].offset_ns);
}

#[test]
fn drift_changes_when_it_is_told() {
    let clock = clock(vec![ClockChange {
        node: 0,
        at_seconds: 2.0,
        step_millis: 0.0,
        drift_ppm: 50.0,
    }]);
    assert_eq!(clock.shown(2 * SECOND) - EPOCH, 2_000_000_000);
    assert_eq!(clock.shown(4 * SECOND) - EPOCH, 4_000_100_000);
}

#[test]
fn clock_that_is_set_keeps_durations() {
    let clock = clock(vec![ClockChange {
        node: 0,
        at_seconds: 1.0,
        step_millis: -200.0,
        drift_ppm: 0.0,
    }]);
    assert_eq!(clock.shown(SECOND - 1) - EPOCH, 999_999_999);
    assert_eq!(clock.shown(SECOND) - EPOCH, 800_000_000);
    assert_eq!(clock.monotonic(SECOND) - clock.monotonic(SECOND - 1), 1);
}
