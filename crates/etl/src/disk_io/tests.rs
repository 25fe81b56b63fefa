use super::*;
use crate::build::Payload;
use crate::clock::Clock;

const CLOCK: Clock = Clock {
    frequency: 10_000_000,
    base_ticks: 0,
    base_nanos: 1_000_000_000_000,
    response_frequency: 10_000_000,
};

const STAMP: i64 = 50_000;

/// DiskIo_TypeGroup1, every field with a value of its own.
fn transfer(pointer: usize, with_thread: bool) -> Vec<u8> {
    let payload = Payload::default().u32(3).u32(0x6_0043).u32(65_536).u32(0xdead);
    let payload = payload.u64(0x12_3456_7000).pointer(0xaaaa_bbbb, pointer);
    let payload = payload.pointer(0xcccc_dddd, pointer).u64(12_345);
    if with_thread { payload.u32(4_711).0 } else { payload.0 }
}

/// DiskIo_TypeGroup3.
fn flush(pointer: usize, with_thread: bool) -> Vec<u8> {
    let payload = Payload::default()
        .u32(3)
        .u32(0x6_0043)
        .u64(12_345)
        .pointer(0xcccc_dddd, pointer);
    if with_thread { payload.u32(4_711).0 } else { payload.0 }
}

const fn expected(op: Op) -> DiskIo {
    let is_flush = matches!(op, Op::Flush);
    DiskIo {
        disk: 3,
        op,
        offset: if is_flush { 0 } else { 0x12_3456_7000 },
        length: if is_flush { 0 } else { 65_536 },
        // Tick 50,000 is 5 ms after the base; 12,345 ticks before it.
        start_unix_nanos: 1_000_005_000_000 - 1_234_500,
        duration_nanos: 1_234_500,
        irp: Some(0xcccc_dddd),
    }
}

#[test]
fn transfer_is_read_with_each_pointer_size_and_version() {
    for op in [Op::Read, Op::Write] {
        for pointer in [4, 8] {
            for (version, with_thread) in [(2, false), (3, true)] {
                let payload = transfer(pointer, with_thread);
                assert_eq!(decode(op, version, &payload, pointer, STAMP, &CLOCK), Ok(expected(op)));
            }
        }
    }
    assert_eq!(transfer(8, true).len(), 52);
}

#[test]
fn flush_is_read_with_each_pointer_size_and_version() {
    for pointer in [4, 8] {
        for (version, with_thread) in [(2, false), (3, true)] {
            let payload = flush(pointer, with_thread);
            assert_eq!(
                decode(Op::Flush, version, &payload, pointer, STAMP, &CLOCK),
                Ok(expected(Op::Flush))
            );
        }
    }
    assert_eq!(flush(8, true).len(), 28);
}

#[test]
fn every_other_size_is_refused() {
    for op in [Op::Read, Op::Write, Op::Flush] {
        let full = if op == Op::Flush {
            flush(8, true)
        } else {
            transfer(8, true)
        };
        for bytes in 0..full.len() {
            assert_eq!(decode(op, 3, &full[..bytes], 8, STAMP, &CLOCK), Err(NoIo::Size));
        }
        let longer = [&full[..], &[0; 8]].concat();
        assert_eq!(decode(op, 3, &longer, 8, STAMP, &CLOCK), Err(NoIo::Size));
        // A version's payload is not another's.
        assert_eq!(decode(op, 2, &full, 8, STAMP, &CLOCK), Err(NoIo::Size));
        assert_eq!(decode(op, 3, &full, 4, STAMP, &CLOCK), Err(NoIo::Size));
    }
}

#[test]
fn versions_that_are_not_known_are_not_guessed_at() {
    for version in [0, 1, 4, 0x103, u16::MAX] {
        for op in [Op::Read, Op::Write, Op::Flush] {
            let payload = transfer(8, true);
            assert_eq!(decode(op, version, &payload, 8, STAMP, &CLOCK), Err(NoIo::Version));
        }
    }
}

#[test]
fn values_that_cannot_be_are_refused() {
    let mut payload = transfer(8, true);
    payload[16..24].copy_from_slice(&(-1_i64).to_le_bytes());
    let refused = |payload: &[u8], stamp| decode(Op::Read, 3, payload, 8, stamp, &CLOCK);
    assert!(matches!(refused(&payload, STAMP), Err(NoIo::Value(_))));
    let mut payload = transfer(8, true);
    payload[40..48].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(refused(&payload, STAMP), Err(NoIo::Value(_))));
    // Longer than the time since 1970.
    payload[40..48].copy_from_slice(&10_100_000_000_u64.to_le_bytes());
    assert!(matches!(refused(&payload, STAMP), Err(NoIo::Value(_))));
    assert!(matches!(refused(&transfer(8, true), i64::MAX), Err(NoIo::Value(_))));
    assert!(matches!(refused(&transfer(8, true), i64::MIN), Err(NoIo::Value(_))));
}

#[test]
fn order_is_that_of_completion() {
    let io = |start, duration, disk| DiskIo {
        start_unix_nanos: start,
        duration_nanos: duration,
        disk,
        ..expected(Op::Read)
    };
    let mut events = vec![io(10, 90, 0), io(50, 10, 1), io(40, 20, 1), io(40, 20, 0)];
    in_order(&mut events);
    assert_eq!(events, [io(40, 20, 0), io(40, 20, 1), io(50, 10, 1), io(10, 90, 0)]);
}
