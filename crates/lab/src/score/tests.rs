//! The score says 1 for the truth itself and less for every kind of fault.

use std::fs;

use super::*;
use crate::export::{Copy, SlowestCopy};

const RUN: &str = r#"{"name":"tiny","topology":{"initiators":["i0"],"targets":["t0","t1"]},"volumes":[{"name":"v"}],"extents":[],
 "clocks":{"i0":{"offset_ns":1000000,"drift_ppm":10.0,"epoch_ns":1790000000000000000},
           "t0":{"offset_ns":3000000,"drift_ppm":-10.0,"epoch_ns":1790000000000000000}}}"#;
const TRUTH: &str = r#"{"write":0,"node":"i0","volume":"v","copies":[
 {"copy":0,"node":"t0","initiator_rows":[],"target_rows":[3],"device_rows":[4,5]},
 {"copy":1,"node":"t1","initiator_rows":[],"target_rows":[6],"device_rows":[7]}],"slowest":{"node":"t1","copy":1,"lead_ns":5}}"#;

fn recording() -> (tempfile::TempDir, Recording) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("run.json"), RUN).unwrap();
    fs::write(directory.path().join("truth.jsonl"), TRUTH.replace('\n', "")).unwrap();
    let row = r#"{"layer":"volume","device":"v","op":"write","offset":0,"length":1,"start_ns":1790000001000000000,"duration_ns":5}"#;
    fs::write(directory.path().join("events-i0.jsonl"), row).unwrap();
    for node in ["t0", "t1"] {
        fs::write(directory.path().join(format!("events-{node}.jsonl")), "").unwrap();
    }
    let recording = Recording::open(directory.path()).unwrap();
    (directory, recording)
}

fn right() -> Line {
    let copy = |copy: u32, node: &str, target: u64, devices: &[u64]| Copy {
        copy,
        part: 0,
        node: node.to_owned(),
        initiator_rows: Vec::new(),
        target_row: Some(target),
        device_rows: devices.to_vec(),
        method: "key".to_owned(),
        confidence: 1.0,
        clock_offset_ns: None,
        clock_error_ns: None,
    };
    Line {
        write: 0,
        node: "i0".to_owned(),
        copies: vec![copy(0, "t0", 3, &[4, 5]), copy(1, "t1", 6, &[7])],
        slowest: Some(SlowestCopy {
            node: "t1".to_owned(),
            copy: 1,
        }),
        candidates: vec!["t1".to_owned()],
        ambiguous: false,
    }
}

fn scored(change: impl Fn(&mut Line)) -> Score {
    let (_directory, recording) = recording();
    let mut line = right();
    change(&mut line);
    score(&recording, [line], &[]).unwrap()
}

#[test]
fn truth_itself_scores_one() {
    let score = scored(|_| ());
    assert_eq!(
        (score.exact_fanout, score.leg_precision, score.leg_recall),
        (Some(1.0), Some(1.0), Some(1.0))
    );
    assert_eq!((score.slowest_copy, score.clock_bound_held), (Some(1.0), None));
}

#[test]
fn every_fault_costs() {
    let wrong_target = scored(|line| line.copies[0].target_row = Some(9));
    assert_eq!(
        (wrong_target.exact_fanout, wrong_target.leg_precision),
        (Some(0.0), Some(0.8))
    );
    let missing = scored(|line| line.copies[1].device_rows.clear());
    assert_eq!(
        (missing.exact_fanout, missing.leg_precision, missing.leg_recall),
        (Some(0.0), Some(1.0), Some(0.75))
    );
    let twice = scored(|line| {
        let copy = line.copies[0].clone();
        line.copies.push(copy);
    });
    assert_eq!(twice.exact_fanout, Some(0.0));
    let other = scored(|line| {
        line.slowest = Some(SlowestCopy {
            node: "t0".to_owned(),
            copy: 0,
        })
    });
    assert_eq!((other.slowest_copy, other.slowest_copy_named), (Some(0.0), Some(0.0)));
    let silent = scored(|line| line.slowest = None);
    assert_eq!((silent.slowest_copy, silent.slowest_copy_named), (Some(0.0), None));
}

#[test]
fn stated_clock_is_held_against_the_true_one() {
    // At 1 s: t0 shows 3 ms - 10 us, i0 shows 1 ms + 10 us more than true time.
    let stated = |offset: i64, error: u64| {
        scored(move |line| {
            line.copies[0].clock_offset_ns = Some(offset);
            line.copies[0].clock_error_ns = Some(error);
        })
    };
    assert_eq!(stated(1_980_000, 100).clock_bound_held, Some(true));
    assert_eq!(stated(1_990_000, 11_000).clock_bound_held, Some(true));
    assert_eq!(stated(1_990_000, 9_000).clock_bound_held, Some(false));
    assert_eq!(stated(1_980_000, 100).clock_stated, Some(0.5));
}

#[test]
fn left_out_tap_is_not_asked_for() {
    let (_directory, recording) = recording();
    let mut line = right();
    line.copies.iter_mut().for_each(|copy| copy.target_row = None);
    let score = score(&recording, [line], &[Tap::Target]).unwrap();
    assert_eq!((score.exact_fanout, score.leg_recall), (Some(1.0), Some(1.0)));
}

#[test]
fn clock_whose_drift_changes_is_read_both_ways() {
    let clock = ClockTruth {
        offset_ns: -4e6,
        drift_ppm: 30.0,
        epoch_ns: 1_790_000_000_000_000_000,
        drift_change_at_ns: Some(2e9),
        drift_change_ppm: -80.0,
        extra_offset_ns: 0.0,
        extra_drift_ppm: 0.0,
        step_at_ns: None,
        step_ns: 0.0,
    };
    // Up to the change as before, then 50 us a second slower than true time.
    assert_eq!(beyond_true(&clock, 2e9), -4e6 + 60_000.0);
    assert_eq!(beyond_true(&clock, 4e9), -4e6 + 120_000.0 - 160_000.0);
    for x in [0.0, 1.5e9, 2e9, 2.5e9, 9e9] {
        let stamp = clock.epoch_ns + (x + beyond_true(&clock, x)) as i64;
        assert!((true_time(&clock, stamp) - x).abs() < 2.0, "{x}");
    }
}

#[test]
fn fan_outs_without_target_and_drive_events_in_play_are_not_called_exact() {
    let (_directory, recording) = recording();
    let mut line = right();
    for copy in &mut line.copies {
        copy.target_row = None;
        copy.device_rows.clear();
    }
    let score = score(&recording, [line], &[Tap::Target, Tap::Device]).unwrap();
    assert_eq!((score.exact_fanout, score.leg_recall), (None, None));
}

#[test]
fn calibration_counts_wrong_legs_by_confidence() {
    let (_directory, recording) = recording();
    let mut line = right();
    line.copies[0].confidence = 0.95;
    line.copies[1].confidence = 0.6;
    line.copies[1].target_row = Some(99);
    let bands = |line: &Line| calibration(&recording, [line]).unwrap();
    let counted = bands(&line);
    let of = |from: f64| {
        counted
            .bands
            .iter()
            .find(|band| band.from == from)
            .map(|band| (band.legs, band.wrong))
    };
    assert_eq!((of(0.9), of(0.5), of(1.0)), (Some((1, 0)), Some((1, 1)), None));
    assert_eq!((counted.writes, counted.flagged, counted.decided_wrong), (1, 0, 1));
    line.ambiguous = true;
    let counted = bands(&line);
    assert_eq!((counted.flagged, counted.decided_wrong), (1, 0));
    // What is not named is not wrong.
    line.copies[1].target_row = None;
    assert!(bands(&line).bands.iter().all(|band| band.wrong == 0));
}

#[test]
fn export_that_gives_a_write_twice_is_refused_with_both_lines() {
    let (directory, _recording) = recording();
    let path = directory.path().join("export.jsonl");
    let line = |write: u64| {
        let line = Line { write, ..right() };
        serde_json::to_string(&line).unwrap()
    };
    fs::write(&path, [line(0), line(1)].join("\n")).unwrap();
    assert_eq!(read_export(&path).unwrap().len(), 2);
    fs::write(&path, [line(0), line(1), line(0)].join("\n")).unwrap();
    let error = read_export(&path).unwrap_err().to_string();
    assert!(
        error.ends_with("export.jsonl: line 3: write 0 of node i0 is given a second time, the first is line 1"),
        "{error}"
    );
}

#[test]
fn export_line_that_is_no_object_is_refused() {
    let (directory, _recording) = recording();
    let path = directory.path().join("export.jsonl");
    fs::write(&path, r#"[0,"i0",[],null,[],false]"#).unwrap();
    let error = read_export(&path).unwrap_err().to_string();
    assert!(
        error.contains("line 1: invalid type: sequence, expected an object"),
        "{error}"
    );
}

#[test]
fn truth_without_a_write_is_nothing_to_score_against() {
    let (directory, recording) = recording();
    assert!(check_truth(&recording).is_ok());
    fs::write(directory.path().join("truth.jsonl"), "").unwrap();
    let error = check_truth(&recording).unwrap_err().to_string();
    assert!(
        error.ends_with("truth.jsonl has no write: there is nothing to score against"),
        "{error}"
    );
}
