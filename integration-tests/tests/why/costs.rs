//! What things cost: the ledger, comparisons and objectives.

use std::collections::BTreeMap;
use std::path::Path;

use fathom_integration_tests::process::{Process, assert_fails};
use fathom_lab::replay::{Options, replay};
use fathom_model::Op;
use serde_json::{Value, json};

use super::{Setup, program};

/// What writes took in all.
fn taken(recording: &Path) -> i64 {
    let replayed = replay(&fathom_lab::open(recording).unwrap(), &Options::default()).unwrap();
    let writes = replayed.rows.ios.iter().filter(|io| io.op == Op::Write);
    writes.map(|io| io.event.duration_nanos as i64).sum()
}

#[test]
fn ledger_has_what_a_repair_moved_and_cost() {
    let setup = Setup::new();
    let options = ["--seconds", "50", "--nodes", "3"];
    let recording = setup.simulate("with", "repair", &options, "");
    // The same cluster with the same draws, without the repair.
    let shown = program().run([
        "simulate",
        "--scenario",
        "repair",
        "--show-config",
        "--seconds",
        "50",
        "--nodes",
        "3",
    ]);
    let without: String = shown.out.split("[[faults]]").next().unwrap().to_owned();
    assert_ne!(without, shown.out);
    let config = setup.home.path().join("without.toml");
    std::fs::write(&config, without).unwrap();
    let calm = setup.home.path().join("without");
    let ran = program().run(["simulate", calm.to_str().unwrap(), "--config", config.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let truth = taken(&recording) - taken(&calm);
    assert!(truth > 0, "{truth}");

    let coordinator = setup.coordinator(&[]);
    setup.play(&coordinator, &recording);
    let ledger = setup.json(&coordinator, &["jobs", "--ledger"]);
    let jobs = ledger["jobs"].as_array().unwrap();
    assert_eq!(jobs.len(), 1, "{ledger}");
    let job = &jobs[0];
    let written = job["written_bytes"].as_u64().unwrap();
    let moved = job["moved_bytes"].as_u64().unwrap();
    assert!(written > 0 && job["read_bytes"].as_u64().unwrap() > 0, "{job}");
    // The simulator's job counts what is written in whole pieces of 1 MiB, drives see the rest too.
    assert!(moved > written / 2 && moved <= written, "{moved} {written}");
    assert_eq!((&job["restarts"], &job["shared_ns"]), (&json!(0), &json!(0)));
    assert_eq!(job["disks"].as_array().unwrap().len(), 2, "{job}");
    let costs = job["costs"].as_array().unwrap();
    let cost: i64 = costs.iter().map(|cost| cost["cost_ns"].as_i64().unwrap()).sum();
    let error: u64 = costs.iter().map(|cost| cost["error_ns"].as_u64().unwrap()).sum();
    eprintln!(
        "ledger {cost} +- {error}, truth {truth}, {:.3}",
        cost as f64 / truth as f64
    );
    assert!((cost - truth).abs() <= truth / 10, "{cost} +- {error} of {truth}");
    let at_drives: i64 = costs.iter().map(|cost| cost["at_drives_ns"].as_i64().unwrap()).sum();
    assert!(at_drives > 0 && at_drives < cost, "{at_drives} of {cost}");
    assert_tables_say_the_same_of_the_job(&setup, &coordinator, job);
    let table = setup.ask(&coordinator, &["jobs", "--ledger"]);
    assert!(table.out.contains("by its own account"), "{}", table.out);
    let none = setup.json(&coordinator, &["jobs", "--ledger", "--since", "1s"]);
    assert_eq!(none["jobs"], json!([]), "it ended before that");
}

/// What writes added up to tells what the job cost to the nanosecond, and what percentiles would have been without it to 1 %.
fn assert_tables_say_the_same_of_the_job(setup: &Setup, coordinator: &Process, of_rows: &Value) {
    let ledger = setup.json(coordinator, &["jobs", "--ledger", "--source", "tables"]);
    assert_eq!(ledger["source"]["kind"], "tables");
    let mut expected = of_rows.clone();
    for cost in expected["costs"].as_array_mut().unwrap() {
        // Which drives it worked on is known when it is over: that is in no sum, and not said to be nothing.
        for of_drives in ["exposed", "at_drives_ns", "at_drives_error_ns"] {
            assert!(!cost[of_drives].is_null(), "{cost}");
            cost[of_drives] = Value::Null;
        }
    }
    assert_eq!(ledger["jobs"][0], expected);
    let id = of_rows["id"].as_str().unwrap();
    let name = format!("job:{id}");
    let rows = setup.json(coordinator, &["whatif", "--without", &name]);
    assert_eq!(rows["source"]["kind"], "rows");
    let costs = of_rows["costs"].as_array().unwrap().iter();
    let cost: i64 = costs.map(|cost| cost["cost_ns"].as_i64().unwrap()).sum();
    let row = &rows["without"][0];
    assert_eq!([&row["job"], &row["node"]], [&json!(id), &Value::Null], "{row}");
    // The ledger rounds by volume.
    let given_back = row["given_back_ns"].as_i64().unwrap();
    assert!((given_back - cost).abs() <= 16, "{row} {cost}");
    assert!(row["p95_ns"].as_u64() < rows["with"]["p95_ns"].as_u64(), "{rows}");
    let ran = setup.ask(coordinator, &["whatif", "--without", &name, "--source", "tables"]);
    assert_fails(&ran, 2, &["rows alone"]);
    let ran = setup.ask(coordinator, &["whatif", "--without", "job:none such"]);
    assert_fails(&ran, 2, &["none such", id]);
}

/// A time as the command line takes it, so many seconds after the simulated start.
fn at(seconds: i64) -> String {
    let nanos = 1_790_000_000_000_000_000 + seconds * 1_000_000_000;
    let time = jiff::Timestamp::from_nanosecond(i128::from(nanos)).unwrap();
    time.to_string()
}

#[test]
fn compare_names_the_drive_that_changed_and_what_of_state_did() {
    let setup = Setup::new();
    let recording = setup.simulate("run", "slow-disk", &["--seconds", "60", "--nodes", "3"], "");
    let coordinator = setup.coordinator(&[]);
    setup.play(&coordinator, &recording);
    let (before, after) = (at(13), at(40));
    let stretch = ["compare", "--before", &before, "--after", &after, "--window", "12s"];
    let compared = setup.json(&coordinator, &stretch);
    let latencies = compared["latencies"].as_array().unwrap();
    let changed: Vec<&Value> = latencies
        .iter()
        .filter(|one| one["changed"] == true && one["tap"] == "device")
        .collect();
    assert_eq!(changed.len(), 1, "{latencies:?}");
    let culprit = setup.open(&coordinator)[0].clone();
    assert_eq!(
        (&changed[0]["node"], &changed[0]["disk"]),
        (&culprit["node"], &culprit["disk"])
    );
    let (p50, p50_after) = (&changed[0]["before"]["p50_ns"], &changed[0]["after"]["p50_ns"]);
    assert!(
        p50_after.as_u64().unwrap() > 3 * p50.as_u64().unwrap(),
        "{}",
        changed[0]
    );
    let share = &compared["last_copies"][0];
    assert_eq!((&share["node"], &share["changed"]), (&culprit["node"], &json!(true)));
    let states = compared["states"].as_array().unwrap();
    assert!(
        states
            .iter()
            .any(|one| one["attribute"] == "operational_status" && one["after"].as_str().unwrap().contains("Abnormal")),
        "{states:?}"
    );
    let finding = &compared["findings"][0];
    assert_eq!(
        (&finding["id"], &finding["before"], &finding["after"]),
        (&culprit["id"], &json!(false), &json!(true))
    );
    // Two quiet stretches: nothing.
    let (before, after) = (at(8), at(16));
    let calm = ["compare", "--before", &before, "--after", &after, "--window", "8s"];
    let calm = setup.json(&coordinator, &calm);
    for one in calm["latencies"]
        .as_array()
        .unwrap()
        .iter()
        .chain(calm["last_copies"].as_array().unwrap())
    {
        assert_ne!(one["changed"], true, "{one}");
    }
    let wrong = setup.ask(
        &coordinator,
        &["compare", "--before", &at(17), "--after", &at(20), "--window", "15s"],
    );
    assert_fails(&wrong, 2, &["overlap"]);
}

#[test]
fn slow_minutes_are_kept_over_a_kill_and_are_those_of_the_rows() {
    let setup = Setup::new();
    let recording = setup.simulate("run", "slow-disk", &["--seconds", "150", "--nodes", "2"], "");
    let replayed = replay(&fathom_lab::open(&recording).unwrap(), &Options::default()).unwrap();
    let mut minutes: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
    for io in replayed
        .rows
        .ios
        .iter()
        .filter(|io| io.op == Op::Write && io.length <= 4096)
    {
        let minute = io.event.end_unix_nanos().div_euclid(60_000_000_000);
        minutes.entry(minute).or_default().push(io.event.duration_nanos);
    }
    // A limit between the minutes, so that some are slow and some are not.
    let p99 = |durations: &mut Vec<u64>| {
        durations.sort_unstable();
        durations[(durations.len() * 99).div_ceil(100) - 1]
    };
    let mut values: Vec<u64> = minutes.values_mut().map(p99).collect();
    values.sort_unstable();
    let limit = values.iter().sum::<u64>() / values.len() as u64;
    let limit = limit / 1000 * 1000;
    let slow: Vec<i64> = minutes
        .iter()
        .filter(|(_, durations)| {
            let over = durations
                .iter()
                .filter(|duration| **duration >= limit + limit / 512)
                .count();
            over as f64 > durations.len() as f64 * 0.01
        })
        .map(|(minute, _)| minute * 60_000_000_000)
        .rev()
        .collect();
    assert!(!slow.is_empty() && slow.len() < minutes.len(), "{values:?} {limit}");

    let config = setup.home.path().join("coordinator.toml");
    let text = format!("[[objective]]\nname = 'writes'\nbelow = '{}us'\n", limit / 1000);
    std::fs::write(&config, text).unwrap();
    let options = ["--config", config.to_str().unwrap()];
    let mut coordinator = setup.coordinator(&options);
    setup.play(&coordinator, &recording);
    let listed = setup.json(&coordinator, &["health", "--slow-minutes"]);
    let kept: Vec<i64> = listed["slow_minutes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|minute| minute["minute_unix_ns"].as_i64().unwrap())
        .collect();
    assert_eq!(kept, slow);
    assert_eq!(listed["objectives"][0]["below_ns"], limit);
    coordinator.kill();
    coordinator = setup.coordinator(&options);
    assert_eq!(setup.json(&coordinator, &["health", "--slow-minutes"]), listed);
    let table = setup.ask(&coordinator, &["health", "--slow-minutes"]);
    assert!(table.out.contains("objective writes"), "{}", table.out);
}
