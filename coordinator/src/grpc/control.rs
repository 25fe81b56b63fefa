//! `fathom.control.v1`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// So many requests are known by their ids, and an id has so many bytes at most.
const REQUESTS: usize = 1000;
const LONGEST_ID: usize = 128;

/// Takes orders.
#[derive(Clone)]
pub(crate) struct Control {
    query: Query,
    done: Arc<Mutex<Done>>,
}

/// Requests that were done, the oldest first, each with its answer: those that are sent again are not done again. An order lives as long as
/// this process, and so does what is known of it.
#[derive(Debug, Default)]
struct Done(VecDeque<(wire::SetProfileRequest, wire::SetProfileResponse)>);

impl Done {
    /// What the same request was answered with; a fault where its id was another's.
    fn find(&self, request: &wire::SetProfileRequest) -> Result<Option<wire::SetProfileResponse>, Status> {
        let id = &request.request_id;
        if id.is_empty() {
            return Ok(None);
        }
        match self.0.iter().find(|(done, _)| done.request_id == *id) {
            None => Ok(None),
            Some((done, answer)) if done == request => Ok(Some(answer.clone())),
            Some(_) => Err(status::refused_order("REQUEST_ID", status::OTHER_REQUEST)),
        }
    }

    fn note(&mut self, request: wire::SetProfileRequest, answer: wire::SetProfileResponse) {
        if request.request_id.is_empty() {
            return;
        }
        if self.0.len() == REQUESTS {
            self.0.pop_front();
        }
        self.0.push_back((request, answer));
    }
}

impl Control {
    pub(crate) fn new(query: Query) -> Self {
        Self {
            query,
            done: Arc::default(),
        }
    }

    fn done(&self) -> MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
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
        if request.request_id.len() > LONGEST_ID {
            let message = format!("request_id may have {LONGEST_ID} bytes");
            return Err(status::refused_order("REQUEST_ID", message));
        }
        let cluster = self.query.cluster(&request.cluster).await?;
        if let Some(answer) = self.done().find(&request)? {
            return Ok(Response::new(answer));
        }
        let order = Order {
            nodes: request.nodes.iter().map(|node| NodeId::from(node.as_str())).collect(),
            profile,
            lasts,
        };
        let told = cluster.order(order).await.ok_or_else(status::stopping)?;
        tracing::info!(cluster = %cluster.id, profile = request.profile, nodes = told.len(), "profile ordered");
        let answer = wire::SetProfileResponse {
            cluster: cluster.id.to_string(),
            nodes: told
                .into_iter()
                .map(|told| wire::OrderedNode {
                    node: told.node.to_string(),
                    told: told.told,
                })
                .collect(),
        };
        self.done().note(request, answer.clone());
        Ok(Response::new(answer))
    }
}

#[cfg(test)]
mod tests;
