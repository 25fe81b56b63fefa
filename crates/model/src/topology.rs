//! What a cluster is made of: nodes, physical disks, volumes, and the devices that a stream's events speak of.

use serde::{Deserialize, Serialize};

use crate::extent::ExtentMap;
use crate::id::{NodeId, PhysicalDiskId, VolumeId};
use crate::tap::Tap;

/// A cluster as one version of its topology describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// All nodes.
    pub nodes: Vec<Node>,
    /// All physical disks that hold an extent.
    pub disks: Vec<PhysicalDisk>,
    /// All volumes.
    pub volumes: Vec<Volume>,
    /// Which bytes of which volume lie where.
    pub extents: ExtentMap,
}

/// A node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub id: NodeId,
    /// Whether a daemon is expected to speak for it. Nobody waits for a node without one: its legs are missing with
    /// cause `no_daemon`.
    pub observed: bool,
}

/// A drive.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PhysicalDisk {
    /// Its identity in the cluster.
    pub id: PhysicalDiskId,
    /// The node that it is connected to.
    pub node: NodeId,
    /// Its name on that node, as answers show it.
    pub name: String,
}

/// A virtual disk with the volume on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its name.
    pub id: VolumeId,
    /// Bytes; 0 where the source does not say.
    pub size_bytes: u64,
    /// Copies of every byte; 0 where the source does not say.
    pub copies: u32,
}

/// An entry of a stream's device dictionary: what an event's `device` index stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The tap whose events use this entry.
    pub tap: Tap,
    /// The name that the source shows (`vol0`, `vol0.copy1`, `disk0`).
    pub name: String,
    /// The physical disk: of a `target` or `device` entry its own, of an `initiator` entry the one that the path leads
    /// to. None where the source cannot tell (an initiator device whose copies lie on several disks of its peer).
    pub disk: Option<PhysicalDiskId>,
    /// The volume, where the source can tell.
    pub volume: Option<VolumeId>,
    /// Which copy, of an initiator device of one copy.
    pub copy: Option<u32>,
    /// The node at the other end of an initiator device.
    pub peer: Option<NodeId>,
    /// Whether its events carry offsets.
    pub has_offsets: bool,
}
