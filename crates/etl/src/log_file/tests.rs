use super::*;
use crate::build::{Builder, START_TIME};
use crate::clock::ClockKind;
use crate::read;

fn header(builder: &Builder) -> LogFile {
    read(&*builder.file()).unwrap().log_file
}

#[test]
fn header_is_read_with_each_pointer_size() {
    for pointer_bytes in [4, 8] {
        let log_file = header(&Builder {
            pointer_bytes,
            events_lost: 17,
            buffers_lost: 3,
            ..Builder::default()
        });
        assert_eq!(
            log_file,
            LogFile {
                windows: (10, 0, 20_348),
                processors: 8,
                pointer_bytes: pointer_bytes as u32,
                mode: 1,
                buffer_bytes: 4096,
                buffers_written: 1,
                events_lost: 17,
                buffers_lost: 3,
                clock: Some(ClockKind::Qpc),
                timer_resolution: 156_250,
                qpc_frequency: 10_000_000,
                cpu_mhz: 3_000,
                boot_time: START_TIME - 1_000_000,
                start_time: START_TIME,
                end_time: START_TIME + 600_000_000,
                start_ticks: 1_000_000,
            }
        );
        assert_eq!(log_file.start_unix_nanos(), Some(1_790_294_400_000_000_000));
    }
}

#[test]
fn clock_without_ticks_is_none() {
    let log_file = header(&Builder::default());
    for broken in [
        LogFile {
            qpc_frequency: 0,
            ..log_file.clone()
        },
        LogFile {
            qpc_frequency: -5,
            ..log_file.clone()
        },
        LogFile {
            clock: None,
            ..log_file.clone()
        },
        LogFile {
            clock: Some(ClockKind::Cycles),
            cpu_mhz: 0,
            ..log_file
        },
    ] {
        assert!(broken.clock().is_err(), "{broken:?}");
    }
}

#[test]
fn times_are_as_fine_as_the_clock_ticks() {
    let log_file = header(&Builder::default());
    assert_eq!(log_file.resolution_nanos(), 100);
    let coarse = LogFile {
        qpc_frequency: 3_579_545,
        ..log_file.clone()
    };
    assert_eq!(coarse.resolution_nanos(), 280);
    let timer = LogFile {
        clock: Some(ClockKind::SystemTime),
        ..log_file
    };
    assert_eq!(timer.resolution_nanos(), 15_625_000);
}
