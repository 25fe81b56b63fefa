//! The join: from I/O events of many nodes with unknown clocks to every write's fan-out.
//!
//! # Purpose
//!
//! No identity crosses the storage bus. The join computes from each write's (volume, offset, length) and the extent map
//! where its copies lie, and ties to each copy the events that were seen there: the leg at the initiator, the request at the
//! target, the request at the drive. Time decides between events with the same key, and since nodes' clocks differ by more
//! than legs last, the clocks are learnt from the traffic itself.
//!
//! # Architecture
//!
//! [`Engine`] takes events of any number of streams, in any interleaving, and closes windows one at a time in a fixed
//! order. Closing a window decides its I/Os by key (`engine/resolve`), one-to-one (`assign`, and by `delays` and `posterior`
//! where that leaves a choice), inside bounds that the clocks allow (`clock`), names the slowest copy (`slowest`) and learns from what was sure.
//!
//! # Promises
//!
//! - The same events give the same rows, whatever the batches, the order of nodes and the moments of calls.
//! - Every event that was pushed is in exactly one fan-out or one `unmatched` row once all streams have ended.
//! - What is not certain is said: an assignment that could be otherwise is `ambiguous`, a thing that is not there has a
//!   cause, a clock that is not known is `None`.
//! - Cost is linear in events (times the logarithm of how many share a key); memory is bounded by lateness, hold and the
//!   longest I/O.
//!
//! # What it is not
//!
//! It does no I/O, reads no clock, and never sees a recording's truth or clocks.

mod assign;
mod clock;
mod config;
mod delays;
mod durations;
mod engine;
mod error;
mod layout;
mod lowest;
mod overlaps;
mod pauses;
mod pool;
mod posterior;
mod slowest;
pub mod striping;

pub use clock::ClockState;
pub use config::Config;
pub use delays::Delays;
pub use engine::{
    CacheState, ClockReport, CorrelationState, DelaysState, End, Engine, FanOuts, MistakenReport, OpenLoss,
    OverdueState, PairState, RepliesState, SharedState, ShiftReport, ShiftState, Standing, State, StreamAccount,
    StreamInfo, StreamReport, StreamState, Waiting,
};
pub use error::{Error, Result};
pub use pauses::Pauses;
pub use slowest::Replies;
