//! Storage jobs and what writes wait for them: what moves at drives for no write, and which of what was found that explains.
//!
//! What a job moves is seen at the drives as large I/O of no write ([`Foreign`]). What is worse there, or on a way from or to a node where
//! it moves, and began no earlier than the job, is the job's. Where no job is known to run the same I/O says that a way may be full of it:
//! then nobody is named for sure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use fathom_model::report::{Culprit, Evidence, Report};
use fathom_model::unit::show_bytes;
use fathom_model::{Catalog, DiskIndex, Op, Tap, Unmatched, UnmatchedCause};

use crate::culprit::{timestamp, unix_nanos};
use crate::overview::blame;

/// I/O of no write is of a repair's size from here on: its pieces are of 256 KiB to 2 MiB, and what else a drive does for no write that was
/// seen is mostly smaller.
const LARGE_BYTES: u64 = 256 * 1024;

/// Width of a bin of what was moved.
const BIN_NANOS: i64 = 5_000_000_000;

/// A drive is worked on when at least so much was moved there, and at least this part of what was at the busiest.
const WORKED_BYTES: u64 = 16 << 20;
const WORKED_PART: u64 = 10;

/// Where no job is known, so much has to be moved, and so much a second, before a way is doubted for it.
const MUCH_BYTES: u64 = 64 << 20;
const MUCH_BYTES_PER_SECOND: f64 = 4.0 * (1 << 20) as f64;

/// What was felt no earlier than this before a job began is felt with it: what is found begins with the first write beyond a margin, which
/// may have been one by chance; and so long after it ended it was felt by then.
pub(crate) const AROUND_NANOS: i64 = 15_000_000_000;

/// How sure what has another cause beside it may be.
const DOUBT: f64 = 0.5;

/// So many reasons are kept of what a job explains.
const REASONS: usize = 8;

/// A storage job that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its id.
    pub id: String,
    /// Its name, as Windows has it.
    pub name: String,
    /// When it began.
    pub from_unix_nanos: i64,
    /// When it was known to run last; none while it runs.
    pub until_unix_nanos: Option<i64>,
    /// Bytes that it had moved when it was read last; none where it does not say.
    pub moved_bytes: Option<u64>,
}

impl Running {
    /// Whether something that was felt first at a time may be the job's.
    pub(crate) fn covers(&self, first_unix_nanos: i64) -> bool {
        first_unix_nanos >= self.from_unix_nanos.saturating_sub(AROUND_NANOS)
            && self
                .until_unix_nanos
                .is_none_or(|until| first_unix_nanos <= until.saturating_add(AROUND_NANOS))
    }

    /// What it is and did, in words.
    pub(crate) fn text(&self, worked: &Worked) -> String {
        let moved = self
            .moved_bytes
            .map_or_else(String::new, |bytes| format!(" and has moved {}", show_bytes(bytes)));
        format!(
            "job {} runs since {}{moved}; {}",
            self.name,
            timestamp(self.from_unix_nanos),
            worked.text()
        )
    }
}

/// Large I/O of no write, by drive and time on the clock of the drive's node.
#[derive(Clone, Debug, Default)]
pub struct Foreign {
    bins: BTreeMap<(i64, DiskIndex), u64>,
    places: BTreeMap<DiskIndex, (String, String)>,
}

impl Foreign {
    /// Takes an event of no I/O; what is no large read or write of a drive for no write is left out.
    pub fn add(&mut self, event: &Unmatched, catalog: &Catalog) {
        let is_moved = matches!(event.op, Op::Read | Op::Write) && event.length >= LARGE_BYTES;
        let Some(disk) = event.disk else { return };
        if event.tap != Tap::Device || event.cause != UnmatchedCause::Foreign || !is_moved {
            return;
        }
        let bin = event.event.end_unix_nanos().div_euclid(BIN_NANOS);
        let bytes = self.bins.entry((bin, disk)).or_default();
        *bytes = bytes.saturating_add(event.length);
        self.places.entry(disk).or_insert_with(|| {
            let disk = catalog.disk(disk);
            (disk.node.to_string(), disk.name.clone())
        });
    }

    /// Whether nothing of the kind was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bins.is_empty()
    }

    /// Lets go of what was moved before a time.
    pub fn forget_before(&mut self, unix_nanos: i64) {
        let first = (unix_nanos.div_euclid(BIN_NANOS), DiskIndex(0));
        if self.bins.first_key_value().is_some_and(|(key, _)| *key < first) {
            self.bins = self.bins.split_off(&first);
        }
    }

    /// Drives that were worked on within a stretch.
    #[must_use]
    pub fn worked(&self, from_unix_nanos: i64, until_unix_nanos: i64) -> Worked {
        let first = (from_unix_nanos.div_euclid(BIN_NANOS), DiskIndex(0));
        let last = (until_unix_nanos.div_euclid(BIN_NANOS), DiskIndex(u32::MAX));
        let mut sums: BTreeMap<DiskIndex, u64> = BTreeMap::new();
        if first <= last {
            for ((_, disk), bytes) in self.bins.range(first..=last) {
                let sum = sums.entry(*disk).or_default();
                *sum = sum.saturating_add(*bytes);
            }
        }
        let least = (sums.values().max().copied().unwrap_or(0) / WORKED_PART).max(WORKED_BYTES);
        let disks = sums.into_iter().filter(|(_, bytes)| *bytes >= least);
        let disks = disks.filter_map(|(disk, bytes)| Some((self.places.get(&disk)?.clone(), bytes)));
        Worked { disks: disks.collect() }
    }
}

/// Drives that something works on for no write, by node and name, with the bytes that it moved there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Worked {
    disks: BTreeMap<(String, String), u64>,
}

impl Worked {
    /// Whether something that was found is where it works: the drive, its node, or a way from or to its node.
    #[must_use]
    pub fn touches(&self, kind: &str, node: &str, disk: Option<&str>, peer: Option<&str>) -> bool {
        let has_node = |name: &str| self.disks.keys().any(|(node, _)| node == name);
        match kind {
            "disk" => self
                .disks
                .keys()
                .any(|(own, name)| own == node && Some(name.as_str()) == disk),
            "node" => has_node(node),
            "link" | "unknown" => has_node(node) || peer.is_some_and(has_node),
            // What a node does with its own writes outside all copies is none of a job's.
            _ => false,
        }
    }

    /// As NODE/DISK, by name.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.disks.keys().map(|(node, disk)| format!("{node}/{disk}")).collect()
    }

    /// Adds drives that are known otherwise, as NODE/DISK with a name that has no slash.
    pub(crate) fn extend(&mut self, names: &[String]) {
        for (node, disk) in names.iter().filter_map(|name| name.rsplit_once('/')) {
            self.disks.entry((node.to_owned(), disk.to_owned())).or_default();
        }
    }

    fn bytes(&self) -> u64 {
        self.disks.values().fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }

    fn text(&self) -> String {
        format!(
            "{} of no write moved at {} meanwhile",
            show_bytes(self.bytes()),
            self.names().join(", ")
        )
    }
}

/// Sets what the second pass found, with what is known of storage jobs: what they explain is theirs, with the cost that the watch counted,
/// and what else is found where something moves much for no write is doubted.
pub fn settle(report: &mut Report, mut culprit: Option<Culprit>, running: &[Running], foreign: &Foreign) {
    for job in running {
        fold(&mut report.culprits, &mut culprit, job, foreign);
    }
    match culprit {
        Some(job) if job.kind == "job" => report.culprit = Some(job),
        other => blame(report, other),
    }
    report.culprits.sort_by_key(|culprit| Reverse(culprit.cost_ns));
    for culprit in report.culprits.iter_mut().chain(&mut report.culprit) {
        doubt(culprit, foreign);
    }
}

/// The same of what was found while rows came, at any time.
pub fn fold(found: &mut Vec<Culprit>, culprit: &mut Option<Culprit>, job: &Running, foreign: &Foreign) {
    let worked = foreign.worked(job.from_unix_nanos, job.until_unix_nanos.unwrap_or(i64::MAX));
    let is_its = |culprit: &Culprit| {
        let since = unix_nanos(&culprit.since).is_some_and(|since| job.covers(since));
        since && touches(&worked, culprit)
    };
    let (mut own, rest): (Vec<Culprit>, Vec<Culprit>) = std::mem::take(found).into_iter().partition(is_its);
    *found = rest;
    let is_culprit = culprit.as_ref().is_some_and(is_its);
    if own.is_empty() && is_culprit {
        own.extend(culprit.clone());
    }
    let Some(whole) = whole(job, &worked, own) else { return };
    if is_culprit {
        *culprit = Some(whole.clone());
    }
    found.push(whole);
}

/// What a job explains, as one; none of nothing.
fn whole(job: &Running, worked: &Worked, own: Vec<Culprit>) -> Option<Culprit> {
    let since = own.iter().map(|one| one.since.clone()).min()?;
    let until = own.iter().map(|one| one.until.clone()).max()?;
    let sum = |of: fn(&Culprit) -> u64| own.iter().fold(0_u64, |sum, one| sum.saturating_add(of(one)));
    let (cost_ns, hidden_ns) = (sum(|one| one.cost_ns), sum(|one| one.hidden_ns));
    let guessed_ns = sum(|one| one.guessed_ns);
    let confidence = own.iter().map(|one| one.confidence).fold(0.0, f64::max);
    let reason = Evidence {
        text: job.text(worked),
        writes: Vec::new(),
    };
    let felt = own.into_iter().flat_map(|one| one.evidence);
    Some(Culprit {
        kind: "job".to_owned(),
        node: None,
        disk: None,
        peer: None,
        resource: Some(job.id.clone()),
        confidence,
        cost_ns,
        guessed_ns,
        hidden_ns,
        since,
        until,
        evidence: std::iter::once(reason).chain(felt).take(REASONS).collect(),
    })
}

fn touches(worked: &Worked, culprit: &Culprit) -> bool {
    let node = culprit.node.as_deref().unwrap_or_default();
    worked.touches(&culprit.kind, node, culprit.disk.as_deref(), culprit.peer.as_deref())
}

/// Takes back how sure it is where much was moved for no write at the same time and place: that may be what is felt. A way or a node is
/// then unknown; a drive is worse whatever it is that makes it so.
fn doubt(culprit: &mut Culprit, foreign: &Foreign) {
    let Some((since, until)) = unix_nanos(&culprit.since).zip(unix_nanos(&culprit.until)) else {
        return;
    };
    let worked = foreign.worked(since, until);
    let seconds = (until.saturating_sub(since) as f64 / 1e9).max(1.0);
    let is_much = worked.bytes() >= MUCH_BYTES && worked.bytes() as f64 >= MUCH_BYTES_PER_SECOND * seconds;
    if !is_much || !touches(&worked, culprit) {
        return;
    }
    let nodes: BTreeSet<&str> = worked.disks.keys().map(|(node, _)| node.as_str()).collect();
    if matches!(culprit.kind.as_str(), "link" | "node") {
        "unknown".clone_into(&mut culprit.kind);
        let is_there = culprit.node.as_deref().is_some_and(|node| nodes.contains(node));
        if !is_there && culprit.peer.is_some() {
            std::mem::swap(&mut culprit.node, &mut culprit.peer);
        }
    }
    culprit.confidence = (culprit.confidence * DOUBT * 100.0).round() / 100.0;
    culprit.evidence.insert(
        0,
        Evidence {
            text: format!(
                "{}, by its size a repair or rebuild: this may be what is felt, and no job is known to run that would tell",
                worked.text()
            ),
            writes: Vec::new(),
        },
    );
}

#[cfg(test)]
mod tests;
