//! State as a user meets it: through daemons and a coordinator, at any past moment, across restarts, and from support files.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use fathom_integration_tests::process::{Certificates, Process, Program, Ran, assert_fails, finished};
use fathom_proto::collect::v1 as collect;
use fathom_proto::collect::v1::collect_request::Message as Request;
use fathom_proto::collect::v1::collect_response::Message as Response;
use fathom_proto::collect::v1::collect_service_client::CollectServiceClient;
use fathom_proto::query::v1 as wire;
use fathom_proto::query::v1::query_service_client::QueryServiceClient;
use serde_json::{Value, json};

#[path = "state/asked.rs"]
mod asked;
#[path = "state/files.rs"]
mod files;
#[path = "state/reports.rs"]
mod reports;
#[path = "state/unread.rs"]
mod unread;

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_fathom-under-test"))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Three nodes: RDMA between n0 and n1 is lost from 1 s to 2 s, a drive of n2 is slow from 1 s on, and n1 has another flow control.
const CONFIG: &str = r#"
name = "test"
nodes = 3
seconds = 3.0

[[volumes]]
name = "vol0"
initiators = [0]
size-bytes = 268435456
resiliency = "three-way"
arrival = { rate = 200.0 }

[[faults]]
from-seconds = 1.0
until-seconds = 2.0
[faults.what.rdma-fallback]
on = { node = 0, peer = 1 }
add-micros = 60.0
cpu-micros = 20.0

[[faults]]
from-seconds = 1.0
[faults.what.slow-disk]
on = { node = 2, disk = 1 }
factor = 8.0
add-micros = 0.0

[[faults]]
[faults.what.pfc-storm]
node = 1
every-millis = 500.0
pause-millis = 1.0
"#;

/// When the simulated run begins, by the true clock.
const EPOCH: &str = "2026-09-21T14:13:20Z";

fn simulate(home: &Path) -> PathBuf {
    let (config, folder) = (home.join("config.toml"), home.join("recording"));
    fs::write(&config, CONFIG).unwrap();
    let ran = program().run(["simulate", &text(&folder), "--config", &text(&config)]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(folder.join("state.jsonl.zst").is_file());
    folder
}

fn ask(certificates: &Certificates, coordinator: &Process, arguments: &[&str]) -> Ran {
    program().ask(certificates, &coordinator.address, arguments)
}

fn rows<'a>(document: &'a Value, list: &str) -> &'a [Value] {
    document[list]
        .as_array()
        .unwrap_or_else(|| panic!("no {list} in {document}"))
}

fn pair<'a>(document: &'a Value, client: &str, server: &str) -> &'a Value {
    let pairs = rows(document, "pairs").iter();
    let mut found = pairs.filter(|pair| pair["client"] == client && pair["server"] == server);
    found
        .next()
        .unwrap_or_else(|| panic!("no pair {client} {server} in {document}"))
}

/// The moment so many milliseconds after the begin.
fn moment(millis: u64) -> String {
    EPOCH.replace(":20Z", &format!(":{}.{:03}Z", 20 + millis / 1000, millis % 1000))
}

#[tokio::test(flavor = "multi_thread")]
async fn state_is_shown_at_any_moment_beside_the_fan_outs() {
    let home = tempfile::tempdir().unwrap();
    let recording = simulate(home.path());
    let certificates = Certificates::new(&home.path().join("pki"));
    let store = home.path().join("store");
    let mut coordinator = program().coordinator(&certificates, &store, &[]);
    let nodes = ["n0", "n1", "n2"];
    let mut daemons =
        nodes.map(|node| program().node(&certificates, &coordinator.address, &recording, node, home.path(), &[]));
    finished(&certificates, &coordinator.address).await;
    for daemon in &mut daemons {
        assert_eq!(daemon.wait(), 0);
    }
    said_the_same(&certificates, &coordinator);
    // One machine alone is told with what follows from its files, too.
    let mut client = QueryServiceClient::new(certificates.channel(&coordinator.address).await);
    let machine = wire::GetResourceRequest {
        cluster: "test".to_owned(),
        kind: "vm".to_owned(),
        id: "00000000-0000-4000-8000-000000000000".to_owned(),
        ..wire::GetResourceRequest::default()
    };
    let machine = client.get_resource(machine).await.unwrap().into_inner();
    let derived: Vec<String> = machine
        .resource
        .unwrap()
        .derived
        .into_iter()
        .map(|attribute| attribute.name)
        .collect();
    assert_eq!(derived, ["vhds", "volumes"]);

    // What is stored is all there is: another coordinator says the same, and daemons that come again add nothing.
    let before = ask(&certificates, &coordinator, &["disks", "-o", "json"]).out;
    assert_eq!(coordinator.terminate(), 0);
    let coordinator = program().coordinator(&certificates, &store, &[]);
    let mut again = program().node(&certificates, &coordinator.address, &recording, "n0", home.path(), &[]);
    assert_eq!(again.wait(), 0);
    assert_eq!(ask(&certificates, &coordinator, &["disks", "-o", "json"]).out, before);
    said_the_same(&certificates, &coordinator);
}

fn said_the_same(certificates: &Certificates, coordinator: &Process) {
    let json = |arguments: &[&str]| {
        let ran = ask(certificates, coordinator, arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
        ran.json()
    };
    let now = json(&["rdma", "-o", "json"]);
    assert_eq!(rows(&now, "pairs").len(), 6);
    assert_eq!(
        (
            &pair(&now, "n0", "n1")["transport"],
            &pair(&now, "n0", "n1")["fallback"]
        ),
        (&json!("rdma"), &json!(false))
    );
    let then = json(&["rdma", "-o", "json", "--at", &moment(1900)]);
    assert_eq!(
        (
            &pair(&then, "n0", "n1")["transport"],
            &pair(&then, "n0", "n1")["fallback"]
        ),
        (&json!("tcp"), &json!(true))
    );
    assert_eq!(
        (
            &pair(&then, "n1", "n0")["transport"],
            &pair(&then, "n0", "n2")["transport"]
        ),
        (&json!("tcp"), &json!("rdma"))
    );

    let odd = |document: &Value| -> Vec<String> {
        let disks = rows(document, "disks").iter();
        let odd = disks.filter(|disk| {
            disk["attributes"]["operational_status"]
                .as_array()
                .is_some_and(|status| status.len() > 1)
        });
        odd.map(|disk| disk["id"].as_str().unwrap().to_owned()).collect()
    };
    let disks = json(&["disks", "-o", "json"]);
    assert_eq!(rows(&disks, "disks").len(), 12);
    assert_eq!(odd(&disks), ["n2/disk1"]);
    assert!(odd(&json(&["disks", "-o", "json", "--at", &moment(900)])).is_empty());
    let own = json(&["disks", "-o", "json", "--node", "n2"]);
    assert_eq!(rows(&own, "disks").len(), 4);
    assert_eq!(own["disks"][1]["derived"]["connected_node"], "n2");
    assert_eq!(own["disks"][1]["derived"]["wear_percent"], 3);

    let drift = json(&["qos", "--drift", "-o", "json", "--at", &moment(900)]);
    let settings: Vec<&str> = rows(&drift, "settings")
        .iter()
        .map(|setting| setting["of"].as_str().unwrap())
        .collect();
    assert_eq!(
        settings,
        [
            "priority 0",
            "priority 1",
            "priority 2",
            "priority 4",
            "priority 5",
            "priority 6",
            "priority 7"
        ]
    );
    let value = &drift["settings"][0]["values"][1];
    assert_eq!(
        (&value["node"], &value["value"], &value["odd"]),
        (&json!("n1"), &json!("yes"), &json!(true))
    );
    assert_eq!((&value["stale"], &value["unavailable"]), (&json!(false), &Value::Null));
    assert!(
        value["age_ns"].as_i64().is_some_and(|age| age < 2_000_000_000),
        "{value}"
    );

    let history = json(&["history", "n2/disk1", "--kind", "disk", "-o", "json"]);
    assert_eq!(rows(&history, "history").len(), 2);
    let volumes = json(&["volumes", "-o", "json"]);
    assert_eq!(rows(&volumes, "bitlocker").len(), 1);
    assert_eq!(
        (
            &volumes["virtual_disks"][0]["id"],
            &volumes["csvs"][0]["attributes"]["owner"]
        ),
        (&json!("vol0"), &json!("n0"))
    );
    assert_eq!(rows(&json(&["extents", "vol0", "-o", "json"]), "extents").len(), 3);
    assert_eq!(rows(&json(&["nodes", "-o", "json"]), "cluster_nodes").len(), 3);
    asked::of_other_moments_nodes_and_names(certificates, coordinator);
    assert!(rows(&json(&["sources", "--node", "n1", "-o", "json"]), "sources").len() >= 11);
    assert!(rows(&json(&["jobs", "-o", "json"]), "jobs").is_empty());

    let vms = json(&["vms", "-o", "json"]);
    let [web] = rows(&vms, "vms") else { panic!("{vms}") };
    assert_eq!(
        (
            &web["attributes"]["name"],
            &web["node"],
            &web["attributes"]["state"]["name"]
        ),
        (&json!("vol0-n0"), &json!("n0"), &json!("Running"))
    );
    let files: Vec<(&str, &str)> = rows(web, "vhds")
        .iter()
        .map(|file| {
            let derived = &file["derived"];
            assert_eq!(
                (&derived["vm"], &derived["attached"]),
                (&json!("vol0-n0"), &json!(true))
            );
            (
                file["attributes"]["path"].as_str().unwrap(),
                derived["virtual_disk"].as_str().unwrap(),
            )
        })
        .collect();
    let path = |file: &str| format!(r"C:\ClusterStorage\vol0\vol0-n0\{file}.vhdx");
    assert_eq!(files, [(path("os").as_str(), "vol0"), (path("data").as_str(), "vol0")]);
    assert!(rows(&vms, "other_vhds").is_empty() && rows(&vms["unseen"], "warnings").is_empty());
    let count = |arguments: &[&str]| rows(&json(&[&["vms", "-o", "json"], arguments].concat()), "vms").len();
    assert_eq!(
        (
            count(&["--volume", "VOL0", "--node", "n0"]),
            count(&["--volume", "vol1"]),
            count(&["--node", "n1"]),
            count(&["--name", "VOL0-", "--at", &moment(1500)]),
            count(&["--name", "db"])
        ),
        (1, 0, 0, 1, 0)
    );
    let lines = ask(certificates, coordinator, &["vms"]).out;
    assert!(lines.contains("vol0-n0") && lines.contains(&path("data")), "{lines}");

    // For people: a matrix with the fallback marked.
    let table = ask(certificates, coordinator, &["rdma", "--at", &moment(1900)]);
    assert!(
        table.out.contains("tcp (!)") && table.err.contains("as of 2026-09-21"),
        "{} {}",
        table.out,
        table.err
    );
    // Before anything was read nothing is known, and it says so.
    let early = ask(certificates, coordinator, &["disks", "--at", "2020-01-01T00:00:00Z"]);
    assert_eq!(early.code, 4, "{}", early.err);
    assert!(
        early.err.contains("node n1 has not reported any state (no_state)"),
        "{}",
        early.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_goes_on_where_it_was() {
    let home = tempfile::tempdir().unwrap();
    let recording = simulate(home.path());
    let certificates = Certificates::new(&home.path().join("pki"));
    let coordinator = program().coordinator(&certificates, &home.path().join("store"), &[]);
    let play = |node: &str| program().node(&certificates, &coordinator.address, &recording, node, home.path(), &[]);
    // All but one: the cluster is there, and nothing of n2.
    let _others = [play("n0"), play("n1")];
    let mut client = QueryServiceClient::new(certificates.channel(&coordinator.address).await);
    let request = |resume_token: String| wire::WatchResourcesRequest {
        cluster: "test".to_owned(),
        filter: Some(wire::ResourceFilter {
            kinds: vec!["smb_connection".to_owned()],
            node: "n2".to_owned(),
            ..wire::ResourceFilter::default()
        }),
        resume_token,
    };
    let began = std::time::Instant::now();
    let mut watch = loop {
        match client.watch_resources(request(String::new())).await {
            Ok(watch) => break watch.into_inner(),
            Err(status) => assert!(began.elapsed().as_secs() < 60, "{status:?}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    // What is not there any more is on no volume: a watch cannot be of one, and says so.
    let mut of_volume = request(String::new());
    of_volume.filter.get_or_insert_default().volume = "vol0".to_owned();
    let refused = client.watch_resources(of_volume).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    assert!(refused.message().contains("filter.volume"), "{refused:?}");
    let token = watch.message().await.unwrap().unwrap().resume_token;
    let _last = play("n2");
    let seen = watch.message().await.unwrap().unwrap();
    assert!(
        seen.observations
            .iter()
            .all(|row| row.node == "n2" && row.kind == "smb_connection")
            && !seen.observations.is_empty()
    );
    // From the token before it the same comes again; from a token of another store nothing does.
    let mut again = client.watch_resources(request(token)).await.unwrap().into_inner();
    assert_eq!(again.message().await.unwrap().unwrap().observations, []);
    assert!(!again.message().await.unwrap().unwrap().observations.is_empty());
    let ahead = client.watch_resources(request("999999.0".to_owned())).await;
    assert_eq!(ahead.unwrap_err().code(), tonic::Code::InvalidArgument);
}

/// A state stream of a daemon, opened by hand.
struct Stream {
    requests: tokio::sync::mpsc::Sender<collect::CollectRequest>,
    responses: tonic::Streaming<collect::CollectResponse>,
}

impl Stream {
    async fn open(certificates: &Certificates, coordinator: &Process, node: &str) -> (Self, collect::Welcome) {
        let mut client = CollectServiceClient::new(certificates.channel(&coordinator.address).await);
        let (requests, queue) = tokio::sync::mpsc::channel(8);
        let hello = collect::Hello {
            protocol_version: 1,
            cluster: "test".to_owned(),
            node: node.to_owned(),
            stream_kind: collect::StreamKind::State.into(),
            incarnation: vec![node.len() as u8; 16],
            ..collect::Hello::default()
        };
        requests.send(request(Request::Hello(hello))).await.unwrap();
        let answer = client
            .collect(tokio_stream::wrappers::ReceiverStream::new(queue))
            .await
            .unwrap();
        let mut stream = Self {
            requests,
            responses: answer.into_inner(),
        };
        let Some(Response::Welcome(welcome)) = stream.next().await else {
            panic!("no welcome")
        };
        (stream, welcome)
    }

    async fn next(&mut self) -> Option<Response> {
        self.responses.message().await.unwrap().unwrap().message
    }

    async fn say(&self, first_ordinal: u64, node: &str, id: &str) {
        let observation = collect::Observation {
            node: node.to_owned(),
            kind: "disk".to_owned(),
            id: id.to_owned(),
            observed_unix_nanos: 1_790_000_000_000_000_000,
            ..collect::Observation::default()
        };
        let batch = collect::StateBatch {
            first_ordinal,
            observations: vec![observation],
            samples: Vec::new(),
        };
        self.requests.send(request(Request::StateBatch(batch))).await.unwrap();
    }
}

fn request(message: Request) -> collect::CollectRequest {
    collect::CollectRequest { message: Some(message) }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_reports_for_the_cluster_and_another_when_it_goes() {
    let home = tempfile::tempdir().unwrap();
    let certificates = Certificates::new(&home.path().join("pki"));
    let coordinator = program().coordinator(&certificates, &home.path().join("store"), &[]);
    let named = |welcome: &collect::Welcome| welcome.policy.as_ref().is_some_and(|policy| policy.report_cluster);
    let (first, welcome) = Stream::open(&certificates, &coordinator, "a").await;
    assert!(named(&welcome));
    let (mut second, welcome) = Stream::open(&certificates, &coordinator, "bb").await;
    assert!(!named(&welcome));
    drop(first);
    loop {
        match second.next().await {
            Some(Response::Policy(policy)) if policy.report_cluster => break,
            Some(Response::Ack(_) | Response::Credit(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn state_is_acknowledged_once_stored_and_never_taken_twice() {
    let home = tempfile::tempdir().unwrap();
    let certificates = Certificates::new(&home.path().join("pki"));
    let mut coordinator =
        program().coordinator(&certificates, &home.path().join("store"), &["--commit-every", "100ms"]);
    let (mut stream, welcome) = Stream::open(&certificates, &coordinator, "a").await;
    assert_eq!((welcome.position, welcome.complete), (0, false));
    stream.say(0, "a", "d0").await;
    stream.say(0, "a", "again").await;
    stream.say(1, "a", "d1").await;
    loop {
        if let Some(Response::Ack(ack)) = stream.next().await
            && ack.position == 2
        {
            break;
        }
    }
    coordinator.kill();
    let coordinator = program().coordinator(&certificates, &home.path().join("store"), &[]);
    let (mut stream, welcome) = Stream::open(&certificates, &coordinator, "a").await;
    assert_eq!(welcome.position, 2);
    let disks = ask(&certificates, &coordinator, &["disks", "-o", "json"]).json();
    let ids: Vec<&str> = rows(&disks, "disks")
        .iter()
        .map(|disk| disk["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["d0", "d1"]);
    // A daemon speaks for its own node only, and leaves nothing out.
    stream.say(2, "b", "d2").await;
    assert!(
        stream
            .responses
            .message()
            .await
            .unwrap_err()
            .message()
            .contains("each daemon speaks for its own node")
    );
    let (mut stream, _) = Stream::open(&certificates, &coordinator, "a").await;
    stream.say(3, "a", "d3").await;
    assert_eq!(
        stream.responses.message().await.unwrap_err().code(),
        tonic::Code::InvalidArgument
    );
}

#[test]
fn demo_shows_state_beside_the_fan_outs() {
    let recording = fathom_integration_tests::fixture::recording("state-tcp-fallback");
    let folder = text(recording.parent().unwrap());
    let ran = program().run(["demo", "--recordings", &folder, "--run", "state-tcp-fallback", "--once"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("Culprit: link n"), "{}", ran.out);
    let said = "4 of 6 directions between nodes go over RDMA; over TCP although both ends can RDMA: n0 to n1, n1 to n0";
    assert!(ran.out.contains(said), "{}", ran.out);
}

#[test]
fn traces_and_state_are_not_mixed_and_traces_need_places() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("disks.json"), files::DISKS).unwrap();
    fs::write(home.path().join("a.etl"), "x").unwrap();
    let (disks, trace) = (text(&home.path().join("disks.json")), text(&home.path().join("a.etl")));
    assert_fails(
        &program().run(["import", &disks, &trace]),
        2,
        &["traces and state are imported with two commands"],
    );
    assert_fails(
        &program().run(["import", &trace, "--store", &text(home.path())]),
        2,
        &["--store of traces needs --extents"],
    );
}
