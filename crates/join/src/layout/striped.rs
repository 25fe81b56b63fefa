//! Volumes with several columns: stripes are computed and not listed, so that a large volume takes no more memory than its slabs do.

use fathom_model::{Catalog, PhysicalDiskId, Stripe, Topology};
use smallvec::SmallVec;

use super::{Layout, Piece, Place, VolumeLayout};

/// Notes the stripes of volumes that have any extent of several columns, for all of their pieces, which are in the order of the map.
pub(super) fn add(layout: &mut Layout, topology: &Topology, catalog: &mut Catalog) {
    let extents = topology.extents.extents();
    for of_volume in extents.chunk_by(|a, b| a.volume == b.volume) {
        if of_volume.iter().all(|extent| extent.stripe.is_none()) {
            continue;
        }
        let known = |disk: &PhysicalDiskId| topology.disks.iter().any(|known| known.id == *disk);
        let volume = layout.volume(catalog.intern_volume(&of_volume[0].volume));
        let mut last = None;
        let of_copies = of_volume.iter().filter(|extent| extent.parity.is_none());
        for extent in of_copies.filter(|extent| known(&extent.disk)) {
            if last.replace(extent.copy) != Some(extent.copy) {
                volume.stripes.push(Vec::new());
            }
            let stripe = extent.stripe.unwrap_or_else(|| Stripe::alone(extent.length));
            if let Some(of_copy) = volume.stripes.last_mut() {
                of_copy.push(stripe);
            }
        }
    }
}

/// Whether two pieces are of different columns of one row, so that neither can be meant for the other.
pub(super) fn are_beside(one: (&Piece, Option<&Stripe>), other: (&Piece, Option<&Stripe>)) -> bool {
    let (Some(own), Some(others)) = (one.1, other.1) else {
        return false;
    };
    let same_row = (one.0.from, one.0.until) == (other.0.from, other.0.until);
    let same_way = (own.columns, own.interleave_bytes) == (others.columns, others.interleave_bytes);
    same_row && same_way && own.column != others.column
}

impl VolumeLayout {
    pub(super) const fn is_striped(&self) -> bool {
        !self.stripes.is_empty()
    }

    /// How much a piece takes of its disk: its copy and it by their places in the lists.
    pub(super) fn disk_bytes(&self, copy: usize, piece: usize) -> u64 {
        let columns = self
            .stripes
            .get(copy)
            .and_then(|stripes| stripes.get(piece))
            .map_or(1, |stripe| u64::from(stripe.columns).max(1));
        let piece = &self.copies[copy].1[piece];
        (piece.until - piece.from) / columns
    }

    /// Adds the places of `offset..end` in the order of part and copy, with `time` those in force at some moment of it; says whether the
    /// map has all of it, and the number of parts.
    pub(super) fn add_striped(
        &self,
        (offset, end): (u64, u64),
        time: Option<(i64, i64)>,
        places: &mut Vec<Place>,
    ) -> (bool, u32) {
        let mut found: SmallVec<[(u64, Place); 8]> = SmallVec::new();
        let mut whole = true;
        for ((copy, pieces), stripes) in self.copies.iter().zip(&self.stripes) {
            // Without versions the ends of rows go up as their starts do.
            let first = match time {
                None => pieces.partition_point(|piece| piece.until <= offset),
                Some(_) => 0,
            };
            let of_copy = found.len();
            let near = pieces.iter().zip(stripes).skip(first);
            for (piece, stripe) in near.take_while(|(piece, _)| piece.from < end) {
                if piece.until <= offset || time.is_some_and(|time| !piece.meets(time)) {
                    continue;
                }
                let (from, until) = (piece.from.max(offset), piece.until.min(end));
                for (within, length, in_slab) in stripe.parts(from - piece.from, until - piece.from) {
                    let place = Place {
                        part: 0,
                        copy: *copy,
                        disk: piece.disk,
                        node: piece.node,
                        offset: piece.disk_offset + in_slab,
                        length,
                        alternative: time.is_some_and(|time| !piece.is_sure(time)),
                    };
                    found.push((piece.from + within, place));
                }
            }
            found[of_copy..].sort_by_key(|(start, _)| *start);
            let mut at = offset;
            for (start, place) in &found[of_copy..] {
                whole &= *start <= at;
                at = at.max(start.saturating_add(place.length));
            }
            whole &= at >= end;
        }
        let mut starts: SmallVec<[u64; 8]> = found.iter().map(|(start, _)| *start).collect();
        starts.sort_unstable();
        starts.dedup();
        let first_place = places.len();
        places.extend(found.into_iter().map(|(start, mut place)| {
            place.part = starts.partition_point(|&other| other < start) as u32;
            place
        }));
        places[first_place..].sort_by_key(|place| (place.part, place.copy));
        (whole && !starts.is_empty(), starts.len() as u32)
    }
}

#[cfg(test)]
mod tests;
