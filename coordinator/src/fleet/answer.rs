//! Answers on their way from a site to whoever asked: the frames and trailers of gRPC as the site gave them.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use fathom_proto::fleet::v1 as wire;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::Outbox;
use crate::grpc::status;

/// Parts of an answer on their way. When it is full the site's call waits, and with it the scan behind it.
const PARTS: usize = 8;

/// The trailer that every answer of gRPC ends with.
const GRPC_STATUS: &str = "grpc-status";

/// A part of an answer.
#[derive(Debug)]
pub(crate) enum Part {
    Frames(Bytes),
    End(HeaderMap),
}

/// Questions whose answers have not come, by their numbers.
#[derive(Debug)]
pub(super) struct Waiting {
    pending: Arc<Mutex<HashMap<u64, Pending>>>,
    next: AtomicU64,
}

/// Where an answer goes.
#[derive(Debug)]
pub(crate) struct Pending {
    site: String,
    session: u64,
    /// Parts go here.
    pub(crate) parts: mpsc::Sender<Part>,
    /// Cancelled when the site's session is over.
    pub(crate) cut: CancellationToken,
}

impl Waiting {
    /// Numbers begin at a random one: an answer to a question of this coordinator's predecessor is no answer to one of its own.
    pub(super) fn new(first: u64) -> Self {
        Self {
            pending: Arc::default(),
            next: AtomicU64::new(first),
        }
    }

    /// Makes a place for an answer.
    pub(super) fn expect(&self, site: &str, session: u64, outbox: Outbox) -> (Pending, Answer) {
        let (parts, inbox) = mpsc::channel(PARTS);
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let pending = Pending {
            site: site.to_owned(),
            session,
            parts,
            cut: CancellationToken::new(),
        };
        let answer = Answer {
            id,
            site: site.to_owned(),
            parts: inbox,
            first: None,
            is_over: false,
            is_sent: false.into(),
            outbox,
            pending: Arc::clone(&self.pending),
        };
        (pending, answer)
    }

    pub(super) fn add(&self, id: u64, pending: Pending) {
        lock(&self.pending).insert(id, pending);
    }

    /// Whoever waits; only the site that was asked may answer.
    pub(super) fn take(&self, id: u64, site: &str) -> Option<Pending> {
        let mut pending = lock(&self.pending);
        if pending.get(&id).is_none_or(|pending| pending.site != site) {
            return None;
        }
        let found = pending.remove(&id)?;
        // It stays to be cut off while its answer comes, without holding its way open.
        let (closed, _) = mpsc::channel(1);
        let rest = Pending {
            site: found.site.clone(),
            session: found.session,
            parts: closed,
            cut: found.cut.clone(),
        };
        pending.insert(id, rest);
        Some(found)
    }

    /// A session is over: nothing more comes of what was asked in it.
    pub(super) fn cut(&self, session: u64) {
        lock(&self.pending).retain(|_, pending| {
            let is_of_it = pending.session == session;
            if is_of_it {
                pending.cut.cancel();
            }
            !is_of_it
        });
    }
}

fn lock(pending: &Mutex<HashMap<u64, Pending>>) -> MutexGuard<'_, HashMap<u64, Pending>> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An answer as the body of a response. Dropped before its end, it tells the site that nobody waits.
#[derive(Debug)]
pub(crate) struct Answer {
    id: u64,
    site: String,
    parts: mpsc::Receiver<Part>,
    /// What has been waited for before anybody took it; `None` within: nothing more comes.
    first: Option<Option<Part>>,
    is_over: bool,
    is_sent: AtomicBool,
    outbox: Outbox,
    pending: Arc<Mutex<HashMap<u64, Pending>>>,
}

impl Answer {
    pub(super) const fn id(&self) -> u64 {
        self.id
    }

    /// Waits until it begins: whoever asked with a deadline for that can give up until then.
    pub(crate) async fn begun(&mut self) {
        if self.first.is_none() {
            self.first = Some(self.parts.recv().await);
        }
    }

    /// The question is on its way.
    pub(super) fn sent(&mut self) {
        *self.is_sent.get_mut() = true;
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let next = match self.first.take() {
            Some(first) => Poll::Ready(first),
            None => self.parts.poll_recv(context),
        };
        next.map(|part| {
            let trailers = match part {
                Some(Part::Frames(frames)) => return Some(Ok(Frame::data(frames))),
                Some(Part::End(trailers)) => trailers,
                None => trailers_of(&status::cut_off(&self.site)),
            };
            self.is_over = true;
            Some(Ok(Frame::trailers(trailers)))
        })
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        lock(&self.pending).remove(&self.id);
        if *self.is_sent.get_mut() && !self.is_over {
            let cancel = wire::Cancel { id: self.id };
            let message = wire::JoinResponse {
                message: Some(wire::join_response::Message::Cancel(cancel)),
            };
            // Where there is no room the site learns it when it delivers the next part.
            let _ = self.outbox.try_send(Ok(message));
        }
    }
}

/// A status as trailers.
pub(crate) fn trailers_of(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    if status.add_header(&mut trailers).is_err() {
        // A message that is none of HTTP: its code at least.
        trailers.insert(GRPC_STATUS, HeaderValue::from(i32::from(status.code())));
    }
    trailers
}

/// Trailers for the wire.
pub(crate) fn to_wire(trailers: &HeaderMap) -> wire::AnswerEnd {
    let trailers = trailers.iter().map(|(name, value)| wire::Trailer {
        name: name.as_str().to_owned(),
        value: value.as_bytes().to_vec(),
    });
    wire::AnswerEnd {
        trailers: trailers.collect(),
    }
}

/// Trailers from the wire; `None` where one cannot be, or where there is no status.
pub(crate) fn from_wire(end: &wire::AnswerEnd) -> Option<HeaderMap> {
    let mut trailers = HeaderMap::new();
    for trailer in &end.trailers {
        let name = HeaderName::from_bytes(trailer.name.as_bytes()).ok()?;
        trailers.append(name, HeaderValue::from_bytes(&trailer.value).ok()?);
    }
    trailers.contains_key(GRPC_STATUS).then_some(trailers)
}
