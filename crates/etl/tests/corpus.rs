//! What the fuzzer begins with and what it found: read in every test run, without a fuzzer.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use fathom_etl::build::Builder;
use fathom_etl::{ClockKind, DiskIo, read, wpa};
use fathom_model::Op;

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target)
}

fn files(target: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(corpus(target)).unwrap();
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read(&path).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

/// A small trace in one form.
fn small(change: impl FnOnce(&mut Builder)) -> Vec<u8> {
    let mut builder = Builder {
        buffer_bytes: 1024,
        ..Builder::default()
    };
    change(&mut builder);
    builder.drive(1, "NVMe", 2);
    builder.partition(1, 1 << 20, 1 << 30, "C:");
    for (number, op) in [Op::Read, Op::Write, Op::Flush, Op::Write].into_iter().enumerate() {
        builder.io(&DiskIo {
            disk: 1,
            op,
            offset: 4096 * number as u64,
            length: 4096,
            start_unix_nanos: 1_790_294_400_000_000_000 + 1_000_000 * number as i64,
            duration_nanos: 250_000,
            irp: Some(0xffff_8000 + number as u64),
        });
    }
    builder.hook(0x010a, 4, 0, &[0; 60]);
    builder.hook(0x0122, 2, 0, &[0; 24]);
    builder.provider([7; 16], 10, 0, &[0; 8]);
    builder.class([7; 16], 10, 2, 0, &[0; 8]);
    builder.file()
}

/// The small traces, one a form.
fn forms() -> Vec<(&'static str, Vec<u8>)> {
    let plain = small(|_| {});
    let compressed = small(|builder| builder.compressed = true);
    vec![
        ("plain", plain.clone()),
        ("plain-32", small(|builder| builder.pointer_bytes = 4)),
        ("compressed", compressed.clone()),
        ("system-time", small(|builder| builder.clock = ClockKind::SystemTime)),
        ("cycles", small(|builder| builder.clock = ClockKind::Cycles)),
        ("cut", plain[..plain.len() - 700].to_vec()),
        ("cut-compressed", compressed[..compressed.len() - 40].to_vec()),
    ]
}

#[test]
fn every_trace_of_the_corpus_is_read_without_a_panic() {
    if std::env::var_os("FATHOM_WRITE_CORPUS").is_some() {
        for (name, bytes) in forms() {
            fs::write(corpus("etl").join(name), bytes).unwrap();
        }
    }
    let files = files("etl");
    for (name, bytes) in &files {
        if let Ok(trace) = read(&**bytes) {
            assert_eq!(trace.report.counts.ios(), trace.events.len() as u64, "{name}");
            assert!(trace.events.is_sorted_by_key(DiskIo::end_unix_nanos), "{name}");
        }
    }
    for (name, expected) in forms() {
        let found = files.iter().find(|(other, _)| other == name).map(|(_, bytes)| bytes);
        assert_eq!(
            found,
            Some(&expected),
            "{name}: write it again with FATHOM_WRITE_CORPUS=1"
        );
        assert!(read(&*expected).is_ok(), "{name}");
    }
}

#[test]
fn every_table_of_the_corpus_is_read_without_a_panic() {
    let mut read = 0;
    for (name, bytes) in files("wpa") {
        if let Ok(table) = wpa::read(&*bytes, 1_700_000_000_000_000_000) {
            assert_eq!(
                table.report.records,
                table.events.len() as u64 + table.report.fault_count,
                "{name}"
            );
            read += 1;
        }
    }
    assert!(read >= 2, "the corpus has tables that can be read");
}
