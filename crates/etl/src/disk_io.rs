//! The kernel's disk I/O group: what one record says.

use fathom_model::Op;

use crate::bytes::Bytes;
use crate::clock::Clock;

/// The class of disk I/O events, {3d6fa8d4-fe05-11d0-9dda-00c04fd7ba7c}, as it lies in a record.
pub(crate) const CLASS: [u8; 16] = [
    0xd4, 0xa8, 0x6f, 0x3d, 0x05, 0xfe, 0xd0, 0x11, 0x9d, 0xda, 0x00, 0xc0, 0x4f, 0xd7, 0xba, 0x7c,
];

/// The provider Microsoft-Windows-Kernel-Disk, {c7bde69a-e1e0-4177-b6ef-283ad1525271}: the same I/O by another way.
pub(crate) const MANIFEST_PROVIDER: [u8; 16] = [
    0x9a, 0xe6, 0xbd, 0xc7, 0xe0, 0xe1, 0x77, 0x41, 0xb6, 0xef, 0x28, 0x3a, 0xd1, 0x52, 0x52, 0x71,
];

/// The group in a hook.
pub(crate) const GROUP: u8 = 0x01;

/// One completed I/O of a disk, as the partition manager saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DiskIo {
    /// The disk's number on the machine.
    pub disk: u32,
    /// Read, write or flush.
    pub op: Op,
    /// Byte offset on the disk; 0 of a flush.
    pub offset: u64,
    /// Bytes; 0 of a flush.
    pub length: u64,
    /// When it was started, in nanoseconds since 1970 on the machine's clock: completion less response time.
    pub start_unix_nanos: i64,
    /// The response time.
    pub duration_nanos: u64,
    /// The request's address (IRP): the same in every event of one I/O on this machine, and used again after it.
    pub irp: Option<u64>,
}

impl DiskIo {
    /// When it completed, in nanoseconds since 1970.
    #[must_use]
    pub const fn end_unix_nanos(&self) -> i64 {
        self.start_unix_nanos.saturating_add_unsigned(self.duration_nanos)
    }
}

/// Sorts by completion; what completed at once, by start, disk, offset and the rest, so that the order never depends on the order of
/// buffers.
pub fn in_order(events: &mut [DiskIo]) {
    events.sort_unstable_by_key(|io| {
        (
            io.end_unix_nanos(),
            io.start_unix_nanos,
            io.disk,
            io.offset,
            io.length,
            io.op,
            io.irp,
        )
    });
}

/// What a type of the group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A read, write or flush that completed.
    Done(Op),
    /// One that was started.
    Init(Op),
    /// Calls of drivers, optical drives, and what is newer.
    Else(u8),
}

impl Kind {
    pub(crate) const fn of(kind: u8) -> Self {
        match kind {
            10 => Self::Done(Op::Read),
            11 => Self::Done(Op::Write),
            12 => Self::Init(Op::Read),
            13 => Self::Init(Op::Write),
            14 => Self::Done(Op::Flush),
            15 => Self::Init(Op::Flush),
            other => Self::Else(other),
        }
    }

    /// As Microsoft's reference and its tools name it.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Done(Op::Read) => "DiskIo/Read".to_owned(),
            Self::Done(Op::Write) => "DiskIo/Write".to_owned(),
            Self::Done(_) => "DiskIo/FlushBuffers".to_owned(),
            Self::Init(Op::Read) => "DiskIo/ReadInit".to_owned(),
            Self::Init(Op::Write) => "DiskIo/WriteInit".to_owned(),
            Self::Init(_) => "DiskIo/FlushInit".to_owned(),
            Self::Else(kind) => format!("DiskIo/type {kind}"),
        }
    }
}

/// Why a payload is no I/O.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoIo {
    /// A version that is not known here.
    Version,
    /// Not as long as its version is.
    Size,
    /// A value that cannot be, in words.
    Value(&'static str),
}

/// Reads a completed read, write or flush.
///
/// Versions 2 (Windows Vista) and 3 (Windows 8: the issuing thread at the end) are known. A pointer has 4 or 8 bytes.
pub(crate) fn decode(
    op: Op,
    version: u16,
    payload: &[u8],
    pointer: usize,
    stamp: i64,
    clock: &Clock,
) -> Result<DiskIo, NoIo> {
    let thread = match version {
        2 => 0,
        3 => 4,
        _ => return Err(NoIo::Version),
    };
    let (irp_at, response_at, bytes) = if op == Op::Flush {
        // DiskIo_TypeGroup3: DiskNumber, IrpFlags, HighResResponseTime, Irp, IssuingThreadId.
        (16, 8, 16 + pointer)
    } else {
        // DiskIo_TypeGroup1: DiskNumber, IrpFlags, TransferSize, Reserved, ByteOffset, FileObject, Irp, HighResResponseTime,
        // IssuingThreadId.
        (24 + pointer, 24 + 2 * pointer, 24 + 2 * pointer + 8)
    };
    if payload.len() != bytes + thread {
        return Err(NoIo::Size);
    }
    let (offset, length) = if op == Op::Flush {
        (0, 0)
    } else {
        let offset = payload.i64_at(16).ok_or(NoIo::Size)?;
        let offset = u64::try_from(offset).map_err(|_| NoIo::Value("an offset before the begin of the disk"))?;
        let length = u64::from(payload.u32_at(8).ok_or(NoIo::Size)?);
        (offset, length)
    };
    let response = payload.u64_at(response_at).ok_or(NoIo::Size)?;
    let end = clock
        .unix_nanos(stamp)
        .ok_or(NoIo::Value("a completion that no time can express"))?;
    let duration = clock
        .response_nanos(response)
        .ok_or(NoIo::Value("a response time that no time can express"))?;
    let start = end
        .checked_sub_unsigned(duration)
        .filter(|&start| start >= 0)
        .ok_or(NoIo::Value("a start before 1970"))?;
    Ok(DiskIo {
        disk: payload.u32_at(0).ok_or(NoIo::Size)?,
        op,
        offset,
        length,
        start_unix_nanos: start,
        duration_nanos: duration,
        irp: Some(payload.pointer_at(irp_at, pointer).ok_or(NoIo::Size)?),
    })
}

#[cfg(test)]
mod tests;
