//! Volumes: how they are laid out and what is done to them.

use serde::{Deserialize, Serialize};

/// A volume and the I/O on it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Volume {
    /// Its name. Default `vol` and its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Bytes, a multiple of 4096. Default 4 GiB.
    pub size_bytes: u64,
    /// How many copies, and where. Default three-way.
    pub resiliency: Resiliency,
    /// Columns of a copy, each on a disk of its own. Default 1.
    pub columns: u32,
    /// Bytes on one column before the next takes over. Default 256 KiB, the default of Storage Spaces (domain/thresholds.md,
    /// Interleave). Means nothing with one column and no parity tier.
    pub interleave_bytes: u64,
    /// Bytes of a slab, the piece of a disk that a column takes at a time. Default 256 MiB; 1 GiB is seen as well
    /// (domain/thresholds.md, Extent (slab) size).
    pub slab_bytes: u64,
    /// The nodes that write to it. Default one: the volume's number modulo the nodes.
    pub initiators: Vec<u32>,
    /// When I/O is made. Default 1200 a second and initiator.
    pub arrival: Arrival,
    /// What is made. Default writes alone.
    pub ops: OpMix,
    /// How large reads and writes are. Default 4 KiB alone.
    pub sizes: Vec<SizeShare>,
    /// Where reads and writes go. Default uniform.
    pub offsets: Offsets,
    /// A parity tier behind the copies: the volume is a mirror-accelerated one. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parity: Option<ParityTier>,
    /// Slabs that move to other disks in mid-run. Default none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<SlabMove>,
    /// Most writes under way to one offset; a write beyond goes elsewhere or waits. Default 64.
    pub same_block_limit: u32,
}

/// The parity tier of a mirror-accelerated volume. What is written to it goes to columns of data and parity at once; nothing moves
/// between the tiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ParityTier {
    /// Bytes of the volume that lie in it, its last ones; a multiple of 4096 and fewer than the volume has.
    pub size_bytes: u64,
    /// Columns of a stripe, those of parity with them, each on a disk of its own.
    pub columns: u32,
    /// How many of them are parity; 2 is dual parity.
    pub parity_columns: u32,
}

impl ParityTier {
    /// Rows of slabs of so many bytes each.
    pub(crate) fn rows(self, slab_bytes: u64) -> u64 {
        let data = u64::from(self.columns.saturating_sub(self.parity_columns)).max(1);
        self.size_bytes.div_ceil(slab_bytes.saturating_mul(data).max(1))
    }
}

/// The slabs of one copy of a row move to other disks of their node, or of another one where it has none left.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SlabMove {
    /// Which row of slabs, from 0.
    pub slab: u32,
    /// Which copy.
    pub copy: u32,
    /// When, in seconds since the run's start: what is fanned out later goes to the new place.
    pub at_seconds: f64,
}

impl Default for Volume {
    fn default() -> Self {
        Self {
            name: None,
            size_bytes: 4 << 30,
            resiliency: Resiliency::ThreeWay,
            columns: 1,
            interleave_bytes: 256 << 10,
            slab_bytes: 256 << 20,
            initiators: Vec::new(),
            arrival: Arrival::Rate(1200.0),
            ops: OpMix::default(),
            sizes: vec![SizeShare {
                bytes: 4096,
                share: 1.0,
            }],
            offsets: Offsets::Uniform,
            parity: None,
            moves: Vec::new(),
            same_block_limit: 64,
        }
    }
}

impl Volume {
    /// The default volume of a cluster of so many nodes: as many copies as it can keep apart, up to three.
    #[must_use]
    pub fn on(nodes: u32) -> Self {
        let resiliency = match nodes {
            0 | 1 => Resiliency::Simple,
            2 => Resiliency::TwoWay,
            _ => Resiliency::ThreeWay,
        };
        Self {
            resiliency,
            ..Self::default()
        }
    }

    /// Bytes that lie in copies.
    pub(crate) fn mirrored_bytes(&self) -> u64 {
        let of_parity = self.parity.map_or(0, |tier| tier.size_bytes);
        self.size_bytes.saturating_sub(of_parity)
    }

    /// Name, once filled in.
    pub(crate) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    pub(super) fn expected_writes_per_second(&self) -> f64 {
        let per_initiator = match self.arrival {
            Arrival::Rate(rate) => rate,
            Arrival::QueueDepth(depth) => f64::from(depth) / 0.0005,
        };
        per_initiator * self.initiators.len() as f64 * self.ops.share(self.ops.write)
    }
}

/// How many copies every byte has, and which servers hold them.
///
/// At most one copy is on one server (domain/thresholds.md, Copies and servers), but for nested mirrors and for clusters of
/// one node, where copies are on disks of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resiliency {
    /// One copy.
    Simple,
    /// Two copies on two servers.
    TwoWay,
    /// Three copies on three servers.
    ThreeWay,
    /// Two copies on the first initiator's server and two on another.
    NestedTwoWay,
}

impl Resiliency {
    /// Copies of every byte.
    #[must_use]
    pub const fn copies(self) -> u32 {
        match self {
            Self::Simple => 1,
            Self::TwoWay => 2,
            Self::ThreeWay => 3,
            Self::NestedTwoWay => 4,
        }
    }
}

/// When I/O is made.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrival {
    /// So many I/Os a second from each initiator, at random times, whether or not earlier ones are done.
    Rate(f64),
    /// Each initiator keeps so many under way.
    QueueDepth(u32),
}

/// In what proportion the operations come.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct OpMix {
    /// Reads. Default 0.
    pub read: f64,
    /// Writes. Default 1.
    pub write: f64,
    /// Flushes: one request to every disk of the volume. Default 0.
    pub flush: f64,
    /// Unmaps (TRIM), of the size and place that a write would have. Default 0.
    pub unmap: f64,
}

impl Default for OpMix {
    fn default() -> Self {
        Self {
            read: 0.0,
            write: 1.0,
            flush: 0.0,
            unmap: 0.0,
        }
    }
}

impl OpMix {
    pub(crate) fn sum(&self) -> f64 {
        self.read + self.write + self.flush + self.unmap
    }

    fn share(&self, of: f64) -> f64 {
        if self.sum() > 0.0 { of / self.sum() } else { 0.0 }
    }
}

/// A size and how often it is drawn against the others.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SizeShare {
    /// Bytes, a multiple of 512.
    pub bytes: u64,
    /// Weight.
    pub share: f64,
}

/// Where reads and writes go.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Offsets {
    /// Anywhere, at multiples of 4 KiB.
    Uniform,
    /// To few blocks of very unequal popularity.
    #[serde(rename_all = "kebab-case")]
    Zipf {
        /// Blocks, each as large as the largest size.
        blocks: u32,
        /// The exponent; 1.2 is a hot spot.
        exponent: f64,
    },
    /// One after the other, from the start again after so many bytes. Each initiator has a log of its own.
    #[serde(rename_all = "kebab-case")]
    Log {
        /// Bytes of the log.
        bytes: u64,
    },
    /// All to one place: identical writes back to back.
    #[serde(rename_all = "kebab-case")]
    Same {
        /// The place, in bytes.
        offset: u64,
    },
}
