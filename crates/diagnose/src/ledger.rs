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
//! # Limits
//!
//! While two jobs run nothing is told apart. The error takes writes as independent, which those of one queue are not.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::{Catalog, DiskIndex, Io, JoinedRows, Leg, NodeIndex, Op, Tap, UnmatchedCause, VolumeIndex};

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
    /// Writes while the job alone ran.
    pub writes: u64,
    /// What they took longer than is usual; none where nothing usual was seen.
    pub cost_nanos: Option<i64>,
    /// Half the width of its 95 % interval.
    pub error_nanos: Option<u64>,
    /// Writes of which nothing tells what is usual: they count as nothing.
    pub unknown: u64,
    /// Writes with a copy at a drive of the job while it worked there.
    pub exposed: u64,
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
    /// At its drives: exposed writes, and others there.
    exposed: BTreeMap<(usize, VolumeIndex), Moments>,
    usual: BTreeMap<(usize, VolumeIndex), Moments>,
    /// In all: while it alone ran, and while none did; by volume, initiator and size.
    whole: BTreeMap<(usize, VolumeIndex), BTreeMap<(NodeIndex, u32), Beside>>,
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
            jobs,
            exposed: BTreeMap::new(),
            usual: BTreeMap::new(),
            whole: BTreeMap::new(),
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
        self.count_whole(io);
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

    /// What a write took in all, while a job alone ran or near it.
    fn count_whole(&mut self, io: &Io) {
        let second = io.second();
        let kind = (io.node, io.length.max(1).ilog2());
        let taken = Some(io.event.duration_nanos);
        if let Some(job) = self.only(second) {
            let kinds = self.whole.entry((job, io.volume)).or_default();
            kinds.entry(kind).or_default().during.add(taken);
            return;
        }
        for job in 0..self.jobs.len() {
            if self.is_around(job, second) {
                let kinds = self.whole.entry((job, io.volume)).or_default();
                kinds.entry(kind).or_default().around.add(taken);
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
                let usual = self.usual.get(key).filter(|usual| usual.known() >= 1.0);
                let at_drives = usual
                    .filter(|_| exposed.known() >= 1.0)
                    .map(|usual| excess(&exposed, usual));
                (during > 0).then(|| Cost {
                    volume: catalog.volume(key.1).to_string(),
                    writes: during,
                    cost_nanos: is_known.then_some(cost as i64),
                    error_nanos: is_known.then_some(half_width(variance)),
                    unknown: during.saturating_sub(told),
                    exposed: exposed.count,
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

/// What some cost more than as many others, and the variance of that.
fn excess(own: &Moments, others: &Moments) -> (f64, f64) {
    let known = own.known();
    let variance = known * own.variance() + known.powi(2) * others.variance() / others.known();
    (own.sum - known * others.mean(), variance)
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
