//! Batches of I/O events: columns, delta coded and compressed once.

use bytes::Bytes;
use fathom_model::{IoColumns, IoEvent};
use prost::Message;

use super::collect::{op_from_wire, op_to_wire, tap_from_wire, tap_to_wire};
use super::{Error, Result};
use crate::collect::v1 as wire;

/// Most events in a batch.
pub const MOST_EVENTS: usize = 65_536;

/// Largest columns before compression.
pub const MOST_BYTES: usize = 8 * 1024 * 1024;

/// Level 1: batches are compressed on nodes whose CPU belongs to guests.
const ZSTD_LEVEL: i32 = 1;

/// Encodes and compresses events.
///
/// # Panics
///
/// When there are more than [`MOST_EVENTS`]; the caller cuts batches.
#[must_use]
pub fn encode(first_ordinal: u64, events: &IoColumns, complete_until_unix_nanos: i64) -> wire::IoBatch {
    assert!(events.len() <= MOST_EVENTS, "the caller cuts batches");
    let mut columns = wire::IoColumns::default();
    let (mut end_before, mut correlation_before) = (0_i64, 0_i64);
    let some_status = events.iter().any(|event| event.status != 0);
    let some_correlation = events.iter().any(|event| event.correlation.is_some());
    for event in events.iter() {
        columns.tap.push(tap_to_wire(event.tap) as u32);
        columns.device.push(event.device);
        columns.op.push(op_to_wire(event.op) as u32);
        columns.offset.push(event.offset);
        columns.length.push(event.length);
        let end = event.end_unix_nanos();
        columns.end_unix_nanos_delta.push(end.wrapping_sub(end_before));
        end_before = end;
        columns.duration_nanos.push(event.duration_nanos);
        if some_status {
            columns.status.push(event.status);
        }
        if some_correlation {
            let correlation = event.correlation.unwrap_or(0) as i64;
            columns
                .correlation_delta
                .push(correlation.wrapping_sub(correlation_before));
            correlation_before = correlation;
            columns.has_correlation.push(u32::from(event.correlation.is_some()));
        }
    }
    let plain = columns.encode_to_vec();
    let (compression, bytes) = match zstd::bulk::compress(&plain, ZSTD_LEVEL) {
        Ok(smaller) if smaller.len() < plain.len() => (wire::Compression::Zstd, smaller),
        _ => (wire::Compression::None, plain.clone()),
    };
    wire::IoBatch {
        first_ordinal,
        count: events.len() as u32,
        complete_until_unix_nanos,
        compression: compression.into(),
        uncompressed_bytes: plain.len() as u32,
        columns: Bytes::from(bytes),
    }
}

/// Decompresses and decodes events.
///
/// # Errors
///
/// When anything about the batch contradicts the contract.
pub fn decode(batch: &wire::IoBatch) -> Result<IoColumns> {
    let count = batch.count as usize;
    if count == 0 {
        return Err(Error::Impossible {
            field: "io_batch.count",
            value: 0,
        });
    }
    if count > MOST_EVENTS {
        return Err(Error::TooLarge {
            field: "io_batch.count",
            limit: MOST_EVENTS as u64,
            found: count as u64,
        });
    }
    if batch.first_ordinal.checked_add(u64::from(batch.count)).is_none() {
        return Err(Error::Impossible {
            field: "io_batch.first_ordinal",
            value: batch.first_ordinal.into(),
        });
    }
    let columns = columns(batch)?;
    let lengths = [
        ("io_batch.columns.tap", columns.tap.len(), false),
        ("io_batch.columns.device", columns.device.len(), false),
        ("io_batch.columns.op", columns.op.len(), false),
        ("io_batch.columns.offset", columns.offset.len(), false),
        ("io_batch.columns.length", columns.length.len(), false),
        (
            "io_batch.columns.end_unix_nanos_delta",
            columns.end_unix_nanos_delta.len(),
            false,
        ),
        ("io_batch.columns.duration_nanos", columns.duration_nanos.len(), false),
        ("io_batch.columns.status", columns.status.len(), true),
        (
            "io_batch.columns.correlation_delta",
            columns.correlation_delta.len(),
            true,
        ),
        ("io_batch.columns.has_correlation", columns.has_correlation.len(), true),
    ];
    for (field, found, may_be_empty) in lengths {
        if found != count && !(may_be_empty && found == 0) {
            return Err(Error::Length {
                field,
                expected: count,
                found,
            });
        }
    }
    check_correlation(&columns)?;
    let mut events = IoColumns::with_capacity(count);
    let (mut end, mut correlation) = (0_i64, 0_i64);
    for at in 0..count {
        end = end.wrapping_add(columns.end_unix_nanos_delta[at]);
        let duration_nanos = columns.duration_nanos[at];
        let start = end.checked_sub_unsigned(duration_nanos).filter(|start| *start >= 0);
        let start_unix_nanos = start.ok_or_else(|| Error::Impossible {
            field: "io_batch.columns.end_unix_nanos_delta",
            value: i128::from(end) - i128::from(duration_nanos),
        })?;
        let (offset, length) = (columns.offset[at], columns.length[at]);
        if offset.checked_add(length).is_none() {
            return Err(Error::Impossible {
                field: "io_batch.columns.offset",
                value: offset.into(),
            });
        }
        let mut seen = None;
        if let Some(delta) = columns.correlation_delta.get(at) {
            correlation = correlation.wrapping_add(*delta);
            seen = (columns.has_correlation[at] == 1).then_some(correlation as u64);
            if seen.is_none() && correlation != 0 {
                return Err(Error::Impossible {
                    field: "io_batch.columns.correlation_delta",
                    value: correlation.into(),
                });
            }
        }
        events.push(IoEvent {
            tap: tap_from_wire("io_batch.columns.tap", i64::from(columns.tap[at]))?,
            device: columns.device[at],
            op: op_from_wire("io_batch.columns.op", i64::from(columns.op[at]))?,
            offset,
            length,
            start_unix_nanos,
            duration_nanos,
            status: columns.status.get(at).copied().unwrap_or(0),
            correlation: seen,
        });
    }
    Ok(events)
}

/// Both columns of correlation are there or neither is, and neither is there when no event has one.
fn check_correlation(columns: &wire::IoColumns) -> Result<()> {
    let field = "io_batch.columns.has_correlation";
    let (expected, found) = (columns.correlation_delta.len(), columns.has_correlation.len());
    if expected != found {
        return Err(Error::Length { field, expected, found });
    }
    let flags = &columns.has_correlation;
    if let Some(&value) = flags.iter().find(|flag| **flag > 1) {
        let value = value.into();
        return Err(Error::Impossible { field, value });
    }
    if !flags.is_empty() && !flags.contains(&1) {
        return Err(Error::Impossible { field, value: 0 });
    }
    Ok(())
}

fn columns(batch: &wire::IoBatch) -> Result<wire::IoColumns> {
    let announced = batch.uncompressed_bytes as usize;
    if announced > MOST_BYTES {
        let (limit, found) = (MOST_BYTES as u64, announced as u64);
        return Err(Error::TooLarge {
            field: "io_batch.uncompressed_bytes",
            limit,
            found,
        });
    }
    let compressed = |cause: String| Error::Compressed {
        field: "io_batch.columns",
        cause,
    };
    let plain = match batch.compression() {
        wire::Compression::Unspecified => {
            let value = i64::from(batch.compression);
            return Err(Error::UnknownNumber {
                field: "io_batch.compression",
                value,
            });
        }
        wire::Compression::None => batch.columns.clone(),
        // The capacity is a limit: a frame that holds more is refused, whatever its head says.
        wire::Compression::Zstd => Bytes::from(
            zstd::bulk::decompress(&batch.columns, announced).map_err(|error| compressed(error.to_string()))?,
        ),
    };
    if plain.len() != announced {
        return Err(compressed(format!(
            "{} bytes came out, {announced} were announced",
            plain.len()
        )));
    }
    wire::IoColumns::decode(plain).map_err(|error| Error::Encoding {
        field: "io_batch.columns",
        cause: error.to_string(),
    })
}

#[cfg(test)]
mod tests;
