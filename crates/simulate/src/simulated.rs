//! A run from configuration to what is known of it.

use std::collections::BTreeMap;

use fathom_model::topology::Node;
use fathom_model::{Extent, ExtentMap, NodeId, Parity, PhysicalDisk, Topology, Validity, Volume, VolumeId};

use crate::clock::Clock;
use crate::config::{Config, Fault};
use crate::counted::Counted;
use crate::engine::Engine;
use crate::error::Result;
use crate::faults::nanos;
use crate::layout::{DiskNumber, Layout};
use crate::record::{NodeEvents, disk_id, node_name};
use crate::truth::TruthWrite;

/// A cluster's events and the truth about them.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// The configuration with everything filled in.
    pub config: Config,
    /// The cluster as its extent map describes it.
    pub topology: Topology,
    /// Nodes that write.
    pub initiators: Vec<NodeId>,
    /// Nodes with drives: all.
    pub targets: Vec<NodeId>,
    /// Each node's events, by the node's number.
    pub nodes: Vec<NodeEvents>,
    /// Every write whose volume event is in the rows, by node and row.
    pub truth: Vec<TruthWrite>,
    /// The clocks as they were, by the node's number.
    pub clocks: Vec<Clock>,
    /// The faults, and when they were by every clock.
    pub faults: Vec<FaultMark>,
    /// What adapters and drives counted.
    pub(crate) counted: Counted,
    /// From the run's start to its last step, in nanoseconds of true time.
    pub duration_nanos: u64,
}

/// A fault and its time.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultMark {
    /// What it was.
    pub fault: Fault,
    /// When it began, in nanoseconds of the run.
    pub from_nanos: u64,
    /// When it ended: at the run's end at the latest.
    pub until_nanos: u64,
    /// The same on every node's clock, by the node's number.
    pub shown: Vec<(i64, i64)>,
}

/// Simulates a cluster.
///
/// # Errors
///
/// When the configuration has a value that is not possible, or the volumes do not fit the disks.
pub fn simulate(config: &Config) -> Result<Simulated> {
    let config = config.filled();
    config.check()?;
    let layout = Layout::new(&config)?;
    let topology = topology(&config, &layout);
    let clocks = Clock::all(&config);
    let ran = Engine::new(&config, &layout).run();
    let (nodes, truth) = ran.recorder.finish(&config, &clocks, ran.truth);
    let mut writers: Vec<u32> = config
        .volumes
        .iter()
        .flat_map(|volume| &volume.initiators)
        .copied()
        .collect();
    writers.sort_unstable();
    writers.dedup();
    let faults = config.faults.iter().map(|fault| mark(fault, ran.duration, &clocks));
    Ok(Simulated {
        faults: faults.collect(),
        initiators: writers.into_iter().map(|node| NodeId::new(node_name(node))).collect(),
        targets: nodes.iter().map(|node| node.id.clone()).collect(),
        counted: ran.counted,
        duration_nanos: ran.duration,
        config,
        topology,
        nodes,
        truth,
        clocks,
    })
}

fn mark(fault: &Fault, duration: u64, clocks: &[Clock]) -> FaultMark {
    let from = nanos(fault.from_seconds).min(duration);
    let until = fault.until_seconds.map_or(duration, nanos).min(duration);
    FaultMark {
        fault: fault.clone(),
        from_nanos: from,
        until_nanos: until,
        shown: clocks
            .iter()
            .map(|clock| (clock.shown(from), clock.shown(until)))
            .collect(),
    }
}

/// A map is polled about this often: when something moved is known to lie so near. A choice; no interval is documented.
const POLL_NANOS: i64 = 1_000_000_000;

fn topology(config: &Config, layout: &Layout) -> Topology {
    // Maps are polled, and what a poll says is as wrong as the clocks are.
    let unsure = POLL_NANOS + (config.clocks.offset_millis * 1e6) as i64;
    let moment = |at: u64| config.epoch_unix_nanos.saturating_add_unsigned(at);
    let mut extents = Vec::new();
    for (number, volume) in config.volumes.iter().enumerate() {
        let id = VolumeId::new(volume.label());
        extents.extend(layout.extents(number as u32).map(|row| Extent {
            volume: id.clone(),
            volume_offset: row.volume_offset,
            length: row.part.length,
            copy: row.part.copy,
            disk: disk_id(layout, row.part.disk),
            disk_offset: row.part.disk_offset,
            valid: Validity {
                from_unix_nanos: row.from.map(|at| moment(at).saturating_sub(unsure)),
                until_unix_nanos: row.until.map(|at| moment(at).saturating_add(unsure)),
            },
            stripe: None,
            parity: None,
        }));
        if let Some(tier) = volume.parity {
            extents.extend(layout.parity_rows(number as u32).map(|slab| Extent {
                volume: id.clone(),
                volume_offset: slab.volume_offset,
                length: slab.length,
                copy: 0,
                disk: disk_id(layout, slab.disk),
                disk_offset: slab.disk_offset,
                valid: Validity::default(),
                stripe: None,
                parity: Some(Parity {
                    column: slab.column,
                    columns: tier.columns,
                    parity_columns: tier.parity_columns,
                    interleave_bytes: Some(volume.interleave_bytes),
                }),
            }));
        }
    }
    let extents = ExtentMap::try_new(extents).expect("slabs have bytes, and a byte of a copy lies in one of them");
    Topology {
        nodes: (0..config.nodes)
            .map(|node| Node {
                id: NodeId::new(node_name(node)),
                observed: !config.recording.missing_nodes.contains(&node),
            })
            .collect(),
        disks: disks(config, layout, &extents),
        volumes: config
            .volumes
            .iter()
            .map(|volume| Volume {
                id: VolumeId::new(volume.label()),
                size_bytes: volume.size_bytes,
                copies: volume.resiliency.copies(),
            })
            .collect(),
        extents,
    }
}

/// The disks that hold an extent, in the order in which the extent map names them: what a reader of the recording finds.
fn disks(config: &Config, layout: &Layout, extents: &ExtentMap) -> Vec<PhysicalDisk> {
    let all = (0..config.nodes * layout.disks_a_node).map(DiskNumber);
    let mut left: BTreeMap<_, _> = all.map(|disk| (disk_id(layout, disk), disk)).collect();
    let named = extents
        .extents()
        .iter()
        .filter_map(|extent| left.remove_entry(&extent.disk));
    named
        .map(|(id, disk)| PhysicalDisk {
            id,
            node: NodeId::new(node_name(layout.node_of(disk))),
            name: layout.disk_name(disk),
        })
        .collect()
}
