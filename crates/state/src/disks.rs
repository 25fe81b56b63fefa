//! Physical disks with what other classes say of them: which node has them, how worn they are, how the storage bus holds them.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::state::{Key, Kind, Observation, Value};

use crate::history::Picture;

/// What of the reliability counters goes beside a disk.
const RELIABILITY: &[&str] = &[
    "temperature_celsius",
    "temperature_max_celsius",
    "wear_percent",
    "power_on_hours",
    "read_errors",
    "read_errors_uncorrected",
    "write_errors",
    "write_errors_uncorrected",
    "read_latency_max_ms",
    "write_latency_max_ms",
    "flush_latency_max_ms",
];

/// What of an NVMe drive's own health goes beside it, with `nvme_` in front.
const NVME: &[&str] = &[
    "critical_warnings",
    "available_spare_percent",
    "available_spare_limit_percent",
    "used_percent",
    "temperature_celsius",
    "media_errors",
    "error_log_entries",
    "unsafe_shutdowns",
    "power_cycles",
    "power_on_hours",
    "read_bytes",
    "written_bytes",
    "hot_minutes",
    "critically_hot_minutes",
];

/// What other readings say of a resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beside {
    /// What is known, by name.
    pub known: BTreeMap<String, Value>,
    /// What is not, by name, with the reason.
    pub unknown: BTreeMap<String, String>,
}

/// The serial numbers that disks say, with the identities that each is known by: its own, and its UniqueId.
#[must_use]
pub fn serials(picture: &Picture) -> BTreeMap<String, BTreeSet<String>> {
    let mut serials: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for fact in picture.of(Kind::Disk) {
        let disk = &fact.observation;
        let Some(serial) = disk
            .text("serial_number")
            .map(str::trim)
            .filter(|text| !text.is_empty())
        else {
            continue;
        };
        let ids = serials.entry(serial.to_owned()).or_default();
        ids.insert(disk.id.clone());
        ids.extend(disk.text("unique_id").map(str::to_owned));
    }
    serials
}

/// What to put beside each disk, by the disk's id. It was read at times of its own, up to quarters of an hour before the disk: what begins
/// with `reliability`, `nvme`, `connected_node` or `sbl_device_number` and ends with `_seen_unix_ns` says when it was last found so.
#[must_use]
pub fn beside(picture: &Picture) -> BTreeMap<String, Beside> {
    let mut seen: BTreeMap<Key, i64> = BTreeMap::new();
    let mut all = |kind: Kind| -> Vec<Observation> {
        let facts = picture.of(kind).map(|fact| {
            seen.insert(fact.observation.key(), fact.seen_unix_nanos);
            fact.observation
        });
        facts.collect()
    };
    let reliability = all(Kind::DiskReliability);
    let health = all(Kind::NvmeHealth);
    let views = all(Kind::DiskView);
    let devices = all(Kind::SblDevice);
    let disks = all(Kind::Disk);
    let beside = disks.iter().map(|disk| {
        let mut beside = Beside::default();
        if let Some(counters) = of_disk(disk, &reliability) {
            beside.take(counters, RELIABILITY, "");
            beside.note_seen("reliability", seen.get(&counters.key()));
        }
        // Of several that read it the newest: a drive that was moved has been read at two nodes.
        let own = health.iter().filter(|health| is_device(disk, health));
        if let Some(health) = own.max_by_key(|health| seen.get(&health.key())) {
            beside.take(health, NVME, "nvme_");
            beside.note_seen("nvme", seen.get(&health.key()));
        }
        let view = views
            .iter()
            .find(|view| view.flag("connected") == Some(true) && is_of(disk, view));
        let device = devices.iter().find(|device| is_device(disk, device));
        let by_view = view.and_then(|view| Some((view, view.text("node")?)));
        let by_bus = || device.and_then(|device| Some((device, device.text("connected_node")?)));
        if let Some((who, node)) = by_view.or_else(by_bus) {
            beside.known.insert("connected_node".to_owned(), Value::from(node));
            beside.note_seen("connected_node", seen.get(&who.key()));
        }
        if let Some((device, number)) = device.and_then(|device| Some((device, device.get("device_number")?))) {
            beside.known.insert("sbl_device_number".to_owned(), number.clone());
            beside.note_seen("sbl_device_number", seen.get(&device.key()));
        }
        (disk.id.clone(), beside)
    });
    beside.collect()
}

/// Which counters of drives are put beside a disk, by the counters' id. Those that are not are of a drive that nothing else tells of.
#[must_use]
pub fn owners(picture: &Picture) -> BTreeMap<String, String> {
    let counters: Vec<Observation> = picture.of(Kind::DiskReliability).map(|fact| fact.observation).collect();
    let owned = picture.of(Kind::Disk).filter_map(|fact| {
        let own = of_disk(&fact.observation, &counters)?;
        Some((own.id.clone(), fact.observation.id))
    });
    owned.collect()
}

impl Beside {
    /// Takes attributes of another resource, and why they are not known, with something in front of their names.
    fn take(&mut self, from: &Observation, names: &[&str], front: &str) {
        for name in names {
            let to = format!("{front}{name}");
            match (from.get(name), from.unavailable.get(*name)) {
                (Some(value), _) => drop(self.known.insert(to, value.clone())),
                (None, Some(why)) => drop(self.unknown.insert(to, why.clone())),
                (None, None) => {}
            }
        }
    }

    /// Notes when what begins with `what` was last found so.
    pub(crate) fn note_seen(&mut self, what: &str, seen: Option<&i64>) {
        let seen = seen.map(|&at| u64::try_from(at).map_or(Value::Signed(at), Value::Unsigned));
        self.known
            .extend(seen.map(|seen| (format!("{what}_seen_unix_ns"), seen)));
    }
}

/// The counters of a disk: by its identity where whoever read them noted it, else by the number that the same node gives both.
pub(crate) fn of_disk<'a>(disk: &Observation, counters: &'a [Observation]) -> Option<&'a Observation> {
    let by_id = counters.iter().find(|counters| {
        let id = counters.text("disk_id").or(Some(&counters.id));
        id == Some(&disk.id) || (id.is_some() && id == disk.text("unique_id"))
    });
    by_id.or_else(|| {
        let number = disk.text("device_id")?;
        let same = |other: &&Observation| {
            other.node == disk.node && other.text("disk_id").is_none() && other.text("device_id") == Some(number)
        };
        let mut same = counters.iter().filter(same);
        // Two of one number are of nobody.
        same.next().filter(|_| same.next().is_none())
    })
}

fn is_of(disk: &Observation, view: &Observation) -> bool {
    let id = view.text("disk_id");
    let serial = view.text("serial_number");
    id.is_some_and(|id| id == disk.id || Some(id) == disk.text("unique_id"))
        || (id.is_none() && serial.is_some() && serial == disk.text("serial_number"))
}

/// The storage bus names a drive by the GUID in its ObjectId (`…PD:{guid}`), and by its serial number.
fn is_device(disk: &Observation, device: &Observation) -> bool {
    let guid = device
        .text("device_guid")
        .map(|guid| guid.trim_matches(['{', '}']).to_ascii_lowercase());
    let object = disk.text("object_id").map(str::to_ascii_lowercase);
    let by_guid = guid
        .zip(object)
        .is_some_and(|(guid, object)| !guid.is_empty() && object.contains(&guid));
    let serial = device.text("serial_number").map(bare);
    by_guid || (serial.is_some() && serial == disk.text("serial_number").map(bare))
}

/// A serial number without the point that some NVMe drives' have at the end, which not every source writes.
fn bare(serial: &str) -> &str {
    serial.trim().trim_end_matches('.')
}
