//! `fathom.collect.v1` and the model.

use fathom_model::coverage::GapCause;
use fathom_model::topology::Node;
use fathom_model::{
    Device, Extent, ExtentMap, Incarnation, NodeId, Op, Parity, PhysicalDisk, PhysicalDiskId, StreamId, StreamKind,
    Stripe, Tap, Topology, Validity, Volume, VolumeId,
};

use super::{Error, Result};
use crate::collect::v1 as wire;

/// A stream as its daemon introduces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Version of the protocol that the daemon speaks.
    pub protocol_version: u32,
    /// The stream.
    pub stream: StreamId,
    /// The wall clock when the incarnation began.
    pub anchor_unix_nanos: i64,
    /// The monotonic clock at the same moment.
    pub anchor_monotonic_nanos: u64,
    /// Taps with their resolutions.
    pub taps: Vec<(Tap, u64)>,
    /// From when on the source would have seen an event.
    pub covered_from_unix_nanos: Option<i64>,
    /// Lowest ordinal in the spool.
    pub spool_first_ordinal: u64,
    /// One past the highest durable ordinal in the spool.
    pub spool_next_ordinal: u64,
    /// The daemon's version.
    pub daemon_version: String,
}

impl From<&Opening> for wire::Hello {
    fn from(opening: &Opening) -> Self {
        Self {
            protocol_version: opening.protocol_version,
            cluster: opening.stream.cluster.to_string(),
            node: opening.stream.node.to_string(),
            stream_kind: match opening.stream.kind {
                StreamKind::Io => wire::StreamKind::Io,
                StreamKind::State => wire::StreamKind::State,
            }
            .into(),
            incarnation: opening.stream.incarnation.as_bytes().to_vec(),
            anchor_unix_nanos: opening.anchor_unix_nanos,
            anchor_monotonic_nanos: opening.anchor_monotonic_nanos,
            taps: opening
                .taps
                .iter()
                .map(|&(tap, resolution_nanos)| wire::TapDescription {
                    tap: tap_to_wire(tap).into(),
                    resolution_nanos,
                })
                .collect(),
            covered_from_unix_nanos: opening.covered_from_unix_nanos,
            spool_first_ordinal: opening.spool_first_ordinal,
            spool_next_ordinal: opening.spool_next_ordinal,
            daemon_version: opening.daemon_version.clone(),
        }
    }
}

impl TryFrom<&wire::Hello> for Opening {
    type Error = Error;

    fn try_from(hello: &wire::Hello) -> Result<Self> {
        let kind = match hello.stream_kind() {
            wire::StreamKind::Io => StreamKind::Io,
            wire::StreamKind::State => StreamKind::State,
            wire::StreamKind::Unspecified => {
                let value = i64::from(hello.stream_kind);
                return Err(Error::UnknownNumber {
                    field: "hello.stream_kind",
                    value,
                });
            }
        };
        let bytes: [u8; 16] = hello.incarnation.as_slice().try_into().map_err(|_| Error::Length {
            field: "hello.incarnation",
            expected: 16,
            found: hello.incarnation.len(),
        })?;
        let taps = hello.taps.iter().map(|described| {
            let tap = tap_from_wire("hello.taps.tap", i64::from(described.tap))?;
            match described.resolution_nanos {
                0 => Err(Error::Impossible {
                    field: "hello.taps.resolution_nanos",
                    value: 0,
                }),
                nanos if nanos > 1_000_000_000 => Err(Error::TooLarge {
                    field: "hello.taps.resolution_nanos",
                    limit: 1_000_000_000,
                    found: nanos,
                }),
                nanos => Ok((tap, nanos)),
            }
        });
        Ok(Self {
            protocol_version: hello.protocol_version,
            stream: StreamId {
                cluster: a_name("hello.cluster", &hello.cluster)?.into(),
                node: a_name("hello.node", &hello.node)?.into(),
                kind,
                incarnation: Incarnation::from_bytes(bytes),
            },
            anchor_unix_nanos: hello.anchor_unix_nanos,
            anchor_monotonic_nanos: hello.anchor_monotonic_nanos,
            taps: taps.collect::<Result<_>>()?,
            covered_from_unix_nanos: hello.covered_from_unix_nanos,
            spool_first_ordinal: hello.spool_first_ordinal,
            spool_next_ordinal: hello.spool_next_ordinal,
            daemon_version: hello.daemon_version.clone(),
        })
    }
}

fn not_empty<'a>(field: &'static str, text: &'a str) -> Result<&'a str> {
    if text.is_empty() {
        Err(Error::Missing { field })
    } else {
        Ok(text)
    }
}

/// The name of a cluster or a node.
fn a_name<'a>(field: &'static str, text: &'a str) -> Result<&'a str> {
    let text = not_empty(field, text)?;
    fathom_model::check_name(text).map_err(|source| Error::Name { field, source })?;
    Ok(text)
}

/// A tap as the wire numbers it.
#[must_use]
pub const fn tap_to_wire(tap: Tap) -> wire::Tap {
    match tap {
        Tap::Guest => wire::Tap::Guest,
        Tap::Vhdx => wire::Tap::Vhdx,
        Tap::Csv => wire::Tap::Csv,
        Tap::Refs => wire::Tap::Refs,
        Tap::Volume => wire::Tap::Volume,
        Tap::Initiator => wire::Tap::Initiator,
        Tap::Target => wire::Tap::Target,
        Tap::Device => wire::Tap::Device,
    }
}

/// A tap by its number on the wire.
///
/// # Errors
///
/// When the number stands for none.
pub fn tap_from_wire(field: &'static str, value: i64) -> Result<Tap> {
    let known = i32::try_from(value)
        .ok()
        .and_then(|value| wire::Tap::try_from(value).ok());
    Ok(match known {
        Some(wire::Tap::Guest) => Tap::Guest,
        Some(wire::Tap::Vhdx) => Tap::Vhdx,
        Some(wire::Tap::Csv) => Tap::Csv,
        Some(wire::Tap::Refs) => Tap::Refs,
        Some(wire::Tap::Volume) => Tap::Volume,
        Some(wire::Tap::Initiator) => Tap::Initiator,
        Some(wire::Tap::Target) => Tap::Target,
        Some(wire::Tap::Device) => Tap::Device,
        Some(wire::Tap::Unspecified) | None => return Err(Error::UnknownNumber { field, value }),
    })
}

/// An operation as the wire numbers it.
#[must_use]
pub const fn op_to_wire(op: Op) -> wire::Op {
    match op {
        Op::Read => wire::Op::Read,
        Op::Write => wire::Op::Write,
        Op::Flush => wire::Op::Flush,
        Op::Unmap => wire::Op::Unmap,
    }
}

/// An operation by its number on the wire.
///
/// # Errors
///
/// When the number stands for none.
pub fn op_from_wire(field: &'static str, value: i64) -> Result<Op> {
    let known = i32::try_from(value)
        .ok()
        .and_then(|value| wire::Op::try_from(value).ok());
    Ok(match known {
        Some(wire::Op::Read) => Op::Read,
        Some(wire::Op::Write) => Op::Write,
        Some(wire::Op::Flush) => Op::Flush,
        Some(wire::Op::Unmap) => Op::Unmap,
        Some(wire::Op::Unspecified) | None => return Err(Error::UnknownNumber { field, value }),
    })
}

/// A loss's cause as the wire numbers it.
#[must_use]
pub const fn cause_to_wire(cause: GapCause) -> wire::LossCause {
    match cause {
        GapCause::SpoolFull => wire::LossCause::SpoolFull,
        GapCause::DaemonDown => wire::LossCause::DaemonDown,
        GapCause::SourceDropped => wire::LossCause::SourceDropped,
        GapCause::Shed => wire::LossCause::Shed,
        GapCause::Recording => wire::LossCause::Recording,
        GapCause::Damaged => wire::LossCause::Damaged,
        GapCause::Released => wire::LossCause::Released,
    }
}

/// A loss's cause by its number on the wire.
///
/// # Errors
///
/// When the number stands for none.
pub fn cause_from_wire(field: &'static str, value: i32) -> Result<GapCause> {
    Ok(match wire::LossCause::try_from(value) {
        Ok(wire::LossCause::SpoolFull) => GapCause::SpoolFull,
        Ok(wire::LossCause::DaemonDown) => GapCause::DaemonDown,
        Ok(wire::LossCause::SourceDropped) => GapCause::SourceDropped,
        Ok(wire::LossCause::Shed) => GapCause::Shed,
        Ok(wire::LossCause::Recording) => GapCause::Recording,
        Ok(wire::LossCause::Damaged) => GapCause::Damaged,
        Ok(wire::LossCause::Released) => GapCause::Released,
        Ok(wire::LossCause::Unspecified) | Err(_) => {
            return Err(Error::UnknownNumber {
                field,
                value: i64::from(value),
            });
        }
    })
}

/// Ordinals are below this: a million events a second give as many in 285 years, and sums of them and numbers in JSON stay exact.
const MOST_ORDINALS: u64 = 1 << 53;

/// Ordinals that are lost: the first, and one past the last.
///
/// # Errors
///
/// When there are none, or the last one is beyond what ordinals reach.
pub fn lost_from_wire(lost: &wire::OrdinalsLost) -> Result<(u64, u64)> {
    if lost.count == 0 {
        return Err(Error::Impossible {
            field: "ordinals_lost.count",
            value: 0,
        });
    }
    let until = lost.first_ordinal.checked_add(lost.count);
    match until.filter(|&until| until <= MOST_ORDINALS) {
        Some(until) => Ok((lost.first_ordinal, until)),
        None => Err(Error::TooLarge {
            field: "ordinals_lost.first_ordinal with its count",
            limit: MOST_ORDINALS,
            found: lost.first_ordinal.saturating_add(lost.count),
        }),
    }
}

/// A stretch of time in which events were lost: from when until when.
///
/// # Errors
///
/// When it ends before it begins.
pub fn gap_from_wire(gap: &wire::TimeGap) -> Result<(i64, i64)> {
    if gap.until_unix_nanos < gap.from_unix_nanos {
        return Err(Error::Impossible {
            field: "time_gap.until_unix_nanos, which is before its beginning,",
            value: gap.until_unix_nanos.into(),
        });
    }
    Ok((gap.from_unix_nanos, gap.until_unix_nanos))
}

/// A device dictionary for the wire.
#[must_use]
pub fn devices_to_wire(devices: &[Device]) -> wire::DeviceDictionary {
    let text = |name: Option<&str>| name.unwrap_or_default().to_owned();
    let devices = devices.iter().map(|device| wire::Device {
        tap: tap_to_wire(device.tap).into(),
        name: device.name.clone(),
        physical_disk_id: text(device.disk.as_ref().map(PhysicalDiskId::as_str)),
        volume: text(device.volume.as_ref().map(VolumeId::as_str)),
        copy: device.copy,
        peer: text(device.peer.as_ref().map(NodeId::as_str)),
        without_offsets: !device.has_offsets,
    });
    wire::DeviceDictionary {
        devices: devices.collect(),
    }
}

/// A device dictionary from the wire.
///
/// # Errors
///
/// When an entry is not one.
pub fn devices_from_wire(dictionary: &wire::DeviceDictionary) -> Result<Vec<Device>> {
    fn given(text: &str) -> Option<&str> {
        (!text.is_empty()).then_some(text)
    }
    let device = |device: &wire::Device| {
        Ok(Device {
            tap: tap_from_wire("devices.tap", i64::from(device.tap))?,
            name: device.name.clone(),
            disk: given(&device.physical_disk_id).map(PhysicalDiskId::new),
            volume: given(&device.volume).map(VolumeId::new),
            copy: device.copy,
            peer: given(&device.peer).map(NodeId::new),
            has_offsets: !device.without_offsets,
        })
    };
    dictionary.devices.iter().map(device).collect()
}

/// One version of a cluster's topology.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionedTopology {
    /// Rises with every change.
    pub version: u64,
    /// From when on it is true, on the speaking node's clock.
    pub valid_from_unix_nanos: Option<i64>,
    /// The topology.
    pub topology: Topology,
}

impl From<&VersionedTopology> for wire::Topology {
    fn from(versioned: &VersionedTopology) -> Self {
        let topology = &versioned.topology;
        let node = |node: &Node| wire::Node {
            name: node.id.to_string(),
            observed: node.observed,
        };
        let disk = |disk: &PhysicalDisk| wire::PhysicalDisk {
            physical_disk_id: disk.id.to_string(),
            node: disk.node.to_string(),
            name: disk.name.clone(),
        };
        let volume = |volume: &Volume| wire::Volume {
            name: volume.id.to_string(),
            size_bytes: volume.size_bytes,
            copies: volume.copies,
        };
        let extent = |extent: &Extent| wire::Extent {
            volume: extent.volume.to_string(),
            volume_offset: extent.volume_offset,
            length: extent.length,
            copy: extent.copy,
            physical_disk_id: extent.disk.to_string(),
            disk_offset: extent.disk_offset,
            valid_from_unix_nanos: extent.valid.from_unix_nanos,
            valid_until_unix_nanos: extent.valid.until_unix_nanos,
            stripe: extent.stripe.map(|stripe| wire::Stripe {
                column: stripe.column,
                columns: stripe.columns,
                interleave_bytes: stripe.interleave_bytes,
            }),
            parity: extent.parity.map(|parity| wire::Parity {
                column: parity.column,
                columns: parity.columns,
                parity_columns: parity.parity_columns,
                interleave_bytes: parity.interleave_bytes,
            }),
        };
        Self {
            version: versioned.version,
            valid_from_unix_nanos: versioned.valid_from_unix_nanos,
            nodes: topology.nodes.iter().map(node).collect(),
            physical_disks: topology.disks.iter().map(disk).collect(),
            volumes: topology.volumes.iter().map(volume).collect(),
            extents: topology.extents.extents().iter().map(extent).collect(),
        }
    }
}

impl TryFrom<&wire::Topology> for VersionedTopology {
    type Error = Error;

    fn try_from(topology: &wire::Topology) -> Result<Self> {
        let name = |field, text: &str| not_empty(field, text).map(ToOwned::to_owned);
        let nodes = topology.nodes.iter().map(|node| {
            Ok(Node {
                id: a_name("topology.nodes.name", &node.name)?.into(),
                observed: node.observed,
            })
        });
        let disks = topology.physical_disks.iter().map(|disk| {
            Ok(PhysicalDisk {
                id: name("topology.physical_disks.physical_disk_id", &disk.physical_disk_id)?
                    .as_str()
                    .into(),
                node: name("topology.physical_disks.node", &disk.node)?.as_str().into(),
                name: disk.name.clone(),
            })
        });
        let volumes = topology.volumes.iter().map(|volume| {
            Ok(Volume {
                id: name("topology.volumes.name", &volume.name)?.as_str().into(),
                size_bytes: volume.size_bytes,
                copies: volume.copies,
            })
        });
        let extents = topology.extents.iter().map(|extent| {
            let known = topology
                .physical_disks
                .iter()
                .any(|disk| disk.physical_disk_id == extent.physical_disk_id);
            if !known {
                return Err(Error::Missing {
                    field: "topology.physical_disks (the disk of an extent)",
                });
            }
            Ok(Extent {
                volume: name("topology.extents.volume", &extent.volume)?.as_str().into(),
                volume_offset: extent.volume_offset,
                length: extent.length,
                copy: extent.copy,
                disk: extent.physical_disk_id.as_str().into(),
                disk_offset: extent.disk_offset,
                valid: Validity {
                    from_unix_nanos: extent.valid_from_unix_nanos,
                    until_unix_nanos: extent.valid_until_unix_nanos,
                },
                stripe: extent.stripe.map(|stripe| Stripe {
                    column: stripe.column,
                    columns: stripe.columns,
                    interleave_bytes: stripe.interleave_bytes,
                }),
                parity: extent.parity.map(|parity| Parity {
                    column: parity.column,
                    columns: parity.columns,
                    parity_columns: parity.parity_columns,
                    interleave_bytes: parity.interleave_bytes,
                }),
            })
        });
        Ok(Self {
            version: topology.version,
            valid_from_unix_nanos: topology.valid_from_unix_nanos,
            topology: Topology {
                nodes: nodes.collect::<Result<_>>()?,
                disks: disks.collect::<Result<_>>()?,
                volumes: volumes.collect::<Result<_>>()?,
                extents: ExtentMap::try_new(extents.collect::<Result<_>>()?)?,
            },
        })
    }
}

#[cfg(test)]
mod tests;
