//! Any text as an event of the event log, and as a file of events: no panic.

#![no_main]

use fathom_etl::slow::{decode, xml};
use fathom_etl::{connectivity, nvme};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let is_events = xml::is_events(text);
    for text in xml::split(text).chain([text]) {
        if let Ok(event) = xml::parse(text) {
            let _ = decode(&event);
            let _ = connectivity::decode(&event);
            let _ = nvme::event(&event);
        }
    }
    assert!(!is_events || text.contains("<Event"));
});
