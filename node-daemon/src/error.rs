//! Why a daemon cannot go on.

use std::path::PathBuf;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What ends a daemon: all of these need somebody to do something. What heals by itself is tried again and never gets here.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] crate::config::Faults),
    /// The certificates are wrong.
    #[error(transparent)]
    Credentials(#[from] fathom_identity::files::Error),
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] fathom_sources::Error),
    /// The spool cannot be read or written.
    #[error("spool {path}: {source}{advice}", path = directory.display(), advice = advice(source))]
    Spool {
        /// The spool's folder.
        directory: PathBuf,
        /// What is wrong.
        source: fathom_segment_log::Error,
    },
    /// A folder of the spool cannot be read or made.
    #[error("spool {path}: {source}", path = directory.display())]
    SpoolFolder {
        /// The folder.
        directory: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The spool holds something that is not ours.
    #[error("spool {path}: {cause}; move it away or give another folder", path = directory.display())]
    SpoolContent {
        /// The folder.
        directory: PathBuf,
        /// What it holds.
        cause: String,
    },
    /// The coordinator's address is not one.
    #[error("`{address}` is not the address of a coordinator; give one such as https://coordinator.example:7443")]
    Address {
        /// What was given.
        address: String,
    },
    /// The TLS handshake failed: the certificates do not fit each other.
    #[error("coordinator {address}: {problem}")]
    Tls {
        /// The address.
        address: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The coordinator refused the stream, and would again.
    #[error("coordinator {address} refused: {reason}")]
    Refused {
        /// The address.
        address: String,
        /// What it said.
        reason: String,
    },
    /// The coordinator speaks another version of the protocol.
    #[error(
        "coordinator {address} speaks version {found} of the collect protocol, this daemon speaks {spoken}: upgrade the older one"
    )]
    Protocol {
        /// The address.
        address: String,
        /// Its version.
        found: u32,
        /// Ours.
        spoken: u32,
    },
    /// A thread or the runtime could not be started.
    #[error("the system gives no more threads: {source}")]
    Thread {
        /// What the system said.
        source: std::io::Error,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {reason}")]
    Random {
        /// What it said.
        reason: String,
    },
    /// A task of the daemon failed.
    #[error("{task} failed: {reason}")]
    Task {
        /// Which.
        task: String,
        /// Why.
        reason: String,
    },
}

/// What to do about a spool that cannot be used, where it is known.
fn advice(error: &fathom_segment_log::Error) -> &'static str {
    match error {
        fathom_segment_log::Error::Locked { .. } => {
            "; is a daemon running on it already? Give each daemon a spool folder of its own"
        }
        error if error.is_disk_full() => {
            "; the disk is full: make room and start again, nothing that was acknowledged is lost"
        }
        _ => "",
    }
}
