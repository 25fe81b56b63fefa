//! `fathom.control.v1`.

use std::time::Duration;

use fathom_model::NodeId;
use fathom_proto::collect::v1 as collect;
use fathom_proto::control::v1 as wire;
use fathom_proto::control::v1::control_service_server::ControlService;
use tonic::{Request, Response, Status};

use super::query::Query;
use super::status;
use crate::ingest::Order;

/// The longest order.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Takes orders.
#[derive(Clone)]
pub(crate) struct Control {
    query: Query,
}

impl Control {
    pub(crate) const fn new(query: Query) -> Self {
        Self { query }
    }
}

#[tonic::async_trait]
impl ControlService for Control {
    async fn set_profile(
        &self,
        request: Request<wire::SetProfileRequest>,
    ) -> Result<Response<wire::SetProfileResponse>, Status> {
        let request = request.into_inner();
        let profile = match request.profile.as_str() {
            "" => None,
            "off" => Some(collect::Profile::Off),
            "slow-only" => Some(collect::Profile::SlowOnly),
            "writes" => Some(collect::Profile::Writes),
            "full" => Some(collect::Profile::Full),
            other => {
                let message = format!("`{other}` is not a profile (known: off, slow-only, writes, full)");
                return Err(status::refused_order("PROFILE", message));
            }
        };
        let lasts = Duration::from_nanos(request.for_nanos);
        let fits = match profile {
            Some(_) => !lasts.is_zero() && lasts <= LONGEST,
            None => lasts.is_zero(),
        };
        if !fits {
            let message = "a profile is ordered for more than 0 and at most 24 hours, and taken back without a time";
            return Err(status::refused_order("PROFILE_TIME", message));
        }
        let cluster = self.query.cluster(&request.cluster).await?;
        let order = Order {
            nodes: request.nodes.iter().map(|node| NodeId::from(node.as_str())).collect(),
            profile,
            lasts,
        };
        let told = cluster.order(order).await.ok_or_else(status::stopping)?;
        tracing::info!(cluster = %cluster.id, profile = request.profile, nodes = told.len(), "profile ordered");
        Ok(Response::new(wire::SetProfileResponse {
            cluster: cluster.id.to_string(),
            nodes: told
                .into_iter()
                .map(|told| wire::OrderedNode {
                    node: told.node.to_string(),
                    told: told.told,
                })
                .collect(),
        }))
    }
}
