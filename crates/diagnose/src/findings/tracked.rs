//! One finding and how it stands to the watch.

use std::collections::BTreeMap;

use fathom_model::Catalog;
use fathom_model::condition::{Condition, Sign};
use fathom_model::finding::{ChangeKind, Finding, Severity, State};
use fathom_model::report::{Culprit, Evidence};

use super::Code;
use super::fold::Adopted;
use super::severity::Scale;
use super::victims::Victims;
use crate::watch::{self, BIN_NANOS, Named};

/// Updates come at most this often, but for those that say that it got worse.
const UPDATE_NANOS: i64 = 60 * BIN_NANOS;

/// How what Windows says of a drive begins.
const QUOTED: &str = "Windows says of the drive: ";

/// How much the confidence has to change for an update.
const CONFIDENCE_STEP: f64 = 0.1;

/// What a finding is about: of a link both ends are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    kind: String,
    node: String,
    disk: Option<String>,
    peer: Option<String>,
    /// Of what state shows: what, and the job or the adapter.
    pub(super) sign: Option<Sign>,
    resource: Option<String>,
}

impl Object {
    pub(super) fn of_condition(condition: &Condition) -> Self {
        Self {
            sign: Some(condition.sign),
            resource: condition.resource.clone(),
            ..Self::new(
                &condition.kind,
                &condition.node,
                condition.disk.as_deref(),
                condition.peer.as_deref(),
            )
        }
    }

    fn of_finding(finding: &Finding) -> Self {
        Self {
            sign: Code::parse(&finding.code).and_then(Code::sign),
            resource: finding.resource.clone(),
            ..Self::new(
                &finding.kind,
                &finding.node,
                finding.disk.as_deref(),
                finding.peer.as_deref(),
            )
        }
    }

    pub(super) fn of(culprit: &Culprit) -> Self {
        Self::new(
            &culprit.kind,
            culprit.node.as_deref().unwrap_or_default(),
            culprit.disk.as_deref(),
            culprit.peer.as_deref(),
        )
    }

    fn new(kind: &str, node: &str, disk: Option<&str>, peer: Option<&str>) -> Self {
        let (node, peer) = match peer {
            Some(peer) if peer < node => (peer, Some(node)),
            peer => (node, peer),
        };
        Self {
            kind: kind.to_owned(),
            node: node.to_owned(),
            disk: disk.map(str::to_owned),
            peer: peer.map(str::to_owned),
            sign: None,
            resource: None,
        }
    }

    /// Different for different objects, whatever stands in their names.
    pub(super) fn key(&self) -> String {
        let parts = [
            Some(&self.kind),
            Some(&self.node),
            self.disk.as_ref(),
            self.peer.as_ref(),
        ];
        let parts = parts.map(|part| part.map_or_else(|| "-".to_owned(), |part| format!("{}:{part}", part.len())));
        let mut key = parts.join("/");
        // Names of what writes show are as they were before state showed anything.
        if let Some(sign) = self.sign {
            let resource = self.resource.as_deref().unwrap_or_default();
            key.push_str(&format!(
                "/{}/{}:{resource}",
                Code::of_sign(sign).as_str(),
                resource.len()
            ));
        }
        key
    }

    /// The name of a finding: 12 hexadecimal digits of the object, and which of its findings it is.
    pub(super) fn id(&self, occurrence: u32) -> String {
        // FNV-1a: names are few and nobody's secret, and the same on every system.
        let hash = self.key().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        format!("{:012x}-{occurrence}", hash >> 16)
    }
}

/// A finding that is open or was.
#[derive(Clone, Debug)]
pub(super) struct Tracked {
    pub(super) finding: Finding,
    pub(super) object: Object,
    /// The watch's finding that it follows.
    pub(super) current: Option<(Named, i64)>,
    /// The last second in which it was felt.
    pub(super) felt_second: i64,
    /// What it cost beside what the watch's finding says: before that one, or less where that one counts again what was counted.
    pub(super) carried_nanos: i128,
    /// What the watch found that folds under it.
    pub(super) adopted: Vec<Adopted>,
    /// Who waited for it.
    pub(super) victims: Victims,
    /// When what state shows began, on the clock of whoever read it: what was felt of it before it was read does not make it older.
    pub(super) since: i64,
    /// Whether it is a finding for nothing but what writes feel of it.
    pub(super) only_if_felt: bool,
    /// That it was opened again and that this has not been said.
    pub(super) comes_back: bool,
    /// As it was last said, and when.
    said: Option<(Said, i64)>,
}

#[derive(Clone, Debug, PartialEq)]
struct Said {
    code: String,
    severity: Severity,
    confidence: f64,
    cost_ns: u64,
    volumes: Vec<String>,
}

impl Said {
    fn of(finding: &Finding) -> Self {
        Self {
            code: finding.code.clone(),
            severity: finding.severity,
            confidence: finding.confidence,
            cost_ns: finding.cost_ns,
            volumes: finding.victims.iter().map(|victim| victim.volume.clone()).collect(),
        }
    }

    /// Whether a finding says something else by much.
    fn is_outdated(&self, finding: &Finding) -> bool {
        let mut volumes = finding.victims.iter().map(|victim| &victim.volume);
        (finding.confidence - self.confidence).abs() >= CONFIDENCE_STEP
            || finding.cost_ns / 2 >= self.cost_ns.max(1)
            || volumes.any(|volume| !self.volumes.contains(volume))
    }
}

impl Tracked {
    /// Opens one for what the watch found.
    pub(super) fn open(id: String, found: &watch::Finding, catalog: &Catalog, scale: &Scale, now: i64) -> Self {
        let report = found.report(catalog);
        let object = Object::of(&report);
        let code = Code::of(found, None);
        let mut finding = Finding {
            id,
            code: code.as_str().to_owned(),
            kind: report.kind,
            node: report.node.unwrap_or_default(),
            disk: report.disk,
            peer: report.peer,
            severity: scale.of(found, catalog),
            state: State::Open,
            confidence: report.confidence,
            opened_unix_ns: now.saturating_mul(BIN_NANOS),
            first_unix_ns: found.first_second().saturating_mul(BIN_NANOS),
            last_unix_ns: felt_until(found),
            closed_unix_ns: None,
            reopened: 0,
            cost_ns: found.cost_nanos,
            victims: Vec::new(),
            initiators: Vec::new(),
            resource: None,
            disks: Vec::new(),
            observations: Vec::new(),
            evidence: report.evidence,
            next: Vec::new(),
            part_of: None,
            acknowledged: None,
            muted: None,
            sequence: 0,
        };
        finding.next = code.next(&finding, None);
        let mut victims = Victims::default();
        victims.take(found, catalog);
        victims.show(&mut finding);
        Self {
            since: finding.first_unix_ns,
            only_if_felt: false,
            comes_back: false,
            finding,
            object,
            victims,
            current: Some((found.named, found.raised_second)),
            felt_second: found.felt_second(),
            carried_nanos: 0,
            adopted: Vec::new(),
            said: None,
        }
    }

    /// Goes on with a predecessor's.
    pub(super) fn resume(finding: Finding) -> Self {
        let object = Object::of_finding(&finding);
        Self {
            only_if_felt: object.sign.is_some_and(Sign::is_nothing_by_itself),
            object,
            adopted: Vec::new(),
            victims: Victims::resume(&finding),
            since: finding.first_unix_ns,
            comes_back: false,
            current: None,
            felt_second: finding.last_unix_ns.div_euclid(BIN_NANOS) - 1,
            carried_nanos: 0,
            // As good as said then: what changes by much from here on is said.
            said: Some((Said::of(&finding), finding.last_unix_ns)),
            finding,
        }
    }

    /// Follows the watch; whether there is something to say.
    pub(super) fn follow(
        &mut self,
        found: &watch::Finding,
        catalog: &Catalog,
        scale: &Scale,
        now: i64,
    ) -> Option<ChangeKind> {
        if self.current != Some((found.named, found.raised_second)) {
            self.attach(found);
        }
        self.take(found, catalog, scale);
        let code = Code::of(found, Code::parse(&self.finding.code));
        if code.as_str() != self.finding.code {
            code.as_str().clone_into(&mut self.finding.code);
            self.finding.evidence = found.report(catalog).evidence;
            self.finding.next = code.next(&self.finding, None);
        }
        let (said, _) = self.said.as_ref()?;
        let worse = said.code != self.finding.code || said.severity != self.finding.severity;
        (worse || self.is_due(now)).then_some(ChangeKind::Updated)
    }

    /// Whether it says something else by much, and was not said for a while.
    pub(super) fn is_due(&self, now: i64) -> bool {
        let due = |at: i64| now.saturating_mul(BIN_NANOS).saturating_sub(at) >= UPDATE_NANOS;
        self.said
            .as_ref()
            .is_some_and(|(said, at)| due(*at) && said.is_outdated(&self.finding))
    }

    /// Follows what the watch found from now on: what that has counted up to now has been counted before.
    pub(super) fn attach(&mut self, found: &watch::Finding) {
        self.current = Some((found.named, found.raised_second));
        self.carried_nanos = i128::from(self.finding.cost_ns) - i128::from(found.cost_nanos);
        self.victims.skip(found);
    }

    /// Whether it was felt since it was closed.
    pub(super) fn is_back(&self, found: &watch::Finding) -> bool {
        let felt = found.felt_second().saturating_mul(BIN_NANOS);
        self.finding.closed_unix_ns.is_some_and(|closed| felt > closed)
    }

    /// Opens it again: it came back.
    pub(super) fn reopen(&mut self, found: &watch::Finding, catalog: &Catalog, scale: &Scale) {
        let current = Some((found.named, found.raised_second));
        if self.current != current {
            self.current = current;
            // All that this one has counted is new.
            self.carried_nanos = i128::from(self.finding.cost_ns);
        }
        self.finding.state = State::Open;
        self.finding.closed_unix_ns = None;
        self.finding.part_of = None;
        self.finding.reopened = self.finding.reopened.saturating_add(1);
        self.finding.evidence = found.report(catalog).evidence;
        let code = Code::of(found, Code::parse(&self.finding.code));
        code.as_str().clone_into(&mut self.finding.code);
        self.finding.next = code.next(&self.finding, None);
        self.take(found, catalog, scale);
    }

    fn take(&mut self, found: &watch::Finding, catalog: &Catalog, scale: &Scale) {
        let finding = &mut self.finding;
        finding.severity = scale.at_least(finding.severity, found, catalog);
        finding.confidence = finding.confidence.max(found.report(catalog).confidence);
        finding.first_unix_ns = finding
            .first_unix_ns
            .min(found.first_second().saturating_mul(BIN_NANOS));
        finding.last_unix_ns = finding.last_unix_ns.max(felt_until(found));
        let cost = self.carried_nanos + i128::from(found.cost_nanos);
        finding.cost_ns = u64::try_from(cost.max(0)).unwrap_or(u64::MAX);
        self.victims.take(found, catalog);
        self.victims.show(&mut self.finding);
        self.felt_second = self.felt_second.max(found.felt_second());
    }

    /// Adds what Windows says of the drive, as it says it now.
    pub(super) fn quote(&mut self, drives: &BTreeMap<(String, String), String>) {
        let Some(disk) = &self.finding.disk else { return };
        let Some(said) = drives.get(&(self.finding.node.clone(), disk.clone())) else {
            return;
        };
        let evidence = &mut self.finding.evidence;
        evidence.retain(|reason| !reason.text.starts_with(QUOTED));
        evidence.push(Evidence {
            text: format!("{QUOTED}{said}"),
            writes: Vec::new(),
        });
    }

    /// Notes that it was said as it is.
    pub(super) fn say(&mut self, at_unix_ns: i64) {
        self.said = Some((Said::of(&self.finding), at_unix_ns));
    }
}

/// The end of the last second in which it was felt.
pub(super) fn felt_until(found: &watch::Finding) -> i64 {
    (found.felt_second() + 1).saturating_mul(BIN_NANOS)
}
