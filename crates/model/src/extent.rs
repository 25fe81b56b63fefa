//! Which bytes of a volume lie where: the extent map, from which the join computes its keys.

use serde::{Deserialize, Serialize};

use crate::id::{PhysicalDiskId, VolumeId};

mod parity;

pub use parity::Parity;

/// `length` bytes of `volume` from `volume_offset` have copy number `copy` on `disk` from `disk_offset`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// The volume.
    pub volume: VolumeId,
    /// First byte in the volume.
    pub volume_offset: u64,
    /// Bytes.
    pub length: u64,
    /// Copy number, from 0.
    pub copy: u32,
    /// The physical disk.
    pub disk: PhysicalDiskId,
    /// First byte on the disk.
    pub disk_offset: u64,
    /// When this may have been so.
    #[serde(default, skip_serializing_if = "Validity::is_always")]
    pub valid: Validity,
    /// Of a slab of one column of several: how it takes part in its row. Then `volume_offset` is where the row begins, and `length` what
    /// the slab takes of its disk. None: the bytes lie one behind the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stripe: Option<Stripe>,
    /// Of a slab of a parity tier: how it takes part in its row. Then `volume_offset` is where the row begins, `length` what the slab
    /// takes of its disk, and `stripe` is none: which bytes of the row lie in which slab is not said. None: a mirror's, or one alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parity: Option<Parity>,
}

/// The part of one column in a row of slabs: stripes of so many bytes go round the columns
/// (`docs/design/0013-column-arithmetic.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stripe {
    /// Its number, from 0.
    pub column: u32,
    /// How many there are.
    pub columns: u32,
    /// Bytes on one column before the next takes over.
    pub interleave_bytes: u64,
}

impl Stripe {
    /// The only column of an extent that is not striped.
    #[must_use]
    pub const fn alone(length: u64) -> Self {
        Self {
            column: 0,
            columns: 1,
            interleave_bytes: length,
        }
    }

    /// What a slab of this column has of the bytes `from..until` of its row: (first byte in the row, bytes, first byte in the slab),
    /// one a stripe, in order. Impossible stripes have nothing.
    pub fn parts(self, from: u64, until: u64) -> impl Iterator<Item = (u64, u64, u64)> {
        let (columns, interleave) = (u64::from(self.columns), self.interleave_bytes);
        let possible = interleave > 0 && self.column < self.columns && from < until;
        let first = from.checked_div(interleave).unwrap_or(0);
        let own = |stripe: u64| (u64::from(self.column) + columns - stripe % columns) % columns;
        let first = if possible { first.saturating_add(own(first)) } else { 0 };
        let stripes = std::iter::successors(possible.then_some(first), move |stripe| stripe.checked_add(columns));
        stripes.map_while(move |stripe| {
            let begin = stripe.checked_mul(interleave).filter(|&begin| begin < until)?;
            let start = begin.max(from);
            let end = begin.saturating_add(interleave).min(until);
            Some((start, end - start, stripe / columns * interleave + (start - begin)))
        })
    }
}

/// From when until when an extent may be in force. Maps are polled and nodes' clocks differ, so that a moment of change is known as a
/// stretch alone: what was before ends when that is over, and what comes after begins with it. In between either may be meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Validity {
    /// Not before this, on any initiator's clock; none: since ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_unix_nanos: Option<i64>,
    /// Not after this, on any initiator's clock; none: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_unix_nanos: Option<i64>,
}

impl Validity {
    /// Whether it has no bounds.
    #[must_use]
    pub const fn is_always(&self) -> bool {
        self.from_unix_nanos.is_none() && self.until_unix_nanos.is_none()
    }

    /// The first and the last moment.
    #[must_use]
    pub fn span(&self) -> (i64, i64) {
        let from = self.from_unix_nanos.unwrap_or(i64::MIN);
        (from, self.until_unix_nanos.unwrap_or(i64::MAX))
    }

    /// Whether it may be in force at some moment between two.
    #[must_use]
    pub fn meets(&self, start_unix_nanos: i64, end_unix_nanos: i64) -> bool {
        let (from, until) = self.span();
        from <= end_unix_nanos && start_unix_nanos <= until
    }

    /// Whether one of two follows on the other: one ends, and the other does not begin before it.
    #[must_use]
    pub fn follows(&self, other: &Self) -> bool {
        let after = |one: &Self, other: &Self| match (one.until_unix_nanos, other.from_unix_nanos) {
            (Some(_), Some(from)) => from > one.span().0 && other.span().1 > one.span().1,
            _ => false,
        };
        after(self, other) || after(other, self)
    }
}

impl Extent {
    /// One past its last byte in the volume.
    #[must_use]
    pub const fn volume_end(&self) -> u64 {
        let columns = match (self.stripe, self.parity) {
            (Some(stripe), _) => stripe.columns as u64,
            (None, Some(parity)) => parity.data_columns() as u64,
            (None, None) => 1,
        };
        self.volume_offset.saturating_add(self.length.saturating_mul(columns))
    }

    /// Where bytes of its disk lie in the volume, by their offset on the disk; `None` where they are not all its own, or reach over the
    /// end of a stripe, or are of a parity tier.
    #[must_use]
    pub fn volume_offset_of(&self, disk_offset: u64, bytes: u64) -> Option<u64> {
        if self.parity.is_some() {
            return None;
        }
        let within = disk_offset.checked_sub(self.disk_offset)?;
        if within.checked_add(bytes)? > self.length {
            return None;
        }
        let stripe = self.stripe.unwrap_or_else(|| Stripe::alone(self.length));
        let (row, at) = (
            within.checked_div(stripe.interleave_bytes)?,
            within.checked_rem(stripe.interleave_bytes)?,
        );
        let stripes = row.checked_mul(u64::from(stripe.columns))?;
        let begin = stripes
            .checked_add(u64::from(stripe.column))?
            .checked_mul(stripe.interleave_bytes)?;
        let ends_within = at.checked_add(bytes)? <= stripe.interleave_bytes;
        self.volume_offset
            .checked_add(begin)?
            .checked_add(at)
            .filter(|_| ends_within)
    }

    /// Whether its length and stripe are possible.
    fn is_possible(&self) -> bool {
        let mirrored = self.stripe.map_or(1, |stripe| u64::from(stripe.columns));
        let columns = self.parity.map_or(mirrored, |parity| parity.data_columns().into());
        let either = self.parity.is_none_or(|parity| parity.is_possible(self.length))
            && !(self.parity.is_some() && self.stripe.is_some());
        let whole = either
            && self.stripe.is_none_or(|stripe| {
                let fits = stripe.columns == 1 || self.length.is_multiple_of(stripe.interleave_bytes.max(1));
                stripe.column < stripe.columns && stripe.interleave_bytes > 0 && fits
            });
        let in_volume = self.length.checked_mul(columns);
        let in_volume = in_volume.and_then(|bytes| self.volume_offset.checked_add(bytes));
        whole && self.length > 0 && in_volume.is_some() && self.disk_offset.checked_add(self.length).is_some()
    }

    /// Whether both are slabs of one row, of different columns.
    fn is_beside(&self, other: &Self) -> bool {
        let same_row = self.volume_offset == other.volume_offset && self.length == other.length;
        if let (Some(own), Some(others)) = (self.parity, other.parity) {
            return same_row && own.is_beside(others);
        }
        let (Some(own), Some(others)) = (self.stripe, other.stripe) else {
            return false;
        };
        let same_way = own.columns == others.columns && own.interleave_bytes == others.interleave_bytes;
        same_row && same_way && own.column != others.column
    }
}

/// The extents of a cluster, sorted by volume, copy, offset and time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExtentMap {
    extents: Vec<Extent>,
}

/// Why a list of extents is no map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtentError {
    /// An extent without bytes, one that passes the end of the 64-bit range, or one whose stripes or columns do not fit its length.
    #[error("extent at {volume_offset} of volume {volume} copy {copy}: a length of {length} is not possible")]
    Length {
        /// The volume.
        volume: VolumeId,
        /// Its copy number.
        copy: u32,
        /// Where it starts.
        volume_offset: u64,
        /// Its length.
        length: u64,
    },
    /// Two extents claim the same bytes of the same copy, and neither takes the other's place at some time.
    #[error("extents of volume {volume} copy {copy} overlap at {volume_offset}")]
    Overlap {
        /// The volume.
        volume: VolumeId,
        /// The copy number of both.
        copy: u32,
        /// Where the second starts.
        volume_offset: u64,
    },
}

impl ExtentMap {
    /// Sorts and checks a list of extents.
    ///
    /// # Errors
    ///
    /// When an extent is empty or too long, or two of one copy overlap. The same list in another order is the same map.
    pub fn try_new(mut extents: Vec<Extent>) -> Result<Self, ExtentError> {
        extents.sort_by(|a, b| {
            let key = |extent: &Extent| {
                (
                    extent.copy,
                    extent.volume_offset,
                    extent.valid,
                    extent.stripe,
                    extent.parity,
                )
            };
            a.volume.cmp(&b.volume).then_with(|| key(a).cmp(&key(b)))
        });
        for extent in &extents {
            if !extent.is_possible() {
                return Err(ExtentError::Length {
                    volume: extent.volume.clone(),
                    copy: extent.copy,
                    volume_offset: extent.volume_offset,
                    length: extent.length,
                });
            }
        }
        // Those before that reach beyond where the next one begins: more than one only where there are several versions.
        let mut open: Vec<&Extent> = Vec::new();
        for extent in &extents {
            let overlaps = |other: &&Extent| {
                let same = other.volume == extent.volume && other.copy == extent.copy;
                same && extent.volume_offset < other.volume_end()
            };
            open.retain(overlaps);
            let contradicts = |other: &&Extent| !other.valid.follows(&extent.valid) && !other.is_beside(extent);
            if open.iter().any(contradicts) {
                return Err(ExtentError::Overlap {
                    volume: extent.volume.clone(),
                    copy: extent.copy,
                    volume_offset: extent.volume_offset,
                });
            }
            open.push(extent);
        }
        Ok(Self { extents })
    }

    /// All extents, sorted by volume, copy, offset and time.
    #[must_use]
    pub fn extents(&self) -> &[Extent] {
        &self.extents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_on_the_disk_leads_back_to_the_volume() {
        let stripe = Stripe {
            column: 1,
            columns: 3,
            interleave_bytes: 256,
        };
        let extent = Extent {
            volume: "v".into(),
            volume_offset: 10_000,
            length: 1024,
            copy: 0,
            disk: "d".into(),
            disk_offset: 4096,
            valid: Validity::default(),
            stripe: Some(stripe),
            parity: None,
        };
        for (in_row, bytes, in_slab) in stripe.parts(100, 2900) {
            assert_eq!(extent.volume_offset_of(4096 + in_slab, bytes), Some(10_000 + in_row));
        }
        assert_eq!(
            extent.volume_offset_of(4096 + 200, 100),
            None,
            "over the end of a stripe"
        );
        assert_eq!(extent.volume_offset_of(4000, 10), None, "before it");
        assert_eq!(extent.volume_offset_of(4096 + 1020, 10), None, "beyond it");
        let plain = Extent { stripe: None, ..extent };
        assert_eq!(plain.volume_offset_of(4096 + 1000, 24), Some(11_000));
    }
}
