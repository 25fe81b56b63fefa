//! How everything in the cluster is, looked at every second.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fathom_diagnose::health::{Damped, Scene, health};
use fathom_model::NodeId;
use fathom_model::health::{Entry, Span};

use super::Running;

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Health as it is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct HealthView {
    /// The cluster, then nodes, disks, links and volumes by name.
    pub(crate) entries: Vec<Entry>,
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
    pub(super) fn resume(history: Vec<Span>) -> Self {
        Self {
            damped: Damped::resume(history),
            ..Self::default()
        }
    }

    pub(super) fn history(&self) -> &[Span] {
        self.damped.history()
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
        let record = self.owner.record();
        let now = health(&Scene {
            topology: &topology.topology,
            unheard: &unheard,
            findings: &record.state.findings.findings,
            // Nobody says yet that a node is worked on.
            maintenance: &BTreeSet::new(),
        });
        let known = self.health.history().len();
        let last = self.health.history().last().cloned();
        let changed = self.health.damped.update(now, now_unix_nanos);
        if changed.is_empty() {
            return;
        }
        if self.health.history().len() != known || self.health.history().last() != last.as_ref() {
            // The history is kept in records.
            self.dirty = true;
        }
        self.health.view = Arc::new(HealthView {
            entries: self.health.damped.entries().cloned().collect(),
            history: self.health.history().to_vec(),
        });
        self.publish();
    }
}
