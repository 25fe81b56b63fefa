//! Real traces of Windows machines, held against what the authors of another reader expect of them. Where the files come from is in
//! `traces/README.md`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::io::{Cursor, Read};
use std::path::PathBuf;

use fathom_etl::{ClockKind, DiskIo, read};
use fathom_model::Op;

fn file(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/traces")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn merged() -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(file("windows-kernel-x64.etl.zip"))).unwrap();
    let mut bytes = Vec::new();
    archive
        .by_name("net.4.5.2.x64.etl")
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

fn shutdown() -> Vec<u8> {
    let mut bytes = Vec::new();
    let packed = file("windows-shutdown-uncompressed.etl.gz");
    flate2::read::GzDecoder::new(&*packed).read_to_end(&mut bytes).unwrap();
    bytes
}

/// A line of the expectations: milliseconds since the session's start as printed, the event's name, and its fields.
struct Expected {
    milliseconds: String,
    name: String,
    fields: Vec<(String, String)>,
}

impl Expected {
    fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// `EVENT 1,249.834: DiskIO/Write PID=4; ...; Irp=0xfffffa830047e8f0; ...`
fn expectations() -> Vec<Expected> {
    let text = String::from_utf8(file("windows-kernel-x64.expected.txt")).unwrap();
    let events = text.lines().filter_map(|line| line.strip_prefix("EVENT "));
    events
        .map(|line| {
            let (time, rest) = line.split_once(": ").unwrap();
            let (name, fields) = rest.split_once(' ').unwrap();
            Expected {
                milliseconds: time.replace(',', ""),
                name: name.to_owned(),
                fields: fields
                    .split("; ")
                    .filter_map(|field| field.split_once('='))
                    .map(|(key, value)| (key.to_owned(), value.replace(',', "")))
                    .collect(),
            }
        })
        .collect()
}

/// Nanoseconds as milliseconds with three digits, rounded to the nearest as a float is printed.
fn milliseconds(nanos: i64) -> String {
    let micros = (nanos + 500) / 1000;
    format!("{}.{:03}", micros / 1000, micros % 1000)
}

#[test]
fn merged_compressed_trace_gives_the_expected_counts() {
    let trace = read(&*merged()).unwrap();
    let counts = trace.report.counts;
    assert_eq!((counts.reads, counts.writes, counts.flushes), (1_208, 21, 2));
    assert_eq!(counts.inits, [1_208, 21, 2]);
    assert_eq!(trace.events.len(), 1_231);
    assert!(!trace.report.is_partial(), "{:?}", trace.report);
    assert_eq!((trace.report.buffers, trace.log_file.buffers_written), (360, 360));
}

#[test]
fn each_expected_event_is_there_with_its_values() {
    let trace = read(&*merged()).unwrap();
    let start = trace.log_file.start_unix_nanos().unwrap();
    let mut held = 0;
    for expected in expectations() {
        let op = match expected.name.as_str() {
            "DiskIO/Read" => Op::Read,
            "DiskIO/Write" => Op::Write,
            "DiskIO/FlushBuffers" => Op::Flush,
            _ => continue,
        };
        let irp = u64::from_str_radix(expected.field("Irp").unwrap().trim_start_matches("0x"), 16).unwrap();
        let number = |name: &str| expected.field(name).map_or(0, |value| value.parse::<u64>().unwrap());
        let fits = |io: &&DiskIo| {
            io.op == op && io.irp == Some(irp) && milliseconds(io.end_unix_nanos() - start) == expected.milliseconds
        };
        let found: Vec<&DiskIo> = trace.events.iter().filter(fits).collect();
        let [io] = found[..] else {
            panic!("{} at {}: {found:?}", expected.name, expected.milliseconds);
        };
        assert_eq!(io.offset, number("ByteOffset"), "{}", expected.milliseconds);
        assert_eq!(io.length, number("TransferSize"), "{}", expected.milliseconds);
        assert_eq!(u64::from(io.disk), number("DiskNumber"), "{}", expected.milliseconds);
        assert_eq!(
            milliseconds(io.duration_nanos.cast_signed()),
            expected.field("ElapsedTimeMSec").unwrap(),
            "{}",
            expected.milliseconds
        );
        held += 1;
    }
    assert_eq!(held, 12);
}

#[test]
fn events_are_in_the_order_of_completion_and_within_the_session() {
    let trace = read(&*merged()).unwrap();
    assert!(trace.events.is_sorted_by_key(DiskIo::end_unix_nanos));
    let start = trace.log_file.start_unix_nanos().unwrap();
    for io in &trace.events {
        assert!(io.end_unix_nanos() >= start, "{io:?}");
        assert!(io.op == Op::Flush || (io.length > 0 && io.offset % 512 == 0), "{io:?}");
    }
}

#[test]
fn merged_trace_names_its_machine_and_disks() {
    let trace = read(&*merged()).unwrap();
    assert_eq!(trace.system.computer.as_deref(), Some("BRIANROB-W8"));
    let drives: Vec<(u32, &str)> = trace
        .system
        .drives
        .iter()
        .map(|drive| (drive.disk, drive.model.as_str()))
        .collect();
    assert_eq!(drives, [(0, "Virtual HD ATA Device")]);
    let partitions: Vec<_> = trace
        .system
        .partitions
        .iter()
        .map(|partition| (partition.letter.as_str(), partition.offset))
        .collect();
    assert_eq!(partitions, [("C:", 368_050_176)]);
    assert_eq!(trace.log_file.windows, (6, 2, 9200));
    assert!(trace.log_file.is_compressed());
}

#[test]
fn uncompressed_trace_without_disk_io_is_read_to_its_end() {
    let trace = read(&*shutdown()).unwrap();
    assert!(trace.events.is_empty());
    assert_eq!(trace.report.counts, fathom_etl::Counts::default());
    assert_eq!((trace.report.buffers, trace.log_file.buffers_written), (49, 49));
    assert_eq!(trace.report.bytes, 3_211_264);
    assert_eq!(trace.log_file.clock, Some(ClockKind::Qpc));
    assert_eq!(trace.log_file.windows, (10, 0, 18_362));
    assert_eq!(trace.report.records, 17_078);
    assert!(!trace.report.is_partial(), "{:?}", trace.report);
}

#[test]
fn cut_off_trace_gives_events_of_the_whole_one_and_says_so() {
    let bytes = merged();
    let whole: HashSet<DiskIo> = read(&*bytes).unwrap().events.into_iter().collect();
    for cut in [700, 16_000, 1_000_000, 2_345_678, bytes.len() - 1] {
        let trace = read(&bytes[..cut]).unwrap();
        assert!(trace.report.is_partial(), "{cut}");
        assert!(trace.events.iter().all(|io| whole.contains(io)), "{cut}");
    }
}

/// Two hundred places that are spread over the file, one bit each: nothing panics, and all but the buffer that was hit is still read.
#[test]
fn flipped_bits_lose_little() {
    let bytes = shutdown();
    for number in 0..200_usize {
        let at = 65_536 + (number * 7_919_317) % (bytes.len() - 65_536);
        let mut broken = bytes.clone();
        broken[at] ^= 1 << (number % 8);
        let trace = read(&*broken).unwrap();
        assert!(
            trace.report.records > 16_000 || trace.report.is_partial(),
            "{at}: {:?}",
            trace.report
        );
    }
    let bytes = merged();
    let whole: HashSet<DiskIo> = read(&*bytes).unwrap().events.into_iter().collect();
    for number in 0..12_usize {
        let at = 512 + (number * 7_919_317) % (bytes.len() - 512);
        let mut broken = bytes.clone();
        broken[at] ^= 1 << (number % 8);
        let trace = read(&*broken).unwrap();
        let kept = trace.events.iter().filter(|io| whole.contains(io)).count();
        assert!(
            kept > 1_000 || trace.report.is_partial(),
            "{at}: {kept} of {}",
            whole.len()
        );
    }
}
