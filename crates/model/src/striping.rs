//! Column arithmetic: from rows as Storage Spaces gives them (a slab of one column of one copy) to where each byte of a volume lies.
//!
//! A volume with several columns is cut into rows of slabs, one slab a column and copy, and each row into stripes of `interleave`
//! bytes that go round the columns. No public formula says so to the byte, and what `VirtualDiskOffset` means for the second column
//! is not written anywhere; so the arithmetic is a parameter ([`Arithmetic`]), and the traffic has to say which one is right
//! (`fathom_join::striping`). `docs/design/0013-column-arithmetic.md` has the reasoning.

use std::collections::{BTreeMap, BTreeSet};

use crate::extent::{Extent, Stripe, Validity};
use crate::id::{PhysicalDiskId, VolumeId};

/// A row of `GetPhysicalExtent`: one slab of one column of one copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slab {
    /// The volume.
    pub volume: VolumeId,
    /// `CopyNumber`.
    pub copy: u32,
    /// `ColumnNumber`; whether the first is 0 or 1 does not matter.
    pub column: u32,
    /// `VirtualDiskOffset`.
    pub volume_offset: u64,
    /// `Size`: bytes on the disk.
    pub length: u64,
    /// The disk.
    pub disk: PhysicalDiskId,
    /// `PhysicalDiskOffset`.
    pub disk_offset: u64,
}

/// How a volume is striped: what `MSFT_VirtualDisk` says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Striping {
    /// `NumberOfColumns`.
    pub columns: u32,
    /// `Interleave`: bytes on one column before the next takes over.
    pub interleave_bytes: u64,
}

/// What the offsets of slabs mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Arithmetic {
    /// A slab has the bytes of the volume from its offset on, one behind the other: nothing is striped.
    Straight,
    /// All slabs of a row have the offset at which the row begins, and stripes go round its columns.
    RowStart,
    /// The slabs of a row have offsets one behind the other, and stripes go round its columns all the same.
    Consecutive,
}

impl Arithmetic {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Straight, Self::RowStart, Self::Consecutive];

    /// Kebab case, as reports show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Straight => "straight",
            Self::RowStart => "row-start",
            Self::Consecutive => "consecutive",
        }
    }
}

/// Why slabs do not make a map under an arithmetic; the arithmetic is then not the right one, or rows are missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StripingError {
    /// No columns, no interleave, an empty slab, or offsets beyond the 64-bit range.
    #[error(
        "slab at {volume_offset} of volume {volume} copy {copy}: {columns} columns of {interleave_bytes} bytes are not possible with a length of {length}"
    )]
    Impossible {
        /// The volume.
        volume: VolumeId,
        /// Its copy number.
        copy: u32,
        /// Where the slab is said to begin.
        volume_offset: u64,
        /// Its length.
        length: u64,
        /// The number of columns.
        columns: u32,
        /// Bytes of a stripe.
        interleave_bytes: u64,
    },
    /// A row of slabs has not just one slab a column, all of one length.
    #[error(
        "row of slabs at {volume_offset} of volume {volume} copy {copy}: found {found} of {columns} columns that fit together"
    )]
    Columns {
        /// The volume.
        volume: VolumeId,
        /// Its copy number.
        copy: u32,
        /// Where the row begins.
        volume_offset: u64,
        /// Columns found.
        found: u32,
        /// The number of columns.
        columns: u32,
    },
    /// Two rows of slabs claim the same bytes.
    #[error("rows of slabs of volume {volume} copy {copy} overlap at {volume_offset}")]
    Overlap {
        /// The volume.
        volume: VolumeId,
        /// Its copy number.
        copy: u32,
        /// Where the second begins.
        volume_offset: u64,
    },
}

/// Where bytes of volumes lie, under one arithmetic.
#[derive(Clone, Debug)]
pub struct StripedMap {
    striping: Striping,
    arithmetic: Arithmetic,
    /// By volume and copy, in order of offset.
    rows: BTreeMap<(VolumeId, u32), Vec<Row>>,
}

/// A row of slabs.
#[derive(Clone, Debug)]
struct Row {
    from: u64,
    /// Bytes of one slab.
    slab_bytes: u64,
    interleave_bytes: u64,
    /// By column.
    slabs: Vec<(PhysicalDiskId, u64)>,
}

/// A stretch of a volume that lies on one column of one copy without a border.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripePart {
    /// Copy number.
    pub copy: u32,
    /// Column, from 0.
    pub column: u32,
    /// First byte in the volume.
    pub volume_offset: u64,
    /// Bytes.
    pub length: u64,
    /// The disk.
    pub disk: PhysicalDiskId,
    /// First byte on the disk.
    pub disk_offset: u64,
}

impl Row {
    fn bytes(&self) -> u64 {
        self.slab_bytes * self.slabs.len() as u64
    }

    /// The part that begins at a byte of the row, up to the next border.
    fn part(&self, within: u64) -> (u32, &PhysicalDiskId, u64, u64) {
        let columns = self.slabs.len() as u64;
        let (stripe, rest) = (within / self.interleave_bytes, within % self.interleave_bytes);
        let column = (stripe % columns) as usize;
        let on_column = stripe / columns * self.interleave_bytes + rest;
        let (disk, offset) = &self.slabs[column];
        let border = (self.interleave_bytes - rest).min(self.slab_bytes - on_column);
        (column as u32, disk, offset + on_column, border)
    }
}

impl StripedMap {
    /// The map that slabs make. The same slabs in another order make the same map.
    ///
    /// # Errors
    ///
    /// When they do not fit together under this arithmetic.
    pub fn try_new(slabs: &[Slab], striping: Striping, arithmetic: Arithmetic) -> Result<Self, StripingError> {
        let mut copies: BTreeMap<(VolumeId, u32), Vec<&Slab>> = BTreeMap::new();
        for slab in slabs {
            copies.entry((slab.volume.clone(), slab.copy)).or_default().push(slab);
        }
        let mut rows = BTreeMap::new();
        for (key, slabs) in copies {
            rows.insert(key, rows_of(&slabs, striping, arithmetic)?);
        }
        Ok(Self {
            striping,
            arithmetic,
            rows,
        })
    }

    /// How the volumes are striped.
    #[must_use]
    pub const fn striping(&self) -> Striping {
        self.striping
    }

    /// What the slabs' offsets are taken to mean.
    #[must_use]
    pub const fn arithmetic(&self) -> Arithmetic {
        self.arithmetic
    }

    /// Where bytes of a volume lie, by copy and offset, cut at every border; what no slab has is left out.
    #[must_use]
    pub fn parts(&self, volume: &VolumeId, offset: u64, length: u64) -> Vec<StripePart> {
        let end = offset.saturating_add(length);
        let of_volume = self.rows.range((volume.clone(), 0)..=(volume.clone(), u32::MAX));
        let mut parts = Vec::new();
        for ((_, copy), rows) in of_volume {
            let first = rows.partition_point(|row| row.from + row.bytes() <= offset);
            for row in rows[first..].iter().take_while(|row| row.from < end) {
                let mut at = offset.max(row.from);
                let until = end.min(row.from + row.bytes());
                while at < until {
                    let (column, disk, disk_offset, border) = row.part(at - row.from);
                    let length = border.min(until - at);
                    parts.push(StripePart {
                        copy: *copy,
                        column,
                        volume_offset: at,
                        length,
                        disk: disk.clone(),
                        disk_offset,
                    });
                    at += length;
                }
            }
        }
        parts
    }

    /// All of it as extents, one a slab.
    #[must_use]
    pub fn slabs(&self) -> Vec<Extent> {
        let mut extents = Vec::new();
        for ((volume, copy), rows) in &self.rows {
            for row in rows {
                let columns = row.slabs.len() as u32;
                for ((disk, disk_offset), column) in row.slabs.iter().zip(0..) {
                    extents.push(Extent {
                        volume: volume.clone(),
                        volume_offset: row.from,
                        length: row.slab_bytes,
                        copy: *copy,
                        disk: disk.clone(),
                        disk_offset: *disk_offset,
                        valid: Validity::default(),
                        stripe: (columns > 1).then_some(Stripe {
                            column,
                            columns,
                            interleave_bytes: row.interleave_bytes,
                        }),
                        parity: None,
                    });
                }
            }
        }
        extents
    }

    /// All of it as extents, one a stripe; `None` where that would be more than `most`.
    #[must_use]
    pub fn extents(&self, most: usize) -> Option<Vec<Extent>> {
        let stripes = |row: &Row| row.bytes().div_ceil(row.interleave_bytes.min(row.slab_bytes));
        let count: u64 = self.rows.values().flatten().map(stripes).fold(0, u64::saturating_add);
        if count > most as u64 {
            return None;
        }
        let mut extents = Vec::with_capacity(count as usize);
        let volumes: BTreeSet<&VolumeId> = self.rows.keys().map(|(volume, _)| volume).collect();
        for volume in volumes {
            for part in self.parts(volume, 0, u64::MAX) {
                extents.push(Extent {
                    volume: volume.clone(),
                    volume_offset: part.volume_offset,
                    length: part.length,
                    copy: part.copy,
                    disk: part.disk,
                    disk_offset: part.disk_offset,
                    valid: Validity::default(),
                    stripe: None,
                    parity: None,
                });
            }
        }
        Some(extents)
    }
}

fn rows_of(slabs: &[&Slab], striping: Striping, arithmetic: Arithmetic) -> Result<Vec<Row>, StripingError> {
    let columns = if arithmetic == Arithmetic::Straight {
        1
    } else {
        striping.columns
    };
    let base = slabs.iter().map(|slab| slab.column).min().unwrap_or(0);
    let mut starts: BTreeMap<u64, Vec<(u32, &Slab)>> = BTreeMap::new();
    for slab in slabs {
        let column = if columns == 1 { 0 } else { slab.column - base };
        let impossible = || StripingError::Impossible {
            volume: slab.volume.clone(),
            copy: slab.copy,
            volume_offset: slab.volume_offset,
            length: slab.length,
            columns: striping.columns,
            interleave_bytes: striping.interleave_bytes,
        };
        let before = match arithmetic {
            Arithmetic::Consecutive => u64::from(column).checked_mul(slab.length),
            Arithmetic::Straight | Arithmetic::RowStart => Some(0),
        };
        let from = before.and_then(|before| slab.volume_offset.checked_sub(before));
        let bytes = slab.length.checked_mul(u64::from(columns));
        let fits = |from: u64| {
            bytes.is_some_and(|bytes| from.checked_add(bytes).is_some())
                && slab.disk_offset.checked_add(slab.length).is_some()
        };
        // A stripe never goes over the end of its slab.
        let whole =
            columns == 1 || (striping.interleave_bytes > 0 && slab.length.is_multiple_of(striping.interleave_bytes));
        let from = from.filter(|&from| columns > 0 && slab.length > 0 && whole && fits(from));
        starts
            .entry(from.ok_or_else(impossible)?)
            .or_default()
            .push((column, *slab));
    }
    let mut rows: Vec<Row> = Vec::with_capacity(starts.len());
    for (from, mut of_row) in starts {
        of_row.sort_by_key(|(column, _)| *column);
        let first = of_row[0].1;
        let in_order = of_row
            .iter()
            .zip(0..)
            .filter(|((column, slab), at)| column == at && slab.length == first.length);
        let found = in_order.count() as u32;
        if found != columns || of_row.len() as u32 != columns {
            return Err(StripingError::Columns {
                volume: first.volume.clone(),
                copy: first.copy,
                volume_offset: from,
                found,
                columns,
            });
        }
        if rows.last().is_some_and(|before| before.from + before.bytes() > from) {
            return Err(StripingError::Overlap {
                volume: first.volume.clone(),
                copy: first.copy,
                volume_offset: from,
            });
        }
        rows.push(Row {
            from,
            slab_bytes: first.length,
            interleave_bytes: if columns == 1 {
                first.length
            } else {
                striping.interleave_bytes
            },
            slabs: of_row
                .iter()
                .map(|(_, slab)| (slab.disk.clone(), slab.disk_offset))
                .collect(),
        });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
