//! Which disk an event is of: from what an event calls it to an entry of the stream's dictionary.
//!
//! A number is a disk's today and another's tomorrow. So each event is tied to its disk by what the system said of the number when it
//! was asked last, and the dictionary's entry has the disk's `UniqueId` (or serial number), never the number alone. When the system says
//! something else of a number, events go to another entry from then on; entries never change.

use std::collections::HashMap;

use fathom_etl::decode::Site;
use fathom_model::{Device, NodeId, PhysicalDiskId, Tap, Topology, VolumeId};
use rustc_hash::FxBuildHasher;

/// A disk as the system tells of it, by its number on this node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// Its number on this node; `None` of one that only the storage bus numbers here.
    pub number: Option<u32>,
    /// `UniqueId`, as the system writes it; empty where it has none.
    pub unique_id: String,
    /// Its serial number, without blanks at either end; empty where it has none.
    pub serial: String,
    /// Its name for people.
    pub friendly_name: String,
    /// Whether it is a virtual disk of Storage Spaces.
    pub is_space: bool,
    /// Of a disk of another node that the storage bus shows: that node.
    pub peer: Option<String>,
    /// The device's GUID in braces or without; empty where it is not known.
    pub guid: String,
    /// Bytes of a logical sector; 0 where it is not known.
    pub sector_bytes: u32,
    /// Port, bus, target and unit of the port driver, where they are known.
    pub port: Option<[u8; 4]>,
    /// Its number on the storage bus, where it has one.
    pub bus_number: Option<u64>,
}

/// What the system knew of its disks when it was asked.
pub type Disks = Vec<Disk>;

/// Where an event's device stands in the dictionary, and what is needed to make bytes of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Index into the dictionary.
    pub device: u32,
    /// The tap of its events.
    pub tap: Tap,
    /// Bytes of a block; 0 where it is not known.
    pub sector_bytes: u32,
}

/// The dictionary of a stream, and how events find their entry.
#[derive(Debug)]
pub struct Places {
    topology: Option<Topology>,
    devices: Vec<Device>,
    known: HashMap<(Tap, String), u32>,
    disks: Disks,
    /// By number: the common way.
    by_number: Vec<Option<Entry>>,
    by_name: HashMap<Owned, Entry, FxBuildHasher>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Owned {
    Disk(u32),
    Guid([u8; 16], Vec<u8>),
    Port([u8; 4]),
    Bus(u64),
    Named(Tap, Vec<u8>),
    File([u8; 16]),
    Csv(bool),
    Text(Tap, String),
}

/// Numbers up to here are found by index; Windows numbers disks from 0 on, and those of a cluster from 1000 a node.
const NUMBERS: usize = 1 << 16;

/// More entries than this are not made: their events go to one that says so, for each tap.
const MOST_DEVICES: usize = 1 << 14;

impl Places {
    /// An empty dictionary; the topology, where there is one, gives names and nodes to disks by their identity.
    #[must_use]
    pub fn new(topology: Option<Topology>) -> Self {
        Self {
            topology,
            devices: Vec::new(),
            known: HashMap::new(),
            disks: Vec::new(),
            by_number: Vec::new(),
            by_name: HashMap::default(),
        }
    }

    /// The dictionary so far.
    #[must_use]
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// Takes what the system says of its disks now. Events from here on are tied by it.
    pub fn set_disks(&mut self, disks: &[Disk]) {
        if disks == self.disks {
            return;
        }
        self.disks = disks.to_vec();
        self.by_number.clear();
        self.by_name.clear();
    }

    /// What the system said last.
    #[must_use]
    pub fn disks(&self) -> &[Disk] {
        &self.disks
    }

    /// The entry of an event.
    #[inline]
    pub fn find(&mut self, tap: Tap, site: Site<'_>, has_offset: bool) -> Entry {
        if let Site::Disk(number) = site {
            let at = number as usize;
            if let Some(Some(entry)) = self.by_number.get(at) {
                return *entry;
            }
            let entry = self.disk(number);
            if at < NUMBERS {
                if self.by_number.len() <= at {
                    self.by_number.resize(at + 1, None);
                }
                self.by_number[at] = Some(entry);
            }
            return entry;
        }
        let owned = match site {
            Site::Disk(number) => Owned::Disk(number),
            Site::Drive { guid, serial } => Owned::Guid(guid.0, serial.to_vec()),
            Site::Port(port) => Owned::Port(port),
            Site::BusDevice(number) => Owned::Bus(number),
            Site::Named(name) => Owned::Named(tap, name.to_vec()),
            Site::File(guid) => Owned::File(guid.0),
            Site::CsvDirect => Owned::Csv(true),
            Site::CsvRedirected => Owned::Csv(false),
        };
        if let Some(entry) = self.by_name.get(&owned) {
            return *entry;
        }
        let entry = match site {
            Site::Disk(number) => self.disk(number),
            Site::Drive { guid, serial } => {
                let serial = String::from_utf8_lossy(serial).trim().to_owned();
                let guid = guid.to_string();
                let found = self
                    .disks
                    .iter()
                    .find(|disk| same_id(&disk.guid, &guid) || same_id(&disk.serial, &serial));
                let disk = found.cloned().unwrap_or_else(|| Disk {
                    serial: serial.clone(),
                    friendly_name: format!("drive.{serial}"),
                    ..Disk::default()
                });
                self.physical(tap, &disk)
            }
            Site::Port(port) => {
                let found = self.disks.iter().find(|disk| disk.port == Some(port)).cloned();
                let [a, b, c, d] = port;
                let disk = found.unwrap_or_else(|| Disk {
                    friendly_name: format!("port{a}.{b}.{c}.{d}"),
                    ..Disk::default()
                });
                self.physical(tap, &disk)
            }
            Site::BusDevice(number) => {
                let found = self.disks.iter().find(|disk| disk.bus_number == Some(number)).cloned();
                self.bus(number, found.as_ref(), has_offset)
            }
            Site::Named(name) => {
                let units = name.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
                let name = String::from_utf16_lossy(&units.collect::<Vec<u16>>());
                self.entry(tap, name, None, None, None, has_offset, 0)
            }
            Site::File(guid) => self.entry(tap, format!("smb.{guid}"), None, None, None, has_offset, 0),
            Site::CsvDirect => self.entry(tap, "csvfs.direct".to_owned(), None, None, None, has_offset, 0),
            Site::CsvRedirected => self.entry(tap, "csvfs.redirected".to_owned(), None, None, None, has_offset, 0),
        };
        if self.by_name.len() < MOST_DEVICES {
            self.by_name.insert(owned, entry);
        }
        entry
    }

    /// The entry of a drive by serial number or GUID, or of a volume or file by name: what the event log names.
    pub fn find_text(&mut self, tap: Tap, name: &str, serial: Option<&str>, has_offset: bool) -> Entry {
        let owned = Owned::Text(tap, serial.unwrap_or(name).to_owned());
        if let Some(entry) = self.by_name.get(&owned) {
            return *entry;
        }
        let entry = match serial {
            Some(serial) => {
                let found = self.disks.iter().find(|disk| same_id(&disk.serial, serial)).cloned();
                let disk = found.unwrap_or_else(|| Disk {
                    serial: serial.to_owned(),
                    friendly_name: name.to_owned(),
                    ..Disk::default()
                });
                self.physical(tap, &disk)
            }
            None => self.entry(tap, name.to_owned(), None, None, None, has_offset, 0),
        };
        if self.by_name.len() < MOST_DEVICES {
            self.by_name.insert(owned, entry);
        }
        entry
    }

    /// The entry of a volume of the topology, by its name.
    pub fn find_volume(&mut self, volume: &str) -> Entry {
        self.entry(
            Tap::Volume,
            volume.to_owned(),
            None,
            Some(VolumeId::from(volume)),
            None,
            true,
            0,
        )
    }

    /// The kernel's disk of a number: a Space is the volume's tap, another node's disk the bus's, any other a drive.
    fn disk(&mut self, number: u32) -> Entry {
        let found = self.disks.iter().find(|disk| disk.number == Some(number)).cloned();
        let Some(disk) = found else {
            // The system does not know it (yet): no identity, and never that of another disk.
            return self.entry(Tap::Device, format!("disk{number}"), None, None, None, true, 0);
        };
        if disk.is_space {
            let volume = self.volume(&disk);
            let name = volume.as_ref().map_or_else(|| name(&disk), ToString::to_string);
            return self.entry(Tap::Volume, name, None, volume, None, true, disk.sector_bytes);
        }
        if disk.peer.is_some() {
            return self.bus(u64::from(number), Some(&disk), true);
        }
        self.physical(Tap::Device, &disk)
    }

    fn physical(&mut self, tap: Tap, disk: &Disk) -> Entry {
        let id = self.identity(disk);
        let known = id
            .as_ref()
            .and_then(|id| self.topology.as_ref()?.disks.iter().find(|known| known.id == *id));
        let name = known.map_or_else(|| name(disk), |known| known.name.clone());
        self.entry(tap, name, id, None, None, true, disk.sector_bytes)
    }

    fn bus(&mut self, number: u64, disk: Option<&Disk>, has_offset: bool) -> Entry {
        let Some(disk) = disk else {
            return self.entry(
                Tap::Initiator,
                format!("clusport.{number}"),
                None,
                None,
                None,
                has_offset,
                0,
            );
        };
        let id = self.identity(disk);
        let peer = disk.peer.as_deref().map(NodeId::from);
        let name = match &disk.peer {
            Some(peer) => format!("clusport.{peer}.{}", name(disk)),
            None => format!("clusport.{}", name(disk)),
        };
        self.entry(Tap::Initiator, name, id, None, peer, has_offset, disk.sector_bytes)
    }

    /// The identity of a drive in the cluster: as the topology spells it, where the topology has it.
    fn identity(&self, disk: &Disk) -> Option<PhysicalDiskId> {
        let own = [&disk.unique_id, &disk.guid, &disk.serial];
        let own: Vec<&str> = own
            .into_iter()
            .map(String::as_str)
            .filter(|id| !plain(id).is_empty())
            .collect();
        let topology = self.topology.iter().flat_map(|topology| &topology.disks);
        let known = own
            .iter()
            .find_map(|id| topology.clone().find(|known| same_id(known.id.as_str(), id)));
        known
            .map(|known| known.id.clone())
            .or_else(|| own.first().map(|id| PhysicalDiskId::from(plain(id).as_str())))
    }

    /// The volume on a Space: the topology's of this name or identity.
    fn volume(&self, disk: &Disk) -> Option<VolumeId> {
        let volumes = &self.topology.as_ref()?.volumes;
        let named = |text: &str| {
            volumes
                .iter()
                .find(|volume| !text.is_empty() && same_id(volume.id.as_str(), text))
        };
        let found = named(&disk.unique_id)
            .or_else(|| named(&disk.friendly_name))
            .or_else(|| named(&disk.guid));
        found.map(|volume| volume.id.clone())
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of an entry")]
    fn entry(
        &mut self,
        tap: Tap,
        name: String,
        disk: Option<PhysicalDiskId>,
        volume: Option<VolumeId>,
        peer: Option<NodeId>,
        has_offsets: bool,
        sector_bytes: u32,
    ) -> Entry {
        let is_full = self.devices.len() >= MOST_DEVICES;
        let (name, disk, volume, peer) = if is_full {
            ("more".to_owned(), None, None, None)
        } else {
            (name, disk, volume, peer)
        };
        let key = (tap, format!("{name}\0{disk:?}\0{volume:?}\0{has_offsets}"));
        let device = *self.known.entry(key).or_insert_with(|| {
            self.devices.push(Device {
                tap,
                name,
                disk,
                volume,
                copy: None,
                peer,
                has_offsets,
            });
            (self.devices.len() - 1) as u32
        });
        Entry {
            device,
            tap,
            sector_bytes,
        }
    }
}

/// A disk's name for people.
fn name(disk: &Disk) -> String {
    if disk.friendly_name.is_empty() {
        disk.number
            .map_or_else(|| disk.serial.clone(), |number| format!("disk{number}"))
    } else {
        disk.friendly_name.clone()
    }
}

/// Ids without case, braces and blanks: cmdlets, classes and events write them in several ways.
fn plain(id: &str) -> String {
    let plain = id.chars().filter(|character| !matches!(character, '{' | '}' | ' '));
    plain.flat_map(char::to_lowercase).collect()
}

pub(super) fn same_id(one: &str, other: &str) -> bool {
    let one = plain(one);
    !one.is_empty() && one == plain(other)
}

#[cfg(test)]
mod tests;
