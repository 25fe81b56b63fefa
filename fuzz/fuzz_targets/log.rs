//! Any text as an event of the event log: no panic.

#![no_main]

use fathom_etl::connectivity;
use fathom_etl::slow::{decode, xml};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(event) = xml::parse(text) {
        let _ = decode(&event);
        let _ = connectivity::decode(&event);
    }
});
