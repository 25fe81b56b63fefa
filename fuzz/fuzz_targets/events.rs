//! Any payload by any layout, as any event: no panic, and what is given out can be.

#![no_main]

use fathom_etl::Clock;
use fathom_etl::decode::{Decoder, Seen, Settings};
use fathom_etl::event::{EventKey, RawEvent, providers};
use fathom_etl::manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u8, i64, String, Vec<u8>)| {
    let (event, pointer_bytes, stamp, layout, payload) = input;
    let mut keys: Vec<EventKey> = manifest::layouts().map(|(key, _)| key).collect();
    keys.extend([10, 11, 14].map(|id| EventKey {
        provider: providers::DISK_IO,
        id,
        version: 3,
    }));
    let key = keys[usize::from(event) % keys.len()];
    let mut decoder = Decoder::new(Settings {
        vhd_io_types: vec![(0, fathom_model::Op::Write)],
        ..Settings::default()
    });
    if let Ok(layout) = layout.parse() {
        let _ = decoder.learn(key, &layout);
    }
    let event = RawEvent {
        key,
        stamp,
        pointer_bytes,
        payload: &payload,
    };
    let clock = Clock::of_counter(10_000_000, 0, 1_790_000_000_000_000_000);
    if let Ok(Seen::Done { duration_nanos, request, .. }) = decoder.decode(&event, &clock)
        && key.provider == providers::DISK_IO
    {
        assert!(clock.unix_nanos(stamp).is_some_and(|end| end.checked_sub_unsigned(duration_nanos).is_some()));
        assert!(request.correlation.is_some());
    }
});
