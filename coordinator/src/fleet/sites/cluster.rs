//! What is known of one cluster: its open findings as of one change, and its newest rollup.

use std::collections::BTreeMap;
use std::sync::Arc;

use fathom_model::rollup::ClusterRollup;
use fathom_proto::convert::rollup::rollup_from_wire;
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
    /// None: its site has not told yet.
    pub(crate) rollup: Option<Rollup>,
}

/// A cluster in short, as its site told it last.
#[derive(Clone, Debug)]
pub(crate) struct Rollup {
    pub(crate) model: Arc<ClusterRollup>,
    /// As it came: for a successor.
    wire: wire::ClusterRollup,
    pub(crate) heard_unix_nanos: i64,
}

/// Findings of a cluster, as of one change.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Findings {
    pub(crate) sequence: u64,
    pub(crate) open: BTreeMap<String, query::Finding>,
}

impl Cluster {
    /// What is known of it.
    pub(super) fn position(&self, name: &str) -> wire::Ack {
        wire::Ack {
            cluster: name.to_owned(),
            findings_sequence: self.findings.as_ref().map(|findings| findings.sequence),
            rollup: self.rollup.as_ref().and_then(|rollup| rollup.wire.revision),
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

    /// A rollup: of one that is not newer than what is here nothing is taken.
    pub(super) fn take_rollup(&mut self, rollup: wire::ClusterRollup, now: i64) -> Result<(), Status> {
        let refused = |error: fathom_proto::convert::Error| status::bad_site(format!("a rollup: {error}"));
        let model = rollup_from_wire(rollup.clone()).map_err(refused)?;
        if self
            .rollup
            .as_ref()
            .is_some_and(|known| known.model.revision > model.revision)
        {
            return Ok(());
        }
        self.rollup = Some(Rollup {
            wire: rollup,
            model: Arc::new(model),
            heard_unix_nanos: now,
        });
        Ok(())
    }

    /// As a predecessor kept it.
    pub(super) fn restore(kept: wire::KeptCluster) -> (String, Self) {
        let open = kept.open.into_iter().map(|finding| (finding.id.clone(), finding));
        let open: BTreeMap<_, _> = open.collect();
        let rollup = kept.rollup.and_then(|rollup| {
            Some(Rollup {
                model: Arc::new(rollup_from_wire(rollup.clone()).ok()?),
                wire: rollup,
                heard_unix_nanos: kept.rollup_heard_unix_nanos,
            })
        });
        let restored = Self {
            labels: kept.labels,
            findings: kept.findings_sequence.map(|sequence| Findings { sequence, open }),
            rollup,
        };
        (kept.cluster, restored)
    }

    /// As a successor needs it.
    pub(super) fn kept(&self, name: &str) -> wire::KeptCluster {
        let findings = self.findings.as_ref();
        wire::KeptCluster {
            cluster: name.to_owned(),
            labels: self.labels.clone(),
            findings_sequence: findings.map(|findings| findings.sequence),
            open: findings.map_or_else(Vec::new, |findings| findings.open.values().cloned().collect()),
            rollup: self.rollup.as_ref().map(|rollup| rollup.wire.clone()),
            rollup_heard_unix_nanos: self.rollup.as_ref().map_or(0, |rollup| rollup.heard_unix_nanos),
        }
    }
}
