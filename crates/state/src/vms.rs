//! Virtual machines with their VHDX files, and the volumes that those are on.
//!
//! What a node says of its machines and of the files is put together by the machine's GUID, or by its name where a cmdlet's output has
//! nothing else. A volume is read off a file's path: `C:\ClusterStorage\NAME\…` is on the cluster shared volume NAME. Only the file that is
//! attached is known: of a differencing one (`.avhdx`) the parents are not, and they may be on other volumes.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::state::{Key, Kind, Observation, Value};

use crate::history::{Fact, Picture};
use crate::shared_volumes::virtual_disk;

/// Attributes to put beside each virtual machine and each of their files, by resource.
///
/// A machine gets `vhds` and `volumes`, or `vhds_unknown` with the reason, and `also_on` with the other nodes that say that they have it; a
/// file gets `vm`, `attached`, `volume` and, where one of that name is known, `virtual_disk`, and `integrity` where its node has said whether
/// ReFS keeps checksums of it.
#[must_use]
pub fn beside(picture: &Picture) -> BTreeMap<Key, BTreeMap<String, Value>> {
    let machines: Vec<Fact> = picture.of(Kind::Vm).collect();
    let files: Vec<Fact> = picture.of(Kind::Vhd).collect();
    let volumes = Volumes::of(picture);
    let integrity: Vec<Observation> = picture.of(Kind::FileIntegrity).map(|fact| fact.observation).collect();
    let mut beside: BTreeMap<Key, BTreeMap<String, Value>> = BTreeMap::new();
    let mut of_machine: BTreeMap<Key, Vec<&Observation>> = BTreeMap::new();
    for file in &files {
        let own = &file.observation;
        let machine = machines.iter().find(|machine| is_of(own, &machine.observation));
        let mut more = volumes.beside(own);
        let name = machine.map_or_else(|| own.text("vm_name"), |machine| machine.observation.text("name"));
        more.extend(name.map(|name| ("vm".to_owned(), Value::from(name))));
        // A checkpoint's settings are a machine's of the past; whose they are Windows says by name only to a cmdlet.
        let attached = own.text("checkpoint").is_none() && (machine.is_some() || own.text("vm_name").is_some());
        more.insert("attached".to_owned(), Value::Bool(attached));
        let told = integrity.iter().find(|told| {
            let paths = told.text("path").zip(own.text("path"));
            told.node == own.node && paths.is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
        });
        let told = told.and_then(|told| told.get("enabled")).cloned();
        more.extend(told.map(|told| ("integrity".to_owned(), told)));
        if let Some(machine) = machine.filter(|_| attached) {
            of_machine.entry(machine.observation.key()).or_default().push(own);
        }
        beside.insert(own.key(), more);
    }
    for machine in &machines {
        let own = &machine.observation;
        let attached = of_machine.remove(&own.key()).unwrap_or_default();
        let mut more = BTreeMap::new();
        if !picture.has_read(&own.node, Kind::Vhd) {
            let why = format!("{} has not said which files its machines have", own.node);
            more.insert("vhds_unknown".to_owned(), Value::from(why));
        } else {
            let paths = attached.iter().filter_map(|file| file.get("path").cloned());
            let paths: BTreeMap<String, Value> = paths.map(|path| (path.to_string(), path)).collect();
            more.insert("vhds".to_owned(), Value::List(paths.into_values().collect()));
            let on = attached.iter().filter_map(|file| volumes.volume(file));
            let on: BTreeSet<String> = on.collect();
            let on = on.into_iter().map(Value::from).collect();
            more.insert("volumes".to_owned(), Value::List(on));
            let unknown = attached.iter().filter(|file| volumes.volume(file).is_none()).count();
            let unread = own.number("drives_unread").unwrap_or(0);
            let unread = unread.saturating_sub(attached.len() as u64);
            if unknown > 0 || unread > 0 {
                let why = format!("of {} of its drives no file is known", unread + unknown as u64);
                more.insert("vhds_unknown".to_owned(), Value::from(why));
            }
        }
        let others = machines.iter().map(|other| &other.observation);
        let others: Vec<Value> = others
            .filter(|other| other.node != own.node && other.id == own.id)
            .map(|other| Value::from(other.node.as_str()))
            .collect();
        if !others.is_empty() {
            more.insert("also_on".to_owned(), Value::List(others));
        }
        beside.insert(own.key(), more);
    }
    beside
}

/// Whether a machine or a file is on a volume, by what [`beside`] has put beside it. Case does not matter.
#[must_use]
pub fn is_on(beside: &BTreeMap<String, Value>, volume: &str) -> bool {
    let names = ["volume", "volumes", "virtual_disk"]
        .into_iter()
        .filter_map(|name| beside.get(name));
    names
        .flat_map(Value::items)
        .filter_map(Value::as_str)
        .any(|name| name.eq_ignore_ascii_case(volume))
}

fn is_of(file: &Observation, machine: &Observation) -> bool {
    if file.node != machine.node {
        return false;
    }
    match (file.text("vm_id"), machine.text("vm_id")) {
        (Some(id), Some(machine)) => id == machine,
        _ => file.text("vm_name").is_some() && file.text("vm_name") == machine.text("name"),
    }
}

/// What volumes are called: by the folder that Windows mounts them at, and by their virtual disk.
struct Volumes {
    /// Names as they are spelled, by lower case.
    spelled: BTreeMap<String, String>,
    /// The virtual disk, by the folder's name in lower case.
    disks: BTreeMap<String, String>,
}

impl Volumes {
    fn of(picture: &Picture) -> Self {
        let mut spelled = BTreeMap::new();
        let mut disks = BTreeMap::new();
        for fact in picture.of(Kind::VirtualDisk) {
            if let Some(name) = fact.observation.text("name") {
                spelled.insert(name.to_lowercase(), name.to_owned());
                disks.insert(name.to_lowercase(), name.to_owned());
            }
        }
        for fact in picture.of(Kind::Csv) {
            let own = &fact.observation;
            let Some(folder) = own.text("volume") else { continue };
            spelled.insert(folder.to_lowercase(), folder.to_owned());
            let named = own.text("name").and_then(virtual_disk);
            if let Some(disk) = named.and_then(|name| spelled.get(&name.to_lowercase())) {
                disks.insert(folder.to_lowercase(), disk.clone());
            }
        }
        Self { spelled, disks }
    }

    fn volume(&self, file: &Observation) -> Option<String> {
        let volume = volume_of(file.text("path")?)?;
        Some(self.spelled.get(&volume.to_lowercase()).cloned().unwrap_or(volume))
    }

    fn beside(&self, file: &Observation) -> BTreeMap<String, Value> {
        let Some(volume) = self.volume(file) else {
            return BTreeMap::new();
        };
        let disk = self.disks.get(&volume.to_lowercase()).cloned();
        let disk = disk.map(|disk| ("virtual_disk".to_owned(), Value::from(disk)));
        disk.into_iter()
            .chain([("volume".to_owned(), Value::from(volume))])
            .collect()
    }
}

/// The volume that a path of Windows leads to: the folder below ClusterStorage, else the drive, the volume's GUID path or the share.
#[must_use]
pub fn volume_of(path: &str) -> Option<String> {
    let path = path.trim().replace('/', r"\");
    let parts = |rest: &str, count: usize| -> Option<Vec<String>> {
        let parts: Vec<String> = rest.split('\\').take(count).map(str::to_owned).collect();
        (parts.len() == count && parts.iter().all(|part| !part.is_empty())).then_some(parts)
    };
    if let Some(rest) = path.strip_prefix(r"\\?\") {
        return match rest.get(..7) {
            Some(volume) if volume.eq_ignore_ascii_case("Volume{") => {
                Some(format!(r"\\?\{}", parts(rest, 1)?.concat()))
            }
            _ => volume_of(rest),
        };
    }
    if let Some(rest) = path.strip_prefix(r"\\") {
        return Some(format!(r"\\{}", parts(rest, 2)?.join(r"\")));
    }
    let (drive, rest) = path.split_once(r":\")?;
    if drive.len() != 1 || !drive.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    match rest.split_once('\\') {
        Some((folder, below)) if folder.eq_ignore_ascii_case("ClusterStorage") => {
            Some(parts(below, 1)?.concat()).filter(|_| below.contains('\\'))
        }
        _ => Some(format!("{}:", drive.to_ascii_uppercase())),
    }
}

#[cfg(test)]
mod tests;
