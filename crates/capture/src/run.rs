//! `run.json` and the files beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use fathom_model::topology::Node;
use fathom_model::{
    Extent, ExtentMap, NodeId, Parity, PhysicalDisk, PhysicalDiskId, Stripe, Topology, Validity, Volume, VolumeId,
};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What `run.json` says. Keys that are not listed are not read.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(expecting = "an object")]
pub struct Run {
    /// The recording's name.
    pub name: String,
    /// One sentence on what was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The nodes.
    pub topology: RunTopology,
    /// The volumes.
    pub volumes: Vec<RunVolume>,
    /// The extent map.
    pub extents: Vec<RunExtent>,
    /// What was wrong in the run, if anything; for people and for checks, never for the join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<serde_json::Value>,
    /// The clocks as they were; for checks only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clocks: Option<BTreeMap<String, ClockTruth>>,
    /// All times are rounded down to this.
    #[serde(default = "one")]
    pub resolution_ns: u64,
    /// Rows a node and `layer.op`, as the recorder counted them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<BTreeMap<String, BTreeMap<String, u64>>>,
}

/// Coarser times are refused.
const COARSEST_NANOS: u64 = 1_000_000_000;

const fn one() -> u64 {
    1
}

/// The nodes of a run and their roles; a node may have both.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(expecting = "an object")]
pub struct RunTopology {
    /// Nodes that write.
    pub initiators: Vec<String>,
    /// Nodes that hold copies.
    pub targets: Vec<String>,
}

/// A volume of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(expecting = "an object")]
pub struct RunVolume {
    /// Its name: the device of its `volume` events.
    pub name: String,
    /// Bytes.
    #[serde(default)]
    pub size: u64,
    /// Copies of every byte. 0 or left out: the run does not say, and the extents alone do.
    #[serde(default)]
    pub copies: u32,
}

/// A row of the extent map.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(expecting = "an object")]
pub struct RunExtent {
    /// The volume.
    pub volume: String,
    /// First byte in the volume.
    pub volume_offset: u64,
    /// Bytes.
    pub length: u64,
    /// Copy number.
    pub copy: u32,
    /// The node that holds it.
    pub node: String,
    /// The disk on that node.
    pub disk: String,
    /// First byte on the disk.
    pub disk_offset: u64,
    /// Not in force before this, on any initiator's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from_ns: Option<i64>,
    /// Not in force after this, on any initiator's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until_ns: Option<i64>,
    /// Of a slab of one column of several: then `volume_offset` is where its row begins, and `length` what it takes of its disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stripe: Option<Stripe>,
    /// Of a slab of a parity tier: then `volume_offset` is where its row begins, and `length` what it takes of its disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parity: Option<Parity>,
}

/// A node's clock as it was: local = epoch + x + offset + x * drift / 1e6, x the time since the run's start; after a change of
/// its drift, (x - change) * `drift_change_ppm` / 1e6 more.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(expecting = "an object")]
pub struct ClockTruth {
    /// Offset at the run's start.
    pub offset_ns: f64,
    /// Drift, parts per million.
    pub drift_ppm: f64,
    /// The run's start.
    pub epoch_ns: i64,
    /// When the drift changed, in time since the run's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_change_at_ns: Option<f64>,
    /// By how much it changed, parts per million.
    #[serde(default)]
    pub drift_change_ppm: f64,
    /// A further offset that somebody added to the recorded times.
    #[serde(default)]
    pub extra_offset_ns: f64,
    /// A further drift that somebody added to the recorded times.
    #[serde(default)]
    pub extra_drift_ppm: f64,
    /// Where the clock was set, on the clock before that.
    #[serde(default)]
    pub step_at_ns: Option<i64>,
    /// By how much it was set.
    #[serde(default)]
    pub step_ns: f64,
}

/// A recording's folder, its `run.json` read and checked.
#[derive(Clone, Debug)]
pub struct Recording {
    directory: PathBuf,
    run: Run,
    nodes: Vec<RecordingNode>,
    topology: Topology,
}

/// A node of a recording.
#[derive(Clone, Debug)]
pub struct RecordingNode {
    /// Its name.
    pub id: NodeId,
    /// Whether it writes.
    pub initiator: bool,
    /// Whether it holds copies.
    pub target: bool,
    /// Its events file; `None` when the recording has none, and then the node is missing.
    pub events: Option<PathBuf>,
}

impl Recording {
    /// Reads and checks `run.json` and looks for the events files; reads none of them yet.
    ///
    /// # Errors
    ///
    /// When there is no `run.json`, or it cannot be read, or it contradicts itself.
    pub fn open(directory: &Path) -> Result<Self> {
        let path = directory.join("run.json");
        fs::read_dir(directory).map_err(Error::io(directory))?;
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NoRun {
                    directory: directory.to_owned(),
                });
            }
            read => read.map_err(Error::io(&path))?,
        };
        let run: Run = crate::objects::from_str(&text).map_err(|error| Error::Run {
            path: path.clone(),
            line: error.line(),
            column: error.column(),
            cause: error
                .to_string()
                .split(" at line")
                .next()
                .unwrap_or_default()
                .to_owned(),
        })?;
        let nodes = nodes(directory, &run)?;
        let topology = topology(&run, &nodes).map_err(|cause| Error::Meaning { path, cause })?;
        Ok(Self {
            directory: directory.to_owned(),
            run,
            nodes,
            topology,
        })
    }

    /// The folder.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What `run.json` says.
    #[must_use]
    pub const fn run(&self) -> &Run {
        &self.run
    }

    /// All nodes: initiators first, then targets, each in the order of `run.json`.
    #[must_use]
    pub fn nodes(&self) -> &[RecordingNode] {
        &self.nodes
    }

    /// One node by name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&RecordingNode> {
        self.nodes.iter().find(|node| node.id.as_str() == name)
    }

    /// The topology in the terms of the model. A node without an events file is one without a daemon.
    #[must_use]
    pub const fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Files of events that are of no node that `run.json` names: nobody reads them. By name.
    #[must_use]
    pub fn strangers(&self) -> Vec<String> {
        let inside = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let names = inside.filter_map(|entry| entry.file_name().into_string().ok());
        let mut strangers: Vec<String> = names
            .filter(|name| {
                let node = name.strip_prefix("events-").and_then(|rest| {
                    let rest = rest.strip_suffix(".zst").unwrap_or(rest);
                    rest.strip_suffix(".jsonl")
                });
                node.is_some_and(|node| self.node(node).is_none())
            })
            .collect();
        strangers.sort_unstable();
        strangers
    }

    /// The truth file, if the recording has one.
    #[must_use]
    pub fn truth(&self) -> Option<PathBuf> {
        ["truth.jsonl.zst", "truth.jsonl"]
            .map(|name| self.directory.join(name))
            .into_iter()
            .find(|path| path.is_file())
    }
}

/// The identity that a recorded disk gets: names of disks are each node's own.
pub(crate) fn disk_id(node: &str, disk: &str) -> PhysicalDiskId {
    PhysicalDiskId::new(format!("{node}/{disk}"))
}

fn nodes(directory: &Path, run: &Run) -> Result<Vec<RecordingNode>> {
    let mut seen = BTreeSet::new();
    let mut nodes = Vec::new();
    for name in run.topology.initiators.iter().chain(&run.topology.targets) {
        if !seen.insert(name) {
            continue;
        }
        let compressed = directory.join(format!("events-{name}.jsonl.zst"));
        let plain = directory.join(format!("events-{name}.jsonl"));
        let events = match (compressed.exists(), plain.exists()) {
            (true, true) => {
                return Err(Error::TwoFiles {
                    first: compressed,
                    second: plain,
                });
            }
            (true, false) => Some(compressed),
            (false, true) => Some(plain),
            (false, false) => None,
        };
        nodes.push(RecordingNode {
            id: NodeId::new(name.as_str()),
            initiator: run.topology.initiators.contains(name),
            target: run.topology.targets.contains(name),
            events,
        });
    }
    Ok(nodes)
}

fn topology(run: &Run, nodes: &[RecordingNode]) -> Result<Topology, String> {
    let known = |name: &str| nodes.iter().any(|node| node.id.as_str() == name);
    if nodes.is_empty() {
        return Err("topology names no node".to_owned());
    }
    let faulty = |name: &str| fathom_model::check_name(name).err();
    // The recording's name is the cluster's in a coordinator.
    if let Some(fault) = faulty(&run.name) {
        return Err(format!("name {fault}"));
    }
    if let Some(fault) = nodes.iter().find_map(|node| faulty(node.id.as_str())) {
        return Err(format!("the name of a node {fault}"));
    }
    if let Some(bad) = nodes
        .iter()
        .map(|node| node.id.as_str())
        .find(|name| name.contains(['/', '\\']))
    {
        return Err(format!("`{bad}` cannot be the name of a node"));
    }
    if run.resolution_ns == 0 {
        return Err("resolution_ns is 0; times have a resolution of at least 1 ns".to_owned());
    }
    if run.resolution_ns > COARSEST_NANOS {
        return Err(format!(
            "resolution_ns is {}; times coarser than {COARSEST_NANOS} ns (a second) say nothing about a write",
            run.resolution_ns
        ));
    }
    let mut names = BTreeSet::new();
    if let Some(twice) = run.volumes.iter().find(|volume| !names.insert(&volume.name)) {
        return Err(format!("volumes names {} twice", twice.name));
    }
    let mut disks: Vec<PhysicalDisk> = Vec::new();
    let mut extents = Vec::with_capacity(run.extents.len());
    for (at, extent) in run.extents.iter().enumerate() {
        if !known(&extent.node) {
            return Err(format!(
                "extents[{at}] lies on node {}, which topology does not name",
                extent.node
            ));
        }
        if !run.volumes.iter().any(|volume| volume.name == extent.volume) {
            return Err(format!(
                "extents[{at}] is of volume {}, which volumes does not name",
                extent.volume
            ));
        }
        let id = disk_id(&extent.node, &extent.disk);
        if !disks.iter().any(|disk| disk.id == id) {
            disks.push(PhysicalDisk {
                id: id.clone(),
                node: NodeId::new(extent.node.as_str()),
                name: extent.disk.clone(),
            });
        }
        extents.push(Extent {
            volume: VolumeId::new(extent.volume.as_str()),
            volume_offset: extent.volume_offset,
            length: extent.length,
            copy: extent.copy,
            disk: id,
            disk_offset: extent.disk_offset,
            valid: Validity {
                from_unix_nanos: extent.valid_from_ns,
                until_unix_nanos: extent.valid_until_ns,
            },
            stripe: extent.stripe,
            parity: extent.parity,
        });
    }
    Ok(Topology {
        nodes: nodes
            .iter()
            .map(|node| Node {
                id: node.id.clone(),
                observed: node.events.is_some(),
            })
            .collect(),
        disks,
        volumes: run
            .volumes
            .iter()
            .map(|volume| Volume {
                id: VolumeId::new(volume.name.as_str()),
                size_bytes: volume.size,
                copies: volume.copies,
            })
            .collect(),
        extents: ExtentMap::try_new(extents).map_err(|error| error.to_string())?,
    })
}

#[cfg(test)]
mod tests;
