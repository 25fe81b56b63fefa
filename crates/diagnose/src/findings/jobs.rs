//! Storage jobs that run: a finding where writes wait for what they move, and none where they do not.
//!
//! A job that runs is no more than known until something is found where it works that began no earlier than it. Then that folds under it, as
//! what writes feel folds under any condition of state.

use fathom_model::condition::{Condition, Sign};
use fathom_model::finding::{Severity, State};
use fathom_model::report::Evidence;

use super::effect::Effect;
use super::tracked::{Object, Tracked};
use super::{Code, REOPEN_SECONDS, Tracker};
use crate::jobs::{AROUND_NANOS, Running, Worked};
use crate::watch::BIN_NANOS;

/// How long a job has to be gone before its finding is over.
const CLEAR_NANOS: i64 = 30 * BIN_NANOS;

/// Where a job works is told by what it moved within this time, and it is remembered for as long after its end.
pub(super) const BACK_NANOS: i64 = 600 * BIN_NANOS;

/// A storage job as it was read last.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// As it stood; none of one that a predecessor had opened a finding of and nobody has read since.
    condition: Option<Condition>,
    began: i64,
    /// When it was not there any more.
    ended: Option<i64>,
}

/// How something that was found stands to what explains it and is nothing by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfCause {
    /// It folds under its finding, which is open.
    Under(usize),
    /// It was felt for that alone, whose finding is over.
    Over,
}

impl Tracker {
    /// Takes the jobs that run after a node has read, in nanoseconds on that node's clock.
    pub(super) fn read_jobs(&mut self, standing: &[Condition], at: i64) {
        let mut there = Vec::new();
        for condition in standing {
            let (Some(id), Some(job)) = (&condition.resource, &condition.job) else {
                continue;
            };
            there.push(id.clone());
            let known = self.jobs.entry(id.clone()).or_insert_with(|| Known {
                condition: None,
                began: job.began_unix_ns,
                ended: None,
            });
            known.began = known.began.min(job.began_unix_ns);
            known.condition = Some(condition.clone());
            known.ended = None;
        }
        let open = self.tracked.iter().filter(|tracked| is_open_job(tracked));
        for tracked in open {
            // One that a predecessor opened.
            if let Some(id) = &tracked.finding.resource {
                self.jobs.entry(id.clone()).or_insert_with(|| Known {
                    condition: None,
                    began: tracked.since,
                    ended: None,
                });
            }
        }
        for (id, known) in &mut self.jobs {
            if !there.contains(id) {
                known.ended.get_or_insert(at);
            }
        }
        for at_index in 0..self.tracked.len() {
            let tracked = &self.tracked[at_index];
            let known = tracked.finding.resource.as_ref().and_then(|id| self.jobs.get(id));
            let ended = known.and_then(|known| known.ended);
            if !is_open_job(tracked) {
                continue;
            }
            if ended.is_some_and(|ended| at.saturating_sub(ended) >= CLEAR_NANOS) {
                self.close_at(at_index, None, at);
                continue;
            }
            // It goes on to others.
            let began = known.map_or(tracked.since, |known| known.began);
            let mut worked = self.foreign.worked(began.max(at.saturating_sub(BACK_NANOS)), at);
            worked.extend(&tracked.finding.disks);
            self.tracked[at_index].finding.disks = worked.names();
        }
        self.jobs
            .retain(|_, known| known.ended.is_none_or(|ended| at.saturating_sub(ended) < BACK_NANOS));
        self.fold_effects(at);
    }

    /// The job that explains something, whose finding is opened for it where it is not open.
    pub(super) fn job_of(&mut self, effect: &Effect, felt_until: i64, at: i64) -> Option<OfCause> {
        if let Some(open) = self.open_job_of(effect, at) {
            let id = self.tracked[open].finding.resource.as_ref();
            let ended = id.and_then(|id| self.jobs.get(id)).and_then(|known| known.ended);
            if ended.is_none_or(|ended| felt_until <= ended.saturating_add(AROUND_NANOS)) {
                return Some(OfCause::Under(open));
            }
        }
        let jobs = self.jobs.iter();
        let mut explained = jobs.filter_map(|(id, known)| {
            let condition = known.condition.as_ref()?;
            let ended = known.ended.unwrap_or(i64::MAX);
            let running = running(id, known)?;
            let worked = self.foreign.worked(known.began.max(at.saturating_sub(BACK_NANOS)), at);
            let is_its = running.covers(effect.first_unix_ns)
                && felt_until <= ended.saturating_add(AROUND_NANOS)
                && effect.is_where(&worked);
            is_its.then(|| (condition.clone(), running, worked))
        });
        let (condition, running, worked) = explained.next()?;
        Some(self.open_job(&condition, &running, &worked, felt_until, effect.first_unix_ns, at))
    }

    /// The open finding of a job that explains something by where it is known to work.
    pub(super) fn open_job_of(&self, effect: &Effect, at: i64) -> Option<usize> {
        self.tracked.iter().position(|tracked| {
            if !is_open_job(tracked) {
                return false;
            }
            let finding = &tracked.finding;
            let known = finding.resource.as_ref().and_then(|id| self.jobs.get(id));
            let began = known.map_or(tracked.since, |known| known.began.min(tracked.since));
            let mut worked = self.foreign.worked(began.max(at.saturating_sub(BACK_NANOS)), at);
            worked.extend(&finding.disks);
            effect.first_unix_ns >= began.saturating_sub(AROUND_NANOS) && effect.is_where(&worked)
        })
    }

    fn open_job(
        &mut self,
        condition: &Condition,
        running: &Running,
        worked: &Worked,
        felt_until: i64,
        first: i64,
        at: i64,
    ) -> OfCause {
        let object = Object::of_condition(condition);
        let is_open = |tracked: &Tracked| tracked.object == object && tracked.finding.state == State::Open;
        if let Some(open) = self.tracked.iter().position(is_open) {
            return OfCause::Under(open);
        }
        let recent = at.saturating_sub(REOPEN_SECONDS.saturating_mul(BIN_NANOS));
        let closed = self.tracked.iter().rposition(|tracked| {
            tracked.object == object && tracked.finding.closed_unix_ns.is_some_and(|closed| closed >= recent)
        });
        let evidence = Evidence {
            text: running.text(worked),
            writes: Vec::new(),
        };
        let Some(at_index) = closed else {
            let occurrence = self.occurrences.entry(object.key()).or_default();
            *occurrence += 1;
            let id = object.id(*occurrence);
            let mut tracked = Tracked::of_condition(id, object, condition, first, at);
            tracked.since = running.from_unix_nanos;
            tracked.finding.disks = worked.names();
            tracked.finding.evidence = vec![evidence];
            // It is as bad as what folds under it.
            tracked.finding.severity = Severity::Maintenance;
            self.tracked.push(tracked);
            return OfCause::Under(self.tracked.len() - 1);
        };
        let tracked = &mut self.tracked[at_index];
        if tracked
            .finding
            .closed_unix_ns
            .is_some_and(|closed| felt_until <= closed)
        {
            return OfCause::Over;
        }
        let finding = &mut tracked.finding;
        finding.state = State::Open;
        finding.closed_unix_ns = None;
        finding.part_of = None;
        finding.reopened = finding.reopened.saturating_add(1);
        finding.last_unix_ns = finding.last_unix_ns.max(felt_until);
        finding.disks = worked.names();
        finding.evidence = vec![evidence];
        finding.observations.clone_from(&condition.observations);
        tracked.comes_back = true;
        OfCause::Under(at_index)
    }
}

impl Effect {
    /// Whether it is where something works.
    fn is_where(&self, worked: &Worked) -> bool {
        let kind = match self.code {
            Code::DiskSlow | Code::DiskStalls => "disk",
            Code::LinkSlow | Code::LinkStalls => "link",
            Code::NodeSlow | Code::NodeDrivesSlow => "node",
            Code::UnknownSlow => "unknown",
            _ => return false,
        };
        worked.touches(kind, &self.node, self.disk.as_deref(), self.peer.as_deref())
    }
}

fn is_open_job(tracked: &Tracked) -> bool {
    tracked.object.sign == Some(Sign::JobRuns) && tracked.finding.state == State::Open
}

fn running(id: &str, known: &Known) -> Option<Running> {
    let job = known.condition.as_ref()?.job.as_ref()?;
    Some(Running {
        id: id.to_owned(),
        name: job.name.clone(),
        from_unix_nanos: known.began,
        until_unix_nanos: known.ended,
        moved_bytes: job.moved_bytes,
    })
}

#[cfg(test)]
mod tests;
