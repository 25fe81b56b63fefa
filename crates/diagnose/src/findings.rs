//! Findings: what the [`Watch`] says, with a name, a beginning and an end.
//!
//! # Lifecycle
//!
//! A finding is *opened* as soon as the watch has raised it, which asks for more than chance in at least two seconds, or for waits of
//! longer than one. It is *updated* when what it says has changed by much, at most once a minute unless it got worse. It is *closed* when
//! it was not felt for five minutes, or when it turned out to be part of another; what comes back within an hour is *reopened* under its
//! name, what comes later is another. All times are those of the writes: while none comes nothing is closed. The same rows give the same
//! findings, whatever the calls ([`Tracker::add`]).
//!
//! A successor goes on with [`Tracker::resume`] and the rows of the last minutes ([`Tracker::warm`]): findings that were open stay
//! open under their names and keep their cost.
//!
//! # What it is not
//!
//! It reads no clock: when people say something of a finding is given to it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fathom_model::finding::{Change, ChangeKind, Finding, Severity, State};
use fathom_model::{Catalog, Io, JoinedRows, NodeId, Unmatched};
use serde::{Deserialize, Serialize};

use crate::baseline::Baselines;
use crate::jobs::Foreign;
use crate::watch::{BIN_NANOS, OVER_SECONDS, Watch};

mod code;
mod conditions;
mod effect;
mod fold;
mod jobs;
mod note;
mod past;
mod severity;
mod tracked;
mod victims;

pub use code::Code;
pub use note::{Done, Refused, Said};

use severity::Scale;
use tracked::{Object, Tracked};

/// What comes back within this many seconds after it was closed is the same finding.
const REOPEN_SECONDS: i64 = 3600;

/// So many findings that are closed are kept beside those that may come back; the store has all.
const CLOSED_KEPT: usize = 20;

/// How many seconds of rows [`Tracker::warm`] has to be given for what is going on to be found again: the longest stretch that is judged,
/// and a minute in which the watch learns what is usual.
pub const WARM_SECONDS: i64 = 300;

/// What a successor needs to go on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// Number of the last change.
    pub sequence: u64,
    /// Findings that are open, and those that were closed last, in the order in which they were opened.
    pub findings: Vec<Finding>,
    /// How many findings each object has had.
    pub occurrences: BTreeMap<String, u32>,
    /// The last second that was judged, on the reference clock.
    pub judged_second: Option<i64>,
    /// What people said last.
    pub requests: VecDeque<Done>,
}

/// Findings as rows come in.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    watch: Watch,
    tracked: Vec<Tracked>,
    occurrences: BTreeMap<String, u32>,
    sequence: u64,
    changes: Vec<Change>,
    /// The last second that was looked at.
    looked: Option<i64>,
    /// Conditions of state that stand, by object.
    standing: BTreeMap<String, conditions::Standing>,
    /// Storage jobs that run, or did until just now, by their ids.
    jobs: BTreeMap<String, jobs::Known>,
    /// What moved at drives for no write in the last minutes.
    foreign: Foreign,
    scale: Scale,
    /// What Windows says of drives, by node and name.
    drives: BTreeMap<(String, String), String>,
    /// What people said last, the oldest first.
    requests: VecDeque<Done>,
    /// What is usual.
    baselines: Baselines,
}

impl Tracker {
    /// Goes on where a predecessor was.
    #[must_use]
    pub fn resume(kept: Kept) -> Self {
        Self {
            tracked: kept.findings.into_iter().map(Tracked::resume).collect(),
            occurrences: kept.occurrences,
            sequence: kept.sequence,
            looked: kept.judged_second,
            requests: kept.requests,
            ..Self::default()
        }
    }

    /// Takes rows that a predecessor has seen, in their order: they open and close nothing. [`Tracker::settle`] ends it.
    pub fn warm(&mut self, rows: &JoinedRows) {
        rows.ios.iter().for_each(|io| self.watch.add(rows, io));
    }

    /// All rows that a predecessor has seen are there: what they cost has been counted.
    pub fn settle(&mut self, catalog: &Catalog) {
        if self.watch.second() < self.looked {
            // It had judged what waited for later rows.
            self.watch.finish();
        }
        self.looked = self.watch.second();
        let mut again = Vec::new();
        for found in self.watch.findings() {
            let object = Object::of(&found.report(catalog));
            let open = self.tracked.iter_mut().rev();
            let mut open = open.filter(|tracked| tracked.finding.state == State::Open);
            if let Some(tracked) = open.find(|tracked| tracked.object == object) {
                tracked.attach(found);
            } else {
                again.push(found.clone());
            }
        }
        for found in again {
            self.adopt_again(&found, catalog);
        }
    }

    /// Takes I/Os with their legs, in the order in which their windows closed.
    pub fn add(&mut self, rows: &JoinedRows, catalog: &Catalog) {
        self.add_unmatched(&rows.unmatched, catalog);
        rows.ios.iter().for_each(|io| self.add_io(rows, io, catalog));
    }

    /// Takes events of no I/O, before the I/Os of the same time.
    pub fn add_unmatched(&mut self, events: &[Unmatched], catalog: &Catalog) {
        events.iter().for_each(|event| self.foreign.add(event, catalog));
    }

    /// Takes one of the I/Os.
    pub fn add_io(&mut self, rows: &JoinedRows, io: &Io, catalog: &Catalog) {
        self.watch.add(rows, io);
        self.look(catalog);
        let Self { baselines, tracked, .. } = self;
        baselines.add(rows, io, catalog, |place, stretch| {
            past::was_felt(tracked, place, stretch)
        });
    }

    /// Takes what Windows says of drives, by node and name: it may be otherwise than what writes feel.
    pub fn set_drives(&mut self, drives: BTreeMap<(String, String), String>) {
        self.drives = drives;
    }

    /// Says which nodes are worked on: what is felt there is no incident, nor was what had been told before this was known.
    pub fn set_maintenance(&mut self, nodes: &BTreeSet<NodeId>) {
        if self.scale.maintenance == *nodes {
            return;
        }
        self.scale.maintenance.clone_from(nodes);
        let now = self.looked.unwrap_or(0).saturating_mul(BIN_NANOS);
        for at in 0..self.tracked.len() {
            let finding = &mut self.tracked[at].finding;
            let expected = self.scale.is_expected_of(finding) && finding.severity > Severity::Maintenance;
            if finding.state == State::Open && expected {
                finding.severity = Severity::Maintenance;
                self.changed(at, ChangeKind::Updated, now);
            }
        }
    }

    /// Judges what is left, since no more rows are expected; more may come all the same.
    pub fn finish(&mut self, catalog: &Catalog) {
        self.watch.finish();
        self.look(catalog);
        self.close_hours(catalog);
    }

    /// Changes since this was asked last, in their order.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Findings that are open and those that were closed last, as they are now.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.tracked.iter().map(|tracked| &tracked.finding)
    }

    /// Nodes between which copies of writes went since this began, the first by name first.
    #[must_use]
    pub fn ways(&self, catalog: &Catalog) -> BTreeSet<(NodeId, NodeId)> {
        let named = self.watch.ways().map(|(one, other)| {
            let (one, other) = (catalog.node(one).clone(), catalog.node(other).clone());
            if one < other { (one, other) } else { (other, one) }
        });
        named.collect()
    }

    /// What a successor needs to go on.
    #[must_use]
    pub fn kept(&self) -> Kept {
        Kept {
            sequence: self.sequence,
            findings: self.findings().cloned().collect(),
            occurrences: self.occurrences.clone(),
            judged_second: self.looked,
            requests: self.requests.clone(),
        }
    }

    /// Looks at what the watch says, once a second that was judged.
    fn look(&mut self, catalog: &Catalog) {
        let now = self.watch.second();
        if now == self.looked {
            return;
        }
        self.looked = now;
        let Some(now) = now else { return };
        self.release(catalog, now);
        let found: Vec<_> = self
            .watch
            .findings()
            .iter()
            .filter(|found| found.goes_on(now))
            .cloned()
            .collect();
        for found in &found {
            if self.adopt(found, catalog, now) {
                continue;
            }
            let object = Object::of(&found.report(catalog));
            let at = self.find(&object, found, now);
            let (at, kind) = match at {
                Some(at) if self.tracked[at].finding.state == State::Open => {
                    let kind = self.tracked[at].follow(found, catalog, &self.scale, now);
                    (at, kind)
                }
                // What it was closed for is no news.
                Some(at) if !self.tracked[at].is_back(found) => continue,
                Some(at) => {
                    self.tracked[at].reopen(found, catalog, &self.scale);
                    (at, Some(ChangeKind::Reopened))
                }
                None => {
                    let occurrence = self.occurrences.entry(object.key()).or_default();
                    *occurrence += 1;
                    let id = object.id(*occurrence);
                    self.tracked.push(Tracked::open(id, found, catalog, &self.scale, now));
                    (self.tracked.len() - 1, Some(ChangeKind::Opened))
                }
            };
            if let Some(kind) = kind {
                self.tracked[at].quote(&self.drives);
                self.compare(at, kind, catalog);
                self.changed(at, kind, now.saturating_mul(BIN_NANOS));
            }
        }
        self.close(now, |tracked| {
            tracked.current.is_some_and(|(named, raised)| {
                found
                    .iter()
                    .any(|found| found.named == named && found.raised_second == raised)
            })
        });
        self.fold_symptoms(now.saturating_mul(BIN_NANOS));
        self.watch.forget_over();
        let now_unix_ns = now.saturating_mul(BIN_NANOS);
        self.foreign
            .forget_before(now_unix_ns.saturating_sub(2 * jobs::BACK_NANOS));
        self.prune(now);
    }

    /// The finding that this is: an open one of the object, or one that was closed within the hour.
    fn find(&self, object: &Object, found: &crate::watch::Finding, now: i64) -> Option<usize> {
        let since = now.saturating_sub(REOPEN_SECONDS).saturating_mul(BIN_NANOS);
        let is_it = |tracked: &Tracked| {
            let finding = &tracked.finding;
            let own = tracked.current == Some((found.named, found.raised_second));
            own || (tracked.object == *object
                && (finding.state == State::Open || finding.closed_unix_ns.is_some_and(|closed| closed >= since)))
        };
        self.tracked.iter().rposition(is_it)
    }

    /// Closes what the watch does not say any more: it is over, or has been found to be part of something larger.
    fn close(&mut self, now: i64, goes_on: impl Fn(&Tracked) -> bool) {
        for at in 0..self.tracked.len() {
            let tracked = &self.tracked[at];
            // What state shows is over when state says so, and what is nothing by itself is nothing that it shows.
            let is_of_state = tracked.object.sign.is_some() && !tracked.only_if_felt;
            if tracked.finding.state == State::Closed || is_of_state {
                continue;
            }
            let is_whole = goes_on(tracked) || tracked.object.sign.is_some();
            let part_of = if is_whole { None } else { self.whole_of(at) };
            if part_of.is_none() && now.saturating_sub(tracked.felt_second) <= OVER_SECONDS {
                continue;
            }
            let finding = &mut self.tracked[at].finding;
            finding.state = State::Closed;
            finding.closed_unix_ns = Some(now.saturating_mul(BIN_NANOS));
            finding.part_of = part_of;
            self.changed(at, ChangeKind::Closed, now.saturating_mul(BIN_NANOS));
        }
    }

    /// An open finding that this one is part of: of a whole node, or of what is at or on the way to a node where all that was known is that
    /// something is.
    fn whole_of(&self, at: usize) -> Option<String> {
        let part = &self.tracked[at].finding;
        let of_node = |whole: &Finding| {
            let is_seen = part.kind == "unknown" && matches!(&whole.kind[..], "disk" | "link");
            (whole.kind == "node" || is_seen)
                && whole.state == State::Open
                && Code::parse(&whole.code).is_some_and(|code| code.sign().is_none())
                && whole.id != part.id
                && (part.node == whole.node || part.peer.as_deref() == Some(whole.node.as_str()))
                && (part.kind != "disk" || whole.code == Code::NodeDrivesSlow.as_str())
        };
        self.findings()
            .find(|whole| of_node(whole))
            .map(|whole| whole.id.clone())
    }

    fn changed(&mut self, at: usize, kind: ChangeKind, at_unix_ns: i64) {
        self.sequence += 1;
        let tracked = &mut self.tracked[at];
        tracked.finding.sequence = self.sequence;
        tracked.say(at_unix_ns);
        self.changes.push(Change {
            sequence: self.sequence,
            kind,
            at_unix_ns,
            finding: tracked.finding.clone(),
        });
    }

    /// Lets go of findings that are over and cannot come back, but for some.
    fn prune(&mut self, now: i64) {
        let since = now.saturating_sub(REOPEN_SECONDS).saturating_mul(BIN_NANOS);
        let over = |tracked: &Tracked| tracked.finding.closed_unix_ns.is_some_and(|closed| closed < since);
        let mut more = self.tracked.iter().filter(|tracked| over(tracked)).count();
        self.tracked.retain(|tracked| {
            let goes = over(tracked) && more > CLOSED_KEPT;
            more -= usize::from(goes);
            !goes
        });
    }
}

#[cfg(test)]
pub(crate) mod tests;
