//! When jobs ran: to which of them a second belongs.

use super::{Job, SECOND};

/// How far around a job is looked for what is usual.
const AROUND_NANOS: i64 = 300 * SECOND;

/// Where a second is, as one job has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The job ran in it, and no other.
    During,
    /// No job ran in it, and it is within five minutes of the job.
    Around,
    /// Neither.
    Elsewhere,
}

/// When some jobs ran.
#[derive(Clone, Debug)]
pub struct Times {
    jobs: Vec<Job>,
}

impl Times {
    /// Of these jobs.
    #[must_use]
    pub const fn new(jobs: Vec<Job>) -> Self {
        Self { jobs }
    }

    /// The stretch of time in which they ran, with whole seconds of what is around it.
    #[must_use]
    pub fn span(&self) -> Option<(i64, i64)> {
        let from = self.jobs.iter().map(|job| job.from_unix_nanos).min()?;
        let until = self.jobs.iter().map(|job| job.until_unix_nanos).max()?;
        Some((
            from.saturating_sub(AROUND_NANOS),
            until.saturating_add(AROUND_NANOS + SECOND),
        ))
    }

    /// The same of one of them.
    #[must_use]
    pub fn span_of(&self, job: usize) -> Option<(i64, i64)> {
        let own = self.jobs.get(job).cloned().into_iter().collect();
        Self::new(own).span()
    }

    /// Where a second is, as the job has it.
    #[must_use]
    pub fn place(&self, job: usize, second: i64) -> Place {
        if self.only(second) == Some(job) {
            Place::During
        } else if self.is_around(job, second) {
            Place::Around
        } else {
            Place::Elsewhere
        }
    }

    /// The one job that ran in a second; none where several or none did.
    pub(super) fn only(&self, second: i64) -> Option<usize> {
        let at = second.saturating_mul(SECOND);
        let mut running = self
            .jobs
            .iter()
            .enumerate()
            .filter(|(_, job)| job.from_unix_nanos < at.saturating_add(SECOND) && at <= job.until_unix_nanos);
        let (number, _) = running.next()?;
        running.next().is_none().then_some(number)
    }

    /// Whether a second is near a job, and no job ran in it.
    pub(super) fn is_around(&self, job: usize, second: i64) -> bool {
        let at = second.saturating_mul(SECOND);
        let span = &self.jobs[job];
        let near = at >= span.from_unix_nanos.saturating_sub(AROUND_NANOS)
            && at <= span.until_unix_nanos.saturating_add(AROUND_NANOS);
        near && self
            .jobs
            .iter()
            .all(|other| at.saturating_add(SECOND) <= other.from_unix_nanos || at > other.until_unix_nanos)
    }

    /// For how long others ran beside a job, in nanoseconds.
    #[must_use]
    pub fn shared(&self, job: usize) -> u64 {
        let span = &self.jobs[job];
        let mut others: Vec<(i64, i64)> = self
            .jobs
            .iter()
            .enumerate()
            .filter(|(number, _)| *number != job)
            .map(|(_, other)| {
                (
                    other.from_unix_nanos.max(span.from_unix_nanos),
                    other.until_unix_nanos.min(span.until_unix_nanos),
                )
            })
            .filter(|(from, until)| from < until)
            .collect();
        others.sort_unstable();
        let (mut sum, mut reached) = (0_u64, i64::MIN);
        for (from, until) in others {
            let from = from.max(reached);
            sum = sum.saturating_add(until.saturating_sub(from).max(0).unsigned_abs());
            reached = reached.max(until);
        }
        sum
    }
}
