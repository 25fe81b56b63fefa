//! What a fan-out lacks, and events that no fan-out has.

use crate::catalog::{DiskIndex, NodeIndex};
use crate::fan_out::Observation;
use crate::tap::{Op, Tap};

/// Why an observation that was to be expected is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Missing {
    /// No daemon speaks for the node.
    NoDaemon,
    /// The node had been silent for longer than the silence time when the window closed.
    Silent,
    /// The I/O lies before the node's first or after its last event.
    NotCovered,
    /// The node's stream says that it lost events at this time.
    Lost,
    /// The clocks of the two nodes could not be aligned, so that no event could be told to be the right one.
    Unaligned,
    /// The node was heard at this time and has no such event: lost without notice, or it never happened.
    Absent,
    /// The extent map has no copy for these bytes.
    NoExtent,
    /// The tap shows requests of this disk, but at other offsets than the extent map has, and by no constant that explains them.
    Displaced,
    /// A cache drive took the request, and more than one of its requests could be this one.
    Indistinct,
    /// The I/O's own node had been silent for longer than the silence time, and what far sides saw of that time had been set aside when
    /// the I/O came.
    Late,
}

impl Missing {
    /// All causes.
    pub const ALL: [Self; 10] = [
        Self::NoDaemon,
        Self::Silent,
        Self::NotCovered,
        Self::Lost,
        Self::Unaligned,
        Self::Absent,
        Self::NoExtent,
        Self::Displaced,
        Self::Indistinct,
        Self::Late,
    ];

    /// Snake case, as columns and JSON show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoDaemon => "no_daemon",
            Self::Silent => "silent",
            Self::NotCovered => "not_covered",
            Self::Lost => "lost",
            Self::Unaligned => "unaligned",
            Self::Absent => "absent",
            Self::NoExtent => "no_extent",
            Self::Displaced => "displaced",
            Self::Indistinct => "indistinct",
            Self::Late => "late",
        }
    }
}

/// An event that no fan-out has, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmatched {
    /// The event.
    pub event: Observation,
    /// Where it was seen.
    pub tap: Tap,
    /// The node that saw it.
    pub node: NodeIndex,
    /// The disk, where the device is one or leads to one.
    pub disk: Option<DiskIndex>,
    /// The name of the device in the stream's dictionary.
    pub device: String,
    /// What it did.
    pub op: Op,
    /// Byte offset on the device.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// Why it was not used.
    pub cause: UnmatchedCause,
}

/// Why an event is in no fan-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UnmatchedCause {
    /// Far side: no write that was seen explains it (a repair's own I/O, another initiator, a write whose event was lost).
    Foreign,
    /// Initiator side: a leg whose write was not seen.
    NoWrite,
    /// A leg that ended after its I/O, later than lateness allows, or not to be told of which of several.
    AfterWrite,
    /// A leg without an offset that several I/Os could have had, and it is not known whose it was: mostly an attempt that failed.
    Ambiguous,
    /// It came after its window had closed.
    Late,
    /// Its device is in no extent map or no dictionary entry says what it is.
    UnknownDevice,
    /// A tap that this version does not join yet.
    UnusedTap,
}

impl UnmatchedCause {
    /// All causes.
    pub const ALL: [Self; 7] = [
        Self::Foreign,
        Self::NoWrite,
        Self::AfterWrite,
        Self::Ambiguous,
        Self::Late,
        Self::UnknownDevice,
        Self::UnusedTap,
    ];

    /// Snake case, as columns and JSON show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::NoWrite => "no_write",
            Self::AfterWrite => "after_write",
            Self::Ambiguous => "ambiguous",
            Self::Late => "late",
            Self::UnknownDevice => "unknown_device",
            Self::UnusedTap => "unused_tap",
        }
    }
}
