//! Hours of `baselines` into a record, and the hours of a day that is over into one file: whoever starts reads those of two weeks.

use std::collections::BTreeMap;

use fathom_model::baseline::Hour;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Owner, by_partition, span};
use crate::error::Result;
use crate::manifest::FileEntry;
use crate::paths::{Partition, Table};
use crate::{read_baselines, tables};

impl<S: Clone + Default + Serialize + DeserializeOwned + Send + Sync> Owner<S> {
    /// Puts the files of hours; they, and those that were put together with what these replace.
    pub(super) async fn put_baselines(&mut self, hours: &[Hour], number: u64) -> Result<(Vec<FileEntry>, Vec<String>)> {
        let (mut added, mut replaced) = (Vec::new(), Vec::new());
        let began = |hour: &Hour| hour.from_unix_nanos;
        let parts = by_partition(Table::Baselines, hours.iter(), began);
        let Some(newest) = parts.keys().next_back().copied() else {
            return Ok((added, replaced));
        };
        for (partition, rows) in parts {
            let span = span(rows.iter().map(|row| began(row)));
            let path = self.path(Table::Baselines, partition, number);
            let bytes = tables::baselines::write(&path, &rows)?;
            added.push(self.put_file(Table::Baselines, path, bytes, rows.len(), span).await?);
        }
        let mut days: BTreeMap<Partition, Vec<FileEntry>> = BTreeMap::new();
        for file in self.files.iter().filter(|file| file.table == Table::Baselines) {
            let day = Partition::of(Table::Baselines, file.min_unix_nanos);
            days.entry(day).or_default().push(file.clone());
        }
        for (day, files) in days.range(..newest).filter(|(_, files)| files.len() > 1) {
            let mut rows = Vec::new();
            for file in files {
                match read_baselines(&self.blobs, file).await {
                    Ok(hours) => rows.extend(hours),
                    Err(error) => {
                        // It stays as it is; whoever needs its hours is told.
                        self.merge_fault.get_or_insert(error);
                        break;
                    }
                }
            }
            if self.merge_fault.is_some() {
                break;
            }
            let rows: Vec<&Hour> = rows.iter().collect();
            let span = span(rows.iter().map(|row| began(row)));
            let path = self.merged_path(Table::Baselines, *day, number, 1);
            let bytes = tables::baselines::write(&path, &rows)?;
            added.push(self.put_file(Table::Baselines, path, bytes, rows.len(), span).await?);
            replaced.extend(files.iter().map(|file| file.path.clone()));
        }
        Ok((added, replaced))
    }
}
