//! What a coordinator says to a daemon that speaks by hand: refusals with their domain, losses said again, and no records for
//! nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use fathom_model::ClusterId;
use fathom_model::coverage::{CoverageState, GapCause};
use fathom_proto::collect::v1 as wire;
use fathom_proto::collect::v1::collect_request::Message as Request;
use fathom_proto::query::v1 as query;
use fathom_proto::query::v1::query_service_client::QueryServiceClient;
use fathom_store::blobs::Blobs;
use fathom_store::{Span, manifest};
use serde_json::Value;
use tonic::{Code, Status};
use tonic_types::StatusExt;

#[path = "protocol/daemon.rs"]
mod daemon;

use daemon::{Daemon, Setup, program};

async fn coverage(store: &Path) -> Vec<(CoverageState, Option<u64>)> {
    let blobs = Blobs::open_folder(store).unwrap();
    let cluster = ClusterId::new("test");
    let newest = manifest::newest::<Value>(&blobs, &cluster).await.unwrap().unwrap();
    let rows = fathom_store::read_coverage(&blobs, &newest.files, Span::ALL)
        .await
        .unwrap();
    let gaps = rows
        .into_iter()
        .filter(|row| matches!(row.state, CoverageState::Gap(_)));
    gaps.map(|row| (row.state, row.events)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn loss_that_is_said_again_after_a_reconnect_is_one_loss_and_promises_need_no_record() {
    let mut setup = Setup::new().await;
    for _ in 0..3 {
        let daemon = Daemon::connect(&setup.channel).await;
        daemon.say_batch(0).await;
        daemon.say_lost(10, 20).await;
        daemon.say_gap(5, 9).await;
        setup.lost(20).await;
    }
    let daemon = Daemon::connect(&setup.channel).await;
    let before = setup.lost(20).await;
    for at in 0..20 {
        daemon.beat(Some(10 + at), 30).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let after = setup.record().await.number;
    assert!(after <= before + 1, "records {before} to {after} for heartbeats alone");
    drop(daemon);
    assert_eq!(setup.coordinator.terminate(), 0);
    let mut found = coverage(&setup.home.path().join("store")).await;
    found.sort_unstable();
    let expected = [
        (CoverageState::Gap(GapCause::SourceDropped), Some(3)),
        (CoverageState::Gap(GapCause::Released), Some(20)),
    ];
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_a_daemon_are_refused_with_the_domain_of_its_protocol() {
    let setup = Setup::new().await;
    let refusal = |status: Status| {
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.domain, "fathom.collect.v1", "{status}");
        (status.code(), info.reason, status.message().to_owned())
    };
    let daemon = Daemon::connect(&setup.channel).await;
    daemon.beat(Some(1), 1).await;
    let (code, reason, message) = refusal(daemon.refused().await);
    assert_eq!((code, reason.as_str()), (Code::InvalidArgument, "ORDINALS_SKIPPED"));
    assert!(message.contains("ordinal 0 was to come next, 1 came"), "{message}");

    let daemon = Daemon::connect(&setup.channel).await;
    daemon.say(Request::IoBatch(wire::IoBatch::default())).await;
    let (code, reason, message) = refusal(daemon.refused().await);
    assert_eq!((code, reason.as_str()), (Code::InvalidArgument, "MALFORMED"));
    assert_eq!(message, "io_batch.count cannot be 0");

    let daemon = Daemon::connect(&setup.channel).await;
    let mut devices = wire::DeviceDictionary::default();
    devices.devices.push(wire::Device {
        tap: wire::Tap::Device.into(),
        name: "another".to_owned(),
        ..wire::Device::default()
    });
    daemon.say(Request::Devices(devices)).await;
    let (code, reason, _) = refusal(daemon.refused().await);
    assert_eq!((code, reason.as_str()), (Code::InvalidArgument, "DEVICE_CHANGED"));
}

/// Counts that overflow were cut off, ends and gaps that cannot be were taken, and events after the end were joined.
#[tokio::test(flavor = "multi_thread")]
async fn losses_gaps_and_ends_that_cannot_be_are_refused() {
    let setup = Setup::new().await;
    let refusal = |status: Status| {
        let info = status.get_details_error_info().unwrap();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        (info.reason, status.message().to_owned())
    };
    for (first, count) in [(0, 0), (0, u64::MAX), (u64::MAX, u64::MAX)] {
        let daemon = Daemon::connect(&setup.channel).await;
        daemon.say_lost(first, count).await;
        let (reason, message) = refusal(daemon.refused().await);
        assert_eq!(reason, "MALFORMED");
        assert!(message.contains("ordinals_lost."), "{message}");
    }
    let daemon = Daemon::connect(&setup.channel).await;
    daemon.say_gap(9, 5).await;
    let (reason, message) = refusal(daemon.refused().await);
    assert_eq!(reason, "MALFORMED");
    assert!(message.contains("time_gap.until_unix_nanos"), "{message}");

    let daemon = Daemon::connect(&setup.channel).await;
    daemon.say_batch(0).await;
    daemon.say_end(3).await;
    let (reason, message) = refusal(daemon.refused().await);
    assert_eq!(reason, "AFTER_END");
    assert_eq!(message, "the stream ended before ordinal 3, and ordinal 9 came");

    let daemon = Daemon::connect(&setup.channel).await;
    daemon.say_end(10).await;
    // What has come may come again, and so may the end.
    daemon.say_batch(0).await;
    daemon.say_end(10).await;
    daemon.say_lost(4, 2).await;
    daemon.say_batch(1).await;
    let (reason, message) = refusal(daemon.refused().await);
    assert_eq!(reason, "AFTER_END");
    assert!(message.contains("ended before ordinal 10"), "{message}");
    let daemon = Daemon::connect(&setup.channel).await;
    daemon.say_lost(10, 1).await;
    assert_eq!(refusal(daemon.refused().await).0, "AFTER_END");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_about_a_cluster_says_what_it_did_not_see() {
    let setup = Setup::new().await;
    let daemon = Daemon::connect(&setup.channel).await;
    daemon.say_batch(0).await;
    let mut client = QueryServiceClient::new(setup.channel.clone());
    let unseen = |coverage: Option<query::Coverage>| {
        let mut nodes: Vec<String> = coverage.unwrap().nodes.into_iter().map(|node| node.node).collect();
        nodes.sort();
        nodes
    };
    // Until the topology has come the coordinator knows of n0 alone.
    loop {
        let nodes = client
            .list_nodes(query::ListNodesRequest::default())
            .await
            .unwrap()
            .into_inner();
        if nodes.nodes.len() == 3 {
            assert_eq!(unseen(nodes.coverage), ["n1", "n2"]);
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let volumes = client
        .list_volumes(query::ListVolumesRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(unseen(volumes.coverage), ["n1", "n2"]);
    let mut stream = client
        .stream_ios(query::StreamIosRequest::default())
        .await
        .unwrap()
        .into_inner();
    let first = stream.message().await.unwrap().unwrap();
    assert_eq!(
        (first.ios.len(), unseen(first.coverage)),
        (0, vec!["n1".to_owned(), "n2".to_owned()])
    );
    let request = query::ListIosRequest {
        order: 77,
        ..query::ListIosRequest::default()
    };
    let refused = client.list_ios(request).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::InvalidArgument, "order 77 is not one that this coordinator knows")
    );

    // What a source does not say is null and not 0.
    let mut command = vec!["volumes".to_owned(), "-o".to_owned(), "json".to_owned()];
    command.extend(["--coordinator".to_owned(), setup.coordinator.address.clone()]);
    command.extend(setup.certificates.options("user"));
    let ran = tokio::task::spawn_blocking(move || program().run(command))
        .await
        .unwrap();
    assert_eq!(ran.code, 4, "{}", ran.err);
    let volume = &ran.json()["volumes"][0];
    assert_eq!((&volume["size_bytes"], &volume["copies"]), (&Value::Null, &Value::Null));
}

/// Runs a command against the coordinator.
async fn command(setup: &Setup, arguments: &[&str]) -> fathom_integration_tests::process::Ran {
    let mut all: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    all.extend(["--coordinator".to_owned(), setup.coordinator.address.clone()]);
    all.extend(setup.certificates.options("user"));
    tokio::task::spawn_blocking(move || program().run(all)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn profile_that_is_ordered_reaches_daemons_now_and_when_they_connect() {
    let setup = Setup::new().await;
    let mut daemon = Daemon::connect(&setup.channel).await;
    assert_eq!(daemon.policy.unwrap().profile, None, "nothing was ordered");
    let ran = command(&setup, &["profile", "writes", "--for", "15m", "-o", "json"]).await;
    // n1 and n2 have no daemon, so they are told when they connect: the answer is partial.
    assert_eq!(ran.code, 4, "{}", ran.err);
    let document = ran.json();
    assert_eq!(
        (&document["profile"], &document["for_ns"]),
        (&"writes".into(), &900_000_000_000_u64.into())
    );
    let told: Vec<(String, bool)> = document["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| {
            (
                node["node"].as_str().unwrap().to_owned(),
                node["told"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("n0".to_owned(), true),
            ("n1".to_owned(), false),
            ("n2".to_owned(), false)
        ]
    );
    let order = daemon.ordered().await;
    assert_eq!(
        (order.profile(), order.for_nanos),
        (wire::Profile::Writes, 900_000_000_000)
    );

    // What a daemon says of itself is shown.
    let status = wire::DaemonStatus {
        profile: wire::Profile::Writes.into(),
        ordered_for_nanos: Some(7_000_000_000),
        processor_nanos: Some(25),
        running_nanos: 100,
        events_lost: Some(3),
        troubles: vec!["no storage bus".to_owned()],
        ..wire::DaemonStatus::default()
    };
    let heartbeat = wire::Heartbeat {
        daemon: Some(status),
        wall_unix_nanos: 1_790_000_000_000_000_000,
        ..wire::Heartbeat::default()
    };
    daemon.say(Request::Heartbeat(heartbeat)).await;
    let shown = loop {
        let shown = command(&setup, &["nodes", "-o", "json"]).await.json()["nodes"][0]["daemon"].clone();
        if !shown.is_null() {
            break shown;
        }
    };
    assert_eq!(
        (&shown["profile"], &shown["processor_share"]),
        (&"writes".into(), &0.25.into())
    );
    assert_eq!(
        (&shown["events_lost"], &shown["events_shed"]),
        (&3.into(), &Value::Null)
    );
    let table = command(&setup, &["nodes"]).await;
    assert!(
        table.out.contains("writes for 7 s") && table.err.contains("no storage bus"),
        "{} {}",
        table.out,
        table.err
    );
    // ... and kept, beside the counters of the node, from the next record on.
    let kept = loop {
        let ran = command(&setup, &["counters", "--counter", "daemon.processor", "-o", "json"]).await;
        let kept = ran.json();
        if kept["series"][0].is_object() {
            break kept;
        }
    };
    let reading = &kept["series"][0]["readings"][0];
    assert_eq!(
        (
            &kept["series"][0]["node"],
            &reading["value"],
            &reading["observed_unix_ns"]
        ),
        (&"n0".into(), &25.0.into(), &1_790_000_000_000_000_000_i64.into()),
        "{kept}"
    );
    drop(daemon);

    let mut again = Daemon::connect(&setup.channel).await;
    let order = again.policy.take().unwrap().profile.unwrap();
    assert_eq!(order.profile(), wire::Profile::Writes);
    assert!(
        order.for_nanos < 900_000_000_000 && order.for_nanos > 800_000_000_000,
        "{order:?}"
    );
    let ran = command(&setup, &["profile", "--clear", "--node", "n0"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let order = again.ordered().await;
    assert_eq!((order.profile(), order.for_nanos), (wire::Profile::Unspecified, 0));
    drop(again);
    let after = Daemon::connect(&setup.channel).await;
    assert_eq!(after.policy.unwrap().profile, None);

    for (arguments, part) in [
        (&["profile", "writes"][..], "--for"),
        (&["profile", "everything", "--for", "1m"], "slow-only"),
        (&["profile", "writes", "--for", "48h"], "24 hours"),
        (&["profile"], "PROFILE"),
    ] {
        let ran = command(&setup, arguments).await;
        assert!(
            ran.code == 2 && ran.err.contains(part),
            "{arguments:?}: {} {}",
            ran.code,
            ran.err
        );
    }
}
