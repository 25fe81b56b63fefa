//! Files that an owner wrote and never put a record of: it was killed between the two. A reader of the folder that knows no manifest
//! takes their rows for rows of the store, which has them once more, in the files of whoever came after.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::Owner;
use crate::error::Result;
use crate::manifest;
use crate::paths::{DataPath, Table};

impl<S: Clone + Default + Serialize + DeserializeOwned + Send + Sync> Owner<S> {
    /// Removes data files of earlier numbers that no record names and none ever will; how many.
    ///
    /// A file says in its name of which record it is and who wrote it. Whose record that became is settled up to our own: whoever else
    /// wrote for one of these numbers cannot put a record there any more, alive or not. What lies beyond our own record is not looked at,
    /// since it may be a successor's, and neither is what a record names that was replaced since: somebody may be reading it.
    ///
    /// # Errors
    ///
    /// When the store cannot be listed, a record not read or a file not removed. Nothing is lost by that: what is left is removed by the
    /// next owner.
    pub async fn remove_orphans(&self) -> Result<usize> {
        let in_force = self.files.iter().chain(&self.record.pending);
        let in_force: BTreeSet<&str> = in_force.map(|file| file.path.as_str()).collect();
        let own = self.record.number;
        // By number: who has files in force for it, and who has others.
        let mut writers: BTreeMap<u64, u32> = BTreeMap::new();
        let mut others: BTreeMap<u64, Vec<(u32, String)>> = BTreeMap::new();
        for table in Table::ALL {
            for name in self.blobs.list(&DataPath::folder(table, &self.record.cluster)).await? {
                let Ok(path) = name.parse::<DataPath>() else { continue };
                if path.cluster != self.record.cluster || path.number > own {
                    continue;
                }
                if in_force.contains(name.as_str()) {
                    writers.insert(path.number, path.writer);
                } else {
                    others.entry(path.number).or_default().push((path.writer, name));
                }
            }
        }
        writers.insert(own, self.writer());
        let mut removed = 0;
        for (number, files) in others {
            let writer = match writers.get(&number) {
                Some(writer) => *writer,
                None => {
                    let record = manifest::read::<IgnoredAny>(&self.blobs, &self.record.cluster, number).await?;
                    match record
                        .nonce
                        .get(..8)
                        .and_then(|start| u32::from_str_radix(start, 16).ok())
                    {
                        Some(writer) => writer,
                        // Of whom it is is not known: it stays.
                        None => continue,
                    }
                }
            };
            for (_, name) in files.iter().filter(|(by, _)| *by != writer) {
                self.blobs.remove(name).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}
