//! What can be wrong with a recording.

use std::io;
use std::path::{Path, PathBuf};

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a recording could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder or a file cannot be opened, read or written: check that it exists and who may read it.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder has no `run.json`, so it is no recording.
    #[error("{path} is no recording: it has no run.json; give the folder that has one beside its events files", path = directory.display())]
    NoRun {
        /// The folder.
        directory: PathBuf,
    },
    /// `run.json` is not what it should be.
    #[error("{path}: line {line}, column {column}: {cause}", path = path.display())]
    Run {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong there.
        cause: String,
    },
    /// `run.json` is readable, but what it says cannot be.
    #[error("{path}: {cause}", path = path.display())]
    Meaning {
        /// The file.
        path: PathBuf,
        /// What cannot be.
        cause: String,
    },
    /// A row of an events or truth file is not what it should be.
    #[error("{path}: row {row}: {cause}", path = path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Row, from 0: the line number.
        row: u64,
        /// What is wrong with it.
        cause: String,
    },
    /// The file's name says zstd and its bytes do not.
    #[error("{path}: not a zstd file although its name says so; if it is plain text, name it .jsonl", path = path.display())]
    NotZstd {
        /// The file.
        path: PathBuf,
    },
    /// The file's bytes are zstd and its name does not say so.
    #[error("{path}: the data is compressed with zstd; name it .jsonl.zst", path = path.display())]
    IsZstd {
        /// The file.
        path: PathBuf,
    },
    /// A compressed file without a byte: even no rows take some when compressed.
    #[error("{path}: the file is empty; copy it again (no rows at all are a file named .jsonl)", path = path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The compressed data ends or breaks in the middle.
    #[error("{path}: after row {rows}: the compressed data is cut off or damaged; copy the file again", path = path.display())]
    Compressed {
        /// The file.
        path: PathBuf,
        /// Rows that could be read before.
        rows: u64,
        /// What the decompressor said.
        source: io::Error,
    },
    /// A node has two events files, so it is not clear which one counts.
    #[error("{first} and {second} are both there: remove one", first = first.display(), second = second.display())]
    TwoFiles {
        /// The compressed one.
        first: PathBuf,
        /// The plain one.
        second: PathBuf,
    },
    /// Somebody asked for the events of a node that has no events file.
    #[error("{path}: node {node} has no events file (nodes that have one: {known})", path = directory.display())]
    NoEvents {
        /// The folder.
        directory: PathBuf,
        /// The node.
        node: String,
        /// The nodes that have one.
        known: String,
    },
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}
