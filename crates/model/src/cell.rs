//! What rows add up to: the cells of the tables `latency`, `attribution` and `write_seconds`.
//!
//! A cell counts what falls into one stretch of time ([`Bucket`]) and belongs to one key. Cells of one bucket and key are added: all in
//! whole numbers, least and greatest, so that in any order and any grouping the same comes out. What they are made of is said where they
//! are made (`fathom_diagnose::tally`); where they lie, by the store.

use std::collections::BTreeMap;

use crate::catalog::{DiskIndex, NodeIndex, VolumeIndex};
use crate::missing::Missing;
use crate::sketch::{Fault, Kept, Sketch};
use crate::tap::{Op, Tap};

mod seconds;

pub use seconds::{Moments, SecondKey, Seconds};

const SECOND: i64 = 1_000_000_000;

/// A stretch of time that is counted together, by completion of the I/O on its initiator's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket {
    /// Where it begins: a multiple of its length.
    pub from_unix_nanos: i64,
    /// How long it is.
    pub length_nanos: i64,
}

impl Bucket {
    /// Latencies of the last hour are counted in stretches of so long.
    pub const FINE_NANOS: i64 = 10 * SECOND;

    /// Older ones, and attribution, in stretches of so long.
    pub const COARSE_NANOS: i64 = 60 * SECOND;

    /// The bucket of a length that a time lies in.
    #[must_use]
    pub const fn of(unix_nanos: i64, length_nanos: i64) -> Self {
        Self {
            from_unix_nanos: unix_nanos - unix_nanos.rem_euclid(length_nanos),
            length_nanos,
        }
    }

    /// The last nanosecond in it.
    #[must_use]
    pub const fn last_unix_nanos(self) -> i64 {
        self.from_unix_nanos.saturating_add(self.length_nanos - 1)
    }

    /// The minute that it lies in, or itself where it is longer.
    #[must_use]
    pub const fn coarse(self) -> Self {
        if self.length_nanos >= Self::COARSE_NANOS {
            return self;
        }
        Self::of(self.from_unix_nanos, Self::COARSE_NANOS)
    }
}

/// How long I/Os are: at most so many bytes, as a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SizeClass(pub u8);

impl SizeClass {
    /// The class of a length; of none the least.
    #[must_use]
    pub const fn of(bytes: u64) -> Self {
        match bytes {
            0 | 1 => Self(0),
            more => Self((64 - (more - 1).leading_zeros()) as u8),
        }
    }

    /// The longest I/O of the class, in bytes; of the last the greatest number that there is.
    #[must_use]
    pub const fn up_to_bytes(self) -> u64 {
        if self.0 >= 64 { u64::MAX } else { 1 << self.0 }
    }
}

/// What a latency is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Of {
    /// Whole I/Os.
    Io {
        /// Their volume.
        volume: VolumeIndex,
        /// Their initiator.
        node: NodeIndex,
        /// How long they are.
        size: SizeClass,
    },
    /// Copies, by the way that they go.
    Way {
        /// The volume of their I/Os.
        volume: VolumeIndex,
        /// The initiator.
        node: NodeIndex,
        /// The node that holds them.
        far: NodeIndex,
    },
    /// Copies on a disk.
    Disk(DiskIndex),
}

impl Of {
    /// Which kind it is.
    #[must_use]
    pub const fn kind(self) -> OfKind {
        match self {
            Self::Io { .. } => OfKind::Io,
            Self::Way { .. } => OfKind::Way,
            Self::Disk(_) => OfKind::Disk,
        }
    }
}

/// The kinds of [`Of`]. Each copy is in a cell of each of the last two, so that an answer is made of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfKind {
    /// Whole I/Os.
    Io,
    /// Copies by the way that they go.
    Way,
    /// Copies by disk.
    Disk,
}

impl OfKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Io, Self::Way, Self::Disk];

    /// As the table's column `of` has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Io => "io",
            Self::Way => "way",
            Self::Disk => "disk",
        }
    }
}

/// What a cell of `latency` is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LatencyKey {
    /// What the I/Os did.
    pub op: Op,
    /// Where it was seen.
    pub tap: Tap,
    /// Of what.
    pub of: Of,
}

/// Cells of `latency`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    /// By bucket and key.
    pub cells: BTreeMap<(Bucket, LatencyKey), Sketch>,
}

impl Latencies {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Adds a cell.
    pub fn add(&mut self, bucket: Bucket, key: LatencyKey, sketch: &Sketch) {
        self.cells.entry((bucket, key)).or_default().merge(sketch);
    }

    /// Adds all cells of another.
    pub fn merge(&mut self, other: &Self) {
        for ((bucket, key), sketch) in &other.cells {
            self.add(*bucket, *key, sketch);
        }
    }
}

/// What something is attributed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Candidate {
    /// Nothing: all writes.
    All,
    /// Copies on a disk.
    Disk(DiskIndex),
    /// Copies that went between two nodes, the lower index first.
    Link(NodeIndex, NodeIndex),
    /// Copies on a node.
    Node(NodeIndex),
    /// An observation that was to be expected and is not there.
    Missing(NodeIndex, Tap, Missing),
}

/// What a cell of `attribution` is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributionKey {
    /// The volume of the writes.
    pub volume: VolumeIndex,
    /// To what.
    pub to: Candidate,
}

/// What writes of a minute waited for something, and what they would have taken without it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attribution {
    /// Of [`Candidate::All`] the writes; of [`Candidate::Missing`] the copies of which the observation is missing; else the writes of at
    /// least two copies with a copy there whose last copy is known.
    pub writes: u64,
    /// Of these, writes whose last copy was there.
    pub last: u64,
    /// How many of these were to be expected, if all were alike, in millionths.
    pub expected_millionths: u64,
    /// Writes of which it is known how long after the second-last copy the last one ended.
    pub leads: u64,
    /// By how much the last copies there ended after the second-last.
    pub added_nanos: u64,
    /// By how much writes would have been shorter.
    pub given_back_nanos: u64,
    /// Writes that would have been.
    pub sooner: u64,
    /// Writes that waited for it by an unknown time, or have no other copy; of [`Candidate::All`] writes whose last copy is not known.
    pub unknown: u64,
    /// Of [`Candidate::All`] what writes took; else what those took that would have been shorter.
    pub took: Sketch,
    /// What these would have taken.
    pub would: Sketch,
    /// How writes were joined; of [`Candidate::All`] alone.
    pub joined: Whole,
    /// The slowest write, of [`Candidate::All`] alone.
    pub slowest: Option<SlowestWrite>,
}

/// A cell of `attribution` with its sketches as columns keep them.
#[derive(Clone, Debug, Default)]
pub struct KeptAttribution<'a> {
    /// All but its sketches, which are empty here.
    pub counts: Attribution,
    /// What [`Attribution::took`] was kept as; empty where nobody asked for it.
    pub took: Kept<'a>,
    /// What [`Attribution::would`] was kept as; empty where nobody asked for it.
    pub would: Kept<'a>,
}

/// How writes were joined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Whole {
    /// Copies that were asked for.
    pub legs_expected: u64,
    /// Copies of which anything was seen.
    pub legs: u64,
    /// Writes with one possible assignment and nothing missing.
    pub exact: u64,
    /// Writes with several.
    pub ambiguous: u64,
    /// Writes with something missing.
    pub incomplete: u64,
}

/// The slowest write of some; of equals the one whose name is first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowestWrite {
    /// How long it took.
    pub nanos: u64,
    /// Its name, as [`crate::IoId`] prints it.
    pub id: String,
}

impl SlowestWrite {
    /// Whether a write comes before this one.
    #[must_use]
    pub fn yields_to(&self, nanos: u64, id: &str) -> bool {
        nanos > self.nanos || (nanos == self.nanos && id < self.id.as_str())
    }
}

impl Attribution {
    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Self) {
        let add = |own: &mut u64, more: u64| *own = own.saturating_add(more);
        add(&mut self.writes, other.writes);
        add(&mut self.last, other.last);
        add(&mut self.expected_millionths, other.expected_millionths);
        add(&mut self.leads, other.leads);
        add(&mut self.added_nanos, other.added_nanos);
        add(&mut self.given_back_nanos, other.given_back_nanos);
        add(&mut self.sooner, other.sooner);
        add(&mut self.unknown, other.unknown);
        self.took.merge(&other.took);
        self.would.merge(&other.would);
        add(&mut self.joined.legs_expected, other.joined.legs_expected);
        add(&mut self.joined.legs, other.joined.legs);
        add(&mut self.joined.exact, other.joined.exact);
        add(&mut self.joined.ambiguous, other.joined.ambiguous);
        add(&mut self.joined.incomplete, other.joined.incomplete);
        if let Some(slowest) = &other.slowest {
            self.note_slowest(slowest.nanos, || slowest.id.clone());
        }
    }

    /// Adds a cell as columns keep it.
    ///
    /// # Errors
    ///
    /// When its sketches cannot be those of any values: some of it may have been added then.
    pub fn merge_kept(&mut self, kept: &KeptAttribution<'_>) -> Result<(), Fault> {
        self.took.merge_bins(kept.took)?;
        self.would.merge_bins(kept.would)?;
        self.merge(&kept.counts);
        Ok(())
    }

    /// Notes a write, if it is the slowest; its name is asked for only where it may be.
    pub fn note_slowest(&mut self, nanos: u64, id: impl FnOnce() -> String) {
        if self.slowest.as_ref().is_some_and(|slowest| nanos < slowest.nanos) {
            return;
        }
        let id = id();
        if self
            .slowest
            .as_ref()
            .is_none_or(|slowest| slowest.yields_to(nanos, &id))
        {
            self.slowest = Some(SlowestWrite { nanos, id });
        }
    }
}

/// Cells of `attribution`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributions {
    /// By bucket and key.
    pub cells: BTreeMap<(Bucket, AttributionKey), Attribution>,
}

impl Attributions {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Adds a cell.
    pub fn add(&mut self, bucket: Bucket, key: AttributionKey, cell: &Attribution) {
        self.cells.entry((bucket, key)).or_default().merge(cell);
    }

    /// Adds all cells of another.
    pub fn merge(&mut self, other: &Self) {
        for ((bucket, key), cell) in &other.cells {
            self.add(*bucket, *key, cell);
        }
    }
}

/// What a stretch of rows adds up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cells {
    /// Of `latency`.
    pub latency: Latencies,
    /// Of `attribution`.
    pub attribution: Attributions,
    /// Of `write_seconds`.
    pub seconds: Seconds,
}

impl Cells {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.latency.is_empty() && self.attribution.is_empty() && self.seconds.is_empty()
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        self.latency.merge(&other.latency);
        self.attribution.merge(&other.attribution);
        self.seconds.merge(&other.seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_begin_at_multiples_also_before_1970() {
        assert_eq!(Bucket::of(25, 10).from_unix_nanos, 20);
        let early = Bucket::of(-25, 10);
        assert_eq!((early.from_unix_nanos, early.last_unix_nanos()), (-30, -21));
        let fine = Bucket::of(125 * SECOND, Bucket::FINE_NANOS);
        assert_eq!(fine.coarse(), Bucket::of(120 * SECOND, Bucket::COARSE_NANOS));
        assert_eq!(fine.coarse().coarse(), fine.coarse());
    }

    #[test]
    fn size_classes_hold_what_is_at_most_their_power_of_two() {
        for (bytes, class) in [(0, 0), (1, 0), (2, 1), (4096, 12), (4097, 13), (u64::MAX, 64)] {
            assert_eq!(SizeClass::of(bytes), SizeClass(class));
            assert!(bytes <= SizeClass(class).up_to_bytes());
        }
    }

    #[test]
    fn slowest_of_equals_is_the_first_by_name_in_any_order() {
        let of = |nanos, id: &str| {
            let mut cell = Attribution::default();
            cell.note_slowest(nanos, || id.to_owned());
            cell
        };
        let (a, b, c) = (of(5, "a"), of(5, "b"), of(4, "c"));
        for order in [[&a, &b, &c], [&c, &b, &a], [&b, &a, &c]] {
            let mut all = Attribution::default();
            order.into_iter().for_each(|one| all.merge(one));
            assert_eq!(all.slowest.as_ref().map(|slowest| slowest.id.as_str()), Some("a"));
        }
    }
}
