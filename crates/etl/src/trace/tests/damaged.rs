//! Traces that were cut, flipped and made up: nothing panics, and what was not touched is read.

use proptest::prelude::*;

use super::*;

fn file(compressed: bool) -> Vec<u8> {
    Builder {
        compressed,
        buffer_bytes: 2048,
        ..builder(120)
    }
    .file()
}

/// As many rows as a file of this size can have: a compressed buffer unpacks to less than [`crate::buffer::LARGEST`], and a flush has
/// 40 bytes at least.
fn holds_what_it_must(trace: &Trace) {
    let counts = trace.report.counts;
    assert_eq!(counts.ios(), trace.events.len() as u64);
    assert!(trace.report.records >= counts.ios());
    assert!(trace.events.is_sorted_by_key(DiskIo::end_unix_nanos));
    for io in &trace.events {
        assert!(io.start_unix_nanos >= 0);
        assert!(io.start_unix_nanos.checked_add_unsigned(io.duration_nanos).is_some());
    }
}

proptest! {
    #[test]
    fn flipped_bytes_never_panic(
        compressed in any::<bool>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = file(compressed);
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let cut = cut.index(bytes.len()).max(bytes.len() / 2);
        if let Ok(trace) = read(&bytes[..cut]) {
            holds_what_it_must(&trace);
        }
    }

    /// Headers are hit most where a random byte is put into one.
    #[test]
    fn flipped_headers_never_panic(
        compressed in any::<bool>(),
        buffer in 0_usize..8,
        at in 0_usize..HEADER + 40,
        value in any::<u32>(),
    ) {
        let mut bytes = file(compressed);
        let mut begin = 0;
        for _ in 0..buffer {
            let size = bytes.get(begin..begin + 4).map_or(0, |size| u32::from_le_bytes(size.try_into().unwrap()));
            begin += size as usize;
        }
        if let Some(word) = bytes.get_mut(begin + at..begin + at + 4) {
            word.copy_from_slice(&value.to_le_bytes());
        }
        if let Ok(trace) = read(&*bytes) {
            holds_what_it_must(&trace);
        }
    }

    #[test]
    fn any_bytes_after_a_good_header_never_panic(tail in prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut bytes = Builder::default().file();
        bytes.extend(tail);
        if let Ok(trace) = read(&*bytes) {
            holds_what_it_must(&trace);
        }
    }
}
