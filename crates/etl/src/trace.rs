//! A trace file as a whole.

use std::io::Read;

use fathom_model::Op;

use crate::buffer::{Buffers, HEADER, Next, RawBuffer};
use crate::clock::Clock;
use crate::config::{self, System, Taken};
use crate::disk_io::{self, DiskIo, Kind, NoIo, in_order};
use crate::error::{Error, Result};
use crate::log_file::LogFile;
use crate::record::{Identity, Record, Records};
use crate::report::{FaultKind, Report, Undecoded};
use crate::unpack::{Unpacker, data};

/// More I/Os than this are refused: they are held in memory, 64 bytes each, to be sorted.
pub const MOST_EVENTS: usize = 64 << 20;

/// A trace, decoded.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What its header says.
    pub log_file: LogFile,
    /// The machine, as far as the trace says.
    pub system: System,
    /// Its disk I/O, in the order of completion.
    pub events: Vec<DiskIo>,
    /// What was read and what was not.
    pub report: Report,
}

/// Reads a trace to its end.
///
/// Memory: two buffers of the file (16 MiB at most each, in practice 64 KiB to 1 MiB) and the I/Os.
///
/// # Errors
///
/// When the input cannot be read, is empty, does not begin with the header of a trace, has a clock that no time can be made of, or
/// more than [`MOST_EVENTS`] I/Os. All else that is wrong stands in [`Trace::report`].
pub fn read(input: impl Read) -> Result<Trace> {
    let mut buffers = Buffers::new(input);
    let (log_file, first) = match buffers.next()? {
        Next::End => return Err(Error::Empty),
        Next::Broken { offset, cause } => return Err(Error::NotATrace { offset, cause }),
        Next::Buffer(buffer) => (header(&buffer)?, owned(&buffer)),
    };
    let clock = log_file.clock().map_err(|cause| Error::Clock {
        offset: HEADER as u64,
        cause,
    })?;
    let mut decoder = Decoder {
        clock,
        unpacker: Unpacker::new(&log_file),
        system: System::default(),
        events: Vec::new(),
        report: Report {
            events_lost: u64::from(log_file.events_lost),
            buffers_lost: u64::from(log_file.buffers_lost),
            ..Report::default()
        },
    };
    let (header, bytes) = first;
    decoder.buffer(&RawBuffer {
        offset: 0,
        header,
        bytes: &bytes,
    })?;
    drop(bytes);
    loop {
        match buffers.next()? {
            Next::Buffer(buffer) => decoder.buffer(&buffer)?,
            Next::End => break,
            Next::Broken { offset, cause } => {
                decoder.report.fault(offset, FaultKind::CutOff, cause);
                break;
            }
        }
    }
    let mut report = decoder.report;
    report.bytes = buffers.offset();
    report.buffers_missing = u64::from(log_file.buffers_written).saturating_sub(report.buffers);
    let mut events = decoder.events;
    in_order(&mut events);
    Ok(Trace {
        log_file,
        system: decoder.system,
        events,
        report,
    })
}

/// The header of a trace, which is the first record of the first buffer.
pub(crate) fn header(buffer: &RawBuffer<'_>) -> Result<LogFile> {
    let not_a_trace = |offset: usize, cause: String| Error::NotATrace {
        offset: offset as u64,
        cause,
    };
    if !buffer.header.first {
        return Err(not_a_trace(
            0x36,
            "the first buffer is not one with a header".to_owned(),
        ));
    }
    let data = data(buffer.bytes, buffer.header.end);
    match Records::new(data).next() {
        Some(Ok(record)) if record.identity == Identity::Hook(0) => {
            LogFile::of(record.payload, record.pointer, record.stamp)
                .ok_or_else(|| not_a_trace(HEADER, "the header of the trace is too short".to_owned()))
        }
        Some(Ok(_)) => Err(not_a_trace(
            HEADER,
            "the first record is not the header of a trace".to_owned(),
        )),
        Some(Err(lost)) => Err(not_a_trace(lost.at, lost.cause)),
        None => Err(not_a_trace(HEADER, "the first buffer has no record".to_owned())),
    }
}

pub(crate) fn owned(buffer: &RawBuffer<'_>) -> (crate::buffer::BufferHeader, Vec<u8>) {
    (buffer.header, buffer.bytes.to_owned())
}

struct Decoder {
    clock: Clock,
    unpacker: Unpacker,
    system: System,
    events: Vec<DiskIo>,
    report: Report,
}

impl Decoder {
    fn buffer(&mut self, buffer: &RawBuffer<'_>) -> Result<()> {
        let mut unpacker = std::mem::take(&mut self.unpacker);
        let outcome = match unpacker.data(buffer, &mut self.report) {
            Some((data, is_cut)) => self.records(buffer.offset, data, is_cut),
            None => Ok(()),
        };
        self.unpacker = unpacker;
        outcome
    }

    /// Walks over a buffer's records. Where the buffer is cut off, so is its last record, and that was said already.
    fn records(&mut self, offset: u64, data: &[u8], is_cut: bool) -> Result<()> {
        let mut records = Records::new(data);
        while let Some(next) = records.next() {
            match next {
                Ok(record) => {
                    self.report.records += 1;
                    self.record(offset, &record)?;
                }
                Err(_) if is_cut => {}
                Err(lost) => {
                    let cause = format!("in the buffer here, at byte {} of its data: {}", lost.at, lost.cause);
                    self.report.fault(offset, FaultKind::Rest, cause);
                }
            }
        }
        Ok(())
    }

    fn record(&mut self, offset: u64, record: &Record<'_>) -> Result<()> {
        match record.identity {
            Identity::Hook(hook) => {
                let [kind, group] = hook.to_le_bytes();
                match group {
                    disk_io::GROUP => self.disk_io(offset, kind, record)?,
                    config::GROUP => self.config(offset, kind, record),
                    _ => {}
                }
            }
            Identity::Class { guid, kind } if guid == disk_io::CLASS => self.disk_io(offset, kind, record)?,
            Identity::Provider { guid, id } if guid == disk_io::MANIFEST_PROVIDER => {
                self.report.undecoded(Undecoded::KernelDisk { id });
            }
            Identity::Class { .. } | Identity::Provider { .. } | Identity::Other => {}
        }
        Ok(())
    }

    fn disk_io(&mut self, offset: u64, kind: u8, record: &Record<'_>) -> Result<()> {
        let kind = Kind::of(kind);
        let counts = &mut self.report.counts;
        let op = match kind {
            Kind::Done(op) => op,
            Kind::Init(Op::Read) => {
                counts.inits[0] += 1;
                return Ok(());
            }
            Kind::Init(Op::Write) => {
                counts.inits[1] += 1;
                return Ok(());
            }
            Kind::Init(_) => {
                counts.inits[2] += 1;
                return Ok(());
            }
            Kind::Else(_) => {
                self.report.undecoded(Undecoded::Kind { event: kind.name() });
                return Ok(());
            }
        };
        let decoded = disk_io::decode(
            op,
            record.version,
            record.payload,
            record.pointer,
            record.stamp,
            &self.clock,
        );
        match decoded {
            Ok(_) if self.events.len() >= MOST_EVENTS => {
                return Err(Error::TooMany {
                    most: MOST_EVENTS,
                    offset,
                });
            }
            Ok(io) => {
                match op {
                    Op::Read => counts.reads += 1,
                    Op::Write => counts.writes += 1,
                    Op::Flush | Op::Unmap => counts.flushes += 1,
                }
                self.events.push(io);
            }
            Err(why) => {
                let (event, version) = (kind.name(), record.version);
                self.report.undecoded(match why {
                    NoIo::Version => Undecoded::Version { event, version },
                    NoIo::Size => Undecoded::Size {
                        event,
                        version,
                        bytes: record.payload.len(),
                    },
                    NoIo::Value(what) => Undecoded::Value { event, what },
                });
            }
        }
        Ok(())
    }

    fn config(&mut self, offset: u64, kind: u8, record: &Record<'_>) {
        if let Taken::TooShort(event) = self.system.take(kind, record.payload) {
            let cause = format!("{event} with {} bytes, which are too few", record.payload.len());
            self.report.fault(offset, FaultKind::Record, cause);
        }
    }
}

#[cfg(test)]
mod tests;
