//! An append-only, checksummed record log in segment files.
//!
//! # Purpose
//!
//! What was synced survives a crash, is read back in order, and is read once. A writer appends and says how far the
//! log is durable; readers in the same process follow up to that point; whole segments are given up when what they hold
//! has arrived elsewhere.
//!
//! # Architecture
//!
//! ```text
//! Writer::append ─▶ buffer ─▶ sync ─▶ <first ordinal>.seg ─▶ Reader::next(durable)
//!                               └──── Durable (a value, for a watch channel) ──┘
//! ```
//!
//! | Module | What it does |
//! |---|---|
//! | [`Writer`] | appends, syncs, rotates, gives up old segments |
//! | [`Reader`] | iterates from an ordinal, follows a writer, says what is missing |
//! | [`recover`] | finds the end of a log after a crash and cuts off what was not written whole |
//!
//! Everything here blocks on the disk and belongs on a thread of its own.
//!
//! # Data model
//!
//! A record is a kind, the ordinal of its first event, their count, and a payload. Ordinals are contiguous: each record
//! begins where the last one ended. A record with count 0 is a *mark*; it carries the next ordinal and stands before
//! it. Kinds, payloads and segment heads are the caller's and opaque here.
//!
//! A segment is a file `<first ordinal, 20 digits>.seg`. Where a segment held only marks, the one after it begins with
//! the same ordinal, and its name gets a part number: `<first>-<part, 6 digits>.seg`, from 1 up. All numbers are little
//! endian.
//!
//! | Head | Bytes | Content |
//! |---|---|---|
//! | 0 | 8 | magic, `FATHOMSL` |
//! | 8 | 2 | format version, 1 |
//! | 10 | 4 | part number |
//! | 14 | 8 | first ordinal |
//! | 22 | 4 | h, length of the caller's head |
//! | 26 | h | the caller's head |
//! | 26 + h | 4 | CRC-32 (IEEE) of all before it |
//!
//! Records follow the head without a gap, up to the end of the file:
//!
//! | Record | Bytes | Content |
//! |---|---|---|
//! | 0 | 4 | n, length of all that follows the checksum: 13 + payload |
//! | 4 | 4 | CRC-32 (IEEE) of those n bytes |
//! | 8 | 1 | kind |
//! | 9 | 8 | first ordinal |
//! | 17 | 4 | count |
//! | 21 | n - 13 | payload |
//!
//! A file `lock` in the folder is held by the writer; other files are left alone.
//!
//! # Crashes
//!
//! A segment is synced before the next one is made, so only the last can be cut. [`recover`] says how a cut is told
//! from corruption.
//!
//! # Errors
//!
//! One enum, [`Error`]. A failed write may be tried again (after room was made, if [`Error::is_disk_full`]); after a
//! failed sync nobody knows what is on the disk, and the writer refuses to go on.
//!
//! # What it is not
//!
//! No index, no compression, no eviction policy, no thread, and no knowledge of what the records mean.

mod error;
mod format;
mod reader;
mod recovery;
mod segment;
mod writer;

use std::path::PathBuf;

use bytes::Bytes;

pub use crate::{
    error::{Damage, Error, Result},
    format::MAX_PAYLOAD_BYTES,
    reader::{Item, Reader},
    recovery::{Recovered, first_ordinal, recover},
    segment::SegmentId,
    writer::Writer,
};

/// Where a log lives and how large it may become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The folder, which belongs to this log alone. It is made if it is not there.
    pub directory: PathBuf,
    /// A segment that would pass this size gets a successor. A record larger than that has a segment of its own.
    /// After a crash the last segment is read whole into memory. Default 16 MiB.
    pub segment_bytes: u64,
    /// The size that all segments together must not pass; see [`Error::Full`]. At least three segments' worth, so that
    /// there is always an old one to give up. Default none.
    pub max_total_bytes: Option<u64>,
}

impl Config {
    /// The defaults, in this folder.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            segment_bytes: 16 << 20,
            max_total_bytes: None,
        }
    }
}

/// How far a log is safe on the disk: everything before this survives a crash and may be read.
///
/// A small value that compares by position, made for a watch channel between a writer and its readers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Durable {
    pub(crate) segment: SegmentId,
    /// Zero only while the log has no segment at all.
    pub(crate) offset: u64,
    pub(crate) next_ordinal: u64,
}

impl Durable {
    /// The segment in which the durable part ends.
    pub fn segment(&self) -> SegmentId {
        self.segment
    }

    /// Where in that segment it ends, in bytes from its start.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The ordinal after the last durable one.
    pub fn next_ordinal(&self) -> u64 {
        self.next_ordinal
    }
}

/// One record as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The caller's kind.
    pub kind: u8,
    /// The ordinal of the first event; for a mark the ordinal that comes next.
    pub first: u64,
    /// How many ordinals the record holds; 0 for a mark.
    pub count: u32,
    /// The caller's bytes.
    pub payload: Bytes,
}

impl Record {
    /// The ordinal after the last one of this record.
    pub fn end(&self) -> u64 {
        ordinal_after(self.first, self.count)
    }
}

/// Saturating without harm: at ten million events a second the numbers last for 58,000 years.
fn ordinal_after(first: u64, count: u32) -> u64 {
    first.saturating_add(u64::from(count))
}

#[cfg(test)]
mod tests;
