//! A run.json that is missing, broken or contradicts itself is refused by name.

use super::*;

const RUN: &str = r#"{"name":"tiny","topology":{"initiators":["i0"],"targets":["t0"]},"volumes":[{"name":"vol0"}],
 "extents":[{"volume":"vol0","volume_offset":0,"length":8192,"copy":0,"node":"t0","disk":"disk0","disk_offset":4096}]}"#;

fn open(text: &str) -> (tempfile::TempDir, Result<Recording>) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("run.json"), text).unwrap();
    let recording = Recording::open(directory.path());
    (directory, recording)
}

#[test]
fn a_node_without_events_file_is_a_node_without_daemon() {
    let (directory, recording) = open(RUN);
    assert!(recording.unwrap().topology().nodes.iter().all(|node| !node.observed));
    fs::write(directory.path().join("events-t0.jsonl"), "").unwrap();
    let recording = Recording::open(directory.path()).unwrap();
    assert_eq!(
        recording
            .topology()
            .nodes
            .iter()
            .map(|node| node.observed)
            .collect::<Vec<_>>(),
        [false, true]
    );
    assert_eq!(recording.topology().disks[0].id.as_str(), "t0/disk0");
    assert_eq!(recording.run().resolution_ns, 1);
}

#[test]
fn refuses_what_cannot_be() {
    let extent =
        r#"{"volume":"vol0","volume_offset":0,"length":8192,"copy":0,"node":"t0","disk":"disk0","disk_offset":4096}"#;
    let cases = [
        (String::new(), "line 1"),
        (RUN.replace("\"name\":\"tiny\",", ""), "missing field `name`"),
        (
            RUN.replace("\"node\":\"t0\"", "\"node\":\"t9\""),
            "extents[0] lies on node t9",
        ),
        (
            RUN.replace("\"volume\":\"vol0\"", "\"volume\":\"vol9\""),
            "extents[0] is of volume vol9",
        ),
        (RUN.replace("\"length\":8192", "\"length\":0"), "length of 0"),
        (RUN.replace(extent, &format!("{extent},{extent}")), "overlap"),
        (RUN.replace("\"i0\"", "\"../i0\""), "cannot be the name"),
        (RUN.replace("\"i0\"", "\"\""), "the name of a node is empty"),
        (
            RUN.replace("\"i0\"", "\"i\\n0\""),
            "the name of a node has the control character U+000A",
        ),
        (RUN.replace("tiny", &"z".repeat(81)), "name has 81 bytes"),
        (
            RUN.replace("{\"name\":\"vol0\"}", "{\"name\":\"vol0\"},{\"name\":\"vol0\"}"),
            "volumes names vol0 twice",
        ),
        (
            RUN.replace("\"topology\"", "\"resolution_ns\":18446744073709551615,\"topology\""),
            "say nothing about a write",
        ),
        (
            RUN.replace("[\"i0\"]", "[]")
                .replace("\"targets\":[\"t0\"]", "\"targets\":[]")
                .replace(extent, ""),
            "names no node",
        ),
    ];
    for (text, expected) in cases {
        let (_directory, recording) = open(&text);
        let error = recording.expect_err(&text).to_string();
        assert!(
            error.contains("run.json") && error.contains(expected),
            "{text}: {error}"
        );
    }
}

#[test]
fn says_when_a_folder_is_missing_or_no_recording() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(Recording::open(directory.path()), Err(Error::NoRun { .. })));
    assert!(matches!(
        Recording::open(&directory.path().join("none")),
        Err(Error::Io { .. })
    ));
}

#[test]
fn two_events_files_of_one_node_are_refused() {
    let (directory, _) = open(RUN);
    fs::write(directory.path().join("events-t0.jsonl"), "").unwrap();
    fs::write(directory.path().join("events-t0.jsonl.zst"), "").unwrap();
    assert!(matches!(Recording::open(directory.path()), Err(Error::TwoFiles { .. })));
}
