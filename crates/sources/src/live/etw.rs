//! The live feed: a trace session of our own, the event log where that is what is read, and the disks as the system tells of them.
#![expect(unsafe_code, reason = "event tracing and the performance counter are C interfaces")]

use std::sync::Arc;
use std::time::Duration;

use fathom_etl::Clock;
use fathom_etl::event::EventKey;
use fathom_etl::layout::Layout;
use windows::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};
use windows::Win32::System::SystemInformation::GetSystemTimePreciseAsFileTime;

use super::chunk::{Chunks, events};
use super::{Fed, Feed, Item, Setup};
use crate::{Error, Result};

mod disks;
pub(crate) mod log;
mod session;
mod tdh;

use disks::Watch;
use log::Log;
use session::Session;

/// Events that were handed over and not decoded yet take this much at most; beyond it they are counted as lost.
const MOST_BYTES: usize = 64 << 20;

/// How long after its buffer was flushed an event may come, at the most: the consumer's and our own threads have other things to do.
const LAG: Duration = Duration::from_millis(250);

/// The event log is asked this often.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// 100 ns steps from 1601 to 1970.
const STEPS_1601_TO_1970: i64 = 116_444_736_000_000_000;

/// What this node logs now.
#[derive(Debug)]
pub struct EtwFeed {
    clock: Clock,
    anchor: (i64, u64),
    hold: Duration,
    session: Option<Session>,
    log: Option<Log>,
    disks: Watch,
    chunks: Arc<Chunks>,
    layouts: Vec<(EventKey, Layout)>,
    /// What cannot be given, from the start.
    troubles: Vec<String>,
    /// From when on everything that is read was switched on.
    begin: i64,
    asked: Duration,
    lost: (u64, u64),
}

impl EtwFeed {
    /// Starts what the profile needs; what a provider refuses is told, and the rest goes on.
    ///
    /// # Errors
    ///
    /// When a session is needed and the system gives none.
    pub fn start(setup: &Setup) -> Result<(Self, Vec<String>)> {
        let plan = setup.profile.plan();
        let (clock, anchor) = anchor()?;
        let chunks = Arc::new(Chunks::new(MOST_BYTES));
        let mut troubles = Vec::new();
        let mut hold = LAG;
        let session = if plan.needs_session() {
            let session = Session::start(&plan, &chunks, &mut troubles)?;
            hold += session.flush();
            Some(session)
        } else {
            None
        };
        let begin = counter()?;
        let log = (!plan.channels.is_empty()).then(|| Log::follow(plan.channels));
        if log.is_some() {
            hold += 2 * LOG_EVERY;
        }
        let layouts = tdh::layouts(&plan, &mut troubles);
        let disks = Watch::begin(setup.node.to_string(), setup.disks.clone());
        let feed = Self {
            clock,
            anchor,
            hold,
            session,
            log,
            disks,
            chunks,
            layouts,
            troubles: troubles.clone(),
            begin: clock.unix_nanos(begin).unwrap_or(anchor.0),
            asked: Duration::ZERO,
            lost: (0, 0),
        };
        Ok((feed, troubles))
    }

    /// The clock of its stamps.
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// The wall clock in nanoseconds since 1970 and the counter in nanoseconds, at one moment.
    pub const fn anchor(&self) -> (i64, u64) {
        self.anchor
    }

    /// From when on everything that is read was switched on, in nanoseconds since 1970.
    pub const fn begin_unix_nanos(&self) -> i64 {
        self.begin
    }

    /// How long after it was logged an event may come.
    pub const fn hold(&self) -> Duration {
        self.hold
    }
}

impl Feed for EtwFeed {
    fn drain(&mut self, elapsed: Duration, take: &mut dyn FnMut(Item<'_>)) -> Result<Fed> {
        // Before the events: they have to be of what was logged until then.
        let now = counter()?;
        if let Some(disks) = self.disks.news() {
            take(Item::Disks(&disks));
        }
        let taken = self.chunks.take();
        for block in taken.blocks {
            events(&block).for_each(|event| take(Item::Event(event)));
            self.chunks.give_back([block]);
        }
        if taken.ended {
            return Err(Error::System {
                what: "the trace session",
                reason: "it was stopped by somebody else; the daemon starts another one when it is started again"
                    .to_owned(),
            });
        }
        if let Some(log) = &self.log {
            log.take(|text| take(Item::Rendered(text)));
        }
        // Asking the system costs a call; losses are told a second late at most.
        if elapsed >= self.asked {
            self.asked = elapsed + Duration::from_secs(1);
            if let Some(session) = &self.session {
                self.lost = session.lost()?;
            }
        }
        Ok(Fed {
            now_unix_nanos: self.clock.unix_nanos(now).unwrap_or(i64::MAX),
            lost: self.lost.0 + taken.dropped + self.log.as_ref().map_or(0, Log::dropped),
            lost_buffers: self.lost.1,
            ..Fed::default()
        })
    }

    fn layouts(&mut self) -> Vec<(EventKey, Layout)> {
        std::mem::take(&mut self.layouts)
    }

    fn troubles(&self) -> Vec<String> {
        let of_log = self.log.iter().flat_map(Log::troubles);
        self.troubles
            .iter()
            .cloned()
            .chain(self.disks.trouble())
            .chain(of_log)
            .collect()
    }
}

fn failed(what: &'static str, error: &windows::core::Error) -> Error {
    Error::System {
        what,
        reason: error.message(),
    }
}

fn counter() -> Result<i64> {
    let mut ticks = 0;
    // SAFETY: the place lives through the call.
    unsafe { QueryPerformanceCounter(&raw mut ticks) }.map_err(|error| failed("the performance counter", &error))?;
    Ok(ticks)
}

fn wall_unix_nanos() -> i64 {
    // SAFETY: the call has no conditions.
    let time = unsafe { GetSystemTimePreciseAsFileTime() };
    let steps = i64::from(time.dwHighDateTime) << 32 | i64::from(time.dwLowDateTime);
    (steps - STEPS_1601_TO_1970) * 100
}

/// Reads counter and wall clock together: of several readings the one whose two counters are closest.
fn anchor() -> Result<(Clock, (i64, u64))> {
    let mut frequency = 0;
    // SAFETY: the place lives through the call.
    unsafe { QueryPerformanceFrequency(&raw mut frequency) }
        .map_err(|error| failed("the performance counter", &error))?;
    let frequency = u64::try_from(frequency).unwrap_or(0).max(1);
    let mut best: Option<(i64, i64, i64)> = None;
    for _ in 0..16 {
        let before = counter()?;
        let wall = wall_unix_nanos();
        let width = counter()?.saturating_sub(before);
        if best.is_none_or(|(least, _, _)| width < least) {
            best = Some((width, before + width / 2, wall));
        }
    }
    let (_, ticks, wall) = best.unwrap_or_default();
    let clock = Clock::of_counter(frequency, ticks, wall);
    Ok((clock, (wall, clock.response_nanos(ticks.unsigned_abs()).unwrap_or(0))))
}
