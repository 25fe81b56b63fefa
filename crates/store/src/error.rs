//! What can go wrong with a store.

use std::io;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder or bucket cannot be read or written.
    #[error("store: {path}: {source}")]
    Blob {
        /// The object.
        path: String,
        /// What the store below said.
        source: object_store::Error,
    },
    /// The local folder cannot be read or written.
    #[error("store: {path}: {source}")]
    Io {
        /// The file or folder.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Another owner has put the record that this one was about to put: it must stop, its successor goes on.
    #[error(
        "another coordinator owns this store now (record {number} of cluster {cluster} is not ours): this one stops"
    )]
    Fenced {
        /// The cluster.
        cluster: String,
        /// The record that is the other's.
        number: u64,
    },
    /// A record is not what it should be.
    #[error("store: {path} is not a manifest record: {cause}")]
    Record {
        /// The object.
        path: String,
        /// What is wrong with it.
        cause: String,
    },
    /// A record was written by a version that this one does not know.
    #[error("store: {path} has format {found}, this version reads {known}: use a newer version")]
    Format {
        /// The object.
        path: String,
        /// Its format.
        found: u32,
        /// The newest format that this version reads.
        known: u32,
    },
    /// A number between two records is missing: somebody deleted it.
    #[error(
        "store: record {number} of cluster {cluster} is gone although later ones are there: restore it from a copy"
    )]
    Gap {
        /// The cluster.
        cluster: String,
        /// The record.
        number: u64,
    },
    /// A Parquet file cannot be written or read.
    #[error("store: {path}: {source}")]
    Parquet {
        /// The object.
        path: String,
        /// What the reader said.
        source: parquet::errors::ParquetError,
    },
    /// A Parquet file is readable, but its columns are not those of its table.
    #[error("store: {path}: column {column}: {cause}")]
    Column {
        /// The object.
        path: String,
        /// The column.
        column: &'static str,
        /// What is wrong with it.
        cause: String,
    },
}

impl Error {
    /// Whether the disk is full: nothing that was acknowledged is lost, and after making room the program can be started again.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        let full =
            |error: &io::Error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = source {
            if error.downcast_ref::<io::Error>().is_some_and(full) {
                return true;
            }
            source = error.source();
        }
        false
    }
}
