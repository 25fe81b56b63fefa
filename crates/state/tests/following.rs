//! What follows from observations: pictures of a moment, pairs of nodes, drift of settings, courses of jobs.

use std::collections::BTreeMap;

use fathom_model::NodeId;
use fathom_model::state::{Code, Kind, Observation, Value};
use fathom_state::history::{Differ, Endings, Picture, Poll};
use fathom_state::rdma::Transport;
use fathom_state::{disks, jobs, pools, qos, rdma};

fn disk(at: i64, health: &str) -> Observation {
    Observation::new("n1".into(), Kind::Disk, "d1", at).with("health", health)
}

fn picture(at: i64, observations: &[Observation]) -> Picture {
    let mut picture = Picture::at(at);
    observations.iter().for_each(|observation| picture.add(observation));
    picture
}

fn poll(node: &str, kind: Kind, at: i64, outcome: Result<u64, String>, full: bool) -> Observation {
    Poll {
        kind,
        class: "C".to_owned(),
        outcome,
        full,
    }
    .observation(&node.into(), at)
}

#[test]
fn a_picture_shows_what_was_known_at_its_moment() {
    let all = [disk(10, "Healthy"), disk(20, "Warning"), disk(30, "Warning")];
    assert_eq!(picture(9, &all).facts().count(), 0);
    let fact = picture(15, &all).of(Kind::Disk).next().expect("it is there");
    assert_eq!(fact.observation.text("health"), Some("Healthy"));
    let fact = picture(99, &all).of(Kind::Disk).next().expect("it is there");
    assert_eq!((fact.since_unix_nanos, fact.seen_unix_nanos), (20, 30));
}

#[test]
fn a_reading_with_nothing_new_confirms_what_was_said() {
    let all = [
        disk(10, "Healthy"),
        poll("n1", Kind::Disk, 50, Ok(1), false),
        poll("n1", Kind::Disk, 60, Err("gone".to_owned()), false),
    ];
    let fact = picture(99, &all).of(Kind::Disk).next().expect("it is there");
    // A reading that failed confirms nothing.
    assert_eq!((fact.since_unix_nanos, fact.seen_unix_nanos), (10, 50));
    let source = picture(99, &all).of(Kind::Source).next().expect("the reading itself");
    assert_eq!(source.observation.text("reason"), Some("gone"));
}

#[test]
fn what_a_full_reading_does_not_have_is_gone() {
    let all = [disk(10, "Healthy"), poll("n1", Kind::Disk, 50, Ok(0), true)];
    assert_eq!(picture(99, &all).of(Kind::Disk).count(), 0);
    assert_eq!(picture(49, &all).of(Kind::Disk).count(), 1);
    // What each node has of its own another node's reading says nothing of.
    let adapter = Observation::new("n1".into(), Kind::Adapter, "SMB1", 10);
    let other = [adapter, poll("n2", Kind::Adapter, 50, Ok(0), true)];
    assert_eq!(picture(99, &other).of(Kind::Adapter).count(), 1);
}

/// What one node had said of the cluster stayed for ever once another node reported in its place.
#[test]
fn who_reports_for_the_cluster_next_ends_what_it_does_not_have() {
    let (first, second): (NodeId, NodeId) = ("n0".into(), "n1".into());
    let of = |node: &NodeId, kind: Kind, id: &str, at: i64| Observation::new(node.clone(), kind, id, at);
    let mut said = Vec::new();
    let mut before = Differ::default();
    let jobs = vec![of(&first, Kind::StorageJob, "repair", 10)];
    said.extend(before.read(&first, "MSFT_StorageJob", Kind::StorageJob, Ok(jobs), 10));
    let disks = ["d1", "d2"].map(|id| of(&first, Kind::Disk, id, 10)).to_vec();
    said.extend(before.read(&first, "MSFT_PhysicalDisk", Kind::Disk, Ok(disks), 10));
    let mut after = Differ::default();
    said.extend(after.read(&second, "MSFT_StorageJob", Kind::StorageJob, Ok(vec![]), 60));
    let disks = vec![of(&second, Kind::Disk, "d1", 60)];
    said.extend(after.read(&second, "MSFT_PhysicalDisk", Kind::Disk, Ok(disks), 60));
    let now = picture(99, &said);
    assert_eq!(now.of(Kind::StorageJob).count(), 0);
    let disks: Vec<_> = now.of(Kind::Disk).map(|fact| fact.observation.id).collect();
    assert_eq!(disks, ["d1"]);
    // Nothing had changed of what is still there.
    assert_eq!(now.of(Kind::Disk).next().map(|fact| fact.since_unix_nanos), Some(10));
    let then = picture(59, &said);
    assert_eq!((then.of(Kind::StorageJob).count(), then.of(Kind::Disk).count()), (1, 2));
    // A reading that failed ends nothing, nor does one that said only what changed.
    let nothing = [
        of(&first, Kind::Disk, "d1", 10),
        poll("n1", Kind::Disk, 50, Err("no answer within 30 s".to_owned()), false),
        poll("n1", Kind::Disk, 60, Ok(0), false),
    ];
    assert_eq!(picture(99, &nothing).of(Kind::Disk).count(), 1);
}

/// Two classes of one kind were held against each other's readings: what the first had said was gone once the second had said everything.
#[test]
fn two_classes_of_one_kind_leave_each_other_alone() {
    let node: NodeId = "n1".into();
    let target = |id: &str, at: i64| Observation::new("n1".into(), Kind::SblTarget, id, at);
    let (paths, disks) = ("ClusBfltDeviceInformation", "MSFT_SBLTargetDisk");
    let mut differ = Differ::default();
    let mut said = differ.read(&node, paths, Kind::SblTarget, Ok(vec![target("{a}/1", 10)]), 10);
    said.extend(differ.read(&node, disks, Kind::SblTarget, Ok(vec![target("{a}", 11)]), 11));
    said.extend(differ.read(&node, paths, Kind::SblTarget, Ok(vec![target("{a}/1", 70)]), 70));
    let all = |at: i64| -> Vec<(String, i64)> {
        let facts = picture(at, &said).of(Kind::SblTarget).collect::<Vec<_>>();
        let each = facts.into_iter();
        each.map(|fact| (fact.observation.id, fact.seen_unix_nanos)).collect()
    };
    assert_eq!(all(99), [("{a}".to_owned(), 11), ("{a}/1".to_owned(), 70)]);
    // A file is all there is of its kinds.
    said.push(
        Poll {
            kind: Kind::SblTarget,
            class: "import".to_owned(),
            outcome: Ok(0),
            full: true,
        }
        .observation(&node, 80),
    );
    assert_eq!(picture(99, &said).of(Kind::SblTarget).count(), 0);
}

/// A class that failed looked as if it had just been read, where another class of its kind was.
#[test]
fn a_class_that_fails_is_not_confirmed_by_another_of_its_kind() {
    let node: NodeId = "n1".into();
    let target = |id: &str, at: i64| Observation::new("n1".into(), Kind::SblTarget, id, at);
    let mut differ = Differ::default();
    let mut said = Vec::new();
    for at in (0..=60).step_by(15) {
        said.extend(differ.read(&node, "ClassOne", Kind::SblTarget, Ok(vec![target("one", at)]), at));
        let two = match at {
            0 => Ok(vec![target("two", at)]),
            _ => Err("access denied".to_owned()),
        };
        said.extend(differ.read(&node, "ClassTwo", Kind::SblTarget, two, at));
    }
    let seen: Vec<(String, i64)> = picture(60, &said)
        .of(Kind::SblTarget)
        .map(|fact| (fact.observation.id, fact.seen_unix_nanos))
        .collect();
    assert_eq!(seen, [("one".to_owned(), 60), ("two".to_owned(), 0)]);
}

#[test]
fn what_says_no_class_means_what_it_meant_before_there_were_any() {
    let known = [
        disk(10, "Healthy"),
        poll("n1", Kind::Disk, 50, Ok(1), false),
        Poll {
            kind: Kind::Disk,
            class: "Other".to_owned(),
            outcome: Ok(1),
            full: false,
        }
        .observation(&"n1".into(), 60),
    ];
    let fact = picture(99, &known).of(Kind::Disk).next().expect("it is there");
    assert_eq!(fact.seen_unix_nanos, 60);
    let ended = [&known[..], &[poll("n1", Kind::Disk, 70, Ok(0), true)]].concat();
    assert_eq!(picture(99, &ended).of(Kind::Disk).count(), 0);
    // As it was written then.
    let written = r#"{"node":"n1","kind":"disk","id":"d1","observed_unix_nanos":10,"present":true,"attributes":{},"unavailable":{}}"#;
    let read: Observation = serde_json::from_str(written).expect("it reads");
    assert_eq!(read.class, None);
    assert_eq!(serde_json::to_string(&read).expect("it writes"), written);
}

#[test]
fn a_daemon_says_everything_once_and_then_what_changes() {
    let node: NodeId = "n1".into();
    let mut differ = Differ::default();
    let said = differ.read(&node, "MSFT_PhysicalDisk", Kind::Disk, Ok(vec![disk(1, "Healthy")]), 1);
    assert_eq!(
        said.iter().map(|said| said.kind).collect::<Vec<_>>(),
        [Kind::Disk, Kind::Source]
    );
    let said = differ.read(&node, "MSFT_PhysicalDisk", Kind::Disk, Ok(vec![disk(2, "Healthy")]), 2);
    assert_eq!(said.iter().map(|said| said.kind).collect::<Vec<_>>(), [Kind::Source]);
    let said = differ.read(
        &node,
        "MSFT_PhysicalDisk",
        Kind::Disk,
        Err("no answer within 30 s".to_owned()),
        3,
    );
    assert_eq!(said.len(), 1);
    // A reading that failed does not mean that everything is gone.
    let said = differ.read(&node, "MSFT_PhysicalDisk", Kind::Disk, Ok(vec![]), 4);
    assert!(!said[0].present);
}

fn connection(node: &str, server: &str, at: i64, rdma: u64, tcp: u64) -> Observation {
    Observation::new(node.into(), Kind::SmbConnection, server, at)
        .with("server", server)
        .with("client_interface", "SMB1")
        .with("client_rdma_capable", true)
        .with("server_rdma_capable", true)
        .with("rdma_connections", rdma)
        .with("tcp_connections", tcp)
}

#[test]
fn a_fallback_is_seen_with_its_time_and_unheard_nodes_are_unknown() {
    let nodes: Vec<NodeId> = vec!["n1".into(), "n2".into(), "n3".into()];
    let all = [
        connection("n1", "N2.contoso.com", 10, 2, 0),
        connection("n1", "N2.contoso.com", 20, 0, 2),
        connection("n2", "n1", 10, 2, 0),
        poll("n1", Kind::SmbConnection, 30, Ok(1), false),
    ];
    let pairs = rdma::matrix(&picture(99, &all), &nodes, &all);
    let pair = |client: &str, server: &str| {
        let found = pairs
            .iter()
            .find(|pair| pair.client.as_str() == client && pair.server == server);
        found.expect("every pair is there")
    };
    assert_eq!(pairs.len(), 6);
    assert_eq!(
        (pair("n1", "n2").transport, pair("n1", "n2").since_unix_nanos),
        (Transport::Tcp, Some(20))
    );
    assert!(pair("n1", "n2").fallback);
    assert_eq!(
        (pair("n2", "n1").transport, pair("n2", "n1").since_unix_nanos),
        (Transport::Rdma, Some(10))
    );
    assert_eq!(pair("n1", "n3").transport, Transport::None);
    assert_eq!(pair("n3", "n1").transport, Transport::Unknown);
    // Before the fallback it was RDMA.
    let before = rdma::matrix(&picture(15, &all), &nodes, &all);
    assert_eq!(
        before
            .iter()
            .find(|pair| pair.client.as_str() == "n1")
            .map(|pair| pair.transport),
        Some(Transport::Rdma)
    );
}

#[test]
fn without_counts_the_transport_is_unknown_although_both_ends_can() {
    let nodes: Vec<NodeId> = vec!["n1".into(), "n2".into()];
    let mut old = connection("n1", "n2", 10, 0, 0);
    old.attributes.remove("rdma_connections");
    old.attributes.remove("tcp_connections");
    let pairs = rdma::matrix(&picture(99, std::slice::from_ref(&old)), &nodes, [&old]);
    assert_eq!((pairs[0].transport, pairs[0].fallback), (Transport::Unknown, false));
    assert_eq!(
        pairs[0].notes,
        ["both ends can RDMA; this build does not say what is used"]
    );
}

#[test]
fn a_node_that_differs_is_odd_and_one_that_is_not_heard_is_not() {
    let nodes: Vec<NodeId> = ["n1", "n2", "n3", "n4"].map(NodeId::from).to_vec();
    let flow = |node: &str, enabled: bool| {
        Observation::new(node.into(), Kind::QosFlowControl, "3", 1)
            .with("priority", 3_u64)
            .with("enabled", enabled)
    };
    let settings = qos::settings(
        &picture(9, &[flow("n1", true), flow("n2", true), flow("n3", false)]),
        &nodes,
    );
    let [setting] = &settings[..] else {
        panic!("{settings:?}")
    };
    assert!(setting.drift);
    assert_eq!(setting.odd, ["n3".into()]);
    assert_eq!(setting.values[&NodeId::from("n4")], None);
    // A node that has read them and has none differs.
    let read = poll("n4", Kind::QosFlowControl, 2, Ok(0), true);
    let settings = qos::settings(&picture(9, &[flow("n1", true), flow("n2", true), read]), &nodes);
    assert_eq!(settings[0].odd, ["n4".into()]);
}

#[test]
fn a_job_has_the_rate_between_readings_and_its_restarts() {
    let job = |at: i64, done: u64| {
        Observation::new("n1".into(), Kind::StorageJob, "j", at * 1_000_000_000)
            .with(
                "state",
                Code {
                    code: Some(4),
                    name: Some("Running".to_owned()),
                },
            )
            .with("processed_bytes", done)
            .with("total_bytes", Value::Unsigned(1000))
    };
    let course = &jobs::courses(&[job(0, 0), job(10, 200), job(20, 500)], i64::MAX)["j"];
    assert_eq!(
        (course.bytes_per_s, course.left_bytes, course.left_seconds),
        (Some(30.0), Some(500), Some(500.0 / 30.0))
    );
    let stuck = &jobs::courses(&[job(0, 500), job(10, 100)], i64::MAX)["j"];
    assert_eq!((stuck.restarts, stuck.bytes_per_s, stuck.left_seconds), (1, None, None));
    let one = &jobs::courses(&[job(0, 500), job(10, 600)], 5_000_000_000)["j"];
    assert_eq!((one.readings, one.bytes_per_s), (1, None));
}

/// Nothing was said to be left of a job that has done more than there is to do, and of one that does not say what there is to do; of one that
/// was read once it was said that it never began anew.
#[test]
fn what_a_job_does_not_say_is_unknown_and_why() {
    let job = |at: i64, done: u64, total: u64| {
        Observation::new("n1".into(), Kind::StorageJob, "j", at)
            .with("processed_bytes", done)
            .with("total_bytes", total)
    };
    let beside = |all: &[Observation]| {
        let picture = picture(99, all);
        let fact = picture.of(Kind::StorageJob).next().expect("it is there");
        jobs::beside(&jobs::courses(all, 99)["j"], &fact)
    };
    for (done, total, why) in [
        (0, 0, "it says that there is nothing to do at all"),
        (200, 100, "it says to have done more than there is to do"),
    ] {
        let said = beside(&[job(10, done, total)]);
        assert_eq!(said.known.get("left_bytes"), None);
        assert_eq!(said.unknown["left_bytes"], why);
    }
    let said = beside(&[job(10, 50, 100)]);
    assert_eq!(said.known["left_bytes"], Value::Unsigned(50));
    assert_eq!(
        (said.known.get("restarts"), said.unknown["restarts"].as_str()),
        (None, "it was read once")
    );
    // Another reading with nothing new is one too.
    let said = beside(&[job(10, 50, 100), poll("n1", Kind::StorageJob, 20, Ok(1), false)]);
    assert_eq!(said.known["restarts"], Value::Unsigned(0));
    assert_eq!(
        beside(&[job(10, 50, 100), job(20, 10, 100)]).known["restarts"],
        Value::Unsigned(1)
    );
}

#[test]
fn what_a_later_full_reading_does_not_have_is_gone_since_then() {
    let said = disk(10, "Healthy");
    let all = [
        poll("n1", Kind::Disk, 20, Ok(1), false),
        poll("n1", Kind::Disk, 40, Err("no".to_owned()), false),
        poll("n2", Kind::Disk, 50, Ok(0), true),
        poll("n2", Kind::Disk, 60, Ok(0), true),
        poll("n2", Kind::Adapter, 30, Ok(0), true),
    ];
    let mut endings = Endings::default();
    all.iter().for_each(|row| endings.add(row));
    assert_eq!(endings.since(&said), Some(50));
    assert_eq!(endings.since(&disk(60, "Healthy")), None);
    let adapter = Observation::new("n1".into(), Kind::Adapter, "SMB1", 10);
    assert_eq!(endings.since(&adapter), None, "another node's says nothing of it");
    let gone = Observation { present: false, ..said };
    assert_eq!(endings.since(&gone), None, "that was said itself");
}

fn code(number: i64, name: &str) -> Code {
    Code {
        code: Some(number),
        name: Some(name.to_owned()),
    }
}

#[test]
fn a_pair_has_the_priority_of_its_clients_policies_and_says_when_its_directions_differ() {
    let nodes: Vec<NodeId> = vec!["n1".into(), "n2".into()];
    let policy = |node: &str, name: &str, attribute: &str, priority: u64| {
        Observation::new(node.into(), Kind::QosPolicy, name, 1)
            .with("name", name)
            .with(attribute, 445_u64)
            .with("priority", priority)
    };
    let mut all = vec![
        connection("n1", "n2", 10, 2, 0),
        connection("n2", "n1", 10, 0, 2),
        policy("n1", "SMB Direct", "net_direct_port", 3),
        policy("n1", "SMB", "destination_port", 1),
        policy("n2", "SMB Direct", "net_direct_port", 3),
    ];
    let pairs = rdma::matrix(&picture(99, &all), &nodes, &all);
    // Over TCP the policy of the NetDirect port marks nothing.
    assert_eq!((pairs[0].priority, pairs[1].priority), (Some(3), None));
    assert_eq!(pairs[0].notes, ["the other way, n2 to n1, it is tcp"]);
    assert!(
        pairs[1]
            .notes
            .contains(&"the other way, n1 to n2, it is rdma".to_owned())
    );
    all.push(policy("n1", "Other", "net_direct_port", 5));
    let pairs = rdma::matrix(&picture(99, &all), &nodes, &all);
    assert_eq!(pairs[0].priority, None);
    assert!(pairs[0].notes[0].contains("3 and 5"), "{:?}", pairs[0].notes);
}

#[test]
fn a_setting_has_its_age_and_why_it_was_not_read_since() {
    let nodes: Vec<NodeId> = vec!["n1".into(), "n2".into()];
    let class = "MSFT_NetQosFlowControlSettingData";
    let flow = |node: &str, enabled: bool| {
        Observation::new(node.into(), Kind::QosFlowControl, "3", 10)
            .with("priority", 3_u64)
            .with("enabled", enabled)
    };
    let mut all = Vec::new();
    let mut differ = Differ::default();
    for at in [10, 60] {
        let read = Ok(vec![flow("n1", true)]);
        all.extend(differ.read(&nodes[0], class, Kind::QosFlowControl, read, at));
    }
    let mut differ = Differ::default();
    let reads = [Ok(vec![flow("n2", false)]), Err("access denied".to_owned())];
    for (read, at) in reads.into_iter().zip([10, 60]) {
        all.extend(differ.read(&nodes[1], class, Kind::QosFlowControl, read, at));
    }
    // What is no node has no column, and no part in what is usual.
    all.push(flow("cluster", false));
    let settings = qos::settings(&picture(99, &all), &nodes);
    let [setting] = &settings[..] else {
        panic!("{settings:?}")
    };
    let seen = nodes.iter().map(|node| setting.seen.get(node).copied());
    assert_eq!(seen.collect::<Vec<_>>(), [Some(60), Some(10)]);
    let failed = BTreeMap::from([(nodes[1].clone(), "access denied".to_owned())]);
    assert_eq!(setting.failed, failed);
    assert_eq!(setting.values.len(), 2);
}

#[test]
fn what_stands_beside_a_disk_has_its_own_age_and_its_reasons() {
    let mut counters = Observation::new("n1".into(), Kind::DiskReliability, "d1", 10)
        .with("disk_id", "d1")
        .with("wear_percent", 4_u64);
    counters.unavailable.insert("read_errors".to_owned(), "null".to_owned());
    let all = [
        counters,
        disk(10, "Healthy"),
        poll("n1", Kind::Disk, 1200, Ok(1), false),
        poll("n1", Kind::DiskReliability, 20, Ok(1), false),
    ];
    let beside = &disks::beside(&picture(1200, &all))["d1"];
    assert_eq!(beside.known["wear_percent"], Value::Unsigned(4));
    assert_eq!(beside.known["reliability_seen_unix_ns"], Value::Unsigned(20));
    let unknown = BTreeMap::from([("read_errors".to_owned(), "null".to_owned())]);
    assert_eq!(beside.unknown, unknown);
}

#[test]
fn a_pool_says_which_media_it_is_of_beside_those_that_cache() {
    let pool = |id: &str, primordial: bool| {
        Observation::new("n1".into(), Kind::Pool, id, 10)
            .with("unique_id", id)
            .with("primordial", primordial)
    };
    let disk = |id: &str, media: Code, usage: i64| {
        Observation::new("n1".into(), Kind::Disk, id, 10)
            .with("media", media)
            .with("usage", code(usage, "as it is"))
            .with("cannot_pool_reason", vec![code(2, "In a Pool").into()])
    };
    let mut all = vec![
        pool("p", false),
        pool("all", true),
        disk("d1", code(4, "SSD"), 5),
        disk("d2", code(3, "HDD"), 1),
    ];
    let said = pools::beside(&picture(99, &all));
    assert_eq!(said.len(), 1);
    assert_eq!(said["p"].known["mixed_media"], Value::Bool(false));
    assert_eq!(said["p"].known["media"].to_string(), "HDD");
    all.push(disk("d3", code(4, "SSD"), 1));
    let said = pools::beside(&picture(99, &all));
    assert_eq!(said["p"].known["mixed_media"], Value::Bool(true));
    assert_eq!(said["p"].known["media"].to_string(), "HDD, SSD");
    // Of two pools a disk that names none is of nobody knows which.
    all.push(pool("q", false));
    let said = pools::beside(&picture(99, &all));
    assert!(said["p"].unknown.contains_key("media"));
}
