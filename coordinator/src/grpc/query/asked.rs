//! What a question is about: the cluster, its rows, and what an answer about them does not see.

use std::time::Duration;

use fathom_model::ClusterId;
use fathom_proto::convert::query::coverage_to_wire;
use fathom_proto::query::v1 as wire;
use tonic::Status;

use super::Query;
use crate::grpc::status;
use crate::grpc::unseen::{unseen, unseen_since};
use crate::ingest::{Cluster, WorkerReport};
use crate::query::{Filter, Snapshot};

/// How long a question waits for a cluster that is being taken over.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

impl Query {
    /// The cluster that is meant, taken over.
    pub(in crate::grpc) async fn cluster(&self, name: &str) -> Result<Cluster, Status> {
        let cluster = self.find(name)?;
        cluster.ready(PATIENCE).await?;
        Ok(cluster)
    }

    fn find(&self, name: &str) -> Result<Cluster, Status> {
        let all = self.clusters.all();
        if name.is_empty() {
            return match &all[..] {
                [only] => Ok(only.clone()),
                [] => Err(status::not_found(
                    "NO_CLUSTER",
                    "no daemon has connected yet: there is no cluster to ask about",
                )),
                several => {
                    let names: Vec<&str> = several.iter().map(|cluster| cluster.id.as_str()).collect();
                    Err(status::invalid(format!(
                        "which cluster? name one (--cluster); this coordinator serves {}",
                        names.join(", ")
                    )))
                }
            };
        }
        self.clusters.get(&ClusterId::new(name)).ok_or_else(|| {
            if all.is_empty() {
                let message = format!("no daemon has connected yet: there is no cluster `{name}` to ask about");
                return status::not_found("NO_CLUSTER_YET", message);
            }
            let names: Vec<&str> = all.iter().map(|cluster| cluster.id.as_str()).collect();
            let known = names.join(", ");
            status::not_found("NO_CLUSTER", format!("there is no cluster `{name}` (known: {known})"))
        })
    }

    pub(in crate::grpc) async fn snapshot(
        &self,
        cluster: &str,
        filter: Option<wire::IoFilter>,
    ) -> Result<Snapshot, Status> {
        let mut filter = Filter::from_wire(filter)?;
        let cluster = self.cluster(cluster).await?;
        if let Some(topology) = &cluster.view().topology {
            filter.find_disk(topology);
        }
        let snapshot = Snapshot::new(cluster, filter.clone());
        if let Some(topology) = &snapshot.view().topology {
            filter.check_names(topology)?;
        }
        Ok(snapshot)
    }

    pub(super) async fn worker(cluster: &Cluster) -> Result<WorkerReport, Status> {
        cluster.report().await.ok_or_else(status::stopping)
    }

    /// What an answer about how a cluster stands now does not see.
    pub(in crate::grpc) async fn coverage_of(cluster: &Cluster) -> Result<wire::Coverage, Status> {
        let snapshot = Snapshot::new(cluster.clone(), Filter::default());
        let report = Self::worker(cluster).await?;
        let nodes = unseen(&report);
        Ok(coverage_to_wire(&nodes, &report.oddities, snapshot.newest(), None))
    }

    /// What an answer from a snapshot does not see.
    pub(in crate::grpc) async fn coverage(snapshot: &Snapshot) -> Result<wire::Coverage, Status> {
        let report = Self::worker(snapshot.cluster()).await?;
        Ok(coverage_to_wire(
            &unseen_since(&report, snapshot.from()),
            &report.oddities,
            snapshot.newest(),
            snapshot.from(),
        ))
    }
}
