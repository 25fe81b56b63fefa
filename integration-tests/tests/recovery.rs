//! Killing any process at any moment and starting it again loses nothing and stores nothing twice.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use fathom_integration_tests::process::{Certificates, Process, Program, finished};
use fathom_integration_tests::{fixture, stored};
use fathom_lab::replay::{Options, replay};

const NODES: [&str; 4] = ["i0", "t0", "t1", "t2"];

/// Played so fast that a run takes about 3 s: long enough to be killed in the middle.
const PACE: &str = "6";

struct Setup {
    program: Program,
    home: tempfile::TempDir,
    certificates: Certificates,
}

impl Setup {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let certificates = Certificates::new(&home.path().join("certificates"));
        Self {
            program: Program::new(env!("CARGO_BIN_EXE_fathom-under-test")),
            home,
            certificates,
        }
    }

    fn coordinator(&self, more: &[&str]) -> Process {
        let mut options = vec!["--commit-every", "200ms"];
        options.extend(more);
        self.program.coordinator(&self.certificates, &self.store(), &options)
    }

    fn node(&self, coordinator: &Process, node: &str) -> Process {
        let recording = fixture::recording("fault-network-slow");
        let more = ["--pace", PACE, "--batch-events", "700"];
        self.program.node(
            &self.certificates,
            &coordinator.address,
            &recording,
            node,
            self.home.path(),
            &more,
        )
    }

    fn store(&self) -> std::path::PathBuf {
        self.home.path().join("store")
    }

    async fn assert_whole(&self, recording: &Path) {
        let found = stored::read(&self.store(), "test").await;
        let replayed = replay(&fathom_lab::open(recording).unwrap(), &Options::default()).unwrap();
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
        for (node, events) in &replayed.events {
            let own = used.keys().filter(|(name, _)| name == node.as_str()).count() as u64;
            assert_eq!(own, *events, "every event of {node} is somewhere");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn daemon_killed_in_the_middle_goes_on_where_it_was() {
    let setup = Setup::new();
    let coordinator = setup.coordinator(&[]);
    let mut daemons: Vec<Process> = NODES.iter().map(|node| setup.node(&coordinator, node)).collect();
    for victim in [0, 2, 0] {
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert!(daemons[victim].runs(), "it is killed in the middle");
        daemons[victim].kill();
        daemons[victim] = setup.node(&coordinator, NODES[victim]);
    }
    finished(&setup.certificates, &coordinator.address).await;
    drop(coordinator);
    setup.assert_whole(&fixture::recording("fault-network-slow")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn coordinator_killed_in_the_middle_goes_on_from_its_newest_record() {
    let setup = Setup::new();
    let mut coordinator = setup.coordinator(&[]);
    let address = coordinator.address.clone();
    let port = address.rsplit(':').next().unwrap().to_owned();
    let listen = format!("127.0.0.1:{port}");
    let mut daemons: Vec<Process> = NODES.iter().map(|node| setup.node(&coordinator, node)).collect();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        for daemon in &mut daemons {
            assert!(
                daemon.runs(),
                "it is killed in the middle, but a daemon ended: {}",
                daemon.said()
            );
        }
        coordinator.kill();
        coordinator = setup.coordinator(&["--listen", &listen]);
    }
    finished(&setup.certificates, &address).await;
    for daemon in &mut daemons {
        assert_eq!(daemon.wait(), 0, "{}", daemon.said());
    }
    drop(coordinator);
    let found = stored::read(&setup.store(), "test").await;
    assert!(
        found.number > 5,
        "it was taken over four times, the first time when it began, and committed in between: {}",
        found.number
    );
    setup.assert_whole(&fixture::recording("fault-network-slow")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_never_comes_is_not_waited_for_beyond_the_silence_time() {
    let setup = Setup::new();
    let coordinator = setup.coordinator(&["--silence", "1s"]);
    let recording = fixture::recording("fault-network-slow");
    let present: Vec<Process> = ["i0", "t0", "t2"]
        .iter()
        .map(|node| {
            setup.program.node(
                &setup.certificates,
                &coordinator.address,
                &recording,
                node,
                setup.home.path(),
                &[],
            )
        })
        .collect();
    finished(&setup.certificates, &coordinator.address).await;
    drop(present);
    // It comes when all is over: its events are late, and said to be.
    let mut late = setup.program.node(
        &setup.certificates,
        &coordinator.address,
        &recording,
        "t1",
        setup.home.path(),
        &[],
    );
    assert_eq!(late.wait(), 0);
    drop(coordinator);
    let found = stored::read(&setup.store(), "test").await;
    let silent = found
        .joined
        .legs
        .iter()
        .filter(|leg| leg.missing_device == Some(fathom_model::Missing::Silent))
        .count();
    assert_eq!(silent, 16_000, "each write has a leg on the node that was not heard");
    let late = found
        .joined
        .unmatched
        .iter()
        .filter(|event| event.cause == fathom_model::UnmatchedCause::Late)
        .count();
    assert_eq!(late, 32_000, "and each of its events came too late");
    assert!(stored::ordinals(&found).values().all(|uses| *uses == 1));
}

/// A new coordinator does not know who had been given up; what a late node sends must not wait for the others for ever.
#[tokio::test(flavor = "multi_thread")]
async fn node_that_comes_late_to_a_new_coordinator_does_not_wait_for_those_that_never_come() {
    let setup = Setup::new();
    let mut coordinator = setup.coordinator(&["--silence", "1s"]);
    let recording = fixture::recording("fault-network-slow");
    let node = |coordinator: &Process, node: &str| {
        let home = setup.home.path();
        setup
            .program
            .node(&setup.certificates, &coordinator.address, &recording, node, home, &[])
    };
    let present: Vec<Process> = ["i0", "t0"].iter().map(|name| node(&coordinator, name)).collect();
    finished(&setup.certificates, &coordinator.address).await;
    drop(present);
    coordinator.kill();
    let coordinator = setup.coordinator(&["--silence", "1s"]);
    let mut late = node(&coordinator, "t1");
    assert_eq!(late.wait(), 0, "its events are stored, though t2 is still away");
    drop(coordinator);
    let found = stored::read(&setup.store(), "test").await;
    let late = |event: &&fathom_model::Unmatched| event.cause == fathom_model::UnmatchedCause::Late;
    assert_eq!(found.joined.unmatched.iter().filter(late).count(), 32_000);
    assert!(stored::ordinals(&found).values().all(|uses| *uses == 1));
}
