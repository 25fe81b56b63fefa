//! The programs for Windows, run by Wine, against a coordinator on Linux. `cargo xtask windows` builds them and runs these tests.
//!
//! What Wine proves is the programs' own part: they start, check their configuration, speak TLS, keep a spool through kills, obey a
//! service manager, and tell truthfully what of Windows they cannot read. What a real node answers it cannot prove.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fathom_integration_tests::process::{Certificates, Process, Program, Ran, assert_fails, finished};
use fathom_integration_tests::{fixture, stored};
use fathom_lab::replay::{Options, replay};

const NODES: [&str; 4] = ["i0", "t0", "t1", "t2"];

const RECORDING: &str = "fault-network-slow";

/// Played so fast that a run takes about 3 s.
const PACE: [&str; 2] = ["--pace", "6"];

struct Setup {
    linux: Program,
    home: tempfile::TempDir,
    certificates: Certificates,
}

/// A program of the Windows build.
fn program(name: &str) -> Program {
    let variable = |name: &str| {
        PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set: run `cargo xtask windows`")))
    };
    let path = variable("FATHOM_WINDOWS_PROGRAMS").join(name);
    assert!(path.is_file(), "{} is not there", path.display());
    Program::under_wine(&variable("FATHOM_WINE"), &path)
}

fn daemon() -> Program {
    program("fathom-node.exe")
}

impl Setup {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let certificates = Certificates::new(&home.path().join("certificates"));
        Self {
            linux: Program::new(env!("CARGO_BIN_EXE_fathom-under-test")),
            home,
            certificates,
        }
    }

    fn coordinator(&self) -> Process {
        let more = ["--commit-every", "200ms"];
        self.linux.coordinator(&self.certificates, &self.store(), &more)
    }

    fn node(&self, program: &Program, coordinator: &Process, node: &str, more: &[&str]) -> Process {
        program.node(
            &self.certificates,
            &coordinator.address,
            &fixture::recording(RECORDING),
            node,
            self.home.path(),
            more,
        )
    }

    fn store(&self) -> PathBuf {
        self.home.path().join("store")
    }

    /// What is stored is what one process on Linux joins from the same recording.
    async fn assert_whole(&self) {
        let found = stored::read(&self.store(), "test").await;
        let recording = fathom_lab::open(&fixture::recording(RECORDING)).unwrap();
        let replayed = replay(&recording, &Options::default()).unwrap();
        let expected = stored::texts(&replayed.rows, &replayed.catalog);
        assert_eq!(found.rows.len(), expected.len());
        let different = found
            .rows
            .iter()
            .zip(&expected)
            .find(|(found, expected)| found != expected);
        assert_eq!(different, None);
        let used = stored::ordinals(&found);
        assert!(used.values().all(|uses| *uses == 1), "an ordinal was used twice");
    }

    /// Waits until a node's spool holds so much, and the daemon still runs.
    fn spooled(&self, node: &str, bytes: u64, daemon: &mut Process) {
        let start = Instant::now();
        loop {
            assert!(
                daemon.runs(),
                "it ended before it spooled {bytes} bytes: {}",
                daemon.said()
            );
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "it does not spool {bytes} bytes"
            );
            if size(&self.home.path().join("spool").join(node)) >= bytes {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A configuration file of the service, of node i0.
    fn configuration(&self, coordinator: &Process, pace: &str) -> PathBuf {
        let program = daemon();
        let spelled = |path: &Path| program.spelled(path).into_string().unwrap();
        let mut text = format!(
            "coordinator = '{}'\ncluster = 'test'\nnode = 'i0'\nspool = '{}'\nreplay = '{}'\nlog-file = '{}'\npace = {pace}\n",
            coordinator.address,
            spelled(&self.home.path().join("spool").join("i0")),
            spelled(&fixture::recording(RECORDING)),
            spelled(&self.log()),
        );
        for (option, file) in self.certificates.files("user") {
            text += &format!("{} = '{}'\n", option.trim_start_matches('-'), spelled(&file));
        }
        let path = self.home.path().join("node.toml");
        fs::write(&path, text).unwrap();
        path
    }

    fn log(&self) -> PathBuf {
        self.home.path().join("node.log")
    }

    fn install(&self, configuration: &Path, more: &[&str]) -> Ran {
        let program = daemon();
        let file = program.spelled(configuration).into_string().unwrap();
        let mut arguments = vec!["install", "--config", &file];
        arguments.extend(more);
        program.run(arguments)
    }

    /// Waits until the log has a line with these words.
    fn logged(&self, words: &str) -> String {
        let start = Instant::now();
        loop {
            let text = fs::read_to_string(self.log()).unwrap_or_default();
            if text.contains(words) {
                return text;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "`{words}` is not in: {text}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Bytes of all files in a folder and below it; nothing where there is none.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// Removes the service when a test is over, however it ends.
struct Service;

impl Drop for Service {
    fn drop(&mut self) {
        let _ = daemon().run(["uninstall"]);
    }
}

#[test]
#[ignore = "needs the Windows build: cargo xtask windows"]
fn every_source_is_asked_and_says_what_it_has_or_why_not() {
    let ran = daemon().run(["check", "-o", "json", "--limit", "60s"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let document = ran.json();
    assert_eq!(document["system"], "windows");
    let rows = document["sources"].as_array().unwrap();
    let row = |item: &str| {
        rows.iter()
            .find(|row| row["item"] == item)
            .unwrap_or_else(|| panic!("no {item}"))
    };
    for row in rows {
        match row["state"].as_str().unwrap() {
            "available" => assert!(!row["seen"].as_str().unwrap().is_empty(), "{row}"),
            "unavailable" => {
                let reason = row["reason"].as_str().unwrap();
                assert!(!reason.is_empty() && reason != "not Windows", "{row}");
            }
            state => panic!("{state}: {row}"),
        }
    }
    for source in ["replay", "etw", "event_log", "pdh", "wmi"] {
        assert!(rows.iter().any(|row| row["source"] == source), "{source} was not asked");
    }
    // Wine has this class and no storage bus, and lets nobody trace a kernel that is not there.
    assert_eq!(row(r"root\CIMV2\Win32_OperatingSystem")["seen"], "1 instance");
    assert_eq!(row(r"root\wmi\ClusPortDeviceInformation")["state"], "unavailable");
    assert_eq!(row("a session of the kernel's disk I/O")["state"], "unavailable");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Windows build: cargo xtask windows"]
async fn a_recording_is_streamed_over_mutual_tls_and_stored_whole() {
    let setup = Setup::new();
    let coordinator = setup.coordinator();
    let mut daemons = NODES.map(|node| setup.node(&daemon(), &coordinator, node, &[]));
    finished(&setup.certificates, &coordinator.address).await;
    for daemon in &mut daemons {
        assert_eq!(daemon.wait(), 0, "{}", daemon.said());
    }
    drop(coordinator);
    setup.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Windows build: cargo xtask windows"]
async fn a_daemon_killed_in_the_middle_goes_on_where_it_was() {
    let setup = Setup::new();
    let coordinator = setup.coordinator();
    let _others = ["t0", "t1", "t2"].map(|node| setup.node(&setup.linux, &coordinator, node, &PACE));
    let mut victim = setup.node(&daemon(), &coordinator, "i0", &PACE);
    // Its part of the recording takes about 0.8 MB in the spool. How long Wine takes to start it differs.
    for bytes in [200_000, 500_000] {
        setup.spooled("i0", bytes, &mut victim);
        victim.kill();
        victim = setup.node(&daemon(), &coordinator, "i0", &PACE);
    }
    finished(&setup.certificates, &coordinator.address).await;
    assert_eq!(victim.wait(), 0, "{}", victim.said());
    drop(coordinator);
    setup.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Windows build: cargo xtask windows"]
async fn a_certificate_of_another_authority_is_refused_and_explained() {
    let setup = Setup::new();
    let coordinator = setup.coordinator();
    let stranger = Certificates::new(&setup.home.path().join("strangers"));
    let recording = fixture::recording(RECORDING);
    let mut refused = daemon().node(
        &stranger,
        &coordinator.address,
        &recording,
        "i0",
        setup.home.path(),
        &[],
    );
    assert_eq!(refused.wait(), 1);
    let said = refused.said();
    assert!(said.contains("certificate") && !said.contains("panicked"), "{said}");
}

#[test]
#[ignore = "needs the Windows build: cargo xtask windows"]
fn a_spool_has_one_daemon() {
    let setup = Setup::new();
    let coordinator = setup.coordinator();
    let slow = ["--pace", "0.01"];
    let mut first = setup.node(&daemon(), &coordinator, "i0", &slow);
    // It has the spool once its folder has a lock.
    let spool = setup.home.path().join("spool").join("i0");
    let start = Instant::now();
    while !fs::read_dir(&spool).is_ok_and(|mut entries| entries.next().is_some()) {
        assert!(
            start.elapsed() < Duration::from_secs(60) && first.runs(),
            "{}",
            first.said()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_secs(1));
    let mut second = setup.node(&daemon(), &coordinator, "i0", &slow);
    assert_eq!(second.wait(), 1);
    assert!(second.said().contains("is a daemon running on it already"));
    assert!(first.runs());
}

#[test]
#[ignore = "needs the Windows build: cargo xtask windows"]
fn a_service_with_a_faulty_configuration_is_not_installed() {
    let setup = Setup::new();
    let configuration = setup.home.path().join("node.toml");
    fs::write(&configuration, "coordinator = 'https://127.0.0.1:1'\nspool = 'spool'\n").unwrap();
    assert_fails(
        &setup.install(&configuration, &[]),
        2,
        &["cluster is missing", "key is missing"],
    );
    assert_fails(&daemon().run(["uninstall"]), 1, &["is not installed"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the Windows build: cargo xtask windows"]
async fn a_service_is_installed_started_stopped_in_the_middle_and_removed() {
    let setup = Setup::new();
    let coordinator = setup.coordinator();
    let configuration = setup.configuration(&coordinator, "0.5");
    let dry = setup.install(&configuration, &["--dry-run"]);
    assert_eq!(dry.code, 0, "{}", dry.err);
    assert!(dry.out.contains(r"NT SERVICE\fathom-node"), "{}", dry.out);
    assert_fails(&daemon().run(["uninstall"]), 1, &["is not installed"]);

    let service = Service;
    let installed = setup.install(&configuration, &["--start"]);
    assert_eq!(installed.code, 0, "{} {}", installed.out, installed.err);
    assert!(installed.out.contains("it runs"), "{}", installed.out);
    assert_fails(&setup.install(&configuration, &[]), 1, &["is installed already"]);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let removed = daemon().run(["uninstall"]);
    assert_eq!(removed.code, 0, "{}", removed.err);
    let log = setup.logged("the service ends");
    assert!(
        log.contains("service stop") && log.contains("Stopped"),
        "it was asked to: {log}"
    );
    assert_fails(&daemon().run(["uninstall"]), 1, &["is not installed"]);
    drop(service);

    // What the service left in its spool another run sends, and nothing is doubled.
    let _others = ["t0", "t1", "t2"].map(|node| setup.node(&setup.linux, &coordinator, node, &[]));
    let mut rest = setup.node(&daemon(), &coordinator, "i0", &[]);
    finished(&setup.certificates, &coordinator.address).await;
    assert_eq!(rest.wait(), 0, "{}", rest.said());
    drop(coordinator);
    setup.assert_whole().await;
}

#[test]
#[ignore = "needs the Windows build: cargo xtask windows"]
fn fathom_exe_joins_and_simulates_as_on_linux() {
    let setup = Setup::new();
    let exe = program("fathom.exe");
    let recording = fixture::recording("fault-slow-drive");
    let joined = |program: &Program| {
        let path = program.spelled(&recording).into_string().unwrap();
        let ran = program.run(["replay", &path, "-o", "json"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.json()
    };
    assert_eq!(joined(&exe), joined(&setup.linux));

    let simulated = |program: &Program, name: &str| {
        let folder = setup.home.path().join(name);
        let path = program.spelled(&folder).into_string().unwrap();
        let ran = program.run(["simulate", &path, "--scenario", "slow-disk", "--writes", "300"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (fixture::name(&path), fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    };
    let (windows, linux) = (simulated(&exe, "windows"), simulated(&setup.linux, "linux"));
    assert!(!linux.is_empty());
    assert!(windows == linux, "the same options give the same bytes");
}

#[test]
#[ignore = "needs the Windows build: cargo xtask windows"]
fn fathom_exe_plays_the_demo_with_its_own_coordinator() {
    let ran = program("fathom.exe").run(["demo", "--once", "--run", RECORDING, "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.json().is_object());
}

impl Setup {
    /// Options of a daemon that reads what its node logs.
    fn live(&self, coordinator: &Process, profile: &str) -> Vec<std::ffi::OsString> {
        let program = daemon();
        let spool = self.home.path().join("spool").join("live");
        let mut options: Vec<std::ffi::OsString> =
            ["run", "--source", "etw", "--profile", profile, "--cluster", "test"]
                .map(Into::into)
                .into();
        options.extend(["--node", "i0", "--coordinator", &coordinator.address, "--spool"].map(Into::into));
        options.extend([
            program.spelled(&spool),
            "--topology".into(),
            program.spelled(&fixture::recording(RECORDING)),
        ]);
        for (option, file) in self.certificates.files("user") {
            options.extend([option.into(), program.spelled(&file)]);
        }
        options
    }
}

#[test]
#[ignore = "needs the Windows build: cargo xtask windows"]
fn a_source_that_needs_a_trace_session_says_that_there_is_none() {
    let setup = Setup::new();
    let coordinator = setup.coordinator();
    for profile in ["writes", "full"] {
        let ran = daemon().run(setup.live(&coordinator, profile));
        assert_eq!(ran.code, 1, "{}", ran.err);
        let told = ran.err.contains("does not trace") || ran.err.contains("access is denied");
        assert!(ran.err.contains("a trace session: ") && told, "{}", ran.err);
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
    }
}

#[test]
#[ignore = "needs the Windows build: cargo xtask windows"]
fn a_source_that_needs_none_runs_and_tells_what_it_cannot_read_and_an_order_that_it_cannot_follow_is_given_up() {
    let setup = Setup::new();
    let coordinator = setup.coordinator();
    let mut live = daemon().start(setup.live(&coordinator, "slow-only"));
    let ask = |arguments: &[&str]| {
        let mut all: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        all.extend(["-o", "json", "--coordinator", &coordinator.address].map(ToOwned::to_owned));
        all.extend(setup.certificates.options("user"));
        setup.linux.run(all)
    };
    let mut wait = |what: &str, holds: &dyn Fn(&serde_json::Value) -> bool| {
        let start = Instant::now();
        loop {
            let ran = ask(&["nodes"]);
            let seen = serde_json::from_str::<serde_json::Value>(&ran.out).unwrap_or_default();
            let nodes = seen["nodes"].as_array().cloned().unwrap_or_default();
            if nodes.iter().any(|node| node["node"] == "i0" && holds(&node["daemon"])) {
                return;
            }
            assert!(live.runs(), "it ended: {}", live.said());
            assert!(start.elapsed() < Duration::from_secs(60), "{what}: {seen}");
            std::thread::sleep(Duration::from_millis(200));
        }
    };
    let has = |daemon: &serde_json::Value, text: &str| daemon["troubles"].to_string().contains(text);
    wait("it runs", &|daemon| {
        daemon["profile"] == "slow-only" && has(daemon, "Microsoft-Windows-ReFS/Operational: ")
    });
    let ran = ask(&["profile", "writes", "--for", "5m", "--node", "i0"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    wait("the order is given up", &|daemon| {
        daemon["profile"] == "slow-only" && has(daemon, "the profile that was ordered")
    });
}
