//! What a node can read, as one trait: [`Source`].
//!
//! # Data model
//!
//! A source gives batches of I/O events with contiguous ordinals, each with a promise: nothing of a later ordinal completed
//! before [`Batch::complete_until_unix_nanos`]. It never blocks and never reads a clock: whoever drives it says how much time
//! has passed.
//!
//! # Implementations
//!
//! | source | system | what |
//! |---|---|---|
//! | [`replay::ReplaySource`] | any | a node's part of a recording, as fast as it is asked or at recorded speed |
//! | [`live::LiveSource`] | Windows; any over a trace file | what the node logs now |
//!
//! What a node reports of its resources is another stream with a trait of its own, [`state::StateSource`].
//!
//! # Errors
//!
//! A recording that is broken is refused when the source opens, before anything was given out.

use std::time::Duration;

use fathom_model::coverage::GapCause;
use fathom_model::{Device, Incarnation, IoColumns, NodeId, Tap, Topology};

pub mod check;
pub mod live;
pub mod process;
pub mod replay;
pub mod state;

/// What a source says of itself before it gives events.
#[derive(Clone, Debug)]
pub struct Description {
    /// The node whose events it gives.
    pub node: NodeId,
    /// For a source that always gives the same events: the incarnation that stands for them, so that playing it twice adds
    /// nothing. `None` for a live source, which gets a random one for every new spool.
    pub incarnation: Option<Incarnation>,
    /// Its taps, each with its resolution in nanoseconds.
    pub taps: Vec<(Tap, u64)>,
    /// From when on it would have seen an event that completed, on the node's clock.
    pub covered_from_unix_nanos: Option<i64>,
    /// The cluster, where the source knows it.
    pub topology: Option<Topology>,
    /// Of a live source: the wall clock in nanoseconds since 1970 and its own clock at the same moment, read once, of which all its times
    /// are made. `None` where times were not made from an anchor.
    pub anchor: Option<(i64, u64)>,
}

/// Events with contiguous ordinals.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Ordinal of the first event.
    pub first_ordinal: u64,
    /// The events.
    pub columns: IoColumns,
    /// No event of a later ordinal completed before this, on the node's clock.
    pub complete_until_unix_nanos: i64,
}

/// A stretch of time in which the source lost events that no ordinal counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// From, on the node's clock.
    pub from_unix_nanos: i64,
    /// Until, on the node's clock.
    pub until_unix_nanos: i64,
    /// Why.
    pub cause: GapCause,
    /// How many, where the source counts them.
    pub events: Option<u64>,
}

/// What a source has used and lost so far, as the daemon tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events that it read.
    pub read: u64,
    /// Events that were lost before it could read them, or came too late.
    pub lost: u64,
    /// Events that it left out under load.
    pub shed: u64,
    /// Events that may have been I/O and could not be decoded.
    pub undecoded: u64,
    /// Events that it holds in memory now.
    pub held: u64,
    /// What may have been I/O and could not be decoded, in words, a line a kind.
    pub troubles: Vec<String>,
}

/// What a source had when it was asked.
#[derive(Clone, Debug)]
pub enum Polled {
    /// Events.
    Events(Batch),
    /// It lost events. Before the promise that covers this time.
    Gap(Gap),
    /// No events, and a promise: none of a later ordinal completed before this.
    Quiet {
        /// On the node's clock.
        complete_until_unix_nanos: i64,
    },
    /// Nothing yet; ask again after about this long.
    Later(Duration),
    /// Nothing any more, ever.
    End,
}

/// Something on a node that I/O events can be read from.
pub trait Source: Send {
    /// What it is; may be asked at any time.
    fn describe(&self) -> Description;

    /// The device dictionary: what `device` stands for in all events given so far. It only grows.
    fn devices(&self) -> &[Device];

    /// Goes to an ordinal: the next event given is that one. A source that cannot go back says so.
    ///
    /// # Errors
    ///
    /// When the source has no such ordinal any more.
    fn seek(&mut self, ordinal: u64) -> Result<()>;

    /// Up to `most` events of those that are there `elapsed` after the source was started.
    ///
    /// # Errors
    ///
    /// When the source broke; what it had given before stays true.
    fn poll(&mut self, elapsed: Duration, most: usize) -> Result<Polled>;

    /// How full the buffer behind it is, from 0 to 1. A source that cannot wait leaves out a part of what comes when it is nearly full; one
    /// that can wait need not care.
    fn set_pressure(&mut self, _fullness: f64) {}

    /// What it has used and lost; `None` of one that has nothing to tell.
    fn tally(&self) -> Option<Tally> {
        None
    }
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a source cannot give events.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The recording cannot be read.
    #[error(transparent)]
    Recording(#[from] fathom_capture::Error),
    /// The trace cannot be read.
    #[error(transparent)]
    Trace(#[from] fathom_etl::Error),
    /// What the system gave no more, or never gave.
    #[error("{what}: {reason}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// What it said.
        reason: String,
    },
    /// A live source was asked for what it gave out before.
    #[error("a live source cannot go back to event {wanted}: it is at {next}, and what it gave out is gone")]
    Gone {
        /// The ordinal that was asked for.
        wanted: u64,
        /// The next one.
        next: u64,
    },
    /// The recording changed while it was being played.
    #[error("the recording of node {node} changed while it was played: it had {expected} rows and now has {found}")]
    Changed {
        /// The node.
        node: NodeId,
        /// Rows when the source opened.
        expected: u64,
        /// Rows now.
        found: u64,
    },
}
