//! A recording's state beside its rows: what stands, and which storage jobs ran.

use std::collections::BTreeMap;

use fathom_capture::{Recording, StateRow, read_state, state_file};
use fathom_diagnose::findings::{Kept, Tracker};
use fathom_diagnose::jobs::Running;
use fathom_diagnose::what_if::Serials;
use fathom_model::Topology;
use fathom_model::condition::Sign;
use fathom_state::conditions::{Conditions, Read};
use fathom_state::disks;
use fathom_state::history::Picture;

use crate::error::Result;
use crate::replay::Replayed;

/// All that a recording's nodes observed and counted, in the order of the times of their own clocks; nothing where it has no state.
///
/// # Errors
///
/// When the file cannot be read.
pub fn rows(recording: &Recording) -> Result<Vec<StateRow>> {
    let Some(path) = state_file(recording.directory()) else {
        return Ok(Vec::new());
    };
    let mut rows: Vec<StateRow> = read_state(&path, None)?.into_iter().collect();
    rows.sort_by_key(at);
    Ok(rows)
}

/// When a row was so, on the clock of whoever read it.
const fn at(row: &StateRow) -> i64 {
    match row {
        StateRow::Observation(observation) => observation.observed_unix_nanos,
        StateRow::Sample(sample) => sample.observed_unix_nanos,
    }
}

/// What stands, and the jobs that ran, from observations as they come.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// What stands.
    pub conditions: Conditions,
    jobs: BTreeMap<String, Running>,
}

impl Standing {
    /// Of a cluster that is laid out so.
    #[must_use]
    pub fn new(topology: &Topology) -> Self {
        let mut standing = Self::default();
        standing.conditions.set_topology(topology);
        standing
    }

    /// Takes an observation or a reading of a counter; after the last one of a reading, what may have changed.
    pub fn add(&mut self, row: &StateRow) -> Option<Read> {
        let read = match row {
            StateRow::Observation(observation) => self.conditions.add(observation)?,
            StateRow::Sample(sample) => self.conditions.add_sample(sample)?,
        };
        if read.sign.with_its_like().contains(&Sign::JobRuns) {
            let standing = self.conditions.of(Sign::JobRuns);
            for (id, job) in standing
                .iter()
                .filter_map(|one| one.resource.as_ref().zip(one.job.as_ref()))
            {
                let running = self.jobs.entry(id.clone()).or_insert_with(|| Running {
                    id: id.clone(),
                    name: job.name.clone(),
                    from_unix_nanos: job.began_unix_ns,
                    until_unix_nanos: None,
                    moved_bytes: None,
                });
                running.until_unix_nanos = None;
                running.moved_bytes = job.moved_bytes.or(running.moved_bytes);
            }
            for (id, running) in &mut self.jobs {
                if !standing.iter().any(|one| one.resource.as_ref() == Some(id)) {
                    running.until_unix_nanos.get_or_insert(read.at_unix_nanos);
                }
            }
        }
        Some(read)
    }

    /// The jobs that ran up to now, by their ids.
    #[must_use]
    pub fn jobs(&self) -> Vec<Running> {
        self.jobs.values().cloned().collect()
    }
}

/// The storage jobs that a recording's state says to have run.
///
/// # Errors
///
/// When the state cannot be read.
pub fn jobs(recording: &Recording) -> Result<Vec<Running>> {
    let mut standing = Standing::new(recording.topology());
    for row in rows(recording)? {
        standing.add(&row);
    }
    Ok(standing.jobs())
}

/// The serial numbers of drives that a recording's state has, with the identities that each is known by.
///
/// # Errors
///
/// When the state cannot be read.
pub fn serials(recording: &Recording) -> Result<Serials> {
    let mut picture = Picture::at(i64::MAX);
    for row in rows(recording)? {
        if let StateRow::Observation(observation) = row {
            picture.add(&observation);
        }
    }
    Ok(disks::serials(&picture))
}

/// The findings of a recording: what its rows and its state show, as a coordinator says it that was given both.
///
/// # Errors
///
/// When the state cannot be read.
pub fn findings(recording: &Recording, replayed: &Replayed) -> Result<Kept> {
    let mut tracker = Tracker::default();
    let mut standing = Standing::new(&replayed.topology);
    let mut said = rows(recording)?.into_iter().peekable();
    let mut read_until = |tracker: &mut Tracker, until: i64| {
        while let Some(row) = said.next_if(|next| at(next) <= until) {
            let Some(read) = standing.add(&row) else {
                continue;
            };
            tracker.set_maintenance(standing.conditions.maintenance());
            if read.sign == Sign::DiskUnhealthy {
                tracker.set_drives(standing.conditions.drives());
            }
            for sign in read.sign.with_its_like() {
                let told = standing.conditions.of(*sign);
                tracker.read(*sign, told, read.node.as_str(), read.at_unix_nanos);
            }
        }
    };
    let (rows, catalog) = (&replayed.rows, &replayed.catalog);
    tracker.add_unmatched(&rows.unmatched, catalog);
    for io in &rows.ios {
        read_until(&mut tracker, io.event.end_unix_nanos());
        tracker.add_io(rows, io, catalog);
    }
    tracker.finish(catalog);
    read_until(&mut tracker, i64::MAX);
    Ok(tracker.kept())
}

#[cfg(test)]
mod tests;
