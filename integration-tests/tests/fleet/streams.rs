//! Answers that are streams, and watches that go on.

use std::time::Duration;

use fathom_integration_tests::fleet::Setup;
use fathom_integration_tests::process::Process;
use fathom_proto::fleet::v1 as fleet_wire;
use fathom_proto::fleet::v1::fleet_service_client::FleetServiceClient;
use fathom_proto::query::v1 as wire;
use fathom_proto::query::v1::findings_service_client::FindingsServiceClient;
use fathom_proto::query::v1::query_service_client::QueryServiceClient;
use tonic::{Code, Request};
use tonic_types::StatusExt;

/// Answers that are streams come whole, in their order, and a watch sees what changes.
pub(super) fn flow(setup: &Setup, fleet: &Process) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let channel = setup.certificates.channel(&fleet.address).await;
        let request = wire::StreamIosRequest {
            cluster: "c1".to_owned(),
            filter: None,
        };
        let mut client = QueryServiceClient::new(channel.clone()).max_decoding_message_size(64 << 20);
        let mut ios = client.stream_ios(request).await.unwrap().into_inner();
        let mut ids = Vec::new();
        while let Some(some) = ios.message().await.unwrap() {
            ids.extend(some.ios.into_iter().map(|io| io.id));
        }
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!((count, ids.len()), (16_000, 16_000));
        // The site of the other cluster gives no more than 2000 rows, and says so after them.
        let request = wire::StreamIosRequest {
            cluster: "c2".to_owned(),
            filter: None,
        };
        let mut ios = client.stream_ios(request).await.unwrap().into_inner();
        let refused = loop {
            match ios.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it gave all rows"),
                Err(status) => break status,
            }
        };
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert_eq!(refused.get_details_error_info().unwrap().reason, "SITE_ROWS");
        // Whoever does not take his answer holds up nobody else's, nor what the site tells.
        let mut fleets = FleetServiceClient::new(channel.clone());
        let mut heard = async || {
            let request = fleet_wire::ListSitesRequest::default();
            let sites = fleets.list_sites(request).await.unwrap().into_inner().sites;
            let berlin = sites.into_iter().find(|site| site.site == "berlin").unwrap();
            (berlin.reach, berlin.heard_unix_nanos)
        };
        let before = heard().await;
        let aside = setup.certificates.channel(&fleet.address).await;
        let request = wire::StreamIosRequest {
            cluster: "c1".to_owned(),
            filter: None,
        };
        let stalled = QueryServiceClient::new(aside).stream_ios(request).await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        let request = wire::GetLatencyRequest {
            cluster: "c1".to_owned(),
            ..wire::GetLatencyRequest::default()
        };
        let other = client.get_latency(request).await.unwrap().into_inner();
        assert!(!other.latency.is_empty());
        let after = heard().await;
        assert!(after.0 == "connected" && after.1 > before.1, "{before:?} {after:?}");
        drop(stalled);
        // A watch holds up no question, however few the site answers at once.
        let watched = wire::WatchFindingsRequest {
            cluster: "c2".to_owned(),
            ..wire::WatchFindingsRequest::default()
        };
        let mut findings = FindingsServiceClient::new(channel.clone());
        let mut watches = findings.watch_findings(watched).await.unwrap().into_inner();
        assert_eq!(watches.message().await.unwrap().unwrap().open.len(), 1);
        for cluster in ["c2", "oslo/both"] {
            let request = wire::GetLatencyRequest {
                cluster: cluster.to_owned(),
                ..wire::GetLatencyRequest::default()
            };
            client.get_latency(request).await.unwrap();
        }
        drop(watches);
        // A deadline goes all the way down.
        let mut late = Request::new(wire::WatchFindingsRequest {
            cluster: "c1".to_owned(),
            ..wire::WatchFindingsRequest::default()
        });
        late.set_timeout(Duration::from_millis(1500));
        let mut client = FindingsServiceClient::new(channel);
        let mut watch = client.watch_findings(late).await.unwrap().into_inner();
        let first = watch.message().await.unwrap().unwrap();
        assert_eq!(first.open.len(), 1);
        let over = watch.message().await.unwrap_err();
        assert!(
            matches!(over.code(), Code::DeadlineExceeded | Code::Cancelled),
            "{over}"
        );
    });
}

/// A watch says everything, then with its token only what looks different since.
pub(super) fn watch_goes_on(setup: &Setup, fleet: &Process, runtime: &tokio::runtime::Runtime) {
    runtime.block_on(async {
        let channel = setup.certificates.channel(&fleet.address).await;
        let mut client = FleetServiceClient::new(channel);
        let mut first = async |token: &str| {
            let request = fleet_wire::WatchFleetHealthRequest {
                resume_token: token.to_owned(),
                ..fleet_wire::WatchFleetHealthRequest::default()
            };
            let mut watch = client.watch_fleet_health(request).await.unwrap().into_inner();
            let next = tokio::time::timeout(Duration::from_secs(2), watch.message()).await;
            next.map(|message| message.unwrap().unwrap())
        };
        let all = first("").await.unwrap();
        assert!(all.is_all && all.entries.len() == 5, "{all:#?}");
        let oslo = all
            .entries
            .iter()
            .find(|entry| entry.level == "cluster" && entry.site == "oslo");
        assert_eq!(oslo.unwrap().state, "unknown");
        // What was still on its way comes with the next rollup, and each token goes on behind it.
        let mut token = all.resume_token.clone();
        let mut news = 0;
        while let Ok(since) = first(&token).await {
            assert!(!since.is_all && since.resume_token != token, "{since:#?}");
            (token, news) = (since.resume_token, news + 1);
            assert!(news < 10, "nothing looks different since");
        }
        let foreign = first("00000000deadbeef.3").await.unwrap();
        assert!(foreign.is_all, "a token of another process is one for everything");
        let of_berlin = fleet_wire::Selection {
            sites: vec!["berlin".to_owned()],
            ..fleet_wire::Selection::default()
        };
        let request = fleet_wire::WatchFleetHealthRequest {
            selection: Some(of_berlin),
            ..fleet_wire::WatchFleetHealthRequest::default()
        };
        let mut watch = client.watch_fleet_health(request).await.unwrap().into_inner();
        let some = watch.message().await.unwrap().unwrap();
        let sites: Vec<&str> = some.entries.iter().map(|entry| entry.site.as_str()).collect();
        assert_eq!(sites, ["", "berlin", "berlin"], "{some:#?}");
        assert_ne!(some.entries[0].state, "unknown", "counted from what is selected alone");
    });
}
