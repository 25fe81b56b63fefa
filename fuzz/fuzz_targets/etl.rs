//! Any bytes as a trace: no panic, and what is given out can be.

#![no_main]

use fathom_etl::{DiskIo, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(trace) = read(bytes) else { return };
    assert_eq!(trace.report.counts.ios(), trace.events.len() as u64);
    assert!(trace.report.records >= trace.report.counts.ios());
    assert!(trace.events.is_sorted_by_key(DiskIo::end_unix_nanos));
    for io in &trace.events {
        assert!(io.start_unix_nanos >= 0);
        assert!(io.start_unix_nanos.checked_add_unsigned(io.duration_nanos).is_some());
    }
});
