use super::*;
use crate::build::{Builder, Payload};
use crate::clock::ClockKind;

/// Where built traces start, in nanoseconds since 1970.
const START: i64 = 1_790_294_400_000_000_000;

fn io(number: u64) -> DiskIo {
    DiskIo {
        disk: (number % 3) as u32,
        op: [Op::Write, Op::Read, Op::Write, Op::Flush][number as usize % 4],
        offset: if number % 4 == 3 { 0 } else { number * 4096 },
        length: if number % 4 == 3 { 0 } else { 4096 + number % 7 * 512 },
        start_unix_nanos: START + number.cast_signed() * 1_000_000,
        duration_nanos: 300_000 + number * 1_700,
        irp: Some(0x8000_0000 + number * 0x1000),
    }
}

fn builder(ios: u64) -> Builder {
    let mut builder = Builder::default();
    builder.computer("HV-03");
    // Buffers are each processor's own: their order is not that of time.
    for number in (0..ios).rev() {
        builder.io(&io(number));
    }
    builder
}

fn sorted(ios: u64) -> Vec<DiskIo> {
    let mut events: Vec<DiskIo> = (0..ios).map(io).collect();
    in_order(&mut events);
    events
}

#[test]
fn built_trace_is_read_back_compressed_or_not() {
    for compressed in [false, true] {
        let file = Builder {
            compressed,
            ..builder(500)
        }
        .file();
        let trace = read(&*file).unwrap();
        assert_eq!(trace.events, sorted(500));
        assert_eq!(trace.report.counts.ios(), 500);
        assert!(!trace.report.is_partial(), "{:?}", trace.report);
        assert_eq!(trace.log_file.is_compressed(), compressed);
    }
}

#[test]
fn records_of_a_32_bit_machine_are_read() {
    let mut builder = Builder {
        pointer_bytes: 4,
        ..Builder::default()
    };
    (0..50).for_each(|number| builder.io(&io(number)));
    let trace = read(&*builder.file()).unwrap();
    assert_eq!(trace.events, sorted(50));
    assert_eq!(trace.log_file.pointer_bytes, 4);
}

#[test]
fn each_clock_gives_the_same_times() {
    for (clock, qpc_frequency) in [
        (ClockKind::Qpc, 10_000_000),
        (ClockKind::Qpc, 1_000_000_000),
        (ClockKind::SystemTime, 10_000_000),
        (ClockKind::Cycles, 10_000_000),
    ] {
        let mut builder = Builder {
            clock,
            qpc_frequency,
            ..Builder::default()
        };
        (0..50).for_each(|number| builder.io(&io(number)));
        assert_eq!(read(&*builder.file()).unwrap().events, sorted(50), "{clock}");
    }
}

/// 3,579,545 ticks a second: a tick is no whole number of nanoseconds.
#[test]
fn odd_frequency_is_right_to_the_tick() {
    let mut builder = Builder {
        qpc_frequency: 3_579_545,
        ..Builder::default()
    };
    builder.io(&io(2));
    let [found] = read(&*builder.file()).unwrap().events[..] else {
        panic!()
    };
    assert!(
        found.end_unix_nanos().abs_diff(io(2).end_unix_nanos()) <= 280,
        "{found:?}"
    );
    assert!(found.duration_nanos.abs_diff(io(2).duration_nanos) <= 280, "{found:?}");
}

#[test]
fn class_header_gives_the_same_io() {
    let mut builder = Builder::default();
    let stamp = builder.ticks(io(0).end_unix_nanos());
    let payload = Payload::default().u32(0).u32(0).u32(4096).u32(0).u64(0).u64(1);
    let payload = payload.u64(0x8000_0000).u64(3_000).u32(7).0;
    builder.class(disk_io::CLASS, 11, 3, stamp, &payload);
    assert_eq!(read(&*builder.file()).unwrap().events, [io(0)]);
}

#[test]
fn what_is_not_decoded_is_counted_by_why() {
    let mut builder = builder(4);
    builder.hook(0x010a, 4, 0, &[0; 60]);
    builder.hook(0x010a, 4, 0, &[0; 60]);
    builder.hook(0x010b, 3, 0, &[0; 60]);
    builder.hook(0x0122, 2, 0, &[0; 40]);
    builder.provider(disk_io::MANIFEST_PROVIDER, 10, 0, &[0; 52]);
    let report = read(&*builder.file()).unwrap().report;
    assert_eq!(report.counts.ios(), 4);
    let expected = [
        ("DiskIo/Read: version 4 is not known", 2),
        ("DiskIo/Write: version 3 does not have 60 bytes", 1),
        ("DiskIo/type 34: not a read, write or flush", 1),
        (
            "Microsoft-Windows-Kernel-Disk/10: not read; take the trace with the kernel's DiskIO flag",
            1,
        ),
    ];
    let found: Vec<(String, u64)> = report
        .undecoded
        .iter()
        .map(|(why, &count)| (why.to_string(), count))
        .collect();
    assert_eq!(found, expected.map(|(why, count)| (why.to_owned(), count)));
    assert!(report.is_partial());
}

#[test]
fn losses_of_the_session_make_it_partial() {
    for (events_lost, buffers_lost) in [(5, 0), (0, 2)] {
        let report = read(
            &*Builder {
                events_lost,
                buffers_lost,
                ..builder(4)
            }
            .file(),
        )
        .unwrap()
        .report;
        assert_eq!(
            (report.events_lost, report.buffers_lost),
            (u64::from(events_lost), u64::from(buffers_lost))
        );
        assert!(report.is_partial());
    }
}

#[test]
fn what_is_no_trace_is_refused() {
    assert!(matches!(read(&b""[..]), Err(Error::Empty)));
    assert!(matches!(
        read(&b"PK\x03\x04"[..]),
        Err(Error::NotATrace { offset: 0, .. })
    ));
    let text = "layer,device,op\n".repeat(100);
    assert!(matches!(read(text.as_bytes()), Err(Error::NotATrace { .. })));
    assert!(matches!(read(&[0_u8; 8192][..]), Err(Error::NotATrace { .. })));
    // A buffer of a trace, and not the first.
    assert!(matches!(
        read(&builder(200).file()[4096..]),
        Err(Error::NotATrace { offset: 0x36, .. })
    ));
}

#[test]
fn clock_that_gives_no_time_is_refused() {
    let file = Builder {
        qpc_frequency: 0,
        ..builder(1)
    }
    .file();
    assert!(matches!(read(&*file), Err(Error::Clock { .. })));
}

#[test]
fn file_cut_off_anywhere_gives_what_is_whole_and_says_so() {
    for compressed in [false, true] {
        let file = Builder {
            compressed,
            ..builder(300)
        }
        .file();
        let all = sorted(300);
        for bytes in (600..file.len()).step_by(37) {
            let Ok(trace) = read(&file[..bytes]) else { continue };
            // Whole buffers may be missing, which the header counts.
            assert!(trace.report.is_partial(), "{bytes}");
            assert!(trace.events.iter().all(|io| all.contains(io)), "{bytes}");
        }
        // Half of the bytes have about half of the events.
        let half = read(&file[..file.len() / 2]).unwrap();
        assert!((100..200).contains(&half.events.len()), "{}", half.events.len());
    }
}

#[test]
fn broken_buffer_loses_itself_alone() {
    let file = Builder {
        compressed: true,
        ..builder(300)
    }
    .file();
    let whole = read(&*file).unwrap();
    let mut broken = file.clone();
    // The second compressed buffer: a first match that points before the begin.
    let second = 512 + u32::from_le_bytes(file[512..516].try_into().unwrap()) as usize;
    broken[second + HEADER..second + HEADER + 4].fill(0xff);
    let trace = read(&*broken).unwrap();
    let [fault] = &trace.report.faults[..] else {
        panic!("{:?}", trace.report)
    };
    assert_eq!((fault.offset, fault.kind), (second as u64, FaultKind::Buffer));
    assert_eq!(trace.report.buffers, whole.report.buffers);
    assert!(trace.events.len() > 200 && trace.events.len() < 300);
}

#[test]
fn record_of_an_unknown_kind_loses_the_rest_of_its_buffer() {
    let mut builder = builder(10);
    builder.raw(&[16, 0, 0x16, 0xc0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    builder.io(&io(10));
    let trace = read(&*builder.file()).unwrap();
    assert_eq!(trace.events.len(), 10);
    let [fault] = &trace.report.faults[..] else {
        panic!("{:?}", trace.report)
    };
    assert_eq!(fault.kind, FaultKind::Rest);
    assert!(fault.to_string().contains("unknown kind 0x16"), "{fault}");
}

#[test]
fn lying_sizes_cost_no_memory() {
    let file = builder(10).file();
    for lie in [0, 71, 4_097, 64 << 20, u32::MAX] {
        let mut lying = file.clone();
        lying[4096..4100].copy_from_slice(&lie.to_le_bytes());
        let trace = read(&*lying).unwrap();
        assert!(trace.report.is_partial(), "{lie}");
    }
}

#[test]
fn compressed_buffers_are_known_by_their_size_where_flags_do_not_say_it() {
    let file = Builder {
        compressed: true,
        flagged: false,
        ..builder(300)
    }
    .file();
    let trace = read(&*file).unwrap();
    assert_eq!(trace.events, sorted(300));
    assert!(!trace.report.is_partial(), "{:?}", trace.report);
}

#[test]
fn header_of_a_program_of_another_width_is_read() {
    for (pointer_bytes, other) in [(8, 4), (4, 8)] {
        let mut builder = Builder {
            pointer_bytes,
            header_pointer_bytes: Some(other),
            buffers_lost: 9,
            ..Builder::default()
        };
        (0..20).for_each(|number| builder.io(&io(number)));
        let trace = read(&*builder.file()).unwrap();
        assert_eq!(trace.events, sorted(20));
        assert_eq!(trace.report.buffers_lost, 9);
    }
}

#[test]
fn zeros_at_the_end_are_the_end_and_not_a_loss() {
    let mut file = builder(50).file();
    file.extend(vec![0; 300_000]);
    let trace = read(&*file).unwrap();
    assert_eq!(trace.events, sorted(50));
    assert!(!trace.report.is_partial(), "{:?}", trace.report);
    file.push(1);
    let trace = read(&*file).unwrap();
    assert_eq!(trace.events, sorted(50));
    assert_eq!(trace.report.faults[0].kind, FaultKind::CutOff);
}

mod damaged;
