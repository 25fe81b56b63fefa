//! Which bytes of a volume lie where: the extent map, from which the join computes its keys.

use serde::{Deserialize, Serialize};

use crate::id::{PhysicalDiskId, VolumeId};

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
        self.volume_offset.saturating_add(self.length)
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
    /// An extent without bytes, or one that passes the end of the 64-bit range.
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
            let key = |extent: &Extent| (extent.copy, extent.volume_offset, extent.valid);
            a.volume.cmp(&b.volume).then_with(|| key(a).cmp(&key(b)))
        });
        for extent in &extents {
            let fits = extent.volume_offset.checked_add(extent.length).is_some()
                && extent.disk_offset.checked_add(extent.length).is_some();
            if extent.length == 0 || !fits {
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
            if open.iter().any(|other| !other.valid.follows(&extent.valid)) {
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
