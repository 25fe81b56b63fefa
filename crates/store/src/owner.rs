//! The one who writes a cluster's store.

use std::collections::BTreeMap;

use bytes::Bytes;
use fathom_model::baseline::Hour;
use fathom_model::cell::Cells;
use fathom_model::coverage::Coverage;
use fathom_model::finding::Change;
use fathom_model::objective::SlowMinute;
use fathom_model::state::{Observation, Sample};
use fathom_model::{Catalog, ClusterId, Io, JoinedRows, PendingEvent, Unmatched};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::blobs::{Blobs, Put};
use crate::error::{Error, Result};
use crate::manifest::{self, FORMAT, FileEntry, Record, SNAPSHOT_EVERY, TopologyVersion};
use crate::paths::{DataPath, Partition, RecordPath, Table};
use crate::tables;

mod baselines;
mod cells;
mod orphans;

/// The owner of a cluster's store.
///
/// A new owner first puts a record that only raises the epoch. Whoever finds its number taken by another's nonce has been
/// replaced and stops ([`Error::Fenced`]).
#[derive(Debug)]
pub struct Owner<S> {
    blobs: Blobs,
    nonce: [u8; 16],
    record: Record<S>,
    files: Vec<FileEntry>,
    /// Why files of cells are not put together any more.
    merge_fault: Option<Error>,
    merge_fault_told: bool,
}

/// What one record adds.
#[derive(Debug)]
pub struct Commit<'a, S> {
    /// Rows decided since the last record.
    pub rows: &'a JoinedRows,
    /// The names behind their indices.
    pub catalog: &'a Catalog,
    /// Stretches of time heard, silent or lost since the last record.
    pub coverage: &'a [Coverage],
    /// State reported since the last record.
    pub observations: &'a [Observation],
    /// Counters read since the last record.
    pub samples: &'a [Sample],
    /// Changes of findings since the last record.
    pub findings: &'a [Change],
    /// Minutes since the last record in which an objective was not met.
    pub slow_minutes: &'a [SlowMinute],
    /// Hours that were closed since the last record, with what is usual in them.
    pub baselines: &'a [Hour],
    /// Observations from which the same is known as from all of earlier records; none where those of the last picture still do.
    pub picture: Option<&'a [Observation]>,
    /// What the rows add up to.
    pub cells: &'a Cells,
    /// From this record on every record has the cells of its rows: files of before it are not put together with others.
    pub cells_since: u64,
    /// Legs that ended before their I/O.
    pub pending: &'a [PendingEvent],
    /// The versions of the topology in force.
    pub topologies: Vec<TopologyVersion>,
    /// What a successor needs to go on.
    pub state: S,
    /// The writer's wall clock.
    pub now_unix_nanos: i64,
}

impl<S: Clone + Default + Serialize + DeserializeOwned + Send + Sync> Owner<S> {
    /// Takes a cluster's store over: reads its newest record and puts one that raises the epoch.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or written, or another owner was faster.
    pub async fn take_over(blobs: Blobs, cluster: ClusterId, nonce: [u8; 16], now_unix_nanos: i64) -> Result<Self> {
        let newest = manifest::newest::<S>(&blobs, &cluster).await?;
        let nonce_text: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
        let (record, files) = match newest {
            Some(newest) => {
                let number = newest.record.number + 1;
                let record = Record {
                    // In the shape of this version, whatever older one wrote the last.
                    format: FORMAT,
                    number,
                    epoch: newest.record.epoch + 1,
                    nonce: nonce_text,
                    written_unix_nanos: now_unix_nanos,
                    added: Vec::new(),
                    replaced: Vec::new(),
                    snapshot: snapshot_at(number, &newest.files),
                    ..newest.record
                };
                (record, newest.files)
            }
            None => {
                let record = Record {
                    format: FORMAT,
                    cluster,
                    number: 1,
                    epoch: 1,
                    nonce: nonce_text,
                    written_unix_nanos: now_unix_nanos,
                    added: Vec::new(),
                    replaced: Vec::new(),
                    snapshot: Some(Vec::new()),
                    pending: None,
                    topologies: Vec::new(),
                    state: S::default(),
                };
                (record, Vec::new())
            }
        };
        let owner = Self {
            blobs,
            nonce,
            record,
            files,
            merge_fault: None,
            merge_fault_told: false,
        };
        owner.put(&owner.record).await?;
        Ok(owner)
    }

    /// The newest record.
    #[must_use]
    pub const fn record(&self) -> &Record<S> {
        &self.record
    }

    /// All files in force.
    #[must_use]
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// Where the files are.
    #[must_use]
    pub const fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Writes the files, then the record. After it the rows are stored for good; before it they are not part of the store.
    ///
    /// # Errors
    ///
    /// When anything cannot be written: the record may then be there or not, and this owner must not go on.
    /// [`Error::Fenced`] when another owner has taken over.
    pub async fn commit(&mut self, commit: Commit<'_, S>) -> Result<&Record<S>> {
        let number = self.record.number + 1;
        let mut added = Vec::new();
        for (partition, ios) in by_partition(Table::Ios, commit.rows.ios.iter(), |io: &Io| io.event.end_unix_nanos()) {
            let span = span(ios.iter().map(|io| io.event.end_unix_nanos()));
            let path = self.path(Table::Ios, partition, number);
            let bytes = tables::ios::write(&path, &ios, commit.rows, commit.catalog)?;
            added.push(self.put_file(Table::Ios, path, bytes, ios.len(), span).await?);
            let path = self.path(Table::Legs, partition, number);
            let legs = ios.iter().map(|io| io.legs.len()).sum();
            let bytes = tables::legs::write(&path, &ios, commit.rows, commit.catalog)?;
            added.push(self.put_file(Table::Legs, path, bytes, legs, span).await?);
        }
        let end = |row: &Unmatched| row.event.end_unix_nanos();
        for (partition, rows) in by_partition(Table::Unmatched, commit.rows.unmatched.iter(), end) {
            let span = span(rows.iter().map(|row| end(row)));
            let path = self.path(Table::Unmatched, partition, number);
            let bytes = tables::unmatched::write(&path, &rows, commit.catalog)?;
            added.push(self.put_file(Table::Unmatched, path, bytes, rows.len(), span).await?);
        }
        let until = |row: &Coverage| row.until_unix_nanos;
        for (partition, rows) in by_partition(Table::Coverage, commit.coverage.iter(), until) {
            let span = span(rows.iter().map(|row| until(row)));
            let path = self.path(Table::Coverage, partition, number);
            let bytes = tables::coverage::write(&path, &rows)?;
            added.push(self.put_file(Table::Coverage, path, bytes, rows.len(), span).await?);
        }
        let observed = |row: &Observation| row.observed_unix_nanos;
        for (partition, rows) in by_partition(Table::Observations, commit.observations.iter(), observed) {
            let span = span(rows.iter().map(|row| observed(row)));
            let path = self.path(Table::Observations, partition, number);
            let bytes = tables::observations::write(&path, &rows)?;
            added.push(
                self.put_file(Table::Observations, path, bytes, rows.len(), span)
                    .await?,
            );
        }
        let read = |row: &Sample| row.observed_unix_nanos;
        for (partition, rows) in by_partition(Table::Samples, commit.samples.iter(), read) {
            let span = span(rows.iter().map(|row| read(row)));
            let path = self.path(Table::Samples, partition, number);
            let bytes = tables::samples::write(&path, &rows)?;
            added.push(self.put_file(Table::Samples, path, bytes, rows.len(), span).await?);
        }
        let at = |row: &Change| row.at_unix_ns;
        for (partition, rows) in by_partition(Table::Findings, commit.findings.iter(), at) {
            let span = span(rows.iter().map(|row| at(row)));
            let path = self.path(Table::Findings, partition, number);
            let bytes = tables::findings::write(&path, &rows)?;
            added.push(self.put_file(Table::Findings, path, bytes, rows.len(), span).await?);
        }
        let began = |row: &SlowMinute| row.minute_unix_ns;
        for (partition, rows) in by_partition(Table::SlowMinutes, commit.slow_minutes.iter(), began) {
            let span = span(rows.iter().map(|row| began(row)));
            let path = self.path(Table::SlowMinutes, partition, number);
            let bytes = tables::slow_minutes::write(&path, &rows)?;
            added.push(self.put_file(Table::SlowMinutes, path, bytes, rows.len(), span).await?);
        }
        added.extend(self.put_cells(commit.cells, commit.catalog, number).await?);
        let (merged, mut replaced) = self.merge_cells(commit.cells_since, number).await?;
        added.extend(merged);
        let (hours, days) = self.put_baselines(commit.baselines, number).await?;
        added.extend(hours);
        replaced.extend(days);
        if let Some(picture) = commit.picture.filter(|picture| !picture.is_empty()) {
            let earlier = self.files.iter().filter(|file| file.table == Table::Pictures);
            replaced.extend(earlier.map(|file| file.path.clone()));
            let rows: Vec<&Observation> = picture.iter().collect();
            let span = span(rows.iter().map(|row| observed(row)));
            let path = self.path(Table::Pictures, Partition::None, number);
            let bytes = tables::observations::write(&path, &rows)?;
            added.push(self.put_file(Table::Pictures, path, bytes, rows.len(), span).await?);
        }
        let mut pending = None;
        if !commit.pending.is_empty() {
            let span = span(commit.pending.iter().map(|row| row.event.end_unix_nanos()));
            let path = self.path(Table::Pending, Partition::None, number);
            let bytes = tables::pending::write(&path, commit.pending)?;
            pending = Some(
                self.put_file(Table::Pending, path, bytes, commit.pending.len(), span)
                    .await?,
            );
        }
        let mut files = self.files.clone();
        manifest::apply(&mut files, &added, &replaced);
        let record = Record {
            format: FORMAT,
            cluster: self.record.cluster.clone(),
            number,
            epoch: self.record.epoch,
            nonce: self.record.nonce.clone(),
            written_unix_nanos: commit.now_unix_nanos,
            added,
            replaced,
            snapshot: snapshot_at(number, &files),
            pending,
            topologies: commit.topologies,
            state: commit.state,
        };
        self.put(&record).await?;
        self.record = record;
        self.files = files;
        Ok(&self.record)
    }

    fn path(&self, table: Table, partition: Partition, number: u64) -> String {
        self.merged_path(table, partition, number, 0)
    }

    fn merged_path(&self, table: Table, partition: Partition, number: u64, merged: u8) -> String {
        DataPath {
            table,
            cluster: self.record.cluster.clone(),
            partition,
            number,
            writer: self.writer(),
            merged,
        }
        .to_string()
    }

    /// Who we are in the names of our files.
    const fn writer(&self) -> u32 {
        let [a, b, c, d, ..] = self.nonce;
        u32::from_be_bytes([a, b, c, d])
    }

    async fn put_file(
        &self,
        table: Table,
        path: String,
        bytes: Bytes,
        rows: usize,
        (min_unix_nanos, max_unix_nanos): (i64, i64),
    ) -> Result<FileEntry> {
        let size = bytes.len() as u64;
        match self.blobs.put_new(&path, bytes).await? {
            Put::Created => Ok(FileEntry {
                table,
                path,
                rows: rows as u64,
                bytes: size,
                min_unix_nanos,
                max_unix_nanos,
            }),
            // The name holds our own nonce and a number that we have not used: somebody else writes as us.
            Put::Exists => Err(self.fenced(self.record.number + 1)),
        }
    }

    async fn put(&self, record: &Record<S>) -> Result<()> {
        let path = RecordPath {
            cluster: record.cluster.clone(),
            number: record.number,
        };
        let name = path.to_string();
        let bytes = serde_json::to_vec_pretty(record).map_err(|error| Error::Record {
            path: name.clone(),
            cause: error.to_string(),
        })?;
        match self.blobs.put_new(&name, bytes.into()).await? {
            Put::Created => Ok(()),
            Put::Exists => {
                match manifest::read::<S>(&self.blobs, &record.cluster, record.number).await {
                    Ok(there) if there.nonce == record.nonce => Ok(()),
                    // A format that we do not know is not ours either: a newer version has taken over.
                    Ok(_) | Err(Error::Format { .. }) => Err(self.fenced(record.number)),
                    Err(error) => Err(error),
                }
            }
        }
    }

    fn fenced(&self, number: u64) -> Error {
        Error::Fenced {
            cluster: self.record.cluster.to_string(),
            number,
        }
    }
}

/// All files, where the record of this number is a snapshot: also one that only takes over.
fn snapshot_at(number: u64, files: &[FileEntry]) -> Option<Vec<FileEntry>> {
    number.is_multiple_of(SNAPSHOT_EVERY).then(|| files.to_vec())
}

fn by_partition<'a, T>(
    table: Table,
    rows: impl Iterator<Item = &'a T>,
    time: impl Fn(&T) -> i64,
) -> BTreeMap<Partition, Vec<&'a T>> {
    let mut parts: BTreeMap<Partition, Vec<&T>> = BTreeMap::new();
    rows.for_each(|row| parts.entry(Partition::of(table, time(row))).or_default().push(row));
    parts
}

fn span(times: impl Iterator<Item = i64>) -> (i64, i64) {
    times.fold((i64::MAX, i64::MIN), |(min, max), time| (min.min(time), max.max(time)))
}

#[cfg(test)]
mod tests;
