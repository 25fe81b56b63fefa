//! Imported traces of several nodes, with the places of their disks, as a recording: what the join plays.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use fathom_capture::{EventWriter, Run, RunExtent, RunTopology, RunVolume};
use fathom_etl::DiskIo;
use fathom_model::{Extent, ExtentMap, NodeId, PhysicalDiskId, Validity, VolumeId};

use super::columns::{Columns, Seen, choose};
use super::events::{disk_name, row};
use super::places::{DiskKey, PlacedExtent, Places, node_key};
use super::{Imported, Kind, Node};
use crate::error::{Error, Result};

/// How fine the times of a table of `wpaexporter` are.
const CSV_RESOLUTION_NANOS: u64 = 100;

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Virtual disks with extents, and how many events their own disk numbers have.
    pub volumes: Vec<(String, u64)>,
    /// Events of physical disks of the extents.
    pub placed: u64,
    /// Events of other disks, which belong to no volume.
    pub elsewhere: u64,
    /// Virtual disks of several columns, and how they were found to lie.
    pub columns: Vec<Columns>,
    /// Nodes that hold copies and have no trace.
    pub missing_nodes: Vec<String>,
    /// What is odd without being wrong, a sentence each.
    pub warnings: Vec<String>,
}

/// Writes a recording into a folder; `run.json` comes last, so that a folder with one is whole.
///
/// The `volume` tap is the virtual disk's own disk on the node where it is attached, the `device` tap every other disk; so a node is an
/// initiator where a virtual disk has a number on it.
///
/// # Errors
///
/// When the places contradict themselves or do not say where an extent's disk is, or a file cannot be written.
pub fn write_recording(imported: &Imported, places: &Places, name: &str, folder: &Path) -> Result<Written> {
    let cluster = Cluster::new(imported, places).map_err(|cause| Error::Cluster { cause })?;
    let mut written = Written {
        volumes: cluster.volumes.values().map(|volume| (volume.clone(), 0)).collect(),
        warnings: cluster.warnings.clone(),
        columns: cluster.columns.clone(),
        ..Written::default()
    };
    for node in &imported.nodes {
        write_node(node, &cluster, folder, &mut written)?;
    }
    let traced: BTreeSet<&str> = imported.nodes.iter().map(|node| node.id.as_str()).collect();
    let run = cluster.run(name, &traced);
    written.missing_nodes = run
        .topology
        .targets
        .iter()
        .chain(&run.topology.initiators)
        .filter(|node| !traced.contains(node.as_str()))
        .cloned()
        .collect::<BTreeSet<String>>()
        .into_iter()
        .collect();
    for (volume, events) in &written.volumes {
        if *events == 0 {
            written.warnings.push(format!(
                "no trace has an event of virtual disk {volume}: none of its writes can be put together"
            ));
        }
    }
    for trace in imported.traces.iter().filter(|trace| trace.report.is_partial()) {
        written.warnings.push(format!(
            "a trace of node {} is not whole: copies that are not found there may have been lost",
            trace.node
        ));
    }
    let path = folder.join("run.json");
    let failed = |source| Error::Write {
        path: path.clone(),
        source,
    };
    let text = serde_json::to_string_pretty(&run).map_err(|error| failed(error.into()))?;
    fs::write(&path, text).map_err(failed)?;
    Ok(written)
}

fn write_node(node: &Node, cluster: &Cluster, folder: &Path, written: &mut Written) -> Result<()> {
    let path = folder.join(format!("events-{}.jsonl.zst", node.id));
    let mut writer = EventWriter::create(&path)?;
    let mut name = String::new();
    for io in &node.events {
        let place = cluster.numbers.get(&(node.id.to_string(), io.disk));
        match place {
            Some(Place::Volume(volume)) => {
                if let Some((_, events)) = written.volumes.iter_mut().find(|(name, _)| name == volume) {
                    *events += 1;
                }
                writer.write(&row(io, "volume", volume))?;
            }
            other => {
                if other.is_some() {
                    written.placed += 1;
                } else {
                    written.elsewhere += 1;
                }
                device(io, &mut name);
                writer.write(&row(io, "device", &name))?;
            }
        }
    }
    Ok(writer.finish()?)
}

fn device(io: &DiskIo, name: &mut String) {
    name.clear();
    disk_name(io.disk, name);
}

/// What a disk's number on a node stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// A virtual disk, by its name.
    Volume(String),
    /// A physical disk of an extent.
    Physical(DiskKey),
}

/// The extents' disks, found on nodes.
struct Cluster {
    /// What a disk's number on a node stands for.
    numbers: BTreeMap<(String, u32), Place>,
    /// Physical disks of extents: node, and name there.
    physical: BTreeMap<DiskKey, (String, String)>,
    /// Virtual disks of extents, by the name that they get.
    volumes: BTreeMap<DiskKey, String>,
    initiators: BTreeSet<String>,
    /// Of the coarsest trace.
    resolution_nanos: u64,
    warnings: Vec<String>,
    /// As the join takes them.
    extents: Vec<PlacedExtent>,
    columns: Vec<Columns>,
}

impl Cluster {
    fn new(imported: &Imported, places: &Places) -> Result<Self, String> {
        let mut names: BTreeMap<String, &NodeId> = BTreeMap::new();
        for node in &imported.nodes {
            if let Some(other) = names.insert(node_key(node.id.as_str()), &node.id) {
                return Err(format!(
                    "the nodes {other} and {} have one name to Windows; give them with --node NAME=PATH",
                    node.id
                ));
            }
        }
        let wanted_physical: BTreeSet<&DiskKey> = places.extents.iter().map(|extent| &extent.disk).collect();
        let wanted_virtual: BTreeSet<&DiskKey> = places.extents.iter().map(|extent| &extent.volume).collect();
        let resolutions = imported.traces.iter().map(|trace| match &trace.kind {
            Kind::Etl { log_file, .. } => log_file.resolution_nanos(),
            Kind::Csv => CSV_RESOLUTION_NANOS,
        });
        let mut cluster = Self {
            numbers: BTreeMap::new(),
            physical: BTreeMap::new(),
            volumes: BTreeMap::new(),
            initiators: BTreeSet::new(),
            resolution_nanos: resolutions.max().unwrap_or(1),
            warnings: Vec::new(),
            extents: Vec::new(),
            columns: Vec::new(),
        };
        cluster.name_volumes(places, &wanted_virtual);
        for disk in &places.disks {
            // A node without a trace keeps the name that the list has.
            let node = names
                .get(&disk.node)
                .map_or_else(|| disk.node.clone(), ToString::to_string);
            let number = (node.clone(), disk.number);
            if let Some(volume) = cluster.volumes.get(&disk.disk) {
                cluster.numbers.insert(number, Place::Volume(volume.clone()));
                cluster.initiators.insert(node);
            } else if wanted_physical.contains(&disk.disk) {
                let mut name = String::new();
                disk_name(disk.number, &mut name);
                let place = (node, name);
                if let Some(other) = cluster.physical.insert(disk.disk.clone(), place.clone())
                    && other != place
                {
                    return Err(format!(
                        "disk {} is connected to {} as {} and to {} as {}; keep the row of the node that holds it",
                        disk.disk.0, other.0, other.1, place.0, place.1
                    ));
                }
                cluster.numbers.insert(number, Place::Physical(disk.disk.clone()));
            }
        }
        if let Some(lost) = wanted_physical
            .iter()
            .find(|disk| !cluster.physical.contains_key(**disk))
        {
            let more = wanted_physical.len() - cluster.physical.len() - 1;
            return Err(format!(
                "the extents name disk {}{}, and --disks does not say which number it has on which node",
                lost.0,
                if more > 0 {
                    format!(" (and {more} more)")
                } else {
                    String::new()
                }
            ));
        }
        if places.extents.is_empty() {
            return Err("there are no extents: nothing could be put together".to_owned());
        }
        if places.replacements > 0 {
            cluster.warnings.push(format!(
                "{} extents are copies still being made and were left out: what was written to them is set aside",
                places.replacements
            ));
        }
        cluster.place_columns(imported, places)?;
        cluster.check_overlaps()?;
        Ok(cluster)
    }

    /// Finds how virtual disks of several columns lie.
    fn place_columns(&mut self, imported: &Imported, places: &Places) -> Result<(), String> {
        let keys: BTreeMap<&str, &DiskKey> = self.volumes.iter().map(|(key, name)| (name.as_str(), key)).collect();
        let (mut writes, mut served) = (Vec::new(), Vec::new());
        let mut several = places.extents.chunk_by(|a, b| a.volume == b.volume);
        if several.any(|extents| extents.iter().any(|extent| extent.column != extents[0].column)) {
            for node in &imported.nodes {
                for &io in &node.events {
                    match self.numbers.get(&(node.id.to_string(), io.disk)) {
                        Some(Place::Volume(name)) => writes.extend(keys.get(name.as_str()).map(|on| Seen {
                            node: node.id.as_str(),
                            on,
                            io,
                        })),
                        Some(Place::Physical(on)) => served.push(Seen {
                            node: node.id.as_str(),
                            on,
                            io,
                        }),
                        None => {}
                    }
                }
            }
        }
        let slack = i64::try_from(self.resolution_nanos).unwrap_or(i64::MAX / 4);
        let (extents, columns) = choose(places, &self.volumes, (&writes, &served), slack)?;
        (self.extents, self.columns) = (extents, columns);
        Ok(())
    }

    /// A virtual disk is called as its disk is called for people, where that is one name and no other's.
    fn name_volumes(&mut self, places: &Places, wanted: &BTreeSet<&DiskKey>) {
        let mut by_name: BTreeMap<&str, BTreeSet<&DiskKey>> = BTreeMap::new();
        for disk in places.disks.iter().filter(|disk| wanted.contains(&disk.disk)) {
            if let Some(name) = &disk.name {
                by_name.entry(name).or_default().insert(&disk.disk);
            }
        }
        for &volume in wanted {
            let mut own = by_name.iter().filter(|(_, disks)| disks.contains(volume));
            let name = match (own.next(), own.next()) {
                (Some((name, disks)), None) if disks.len() == 1 => (*name).to_owned(),
                _ => volume.0.clone(),
            };
            self.volumes.insert(volume.clone(), name);
        }
    }

    /// The same check as when a recording is opened, with words that fit here.
    fn check_overlaps(&self) -> Result<(), String> {
        let extents = self.extents.iter().map(|extent| Extent {
            volume: VolumeId::new(extent.volume.0.as_str()),
            volume_offset: extent.volume_offset,
            length: extent.length,
            copy: extent.copy,
            disk: PhysicalDiskId::new(extent.disk.0.as_str()),
            disk_offset: extent.disk_offset,
            valid: Validity::default(),
            stripe: extent.stripe,
            parity: None,
        });
        ExtentMap::try_new(extents.collect())
            .map(|_| ())
            .map_err(|error| format!("the extents contradict each other: {error}"))
    }

    fn run(&self, name: &str, traced: &BTreeSet<&str>) -> Run {
        let holders = self.physical.values().map(|(node, _)| node.as_str());
        let targets: BTreeSet<&str> = holders.chain(traced.iter().copied()).collect();
        let volumes = self.volumes.iter().map(|(key, name)| {
            let own = || self.extents.iter().filter(|extent| extent.volume == *key);
            RunVolume {
                name: name.clone(),
                size: own().map(PlacedExtent::volume_end).max().unwrap_or(0),
                copies: own().map(|extent| extent.copy).collect::<BTreeSet<u32>>().len() as u32,
            }
        });
        let extents = self.extents.iter().filter_map(|extent| {
            let (node, disk) = self.physical.get(&extent.disk)?;
            Some(RunExtent {
                volume: self.volumes.get(&extent.volume)?.clone(),
                volume_offset: extent.volume_offset,
                length: extent.length,
                copy: extent.copy,
                node: node.clone(),
                disk: disk.clone(),
                disk_offset: extent.disk_offset,
                valid_from_ns: None,
                valid_until_ns: None,
                stripe: extent.stripe,
                parity: None,
            })
        });
        Run {
            name: name.to_owned(),
            about: Some("Imported from traces of Windows.".to_owned()),
            topology: RunTopology {
                initiators: self.initiators.iter().cloned().collect(),
                targets: targets.into_iter().map(ToOwned::to_owned).collect(),
            },
            volumes: volumes.collect(),
            extents: extents.collect(),
            fault: None,
            clocks: None,
            resolution_ns: self.resolution_nanos,
            counts: None,
        }
    }
}

#[cfg(test)]
mod tests;
