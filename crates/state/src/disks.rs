//! Physical disks with what other classes say of them: which node has them, how worn they are, how the storage bus holds them.

use std::collections::BTreeMap;

use fathom_model::state::{Kind, Observation, Value};

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

/// Attributes to put beside each disk, by the disk's id.
#[must_use]
pub fn beside(picture: &Picture) -> BTreeMap<String, BTreeMap<String, Value>> {
    let all = |kind: Kind| -> Vec<Observation> { picture.of(kind).map(|fact| fact.observation).collect() };
    let reliability = all(Kind::DiskReliability);
    let views = all(Kind::DiskView);
    let devices = all(Kind::SblDevice);
    let disks = all(Kind::Disk);
    let beside = disks.iter().map(|disk| {
        let mut more = BTreeMap::new();
        if let Some(counters) = of_disk(disk, &reliability) {
            let found = RELIABILITY
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), counters.get(name)?.clone())));
            more.extend(found);
        }
        let view = views
            .iter()
            .find(|view| view.flag("connected") == Some(true) && is_of(disk, view));
        let device = devices.iter().find(|device| is_device(disk, device));
        let node = view
            .and_then(|view| view.text("node"))
            .or_else(|| device?.text("connected_node"));
        more.extend(node.map(|node| ("connected_node".to_owned(), Value::from(node))));
        let number = device.and_then(|device| device.get("device_number").cloned());
        more.extend(number.map(|number| ("sbl_device_number".to_owned(), number)));
        (disk.id.clone(), more)
    });
    beside.collect()
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
    let serial = device.text("serial_number");
    by_guid || (serial.is_some() && serial == disk.text("serial_number"))
}
