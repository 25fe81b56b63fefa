//! Findings of state, maintenance, the ledger, comparisons and objectives, of simulated clusters over real processes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fathom_integration_tests::process::{Certificates, Process, Program, Ran, assert_fails, finished};
use fathom_lab::replay::{Options, replay};
use fathom_model::Op;
use fathom_proto::query::v1 as wire;
use fathom_proto::query::v1::health_service_client::HealthServiceClient;
use serde_json::{Value, json};

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_fathom-under-test"))
}

struct Setup {
    home: tempfile::TempDir,
    certificates: Certificates,
}

impl Setup {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let certificates = Certificates::new(&home.path().join("certificates"));
        Self { home, certificates }
    }

    /// A recording of a simulated cluster: a scenario's configuration with more at its end.
    fn simulate(&self, name: &str, scenario: &str, options: &[&str], more: &str) -> PathBuf {
        let mut show = vec!["simulate", "--scenario", scenario, "--show-config"];
        show.extend(options);
        let shown = program().run(show);
        assert_eq!(shown.code, 0, "{}", shown.err);
        let config = self.home.path().join(format!("{name}.toml"));
        std::fs::write(&config, format!("{}\n{more}", shown.out)).unwrap();
        let folder = self.home.path().join(name);
        let ran = program().run([
            "simulate",
            folder.to_str().unwrap(),
            "--config",
            config.to_str().unwrap(),
        ]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        folder
    }

    fn coordinator(&self, more: &[&str]) -> Process {
        let mut options = vec!["--commit-every", "300ms"];
        options.extend(more);
        program().coordinator(&self.certificates, &self.home.path().join("store"), &options)
    }

    /// Plays all of a recording to a coordinator.
    fn play(&self, coordinator: &Process, recording: &Path) {
        let nodes = fathom_lab::open(recording).unwrap();
        let nodes: Vec<String> = nodes.nodes().iter().map(|node| node.id.to_string()).collect();
        let start = |node: &String| {
            let home = self.home.path();
            program().node(&self.certificates, &coordinator.address, recording, node, home, &[])
        };
        let mut daemons: Vec<Process> = nodes.iter().map(start).collect();
        // All events may have come before the first reading of state has: what was sent is known when its daemons have gone.
        daemons.iter_mut().for_each(|daemon| assert_eq!(daemon.wait(), 0));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(finished(&self.certificates, &coordinator.address));
    }

    fn ask(&self, coordinator: &Process, arguments: &[&str]) -> Ran {
        program().ask(&self.certificates, &coordinator.address, arguments)
    }

    fn json(&self, coordinator: &Process, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.extend(["-o", "json"]);
        let ran = self.ask(coordinator, &all);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.json()
    }

    fn open(&self, coordinator: &Process) -> Vec<Value> {
        let findings = self.json(coordinator, &["findings"]);
        findings["findings"].as_array().unwrap().clone()
    }

    /// Health, once it is as wanted.
    fn health(&self, coordinator: &Process, settled: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..100 {
            let health = self.ask(coordinator, &["health", "-o", "json"]).json();
            if settled(&health) {
                return health;
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        panic!("{}", self.ask(coordinator, &["health"]).out);
    }
}

fn state<'a>(health: &'a Value, kind: &str, name: &str) -> &'a Value {
    static NULL: Value = Value::Null;
    let mut entries = health["health"].as_array().unwrap().iter();
    let entry = entries.find(|entry| entry["kind"] == kind && entry["name"] == name);
    entry.map_or(&NULL, |entry| &entry["state"])
}

/// Each reading that a finding cites is in the store, as it says.
fn check_readings(setup: &Setup, coordinator: &Process, finding: &Value) {
    let cited = finding["observations"].as_array().unwrap();
    assert!(!cited.is_empty(), "{finding}");
    for reading in cited {
        let (id, kind) = (reading["id"].as_str().unwrap(), reading["kind"].as_str().unwrap());
        let history = setup.json(coordinator, &["history", id, "--kind", kind]);
        let rows = history["history"].as_array().unwrap();
        assert!(
            rows.iter().any(|row| row["node"] == reading["node"]),
            "{reading} is not in {history}"
        );
    }
}

#[test]
fn fallback_is_one_finding_with_what_the_slow_link_costs_and_outlives_a_kill() {
    let setup = Setup::new();
    let recording = setup.simulate("run", "rdma-fallback", &["--seconds", "60", "--nodes", "4"], "");
    let mut coordinator = setup.coordinator(&[]);
    setup.play(&coordinator, &recording);
    let open = setup.open(&coordinator);
    assert_eq!(open.len(), 1, "one cause, one finding: {open:?}");
    let finding = &open[0];
    assert_eq!(finding["code"], "LINK_TCP_FALLBACK", "{finding}");
    assert!(finding["cost_ns"].as_u64().unwrap() > 0, "{finding}");
    assert!(finding["victims"][0]["writes"].as_u64().unwrap() > 0, "{finding}");
    check_readings(&setup, &coordinator, finding);
    let evidence = finding["evidence"].as_array().unwrap();
    let writes = evidence.iter().flat_map(|reason| reason["writes"].as_array().unwrap());
    let writes: Vec<&str> = writes.map(|write| write.as_str().unwrap()).collect();
    assert!(!writes.is_empty(), "{finding}");
    for write in writes {
        assert_eq!(setup.ask(&coordinator, &["write", write]).code, 0);
    }
    // What was folded is over, as part of it.
    let all = setup.json(&coordinator, &["findings", "--all"]);
    for part in all["findings"].as_array().unwrap() {
        assert!(part["state"] == "open" || part["part_of"] == finding["id"], "{part}");
    }
    let health = setup.health(&coordinator, |health| health["state"] == finding_state(finding));
    assert!(health["health"][0]["reasons"].to_string().contains("LINK_TCP_FALLBACK"));

    coordinator.kill();
    coordinator = setup.coordinator(&[]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(finished(&setup.certificates, &coordinator.address));
    assert_eq!(setup.open(&coordinator), open);
}

fn finding_state(finding: &Value) -> &'static str {
    match finding["severity"].as_str() {
        Some("critical") => "critical",
        _ => "degraded",
    }
}

#[test]
fn each_kind_of_state_is_one_finding() {
    // The scenario, the code, and what it is about.
    let cases = [
        ("pfc-storm", "QOS_DRIFT", "node"),
        ("mtu-mismatch", "MTU_MISMATCH", "node"),
        ("wear", "DISK_WEAR", "disk"),
        ("slow-disk", "DISK_SLOW", "disk"),
    ];
    for (scenario, code, kind) in cases {
        let setup = Setup::new();
        let recording = setup.simulate("run", scenario, &["--seconds", "40", "--nodes", "3"], "");
        let coordinator = setup.coordinator(&[]);
        setup.play(&coordinator, &recording);
        let open = setup.open(&coordinator);
        assert_eq!(open.len(), 1, "{scenario}: {open:?}");
        assert_eq!(
            (&open[0]["code"], &open[0]["kind"]),
            (&json!(code), &json!(kind)),
            "{scenario}: {open:?}"
        );
        if code != "DISK_SLOW" {
            check_readings(&setup, &coordinator, &open[0]);
        }
    }
}

#[test]
fn paused_node_is_in_maintenance_and_a_job_that_begins_anew_is_stuck() {
    let setup = Setup::new();
    let more = "[[faults]]\nfrom-seconds = 12.0\n[faults.what.job-restarts]\nevery-seconds = 3.0\n\
                [[faults]]\nfrom-seconds = 0.0\n[faults.what.paused]\nnode = 3\n";
    let recording = setup.simulate("run", "repair", &["--seconds", "40", "--nodes", "4"], more);
    let coordinator = setup.coordinator(&[]);
    setup.play(&coordinator, &recording);
    let all = setup.json(&coordinator, &["findings", "--all"]);
    let stuck: Vec<&Value> = all["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["code"] == "JOB_STUCK")
        .collect();
    assert_eq!(stuck.len(), 1, "{all}");
    assert_eq!((&stuck[0]["kind"], &stuck[0]["node"]), (&json!("job"), &json!("")));
    check_readings(&setup, &coordinator, stuck[0]);
    let nodes = fathom_lab::open(&recording).unwrap();
    let paused = nodes.nodes()[3].id.to_string();
    let health = setup.health(&coordinator, |health| state(health, "node", &paused) == "maintenance");
    assert_eq!(state(&health, "adapter", &format!("{paused}/SMB1")), "maintenance");
    let other = nodes.nodes()[2].id.to_string();
    assert_eq!(state(&health, "adapter", &format!("{other}/SMB1")), "ok");
}

#[test]
fn repair_that_writes_wait_for_is_named_as_the_job_online_and_offline() {
    let setup = Setup::new();
    let recording = setup.simulate("run", "repair", &["--seconds", "60", "--nodes", "3"], "");
    let coordinator = setup.coordinator(&[]);
    setup.play(&coordinator, &recording);
    let all = setup.json(&coordinator, &["findings", "--all"]);
    let all = all["findings"].as_array().unwrap();
    let jobs: Vec<&Value> = all
        .iter()
        .filter(|finding| finding["code"] == "JOB_COSTS_WRITES")
        .collect();
    assert_eq!(jobs.len(), 1, "{all:?}");
    let job = jobs[0];
    assert_eq!(
        (&job["kind"], &job["resource"]),
        (&json!("job"), &json!("repair-0")),
        "{job}"
    );
    assert_eq!(job["disks"].as_array().unwrap().len(), 2, "{job}");
    let cost = job["cost_ns"].as_u64().unwrap();
    let sum = |rows: &str| -> u64 {
        let rows = job[rows].as_array().unwrap().iter();
        rows.map(|row| row["cost_ns"].as_u64().unwrap()).sum()
    };
    assert!(cost > 0, "{job}");
    assert_eq!((sum("victims"), sum("initiators")), (cost, cost), "{job}");
    for other in all.iter().filter(|finding| finding["code"] != "JOB_COSTS_WRITES") {
        assert_eq!(other["part_of"], job["id"], "{other}");
    }
    check_readings(&setup, &coordinator, job);
    let why = setup.json(&coordinator, &["why"]);
    let culprit = &why["culprit"];
    assert_eq!(
        (
            &culprit["kind"],
            &culprit["resource"],
            &culprit["node"],
            &culprit["disk"]
        ),
        (&json!("job"), &json!("repair-0"), &Value::Null, &Value::Null),
        "{why}"
    );
    let rows = why["culprits"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["kind"] == "job"), "{why}");
    let found = culprit["cost_ns"].as_u64().unwrap();
    assert!(
        found.abs_diff(cost) <= cost / 10,
        "why says {found}, the finding {cost}"
    );

    let folder = recording.to_str().unwrap();
    let offline = program()
        .run(["findings", "--recording", folder, "--all", "-o", "json"])
        .json();
    let offline = offline["findings"].as_array().unwrap().clone();
    let same = offline.iter().find(|finding| finding["id"] == job["id"]);
    assert_eq!(
        same.map(|finding| &finding["code"]),
        Some(&json!("JOB_COSTS_WRITES")),
        "{offline:?}"
    );
    // Without its state nobody is named for sure, and no link at all.
    for entry in std::fs::read_dir(&recording).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with("state.") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    let alone = program().run(["replay", folder, "-o", "json"]).json();
    let culprits = alone["culprits"].as_array().unwrap().iter();
    for culprit in culprits
        .chain(std::iter::once(&alone["culprit"]))
        .filter(|culprit| !culprit.is_null())
    {
        assert_ne!(culprit["kind"], "link", "{culprit}");
        assert!(culprit["confidence"].as_f64().unwrap() <= 0.5, "{culprit}");
    }
}

#[test]
fn one_write_is_taken_apart_and_a_stretch_may_end_before_the_newest() {
    let setup = Setup::new();
    let coordinator = setup.coordinator(&[]);
    setup.play(
        &coordinator,
        &fathom_integration_tests::fixture::recording("fault-slow-drive"),
    );
    let slowest = setup.json(&coordinator, &["why"])["slowest_write_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let write = setup.json(&coordinator, &["why", &slowest]);
    let (io, parts) = (&write["io"], &write["io"]["parts"]);
    let known = |part: &str| parts[part][0].as_u64().unwrap();
    let whole = io["duration_ns"].as_u64().unwrap();
    assert_eq!(
        known("before_ns") + known("legs_ns") + known("after_ns"),
        whole,
        "{write}"
    );
    assert!(io["legs"][0]["parts"]["drive_ns"].as_u64().unwrap() > 0, "{write}");
    let count = |more: &[&str]| {
        let mut asked = vec!["why"];
        asked.extend(more);
        setup.json(&coordinator, &asked)["joined"]["writes"].as_u64().unwrap()
    };
    let (all, last, before) = (count(&[]), count(&["--since", "5s"]), count(&["--until", "5s"]));
    assert!(last > 0 && before > 0, "{last} {before}");
    assert!(
        all - 1 <= last + before && last + before <= all + 1,
        "{all}: {last} and {before}"
    );
    assert_fails(
        &setup.ask(&coordinator, &["why", "--since", "5s", "--until", "6s"]),
        2,
        &["ends before it begins"],
    );
    assert_fails(
        &setup.ask(&coordinator, &["findings", "--code", "NOPE"]),
        2,
        &["DISK_SLOW", "JOB_COSTS_WRITES"],
    );
}

#[test]
fn what_is_slow_at_a_paused_node_is_no_incident() {
    let setup = Setup::new();
    let more = "[[faults]]\nfrom-seconds = 0.0\n[faults.what.paused]\nnode = 1\n";
    let recording = setup.simulate("run", "slow-disk", &["--seconds", "60", "--nodes", "3"], more);
    let coordinator = setup.coordinator(&[]);
    setup.play(&coordinator, &recording);
    let open = setup.open(&coordinator);
    assert!(!open.is_empty());
    assert!(
        open.iter().all(|finding| finding["severity"] == "maintenance"),
        "{open:?}"
    );
    assert_eq!(setup.ask(&coordinator, &["findings", "--check"]).code, 0);
}

/// The first message of a watch of health.
async fn watched(setup: &Setup, address: &str, token: &str) -> wire::WatchHealthResponse {
    let mut client = HealthServiceClient::new(setup.certificates.channel(address).await);
    let request = wire::WatchHealthRequest {
        resume_token: token.to_owned(),
        ..wire::WatchHealthRequest::default()
    };
    let mut stream = client.watch_health(request).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap()
}

#[test]
fn watch_of_health_goes_on_after_its_token_and_begins_anew_with_another_owner() {
    let setup = Setup::new();
    let mut coordinator = setup.coordinator(&[]);
    setup.play(
        &coordinator,
        &fathom_integration_tests::fixture::recording("state-tcp-fallback"),
    );
    setup.health(&coordinator, |health| !health["health"].as_array().unwrap().is_empty());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let all = runtime.block_on(watched(&setup, &coordinator.address, ""));
    assert!(all.is_whole && all.entries.len() > 10, "{all:?}");
    // Who is heard settles within seconds: until then some change, and never all are told again.
    let mut token = all.resume_token.clone();
    for attempt in 0.. {
        let again = runtime.block_on(watched(&setup, &coordinator.address, &token));
        assert!(!again.is_whole, "{again:?}");
        if again.entries.is_empty() {
            assert_eq!(again.resume_token, token);
            break;
        }
        assert!(attempt < 100, "{again:?}");
        token = again.resume_token;
        std::thread::sleep(Duration::from_millis(300));
    }

    coordinator.kill();
    coordinator = setup.coordinator(&[]);
    runtime.block_on(finished(&setup.certificates, &coordinator.address));
    setup.health(&coordinator, |health| !health["health"].as_array().unwrap().is_empty());
    let anew = runtime.block_on(watched(&setup, &coordinator.address, &all.resume_token));
    assert!(anew.is_whole && anew.entries.len() == all.entries.len(), "{anew:?}");
    let mut client =
        runtime.block_on(async { HealthServiceClient::new(setup.certificates.channel(&coordinator.address).await) });
    let wrong = wire::WatchHealthRequest {
        resume_token: "nonsense".to_owned(),
        ..wire::WatchHealthRequest::default()
    };
    let refused = runtime.block_on(client.watch_health(wrong));
    assert_eq!(refused.unwrap_err().code(), tonic::Code::InvalidArgument);
}

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
