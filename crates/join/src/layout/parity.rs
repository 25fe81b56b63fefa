//! Parity tiers: rows of slabs of which it is known which bytes of the volume they hold together, and not where in them.

use std::sync::Arc;

use fathom_model::{Catalog, DiskIndex, Extent, NodeIndex, Parity, PhysicalDiskId, Topology, VolumeIndex};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::{Layout, Place, Places, VolumeLayout};

/// The rows of a volume's parity tier, by offset and copy.
#[derive(Clone, Debug, Default)]
pub(super) struct ParityRows {
    rows: Vec<Arc<ParityRow>>,
    /// Bytes of the longest.
    longest: u64,
}

impl ParityRows {
    pub(super) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Those that have some of the bytes between two.
    fn with_bytes(&self, from: u64, until: u64) -> impl Iterator<Item = &Arc<ParityRow>> {
        let begin = from.saturating_sub(self.longest);
        let first = self.rows.partition_point(|row| row.bytes.0 < begin);
        let near = self.rows[first..].iter().take_while(move |row| row.bytes.0 < until);
        near.filter(move |row| row.bytes.1 > from)
    }

    /// Puts rows that are whole in order.
    fn sort(&mut self) {
        for row in self.rows.iter_mut().filter_map(Arc::get_mut) {
            row.slabs.sort_by_key(|slab| (slab.number, slab.valid));
        }
        self.rows.sort_by_key(|row| (row.bytes, row.copy));
        self.longest = self.rows.iter().map(|row| row.bytes.1 - row.bytes.0).max().unwrap_or(0);
    }
}

/// A row of slabs of a parity tier.
#[derive(Clone, Debug)]
pub(crate) struct ParityRow {
    copy: u32,
    /// Bytes of the volume that it holds: from, until.
    bytes: (u64, u64),
    slab_bytes: u64,
    /// What its columns have in common.
    common: Parity,
    /// By column, then by when they are in force.
    pub(crate) slabs: Vec<ParitySlab>,
}

/// One column of a row.
#[derive(Clone, Debug)]
pub(crate) struct ParitySlab {
    /// The number by which its legs are told apart: the column, of a further copy beyond all columns of those before.
    pub(crate) number: u32,
    pub(crate) disk: DiskIndex,
    pub(crate) node: NodeIndex,
    /// First byte on the disk.
    offset: u64,
    valid: (i64, i64),
    /// When another extent may have some of the same bytes of the disk: then nothing seen there is known to be of this one.
    shared: SmallVec<[(i64, i64); 1]>,
}

/// A part of an I/O in a row.
#[derive(Clone, Debug)]
pub(crate) struct ParityPart {
    pub(crate) part: u32,
    pub(crate) row: Arc<ParityRow>,
    /// From and until, within the row.
    bytes: (u64, u64),
}

impl ParityPart {
    /// Where in the slabs of its row that lies which has to do with it: from, until.
    pub(crate) fn in_slabs(&self) -> (u64, u64) {
        self.row.common.in_slab(self.bytes, self.row.slab_bytes)
    }

    /// How many columns something has to be seen on at least, with parity or without.
    pub(crate) fn least_columns(&self, with_parity: bool) -> u32 {
        let data = self.row.common.least_data_columns(self.bytes);
        if with_parity && data > 0 {
            data + self.row.common.parity_columns
        } else {
            data
        }
    }

    /// Whether all columns have to do with it.
    pub(crate) fn has_all_columns(&self) -> bool {
        self.least_columns(true) == self.row.common.columns
    }
}

impl ParitySlab {
    /// Bytes of the disk, from and until, that stand for bytes of the slab.
    pub(crate) const fn on_disk(&self, (from, until): (u64, u64)) -> (u64, u64) {
        (self.offset.saturating_add(from), self.offset.saturating_add(until))
    }

    /// Whether it may be in force at some moment between two.
    pub(crate) const fn meets(&self, time: (i64, i64)) -> bool {
        meets(self.valid, time)
    }

    /// Whether what is seen in its bytes between two moments is of no other extent.
    pub(crate) fn is_alone(&self, time: (i64, i64)) -> bool {
        !self.shared.iter().any(|&other| meets(other, time))
    }
}

const fn meets(valid: (i64, i64), time: (i64, i64)) -> bool {
    valid.0 <= time.1 && time.0 <= valid.1
}

impl ParityRow {
    /// How many columns it has, those of parity with them.
    pub(crate) const fn columns(&self) -> u32 {
        self.common.columns
    }

    /// The bytes of its disk that a slab has: from, until.
    pub(crate) const fn on_disk(&self, slab: &ParitySlab) -> (u64, u64) {
        slab.on_disk((0, self.slab_bytes))
    }

    /// Where its slab lies on a disk, so that something seen there at some time lies in it: that slab.
    pub(crate) fn slab_at(&self, disk: DiskIndex, (from, until): (u64, u64), time: (i64, i64)) -> Option<&ParitySlab> {
        self.slabs.iter().find(|slab| {
            let (begin, end) = slab.on_disk((0, self.slab_bytes));
            slab.disk == disk && begin <= from && until <= end && slab.meets(time) && slab.is_alone(time)
        })
    }
}

/// Notes the rows of parity tiers, whose extents are in the order of the map.
pub(super) fn add(
    layout: &mut Layout,
    topology: &Topology,
    catalog: &mut Catalog,
    disks: &FxHashMap<&PhysicalDiskId, (DiskIndex, NodeIndex)>,
) {
    let extents = topology.extents.extents();
    if extents.iter().all(|extent| extent.parity.is_none()) {
        return;
    }
    let on_disks = OnDisks::new(extents);
    for (at, extent) in extents.iter().enumerate() {
        let (Some(parity), Some(&(disk, node))) = (extent.parity, disks.get(&extent.disk)) else {
            continue;
        };
        let volume = layout.volume(catalog.intern_volume(&extent.volume));
        let common = Parity { column: 0, ..parity };
        let bytes = (extent.volume_offset, extent.volume_end());
        let slab = ParitySlab {
            number: extent.copy.saturating_mul(parity.columns).saturating_add(parity.column),
            disk,
            node,
            offset: extent.disk_offset,
            valid: extent.valid.span(),
            shared: on_disks.others(extents, at),
        };
        let same = |row: &&mut Arc<ParityRow>| {
            let own = (row.copy, row.bytes, row.slab_bytes, row.common);
            own == (extent.copy, bytes, extent.length, common)
        };
        match volume.parity.rows.iter_mut().rev().find(same).and_then(Arc::get_mut) {
            Some(row) => row.slabs.push(slab),
            None => volume.parity.rows.push(Arc::new(ParityRow {
                copy: extent.copy,
                bytes,
                slab_bytes: extent.length,
                common,
                slabs: vec![slab],
            })),
        }
    }
    layout
        .volumes
        .iter_mut()
        .flatten()
        .for_each(|volume| volume.parity.sort());
}

/// All extents of each disk in the order of where they begin on it.
struct OnDisks<'a> {
    of: FxHashMap<&'a PhysicalDiskId, Vec<usize>>,
    longest: u64,
}

impl<'a> OnDisks<'a> {
    fn new(extents: &'a [Extent]) -> Self {
        let mut of: FxHashMap<&PhysicalDiskId, Vec<usize>> = FxHashMap::default();
        for (at, extent) in extents.iter().enumerate() {
            of.entry(&extent.disk).or_default().push(at);
        }
        of.values_mut()
            .for_each(|of_disk| of_disk.sort_by_key(|&at| extents[at].disk_offset));
        Self {
            of,
            longest: extents.iter().map(|extent| extent.length).max().unwrap_or(0),
        }
    }

    /// When others have some of the bytes of one.
    fn others(&self, extents: &[Extent], own: usize) -> SmallVec<[(i64, i64); 1]> {
        let one = &extents[own];
        let of_disk = self.of.get(&one.disk).map_or(&[][..], Vec::as_slice);
        let begin = one.disk_offset.saturating_sub(self.longest);
        let first = of_disk.partition_point(|&at| extents[at].disk_offset < begin);
        let end = one.disk_offset.saturating_add(one.length);
        let near = of_disk[first..].iter().take_while(|&&at| extents[at].disk_offset < end);
        let near = near.filter(|&&at| at != own).map(|&at| &extents[at]);
        let overlap = near.filter(|other| other.disk_offset.saturating_add(other.length) > one.disk_offset);
        overlap.map(|other| other.valid.span()).collect()
    }
}

impl VolumeLayout {
    /// Adds the disks of the parity tier that hold no copy for a flush made between two moments.
    pub(super) fn add_parity_disks(&self, time: (i64, i64), places: &mut SmallVec<[Place; 3]>) {
        let copies = places.len();
        for slab in self
            .parity
            .rows
            .iter()
            .flat_map(|row| &row.slabs)
            .filter(|slab| slab.meets(time))
        {
            // Which of its rows a flush has something to write for is not known: one request a disk.
            if places.iter().all(|place| place.disk != slab.disk) {
                places.push(Place {
                    part: 0,
                    copy: slab.number,
                    disk: slab.disk,
                    node: slab.node,
                    offset: 0,
                    length: 0,
                    alternative: slab.valid != super::ALWAYS,
                });
            }
        }
        places[copies..].sort_by_key(|place| (place.copy, place.disk));
    }

    /// The disk of `node` on which column number `copy` has the byte at `disk_offset`; `None` where several have it.
    pub(super) fn parity_disk_at(&self, copy: u32, node: NodeIndex, disk_offset: u64) -> Option<DiskIndex> {
        let holds = |row: &ParityRow, slab: &ParitySlab| {
            let (begin, end) = slab.on_disk((0, row.slab_bytes));
            slab.node == node && slab.number == copy && (begin..end).contains(&disk_offset)
        };
        let rows = self.parity.rows.iter();
        let mut disks = rows.flat_map(|row| row.slabs.iter().filter(|slab| holds(row, slab)).map(|slab| slab.disk));
        let first = disks.next()?;
        disks.all(|disk| disk == first).then_some(first)
    }
}

impl Layout {
    /// Whether a volume has a parity tier.
    pub(crate) fn has_parity(&self, volume: VolumeIndex) -> bool {
        self.get(volume).is_some_and(|volume| !volume.parity.is_empty())
    }

    /// The disks that hold slabs of a parity tier, and their nodes.
    pub(crate) fn parity_disks(&self) -> impl Iterator<Item = (DiskIndex, NodeIndex)> + '_ {
        let rows = self.volumes.iter().flatten().flat_map(|volume| &volume.parity.rows);
        rows.flat_map(|row| row.slabs.iter().map(|slab| (slab.disk, slab.node)))
    }

    /// Where the bytes of an I/O lie on a volume that has a parity tier: what is in a row of it is a part of its own.
    pub(super) fn places_of_tiers(
        &self,
        (volume, layout): (VolumeIndex, &VolumeLayout),
        offset: u64,
        length: u64,
        time: (i64, i64),
    ) -> Places {
        let end = offset.saturating_add(length);
        let near: SmallVec<[&Arc<ParityRow>; 4]> = layout.parity.with_bytes(offset, end).collect();
        let mut borders: SmallVec<[u64; 8]> = SmallVec::from_slice(&[offset, end]);
        borders.extend(near.iter().flat_map(|row| [row.bytes.0, row.bytes.1]));
        borders.retain(|border| (offset..=end).contains(border));
        borders.sort_unstable();
        borders.dedup();
        if near.is_empty() || borders.len() < 2 {
            return self.copies_at(volume, offset, length, time);
        }
        let mut found = Places {
            whole: true,
            ..Places::default()
        };
        let mut part = 0;
        for stretch in borders.windows(2) {
            let (from, until) = (stretch[0], stretch[1]);
            let rows = near.iter().filter(|row| row.bytes.0 <= from && until <= row.bytes.1);
            let before = found.parity.len();
            found.parity.extend(rows.map(|&row| ParityPart {
                part,
                row: Arc::clone(row),
                bytes: (from - row.bytes.0, until - row.bytes.0),
            }));
            let copies = self.copies_at(volume, from, until - from, time);
            // What is in no copy is whole where a row has it.
            found.whole &= copies.whole || (copies.places.is_empty() && found.parity.len() > before);
            found.places.extend(copies.places.into_iter().map(|place| Place {
                part: part + place.part,
                ..place
            }));
            found.parts += copies.parts;
            part += copies.parts.max(1);
        }
        found
    }
}

#[cfg(test)]
mod tests;
