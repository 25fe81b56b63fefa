//! The few observations of all that were ever made from which the same is known now.
//!
//! Whoever starts needs what is known now, and not all that was ever said. [`Essence`] takes observations as they come and keeps those
//! that a fold over all of them would not forget: of a resource the newest, the one since which it says so, and the one before that; of a
//! class at a node the newest reading and the newest that said everything; of a job those at which it fell back or moved; of what counts its
//! own errors those at which it counted others. A fold over what it gives ([`crate::conditions::Conditions`],
//! [`crate::history::Picture`] of now) is the fold over everything. What was known at an earlier moment is not in it.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::NodeId;
use fathom_model::state::{Key, Kind, Observation};

use crate::conditions::errors;

/// Readings of one job beyond which the oldest are let go of: then fewer restarts are counted than there were.
const MOST_OF_A_JOB: usize = 512;

/// An observation and its place in the order in which they came.
#[derive(Clone, Debug)]
struct Kept {
    number: u64,
    observation: Observation,
}

/// What is kept of a resource.
#[derive(Clone, Debug)]
struct Of {
    /// The last that said something else.
    before: Option<Kept>,
    /// The first that says what the newest says.
    since: Kept,
    /// The newest, where it is not that one.
    last: Option<Kept>,
}

impl Of {
    fn newest_kept(&self) -> &Kept {
        self.last.as_ref().unwrap_or(&self.since)
    }

    fn newest(&self) -> &Observation {
        &self.newest_kept().observation
    }
}

/// A class as a node reads it.
#[derive(Clone, Debug, Default)]
struct Polls {
    seen: Option<Kept>,
    full: Option<Kept>,
}

/// The essence of all observations so far.
#[derive(Clone, Debug, Default)]
pub struct Essence {
    came: u64,
    facts: BTreeMap<Key, Of>,
    polls: BTreeMap<(NodeId, Kind, String), Polls>,
    heard: BTreeMap<NodeId, Kept>,
    jobs: BTreeMap<String, Vec<Kept>>,
    counts: BTreeMap<Key, Vec<Kept>>,
}

impl Essence {
    /// Takes an observation. Extents are left out, as everywhere where what is known now is told.
    pub fn add(&mut self, observation: &Observation) {
        if observation.kind == Kind::Extent {
            return;
        }
        let of_source = observation.text("kind").and_then(|kind| kind.parse::<Kind>().ok());
        if observation.kind == Kind::Source && of_source.is_none() {
            return;
        }
        let kept = Kept {
            number: self.came,
            observation: observation.clone(),
        };
        self.came += 1;
        let is_newer = |known: &Option<Kept>| {
            let known = known.as_ref().map(|known| known.observation.observed_unix_nanos);
            known.is_none_or(|known| observation.observed_unix_nanos >= known)
        };
        // What is read of jobs and counters is followed by what the reading says of itself, at the same time; and a late one is not for a
        // picture alone.
        let heard = self.heard.get(&observation.node).cloned();
        let is_followed = observation.kind == Kind::StorageJob || errors::counts(observation).is_some();
        if !is_followed && is_newer(&heard) {
            self.heard.insert(observation.node.clone(), kept.clone());
        }
        if observation.kind == Kind::Source
            && observation.flag("available") == Some(true)
            && let Some(kind) = of_source
        {
            let class = observation.text("class").unwrap_or_default().to_owned();
            let polls = self.polls.entry((observation.node.clone(), kind, class)).or_default();
            if is_newer(&polls.seen) {
                polls.seen = Some(kept.clone());
            }
            if observation.flag("full") == Some(true) && is_newer(&polls.full) {
                polls.full = Some(kept.clone());
            }
        }
        if observation.kind == Kind::StorageJob {
            self.follow(&kept);
        }
        self.count(&kept);
        self.know(kept);
    }

    fn know(&mut self, kept: Kept) {
        let key = kept.observation.key();
        let Some(of) = self.facts.get_mut(&key) else {
            let new = Of {
                before: None,
                since: kept,
                last: None,
            };
            self.facts.insert(key, new);
            return;
        };
        let newest = of.newest();
        if kept.observation.observed_unix_nanos < newest.observed_unix_nanos {
            return;
        }
        if newest.says_the_same(&kept.observation) {
            of.last = Some(kept);
        } else {
            let before = of.last.take();
            of.before = Some(std::mem::replace(&mut of.since, kept));
            if before.is_some() {
                of.before = before;
            }
        }
    }

    /// Keeps of readings of counters of errors those at which one is otherwise than before.
    fn count(&mut self, kept: &Kept) {
        let Some(counts) = errors::counts(&kept.observation) else {
            return;
        };
        let (key, at) = (kept.observation.key(), kept.observation.observed_unix_nanos);
        let newest = self.facts.get(&key).map(Of::newest);
        if newest.is_some_and(|newest| at < newest.observed_unix_nanos) {
            return;
        }
        if !kept.observation.present {
            self.counts.remove(&key);
            return;
        }
        let steps = self.counts.entry(key).or_default();
        let last = steps.last().and_then(|last| errors::counts(&last.observation));
        if last.as_ref() == Some(&counts) {
            return;
        }
        steps.push(kept.clone());
        if steps.len() > errors::STEPS {
            steps.remove(0);
        }
    }

    /// Keeps of a job's readings those without which its course would be another.
    fn follow(&mut self, kept: &Kept) {
        let job = &kept.observation;
        let readings = self.jobs.entry(job.id.clone()).or_default();
        if !job.present {
            // It ends the course that was, whenever it was read.
            readings.clear();
        }
        let is_late = readings.last().is_some_and(|last| {
            let last = &last.observation;
            last.present && last.node == job.node && job.observed_unix_nanos < last.observed_unix_nanos
        });
        if is_late {
            return;
        }
        // What one reader found earlier than another had is not what is known of the job: that stays in front of it.
        let newest = self.facts.get(&job.key()).map(Of::newest_kept);
        if let Some(guard) = newest.filter(|newest| job.observed_unix_nanos < newest.observation.observed_unix_nanos) {
            let at = readings.partition_point(|reading| reading.number < guard.number);
            if readings.get(at).is_none_or(|reading| reading.number != guard.number) {
                readings.insert(at, guard.clone());
            }
        }
        readings.push(kept.clone());
        if let [.., before, own, after] = &readings[..]
            && is_between(&before.observation, &own.observation, &after.observation)
        {
            readings.remove(readings.len() - 2);
        }
        if readings.len() > MOST_OF_A_JOB {
            readings.remove(0);
        }
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// The observations, in an order in which a fold over them knows what one over all would.
    #[must_use]
    pub fn observations(&self) -> Vec<Observation> {
        let mut accepted: BTreeMap<u64, &Observation> = BTreeMap::new();
        for of in self.facts.values() {
            let all = of.before.iter().chain([&of.since]).chain(&of.last);
            accepted.extend(all.map(|kept| (kept.number, &kept.observation)));
        }
        let jobs = self.jobs.values().flatten();
        accepted.extend(jobs.map(|kept| (kept.number, &kept.observation)));
        let counts = self.counts.values().flatten();
        accepted.extend(counts.map(|kept| (kept.number, &kept.observation)));
        let polls = self
            .polls
            .values()
            .flat_map(|polls| polls.seen.iter().chain(&polls.full));
        let others = polls.chain(self.heard.values());
        let mut late: BTreeMap<u64, &Observation> = BTreeMap::new();
        let known: BTreeSet<u64> = accepted.keys().copied().collect();
        for kept in others.filter(|kept| !known.contains(&kept.number)) {
            let of = self.facts.get(&kept.observation.key());
            // What is older than what is known of its resource says nothing of it once that is known.
            let is_older = of.is_some_and(|of| kept.observation.observed_unix_nanos < of.newest().observed_unix_nanos);
            let place = if is_older { &mut late } else { &mut accepted };
            place.insert(kept.number, &kept.observation);
        }
        accepted.into_values().chain(late.into_values()).cloned().collect()
    }
}

/// Whether the course of a job is the same without a reading between two others: it went on evenly.
fn is_between(before: &Observation, own: &Observation, after: &Observation) -> bool {
    let done = |job: &Observation| job.number("processed_bytes").or_else(|| job.number("percent_complete"));
    let elapsed = |job: &Observation| job.number("elapsed_ns");
    let rises = |value: &dyn Fn(&Observation) -> Option<u64>| match (value(before), value(own), value(after)) {
        (Some(before), Some(own), Some(after)) => before <= own && own <= after,
        (None, None, None) => true,
        _ => false,
    };
    // What stood still after it moved is told by the reading at which it moved.
    let stopped = done(before) < done(own) && done(own) == done(after);
    // An end is never in between: it begins another course.
    let all_present = before.present && own.present && after.present;
    all_present && before.node == own.node && own.node == after.node && rises(&done) && rises(&elapsed) && !stopped
}

#[cfg(test)]
mod tests;
