//! Why something is no trace at all.

use std::io;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why nothing could be read. What is wrong within a trace is no error but a [`Fault`](crate::Fault).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input cannot be read, or its outer packing is broken.
    #[error("after {offset} bytes: {source}; copy the file again")]
    Io {
        /// Bytes that could be read before.
        offset: u64,
        /// What the system, or the unpacking, said.
        source: io::Error,
    },
    /// There is not one byte.
    #[error("the file is empty; was the trace stopped and merged before it was copied?")]
    Empty,
    /// The first buffer is not one of a trace.
    #[error("not a trace (.etl): at offset {offset}: {cause}; give the file that the trace session wrote")]
    NotATrace {
        /// Where in the file.
        offset: u64,
        /// What is not as it should be.
        cause: String,
    },
    /// Times cannot be made of the header's clock.
    #[error(
        "the trace's header, at offset {offset}, {cause}: its times cannot be read; take the trace again with the QPC clock"
    )]
    Clock {
        /// Where in the file.
        offset: u64,
        /// What is not as it should be.
        cause: String,
    },
    /// More events than fit.
    #[error("more than {most} disk I/Os up to offset {offset}; take a shorter trace, or split it")]
    TooMany {
        /// The bound.
        most: usize,
        /// Where in the file it was passed.
        offset: u64,
    },
    /// The CSV is not the table that is expected.
    #[error("line {line}: {cause}")]
    Csv {
        /// Line, from 1.
        line: u64,
        /// What is wrong, and what to do.
        cause: String,
    },
}
