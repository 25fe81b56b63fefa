//! The commands as a user meets them: answers, JSON, exit codes, and what is said when something is wrong.

use std::fs;
use std::path::Path;

use fathom_integration_tests::fixture;
use fathom_integration_tests::process::{Certificates, Program, assert_fails};
use serde_json::{Value, json};

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_fathom-under-test"))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn demo_plays_a_recording_and_names_the_culprit_in_one_document() {
    let folder = text(&fixture::recording("fault-network-slow"));
    let ran = program().run(["demo", "--once", "-o", "json", "--run", &folder]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let document = ran.json();
    assert_eq!(document["schema"], 1);
    assert_eq!(document["run"], "fault-network-slow");
    let joined = &document["joined"];
    let number = |key: &str| joined[key].as_u64().unwrap();
    assert_eq!(number("writes"), 16_000);
    assert_eq!(number("exact") + number("ambiguous") + number("incomplete"), 16_000);
    assert_eq!(document["culprit"]["kind"], "link");
    assert_eq!(document["culprit"]["node"], "t2");
    assert_eq!(document["culprit"]["peer"], "i0");
    assert_eq!(document["score"]["exact_fanout"], 1.0);
    assert_eq!(document["score"]["clock_bound_held"], true);
    let device = document["latency"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["tap"] == "device" && row["node"] == "t1");
    assert_eq!(device.unwrap()["count"], 16_000);
    let legs = document["slowest_write"]["legs"].as_array().unwrap();
    assert!(
        legs.len() == 3
            && legs
                .iter()
                .all(|leg| leg["initiator_ns"][1].as_i64() > leg["initiator_ns"][0].as_i64())
    );
    assert_eq!(document["last_copies"].as_array().unwrap().len(), 3);
    assert!(
        document["clocks"]
            .as_array()
            .unwrap()
            .iter()
            .all(|clock| clock["error_ns"].as_i64().unwrap() > 0)
    );
}

/// The rows were the same and the report was not: it was made in the order in which rows had come through the network.
#[test]
fn demo_says_of_a_recording_what_replay_says_of_it_each_time() {
    let folder = text(&fixture::recording("fault-slow-drive"));
    let replayed = program().run(["replay", &folder, "-o", "json"]).json();
    assert!(!replayed["culprits"].as_array().unwrap().is_empty());
    for _ in 0..3 {
        let ran = program().run(["demo", "--once", "-o", "json", "--run", &folder]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let document = ran.json();
        for (key, value) in replayed.as_object().unwrap() {
            assert_eq!(&document[key], value, "{key}");
        }
    }
}

#[test]
fn demo_lists_recordings_and_refuses_unknown_ones() {
    let folder = text(&fixture::recording("").parent().unwrap().join("recordings"));
    let ran = program().run(["demo", "--list", "-o", "json", "--recordings", &folder]);
    let names: Vec<String> = ran.json()["recordings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap().to_owned())
        .collect();
    assert!(names.contains(&"fault-slow-drive".to_owned()), "{names:?}");
    assert_fails(
        &program().run(["demo", "--list", "--recordings", "/no/such/folder"]),
        1,
        &["/no/such/folder"],
    );
    assert_fails(
        &program().run(["demo", "--run", "no-such"]),
        2,
        &["there is no recording `no-such`", "fault-slow-drive"],
    );
    // Once it was a daemon that found this out.
    for pace in ["0", "-2", "inf", "nan", "fast"] {
        let pace = format!("--pace={pace}");
        assert_fails(&program().run(["demo", "--once", &pace]), 2, &["--pace"]);
    }
}

#[test]
fn replay_does_not_fail_for_what_a_recording_lacks() {
    let copy = tempfile::tempdir().unwrap();
    let from = fixture::recording("fault-network-slow");
    fathom_integration_tests::damage::strip(&from, copy.path());
    fs::remove_file(copy.path().join("events-t1.jsonl.zst")).unwrap();
    let ran = program().run(["replay", &text(copy.path()), "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let document = ran.json();
    assert_eq!(document["score"], Value::Null);
    assert_eq!(document["unseen"]["nodes"][0]["node"], "t1");
    assert_eq!(document["joined"]["incomplete"], 16_000);
    // Whatever is left: even without its initiator there is an answer.
    fs::remove_file(copy.path().join("events-i0.jsonl.zst")).unwrap();
    let ran = program().run(["replay", &text(copy.path())]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.contains("Joined 0 writes") && ran.out.contains("node i0 was not heard"),
        "{}",
        ran.out
    );
    let ran = program().run(["demo", "--once", "--run", &text(copy.path())]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn demo_ends_as_replay_does_when_no_node_has_an_event() {
    let run = json!({
        "name": "quiet",
        "topology": {"initiators": ["i"], "targets": ["a", "b"]},
        "volumes": [{"name": "v", "size": 1_048_576, "copies": 2}],
        "extents": [
            {"volume": "v", "volume_offset": 0, "length": 1_048_576, "copy": 0, "node": "a", "disk": "d", "disk_offset": 0},
            {"volume": "v", "volume_offset": 0, "length": 1_048_576, "copy": 1, "node": "b", "disk": "d", "disk_offset": 0},
        ],
    });
    for with_files in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("run.json"), run.to_string()).unwrap();
        if with_files {
            for node in ["i", "a", "b"] {
                fs::write(folder.path().join(format!("events-{node}.jsonl")), "").unwrap();
            }
        }
        let demo = program().run(["demo", "--once", "-o", "json", "--run", &text(folder.path())]);
        assert_eq!(demo.code, 0, "{}", demo.err);
        let replay = program().run(["replay", "-o", "json", &text(folder.path())]);
        assert_eq!(demo.json(), replay.json());
        let unheard = demo.json()["unseen"]["nodes"].as_array().unwrap().len();
        assert_eq!(unheard, if with_files { 0 } else { 3 });
    }
}

#[test]
fn replay_exports_a_line_a_write_and_score_reads_it() {
    let home = tempfile::tempdir().unwrap();
    let recording = text(&fixture::recording("fault-network-slow"));
    let export = text(&home.path().join("fanouts.jsonl"));
    assert_eq!(program().run(["replay", &recording, "--export", &export]).code, 0);
    let lines: Vec<Value> = fs::read_to_string(&export)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 16_000);
    let line = &lines[0];
    let keys: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["write", "node", "copies", "slowest", "candidates", "ambiguous"]);
    let keys: Vec<&str> = line["copies"][0]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        [
            "copy",
            "part",
            "node",
            "initiator_rows",
            "target_row",
            "device_rows",
            "method",
            "confidence",
            "clock_offset_ns",
            "clock_error_ns"
        ]
    );
    let ran = program().run(["score", &recording, "--export", &export, "--check", "-o", "json"]);
    assert_eq!((ran.code, ran.json()["score"]["exact_fanout"].as_f64()), (0, Some(1.0)));
    // A wrong export is found out.
    let wrong: String = lines
        .iter()
        .map(|line| format!("{line}\n").replace("\"target_row\":1", "\"target_row\":9"))
        .collect();
    fs::write(&export, wrong).unwrap();
    assert_eq!(
        program()
            .run(["score", &recording, "--export", &export, "--check"])
            .code,
        3
    );
    // With every line twice every line is right: it is no export.
    let twice: String = lines.iter().map(|line| format!("{line}\n{line}\n")).collect();
    fs::write(&export, twice).unwrap();
    assert_fails(
        &program().run(["score", &recording, "--export", &export, "--check"]),
        1,
        &["fanouts.jsonl", "line 2", "is given a second time, the first is line 1"],
    );
    fs::write(&export, "{\"write\":1}\n").unwrap();
    assert_fails(
        &program().run(["score", &recording, "--export", &export]),
        1,
        &["fanouts.jsonl", "line 1"],
    );
}

#[test]
fn score_against_a_truth_without_a_write_fails() {
    let copy = tempfile::tempdir().unwrap();
    fathom_integration_tests::damage::strip(&fixture::recording("fault-network-slow"), copy.path());
    fs::write(copy.path().join("truth.jsonl"), "").unwrap();
    let folder = text(copy.path());
    for more in [&[][..], &["--check"], &["-o", "json"]] {
        let all = [&["score", folder.as_str()], more].concat();
        assert_fails(&program().run(all), 1, &["truth.jsonl", "nothing to score against"]);
    }
}

#[test]
fn broken_recordings_are_refused_with_file_row_and_cause() {
    let copy = tempfile::tempdir().unwrap();
    let folder = text(copy.path());
    assert_fails(&program().run(["replay", "/no/such/folder"]), 1, &["/no/such/folder"]);
    assert_fails(&program().run(["replay", &folder]), 1, &["is no recording"]);
    fathom_integration_tests::damage::strip(&fixture::recording("fault-network-slow"), copy.path());
    let events = copy.path().join("events-t0.jsonl.zst");
    let whole = fs::read(&events).unwrap();
    fs::write(&events, &whole[..whole.len() / 2]).unwrap();
    for arguments in [&["replay", &folder][..], &["demo", "--once", "--run", &folder]] {
        assert_fails(&program().run(arguments), 1, &["events-t0.jsonl.zst", "cut off"]);
    }
    // Another node's events under this name.
    fs::copy(copy.path().join("events-i0.jsonl.zst"), &events).unwrap();
    assert_fails(
        &program().run(["replay", &folder]),
        1,
        &["events-t0.jsonl.zst", "row 0", "another node's file"],
    );
    fs::remove_file(&events).unwrap();
    fs::write(copy.path().join("events-t0.jsonl"), "{\"layer\":\"device\"\n").unwrap();
    assert_fails(&program().run(["replay", &folder]), 1, &["events-t0.jsonl", "row 0"]);
}

/// Of drives that nobody saw it is not said that nothing is worse.
#[test]
fn nobody_is_cleared_of_what_was_not_seen() {
    let folder = text(&fixture::recording("reads-by-hand"));
    let ran = program().run(["replay", &folder, "--without-tap", "device"]);
    assert!(ran.out.contains("nothing was seen at device"), "{}", ran.out);
    assert!(!ran.out.contains("nothing that was seen is worse"), "{}", ran.out);
    let ran = program().run(["replay", &folder]);
    assert!(ran.out.contains("nothing that was seen is worse"), "{}", ran.out);
    // A drive that is slow is behind its node.
    let folder = text(&fixture::recording("fault-slow-drive"));
    let ran = program().run(["replay", &folder, "--without-tap", "device"]);
    assert!(ran.out.contains("Culprit: unknown, behind node t1"), "{}", ran.out);
}

#[test]
fn usage_errors_have_code_2_and_say_what_is_missing() {
    assert_fails(&program().run(["replay", "--no-such-flag"]), 2, &["--no-such-flag"]);
    assert_fails(&program().run(["no-such-command"]), 2, &["no-such-command"]);
    assert_fails(
        &program().run(["replay", "x", "--without-tap", "network"]),
        2,
        &["network", "guest, vhdx"],
    );
    assert_fails(&program().run(["writes"]), 2, &["--coordinator", "context"]);
    assert_fails(
        &program().run(["writes", "--since", "yesterday"]),
        2,
        &["yesterday", "such as"],
    );
    assert_fails(&program().run(["writes", "--since", "-5m"]), 2, &["-5m", "such as"]);
    assert_fails(&program().run(["demo", "--pace", "-1"]), 2, &["--pace", "more than 0"]);
    assert_fails(
        &program().run(["node"]),
        2,
        &["--coordinator", "--cluster", "--node", "--spool", "--replay"],
    );
    assert_fails(&program().run(["coordinator"]), 2, &["--store", "--ca"]);
    assert_fails(
        &program().run(["coordinator", "--store", "x", "--commit-every", "soon"]),
        2,
        &["soon"],
    );
}

#[test]
fn help_has_examples_for_every_command() {
    let ran = program().run(["--help"]);
    assert!(ran.code == 0 && ran.out.contains("Exit codes"), "{}", ran.out);
    for command in [
        "demo",
        "replay",
        "score",
        "coordinator",
        "node",
        "writes",
        "reads",
        "write",
        "latency",
        "why",
    ] {
        let ran = program().run([command, "--help"]);
        assert!(ran.code == 0 && ran.out.contains("Example"), "{command}: {}", ran.out);
    }
}

#[test]
fn demo_and_replay_say_the_same_oddities_of_a_recording() {
    let copy = tempfile::tempdir().unwrap();
    let from = fixture::recording("reads-by-hand");
    for entry in fs::read_dir(&from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    let run = copy.path().join("run.json");
    let mut document: Value = serde_json::from_str(&fs::read_to_string(&run).unwrap()).unwrap();
    document["counts"] = json!({"n0": {"volume.write": 7777}});
    fs::write(&run, document.to_string()).unwrap();
    fs::copy(copy.path().join("events-n1.jsonl"), copy.path().join("events-n9.jsonl")).unwrap();
    let folder = text(copy.path());
    let replayed = program().run(["replay", &folder, "-o", "json"]).json();
    let shown = program().run(["demo", "--once", "--run", &folder, "-o", "json"]).json();
    let odd = replayed["unseen"]["warnings"].as_array().unwrap();
    assert!(
        odd.iter()
            .any(|warning| warning.as_str().unwrap().contains("run.json counts 7777")),
        "{odd:?}"
    );
    assert!(
        replayed["unseen"]["warnings"]
            .to_string()
            .contains("events-n9.jsonl is of no node"),
        "{odd:?}"
    );
    assert_eq!(replayed["unseen"]["warnings"], shown["unseen"]["warnings"]);
}

/// What the traffic shows is found by a coordinator as well as by a replay.
#[test]
fn demo_and_replay_say_the_same_of_files_of_two_nodes_taken_for_one_another() {
    let copy = tempfile::tempdir().unwrap();
    fixture::swapped(&fixture::recording("fault-slow-drive"), copy.path());
    let folder = text(copy.path());
    let replayed = program().run(["replay", &folder, "-o", "json"]).json();
    let shown = program().run(["demo", "--once", "--run", &folder, "-o", "json"]).json();
    let said = replayed["unseen"]["warnings"].to_string();
    assert!(
        said.contains("t1/disk0 shows what the extent map has on t2/disk0"),
        "{said}"
    );
    assert_eq!(replayed["unseen"]["warnings"], shown["unseen"]["warnings"]);
}

#[test]
fn context_file_that_is_not_there_is_wrong_usage() {
    assert_fails(
        &program().run(["nodes", "--context", "/no/such/context.toml"]),
        2,
        &["/no/such/context.toml", "cannot be read"],
    );
}

#[test]
fn what_is_wrong_with_a_context_file_is_said_with_its_line() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("context.toml");
    fs::write(&path, "cluster = \"demo\"\ncoordinator = 5\n").unwrap();
    let path = text(&path);
    let ran = program().run(["nodes", "--context", &path]);
    assert_fails(&ran, 2, &[&path, "line 2", "expected a string", "`coordinator`"]);
}

#[test]
fn path_that_is_not_there_is_said_with_what_to_do() {
    assert_fails(
        &program().run(["replay", "/no/such"]),
        1,
        &["/no/such", "check the path"],
    );
    let folder = text(&fixture::recording("fault-slow-drive"));
    let ran = program().run(["replay", &folder, "--export", "/no/such/file"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("/no/such/file") && ran.err.contains("check the path"),
        "{}",
        ran.err
    );
}

#[test]
fn legs_without_their_ios_are_said_to_be() {
    let folder = text(&fixture::recording("fault-slow-drive"));
    let ran = program().run(["replay", &folder, "--without-tap", "volume"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out
            .contains("node i0 gives its legs (initiator) and not its I/Os (volume)"),
        "{}",
        ran.out
    );
}

#[test]
fn pace_without_a_number_is_the_recorded_speed() {
    let folder = text(&fixture::recording("fault-network-slow"));
    let home = tempfile::tempdir().unwrap();
    let certificates = Certificates::new(home.path());
    let options = [
        "node",
        "--pace",
        "--coordinator",
        "http://no-tls",
        "--cluster",
        "c",
        "--node",
        "t0",
    ];
    let mut all = options.map(str::to_owned).to_vec();
    all.extend([
        "--replay".to_owned(),
        folder,
        "--spool".to_owned(),
        text(&home.path().join("spool")),
    ]);
    all.extend(certificates.options("user"));
    assert_fails(&program().run(all), 1, &["is not the address of a coordinator"]);
    let ran = program().run(["demo", "--pace", "--run", "no-such"]);
    assert_fails(&ran, 2, &["there is no recording `no-such`"]);
}

#[test]
fn export_that_fails_leaves_what_was_there() {
    let folder = text(&fixture::recording("fault-network-slow"));
    let home = tempfile::tempdir().unwrap();
    let small = home.path().join("small");
    fs::create_dir(&small).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=100k", "tmpfs"])
        .arg(&small)
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("left out: making a small file system needs root");
        return;
    }
    let before = small.join("before.jsonl");
    fs::write(&before, "before").unwrap();
    let failed = ["before.jsonl", "new.jsonl"]
        .map(|name| program().run(["replay", &folder, "--export", &text(&small.join(name))]));
    let left: Vec<_> = fs::read_dir(&small)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    let kept = fs::read_to_string(&before).unwrap();
    let _ = std::process::Command::new("umount").arg("-l").arg(&small).status();
    for ran in failed {
        assert_fails(&ran, 1, &[".jsonl", "No space left", "make room there"]);
    }
    assert_eq!((left, kept.as_str()), (vec!["before.jsonl".into()], "before"));
}

#[test]
fn control_characters_in_names_are_shown_and_not_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let run = json!({
        "name": "ev\u{1b}[31mil\nname",
        "topology": {"initiators": ["i"], "targets": ["a\u{1b}[2J"]},
        "volumes": [{"name": "v", "size": 1_048_576, "copies": 1}],
        "extents": [
            {"volume": "v", "volume_offset": 0, "length": 1_048_576, "copy": 0, "node": "a\u{1b}[2J", "disk": "d", "disk_offset": 0},
        ],
    });
    fs::write(folder.path().join("run.json"), run.to_string()).unwrap();
    for command in [&["replay"][..], &["demo", "--once", "--run"]] {
        let ran = program().run(command.iter().map(|&word| word.to_owned()).chain([text(folder.path())]));
        let said = ran.out.clone() + &ran.err;
        assert!(!said.contains('\u{1b}'), "{said:?}");
        if ran.code == 0 {
            assert!(ran.out.starts_with("ev\\u{1b}[31mil\\nname\n"), "{:?}", ran.out);
            assert!(ran.out.contains("node a\\u{1b}[2J was not heard"), "{:?}", ran.out);
        }
    }
}
