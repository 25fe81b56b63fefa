//! Device dictionaries: what the devices of a stream's events stand for.

use std::collections::BTreeSet;

use fathom_model::{
    Catalog, Device, DiskIndex, NodeIndex, PhysicalDisk, PhysicalDiskId, StreamIndex, Tap, VolumeIndex,
};

use super::Engine;
use super::lane::LaneRole;
use crate::error::{Error, Result};

/// An entry of a dictionary in indices.
#[derive(Clone, Debug)]
pub(super) struct DeviceEntry {
    pub(super) name: String,
    pub(super) volume: Option<VolumeIndex>,
    /// None also while no topology has the disk that the entry names.
    pub(super) disk: Option<DiskIndex>,
    /// The drive that the entry names, where no topology has it: it holds no extent.
    pub(super) spare: Option<DiskIndex>,
    /// The entry names a disk that no topology has.
    pub(super) disk_unknown: bool,
    pub(super) copy: Option<u32>,
    pub(super) peer: Option<NodeIndex>,
    pub(super) has_offsets: bool,
    /// How far its offsets lie beyond the extent map's.
    pub(super) shift: i64,
    /// Its events are initiator legs of which only the way is known: device, operation, length and time, but no offset.
    pub(super) unplaced: bool,
    /// Which of its events may wait in the lane.
    pub(super) lane: LaneRole,
}

impl Engine {
    /// Sets the stream's device dictionary: all entries so far. It grows; entries already there must not change.
    ///
    /// # Errors
    ///
    /// When the stream is not open, or an entry changed its meaning.
    pub fn set_devices(&mut self, stream: StreamIndex, devices: &[Device]) -> Result<()> {
        let state = self.streams.get_mut(&stream).ok_or(Error::NotOpen)?;
        for (at, (old, new)) in state.described.iter().zip(devices).enumerate() {
            if old != new {
                return Err(Error::DeviceChanged {
                    device: at as u32,
                    old: describe(old),
                    new: describe(new),
                });
            }
        }
        if devices.len() > state.described.len() {
            state.described = devices.to_vec();
        }
        state.devices = entries(&mut self.catalog, &mut self.spares, state.node, &state.described);
        self.note_shifts();
        // Whose legs have no offset, all of its I/Os have to be looked at together.
        if self.has_unplaced(stream) {
            self.spill_until(stream, i64::MAX);
        }
        self.set_lane_roles();
        Ok(())
    }

    /// Looks up the disks of all dictionaries again: a topology may name some that were not known when a dictionary came.
    pub(super) fn find_disks(&mut self) {
        let mut streams: Vec<StreamIndex> = self.streams.keys().copied().collect();
        streams.sort_unstable();
        for stream in streams {
            if let Some(state) = self.streams.get_mut(&stream) {
                state.devices = entries(&mut self.catalog, &mut self.spares, state.node, &state.described);
            }
        }
    }
}

fn entries(
    catalog: &mut Catalog,
    spares: &mut BTreeSet<DiskIndex>,
    node: NodeIndex,
    devices: &[Device],
) -> Vec<DeviceEntry> {
    devices
        .iter()
        .map(|device| {
            let disk = device.disk.as_ref().and_then(|id| find_disk(catalog, spares, id));
            DeviceEntry {
                name: device.name.clone(),
                volume: device.volume.as_ref().map(|volume| catalog.intern_volume(volume)),
                disk,
                spare: spare(catalog, spares, node, device),
                disk_unknown: device.disk.is_some() && disk.is_none(),
                copy: device.copy,
                peer: device.peer.as_ref().map(|peer| catalog.intern_node(peer)),
                has_offsets: device.has_offsets,
                shift: 0,
                unplaced: device.tap == Tap::Initiator && !device.has_offsets,
                lane: LaneRole::default(),
            }
        })
        .collect()
}

fn find_disk(catalog: &Catalog, spares: &BTreeSet<DiskIndex>, id: &PhysicalDiskId) -> Option<DiskIndex> {
    let mut disks = (0..).map(DiskIndex).zip(catalog.disks());
    disks
        .find(|(at, disk)| disk.id == *id && !spares.contains(at))
        .map(|(at, _)| at)
}

/// The drive of an entry, if no topology has named it.
fn spare(
    catalog: &mut Catalog,
    spares: &mut BTreeSet<DiskIndex>,
    node: NodeIndex,
    device: &Device,
) -> Option<DiskIndex> {
    let id = device.disk.as_ref().filter(|_| device.tap == Tap::Device)?;
    if find_disk(catalog, spares, id).is_some() {
        return None;
    }
    let drive = catalog.intern_disk(&PhysicalDisk {
        id: id.clone(),
        node: catalog.node(node).clone(),
        name: device.name.clone(),
    });
    spares.insert(drive);
    Some(drive)
}

/// An entry in words, with everything that it means.
fn describe(device: &Device) -> String {
    let mut text = format!("{} `{}`", device.tap, device.name);
    let facts = [
        ("disk", device.disk.as_ref().map(ToString::to_string)),
        ("volume", device.volume.as_ref().map(ToString::to_string)),
        ("copy", device.copy.map(|copy| copy.to_string())),
        ("to", device.peer.as_ref().map(ToString::to_string)),
    ];
    for (what, value) in facts {
        if let Some(value) = value {
            text.push_str(&format!(", {what} {value}"));
        }
    }
    if !device.has_offsets {
        text.push_str(", without offsets");
    }
    text
}
