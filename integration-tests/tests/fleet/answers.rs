//! What answers about several clusters say in words, codes and documents.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fathom_capture::{StateRow, read_state, write_state};
use fathom_integration_tests::fleet::{BACK_WITHIN, PATIENCE, Setup, told};
use fathom_integration_tests::process::{Process, assert_fails};
use fathom_integration_tests::schema;
use fathom_model::state::Kind;
use fathom_proto::fleet::v1 as wire;
use fathom_proto::fleet::v1::fleet_service_client::FleetServiceClient;
use serde_json::Value;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{NODES, program};

pub(crate) fn list<'a>(document: &'a Value, name: &str) -> &'a Vec<Value> {
    document[name]
        .as_array()
        .unwrap_or_else(|| panic!("no {name} in {document:#}"))
}

/// Of clusters c1 and both at berlin, c2 and both at oslo: who asks about some is answered about those, and told when there are none.
pub(crate) fn selections_hold(setup: &Setup, fleet: &Process) {
    for question in [
        &["fleet"][..],
        &["fleet", "--watch"],
        &["fleet", "sites"],
        &["fleet", "latency"],
        &["fleet", "cohorts"],
        &["clusters"],
    ] {
        for selects in [["--cluster", "nope"], ["--site", "nope"]] {
            let ran = setup.ask(fleet, &[question, &selects].concat());
            assert_fails(&ran, 2, &["no cluster is what --cluster and --site select"]);
        }
    }
    // A site is counted from what is selected of it, and has been as it is since that is.
    let one = setup.ask(fleet, &["fleet", "--cluster", "c1", "-o", "json"]).json();
    let [site] = &list(&one, "sites")[..] else {
        panic!("{one:#}")
    };
    let counts = site["clusters"].as_object().unwrap().values();
    assert_eq!(counts.map(|count| count.as_u64().unwrap()).sum::<u64>(), 1, "{site:#}");
    let since = &list(&one, "clusters")[0]["since_unix_ns"];
    assert_eq!((&one["fleet"]["since_unix_ns"], &site["since_unix_ns"]), (since, since));
    let sites = setup
        .ask(fleet, &["fleet", "sites", "--cluster", "c2", "-o", "json"])
        .json();
    assert_eq!(list(&sites, "sites").len(), 1, "{sites:#}");
    assert_eq!(sites["sites"][0]["site"], "oslo");
    let mut watch = vec![
        "fleet",
        "--watch",
        "--cluster",
        "c1",
        "-o",
        "json",
        "--coordinator",
        &fleet.address,
    ];
    let connection = setup.certificates.options("user");
    watch.extend(connection.iter().map(String::as_str));
    let lines = program().lines_until(watch, |line| line.contains(r#""cluster":"c1""#));
    assert!(!lines.iter().any(|line| line.contains("oslo")), "{lines:#?}");

    // What one cluster has is found, and is missing nowhere.
    let writes = setup
        .ask(fleet, &["writes", "--limit", "1", "--cluster", "c1", "-o", "json"])
        .json();
    let id = writes["ios"][0]["id"].as_str().unwrap();
    let found = setup.ask(fleet, &["write", id, "--all-clusters", "-o", "json"]);
    assert_eq!(found.code, 0, "{}", found.err);
    assert!(!found.err.contains("no answer"), "{}", found.err);
    let document = found.json();
    let having = list(&document, "clusters")
        .iter()
        .filter(|cluster| !cluster["answer"].is_null());
    assert_eq!(
        (having.count(), list(&document, "missing").len()),
        (1, 0),
        "{document:#}"
    );

    // The default cluster is one for whoever says nothing else, and no narrower fleet.
    let ask = |question: &[&str]| {
        let arguments = [question, &["-o", "json"]].concat();
        let ran = program().ask_in(
            &setup.certificates,
            &fleet.address,
            &arguments,
            &[("FATHOM_CLUSTER", "c1")],
        );
        assert_eq!(ran.code, 0, "{question:?}: {}", ran.err);
        ran.json()
    };
    assert!(ask(&["latency"]).get("clusters").is_none());
    assert_eq!(list(&ask(&["latency", "--all-clusters"]), "clusters").len(), 4);
    assert_eq!(list(&ask(&["latency", "--site", "oslo"]), "clusters").len(), 2);
    assert_eq!(list(&ask(&["fleet"]), "clusters").len(), 4);
    assert_eq!(list(&ask(&["clusters"]), "clusters").len(), 4);

    let nobody = setup.ask(fleet, &["fleet", "forget", "unheardof"]);
    assert_fails(&nobody, 2, &["there is no site `unheardof`", "nothing was forgotten"]);
    let month = setup.ask(fleet, &["fleet", "--changes", "30d"]);
    assert!(month.err.contains("may be missing"), "{}", month.err);
    let hour = setup.ask(fleet, &["fleet", "-o", "json"]).json();
    assert!(
        hour["fleet"]["last_hour"]["counted_from_unix_ns"].is_i64(),
        "it counts since it was started: {hour:#}"
    );
}

/// Faults of the fleet's own service have its domain.
pub(crate) fn refusals_have_their_domain(setup: &Setup, fleet: &Process) {
    let refused = |status: Status, reason: &str| {
        let info = status.get_details_error_info().unwrap();
        assert_eq!(
            (info.domain.as_str(), info.reason.as_str()),
            ("fathom.fleet.v1", reason),
            "{status}"
        );
    };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut client = FleetServiceClient::new(setup.certificates.channel(&fleet.address).await);
        let mut list = async |page_token: &str, page_size: i32, term: &str| {
            let request = wire::ListClustersRequest {
                page_size,
                page_token: page_token.to_owned(),
                selection: Some(wire::Selection {
                    terms: vec![term.to_owned()],
                    ..wire::Selection::default()
                }),
                ..wire::ListClustersRequest::default()
            };
            client.list_clusters(request).await.map(tonic::Response::into_inner)
        };
        refused(list("zzz", 0, "*").await.unwrap_err(), "INVALID");
        refused(list("", -1, "*").await.unwrap_err(), "INVALID");
        refused(list("", 0, "a,,b").await.unwrap_err(), "INVALID");
        let first = list("", 3, "*").await.unwrap();
        let second = list(&first.next_page_token, 3, "*").await.unwrap();
        assert_eq!((first.clusters.len(), second.clusters.len()), (3, 1));
        let request = wire::WatchFleetHealthRequest {
            resume_token: "garbage".to_owned(),
            ..wire::WatchFleetHealthRequest::default()
        };
        refused(client.watch_fleet_health(request).await.unwrap_err(), "INVALID");
        let request = wire::ForgetSiteRequest {
            site: "berlin".to_owned(),
            ..wire::ForgetSiteRequest::default()
        };
        let connected = client.forget_site(request).await.unwrap_err();
        assert_eq!(connected.code(), Code::FailedPrecondition);
        refused(connected, "SITE_CONNECTED");
    });
}

/// Of a site that stands still nobody waits longer than he said.
pub(crate) fn deadlines_hold(setup: &Setup, fleet: &Process, oslo: &Process) {
    oslo.freeze();
    let began = Instant::now();
    let one = setup.ask(fleet, &["why", "--cluster", "c2", "--deadline", "2s"]);
    assert_fails(&one, 1, &["no answer within 2s", "--deadline"]);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let of_somebody = ["--by", "somebody", "--cluster", "c2", "--deadline", "2s"];
    let remark = setup.ask(fleet, &[&["findings", "ack", "1"], &of_somebody[..]].concat());
    assert_fails(&remark, 1, &["no answer within 2s", "--deadline"]);
    let all = setup.ask(
        fleet,
        &["findings", "--all", "--all-clusters", "--deadline", "2s", "-o", "json"],
    );
    oslo.thaw();
    assert_eq!(all.code, 4, "{}", all.err);
    let document = all.json();
    assert_eq!(document["missing"][0]["cause"], "no_answer", "{document:#}");
    assert_eq!(document["missing"][0]["reason"], "DEADLINE", "{document:#}");
    assert!(document["missing"][0]["since_unix_ns"].is_i64(), "{document:#}");
    assert!(all.err.contains("its site was heard last at"), "{}", all.err);
    document_is_as_its_schema_says(&document);
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("examples")
}

pub(crate) fn the_schema() -> Value {
    let text = std::fs::read_to_string(examples().join("several-clusters.schema.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The document for programs is what the schema beside the examples says, and the script reads nothing else of it.
pub(crate) fn document_is_as_its_schema_says(document: &Value) {
    let schema = the_schema();
    assert_eq!(schema::faults(&schema, document), Vec::<String>::new());
    // What is not as it says is found: else it would say nothing.
    let mut wrong = document.clone();
    wrong["clusters"][0]["answer"]["findings"][0]["cost_ns"] = "much".into();
    wrong.as_object_mut().unwrap().remove("missing");
    assert_eq!(
        schema::faults(&schema, &wrong).len(),
        2,
        "{:?}",
        schema::faults(&schema, &wrong)
    );

    let script = std::fs::read_to_string(examples().join("powershell").join("fleet-report.ps1")).unwrap();
    for (variable, pointer) in [
        ("$answer.", ""),
        ("$cluster.", "/properties/clusters/items"),
        ("$cluster.answer.", "/properties/clusters/items/properties/answer"),
        ("$finding.", "/$defs/finding"),
        ("$missing.", "/properties/missing/items"),
    ] {
        let known = schema::properties(&schema, pointer);
        let mut read = 0;
        for rest in script.split(variable).skip(1) {
            let key: String = rest
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            assert!(
                known.contains(&key),
                "the script reads {variable}{key}, and the schema has no such key"
            );
            read += 1;
        }
        assert!(read > 0, "the script reads nothing of {variable}");
    }
}

/// After a restart of the fleet coordinator what changed before it is still known, and since when everything is as it is.
pub(crate) fn what_changed_is_known_after_a_restart(setup: &Setup, fleet: &Process, before: &Value) {
    let started = Instant::now();
    // Once the site that lives was heard again, and the other waited for.
    let after = loop {
        let ran = setup.ask(fleet, &["fleet", "-o", "json"]);
        let after = ran.json();
        if after["fleet"]["clusters"] == before["fleet"]["clusters"] {
            break after;
        }
        assert!(started.elapsed() < PATIENCE, "{after:#} {before:#}");
    };
    for stretch in ["last_hour", "last_day"] {
        for key in ["worse", "better", "lost", "heard", "counted_from_unix_ns"] {
            assert_eq!(
                after["fleet"][stretch][key], before["fleet"][stretch][key],
                "{stretch} {key}"
            );
        }
    }
    for (was, is) in list(before, "clusters").iter().zip(list(&after, "clusters")) {
        assert_eq!(
            (&is["state"], &is["since_unix_ns"]),
            (&was["state"], &was["since_unix_ns"]),
            "{is:#}"
        );
    }
}

#[test]
fn restarted_fleet_knows_all_of_its_sites_within_ten_seconds_and_a_restarted_site_says_from_when_it_counts() {
    let setup = Setup::new(program());
    let mut fleet = setup.fleet();
    let names = ["berlin", "bern", "oslo", "paris", "rome"];
    let mut sites: Vec<Process> = names.iter().map(|name| setup.site(name, &[])).collect();
    setup.play(&sites[0], "berlin", "c1", "fault-slow-drive", &NODES);
    setup.clusters(&fleet, PATIENCE, |clusters| told(clusters, 1));
    let connected = |fleet: &Process| {
        let sites = setup.ask(fleet, &["fleet", "sites", "-o", "json"]).json();
        let reached = list(&sites, "sites").iter().filter(|site| site["reach"] == "connected");
        reached.count()
    };
    let all_within = |fleet: &Process, patience: Duration| {
        let started = Instant::now();
        while connected(fleet) < names.len() {
            assert!(
                started.elapsed() < patience,
                "{} of {} sites",
                connected(fleet),
                names.len()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    all_within(&fleet, PATIENCE);
    for away in [0, 3] {
        fleet.kill();
        std::thread::sleep(Duration::from_secs(away));
        fleet = setup.fleet();
        all_within(&fleet, BACK_WITHIN);
    }

    stands_still(&setup, &fleet, || all_within(&fleet, BACK_WITHIN));

    // What a site counted before it was started anew is not in its rollups, and that is said.
    sites[0].kill();
    sites[0] = setup.site("berlin", &[]);
    let started = Instant::now();
    loop {
        let ran = setup.ask(&fleet, &["fleet", "latency", "-o", "json"]);
        let document = ran.json();
        let [cluster] = &list(&document, "partial")[..] else {
            assert!(started.elapsed() < PATIENCE, "{document:#}");
            std::thread::sleep(Duration::from_millis(200));
            continue;
        };
        assert_eq!((ran.code, &cluster["cluster"]), (4, &Value::from("c1")), "{}", ran.err);
        assert!(cluster["counted_from_unix_ns"].is_i64(), "{document:#}");
        assert!(ran.err.contains("cluster berlin/c1 is counted from"), "{}", ran.err);
        break;
    }
    assert_eq!(setup.ask(&fleet, &["fleet", "cohorts"]).code, 4);
}

/// A fleet coordinator that did not run for longer than it waits for anybody (as when its machine moves) takes nobody for silent.
fn stands_still(setup: &Setup, fleet: &Process, all_are_back: impl Fn()) {
    let told = |health: &Value| health["clusters"][0]["state"] != "unknown";
    let before = setup.fleet_health(fleet, told);
    fleet.freeze();
    std::thread::sleep(Duration::from_secs(33));
    fleet.thaw();
    all_are_back();
    // For so long `unknown` has to last before it is shown.
    std::thread::sleep(Duration::from_secs(11));
    let after = setup.fleet_health(fleet, told);
    for key in ["lost", "heard"] {
        assert_eq!(
            after["fleet"]["last_day"][key], before["fleet"]["last_day"][key],
            "{key}: {before:#} {after:#}"
        );
    }
    for key in ["state", "since_unix_ns"] {
        assert_eq!(after["fleet"][key], before["fleet"][key], "{key}: {before:#} {after:#}");
    }
}

/// A simulated cluster of three nodes whose drives run this firmware.
fn with_firmware(home: &Path, name: &str, firmware: &str) -> PathBuf {
    let folder = home.join(name);
    let path = folder.display().to_string();
    let ran = program().run([
        "simulate",
        &path,
        "--scenario",
        "healthy",
        "--nodes",
        "3",
        "--seconds",
        "3",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let file = folder.join("state.jsonl.zst");
    let mut rows = read_state(&file, None).unwrap();
    let mut changed = 0;
    for row in &mut rows {
        if let StateRow::Observation(row) = row
            && row.kind == Kind::Disk
            && row.attributes.contains_key("firmware")
        {
            row.attributes.insert("firmware".into(), firmware.into());
            changed += 1;
        }
    }
    assert!(changed > 0, "drives say what runs on them");
    write_state(&file, &rows).unwrap();
    folder
}

#[test]
fn firmwares_of_two_sites_stand_beside_each_other() {
    let setup = Setup::new(program());
    let fleet = setup.fleet();
    let home = setup.home.path();
    let (berlin, oslo) = (setup.site("berlin", &[]), setup.site("oslo", &[]));
    for (site, name, cluster, firmware) in [(&berlin, "berlin", "c1", "FW-OLD"), (&oslo, "oslo", "c2", "FW-NEW")] {
        let recording = with_firmware(home, cluster, firmware);
        setup.play_folder(site, name, cluster, &recording, &["n0", "n1", "n2"]);
    }
    let started = Instant::now();
    let (cohorts, ran) = loop {
        let ran = setup.ask(&fleet, &["fleet", "cohorts", "-o", "json"]);
        let document = ran.json();
        let of_disks = list(&document, "cohorts")
            .iter()
            .filter(|cohort| cohort["key"]["axis"] == "disk");
        let of_disks: Vec<Value> = of_disks.cloned().collect();
        if of_disks.len() == 2 {
            break (of_disks, ran);
        }
        assert!(started.elapsed() < PATIENCE, "{document:#}");
        std::thread::sleep(Duration::from_millis(300));
    };
    assert_eq!(ran.json()["clusters"], 2, "{}", ran.err);
    let mut variants: Vec<&str> = cohorts
        .iter()
        .map(|own| own["key"]["variant"].as_str().unwrap())
        .collect();
    variants.sort_unstable();
    assert_eq!(variants, ["FW-NEW", "FW-OLD"]);
    assert_eq!(cohorts[0]["key"]["subject"], cohorts[1]["key"]["subject"]);
    for cohort in &cohorts {
        assert_eq!(cohort["clusters"], 1, "{cohort:#}");
        assert!(cohort["devices"].as_u64().unwrap() >= 3, "{cohort:#}");
    }
    let table = setup.ask(&fleet, &["fleet", "cohorts"]).out;
    assert!(
        table.contains("FW-OLD") && table.contains("FW-NEW") && table.contains("updated since"),
        "{table}"
    );
    let one = setup
        .ask(&fleet, &["fleet", "cohorts", "--site", "oslo", "-o", "json"])
        .json();
    assert_eq!(one["clusters"], 1, "{one:#}");
    assert!(!one.to_string().contains("FW-OLD"), "{one:#}");
}
