//! What state shows: conditions become findings, and what writes feel of them folds under them.
//!
//! A condition is *opened* when it has stood for some seconds in the readings of one node, *closed* when it has not for half a minute:
//! both on the clock of whoever reads, never across clocks. What has not been read changes nothing.
//!
//! One cause, one finding: a slow link whose pair fell back to TCP is part of the fallback, which has its cost, its victims and the writes
//! that show it. A symptom (Windows' own count of latency) is part of what writes feel.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::Catalog;
use fathom_model::condition::{Condition, ObservationRef, Sign};
use fathom_model::finding::{ChangeKind, Finding, State};
use fathom_model::report::Evidence;

use super::tracked::{Object, Tracked, severity};
use super::{Code, REOPEN_SECONDS, Tracker};
use crate::watch::{self, BIN_NANOS, Named};

/// How long a condition has to stand before it is a finding: two readings of what is read most often.
const HOLD_NANOS: i64 = 5 * BIN_NANOS;

/// How long it has to be gone before it is over.
const CLEAR_NANOS: i64 = 30 * BIN_NANOS;

/// An effect was felt no earlier than this before its cause was read: causes are read by the minute.
const BEFORE_NANOS: i64 = 60 * BIN_NANOS;

/// What may have stood for years explains what is felt only when both began together.
const TOGETHER_NANOS: i64 = 600 * BIN_NANOS;

/// How sure a condition is: it was read, and Windows may be wrong.
const CONFIDENCE: f64 = 0.95;

/// So many readings and reasons are kept with a finding.
const CITED: usize = 8;

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
        let is_of_cluster = matches!(self.sign, Sign::JobStuck | Sign::DiskUnhealthy | Sign::DiskWear);
        is_of_cluster || self.readers.contains(node)
    }
}

/// What a finding of the watch costs goes to the cause that it folds under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Adopted {
    pub(super) named: Named,
    pub(super) raised: i64,
    /// How much of it has been counted.
    pub(super) counted: u64,
}

impl Tracker {
    /// Takes what stands of a sign after a node has read, in nanoseconds on that node's clock.
    pub fn read(&mut self, sign: Sign, standing: &[Condition], node: &str, at_unix_ns: i64) {
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

    fn close_at(&mut self, at_index: usize, part_of: Option<String>, at: i64) {
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
            tracked.finding.state == State::Open && explains(&tracked.finding, effect) && !is_symptom()
        })
    }

    /// Folds what the watch found under its cause, if it has one; what was open of it is closed as part of that.
    pub(super) fn adopt(&mut self, found: &watch::Finding, catalog: &Catalog, now: i64) -> bool {
        let report = found.report(catalog);
        let effect = Effect {
            code: Code::of(found, None),
            node: report.node.clone().unwrap_or_default(),
            disk: report.disk.clone(),
            peer: report.peer.clone(),
            first_unix_ns: found.first_second().saturating_mul(BIN_NANOS),
        };
        let Some(cause) = self.cause_of(&effect) else {
            return false;
        };
        let own = (found.named, found.raised_second);
        let is_own = |adopted: &&mut Adopted| (adopted.named, adopted.raised) == own;
        let tracked = &mut self.tracked[cause];
        if let Some(adopted) = tracked.adopted.iter_mut().find(is_own) {
            let more = i128::from(found.cost_nanos) - i128::from(adopted.counted);
            adopted.counted = found.cost_nanos;
            tracked.carry(more);
            self.worsen(cause, found, now);
            return true;
        }
        let object = Object::of(&report);
        let open = |tracked: &Tracked| tracked.object == object && tracked.finding.state == State::Open;
        let at = now.saturating_mul(BIN_NANOS);
        if let Some(part) = self.tracked.iter().position(open) {
            self.absorb(part, cause, at);
        } else {
            let tracked = &mut self.tracked[cause];
            tracked.carry(i128::from(found.cost_nanos));
            tracked.finding.evidence.extend(report.evidence);
            tracked.finding.evidence.truncate(CITED);
            tracked.finding.severity = tracked.finding.severity.max(severity(found));
            self.changed(cause, ChangeKind::Updated, at);
        }
        let adopted = &mut self.tracked[cause].adopted;
        if !adopted.iter().any(|adopted| (adopted.named, adopted.raised) == own) {
            adopted.push(Adopted {
                named: found.named,
                raised: found.raised_second,
                counted: found.cost_nanos,
            });
        }
        true
    }

    /// Closes what writes felt as part of its cause, which has its cost, its victims and its writes from here on.
    fn absorb(&mut self, part: usize, cause: usize, at: i64) {
        let whole = self.tracked[cause].finding.id.clone();
        self.close_at(part, Some(whole), at);
        let (felt, current) = (self.tracked[part].finding.clone(), self.tracked[part].current);
        let followed = current.and_then(|(named, raised)| {
            let mut findings = self.watch.findings().iter();
            let found = findings.find(|found| (found.named, found.raised_second) == (named, raised))?;
            Some(Adopted {
                named,
                raised,
                counted: found.cost_nanos,
            })
        });
        // Up to now, and not up to when it was last looked at.
        let carried = self.tracked[part].carried_nanos;
        let cost = followed.map_or_else(
            || i128::from(felt.cost_ns),
            |followed| carried + i128::from(followed.counted),
        );
        let tracked = &mut self.tracked[cause];
        tracked.adopted.extend(followed);
        tracked.carry(cost);
        felt.victims.into_iter().for_each(|victim| tracked.take_victim(victim));
        tracked.finding.evidence.extend(felt.evidence);
        tracked.finding.evidence.truncate(CITED);
        tracked.finding.severity = tracked.finding.severity.max(felt.severity);
        self.changed(cause, ChangeKind::Updated, at);
    }

    /// What was felt before its cause was known is part of it from now on.
    fn fold_effects(&mut self, at: i64) {
        for part in 0..self.tracked.len() {
            let tracked = &self.tracked[part];
            if tracked.finding.state == State::Closed || tracked.object.sign.is_some() {
                continue;
            }
            if let Some(cause) = self.cause_of(&Effect::of(&tracked.finding)) {
                self.absorb(part, cause, at);
            }
        }
    }

    /// Takes over that a predecessor had folded what the watch found again.
    pub(super) fn adopt_again(&mut self, found: &watch::Finding, catalog: &Catalog) {
        let report = found.report(catalog);
        let effect = Effect {
            code: Code::of(found, None),
            node: report.node.unwrap_or_default(),
            disk: report.disk,
            peer: report.peer,
            first_unix_ns: found.first_second().saturating_mul(BIN_NANOS),
        };
        if let Some(cause) = self.cause_of(&effect) {
            self.tracked[cause].adopted.push(Adopted {
                named: found.named,
                raised: found.raised_second,
                counted: found.cost_nanos,
            });
        }
    }

    fn worsen(&mut self, cause: usize, found: &watch::Finding, now: i64) {
        let finding = &mut self.tracked[cause].finding;
        let is_worse = severity(found) > finding.severity;
        finding.severity = finding.severity.max(severity(found));
        if is_worse || self.tracked[cause].is_due(now) {
            self.changed(cause, ChangeKind::Updated, now.saturating_mul(BIN_NANOS));
        }
    }
}

/// Something that a condition may explain.
pub(super) struct Effect {
    code: Code,
    node: String,
    disk: Option<String>,
    peer: Option<String>,
    first_unix_ns: i64,
}

impl Effect {
    fn of(finding: &Finding) -> Self {
        Self {
            code: Code::parse(&finding.code).unwrap_or(Code::UnknownSlow),
            node: finding.node.clone(),
            disk: finding.disk.clone(),
            peer: finding.peer.clone(),
            first_unix_ns: finding.first_unix_ns,
        }
    }

    fn has_end(&self, node: &str) -> bool {
        self.node == node || self.peer.as_deref() == Some(node)
    }
}

/// Whether a condition explains an effect: by what it is about, and by when both began.
fn explains(cause: &Finding, effect: &Effect) -> bool {
    let Some(sign) = Code::parse(&cause.code).and_then(Code::sign) else {
        return false;
    };
    let is_way = matches!(effect.code, Code::LinkSlow | Code::LinkStalls);
    let is_node = effect.code == Code::NodeSlow;
    let after = effect.first_unix_ns.saturating_sub(cause.first_unix_ns);
    let is_in_time = after >= -BEFORE_NANOS;
    match sign {
        Sign::TcpFallback => {
            let is_part = effect.code == Code::LinkTcpFallback && cause.kind != "link";
            let is_larger = effect.code == Code::LinkTcpFallback && effect.peer.is_none();
            is_in_time
                && match cause.kind.as_str() {
                    "link" => is_way && same_ends(cause, effect),
                    "node" => (is_way || is_node || (is_part && !is_larger)) && effect.has_end(&cause.node),
                    _ => is_way || is_node || (is_part && !effect.node.is_empty()),
                }
        }
        Sign::QosDrift | Sign::MtuMismatch => {
            let is_there = cause.node.is_empty() || effect.has_end(&cause.node);
            is_in_time && after <= TOGETHER_NANOS && (is_way || is_node) && is_there
        }
        Sign::DiskUnhealthy | Sign::DiskWear => {
            let is_disk = matches!(effect.code, Code::DiskSlow | Code::DiskStalls);
            is_in_time && is_disk && cause.node == effect.node && cause.disk == effect.disk
        }
        Sign::JobStuck => false,
    }
}

fn same_ends(cause: &Finding, effect: &Effect) -> bool {
    let ends = (Some(cause.node.as_str()), cause.peer.as_deref());
    let own = (Some(effect.node.as_str()), effect.peer.as_deref());
    own == ends || (own.1, own.0) == ends
}

pub(super) fn reason(condition: &Condition) -> Evidence {
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
        tracked.finding.next = code.next(&tracked.finding);
        tracked
    }

    /// Adds to its cost.
    fn carry(&mut self, nanos: i128) {
        let cost = i128::from(self.finding.cost_ns) + nanos;
        self.finding.cost_ns = u64::try_from(cost.max(0)).unwrap_or(u64::MAX);
    }
}

#[cfg(test)]
mod tests;
