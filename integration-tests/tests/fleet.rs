//! A fleet coordinator and two sites as processes: questions across, sites cut off and restarted, and what a site does not allow.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use fathom_integration_tests::fleet::{BACK_WITHIN, PATIENCE, Setup, find, told};
use fathom_integration_tests::process::{Certificates, Process, Program, assert_fails};
use fathom_proto::fleet::v1 as fleet_wire;
use fathom_proto::fleet::v1::site_service_client::SiteServiceClient;
use fathom_proto::query::v1 as wire;
use fathom_proto::query::v1::findings_service_client::FindingsServiceClient;
use serde_json::Value;
use tonic::Code;
use tonic_types::StatusExt;

#[path = "fleet/answers.rs"]
mod answers;
#[path = "fleet/missing.rs"]
mod missing;
#[path = "fleet/several.rs"]
mod several;
#[path = "fleet/streams.rs"]
mod streams;

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_fathom-under-test"))
}

const NODES: [&str; 4] = ["i0", "t0", "t1", "t2"];

/// Everything but what depends on the moment.
fn without_times(mut document: Value) -> Value {
    let volatile = ["nodes", "unseen", "at_unix_ns"];
    document
        .as_object_mut()
        .unwrap()
        .retain(|key, _| !volatile.contains(&key.as_str()));
    document
}

#[test]
fn questions_reach_clusters_of_all_sites_and_nothing_counts_twice() {
    let setup = Setup::new(program());
    let fleet = setup.fleet();
    let berlin = setup.site("berlin", &["--label", "country=de", "--cluster-label", "c1:tier=gold"]);
    let oslo = setup.site(
        "oslo",
        &[
            "--label",
            "country=no",
            "--fleet-max-rows",
            "2000",
            // Two clusters, and one answer at once: the second waits.
            "--fleet-max-queries",
            "1",
        ],
    );
    setup.play(&berlin, "berlin", "c1", "fault-network-slow", &NODES);
    setup.play(&berlin, "berlin", "both", "reads-by-hand", &["n0", "n1", "n2"]);
    setup.play(&oslo, "oslo", "c2", "fault-slow-drive", &NODES);
    setup.play(&oslo, "oslo", "both", "reads-by-hand", &["n0", "n1", "n2"]);
    let clusters = setup.clusters(&fleet, PATIENCE, |clusters| {
        let is_found = |site, cluster| find(clusters, site, cluster).is_some_and(|found| found["open_findings"] == 1);
        told(clusters, 4) && is_found("berlin", "c1") && is_found("oslo", "c2")
    });
    assert_eq!(find(&clusters, "berlin", "c1").unwrap()["labels"]["tier"], "gold");
    assert_eq!(find(&clusters, "berlin", "both").unwrap()["address"], "berlin/both");

    // What the fleet says of a cluster is what its site says, to the letter.
    for question in [
        &["why"][..],
        &["latency", "--by", "disk"],
        &["writes", "--slowest", "20"],
        &["volumes"],
        &["findings", "--all"],
        &["whatif"],
    ] {
        for (site, cluster) in [(&berlin, "c1"), (&oslo, "c2")] {
            let all = [question, &["--cluster", cluster, "-o", "json"]].concat();
            let (there, here) = (setup.ask(site, &all), setup.ask(&fleet, &all));
            assert_eq!(there.code, here.code, "{question:?}: {} {}", there.err, here.err);
            assert_eq!(
                without_times(there.json()),
                without_times(here.json()),
                "{question:?} of {cluster}"
            );
        }
    }

    // Over all of them: each cluster once, and each I/O once.
    let all = setup.ask(&fleet, &["writes", "--limit", "1", "--all-clusters", "-o", "json"]);
    assert_eq!(all.code, 0, "{}", all.err);
    let answers = all.json()["clusters"].as_array().unwrap().clone();
    let names: Vec<String> = answers
        .iter()
        .map(|answer| format!("{}/{}", answer["site"], answer["cluster"]))
        .collect();
    assert_eq!(
        names,
        [
            "\"berlin\"/\"both\"",
            "\"berlin\"/\"c1\"",
            "\"oslo\"/\"both\"",
            "\"oslo\"/\"c2\""
        ]
    );
    let totals: Vec<u64> = answers
        .iter()
        .map(|answer| answer["answer"]["total"].as_u64().unwrap())
        .collect();
    let direct = |site: &Process, cluster: &str| {
        let ran = setup.ask(site, &["writes", "--limit", "1", "--cluster", cluster, "-o", "json"]);
        ran.json()["total"].as_u64().unwrap()
    };
    let expected = [
        direct(&berlin, "both"),
        direct(&berlin, "c1"),
        direct(&oslo, "both"),
        direct(&oslo, "c2"),
    ];
    assert_eq!(totals, expected);
    let table = setup.ask(&fleet, &["why", "--cluster", "c?"]).out;
    assert!(
        table.contains("berlin/c1\n") && table.contains("oslo/c2\n") && !table.contains("both"),
        "{table}"
    );
    for (options, expected) in [
        (&["--site", "berlin"][..], 2),
        (&["--cluster", "country=no,tier=*"], 0),
        (&["--cluster", "tier=gold"], 1),
        (&["--cluster", "*/both"], 2),
    ] {
        let ran = setup.ask(&fleet, &[&["latency", "-o", "json"], options].concat());
        if expected == 0 {
            assert_fails(&ran, 2, &["no cluster is what"]);
            continue;
        }
        assert_eq!(
            ran.json()["clusters"].as_array().unwrap().len(),
            expected,
            "{options:?}"
        );
    }

    // A name that nobody has, and one that two have.
    assert_fails(
        &setup.ask(&fleet, &["why", "--cluster", "c9"]),
        2,
        &["there is no cluster `c9`", "c1", "c2"],
    );
    assert_fails(
        &setup.ask(&fleet, &["why", "--cluster", "both"]),
        2,
        &["berlin/both", "oslo/both"],
    );
    assert_fails(&setup.ask(&fleet, &["why"]), 2, &["which cluster?"]);
    let one = setup.ask(&fleet, &["reads", "--cluster", "oslo/both", "-o", "json"]);
    assert_eq!(one.json()["total"], 60, "{}", one.err);
    // What is there in one and not in another: one answers, the other says so.
    let some = setup.ask(&fleet, &["writes", "--node", "t2", "--site", "berlin", "-o", "json"]);
    assert_eq!(some.code, 0, "{}", some.err);
    assert!(
        some.err.contains("berlin/both: ") && some.err.contains("there is no node `t2`"),
        "{}",
        some.err
    );

    policies_hold(&setup, &fleet, &oslo);
    streams::flow(&setup, &fleet);
    health_rolls_up(&setup, &fleet, &expected);
    answers::selections_hold(&setup, &fleet);
    missing::names_that_nothing_has_are_told(&setup, &fleet);
    missing::refusals_have_their_reason(&setup, &fleet);
    answers::refusals_have_their_domain(&setup, &fleet);
    several::many_are_asked_with_one_call(&setup, &fleet);
    several::selections_are_saved(&setup, &fleet);
    several::latency_is_of_any_stretch(&setup, &fleet);
    several::health_has_pages(&setup, &fleet);
}

/// From rollups: how all are, and how long operations took over all of them, each counted once.
fn health_rolls_up(setup: &Setup, fleet: &Process, writes: &[u64]) {
    let of = |health: &Value, cluster: &str| -> String {
        let clusters = health["clusters"].as_array().unwrap();
        let found = clusters.iter().find(|entry| entry["cluster"] == cluster);
        found.map_or("", |entry| entry["state"].as_str().unwrap()).to_owned()
    };
    let bad = ["degraded", "critical"];
    let health = setup.fleet_health(fleet, |health| {
        let both = health["clusters"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["cluster"] == "both");
        bad.contains(&of(health, "c1").as_str())
            && bad.contains(&of(health, "c2").as_str())
            && both.filter(|entry| entry["state"] == "ok").count() == 2
    });
    assert!(bad.contains(&health["fleet"]["state"].as_str().unwrap()), "{health:#}");
    assert_eq!(health["sites"].as_array().unwrap().len(), 2, "{health:#}");
    assert!(
        health["fleet"]["findings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|row| row["code"] == "DISK_SLOW"),
        "{health:#}"
    );
    assert_eq!(setup.ask(fleet, &["fleet", "--check"]).code, 3);
    let count = |options: &[&str], op: &str| {
        let ran = setup.ask(fleet, &[&["fleet", "latency", "-o", "json"], options].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        let document = ran.json();
        let rows = document["latency"].as_array().unwrap().clone();
        let row = rows.into_iter().find(|row| row["tap"] == "volume" && row["op"] == op);
        row.map_or(0, |row| row["count"].as_u64().unwrap())
    };
    assert_eq!(count(&[], "write"), writes.iter().sum::<u64>());
    assert_eq!(count(&["--cluster", "c1"], "write"), 16_000);
    assert_eq!(count(&["--cluster", "*/both"], "read"), 120);
    let cohorts = setup.ask(fleet, &["fleet", "cohorts", "-o", "json"]);
    assert_eq!(cohorts.json()["clusters"], 4, "{}", cohorts.err);
}

/// The site's own policy caps what the fleet gets.
fn policies_hold(setup: &Setup, fleet: &Process, oslo: &Process) {
    let findings = setup.ask(oslo, &["findings", "--cluster", "c2", "-o", "json"]).json();
    let id = findings["findings"][0]["id"].as_str().unwrap().to_owned();
    let mute = ["findings", "mute", &id, "--by", "ann", "--cluster", "c2"];
    assert_fails(
        &setup.ask(fleet, &mute),
        1,
        &["site oslo does not let", "MuteFinding", "--fleet-allow"],
    );
    let profile = ["profile", "writes", "--for", "1m", "--cluster", "c2"];
    assert_fails(
        &setup.ask(fleet, &profile),
        1,
        &["site oslo does not let", "SetProfile"],
    );
    assert_eq!(
        setup.ask(oslo, &["findings", "--cluster", "c2", "-o", "json"]).json(),
        findings,
        "nothing was muted"
    );
    assert_eq!(setup.ask(oslo, &mute).code, 0, "at the site itself it is allowed");
    // More rows than the site gives.
    let many = setup.ask(fleet, &["writes", "--limit", "5000", "--cluster", "c2"]);
    assert_fails(&many, 1, &["2000 rows", "site oslo"]);
}

#[test]
fn site_that_is_cut_off_is_named_with_since_when_and_comes_back_whole() {
    let setup = Setup::new(program());
    let mut fleet = setup.fleet();
    let allow = ["--fleet-allow", "read,remarks"];
    let berlin = setup.site("berlin", &allow);
    let mut oslo = setup.site("oslo", &allow);
    setup.play(&berlin, "berlin", "c1", "fault-network-slow", &NODES);
    setup.play(&oslo, "oslo", "c2", "fault-slow-drive", &NODES);
    setup.clusters(&fleet, PATIENCE, |clusters| {
        told(clusters, 2) && clusters.iter().all(|cluster| cluster["open_findings"] == 1)
    });
    let whole = setup.ask(&fleet, &["why", "--all-clusters", "-o", "json"]);
    assert_eq!(whole.code, 0, "{}", whole.err);
    assert_eq!(whole.json()["missing"].as_array().unwrap().len(), 0);

    answers::deadlines_hold(&setup, &fleet, &oslo);

    // A watch of a cluster whose site dies ends with that, and does not hang.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut watch = runtime.block_on(async {
        let channel = setup.certificates.channel(&fleet.address).await;
        let request = wire::WatchFindingsRequest {
            cluster: "c2".to_owned(),
            ..wire::WatchFindingsRequest::default()
        };
        let mut watch = FindingsServiceClient::new(channel)
            .watch_findings(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(watch.message().await.unwrap().unwrap().open.len(), 1);
        watch
    });
    oslo.kill();
    let ended = runtime.block_on(async {
        tokio::time::timeout(PATIENCE, watch.message())
            .await
            .unwrap()
            .unwrap_err()
    });
    assert_eq!(ended.code(), Code::Unavailable, "{ended}");
    assert_eq!(ended.get_details_error_info().unwrap().reason, "SITE_CUT_OFF");

    let clusters = setup.clusters(&fleet, PATIENCE, |clusters| {
        find(clusters, "oslo", "c2").is_some_and(|found| found["reach"] == "missing")
    });
    let since = find(&clusters, "oslo", "c2").unwrap()["missing_since_unix_ns"].clone();
    assert!(since.is_i64(), "{clusters:#?}");
    let partial = setup.ask(&fleet, &["why", "--all-clusters", "-o", "json"]);
    assert_eq!(partial.code, 4, "{}", partial.err);
    let document = partial.json();
    assert_eq!(document["clusters"].as_array().unwrap().len(), 1);
    assert_eq!(document["clusters"][0]["answer"]["culprit"]["node"], "t2");
    several::missing_site_is_in_the_summary(&setup, &fleet);
    assert_eq!(document["missing"][0]["site"], "oslo");
    assert_eq!(document["missing"][0]["since_unix_ns"], since);
    assert_eq!(document["missing"][0]["reason"], "SITE_MISSING");
    assert!(
        partial.err.contains("partial: site oslo has been missing since"),
        "{}",
        partial.err
    );
    assert_fails(
        &setup.ask(&fleet, &["why", "--cluster", "c2"]),
        1,
        &["site oslo has been missing since"],
    );
    let health = setup.fleet_health(&fleet, |health| health["fleet"]["clusters"]["unknown"] == 1);
    assert_eq!(health["missing"][0]["site"], "oslo", "{health:#}");
    let ran = setup.ask(&fleet, &["fleet"]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("and with it 1 cluster\n"), "{}", ran.err);
    streams::watch_goes_on(&setup, &fleet, &runtime);

    missing::findings_of_a_missing_site_are_as_they_were(&setup, &fleet);
    let before = setup.ask(&fleet, &["fleet", "-o", "json"]).json();
    assert_eq!(before["fleet"]["last_hour"]["lost"], 1, "{before:#}");

    // What is known is kept within seconds; then the fleet coordinator is killed. The site that lives goes on, and much is said there meanwhile.
    std::thread::sleep(Duration::from_secs(4));
    fleet.kill();
    let id = setup.ask(&berlin, &["findings", "-o", "json"]).json()["findings"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for round in 0..5 {
        let text = format!("round {round}");
        let said = setup.ask(&berlin, &["findings", "ack", &id, "--by", "ann", "--text", &text]);
        assert_eq!(said.code, 0, "{}", said.err);
        assert_eq!(setup.ask(&berlin, &["findings", "ack", &id, "--undo"]).code, 0);
    }
    let there = setup.ask(&berlin, &["findings", "-o", "json"]).json()["sequence"].clone();
    let fleet = setup.fleet();
    let clusters = setup.clusters(&fleet, BACK_WITHIN, |clusters| {
        find(clusters, "berlin", "c1")
            .is_some_and(|found| found["reach"] == "connected" && found["findings_sequence"] == there)
    });
    assert_eq!(find(&clusters, "berlin", "c1").unwrap()["open_findings"], 1);
    let still = find(&clusters, "oslo", "c2").unwrap();
    assert_eq!(still["reach"], "missing", "a restart does not forget who is missing");
    let apart = still["missing_since_unix_ns"]
        .as_i64()
        .unwrap()
        .abs_diff(since.as_i64().unwrap());
    assert!(apart < 5_000_000_000, "{still:#?} {since}");
    answers::what_changed_is_known_after_a_restart(&setup, &fleet, &before);

    // The site comes back: what its policy allows is done through the fleet, and stands in its own store.
    let oslo = setup.site("oslo", &allow);
    setup.clusters(&fleet, BACK_WITHIN, |clusters| told(clusters, 2));
    let open = setup.ask(&oslo, &["findings", "-o", "json"]).json();
    let id = open["findings"][0]["id"].as_str().unwrap().to_owned();
    let muted = setup.ask(&fleet, &["findings", "mute", &id, "--by", "ann", "--cluster", "c2"]);
    assert_eq!(muted.code, 0, "{}", muted.err);
    assert_eq!(setup.ask(&oslo, &["findings", "-o", "json"]).json()["muted"], 1);
    let whole = setup.ask(&fleet, &["findings", "--all", "--all-clusters", "-o", "json"]);
    assert_eq!(whole.code, 0, "{}", whole.err);
    answers::document_is_as_its_schema_says(&whole.json());
    let found: usize = (whole.json()["clusters"].as_array().unwrap().iter())
        .map(|cluster| cluster["answer"]["findings"].as_array().unwrap().len())
        .sum();
    assert_eq!(found, 2, "each finding once, whatever was cut off and told again");
    missing::damage_is_told(&setup, fleet);
}

#[test]
fn fleet_that_refuses_a_site_says_why_and_the_site_works_on() {
    let setup = Setup::new(program());
    let mut fleet = setup.fleet();
    let foreign = Certificates::new(&setup.home.path().join("foreign"));
    let files = foreign.options("user");
    let own = setup.certificates.options("user");
    let url = format!("https://{}", setup.address);
    let start = |name: &str, options: &[&str]| {
        let common = ["--commit-every", "300ms", "--fleet", &url, "--site", name];
        program().coordinator(
            &setup.certificates,
            &setup.home.path().join(name),
            &[&common, options].concat(),
        )
    };
    // The fleet coordinator does not trust it, and it does not trust the fleet coordinator.
    let both = setup.home.path().join("both.crt");
    std::fs::write(&both, setup.certificates.pem("ca.crt") + &foreign.pem("ca.crt")).unwrap();
    let both = both.display().to_string();
    let mut unknown = start(
        "unknown",
        &["--fleet-ca", &both, "--fleet-cert", &files[3], "--fleet-key", &files[5]],
    );
    let mut wary = start(
        "wary",
        &[
            "--fleet-ca",
            &files[1],
            "--fleet-cert",
            &files[3],
            "--fleet-key",
            &files[5],
        ],
    );
    // It is trusted, and somebody else.
    let mut stranger = start("stranger", &["--fleet-cert", &own[3], "--fleet-key", &own[5]]);
    setup.play(&unknown, "unknown", "c1", "reads-by-hand", &["n0", "n1", "n2"]);
    let here = setup.ask(&unknown, &["reads", "--limit", "1", "-o", "json"]);
    assert_eq!(here.json()["total"], 60, "{}", here.err);
    std::thread::sleep(Duration::from_secs(1));
    assert!(setup.clusters(&fleet, PATIENCE, |_| true).is_empty());
    // Nor does a stranger answer in a site's name.
    let refused = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let head = fleet_wire::AnswerHead {
            question_id: 1,
            site: "berlin".to_owned(),
        };
        let parts = [fleet_wire::DeliverAnswerRequest {
            part: Some(fleet_wire::deliver_answer_request::Part::Head(head)),
        }];
        let mut client = SiteServiceClient::new(setup.certificates.channel(&fleet.address).await);
        client.deliver_answer(tokio_stream::iter(parts)).await.unwrap_err()
    });
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
    assert_eq!(refused.get_details_error_info().unwrap().reason, "SITE_CERTIFICATE");
    assert_eq!((unknown.terminate(), wary.terminate(), stranger.terminate()), (0, 0, 0));
    let said = stranger.said();
    assert!(
        said.contains("the certificate is for user and not for a site `stranger`") && said.contains("--fleet-cert"),
        "{said}"
    );
    let said = unknown.said();
    assert!(
        said.contains("not connected to the fleet") && said.contains("does not accept our certificate"),
        "{said}"
    );
    let said = wary.said();
    assert!(said.contains("that our CA file does not hold"), "{said}");
    // Files that cannot be used are no matter of trying again.
    let missing = program().try_coordinator(
        &setup.certificates,
        &setup.home.path().join("odd"),
        &["--fleet", &url, "--site", "odd", "--fleet-ca", "/nonexistent"],
    );
    let mut missing = missing;
    assert_eq!(missing.wait(), 1);
    assert!(missing.said().contains("/nonexistent"));
    // What is no fleet coordinator lets nobody join.
    assert_eq!(fleet.terminate(), 0);
    let _plain = program().coordinator(
        &setup.certificates,
        &setup.home.path().join("plain"),
        &["--listen", &setup.address],
    );
    let mut site = setup.site("berlin", &[]);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(site.terminate(), 0);
    let said = site.said();
    assert!(said.contains("is no fleet coordinator"), "{said}");
}
