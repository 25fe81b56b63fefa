//! What is usual: how long I/Os of a kind take in an hour, what that makes usual, and the bands that are published as healthy.
//!
//! These are also the shapes of the store's table `baselines`. How what is usual is learnt of hours is said where it is done
//! (`fathom_diagnose::baseline`).

use std::fmt;

use crate::tap::{Op, Tap};

const MILLI: u64 = 1_000_000;

/// How long I/Os are, in three classes: what small ones take says nothing of large ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Size {
    /// Up to 4 KiB.
    Small,
    /// Above that, up to 64 KiB.
    Medium,
    /// Longer.
    Large,
}

impl Size {
    /// All, the least first.
    pub const ALL: [Self; 3] = [Self::Small, Self::Medium, Self::Large];

    /// The class of a length.
    #[must_use]
    pub const fn of(bytes: u64) -> Self {
        match bytes {
            0..=4096 => Self::Small,
            4097..=65_536 => Self::Medium,
            _ => Self::Large,
        }
    }

    /// As columns, JSON and the wire have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Small => "4k",
            Self::Medium => "64k",
            Self::Large => "larger",
        }
    }

    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Small => "up to 4 KiB",
            Self::Medium => "4 to 64 KiB",
            Self::Large => "over 64 KiB",
        }
    }

    /// The class that a word means.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.as_str() == word)
    }
}

/// Of what something is usual.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// All of a cluster, at a tap.
    Cluster,
    /// A volume.
    Volume(String),
    /// The bus target of a node.
    Node(String),
    /// Copies that a node sends to another.
    Pair {
        /// The initiator.
        from: String,
        /// The node that holds the copies.
        to: String,
    },
    /// A disk.
    Disk {
        /// Its node.
        node: String,
        /// Its name there.
        disk: String,
    },
}

impl Place {
    /// The word for its kind, as columns, JSON and the wire have it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Volume(_) => "volume",
            Self::Node(_) => "node",
            Self::Pair { .. } => "pair",
            Self::Disk { .. } => "disk",
        }
    }

    /// Volume, node, disk and other node, as far as it has them.
    #[must_use]
    pub fn names(&self) -> [Option<&str>; 4] {
        match self {
            Self::Cluster => [None; 4],
            Self::Volume(volume) => [Some(volume), None, None, None],
            Self::Node(node) => [None, Some(node), None, None],
            Self::Pair { from, to } => [None, Some(from), None, Some(to)],
            Self::Disk { node, disk } => [None, Some(node), Some(disk), None],
        }
    }

    /// The place of a kind with these names; none where one is missing.
    #[must_use]
    pub fn of(kind: &str, [volume, node, disk, peer]: [Option<&str>; 4]) -> Option<Self> {
        Some(match kind {
            "cluster" => Self::Cluster,
            "volume" => Self::Volume(volume?.to_owned()),
            "node" => Self::Node(node?.to_owned()),
            "pair" => Self::Pair {
                from: node?.to_owned(),
                to: peer?.to_owned(),
            },
            "disk" => Self::Disk {
                node: node?.to_owned(),
                disk: disk?.to_owned(),
            },
            _ => return None,
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("cluster"),
            Self::Volume(volume) => f.write_str(volume),
            Self::Node(node) => f.write_str(node),
            Self::Pair { from, to } => write!(f, "{from} to {to}"),
            Self::Disk { node, disk } => write!(f, "{node}/{disk}"),
        }
    }
}

/// What a latency is of that has something usual.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject {
    /// Where.
    pub place: Place,
    /// At which tap.
    pub tap: Tap,
    /// Reads or writes.
    pub op: Op,
    /// How long they are.
    pub size: Size,
}

impl Subject {
    /// What is published as healthy of it; none where nothing is.
    ///
    /// Of volumes the objective that all-flash clusters are held to; of drives what Windows' health service warns from on, of its settings
    /// `HighLatency.Threshold.Mean` that of solid-state drives, since the medium is not known here.
    #[must_use]
    pub const fn band(&self) -> Option<Band> {
        match (self.tap, self.op, self.size) {
            (Tap::Volume, Op::Write, Size::Small) => Some(Band {
                of: Share::P99,
                below_nanos: 2 * MILLI,
            }),
            (Tap::Device, Op::Read | Op::Write, Size::Small | Size::Medium) => Some(Band {
                of: Share::P50,
                below_nanos: 10 * MILLI,
            }),
            _ => None,
        }
    }
}

/// Which of the latencies of some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Share {
    /// The middle.
    P50,
    /// That which 99 of 100 are at most.
    P99,
}

impl Share {
    /// As JSON and the wire have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P99 => "p99",
        }
    }
}

/// What is published as healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// Of which latency.
    pub of: Share,
    /// It is to be below this.
    pub below_nanos: u64,
}

/// What was usual in an hour: a row of `baselines`. An hour may have several, which add up: a coordinator that stops writes what it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hour {
    /// When it began.
    pub from_unix_nanos: i64,
    /// Of what.
    pub subject: Subject,
    /// In how many blocks of five minutes there were enough values.
    pub blocks: u32,
    /// Values of all blocks, as many as were taken.
    pub values: u64,
    /// The middle of what the blocks' medians were.
    pub p50_nanos: u64,
    /// The same of their 99th percentiles; none where no block had enough values.
    pub p99_nanos: Option<u64>,
    /// Whether something that was found wrong there was felt in the hour.
    pub felt: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_from_their_names() {
        let text = str::to_owned;
        let (node, disk) = (text("n1"), text("disk2"));
        let (from, to) = (text("n1"), text("n2"));
        for place in [
            Place::Cluster,
            Place::Volume(text("vol0")),
            Place::Node(text("n1")),
            Place::Pair { from, to },
            Place::Disk { node, disk },
        ] {
            assert_eq!(Place::of(place.kind(), place.names()), Some(place.clone()));
        }
        assert_eq!(Place::of("disk", [None, Some("n1"), None, None]), None);
    }

    #[test]
    fn sizes_end_at_4_and_64_kib() {
        for (bytes, size) in [(0, Size::Small), (4096, Size::Small), (4097, Size::Medium)] {
            assert_eq!(Size::of(bytes), size);
        }
        assert_eq!((Size::of(65_536), Size::of(65_537)), (Size::Medium, Size::Large));
    }
}
