//! What storage jobs cost: how much longer writes took while a job ran, and what of that they waited at its drives.
//!
//! # Method
//!
//! *In all*: writes while a job alone ran are held against those of the five minutes before and after in which none ran, of the same
//! volume, initiator and size (by powers of two); what they took longer on the average, times how many there were, is the cost. It has
//! everything that the job loads, links and processors too, and whatever else changed at the same time.
//!
//! *At its drives*: the I/O of a job is what drives did for no write that was seen (`foreign` among what no I/O has) while the job is in
//! the state. A write is exposed when one of its copies was at a drive in a second in which that drive had such I/O, on the clock of the
//! drive's node. What it waited is how much later its last copy at those drives ended than its last copy elsewhere; where the ends are
//! not known on one clock, its last copy's lead. What is above the same measure of writes there while no job ran is the drives'.
//!
//! # Sums
//!
//! What it cost in all needs no single write: seconds of writes that are alike tell it to the nanosecond ([`Ledger::of_sums`]). What writes
//! waited at drives is not in any sum, since which drives those are is known only when the job is over.
//!
//! # Limits
//!
//! While two jobs run nothing is told apart. The error takes writes as independent, which those of one queue are not.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::cell::{Moments, SecondKey, SizeClass};
use fathom_model::{Catalog, DiskIndex, Io, JoinedRows, Leg, NodeIndex, Op, Tap, UnmatchedCause, VolumeIndex};

mod times;

pub use times::{Place, Times};

const SECOND: i64 = 1_000_000_000;

/// An I/O takes part in no more seconds than this.
const LONGEST_SECONDS: i64 = 60;

/// When a job ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Which.
    pub id: String,
    /// From when on.
    pub from_unix_nanos: i64,
    /// Until when.
    pub until_unix_nanos: i64,
}

/// What a job cost a volume.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// The volume.
    pub volume: String,
    /// Writes while the job alone ran.
    pub writes: u64,
    /// What they took longer than is usual; none where nothing usual was seen.
    pub cost_nanos: Option<i64>,
    /// Half the width of its 95 % interval.
    pub error_nanos: Option<u64>,
    /// Writes of which nothing tells what is usual: they count as nothing.
    pub unknown: u64,
    /// Writes with a copy at a drive of the job while it worked there; none where that was not looked for.
    pub exposed: Option<u64>,
    /// What they waited for copies there beyond what is usual.
    pub at_drives_nanos: Option<i64>,
    /// Half the width of its 95 % interval.
    pub at_drives_error_nanos: Option<u64>,
}

/// What a job did and cost, as far as it alone ran.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    /// Bytes that drives read for it.
    pub read_bytes: u64,
    /// Bytes that drives were written for it.
    pub written_bytes: u64,
    /// The drives, as NODE/DISK.
    pub disks: Vec<String>,
    /// What it cost, the most first.
    pub costs: Vec<Cost>,
    /// For how long others ran too.
    pub shared_nanos: u64,
}

/// What writes waited, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
struct Waits {
    known: Moments,
    unknown: u64,
}

impl Waits {
    const fn add(&mut self, nanos: Option<u64>) {
        match nanos {
            Some(nanos) => self.known.add(nanos),
            None => self.unknown += 1,
        }
    }

    const fn count(&self) -> u64 {
        self.known.count + self.unknown
    }
}

/// The drives of a job and when they worked for it.
#[derive(Clone, Debug, Default)]
struct Drives {
    seconds: BTreeSet<(DiskIndex, i64)>,
    all: BTreeSet<DiskIndex>,
    read_bytes: u64,
    written_bytes: u64,
}

/// The ledger over two passes: [`Ledger::see`] all rows, then [`Ledger::count`] all rows.
#[derive(Clone, Debug)]
pub struct Ledger {
    times: Times,
    drives: Vec<Drives>,
    /// Whether it is looked at what writes waited at drives.
    has_waits: bool,
    /// At its drives: exposed writes, and others there.
    exposed: BTreeMap<(usize, VolumeIndex), Waits>,
    usual: BTreeMap<(usize, VolumeIndex), Waits>,
    /// In all: while it alone ran, and while none did; by volume, initiator and size.
    whole: BTreeMap<(usize, VolumeIndex), BTreeMap<(NodeIndex, SizeClass), Beside>>,
}

/// Writes of one kind while a job ran and while none did.
#[derive(Clone, Copy, Debug, Default)]
struct Beside {
    during: Moments,
    around: Moments,
}

impl Ledger {
    /// Of these jobs.
    #[must_use]
    pub fn new(jobs: Vec<Job>) -> Self {
        Self {
            drives: vec![Drives::default(); jobs.len()],
            times: Times::new(jobs),
            has_waits: true,
            exposed: BTreeMap::new(),
            usual: BTreeMap::new(),
            whole: BTreeMap::new(),
        }
    }

    /// The same of what writes added up to: [`Ledger::add_second`] takes it, and nothing is said of what was waited at drives.
    #[must_use]
    pub fn of_sums(jobs: Vec<Job>) -> Self {
        Self {
            has_waits: false,
            ..Self::new(jobs)
        }
    }

    /// The stretch of time that rows are needed of.
    #[must_use]
    pub fn span(&self) -> Option<(i64, i64)> {
        self.times.span()
    }

    /// First pass: what drives did for no write.
    pub fn see(&mut self, rows: &JoinedRows) {
        for event in &rows.unmatched {
            let is_moved = matches!(event.op, Op::Read | Op::Write);
            let Some(disk) = event.disk else { continue };
            if event.tap != Tap::Device || event.cause != UnmatchedCause::Foreign || !is_moved {
                continue;
            }
            let last = event.event.end_unix_nanos().div_euclid(SECOND);
            let Some(job) = self.times.only(last) else { continue };
            let first = event
                .event
                .start_unix_nanos
                .div_euclid(SECOND)
                .max(last - LONGEST_SECONDS);
            let drives = &mut self.drives[job];
            drives.all.insert(disk);
            drives.seconds.extend((first..=last).map(|second| (disk, second)));
            let bytes = match event.op {
                Op::Write => &mut drives.written_bytes,
                _ => &mut drives.read_bytes,
            };
            *bytes = bytes.saturating_add(event.length);
        }
    }

    /// Second pass: what writes waited.
    pub fn count(&mut self, rows: &JoinedRows, io: &Io) {
        if io.op != Op::Write {
            return;
        }
        let alike = SecondKey {
            second: io.second(),
            volume: io.volume,
            node: io.node,
            size: SizeClass::of(io.length),
        };
        let mut taken = Moments::default();
        taken.add(io.event.duration_nanos);
        self.add_second(&alike, &taken);
        if self.has_waits {
            self.wait(rows, io);
        }
    }

    /// What a write waited at the drives of jobs.
    fn wait(&mut self, rows: &JoinedRows, io: &Io) {
        let legs = rows.legs_of(io);
        for job in 0..self.drives.len() {
            let drives = &self.drives[job];
            let places: Vec<(DiskIndex, i64)> = legs
                .iter()
                .filter_map(|leg| {
                    let disk = leg.cache.unwrap_or(leg.disk);
                    let at = leg.service().map(|seen| seen.end_unix_nanos().div_euclid(SECOND))?;
                    drives.all.contains(&disk).then_some((disk, at))
                })
                .collect();
            let Some(&(_, second)) = places.first() else { continue };
            let is_exposed = places.iter().any(|place| drives.seconds.contains(place));
            let key = (job, io.volume);
            if is_exposed {
                let waited = waited(rows, io, legs, &drives.all);
                self.exposed.entry(key).or_default().add(waited);
            } else if self.times.is_around(job, second) {
                let waited = waited(rows, io, legs, &drives.all);
                self.usual.entry(key).or_default().add(waited);
            }
        }
    }

    /// What writes of a second took in all, while a job alone ran or near it.
    pub fn add_second(&mut self, key: &SecondKey, taken: &Moments) {
        let kind = (key.node, key.size);
        if let Some(job) = self.times.only(key.second) {
            let kinds = self.whole.entry((job, key.volume)).or_default();
            kinds.entry(kind).or_default().during.merge(taken);
            return;
        }
        for job in 0..self.drives.len() {
            if self.times.is_around(job, key.second) {
                let kinds = self.whole.entry((job, key.volume)).or_default();
                kinds.entry(kind).or_default().around.merge(taken);
            }
        }
    }

    /// What each job did and cost, in the order in which they were given.
    #[must_use]
    pub fn report(&self, catalog: &Catalog) -> Vec<Entry> {
        (0..self.drives.len()).map(|job| self.entry(job, catalog)).collect()
    }

    fn entry(&self, job: usize, catalog: &Catalog) -> Entry {
        let drives = &self.drives[job];
        let own = self.whole.range((job, VolumeIndex(0))..(job + 1, VolumeIndex(0)));
        let mut costs: Vec<Cost> = own
            .filter_map(|(key, kinds)| {
                let during = kinds.values().map(|kind| kind.during.count).sum();
                let known = kinds
                    .values()
                    .filter(|kind| kind.during.count > 0 && kind.around.count > 0);
                let excesses: Vec<(f64, f64, u64)> = known
                    .map(|kind| {
                        let (cost, variance) = excess(&kind.during, &kind.around);
                        (cost, variance, kind.during.count)
                    })
                    .collect();
                let is_known = !excesses.is_empty();
                let cost: f64 = excesses.iter().map(|(cost, _, _)| cost).sum();
                let variance: f64 = excesses.iter().map(|(_, variance, _)| variance).sum();
                let told: u64 = excesses.iter().map(|(_, _, count)| count).sum();
                let exposed = self.exposed.get(key).copied().unwrap_or_default();
                let usual = self.usual.get(key).filter(|usual| usual.known.count > 0);
                let at_drives = usual
                    .filter(|_| exposed.known.count > 0)
                    .map(|usual| excess(&exposed.known, &usual.known));
                (during > 0).then(|| Cost {
                    volume: catalog.volume(key.1).to_string(),
                    writes: during,
                    cost_nanos: is_known.then_some(cost as i64),
                    error_nanos: is_known.then_some(half_width(variance)),
                    unknown: during.saturating_sub(told),
                    exposed: self.has_waits.then(|| exposed.count()),
                    at_drives_nanos: at_drives.map(|(cost, _)| cost as i64),
                    at_drives_error_nanos: at_drives.map(|(_, variance)| half_width(variance)),
                })
            })
            .collect();
        costs.sort_by(|a, b| b.cost_nanos.cmp(&a.cost_nanos).then_with(|| a.volume.cmp(&b.volume)));
        let mut disks: Vec<String> = drives
            .all
            .iter()
            .map(|disk| {
                let disk = catalog.disk(*disk);
                format!("{}/{}", disk.node, disk.name)
            })
            .collect();
        disks.sort();
        Entry {
            read_bytes: drives.read_bytes,
            written_bytes: drives.written_bytes,
            disks,
            costs,
            shared_nanos: self.times.shared(job),
        }
    }
}

/// What some cost more than as many others, and the variance of that.
fn excess(own: &Moments, others: &Moments) -> (f64, f64) {
    let known = own.count as f64;
    let variance = known * own.variance() + known.powi(2) * others.variance() / others.count as f64;
    (own.sum_nanos as f64 - known * others.mean(), variance)
}

/// Half the width of the 95 % interval.
fn half_width(variance: f64) -> u64 {
    (1.96 * variance.sqrt()) as u64
}

/// How much later a write ended than its last copy elsewhere; none where that is not known.
fn waited(rows: &JoinedRows, io: &Io, legs: &[Leg], drives: &BTreeSet<DiskIndex>) -> Option<u64> {
    let is_there = |leg: &Leg| drives.contains(&leg.cache.unwrap_or(leg.disk));
    let end = |leg: &Leg| leg.initiator.map(|seen| seen.end_unix_nanos());
    let ends: Option<Vec<(bool, i64)>> = legs.iter().map(|leg| Some((is_there(leg), end(leg)?))).collect();
    if let Some(ends) = ends {
        let last = |there: bool| {
            ends.iter()
                .filter(|(is_there, _)| *is_there == there)
                .map(|(_, end)| *end)
                .max()
        };
        if let (Some(there), Some(elsewhere)) = (last(true), last(false)) {
            return Some(there.saturating_sub(elsewhere).max(0).unsigned_abs());
        }
    }
    let slowest = io.slowest?;
    let leg = rows.legs.get(slowest.leg)?;
    if !is_there(leg) {
        return Some(0);
    }
    // All its copies are there: how much the last one was behind is what is known.
    slowest.lead_nanos
}

#[cfg(test)]
mod tests;
