//! What a node sees now, as a [`Source`](crate::Source): trace events and what the event log keeps, decoded, paired, put in order.
//!
//! # Data model
//!
//! ```text
//! feed ──▶ decoder ──▶ pairs ──▶ places ──▶ shed ──▶ order ──▶ batches
//! (ETW, or a recorded trace)     (disks)   (slices)  (slots)
//! ```
//!
//! Everything behind the feed is pure and the same on all systems. A [`Feed`] hands over raw events and says what it lost; the live one
//! (`etw`, Windows alone) is a trace session of our own, [`recorded`] plays a trace file.
//!
//! # Times
//!
//! Event time is a wall-clock reading taken once with the counter that stamps events, plus what that counter went on since.
//!
//! # Losses
//!
//! What the session lost, what found no room, what came too late for its place and what was shed is a [`Gap`](crate::Gap) with its cause.
//! What cannot be decoded is counted by why ([`Counts`]) and never guessed at.

use std::time::Duration;

use fathom_etl::event::EventKey;
use fathom_etl::layout::Layout;

pub mod chunk;
mod counts;
#[cfg(windows)]
pub mod etw;
pub mod inventory;
pub mod open;
mod order;
mod pairs;
pub mod places;
pub mod profile;
pub mod recorded;
mod shed;
mod source;
pub mod waiting;
mod work;

pub use counts::Counts;
pub use fathom_etl::Clock;
pub use fathom_etl::decode::Settings;
pub use fathom_etl::event::RawEvent;
pub use fathom_etl::layout::NoLayout;
pub use open::{Layouts, Opened, Setup, event_key};
pub use pairs::PairCounts;
pub use places::{Disk, Disks};
pub use profile::Profile;
pub use source::{LiveSource, Options, Volume};

/// Something that hands over what a node logs.
pub trait Feed: Send {
    /// Hands over what came since the last call, and never waits.
    ///
    /// # Errors
    ///
    /// When it broke; what it handed over before stays true.
    fn drain(&mut self, elapsed: Duration, take: &mut dyn FnMut(Item<'_>)) -> crate::Result<Fed>;

    /// Layouts of events that the system knows by itself, each with its event; asked once, before anything is drained.
    fn layouts(&mut self) -> Vec<(EventKey, Layout)> {
        Vec::new()
    }

    /// What it cannot give now, each with its reason.
    fn troubles(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What a feed hands over.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// An event of a trace session.
    Event(RawEvent<'a>),
    /// An event of the event log, as XML.
    Rendered(&'a str),
    /// The disks as the system knows them from here on.
    Disks(&'a [Disk]),
}

/// How a feed stands.
#[derive(Clone, Debug, Default)]
pub struct Fed {
    /// Event time now: everything that was logged [`Options::hold`] before it has been handed over.
    pub now_unix_nanos: i64,
    /// Events lost so far: by the session, or for want of room.
    pub lost: u64,
    /// Buffers lost so far, each with an unknown number of events.
    pub lost_buffers: u64,
    /// When those may have been, where it is not since the last call: of a trace file, which does not tell.
    pub lost_within: Option<(i64, i64)>,
    /// Nothing more comes: of a trace file.
    pub is_ended: bool,
}
