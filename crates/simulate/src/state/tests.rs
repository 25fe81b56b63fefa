//! State says what the faults do, and only while they do it.

use super::*;
use crate::config::{Config, Fault, SlabMove, Volume};
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
    // To the last byte, also where a drive takes less at once than a piece has: what is left of one was not counted.
    let total = read(&simulated, 0, Kind::StorageJob, DURING)[0].number("total_bytes");
    let half = simulated.config.disks.capacity_bytes / 2;
    let drive = &simulated.nodes[1];
    let is_drive = |device: u32| drive.devices[device as usize].name == "disk0";
    let own = drive
        .rows
        .iter()
        .filter(|row| row.tap == Tap::Device && row.op == Op::Write && is_drive(row.device) && row.offset >= half);
    let lengths: Vec<u64> = own.map(|row| row.length).collect();
    assert_eq!(total, Some(lengths.iter().sum()));
    assert!(lengths.iter().any(|length| *length < 1 << 20), "{lengths:?}");
    // Windows says by an association what it works on.
    let affected = |at: u64| -> Vec<String> {
        let links = read(&simulated, 0, Kind::JobObject, at);
        let named = links.iter().filter_map(|link| link.text("affected_object_id"));
        named.map(str::to_owned).collect()
    };
    let volume = read(&simulated, 0, Kind::VirtualDisk, DURING)[0]
        .text("object_id")
        .map(str::to_owned);
    assert_eq!(
        affected(DURING),
        [volume.expect("it has one"), "PD:n1/disk0".to_owned()]
    );
    assert!(affected(BEFORE).is_empty() && affected(AFTER).is_empty());
}

#[test]
fn nvme_drives_say_of_themselves_what_their_counters_say() {
    let on = DiskRef { node: 1, disk: 2 };
    let simulated = run(FaultKind::Wear { on, factor: 2.0 });
    let used = |at: u64| -> Vec<Option<u64>> {
        let drives = read(&simulated, 1, Kind::NvmeHealth, at);
        drives.iter().map(|drive| drive.number("used_percent")).collect()
    };
    assert!(used(BEFORE).iter().all(|used| *used == Some(3)));
    assert_eq!(used(DURING).iter().filter(|used| **used == Some(97)).count(), 1);
    let counters = read(&simulated, 0, Kind::DiskReliability, DURING);
    let worn = counters
        .iter()
        .find(|drive| drive.id == "n1/disk2")
        .expect("it is there");
    assert_eq!(worn.number("wear_percent"), Some(97));
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
            .any(|sample| sample.name == "physical_disk.write_bytes_per_s" && sample.value > 0.0)
    );
}

#[test]
fn a_storm_has_pause_frames_at_the_port_that_sends_them_and_at_those_that_get_them() {
    let simulated = run(FaultKind::PfcStorm {
        node: 2,
        every_millis: 50.0,
        pause_millis: 5.0,
    });
    let frames = |node: u32, way: &str, at: u64| -> f64 {
        let samples = States::new(&simulated).samples(node, at);
        let name = format!("port_qos.{way}_pause_frames_per_s");
        let of = samples
            .iter()
            .filter(|sample| sample.name == name && sample.kind == Kind::Adapter);
        of.map(|sample| sample.value).sum()
    };
    assert!(frames(2, "sent", DURING) > 0.0 && frames(0, "received", DURING) > 0.0);
    assert_eq!((frames(2, "received", DURING), frames(0, "sent", DURING)), (0.0, 0.0));
    assert_eq!((frames(2, "sent", BEFORE), frames(2, "sent", AFTER)), (0.0, 0.0));
}

#[test]
fn a_fallback_is_an_event_at_both_ends_once_at_its_own_time() {
    let on = LinkRef { node: 0, peer: Some(1) };
    let simulated = run(FaultKind::RdmaFallback {
        on,
        add_micros: 50.0,
        cpu_micros: 20.0,
    });
    let states = States::new(&simulated);
    let told = |node: u32| -> Vec<(String, i64)> {
        let all = states.polls(node).flat_map(|at| states.happened(node, at));
        all.map(|row| (row.id.clone(), row.observed_unix_nanos)).collect()
    };
    let began = 500_000_000;
    assert_eq!(told(0), [("n1/RDMA Fallback".to_owned(), states.shown(0, began))]);
    assert_eq!(told(1), [("n0/RDMA Fallback".to_owned(), states.shown(1, began))]);
    assert!(told(2).is_empty());
}

#[test]
fn failures_of_connections_stay_counted() {
    let on = LinkRef { node: 0, peer: Some(1) };
    let simulated = run(FaultKind::LinkLossy {
        on,
        loss: 0.01,
        retransmit_millis: 1.0,
    });
    let failures = |at: u64| -> u64 {
        let connections = read(&simulated, 0, Kind::SmbConnection, at);
        connections
            .iter()
            .filter_map(|connection| connection.number("failures"))
            .sum()
    };
    assert_eq!((failures(BEFORE), failures(DURING), failures(AFTER)), (0, 2, 2));
}

#[test]
fn the_worst_latencies_are_of_the_recorded_requests() {
    let on = DiskRef { node: 1, disk: 2 };
    let simulated = run(FaultKind::SporadicStalls {
        on,
        every_millis: 100.0,
        stall_millis: 30.0,
    });
    let worst = |at: u64| {
        let all = read(&simulated, 0, Kind::DiskReliability, at);
        let drive = all.iter().find(|drive| drive.id == "n1/disk2").expect("it is there");
        drive.number("write_latency_max_ms").expect("it was written")
    };
    let node = &simulated.nodes[1];
    let recorded = node.rows.iter().zip(&node.true_times).filter(|(event, times)| {
        event.tap == Tap::Device
            && event.op == Op::Write
            && node.devices[event.device as usize].name == "disk2"
            && times.1 <= AFTER
    });
    let longest = recorded
        .map(|(_, times)| times.1 - times.0)
        .max()
        .expect("it was written");
    assert_eq!(worst(AFTER), longest / 1_000_000);
    assert!(worst(BEFORE) < worst(AFTER));
}

#[test]
fn cache_drives_are_journals_and_no_part_of_the_pool() {
    let config = Config {
        nodes: 3,
        writes: Some(50),
        ..Config::default()
    };
    let mut cached = config.clone();
    cached.disks.cache = true;
    let (plain, cached) = (simulate(&config).expect("it runs"), simulate(&cached).expect("it runs"));
    let journals = |simulated: &Simulated| -> Vec<String> {
        let disks = read(simulated, 0, Kind::Disk, AFTER);
        let journals = disks.iter().filter(|disk| disk.text("usage") == Some("Journal"));
        journals.map(|disk| disk.id.clone()).collect()
    };
    assert!(journals(&plain).is_empty());
    assert_eq!(journals(&cached), ["n0/cache0", "n1/cache0", "n2/cache0"]);
    let size = |simulated: &Simulated| read(simulated, 0, Kind::Pool, AFTER)[0].number("size_bytes");
    assert_eq!(size(&plain), size(&cached));
}

/// Around a move a slab's old and new place are both in force, by so much as clocks and polls may be wrong.
#[test]
fn what_moved_is_allocated_once() {
    let mut volume = Volume::on(3);
    volume.moves = vec![SlabMove {
        slab: 0,
        copy: 0,
        at_seconds: 1.0,
    }];
    let config = Config {
        nodes: 3,
        writes: None,
        seconds: Some(2.0),
        volumes: vec![volume],
        ..Config::default()
    };
    let simulated = simulate(&config).expect("it runs");
    let of = |at: u64| {
        let extents = read(&simulated, 0, Kind::Extent, at);
        let ids: std::collections::BTreeSet<String> = extents.iter().map(|extent| extent.id.clone()).collect();
        assert_eq!(ids.len(), extents.len());
        let sum: u64 = extents.iter().filter_map(|extent| extent.number("size_bytes")).sum();
        let allocated = read(&simulated, 0, Kind::Pool, at)[0].number("allocated_bytes");
        assert_eq!(allocated, Some(sum));
        sum
    };
    assert_eq!((of(BEFORE), of(DURING)), (of(AFTER), of(AFTER)));
}

mod counters;
