//! Made-up rows and observations of a cluster.

use fathom_model::fan_out::MoreOrdinals;
use fathom_model::finding::{Note, Severity};
use fathom_model::health::Reason;
use fathom_model::state::{Kind as Resource, Observation};
use fathom_model::{Incarnation, IoClass, LegMethod, NodeId, Observation as Seen, PhysicalDisk, StreamId, StreamKind};

use super::*;
use crate::fixture::{START, cohort};

const NODES: [&str; 2] = ["n0", "n1"];

fn drive(node: &str) -> PhysicalDisk {
    PhysicalDisk {
        id: format!("eui.{node}").as_str().into(),
        node: node.into(),
        name: "disk0".to_owned(),
    }
}

fn observation(node: &str, kind: Resource, id: &str) -> Observation {
    Observation::new(NodeId::from(node), kind, id, START)
}

/// Two nodes with a drive and two adapters each; `n1` has another firmware.
fn observations() -> Vec<Observation> {
    let mut all = Vec::new();
    for (node, firmware) in NODES.into_iter().zip(["1.0", "1.1"]) {
        let id = format!("eui.{node}");
        let disk = observation("n0", Resource::Disk, &id)
            .with("model", "NVMe 7 ")
            .with("firmware", firmware)
            .with("serial_number", format!("S-{node}"));
        all.push(disk);
        let errors = observation("n0", Resource::DiskReliability, &id).with("read_errors_uncorrected", 3_u64);
        all.push(errors);
        all.push(
            observation("n0", Resource::Node, node)
                .with("name", node.to_uppercase())
                .with("build", "26100"),
        );
        for port in ["SMB1", "SMB2", "Management"] {
            let adapter = observation(node, Resource::Adapter, port)
                .with("name", port)
                .with(
                    "description",
                    if port == "SMB2" {
                        "Mellanox ConnectX-6 #2"
                    } else {
                        "Mellanox ConnectX-6"
                    },
                )
                .with("driver_version", "24.1");
            all.push(adapter);
            let enabled = port != "Management";
            all.push(
                observation(node, Resource::AdapterRdma, port)
                    .with("name", port)
                    .with("enabled", enabled),
            );
        }
    }
    all
}

fn gather() -> Gather {
    let mut gather = Gather::default();
    gather.set_inventory(Inventory::new(&observations(), &NODES.map(drive)));
    gather
}

fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    catalog.intern_volume(&"vol0".into());
    for node in NODES {
        catalog.intern_node(&node.into());
        catalog.intern_disk(&drive(node));
        catalog.intern_stream(&StreamId {
            cluster: "c".into(),
            node: node.into(),
            kind: StreamKind::Io,
            incarnation: Incarnation::from_bytes([7; 16]),
        });
    }
    catalog
}

fn seen(nanos: u64, status: u32) -> Seen {
    Seen {
        stream: fathom_model::StreamIndex(0),
        ordinal: 0,
        start_unix_nanos: START,
        duration_nanos: nanos,
        status,
    }
}

/// One I/O of `n0` with a copy on each node: of the far one the initiator's leg too.
fn rows(op: Op, status: u32) -> JoinedRows {
    let leg = |node: u32| Leg {
        part: 0,
        copy: node,
        node: NodeIndex(node),
        disk: DiskIndex(node),
        disk_offset: 0,
        length: 4096,
        local: node == 0,
        initiator: (node == 1).then(|| seen(500_000, 0)),
        target: None,
        device: Some(seen(100_000, status)),
        cache: None,
        merged: None,
        more: MoreOrdinals::default(),
        missing_initiator: None,
        missing_target: None,
        missing_device: None,
        method: LegMethod::Key,
        confidence: 1.0,
        ambiguous: false,
        candidate: true,
        clock: None,
    };
    JoinedRows {
        ios: vec![Io {
            event: seen(600_000, 0),
            node: NodeIndex(0),
            volume: fathom_model::VolumeIndex(0),
            op,
            offset: 0,
            length: 4096,
            class: IoClass::Exact,
            legs_expected: 2,
            slowest: None,
            legs: 0..2,
        }],
        legs: vec![leg(0), leg(1)],
        unmatched: Vec::new(),
    }
}

fn scene<'a>(
    key: &'a ClusterKey,
    labels: &'a BTreeMap<String, String>,
    health: &'a [Entry],
    findings: &'a [Finding],
) -> Scene<'a> {
    Scene {
        key,
        labels,
        revision: Revision {
            started_unix_ns: START,
            number: 1,
        },
        now_unix_ns: START,
        health,
        findings,
    }
}

fn rolled(gather: &mut Gather, health: &[Entry], findings: &[Finding], now_unix_ns: i64) -> ClusterRollup {
    let (key, labels) = (ClusterKey::new("berlin", "c1"), BTreeMap::new());
    gather.rollup(&Scene {
        now_unix_ns,
        ..scene(&key, &labels, health, findings)
    })
}

fn row_of<'a>(rollup: &'a ClusterRollup, key: &CohortKey) -> &'a CohortRow {
    rollup
        .cohorts
        .iter()
        .find(|row| row.key == *key)
        .expect("the cohort is there")
}

#[test]
fn each_copy_counts_where_it_was() {
    let (mut gather, catalog) = (gather(), catalog());
    gather.add(&rows(Op::Write, 0), &catalog, START);
    gather.add(&rows(Op::Read, 5), &catalog, START);
    gather.add(&rows(Op::Flush, 5), &catalog, START);
    let rollup = rolled(&mut gather, &[], &[], START);
    let of = |tap, op| rollup.latency_of(tap, op).map(Sketch::count);
    assert_eq!(
        (of(Tap::Volume, Op::Write), of(Tap::Device, Op::Write)),
        (Some(1), Some(2))
    );
    assert_eq!(
        (of(Tap::Initiator, Op::Flush), of(Tap::Target, Op::Write)),
        (Some(1), None)
    );
    let old = row_of(&rollup, &cohort(Axis::Disk, "NVMe 7", "1.0"));
    assert_eq!((old.devices, old.writes.count(), old.reads.count()), (1, 1, 1));
    assert_eq!((old.io_errors, old.media_errors), (1, Some(3)));
    assert_eq!(
        row_of(&rollup, &cohort(Axis::Disk, "NVMe 7", "1.1")).writes.max(),
        Some(100_000)
    );
    // Both ends have the same driver: the copy that went over the network counts once, without the drive's time.
    let nic = row_of(&rollup, &cohort(Axis::Nic, "Mellanox ConnectX-6", "24.1"));
    assert_eq!(
        (nic.devices, nic.writes.count(), nic.writes.max()),
        (4, 1, Some(400_000))
    );
    let os = row_of(&rollup, &cohort(Axis::Os, "", "26100"));
    assert_eq!((os.devices, os.writes.max(), os.media_errors), (2, Some(600_000), None));
    assert_eq!(rollup.cohorts_more, 0);
}

#[test]
fn what_is_not_known_of_a_device_is_not_guessed() {
    let mut all = observations();
    all[0].attributes.remove("firmware");
    // A second driver at n1: which one a copy took is not seen.
    let at = all
        .iter()
        .position(|own| own.node.as_str() == "n1" && own.id == "SMB1" && own.kind == Resource::Adapter);
    all[at.expect("it is there")] = observation("n1", Resource::Adapter, "SMB1")
        .with("description", "Mellanox ConnectX-6")
        .with("driver_version", "23.0");
    let gone = all
        .iter_mut()
        .find(|own| own.kind == Resource::Node && own.id == "n1")
        .expect("it is there");
    gone.present = false;
    let mut gather = Gather::default();
    gather.set_inventory(Inventory::new(&all, &NODES.map(drive)));
    gather.add(&rows(Op::Write, 0), &catalog(), START);
    let rollup = rolled(&mut gather, &[], &[], START);
    assert_eq!(rollup.cohorts_more, 1);
    assert!(rollup.cohorts.iter().all(|row| row.key.variant != "1.0"));
    let new = row_of(&rollup, &cohort(Axis::Nic, "Mellanox ConnectX-6", "24.1"));
    // n0 alone has it alone.
    assert_eq!((new.devices, new.writes.count()), (3, 1));
    let old = row_of(&rollup, &cohort(Axis::Nic, "Mellanox ConnectX-6", "23.0"));
    assert_eq!((old.devices, old.writes.count()), (1, 0));
    assert_eq!(row_of(&rollup, &cohort(Axis::Os, "", "26100")).devices, 1);
}

#[test]
fn the_last_hour_is_counted_and_what_is_older_is_not() {
    let (mut gather, catalog) = (gather(), catalog());
    let count = |rollup: &ClusterRollup| rollup.latency_of(Tap::Volume, Op::Write).map_or(0, Sketch::count);
    let begin = START.div_euclid(Gather::PIECE_NANOS) * Gather::PIECE_NANOS;
    for piece in 0..9 {
        gather.add(&rows(Op::Write, 0), &catalog, begin + piece * Gather::PIECE_NANOS);
    }
    let at = begin + 8 * Gather::PIECE_NANOS + 5;
    let rollup = rolled(&mut gather, &[], &[], at);
    assert_eq!(count(&rollup), 6);
    assert_eq!(
        (rollup.from_unix_ns, rollup.to_unix_ns),
        (begin + 3 * Gather::PIECE_NANOS, at)
    );
    let idle = at + 2 * 3600 * SECOND;
    let rollup = rolled(&mut gather, &[], &[], idle);
    assert_eq!(count(&rollup), 0);
    assert!(
        idle - rollup.from_unix_ns >= 5 * Gather::PIECE_NANOS,
        "of an hour without I/O everything is counted"
    );
    // After a restart it is said from when on.
    let mut gather = Gather::counting_from(at);
    assert_eq!(rolled(&mut gather, &[], &[], at + SECOND).from_unix_ns, at);
    let later = rolled(&mut gather, &[], &[], at + 6 * Gather::PIECE_NANOS);
    assert!(later.from_unix_ns > at);
}

fn entry(kind: Kind, name: &str, state: State) -> Entry {
    let reason = Reason {
        state,
        from: format!("disk {name}"),
        text: "DISK_SLOW".to_owned(),
        finding: None,
    };
    Entry {
        kind,
        name: name.to_owned(),
        state,
        since_unix_ns: Some(5),
        reasons: if state == State::Ok { Vec::new() } else { vec![reason] },
        more_reasons: 0,
    }
}

#[test]
fn health_is_counted_and_the_worst_named() {
    let mut health = vec![entry(Kind::Cluster, "", State::Critical)];
    health.extend((0..30).map(|at| entry(Kind::Disk, &format!("n0/disk{at:02}"), State::Degraded)));
    health.push(entry(Kind::Volume, "vol0", State::Critical));
    health.push(entry(Kind::Node, "n0", State::Critical));
    health.push(entry(Kind::Link, "n0-n1", State::Ok));
    let rollup = rolled(&mut gather(), &health, &[], START);
    assert_eq!((rollup.state, rollup.since_unix_ns), (State::Critical, Some(5)));
    assert_eq!(rollup.counts.of(Counted::Disk, State::Degraded), 30);
    assert_eq!(
        (
            rollup.counts.total(Counted::Link),
            rollup.counts.total(Counted::Adapter)
        ),
        (1, 0)
    );
    let worst: Vec<&str> = rollup.worst.iter().map(|child| child.name.as_str()).collect();
    assert_eq!(worst[..3], ["n0", "vol0", "n0/disk00"]);
    assert_eq!((worst.len(), rollup.worst_more), (20, 12));
}

#[test]
fn without_health_a_cluster_is_unknown_and_not_ok() {
    let rollup = rolled(&mut gather(), &[], &[], START);
    assert_eq!(rollup.state, State::Unknown);
    assert!(!rollup.reason.is_empty());
}

fn finding(code: &str, disk: Option<&str>, severity: Severity, muted: bool) -> Finding {
    let note = Note {
        by: "me".to_owned(),
        at_unix_ns: 0,
        until_unix_ns: None,
        text: String::new(),
        request: String::new(),
    };
    Finding {
        id: format!("{code}-1"),
        code: code.to_owned(),
        kind: if disk.is_some() { "disk" } else { "link" }.to_owned(),
        node: "n1".to_owned(),
        disk: disk.map(str::to_owned),
        peer: disk.is_none().then(|| "n0".to_owned()),
        severity,
        state: Life::Open,
        confidence: 1.0,
        opened_unix_ns: 0,
        first_unix_ns: 0,
        last_unix_ns: 0,
        closed_unix_ns: None,
        reopened: 0,
        cost_ns: 0,
        disks: Vec::new(),
        initiators: Vec::new(),
        victims: Vec::new(),
        evidence: Vec::new(),
        observations: Vec::new(),
        resource: None,
        next: Vec::new(),
        part_of: None,
        acknowledged: None,
        muted: muted.then_some(note),
        sequence: 1,
    }
}

#[test]
fn open_findings_are_counted_by_code_and_at_their_devices() {
    let mut closed = finding("DISK_SLOW", Some("disk0"), Severity::Critical, false);
    closed.state = Life::Closed;
    let findings = [
        finding("LINK_SLOW", None, Severity::Warning, false),
        finding("DISK_STALLS", Some("disk0"), Severity::Critical, true),
        finding("DISK_SLOW", Some("disk0"), Severity::Critical, false),
        finding("DISK_SLOW", Some("disk0"), Severity::Critical, true),
        closed,
    ];
    let rollup = rolled(&mut gather(), &[], &findings, START);
    let told: Vec<_> = rollup
        .findings
        .iter()
        .map(|own| (own.code.as_str(), own.open, own.muted))
        .collect();
    assert_eq!(told, [("DISK_SLOW", 2, 1), ("DISK_STALLS", 1, 1), ("LINK_SLOW", 1, 0)]);
    // Three findings about one drive are one drive; a link has two ends.
    assert_eq!(row_of(&rollup, &cohort(Axis::Disk, "NVMe 7", "1.1")).found, 1);
    assert_eq!(row_of(&rollup, &cohort(Axis::Disk, "NVMe 7", "1.0")).found, 0);
    assert_eq!(
        row_of(&rollup, &cohort(Axis::Nic, "Mellanox ConnectX-6", "24.1")).found,
        2
    );
}

#[test]
fn whatever_there_is_a_rollup_is_bounded() {
    let mut all = Vec::new();
    for at in 0..100_u64 {
        let id = format!("d{at}");
        let disk = observation("n0", Resource::Disk, &id)
            .with("model", "x".repeat(1000))
            .with("firmware", at.to_string());
        all.push(disk);
    }
    let mut gather = Gather::default();
    gather.set_inventory(Inventory::new(&all, &[]));
    let findings: Vec<Finding> = (0..100)
        .map(|at| finding(&format!("CODE_{at:03}"), None, Severity::Warning, false))
        .collect();
    let rollup = rolled(&mut gather, &[], &findings, START);
    assert_eq!(
        (rollup.cohorts.len(), rollup.cohorts_more),
        (MOST_COHORTS, 100 - MOST_COHORTS as u32)
    );
    assert_eq!(
        (rollup.findings.len(), rollup.findings_more),
        (MOST_CODES, 100 - MOST_CODES as u32)
    );
    assert!(rollup.cohorts.iter().all(|row| row.key.subject.len() <= LONGEST_TEXT));
    assert_eq!(cut(&"ü".repeat(200)).len(), 255);
}
