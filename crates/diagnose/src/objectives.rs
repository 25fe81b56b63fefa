//! Objectives, minute by minute: a percentile of writes that is to be below a limit.
//!
//! A minute is judged when writes of more than ten seconds after it have come, on the clocks of those who wrote. What comes later than
//! that is not counted. A minute with too few writes to have the percentile is neither slow nor fast, and not kept.

use std::collections::BTreeMap;

use fathom_model::objective::{Objective, SlowMinute};
use fathom_model::{Catalog, Io, Op};

use crate::what_if::counts::Counts;

/// A minute.
const MINUTE_NANOS: i64 = 60 * 1_000_000_000;

/// Writes come no later than this: windows of several initiators close one after the other.
const LATE_NANOS: i64 = 10 * 1_000_000_000;

/// So many writes have to lie beyond the percentile if all is as promised: one slow write is not a slow minute.
const BEYOND: f64 = 1.0;

/// Minutes as rows come in.
#[derive(Clone, Debug, Default)]
pub struct Minutes {
    objectives: Vec<Objective>,
    open: BTreeMap<(i64, usize), Counts>,
    newest: i64,
    /// The last minute that was judged, in minutes since 1970.
    judged: i64,
}

impl Minutes {
    /// Of these objectives, after a minute that was judged already.
    #[must_use]
    pub fn new(objectives: Vec<Objective>, judged: Option<i64>) -> Self {
        Self {
            objectives,
            open: BTreeMap::new(),
            newest: i64::MIN,
            judged: judged.unwrap_or(i64::MIN),
        }
    }

    /// The last minute that was judged; none before the first.
    #[must_use]
    pub fn judged(&self) -> Option<i64> {
        (self.judged > i64::MIN).then_some(self.judged)
    }

    /// Takes an I/O; what is no write, or of a minute that was judged, changes nothing.
    pub fn add(&mut self, io: &Io, catalog: &Catalog) {
        if io.op != Op::Write {
            return;
        }
        let end = io.event.end_unix_nanos();
        self.newest = self.newest.max(end);
        let minute = end.div_euclid(MINUTE_NANOS);
        if minute <= self.judged {
            return;
        }
        for (number, objective) in self.objectives.iter().enumerate() {
            let is_its = objective
                .volume
                .as_ref()
                .is_none_or(|volume| catalog.volume(io.volume).as_str() == volume);
            if is_its && io.length <= objective.up_to_bytes {
                let counts = self.open.entry((minute, number)).or_default();
                counts.add(io.event.duration_nanos, 1);
            }
        }
    }

    /// Judges the minutes that are over; those that were slow, oldest first.
    pub fn judge(&mut self) -> Vec<SlowMinute> {
        if self.newest == i64::MIN {
            return Vec::new();
        }
        self.judge_until(self.newest.saturating_sub(LATE_NANOS).div_euclid(MINUTE_NANOS) - 1)
    }

    /// Judges everything: nothing more comes.
    pub fn finish(&mut self) -> Vec<SlowMinute> {
        self.judge_until(self.newest.div_euclid(MINUTE_NANOS))
    }

    fn judge_until(&mut self, until: i64) -> Vec<SlowMinute> {
        if until <= self.judged || self.newest == i64::MIN {
            return Vec::new();
        }
        self.judged = until;
        let later = self.open.split_off(&(until + 1, 0));
        let over = std::mem::replace(&mut self.open, later);
        let slow = over.into_iter().filter_map(|((minute, number), counts)| {
            let objective = &self.objectives[number];
            let writes = counts.total().unsigned_abs();
            let allowed = writes as f64 * (1.0 - objective.percentile / 100.0);
            let value_ns = counts.quantile(objective.percentile / 100.0)?;
            let slow = counts.beyond(objective.below_ns);
            (allowed >= BEYOND && slow as f64 > allowed).then(|| SlowMinute {
                minute_unix_ns: minute.saturating_mul(MINUTE_NANOS),
                objective: objective.name.clone(),
                volume: objective.volume.clone(),
                writes,
                slow,
                value_ns,
                below_ns: objective.below_ns,
            })
        });
        slow.collect()
    }
}

#[cfg(test)]
mod tests;
