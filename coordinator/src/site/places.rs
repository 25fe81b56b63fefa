//! Places for questions of the fleet: so many are answered at once, some more wait for their turn, and all others are refused.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::config::Policy;

/// A question waits this long for a place: most answers take less than a second, and whoever asks several clusters of one site asks them
/// all at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// So many wait at once. One more is refused at once.
const WAITING: usize = 256;

/// Places, and who waits for one.
pub(super) struct Places {
    questions: Semaphore,
    /// Watches go on for days: they have places of their own, so that they hold up no question.
    watches: Semaphore,
    waiting: Semaphore,
    patience: Duration,
}

impl Places {
    pub(super) fn new(policy: &Policy) -> Self {
        Self {
            questions: Semaphore::new(policy.max_queries as usize),
            watches: Semaphore::new(policy.max_watches as usize),
            waiting: Semaphore::new(WAITING),
            patience: PATIENCE,
        }
    }

    /// Waits for a place, which is free again when what is given is dropped; `None` where there is none in time. Cancel safe.
    pub(super) async fn take(&self, is_watch: bool, asked: Option<Duration>) -> Option<SemaphorePermit<'_>> {
        let places = if is_watch { &self.watches } else { &self.questions };
        if let Ok(place) = places.try_acquire() {
            return Some(place);
        }
        let _waits = self.waiting.try_acquire().ok()?;
        let patience = asked.map_or(self.patience, |asked| asked.min(self.patience));
        timeout(patience, places.acquire()).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests;
