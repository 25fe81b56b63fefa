//! What a running coordinator answers: tables, JSON, what was not seen, and the exit codes that tell it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use fathom_integration_tests::fixture;
use fathom_integration_tests::process::{Certificates, Program, Ran, assert_fails, finished};
use serde_json::{Value, json};

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_fathom-under-test"))
}

/// A cluster that has been joined, and how to ask about it.
struct Served {
    home: tempfile::TempDir,
    certificates: Certificates,
    coordinator: fathom_integration_tests::process::Process,
}

fn serve(recording: &str, nodes: &[&str], silence: &str) -> Served {
    serve_folder(&fixture::recording(recording), nodes, silence)
}

fn serve_folder(recording: &Path, nodes: &[&str], silence: &str) -> Served {
    let home = tempfile::tempdir().unwrap();
    let certificates = Certificates::new(&home.path().join("certificates"));
    let store = home.path().join("store");
    let coordinator = program().coordinator(&certificates, &store, &["--commit-every", "1s", "--silence", silence]);
    let mut daemons: Vec<_> = nodes
        .iter()
        .map(|node| program().node(&certificates, &coordinator.address, recording, node, home.path(), &[]))
        .collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(finished(&certificates, &coordinator.address));
    daemons.iter_mut().for_each(|daemon| assert_eq!(daemon.wait(), 0));
    Served {
        home,
        certificates,
        coordinator,
    }
}

impl Served {
    fn ask(&self, arguments: &[&str]) -> Ran {
        program().ask(&self.certificates, &self.coordinator.address, arguments)
    }
}

#[test]
fn questions_are_answered_by_a_running_coordinator() {
    let served = serve("fault-network-slow", &["i0", "t0", "t1", "t2"], "30s");
    let why = served.ask(&["why", "-o", "json"]);
    assert_eq!(why.code, 0, "{}", why.err);
    assert_eq!(why.json()["culprit"]["node"], "t2");
    assert_eq!(served.ask(&["why", "--check"]).code, 3);
    assert_eq!(
        served.ask(&["why", "--check", "--since", "4s"]).code,
        0,
        "the last seconds are healthy"
    );

    let slowest = served.ask(&["writes", "--slowest", "5", "-o", "json"]).json();
    let ios = slowest["ios"].as_array().unwrap();
    assert_eq!((ios.len(), slowest["total"].as_u64()), (5, Some(16_000)));
    assert!(
        ios.windows(2)
            .all(|pair| pair[0]["duration_ns"].as_u64() >= pair[1]["duration_ns"].as_u64())
    );
    let id = ios[0]["id"].as_str().unwrap();
    let one = served.ask(&["write", id, "-o", "json"]).json();
    assert_eq!(one["io"], ios[0], "a list and a look at one say the same");
    let waterfall = served.ask(&["write", id]).out;
    assert!(
        waterfall.contains(id) && waterfall.contains("it waited for copy"),
        "{waterfall}"
    );

    let newest = served.ask(&["writes", "--limit", "3", "-o", "json"]).json();
    let ends: Vec<i64> = newest["ios"]
        .as_array()
        .unwrap()
        .iter()
        .map(|io| io["start_unix_ns"].as_i64().unwrap() + io["duration_ns"].as_i64().unwrap())
        .collect();
    assert_eq!(Some(ends[0]), newest["newest_unix_ns"].as_i64());
    let some = served.ask(&["writes", "--since", "1s"]);
    assert!(
        some.err.contains("counted back from the cluster's newest I/O"),
        "{}",
        some.err
    );
    let on_disk = served
        .ask(&[
            "writes",
            "--node",
            "t1",
            "--disk",
            "disk0",
            "--slowest",
            "1",
            "-o",
            "json",
        ])
        .json();
    assert_eq!(on_disk["total"], 16_000);

    let by_pair = served.ask(&["latency", "--by", "pair", "-o", "json"]).json();
    let slow = by_pair["latency"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["tap"] == "initiator" && row["node"] == "t2");
    assert!(slow.unwrap()["p99_ns"].as_u64().unwrap() > 5_000_000, "{by_pair}");
    let nodes = served.ask(&["nodes", "-o", "json"]).json();
    assert!(
        nodes["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .all(|node| node["state"] == "finished"),
        "{nodes}"
    );
    let volumes = served.ask(&["volumes"]).out;
    assert!(volumes.contains("vol0") && volumes.contains("16,000"), "{volumes}");
    assert!(served.ask(&["reads"]).code == 0);

    assert_fails(&served.ask(&["write", "nonsense"]), 2, &["nonsense", "fathom writes"]);
    assert_fails(
        &served.ask(&["write", "i0.00000000.1.2"]),
        1,
        &["there is no I/O `i0.00000000.1.2`"],
    );
    // A question that names what is not there is wrong, whichever command asks it.
    for command in [&["writes"][..], &["reads"], &["latency"], &["why"], &["why", "--check"]] {
        for (option, name, what) in [
            ("--volume", "vol9", "volume"),
            ("--node", "t9", "node"),
            ("--disk", "disk9", "disk"),
            ("--cluster", "other", "cluster"),
        ] {
            let says = format!("there is no {what} `{name}` (known: ");
            assert_fails(&served.ask(&[command, &[option, name]].concat()), 2, &[&says]);
        }
    }
    for command in ["nodes", "volumes"] {
        let ran = served.ask(&[command, "--cluster", "other"]);
        assert_fails(&ran, 2, &["there is no cluster `other`", "test"]);
    }
    assert!(served.home.path().join("store").is_dir());
}

#[test]
fn reads_show_whether_they_were_local_or_remote() {
    let served = serve("reads-by-hand", &["n0", "n1", "n2"], "30s");
    let reads = served.ask(&["reads", "--limit", "100", "-o", "json"]).json();
    let ios = reads["ios"].as_array().unwrap();
    assert_eq!(ios.len(), 60);
    assert!(
        ios.iter()
            .all(|io| io["class"] == "exact" && io["legs"].as_array().unwrap().len() == 1)
    );
    let local = ios.iter().filter(|io| io["legs"][0]["local"] == true).count();
    assert!((20..50).contains(&local), "{local} local reads");
    assert!(
        ios.iter()
            .all(|io| (io["legs"][0]["node"] == "n0") == (io["legs"][0]["local"] == true))
    );
    let table = served.ask(&["reads", "--slowest", "60"]).out;
    assert!(
        table.contains("n0/disk0 local") && table.contains("n1/disk0 remote"),
        "{table}"
    );
    let latency = served.ask(&["latency", "--op", "read", "-o", "json"]).json();
    assert_eq!(latency["latency"][0]["count"], 60);
    // Who has finished was heard to the end of what it sent.
    let nodes = served.ask(&["nodes", "-o", "json"]).json();
    let heard = nodes["nodes"][0]["heard_unix_ns"].as_i64().unwrap();
    assert!(heard >= reads["newest_unix_ns"].as_i64().unwrap(), "{nodes}");
}

#[test]
fn answer_that_does_not_see_everything_says_so_with_code_4() {
    let served = serve("fault-network-slow", &["i0", "t0", "t2"], "500ms");
    let slowest = served.ask(&["writes", "--slowest", "1", "-o", "json"]).json();
    let id = slowest["ios"][0]["id"].as_str().unwrap();
    for command in [
        &["why"][..],
        &["writes", "--slowest", "3"],
        &["reads"],
        &["write", id],
        &["latency"],
        &["nodes"],
        &["volumes"],
    ] {
        let document = served.ask(&[command, &["-o", "json"]].concat()).json();
        let nodes = json!([{"node": "t1", "cause": "silent"}]);
        assert_eq!(document["unseen"]["nodes"], nodes, "{command:?}");
        let ran = served.ask(command);
        assert_eq!(ran.code, 4, "{command:?}: {}", ran.err);
        assert!(
            ran.err.contains("node t1 was not heard (silent)"),
            "{command:?}: {}",
            ran.err
        );
        assert!(!ran.out.is_empty());
    }
    let why = served.ask(&["why", "-o", "json"]).json();
    assert_eq!(why["culprit"]["node"], "t2", "what was seen still names the culprit");
    assert_eq!(why["unseen"]["nodes"][0]["cause"], "silent");
    let missing = |tap: &str| json!({"node": "t1", "tap": tap, "cause": "silent", "legs": 16_000});
    for tap in ["device", "target"] {
        assert!(
            why["unseen"]["missing"].as_array().unwrap().contains(&missing(tap)),
            "{why}"
        );
    }

    // It comes when all is over: what windows closed without stays missing, and an answer about that time goes on saying so.
    let recording = fixture::recording("fault-network-slow");
    let (certificates, address) = (&served.certificates, &served.coordinator.address);
    let mut late = program().node(certificates, address, &recording, "t1", served.home.path(), &[]);
    assert_eq!(late.wait(), 0);
    let why = served.ask(&["why", "-o", "json"]);
    assert_eq!(why.code, 4, "{}", why.err);
    assert_eq!(
        why.json()["unseen"]["nodes"],
        json!([{"node": "t1", "cause": "was_silent"}])
    );
    let nodes = served.ask(&["nodes"]);
    assert_eq!(nodes.code, 0, "all are heard now: {}", nodes.err);
    assert!(
        nodes.err.contains("node t1 was silent, and windows closed without it"),
        "{}",
        nodes.err
    );
}

#[test]
fn stretch_of_time_is_never_ignored() {
    let served = serve("fault-network-slow", &["i0", "t0", "t1", "t2"], "30s");
    for nothing in ["0s", "0ms", "0.0001ns"] {
        assert_fails(
            &served.ask(&["writes", "--since", nothing]),
            2,
            &["--since", "more than 0"],
        );
    }
    for long in ["1000w", "999999999h"] {
        let ran = served.ask(&["writes", "--since", long]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(
            ran.err.contains("since ") && ran.err.contains("counted back"),
            "{long}: {}",
            ran.err
        );
        assert!(ran.err.contains("of 16,000 writes"), "{long}: {}", ran.err);
    }
    // A short one is told as it is.
    let ran = served.ask(&["writes", "--since", "500ms"]);
    let times: Vec<i64> = ran
        .err
        .split_whitespace()
        .filter_map(|word| word.split_once('.')?.1.parse().ok())
        .collect();
    assert!(
        times.len() == 2 && (times[1] - times[0]).rem_euclid(1_000_000) == 500_000,
        "{}",
        ran.err
    );
    let ran = served.ask(&["writes", "--disk", "t9/disk0"]);
    assert_fails(&ran, 2, &["there is no disk `t9/disk0`", "t0/disk0"]);
    // A disk is asked for as answers show it, or by its name alone.
    let count = |arguments: &[&str]| {
        let ran = served.ask(&[&["writes", "--limit", "1", "-o", "json"], arguments].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.json()["total"].as_u64().unwrap()
    };
    let shown = count(&["--disk", "t1/disk0"]);
    assert!(shown > 0);
    assert_eq!(shown, count(&["--disk", "disk0", "--node", "t1"]));
    assert_eq!(shown, count(&["--disk", "t1/disk0", "--node", "t1"]));
    assert!(count(&["--disk", "disk0"]) >= shown);
    // Another node beside it is asked for by itself: as initiator or as holder of another copy.
    assert_eq!(shown, count(&["--disk", "t1/disk0", "--node", "i0"]));
    assert_eq!(count(&["--disk", "disk0"]), count(&["--disk", "disk0", "--node", "i0"]));
    assert_eq!(shown, count(&["--disk", "t1/disk0", "--node", "t2"]));
    assert_eq!(served.ask(&["writes", "--disk", "t1/disk9"]).code, 2);
    // An answer without a row says so, and has no bare header.
    let ran = served.ask(&["reads"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "no reads\n"), "{}", ran.err);
}

/// An event of a recording's file, and when it completed.
fn events(file: &Path) -> Vec<(i64, Value)> {
    let text = std::fs::read_to_string(file).unwrap();
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events
        .map(|event| {
            let number = |key: &str| event[key].as_i64().unwrap();
            (number("start_ns") + number("duration_ns"), event.clone())
        })
        .collect()
}

#[test]
fn a_flush_says_which_writes_it_made_durable_and_a_write_which_flush_did() {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixture::recording("reads-by-hand")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    // Flushes go in after every thirtieth event, each a microsecond after it.
    let file = copy.path().join("events-n0.jsonl");
    let mut all = events(&file);
    let begun: Vec<i64> = all.iter().skip(29).step_by(30).map(|(end, _)| end + 1_000).collect();
    assert!(begun.len() > 2);
    all.extend(begun.iter().map(|start| {
        let flush = json!({"layer": "volume", "device": "vol0", "op": "flush", "offset": 0, "length": 0,
                           "start_ns": start, "duration_ns": 2_000, "status": 0});
        (start + 2_000, flush)
    }));
    all.sort_by_key(|(end, _)| *end);
    let lines: String = all.iter().map(|(_, event)| format!("{event}\n")).collect();
    std::fs::write(&file, lines).unwrap();
    let writes: Vec<i64> = all
        .iter()
        .filter(|(_, event)| event["layer"] == "volume" && event["op"] == "write")
        .map(|(end, _)| *end)
        .collect();

    let served = serve_folder(copy.path(), &["n0", "n1", "n2"], "30s");
    let flushes = served.ask(&["flushes", "--limit", "100", "-o", "json"]).json();
    let mut flushes: Vec<(i64, &str)> = flushes["ios"]
        .as_array()
        .unwrap()
        .iter()
        .map(|io| (io["start_unix_ns"].as_i64().unwrap(), io["id"].as_str().unwrap()))
        .collect();
    flushes.sort_unstable();
    assert_eq!(flushes.iter().map(|(start, _)| *start).collect::<Vec<_>>(), begun);
    let mut since = None;
    for &(start, id) in &flushes {
        let covered = |end: &&i64| **end <= start && since.is_none_or(|since| **end > since);
        let said = served.ask(&["write", id, "-o", "json"]).json();
        assert_eq!(
            said["covers"]["writes"],
            writes.iter().filter(covered).count(),
            "{said}"
        );
        assert_eq!(said["covers"]["since_unix_ns"].as_i64(), since);
        since = Some(start);
    }
    let text = served.ask(&["write", flushes[1].1]).out;
    assert!(text.contains("writes of vol0 by n0 durable"), "{text}");

    // The flush that made a write durable is the first that began after the write was done; of the last ones there is none.
    let listed = served.ask(&["writes", "--limit", "1000", "-o", "json"]).json();
    for io in listed["ios"].as_array().unwrap() {
        let end = io["start_unix_ns"].as_i64().unwrap() + io["duration_ns"].as_i64().unwrap();
        let said = served.ask(&["write", io["id"].as_str().unwrap(), "-o", "json"]).json();
        let by = flushes.iter().find(|(start, _)| *start >= end);
        assert_eq!(said["covered_by"]["id"].as_str(), by.map(|(_, id)| *id), "{said}");
    }
}
