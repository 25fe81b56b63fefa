//! What stands is said with its readings; what was not read, and what is worked on, is not.

use fathom_model::finding::Severity;
use fathom_model::state::{Code, Value};

use super::*;
use crate::history::Poll;

pub(super) const SECOND: i64 = 1_000_000_000;

pub(super) fn code(number: i64, name: &str) -> Value {
    Value::Code(Code {
        code: Some(number),
        name: Some(name.to_owned()),
    })
}

pub(super) fn observation(node: &str, kind: Kind, id: &str, second: i64) -> Observation {
    Observation::new(node.into(), kind, id, second * SECOND)
}

/// Takes what a node read of a class, in full, and gives back what has to be looked at.
pub(super) fn read(
    conditions: &mut Conditions,
    node: &str,
    kind: Kind,
    mut rows: Vec<Observation>,
    second: i64,
) -> Read {
    let poll = Poll {
        kind,
        class: "class".to_owned(),
        outcome: Ok(rows.len() as u64),
        full: true,
    };
    for row in &mut rows {
        row.observed_unix_nanos = second * SECOND;
        assert_eq!(conditions.add(row), None);
    }
    conditions
        .add(&poll.observation(&node.into(), second * SECOND))
        .expect("a reading is looked at")
}

pub(super) fn connection(client: &str, server: &str, tcp: u64, rdma: u64, second: i64) -> Observation {
    observation(client, Kind::SmbConnection, server, second)
        .with("server", server)
        .with("instance", code(2, "SBL"))
        .with("client_interface", "SMB1")
        .with("client_rdma_capable", true)
        .with("server_rdma_capable", true)
        .with("tcp_connections", tcp)
        .with("rdma_connections", rdma)
        .with("selected", true)
        .with("failed", false)
}

pub(super) fn is_about(condition: &Condition) -> (String, String, Option<String>) {
    (condition.kind.clone(), condition.node.clone(), condition.peer.clone())
}

/// Each of three nodes reads its connections; those of which `tcp` says so are over TCP.
fn connected(tcp: impl Fn(&str, &str) -> bool) -> Conditions {
    let mut conditions = Conditions::default();
    let nodes = ["a", "b", "c"];
    for client in nodes {
        let others = nodes.into_iter().filter(|server| *server != client);
        let rows = others.map(|server| {
            let (over_tcp, over_rdma) = if tcp(client, server) { (2, 0) } else { (0, 2) };
            connection(client, server, over_tcp, over_rdma, 1)
        });
        let looked = read(&mut conditions, client, Kind::SmbConnection, rows.collect(), 1);
        assert_eq!(looked.sign, Sign::TcpFallback);
    }
    conditions
}

#[test]
fn fallback_is_of_a_pair_of_a_node_or_of_all() {
    assert_eq!(connected(|_, _| false).of(Sign::TcpFallback), []);
    let pair = |one: &str, other: &str| (one == "a" && other == "b") || (one == "b" && other == "a");
    let mut of_pair = connected(pair);
    let found = of_pair.of(Sign::TcpFallback);
    assert_eq!(
        found.iter().map(is_about).collect::<Vec<_>>(),
        [("link".to_owned(), "a".to_owned(), Some("b".to_owned()))]
    );
    let cited: Vec<(&str, &str)> = found[0]
        .observations
        .iter()
        .map(|reading| (reading.node.as_str(), reading.id.as_str()))
        .collect();
    assert_eq!(cited, [("a", "b"), ("b", "a")], "both ends, and nothing else");
    let mut of_node = connected(|one, other| one == "c" || other == "c");
    let found = of_node.of(Sign::TcpFallback);
    assert_eq!(
        found.iter().map(is_about).collect::<Vec<_>>(),
        [("node".to_owned(), "c".to_owned(), None)]
    );
    let mut of_all = connected(|_, _| true);
    assert_eq!(
        of_all.of(Sign::TcpFallback).iter().map(is_about).collect::<Vec<_>>(),
        [("cluster".to_owned(), String::new(), None)]
    );
}

/// What files say of a whole cluster was said by a node of the cluster's name: with it not all nodes had fallen back, and each pair was a
/// finding of its own.
#[test]
fn name_of_the_cluster_that_files_speak_of_is_no_node() {
    let fallen =
        |conditions: &mut Conditions| -> Vec<_> { conditions.of(Sign::TcpFallback).iter().map(is_about).collect() };
    let all = [("cluster".to_owned(), String::new(), None)];
    let imported = |conditions: &mut Conditions, name: &str, kind: Kind| {
        let row = observation(name, kind, "d1", 2);
        let polls = crate::history::polls_of(std::slice::from_ref(&row), "import");
        for row in std::iter::once(row).chain(polls) {
            conditions.add(&row);
        }
        conditions.told.clear();
    };
    let mut conditions = connected(|_, _| true);
    imported(&mut conditions, "CLUSTER01", Kind::Disk);
    assert_eq!(fallen(&mut conditions), all);
    // A node whose files say something of its own is one, and so is one that the cluster's list has.
    imported(&mut conditions, "d", Kind::Adapter);
    assert_eq!(fallen(&mut conditions).len(), 3);
    let mut conditions = connected(|_, _| true);
    imported(&mut conditions, "D", Kind::Disk);
    assert_eq!(fallen(&mut conditions), all);
    conditions.add(&observation("a", Kind::Node, "d", 3));
    assert_eq!(fallen(&mut conditions).len(), 3);
    // The topology may write a node in another case: it is the same one.
    let mut conditions = connected(|_, _| true);
    conditions.nodes.insert("A".into());
    conditions.told.clear();
    assert_eq!(fallen(&mut conditions), all);
}

#[test]
fn pair_that_cannot_or_does_not_say_has_not_fallen_back() {
    let mut conditions = Conditions::default();
    let silent = connection("a", "b", 2, 0, 1);
    let mut uncounted = silent.clone();
    uncounted.attributes.remove("tcp_connections");
    read(&mut conditions, "a", Kind::SmbConnection, vec![uncounted], 1);
    assert_eq!(conditions.of(Sign::TcpFallback), []);
    let one_sided = silent.with("server_rdma_capable", false);
    read(&mut conditions, "a", Kind::SmbConnection, vec![one_sided], 2);
    assert_eq!(conditions.of(Sign::TcpFallback), []);
}

fn flow_control(node: &str, enabled: &[u64], second: i64) -> Vec<Observation> {
    (0..8_u64)
        .map(|priority| {
            observation(node, Kind::QosFlowControl, &priority.to_string(), second)
                .with("priority", priority)
                .with("enabled", enabled.contains(&priority))
        })
        .collect()
}

#[test]
fn node_that_pauses_otherwise_is_odd_and_one_that_was_not_heard_is_not() {
    let mut conditions = Conditions::default();
    let topology = Topology {
        nodes: ["a", "b", "c", "d"]
            .map(|node| fathom_model::topology::Node {
                id: node.into(),
                observed: true,
            })
            .to_vec(),
        ..Topology::default()
    };
    conditions.set_topology(&topology);
    for node in ["a", "b"] {
        read(
            &mut conditions,
            node,
            Kind::QosFlowControl,
            flow_control(node, &[3], 1),
            1,
        );
    }
    assert_eq!(conditions.of(Sign::QosDrift), [], "c and d have not been heard");
    read(
        &mut conditions,
        "c",
        Kind::QosFlowControl,
        flow_control("c", &[3, 4], 1),
        1,
    );
    let found = conditions.of(Sign::QosDrift);
    assert_eq!(
        found.iter().map(is_about).collect::<Vec<_>>(),
        [("node".to_owned(), "c".to_owned(), None)]
    );
    assert!(found[0].text.contains("priority 4, flow control"), "{}", found[0].text);
    assert_eq!(found[0].observations[0].id, "4");
    // As many with as without: nobody is odd.
    read(
        &mut conditions,
        "d",
        Kind::QosFlowControl,
        flow_control("d", &[3, 4], 1),
        1,
    );
    assert_eq!(conditions.of(Sign::QosDrift)[0].kind, "cluster");
}

pub(super) fn adapter(node: &str, name: &str, mtu: u64) -> Observation {
    observation(node, Kind::Adapter, name, 1)
        .with("name", name)
        .with("mtu_bytes", mtu)
}

#[test]
fn frames_that_differ_matter_on_adapters_of_storage_alone() {
    let mut conditions = Conditions::default();
    for (node, mtu) in [("a", 9000), ("b", 9000), ("c", 1500)] {
        let adapters = vec![adapter(node, "SMB1", mtu), adapter(node, "Management", mtu)];
        read(&mut conditions, node, Kind::Adapter, adapters, 1);
    }
    assert_eq!(conditions.of(Sign::MtuMismatch), [], "nobody said which carry storage");
    for node in ["a", "b", "c"] {
        let rdma = observation(node, Kind::AdapterRdma, "SMB1", 1)
            .with("name", "SMB1")
            .with("enabled", true);
        read(&mut conditions, node, Kind::AdapterRdma, vec![rdma], 1);
    }
    let found = conditions.of(Sign::MtuMismatch);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (
            found[0].kind.as_str(),
            found[0].node.as_str(),
            found[0].resource.as_deref()
        ),
        ("adapter", "c", Some("SMB1"))
    );
    assert_eq!(conditions.adapters().len(), 3);
}

pub(super) fn disk(id: &str, health: i64, status: &[i64]) -> Observation {
    observation("a", Kind::Disk, id, 1)
        .with("unique_id", id)
        .with("health", code(health, "health"))
        .with(
            "operational_status",
            status.iter().map(|&number| code(number, "status")).collect::<Vec<_>>(),
        )
}

#[test]
fn drives_are_told_by_status_and_wear_where_they_are_known() {
    let mut conditions = Conditions::default();
    let disks = vec![
        disk("well", 0, &[2]),
        disk("slow", 0, &[2, 0xD026]),
        disk("dying", 1, &[5]),
        disk("serviced", 0, &[0xD016]),
    ];
    read(&mut conditions, "a", Kind::Disk, disks, 1);
    let view = observation("a", Kind::DiskView, "dying/b", 1)
        .with("disk_id", "dying")
        .with("node", "b")
        .with("connected", true)
        .with("disk_number", 7_u64);
    read(&mut conditions, "a", Kind::DiskView, vec![view], 1);
    let found = conditions.of(Sign::DiskUnhealthy);
    let told: Vec<_> = found
        .iter()
        .map(|one| (one.node.as_str(), one.disk.as_deref(), one.severity, one.is_symptom))
        .collect();
    assert_eq!(
        told,
        [
            ("b", Some("disk7"), Severity::Critical, false),
            ("", Some("slow"), Severity::Warning, true)
        ]
    );

    let worn = |id: &str, percent: u64| {
        observation("a", Kind::DiskReliability, id, 1)
            .with("disk_id", id)
            .with("wear_percent", percent)
    };
    assert_eq!(conditions.of(Sign::DiskWear), [], "nobody has said how worn they are");
    let counters = vec![worn("well", 94), worn("slow", 95), worn("dying", 100)];
    let looked = read(&mut conditions, "a", Kind::DiskReliability, counters, 2);
    assert_eq!(looked.sign, Sign::DiskWear);
    let told: Vec<_> = conditions
        .of(Sign::DiskWear)
        .iter()
        .map(|one| (one.disk.clone(), one.severity, one.observations[0].kind.clone()))
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.contains(&(
        Some("disk7".to_owned()),
        Severity::Critical,
        "disk_reliability".to_owned()
    )));
}

fn job(node: &str, done: u64, second: i64) -> Observation {
    observation(node, Kind::StorageJob, "repair", second)
        .with("name", "vol0-Repair")
        .with("state", code(4, "Running"))
        .with("processed_bytes", done)
}

#[test]
fn job_is_stuck_when_it_began_anew_twice_or_stood_still() {
    let mut conditions = Conditions::default();
    let mut at = |done: u64, second: i64, node: &str| {
        read(
            &mut conditions,
            node,
            Kind::StorageJob,
            vec![job(node, done, second)],
            second,
        );
        conditions.of(Sign::JobStuck).len()
    };
    assert_eq!(
        [at(10, 1, "a"), at(20, 2, "a"), at(5, 3, "a"), at(15, 4, "a")],
        [0; 4],
        "once may be planned"
    );
    // Another node's clock and cache are no restart.
    assert_eq!([at(3, 5, "b"), at(9, 6, "b")], [0; 2]);
    assert_eq!(at(2, 7, "b"), 1);
    let text = conditions.of(Sign::JobStuck)[0].text.clone();
    assert!(text.contains("vol0-Repair") && text.contains("2 times"), "{text}");

    let mut still = Conditions::default();
    for (second, expected) in [(1, 0), (599, 0), (601, 1)] {
        read(&mut still, "a", Kind::StorageJob, vec![job("a", 10, 1)], second);
        assert_eq!(still.of(Sign::JobStuck).len(), expected, "{second}");
    }
    read(&mut still, "a", Kind::StorageJob, vec![], 700);
    assert_eq!(still.of(Sign::JobStuck), [], "it is gone");
}

#[test]
fn job_that_runs_is_told_with_when_it_began_and_what_it_moved_until_it_is_gone() {
    let mut conditions = Conditions::default();
    let running = job("a", 3 << 30, 100)
        .with("total_bytes", 4_u64 << 30)
        .with("elapsed_ns", 60_000_000_000_u64);
    read(&mut conditions, "a", Kind::StorageJob, vec![running], 100);
    let told = conditions.of(Sign::JobRuns).to_vec();
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].kind.as_str(), told[0].resource.as_deref()),
        ("job", Some("repair"))
    );
    let said = told[0].job.as_ref().unwrap();
    assert_eq!(
        (said.name.as_str(), said.moved_bytes, said.total_bytes),
        ("vol0-Repair", Some(3 << 30), Some(4 << 30))
    );
    let observed = told[0].observations[0].at_unix_ns;
    assert_eq!(said.began_unix_ns, observed - 60_000_000_000);
    assert!(told[0].text.contains("3 GiB of 4 GiB"), "{}", told[0].text);
    let suspended = job("a", 3 << 30, 105).with("state", code(5, "Suspended"));
    read(&mut conditions, "a", Kind::StorageJob, vec![suspended], 105);
    assert_eq!(conditions.of(Sign::JobRuns), [], "it does not run");
    read(
        &mut conditions,
        "a",
        Kind::StorageJob,
        vec![job("a", 3 << 30, 110)],
        110,
    );
    assert_eq!(conditions.of(Sign::JobRuns).len(), 1);
    read(&mut conditions, "a", Kind::StorageJob, vec![], 115);
    assert_eq!(conditions.of(Sign::JobRuns), [], "it is gone");
}

#[test]
fn node_that_is_paused_is_worked_on_and_what_is_wrong_with_it_is_expected() {
    let mut conditions = connected(|one, other| (one, other) == ("a", "b") || (one, other) == ("b", "a"));
    assert_eq!(conditions.of(Sign::TcpFallback).len(), 1);
    let node = |state: i64, second: i64| {
        vec![
            observation("a", Kind::Node, "b", second)
                .with("name", "b")
                .with("state", code(state, "state"))
                .with("drain", code(0, "NotInitiated")),
        ]
    };
    for row in node(2, 2) {
        conditions.add(&row);
    }
    assert_eq!(conditions.maintenance(), &BTreeSet::from([NodeId::new("b")]));
    assert_eq!(conditions.of(Sign::TcpFallback), []);
    for row in node(0, 3) {
        conditions.add(&row);
    }
    assert!(conditions.maintenance().is_empty());
    assert_eq!(conditions.of(Sign::TcpFallback).len(), 1);
}
