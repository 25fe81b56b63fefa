//! Through the network and in one process the result is the same, whatever the batches and the order of nodes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use fathom_integration_tests::process::{Certificates, Program, finished};
use fathom_integration_tests::{fixture, stored};
use fathom_lab::replay::{Options, replay};
use fathom_model::Tap;
use proptest::prelude::*;
use proptest::sample::subsequence;

fn in_process(recording: &Path, without: &[Tap]) -> Vec<String> {
    let options = Options {
        without: without.to_vec(),
        ..Options::default()
    };
    let replayed = replay(&fathom_lab::open(recording).unwrap(), &options).unwrap();
    stored::texts(&replayed.rows, &replayed.catalog)
}

/// Shows the first difference and not two lists of 20,000.
fn assert_same(found: &[String], expected: &[String]) {
    if let Some((found, expected)) = found.iter().zip(expected).find(|(found, expected)| found != expected) {
        panic!("first difference:\n  found    {found}\n  expected {expected}");
    }
    assert_eq!(found.len(), expected.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn network_gives_what_one_process_gives(
        batches in prop::collection::vec(1_usize..9000, 4),
        order in Just(vec![0_usize, 1, 2, 3]).prop_shuffle(),
        without in subsequence(vec![Tap::Target], 0..=1),
        duplicate in 0_usize..4,
    ) {
        let program = Program::new(env!("CARGO_BIN_EXE_fathom-under-test"));
        let recording = fixture::recording("fault-network-slow");
        let home = tempfile::tempdir().unwrap();
        let certificates = Certificates::new(&home.path().join("certificates"));
        let store = home.path().join("store");
        let mut coordinator = program.coordinator(&certificates, &store, &["--commit-every", "300ms"]);
        let nodes = ["i0", "t0", "t1", "t2"];
        let mut daemons: Vec<_> = order
            .iter()
            .map(|&at| {
                let batch = batches[at].to_string();
                let mut more = vec!["--batch-events", &batch];
                without.iter().for_each(|tap| more.extend(["--without-tap", tap.as_str()]));
                let daemon = program.node(&certificates, &coordinator.address, &recording, nodes[at], home.path(), &more);
                std::thread::sleep(std::time::Duration::from_millis(70));
                daemon
            })
            .collect();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(finished(&certificates, &coordinator.address));
        for daemon in &mut daemons {
            prop_assert_eq!(daemon.wait(), 0, "a daemon whose events are all stored ends by itself");
        }
        // The same events once more, from a new spool: they are known, and nothing changes.
        let again = home.path().join("again");
        let node = nodes[duplicate];
        let mut more = vec!["--batch-events", "77"];
        without.iter().for_each(|tap| more.extend(["--without-tap", tap.as_str()]));
        let mut twice = program.node(&certificates, &coordinator.address, &recording, node, &again, &more);
        prop_assert_eq!(twice.wait(), 0);
        prop_assert_eq!(coordinator.terminate(), 0);
        let found = runtime.block_on(stored::read(&store, "test"));
        assert_same(&found.rows, &in_process(&recording, &without));
        prop_assert!(stored::ordinals(&found).values().all(|uses| *uses == 1));
    }
}

#[test]
fn batch_size_changes_nothing_in_one_process() {
    let recording = fathom_lab::open(&fixture::recording("fault-network-slow")).unwrap();
    let with = |batch_events| {
        let replayed = replay(
            &recording,
            &Options {
                batch_events,
                ..Options::default()
            },
        )
        .unwrap();
        stored::texts(&replayed.rows, &replayed.catalog)
    };
    let expected = with(4096);
    for batch_events in [1, 613, 65_536] {
        assert_same(&with(batch_events), &expected);
    }
}
