//! How everything in the cluster is, looked at every second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fathom_diagnose::health::{Damped, Scene, Unread, health};
use fathom_model::NodeId;
use fathom_model::health::{Entry, Kind, Span};

use fathom_model::state::Kind as StateKind;
use fathom_state::history;

use super::Running;

/// What was read within this long is known: a single reading that failed changes nothing.
const FORGET_NANOS: i64 = 5 * 60 * 1_000_000_000;

/// What says how something is, and of what.
const TELLS: [(StateKind, Kind); 5] = [
    (StateKind::Disk, Kind::Disk),
    (StateKind::VirtualDisk, Kind::Volume),
    (StateKind::Adapter, Kind::Adapter),
    (StateKind::AdapterRdma, Kind::Adapter),
    (StateKind::SmbConnection, Kind::Link),
];

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Health as it is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct HealthView {
    /// The cluster, then nodes, disks, adapters, links and volumes by name.
    pub(crate) entries: Vec<Entry>,
    /// With which look each entry became as it is.
    pub(crate) changed: Vec<u64>,
    /// How often anything has changed.
    pub(crate) looks: u64,
    /// Changes of the cluster's own state, oldest first.
    pub(crate) history: Vec<Span>,
}

/// Health over time.
#[derive(Default)]
pub(super) struct Health {
    damped: Damped,
    looked: Option<Instant>,
    pub(super) view: Arc<HealthView>,
}

impl Health {
    pub(super) fn resume(history: Vec<Span>, troubled: Option<Vec<Entry>>) -> Self {
        Self {
            damped: Damped::resume(history, troubled),
            ..Self::default()
        }
    }

    pub(super) fn history(&self) -> &[Span] {
        self.damped.history()
    }

    /// What a record keeps beside the history. Before the first look there is nothing that is worth more than what it has.
    pub(super) fn troubled(&self) -> Option<Vec<Entry>> {
        self.looked.map(|_| self.damped.troubled())
    }
}

impl Running {
    /// Looks how everything is, and publishes what is shown differently from before.
    pub(super) fn note_health(&mut self, now_unix_nanos: i64) {
        if self.health.looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
            return;
        }
        self.health.looked = Some(Instant::now());
        let Some(topology) = &self.topology else { return };
        let report = self.report();
        let unheard: BTreeMap<NodeId, &'static str> = report
            .nodes
            .iter()
            .filter(|node| node.state.is_unseen())
            .map(|node| (node.node.clone(), node.state.as_str()))
            .collect();
        let maintenance = self.by_state.now.maintenance().clone();
        let adapters = self.by_state.now.adapters();
        let ways = self.findings.ways(self.engine.catalog());
        let unread = self.by_state.now.unread(&TELLS.map(|(kind, _)| kind));
        let unread: Vec<Unread> = unread.into_iter().filter_map(blind).collect();
        let record = self.owner.record();
        let now = health(&Scene {
            topology: &topology.topology,
            unheard: &unheard,
            findings: &record.state.findings.findings,
            maintenance: &maintenance,
            adapters: &adapters,
            ways: &ways,
            unread: &unread,
        });
        let changed = self.health.damped.update(now, now_unix_nanos);
        if changed.is_empty() {
            return;
        }
        // It is kept in records.
        self.dirty = true;
        let looks = self.health.view.looks + 1;
        let before = &self.health.view;
        let known: BTreeMap<(Kind, &str), u64> = before
            .entries
            .iter()
            .zip(&before.changed)
            .map(|(entry, look)| ((entry.kind, entry.name.as_str()), *look))
            .collect();
        let is_new = |entry: &Entry| {
            changed
                .iter()
                .any(|new| (new.kind, &new.name) == (entry.kind, &entry.name))
        };
        let changed = self.health.damped.entries().map(|entry| {
            let known = known.get(&(entry.kind, entry.name.as_str())).copied();
            known.filter(|_| !is_new(entry)).unwrap_or(looks)
        });
        let changed = changed.collect();
        self.health.view = Arc::new(HealthView {
            changed,
            looks,
            entries: self.health.damped.entries().cloned().collect(),
            history: self.health.history().to_vec(),
        });
        self.publish();
    }
}

/// What is not known where a class cannot be read, and was not read lately either.
fn blind(unread: history::Unread) -> Option<Unread> {
    let (_, kind) = TELLS.into_iter().find(|(of, _)| *of == unread.kind)?;
    let forgotten = |(read, seen): (i64, i64)| seen.saturating_sub(read) > FORGET_NANOS;
    let is_blind = unread.read_unix_nanos.zip(unread.seen_unix_nanos).is_none_or(forgotten);
    Some(Unread {
        kind,
        text: format!("{} cannot be read: {}", unread.class, unread.reason),
        node: unread.node.filter(|_| is_blind)?,
    })
}
