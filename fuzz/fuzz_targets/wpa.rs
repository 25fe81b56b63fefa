//! Any bytes as a table of wpaexporter: no panic, and each row is an event or a fault.

#![no_main]

use fathom_etl::wpa;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = wpa::is_table(bytes);
    let Ok(table) = wpa::read(bytes, 1_700_000_000_000_000_000) else { return };
    assert_eq!(table.report.records, table.events.len() as u64 + table.report.fault_count);
});
