//! What can go wrong with a coordinator.

use std::net::SocketAddr;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What ends a coordinator, or a request to it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] crate::config::Faults),
    /// The certificates are wrong.
    #[error(transparent)]
    Credentials(#[from] fathom_identity::files::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {advice}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What is wrong and what to do.
        advice: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server could not be set up or broke.
    #[error("the server broke: {reason}")]
    Server {
        /// Why.
        reason: String,
    },
    /// A cluster's name cannot be one: it would become a folder.
    #[error("the cluster's name {source}")]
    Name {
        /// What is wrong with it.
        source: fathom_model::NameFault,
    },
    /// The store cannot be read or written.
    #[error("{source}{advice}", advice = if source.is_disk_full() { "; the disk is full: make room and start again, nothing that was acknowledged is lost" } else { "" })]
    Store {
        /// What is wrong.
        source: fathom_store::Error,
    },
    /// A cluster's kept state contradicts itself.
    #[error("cluster {cluster}: the kept state cannot be taken up again: {source}")]
    Kept {
        /// The cluster.
        cluster: String,
        /// What is wrong.
        source: fathom_join::Error,
    },
    /// The fleet coordinator's address, or what it is to be shown, cannot be used.
    #[error("fleet {address}: {problem}")]
    Uplink {
        /// The address.
        address: String,
        /// What is wrong.
        problem: String,
    },
    /// What is kept of sites cannot be read.
    #[error("{path}: what is kept of sites cannot be read: {source}", path = path.display())]
    KeptSites {
        /// The store.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The own clusters' state contradicts what was told of them before.
    #[error("what this coordinator tells of its own clusters does not fit: {reason}")]
    Own {
        /// What does not fit.
        reason: String,
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
    /// A task of the coordinator failed.
    #[error("{task} failed: {reason}")]
    Task {
        /// Which.
        task: String,
        /// Why.
        reason: String,
    },
}

impl From<fathom_store::Error> for Error {
    fn from(source: fathom_store::Error) -> Self {
        Self::Store { source }
    }
}
