//! A trace file record by record, as the session that wrote it would have handed them over: in the order of the file, which is that of
//! a processor's buffers and not of time.

use std::io::Read;

use crate::buffer::{Buffers, Next, RawBuffer};
use crate::clock::Clock;
use crate::disk_io;
use crate::error::{Error, Result};
use crate::event::{EventKey, Guid, RawEvent};
use crate::log_file::LogFile;
use crate::record::{Identity, Record, Records};
use crate::report::{FaultKind, Report};
use crate::trace::{header, owned};
use crate::unpack::Unpacker;

/// What a walk went over.
#[derive(Clone, Debug)]
pub struct Walked {
    /// What the file's header says.
    pub log_file: LogFile,
    /// The clock of its stamps.
    pub clock: Clock,
    /// What was read, and what was wrong.
    pub report: Report,
}

/// Calls `visit` with every event of a trace that names its provider or class.
///
/// # Errors
///
/// As [`read`](crate::read); there is no bound on the events, since none is kept.
pub fn walk(input: impl Read, mut visit: impl FnMut(&RawEvent<'_>)) -> Result<Walked> {
    let mut buffers = Buffers::new(input);
    let (log_file, (first, bytes)) = match buffers.next()? {
        Next::End => return Err(Error::Empty),
        Next::Broken { offset, cause } => return Err(Error::NotATrace { offset, cause }),
        Next::Buffer(buffer) => (header(&buffer)?, owned(&buffer)),
    };
    let clock = log_file.clock().map_err(|cause| Error::Clock {
        offset: crate::buffer::HEADER as u64,
        cause,
    })?;
    let mut report = Report {
        events_lost: u64::from(log_file.events_lost),
        buffers_lost: u64::from(log_file.buffers_lost),
        ..Report::default()
    };
    let mut unpacker = Unpacker::new(&log_file);
    let first = RawBuffer {
        offset: 0,
        header: first,
        bytes: &bytes,
    };
    records(&first, &mut unpacker, &mut report, &mut visit);
    loop {
        match buffers.next()? {
            Next::Buffer(buffer) => records(&buffer, &mut unpacker, &mut report, &mut visit),
            Next::End => break,
            Next::Broken { offset, cause } => {
                report.fault(offset, FaultKind::CutOff, cause);
                break;
            }
        }
    }
    report.bytes = buffers.offset();
    report.buffers_missing = u64::from(log_file.buffers_written).saturating_sub(report.buffers);
    Ok(Walked {
        log_file,
        clock,
        report,
    })
}

fn records(
    buffer: &RawBuffer<'_>,
    unpacker: &mut Unpacker,
    report: &mut Report,
    visit: &mut impl FnMut(&RawEvent<'_>),
) {
    let Some((data, is_cut)) = unpacker.data(buffer, report) else {
        return;
    };
    let mut records = Records::new(data);
    while let Some(next) = records.next() {
        match next {
            Ok(record) => {
                report.records += 1;
                if let Some(event) = event(&record) {
                    visit(&event);
                }
            }
            Err(_) if is_cut => {}
            Err(lost) => {
                let cause = format!("in the buffer here, at byte {} of its data: {}", lost.at, lost.cause);
                report.fault(buffer.offset, FaultKind::Rest, cause);
            }
        }
    }
}

fn event<'a>(record: &Record<'a>) -> Option<RawEvent<'a>> {
    let (provider, id) = match record.identity {
        Identity::Hook(hook) => {
            let [kind, group] = hook.to_le_bytes();
            (group == disk_io::GROUP).then_some((Guid(disk_io::CLASS), u16::from(kind)))?
        }
        Identity::Class { guid, kind } => (Guid(guid), u16::from(kind)),
        Identity::Provider { guid, id } => (Guid(guid), id),
        Identity::Other => return None,
    };
    Some(RawEvent {
        key: EventKey {
            provider,
            id,
            // A version beyond a byte is none that is known.
            version: u8::try_from(record.version).unwrap_or(u8::MAX),
        },
        stamp: record.stamp,
        pointer_bytes: record.pointer as u8,
        payload: record.payload,
    })
}
