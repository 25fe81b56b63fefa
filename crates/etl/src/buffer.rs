//! The container: buffers one after the other.

use std::io::{self, Read};

use crate::bytes::Bytes;
use crate::error::{Error, Result};

/// Bytes of a buffer's header (WMI_BUFFER_HEADER).
pub(crate) const HEADER: usize = 72;

/// Larger buffers are refused: a session's have at most 1 MiB by the reference (EVENT_TRACE_PROPERTIES, `BufferSize`), sixteen times
/// that in practice, and a lying size must not fill the memory.
pub(crate) const LARGEST: usize = 16 << 20;

/// Of the buffer's header: what kind of buffer it is. The first one holds the log-file header.
const TYPE_HEADER: u16 = 4;

/// Of the buffer's flags: its bytes after the header are compressed. Set in every compressed buffer of the real files and in no
/// other.
const FLAG_COMPRESSED: u16 = 0x40;

/// What a buffer's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BufferHeader {
    /// Bytes in the file up to the next buffer.
    pub(crate) size: usize,
    /// Where its data ends, counted from its begin, uncompressed.
    pub(crate) end: usize,
    /// Whether it says that the bytes after its header are compressed.
    pub(crate) compressed: bool,
    /// Whether it is the first buffer of a file.
    pub(crate) first: bool,
}

impl BufferHeader {
    /// Reads and checks the header; the cause in words where it cannot be one.
    pub(crate) fn parse(bytes: &[u8; HEADER]) -> Result<Self, String> {
        let word = |at| bytes.u32_at(at).unwrap_or(0) as usize;
        let half = |at| bytes.u16_at(at).unwrap_or(0);
        let size = word(0);
        if size < HEADER {
            return Err(format!("a buffer of {size} bytes, where its header alone has {HEADER}"));
        }
        if size > LARGEST {
            return Err(format!("a buffer of {size} bytes, where {LARGEST} are the most"));
        }
        // Where a session was cut off the end may not have been filled in; then what was saved counts.
        let end = match word(0x30) {
            0 => word(4),
            end => end,
        };
        if !(HEADER..=LARGEST).contains(&end) {
            return Err(format!("a buffer of {size} bytes whose data ends at {end}"));
        }
        Ok(Self {
            size,
            end,
            compressed: half(0x34) & FLAG_COMPRESSED != 0,
            first: half(0x36) == TYPE_HEADER,
        })
    }
}

/// A buffer as it stands in the file.
#[derive(Debug)]
pub(crate) struct RawBuffer<'a> {
    /// Where it begins in the file.
    pub(crate) offset: u64,
    /// Its header.
    pub(crate) header: BufferHeader,
    /// The bytes after its header; fewer than the header says where the file ends within them.
    pub(crate) bytes: &'a [u8],
}

/// What comes next in the file.
#[derive(Debug)]
pub(crate) enum Next<'a> {
    /// A buffer.
    Buffer(RawBuffer<'a>),
    /// The file ends, as it should, after a buffer.
    End,
    /// There is no buffer here, although there are bytes: with the cause in words. Nothing after it can be found.
    Broken { offset: u64, cause: String },
}

/// Reads buffers one after the other, each into the same memory.
#[derive(Debug)]
pub(crate) struct Buffers<R> {
    input: R,
    /// Bytes of the file that were read.
    offset: u64,
    bytes: Vec<u8>,
}

impl<R: Read> Buffers<R> {
    pub(crate) const fn new(input: R) -> Self {
        Self {
            input,
            offset: 0,
            bytes: Vec::new(),
        }
    }

    /// Bytes of the file that were read.
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn next(&mut self) -> Result<Next<'_>> {
        let offset = self.offset;
        self.fill(HEADER)?;
        if self.bytes.is_empty() {
            return Ok(Next::End);
        }
        // A file that was made as large as it may become ends in zeros.
        if offset > 0 && self.bytes.iter().all(|&byte| byte == 0) {
            return self.zeros(offset);
        }
        let header = match self.bytes.first_chunk::<HEADER>() {
            Some(bytes) => BufferHeader::parse(bytes),
            None => Err(format!("{} bytes, too few for a buffer's header", self.bytes.len())),
        };
        let header = match header {
            Ok(header) => header,
            Err(cause) => return Ok(Next::Broken { offset, cause }),
        };
        self.fill(header.size - HEADER)?;
        Ok(Next::Buffer(RawBuffer {
            offset,
            header,
            bytes: &self.bytes,
        }))
    }

    /// Reads on as long as there are zeros: nothing but those is the end of the file.
    fn zeros(&mut self, offset: u64) -> Result<Next<'_>> {
        while !self.bytes.is_empty() {
            if self.bytes.iter().any(|&byte| byte != 0) {
                let cause = "zeros where a buffer should be, and something after them".to_owned();
                return Ok(Next::Broken { offset, cause });
            }
            self.fill(HEADER * 1024)?;
        }
        Ok(Next::End)
    }

    /// Reads up to `most` bytes in the place of what was read before. Memory grows with the bytes that are there, not with `most`.
    fn fill(&mut self, most: usize) -> Result<()> {
        self.bytes.clear();
        let read = (&mut self.input).take(most as u64).read_to_end(&mut self.bytes);
        self.offset += self.bytes.len() as u64;
        match read {
            Ok(_) => Ok(()),
            // A packing that is cut off is a file that is cut off: what came before is right.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(source) => Err(Error::Io {
                offset: self.offset,
                source,
            }),
        }
    }
}
