//! A write with its legs: what the join makes, the store keeps and every answer is drawn from.
//!
//! Rows are flat: a [`JoinedRows`] holds I/Os and legs in two vectors, an I/O names its legs by range. Everything that is not
//! known is `None` with a [`Missing`] beside it that says why; no row is ever filled with a made-up zero.

use std::ops::{Deref, Range};

use crate::Catalog;
use crate::catalog::{DiskIndex, NodeIndex, StreamIndex, VolumeIndex};
use crate::id::{IoId, NodeId, StreamId, VolumeId};
use crate::missing::{Missing, Unmatched};
use crate::tap::{Op, Tap};
use crate::topology::PhysicalDisk;

/// Nanoseconds in a second, the default width of a window.
pub const SECOND: i64 = 1_000_000_000;

/// One event as a leg refers to it: its identity and its times on its own node's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The stream it came by.
    pub stream: StreamIndex,
    /// Its ordinal in the stream; in a recording that is played without leaving out taps its row.
    pub ordinal: u64,
    /// Start on its node's clock.
    pub start_unix_nanos: i64,
    /// From start to completion.
    pub duration_nanos: u64,
    /// 0 for success, else the source's own code.
    pub status: u32,
}

impl Observation {
    /// Completion, on its node's clock.
    #[must_use]
    pub const fn end_unix_nanos(&self) -> i64 {
        self.start_unix_nanos.saturating_add_unsigned(self.duration_nanos)
    }
}

/// One I/O at the highest tap seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Io {
    /// The event at the highest tap: identity and times of the I/O.
    pub event: Observation,
    /// The initiating node.
    pub node: NodeIndex,
    /// The volume.
    pub volume: VolumeIndex,
    /// What it did.
    pub op: Op,
    /// Byte offset in the volume; 0 for a flush.
    pub offset: u64,
    /// Bytes; 0 for a flush.
    pub length: u64,
    /// How sure the fan-out is.
    pub class: IoClass,
    /// Copies that the extent map asks for, over all parts (of a read: one a part). Of a part in a parity tier the columns that
    /// it touches at least: those that hold the most of one of its stripes, and what a write adds in parity.
    pub legs_expected: u32,
    /// The leg that ended last, where that can be known.
    pub slowest: Option<Slowest>,
    /// Its legs, in [`JoinedRows::legs`].
    pub legs: Range<usize>,
}

impl Io {
    /// The second of its completion: the window it belongs to and the last field of its id.
    #[must_use]
    pub const fn second(&self) -> i64 {
        self.event.end_unix_nanos().div_euclid(SECOND)
    }

    /// Its name in answers.
    #[must_use]
    pub fn id(&self, catalog: &Catalog) -> IoId {
        IoId {
            node: catalog.node(self.node).clone(),
            incarnation_prefix: catalog.stream(self.event.stream).incarnation.prefix(),
            ordinal: self.event.ordinal,
            second: self.second(),
        }
    }
}

/// How sure a fan-out is. Every I/O is in exactly one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IoClass {
    /// Every expected copy has every observation that its taps give, and only one assignment was possible.
    Exact,
    /// Nothing is missing, but for at least one observation another assignment was possible too.
    Ambiguous,
    /// At least one expected observation is missing; its leg says which and why.
    Incomplete,
}

impl IoClass {
    /// All classes.
    pub const ALL: [Self; 3] = [Self::Exact, Self::Ambiguous, Self::Incomplete];

    /// Lower case, as columns and JSON show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Ambiguous => "ambiguous",
            Self::Incomplete => "incomplete",
        }
    }
}

/// The copy that the I/O waited for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slowest {
    /// Index into [`JoinedRows::legs`].
    pub leg: usize,
    /// How long after the one before it ended; `None` where that one's end is not known well enough.
    pub lead_nanos: Option<u64>,
    /// 1 where the ends stand on one clock, less where they were estimated.
    pub confidence: f32,
}

/// One copy of one part of an I/O; of a part in a parity tier one request on one of the columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Leg {
    /// Which part of the I/O, from 0: an I/O that crosses an extent's border has several.
    pub part: u32,
    /// Copy number. In a parity tier the column's; of a further copy of the tier beyond the columns of those before.
    pub copy: u32,
    /// The node that holds the copy.
    pub node: NodeIndex,
    /// The disk that holds the copy.
    pub disk: DiskIndex,
    /// Byte offset on the disk.
    pub disk_offset: u64,
    /// Bytes of this part.
    pub length: u64,
    /// Whether initiator and copy are on the same node: then nothing crossed the network.
    pub local: bool,
    /// The leg as the initiator saw it.
    pub initiator: Option<Observation>,
    /// The request at the far side's bus target.
    pub target: Option<Observation>,
    /// The request at the drive; where the drive split it, from the first start to the last end.
    pub device: Option<Observation>,
    /// The drive that `device` is of, where a cache took the request in the disk's place.
    pub cache: Option<DiskIndex>,
    /// Where the drive made one request of this leg's and others': whether its ordinal counts here.
    pub merged: Option<Merged>,
    /// Ordinals of further events of this leg: retries, and the pieces of a split request.
    pub more: MoreOrdinals,
    /// Why there is no `initiator`; `None` where there is one or none is to be expected.
    pub missing_initiator: Option<Missing>,
    /// Why there is no `target`.
    pub missing_target: Option<Missing>,
    /// Why there is no `device`.
    pub missing_device: Option<Missing>,
    /// How the far side was joined; the weakest of the steps.
    pub method: LegMethod,
    /// Probability that every observation is the right one, as far as the join can tell; 0 where nothing was found.
    pub confidence: f32,
    /// Whether another assignment was possible that is not unlikely: the confidence is below 0.99.
    pub ambiguous: bool,
    /// Whether this may be the leg that the I/O waited for, given what the clocks allow. More than one leg of an I/O may be.
    pub candidate: bool,
    /// What is known about the copy node's clock at the start of the I/O; `None` where nothing is.
    pub clock: Option<ClockStatement>,
}

impl Leg {
    /// The far side's service as far as it is seen: the target's, else the drive's.
    #[must_use]
    pub fn service(&self) -> Option<Observation> {
        self.target.or(self.device)
    }

    /// Whether anything of this leg was seen.
    #[must_use]
    pub fn found(&self) -> bool {
        self.initiator.is_some() || self.target.is_some() || self.device.is_some()
    }

    /// The observation at a tap of the storage bus or the drive.
    #[must_use]
    pub fn observation(&self, tap: Tap) -> Option<Observation> {
        match tap {
            Tap::Initiator => self.initiator,
            Tap::Target => self.target,
            Tap::Device => self.device,
            Tap::Guest | Tap::Vhdx | Tap::Csv | Tap::Refs | Tap::Volume => None,
        }
    }
}

/// How a leg has part in a request that a drive made of several legs' requests, of one I/O or of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Merged {
    /// The request's ordinal counts at this leg.
    First,
    /// The request's ordinal counts at another leg; here it is only referred to.
    Further,
}

impl Merged {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::First, Self::Further];

    /// Lower case, as columns show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Further => "further",
        }
    }
}

/// Ordinals beyond the first at each tap of a leg. Nearly all legs have none, and then it is a null pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MoreOrdinals(Option<Box<Further>>);

/// Ordinals of further events of a leg.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Further {
    /// Earlier attempts at the initiator.
    pub initiator: Vec<u64>,
    /// Requests that earlier attempts made at the target.
    pub target: Vec<u64>,
    /// Pieces of a split request at the drive, then requests that earlier attempts made there. The leg's `device` spans the pieces
    /// alone.
    pub device: Vec<u64>,
}

impl Further {
    const NONE: &'static Self = &Self {
        initiator: Vec::new(),
        target: Vec::new(),
        device: Vec::new(),
    };
}

impl From<Further> for MoreOrdinals {
    fn from(further: Further) -> Self {
        Self((further != Further::default()).then(|| Box::new(further)))
    }
}

impl Deref for MoreOrdinals {
    type Target = Further;

    fn deref(&self) -> &Further {
        self.0.as_deref().unwrap_or(Further::NONE)
    }
}

/// How a leg's far side was joined to its I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LegMethod {
    /// By (drive, offset, length), and time allowed only this.
    Key,
    /// By key; among several that time allowed, by order and by how long legs take.
    Order,
    /// By time alone (a flush has no offset), at the drive by time and length (a cache has offsets of its own), or by time and the
    /// slabs of the volume (of a parity tier nobody knows which bytes are on which column).
    Time,
}

impl LegMethod {
    /// All methods.
    pub const ALL: [Self; 3] = [Self::Key, Self::Order, Self::Time];

    /// Lower case, as columns and JSON show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Order => "order",
            Self::Time => "time",
        }
    }
}

/// What is known about a clock: the copy node's minus the initiator's, at the start of the I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockStatement {
    /// Best estimate.
    pub offset_nanos: i64,
    /// The truth lies within this of the estimate.
    pub error_nanos: u64,
}

impl ClockStatement {
    /// The statement that the offset lies between two bounds.
    #[must_use]
    pub const fn between(low_nanos: i64, high_nanos: i64) -> Self {
        Self {
            offset_nanos: low_nanos + (high_nanos - low_nanos) / 2,
            error_nanos: (high_nanos - low_nanos).unsigned_abs().div_ceil(2),
        }
    }
}

/// An event that is older than every open window and still has no I/O: its I/O may take up to the longest I/O time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingEvent {
    /// Its stream.
    pub stream: StreamId,
    /// The event; its `stream` is an index of the engine that gave it.
    pub event: Observation,
    /// Where it was seen.
    pub tap: Tap,
    /// Index into the stream's device dictionary.
    pub device: u32,
    /// What it did.
    pub op: Op,
    /// Byte offset on the device.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// Its disk, or the one that its path leads to.
    pub disk: Option<PhysicalDisk>,
    /// The node at the other end, of an initiator leg.
    pub peer: Option<NodeId>,
    /// The copy that the device is made for, if known.
    pub copy: Option<(VolumeId, u32)>,
    /// What its node ties its events by (an IRP), where the source has it.
    pub correlation: Option<u64>,
    /// An I/O whose window has closed could have had it.
    pub contested: bool,
    /// It came too late for windows that it could have belonged to.
    pub late: bool,
}

/// Rows that the join has decided: I/Os with their legs, and events that belong to none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JoinedRows {
    /// I/Os.
    pub ios: Vec<Io>,
    /// Their legs; each is in exactly one I/O's range.
    pub legs: Vec<Leg>,
    /// Events of no I/O.
    pub unmatched: Vec<Unmatched>,
}

impl JoinedRows {
    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ios.is_empty() && self.unmatched.is_empty()
    }

    /// The legs of one I/O of these rows.
    #[must_use]
    pub fn legs_of(&self, io: &Io) -> &[Leg] {
        &self.legs[io.legs.clone()]
    }

    /// Moves all rows of `other` to the end of these.
    pub fn append(&mut self, mut other: Self) {
        let shift = self.legs.len();
        for io in &mut other.ios {
            io.legs = io.legs.start + shift..io.legs.end + shift;
            if let Some(slowest) = &mut io.slowest {
                slowest.leg += shift;
            }
        }
        self.ios.append(&mut other.ios);
        self.legs.append(&mut other.legs);
        self.unmatched.append(&mut other.unmatched);
    }

    /// Puts the I/Os, each with its legs, into the order of a key; those with the same key keep theirs.
    pub fn order_by_key<K: Ord>(&mut self, key: impl Fn(&Io) -> K) {
        if self.ios.is_sorted_by_key(&key) {
            return;
        }
        let mut ios = std::mem::take(&mut self.ios);
        ios.sort_by_key(key);
        let mut legs = Vec::with_capacity(self.legs.len());
        for io in &mut ios {
            let (from, own) = (legs.len(), io.legs.clone());
            legs.extend_from_slice(&self.legs[own.clone()]);
            if let Some(slowest) = &mut io.slowest {
                slowest.leg = slowest.leg - own.start + from;
            }
            io.legs = from..legs.len();
        }
        (self.ios, self.legs) = (ios, legs);
    }
}
