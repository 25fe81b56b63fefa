//! What is known of one cluster: its open findings as of one change, and its newest rollup.

use std::collections::BTreeMap;

use fathom_model::rollup::{ClusterRollup, Revision};
use fathom_proto::fleet::v1 as wire;
use fathom_proto::query::v1 as query;
use tonic::Status;

use crate::grpc::status;

/// Most open findings that are kept of a cluster: its site has no more than it can show itself.
const OPEN: usize = 10_000;

/// A site's cluster.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    /// Its own labels, without those of its site.
    pub(crate) labels: BTreeMap<String, String>,
    /// None: its site has not told yet.
    pub(crate) findings: Option<Findings>,
    /// Since when its site has been joining without it. None: it is served.
    pub(crate) withdrawn_since_unix_nanos: Option<i64>,
}

/// Findings of a cluster, as of one change.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Findings {
    pub(crate) sequence: u64,
    pub(crate) open: BTreeMap<String, query::Finding>,
}

impl Findings {
    /// The open ones that cost most.
    pub(crate) fn costliest(&self, most: usize) -> Vec<query::Finding> {
        let mut open: Vec<&query::Finding> = self.open.values().collect();
        open.sort_by_key(|finding| std::cmp::Reverse(finding.cost_nanos));
        open.into_iter().take(most).cloned().collect()
    }
}

impl Cluster {
    /// What is known of it.
    pub(super) fn position(&self, name: &str, rollup: Option<Revision>) -> wire::Ack {
        wire::Ack {
            cluster: name.to_owned(),
            findings_sequence: self.findings.as_ref().map(|findings| findings.sequence),
            rollup: rollup.map(|revision| wire::RollupRevision {
                started_unix_nanos: revision.started_unix_ns,
                number: revision.number,
            }),
        }
    }

    pub(super) fn take_findings(&mut self, update: wire::FindingsUpdate) -> Result<(), Status> {
        if update.reset {
            let open = update
                .open
                .into_iter()
                .take(OPEN)
                .map(|finding| (finding.id.clone(), finding));
            self.findings = Some(Findings {
                sequence: update.sequence,
                open: open.collect(),
            });
            return Ok(());
        }
        let Some(findings) = &mut self.findings else {
            return Err(status::findings_skipped(&update.cluster, 0, update.sequence));
        };
        for change in update.changes {
            if change.sequence <= findings.sequence {
                continue;
            }
            if change.sequence != findings.sequence + 1 {
                return Err(status::findings_skipped(
                    &update.cluster,
                    findings.sequence,
                    change.sequence,
                ));
            }
            findings.sequence = change.sequence;
            let Some(finding) = change.finding else { continue };
            if finding.state == "closed" {
                findings.open.remove(&finding.id);
            } else if findings.open.len() < OPEN || findings.open.contains_key(&finding.id) {
                findings.open.insert(finding.id.clone(), finding);
            }
        }
        Ok(())
    }

    /// As a predecessor kept it.
    pub(super) fn restore(kept: wire::KeptCluster) -> (String, Self) {
        let open = kept.open.into_iter().map(|finding| (finding.id.clone(), finding));
        let open: BTreeMap<_, _> = open.collect();
        let restored = Self {
            labels: kept.labels,
            findings: kept.findings_sequence.map(|sequence| Findings { sequence, open }),
            withdrawn_since_unix_nanos: kept.withdrawn_since_unix_nanos,
        };
        (kept.cluster, restored)
    }

    /// As a successor needs it.
    pub(super) fn kept(&self, name: &str, rollup: Option<(&ClusterRollup, i64)>) -> wire::KeptCluster {
        let findings = self.findings.as_ref();
        wire::KeptCluster {
            cluster: name.to_owned(),
            labels: self.labels.clone(),
            findings_sequence: findings.map(|findings| findings.sequence),
            open: findings.map_or_else(Vec::new, |findings| findings.open.values().cloned().collect()),
            rollup: rollup.map(|(rollup, _)| rollup.into()),
            rollup_heard_unix_nanos: rollup.map_or(0, |(_, heard)| heard),
            shown: None,
            unheard: false,
            variants: Vec::new(),
            withdrawn_since_unix_nanos: self.withdrawn_since_unix_nanos,
        }
    }
}
