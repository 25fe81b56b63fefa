//! Records within a buffer: where each begins and ends, what it is, and its stamp.

use crate::bytes::Bytes;

/// A record's identity: a hook of the kernel, or a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Group << 8 | type.
    Hook(u16),
    /// A class of events by its GUID, with the type.
    Class { guid: [u8; 16], kind: u8 },
    /// A provider with a manifest, or one that describes itself.
    Provider { guid: [u8; 16], id: u16 },
    /// A message or another kind without a payload that could be known here.
    Other,
}

/// A record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    /// Where it begins in its buffer, counted from the buffer's begin.
    pub(crate) at: usize,
    pub(crate) identity: Identity,
    pub(crate) version: u16,
    /// Ticks of the session's clock; 0 where the kind has none.
    pub(crate) stamp: i64,
    /// Bytes of a pointer in the payload, by the kind of the record's header.
    pub(crate) pointer: usize,
    pub(crate) payload: &'a [u8],
}

/// Why the rest of a buffer cannot be read: where, counted from the buffer's begin, and the cause in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) at: usize,
    pub(crate) cause: String,
}

/// The records of a buffer's data, which begins after the buffer's header.
#[derive(Debug)]
pub(crate) struct Records<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Records<'a> {
    pub(crate) const fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    /// The next record, or why there is none although there are bytes; `None` at the end of the data.
    pub(crate) fn next(&mut self) -> Option<Result<Record<'a>, Lost>> {
        let at = self.at;
        let rest = self.data.get(at..)?;
        // The last record's padding may reach past the end.
        if rest.is_empty() || rest.u32_at(0) == Some(u32::MAX) {
            self.at = self.data.len();
            return None;
        }
        match record(rest) {
            Ok((mut record, bytes)) => {
                record.at = at + crate::buffer::HEADER;
                self.at = at.saturating_add(bytes.next_multiple_of(8));
                Some(Ok(record))
            }
            Err(cause) => {
                self.at = self.data.len();
                Some(Err(Lost {
                    at: at + crate::buffer::HEADER,
                    cause,
                }))
            }
        }
    }
}

/// Kinds of headers (TRACE_HEADER_TYPE_*), in byte 2 of a record.
const SYSTEM_32: u8 = 1;
const SYSTEM_64: u8 = 2;
const COMPACT_32: u8 = 3;
const COMPACT_64: u8 = 4;
const FULL_32: u8 = 10;
const INSTANCE_32: u8 = 11;
const ERROR: u8 = 13;
const WNODE: u8 = 14;
const MESSAGE: u8 = 15;
const PERF_INFO_32: u8 = 16;
const PERF_INFO_64: u8 = 17;
const EVENT_32: u8 = 18;
const EVENT_64: u8 = 19;
const FULL_64: u8 = 20;
const INSTANCE_64: u8 = 21;

/// The record at the begin of `rest`, and its bytes without padding.
fn record(rest: &[u8]) -> Result<(Record<'_>, usize), String> {
    let (Some(first), Some(kind), Some(marker)) = (rest.u16_at(0), rest.get(2).copied(), rest.get(3).copied()) else {
        return Err(format!("{} bytes where a record should be", rest.len()));
    };
    // TRACE_HEADER_FLAG is in every header; TRACE_HEADER_EVENT_TRACE is not in those of messages (WPP).
    let is_message = marker & 0x50 == 0x10;
    if marker & 0x80 == 0 || !(is_message || marker & 0x40 != 0) {
        return Err(format!(
            "no record begins with {first:#06x}, {kind:#04x}, {marker:#04x}"
        ));
    }
    let header = match kind {
        _ if is_message => 8,
        SYSTEM_32 | SYSTEM_64 => 32,
        COMPACT_32 | COMPACT_64 => 24,
        PERF_INFO_32 | PERF_INFO_64 => 16,
        EVENT_32 | EVENT_64 => 80,
        FULL_32 | FULL_64 => 48,
        INSTANCE_32 | INSTANCE_64 => 56,
        ERROR | WNODE | MESSAGE => 8,
        other => return Err(format!("a record whose header is of the unknown kind {other:#04x}")),
    };
    let has_hook = !is_message
        && matches!(
            kind,
            SYSTEM_32 | SYSTEM_64 | COMPACT_32 | COMPACT_64 | PERF_INFO_32 | PERF_INFO_64
        );
    let bytes = usize::from(if has_hook { rest.u16_at(4).unwrap_or(0) } else { first });
    if bytes < header || bytes > rest.len() {
        return Err(format!(
            "a record of {bytes} bytes, where its header has {header} and {} are left",
            rest.len()
        ));
    }
    let whole = &rest[..bytes];
    let half = |at| whole.u16_at(at).unwrap_or(0);
    let byte = |at: usize| whole.get(at).copied().unwrap_or(0);
    let stamp = |at| whole.i64_at(at).unwrap_or(0);
    let guid = || whole.array::<16>(24).unwrap_or([0; 16]);
    let (identity, version, stamp) = match kind {
        _ if is_message => (Identity::Other, 0, 0),
        PERF_INFO_32 | PERF_INFO_64 => (Identity::Hook(half(6)), first, stamp(8)),
        _ if has_hook => (Identity::Hook(half(6)), first, stamp(16)),
        EVENT_32 | EVENT_64 => {
            let provider = Identity::Provider {
                guid: guid(),
                id: half(40),
            };
            (provider, u16::from(byte(42)), stamp(16))
        }
        FULL_32 | FULL_64 => {
            let class = Identity::Class {
                guid: guid(),
                kind: byte(4),
            };
            (class, half(6), stamp(16))
        }
        _ => (Identity::Other, 0, 0),
    };
    let is_32 = matches!(
        kind,
        SYSTEM_32 | COMPACT_32 | FULL_32 | INSTANCE_32 | PERF_INFO_32 | EVENT_32
    );
    let record = Record {
        at: 0,
        identity,
        version,
        stamp,
        pointer: if is_32 { 4 } else { 8 },
        payload: &whole[header..],
    };
    Ok((record, bytes))
}
