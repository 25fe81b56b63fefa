//! Writes that only far sides have seen: every copy was written where the extent map has it, and no initiator's events have the write.
//!
//! Such a write is in no figure: an initiator's events were lost, or it has no daemon. A repair's own I/O is not one, since what it
//! reads one copy of it does not write there. Counted without clocks: of a place, as often as each of its copies was written.
//!
//! Rather too few than too many: a place that overlaps a write of which something is missing is left out, since what is there may be
//! that write's; and a copy on a node that was not heard may stand in the way of its volume's others.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::{
    Catalog, DiskIndex, Extent, Io, IoClass, Leg, NodeIndex, Op, PhysicalDiskId, Tap, Topology, Unmatched,
    UnmatchedCause, VolumeId, VolumeIndex,
};
use rustc_hash::FxHashMap;

/// So many places are kept in mind, and so many writes of which something is missing; of more it is said that they were not counted.
const MOST: usize = 1 << 20;

/// What a far side did, and where.
type Place = (DiskIndex, u64, u64);

/// Events of no I/O by their place.
#[derive(Clone, Debug, Default)]
pub struct Writerless {
    /// How often at `target`, and at `device`.
    places: FxHashMap<Place, [u32; 2]>,
    /// Nodes of which a far side was seen, and those that gave `target`.
    seen: BTreeSet<NodeIndex>,
    has_targets: BTreeSet<NodeIndex>,
    /// What is missing something, by volume.
    lacking: FxHashMap<VolumeIndex, Lacking>,
    lack: usize,
}

/// Writes of which something is missing.
#[derive(Clone, Debug, Default)]
struct Lacking {
    /// From where until where.
    spans: BTreeSet<(u64, u64)>,
    longest: u64,
}

impl Writerless {
    /// Takes an I/O with its legs: whose far side was seen.
    pub fn add_io(&mut self, io: &Io, legs: &[Leg]) {
        let seen = legs.iter().filter(|leg| leg.service().is_some());
        self.seen.extend(seen.map(|leg| leg.node));
        let targets = legs.iter().filter(|leg| leg.target.is_some());
        self.has_targets.extend(targets.map(|leg| leg.node));
        if io.op == Op::Write && io.class == IoClass::Incomplete && self.lack <= MOST {
            let lacking = self.lacking.entry(io.volume).or_default();
            let span = (io.offset, io.offset.saturating_add(io.length));
            self.lack += usize::from(lacking.spans.insert(span));
            lacking.longest = lacking.longest.max(io.length);
        }
    }

    /// Takes an event of no I/O.
    pub fn add(&mut self, event: &Unmatched) {
        let (tap, Some(disk)) = (event.tap, event.disk) else {
            return;
        };
        if !tap.is_far_side() {
            return;
        }
        self.seen.insert(event.node);
        if tap == Tap::Target {
            self.has_targets.insert(event.node);
        }
        if event.op != Op::Write || event.cause != UnmatchedCause::Foreign {
            return;
        }
        if self.places.len() <= MOST {
            let counts = self.places.entry((disk, event.offset, event.length)).or_default();
            counts[usize::from(tap == Tap::Device)] += 1;
        }
    }

    /// What to say of it, a sentence a volume.
    #[must_use]
    pub fn sentences(&self, topology: &Topology, catalog: &Catalog) -> Vec<String> {
        if self.places.len() > MOST || self.lack > MOST {
            return vec![
                "too much belongs to no write that is whole: how many writes no initiator has seen was not counted"
                    .to_owned(),
            ];
        }
        let sentence = |(volume, writes): (&str, u64)| {
            format!(
                "{writes} writes of {volume} were seen at all nodes of their copies that are heard, and as writes by no initiator: \
                 events of an initiator are lost or late, or it has no daemon; they are in no figure"
            )
        };
        self.writes(topology, catalog).into_iter().map(sentence).collect()
    }

    /// Whether a place overlaps a write of which something is missing.
    fn lacks(&self, volume: &str, at: u64, length: u64, catalog: &Catalog) -> bool {
        let volume = catalog.find_volume(&VolumeId::new(volume));
        let Some(lacking) = volume.and_then(|volume| self.lacking.get(&volume)) else {
            return false;
        };
        let from = at.saturating_sub(lacking.longest);
        let mut near = lacking.spans.range((from, 0)..(at.saturating_add(length), 0));
        near.any(|&(_, end)| end > at)
    }

    /// Writes by volume.
    fn writes<'a>(&self, topology: &'a Topology, catalog: &Catalog) -> BTreeMap<&'a str, u64> {
        let mut extents: BTreeMap<DiskIndex, Vec<&Extent>> = BTreeMap::new();
        let mut holders: BTreeMap<&str, BTreeSet<(u32, NodeIndex)>> = BTreeMap::new();
        let known = catalog
            .disks()
            .iter()
            .zip(0..)
            .map(|(disk, at)| (&disk.id, DiskIndex(at)));
        let known: BTreeMap<&PhysicalDiskId, DiskIndex> = known.collect();
        for extent in topology.extents.extents() {
            let Some(&disk) = known.get(&extent.disk) else { continue };
            extents.entry(disk).or_default().push(extent);
            if let Some(node) = catalog.find_node(&catalog.disk(disk).node) {
                holders
                    .entry(extent.volume.as_str())
                    .or_default()
                    .insert((extent.copy, node));
            }
        }
        extents
            .values_mut()
            .for_each(|of_disk| of_disk.sort_by_key(|extent| extent.disk_offset));
        // Of each place in a volume how often each copy was written, as far as its node was seen.
        let mut written: BTreeMap<(&str, u64, u64), BTreeMap<u32, u64>> = BTreeMap::new();
        for (&(disk, offset, length), counts) in &self.places {
            let Some(of_disk) = extents.get(&disk) else { continue };
            let until = of_disk.partition_point(|extent| extent.disk_offset <= offset);
            let found = of_disk[..until].iter().rev().find_map(|extent| {
                let at = extent.volume_offset_of(offset, length)?;
                Some((extent.volume.as_str(), at, extent.copy))
            });
            // A drive may split a request, its bus target does not.
            let node = catalog.find_node(&catalog.disk(disk).node);
            let by_target = node.is_some_and(|node| self.has_targets.contains(&node));
            let times = u64::from(counts[usize::from(!by_target)]);
            let found = found.filter(|&(volume, at, _)| !self.lacks(volume, at, length, catalog));
            if let Some((volume, at, copy)) = found {
                let of_place = written.entry((volume, at, length)).or_default();
                *of_place.entry(copy).or_default() += times;
            }
        }
        let mut writes: BTreeMap<&str, u64> = BTreeMap::new();
        for ((volume, ..), copies) in written {
            let Some(holders) = holders.get(volume) else { continue };
            let heard: BTreeSet<u32> = holders
                .iter()
                .filter(|(_, node)| self.seen.contains(node))
                .map(|(copy, _)| *copy)
                .collect();
            let of_all = heard.iter().map(|copy| copies.get(copy).copied().unwrap_or(0));
            let count = of_all.min().filter(|_| heard.len() > 1).unwrap_or(0);
            if count > 0 {
                *writes.entry(volume).or_default() += count;
            }
        }
        writes
    }
}

#[cfg(test)]
mod tests;
