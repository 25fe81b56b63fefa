//! What storage jobs cost: writes that waited for drives while a job's I/O ran there.
//!
//! # Method
//!
//! The I/O of a job is what drives did for no write that was seen (`foreign` among what no I/O has) while the job is in the state. A
//! write is *exposed* when one of its copies was at a drive in a second in which that drive had such I/O, on the clock of the drive's
//! node. What it waited is how much later it ended than its last copy at other drives; where the ends are not known on one clock, its
//! last copy's lead. The same is measured of writes with copies at the same drives in seconds without such I/O, up to five minutes before
//! and after: what is above that is the job's, a volume.
//!
//! # Limits
//!
//! What the job costs beside its drives (links and processors that others share) is in nobody's row. While two jobs run nothing is told
//! apart. The error takes writes as independent, which those of one queue are not.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::{Catalog, DiskIndex, Io, JoinedRows, Leg, Op, Tap, UnmatchedCause, VolumeIndex};

/// How far around a job is looked for what is usual.
const AROUND_NANOS: i64 = 300 * SECOND;

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
    /// Exposed writes.
    pub writes: u64,
    /// What they waited beyond what is usual; none where nothing usual was seen.
    pub cost_nanos: Option<i64>,
    /// Half the width of its 95 % interval.
    pub error_nanos: Option<u64>,
    /// Exposed writes of which it is not known what they waited.
    pub unknown: u64,
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

/// Counts of one measure.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    count: u64,
    sum: f64,
    squares: f64,
    unknown: u64,
}

impl Moments {
    fn add(&mut self, nanos: Option<u64>) {
        self.count += 1;
        let Some(nanos) = nanos else {
            self.unknown += 1;
            return;
        };
        self.sum += nanos as f64;
        self.squares += (nanos as f64).powi(2);
    }

    fn known(&self) -> f64 {
        (self.count - self.unknown) as f64
    }

    fn mean(&self) -> f64 {
        self.sum / self.known()
    }

    fn variance(&self) -> f64 {
        (self.squares / self.known() - self.mean().powi(2)).max(0.0)
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
    jobs: Vec<Job>,
    drives: Vec<Drives>,
    exposed: BTreeMap<(usize, VolumeIndex), Moments>,
    usual: BTreeMap<(usize, VolumeIndex), Moments>,
}

impl Ledger {
    /// Of these jobs.
    #[must_use]
    pub fn new(jobs: Vec<Job>) -> Self {
        Self {
            drives: vec![Drives::default(); jobs.len()],
            jobs,
            exposed: BTreeMap::new(),
            usual: BTreeMap::new(),
        }
    }

    /// The stretch of time that rows are needed of.
    #[must_use]
    pub fn span(&self) -> Option<(i64, i64)> {
        let from = self.jobs.iter().map(|job| job.from_unix_nanos).min()?;
        let until = self.jobs.iter().map(|job| job.until_unix_nanos).max()?;
        Some((from.saturating_sub(AROUND_NANOS), until.saturating_add(AROUND_NANOS)))
    }

    /// The one job that ran in a second; none where several or none did.
    fn only(&self, second: i64) -> Option<usize> {
        let at = second.saturating_mul(SECOND);
        let mut running = self
            .jobs
            .iter()
            .enumerate()
            .filter(|(_, job)| job.from_unix_nanos < at.saturating_add(SECOND) && at <= job.until_unix_nanos);
        let (number, _) = running.next()?;
        running.next().is_none().then_some(number)
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
            let Some(job) = self.only(last) else { continue };
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
        let legs = rows.legs_of(io);
        for job in 0..self.jobs.len() {
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
            } else if self.is_around(job, second) {
                let waited = waited(rows, io, legs, &drives.all);
                self.usual.entry(key).or_default().add(waited);
            }
        }
    }

    /// Whether a second is near a job, and no job ran in it.
    fn is_around(&self, job: usize, second: i64) -> bool {
        let at = second.saturating_mul(SECOND);
        let span = &self.jobs[job];
        let near = at >= span.from_unix_nanos.saturating_sub(AROUND_NANOS)
            && at <= span.until_unix_nanos.saturating_add(AROUND_NANOS);
        near && self
            .jobs
            .iter()
            .all(|other| at.saturating_add(SECOND) <= other.from_unix_nanos || at > other.until_unix_nanos)
    }

    /// What each job did and cost, in the order in which they were given.
    #[must_use]
    pub fn report(&self, catalog: &Catalog) -> Vec<Entry> {
        (0..self.jobs.len()).map(|job| self.entry(job, catalog)).collect()
    }

    fn entry(&self, job: usize, catalog: &Catalog) -> Entry {
        let drives = &self.drives[job];
        let own = self.exposed.range((job, VolumeIndex(0))..(job + 1, VolumeIndex(0)));
        let mut costs: Vec<Cost> = own
            .map(|(key, exposed)| {
                let usual = self.usual.get(key).filter(|usual| usual.known() >= 1.0);
                let usual = usual.filter(|_| exposed.known() >= 1.0);
                let cost = usual.map(|usual| exposed.sum - exposed.known() * usual.mean());
                let error = usual.map(|usual| {
                    let known = exposed.known();
                    let variance = known * exposed.variance() + known.powi(2) * usual.variance() / usual.known();
                    1.96 * variance.sqrt()
                });
                Cost {
                    volume: catalog.volume(key.1).to_string(),
                    writes: exposed.count,
                    cost_nanos: cost.map(|cost| cost as i64),
                    error_nanos: error.map(|error| error as u64),
                    unknown: exposed.unknown,
                }
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
            shared_nanos: self.shared(job),
        }
    }

    /// For how long others ran too.
    fn shared(&self, job: usize) -> u64 {
        let span = &self.jobs[job];
        let mut others: Vec<(i64, i64)> = self
            .jobs
            .iter()
            .enumerate()
            .filter(|(number, _)| *number != job)
            .map(|(_, other)| {
                (
                    other.from_unix_nanos.max(span.from_unix_nanos),
                    other.until_unix_nanos.min(span.until_unix_nanos),
                )
            })
            .filter(|(from, until)| from < until)
            .collect();
        others.sort_unstable();
        let (mut sum, mut reached) = (0_u64, i64::MIN);
        for (from, until) in others {
            let from = from.max(reached);
            sum = sum.saturating_add(until.saturating_sub(from).max(0).unsigned_abs());
            reached = reached.max(until);
        }
        sum
    }
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
