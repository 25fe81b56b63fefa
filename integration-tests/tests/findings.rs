//! Findings, what-if and health of a running coordinator, over real processes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use fathom_integration_tests::fixture;
use fathom_integration_tests::process::{Certificates, Process, Program, Ran, assert_fails, finished};
use fathom_proto::query::v1 as wire;
use fathom_proto::query::v1::findings_service_client::FindingsServiceClient;
use serde_json::{Value, json};

const NODES: [&str; 4] = ["i0", "t0", "t1", "t2"];

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

    fn coordinator(&self, more: &[&str]) -> Process {
        let mut options = vec!["--commit-every", "300ms"];
        options.extend(more);
        program().coordinator(&self.certificates, &self.home.path().join("store"), &options)
    }

    fn nodes(&self, coordinator: &Process, recording: &Path, nodes: &[&str], more: &[&str]) -> Vec<Process> {
        let home = self.home.path();
        let start = |node: &&str| program().node(&self.certificates, &coordinator.address, recording, node, home, more);
        nodes.iter().map(start).collect()
    }

    /// A coordinator that has joined what some nodes recorded.
    fn served(&self, recording: &Path, nodes: &[&str], more: &[&str]) -> Process {
        let coordinator = self.coordinator(more);
        let mut daemons = self.nodes(&coordinator, recording, nodes, &[]);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(finished(&self.certificates, &coordinator.address));
        daemons.iter_mut().for_each(|daemon| assert_eq!(daemon.wait(), 0));
        coordinator
    }

    fn ask(&self, coordinator: &Process, arguments: &[&str]) -> Ran {
        program().ask(&self.certificates, &coordinator.address, arguments)
    }

    fn findings(&self, coordinator: &Process) -> Vec<Value> {
        let ran = self.ask(coordinator, &["findings", "--all", "-o", "json"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.json()["findings"].as_array().unwrap().clone()
    }

    /// Health, once nobody is in doubt of who is heard.
    fn health(&self, coordinator: &Process, settled: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..100 {
            let health = self.ask(coordinator, &["health", "--history", "-o", "json"]).json();
            if settled(&health) {
                return health;
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        panic!("{}", self.ask(coordinator, &["health"]).out);
    }
}

/// What has to be the same whatever happened meanwhile.
fn told(findings: &[Value]) -> Vec<Value> {
    let mut told: Vec<Value> = findings
        .iter()
        .map(|finding| {
            json!([
                finding["id"],
                finding["code"],
                finding["node"],
                finding["disk"],
                finding["state"],
                finding["severity"]
            ])
        })
        .collect();
    told.sort_by_key(ToString::to_string);
    told
}

/// Null where nothing is said of it.
fn state<'a>(health: &'a Value, kind: &str, name: Option<&str>) -> &'a Value {
    static NULL: Value = Value::Null;
    let entries = health["health"].as_array().unwrap();
    let entry = entries
        .iter()
        .find(|entry| entry["kind"] == kind && entry["name"] == json!(name));
    entry.map_or(&NULL, |entry| &entry["state"])
}

/// Nodes that a recording has events of.
fn nodes_of(recording: &Path) -> Vec<String> {
    let recording = fathom_lab::open(recording).unwrap();
    let nodes = recording.nodes().iter().filter(|node| node.events.is_some());
    nodes.map(|node| node.id.to_string()).collect()
}

#[test]
fn slow_drive_is_found_with_evidence_cost_and_what_it_would_give_back() {
    let setup = Setup::new();
    let coordinator = setup.served(&fixture::recording("fault-slow-drive"), &NODES, &[]);
    let findings = setup.findings(&coordinator);
    let slow = &findings[0];
    assert_eq!(
        (&slow["code"], &slow["node"], &slow["disk"], &slow["state"]),
        (&json!("DISK_SLOW"), &json!("t1"), &json!("disk0"), &json!("open")),
        "{findings:?}"
    );
    assert!(slow["cost_ns"].as_u64().unwrap() > 5_000_000_000, "{slow}");
    assert!(slow["victims"][0]["writes"].as_u64().unwrap() > 1000, "{slow}");
    assert!(slow["next"][0].as_str().unwrap().contains("'t1'"), "{slow}");
    for write in slow["evidence"][0]["writes"].as_array().unwrap() {
        let write = setup.ask(&coordinator, &["write", write.as_str().unwrap(), "-o", "json"]);
        assert_eq!(write.code, 0, "{}", write.err);
        assert_eq!(write.json()["io"]["slowest"]["node"], "t1");
    }
    assert_eq!(setup.ask(&coordinator, &["findings", "--check"]).code, 3);
    let of_code = setup.ask(&coordinator, &["findings", "--code", "LINK_STALLS", "-o", "json"]);
    assert_eq!(of_code.json()["findings"], json!([]));

    let ranked = setup.ask(&coordinator, &["whatif", "-o", "json"]).json();
    let best = &ranked["without"][0];
    assert_eq!(
        (&best["kind"], &best["node"], &best["disk"]),
        (&json!("disk"), &json!("t1"), &json!("disk0"))
    );
    let one = setup
        .ask(&coordinator, &["whatif", "--without", "disk:t1/disk0", "-o", "json"])
        .json();
    assert_eq!(one["without"][0], *best);
    for percentile in ["p95_ns", "p99_ns"] {
        let (with, without) = (&ranked["with"][percentile], &best[percentile]);
        assert!(without.as_u64().unwrap() < with.as_u64().unwrap() * 3 / 4, "{ranked}");
    }
    let recording = fixture::recording("fault-slow-drive");
    let offline = program().run(["whatif", "-o", "json", "--recording", recording.to_str().unwrap()]);
    assert_eq!(offline.json()["without"], ranked["without"], "{}", offline.err);
    let wrong = setup.ask(&coordinator, &["whatif", "--without", "disk:disk0"]);
    assert_fails(
        &wrong,
        2,
        &["there is no disk `disk0`", "serial number", "disk:NODE/DISK"],
    );
    let unknown = setup.ask(&coordinator, &["whatif", "--without", "disk:t1/disk9"]);
    assert_fails(&unknown, 2, &["there is no disk `t1/disk9`", "t1/disk0"]);

    let health = setup.health(&coordinator, |health| {
        health["state"] == "critical" && state(health, "disk", Some("t0/disk0")) == "ok"
    });
    for (kind, name) in [
        ("cluster", None),
        ("node", Some("t1")),
        ("disk", Some("t1/disk0")),
        ("volume", Some("vol0")),
    ] {
        assert_eq!(state(&health, kind, name), "critical", "{kind}");
    }
    assert_eq!(state(&health, "disk", Some("t0/disk0")), "ok");
    let reasons = health["health"][0]["reasons"].as_array().unwrap();
    assert!(
        reasons.iter().any(|reason| reason["finding"] == slow["id"]),
        "{reasons:?}"
    );
    assert_eq!(
        health["history"].as_array().unwrap().last().unwrap()["state"],
        "critical"
    );
    assert_eq!(setup.ask(&coordinator, &["health", "--check"]).code, 3);
}

#[test]
fn healthy_cluster_opens_nothing_and_is_ok() {
    let setup = Setup::new();
    let recording = setup.home.path().join("healthy");
    let simulated = program().run([
        "simulate",
        recording.to_str().unwrap(),
        "--seconds",
        "40",
        "--nodes",
        "3",
    ]);
    assert_eq!(simulated.code, 0, "{}", simulated.err);
    let nodes = nodes_of(&recording);
    let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
    let coordinator = setup.served(&recording, &nodes, &[]);
    assert_eq!(setup.findings(&coordinator), Vec::<Value>::new());
    assert_eq!(setup.ask(&coordinator, &["findings", "--check"]).code, 0);
    let health = setup.health(&coordinator, |health| health["state"] == "ok");
    let entries = health["health"].as_array().unwrap();
    assert!(
        entries
            .iter()
            .all(|entry| entry["state"] == "ok" && entry["reasons"] == json!([])),
        "{health}"
    );
    assert_eq!(setup.ask(&coordinator, &["health", "--check"]).code, 0);
}

#[test]
fn clean_recordings_open_nothing() {
    for recording in fixture::all()
        .iter()
        .filter(|path| fixture::name(path).starts_with("clean"))
    {
        let setup = Setup::new();
        let nodes = nodes_of(recording);
        let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
        let coordinator = setup.served(recording, &nodes, &[]);
        assert_eq!(
            setup.findings(&coordinator),
            Vec::<Value>::new(),
            "{}",
            recording.display()
        );
    }
}

#[test]
fn node_that_is_not_heard_is_unknown_and_never_ok() {
    let setup = Setup::new();
    let recording = fixture::recording("fault-network-slow");
    let coordinator = setup.served(&recording, &["i0", "t0", "t2"], &["--silence", "500ms"]);
    let health = setup.health(&coordinator, |health| {
        state(health, "node", Some("t2")) != "unknown" && state(health, "disk", Some("t1/disk0")) == "unknown"
    });
    for (kind, name) in [("node", "t1"), ("disk", "t1/disk0"), ("link", "i0-t1")] {
        assert_eq!(state(&health, kind, Some(name)), "unknown", "{kind}");
    }
    let reasons = health["health"][0]["reasons"].to_string();
    assert!(reasons.contains("not heard: silent"), "{reasons}");
    let ran = setup.ask(&coordinator, &["health"]);
    assert_eq!(ran.code, 4, "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn coordinator_killed_in_the_middle_has_the_same_findings() {
    let recording = fixture::recording("fault-slow-drive");
    let whole = Setup::new();
    let mut expected = Vec::new();
    for kills in [0, 3] {
        let setup = if kills == 0 { &whole } else { &Setup::new() };
        let mut coordinator = setup.coordinator(&[]);
        let address = coordinator.address.clone();
        let listen = format!("127.0.0.1:{}", address.rsplit(':').next().unwrap());
        let mut daemons = setup.nodes(
            &coordinator,
            &recording,
            &NODES,
            &["--pace", "6", "--batch-events", "700"],
        );
        for _ in 0..kills {
            tokio::time::sleep(Duration::from_millis(600)).await;
            assert!(daemons[0].runs(), "it is killed in the middle");
            coordinator.kill();
            coordinator = setup.coordinator(&["--listen", &listen]);
        }
        finished(&setup.certificates, &address).await;
        let findings = setup.findings(&coordinator);
        if kills == 0 {
            assert!(!findings.is_empty());
            expected = told(&findings);
        } else {
            assert_eq!(told(&findings), expected);
        }
        // After everything, once more: nothing is opened anew, and numbers go on.
        coordinator.kill();
        coordinator = setup.coordinator(&["--listen", &listen]);
        finished(&setup.certificates, &address).await;
        assert_eq!(setup.findings(&coordinator), findings);
        let changes = watched(setup, &address, Some("0"), |changes| {
            changes.iter().map(|(number, _)| *number).max() >= findings.iter().map(sequence).max()
        })
        .await
        .0;
        let opened: Vec<&str> = changes
            .iter()
            .filter(|(_, kind)| kind == "opened")
            .map(|(_, kind)| kind.as_str())
            .collect();
        assert_eq!(opened.len(), findings.len(), "each was opened once: {changes:?}");
        let numbers: Vec<u64> = changes.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (1..=changes.len() as u64).collect::<Vec<_>>());
    }
}

fn sequence(finding: &Value) -> u64 {
    finding["sequence"].as_u64().unwrap()
}

/// Numbers and kinds of changes until there are enough, with the last token, and how many were open in the first message.
async fn watched(
    setup: &Setup,
    address: &str,
    token: Option<&str>,
    enough: impl Fn(&[(u64, String)]) -> bool,
) -> (Vec<(u64, String)>, String, usize) {
    let mut client = FindingsServiceClient::new(setup.certificates.channel(address).await);
    let request = wire::WatchFindingsRequest {
        resume_token: token.unwrap_or_default().to_owned(),
        ..wire::WatchFindingsRequest::default()
    };
    let mut stream = client.watch_findings(request).await.unwrap().into_inner();
    let first = stream.message().await.unwrap().unwrap();
    let (mut changes, mut last, open) = (Vec::new(), first.resume_token, first.open.len());
    while !enough(&changes) {
        let message = tokio::time::timeout(Duration::from_secs(20), stream.message()).await;
        let message = message.expect("the watch says it").unwrap().unwrap();
        changes.extend(
            message
                .changes
                .into_iter()
                .map(|change| (change.sequence, change.change)),
        );
        last = message.resume_token;
    }
    (changes, last, open)
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_gives_each_change_once_and_people_are_heard_once() {
    let setup = Setup::new();
    let coordinator = setup.coordinator(&[]);
    let recording = fixture::recording("fault-slow-drive");
    let mut daemons = setup.nodes(&coordinator, &recording, &NODES, &[]);
    finished(&setup.certificates, &coordinator.address).await;
    daemons.iter_mut().for_each(|daemon| assert_eq!(daemon.wait(), 0));
    let address = coordinator.address.clone();
    let (_, begin, open) = watched(&setup, &address, None, |_| true).await;
    let findings = setup.findings(&coordinator);
    let id = findings[0]["id"].as_str().unwrap().to_owned();
    assert!(open >= 1);

    let ran = setup.ask(&coordinator, &["findings", "ack", &id, "--by", "ann", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.json()["finding"]["acknowledged"]["by"], "ann");
    assert_eq!(
        setup.ask(&coordinator, &["findings", "ack", &id, "--by", "ann"]).code,
        0,
        "said again"
    );
    let mut client = FindingsServiceClient::new(setup.certificates.channel(&address).await);
    for _ in 0..2 {
        let request = wire::MuteFindingRequest {
            id: id.clone(),
            by: "ben".to_owned(),
            for_nanos: 3_000_000_000,
            request_id: "r1".to_owned(),
            ..wire::MuteFindingRequest::default()
        };
        let muted = client
            .mute_finding(request)
            .await
            .unwrap()
            .into_inner()
            .finding
            .unwrap();
        assert_eq!(muted.muted.unwrap().by, "ben");
    }
    let is_muted = setup
        .ask(&coordinator, &["findings", "--code", "DISK_SLOW", "-o", "json"])
        .json();
    assert_eq!((&is_muted["findings"], &is_muted["muted"]), (&json!([]), &json!(1)));

    let (changes, end, _) = watched(&setup, &address, Some(&begin), |changes| changes.len() >= 3).await;
    let kinds: Vec<&str> = changes.iter().map(|(_, kind)| kind.as_str()).collect();
    assert_eq!(kinds, ["acknowledged", "muted", "unmuted"], "the mute runs out");
    // From any point on, what is left comes, once.
    let middle = changes[0].0.to_string();
    let (rest, token, _) = watched(&setup, &address, Some(&middle), |rest| rest.len() >= 2).await;
    assert_eq!(rest, changes[1..]);
    assert_eq!(token, end);
    let (all, _, _) = watched(&setup, &address, Some("0"), |all| all.last() == changes.last()).await;
    let numbers: Vec<u64> = all.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=all.len() as u64).collect::<Vec<_>>());

    let nobody = setup.ask(&coordinator, &["findings", "ack", "no-1", "--by", "ann"]);
    assert_fails(&nobody, 1, &["there is no finding `no-1`"]);
    assert_eq!(setup.ask(&coordinator, &["findings", "ack", &id]).code, 2, "by whom?");
    let ahead = wire::WatchFindingsRequest {
        resume_token: "99999".to_owned(),
        ..wire::WatchFindingsRequest::default()
    };
    assert!(client.watch_findings(ahead).await.is_err());

    // A watch does not hold up a coordinator that is asked to stop, and is told so.
    let request = wire::WatchFindingsRequest::default();
    let mut stream = client.watch_findings(request).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let mut coordinator = coordinator;
    let asked = std::time::Instant::now();
    let stopped = tokio::task::spawn_blocking(move || coordinator.terminate());
    let told = tokio::time::timeout(Duration::from_secs(10), stream.message()).await;
    assert_eq!(told.unwrap().unwrap_err().code(), tonic::Code::Unavailable);
    assert_eq!(stopped.await.unwrap(), 0);
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}

#[test]
fn codes_are_explained_without_a_coordinator() {
    let page = program().run(["explain", "disk_slow"]);
    assert_eq!(page.code, 0, "{}", page.err);
    assert!(
        page.out.starts_with("# DISK_SLOW") && page.out.contains("Get-PhysicalDisk"),
        "{}",
        page.out
    );
    let all = program().run(["explain", "-o", "json"]).json();
    assert!(all["codes"].as_array().unwrap().len() >= 8);
    assert_fails(
        &program().run(["explain", "NOTHING"]),
        2,
        &["there is no code `NOTHING`", "DISK_SLOW"],
    );
}
