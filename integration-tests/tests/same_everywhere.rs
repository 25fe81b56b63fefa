//! Through the network and in one process the result is the same, whatever the batches and the order of nodes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use std::time::Duration;

use fathom_integration_tests::process::{Certificates, Program, finished};
use fathom_integration_tests::{fixture, stored};
use fathom_lab::replay::{Options, replay};
use fathom_model::{IoColumns, StreamId, StreamKind, Tap};
use fathom_proto::COLLECT_PROTOCOL;
use fathom_proto::collect::v1 as wire;
use fathom_proto::collect::v1::collect_request::Message as Request;
use fathom_proto::collect::v1::collect_response::Message as Response;
use fathom_proto::collect::v1::collect_service_client::CollectServiceClient;
use fathom_proto::convert::batch;
use fathom_proto::convert::collect::{Opening, VersionedTopology, devices_to_wire};
use fathom_sources::replay::{Options as ReplayOptions, ReplaySource};
use fathom_sources::{Polled, Source};
use proptest::prelude::*;
use proptest::sample::subsequence;
use tonic::transport::Channel;

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
                std::thread::sleep(Duration::from_millis(70));
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

/// A daemon that repeats itself: every batch twice, and now and then a batch that overlaps what came before, or one of long ago.
async fn stutter(channel: Channel, mut source: ReplaySource, most: usize) {
    let described = source.describe();
    let opening = Opening {
        protocol_version: COLLECT_PROTOCOL,
        stream: StreamId {
            cluster: "test".into(),
            node: described.node,
            kind: StreamKind::Io,
            incarnation: described.incarnation.unwrap(),
        },
        anchor_unix_nanos: 0,
        anchor_monotonic_nanos: 0,
        taps: described.taps,
        covered_from_unix_nanos: described.covered_from_unix_nanos,
        spool_first_ordinal: 0,
        spool_next_ordinal: 0,
        daemon_version: "test".to_owned(),
    };
    let topology = VersionedTopology {
        version: 1,
        valid_from_unix_nanos: None,
        topology: described.topology.unwrap(),
    };
    let mut messages = vec![
        Request::Hello((&opening).into()),
        Request::Topology((&topology).into()),
        Request::Devices(devices_to_wire(source.devices())),
    ];
    let mut all = IoColumns::default();
    while let Polled::Events(events) = source.poll(Duration::ZERO, most).unwrap() {
        let once = batch::encode(events.first_ordinal, &events.columns, events.complete_until_unix_nanos);
        events.columns.iter().for_each(|event| all.push(event));
        messages.extend([Request::IoBatch(once.clone()), Request::IoBatch(once)]);
        let known = all.len();
        if known.is_multiple_of(3) {
            let mut tail = IoColumns::default();
            let from = known.saturating_sub(most + most / 2);
            all.iter().skip(from).for_each(|event| tail.push(event));
            let again = batch::encode(from as u64, &tail, events.complete_until_unix_nanos);
            messages.push(Request::IoBatch(again));
            let mut old = IoColumns::default();
            all.iter().take(known / 2).for_each(|event| old.push(event));
            messages.push(Request::IoBatch(batch::encode(
                0,
                &old,
                events.complete_until_unix_nanos,
            )));
        }
    }
    messages.push(Request::EndOfStream(wire::EndOfStream {
        reason: wire::EndReason::Finished.into(),
        next_ordinal: all.len() as u64,
    }));
    let (outbox, queue) = tokio::sync::mpsc::channel(4);
    let sender = async {
        for message in messages {
            let message = Some(message);
            outbox.send(wire::CollectRequest { message }).await.unwrap();
        }
        // Held open: the last ack is still to come.
        std::future::pending::<()>().await;
    };
    let mut client = CollectServiceClient::new(channel);
    let listener = async {
        let stream = tokio_stream::wrappers::ReceiverStream::new(queue);
        let mut inbox = client.collect(stream).await.unwrap().into_inner();
        loop {
            let response = inbox.message().await.unwrap().expect("it ends with an ack");
            if matches!(&response.message, Some(Response::Ack(ack)) if ack.complete) {
                return;
            }
        }
    };
    tokio::select! {
        () = sender => {}
        () = listener => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_and_overlapping_batches_on_the_wire_change_nothing() {
    let program = Program::new(env!("CARGO_BIN_EXE_fathom-under-test"));
    let path = fixture::recording("reads-by-hand");
    let recording = fathom_lab::open(&path).unwrap();
    let home = tempfile::tempdir().unwrap();
    let certificates = Certificates::new(&home.path().join("certificates"));
    let store = home.path().join("store");
    let mut coordinator = program.coordinator(&certificates, &store, &["--commit-every", "50ms"]);
    let channel = certificates.channel(&coordinator.address).await;
    let daemon = |node: &str, most: usize| {
        let source = ReplaySource::open(&recording, &node.into(), ReplayOptions::default()).unwrap();
        stutter(channel.clone(), source, most)
    };
    let all = async { tokio::join!(daemon("n0", 7), daemon("n1", 1), daemon("n2", 30)) };
    tokio::time::timeout(Duration::from_secs(60), all)
        .await
        .expect("all is stored within a minute");
    assert_eq!(coordinator.terminate(), 0);
    let found = stored::read(&store, "test").await;
    assert_same(&found.rows, &in_process(&path, &[]));
    assert!(stored::ordinals(&found).values().all(|uses| *uses == 1));
}
