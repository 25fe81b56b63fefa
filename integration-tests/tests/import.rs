//! `fathom import` as a user meets it: real traces as rows, traces of several nodes joined, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fathom_capture::Recording;
use fathom_etl::DiskIo;
use fathom_etl::build::Builder;
use fathom_integration_tests::fixture;
use fathom_integration_tests::process::{Certificates, Program, Ran, assert_fails, finished};
use fathom_model::{NodeId, Tap};
use serde_json::{Value, json};

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_fathom-under-test"))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// A real trace; where it comes from stands beside it.
fn real(name: &str) -> String {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("crates");
    text(&crates.join("etl/tests/traces").join(name))
}

fn rows(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn real_trace_becomes_rows_and_says_what_is_in_it() {
    let home = tempfile::tempdir().unwrap();
    let events = home.path().join("events.jsonl");
    let ran = program().run([
        "import",
        &real("windows-kernel-x64.etl.zip"),
        "--events",
        &text(&events),
    ]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    for said in [
        "node BRIANROB-W8",
        "1,208 reads, 21 writes, 2 flushes",
        "wrote 1,231 rows",
    ] {
        assert!(ran.err.contains(said), "`{said}` is not in: {}", ran.err);
    }
    let rows = rows(&events);
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for row in &rows {
        *counts.entry(row["op"].as_str().unwrap()).or_default() += 1;
        assert_eq!((&row["layer"], &row["device"]), (&json!("device"), &json!("disk0")));
    }
    assert_eq!(counts, [("flush", 2), ("read", 1_208), ("write", 21)].into());
    let end = |row: &Value| row["start_ns"].as_i64().unwrap() + row["duration_ns"].as_i64().unwrap();
    assert!(rows.is_sorted_by_key(end));
    // EVENT 1,249.834: DiskIO/Write ... TransferSize=4,096; ByteOffset=6,109,835,264; Irp=0xfffffa830047e8f0; ElapsedTimeMSec=0.928
    assert_eq!(
        rows[0],
        json!({
            "layer": "device", "device": "disk0", "op": "write", "offset": 6_109_835_264_u64, "length": 4096,
            "start_ns": 1_595_981_221_872_521_900_i64, "duration_ns": 928_400, "status": 0,
            "correlation": 0xffff_fa83_0047_e8f0_u64,
        })
    );
}

#[test]
fn import_answers_with_one_document() {
    let ran = program().run([
        "import",
        "-o",
        "json",
        &real("windows-kernel-x64.etl.zip"),
        &real("wpa-disk-io.csv"),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let document = ran.json();
    assert_eq!((&document["schema"], &document["events"]), (&json!(1), &Value::Null));
    let [etl, csv] = &document["traces"].as_array().unwrap()[..] else {
        panic!()
    };
    assert_eq!(
        (&etl["format"], &etl["member"]),
        (&json!("etl"), &json!("net.4.5.2.x64.etl"))
    );
    assert_eq!(
        (&etl["node"], &etl["node_from"]),
        (&json!("BRIANROB-W8"), &json!("computer"))
    );
    assert_eq!(
        (&etl["reads"], &etl["writes"], &etl["flushes"]),
        (&json!(1_208), &json!(21), &json!(2))
    );
    assert_eq!(etl["machine"]["disks"][0]["model"], "Virtual HD ATA Device");
    assert_eq!(etl["unseen"]["fault_count"], 0);
    assert_eq!((&csv["format"], &csv["node"]), (&json!("csv"), &json!("wpa-disk-io")));
    assert_eq!(document["nodes"].as_array().unwrap().len(), 2);
}

#[test]
fn trace_without_disk_io_gives_no_rows_and_says_why() {
    let home = tempfile::tempdir().unwrap();
    let events = home.path().join("events.jsonl");
    let ran = program().run([
        "import",
        &real("windows-shutdown-uncompressed.etl.gz"),
        "--events",
        &text(&events),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("no disk I/O was logged"), "{}", ran.err);
    assert!(rows(&events).is_empty());
}

#[test]
fn damaged_trace_is_a_partial_answer() {
    let home = tempfile::tempdir().unwrap();
    let mut builder = Builder {
        events_lost: 3,
        ..Builder::default()
    };
    builder.computer("HV-01");
    for number in 0..100 {
        builder.io(&DiskIo {
            disk: 1,
            op: fathom_model::Op::Read,
            offset: number * 512,
            length: 512,
            start_unix_nanos: 1_790_294_400_000_000_000,
            duration_nanos: 1_000,
            irp: Some(number),
        });
    }
    let file = builder.file();
    let path = home.path().join("hv.etl");
    fs::write(&path, &file[..file.len() - 5_000]).unwrap();
    let ran = program().run(["import", &text(&path)]);
    assert_eq!(ran.code, 4, "{}", ran.err);
    for said in [
        "the session lost 3 events",
        "the file ends after",
        "copy the file again",
    ] {
        assert!(ran.err.contains(said), "`{said}` is not in: {}", ran.err);
    }
    let document = program().run(["import", "-o", "json", &text(&path)]).json();
    assert_eq!(document["traces"][0]["unseen"]["events_lost"], 3);
    assert_eq!(document["traces"][0]["unseen"]["fault_count"], 1);
}

#[test]
fn what_is_no_trace_and_what_is_missing_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    fs::write(path("empty.etl"), "").unwrap();
    fs::write(path("text.etl"), "hello").unwrap();
    assert_fails(
        &program().run(["import", "/no/such/file.etl"]),
        1,
        &["/no/such/file.etl"],
    );
    assert_fails(
        &program().run(["import", &text(&path("empty.etl"))]),
        1,
        &["empty.etl: the file is empty"],
    );
    assert_fails(
        &program().run(["import", &text(&path("text.etl"))]),
        1,
        &["text.etl: not a trace"],
    );
    assert_fails(&program().run(["import", &text(home.path())]), 1, &["a folder"]);
    assert_fails(&program().run(["import"]), 2, &["PATH"]);
    assert_fails(&program().run(["import", "--node", "x"]), 2, &["hv01=trace.etl"]);
    assert_fails(
        &program().run(["import", "x.csv", "--csv-start", "noon"]),
        2,
        &["2026-09-22T03:13:00Z"],
    );
    assert_fails(&program().run(["import", "x.etl", "--store", "s"]), 2, &["--extents"]);
}

/// A recorded cluster, told as Windows would tell it: a trace a node, the virtual disk as a disk of its owner, and the cmdlets' lists.
struct Windows {
    home: tempfile::TempDir,
    arguments: Vec<String>,
}

/// The number that the virtual disk has on its owner.
const VIRTUAL: u32 = 5;

fn as_windows(name: &str, leave_out: &[&str]) -> Windows {
    let home = tempfile::tempdir().unwrap();
    let recording = Recording::open(&fixture::recording(name)).unwrap();
    let mut arguments = vec!["import".to_owned()];
    for node in recording.nodes() {
        if leave_out.contains(&node.id.as_str()) {
            continue;
        }
        let path = home.path().join(format!("{}.etl", node.id));
        fs::write(&path, trace(&recording, &node.id)).unwrap();
        arguments.push(text(&path));
    }
    let put = |name: &str, value: &Value, utf16: bool| {
        let path = home.path().join(name);
        let text = value.to_string();
        if utf16 {
            // As `>` of Windows PowerShell writes.
            let units = std::iter::once(0xfeff).chain(text.encode_utf16());
            fs::write(&path, units.flat_map(u16::to_le_bytes).collect::<Vec<u8>>()).unwrap();
        } else {
            fs::write(&path, text).unwrap();
        }
        path
    };
    let extents: Vec<Value> = recording
        .run()
        .extents
        .iter()
        .map(|extent| {
            json!({
                "VirtualDiskUniqueId": "66C74EBBE4A8954FB33F362DCBED4BA6",
                "VirtualDiskOffset": extent.volume_offset,
                // WMI gives 64 bits as text.
                "Size": extent.length.to_string(),
                "CopyNumber": extent.copy,
                "ColumnNumber": 0,
                "PhysicalDiskUniqueId": format!("eui.{}", extent.node.to_uppercase()),
                "PhysicalDiskOffset": extent.disk_offset,
                "ReplacementCopyNumber": null,
                "OperationalStatus": ["OK"],
            })
        })
        .collect();
    let physical: Vec<Value> = recording
        .run()
        .topology
        .targets
        .iter()
        .flat_map(|holder| {
            // Every node sees every disk, and one is connected to it.
            recording.run().topology.targets.iter().map(move |node| {
                json!({
                    "DiskNumber": 0,
                    "IsPhysicallyConnected": node == holder,
                    "PhysicalDisk": {"UniqueId": format!("eui.{holder}"), "FriendlyName": "NVMe"},
                    "StorageNode": {"Name": format!("{}.example.org", node.to_uppercase())},
                })
            })
        })
        .collect();
    let disks = json!([
        {"PSComputerName": "i0", "Number": 0, "UniqueId": "boot", "FriendlyName": "Boot"},
        {"PSComputerName": "i0", "Number": VIRTUAL, "UniqueId": "{66c74ebbe4a8954fb33f362dcbed4ba6}", "FriendlyName": "vol0"},
        {"PSComputerName": "t0", "Number": null, "UniqueId": "66C74EBBE4A8954FB33F362DCBED4BA6", "FriendlyName": "vol0"},
    ]);
    let lists = [
        ("--extents", put("extents.json", &Value::Array(extents), true)),
        ("--disks", put("physical.json", &Value::Array(physical), false)),
        ("--disks", put("disks.json", &disks, true)),
    ];
    for (option, path) in lists {
        arguments.extend([option.to_owned(), text(&path)]);
    }
    arguments.extend(["--cluster".to_owned(), name.to_owned()]);
    Windows { home, arguments }
}

/// What the kernel of a node would have logged: I/Os of its drives, and of the virtual disk where it is attached.
fn trace(recording: &Recording, node: &NodeId) -> Vec<u8> {
    events_of(recording, node, |_| true).file()
}

/// The same with some of the events left out, by their number.
fn events_of(recording: &Recording, node: &NodeId, is_kept: impl Fn(u64) -> bool) -> Builder {
    let mut reader = recording.events(node).unwrap();
    let mut builder = Builder {
        compressed: true,
        buffer_bytes: 65_536,
        ..Builder::default()
    };
    builder.computer(&node.as_str().to_uppercase());
    let (mut is_first, mut kept) = (true, 0);
    while let Some(batch) = reader.next_batch(4096).unwrap() {
        for (number, event) in batch.columns.iter().enumerate() {
            let disk = match event.tap {
                Tap::Volume => VIRTUAL,
                Tap::Device => 0,
                _ => continue,
            };
            kept += 1;
            if !is_kept(kept) {
                continue;
            }
            if is_first {
                builder.start_time = event.start_unix_nanos / 100 + 116_444_736_000_000_000 - 10_000_000;
                is_first = false;
            }
            builder.io(&DiskIo {
                disk,
                op: event.op,
                offset: event.offset,
                length: event.length,
                start_unix_nanos: event.start_unix_nanos,
                duration_nanos: event.duration_nanos,
                irp: Some(batch.first_row + number as u64 + 1),
            });
        }
    }
    builder
}

impl Windows {
    fn import(&self, more: &[&str]) -> Ran {
        program().run(self.arguments.iter().map(String::as_str).chain(more.iter().copied()))
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }
}

fn replay(folder: &Path, more: &[&str]) -> Value {
    let folder = text(folder);
    let arguments = ["replay", "-o", "json", &folder]
        .into_iter()
        .chain(more.iter().copied());
    let ran = program().run(arguments);
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.json()
}

/// The names of nodes as Windows has them: a document's words in lower case are those of the recording.
fn lower(document: &Value) -> Value {
    serde_json::from_str(&document.to_string().replace("\"I0\"", "\"i0\"").replace("\"T", "\"t")).unwrap()
}

#[test]
fn traces_of_several_nodes_are_joined_as_the_recording_that_they_were_made_of() {
    let windows = as_windows("fault-slow-drive", &[]);
    let folder = windows.folder("recording");
    let ran = windows.import(&["--recording", &text(&folder)]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.err.contains("volume vol0: 20,000 I/Os of its own disk"),
        "{}",
        ran.err
    );
    // The recording was made on clocks that are read to a microsecond; those of Windows tick every 100 ns.
    let run = folder.join("run.json");
    let as_recorded = fs::read_to_string(&run)
        .unwrap()
        .replace("\"resolution_ns\": 100", "\"resolution_ns\": 1000");
    fs::write(&run, as_recorded).unwrap();
    let imported = lower(&replay(&folder, &[]));
    let without = ["--without-tap", "initiator", "--without-tap", "target"];
    let recorded = replay(&fixture::recording("fault-slow-drive"), &without);
    assert_eq!(imported["joined"], recorded["joined"]);
    assert_eq!(imported["latency"], recorded["latency"]);
    assert_eq!(imported["last_copies"], recorded["last_copies"]);
    for key in ["kind", "node", "disk"] {
        assert_eq!(imported["culprit"][key], recorded["culprit"][key], "{key}");
    }
    assert_eq!(imported["culprit"]["node"], "t1");
    assert!(
        imported["joined"]["exact"].as_u64() > Some(19_000),
        "{}",
        imported["joined"]
    );
}

#[test]
fn imported_store_answers_as_one_of_live_data_and_holds_each_trace_once() {
    let windows = as_windows("fault-slow-drive", &[]);
    let folder = windows.folder("recording");
    let store = windows.folder("store");
    let ran = windows.import(&["--store", &text(&store), "--recording", &text(&folder), "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let events = ran.json()["store"]["events"].as_u64().unwrap();
    assert!(events >= 80_000, "{events}");
    assert_eq!(ran.json()["store"]["known_streams"], 0);
    // Again: nothing is added.
    let ran = windows.import(&["--store", &text(&store), "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.json()["store"]["events"], 0);
    assert_eq!(ran.json()["store"]["known_streams"], 4);

    let certificates = Certificates::new(&windows.folder("certificates"));
    let coordinator = program().coordinator(&certificates, &store, &[]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(finished(&certificates, &coordinator.address));
    let ask = |arguments: &[&str]| {
        let mut all: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        all.extend(["-o", "json", "--coordinator", &coordinator.address].map(ToOwned::to_owned));
        all.extend(certificates.options("user"));
        let ran = program().run(all);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.json()
    };
    let replayed = replay(&folder, &[]);
    let why = ask(&["why"]);
    assert_eq!(why["culprit"], replayed["culprit"]);
    assert_eq!(why["joined"], replayed["joined"]);
    let writes = ask(&["writes", "--slowest", "1"]);
    assert_eq!(writes["total"], 20_000);
    assert_eq!(writes["ios"][0], replayed["slowest_write"]);
    assert_eq!(ask(&["volumes"])["volumes"][0]["writes"], 20_000);
    assert_eq!(ask(&["nodes"])["nodes"].as_array().unwrap().len(), 4);
}

#[test]
fn node_without_a_trace_is_missing_and_said_so() {
    let windows = as_windows("fault-slow-drive", &["t2"]);
    let folder = windows.folder("recording");
    let ran = windows.import(&["--recording", &text(&folder)]);
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(ran.err.contains("node t2 holds copies and has no trace"), "{}", ran.err);
    let document = replay(&folder, &[]);
    assert_eq!(
        document["unseen"]["nodes"],
        json!([{"node": "t2", "cause": "no_daemon"}])
    );
    assert_eq!(document["joined"]["incomplete"], 20_000);
}

/// A session that lost events does not say which: copies that are not found may be among them, and are not said to be absent.
#[test]
fn what_a_session_lost_is_said_to_be_lost_and_not_absent() {
    let windows = as_windows("fault-slow-drive", &["t2"]);
    let recording = Recording::open(&fixture::recording("fault-slow-drive")).unwrap();
    // Of this node's trace two in three events are not there, which its header knows.
    let mut builder = events_of(&recording, &NodeId::new("t2"), |number| number % 3 == 0);
    builder.events_lost = 13_333;
    let path = windows.folder("t2.etl");
    fs::write(&path, builder.file()).unwrap();
    let store = windows.folder("store");
    let ran = windows.import(&[&text(&path), "--store", &text(&store)]);
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(ran.err.contains("a trace of node T2 is not whole"), "{}", ran.err);
    let certificates = Certificates::new(&windows.folder("certificates"));
    let coordinator = program().coordinator(&certificates, &store, &[]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(finished(&certificates, &coordinator.address));
    let mut arguments = ["why", "-o", "json", "--coordinator", &coordinator.address]
        .map(ToOwned::to_owned)
        .to_vec();
    arguments.extend(certificates.options("user"));
    let document = program().run(arguments).json();
    let missing: Vec<&Value> = document["unseen"]["missing"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["node"] == "T2" && row["tap"] == "device")
        .collect();
    let legs = |cause: &str| -> u64 {
        let rows = missing.iter().filter(|row| row["cause"] == cause);
        rows.map(|row| row["legs"].as_u64().unwrap()).sum()
    };
    assert!(legs("lost") > 13_000, "{missing:?}");
    assert_eq!(legs("absent"), 0, "{missing:?}");
}

#[test]
fn lists_that_do_not_fit_are_refused() {
    let windows = as_windows("fault-slow-drive", &["t0", "t1", "t2"]);
    let folder = text(&windows.folder("recording"));
    let extents = windows.folder("extents.json");
    let whole = {
        let bytes = fs::read(&extents).unwrap();
        let units: Vec<u16> = bytes[2..]
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        String::from_utf16(&units).unwrap()
    };
    let refused = |text: &str, says: &[&str]| {
        fs::write(&extents, text).unwrap();
        assert_fails(&windows.import(&["--recording", &folder, "--force"]), 1, says);
    };
    refused("no", &["extents.json: not JSON"]);
    refused("[{}]", &["extents.json: row 0: no VirtualDiskUniqueId"]);
    // An arithmetic that the rows rule out is not used, whoever names it.
    fs::write(&extents, whole.replacen("\"ColumnNumber\":0", "\"ColumnNumber\":1", 1)).unwrap();
    let by_hand = [
        "--recording",
        &folder,
        "--force",
        "--column-arithmetic",
        "row-start,65536",
    ];
    assert_fails(
        &windows.import(&by_hand),
        1,
        &["has 2 columns", "row-start,65536: row of slabs"],
    );
    refused(
        &whole.replacen("eui.T1", "eui.X", 1),
        &["disk eui.x", "--disks does not say"],
    );
    refused(&whole.replacen("\"CopyNumber\":0", "\"CopyNumber\":1", 1), &["overlap"]);
    refused("[]", &["there are no extents"]);
}
