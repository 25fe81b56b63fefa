//! Findings of state, storage jobs and maintenance, and what writes say of one culprit, of simulated clusters over real processes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use fathom_integration_tests::process::{Certificates, Process, Program, Ran, assert_fails, finished};
use fathom_proto::query::v1 as wire;
use fathom_proto::query::v1::health_service_client::HealthServiceClient;
use serde_json::{Value, json};

#[path = "why/costs.rs"]
mod costs;
#[path = "why/dated.rs"]
mod dated;
#[path = "why/usual.rs"]
mod usual;

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
