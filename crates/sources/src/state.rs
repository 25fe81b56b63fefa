//! What a node reports of its resources, as one trait: [`StateSource`].
//!
//! Rows have ordinals as events have; a source never blocks and never reads a clock: whoever drives it says how much time has passed.

#[cfg(windows)]
pub(crate) mod drives;
#[cfg(windows)]
mod event_log;
pub mod live;
pub mod log;
pub mod nvme;
pub mod walks;
#[cfg(windows)]
pub mod wmi;

use std::fs;
use std::path::Path;
use std::time::Duration;

use fathom_capture::{StateRow, read_state, state_file};
use fathom_model::state::{Observation, Sample};
use fathom_model::{Incarnation, NodeId};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// Rows with contiguous ordinals: the observations first, then the samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateBatch {
    /// Ordinal of the first.
    pub first_ordinal: u64,
    /// What resources were like.
    pub observations: Vec<Observation>,
    /// What counters read.
    pub samples: Vec<Sample>,
}

/// What a source of state had when it was asked.
#[derive(Clone, Debug, PartialEq)]
pub enum StatePolled {
    /// Rows.
    Rows(StateBatch),
    /// Nothing yet; ask again after about this long.
    Later(Duration),
    /// Nothing any more, ever.
    End,
}

/// Something on a node that its state can be read from.
pub trait StateSource: Send {
    /// For a source that always gives the same rows: the incarnation that stands for them.
    fn incarnation(&self) -> Option<Incarnation>;

    /// Goes to an ordinal: the next row given is that one.
    ///
    /// # Errors
    ///
    /// When the source has no such ordinal any more.
    fn seek(&mut self, ordinal: u64) -> Result<()>;

    /// Up to `most` rows of those that are there `elapsed` after the source was started.
    ///
    /// # Errors
    ///
    /// When the source broke; what it had given before stays true.
    fn poll(&mut self, elapsed: Duration, most: usize) -> Result<StatePolled>;
}

/// The state of the node that this runs on; none on a system whose state is not read.
///
/// `anchor_unix_nanos` is the wall clock when the source is started, `seed` spreads nodes over the time between two readings, and while
/// `reporter` is false what the cluster answers for is left to another node.
///
/// # Errors
///
/// When the system gives no thread.
#[cfg(windows)]
pub fn of_this_system(
    node: &NodeId,
    anchor_unix_nanos: i64,
    seed: u64,
    reporter: std::sync::Arc<std::sync::atomic::AtomicBool>,
) -> std::io::Result<Option<Box<dyn StateSource>>> {
    let open = event_log::Reads::new;
    let live = live::LiveState::start(node.clone(), anchor_unix_nanos, seed, reporter, open)?;
    Ok(Some(Box::new(live)))
}

/// A node's state in a recording, as fast as it is asked or at recorded speed.
#[derive(Debug)]
pub struct ReplayState {
    rows: Vec<StateRow>,
    incarnation: Incarnation,
    pace: Option<f64>,
    next: usize,
    /// Where the pace begins.
    paced_from: Option<i64>,
}

impl ReplayState {
    /// Opens a node's state in a recording's folder; none where the recording has none of it.
    ///
    /// # Errors
    ///
    /// When the file is broken.
    pub fn open(folder: &Path, node: &NodeId, pace: Option<f64>) -> Result<Option<Self>> {
        let Some(path) = state_file(folder) else {
            return Ok(None);
        };
        let rows = read_state(&path, Some(node)).map_err(Error::from)?;
        if rows.is_empty() {
            return Ok(None);
        }
        let mut hash = Sha256::new();
        hash.update(b"fathom recorded state 1\0");
        hash.update(node.as_str());
        let failed = |source| fathom_capture::Error::Io {
            path: path.clone(),
            source,
        };
        hash.update(b"\0");
        hash.update(fs::read(&path).map_err(failed).map_err(Error::from)?);
        let mut incarnation = [0; 16];
        incarnation.copy_from_slice(&hash.finalize()[..16]);
        Ok(Some(Self {
            paced_from: rows.first().map(StateRow::observed_unix_nanos),
            rows,
            incarnation: Incarnation::from_bytes(incarnation),
            pace,
            next: 0,
        }))
    }
}

impl StateSource for ReplayState {
    fn incarnation(&self) -> Option<Incarnation> {
        Some(self.incarnation)
    }

    fn seek(&mut self, ordinal: u64) -> Result<()> {
        self.next = usize::try_from(ordinal).unwrap_or(usize::MAX).min(self.rows.len());
        self.paced_from = self.rows.get(self.next).map(StateRow::observed_unix_nanos);
        Ok(())
    }

    fn poll(&mut self, elapsed: Duration, most: usize) -> Result<StatePolled> {
        let due = match (self.pace, self.paced_from) {
            (Some(pace), Some(first)) => first.saturating_add((elapsed.as_nanos() as f64 * pace) as i64),
            _ => i64::MAX,
        };
        let mut batch = StateBatch {
            first_ordinal: self.next as u64,
            ..StateBatch::default()
        };
        while batch.observations.len() + batch.samples.len() < most {
            match self.rows.get(self.next) {
                Some(row) if row.observed_unix_nanos() > due => break,
                // An observation after a sample begins a batch of its own.
                Some(StateRow::Observation(_)) if !batch.samples.is_empty() => break,
                Some(StateRow::Observation(row)) => batch.observations.push(row.clone()),
                Some(StateRow::Sample(row)) => batch.samples.push(row.clone()),
                None => break,
            }
            self.next += 1;
        }
        if !batch.observations.is_empty() || !batch.samples.is_empty() {
            return Ok(StatePolled::Rows(batch));
        }
        Ok(match self.rows.get(self.next) {
            None => StatePolled::End,
            Some(row) => {
                let nanos = (row.observed_unix_nanos() - due) as f64 / self.pace.unwrap_or(1.0);
                StatePolled::Later(Duration::from_nanos(nanos as u64))
            }
        })
    }
}

#[cfg(test)]
mod tests;
