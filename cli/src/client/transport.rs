//! The way of a question: over a connection, or, where several clusters are asked the same one, what a fleet coordinator has fetched of each.
//!
//! A command is run for each of several clusters as for one. It is run once before, to learn what it asks first: that is put to all of them
//! in one call, and when a cluster's answer is there, the command runs with it. What it asks after that goes its usual way.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tower::Service;

/// gRPC's flag and length before each message.
const HEAD: usize = 5;

/// The tag of a request's field 1, which names its cluster.
const CLUSTER_TAG: u8 = 0x0a;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// A question as it is put to several clusters: of whom it is about nothing is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// The method as in the path of gRPC.
    pub(crate) method: String,
    /// The request without its cluster.
    pub(crate) request: Bytes,
}

/// What came of a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The messages, each with gRPC's head.
    pub(crate) frames: Bytes,
    /// How it ended.
    pub(crate) status: Status,
}

/// What is done with the first question of a command.
#[derive(Clone, Debug)]
pub(crate) enum First {
    /// It is noted, and goes nowhere.
    Note(Arc<Mutex<Option<Question>>>),
    /// Its answer is there, once.
    Known(Question, Arc<Mutex<Option<Answer>>>),
}

/// A connection to a coordinator.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    channel: Channel,
    first: Option<First>,
}

impl Transport {
    /// One over which all questions go.
    pub(crate) const fn new(channel: Channel) -> Self {
        Self { channel, first: None }
    }

    /// The same connection for a command whose first question is dealt with.
    pub(crate) fn with(&self, first: First) -> Self {
        Self {
            channel: self.channel.clone(),
            first: Some(first),
        }
    }
}

impl First {
    /// What is to be said to a question without going anywhere; `None`: it has to go its way.
    fn answers(&self, question: &Question) -> Option<Answer> {
        match self {
            Self::Note(noted) => {
                let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                noted.get_or_insert_with(|| question.clone());
                Some(Answer {
                    frames: Bytes::new(),
                    status: Status::cancelled("noted"),
                })
            }
            Self::Known(asked, answer) if asked == question => {
                answer.lock().unwrap_or_else(PoisonError::into_inner).take()
            }
            Self::Known(..) => None,
        }
    }
}

impl Question {
    /// Of a request's body, which is one message.
    fn of(method: &str, body: &Bytes) -> Self {
        let message = body.slice(HEAD.min(body.len())..);
        Self {
            method: method.to_owned(),
            request: without_cluster(message),
        }
    }
}

impl Answer {
    /// What came of a cluster in pieces of messages.
    pub(crate) fn new(messages: Vec<BytesMut>, status: Status) -> Self {
        let mut frames = BytesMut::new();
        for message in messages {
            frames.put_u8(0);
            // What came passed a limit far below four GiB.
            frames.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
            frames.unsplit(message);
        }
        Self {
            frames: frames.freeze(),
            status,
        }
    }

    fn into_response(self) -> Result<Response<Body>, Fault> {
        let mut trailers = HeaderMap::new();
        self.status.add_header(&mut trailers)?;
        if self.status.code() == Code::Ok {
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
        }
        let body = Full::new(self.frames).with_trailers(std::future::ready(Some(Ok(trailers))));
        let mut response = Response::new(Body::new(body));
        let grpc = HeaderValue::from_static("application/grpc");
        response.headers_mut().insert(CONTENT_TYPE, grpc);
        Ok(response)
    }
}

/// A request without its first field, where that is field 1: our own encoder writes fields in their order.
fn without_cluster(message: Bytes) -> Bytes {
    let Some((&CLUSTER_TAG, rest)) = message.split_first() else {
        return message;
    };
    let (mut length, mut shift) = (0_usize, 0);
    for (at, byte) in rest.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            let end = at + 2 + length;
            return message.slice(end.min(message.len())..);
        }
    }
    message
}

impl Service<Request<Body>> for Transport {
    type Response = Response<Body>;
    type Error = Fault;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Fault>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.channel.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Some(first) = self.first.clone() else {
            let answered = self.channel.call(request);
            return Box::pin(async move { answered.await.map_err(Into::into) });
        };
        // The clone takes the place of the one that was made ready.
        let channel = self.channel.clone();
        let mut ready = std::mem::replace(&mut self.channel, channel);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let question = Question::of(parts.uri.path(), &body);
            if let Some(answer) = first.answers(&question) {
                return answer.into_response();
            }
            let request = Request::from_parts(parts, Body::new(Full::new(body)));
            Ok(ready.call(request).await?)
        })
    }
}

#[cfg(test)]
mod tests;
