//! State says what the faults do, and only while they do it.

use super::*;
use crate::config::{Config, Fault, Volume};
use crate::simulate;

fn run(what: FaultKind) -> Simulated {
    let config = Config {
        nodes: 3,
        writes: None,
        seconds: Some(2.0),
        faults: vec![Fault {
            from_seconds: 0.5,
            until_seconds: Some(1.5),
            what,
        }],
        ..Config::default()
    };
    simulate(&config).expect("it runs")
}

fn read(simulated: &Simulated, node: u32, kind: Kind, at: u64) -> Vec<Observation> {
    let states = States::new(simulated);
    let readings = states.read(node, at).into_iter().filter(|reading| reading.kind == kind);
    readings
        .flat_map(|reading| reading.read.expect("it can be read"))
        .collect()
}

const BEFORE: u64 = 100_000_000;
const DURING: u64 = 1_000_000_000;
const AFTER: u64 = 1_900_000_000;

#[test]
fn a_slow_drive_is_of_abnormal_latency_while_it_is_slow_and_stays_healthy() {
    let on = DiskRef { node: 1, disk: 2 };
    let simulated = run(FaultKind::SlowDisk {
        on,
        factor: 10.0,
        add_micros: 0.0,
    });
    let status = |at: u64| {
        let disks = read(&simulated, 0, Kind::Disk, at);
        let odd: Vec<String> = disks
            .iter()
            .filter(|disk| {
                disk.get("operational_status")
                    .is_some_and(|status| status.items().len() > 1)
            })
            .map(|disk| disk.id.clone())
            .collect();
        assert!(disks.iter().all(|disk| disk.text("health") == Some("Healthy")));
        odd
    };
    assert_eq!(
        (status(BEFORE), status(DURING), status(AFTER)),
        (vec![], vec!["n1/disk2".to_owned()], vec![])
    );
}

#[test]
fn where_rdma_is_lost_both_ends_talk_tcp() {
    let on = LinkRef { node: 0, peer: Some(1) };
    let simulated = run(FaultKind::RdmaFallback {
        on,
        add_micros: 50.0,
        cpu_micros: 20.0,
    });
    let tcp = |node: u32, at: u64| {
        let connections = read(&simulated, node, Kind::SmbConnection, at);
        let fallen = connections
            .iter()
            .filter(|connection| connection.number("tcp_connections") > Some(0));
        fallen
            .map(|connection| connection.text("server").unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(tcp(0, DURING), ["n1", "n1"]);
    assert_eq!(tcp(1, DURING), ["n0", "n0"]);
    assert!(tcp(2, DURING).is_empty() && tcp(0, BEFORE).is_empty() && tcp(0, AFTER).is_empty());
}

#[test]
fn a_repair_is_a_job_with_the_bytes_that_were_written() {
    let (from, to) = (DiskRef { node: 0, disk: 0 }, DiskRef { node: 1, disk: 0 });
    let simulated = run(FaultKind::Repair {
        from,
        to,
        queue_depth: 4,
    });
    assert!(read(&simulated, 0, Kind::StorageJob, BEFORE).is_empty());
    assert!(read(&simulated, 0, Kind::StorageJob, AFTER).is_empty());
    let done = |at: u64| {
        read(&simulated, 0, Kind::StorageJob, at)[0]
            .number("processed_bytes")
            .expect("it is known")
    };
    assert!(0 < done(700_000_000) && done(700_000_000) < done(1_400_000_000));
}

#[test]
fn settings_of_one_node_differ_while_it_storms() {
    let simulated = run(FaultKind::PfcStorm {
        node: 2,
        every_millis: 50.0,
        pause_millis: 5.0,
    });
    let on = |node: u32| {
        read(&simulated, node, Kind::QosFlowControl, DURING)
            .iter()
            .filter(|row| row.flag("enabled") == Some(true))
            .count()
    };
    assert_eq!((on(0), on(1), on(2)), (1, 1, 8));
}

#[test]
fn every_writer_of_a_volume_is_a_machine_with_its_files_on_it() {
    let config = Config {
        nodes: 3,
        writes: Some(10),
        volumes: vec![
            Volume {
                initiators: vec![0, 2],
                ..Volume::on(3)
            },
            Volume {
                name: Some("logs".to_owned()),
                initiators: vec![2],
                ..Volume::on(3)
            },
        ],
        ..Config::default()
    };
    let simulated = simulate(&config).expect("it runs");
    let names = |node: u32| -> Vec<String> {
        let machines = read(&simulated, node, Kind::Vm, 0);
        let names = machines.iter().filter_map(|machine| machine.text("name"));
        names.map(str::to_owned).collect()
    };
    assert_eq!(names(0), ["vol0-n0"]);
    assert!(names(1).is_empty());
    assert_eq!(names(2), ["vol0-n2", "logs-n2"]);
    let machines = read(&simulated, 2, Kind::Vm, 0);
    let files = read(&simulated, 2, Kind::Vhd, 0);
    assert_eq!(files.len(), 4);
    for file in &files {
        let machine = machines
            .iter()
            .find(|machine| Some(machine.id.as_str()) == file.text("vm_id"));
        let name = machine
            .and_then(|machine| machine.text("name"))
            .expect("it is of a machine");
        let volume = name.trim_end_matches("-n2");
        let path = file.text("path").expect("it has a path");
        assert!(
            path.starts_with(&format!(r"C:\ClusterStorage\{volume}\{name}\")),
            "{path}"
        );
    }
    // Identities are the same at every reading, and nobody else's.
    assert_eq!(
        files
            .iter()
            .map(|file| &file.id)
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        4
    );
    assert_eq!(
        read(&simulated, 0, Kind::Vm, 0)[0].id,
        read(&simulated, 0, Kind::Vm, 900)[0].id
    );
}

#[test]
fn only_one_node_reads_for_the_cluster_and_every_node_for_itself() {
    let on = DiskRef { node: 1, disk: 2 };
    let simulated = run(FaultKind::SlowDisk {
        on,
        factor: 10.0,
        add_micros: 0.0,
    });
    assert_eq!(read(&simulated, 0, Kind::Disk, DURING).len(), 12);
    assert_eq!(read(&simulated, 1, Kind::Disk, DURING).len(), 0);
    assert_eq!(read(&simulated, 1, Kind::SmbConnection, DURING).len(), 4);
    let states = States::new(&simulated);
    assert_eq!(states.polls(1).take(2).collect::<Vec<_>>(), [37_000_000, 1_037_000_000]);
    // What it says is on the clock of the node that says it.
    assert!(
        read(&simulated, 1, Kind::SmbConnection, DURING)
            .iter()
            .all(|row| row.observed_unix_nanos == states.shown(1, DURING))
    );
    let samples = states.samples(1, AFTER);
    assert!(
        samples
            .iter()
            .any(|sample| sample.name == "written_bytes" && sample.value > 0.0)
    );
}
