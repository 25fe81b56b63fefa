//! What a storage job does, to which volume, and which disks it is about.
//!
//! What it works on an association says (MSFT_StorageJobToAffectedStorageObject): virtual disks, pools, physical disks. Where nothing was said
//! by it, a job's name has its volume or pool: `<volume>-Repair`, `<volume>-Regeneration`, `Regeneration`, `<pool>-Optimize` (domain/wmi.md).
//! Whether the association of a repair has the disks too, or only the virtual disk, is not stated anywhere. Where it has not, what is known of
//! them is where it shows: extents that are not OK are what a repair repairs, and a disk that is retired or not healthy is what it leaves.
//! Where neither is there they are unknown, and not none.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::state::{Kind, Observation, Value};

use super::key;
use crate::disks::Beside;
use crate::history::Picture;

/// What jobs do, as the ends of their names say it, with how it is shown.
const KINDS: &[(&str, &str)] = &[
    ("Repair", "repair"),
    ("Regeneration", "regeneration"),
    ("Rebalance", "rebalance"),
    ("Optimize", "optimize"),
];

/// Codes of [`crate::codes`]: OK of an operational status, retired of a usage, healthy of a health.
const OK: i64 = 2;
const RETIRED: i64 = 4;
const HEALTHY: i64 = 0;

/// Says of each job that is there, by its id, what it does (`job_kind`), to which `volume` or `pool`, with what says that (`volume_by`,
/// `pool_by`: `association` or `name`), and which `disks` it is about, likewise (`disks_by`: `association`, `extents` or `health`). Of a job on
/// several virtual disks or pools those are `volumes` or `pools`, and neither is the one.
#[must_use]
pub fn about(picture: &Picture) -> BTreeMap<String, Beside> {
    let all = |kind: Kind| -> Vec<Observation> { picture.of(kind).map(|fact| fact.observation).collect() };
    let jobs = all(Kind::StorageJob);
    // Extents are many: of no job they are not looked at.
    if jobs.is_empty() {
        return BTreeMap::new();
    }
    let scene = Scene {
        volumes: all(Kind::VirtualDisk),
        pools: all(Kind::Pool),
        disks: all(Kind::Disk),
        extents: all(Kind::Extent),
        links: all(Kind::JobObject),
    };
    jobs.iter().map(|job| (job.id.clone(), scene.about(job))).collect()
}

/// What jobs are told from.
struct Scene {
    volumes: Vec<Observation>,
    pools: Vec<Observation>,
    disks: Vec<Observation>,
    extents: Vec<Observation>,
    /// Which job works on what.
    links: Vec<Observation>,
}

impl Scene {
    fn about(&self, job: &Observation) -> Beside {
        let mut beside = Beside::default();
        let (subject, kind) = parts(job.text("name").unwrap_or_default());
        match kind {
            Some(kind) => drop(beside.known.insert("job_kind".to_owned(), Value::from(kind))),
            None => drop(
                beside
                    .unknown
                    .insert("job_kind".to_owned(), "its name does not say".to_owned()),
            ),
        }
        let affected = self.affected(job);
        let of_association = |all: &[Observation]| -> Vec<Observation> {
            let is_its = |other: &&Observation| other.text("object_id").is_some_and(|id| affected.contains(&key(id)));
            all.iter().filter(is_its).cloned().collect()
        };
        let is_named = |other: &&Observation| {
            let names = subject.zip(other.text("name"));
            names.is_some_and(|(own, name)| own.eq_ignore_ascii_case(name))
        };
        let (volumes, pools) = (of_association(&self.volumes), of_association(&self.pools));
        // What an association says goes before a name: it says which, where names may be of several, or of none any more.
        let is_associated = !volumes.is_empty() || !pools.is_empty();
        let (volume, pool) = match is_associated {
            true => (only(&volumes), only(&pools)),
            false => (self.volumes.iter().find(is_named), self.pools.iter().find(is_named)),
        };
        let by = if is_associated { "association" } else { "name" };
        // A repair is named by its volume, also where no virtual disk of that name is known.
        let is_of_volume = matches!(kind, Some("repair" | "regeneration"));
        let name = match (volume, pool) {
            (Some(volume), _) => Some(called(volume)),
            (None, None) if is_of_volume && !is_associated => subject,
            _ => None,
        };
        if let Some(name) = name {
            beside.known.insert("volume".to_owned(), Value::from(name));
            beside.known.insert("volume_by".to_owned(), Value::from(by));
        } else {
            let why = match (volumes.len(), pool) {
                (2.., _) => "it works on several",
                (_, Some(_)) => "it is of a pool",
                _ if is_associated => "it works on none",
                _ => "its name does not say",
            };
            beside.unknown.insert("volume".to_owned(), why.to_owned());
        }
        // A volume's job is not said to be its pool's, which it is of course.
        if let Some(pool) = pool.filter(|_| volume.is_none()) {
            beside.known.insert("pool".to_owned(), Value::from(called(pool)));
            beside.known.insert("pool_by".to_owned(), Value::from(by));
        }
        for (name, several) in [("volumes", &volumes), ("pools", &pools)] {
            if several.len() > 1 {
                let names: BTreeSet<&str> = several.iter().map(called).collect();
                let names = names.into_iter().map(Value::from).collect();
                beside.known.insert(name.to_owned(), Value::List(names));
            }
        }
        let disks = of_association(&self.disks);
        let found = match (disks.is_empty(), is_of_volume) {
            (false, _) => Ok((disks.iter().map(|disk| disk.id.as_str()).collect(), "association")),
            (true, true) => self.disks_of(volume),
            (true, false) => Err("it moves what lies on the disks of its pool; which of them nothing says"),
        };
        match found {
            Ok((disks, by)) => {
                let disks: Vec<Value> = disks.into_iter().map(Value::from).collect();
                beside.known.insert("disks".to_owned(), Value::List(disks));
                beside.known.insert("disks_by".to_owned(), Value::from(by));
            }
            Err(why) => drop(beside.unknown.insert("disks".to_owned(), why.to_owned())),
        }
        beside
    }

    /// What the association says that a job works on, by the objects' keys.
    fn affected(&self, job: &Observation) -> BTreeSet<String> {
        let own = [job.text("object_id"), job.text("unique_id"), Some(job.id.as_str())];
        let own: BTreeSet<String> = own.into_iter().flatten().map(key).collect();
        let is_its = |link: &&Observation| link.text("job_object_id").is_some_and(|id| own.contains(&key(id)));
        let its = self.links.iter().filter(is_its);
        its.filter_map(|link| link.text("affected_object_id"))
            .map(key)
            .collect()
    }

    /// The disks that a repair is about: those of extents of its volume that are not OK, else those that are retired or not healthy.
    fn disks_of(&self, volume: Option<&Observation>) -> Result<(BTreeSet<&str>, &'static str), &'static str> {
        let own: Vec<&Observation> = volume.map_or_else(Vec::new, |volume| {
            let ids = [Some(volume.id.as_str()), volume.text("unique_id")];
            let is_its = |extent: &&Observation| {
                let of = extent.text("virtual_disk_id");
                of.is_some() && ids.contains(&of)
            };
            self.extents.iter().filter(is_its).collect()
        });
        let broken = own.iter().filter(|extent| is_not_ok(extent));
        let broken: BTreeSet<&str> = broken.filter_map(|extent| extent.text("disk_id")).collect();
        if !broken.is_empty() {
            return Ok((broken, "extents"));
        }
        let is_out =
            |disk: &&Observation| is_other(disk.get("health"), HEALTHY) || code(disk.get("usage")) == Some(RETIRED);
        let out: BTreeSet<&str> = self.disks.iter().filter(is_out).map(|disk| disk.id.as_str()).collect();
        if out.is_empty() {
            return Err("no extent of it that is known is not OK, and no disk is retired or not healthy");
        }
        Ok((out, "health"))
    }
}

/// The one of a list of one.
const fn only(all: &[Observation]) -> Option<&Observation> {
    match all {
        [one] => Some(one),
        _ => None,
    }
}

/// What people call it.
fn called(of: &Observation) -> &str {
    of.text("name").unwrap_or(&of.id)
}

/// What a name is about, and what is done to it.
fn parts(name: &str) -> (Option<&str>, Option<&'static str>) {
    let (subject, end) = match name.rsplit_once('-') {
        Some((subject, end)) => (Some(subject.trim()), end.trim()),
        None => (None, name.trim()),
    };
    let kind = KINDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(end));
    let kind = kind.map(|(_, shown)| *shown);
    (subject.filter(|subject| !subject.is_empty() && kind.is_some()), kind)
}

fn is_not_ok(extent: &Observation) -> bool {
    let status = extent.get("operational_status").map_or(&[][..], Value::items);
    status.iter().any(|status| is_other(Some(status), OK))
}

/// Whether a code is known and another one.
fn is_other(value: Option<&Value>, than: i64) -> bool {
    code(value).is_some_and(|code| code != than)
}

const fn code(value: Option<&Value>) -> Option<i64> {
    match value {
        Some(Value::Code(code)) => code.code,
        _ => None,
    }
}
