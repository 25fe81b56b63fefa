//! `SiteService` of `fathom.fleet.v1`: sites that join, and their answers.

use std::pin::Pin;

use fathom_identity::holder::Holder;
use fathom_proto::fleet::v1 as wire;
use fathom_proto::fleet::v1::site_service_server::SiteService;
use fathom_runtime::tasks::{Kind, TaskGroup};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::fleet::session::{deliver, serve};
use crate::fleet::{OUTBOX, Sites};

/// Takes sites, where this is a fleet coordinator.
#[derive(Clone)]
pub(crate) struct Site {
    sites: Sites,
    is_fleet: bool,
    tasks: TaskGroup,
}

impl Site {
    pub(crate) const fn new(sites: Sites, is_fleet: bool, tasks: TaskGroup) -> Self {
        Self { sites, is_fleet, tasks }
    }
}

/// Whose certificate the connection was made with. Over anything but TLS nobody is known.
fn peer<T>(request: &Request<T>) -> Holder {
    let certificates = request.peer_certs();
    let own = certificates.as_deref().and_then(|chain| chain.first());
    own.map(Holder::of).unwrap_or_default()
}

#[tonic::async_trait]
impl SiteService for Site {
    type JoinStream = Pin<Box<dyn Stream<Item = Result<wire::JoinResponse, Status>> + Send>>;

    async fn join(&self, request: Request<Streaming<wire::JoinRequest>>) -> Result<Response<Self::JoinStream>, Status> {
        if !self.is_fleet {
            return Err(super::status::no_fleet());
        }
        let peer = peer(&request);
        let (outbox, responses) = mpsc::channel(OUTBOX);
        let sites = self.sites.clone();
        let shutdown = self.tasks.shutdown().clone();
        self.tasks.spawn("site", Kind::Background, async move {
            // Sites keep their streams open for ever; a coordinator that stops does not wait for them.
            tokio::select! {
                () = serve(sites, &peer, request.into_inner(), outbox) => {}
                _ = shutdown.requested() => {}
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(responses))))
    }

    async fn deliver_answer(
        &self,
        request: Request<Streaming<wire::DeliverAnswerRequest>>,
    ) -> Result<Response<wire::DeliverAnswerResponse>, Status> {
        let peer = peer(&request);
        deliver(&self.sites, &peer, request.into_inner()).await?;
        Ok(Response::new(wire::DeliverAnswerResponse {}))
    }
}
