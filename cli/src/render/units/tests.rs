//! Quantities read as people write them.

use super::*;

#[test]
fn quantities_read_well() {
    assert_eq!(
        [0, 999, 1_000, 1_234_567].map(count),
        ["0", "999", "1,000", "1,234,567"]
    );
    assert_eq!(
        [512, 4096, 262_144, 2_837_446_656].map(bytes),
        ["512 B", "4 KiB", "256 KiB", "2.6 GiB"]
    );
    assert_eq!([0.5629, 1.0, 0.99984].map(percent), ["56.3 %", "100.0 %", "99.984 %"]);
    assert_eq!(signed_nanos(-5_886_386), "-5.89 ms");
    assert_eq!(maybe_nanos(None), "-");
    assert_eq!(time_of_day(1_790_046_805_000_001_000), "03:13:25.000001");
    assert_eq!(date_time(1_790_046_805_000_001_000), "2026-09-22 03:13:25 UTC");
}
