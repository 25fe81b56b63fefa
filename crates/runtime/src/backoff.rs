//! Delays between attempts: exponential with full jitter, so that a hundred daemons do not return in step.
//!
//! Not a retry loop: the caller knows which errors are worth another attempt.

use std::time::Duration;

/// A source of delays; each lies between `min` and a ceiling that doubles with every attempt up to `max`.
///
/// The lower bound is `min` and not zero, so that a peer which refuses at once is not asked again at once.
///
/// ```
/// use std::time::Duration;
///
/// use fathom_runtime::backoff::Backoff;
///
/// let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30), 42);
/// assert!(backoff.next_delay() <= Duration::from_millis(200));
/// ```
#[derive(Clone, Debug)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    ceiling: Duration,
    state: u64,
}

impl Backoff {
    /// Delays from `min` to `max`. The seed should differ between processes that retry against the same peer; equal
    /// seeds give equal delays. A `max` below `min` counts as `min`.
    pub fn new(min: Duration, max: Duration, seed: u64) -> Self {
        // Xorshift stands still at zero and is slow to leave small seeds, so the seed is spread over all bits first
        // (the finalizer of splitmix64, Steele et al. 2014).
        let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^= state >> 31;
        Self {
            min,
            max: max.max(min),
            ceiling: min,
            state: state.max(1),
        }
    }

    /// The delay before the next attempt.
    pub fn next_delay(&mut self) -> Duration {
        self.ceiling = self.ceiling.saturating_mul(2).min(self.max);
        let span = u64::try_from((self.ceiling - self.min).as_nanos()).unwrap_or(u64::MAX);
        // Multiply and keep the high half: uniform over 0..=span, with a bias far below a nanosecond.
        let nanos = (u128::from(self.random()) * (u128::from(span) + 1)) >> 64;
        self.min + Duration::from_nanos(nanos as u64)
    }

    /// Starts over from `min`: to be called after a success that lasted.
    pub fn reset(&mut self) {
        self.ceiling = self.min;
    }

    /// Marsaglia's xorshift64 with the multiplication of xorshift64*: good enough to spread attempts in time.
    fn random(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[cfg(test)]
mod tests;
