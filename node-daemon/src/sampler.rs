//! The sampler: drives the source on a thread of its own and fills the spool.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fathom_proto::collect::v1 as wire;
use fathom_proto::convert::batch;
use fathom_proto::convert::collect::{cause_to_wire, devices_to_wire};
use fathom_runtime::clock::{Clock, SystemClock};
use fathom_sources::{Batch, Gap, Polled, Source};

use crate::error::Result;
use crate::health::Health;
use crate::spool::{Spool, kind};

/// Longest wait before looking whether the daemon should stop.
const NAP: Duration = Duration::from_millis(50);

/// What is read is made durable at least this often.
const SYNC_EVERY: Duration = Duration::from_millis(100);

/// ... and after so many bytes' worth of events at the latest (about 20 bytes an event).
const SYNC_EVENTS: u64 = 64 * 1024;

/// What the source says of itself is looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Sampler {
    source: Box<dyn Source>,
    spool: Arc<Spool>,
    batch_events: usize,
    health: Health,
}

impl Sampler {
    pub(crate) fn new(source: Box<dyn Source>, spool: Arc<Spool>, batch_events: usize, health: Health) -> Self {
        Self {
            source,
            spool,
            batch_events,
            health,
        }
    }

    /// Reads until the source ends or `stop` says so. Everything read is durable when this returns.
    pub(crate) fn run(mut self, stop: impl Fn() -> bool) -> Result<()> {
        if self.spool.ended() {
            return Ok(());
        }
        self.source.seek(self.spool.next_ordinal())?;
        let started = Instant::now();
        let mut synced = Instant::now();
        let mut looked: Option<Instant> = None;
        let mut unsynced = 0_u64;
        let mut marks = false;
        while !stop() {
            if looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY) {
                looked = Some(Instant::now());
                self.look();
            }
            match self.source.poll(started.elapsed(), self.batch_events)? {
                Polled::Events(events) => {
                    let count = events.columns.len() as u64;
                    if !self.add_batch(&stop, &events)? {
                        break;
                    }
                    unsynced += count;
                }
                Polled::Gap(gap) => {
                    tracing::warn!(
                        cause = gap.cause.as_str(),
                        from = gap.from_unix_nanos,
                        until = gap.until_unix_nanos,
                        events = gap.events,
                        "the source lost events"
                    );
                    if !self.mark(
                        &stop,
                        kind::GAP,
                        wire::collect_request::Message::TimeGap(gap_to_wire(&gap)),
                    )? {
                        break;
                    }
                    marks = true;
                }
                Polled::Quiet {
                    complete_until_unix_nanos,
                } => {
                    let message = self.quiet(complete_until_unix_nanos);
                    if !self.mark(&stop, kind::QUIET, message)? {
                        break;
                    }
                    marks = true;
                }
                Polled::Later(wait) => {
                    self.spool.sync(false)?;
                    (synced, unsynced, marks) = (Instant::now(), 0, false);
                    std::thread::sleep(wait.clamp(Duration::from_millis(1), NAP));
                }
                Polled::End => {
                    let next_ordinal = self.spool.next_ordinal();
                    let end = wire::EndOfStream {
                        reason: wire::EndReason::Finished.into(),
                        next_ordinal,
                    };
                    let message = wire::collect_request::Message::EndOfStream(end);
                    if self.mark(&stop, kind::END, message)? {
                        self.spool.sync(true)?;
                        tracing::info!(events = next_ordinal, "source ended");
                    }
                    self.look();
                    return Ok(());
                }
            }
            if unsynced >= SYNC_EVENTS || ((unsynced > 0 || marks) && synced.elapsed() >= SYNC_EVERY) {
                self.spool.sync(false)?;
                (synced, unsynced, marks) = (Instant::now(), 0, false);
            }
        }
        self.spool.sync(false)
    }

    /// Tells the source how full the spool is, and keeps what the source says of itself.
    fn look(&mut self) {
        let (bytes, fullness) = self.spool.fullness();
        self.source.set_pressure(fullness);
        self.health.note(self.source.tally(), bytes);
    }

    /// Adds a batch, after the devices that it is the first to name. False when the daemon stops meanwhile.
    fn add_batch(&self, stop: &impl Fn() -> bool, events: &Batch) -> Result<bool> {
        let devices = self.source.devices();
        if devices.len() > self.spool.device_count() {
            self.spool.grow(devices)?;
            let message = wire::collect_request::Message::Devices(devices_to_wire(devices));
            if !self.mark(stop, kind::DEVICES, message)? {
                return Ok(false);
            }
        }
        let count = events.columns.len() as u32;
        let encoded = batch::encode(events.first_ordinal, &events.columns, events.complete_until_unix_nanos);
        let message = wire::collect_request::Message::IoBatch(encoded);
        self.append(stop, kind::BATCH, events.first_ordinal, count, &message)
    }

    fn mark(&self, stop: &impl Fn() -> bool, kind: u8, message: wire::collect_request::Message) -> Result<bool> {
        self.append(stop, kind, self.spool.next_ordinal(), 0, &message)
    }

    /// A heartbeat that stands in its place among the events: nothing before the promise comes after it.
    fn quiet(&self, complete_until_unix_nanos: i64) -> wire::collect_request::Message {
        wire::collect_request::Message::Heartbeat(wire::Heartbeat {
            wall_unix_nanos: SystemClock.now_unix_nanos(),
            monotonic_nanos: u64::try_from(SystemClock.monotonic().as_nanos()).unwrap_or(u64::MAX),
            complete_until_unix_nanos: Some(complete_until_unix_nanos),
            next_ordinal: self.spool.next_ordinal(),
            daemon: None,
        })
    }

    /// Adds to the spool, waiting while it is full: a recording can wait, and a live source leaves slices out before it comes to that. False
    /// when the daemon stops meanwhile.
    fn append(
        &self,
        stop: &impl Fn() -> bool,
        kind: u8,
        first: u64,
        count: u32,
        message: &wire::collect_request::Message,
    ) -> Result<bool> {
        let mut told = false;
        while !self.spool.append(kind, first, count, message.clone())? {
            // What waits here has to be durable, or the coordinator never gets it and never makes room.
            self.spool.sync(false)?;
            if stop() {
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

fn gap_to_wire(gap: &Gap) -> wire::TimeGap {
    wire::TimeGap {
        from_unix_nanos: gap.from_unix_nanos,
        // A clock that was set back between two looks makes no stretch that ends before it begins: that is refused.
        until_unix_nanos: gap.until_unix_nanos.max(gap.from_unix_nanos),
        cause: cause_to_wire(gap.cause).into(),
        events: gap.events,
    }
}
