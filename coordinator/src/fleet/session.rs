//! A site's stream, and its answers, as this side of them.

use fathom_identity::holder::Holder;
use fathom_proto::fleet::v1 as wire;
use fathom_proto::fleet::v1::deliver_answer_request::Part as WirePart;
use fathom_proto::fleet::v1::join_request::Message as Request;
use fathom_proto::fleet::v1::join_response::Message as Response;
use tonic::{Status, Streaming};

use super::answer::{Part, from_wire};
use super::{Outbox, Sites};
use crate::grpc::status;

/// Reads a site's stream until it ends. A fault of the site goes back to it as a status.
pub(crate) async fn serve(sites: Sites, peer: &Holder, mut requests: Streaming<wire::JoinRequest>, outbox: Outbox) {
    let (site, session) = match open(&sites, peer, &mut requests, &outbox).await {
        Ok(Some(opened)) => opened,
        Ok(None) => return,
        Err(status) => {
            tracing::warn!(%peer, code = ?status.code(), message = status.message(), "site refused");
            // The site may be gone already; then nobody needs to know.
            let _ = outbox.send(Err(status)).await;
            return;
        }
    };
    let _left = Left {
        sites: sites.clone(),
        site: site.clone(),
        session,
    };
    match follow(&sites, &site, session, &mut requests, &outbox).await {
        Ok(()) => tracing::info!(site, "site left"),
        Err(status) => {
            tracing::warn!(site, code = ?status.code(), message = status.message(), "site cut off");
            let _ = outbox.send(Err(status)).await;
        }
    }
}

/// However the session ends, the site is missing then.
struct Left {
    sites: Sites,
    site: String,
    session: u64,
}

impl Drop for Left {
    fn drop(&mut self) {
        self.sites.leave(&self.site, self.session);
    }
}

fn response(message: Response) -> wire::JoinResponse {
    wire::JoinResponse { message: Some(message) }
}

async fn open(
    sites: &Sites,
    peer: &Holder,
    requests: &mut Streaming<wire::JoinRequest>,
    outbox: &Outbox,
) -> Result<Option<(String, u64)>, Status> {
    let Some(first) = requests.message().await? else {
        return Ok(None);
    };
    let Some(Request::Hello(hello)) = first.message else {
        return Err(status::no_site_hello());
    };
    let site = hello.site.clone();
    if !peer.is_called(&site) {
        return Err(status::not_its_name(&site, peer));
    }
    let clusters = hello.clusters.len();
    let version = hello.version.clone();
    // The welcome has to be the first message, so questions go the same way only after it: the place is taken before they can.
    let place = outbox.reserve().await.map_err(|_| status::cut_off(&site))?;
    let (session, welcome) = sites.join(hello, outbox.clone())?;
    place.send(Ok(response(Response::Welcome(welcome))));
    tracing::info!(site, clusters, version, "site joined");
    Ok(Some((site, session)))
}

async fn follow(
    sites: &Sites,
    site: &str,
    session: u64,
    requests: &mut Streaming<wire::JoinRequest>,
    outbox: &Outbox,
) -> Result<(), Status> {
    loop {
        let request = tokio::select! {
            request = requests.message() => request?,
            // Another session of the site has taken over, and its connection is dropped.
            () = outbox.closed() => return Ok(()),
        };
        let Some(request) = request else { return Ok(()) };
        if let Some(ack) = sites.take(site, session, request)? {
            let sent = outbox.send(Ok(response(Response::Ack(ack)))).await;
            sent.map_err(|_| status::cut_off(site))?;
        }
    }
}

/// Takes an answer to whoever waits for it.
pub(crate) async fn deliver(
    sites: &Sites,
    peer: &Holder,
    mut parts: Streaming<wire::DeliverAnswerRequest>,
) -> Result<(), Status> {
    let first = parts.message().await?.and_then(|first| first.part);
    let Some(WirePart::Head(head)) = first else {
        return Err(status::bad_site("the first part of an answer must be its head"));
    };
    if !peer.is_called(&head.site) {
        return Err(status::not_its_name(&head.site, peer));
    }
    let pending = sites
        .waiting_for(head.question_id, &head.site)
        .ok_or_else(|| status::not_asked(head.question_id))?;
    loop {
        let part = tokio::select! {
            part = parts.message() => part?,
            // Whoever asked is gone, or the site's session is over; dropping its end of the way tells whoever waits.
            () = pending.parts.closed() => return Ok(()),
            () = pending.cut.cancelled() => return Ok(()),
        };
        let (part, is_last) = match part.and_then(|part| part.part) {
            Some(WirePart::Frames(frames)) => (Part::Frames(frames), false),
            Some(WirePart::End(end)) => {
                let trailers = from_wire(&end);
                let trailers = trailers.ok_or_else(|| status::bad_site("an answer's trailers cannot be read"))?;
                (Part::End(trailers), true)
            }
            Some(WirePart::Head(_)) => return Err(status::bad_site("an answer has one head")),
            // It broke off.
            None => return Ok(()),
        };
        tokio::select! {
            sent = pending.parts.send(part) => {
                if sent.is_err() || is_last {
                    return Ok(());
                }
            }
            () = pending.cut.cancelled() => return Ok(()),
        }
    }
}
