//! Many clusters in short: what a site says of one, how all of them are, and which firmware, driver or build is worse than its like.
//!
//! # Purpose
//!
//! A site's coordinator makes a [`ClusterRollup`](fathom_model::rollup::ClusterRollup) of each of its clusters with a [`Gather`]; a fleet's
//! coordinator gives them to a [`Fleet`], which knows at any time how the fleet, each site and each cluster is, what changed, and, over any
//! [`Selection`] of clusters, percentiles and [cohorts].
//!
//! # What it is not
//!
//! Pure: no I/O, no clock, no tasks. Time is a value that the caller gives, and everything is bounded: what a bound cut off is counted.
//! The types that travel are in `fathom-model` (`rollup`, `fleet`, `sketch`), so that `fathom-proto` can convert them.
//!
//! # Cost
//!
//! To apply a rollup costs what is in it and a logarithm of the number of clusters. Answers about one cluster, one site or the whole fleet
//! are kept up to date; percentiles and cohorts look at each cluster that was asked for.

pub mod cohorts;
pub mod fleet;
pub mod gather;
pub mod selection;

pub use fathom_model::sketch::Sketch;

pub use fleet::{Applied, Config, Fleet, KeptVariant, Memory, Partial, UPDATES_KEPT_NANOS};
pub use gather::{Gather, Inventory, Scene};
pub use selection::Selection;

#[cfg(test)]
mod fixture;

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;

/// Nanoseconds in an hour.
const HOUR: i64 = 3600 * SECOND;
