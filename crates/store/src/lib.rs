//! The embedded columnar store: Parquet files behind a manifest.
//!
//! # Purpose
//!
//! It keeps what the join decided, so that a crash at any moment loses nothing that was acknowledged and stores nothing twice,
//! and so that any engine that reads Parquet can read it.
//!
//! # Data model
//!
//! One manifest a cluster: numbered records ([`manifest::Record`]), each put with create-if-absent. A record names the files it
//! adds and carries everything that a successor needs to go on. A reader sees a file only through the manifest. Tables are
//! partitioned Parquet: [`tables::ios`], [`tables::legs`] by hour, [`tables::unmatched`], [`tables::coverage`],
//! [`tables::observations`], [`tables::samples`], [`tables::findings`], [`tables::slow_minutes`], [`tables::baselines`],
//! [`tables::write_seconds`], [`tables::latency`], [`tables::attribution`] by day, the last two with [`tables::latency_sums`], [`tables::attribution_sums`]; `pending` is one file a record.
//!
//! # I/O
//!
//! Everything goes through `object_store`; on a local folder our own wrapper ([`blobs`]) writes, syncs, then links, so that
//! a name never stands for half a file.
//!
//! # Errors
//!
//! [`Error::Fenced`] means that another owner has taken the store over: stop. Everything else is the disk's.

pub mod blobs;
mod columns;
mod error;
pub mod manifest;
mod owner;
pub mod paths;
mod scan;
mod sums;
pub mod tables;

pub use error::{Error, Result};
pub use manifest::{FileEntry, Record};
pub use owner::{Commit, Owner};
pub use scan::{
    Span, read_attribution, read_baselines, read_changes, read_coverage, read_latency, read_observations, read_pending,
    read_rows, read_samples, read_seconds, read_slow_minutes,
};
pub use sums::{Ask, each_attribution, each_latency, longest_bucket, sum_attribution, sum_latency};
