//! What state shows: conditions become findings, and what writes feel of them folds under them.
//!
//! A condition is *opened* when it has stood for some seconds in the readings of one node, *closed* when it has not for half a minute:
//! both on the clock of whoever reads, never across clocks. What has not been read changes nothing.
//!
//! One cause, one finding: a slow link whose pair fell back to TCP is part of the fallback, which has its cost, its victims and the writes
//! that show it. A symptom (Windows' own count of latency) is part of what writes feel.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::condition::{Condition, ObservationRef, Sign};
use fathom_model::finding::{ChangeKind, Finding, State};
use fathom_model::report::Evidence;

use super::effect::{Effect, explains};
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
    is_symptom: bool,
    /// Nodes whose readings show it.
    readers: BTreeSet<String>,
}

impl Standing {
    fn new(sign: Sign) -> Self {
        Self {
            sign,
            stood: BTreeMap::new(),
            gone: BTreeMap::new(),
            is_symptom: false,
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
        let is_of_cluster = matches!(
            self.sign,
            Sign::JobStuck | Sign::JobRuns | Sign::DiskUnhealthy | Sign::DiskWear
        );
        is_of_cluster || self.readers.contains(node)
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
        standing.is_symptom = condition.is_symptom;
        standing.show(&condition.observations);
        standing.gone.clear();
        if !standing.concerns(node) {
            return;
        }
        let since = *standing.stood.entry(node.to_owned()).or_insert(at);
        let first = standing.stood.values().copied().min().unwrap_or(since);
        let open = |tracked: &Tracked| tracked.object == object && tracked.finding.state == State::Open;
        if let Some(at_index) = self.tracked.iter().position(open) {
            let finding = &mut self.tracked[at_index].finding;
            let is_worse = condition.severity > finding.severity;
            finding.severity = finding.severity.max(condition.severity);
            finding.last_unix_ns = finding.last_unix_ns.max(at);
            for observation in &condition.observations {
                if finding.observations.len() < CITED && !finding.observations.contains(observation) {
                    finding.observations.push(observation.clone());
                }
            }
            if is_worse {
                finding.evidence.insert(0, reason(condition));
                finding.evidence.truncate(CITED);
                self.changed(at_index, ChangeKind::Updated, at);
            }
            return;
        }
        if at.saturating_sub(since) < HOLD_NANOS || self.is_told_otherwise(condition) {
            return;
        }
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
            finding.severity = finding.severity.max(condition.severity);
            finding.evidence = vec![reason(condition)];
            finding.observations.clone_from(&condition.observations);
            self.changed(at_index, ChangeKind::Reopened, at);
        } else {
            let occurrence = self.occurrences.entry(object.key()).or_default();
            *occurrence += 1;
            let id = object.id(*occurrence);
            self.tracked
                .push(Tracked::of_condition(id, object, condition, first, at));
            self.changed(self.tracked.len() - 1, ChangeKind::Opened, at);
        }
        self.fold_conditions(at);
        self.fold_effects(at);
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
                self.standing.remove(&self.tracked[part].object.key());
                self.close_at(part, whole, at);
            }
        }
    }

    /// Symptoms that writes feel by now are part of what they feel.
    pub(super) fn fold_symptoms(&mut self, at: i64) {
        for part in 0..self.tracked.len() {
            let tracked = &self.tracked[part];
            let key = tracked.object.key();
            let is_symptom = self.standing.get(&key).is_some_and(|standing| standing.is_symptom);
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
            let is_symptom = || {
                let standing = self.standing.get(&tracked.object.key());
                standing.is_some_and(|standing| standing.is_symptom)
            };
            tracked.finding.state == State::Open && explains(tracked, effect) && !is_symptom()
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
            disks: Vec::new(),
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
        let job = condition.job.as_ref().map(|job| job.name.as_str());
        tracked.finding.next = code.next(&tracked.finding, job);
        tracked
    }
}

#[cfg(test)]
pub(super) mod tests;
