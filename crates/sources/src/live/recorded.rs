//! A trace file as a [`Feed`]: its events as a session would have handed them over, all at once or at the speed at which they were logged.

use std::io::Read;
use std::time::Duration;

use fathom_etl::event::RawEvent;
use fathom_etl::{Clock, LogFile, Report, walk};

use super::chunk::events;
use super::{Disks, Fed, Feed, Item};
use crate::Result;

/// A trace that was read.
#[derive(Debug)]
pub struct Recorded {
    blocks: Vec<Vec<u8>>,
    /// The block, and the stamp up to which events were handed over.
    given: usize,
    clock: Clock,
    log_file: LogFile,
    report: Report,
    first: i64,
    last: i64,
    disks: Option<Disks>,
    /// Seconds of the trace a second; `None` for all at once.
    pace: Option<f64>,
}

/// Events that stand together: those of a block are handed over at once.
const BLOCK_EVENTS: usize = 1024;

impl Recorded {
    /// Reads a trace to its end and keeps its events, as bytes and in the order of their stamps.
    ///
    /// # Errors
    ///
    /// When it is no trace.
    pub fn read(input: impl Read, disks: Disks, pace: Option<f64>) -> Result<Self> {
        let mut kept: Vec<(i64, Vec<u8>)> = Vec::new();
        let walked = walk(input, |event: &RawEvent<'_>| {
            kept.push((event.stamp, super::chunk::encode(event)))
        })?;
        kept.sort_by_key(|(stamp, _)| *stamp);
        let time = |at: Option<&(i64, Vec<u8>)>| at.and_then(|(stamp, _)| walked.clock.unix_nanos(*stamp));
        let start = walked.log_file.start_unix_nanos().unwrap_or(0);
        let first = time(kept.first()).unwrap_or(start);
        let last = time(kept.last()).unwrap_or(first);
        let blocks = kept
            .chunks(BLOCK_EVENTS)
            .map(|chunk| chunk.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect())
            .collect();
        Ok(Self {
            blocks,
            given: 0,
            clock: walked.clock,
            log_file: walked.log_file,
            report: walked.report,
            first: first.min(start.max(0)),
            last,
            disks: Some(disks),
            pace,
        })
    }

    /// The clock of its stamps.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// When the trace began, in nanoseconds since 1970.
    #[must_use]
    pub const fn first_unix_nanos(&self) -> i64 {
        self.first
    }

    /// What its header says.
    #[must_use]
    pub const fn log_file(&self) -> &LogFile {
        &self.log_file
    }

    /// The blocks of events: what a benchmark of the decoder goes over.
    #[must_use]
    pub fn blocks(&self) -> &[Vec<u8>] {
        &self.blocks
    }
}

impl Feed for Recorded {
    fn drain(&mut self, elapsed: Duration, take: &mut dyn FnMut(Item<'_>)) -> Result<Fed> {
        let now = match self.pace {
            Some(pace) => self.first.saturating_add((elapsed.as_nanos() as f64 * pace) as i64),
            None => i64::MAX,
        };
        if let Some(disks) = self.disks.take() {
            take(Item::Disks(&disks));
        }
        let mut handed = 0;
        while let Some(block) = self.blocks.get(self.given) {
            let begin = events(block)
                .next()
                .and_then(|event| self.clock.unix_nanos(event.stamp));
            // A few at a time, so that what is behind is never asked to hold a whole trace.
            if begin.is_some_and(|begin| begin > now) || handed >= 8 {
                break;
            }
            events(block).for_each(|event| take(Item::Event(event)));
            self.given += 1;
            handed += 1;
        }
        let is_ended = self.given == self.blocks.len();
        let next = self.blocks.get(self.given).and_then(|block| events(block).next());
        let next = next.and_then(|event| self.clock.unix_nanos(event.stamp));
        Ok(Fed {
            now_unix_nanos: now.min(next.unwrap_or(self.last)),
            lost: self.report.events_lost,
            lost_buffers: self.report.buffers_lost + self.report.buffers_missing,
            lost_within: Some((self.first, self.last)),
            is_ended,
        })
    }
}
