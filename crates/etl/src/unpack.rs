//! From a buffer as it stands in the file to the bytes of its records.

use crate::buffer::{HEADER, RawBuffer};
use crate::log_file::LogFile;
use crate::report::{FaultKind, Report};
use crate::xpress;

/// The bytes after a buffer's header as far as they are data.
pub(crate) fn data(bytes: &[u8], end: usize) -> &[u8] {
    &bytes[..bytes.len().min(end.saturating_sub(HEADER))]
}

/// Unpacks the buffers of a file, one after the other into the same memory.
#[derive(Debug, Default)]
pub(crate) struct Unpacker {
    /// Whether the file says that it is compressed.
    is_compressed: bool,
    /// Bytes of the session's buffers.
    buffer_bytes: usize,
    /// Of the buffer at hand.
    unpacked: Vec<u8>,
}

impl Unpacker {
    pub(crate) fn new(log_file: &LogFile) -> Self {
        Self {
            is_compressed: log_file.is_compressed(),
            buffer_bytes: log_file.buffer_bytes as usize,
            unpacked: Vec::new(),
        }
    }

    /// A buffer's records as bytes, and whether they are cut off; `None` where nothing of it can be read. Faults go to the report.
    pub(crate) fn data<'a>(&'a mut self, buffer: &RawBuffer<'a>, report: &mut Report) -> Option<(&'a [u8], bool)> {
        report.buffers += 1;
        let there = buffer.bytes.len();
        let claimed = buffer.header.size - HEADER;
        let is_cut = there < claimed;
        if is_cut {
            let cause = format!("the file ends after {there} of {claimed} bytes of a buffer");
            report.fault(buffer.offset, FaultKind::CutOff, cause);
        }
        // The mode of the file alone does not say it: the first buffer is plain. Where a buffer's flags do not say it either, one of
        // another size than the session's is compressed.
        let is_smaller = self.is_compressed && !buffer.header.first && buffer.header.size != self.buffer_bytes;
        if !buffer.header.compressed && !is_smaller {
            if buffer.header.end > buffer.header.size {
                let (size, end) = (buffer.header.size, buffer.header.end);
                let cause = format!("a buffer of {size} bytes whose data ends at {end}");
                report.fault(buffer.offset, FaultKind::Rest, cause);
            }
            return Some((data(buffer.bytes, buffer.header.end), is_cut));
        }
        let expected = buffer.header.end - HEADER;
        match xpress::unpack(buffer.bytes, expected, &mut self.unpacked) {
            Ok(()) => Some((&self.unpacked, is_cut)),
            // Of a buffer that is cut off, what was unpacked is right.
            Err(xpress::Broken::Ended) if is_cut => Some((&self.unpacked, true)),
            Err(xpress::Broken::Ended) => {
                let cause = format!("unpacks to {} of {expected} bytes", self.unpacked.len());
                report.fault(buffer.offset, FaultKind::Buffer, cause);
                None
            }
            Err(xpress::Broken::Invalid { at }) => {
                let cause = format!("its compressed data is broken at byte {}", at + HEADER);
                report.fault(buffer.offset, FaultKind::Buffer, cause);
                None
            }
        }
    }
}
