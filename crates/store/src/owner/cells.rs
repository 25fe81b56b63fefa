//! Cells of `latency`, `attribution` and `write_seconds` on their way into a record: those of its own rows, and files of earlier ones put together.
//!
//! Each record brings a small file of each table, so that a busy cluster has thousands an hour. Once [`GROUP`] of them have come they are
//! put together, and once so many of these, again; such a file of latencies is written anew by the minute once it is over an hour old. The
//! record that does it names the file that it adds and those that it replaces: whoever reads sees either, and never both. What cannot be
//! read stays as it is.
//!
//! Beside a file that was put together lies another that has the sums of all of its time (`crate::sums` says who reads it): it is added
//! and replaced with the first, in the same records.

use std::collections::BTreeMap;

use fathom_model::Catalog;
use fathom_model::cell::{
    Attribution, Attributions, Bucket, Candidate, Cells, KeptAttribution, Latencies, LatencyKey, Moments, SecondKey,
    Seconds,
};
use fathom_model::sketch::Sketch;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Owner;
use crate::error::{Error, Result};
use crate::manifest::FileEntry;
use crate::paths::{DataPath, Partition, Table};
use crate::scan::{Span, read_attribution, read_latency, read_seconds};
use crate::tables;

const SECOND: i64 = 1_000_000_000;

/// So many files of a day become one.
const GROUP: usize = 16;

/// Files of latencies have them by 10 s for so long.
const FINE_FOR_NANOS: i64 = 3600 * 1_000_000_000;

/// The level of files of latencies by the minute; one becomes one.
const COARSE: u8 = 3;

/// How many files of a level become one of the next; none of the last.
const fn group_of(table: Table, level: u8) -> Option<usize> {
    match (table, level) {
        (_, 0 | 1) => Some(GROUP),
        (Table::Latency, 2) => Some(1),
        _ => None,
    }
}

/// Files that become one.
struct Group {
    table: Table,
    partition: Partition,
    level: u8,
    files: Vec<FileEntry>,
}

impl<S: Clone + Default + Serialize + DeserializeOwned + Send + Sync> Owner<S> {
    /// Writes the cells of a record's own rows.
    pub(super) async fn put_cells(&self, cells: &Cells, catalog: &Catalog, number: u64) -> Result<Vec<FileEntry>> {
        let mut added = self.put_latencies(&cells.latency, catalog, number, 0).await?;
        added.extend(self.put_attributions(&cells.attribution, catalog, number, 0).await?);
        added.extend(self.put_seconds(&cells.seconds, catalog, number, 0).await?);
        Ok(added)
    }

    async fn put_seconds(&self, cells: &Seconds, catalog: &Catalog, number: u64, level: u8) -> Result<Vec<FileEntry>> {
        let mut parts: BTreeMap<Partition, Vec<tables::write_seconds::Row<'_>>> = BTreeMap::new();
        let at = |key: &SecondKey| key.second.saturating_mul(SECOND);
        for (key, moments) in &cells.cells {
            let partition = Partition::of(Table::WriteSeconds, at(key));
            parts.entry(partition).or_default().push((key, moments));
        }
        let mut added = Vec::new();
        for (partition, rows) in parts {
            let span = rows.iter().fold((i64::MAX, i64::MIN), |(min, max), (key, _)| {
                (min.min(at(key)), max.max(at(key).saturating_add(SECOND - 1)))
            });
            let path = self.merged_path(Table::WriteSeconds, partition, number, level);
            let bytes = tables::write_seconds::write(&path, &rows, catalog)?;
            added.push(
                self.put_file(Table::WriteSeconds, path, bytes, rows.len(), span)
                    .await?,
            );
        }
        Ok(added)
    }

    async fn put_latencies(
        &self,
        cells: &Latencies,
        catalog: &Catalog,
        number: u64,
        level: u8,
    ) -> Result<Vec<FileEntry>> {
        let mut parts: BTreeMap<Partition, Vec<tables::latency::Row<'_>>> = BTreeMap::new();
        for ((bucket, key), sketch) in &cells.cells {
            let partition = Partition::of(Table::Latency, bucket.from_unix_nanos);
            parts.entry(partition).or_default().push((*bucket, *key, sketch));
        }
        let mut added = Vec::new();
        for (partition, rows) in parts {
            let span = reach(rows.iter().map(|(bucket, _, _)| *bucket));
            let path = self.merged_path(Table::Latency, partition, number, level);
            let bytes = tables::latency::write(&path, &rows, catalog)?;
            added.push(self.put_file(Table::Latency, path, bytes, rows.len(), span).await?);
            // As they were first committed they have a bucket or two.
            if level > 0 {
                let path = self.merged_path(Table::LatencySums, partition, number, level);
                let mut sums: BTreeMap<LatencyKey, Sketch> = BTreeMap::new();
                for (_, key, sketch) in &rows {
                    sums.entry(*key).or_default().merge(sketch);
                }
                let rows: Vec<_> = sums.iter().collect();
                let bytes = tables::latency_sums::write(&path, span, &rows, catalog)?;
                added.push(self.put_file(Table::LatencySums, path, bytes, rows.len(), span).await?);
            }
        }
        Ok(added)
    }

    async fn put_attributions(
        &self,
        cells: &Attributions,
        catalog: &Catalog,
        number: u64,
        level: u8,
    ) -> Result<Vec<FileEntry>> {
        let mut parts: BTreeMap<Partition, Vec<tables::attribution::Row<'_>>> = BTreeMap::new();
        for ((bucket, key), cell) in &cells.cells {
            let partition = Partition::of(Table::Attribution, bucket.from_unix_nanos);
            parts.entry(partition).or_default().push((*bucket, *key, cell));
        }
        let mut added = Vec::new();
        for (partition, rows) in parts {
            let span = reach(rows.iter().map(|(bucket, _, _)| *bucket));
            let path = self.merged_path(Table::Attribution, partition, number, level);
            let bytes = tables::attribution::write(&path, &rows, catalog)?;
            added.push(self.put_file(Table::Attribution, path, bytes, rows.len(), span).await?);
            let mut sums: BTreeMap<Candidate, Attribution> = BTreeMap::new();
            for (_, key, cell) in &rows {
                sums.entry(key.to).or_default().merge(cell);
            }
            if level > 0 || sums.len() <= rows.len() / 2 {
                let path = self.merged_path(Table::AttributionSums, partition, number, level);
                let rows: Vec<_> = sums.iter().map(|(to, cell)| (*to, cell)).collect();
                let bytes = tables::attribution_sums::write(&path, span, &rows, catalog)?;
                added.push(
                    self.put_file(Table::AttributionSums, path, bytes, rows.len(), span)
                        .await?,
                );
            }
        }
        Ok(added)
    }

    /// Puts files of earlier records together where there are enough: those that are added, and the names of those that they replace.
    pub(super) async fn merge_cells(&mut self, since: u64, number: u64) -> Result<(Vec<FileEntry>, Vec<String>)> {
        let (mut added, mut replaced) = (Vec::new(), Vec::new());
        for table in [Table::Latency, Table::Attribution, Table::WriteSeconds] {
            if self.merge_fault.is_some() {
                break;
            }
            let Some(group) = self.group(table, since) else {
                continue;
            };
            match self.merge_group(&group, number).await {
                Ok(files) => {
                    added.extend(files);
                    replaced.extend(group.files.iter().filter_map(|file| self.sums_of(file)));
                    replaced.extend(group.files.into_iter().map(|file| file.path));
                }
                // Nothing is lost by leaving them as they are.
                Err(Merging::Read(error)) => self.merge_fault = Some(error),
                Err(Merging::Write(error)) => return Err(error),
            }
        }
        Ok((added, replaced))
    }

    /// The oldest files of a table that are enough to be put together.
    fn group(&self, table: Table, since: u64) -> Option<Group> {
        let newest = self.files.iter().filter(|file| file.table == Table::Ios);
        let newest = newest.map(|file| file.max_unix_nanos).max()?;
        let mut groups: BTreeMap<(u8, Partition), Vec<&FileEntry>> = BTreeMap::new();
        for file in self.files.iter().filter(|file| file.table == table) {
            let Ok(path) = file.path.parse::<DataPath>() else {
                continue;
            };
            let is_due = path.merged + 1 < COARSE || file.max_unix_nanos < newest.saturating_sub(FINE_FOR_NANOS);
            if path.number >= since && is_due {
                groups.entry((path.merged, path.partition)).or_default().push(file);
            }
        }
        groups.into_iter().find_map(|((level, partition), files)| {
            let some = group_of(table, level)?;
            (files.len() >= some).then(|| Group {
                table,
                partition,
                level: level + 1,
                files: files.into_iter().take(some).cloned().collect(),
            })
        })
    }

    /// The name of the file in force that sums another one up.
    fn sums_of(&self, file: &FileEntry) -> Option<String> {
        let table = match file.table {
            Table::Latency => Table::LatencySums,
            Table::Attribution => Table::AttributionSums,
            _ => return None,
        };
        let path = file.path.parse::<DataPath>().ok()?;
        let name = DataPath { table, ..path }.to_string();
        let is_there = |other: &FileEntry| other.table == table && other.path == name;
        self.files.iter().any(is_there).then_some(name)
    }

    async fn merge_group(&self, group: &Group, number: u64) -> std::result::Result<Vec<FileEntry>, Merging> {
        let (mut cells, mut names) = (Cells::default(), Catalog::default());
        for file in &group.files {
            let read = match group.table {
                Table::Latency => {
                    let coarse = |bucket: Bucket| if group.level == COARSE { bucket.coarse() } else { bucket };
                    let add = |bucket, key, kept: fathom_model::sketch::Kept<'_>| {
                        let own = cells.latency.cells.entry((coarse(bucket), key)).or_default();
                        own.merge_bins(kept)
                    };
                    read_latency(&self.blobs, file, &mut names, add).await
                }
                Table::WriteSeconds => {
                    let add = |key, moments: Moments| cells.seconds.add(key, &moments);
                    read_seconds(&self.blobs, file, Span::ALL, &mut names, add).await
                }
                _ => {
                    let add = |bucket, key, kept: &KeptAttribution<'_>| {
                        let own = cells.attribution.cells.entry((bucket, key)).or_default();
                        own.merge_kept(kept)
                    };
                    read_attribution(&self.blobs, file, &mut names, add).await
                }
            };
            read.map_err(Merging::Read)?;
        }
        let put = match group.table {
            Table::Latency => self.put_latencies(&cells.latency, &names, number, group.level).await,
            Table::WriteSeconds => self.put_seconds(&cells.seconds, &names, number, group.level).await,
            _ => {
                self.put_attributions(&cells.attribution, &names, number, group.level)
                    .await
            }
        };
        let put = put.map_err(Merging::Write)?;
        debug_assert!(
            put.iter()
                .all(|file| Partition::of(group.table, file.min_unix_nanos) == group.partition),
            "files of one day become one of that day"
        );
        Ok(put)
    }

    /// Why files of cells are not put together any more, once.
    pub fn take_merge_fault(&mut self) -> Option<&Error> {
        let is_new = self.merge_fault.is_some() && !std::mem::replace(&mut self.merge_fault_told, true);
        self.merge_fault.as_ref().filter(|_| is_new)
    }
}

/// Where putting together failed.
enum Merging {
    /// A file is broken: it stays.
    Read(Error),
    /// As for any file of a record.
    Write(Error),
}

/// From the beginning of the first to the end of the last.
fn reach(buckets: impl Iterator<Item = Bucket>) -> (i64, i64) {
    buckets.fold((i64::MAX, i64::MIN), |(min, max), bucket| {
        (min.min(bucket.from_unix_nanos), max.max(bucket.last_unix_nanos()))
    })
}
