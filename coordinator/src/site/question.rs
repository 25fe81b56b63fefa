//! A question of the fleet, answered by this coordinator's own services and handed up as it comes.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fathom_proto::fleet::v1 as wire;
use fathom_proto::fleet::v1::deliver_answer_request::Part;
use fathom_proto::fleet::v1::site_service_client::SiteServiceClient;
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderValue, Method, Request, Version};
use http_body::Body as _;
use http_body_util::Full;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::Channel;
use tower::ServiceExt as _;

use super::places::Places;
use super::policy::is_watch;
use crate::config::Policy;
use crate::fleet::answer::{to_wire, trailers_of};
use crate::fleet::frame::{self, RowCount};
use crate::grpc::status;

/// Parts on their way up. When it is full the scan behind the answer waits.
const PARTS: usize = 4;

/// Largest part: a message may be larger and goes in several.
const PART_BYTES: usize = 256 * 1024;

/// Where questions are answered.
pub(super) struct Desk {
    pub(super) site: String,
    pub(super) policy: Policy,
    pub(super) services: Routes,
    /// One a question that may be answered at once.
    pub(super) places: Places,
}

impl Desk {
    /// Answers a question. Whatever comes of it goes up; when that cannot be, nobody waits any more.
    pub(super) async fn answer(&self, question: wire::Question, mut answers: SiteServiceClient<Channel>) {
        let (outbox, parts) = mpsc::channel(PARTS);
        let head = wire::AnswerHead {
            question_id: question.id,
            site: self.site.clone(),
        };
        let speak = async move {
            if !say(&outbox, Part::Head(head)).await {
                return;
            }
            if let Some(trailers) = self.limited(&question, &outbox).await {
                say(&outbox, Part::End(to_wire(&trailers))).await;
            }
        };
        let deliver = answers.deliver_answer(ReceiverStream::new(parts));
        // Whichever ends first: a fleet coordinator that wants no more of it ends its call.
        tokio::pin!(deliver);
        let delivered = tokio::select! {
            delivered = &mut deliver => delivered,
            () = speak => deliver.await,
        };
        if let Err(status) = delivered {
            tracing::debug!(code = ?status.code(), message = status.message(), "an answer was not taken");
        }
    }

    /// The trailers of an answer whose frames went up; none where nobody takes them.
    async fn limited(
        &self,
        question: &wire::Question,
        outbox: &mpsc::Sender<wire::DeliverAnswerRequest>,
    ) -> Option<HeaderMap> {
        let refused = |status: &Status| Some(trailers_of(status));
        if !self.policy.allows(&question.method) {
            let allows = self.policy.allows_text();
            return refused(&status::site_policy(&self.site, &question.method, &allows));
        }
        let asked = question.deadline_nanos.map(Duration::from_nanos);
        let begun = Instant::now();
        let Some(_place) = self.places.take(is_watch(&question.method), asked).await else {
            return refused(&status::site_busy(&self.site));
        };
        let asked = asked.map(|asked| asked.saturating_sub(begun.elapsed()));
        let own = (!is_watch(&question.method)).then_some(self.policy.max_time);
        let Some(time) = asked.into_iter().chain(own).min() else {
            return self.forward(question, outbox).await;
        };
        match tokio::time::timeout(time, self.forward(question, outbox)).await {
            Ok(trailers) => trailers,
            Err(_) => refused(&status::site_time(&self.site, time)),
        }
    }

    async fn forward(
        &self,
        question: &wire::Question,
        outbox: &mpsc::Sender<wire::DeliverAnswerRequest>,
    ) -> Option<HeaderMap> {
        // What was said of the cluster beside the request has to be what stands in it.
        if frame::cluster(&question.request).as_deref() != Ok(question.cluster.as_str()) {
            let status = status::bad_request("the question and its request name different clusters");
            return Some(trailers_of(&status));
        }
        let body = Body::new(Full::new(frame::framed(&question.request)));
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        let Ok(path) = question.method.parse() else {
            return Some(trailers_of(&status::bad_request("the method is no path")));
        };
        *request.uri_mut() = path;
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
        let Ok(response) = self.services.clone().oneshot(request).await;
        let (parts, mut body) = response.into_parts();
        let (mut rows, mut bytes) = (RowCount::default(), 0);
        loop {
            let frame = match poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
                None => break,
                Some(Err(status)) => return Some(trailers_of(&status)),
                Some(Ok(frame)) => frame,
            };
            let frames = match frame.into_data() {
                Ok(frames) => frames,
                Err(frame) => match frame.into_trailers() {
                    Ok(trailers) => return Some(trailers),
                    Err(_) => continue,
                },
            };
            bytes += frames.len() as u64;
            if bytes > self.policy.max_answer_bytes {
                return Some(trailers_of(&status::site_bytes(
                    &self.site,
                    self.policy.max_answer_bytes,
                )));
            }
            if rows.add(&frames) > self.policy.max_rows {
                return Some(trailers_of(&status::site_rows(&self.site, self.policy.max_rows)));
            }
            if !send(outbox, frames).await {
                return None;
            }
        }
        // An answer without a message has its status among its headers.
        let mut trailers = HeaderMap::new();
        for (name, value) in &parts.headers {
            if name.as_str().starts_with("grpc-status") || name.as_str() == "grpc-message" {
                trailers.append(name.clone(), value.clone());
            }
        }
        if trailers.is_empty() {
            trailers = trailers_of(&Status::internal("the answer has no end"));
        }
        Some(trailers)
    }
}

async fn say(outbox: &mpsc::Sender<wire::DeliverAnswerRequest>, part: Part) -> bool {
    outbox
        .send(wire::DeliverAnswerRequest { part: Some(part) })
        .await
        .is_ok()
}

async fn send(outbox: &mpsc::Sender<wire::DeliverAnswerRequest>, mut frames: Bytes) -> bool {
    while !frames.is_empty() {
        let part = frames.split_to(frames.len().min(PART_BYTES));
        if !say(outbox, Part::Frames(part)).await {
            return false;
        }
    }
    true
}
