//! What can go wrong in a run without a network.

use std::path::PathBuf;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The recording cannot be read.
    #[error(transparent)]
    Recording(#[from] fathom_capture::Error),
    /// A node's part of the recording cannot be played.
    #[error(transparent)]
    Source(#[from] fathom_sources::Error),
    /// The join refused what the source gave: a defect of this program.
    #[error("the join refused the events of {node}; please report this")]
    Join {
        /// The node whose events were refused.
        node: String,
        /// Why.
        source: fathom_join::Error,
    },
    /// The export cannot be written.
    #[error("{path}: {source}{advice}", path = path.display(), advice = room(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line of an export is not what it should be.
    #[error("{path}: line {line}: {cause}", path = path.display())]
    Export {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        cause: String,
    },
    /// A cluster cannot be simulated as it was asked for.
    #[error(transparent)]
    Simulate(#[from] fathom_simulate::Error),
    /// A recording would be written over something else.
    #[error("{path} is not empty; give another folder, or --force to replace the recording in it", path = directory.display())]
    NotEmpty {
        /// The folder.
        directory: PathBuf,
    },
    /// A file to import cannot be opened.
    #[error("{path}: {source}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file to import cannot be unpacked, or there is nothing in it.
    #[error("{path}: {cause}", path = path.display())]
    Unpack {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        cause: String,
    },
    /// A file to import is no trace.
    #[error("{place}: {source}")]
    Trace {
        /// The file, and its name in an archive.
        place: String,
        /// What is wrong with it.
        source: fathom_etl::Error,
    },
    /// A trace's node has a name that cannot be one.
    #[error("{place}: `{name}` cannot be the name of a node; give one with --node NAME=PATH")]
    NodeName {
        /// The file, and its name in an archive.
        place: String,
        /// The name.
        name: String,
    },
    /// A file that says where disks lie is not what it should be.
    #[error("{path}: {cause}", path = path.display())]
    Places {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// What says where disks lie does not fit together, or not with the traces.
    #[error("{cause}")]
    Cluster {
        /// What does not fit, and what to do.
        cause: String,
    },
    /// A file of scenarios does not say what it has to.
    #[error("scenario `{scenario}`: {cause}")]
    Scenario {
        /// The scenario, as far as it has a name.
        scenario: String,
        /// What is wrong with it.
        cause: String,
    },
    /// There is nothing to score against.
    #[error("{path} has no truth.jsonl.zst to score against: only recordings that say which events are whose can be scored; `fathom replay` joins any", path = directory.display())]
    NoTruth {
        /// The recording.
        directory: PathBuf,
    },
    /// The truth says nothing.
    #[error("{path} has no write: there is nothing to score against", path = path.display())]
    EmptyTruth {
        /// The truth file.
        path: PathBuf,
    },
}

/// What to do about a disk that has no room for what was asked for.
fn room(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            "; make room there, or name a file on another disk"
        }
        _ => "",
    }
}
