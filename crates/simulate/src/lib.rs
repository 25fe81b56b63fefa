//! A storage cluster that makes events, with faults and known truth.
//!
//! # Purpose
//!
//! Recordings of clusters that nobody has at hand: sixteen nodes, columns, hot spots, links that lose messages, clocks that are
//! set. Each comes with the exact truth, so that a join can be held against it.
//!
//! # Architecture
//!
//! A [`Config`] says everything; [`Scenario`] has ready ones by name. [`simulate`] places the volumes on the disks
//! (`layout`), runs an event loop over true time (`engine`) in which drives, links and processors are queues (`hardware`)
//! and faults change how long they take (`faults`), notes what each tap sees at completion (`record`), and gives it out as
//! each node's clock shows it (`clock`), with the rows of every write (`truth`).
//!
//! # What it is not
//!
//! No I/O and no clock of the system: the same configuration gives the same bytes, on every system. `fathom-lab` writes
//! recordings of it. It is no model of a product's performance: `docs/design/0008-simulator.md` says what it leaves out.
//!
//! # Units
//!
//! True time is nanoseconds since the run's start (`u64`); what nodes show is nanoseconds since 1970 (`i64`).

mod clock;
pub mod config;
mod counted;
mod engine;
mod error;
mod faults;
mod hardware;
mod layout;
mod random;
mod record;
pub mod scenario;
mod simulated;
mod slots;
pub mod state;
mod station;
mod stops;
mod truth;
mod workload;

pub use clock::Clock;
pub use config::{Config, Taps};
pub use error::{Error, Result};
pub use record::NodeEvents;
pub use scenario::Scenario;
pub use simulated::{FaultMark, Simulated, simulate};
pub use truth::{Rows, TruthCopy, TruthSlowest, TruthWrite};

#[cfg(test)]
mod tests;
