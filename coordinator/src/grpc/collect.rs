//! `fathom.collect.v1`.

use std::pin::Pin;

use fathom_proto::collect::v1 as wire;
use fathom_proto::collect::v1::collect_service_server::CollectService;
use fathom_runtime::tasks::{Kind, TaskGroup};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::ingest::{Clusters, OUTBOX, serve};

/// Takes streams and gives each a session.
#[derive(Clone)]
pub(crate) struct Collect {
    clusters: Clusters,
    tasks: TaskGroup,
}

impl Collect {
    pub(crate) const fn new(clusters: Clusters, tasks: TaskGroup) -> Self {
        Self { clusters, tasks }
    }
}

#[tonic::async_trait]
impl CollectService for Collect {
    type CollectStream = Pin<Box<dyn Stream<Item = Result<wire::CollectResponse, Status>> + Send>>;

    async fn collect(
        &self,
        request: Request<Streaming<wire::CollectRequest>>,
    ) -> Result<Response<Self::CollectStream>, Status> {
        let from = request.remote_addr();
        let (outbox, responses) = mpsc::channel(OUTBOX);
        let clusters = self.clusters.clone();
        let shutdown = self.tasks.shutdown().clone();
        self.tasks.spawn("session", Kind::Background, async move {
            // Daemons keep their streams open for ever; a coordinator that stops does not wait for them.
            tokio::select! {
                () = serve(clusters, request.into_inner(), outbox, from) => {}
                _ = shutdown.requested() => {}
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(responses))))
    }
}
