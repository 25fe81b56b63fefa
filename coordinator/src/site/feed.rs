//! What is to be told of this coordinator's clusters: those that have come, and what changed in each.
//!
//! It tells from what is stored, after the last that the other side has. So whoever was cut off, for however long, is told what it
//! missed and nothing twice; of each cluster at most one message is on its way.

use std::collections::BTreeMap;
use std::time::Duration;

use fathom_model::ClusterId;
use fathom_model::finding::State;
use fathom_model::rollup::{ClusterRollup, Revision};
use fathom_proto::fleet::v1 as wire;
use fathom_proto::fleet::v1::join_request::Message;

use crate::config::{Fleet, Labels};
use crate::error::Result;
use crate::ingest::{Cluster, Clusters};
use crate::query::findings::changes_after;
use crate::query::run;

/// Most changes in a message.
const SOME: usize = 200;

/// Whoever misses more changes than this is told what is open now instead.
const MANY: u64 = 10_000;

/// What is told, and what the other side has of it.
pub(crate) struct Feed {
    clusters: Clusters,
    site: String,
    labels: Labels,
    cluster_labels: BTreeMap<String, Labels>,
    told: BTreeMap<ClusterId, Told>,
}

/// What the other side has of a cluster.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    findings: Option<u64>,
    /// Whether a message about findings is on its way.
    findings_due: bool,
    /// The newest rollup that was sent: to whoever has just joined it is sent again, since he does not know that it still holds.
    rollup: Option<Revision>,
    /// Whether it is on its way.
    rollup_due: bool,
    /// When the coordinator was started, by its clock, whose rollup the other side had before this one sent any.
    before: Option<i64>,
}

impl Told {
    /// A rollup's revision as the other side has to have it: what is told after what it had is newer, also where this machine's clock was
    /// set back in between.
    fn revision(&self, own: Revision) -> Revision {
        let started_unix_ns = match self.before {
            Some(before) if before > own.started_unix_ns => before.saturating_add(1),
            _ => own.started_unix_ns,
        };
        Revision { started_unix_ns, ..own }
    }
}

impl Feed {
    /// Nothing is told yet.
    pub(crate) fn new(clusters: Clusters, config: &Fleet) -> Self {
        Self {
            clusters,
            site: config.site.clone(),
            labels: config.labels.clone(),
            cluster_labels: config.cluster_labels.clone(),
            told: BTreeMap::new(),
        }
    }

    /// The clusters that were not offered yet.
    pub(crate) fn offer(&mut self) -> Vec<wire::OfferedCluster> {
        let mut offered = Vec::new();
        for cluster in self.clusters.all() {
            if self.told.contains_key(&cluster.id) {
                continue;
            }
            self.told.insert(cluster.id.clone(), Told::default());
            let name = cluster.id.to_string();
            let labels = self.cluster_labels.get(&name).cloned().unwrap_or_default();
            offered.push(wire::OfferedCluster { cluster: name, labels });
        }
        offered
    }

    /// The other side has this.
    pub(crate) fn acked(&mut self, ack: &wire::Ack) {
        if let Some(told) = self.told.get_mut(&ClusterId::new(ack.cluster.as_str())) {
            told.findings_due &= told.findings == ack.findings_sequence;
            told.findings = ack.findings_sequence;
            let revision = ack.rollup.map(|revision| Revision {
                started_unix_ns: revision.started_unix_nanos,
                number: revision.number,
            });
            told.rollup_due &= revision < told.rollup;
            if told.rollup.is_none() {
                told.before = revision.map(|revision| revision.started_unix_ns);
            }
        }
    }

    /// What is new now.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub(crate) async fn next(&mut self) -> Result<Vec<wire::JoinRequest>> {
        let mut messages = Vec::new();
        let clusters = self.offer();
        if !clusters.is_empty() {
            messages.push(Message::Clusters(wire::OfferedClusters { clusters }));
        }
        for cluster in self.clusters.all() {
            // Before it is taken over there is nothing true to say.
            if cluster.ready(Duration::ZERO).await.is_err() {
                continue;
            }
            let Some(told) = self.told.get_mut(&cluster.id) else {
                continue;
            };
            if !told.findings_due
                && let Some(update) = findings(&cluster, told.findings).await?
            {
                told.findings_due = true;
                messages.push(Message::Findings(update));
            }
            if let Some(rollup) = cluster.view().rollup.as_ref().filter(|_| !told.rollup_due) {
                let revision = told.revision(rollup.revision);
                if told.rollup == Some(revision) {
                    continue;
                }
                told.rollup_due = true;
                told.rollup = Some(revision);
                let mut rollup = ClusterRollup::clone(rollup);
                rollup.revision = revision;
                rollup.site.clone_from(&self.site);
                rollup.labels.clone_from(&self.labels);
                let own = self.cluster_labels.get(cluster.id.as_str());
                rollup.labels.extend(own.cloned().unwrap_or_default());
                messages.push(Message::Rollup((&rollup).into()));
            }
        }
        let request = |message| wire::JoinRequest { message: Some(message) };
        Ok(messages.into_iter().map(request).collect())
    }
}

/// What is new of a cluster's findings for whoever has changes up to this one.
async fn findings(cluster: &Cluster, has: Option<u64>) -> Result<Option<wire::FindingsUpdate>> {
    let view = cluster.view();
    let last = view.findings_sequence;
    match has {
        Some(has) if has == last => Ok(None),
        Some(has) if has < last && last - has <= MANY => {
            let reader = cluster.clone();
            let mut changes = run(move || changes_after(&reader, &view, has)).await?;
            changes.truncate(SOME);
            Ok(changes
                .last()
                .map(|change| change.sequence)
                .map(|sequence| wire::FindingsUpdate {
                    cluster: cluster.id.to_string(),
                    changes: changes.iter().map(Into::into).collect(),
                    sequence,
                    ..wire::FindingsUpdate::default()
                }))
        }
        _ => {
            let open = view.findings.iter().filter(|finding| finding.state == State::Open);
            Ok(Some(wire::FindingsUpdate {
                cluster: cluster.id.to_string(),
                reset: true,
                open: open.map(Into::into).collect(),
                sequence: last,
                ..wire::FindingsUpdate::default()
            }))
        }
    }
}

#[cfg(test)]
mod tests;
