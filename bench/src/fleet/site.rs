//! What a site's coordinator does for rollups: counting rows as they come, and making a rollup of them.

use std::collections::BTreeMap;
use std::time::Instant;

use fathom_model::fan_out::MoreOrdinals;
use fathom_model::rollup::{ClusterKey, Revision};
use fathom_model::state::{Kind, Observation};
use fathom_model::{
    Catalog, DiskIndex, Io, IoClass, JoinedRows, Leg, LegMethod, NodeIndex, Observation as Seen, Op, PhysicalDisk,
    StreamIndex, VolumeIndex,
};
use fathom_rollup::{Gather, Inventory, Scene};

use super::data::{START, Shape};
use super::thread_nanos;

/// Writes of a batch of rows.
const WRITES: u32 = 10_000;

/// What it costs, in nanoseconds.
pub(super) struct Cost {
    /// A write with three copies.
    pub(super) a_write: f64,
    /// A rollup, time that passes.
    pub(super) a_rollup: f64,
}

/// Counts writes of random disks of a cluster, and makes rollups of them.
pub(super) fn measure(shape: &Shape) -> Cost {
    let (nodes, disks) = (shape.nodes as u32, shape.disks as u32);
    let (mut catalog, mut observations, mut drives) = (Catalog::default(), Vec::new(), Vec::new());
    for node in 0..nodes {
        let name = format!("n{node:02}");
        catalog.intern_node(&name.as_str().into());
        let of = |kind: Kind, id: &str| Observation::new(name.as_str().into(), kind, id, START);
        observations.push(of(Kind::Node, &name).with("name", name.as_str()).with("build", "26100"));
        observations.push(
            of(Kind::Adapter, "SMB1")
                .with("description", "Made-up ConnectX-6")
                .with("driver_version", "24.4"),
        );
        observations.push(of(Kind::AdapterRdma, "SMB1").with("enabled", true));
        for disk in 0..disks {
            let id = format!("eui.{node:02}{disk:02}");
            let drive = PhysicalDisk {
                id: id.as_str().into(),
                node: name.as_str().into(),
                name: format!("disk{disk}"),
            };
            catalog.intern_disk(&drive);
            drives.push(drive);
            let firmware = if node % 2 == 0 { "1.0" } else { "1.1" };
            observations.push(
                of(Kind::Disk, &id)
                    .with("model", "Made-up NVMe")
                    .with("firmware", firmware),
            );
        }
    }
    let mut gather = Gather::default();
    gather.set_inventory(Inventory::new(&observations, &drives));
    let rows = rows(nodes, disks);
    let began = thread_nanos();
    let mut batches = 0;
    while batches < 60 {
        // Over six pieces, as in an hour.
        gather.add(&rows, &catalog, START + i64::from(batches) / 10 * Gather::PIECE_NANOS);
        batches += 1;
    }
    let a_write = (thread_nanos() - began) / f64::from(batches * i32::try_from(WRITES).unwrap_or(i32::MAX));
    let (key, labels) = (ClusterKey::new("site", "cluster"), BTreeMap::new());
    let began = Instant::now();
    for number in 0..100 {
        let rollup = gather.rollup(&Scene {
            key: &key,
            labels: &labels,
            revision: Revision {
                started_unix_ns: START,
                number,
            },
            now_unix_ns: START + 5 * Gather::PIECE_NANOS,
            health: &[],
            findings: &[],
        });
        std::hint::black_box(rollup);
    }
    Cost {
        a_write,
        a_rollup: began.elapsed().as_nanos() as f64 / 100.0,
    }
}

fn rows(nodes: u32, disks: u32) -> JoinedRows {
    let seen = |nanos: u64| Seen {
        stream: StreamIndex(0),
        ordinal: 0,
        start_unix_nanos: START,
        duration_nanos: nanos,
        status: 0,
    };
    let mut rows = JoinedRows::default();
    for write in 0..WRITES {
        // As scattered as a hash.
        let draw = |what: u32| {
            write
                .wrapping_mul(0x9e37_79b1)
                .wrapping_add(what.wrapping_mul(0x85eb_ca6b))
                .rotate_left(what)
        };
        let first = rows.legs.len();
        let node = draw(1) % nodes;
        for copy in 0..3 {
            let far = (node + copy) % nodes;
            let drive = 60_000 + u64::from(draw(2 + copy) % 100_000);
            rows.legs.push(Leg {
                part: 0,
                copy,
                node: NodeIndex(far),
                disk: DiskIndex(far * disks + draw(5 + copy) % disks),
                disk_offset: 0,
                length: 4096,
                local: copy == 0,
                initiator: (copy > 0).then(|| seen(drive + 150_000)),
                target: (copy > 0).then(|| seen(drive + 40_000)),
                device: Some(seen(drive)),
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
            });
        }
        rows.ios.push(Io {
            event: seen(300_000 + u64::from(draw(9) % 300_000)),
            node: NodeIndex(node),
            volume: VolumeIndex(0),
            op: Op::Write,
            offset: 0,
            length: 4096,
            class: IoClass::Exact,
            legs_expected: 3,
            slowest: None,
            legs: first..first + 3,
        });
    }
    rows
}
