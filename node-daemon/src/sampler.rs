//! The sampler: drives the source on a thread of its own and fills the spool.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fathom_proto::collect::v1 as wire;
use fathom_proto::convert::batch;
use fathom_runtime::shutdown::Shutdown;
use fathom_sources::{Polled, Source};

use crate::error::Result;
use crate::spool::{Spool, kind};

/// Longest wait before looking whether the daemon should stop.
const NAP: Duration = Duration::from_millis(50);

/// What is read is made durable at least this often.
const SYNC_EVERY: Duration = Duration::from_millis(100);

/// ... and after so many bytes' worth of events at the latest (about 20 bytes an event).
const SYNC_EVENTS: u64 = 64 * 1024;

pub(crate) struct Sampler {
    source: Box<dyn Source>,
    spool: Arc<Spool>,
    batch_events: usize,
}

impl Sampler {
    pub(crate) fn new(source: Box<dyn Source>, spool: Arc<Spool>, batch_events: usize) -> Self {
        Self {
            source,
            spool,
            batch_events,
        }
    }

    /// Reads until the source ends or the daemon stops. Everything read is durable when this returns.
    pub(crate) fn run(mut self, shutdown: &Shutdown) -> Result<()> {
        if self.spool.ended() {
            return Ok(());
        }
        self.source.seek(self.spool.next_ordinal())?;
        let started = Instant::now();
        let mut synced = Instant::now();
        let mut unsynced = 0_u64;
        while !shutdown.is_requested() {
            match self.source.poll(started.elapsed(), self.batch_events)? {
                Polled::Events(events) => {
                    let count = events.columns.len() as u32;
                    let encoded =
                        batch::encode(events.first_ordinal, &events.columns, events.complete_until_unix_nanos);
                    let message = wire::collect_request::Message::IoBatch(encoded);
                    if !self.append(shutdown, kind::BATCH, events.first_ordinal, count, &message)? {
                        break;
                    }
                    unsynced += u64::from(count);
                }
                Polled::Later(wait) => {
                    self.spool.sync(false)?;
                    (synced, unsynced) = (Instant::now(), 0);
                    std::thread::sleep(wait.clamp(Duration::from_millis(1), NAP));
                }
                Polled::End => {
                    let next_ordinal = self.spool.next_ordinal();
                    let end = wire::EndOfStream {
                        reason: wire::EndReason::Finished.into(),
                        next_ordinal,
                    };
                    let message = wire::collect_request::Message::EndOfStream(end);
                    if self.append(shutdown, kind::END, next_ordinal, 0, &message)? {
                        self.spool.sync(true)?;
                        tracing::info!(events = next_ordinal, "source ended");
                    }
                    return Ok(());
                }
            }
            if unsynced >= SYNC_EVENTS || (unsynced > 0 && synced.elapsed() >= SYNC_EVERY) {
                self.spool.sync(false)?;
                (synced, unsynced) = (Instant::now(), 0);
            }
        }
        self.spool.sync(false)
    }

    /// Adds to the spool, waiting while it is full: a recording can wait. False when the daemon stops meanwhile.
    fn append(
        &self,
        shutdown: &Shutdown,
        kind: u8,
        first: u64,
        count: u32,
        message: &wire::collect_request::Message,
    ) -> Result<bool> {
        let mut told = false;
        while !self.spool.append(kind, first, count, message.clone())? {
            // What waits here has to be durable, or the coordinator never gets it and never makes room.
            self.spool.sync(false)?;
            if shutdown.is_requested() {
                return Ok(false);
            }
            if !std::mem::replace(&mut told, true) {
                tracing::warn!("the spool is full; the source waits until the coordinator has stored some of it");
            }
            std::thread::sleep(NAP);
        }
        Ok(true)
    }
}
