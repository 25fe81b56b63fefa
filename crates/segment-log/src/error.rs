//! What can go wrong with a log, as facts that a caller can match on. Not what to do: that depends on the caller.

use std::{
    io,
    path::{Path, PathBuf},
};

/// The result of an operation on a log.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on a log failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused. Writes may be tried again, and nothing accepted is lost by it.
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// What was tried, as in "write".
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A segment does not hold what was written to it, and no crash of this program explains it. What follows in the
    /// segment cannot be trusted; a reader can go on behind it with [`crate::Reader::skip_segment`].
    #[error("{} is corrupt at byte {offset}", path.display())]
    Corrupt {
        /// The segment's file.
        path: PathBuf,
        /// Where the damaged head or record begins.
        offset: u64,
        /// What is wrong there.
        #[source]
        damage: Damage,
    },
    /// The segment was written by a newer program.
    #[error("{} has format version {found}, and versions up to {supported} can be read", path.display())]
    Version {
        /// The segment's file.
        path: PathBuf,
        /// The version in its head.
        found: u16,
        /// The newest version that this program reads.
        supported: u16,
    },
    /// The record to append does not begin where the log ends. Nothing was appended.
    #[error("the log continues with ordinal {expected}, and the record begins with {found}")]
    NotContiguous {
        /// The log's next ordinal.
        expected: u64,
        /// The record's first ordinal.
        found: u64,
    },
    /// A payload or head is larger than a log may hold. Nothing was appended.
    #[error("a record or head of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// [`crate::MAX_PAYLOAD_BYTES`].
        limit: usize,
    },
    /// The record would take the log past its configured size. Nothing was appended; make room with
    /// [`crate::Writer::release`] or [`crate::Writer::evict_oldest`].
    #[error("the log would grow to {wanted_bytes} bytes, over its limit of {limit_bytes}")]
    Full {
        /// The configured size.
        limit_bytes: u64,
        /// The size with the record.
        wanted_bytes: u64,
    },
    /// Another writer, most likely of another process, has the log open.
    #[error("{} is held by another process that writes there", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// An earlier sync failed, so that what was written since the one before may be on the disk or not. Drop the writer;
    /// what it has given out as durable is safe.
    #[error("an earlier sync of {} failed, and what it covered is in doubt", path.display())]
    InDoubt {
        /// The log's folder.
        path: PathBuf,
    },
    /// A reader was asked to begin beyond the end of the log: whoever named that ordinal knows another log.
    #[error("the log ends at ordinal {next_ordinal}, before the {from} that was asked for")]
    BeyondEnd {
        /// The ordinal that was asked for.
        from: u64,
        /// The log's next ordinal.
        next_ordinal: u64,
    },
}

/// What is wrong with a head or a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The file or its durable part ends too early.
    #[error("it needs {needed} bytes, and {found} are there")]
    Cut {
        /// Bytes that the head or record takes as a whole, as far as known.
        needed: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// The file does not begin as a segment does.
    #[error("the magic of a segment is missing")]
    Magic,
    /// The head is of another segment: the file was renamed.
    #[error("the head is of segment {found}")]
    OtherSegment {
        /// The segment that the head names.
        found: crate::SegmentId,
    },
    /// The length is one that no record and no head can have.
    #[error("{found} is no possible length")]
    Length {
        /// The length as read.
        found: u32,
    },
    /// The bytes are not those that were written.
    #[error("the checksum is {found:08x}, and {expected:08x} was written")]
    Checksum {
        /// The checksum that was written.
        expected: u32,
        /// The checksum of what is there.
        found: u32,
    },
    /// The record does not begin where the last one ended.
    #[error("ordinal {expected} should follow, and {found} does")]
    Ordinal {
        /// The ordinal that comes next.
        expected: u64,
        /// The ordinal that is there.
        found: u64,
    },
}

impl Error {
    /// True if the disk (or a quota on it) is full, so that the same call can succeed after room was made.
    pub fn is_disk_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Self::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded))
    }

    /// For `map_err`: an [`Error::Io`] of this operation on this path.
    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            operation,
            path: path.to_owned(),
            source,
        }
    }
}
