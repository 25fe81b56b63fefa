//! Places in a few bytes, for the many I/Os that wait.

use fathom_model::{DiskIndex, NodeIndex, VolumeIndex};

use super::{Layout, Place, VolumeLayout};

/// A [`Place`] in a few bytes, for the many that wait: of an I/O of moderate size, and the only one that may be meant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    pub(crate) offset: u64,
    pub(crate) length: u32,
    pub(crate) disk: DiskIndex,
    pub(crate) node: NodeIndex,
    pub(crate) part: u16,
    pub(crate) copy: u16,
}

impl Spot {
    fn of(place: &Place) -> Self {
        Self {
            offset: place.offset,
            length: u32::try_from(place.length).unwrap_or(u32::MAX),
            disk: place.disk,
            node: place.node,
            part: u16::try_from(place.part).unwrap_or(u16::MAX),
            copy: u16::try_from(place.copy).unwrap_or(u16::MAX),
        }
    }
}

impl From<Spot> for Place {
    fn from(spot: Spot) -> Self {
        Self {
            part: spot.part.into(),
            copy: spot.copy.into(),
            disk: spot.disk,
            node: spot.node,
            offset: spot.offset,
            length: spot.length.into(),
            alternative: false,
        }
    }
}

/// A piece of an even volume: those of all copies lie side by side, so that one look finds them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beside {
    disk_offset: u64,
    disk: DiskIndex,
    node: NodeIndex,
    copy: u16,
}

impl VolumeLayout {
    /// The pieces of an even volume, side by side; none where its copies do not have as many.
    pub(super) fn pieces_beside(&self) -> Vec<Beside> {
        let pieces = self.copies.first().map_or(0, |(_, pieces)| pieces.len());
        if self.copies.iter().any(|(_, others)| others.len() != pieces) {
            return Vec::new();
        }
        let at = |at: usize| self.copies.iter().map(move |(copy, pieces)| (*copy, pieces[at]));
        let beside = (0..pieces).flat_map(at).map(|(copy, piece)| Beside {
            disk_offset: piece.disk_offset,
            disk: piece.disk,
            node: piece.node,
            copy: u16::try_from(copy).unwrap_or(u16::MAX),
        });
        beside.collect()
    }

    /// The places of what lies within one piece of each copy of an even volume; false where it does not.
    fn add_beside(&self, offset: u64, length: u32, spots: &mut Vec<Spot>) -> bool {
        let Some(width) = self.even.filter(|_| length > 0) else {
            return false;
        };
        let (at, within) = if width.is_power_of_two() {
            (offset >> width.trailing_zeros(), offset & (width - 1))
        } else {
            (offset / width, offset % width)
        };
        let copies = self.copies.len();
        let first = usize::try_from(at).unwrap_or(usize::MAX).saturating_mul(copies);
        let pieces = self.beside.get(first..).and_then(|pieces| pieces.get(..copies));
        let Some(pieces) = pieces.filter(|_| within + u64::from(length) <= width) else {
            return false;
        };
        spots.extend(pieces.iter().map(|piece| Spot {
            offset: piece.disk_offset + within,
            length,
            disk: piece.disk,
            node: piece.node,
            part: 0,
            copy: piece.copy,
        }));
        true
    }
}

impl Layout {
    /// Adds the places of an I/O of moderate size on a volume whose map does not change; says whether the map has all of it.
    #[inline]
    pub(crate) fn add_spots(
        &self,
        volume: VolumeIndex,
        (offset, length): (u64, u32),
        spots: &mut Vec<Spot>,
        scratch: &mut Vec<Place>,
    ) -> bool {
        if self
            .get(volume)
            .is_some_and(|volume| volume.add_beside(offset, length, spots))
        {
            return true;
        }
        scratch.clear();
        let (whole, _) = self.add_places(volume, offset, length.into(), scratch);
        spots.extend(scratch.iter().map(Spot::of));
        whole
    }
}
