//! Any bytes as what a drive, or Windows for it, answers: no panic, and a page is a page.

#![no_main]

use fathom_etl::nvme::{PAGE_BYTES, decode, drive_answer, health_answer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = drive_answer(bytes);
    let _ = decode(bytes);
    if let Ok(page) = health_answer(bytes) {
        assert_eq!(page.len(), PAGE_BYTES);
        let _ = decode(page);
    }
});
