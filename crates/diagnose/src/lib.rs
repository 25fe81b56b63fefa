//! Answers from fan-outs: latency, last copies, the culprit and its evidence.
//!
//! # Architecture
//!
//! Everything is an accumulator: feed it I/Os with their legs in any number of calls, then ask. None keeps rows but the
//! [`overview`], until their turn has come in an order of its own. Memory grows with nodes, disks and bins; of writes only latency keeps anything, up to 200,000 durations a group, which it gives up for a
//! histogram with the next one. The [`culprit`] needs two passes: one to find whom to suspect and
//! when, one to gather the evidence from exactly those writes.
//!
//! # What it is not
//!
//! It does no I/O and reads no clock. The same rows in the same order give the same answers; the same rows in any order and with any
//! indices give the same [`overview`].

pub mod baseline;
pub mod blame;
mod chances;
pub mod compare;
pub mod culprit;
pub mod dated;
pub mod decompose;
pub mod detail;
pub mod durable;
pub mod findings;
#[cfg(test)]
mod fixture;
pub mod health;
pub mod jobs;
pub mod last_copy;
pub mod latency;
pub mod ledger;
pub mod objectives;
mod order;
pub mod overview;
mod spread;
pub mod summary;
pub mod tally;
pub mod watch;
pub mod what_if;
pub mod writerless;
