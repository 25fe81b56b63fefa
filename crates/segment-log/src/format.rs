//! The bytes of heads and records, as the crate's documentation lays them out. Not files: see [`crate::segment`].

use bytes::{Buf as _, BufMut as _};

use crate::{Damage, Error, Result, SegmentId};

/// The first bytes of every segment.
const MAGIC: &[u8; 8] = b"FATHOMSL";
/// The version that is written, and the newest that is read.
pub(crate) const VERSION: u16 = 1;
/// The head's bytes before the caller's part.
pub(crate) const HEAD_START: usize = 26;
/// The record's bytes before the payload.
pub(crate) const RECORD_START: usize = 21;
/// The largest payload, and the largest caller's head. A bound, so that a damaged length cannot ask for all memory; far
/// above what a batch of events needs.
pub const MAX_PAYLOAD_BYTES: usize = 64 << 20;

const CRC: usize = 4;
/// A record's bytes up to and with its checksum.
const RECORD_FRAME: usize = 8;

pub(crate) fn check_size(bytes: usize) -> Result<()> {
    if bytes > MAX_PAYLOAD_BYTES {
        return Err(Error::TooLarge {
            bytes,
            limit: MAX_PAYLOAD_BYTES,
        });
    }
    Ok(())
}

pub(crate) fn head_bytes(head: &[u8]) -> u64 {
    (HEAD_START + head.len() + CRC) as u64
}

pub(crate) fn record_bytes(payload: &[u8]) -> u64 {
    (RECORD_START + payload.len()) as u64
}

/// The head must have passed [`check_size`].
pub(crate) fn put_head(out: &mut Vec<u8>, id: SegmentId, head: &[u8]) {
    let start = out.len();
    out.put_slice(MAGIC);
    out.put_u16_le(VERSION);
    out.put_u32_le(id.part);
    out.put_u64_le(id.first);
    out.put_u32_le(head.len() as u32);
    out.put_slice(head);
    let crc = crc32fast::hash(&out[start..]);
    out.put_u32_le(crc);
}

/// The payload must have passed [`check_size`].
pub(crate) fn put_record(out: &mut Vec<u8>, kind: u8, first: u64, count: u32, payload: &[u8]) {
    let start = out.len();
    out.put_u32_le((RECORD_START - RECORD_FRAME + payload.len()) as u32);
    out.put_u32_le(0);
    out.put_u8(kind);
    out.put_u64_le(first);
    out.put_u32_le(count);
    out.put_slice(payload);
    let crc = crc32fast::hash(&out[start + RECORD_FRAME..]);
    out[start + CRC..start + RECORD_FRAME].copy_from_slice(&crc.to_le_bytes());
}

/// What the first [`HEAD_START`] bytes of a segment say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadStart {
    pub version: u16,
    pub id: SegmentId,
    /// Bytes of the head as a whole.
    pub bytes: usize,
}

pub(crate) fn head_start(mut bytes: &[u8]) -> Result<HeadStart, Damage> {
    let magic = bytes.get_u64_le().to_le_bytes();
    let version = bytes.get_u16_le();
    let part = bytes.get_u32_le();
    let first = bytes.get_u64_le();
    let length = bytes.get_u32_le();
    if &magic != MAGIC {
        return Err(Damage::Magic);
    }
    if length as usize > MAX_PAYLOAD_BYTES {
        return Err(Damage::Length { found: length });
    }
    Ok(HeadStart {
        version,
        id: SegmentId { first, part },
        bytes: HEAD_START + length as usize + CRC,
    })
}

/// Checks a whole head.
pub(crate) fn check_head(bytes: &[u8]) -> Result<(), Damage> {
    let (covered, mut crc) = bytes.split_at(bytes.len() - CRC);
    compare(crc.get_u32_le(), covered)
}

/// The size of the record that begins with these bytes, of which there must be four.
pub(crate) fn record_size(mut bytes: &[u8]) -> Result<usize, Damage> {
    let length = bytes.get_u32_le();
    let least = RECORD_START - RECORD_FRAME;
    if (length as usize) < least || length as usize > least + MAX_PAYLOAD_BYTES {
        return Err(Damage::Length { found: length });
    }
    Ok(RECORD_FRAME + length as usize)
}

/// Kind, first ordinal and count of a whole record whose checksum fits.
pub(crate) fn check_record(mut bytes: &[u8]) -> Result<(u8, u64, u32), Damage> {
    bytes.advance(CRC);
    let crc = bytes.get_u32_le();
    compare(crc, bytes)?;
    Ok((bytes.get_u8(), bytes.get_u64_le(), bytes.get_u32_le()))
}

fn compare(expected: u32, bytes: &[u8]) -> Result<(), Damage> {
    let found = crc32fast::hash(bytes);
    if expected == found {
        Ok(())
    } else {
        Err(Damage::Checksum { expected, found })
    }
}

#[cfg(test)]
mod tests;
