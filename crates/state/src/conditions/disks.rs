//! Drives that Windows says are not well, and drives that say they are worn out.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::condition::{Condition, Sign};
use fathom_model::finding::Severity;
use fathom_model::state::{Kind, Observation, Value};

use super::{Conditions, Scene, cited};
use crate::disks::{beside, of_disk};

/// Percent of its rated writes from which on a drive is worn (domain/thresholds.md), and from which on it may take no more.
const WORN_PERCENT: u64 = 95;
const SPENT_PERCENT: u64 = 100;

/// The status that says that a drive takes longer than its peers by Windows' own count.
const ABNORMAL_LATENCY: i64 = 0xD026;

/// Numbers of OperationalStatus that say that something is wrong, and whether it holds the drive's data back.
const WRONG: &[(i64, bool)] = &[
    (3, false),
    (5, true),
    (6, true),
    (7, true),
    (12, true),
    (13, true),
    (0xD004, true),
    (0xD006, false),
    (0xD007, true),
    (0xD008, false),
    (0xD018, true),
    (0xD019, false),
    (0xD01A, false),
    (0xD025, false),
    (ABNORMAL_LATENCY, false),
];

const UNHEALTHY: i64 = 2;
const WARNING: i64 = 1;

/// Drives whose HealthStatus or OperationalStatus is wrong.
pub(super) fn unhealthy(scene: &Scene<'_>) -> Vec<Condition> {
    let disks = scene.picture.of(Kind::Disk);
    disks
        .filter_map(|fact| {
            let disk = &fact.observation;
            let health = number(disk.get("health"));
            let status = disk.get("operational_status").map_or(&[][..], Value::items);
            let wrong: Vec<(&Value, i64, bool)> = status
                .iter()
                .filter_map(|value| {
                    let number = number(Some(value))?;
                    let (_, holds) = WRONG.iter().find(|(known, _)| *known == number)?;
                    Some((value, number, *holds))
                })
                .collect();
            let is_unwell = matches!(health, Some(WARNING | UNHEALTHY));
            if wrong.is_empty() && !is_unwell {
                return None;
            }
            let is_latency = !wrong.is_empty() && wrong.iter().all(|(_, number, _)| *number == ABNORMAL_LATENCY);
            let is_critical = health == Some(UNHEALTHY) || wrong.iter().any(|(_, _, holds)| *holds);
            let said: Vec<String> = wrong.iter().map(|(value, _, _)| value.to_string()).collect();
            let said = if said.is_empty() {
                "nothing more".to_owned()
            } else {
                said.join(", ")
            };
            let health = disk
                .get("health")
                .map_or_else(|| "unknown".to_owned(), Value::to_string);
            let mut text = format!("Windows says of it: health {health}; operational status {said}");
            if is_latency {
                // Where writes feel it, that is the finding and this is part of it.
                text.push_str("; no writes are found to wait for it more than for its like");
            }
            Some(Condition {
                severity: if is_critical {
                    Severity::Critical
                } else {
                    Severity::Warning
                },
                is_symptom: is_latency && !is_critical,
                text,
                ..condition(scene, Sign::DiskUnhealthy, disk)
            })
        })
        .collect()
}

impl Conditions {
    /// What Windows says of each drive, by node and name: also of those of which it says that they are well.
    #[must_use]
    pub fn drives(&self) -> BTreeMap<(String, String), String> {
        let scene = Scene {
            picture: &self.picture,
            nodes: &[],
            places: &self.places,
            jobs: &self.jobs,
            errors: &self.errors,
            rates: &self.rates,
            slabs: &self.slabs,
            worked_on: &BTreeSet::new(),
        };
        let said = scene.picture.of(Kind::Disk).filter_map(|fact| {
            let disk = &fact.observation;
            let place = condition(&scene, Sign::DiskUnhealthy, disk);
            let health = disk.get("health").map(Value::to_string)?;
            let status: Vec<String> = disk
                .get("operational_status")
                .map_or(&[][..], Value::items)
                .iter()
                .map(Value::to_string)
                .collect();
            let status = if status.is_empty() {
                String::new()
            } else {
                format!("; operational status {}", status.join(", "))
            };
            Some(((place.node, place.disk?), format!("health {health}{status}")))
        });
        said.collect()
    }
}

/// Drives that have used up what they are rated for.
pub(super) fn worn(scene: &Scene<'_>) -> Vec<Condition> {
    let counters: Vec<Observation> = scene
        .picture
        .of(Kind::DiskReliability)
        .map(|fact| fact.observation)
        .collect();
    let disks = scene.picture.of(Kind::Disk);
    disks
        .filter_map(|fact| {
            let disk = &fact.observation;
            let own = of_disk(disk, &counters)?;
            let percent = own.number("wear_percent").filter(|percent| *percent >= WORN_PERCENT)?;
            let mut condition = condition(scene, Sign::DiskWear, disk);
            condition.observations = cited([own]);
            condition.text = format!("it says that {percent} % of the writes that it is rated for are used up");
            if percent >= SPENT_PERCENT {
                condition.severity = Severity::Critical;
            }
            Some(condition)
        })
        .collect()
}

/// About a drive: by node and name where these are known, else by the name that Windows gives it.
pub(super) fn condition(scene: &Scene<'_>, sign: Sign, disk: &Observation) -> Condition {
    let (node, name) = place(scene, disk);
    Condition {
        disk: Some(name),
        observations: cited([disk]),
        ..Condition::new(sign, "disk", &node)
    }
}

/// The node and the name of a drive, as the topology has them; else the node that it is connected to, and its number there.
pub(super) fn place(scene: &Scene<'_>, disk: &Observation) -> (String, String) {
    let unique = disk.text("unique_id").and_then(|id| scene.places.get(id));
    if let Some(known) = scene.places.get(&disk.id).or(unique) {
        return known.clone();
    }
    let beside = beside(scene.picture);
    let node = beside
        .get(&disk.id)
        .and_then(|more| more.known.get("connected_node"))
        .and_then(Value::as_str);
    let number = scene.picture.of(Kind::DiskView).find_map(|view| {
        let view = view.observation;
        let is_own = view
            .text("disk_id")
            .is_some_and(|id| id == disk.id || Some(id) == disk.text("unique_id"));
        (is_own && view.text("node") == node)
            .then(|| view.number("disk_number"))
            .flatten()
    });
    let name = number.map_or_else(|| disk.id.clone(), |number| format!("disk{number}"));
    (node.unwrap_or_default().to_owned(), name)
}

pub(super) fn number(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Code(code) => code.code,
        _ => None,
    }
}
