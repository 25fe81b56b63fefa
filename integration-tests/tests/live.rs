//! The live source through processes and sockets: traces, read as if they were logged now, go through decoder, batches, spool, uplink and
//! join. Only the session of Windows itself is not there.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use fathom_capture::Recording;
use fathom_etl::DiskIo;
use fathom_etl::build::{Builder, Payload};
use fathom_etl::event::providers;
use fathom_integration_tests::fixture;
use fathom_integration_tests::process::{Certificates, Program, finished};
use fathom_model::{NodeId, Tap};
use serde_json::Value;

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_fathom-under-test"))
}

/// The number that the virtual disk has on its owner.
const VIRTUAL: u32 = 5;

/// What the storage bus calls the disk of each holder: its number there.
fn bus_number(holder: &str) -> u64 {
    100 + holder.bytes().map(u64::from).sum::<u64>()
}

/// What a node would have logged: its drive, the virtual disk where it is attached, and, where that is asked for, the storage bus's legs.
fn trace(recording: &Recording, node: &NodeId, with_bus: bool) -> Vec<u8> {
    let mut reader = recording.events(node).unwrap();
    let mut builder = Builder {
        compressed: true,
        buffer_bytes: 65_536,
        ..Builder::default()
    };
    let mut is_first = true;
    let mut irp = 0_u64;
    while let Some(batch) = reader.next_batch(4096).unwrap() {
        let devices = reader.devices().to_vec();
        for event in batch.columns.iter() {
            if is_first {
                builder.start_time = event.start_unix_nanos / 100 + 116_444_736_000_000_000 - 10_000_000;
                is_first = false;
            }
            irp += 1;
            let disk = match event.tap {
                Tap::Volume => VIRTUAL,
                Tap::Device => 0,
                Tap::Initiator if with_bus => {
                    let peer = devices[event.device as usize].peer.clone().unwrap();
                    let device = bus_number(peer.as_str());
                    let begun = Payload::default()
                        .u32(device as u32)
                        .u64(irp)
                        .u8(4)
                        .u32(event.length as u32)
                        .0;
                    let done = Payload::default().u32(device as u32).u64(irp).u32(event.status).0;
                    let stamps = [event.start_unix_nanos, event.end_unix_nanos()].map(|nanos| builder.ticks(nanos));
                    builder.provider(providers::CLUSPORT.0, 512, stamps[0], &begun);
                    builder.provider(providers::CLUSPORT.0, 1536, stamps[1], &done);
                    continue;
                }
                _ => continue,
            };
            builder.io(&DiskIo {
                disk,
                op: event.op,
                offset: event.offset,
                length: event.length,
                start_unix_nanos: event.start_unix_nanos,
                duration_nanos: event.duration_nanos,
                irp: Some(irp << 8),
            });
        }
    }
    builder.file()
}

/// A node's configuration: which number is which disk, and how the storage bus lays its events out.
fn configuration(recording: &Recording, node: &str, folder: &Path, with_bus: bool) -> PathBuf {
    let mut text = format!("[[live.disk]]\nnumber = {VIRTUAL}\nunique-id = 'vol0'\nspace = true\n");
    write!(text, "[[live.disk]]\nnumber = 0\nunique-id = '{node}/disk0'\n").unwrap();
    for holder in &recording.run().topology.targets {
        let number = bus_number(holder);
        write!(
            text,
            "[[live.disk]]\nbus-number = {number}\nunique-id = '{holder}/disk0'\npeer = '{holder}'\n"
        )
        .unwrap();
    }
    // Without a layout the bus's tap is not given, and nobody expects its legs.
    for (event, fields) in [
        (512, "DeviceNumber:u32 Irp:pointer Major:u8 Length:u32"),
        (1536, "DeviceNumber:u32 Irp:pointer Status:u32"),
    ]
    .into_iter()
    .filter(|_| with_bus)
    {
        let provider = providers::name(providers::CLUSPORT).unwrap();
        write!(
            text,
            "[[live.layout]]\nprovider = '{provider}'\nevent = {event}\nfields = '{fields}'\n"
        )
        .unwrap();
    }
    let path = folder.join(format!("{node}.toml"));
    fs::write(&path, text).unwrap();
    path
}

struct Cluster {
    home: tempfile::TempDir,
    certificates: Certificates,
    coordinator: fathom_integration_tests::process::Process,
}

impl Cluster {
    /// Every node's trace through a daemon of its own, until all is joined.
    fn run(name: &str, with_bus: bool) -> Self {
        let home = tempfile::tempdir().unwrap();
        let certificates = Certificates::new(&home.path().join("certificates"));
        let coordinator =
            program().coordinator(&certificates, &home.path().join("store"), &["--commit-every", "200ms"]);
        let cluster = Self {
            home,
            certificates,
            coordinator,
        };
        let folder = fixture::recording(name);
        let recording = Recording::open(&folder).unwrap();
        let nodes: Vec<_> = recording.nodes().iter().map(|node| node.id.clone()).collect();
        for node in &nodes {
            fs::write(cluster.trace(node.as_str()), trace(&recording, node, with_bus)).unwrap();
            configuration(&recording, node.as_str(), cluster.home.path(), with_bus);
        }
        let mut daemons: Vec<_> = nodes
            .iter()
            .map(|node| {
                std::thread::spawn({
                    let arguments = cluster.daemon(node.as_str(), &folder);
                    move || program().run(arguments)
                })
            })
            .collect();
        for daemon in daemons.drain(..) {
            let ran = daemon.join().unwrap();
            assert_eq!(ran.code, 0, "{}", ran.err);
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(finished(&cluster.certificates, &cluster.coordinator.address));
        cluster
    }

    fn trace(&self, node: &str) -> PathBuf {
        self.home.path().join(format!("{node}.etl"))
    }

    fn daemon(&self, node: &str, topology: &Path) -> Vec<String> {
        let text = |path: &Path| path.display().to_string();
        let mut arguments: Vec<String> = [
            "node",
            "--coordinator",
            &self.coordinator.address,
            "--cluster",
            "test",
            "--node",
            node,
            "--trace",
            &text(&self.trace(node)),
            "--topology",
            &text(topology),
            "--spool",
            &text(&self.home.path().join("spool").join(node)),
            "--config",
            &text(&self.home.path().join(format!("{node}.toml"))),
        ]
        .map(ToOwned::to_owned)
        .into();
        arguments.extend(self.certificates.options("user"));
        arguments
    }

    fn ask(&self, arguments: &[&str]) -> Value {
        let mut all: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        all.extend(["-o", "json", "--coordinator", &self.coordinator.address].map(ToOwned::to_owned));
        all.extend(self.certificates.options("user"));
        let ran = program().run(all);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.json()
    }
}

fn replay(name: &str, without: &[&str]) -> Value {
    let folder = fixture::recording(name).display().to_string();
    let mut arguments = vec!["replay", "-o", "json", &folder];
    arguments.extend(without.iter().flat_map(|tap| ["--without-tap", tap]));
    let ran = program().run(arguments);
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.json()
}

#[test]
fn traces_read_live_are_joined_as_the_recording_that_they_were_made_of() {
    let cluster = Cluster::run("fault-slow-drive", false);
    let recorded = replay("fault-slow-drive", &["initiator", "target"]);
    let why = cluster.ask(&["why"]);
    assert_eq!(cluster.ask(&["writes"])["total"], 20_000);
    for key in ["kind", "node", "disk"] {
        assert_eq!(why["culprit"][key], recorded["culprit"][key], "{key}");
    }
    // Stamps of the kernel tick every 100 ns, the recording's every microsecond: what is close may be decided otherwise.
    let exact = |document: &Value| document["joined"]["exact"].as_u64().unwrap();
    assert!(
        exact(&why).abs_diff(exact(&recorded)) < 200,
        "{} {}",
        why["joined"],
        recorded["joined"]
    );

    // What the daemons cost their nodes stands beside it.
    let cost = cluster.ask(&["counters", "--counter", "daemon.spool_bytes"]);
    let said: std::collections::BTreeSet<&str> = cost["series"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|series| series["node"].as_str())
        .collect();
    assert_eq!(said.len(), 4, "{cost}");

    // Again: the same file is the same stream, and nothing is added.
    let before: Vec<Value> = cluster.ask(&["nodes"])["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["events"].clone())
        .collect();
    let ran = program().run(cluster.daemon("t1", &fixture::recording("fault-slow-drive")));
    assert_eq!(ran.code, 0, "{}", ran.err);
    let after: Vec<Value> = cluster.ask(&["nodes"])["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["events"].clone())
        .collect();
    assert_eq!(before, after);
}

#[test]
fn legs_of_the_storage_bus_are_paired_and_joined() {
    let cluster = Cluster::run("fault-slow-drive", true);
    let why = cluster.ask(&["why"]);
    assert_eq!(why["culprit"]["node"], "t1");
    let nodes = cluster.ask(&["nodes"]);
    let taps = |node: &str| {
        let nodes = nodes["nodes"].as_array().unwrap();
        nodes.iter().find(|found| found["node"] == node).unwrap()["taps"].clone()
    };
    assert_eq!(taps("i0"), serde_json::json!(["volume", "initiator", "device"]));
    let slowest = cluster.ask(&["writes", "--slowest", "1"]);
    let io = cluster.ask(&["write", slowest["ios"][0]["id"].as_str().unwrap()]);
    let text = io.to_string();
    assert!(
        text.contains("initiator_ns") && !text.contains("\"initiator_ns\":null"),
        "{text}"
    );
}
