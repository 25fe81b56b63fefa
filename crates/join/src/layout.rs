//! The extent map by index: from bytes of a volume to places on disks.

use fathom_model::{Catalog, DiskIndex, NodeIndex, Topology, VolumeIndex};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// Where one copy of one part of an I/O lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) part: u32,
    pub(crate) copy: u32,
    pub(crate) disk: DiskIndex,
    pub(crate) node: NodeIndex,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// The copies of one I/O, in order of part and copy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    pub(crate) places: SmallVec<[Place; 3]>,
    /// Whether the map has every byte of the I/O, for every copy that it has any byte of.
    pub(crate) whole: bool,
    pub(crate) parts: u32,
}

/// The volumes of a topology.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    volumes: FxHashMap<VolumeIndex, VolumeLayout>,
    /// Every disk ever known, by the node that it is connected to.
    disks: FxHashMap<NodeIndex, Vec<DiskIndex>>,
}

#[derive(Clone, Debug, Default)]
struct VolumeLayout {
    /// By copy number; each copy's extents by offset.
    copies: Vec<(u32, Vec<Piece>)>,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    from: u64,
    until: u64,
    disk: DiskIndex,
    node: NodeIndex,
    disk_offset: u64,
}

impl Layout {
    pub(crate) fn new(topology: &Topology, catalog: &mut Catalog) -> Self {
        let disks: FxHashMap<_, _> = topology
            .disks
            .iter()
            .map(|disk| (&disk.id, (catalog.intern_disk(disk), catalog.intern_node(&disk.node))))
            .collect();
        let mut layout = Self::default();
        for (at, disk) in catalog.disks().to_vec().iter().enumerate() {
            let node = catalog.intern_node(&disk.node);
            layout.disks.entry(node).or_default().push(DiskIndex(at as u32));
        }
        for volume in &topology.volumes {
            layout
                .volumes
                .insert(catalog.intern_volume(&volume.id), VolumeLayout::default());
        }
        // The map is sorted by volume, copy and offset: pieces come in the order in which they are needed.
        for extent in topology.extents.extents() {
            let Some(&(disk, node)) = disks.get(&extent.disk) else {
                continue;
            };
            let volume = layout.volumes.entry(catalog.intern_volume(&extent.volume)).or_default();
            let piece = Piece {
                from: extent.volume_offset,
                until: extent.volume_end(),
                disk,
                node,
                disk_offset: extent.disk_offset,
            };
            match volume.copies.last_mut() {
                Some((copy, pieces)) if *copy == extent.copy => pieces.push(piece),
                _ => volume.copies.push((extent.copy, vec![piece])),
            }
        }
        layout
    }

    /// The disks of a node.
    pub(crate) fn disks_of(&self, node: NodeIndex) -> &[DiskIndex] {
        self.disks.get(&node).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn knows(&self, volume: VolumeIndex) -> bool {
        self.volumes.contains_key(&volume)
    }

    /// Where the bytes of an I/O lie. An I/O that crosses borders has a part for each stretch between them.
    pub(crate) fn places(&self, volume: VolumeIndex, offset: u64, length: u64) -> Places {
        let mut found = Places {
            whole: true,
            ..Places::default()
        };
        let Some(volume) = self.volumes.get(&volume) else {
            return found;
        };
        let end = offset.saturating_add(length);
        let mut starts: SmallVec<[u64; 4]> = SmallVec::new();
        for (copy, pieces) in &volume.copies {
            let first = pieces.partition_point(|piece| piece.until <= offset);
            let mut at = offset;
            for piece in pieces[first..].iter().take_while(|piece| piece.from < end) {
                found.whole &= piece.from <= at;
                let from = piece.from.max(offset);
                let until = piece.until.min(end);
                starts.push(from);
                found.places.push(Place {
                    part: 0,
                    copy: *copy,
                    disk: piece.disk,
                    node: piece.node,
                    offset: piece.disk_offset + (from - piece.from),
                    length: until - from,
                });
                at = until;
            }
            found.whole &= at >= end;
        }
        let in_order = starts.clone();
        starts.sort_unstable();
        starts.dedup();
        found.parts = starts.len() as u32;
        if found.parts > 1 {
            for (place, start) in found.places.iter_mut().zip(in_order) {
                place.part = starts.partition_point(|&other| other < start) as u32;
            }
            found.places.sort_by_key(|place| (place.part, place.copy));
        }
        found.whole &= found.parts > 0;
        found
    }

    /// Every (copy, disk) that a flush of the volume reaches.
    pub(crate) fn disks(&self, volume: VolumeIndex) -> Places {
        let mut found = Places {
            whole: true,
            parts: 1,
            ..Places::default()
        };
        let Some(volume) = self.volumes.get(&volume) else {
            return found;
        };
        for (copy, pieces) in &volume.copies {
            for piece in pieces {
                let place = Place {
                    part: 0,
                    copy: *copy,
                    disk: piece.disk,
                    node: piece.node,
                    offset: 0,
                    length: 0,
                };
                if !found.places.contains(&place) {
                    found.places.push(place);
                }
            }
        }
        found.whole = !found.places.is_empty();
        found
    }

    /// The disk of `node` on which copy `copy` of `volume` has the byte at `disk_offset`; `None` where several have it.
    pub(crate) fn disk_at(
        &self,
        volume: VolumeIndex,
        copy: u32,
        node: NodeIndex,
        disk_offset: u64,
    ) -> Option<DiskIndex> {
        let (_, pieces) = self
            .volumes
            .get(&volume)?
            .copies
            .iter()
            .find(|(number, _)| *number == copy)?;
        let holds = |piece: &&Piece| {
            piece.node == node
                && (piece.disk_offset..piece.disk_offset + (piece.until - piece.from)).contains(&disk_offset)
        };
        let mut disks = pieces.iter().filter(holds).map(|piece| piece.disk);
        let first = disks.next()?;
        disks.all(|disk| disk == first).then_some(first)
    }
}

#[cfg(test)]
mod tests;
