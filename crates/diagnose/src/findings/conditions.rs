//! What state shows: conditions become findings, and what writes feel of them folds under them.
//!
//! A condition is *opened* when it has stood for some seconds in the readings of one node, *closed* when it has not for half a minute:
//! both on the clock of whoever reads, never across clocks. What has not been read changes nothing.
//!
//! Some conditions are nothing wrong by themselves (an encrypted volume, a few pauses): they are known, and a finding of one is opened when writes
//! feel it, and over when they have not for five minutes.
//!
//! One cause, one finding: a slow link whose pair fell back to TCP is part of the fallback, which has its cost, its victims and the writes
//! that show it. A symptom (Windows' own count of latency) is part of what writes feel.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::condition::{Condition, ObservationRef, Sign};
use fathom_model::finding::{ChangeKind, Finding, Severity, State};
use fathom_model::report::Evidence;

use super::effect::{Cause, Effect};
use super::jobs::OfCause;
use super::tracked::{Object, Tracked};
use super::{Code, REOPEN_SECONDS, Tracker};
use crate::watch::BIN_NANOS;

/// How long a condition has to stand before it is a finding: two readings of what is read most often.
const HOLD_NANOS: i64 = 5 * BIN_NANOS;

/// How long it has to be gone before it is over.
const CLEAR_NANOS: i64 = 30 * BIN_NANOS;

/// How sure a condition is: it was read, and Windows may be wrong.
const CONFIDENCE: f64 = 0.95;

/// So many readings and reasons are kept with a finding.
pub(super) const CITED: usize = 8;

/// A condition that stands, or did until just now.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    sign: Sign,
    /// Since when it has stood without a break, by each node that read it so.
    stood: BTreeMap<String, i64>,
    /// Since when it has not.
    gone: BTreeMap<String, i64>,
    /// As it was read last; none of one that a predecessor had opened a finding of and nobody has read since.
    condition: Option<Condition>,
    /// Whether it has stood for long enough to be told.
    is_held: bool,
    /// Nodes whose readings show it.
    readers: BTreeSet<String>,
}

impl Standing {
    fn new(sign: Sign) -> Self {
        Self {
            sign,
            stood: BTreeMap::new(),
            gone: BTreeMap::new(),
            condition: None,
            is_held: false,
            readers: BTreeSet::new(),
        }
    }

    fn show(&mut self, observations: &[ObservationRef]) {
        for observation in observations {
            if !self.readers.contains(&observation.node) {
                self.readers.insert(observation.node.clone());
            }
        }
    }

    /// Whether a node's readings are about it: of what is the cluster's any reporter's are.
    fn concerns(&self, node: &str) -> bool {
        self.sign.is_of_cluster() || self.readers.contains(node)
    }

    fn is_symptom(&self) -> bool {
        self.condition.as_ref().is_some_and(|condition| condition.is_symptom)
    }

    /// Since when it has stood, by whichever node.
    fn since(&self) -> Option<i64> {
        self.stood.values().copied().min()
    }
}

impl Tracker {
    /// Takes what stands of a sign after a node has read, in nanoseconds on that node's clock.
    pub fn read(&mut self, sign: Sign, standing: &[Condition], node: &str, at_unix_ns: i64) {
        if sign == Sign::JobRuns {
            self.read_jobs(standing, at_unix_ns);
            return;
        }
        let mut there = Vec::new();
        for condition in standing.iter().filter(|condition| condition.sign == sign) {
            let object = Object::of_condition(condition);
            there.push(object.key());
            self.stands(condition, object, node, at_unix_ns);
        }
        for tracked in self.tracked.iter().filter(|tracked| tracked.object.sign == Some(sign)) {
            // One that a predecessor opened, and that nobody has read so since.
            if tracked.finding.state == State::Open {
                self.standing
                    .entry(tracked.object.key())
                    .or_insert_with(|| Standing::new(sign))
                    .show(&tracked.finding.observations);
            }
        }
        let missing: Vec<String> = self
            .standing
            .iter()
            .filter(|(key, standing)| standing.sign == sign && !there.contains(key))
            .map(|(key, _)| key.clone())
            .collect();
        for key in missing {
            self.is_gone(&key, node, at_unix_ns);
        }
    }

    fn stands(&mut self, condition: &Condition, object: Object, node: &str, at: i64) {
        let standing = self
            .standing
            .entry(object.key())
            .or_insert_with(|| Standing::new(condition.sign));
        standing.condition = Some(condition.clone());
        standing.show(&condition.observations);
        standing.gone.clear();
        if !standing.concerns(node) {
            return;
        }
        let since = *standing.stood.entry(node.to_owned()).or_insert(at);
        let first = standing.since().unwrap_or(since);
        standing.is_held |= at.saturating_sub(since) >= HOLD_NANOS;
        let is_held = standing.is_held;
        let open = |tracked: &Tracked| tracked.object == object && tracked.finding.state == State::Open;
        if let Some(at_index) = self.tracked.iter().position(open) {
            let finding = &mut self.tracked[at_index].finding;
            // Of what is nothing by itself the writes say how bad it is.
            let is_worse = !condition.only_if_felt && condition.severity > finding.severity;
            if !condition.only_if_felt {
                finding.severity = finding.severity.max(condition.severity);
                finding.last_unix_ns = finding.last_unix_ns.max(at);
            }
            finding.disks.clone_from(&condition.disks);
            for observation in &condition.observations {
                if finding.observations.len() < CITED && !finding.observations.contains(observation) {
                    finding.observations.push(observation.clone());
                }
            }
            self.tracked[at_index].only_if_felt = condition.only_if_felt;
            if is_worse {
                let finding = &mut self.tracked[at_index].finding;
                finding.evidence.insert(0, reason(condition));
                finding.evidence.truncate(CITED);
                self.changed(at_index, ChangeKind::Updated, at);
            }
            return;
        }
        if !is_held || self.is_told_otherwise(condition) {
            return;
        }
        if condition.only_if_felt {
            // What is felt already may be for it.
            self.fold_effects(at);
            return;
        }
        if let Some(whole) = self.cause_of(&Effect::of_condition(condition, first)) {
            self.tells_of(whole, condition, at);
            return;
        }
        self.open_condition(condition, object, first, at);
        self.fold_conditions(at);
        self.fold_effects(at);
    }

    /// Opens a finding of a condition, or again the one that was closed within the hour.
    fn open_condition(&mut self, condition: &Condition, object: Object, first: i64, at: i64) -> usize {
        let recent = at.saturating_sub(REOPEN_SECONDS.saturating_mul(BIN_NANOS));
        let closed = self.tracked.iter().rposition(|tracked| {
            tracked.object == object && tracked.finding.closed_unix_ns.is_some_and(|closed| closed >= recent)
        });
        if let Some(at_index) = closed {
            let finding = &mut self.tracked[at_index].finding;
            finding.state = State::Open;
            finding.closed_unix_ns = None;
            finding.part_of = None;
            finding.reopened = finding.reopened.saturating_add(1);
            finding.last_unix_ns = at;
            if !condition.only_if_felt {
                finding.severity = finding.severity.max(condition.severity);
            }
            finding.evidence = vec![reason(condition)];
            finding.observations.clone_from(&condition.observations);
            let tracked = &mut self.tracked[at_index];
            tracked.only_if_felt = condition.only_if_felt;
            if condition.only_if_felt {
                // Told when it is known what is felt.
                tracked.comes_back = true;
            } else {
                self.changed(at_index, ChangeKind::Reopened, at);
            }
            at_index
        } else {
            let occurrence = self.occurrences.entry(object.key()).or_default();
            *occurrence += 1;
            let id = object.id(*occurrence);
            let mut tracked = Tracked::of_condition(id, object, condition, first, at);
            if condition.only_if_felt {
                // It is as bad as what folds under it.
                tracked.finding.severity = Severity::Maintenance;
            }
            self.tracked.push(tracked);
            let at_index = self.tracked.len() - 1;
            if !condition.only_if_felt {
                self.changed(at_index, ChangeKind::Opened, at);
            }
            at_index
        }
    }

    /// A finding has another condition for a part: it says so, once.
    fn tells_of(&mut self, whole: usize, part: &Condition, at: i64) {
        let code = Code::of_sign(part.sign).as_str();
        let finding = &mut self.tracked[whole].finding;
        let is_other = finding.code != code;
        if !is_other || finding.evidence.iter().any(|one| one.text.starts_with(code)) {
            return;
        }
        finding.evidence.insert(
            finding.evidence.len().min(1),
            Evidence {
                text: format!("{code}: {}", part.text),
                writes: Vec::new(),
            },
        );
        finding.evidence.truncate(CITED);
        for observation in &part.observations {
            if finding.observations.len() < CITED && !finding.observations.contains(observation) {
                finding.observations.push(observation.clone());
            }
        }
        self.changed(whole, ChangeKind::Updated, at);
    }

    /// A condition that is nothing by itself and explains something: its finding is opened for it, unless that was felt no more by when it
    /// was over.
    pub(super) fn open_cause_of(&mut self, effect: &Effect, felt_until: i64, at: i64) -> Option<OfCause> {
        let held = self.standing.values().filter_map(|standing| {
            let condition = standing.condition.as_ref()?;
            let since = standing.since().unwrap_or(at);
            let may = standing.is_held && condition.only_if_felt && condition.sign != Sign::JobRuns;
            (may && Cause::of_condition(condition, since).explains(effect)).then_some((condition, since))
        });
        // Pauses, stalls and packets that are thrown away come of a link that is full.
        let (condition, since) = held.min_by_key(|(condition, _)| condition.sign != Sign::Saturated)?;
        let condition = condition.clone();
        // And what fills it may be a job.
        if condition.sign == Sign::Saturated
            && let Some(job) = self.job_of(effect, felt_until, at)
        {
            return Some(job);
        }
        let object = Object::of_condition(&condition);
        let is_over = |tracked: &Tracked| {
            let closed = tracked.finding.closed_unix_ns;
            tracked.object == object && closed.is_some_and(|closed| felt_until <= closed)
        };
        if self.tracked.iter().any(is_over) {
            return Some(OfCause::Over);
        }
        Some(OfCause::Under(self.open_condition(&condition, object, since, at)))
    }

    /// Whether what writes feel of it, or what it is a part of, is open already.
    fn is_told_otherwise(&self, condition: &Condition) -> bool {
        let is_same_disk = |finding: &Finding| {
            finding.kind == "disk"
                && condition.kind == "disk"
                && finding.node == condition.node
                && finding.disk == condition.disk
        };
        self.findings()
            .filter(|finding| finding.state == State::Open)
            .any(|finding| {
                let is_felt = Code::parse(&finding.code).is_some_and(|code| code.sign().is_none());
                condition.is_symptom && is_felt && is_same_disk(finding)
            })
    }

    fn is_gone(&mut self, key: &str, node: &str, at: i64) {
        let open = |tracked: &Tracked| tracked.object.key() == key && tracked.finding.state == State::Open;
        let Some(at_index) = self.tracked.iter().position(open) else {
            // It never was a finding.
            self.standing.remove(key);
            return;
        };
        let Some(standing) = self.standing.get_mut(key) else {
            return;
        };
        standing.stood.clear();
        standing.is_held = false;
        // Another node's clock, or what it sent late, says nothing of when this was over.
        if !standing.concerns(node) {
            return;
        }
        let since = *standing.gone.entry(node.to_owned()).or_insert(at);
        if at.saturating_sub(since) >= CLEAR_NANOS {
            self.standing.remove(key);
            self.close_at(at_index, None, at);
        }
    }

    pub(super) fn close_at(&mut self, at_index: usize, part_of: Option<String>, at: i64) {
        let tracked = &mut self.tracked[at_index];
        tracked.finding.state = State::Closed;
        tracked.finding.closed_unix_ns = Some(at);
        tracked.finding.part_of = part_of;
        tracked.adopted.clear();
        self.changed(at_index, ChangeKind::Closed, at);
    }

    /// Conditions that are part of others: of one pair where all of a node have fallen back.
    fn fold_conditions(&mut self, at: i64) {
        for part in 0..self.tracked.len() {
            let finding = &self.tracked[part].finding;
            if finding.state == State::Closed || self.tracked[part].object.sign.is_none() {
                continue;
            }
            let effect = Effect::of(finding);
            let whole = self
                .cause_of(&effect)
                .map(|cause| self.tracked[cause].finding.id.clone());
            if whole.is_some() {
                let standing = self.standing.remove(&self.tracked[part].object.key());
                let condition = standing.and_then(|standing| standing.condition);
                if let (Some(cause), Some(condition)) = (self.cause_of(&effect), condition) {
                    self.tells_of(cause, &condition, at);
                }
                self.close_at(part, whole, at);
            }
        }
    }

    /// Symptoms that writes feel by now are part of what they feel.
    pub(super) fn fold_symptoms(&mut self, at: i64) {
        for part in 0..self.tracked.len() {
            let tracked = &self.tracked[part];
            let key = tracked.object.key();
            let is_symptom = self.standing.get(&key).is_some_and(Standing::is_symptom);
            if tracked.finding.state == State::Closed || tracked.object.sign.is_none() || !is_symptom {
                continue;
            }
            let own = &tracked.finding;
            let felt = self.findings().find(|finding| {
                finding.state == State::Open
                    && Code::parse(&finding.code).is_some_and(|code| code.sign().is_none())
                    && (&finding.kind, &finding.node, &finding.disk) == (&own.kind, &own.node, &own.disk)
            });
            if let Some(whole) = felt.map(|finding| finding.id.clone()) {
                self.close_at(part, Some(whole), at);
            }
        }
    }

    /// The open finding of a condition that explains something.
    pub(super) fn cause_of(&self, effect: &Effect) -> Option<usize> {
        self.tracked.iter().position(|tracked| {
            if tracked.finding.state != State::Open || tracked.object.sign.is_none() {
                return false;
            }
            let standing = self.standing.get(&tracked.object.key());
            let condition = standing.and_then(|standing| standing.condition.as_ref());
            let explains = Cause::of(tracked, condition).is_some_and(|cause| cause.explains(effect));
            explains && !standing.is_some_and(Standing::is_symptom)
        })
    }
}

fn reason(condition: &Condition) -> Evidence {
    Evidence {
        text: condition.text.clone(),
        writes: Vec::new(),
    }
}

impl Tracked {
    /// Opens one for a condition.
    pub(super) fn of_condition(id: String, object: Object, condition: &Condition, first: i64, at: i64) -> Self {
        let code = Code::of_sign(condition.sign);
        let finding = Finding {
            id,
            code: code.as_str().to_owned(),
            kind: condition.kind.clone(),
            node: condition.node.clone(),
            disk: condition.disk.clone(),
            peer: condition.peer.clone(),
            resource: condition.resource.clone(),
            disks: condition.disks.clone(),
            severity: condition.severity,
            state: State::Open,
            confidence: CONFIDENCE,
            opened_unix_ns: at,
            first_unix_ns: first,
            last_unix_ns: at,
            closed_unix_ns: None,
            reopened: 0,
            cost_ns: 0,
            victims: Vec::new(),
            initiators: Vec::new(),
            evidence: vec![reason(condition)],
            observations: condition.observations.clone(),
            next: Vec::new(),
            part_of: None,
            acknowledged: None,
            muted: None,
            sequence: 0,
        };
        let mut tracked = Self::resume(finding);
        tracked.object = object;
        tracked.since = condition.since_unix_ns.unwrap_or(first);
        tracked.only_if_felt = condition.only_if_felt;
        let job = condition.job.as_ref().map(|job| job.name.as_str());
        tracked.finding.next = code.next(&tracked.finding, job);
        tracked
    }
}

#[cfg(test)]
pub(super) mod tests;
