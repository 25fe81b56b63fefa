//! Durations read as people write them.

use super::*;

#[test]
fn durations_are_shown_with_three_digits() {
    let shown = [999, 1_000, 34_560, 999_499, 3_218_000, 41_000_000_000].map(show_nanos);
    assert_eq!(shown, ["999 ns", "1.00 us", "34.6 us", "999 us", "3.22 ms", "41.0 s"]);
}
