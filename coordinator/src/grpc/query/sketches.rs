//! `GetLatencySketches`.

use fathom_proto::query::v1 as wire;
use tonic::Status;

use super::{Query, choose, source_to_wire, wanted};
use crate::grpc::status;
use crate::query::run;

impl Query {
    /// Latency in a form that can be added up over clusters.
    pub(super) async fn sketches(
        &self,
        request: wire::GetLatencySketchesRequest,
    ) -> Result<wire::GetLatencySketchesResponse, Status> {
        let wanted = wanted(&request.source)?;
        let mut snapshot = self.snapshot(&request.cluster, request.filter).await?;
        let can = snapshot.tables_can();
        let by_tables = choose(&mut snapshot, wanted, can)?;
        let coverage = Self::coverage(&snapshot).await?;
        let found = run(move || snapshot.sketches(by_tables)).await;
        let (latency, source) = found.map_err(|error| status::of(&error))?;
        Ok(wire::GetLatencySketchesResponse {
            latency: latency.iter().map(Into::into).collect(),
            coverage: Some(coverage),
            source: Some(source_to_wire(source)),
        })
    }
}
