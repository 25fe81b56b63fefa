//! Health of `fathom.query.v1`.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use fathom_model::health::{Entry, Kind};
use fathom_proto::query::v1 as wire;
use fathom_proto::query::v1::health_service_server::HealthService;
use fathom_runtime::tasks::{Kind as TaskKind, TaskGroup};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::query::Query;

/// How often a watch looks for what is new: the worker looks every second.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Messages of a watch on their way. When it is full the watch waits, and says the newest when it goes on.
const QUEUE: usize = 4;

/// Answers how things are.
#[derive(Clone)]
pub(crate) struct Health {
    query: Query,
    tasks: TaskGroup,
}

impl Health {
    pub(crate) const fn new(query: Query, tasks: TaskGroup) -> Self {
        Self { query, tasks }
    }
}

#[tonic::async_trait]
impl HealthService for Health {
    async fn get_health(
        &self,
        request: Request<wire::GetHealthRequest>,
    ) -> Result<Response<wire::GetHealthResponse>, Status> {
        let request = request.into_inner();
        let cluster = self.query.cluster(&request.cluster).await?;
        let coverage = Query::coverage_of(&cluster).await?;
        let health = Arc::clone(&cluster.view().health);
        let history = if request.history { &health.history[..] } else { &[] };
        Ok(Response::new(wire::GetHealthResponse {
            entries: health.entries.iter().map(Into::into).collect(),
            coverage: Some(coverage),
            history: history.iter().map(Into::into).collect(),
        }))
    }

    type WatchHealthStream = Pin<Box<dyn Stream<Item = Result<wire::WatchHealthResponse, Status>> + Send>>;

    async fn watch_health(
        &self,
        request: Request<wire::WatchHealthRequest>,
    ) -> Result<Response<Self::WatchHealthStream>, Status> {
        let cluster = self.query.cluster(&request.into_inner().cluster).await?;
        let (outbox, responses) = mpsc::channel(QUEUE);
        let shutdown = self.tasks.shutdown().clone();
        self.tasks.spawn("watch of health", TaskKind::Background, async move {
            let mut told: BTreeMap<(Kind, String), Entry> = BTreeMap::new();
            let mut is_first = true;
            loop {
                let health = Arc::clone(&cluster.view().health);
                let mut changed = Vec::new();
                for entry in &health.entries {
                    let name = (entry.kind, entry.name.clone());
                    if told.get(&name) != Some(entry) {
                        changed.push(entry.into());
                        told.insert(name, entry.clone());
                    }
                }
                if is_first || !changed.is_empty() {
                    is_first = false;
                    let response = wire::WatchHealthResponse { entries: changed };
                    if outbox.send(Ok(response)).await.is_err() {
                        return;
                    }
                }
                tokio::select! {
                    () = outbox.closed() => return,
                    _ = shutdown.requested() => {
                        // Whoever watches goes on with the next coordinator.
                        let _ = outbox.try_send(Err(super::status::stopping()));
                        return;
                    }
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(responses))))
    }
}
