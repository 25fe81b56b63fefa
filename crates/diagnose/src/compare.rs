//! Two stretches of time side by side, and what of them differs by more than chance.
//!
//! # The test
//!
//! Single writes are not independent of each other, so that every difference of many of them is "significant". A stretch is cut into
//! thirty blocks (of a second at least), and what is compared are the blocks' values: their median, their 99th percentile, their share of
//! last copies. The test is Mann and Whitney's U, two-sided, with the normal approximation and its correction for ties; it asks for eight
//! blocks a side. Over all rows of an answer the false discovery rate is held at 5 % (Benjamini and Hochberg), and a difference that
//! matters is at least a tenth of a latency, or 5 of 100 of a share. What has fewer blocks is neither changed nor unchanged.
//!
//! Durations are counted in bins, so that percentiles are to 1 %: a tenth of what matters. Rows may have been added up already, by
//! stretches of ten seconds or a minute ([`Compare::of_buckets`]): a block is then one of these at least, and of some of them.
//!
//! Blocks next to each other are a little alike where load swings slowly: p is then too small.

use std::collections::BTreeMap;

use fathom_model::cell::{Attribution, AttributionKey, Bucket, Candidate, LatencyKey, Of};
use fathom_model::sketch::Sketch;
use fathom_model::{Catalog, DiskIndex, Io, JoinedRows, NodeIndex, Op, Tap, VolumeIndex};

pub(crate) mod ranks;

use ranks::{adjusted, mann_whitney};

const SECOND: i64 = 1_000_000_000;

/// Blocks a stretch.
const BLOCKS: i64 = 30;

/// A block with fewer says nothing of its tail, or of its middle.
pub(crate) const TAIL: u64 = 50;
pub(crate) const MIDDLE: u64 = 10;

/// What is told of a latency.
pub(crate) const SHARES: [f64; 3] = [0.5, 0.95, 0.99];

/// False discoveries among all that is said to have changed.
pub(crate) const RATE: f64 = 0.05;

/// What matters: a tenth of a latency, 5 of 100 of a share.
pub(crate) const LATENCY_CHANGE: f64 = 0.1;
const SHARE_CHANGE: f64 = 0.05;

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its beginning.
    pub from_unix_nanos: i64,
    /// Its end.
    pub until_unix_nanos: i64,
}

impl Span {
    /// How long a block is: of whole grains.
    fn block(self, grain: i64) -> i64 {
        let length = self.until_unix_nanos.saturating_sub(self.from_unix_nanos);
        let block = (length / BLOCKS).max(SECOND).max(grain);
        block - block.rem_euclid(grain)
    }

    fn of(self, at: i64, grain: i64) -> Option<i64> {
        let has = self.from_unix_nanos <= at && at < self.until_unix_nanos;
        has.then(|| at.saturating_sub(self.from_unix_nanos) / self.block(grain))
    }
}

/// What a latency is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    tap: Tap,
    volume: Option<VolumeIndex>,
    node: Option<NodeIndex>,
    disk: Option<DiskIndex>,
}

#[derive(Clone, Debug, Default)]
struct Latencies {
    all: Sketch,
    blocks: BTreeMap<i64, Sketch>,
}

/// Writes with a copy on a disk whose last copy is known, and those whose last it was.
#[derive(Clone, Copy, Debug, Default)]
struct Shares {
    writes: u64,
    last: u64,
}

#[derive(Clone, Debug, Default)]
struct Side {
    writes: u64,
    latencies: BTreeMap<Key, Latencies>,
    shares: BTreeMap<DiskIndex, BTreeMap<i64, Shares>>,
}

/// Percentiles of one thing in one stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantiles {
    /// How many.
    pub count: u64,
    /// Half took at most this.
    pub p50_nanos: u64,
    /// 95 %.
    pub p95_nanos: u64,
    /// 99 %.
    pub p99_nanos: u64,
}

/// A latency in both.
#[derive(Clone, Debug, PartialEq)]
pub struct Latency {
    /// The tap.
    pub tap: Tap,
    /// The volume; none: of all.
    pub volume: Option<String>,
    /// The node.
    pub node: Option<String>,
    /// The disk.
    pub disk: Option<String>,
    /// The first stretch.
    pub before: Option<Quantiles>,
    /// The second.
    pub after: Option<Quantiles>,
    /// Whether it changed; none: too few blocks.
    pub changed: Option<bool>,
    /// Of the middle.
    pub p50_p: Option<f64>,
    /// Of the tail.
    pub p99_p: Option<f64>,
}

/// A share of last copies in both.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// The node.
    pub node: String,
    /// The disk.
    pub disk: String,
    /// The first stretch.
    pub before: Option<f64>,
    /// The second.
    pub after: Option<f64>,
    /// Whether it changed; none: too few blocks.
    pub changed: Option<bool>,
    /// How likely by chance.
    pub p: Option<f64>,
}

/// What both stretches were like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compared {
    /// Writes of the first and of the second.
    pub writes: [u64; 2],
    /// Blocks with enough writes, of each.
    pub blocks: [u32; 2],
    /// Latencies, those that changed first, then by how much the tail differs.
    pub latencies: Vec<Latency>,
    /// Shares, those that changed first, then by how much they differ.
    pub shares: Vec<Share>,
}

/// Rows of two stretches as they come.
#[derive(Clone, Debug)]
pub struct Compare {
    spans: [Span; 2],
    sides: [Side; 2],
    /// Blocks are of whole ones of these.
    grains: [i64; 2],
}

impl Compare {
    /// Of two stretches that do not overlap, or do: what is in both counts in both.
    #[must_use]
    pub fn new(before: Span, after: Span) -> Self {
        Self {
            spans: [before, after],
            sides: [Side::default(), Side::default()],
            grains: [1, 1],
        }
    }

    /// The same of what was added up by buckets: the longest of each stretch are given.
    #[must_use]
    pub fn of_buckets(before: Span, after: Span, longest_nanos: [i64; 2]) -> Self {
        Self {
            grains: longest_nanos.map(|nanos| nanos.max(1)),
            ..Self::new(before, after)
        }
    }

    /// Takes a cell of `latency`, for one of the two; what is not of writes, or not in it, is left out.
    pub fn add_latency(&mut self, number: usize, bucket: Bucket, key: &LatencyKey, sketch: &Sketch) {
        let Some((block, side)) = self
            .side(number, bucket.from_unix_nanos)
            .filter(|_| key.op == Op::Write)
        else {
            return;
        };
        let whole = Key::of(key.tap);
        match key.of {
            Of::Io { volume, node, .. } => {
                let volume = Some(volume);
                let node = Some(node);
                side.writes += sketch.count();
                side.merge(whole, block, sketch);
                side.merge(Key { volume, ..whole }, block, sketch);
                side.merge(Key { node, ..whole }, block, sketch);
            }
            // As for rows the node of a disk's index is said once the names are known.
            Of::Disk(disk) => side.merge(
                Key {
                    disk: Some(disk),
                    ..whole
                },
                block,
                sketch,
            ),
            Of::Way { .. } => {}
        }
    }

    /// Takes a cell of `attribution`, for one of the two.
    pub fn add_attribution(&mut self, number: usize, bucket: Bucket, key: &AttributionKey, cell: &Attribution) {
        let Candidate::Disk(disk) = key.to else { return };
        if let Some((block, side)) = self.side(number, bucket.from_unix_nanos) {
            let shares = side.shares.entry(disk).or_default().entry(block).or_default();
            shares.writes += cell.writes;
            shares.last += cell.last;
        }
    }

    /// One of the two, and the block of a time in it.
    fn side(&mut self, number: usize, at: i64) -> Option<(i64, &mut Side)> {
        let block = self.spans.get(number)?.of(at, *self.grains.get(number)?)?;
        Some((block, self.sides.get_mut(number)?))
    }

    /// Takes an I/O with its legs; what is no write, or in neither, is left out.
    pub fn add(&mut self, rows: &JoinedRows, io: &Io) {
        self.add_to(0, rows, io);
        self.add_to(1, rows, io);
    }

    /// The same for one of the two, 0 or 1: of whoever reads their rows one after the other.
    pub fn add_to(&mut self, number: usize, rows: &JoinedRows, io: &Io) {
        if io.op != Op::Write {
            return;
        }
        if let Some((block, side)) = self.side(number, io.event.end_unix_nanos()) {
            side.add(rows, io, block);
        }
    }

    /// What they were like and what changed.
    #[must_use]
    pub fn report(&self, catalog: &Catalog) -> Compared {
        let [before, after] = &self.sides;
        let mut keys: Vec<Key> = before.latencies.keys().chain(after.latencies.keys()).copied().collect();
        keys.sort_unstable();
        keys.dedup();
        let mut latencies: Vec<Latency> = keys.iter().map(|key| latency(*key, before, after, catalog)).collect();
        let mut disks: Vec<DiskIndex> = before.shares.keys().chain(after.shares.keys()).copied().collect();
        disks.sort_unstable();
        disks.dedup();
        let mut shares: Vec<Share> = disks.iter().map(|disk| share(*disk, before, after, catalog)).collect();
        judge(&mut latencies, &mut shares);
        let ratio = |one: &Latency| match (one.before, one.after) {
            (Some(before), Some(after)) => ratio(before.p99_nanos, after.p99_nanos),
            _ => 0.0,
        };
        latencies.sort_by(|a, b| {
            let changed = |one: &Latency| one.changed == Some(true);
            changed(b).cmp(&changed(a)).then_with(|| ratio(b).total_cmp(&ratio(a)))
        });
        let moved = |one: &Share| match (one.before, one.after) {
            (Some(before), Some(after)) => (before - after).abs(),
            _ => 0.0,
        };
        shares.sort_by(|a, b| {
            let changed = |one: &Share| one.changed == Some(true);
            changed(b).cmp(&changed(a)).then_with(|| moved(b).total_cmp(&moved(a)))
        });
        Compared {
            writes: [before.writes, after.writes],
            blocks: [before.blocks(), after.blocks()],
            latencies,
            shares,
        }
    }
}

impl Key {
    const fn of(tap: Tap) -> Self {
        Self {
            tap,
            volume: None,
            node: None,
            disk: None,
        }
    }
}

impl Side {
    fn merge(&mut self, key: Key, block: i64, sketch: &Sketch) {
        let latencies = self.latencies.entry(key).or_default();
        latencies.all.merge(sketch);
        latencies.blocks.entry(block).or_default().merge(sketch);
    }

    fn add(&mut self, rows: &JoinedRows, io: &Io, block: i64) {
        self.writes += 1;
        let mut count = |key: Key, nanos: u64| {
            let latencies = self.latencies.entry(key).or_default();
            latencies.all.add(nanos);
            latencies.blocks.entry(block).or_default().add(nanos);
        };
        let whole = Key::of(Tap::Volume);
        let nanos = io.event.duration_nanos;
        count(whole, nanos);
        let of_volume = Key {
            volume: Some(io.volume),
            ..whole
        };
        count(of_volume, nanos);
        let of_node = Key {
            node: Some(io.node),
            ..whole
        };
        count(of_node, nanos);
        let legs = rows.legs_of(io);
        for leg in legs {
            for tap in [Tap::Initiator, Tap::Target, Tap::Device] {
                if let Some(seen) = leg.observation(tap) {
                    let disk = Some(leg.disk);
                    count(Key { disk, ..Key::of(tap) }, seen.duration_nanos);
                }
            }
        }
        let Some(slowest) = io.slowest.filter(|_| legs.len() > 1) else {
            return;
        };
        let last = rows.legs.get(slowest.leg).map(|leg| leg.disk);
        let mut disks: Vec<DiskIndex> = legs.iter().map(|leg| leg.disk).collect();
        disks.sort_unstable();
        disks.dedup();
        for disk in disks {
            let shares = self.shares.entry(disk).or_default().entry(block).or_default();
            shares.writes += 1;
            shares.last += u64::from(last == Some(disk));
        }
    }

    fn blocks(&self) -> u32 {
        let whole = self
            .latencies
            .iter()
            .find(|(key, _)| key.tap == Tap::Volume && key.volume.is_none() && key.node.is_none());
        let enough = whole.map(|(_, latencies)| latencies.blocks.values().filter(|block| block.count() >= MIDDLE));
        enough.map_or(0, |enough| u32::try_from(enough.count()).unwrap_or(u32::MAX))
    }
}

impl Latencies {
    fn quantiles(&self) -> Option<Quantiles> {
        let [p50_nanos, p95_nanos, p99_nanos] = self.all.quantiles(SHARES)?;
        Some(Quantiles {
            count: self.all.count(),
            p50_nanos,
            p95_nanos,
            p99_nanos,
        })
    }

    /// The value of each block that has enough.
    fn values(&self, at_least: u64, which: usize) -> Vec<f64> {
        let enough = self.blocks.values().filter(|block| block.count() >= at_least);
        enough
            .filter_map(|block| Some(block.quantile(SHARES[which])? as f64))
            .collect()
    }
}

fn latency(key: Key, before: &Side, after: &Side, catalog: &Catalog) -> Latency {
    let (one, other) = (before.latencies.get(&key), after.latencies.get(&key));
    let test = |at_least: u64, which: usize| {
        let (one, other) = (one?, other?);
        mann_whitney(&one.values(at_least, which), &other.values(at_least, which))
    };
    Latency {
        tap: key.tap,
        volume: key.volume.map(|volume| catalog.volume(volume).to_string()),
        node: match key.disk {
            Some(disk) => Some(catalog.disk(disk).node.to_string()),
            None => key.node.map(|node| catalog.node(node).to_string()),
        },
        disk: key.disk.map(|disk| catalog.disk(disk).name.clone()),
        before: one.and_then(Latencies::quantiles),
        after: other.and_then(Latencies::quantiles),
        changed: None,
        p50_p: test(MIDDLE, 0),
        p99_p: test(TAIL, 2),
    }
}

fn share(disk: DiskIndex, before: &Side, after: &Side, catalog: &Catalog) -> Share {
    let (one, other) = (before.shares.get(&disk), after.shares.get(&disk));
    let whole = |blocks: Option<&BTreeMap<i64, Shares>>| {
        let sums = blocks?.values().fold((0, 0), |(writes, last), block| {
            (writes + block.writes, last + block.last)
        });
        Some(sums.1 as f64 / sums.0 as f64)
    };
    let values = |blocks: Option<&BTreeMap<i64, Shares>>| -> Option<Vec<f64>> {
        let enough = blocks?.values().filter(|block| block.writes >= MIDDLE);
        Some(enough.map(|block| block.last as f64 / block.writes as f64).collect())
    };
    let named = catalog.disk(disk);
    Share {
        node: named.node.to_string(),
        disk: named.name.clone(),
        before: whole(one),
        after: whole(other),
        changed: None,
        p: values(one)
            .zip(values(other))
            .and_then(|(one, other)| mann_whitney(&one, &other)),
    }
}

/// By how much two durations differ, as a share of the smaller.
pub(crate) fn ratio(one: u64, other: u64) -> f64 {
    let (low, high) = (one.min(other).max(1) as f64, one.max(other) as f64);
    high / low - 1.0
}

/// Says what changed: by the test over all of them, and by enough to matter.
fn judge(latencies: &mut [Latency], shares: &mut [Share]) {
    let mut all: Vec<f64> = Vec::new();
    latencies
        .iter()
        .for_each(|one| all.extend(one.p50_p.iter().chain(&one.p99_p)));
    all.extend(shares.iter().filter_map(|one| one.p));
    let limit = adjusted(&mut all, RATE);
    let is_sure = |p: Option<f64>| p.is_some_and(|p| limit.is_some_and(|limit| p <= limit));
    for one in latencies {
        let (Some(before), Some(after)) = (one.before, one.after) else {
            continue;
        };
        if one.p50_p.is_none() && one.p99_p.is_none() {
            continue;
        }
        let middle = is_sure(one.p50_p) && ratio(before.p50_nanos, after.p50_nanos) >= LATENCY_CHANGE;
        let tail = is_sure(one.p99_p) && ratio(before.p99_nanos, after.p99_nanos) >= LATENCY_CHANGE;
        one.changed = Some(middle || tail);
    }
    for one in shares.iter_mut().filter(|one| one.p.is_some()) {
        let moved = one.before.zip(one.after).map(|(before, after)| (before - after).abs());
        one.changed = Some(is_sure(one.p) && moved.is_some_and(|moved| moved >= SHARE_CHANGE));
    }
}

#[cfg(test)]
mod tests;
