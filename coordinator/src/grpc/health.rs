//! Health of `fathom.query.v1`.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

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

/// Up to where somebody was told: by which owner of the store, and how often it had found anything changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Token {
    epoch: u64,
    looks: u64,
}

impl Token {
    fn parse(text: &str) -> Option<Self> {
        let (epoch, looks) = text.split_once('.')?;
        Some(Self {
            epoch: epoch.parse().ok()?,
            looks: looks.parse().ok()?,
        })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.looks)
    }
}

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
        let request = request.into_inner();
        let cluster = self.query.cluster(&request.cluster).await?;
        let mut after = match request.resume_token.as_str() {
            "" => None,
            token => Some(Token::parse(token).ok_or_else(|| {
                super::status::invalid("resume_token is not one of an earlier message; begin without a token")
            })?),
        };
        let (outbox, responses) = mpsc::channel(QUEUE);
        let shutdown = self.tasks.shutdown().clone();
        self.tasks.spawn("watch of health", TaskKind::Background, async move {
            let mut is_first = true;
            loop {
                let view = cluster.view();
                let health = Arc::clone(&view.health);
                let now = Token {
                    epoch: view.epoch,
                    looks: health.looks,
                };
                // Another owner has looked anew: what it has not seen change may have changed all the same.
                let known = after.filter(|after| after.epoch == now.epoch && after.looks <= now.looks);
                let is_whole = known.is_none();
                let since = known.map_or(0, |known| known.looks);
                let changed = health.entries.iter().zip(&health.changed);
                let changed = changed.filter(|(_, look)| is_whole || **look > since);
                let entries: Vec<wire::HealthEntry> = changed.map(|(entry, _)| entry.into()).collect();
                if is_first || !entries.is_empty() || is_whole {
                    is_first = false;
                    after = Some(now);
                    let response = wire::WatchHealthResponse {
                        entries,
                        resume_token: now.to_string(),
                        is_whole,
                    };
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
