//! What was read of a file, and what was not.

use std::collections::BTreeMap;
use std::fmt;

/// Faults that are kept with their place; more are only counted.
const MOST_FAULTS: usize = 100;

/// Disk I/O events by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Reads that completed.
    pub reads: u64,
    /// Writes that completed.
    pub writes: u64,
    /// Flushes that completed.
    pub flushes: u64,
    /// Reads, writes and flushes that were started (logged only where the session asked for it).
    pub inits: [u64; 3],
}

impl Counts {
    /// Events that became rows.
    #[must_use]
    pub const fn ios(&self) -> u64 {
        self.reads + self.writes + self.flushes
    }
}

/// Events that would have said something of disk I/O and were not decoded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Undecoded {
    /// A version that is not known here.
    Version {
        /// The event.
        event: String,
        /// Its version.
        version: u16,
    },
    /// Not as long as its version is.
    Size {
        /// The event.
        event: String,
        /// Its version.
        version: u16,
        /// Bytes of its payload.
        bytes: usize,
    },
    /// A value that cannot be.
    Value {
        /// The event.
        event: String,
        /// What cannot be.
        what: &'static str,
    },
    /// A disk event of a kind that is not read: calls of drivers, optical drives, or newer ones.
    Kind {
        /// The event.
        event: String,
    },
    /// An event of the provider Microsoft-Windows-Kernel-Disk, which tells the same I/O by another way.
    KernelDisk {
        /// The event's id.
        id: u16,
    },
}

impl Undecoded {
    /// Whether an I/O may be missing for it. Of other kinds no row would have been made, so nothing is missing.
    #[must_use]
    pub const fn may_be_io(&self) -> bool {
        !matches!(self, Self::Kind { .. })
    }
}

impl fmt::Display for Undecoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { event, version } => write!(f, "{event}: version {version} is not known"),
            Self::Size { event, version, bytes } => {
                write!(f, "{event}: version {version} does not have {bytes} bytes")
            }
            Self::Value { event, what } => write!(f, "{event}: {what}"),
            Self::Kind { event } => write!(f, "{event}: not a read, write or flush"),
            Self::KernelDisk { id } => {
                write!(
                    f,
                    "Microsoft-Windows-Kernel-Disk/{id}: not read; take the trace with the kernel's DiskIO flag"
                )
            }
        }
    }
}

/// Something wrong in the file, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where in the file: the begin of the buffer. Line number of a CSV.
    pub offset: u64,
    /// What kind of loss it means.
    pub kind: FaultKind,
    /// What is wrong, in words.
    pub cause: String,
}

/// What a fault loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The file ends in the middle of a buffer, or bytes that are no buffer follow: what would come after is lost.
    CutOff,
    /// One buffer cannot be unpacked.
    Buffer,
    /// The rest of one buffer cannot be read.
    Rest,
    /// One record says something else than what was expected of it.
    Record,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lost = match self.kind {
            FaultKind::CutOff => "what follows is lost; copy the file again",
            FaultKind::Buffer => "the events of this buffer are lost",
            FaultKind::Rest => "the rest of this buffer's events is lost",
            FaultKind::Record => "this one is left out",
        };
        write!(f, "at {}: {}; {lost}", self.offset, self.cause)
    }
}

/// What was read of a file, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Bytes that were read, unpacked from archives.
    pub bytes: u64,
    /// Buffers that were read.
    pub buffers: u64,
    /// Records that were walked over, of any kind; rows of a CSV.
    pub records: u64,
    /// Disk I/O events that were decoded.
    pub counts: Counts,
    /// Events that were not, by why.
    pub undecoded: BTreeMap<Undecoded, u64>,
    /// What was wrong, the first hundred.
    pub faults: Vec<Fault>,
    /// All that was wrong, counted.
    pub fault_count: u64,
    /// Events that the session lost, as the header says.
    pub events_lost: u64,
    /// Buffers that the session lost, as the header says.
    pub buffers_lost: u64,
    /// Buffers that the header counts and the file does not have.
    pub buffers_missing: u64,
}

impl Report {
    pub(crate) fn fault(&mut self, offset: u64, kind: FaultKind, cause: String) {
        self.fault_count += 1;
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(Fault { offset, kind, cause });
        }
    }

    pub(crate) fn undecoded(&mut self, what: Undecoded) {
        *self.undecoded.entry(what).or_default() += 1;
    }

    /// Whether disk I/O of the time of the trace may be missing: lost by the session, not decoded, or broken.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.fault_count > 0
            || self.events_lost > 0
            || self.buffers_lost > 0
            || self.buffers_missing > 0
            || self.undecoded.keys().any(Undecoded::may_be_io)
    }
}
