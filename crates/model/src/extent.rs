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
}

impl Extent {
    /// One past its last byte in the volume.
    #[must_use]
    pub const fn volume_end(&self) -> u64 {
        self.volume_offset.saturating_add(self.length)
    }
}

/// One version of the extents of a cluster, sorted by volume, copy and offset.
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
    /// Two extents claim the same bytes of the same copy.
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
        extents.sort_by(|a, b| (&a.volume, a.copy, a.volume_offset).cmp(&(&b.volume, b.copy, b.volume_offset)));
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
        for pair in extents.windows(2) {
            let same = pair[0].volume == pair[1].volume && pair[0].copy == pair[1].copy;
            if same && pair[1].volume_offset < pair[0].volume_end() {
                return Err(ExtentError::Overlap {
                    volume: pair[1].volume.clone(),
                    copy: pair[1].copy,
                    volume_offset: pair[1].volume_offset,
                });
            }
        }
        Ok(Self { extents })
    }

    /// All extents, sorted by volume, copy and offset.
    #[must_use]
    pub fn extents(&self) -> &[Extent] {
        &self.extents
    }
}
