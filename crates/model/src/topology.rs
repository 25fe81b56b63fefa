//! What a cluster is made of: nodes, physical disks, volumes, and the devices that a stream's events speak of.

use std::collections::BTreeSet;

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

impl Topology {
    /// What does not fit together without being wrong, in words: volumes of which the extents have other numbers of copies than they
    /// are said to have. Copies without an extent are in no fan-out.
    #[must_use]
    pub fn oddities(&self) -> Vec<String> {
        let volumes = self.volumes.iter().filter(|volume| volume.copies > 0);
        let odd = volumes.filter_map(|volume| {
            let own = self
                .extents
                .extents()
                .iter()
                .filter(|extent| extent.volume == volume.id && extent.parity.is_none());
            let mapped = own.map(|extent| extent.copy).collect::<BTreeSet<u32>>().len();
            let (said, less) = (volume.copies as usize, mapped < volume.copies as usize);
            let consequence = if less {
                "copies without an extent are not looked for, so that the slowest one may be among them"
            } else {
                "all that have an extent are looked for"
            };
            (mapped > 0 && mapped != said).then(|| {
                format!(
                    "volume {} is said to have {said} copies of every byte and has extents of {mapped}: {consequence}",
                    volume.id
                )
            })
        });
        odd.collect()
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extent::{Extent, Validity};
    use crate::id::PhysicalDiskId;

    fn cluster(copies_said: u32, copies_mapped: u32) -> Topology {
        let extent = |copy| Extent {
            volume: VolumeId::new("vol0"),
            volume_offset: 0,
            length: 4096,
            copy,
            disk: PhysicalDiskId::new(format!("disk{copy}")),
            disk_offset: 0,
            valid: Validity::default(),
            stripe: None,
            parity: None,
        };
        Topology {
            volumes: vec![Volume {
                id: VolumeId::new("vol0"),
                size_bytes: 4096,
                copies: copies_said,
            }],
            extents: ExtentMap::try_new((0..copies_mapped).map(extent).collect()).unwrap_or_default(),
            ..Topology::default()
        }
    }

    #[test]
    fn copies_without_extents_are_told_with_their_volume() {
        let odd = cluster(5, 2).oddities();
        assert_eq!(odd.len(), 1);
        for said in ["vol0", "5 copies", "extents of 2", "not looked for"] {
            assert!(odd[0].contains(said), "`{said}` is not in: {}", odd[0]);
        }
        assert_eq!(cluster(1, 2).oddities().len(), 1);
    }

    #[test]
    fn what_fits_and_what_says_nothing_is_not_odd() {
        assert_eq!(cluster(3, 3).oddities(), Vec::<String>::new());
        assert_eq!(cluster(0, 2).oddities(), Vec::<String>::new());
        assert_eq!(cluster(3, 0).oddities(), Vec::<String>::new());
    }
}
