//! The manifest: one log of numbered records a cluster.
//!
//! A record is put with create-if-absent, so a number is created once. It names the files it adds and those it replaces, and it
//! carries all that a successor needs: nothing is read from an older record but the list of files, and of that a record
//! marked as snapshot has the whole. The shape is frozen (`docs/design/0004-manifest-record.md`): fields may be added.

use fathom_model::{ClusterId, Topology};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::blobs::Blobs;
use crate::error::{Error, Result};
use crate::paths::{RecordPath, Table};

/// Format that this version writes.
pub const FORMAT: u32 = 1;

/// A record in so many is a snapshot: it lists all files, so that a successor reads no further back.
pub const SNAPSHOT_EVERY: u64 = 256;

/// A numbered record. `S` is what the owner keeps to go on; the store only carries it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record<S> {
    /// [`FORMAT`] of the version that wrote it.
    pub format: u32,
    /// The cluster.
    pub cluster: ClusterId,
    /// Its number, from 1, without gaps.
    pub number: u64,
    /// The owner's epoch: it rises with every owner.
    pub epoch: u64,
    /// The writer's nonce, 32 hexadecimal digits: by it a writer knows its own record.
    pub nonce: String,
    /// When it was written, by the writer's wall clock; for people.
    pub written_unix_nanos: i64,
    /// Files that it adds.
    pub added: Vec<FileEntry>,
    /// Names of files that it replaces: they are no longer part of the store.
    pub replaced: Vec<String>,
    /// All files in force after it, when it is a snapshot.
    pub snapshot: Option<Vec<FileEntry>>,
    /// The file of pending legs, when there are any: the record's own, or of one that only takes over that of the record before. It is
    /// not among `added`.
    pub pending: Option<FileEntry>,
    /// The versions of the topology in force, with their numbers.
    pub topologies: Vec<TopologyVersion>,
    /// What the owner needs to go on.
    pub state: S,
}

/// A version of the topology.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopologyVersion {
    /// Its number.
    pub version: u64,
    /// From when on it is true; since ever when not said.
    pub valid_from_unix_nanos: Option<i64>,
    /// The topology.
    pub topology: Topology,
}

/// A data file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// The table.
    pub table: Table,
    /// Its name.
    pub path: String,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// The earliest time of a row: an I/O's completion, an event's completion, a stretch's end.
    pub min_unix_nanos: i64,
    /// The latest time of a row.
    pub max_unix_nanos: i64,
}

/// The newest record of a cluster and all files in force after it.
#[derive(Clone, Debug)]
pub struct Newest<S> {
    /// The record.
    pub record: Record<S>,
    /// The files.
    pub files: Vec<FileEntry>,
}

/// The clusters that have a manifest, by name.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn clusters(blobs: &Blobs) -> Result<Vec<ClusterId>> {
    let names = blobs.list("manifest").await?;
    let mut clusters: Vec<ClusterId> = names
        .iter()
        .filter_map(|name| name.parse::<RecordPath>().ok())
        .map(|path| path.cluster)
        .collect();
    clusters.dedup();
    Ok(clusters)
}

/// Reads the newest record, if there is any.
///
/// # Errors
///
/// When a record cannot be read or one is missing.
pub async fn newest<S: DeserializeOwned>(blobs: &Blobs, cluster: &ClusterId) -> Result<Option<Newest<S>>> {
    let names = blobs.list(&RecordPath::folder(cluster)).await?;
    let mut numbers: Vec<u64> = names
        .iter()
        .filter_map(|name| name.parse::<RecordPath>().ok())
        .filter(|path| path.cluster == *cluster)
        .map(|path| path.number)
        .collect();
    numbers.sort_unstable();
    let Some(&last) = numbers.last() else { return Ok(None) };
    let mut changes = Vec::new();
    let mut number = last;
    let mut newest: Option<Record<S>> = None;
    let mut files = loop {
        if numbers.binary_search(&number).is_err() {
            return Err(Error::Gap {
                cluster: cluster.to_string(),
                number,
            });
        }
        let record = read::<S>(blobs, cluster, number).await?;
        let (snapshot, added, replaced) = (record.snapshot.clone(), record.added.clone(), record.replaced.clone());
        newest.get_or_insert(record);
        match snapshot {
            Some(files) => break files,
            None if number == 1 => {
                changes.push((added, replaced));
                break Vec::new();
            }
            None => changes.push((added, replaced)),
        }
        number -= 1;
    };
    for (added, replaced) in changes.into_iter().rev() {
        apply(&mut files, &added, &replaced);
    }
    Ok(newest.map(|record| Newest { record, files }))
}

/// Reads one record.
///
/// # Errors
///
/// When it cannot be read.
pub async fn read<S: DeserializeOwned>(blobs: &Blobs, cluster: &ClusterId, number: u64) -> Result<Record<S>> {
    #[derive(Deserialize)]
    struct Head {
        format: u32,
        number: u64,
    }
    let path = RecordPath {
        cluster: cluster.clone(),
        number,
    }
    .to_string();
    let bytes = blobs.get(&path).await?;
    let wrong = |cause: String| Error::Record {
        path: path.clone(),
        cause,
    };
    // The format first: a newer one may not even parse.
    let head: Head = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    if head.format == 0 || head.format > FORMAT {
        return Err(Error::Format {
            path,
            found: head.format,
            known: FORMAT,
        });
    }
    if head.number != number {
        return Err(wrong(format!("it says that it is number {}", head.number)));
    }
    serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))
}

/// Adds and takes away files.
pub(crate) fn apply(files: &mut Vec<FileEntry>, added: &[FileEntry], replaced: &[String]) {
    files.retain(|file| !replaced.contains(&file.path));
    files.extend_from_slice(added);
}
