//! What a storage job does, to which volume, and which disks it is about.
//!
//! A job's name says the first two: `<volume>-Repair`, `<volume>-Regeneration`, `Regeneration`, `<pool>-Optimize` (domain/wmi.md). The disks
//! no class of a job names. What is known of them is where it shows: extents that are not OK are what a repair repairs, and a disk that is
//! retired or not healthy is what it leaves. Where neither is there they are unknown, and not none.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::state::{Kind, Observation, Value};

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

/// Says of each job that is there, by its id, what it does (`job_kind`), to which `volume` or `pool`, and which `disks` it is about, with what
/// says that (`disks_by`: `extents` or `health`).
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
    };
    jobs.iter().map(|job| (job.id.clone(), scene.about(job))).collect()
}

/// What jobs are told from.
struct Scene {
    volumes: Vec<Observation>,
    pools: Vec<Observation>,
    disks: Vec<Observation>,
    extents: Vec<Observation>,
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
        let is_named = |other: &&Observation| {
            let names = subject.zip(other.text("name"));
            names.is_some_and(|(own, name)| own.eq_ignore_ascii_case(name))
        };
        let volume = self.volumes.iter().find(is_named);
        let pool = self.pools.iter().find(is_named);
        // A repair is named by its volume, also where no virtual disk of that name is known.
        let is_of_volume = matches!(kind, Some("repair" | "regeneration"));
        let name = match (volume, pool) {
            (Some(volume), _) => volume.text("name"),
            (None, None) if is_of_volume => subject,
            _ => None,
        };
        if let Some(name) = name {
            beside.known.insert("volume".to_owned(), Value::from(name));
        } else {
            let why = match pool {
                Some(_) => "it is of a pool",
                None => "its name does not say",
            };
            beside.unknown.insert("volume".to_owned(), why.to_owned());
        }
        if let Some(pool) = pool.filter(|_| volume.is_none()).and_then(|pool| pool.text("name")) {
            beside.known.insert("pool".to_owned(), Value::from(pool));
        }
        let found = match is_of_volume {
            true => self.disks_of(volume),
            false => Err("it moves what lies on the disks of its pool; which of them nothing says"),
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
