//! A node's part of a recording as a [`Source`].
//!
//! The file is read twice: once on opening, to refuse a broken recording before anything is given out and to learn until when
//! nothing is still to come at each place of the file (rows are in completion order, but not to the last nanosecond); then
//! again while playing. Memory does not grow with the file but for eight bytes a thousand rows.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use fathom_capture::{EventReader, Recording, RowBatch};
use fathom_model::{Device, Incarnation, IoColumns, NodeId, Tap, Topology};
use sha2::{Digest, Sha256};

use crate::{Batch, Description, Error, Polled, Result, Source};

/// Rows that share one promise.
const BLOCK: u64 = 1024;

/// Device times are never finer than this in recordings (blktrace rounds to microseconds).
const DEVICE_RESOLUTION_NANOS: u64 = 1_000;

/// How a recording is played.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Taps whose rows are left out, as if the node did not have them.
    pub without: Vec<Tap>,
    /// Recorded seconds a second; `None` for as fast as possible.
    pub pace: Option<f64>,
}

/// A node's part of a recording.
#[derive(Debug)]
pub struct ReplaySource {
    recording: Recording,
    node: NodeId,
    options: Options,
    incarnation: Incarnation,
    taps: Vec<(Tap, u64)>,
    devices: Vec<Device>,
    /// Completion of the first event to complete.
    first: Option<i64>,
    /// For each block of kept rows, the earliest completion in it or any later one.
    complete_until: Vec<i64>,
    kept: u64,
    warnings: Vec<String>,
    reader: EventReader,
    /// Kept rows that were read and not given yet.
    waiting: IoColumns,
    given_of_waiting: usize,
    next: u64,
    /// Where the pace begins: the first event's completion, or that of the event that a seek went to.
    paced_from: Option<i64>,
}

impl ReplaySource {
    /// Opens a node's events and reads them once.
    ///
    /// # Errors
    ///
    /// When the recording has no events of the node, or they are broken.
    pub fn open(recording: &Recording, node: &NodeId, options: Options) -> Result<Self> {
        let mut reader = recording.events(node)?;
        let mut source = Self {
            recording: recording.clone(),
            node: node.clone(),
            incarnation: incarnation(recording, node, &options)?,
            options,
            taps: Vec::new(),
            devices: Vec::new(),
            first: None,
            complete_until: Vec::new(),
            kept: 0,
            warnings: Vec::new(),
            reader: recording.events(node)?,
            waiting: IoColumns::default(),
            given_of_waiting: 0,
            next: 0,
            paced_from: None,
        };
        let mut seen = [false; Tap::ALL.len()];
        let mut is_empty = true;
        while let Some(rows) = reader.next_batch(BLOCK as usize)? {
            is_empty &= rows.columns.is_empty();
            for event in rows
                .columns
                .iter()
                .filter(|event| !source.options.without.contains(&event.tap))
            {
                seen[event.tap as usize] = true;
                let end = event.end_unix_nanos();
                source.first = Some(source.first.map_or(end, |first| first.min(end)));
                if source.kept.is_multiple_of(BLOCK) {
                    source.complete_until.push(end);
                }
                if let Some(earliest) = source.complete_until.last_mut() {
                    *earliest = (*earliest).min(end);
                }
                source.kept += 1;
            }
        }
        for block in (1..source.complete_until.len()).rev() {
            source.complete_until[block - 1] = source.complete_until[block - 1].min(source.complete_until[block]);
        }
        source.paced_from = source.first;
        source.devices = reader.devices().to_vec();
        source.warnings = reader.differences(recording);
        if is_empty {
            // No row says which taps the node has. Where the recording does, what is missing of them is told as of a node without a file.
            for tap in counted(recording, node) {
                seen[tap as usize] = !source.options.without.contains(&tap);
            }
            if let Some(path) = recording.node(node.as_str()).and_then(|node| node.events.as_deref()) {
                let none = format!(
                    "{}: there is no row in it: what {node} saw is not known",
                    path.display()
                );
                source.warnings.push(none);
            }
        }
        let resolution = recording.run().resolution_ns;
        source.taps = Tap::ALL
            .into_iter()
            .filter(|&tap| seen[tap as usize])
            .map(|tap| {
                (
                    tap,
                    if tap == Tap::Device {
                        resolution.max(DEVICE_RESOLUTION_NANOS)
                    } else {
                        resolution
                    },
                )
            })
            .collect();
        Ok(source)
    }

    /// Opens a node's events of the recording in a folder.
    ///
    /// # Errors
    ///
    /// When the folder holds no recording, or as [`Self::open`].
    pub fn open_folder(folder: &Path, node: &NodeId, options: Options) -> Result<Self> {
        Self::open(&Recording::open(folder)?, node, options)
    }

    /// What about the recording is odd without being wrong.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// How many events it gives in all.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.kept
    }

    /// The cluster as the recording describes it.
    #[must_use]
    pub const fn topology(&self) -> &Topology {
        self.recording.topology()
    }

    /// Reads on until rows are waiting; false at the end of the file.
    fn fill(&mut self) -> Result<bool> {
        while self.given_of_waiting == self.waiting.len() {
            let Some(RowBatch { columns, .. }) = self.reader.next_batch(BLOCK as usize)? else {
                if self.next != self.kept {
                    return Err(Error::Changed {
                        node: self.node.clone(),
                        expected: self.kept,
                        found: self.next,
                    });
                }
                return Ok(false);
            };
            self.waiting = columns
                .iter()
                .filter(|event| !self.options.without.contains(&event.tap))
                .collect();
            self.given_of_waiting = 0;
        }
        Ok(true)
    }

    /// Until when nothing is still to come, once everything below `next` was given.
    fn promise(&self, next: u64) -> i64 {
        self.complete_until
            .get((next / BLOCK) as usize)
            .copied()
            .unwrap_or(i64::MAX)
    }

    /// Recorded time that has passed after `elapsed`, and the completion up to which events are there.
    fn due(&self, elapsed: Duration) -> i64 {
        match (self.options.pace, self.paced_from) {
            (Some(pace), Some(first)) => first.saturating_add((elapsed.as_nanos() as f64 * pace) as i64),
            _ => i64::MAX,
        }
    }
}

impl Source for ReplaySource {
    fn describe(&self) -> Description {
        Description {
            node: self.node.clone(),
            incarnation: Some(self.incarnation),
            taps: self.taps.clone(),
            covered_from_unix_nanos: self.first,
            topology: Some(self.recording.topology().clone()),
            anchor: None,
        }
    }

    fn devices(&self) -> &[Device] {
        &self.devices
    }

    fn seek(&mut self, ordinal: u64) -> Result<()> {
        if ordinal < self.next {
            self.reader = self.recording.events(&self.node)?;
            (self.waiting, self.given_of_waiting, self.next) = (IoColumns::default(), 0, 0);
        }
        while self.next < ordinal && self.fill()? {
            let skip = (ordinal - self.next).min((self.waiting.len() - self.given_of_waiting) as u64);
            self.given_of_waiting += skip as usize;
            self.next += skip;
        }
        if self.fill()? {
            self.paced_from = self
                .waiting
                .get(self.given_of_waiting)
                .map(|event| event.end_unix_nanos());
        }
        Ok(())
    }

    fn poll(&mut self, elapsed: Duration, most: usize) -> Result<Polled> {
        let due = self.due(elapsed);
        let first_ordinal = self.next;
        let mut columns = IoColumns::with_capacity(most.min(BLOCK as usize));
        while columns.len() < most && self.fill()? {
            let Some(event) = self.waiting.get(self.given_of_waiting) else {
                break;
            };
            if event.end_unix_nanos() > due {
                if columns.is_empty() {
                    let nanos = (event.end_unix_nanos() - due) as f64 / self.options.pace.unwrap_or(1.0);
                    return Ok(Polled::Later(Duration::from_nanos(nanos as u64)));
                }
                break;
            }
            columns.push(event);
            self.given_of_waiting += 1;
            self.next += 1;
        }
        if columns.is_empty() {
            return Ok(Polled::End);
        }
        let complete_until_unix_nanos = self.promise(self.next);
        Ok(Polled::Events(Batch {
            first_ordinal,
            columns,
            complete_until_unix_nanos,
        }))
    }
}

/// The taps of which the recording says that a node has rows.
fn counted(recording: &Recording, node: &NodeId) -> Vec<Tap> {
    let counts = recording.run().counts.as_ref();
    let counts = counts.and_then(|counts| counts.get(node.as_str()));
    let taps = counts.into_iter().flatten().filter(|(_, rows)| **rows > 0);
    taps.filter_map(|(name, _)| name.split('.').next()?.parse().ok())
        .collect()
}

/// The same file, played with the same taps under the same name, gives the same incarnation, so that playing it again adds nothing to
/// a store. Ordinals are rows only where no tap is left out, so leaving one out is another stream.
fn incarnation(recording: &Recording, node: &NodeId, options: &Options) -> Result<Incarnation> {
    let mut hash = Sha256::new();
    hash.update(b"fathom recording 1\0");
    for text in [recording.run().name.as_str(), node.as_str()] {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    for tap in Tap::ALL {
        hash.update([u8::from(options.without.contains(&tap))]);
    }
    if let Some(path) = recording.node(node.as_str()).and_then(|node| node.events.as_deref()) {
        let failed = |source| fathom_capture::Error::Io {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(failed)?;
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match file.read(&mut buffer).map_err(failed)? {
                0 => break,
                read => hash.update(&buffer[..read]),
            }
        }
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    Ok(Incarnation::from_bytes(bytes))
}

#[cfg(test)]
mod tests;
