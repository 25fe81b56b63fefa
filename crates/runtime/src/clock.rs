//! Time as a value that can be handed in: the system's clocks, and one that tests turn by hand.
//!
//! The only place of the workspace that reads the system's wall clock. Not for waiting, which is `tokio::time`.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Both clocks of a machine: the wall clock, which may step, and the monotonic one, which may not.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Wall clock time in nanoseconds since 1970-01-01 00:00:00 UTC. Steps when the machine's clock is set.
    fn now_unix_nanos(&self) -> i64;

    /// Time since an arbitrary point that stays the same for the life of the process. Never goes back.
    fn monotonic(&self) -> Duration;

    /// The wall clock as the type that certificate and file functions take.
    fn now(&self) -> SystemTime {
        let nanos = self.now_unix_nanos();
        let distance = Duration::from_nanos(nanos.unsigned_abs());
        if nanos < 0 {
            UNIX_EPOCH - distance
        } else {
            UNIX_EPOCH + distance
        }
    }
}

/// The machine's clocks. Its monotonic time counts from its first reading in this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place where the wall clock is read"
    )]
    fn now_unix_nanos(&self) -> i64 {
        // 64 bits of nanoseconds reach from 1677 to 2262; a clock set outside that range is shown at its edge.
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
        }
    }

    fn monotonic(&self) -> Duration {
        ORIGIN.elapsed()
    }
}

/// Clocks that stand until they are moved; clones share them.
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<Hands>);

#[derive(Debug, Default)]
struct Hands {
    unix_nanos: AtomicI64,
    monotonic_nanos: AtomicU64,
}

impl ManualClock {
    /// The wall clock at this time, the monotonic clock at zero.
    pub fn new(unix_nanos: i64) -> Self {
        let clock = Self::default();
        clock.0.unix_nanos.store(unix_nanos, Ordering::SeqCst);
        clock
    }

    /// Lets time pass on both clocks. Durations past 584 years count as that.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.0.monotonic_nanos.fetch_add(nanos, Ordering::SeqCst);
        self.0.unix_nanos.fetch_add(nanos.cast_signed(), Ordering::SeqCst);
    }

    /// Sets the wall clock forward or, with a negative number, back; the monotonic clock does not move.
    pub fn step_wall_nanos(&self, by: i64) {
        self.0.unix_nanos.fetch_add(by, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_unix_nanos(&self) -> i64 {
        self.0.unix_nanos.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.0.monotonic_nanos.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests;
