//! Values of what goes on: slices of ten seconds, which become blocks of five minutes, which become hours.

use std::collections::{BTreeMap, HashMap};

use fathom_model::baseline::{Hour, Place, Share, Size, Subject};
use fathom_model::sketch::Sketch;
use fathom_model::{Catalog, DiskIndex, Io, JoinedRows, NodeIndex, Op, Tap, VolumeIndex};
use rustc_hash::FxBuildHasher;

use super::{BLOCK_NANOS, BLOCKS, HOUR_NANOS, told};

/// A slice: of the newest ones is said how it is now.
const SLICE_NANOS: i64 = 10_000_000_000;

/// So many slices are now.
const NOW: i64 = 2;

/// What comes later than this after its block is not counted.
const LATE_NANOS: i64 = 60_000_000_000;

/// Of a slice with more I/Os than this a part is taken: what they take is known by then.
const MOST: u64 = if cfg!(test) { 2_000 } else { 20_000 };

/// Operations times sizes.
const CLASSES: usize = 6;

/// Values by operation and size.
type Of = [Sketch; CLASSES];

fn class(op: Op, bytes: u64) -> Option<usize> {
    let first = match op {
        Op::Read => 0,
        Op::Write => 3,
        Op::Flush | Op::Unmap => return None,
    };
    Some(first + Size::of(bytes) as usize)
}

/// What a class is of.
fn size_of_class(class: usize) -> (Op, Size) {
    let op = if class < 3 { Op::Read } else { Op::Write };
    (op, Size::ALL[class % 3])
}

fn at(of: &mut Vec<Of>, index: usize) -> &mut Of {
    if of.len() <= index {
        of.resize_with(index + 1, Of::default);
    }
    &mut of[index]
}

/// What I/Os of a stretch took, by place, operation and size.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    volumes: Vec<Of>,
    targets: Vec<Of>,
    disks: Vec<Of>,
    pairs: HashMap<(NodeIndex, NodeIndex), Of, FxBuildHasher>,
}

impl Recent {
    /// Takes I/Os with their legs.
    pub fn add(&mut self, rows: &JoinedRows) {
        rows.ios.iter().for_each(|io| self.add_io(rows, io));
    }

    pub(super) fn add_io(&mut self, rows: &JoinedRows, io: &Io) {
        let Some(whole) = class(io.op, io.length) else { return };
        at(&mut self.volumes, io.volume.as_usize())[whole].add(io.event.duration_nanos);
        for leg in rows.legs_of(io) {
            // Of a size that lies within three classes.
            let class = class(io.op, leg.length).unwrap_or(whole);
            // A leg that another write may have had tells of neither.
            if leg.ambiguous {
                continue;
            }
            if let Some(seen) = leg.device {
                at(&mut self.disks, leg.cache.unwrap_or(leg.disk).as_usize())[class].add(seen.duration_nanos);
            }
            if let Some(seen) = leg.target {
                at(&mut self.targets, leg.node.as_usize())[class].add(seen.duration_nanos);
            }
            if let Some(seen) = leg.initiator.filter(|_| !leg.local) {
                self.pairs.entry((io.node, leg.node)).or_default()[class].add(seen.duration_nanos);
            }
        }
    }

    /// Takes values of whole I/Os that were added up elsewhere.
    pub fn add_whole(&mut self, volume: VolumeIndex, op: Op, bytes: u64, values: &Sketch) {
        if let Some(class) = class(op, bytes) {
            at(&mut self.volumes, volume.as_usize())[class].merge(values);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let all = |own: &mut Vec<Of>, theirs: &Vec<Of>| {
            for (index, theirs) in theirs.iter().enumerate() {
                merge(at(own, index), theirs);
            }
        };
        all(&mut self.volumes, &other.volumes);
        all(&mut self.targets, &other.targets);
        all(&mut self.disks, &other.disks);
        for (pair, theirs) in &other.pairs {
            merge(self.pairs.entry(*pair).or_default(), theirs);
        }
    }

    /// All that there are values of, in no order.
    #[must_use]
    pub fn all(&self, catalog: &Catalog) -> Vec<(Subject, Sketch)> {
        let mut all = Vec::new();
        let mut sums: BTreeMap<Tap, Of> = BTreeMap::new();
        let mut take = |place: Place, tap: Tap, of: &Of| {
            merge(sums.entry(tap).or_default(), of);
            push(&mut all, &place, tap, of);
        };
        for (index, of) in (0..).zip(&self.volumes) {
            if of.iter().any(|values| !values.is_empty()) {
                let place = Place::Volume(catalog.volume(VolumeIndex(index)).to_string());
                take(place, Tap::Volume, of);
            }
        }
        for (index, of) in (0..).zip(&self.targets) {
            if of.iter().any(|values| !values.is_empty()) {
                take(Place::Node(catalog.node(NodeIndex(index)).to_string()), Tap::Target, of);
            }
        }
        for (index, of) in (0..).zip(&self.disks) {
            if of.iter().any(|values| !values.is_empty()) {
                let disk = catalog.disk(DiskIndex(index));
                let place = Place::Disk {
                    node: disk.node.to_string(),
                    disk: disk.name.clone(),
                };
                take(place, Tap::Device, of);
            }
        }
        for ((from, to), of) in &self.pairs {
            let place = Place::Pair {
                from: catalog.node(*from).to_string(),
                to: catalog.node(*to).to_string(),
            };
            take(place, Tap::Initiator, of);
        }
        for (tap, of) in &sums {
            push(&mut all, &Place::Cluster, *tap, of);
        }
        all
    }
}

fn merge(own: &mut Of, theirs: &Of) {
    for (own, theirs) in own.iter_mut().zip(theirs) {
        own.merge(theirs);
    }
}

fn push(all: &mut Vec<(Subject, Sketch)>, place: &Place, tap: Tap, of: &Of) {
    for (class, values) in of.iter().enumerate().filter(|(_, values)| !values.is_empty()) {
        let (op, size) = size_of_class(class);
        let place = place.clone();
        all.push((Subject { place, tap, op, size }, values.clone()));
    }
}

/// How many of the I/Os are taken: one in so many, as in the slice before, and in one that has far more of them ever fewer.
#[derive(Clone, Copy, Debug)]
struct Pace {
    slice: i64,
    ios: u64,
    one_in: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            slice: i64::MIN,
            ios: 0,
            one_in: 1,
        }
    }
}

impl Pace {
    /// Whether an I/O is taken, by its ordinal.
    fn takes(&mut self, slice: i64, ordinal: u64) -> bool {
        let of_now = (self.ios / MOST).max(1);
        if slice > self.slice {
            (self.slice, self.ios, self.one_in) = (slice, 0, of_now);
        } else {
            // One of before the newest slice counts with it.
            self.one_in = self.one_in.max(of_now);
        }
        self.ios += 1;
        (ordinal.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).is_multiple_of(self.one_in)
    }
}

/// What the blocks of an hour had.
#[derive(Clone, Debug, Default)]
struct Blocks {
    p50s: Vec<u64>,
    p99s: Vec<u64>,
    values: u64,
}

/// Everything that is not over.
#[derive(Clone, Debug, Default)]
pub(super) struct Open {
    slices: BTreeMap<i64, Recent>,
    blocks: BTreeMap<i64, Recent>,
    hours: BTreeMap<(i64, Subject), Blocks>,
    pace: Pace,
    newest: Option<i64>,
    /// Blocks below this number are closed; none before the first.
    closed: Option<i64>,
}

impl Open {
    pub(super) fn add(&mut self, rows: &JoinedRows, io: &Io) {
        let end = io.event.end_unix_nanos();
        let block = end.div_euclid(BLOCK_NANOS);
        if self.closed.is_some_and(|closed| block < closed) {
            return;
        }
        self.newest = Some(self.newest.map_or(end, |newest| newest.max(end)));
        let slice = end.div_euclid(SLICE_NANOS);
        if self.pace.takes(slice, io.event.ordinal) {
            self.slices.entry(slice).or_default().add_io(rows, io);
        }
    }

    /// Whether something is over when an I/O has ended then.
    pub(super) fn is_due(&self, end: i64) -> bool {
        let slice = self.slices.keys().next();
        slice.is_some_and(|slice| *slice < end.div_euclid(SLICE_NANOS) - NOW)
    }

    /// Puts together what is over when an I/O has ended then; the hours that are.
    pub(super) fn close(&mut self, end: i64, catalog: &Catalog) -> Vec<Hour> {
        let now = self.slices.split_off(&(end.div_euclid(SLICE_NANOS) - NOW));
        for (slice, values) in std::mem::replace(&mut self.slices, now) {
            let block = slice.div_euclid(BLOCK_NANOS / SLICE_NANOS);
            self.blocks.entry(block).or_default().merge(&values);
        }
        let until = end.saturating_sub(LATE_NANOS).div_euclid(BLOCK_NANOS);
        if self.blocks.keys().next().is_none_or(|block| *block >= until) {
            return Vec::new();
        }
        self.close_blocks(until, catalog);
        self.close_hours(until.div_euclid(i64::from(BLOCKS)))
    }

    /// Puts everything together.
    pub(super) fn finish(&mut self, catalog: &Catalog) -> Vec<Hour> {
        for (slice, values) in std::mem::take(&mut self.slices) {
            let block = slice.div_euclid(BLOCK_NANOS / SLICE_NANOS);
            self.blocks.entry(block).or_default().merge(&values);
        }
        self.close_blocks(i64::MAX, catalog);
        self.close_hours(i64::MAX)
    }

    fn close_blocks(&mut self, until: i64, catalog: &Catalog) {
        let later = self.blocks.split_off(&until);
        for (block, values) in std::mem::replace(&mut self.blocks, later) {
            // What is stored of a block is not counted once more, whoever closes it.
            self.closed = self.closed.max(Some(block + 1));
            for (subject, values) in values.all(catalog) {
                let Some(p50) = told(&values, Share::P50) else { continue };
                let hour = block.div_euclid(i64::from(BLOCKS));
                let blocks = self.hours.entry((hour, subject)).or_default();
                blocks.p50s.push(p50);
                blocks.p99s.extend(told(&values, Share::P99));
                blocks.values = blocks.values.saturating_add(values.count());
            }
        }
    }

    fn close_hours(&mut self, until: i64) -> Vec<Hour> {
        let mut over = Vec::new();
        while let Some(entry) = self.hours.first_entry().filter(|entry| entry.key().0 < until) {
            let ((hour, subject), mut blocks) = entry.remove_entry();
            let Some(p50_nanos) = middle(&mut blocks.p50s) else {
                continue;
            };
            over.push(Hour {
                from_unix_nanos: hour.saturating_mul(HOUR_NANOS),
                subject,
                blocks: u32::try_from(blocks.p50s.len()).unwrap_or(BLOCKS),
                values: blocks.values,
                p50_nanos,
                p99_nanos: middle(&mut blocks.p99s),
                felt: false,
            });
        }
        over
    }

    /// What I/Os took in the newest slices.
    pub(super) fn recent(&self) -> Recent {
        let mut recent = Recent::default();
        self.slices.values().for_each(|slice| recent.merge(slice));
        recent
    }
}

/// The middle one; of an even number the lower of the two.
fn middle(values: &mut [u64]) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}
