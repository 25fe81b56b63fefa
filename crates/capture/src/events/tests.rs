//! Broken input is refused with file, row and cause; good input comes back as it was written.

use std::fs;
use std::path::Path;

use super::*;

const RUN: &str = r#"{"name":"tiny","topology":{"initiators":["i0"],"targets":["t0"]},
 "volumes":[{"name":"vol0","size":1048576,"copies":1}],
 "extents":[{"volume":"vol0","volume_offset":0,"length":1048576,"copy":0,"node":"t0","disk":"disk0","disk_offset":4096}],
 "resolution_ns":1000,"counts":{"t0":{"device.write":2}}}"#;
const ROW: &str = r#"{"layer":"device","device":"disk0","op":"write","offset":4096,"length":512,"start_ns":1790000000000000000,"duration_ns":5,"status":0}"#;

fn recording(rows: &str) -> (tempfile::TempDir, Result<Vec<RowBatch>>, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("run.json"), RUN).unwrap();
    fs::write(directory.path().join("events-t0.jsonl"), rows).unwrap();
    let (read, differences) = read_all(directory.path(), "t0");
    (directory, read, differences)
}

fn read_all(directory: &Path, node: &str) -> (Result<Vec<RowBatch>>, Vec<String>) {
    let recording = Recording::open(directory).unwrap();
    let mut reader = match recording.events(&node.into()) {
        Ok(reader) => reader,
        Err(error) => return (Err(error), Vec::new()),
    };
    let mut batches = Vec::new();
    loop {
        match reader.next_batch(3) {
            Ok(Some(batch)) => batches.push(batch),
            Ok(None) => return (Ok(batches), reader.differences(&recording)),
            Err(error) => return (Err(error), Vec::new()),
        }
    }
}

#[test]
fn reads_rows_in_batches_and_tells_a_wrong_count() {
    let rows = [ROW; 7].join("\n");
    let (_directory, batches, differences) = recording(&rows);
    let batches = batches.unwrap();
    assert_eq!(
        batches
            .iter()
            .map(|batch| (batch.first_row, batch.columns.len()))
            .collect::<Vec<_>>(),
        [(0, 3), (3, 3), (6, 1)]
    );
    let event = batches[0].columns.get(0).unwrap();
    assert_eq!(
        (event.tap, event.op, event.offset, event.duration_nanos),
        (Tap::Device, Op::Write, 4096, 5)
    );
    assert_eq!(differences.len(), 1);
    assert!(
        differences[0].contains("7 rows of device.write, run.json counts 2"),
        "{}",
        differences[0]
    );
}

#[test]
fn names_file_row_and_cause_of_a_bad_row() {
    let cases = [
        ("", "an empty line"),
        ("{\"layer\":\"device\",", "cut off"),
        ("[1,2]", "expected"),
        (
            &ROW.replace("\"device\",\"device\"", "\"network\",\"device\""),
            "`network` is not a known tap",
        ),
        (&ROW.replace("\"write\"", "\"erase\""), "`erase` is not a known op"),
        (&ROW.replace("4096", "-1"), "invalid value"),
        (&ROW.replace("4096", "18446744073709551615"), "64-bit range"),
        (
            &ROW.replace("\"duration_ns\":5", "\"duration_ns\":18446744073709551615"),
            "64-bit range",
        ),
        (&ROW.replace("1790000000000000000", "-5"), "negative"),
        (
            &ROW.replace("\"layer\":\"device\"", "\"layer\":\"volume\""),
            "does not name t0 as initiator",
        ),
        (&ROW.replace(",\"length\":512", ""), "missing field `length`"),
        (&ROW.replace("\"offset\":4096,", ""), "no offset here and had some"),
    ];
    for (bad, expected) in cases {
        let (_directory, read, _) = recording(&format!("{ROW}\n{bad}\n{ROW}\n"));
        let error = read.expect_err(bad).to_string();
        assert!(
            error.contains("events-t0.jsonl") && error.contains("row 1") && error.contains(expected),
            "{bad}: {error}"
        );
    }
}

#[test]
fn refuses_bytes_that_are_not_text_and_lines_without_end() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("run.json"), RUN).unwrap();
    let path = directory.path().join("events-t0.jsonl");
    fs::write(&path, [0xff, 0xfe, b'\n']).unwrap();
    assert!(
        read_all(directory.path(), "t0")
            .0
            .unwrap_err()
            .to_string()
            .contains("UTF-8")
    );
    fs::write(&path, vec![b' '; 100_000]).unwrap();
    assert!(
        read_all(directory.path(), "t0")
            .0
            .unwrap_err()
            .to_string()
            .contains("longer than")
    );
}

#[test]
fn compressed_file_cut_anywhere_is_refused_and_never_panics() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("run.json"), RUN).unwrap();
    let path = directory.path().join("events-t0.jsonl.zst");
    let mut writer = EventWriter::create(&path).unwrap();
    for at in 0..2000_u64 {
        let mut row: EventRow<'_> = serde_json::from_str(ROW).unwrap();
        row.duration_ns = at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        writer.write(&row).unwrap();
    }
    writer.finish().unwrap();
    let whole = fs::read(&path).unwrap();
    assert_eq!(
        read_all(directory.path(), "t0")
            .0
            .unwrap()
            .iter()
            .map(|batch| batch.columns.len())
            .sum::<usize>(),
        2000
    );
    for cut in (0..whole.len()).step_by(whole.len() / 97 + 1) {
        fs::write(&path, &whole[..cut]).unwrap();
        let error = read_all(directory.path(), "t0").0.unwrap_err().to_string();
        assert!(error.contains("events-t0.jsonl.zst"), "{error}");
    }
    fs::write(&path, ROW).unwrap();
    assert!(matches!(read_all(directory.path(), "t0").0, Err(Error::NotZstd { .. })));
    fs::write(&path, "").unwrap();
    assert!(matches!(read_all(directory.path(), "t0").0, Err(Error::Empty { .. })));
    fs::remove_file(&path).unwrap();
    fs::write(directory.path().join("events-t0.jsonl"), &whole).unwrap();
    assert!(matches!(read_all(directory.path(), "t0").0, Err(Error::IsZstd { .. })));
}

#[test]
fn initiator_device_names_its_volume_copy_and_disk() {
    for (name, expected) in [
        ("vol0.copy1", Some(("vol0", 1))),
        ("vol0.slab3.copy1", Some(("vol0", 1))),
        ("a.slab.b.copy0", Some(("a.slab.b", 0))),
        ("vol0", None),
        ("vol0.copyx", None),
    ] {
        assert_eq!(volume_and_copy(name), expected, "{name}");
    }
}

#[test]
fn remote_disk_of_the_storage_bus_is_known_by_its_name_and_peer() {
    let of = |device: &str, peer: Option<&str>| remote_disk(device, peer).map(|disk| disk.to_string());
    assert_eq!(of("clusport.t1.disk0", Some("t1")), Some("t1/disk0".to_owned()));
    assert_eq!(of("clusport.t1.a.disk.0", Some("t1.a")), Some("t1.a/disk.0".to_owned()));
    for (device, peer) in [
        ("clusport.t1.disk0", Some("t2")),
        ("clusport.t1.disk0", None),
        ("clusport.t1.", Some("t1")),
        ("clusport.t1", Some("t1")),
        ("t1.disk0", Some("t1")),
    ] {
        assert_eq!(of(device, peer), None, "{device} {peer:?}");
    }
}

/// serde takes a sequence for a struct, its fields by position.
#[test]
fn row_by_position_is_refused_in_every_file() {
    let by_position = r#"["device","disk0","write",4096,512,1790000000000000000,5,0,null,null]"#;
    let (_directory, read, _) = recording(&[ROW, by_position].join("\n"));
    let error = read.unwrap_err().to_string();
    assert!(
        error.contains("events-t0.jsonl: row 1: invalid type: sequence, expected an object"),
        "{error}"
    );
    let directory = tempfile::tempdir().unwrap();
    let truth = directory.path().join("truth.jsonl");
    fs::write(&truth, r#"{"write":0,"node":"i0","copies":[[0,"t0",[1],[2],[3]]]}"#).unwrap();
    let error = crate::TruthReader::open(&truth).unwrap().next().unwrap().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("row 0: invalid type: sequence, expected an object"),
        "{error}"
    );
    let run = RUN.replace(r#"{"initiators":["i0"],"targets":["t0"]}"#, r#"[["i0"],["t0"]]"#);
    fs::write(directory.path().join("run.json"), run).unwrap();
    let error = Recording::open(directory.path()).unwrap_err().to_string();
    assert!(
        error.contains("run.json: line 1, column") && error.contains("invalid type: sequence, expected an object"),
        "{error}"
    );
}
