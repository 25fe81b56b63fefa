//! A batch comes back as it was; a batch that is not one is refused and never panics.

use fathom_model::{Op, Tap};
use proptest::prelude::*;

use super::*;

fn event() -> impl Strategy<Value = IoEvent> {
    let correlation = prop_oneof![Just(None), any::<u64>().prop_map(Some)];
    let place = (0_u64..1 << 60, 0_u64..1 << 40);
    let times = (0_i64..4_000_000_000_000_000_000, 0_u64..1 << 60);
    (
        0..8_usize,
        any::<u32>(),
        0..4_usize,
        place,
        times,
        any::<u32>(),
        correlation,
    )
        .prop_map(
            |(tap, device, op, (offset, length), (start_unix_nanos, duration_nanos), status, correlation)| IoEvent {
                tap: Tap::ALL[tap],
                device,
                op: Op::ALL[op],
                offset,
                length,
                start_unix_nanos,
                duration_nanos,
                status: status % 3,
                correlation,
            },
        )
}

proptest! {
    #[test]
    fn batch_comes_back_as_it_was(events in prop::collection::vec(event(), 1..200), first in 0_u64..1 << 60) {
        let events: IoColumns = events.into_iter().collect();
        let batch = encode(first, &events, 17);
        let bytes = batch.encode_to_vec();
        let batch = wire::IoBatch::decode(&bytes[..]).unwrap();
        prop_assert_eq!((batch.first_ordinal, batch.count as usize), (first, events.len()));
        prop_assert_eq!(decode(&batch).unwrap(), events);
    }

    #[test]
    fn damaged_batch_is_refused_or_decodes_but_never_panics(
        events in prop::collection::vec(event(), 1..50), at in any::<prop::sample::Index>(), value in any::<u8>(),
    ) {
        let events: IoColumns = events.into_iter().collect();
        let mut bytes = encode(5, &events, 17).encode_to_vec();
        let at = at.index(bytes.len());
        bytes[at] = value;
        if let Ok(batch) = wire::IoBatch::decode(&bytes[..]) {
            let _ = decode(&batch);
        }
    }
}

fn one() -> wire::IoBatch {
    let event = IoEvent {
        tap: Tap::Device,
        device: 0,
        op: Op::Write,
        offset: 4096,
        length: 512,
        start_unix_nanos: 1_790_000_000_000_000_000,
        duration_nanos: 5,
        status: 0,
        correlation: None,
    };
    encode(7, &[event; 3].into_iter().collect(), 0)
}

#[test]
fn names_the_field_that_is_wrong() {
    let broken = |change: &dyn Fn(&mut wire::IoBatch)| {
        let mut batch = one();
        change(&mut batch);
        decode(&batch).unwrap_err().to_string()
    };
    assert_eq!(broken(&|batch| batch.count = 0), "io_batch.count cannot be 0");
    assert!(broken(&|batch| batch.count = 70_000).contains("65536"));
    assert!(broken(&|batch| batch.count = 4).contains("io_batch.columns.tap has 3 values, 4 are needed"));
    assert!(broken(&|batch| batch.compression = 0).contains("io_batch.compression"));
    assert!(broken(&|batch| batch.uncompressed_bytes = u32::MAX).contains("limit"));
    assert!(broken(&|batch| batch.uncompressed_bytes -= 1).contains("io_batch.columns"));
    assert!(broken(&|batch| batch.columns = Bytes::from_static(b"nonsense")).contains("io_batch.columns"));
    assert!(broken(&|batch| batch.first_ordinal = u64::MAX).contains("first_ordinal"));
    let columns = |change: &dyn Fn(&mut wire::IoColumns)| {
        let mut columns = columns(&one()).unwrap();
        change(&mut columns);
        let plain = columns.encode_to_vec();
        let batch = wire::IoBatch {
            compression: wire::Compression::None.into(),
            uncompressed_bytes: plain.len() as u32,
            columns: plain.into(),
            ..one()
        };
        decode(&batch).unwrap_err().to_string()
    };
    assert!(columns(&|columns| columns.tap[1] = 0).contains("io_batch.columns.tap has the number 0"));
    assert!(columns(&|columns| columns.op[2] = 9).contains("io_batch.columns.op has the number 9"));
    assert!(columns(&|columns| columns.offset[0] = u64::MAX).contains("io_batch.columns.offset"));
    assert!(columns(&|columns| columns.duration_nanos[0] = u64::MAX).contains("end_unix_nanos_delta"));
    let correlated = |flags: &[u32], deltas: &[i64]| {
        columns(&|columns| {
            (columns.has_correlation, columns.correlation_delta) = (flags.to_vec(), deltas.to_vec());
        })
    };
    let has = "io_batch.columns.has_correlation";
    assert_eq!(correlated(&[1, 1, 1], &[]), format!("{has} has 3 values, 0 are needed"));
    assert_eq!(correlated(&[], &[1, 0, 0]), format!("{has} has 0 values, 3 are needed"));
    assert_eq!(correlated(&[1, 2, 0], &[5, 0, -5]), format!("{has} cannot be 2"));
    assert_eq!(correlated(&[0, 0, 0], &[0, 0, 0]), format!("{has} cannot be 0"));
    assert_eq!(
        correlated(&[1, 0, 1], &[5, 0, 0]),
        "io_batch.columns.correlation_delta cannot be 5"
    );
    assert!(columns(&|columns| columns.status = vec![0]).contains("io_batch.columns.status has 1 values"));
}

#[test]
fn real_shaped_events_take_few_bytes_each() {
    let events: IoColumns = (0..4096_u64)
        .map(|at| IoEvent {
            tap: if at % 2 == 0 { Tap::Target } else { Tap::Device },
            device: (at % 2) as u32,
            op: Op::Write,
            offset: at.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (1 << 30) / 4096 * 4096,
            length: 4096,
            start_unix_nanos: 1_790_000_000_000_000_000 + at as i64 * 100_000,
            duration_nanos: 130_000 + at * 7919 % 90_000,
            status: 0,
            correlation: None,
        })
        .collect();
    let batch = encode(0, &events, 0);
    assert!(
        batch.columns.len() < 4096 * 12,
        "{} bytes for 4096 events",
        batch.columns.len()
    );
}
