//! The extent map by index: from bytes of a volume to places on disks.

use std::collections::BTreeSet;

use fathom_model::{Catalog, DiskIndex, NodeIndex, Stripe, Topology, VolumeIndex};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

mod parity;
mod spots;
mod striped;

pub(crate) use parity::ParityPart;
use parity::ParityRows;
use spots::Beside;
pub(crate) use spots::Spot;

/// Where one copy of one part of an I/O lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) part: u32,
    pub(crate) copy: u32,
    pub(crate) disk: DiskIndex,
    pub(crate) node: NodeIndex,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    /// Another place may be meant instead: the extent map changed about when the I/O was made.
    pub(crate) alternative: bool,
}

/// The copies of one I/O, in order of part and copy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    pub(crate) places: SmallVec<[Place; 3]>,
    /// Whether the map has every byte of the I/O, for every copy that it has any byte of.
    pub(crate) whole: bool,
    /// How many parts have copies in `places`.
    pub(crate) parts: u32,
    /// The parts that lie in a parity tier, where which bytes are on which disk is not known.
    pub(crate) parity: Vec<ParityPart>,
}

impl Places {
    /// The nodes that something of the I/O may have gone to; some more than once.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        let rows = self.parity.iter().flat_map(|part| part.row.slabs.iter());
        self.places
            .iter()
            .map(|place| place.node)
            .chain(rows.map(|slab| slab.node))
    }
}

/// The volumes of a topology.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    /// By the index of the volume.
    volumes: Vec<Option<VolumeLayout>>,
    /// Every disk ever known, by the node that it is connected to.
    disks: FxHashMap<NodeIndex, Vec<DiskIndex>>,
    /// The node of every disk that a topology has named.
    nodes: Vec<Option<NodeIndex>>,
}

#[derive(Clone, Debug, Default)]
struct VolumeLayout {
    /// By copy number; each copy's extents by offset.
    copies: Vec<(u32, Vec<Piece>)>,
    /// Of a volume with several columns how each piece takes part in its row, as in `copies`; else empty. A piece then spans its row.
    stripes: Vec<Vec<Stripe>>,
    /// Whether the map changes with time.
    timed: bool,
    /// The length of all pieces, where they are all as long and follow on one another from 0: then a piece needs no search.
    even: Option<u64>,
    /// Of such a volume of which all copies have as many pieces: what is at the first offset, of all copies, then at the next one.
    beside: Vec<Beside>,
    /// Its parity tier.
    parity: ParityRows,
}

impl VolumeLayout {
    /// The first piece of a copy that ends beyond an offset.
    fn first_piece(&self, pieces: &[Piece], offset: u64) -> usize {
        match self.even {
            Some(length) => usize::try_from(offset / length).unwrap_or(usize::MAX).min(pieces.len()),
            None => pieces.partition_point(|piece| piece.until <= offset),
        }
    }

    fn note_even(&mut self) {
        let first = self.copies.first().and_then(|(_, pieces)| pieces.first());
        let Some(length) = first.map(|piece| piece.until) else {
            return;
        };
        let follows = |(at, piece): (usize, &Piece)| {
            let from = (at as u64).checked_mul(length);
            from == Some(piece.from) && piece.until - piece.from == length
        };
        self.timed = self.copies.iter().any(|(_, pieces)| pieces.iter().any(Piece::is_timed));
        if self.timed {
            for (at, (_, pieces)) in self.copies.iter_mut().enumerate() {
                note_sure(pieces, self.stripes.get(at).map_or(&[], Vec::as_slice));
            }
        }
        if self.timed || !self.stripes.is_empty() {
            return;
        }
        let even = self
            .copies
            .iter()
            .all(|(_, pieces)| pieces.iter().enumerate().all(follows));
        self.even = even.then_some(length);
        if even {
            self.beside = self.pieces_beside();
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    from: u64,
    until: u64,
    disk: DiskIndex,
    node: NodeIndex,
    disk_offset: u64,
    /// When it may be in force.
    valid: (i64, i64),
    /// Between these, both left out, nothing else can be in its place.
    sure: (i64, i64),
}

/// Since ever, for ever.
const ALWAYS: (i64, i64) = (i64::MIN, i64::MAX);

impl Piece {
    fn is_timed(&self) -> bool {
        self.valid != ALWAYS
    }

    const fn meets(&self, (start, end): (i64, i64)) -> bool {
        self.valid.0 <= end && start <= self.valid.1
    }

    const fn is_sure(&self, (start, end): (i64, i64)) -> bool {
        (self.sure.0 == i64::MIN || self.sure.0 < start) && (self.sure.1 == i64::MAX || end < self.sure.1)
    }
}

/// Notes from when until when each piece of a copy, in order of offset, is the only one that can be meant.
fn note_sure(pieces: &mut [Piece], stripes: &[Stripe]) {
    let longest = pieces.iter().map(|piece| piece.until - piece.from).max().unwrap_or(0);
    for at in 0..pieces.len() {
        let piece = pieces[at];
        let first = pieces.partition_point(|other| other.from < piece.from.saturating_sub(longest));
        let near = (first..pieces.len()).take_while(|&other| pieces[other].from < piece.until);
        let near =
            near.filter(|&other| !striped::are_beside((&piece, stripes.get(at)), (&pieces[other], stripes.get(other))));
        let near = near.map(|other| pieces[other]);
        let others = near.filter(|other| other.until > piece.from && other.valid != piece.valid);
        let mut sure = ALWAYS;
        for other in others {
            if other.valid.1 < piece.valid.1 {
                sure.0 = sure.0.max(other.valid.1);
            } else {
                sure.1 = sure.1.min(other.valid.0);
            }
        }
        pieces[at].sure = sure;
    }
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
            layout.nodes.push(Some(node));
        }
        for volume in &topology.volumes {
            layout.volume(catalog.intern_volume(&volume.id));
        }
        // The map is sorted by volume, copy and offset: pieces come in the order in which they are needed.
        for extent in topology
            .extents
            .extents()
            .iter()
            .filter(|extent| extent.parity.is_none())
        {
            let Some(&(disk, node)) = disks.get(&extent.disk) else {
                continue;
            };
            let volume = layout.volume(catalog.intern_volume(&extent.volume));
            let piece = Piece {
                from: extent.volume_offset,
                until: extent.volume_end(),
                disk,
                node,
                disk_offset: extent.disk_offset,
                valid: extent.valid.span(),
                sure: ALWAYS,
            };
            match volume.copies.last_mut() {
                Some((copy, pieces)) if *copy == extent.copy => pieces.push(piece),
                _ => volume.copies.push((extent.copy, vec![piece])),
            }
        }
        striped::add(&mut layout, topology, catalog);
        parity::add(&mut layout, topology, catalog, &disks);
        layout.volumes.iter_mut().flatten().for_each(VolumeLayout::note_even);
        layout
    }

    /// Forgets disks that no topology has named.
    pub(crate) fn leave_out(&mut self, disks: &BTreeSet<DiskIndex>) {
        for of_node in self.disks.values_mut() {
            of_node.retain(|disk| !disks.contains(disk));
        }
        for disk in disks {
            if let Some(node) = self.nodes.get_mut(disk.as_usize()) {
                *node = None;
            }
        }
    }

    fn volume(&mut self, volume: VolumeIndex) -> &mut VolumeLayout {
        let at = volume.as_usize();
        if self.volumes.len() <= at {
            self.volumes.resize_with(at + 1, || None);
        }
        self.volumes[at].get_or_insert_default()
    }

    fn get(&self, volume: VolumeIndex) -> Option<&VolumeLayout> {
        self.volumes.get(volume.as_usize())?.as_ref()
    }

    /// The disks of a node.
    pub(crate) fn disks_of(&self, node: NodeIndex) -> &[DiskIndex] {
        self.disks.get(&node).map_or(&[], Vec::as_slice)
    }

    /// The node that a disk is connected to.
    pub(crate) fn node_of(&self, disk: DiskIndex) -> Option<NodeIndex> {
        self.nodes.get(disk.as_usize()).copied().flatten()
    }

    /// Whether a volume has an extent on one of some disks.
    pub(crate) fn is_on_any(&self, volume: VolumeIndex, disks: &BTreeSet<DiskIndex>) -> bool {
        let pieces = self.get(volume).into_iter().flat_map(|volume| &volume.copies);
        !disks.is_empty()
            && pieces
                .flat_map(|(_, pieces)| pieces)
                .any(|piece| disks.contains(&piece.disk))
    }

    /// The disk of another copy that has, so many bytes further, what the map has on a disk; where there is one.
    pub(crate) fn other_copy_at(&self, disk: DiskIndex, bytes: i64) -> Option<DiskIndex> {
        let begin = |piece: &Piece| piece.disk_offset.wrapping_sub(piece.from);
        let copies = self.volumes.iter().flatten().map(|volume| &volume.copies);
        copies.into_iter().find_map(|copies| {
            let own = copies
                .iter()
                .flat_map(|(copy, pieces)| pieces.iter().map(move |piece| (copy, piece)));
            own.filter(|(_, piece)| piece.disk == disk).find_map(|(own, piece)| {
                let others = copies
                    .iter()
                    .filter(|(copy, _)| copy != own)
                    .flat_map(|(_, pieces)| pieces);
                let mut others = others.filter(|other| other.from < piece.until && piece.from < other.until);
                let other = others.find(|other| begin(other).wrapping_sub(begin(piece)) as i64 == bytes);
                other.map(|other| other.disk)
            })
        })
    }

    pub(crate) fn knows(&self, volume: VolumeIndex) -> bool {
        self.get(volume).is_some()
    }

    /// Whether the extent map of a volume changes with time.
    pub(crate) fn is_timed(&self, volume: VolumeIndex) -> bool {
        self.get(volume).is_some_and(|volume| volume.timed)
    }

    /// Where the bytes of an I/O lie that was made between two moments: where the map changed about then, both as it was before
    /// and after.
    pub(crate) fn places_at(&self, volume: VolumeIndex, offset: u64, length: u64, time: (i64, i64)) -> Places {
        match self.get(volume) {
            Some(layout) if !layout.parity.is_empty() => self.places_of_tiers((volume, layout), offset, length, time),
            _ => self.copies_at(volume, offset, length, time),
        }
    }

    /// The same of what lies in copies.
    fn copies_at(&self, volume: VolumeIndex, offset: u64, length: u64, time: (i64, i64)) -> Places {
        let Some(layout) = self.get(volume).filter(|volume| volume.timed) else {
            return self.places(volume, offset, length);
        };
        let end = offset.saturating_add(length);
        if layout.is_striped() {
            let mut places = Vec::new();
            let (whole, parts) = layout.add_striped((offset, end), Some(time), &mut places);
            return Places {
                places: places.into(),
                whole,
                parts,
                parity: Vec::new(),
            };
        }
        let mut found = Places {
            whole: true,
            ..Places::default()
        };
        let mut starts: SmallVec<[u64; 8]> = SmallVec::new();
        for (copy, pieces) in &layout.copies {
            let mut at = offset;
            let near = pieces.iter().skip_while(|piece| piece.until <= offset);
            let near = near.take_while(|piece| piece.from < end);
            for piece in near.filter(|piece| piece.until > offset && piece.meets(time)) {
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
                    alternative: !piece.is_sure(time),
                });
                at = at.max(until);
            }
            found.whole &= at >= end;
        }
        let in_order = starts.clone();
        starts.sort_unstable();
        starts.dedup();
        for (place, start) in found.places.iter_mut().zip(in_order) {
            place.part = starts.partition_point(|&other| other < start) as u32;
        }
        found.places.sort_by_key(|place| (place.part, place.copy));
        found.whole &= !found.places.is_empty();
        found.parts = starts.len() as u32;
        found
    }

    /// Where the bytes of an I/O lie. An I/O that crosses borders has a part for each stretch between them.
    pub(crate) fn places(&self, volume: VolumeIndex, offset: u64, length: u64) -> Places {
        let mut found = Places::default();
        let mut places = Vec::new();
        (found.whole, found.parts) = self.add_places(volume, offset, length, &mut places);
        found.places = places.into();
        found
    }

    /// How many copies a volume has at most.
    pub(crate) fn most_copies(&self) -> usize {
        let volumes = self.volumes.iter().flatten();
        volumes.map(|volume| volume.copies.len()).max().unwrap_or(0)
    }

    /// Adds the places of an I/O in the order of part and copy; says whether the map has all of it, and the number of parts.
    pub(crate) fn add_places(
        &self,
        volume: VolumeIndex,
        offset: u64,
        length: u64,
        places: &mut Vec<Place>,
    ) -> (bool, u32) {
        let Some(volume) = self.get(volume) else {
            return (true, 0);
        };
        let end = offset.saturating_add(length);
        if volume.is_striped() {
            return volume.add_striped((offset, end), None, places);
        }
        let first_place = places.len();
        let mut whole = true;
        let mut starts: SmallVec<[u64; 8]> = SmallVec::new();
        for (copy, pieces) in &volume.copies {
            let first = volume.first_piece(pieces, offset);
            let mut at = offset;
            for piece in pieces[first..].iter().take_while(|piece| piece.from < end) {
                whole &= piece.from <= at;
                let from = piece.from.max(offset);
                let until = piece.until.min(end);
                starts.push(from);
                places.push(Place {
                    part: 0,
                    copy: *copy,
                    disk: piece.disk,
                    node: piece.node,
                    offset: piece.disk_offset + (from - piece.from),
                    length: until - from,
                    alternative: false,
                });
                at = until;
            }
            whole &= at >= end;
        }
        let Some(&one) = starts.first() else {
            return (false, 0);
        };
        if starts.iter().all(|&start| start == one) {
            return (whole, 1);
        }
        let in_order = starts.clone();
        starts.sort_unstable();
        starts.dedup();
        for (place, start) in places[first_place..].iter_mut().zip(in_order) {
            place.part = starts.partition_point(|&other| other < start) as u32;
        }
        places[first_place..].sort_by_key(|place| (place.part, place.copy));
        (whole, starts.len() as u32)
    }

    /// Every (copy, disk) that a flush of the volume reaches that was made between two moments.
    pub(crate) fn disks(&self, volume: VolumeIndex, time: (i64, i64)) -> Places {
        let mut found = Places {
            whole: true,
            parts: 1,
            ..Places::default()
        };
        let Some(volume) = self.get(volume) else {
            return found;
        };
        for (copy, pieces) in &volume.copies {
            for piece in pieces.iter().filter(|piece| piece.meets(time)) {
                let place = Place {
                    part: 0,
                    copy: *copy,
                    disk: piece.disk,
                    node: piece.node,
                    offset: 0,
                    length: 0,
                    alternative: !piece.is_sure(time),
                };
                let same = |other: &&mut Place| (other.copy, other.disk) == (place.copy, place.disk);
                match found.places.iter_mut().find(same) {
                    // One extent that is there for sure is enough.
                    Some(other) => other.alternative &= place.alternative,
                    None => found.places.push(place),
                }
            }
        }
        volume.add_parity_disks(time, &mut found.places);
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
        let volume = self.get(volume)?;
        let of_parity = || volume.parity_disk_at(copy, node, disk_offset);
        let Some(at) = volume.copies.iter().position(|(number, _)| *number == copy) else {
            return of_parity();
        };
        let holds = |(number, piece): &(usize, &Piece)| {
            let end = piece.disk_offset.saturating_add(volume.disk_bytes(at, *number));
            piece.node == node && (piece.disk_offset..end).contains(&disk_offset)
        };
        let pieces = volume.copies[at].1.iter().enumerate();
        let mut disks = pieces.filter(holds).map(|(_, piece)| piece.disk);
        let Some(first) = disks.next() else {
            return of_parity();
        };
        disks.all(|disk| disk == first).then_some(first)
    }
}

#[cfg(test)]
mod tests;
