//! What is simulated comes back as a recording, and the join finds in it what the truth says.

use std::collections::BTreeMap;

use fathom_capture::{Recording, TruthReader};
use fathom_model::report::Score;
use fathom_simulate::scenario::Options;
use fathom_simulate::{Scenario, Taps, simulate};

use super::*;
use crate::export;
use crate::replay::{self, RowMap};
use crate::score;

mod ambiguity;
mod identical;
mod legs;
mod parity;

fn recorded(scenario: Scenario, options: &Options) -> (tempfile::TempDir, Simulated, Summary) {
    let directory = tempfile::tempdir().unwrap();
    let simulated = simulate(&scenario.config(options)).unwrap();
    let summary = write(&simulated, scenario.about(), directory.path()).unwrap();
    (directory, simulated, summary)
}

fn scored(folder: &Path) -> Score {
    let recording = Recording::open(folder).unwrap();
    let replayed = replay::replay(&recording, &replay::Options::default()).unwrap();
    assert_eq!(replayed.warnings, Vec::<String>::new());
    let map = RowMap::new(&recording, &[]).unwrap();
    let lines = export::lines(&replayed.rows, &replayed.catalog, &map);
    score::score(&recording, lines, &[]).unwrap()
}

fn writes(writes: u64) -> Options {
    Options {
        writes: Some(writes),
        ..Options::default()
    }
}

#[test]
fn recording_says_what_was_simulated() {
    for taps in Taps::ALL {
        let options = Options {
            taps: Some(taps),
            ..writes(2000)
        };
        let (directory, simulated, summary) = recorded(Scenario::MixedOps, &options);
        let recording = Recording::open(directory.path()).unwrap();
        assert!(recording.topology() == &simulated.topology, "{taps:?}");
        for node in &simulated.nodes {
            let mut reader = recording.events(&node.id).unwrap();
            let mut rows = fathom_model::IoColumns::default();
            while let Some(batch) = reader.next_batch(1000).unwrap() {
                batch.columns.iter().for_each(|event| rows.push(event));
            }
            assert!(rows == node.rows, "{taps:?} {}", node.id);
            assert!(reader.devices() == node.devices, "{taps:?} {}", node.id);
            assert_eq!(reader.differences(&recording), Vec::<String>::new());
        }
        let truth = TruthReader::open(&recording.truth().unwrap()).unwrap();
        assert_eq!(truth.count() as u64, summary.writes);
        assert_eq!(summary.writes, 2000);
    }
}

#[test]
fn healthy_cluster_is_joined_as_the_truth_says() {
    let (directory, _, _) = recorded(Scenario::Healthy, &writes(20_000));
    let score = scored(directory.path());
    assert!(score.exact_fanout >= Some(0.999), "{score:?}");
    assert!(score.leg_precision >= Some(0.9999), "{score:?}");
    assert_eq!(score.clock_bound_held, Some(true), "{score:?}");
}

#[test]
fn missing_node_has_no_file_and_no_rows_in_the_truth() {
    let (directory, _, summary) = recorded(Scenario::MissingDaemon, &writes(2000));
    assert_eq!(summary.missing_nodes, 1);
    assert!(!directory.path().join("events-n1.jsonl.zst").exists());
    let recording = Recording::open(directory.path()).unwrap();
    for write in TruthReader::open(&recording.truth().unwrap()).unwrap() {
        let write = write.unwrap();
        assert_ne!(write.node, "n1");
        let there = write.copies.iter().filter(|copy| copy.node == "n1");
        assert!(
            there
                .clone()
                .all(|copy| copy.target_rows.is_empty() && copy.device_rows.is_empty())
        );
    }
}

#[test]
fn fault_is_told_in_the_shape_of_recorded_ones() {
    let (directory, simulated, _) = recorded(Scenario::SlowDisk, &writes(2000));
    let recording = Recording::open(directory.path()).unwrap();
    let fault = recording.run().fault.clone().unwrap();
    assert_eq!(
        (fault["kind"].as_str(), fault["node"].as_str()),
        (Some("slow-disk"), Some("n1"))
    );
    assert_eq!(fault["parameters"]["factor"], 6.0);
    let mark = &simulated.faults[0];
    assert_eq!(fault["marks"][0]["local_ns"]["n2"], mark.shown[2].0);
    assert_eq!(fault["marks"][1]["run_s"], mark.until_nanos as f64 / 1e9);
}

#[test]
fn same_seed_writes_the_same_bytes() {
    let files = |folder: &Path| -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
        let named = entries.map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                fs::read(entry.path()).unwrap(),
            )
        });
        named.collect()
    };
    let (first, _, _) = recorded(Scenario::Columns, &writes(500));
    let (second, _, _) = recorded(Scenario::Columns, &writes(500));
    assert_eq!(files(first.path()), files(second.path()));
}

#[test]
fn folder_with_something_in_it_is_refused_and_force_replaces_recordings_alone() {
    let directory = tempfile::tempdir().unwrap();
    prepare(directory.path(), false).unwrap();
    for name in ["run.json", "events-old.jsonl.zst", "truth.jsonl", "notes.txt"] {
        fs::write(directory.path().join(name), "").unwrap();
    }
    let refused = prepare(directory.path(), false);
    assert!(matches!(refused, Err(Error::NotEmpty { .. })));
    prepare(directory.path(), true).unwrap();
    let left: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["notes.txt"]);
}
