//! What of the configuration is about what a node logs now. In the file under `[live]`, since most of it is lists.

use std::path::PathBuf;

use fathom_model::Op;
use fathom_sources::live::{Disk, Layouts, Profile, Settings, Volume, event_key};
use serde::Deserialize;

/// The table `[live]` of the file: facts about this system that no public source documents, or that the daemon shall not ask for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Table {
    /// Field lists of events, in place of those of the system and of public manifests.
    layout: Vec<LayoutRow>,
    /// What `VhdIoType` of VHDMP's events means: read, write, flush or unmap by its number.
    vhd_io_types: std::collections::BTreeMap<String, Op>,
    /// Nanoseconds in a unit of StorPort's RequestDuration [default: 100].
    storport_unit_nanos: Option<u64>,
    /// Where file systems lie on virtual disks: places slow I/O of the event log.
    volume: Vec<VolumeRow>,
    /// Disks, in place of what the system says of these numbers.
    disk: Vec<DiskRow>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct LayoutRow {
    /// GUID or full name.
    provider: String,
    event: u16,
    #[serde(default)]
    version: u8,
    /// `Name:kind Name:kind …`.
    fields: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct VolumeRow {
    name: String,
    volume: String,
    cluster_bytes: u64,
    partition_offset: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct DiskRow {
    /// The kernel's number here; none of another node's disk that only the storage bus numbers.
    number: Option<u32>,
    unique_id: String,
    #[serde(default)]
    serial: String,
    #[serde(default)]
    name: String,
    /// A virtual disk of Storage Spaces.
    #[serde(default)]
    space: bool,
    /// The other node that it is connected to.
    peer: Option<String>,
    #[serde(default)]
    bus_number: Option<u64>,
    #[serde(default)]
    sector_bytes: u32,
}

/// What a node logs now, as a source.
#[derive(Clone, Debug)]
pub struct Live {
    /// Where events come from.
    pub from: Origin,
    /// How much is read, where nobody orders anything else.
    pub profile: Profile,
    /// A recording whose topology is that of the cluster.
    pub topology: Option<PathBuf>,
    /// What no source documents.
    pub settings: Settings,
    /// Configured layouts.
    pub layouts: Layouts,
    /// Where file systems lie.
    pub volumes: Vec<Volume>,
    /// Configured disks.
    pub disks: Vec<Disk>,
}

/// Where events come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// A trace session of our own on this node.
    Etw,
    /// A trace file, as if it were logged now.
    Trace {
        /// The file.
        file: PathBuf,
        /// Seconds of the trace a second; `None` for all at once.
        pace: Option<f64>,
    },
}

impl Table {
    /// The checked table; faults join the others.
    pub(super) fn check(
        self,
        from: Origin,
        profile: Profile,
        topology: Option<PathBuf>,
        faults: &mut Vec<String>,
    ) -> Live {
        let mut layouts = Layouts::new();
        for row in &self.layout {
            let key = event_key(&row.provider, row.event, row.version);
            match (key, row.fields.parse()) {
                (Ok(key), Ok(layout)) => layouts.push((key, layout)),
                (key, layout) => {
                    let reasons = key.err().into_iter().chain(
                        layout
                            .err()
                            .map(|error: fathom_sources::live::NoLayout| error.to_string()),
                    );
                    faults.extend(reasons.map(|reason| format!("live.layout of event {}: {reason}", row.event)));
                }
            }
        }
        let mut settings = Settings::default();
        for (code, op) in self.vhd_io_types {
            match code.parse() {
                Ok(code) => settings.vhd_io_types.push((code, op)),
                Err(_) => faults.push(format!("live.vhd-io-types: `{code}` is not a number")),
            }
        }
        match self.storport_unit_nanos {
            Some(0) => faults.push("live.storport-unit-nanos must be at least 1".to_owned()),
            Some(nanos) => settings.storport_unit_nanos = nanos,
            None => {}
        }
        let mut numbers: Vec<u32> = self.disk.iter().filter_map(|disk| disk.number).collect();
        numbers.sort_unstable();
        if let Some(twice) = numbers.windows(2).find(|pair| pair[0] == pair[1]) {
            faults.push(format!("live.disk: number {} stands there twice", twice[0]));
        }
        if self
            .disk
            .iter()
            .any(|disk| disk.number.is_none() && disk.bus_number.is_none())
        {
            faults.push("live.disk: each needs a number or a bus-number".to_owned());
        }
        let volumes = self.volume.into_iter().map(|row| Volume {
            name: row.name,
            volume: row.volume,
            cluster_bytes: row.cluster_bytes,
            partition_offset: row.partition_offset,
        });
        let disks = self.disk.into_iter().map(|row| Disk {
            number: row.number,
            unique_id: row.unique_id,
            serial: row.serial,
            friendly_name: row.name,
            is_space: row.space,
            peer: row.peer,
            bus_number: row.bus_number,
            sector_bytes: row.sector_bytes,
            ..Disk::default()
        });
        Live {
            from,
            profile,
            topology,
            settings,
            layouts,
            volumes: volumes.collect(),
            disks: disks.collect(),
        }
    }
}
