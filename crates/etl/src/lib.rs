//! Decoders of Windows trace files: what they say of disk I/O, as values of the model.
//!
//! # Purpose
//!
//! An `.etl` file is what Windows' event tracing (ETW) leaves on disk. [`read`] takes one, compressed by its writer or not, and gives
//! the disk I/O that the kernel logged in it, on any system: nothing of Windows is called. [`wpa::read`] takes the disk I/O table
//! that `wpaexporter` makes of such a trace as CSV.
//!
//! # Data model
//!
//! ```text
//! file    = buffer*                       the first one holds the log-file header
//! buffer  = 72-byte header, records       or header, Xpress-compressed records
//! record  = header of one of ten kinds, payload, padding to 8 bytes
//! ```
//!
//! A record of the kernel is known by its hook (group and type). Decoded are the groups disk I/O (0x01) and system
//! configuration (0x0B: disks, partitions, the computer's name); all others are walked over and counted.
//! Times in a trace are ticks of the session's clock; [`DiskIo`] has them as nanoseconds since 1970, by the start time in the
//! header. The order is that of completion, which is when the kernel logs.
//!
//! A session that runs hands over the same records one by one: [`event::RawEvent`], of the kernel or of a provider. [`decode`] makes
//! I/Os of them by layouts ([`layout`]) that come from the exact lists of [`manifest`], from the system, or from a configuration;
//! [`walk`] gives the records of a file as a session would have given them. [`slow`], [`connectivity`] and [`nvme`] read what the event log
//! renders as XML; [`nvme`] also what a drive itself answers.
//!
//! # Errors
//!
//! What is no trace is an [`Error`]. What is wrong within a trace is a [`Fault`] with its place, and the rest is still read; what
//! is of a kind or version that is not known here is counted (`Report::undecoded`). Nothing is left out in silence. No input
//! makes a panic, and no size that a file claims is believed before the bytes are there.
//!
//! # Sources of facts
//!
//! The layouts of records are in Microsoft's reference (win32, `desktop-src/ETW`: `diskio-typegroup1.md` to `3`,
//! `systemconfig-phydisk.md`, `systemconfig-logdisk.md`, `systemconfig-cpu.md`, `eventtrace-header.md`); the compression in MS-XCA,
//! sections 2.3 and 2.4; the container is not documented and was checked against real files, which stand in `tests/traces`.
//!
//! # What it is not
//!
//! It opens no files, unpacks no archives and joins nothing: `fathom-lab` does.

mod buffer;
pub mod build;
mod bytes;
mod clock;
mod config;
pub mod connectivity;
pub mod decode;
mod disk_io;
mod error;
pub mod event;
pub mod layout;
mod log_file;
pub mod manifest;
pub mod nvme;
mod record;
mod report;
pub mod slow;
mod trace;
mod unpack;
mod walk;
pub mod wpa;
mod xpress;

pub use clock::{Clock, ClockKind};
pub use config::{Partition, PhysicalDrive, System};
pub use disk_io::{DiskIo, in_order};
pub use error::{Error, Result};
pub use log_file::LogFile;
pub use report::{Counts, Fault, FaultKind, Report, Undecoded};
pub use trace::{MOST_EVENTS, Trace, read};
pub use walk::{Walked, walk};
