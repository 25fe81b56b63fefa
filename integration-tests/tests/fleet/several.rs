//! Many clusters by RPC: one question to all of them, selections under names, latency over any stretch, and pages of the fleet's health.

use std::collections::BTreeMap;

use fathom_integration_tests::fleet::Setup;
use fathom_integration_tests::process::{Process, assert_fails};
use fathom_proto::fleet::v1 as wire;
use fathom_proto::fleet::v1::ask_clusters_response::Message as Said;
use fathom_proto::fleet::v1::fleet_service_client::FleetServiceClient;
use fathom_proto::query::v1 as query;
use fathom_proto::query::v1::query_service_client::QueryServiceClient;
use prost::Message;
use serde_json::{Value, json};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::answers::list;

const LATENCY: &str = "/fathom.query.v1.QueryService/GetLatency";

fn on_a_runtime<T>(setup: &Setup, fleet: &Process, ask: impl AsyncFnOnce(Channel) -> T) -> T {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { ask(setup.certificates.channel(&fleet.address).await).await })
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

fn selection(terms: &[&str]) -> Option<wire::Selection> {
    Some(wire::Selection {
        terms: terms.iter().map(|term| (*term).to_owned()).collect(),
        sites: Vec::new(),
    })
}

fn question(method: &str, request: &impl Message, terms: &[&str]) -> wire::AskClustersRequest {
    wire::AskClustersRequest {
        selection: selection(terms),
        method: method.to_owned(),
        request: request.encode_to_vec().into(),
        deadline_nanos: 20_000_000_000,
        last_findings: false,
    }
}

/// Outcomes and single answers by SITE/CLUSTER, and the summary.
type Answers = (BTreeMap<String, (wire::ClusterOutcome, Vec<u8>)>, wire::AskSummary);

async fn ask(channel: Channel, question: wire::AskClustersRequest) -> Result<Answers, Status> {
    let mut client = FleetServiceClient::new(channel);
    let mut stream = client.ask_clusters(question).await?.into_inner();
    let (mut begun, mut over) = (BTreeMap::<String, Vec<u8>>::new(), BTreeMap::new());
    while let Some(response) = stream.message().await? {
        match response.message.unwrap() {
            Said::Part(part) => {
                let name = format!("{}/{}", part.site, part.cluster);
                begun.entry(name).or_default().extend_from_slice(&part.piece);
            }
            Said::Outcome(outcome) => {
                let cluster = outcome.cluster.clone().unwrap();
                let name = format!("{}/{}", cluster.site, cluster.cluster);
                let answer = begun.remove(&name).unwrap_or_default();
                assert!(over.insert(name, (*outcome, answer)).is_none(), "once each");
            }
            Said::Summary(summary) => {
                assert!(stream.message().await?.is_none(), "it is the last");
                return Ok((over, summary));
            }
        }
    }
    panic!("no summary")
}

/// What a program gets with one call is what it gets with one call a cluster; of clusters c1 and both at berlin, c2 and both at oslo.
pub(crate) fn many_are_asked_with_one_call(setup: &Setup, fleet: &Process) {
    on_a_runtime(setup, fleet, async |channel| {
        let latency = query::GetLatencyRequest {
            by: "disk".to_owned(),
            ..query::GetLatencyRequest::default()
        };
        let (answers, summary) = ask(channel.clone(), question(LATENCY, &latency, &[])).await.unwrap();
        assert_eq!((summary.clusters, summary.answered, summary.missing.len()), (4, 4, 0));
        let names: Vec<&str> = answers.keys().map(String::as_str).collect();
        assert_eq!(names, ["berlin/both", "berlin/c1", "oslo/both", "oslo/c2"]);
        for (name, (outcome, answer)) in &answers {
            assert_eq!((outcome.outcome.as_str(), outcome.code), ("answered", 0), "{name}");
            let cluster = outcome.cluster.as_ref().unwrap();
            let alone = query::GetLatencyRequest {
                cluster: cluster.address.clone(),
                ..latency.clone()
            };
            let alone = QueryServiceClient::new(channel.clone())
                .get_latency(alone)
                .await
                .unwrap();
            let answer = query::GetLatencyResponse::decode(&answer[..]).unwrap();
            assert_eq!(answer.latency, alone.into_inner().latency, "{name}");
        }

        // What a site refuses, and names that nothing has.
        let many = query::ListIosRequest {
            page_size: 5_000,
            ..query::ListIosRequest::default()
        };
        let list_ios = "/fathom.query.v1.QueryService/ListIos";
        let (answers, summary) = ask(channel.clone(), question(list_ios, &many, &["c1", "c2", "c9", "x*"]))
            .await
            .unwrap();
        assert_eq!((summary.clusters, summary.answered), (2, 1));
        let [missing] = &summary.missing[..] else {
            panic!("{summary:?}")
        };
        assert_eq!(
            (
                missing.cluster.as_str(),
                missing.cause.as_str(),
                missing.reason.as_str()
            ),
            ("c2", "no_answer", "SITE_ROWS")
        );
        assert_eq!(missing.since_unix_nanos, None, "it was heard");
        let gaps = summary.gaps.unwrap();
        assert_eq!(
            (gaps.unknown[0].cluster.as_str(), &gaps.empty_terms[..]),
            ("c9", &["x*".to_owned()][..])
        );
        let answer = query::ListIosResponse::decode(&answers["berlin/c1"].1[..]).unwrap();
        assert_eq!(answer.ios.len(), 5_000, "in pieces it is whole");

        // What has one place is not there everywhere else, and that is an answer.
        let id = answer.ios[0].id.clone();
        let io = query::GetIoRequest {
            id,
            ..query::GetIoRequest::default()
        };
        let get_io = "/fathom.query.v1.QueryService/GetIo";
        let (answers, summary) = ask(channel.clone(), question(get_io, &io, &[])).await.unwrap();
        let words: Vec<&str> = answers.values().map(|(outcome, _)| outcome.outcome.as_str()).collect();
        assert_eq!(words, ["not_there", "answered", "not_there", "not_there"]);
        assert_eq!(summary.answered, 4);

        // Nobody is meant; and what is not asked of several.
        let (answers, summary) = ask(channel.clone(), question(LATENCY, &latency, &["nope"]))
            .await
            .unwrap();
        assert!(answers.is_empty() && summary.clusters == 0);
        for method in [
            "/fathom.query.v1.FindingsService/WatchFindings",
            "/fathom.query.v1.FindingsService/MuteFinding",
            "/fathom.query.v1.QueryService/GetStatus",
            "/fathom.fleet.v1.FleetService/ListSites",
            "nonsense",
        ] {
            let refused = ask(channel.clone(), question(method, &latency, &[])).await.unwrap_err();
            assert_eq!(
                (refused.code(), reason(&refused)),
                (Code::InvalidArgument, "METHOD".to_owned())
            );
        }
        let unread = wire::AskClustersRequest {
            request: vec![0x0a, 9].into(),
            ..question(LATENCY, &latency, &[])
        };
        assert_eq!(reason(&ask(channel.clone(), unread).await.unwrap_err()), "INVALID");
        let unsaved = ask(channel, question(LATENCY, &latency, &["@nope"])).await.unwrap_err();
        assert_eq!(
            (unsaved.code(), reason(&unsaved)),
            (Code::NotFound, "NO_SELECTION".to_owned())
        );
    });
    let short = setup.ask(fleet, &["nodes", "--all", "-o", "json"]);
    assert_eq!(
        (short.code, list(&short.json(), "clusters").len()),
        (0, 4),
        "{}",
        short.err
    );
}

/// A selection is saved once for everybody, stands in others, and is asked for by every command.
pub(crate) fn selections_are_saved(setup: &Setup, fleet: &Process) {
    let ask = |arguments: &[&str]| setup.ask(fleet, arguments);
    let fine = |arguments: &[&str]| assert_eq!(ask(arguments).code, 0, "{}", ask(arguments).err);
    fine(&["fleet", "save", "gold", "--cluster", "tier=gold", "--site", "berlin"]);
    fine(&["fleet", "save", "mine", "--cluster", "@gold", "--cluster", "oslo/c2"]);
    let saved = ask(&["fleet", "selections", "-o", "json"]).json();
    let rows: Vec<(&Value, &Value, &Value)> = (list(&saved, "selections").iter())
        .map(|row| (&row["name"], &row["clusters"], &row["sites"]))
        .collect();
    assert_eq!(
        rows,
        [
            (&json!("gold"), &json!(["tier=gold"]), &json!(["berlin"])),
            (&json!("mine"), &json!(["@gold", "oslo/c2"]), &json!([]))
        ]
    );
    assert!(ask(&["fleet", "selections"]).out.contains("@mine"));
    for question in [&["latency"][..], &["clusters"], &["fleet"]] {
        let ran = ask(&[question, &["--cluster", "@mine", "-o", "json"]].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        let document = ran.json();
        let names: Vec<&str> = (list(&document, "clusters").iter())
            .map(|own| own["cluster"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["c1", "c2"], "{question:?}");
    }
    let used = ask(&["fleet", "unsave", "gold"]);
    assert_fails(&used, 1, &["`gold` stands in others: mine"]);
    assert_fails(
        &ask(&["fleet", "save", "all"]),
        2,
        &["no selection at all is all clusters"],
    );
    assert_fails(
        &ask(&["why", "--cluster", "@nope"]),
        2,
        &["there is no selection `nope`", "gold, mine"],
    );
    fine(&["fleet", "save", "once", "--cluster", "c1", "--request-id", "r1"]);
    fine(&["fleet", "save", "once", "--cluster", "c2"]);
    // Sent again by somebody who did not see the answer.
    fine(&["fleet", "save", "once", "--cluster", "c1", "--request-id", "r1"]);
    let saved = ask(&["fleet", "selections", "-o", "json"]).json();
    assert_eq!(saved["selections"][2]["clusters"], json!(["c2"]), "{saved:#}");
    let other = ask(&["fleet", "save", "once", "--cluster", "c9", "--request-id", "r1"]);
    assert_fails(&other, 2, &["another request's"]);
    fine(&["fleet", "unsave", "once"]);
    assert_fails(&ask(&["fleet", "unsave", "once"]), 2, &["nothing was deleted"]);
}

/// Latency of a stretch is that of the I/Os in it, of all clusters together, each I/O once.
pub(crate) fn latency_is_of_any_stretch(setup: &Setup, fleet: &Process) {
    let ask = |arguments: &[&str]| {
        let ran = setup.ask(fleet, &[arguments, &["-o", "json"]].concat());
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
        ran.json()
    };
    let of = |options: &[&str]| {
        let document = ask(&[&["fleet", "latency"][..], options].concat());
        let mut rows = list(&document, "latency").iter();
        let row = rows.find(|row| row["tap"] == "volume" && row["op"] == "write");
        (document["source"].clone(), row.cloned().unwrap_or_default())
    };
    let total = |options: &[&str]| {
        let document = ask(&[&["writes", "--limit", "1", "--all-clusters"][..], options].concat());
        let clusters = list(&document, "clusters").iter();
        clusters
            .map(|own| own["answer"]["total"].as_u64().unwrap_or(0))
            .sum::<u64>()
    };
    let (of_rollups, whole) = of(&[]);
    assert_eq!(of_rollups, "rollups");
    for stretch in [
        &["--since", "1h"][..],
        &["--since", "2s"],
        &["--since", "3s", "--until", "1s"],
        &["--until", "1s"],
    ] {
        let (source, row) = of(stretch);
        assert_eq!(
            (source, &row["count"]),
            (json!("sites"), &json!(total(stretch))),
            "{stretch:?}"
        );
    }
    let (_, all) = of(&["--since", "1h"]);
    assert_eq!((&all["count"], &all["max_ns"]), (&whole["count"], &whole["max_ns"]));
    // Of a volume and a node; percentiles are within 1 % of the exact ones of one cluster.
    let of_c1 = ["--cluster", "c1", "--since", "2s", "--volume", "vol0"];
    let (_, row) = of(&of_c1);
    let exact = ask(&[&["latency", "--by", "tap"][..], &of_c1].concat());
    let exact = list(&exact, "latency")
        .iter()
        .find(|row| row["tap"] == "volume")
        .unwrap()
        .clone();
    assert_eq!(row["count"], exact["count"]);
    for key in ["p50_ns", "p95_ns", "p99_ns"] {
        let (found, exact) = (row[key].as_u64().unwrap(), exact[key].as_u64().unwrap());
        assert!(found.abs_diff(exact) * 100 <= exact, "{key}: {found} {exact}");
    }
    let (_, of_node) = of(&["--cluster", "c?", "--node", "t2"]);
    assert_eq!(of_node["count"], json!(total(&["--node", "t2"])));
    let none = setup.ask(fleet, &["fleet", "latency", "--volume", "nope"]);
    assert_fails(&none, 2, &["there is no volume `nope`"]);
}

/// All pages together are the one answer of a client that knows no pages.
pub(crate) fn health_has_pages(setup: &Setup, fleet: &Process) {
    on_a_runtime(setup, fleet, async |channel| {
        let mut client = FleetServiceClient::new(channel);
        let mut page = async |page_size: i32, page_token: &str| {
            let request = wire::GetFleetHealthRequest {
                clusters: true,
                changes_nanos: 3_600_000_000_000,
                page_size,
                page_token: page_token.to_owned(),
                ..wire::GetFleetHealthRequest::default()
            };
            client.get_fleet_health(request).await.map(tonic::Response::into_inner)
        };
        let names = |page: &wire::GetFleetHealthResponse| -> Vec<String> {
            let entries = page
                .entries
                .iter()
                .map(|own| format!("{} {}/{}", own.level, own.site, own.cluster));
            entries
                .chain(page.changes.iter().map(|own| own.number.to_string()))
                .collect()
        };
        let whole = page(0, "").await.unwrap();
        assert!(
            whole.next_page_token.is_empty() && whole.entries.len() == 7,
            "{whole:?}"
        );
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let next = page(3, &token).await.unwrap();
            assert!(next.entries.len() + next.changes.len() <= 3);
            found.extend(names(&next));
            token = next.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(found, names(&whole));
        assert_eq!(reason(&page(3, "zzz").await.unwrap_err()), "INVALID");
    });
}

/// Of clusters c1 at berlin and c2 at oslo, which is gone: what is missing is in every answer, with since when.
pub(crate) fn missing_site_is_in_the_summary(setup: &Setup, fleet: &Process) {
    let summary = on_a_runtime(setup, fleet, async |channel| {
        let asked = question(LATENCY, &query::GetLatencyRequest::default(), &[]);
        let (answers, summary) = ask(channel, asked).await.unwrap();
        assert_eq!(answers["berlin/c1"].0.outcome, "answered");
        summary
    });
    assert_eq!((summary.clusters, summary.answered), (2, 1));
    let [missing] = &summary.missing[..] else {
        panic!("{summary:?}")
    };
    assert_eq!(
        (missing.site.as_str(), missing.cause.as_str(), missing.reason.as_str()),
        ("oslo", "site_missing", "SITE_MISSING")
    );
    assert!(missing.since_unix_nanos.is_some(), "{missing:?}");
    let ran = setup.ask(fleet, &["fleet", "latency", "--since", "1h", "-o", "json"]);
    assert_eq!(ran.code, 4, "{}", ran.err);
    let document = ran.json();
    assert_eq!(document["clusters"], 1, "{document:#}");
    let [missing] = &list(&document, "missing")[..] else {
        panic!("{document:#}")
    };
    assert_eq!(
        (&missing["cluster"], &missing["reason"]),
        (&json!("c2"), &json!("SITE_MISSING"))
    );
    assert!(missing["since_unix_ns"].is_i64(), "{missing:#}");
    assert!(
        ran.err
            .contains("partial: oslo/c2 gave no answer (its site was heard last at"),
        "{}",
        ran.err
    );
}
