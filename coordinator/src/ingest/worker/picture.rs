//! What of all that was observed a successor needs, so that it does not read all of it.
//!
//! Every so often a record has a picture: the observations from which the same is known as from all up to one of the records before
//! ([`Essence`]). A successor reads that and what was stored since. In the picture is only what was looked at for what is wrong: what was
//! not is told by whoever reads it.

use std::sync::Arc;

use fathom_model::state::Observation;
use fathom_state::essence::Essence;
use fathom_store::paths::Table;
use fathom_store::{FileEntry, read_observations};

use super::Running;
use crate::error::Result;

/// A picture is made after so many records with observations, or so many observations, whichever is first.
const RECORDS: u32 = 64;
const OBSERVATIONS: u64 = 20_000;

/// What is known, and what of it the store has a picture of.
#[derive(Default)]
pub(super) struct Pictured {
    essence: Essence,
    /// So many observations are in the essence, in the order in which they are stored.
    counted: u64,
    /// Those of later records.
    later: Vec<Arc<Vec<Observation>>>,
    /// Records with observations since the last picture, and so many observations in them.
    records: u32,
    observations: u64,
}

impl Pictured {
    /// The picture that the next record is to have, and of how many observations it is; none where it is not time. So many were looked at.
    pub(super) fn due(&mut self, judged: u64) -> Option<(u64, Vec<Observation>)> {
        let later: u64 = self.later.iter().map(|some| some.len() as u64).sum();
        // Of whole records alone: files have those of one.
        if judged >= self.counted + later {
            for some in self.later.drain(..) {
                some.iter().for_each(|observation| self.essence.add(observation));
            }
            self.counted += later;
        }
        let is_due = self.records >= RECORDS || self.observations >= OBSERVATIONS;
        (is_due && self.later.is_empty()).then(|| (self.counted, self.essence.observations()))
    }

    /// A record has these, and maybe the picture.
    pub(super) fn stored(&mut self, observations: Vec<Arc<Vec<Observation>>>, picture: bool) {
        if picture {
            (self.records, self.observations) = (0, 0);
        }
        if !observations.is_empty() {
            self.records += 1;
            self.observations += observations.iter().map(|some| some.len() as u64).sum::<u64>();
            self.later.extend(observations);
        }
    }

    fn begin(&mut self, picture: &[Observation], counted: u64) {
        picture.iter().for_each(|observation| self.essence.add(observation));
        self.counted = counted;
    }
}

/// Files of observations that have some beyond the first so many, each with how many of its own are among those.
fn beyond(files: &[FileEntry], counted: u64) -> Vec<(&FileEntry, u64)> {
    let mut before = 0;
    let mut some = Vec::new();
    for file in files.iter().filter(|file| file.table == Table::Observations) {
        if before + file.rows > counted {
            some.push((file, counted.saturating_sub(before)));
        }
        before += file.rows;
    }
    some
}

impl Running {
    /// Reads what is known of state: the picture, and what was stored since.
    pub(super) async fn warm_state(&mut self) -> Result<()> {
        let (blobs, record) = (self.owner.blobs(), self.owner.record());
        let picture = self.owner.files().iter().rfind(|file| file.table == Table::Pictures);
        let mut counted = 0;
        if let (Some(file), Some(pictured)) = (picture, record.state.pictured) {
            let rows = read_observations(blobs, file).await?;
            self.by_state.begin(&rows, pictured);
            self.picture.begin(&rows, pictured);
            self.rollups.observe(&rows);
            counted = pictured;
        }
        // What stands is what was said; of what was not looked at yet it is told now.
        let judged = record.state.state_judged.unwrap_or(u64::MAX);
        for (file, known) in beyond(self.owner.files(), counted) {
            let mut rows = read_observations(blobs, file).await?;
            rows.drain(..rows.len().min(usize::try_from(known).unwrap_or(usize::MAX)));
            self.rollups.observe(&rows);
            self.by_state.take_up(rows.clone(), judged);
            self.picture.stored(vec![Arc::new(rows)], false);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
