//! The parity tier of a mirror-accelerated volume: its rows of slabs, and which columns an I/O goes to.
//!
//! Stripes of one interleave a column follow one another in a row of slabs. Of stripe number `s` the first column of parity is column
//! `s` modulo all columns, the others and then the data follow it: parity turns by one column a stripe. That it turns so is a choice
//! (no public page says how it does), and the recording does not tell it: the extent map names columns alone.

use smallvec::SmallVec;

use super::{DiskNumber, Part, Room, Slab, VolumeLayout};
use crate::config::{ParityTier, Volume};
use crate::error::Result;

/// A volume's parity tier.
#[derive(Debug)]
pub(super) struct Tier {
    /// Bytes of the volume in it: its last ones.
    size: u64,
    pub(super) what: ParityTier,
    interleave: u64,
    slab_bytes: u64,
    /// By (row, column).
    slabs: Vec<Slab>,
    /// Rows of slabs of the mirror tier: rows are counted through.
    rows_before: u32,
}

/// A slab of a parity tier, as the extent map has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ParityRow {
    /// Where its row begins in the volume.
    pub(crate) volume_offset: u64,
    pub(crate) column: u32,
    pub(crate) disk: DiskNumber,
    pub(crate) disk_offset: u64,
    /// Bytes of the slab.
    pub(crate) length: u64,
}

impl Tier {
    pub(super) fn new(
        volume: &Volume,
        what: ParityTier,
        nodes: u32,
        rows_before: u32,
        room: &mut Room,
    ) -> Result<Self> {
        let mut tier = Self {
            size: what.size_bytes,
            what,
            interleave: volume.interleave_bytes,
            slab_bytes: volume.slab_bytes,
            slabs: Vec::new(),
            rows_before,
        };
        for _ in 0..what.rows(volume.slab_bytes) {
            let mut taken: SmallVec<[DiskNumber; 16]> = SmallVec::new();
            // Columns go round the nodes, those with the fewest slabs first, so that as few as can be are on one.
            let order = room.least_loaded(nodes);
            for column in 0..what.columns {
                let slab = room.take(volume, order[column as usize % order.len()], &taken)?;
                taken.push(slab.disk);
                tier.slabs.push(slab);
            }
            room.add_load(order.iter().take(what.columns as usize));
        }
        Ok(tier)
    }

    fn slab(&self, row: u64, column: u64) -> Slab {
        self.slabs[row as usize * self.what.columns as usize + column as usize]
    }

    /// Where bytes `from..until` of the tier go: the data, and of what is written the parity beside it; requests side by side on one
    /// column are one.
    fn parts(&self, (from, until): (u64, u64), with_parity: bool) -> Vec<Part> {
        let (columns, parity) = (u64::from(self.what.columns), u64::from(self.what.parity_columns));
        let data = columns - parity;
        let stripe_bytes = self.interleave * data;
        let stripes_a_row = self.slab_bytes / self.interleave;
        let mut parts: Vec<Part> = Vec::new();
        let mut add = |stripe: u64, column: u64, (begin, end): (u64, u64)| {
            let (row, within) = (stripe / stripes_a_row, stripe % stripes_a_row * self.interleave);
            let column = (stripe + column) % columns;
            let slab = self.slab(row, column);
            let part = Part {
                copy: column as u32,
                slab: self.rows_before + row as u32,
                disk: slab.disk,
                disk_offset: slab.offset + within + begin,
                length: end - begin,
                of_parity: true,
            };
            let before = parts.iter_mut().rev().find(|before| {
                let same = (before.slab, before.copy) == (part.slab, part.copy);
                same && before.disk_offset + before.length == part.disk_offset
            });
            match before {
                Some(before) => before.length += part.length,
                None => parts.push(part),
            }
        };
        for stripe in from / stripe_bytes..until.div_ceil(stripe_bytes) {
            let (mut lowest, mut highest) = (self.interleave, 0);
            for unit in 0..data {
                let begin = stripe * stripe_bytes + unit * self.interleave;
                let (first, last) = (from.max(begin), until.min(begin + self.interleave));
                if first < last {
                    add(stripe, parity + unit, (first - begin, last - begin));
                    (lowest, highest) = (lowest.min(first - begin), highest.max(last - begin));
                }
            }
            for column in 0..parity * u64::from(with_parity) {
                add(stripe, column, (lowest, highest));
            }
        }
        parts
    }
}

impl VolumeLayout {
    /// What of an I/O goes to the parity tier.
    pub(super) fn parity_parts(&self, offset: u64, length: u64, with_parity: bool) -> Vec<Part> {
        let Some(tier) = &self.parity else { return Vec::new() };
        let end = (offset + length).min(self.size + tier.size);
        let (from, until) = (offset.max(self.size), end);
        if from >= until {
            return Vec::new();
        }
        tier.parts((from - self.size, until - self.size), with_parity)
    }

    /// The slabs of the parity tier, by row and column.
    pub(super) fn parity_rows(&self) -> impl Iterator<Item = ParityRow> + '_ {
        self.parity.iter().flat_map(move |tier| {
            let columns = tier.what.columns as usize;
            let row_bytes = tier.slab_bytes * u64::from(tier.what.columns - tier.what.parity_columns);
            tier.slabs.iter().enumerate().map(move |(at, slab)| ParityRow {
                volume_offset: self.size + (at / columns) as u64 * row_bytes,
                column: (at % columns) as u32,
                disk: slab.disk,
                disk_offset: slab.offset,
                length: tier.slab_bytes,
            })
        })
    }
}

#[cfg(test)]
mod tests;
