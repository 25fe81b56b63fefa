//! Many clusters: the sites of a fleet, which of them has which cluster, and questions on their way there and back.
//!
//! # Architecture
//!
//! ```text
//! site  ──▶ grpc/site ──▶ session ──▶ sites (what is known of each)  ◀── own (the clusters of this coordinator)
//! asker ──▶ route ──▶ question down a site's stream … answer up on a call of its own ──▶ asker
//!             ▲  └──▶ the services of this coordinator, where the cluster is its own
//! asker ──▶ ask: the same question to many clusters, sites in turns
//! ```
//!
//! [`Sites`] is what all of them share. Every coordinator has one; only a fleet coordinator lets others join.
//!
//! # What it is not
//!
//! No rows are here and no copy of a site's store: what rollups and findings do not say is asked at the site that has it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fathom_proto::fleet::v1 as wire;
use fathom_runtime::clock::{Clock, SystemClock};
use tokio::sync::{mpsc, watch};
use tonic::Status;

use crate::grpc::status;

pub(crate) mod answer;
pub(crate) mod ask;
mod file;
pub(crate) mod frame;
pub(crate) mod kept;
pub(crate) mod own;
#[cfg(test)]
pub(crate) mod played;
pub(crate) mod route;
pub(crate) mod selections;
pub(crate) mod session;
pub(crate) mod sites;

use answer::{Answer, Pending, Waiting};
use sites::{Known, Place};

/// Messages on their way to a site. When it is full, questions wait; what waits longer than [`PATIENCE`] is refused as too busy.
pub(crate) const OUTBOX: usize = 256;

/// How long a question waits for its place on the way down.
const PATIENCE: Duration = Duration::from_secs(5);

/// What goes to a site.
pub(crate) type Outbox = mpsc::Sender<Result<wire::JoinResponse, Status>>;

/// All sites and what is known of them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sites {
    inner: Arc<Inner>,
}

struct Inner {
    known: Mutex<Known>,
    waiting: Waiting,
    /// Counts changes of what is known.
    changed: watch::Sender<u64>,
    sessions: AtomicU64,
    /// When what a predecessor kept was written last, where it was damaged.
    damaged_unix_nanos: Option<i64>,
}

/// A question to a site's cluster.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) site: String,
    pub(crate) cluster: String,
    pub(crate) method: String,
    pub(crate) request: bytes::Bytes,
    pub(crate) deadline: Option<Duration>,
}

impl Sites {
    /// The sites that were known before, all missing, and this coordinator's own.
    pub(crate) fn new(
        own: &str,
        labels: BTreeMap<String, String>,
        (kept, damaged_unix_nanos): (wire::KeptFleet, Option<i64>),
        first_question: u64,
    ) -> Self {
        let mut known = Known::restore(kept, SystemClock.now_unix_nanos());
        known.add_own(own, labels, env!("CARGO_PKG_VERSION"));
        Self {
            inner: Arc::new(Inner {
                known: Mutex::new(known),
                waiting: Waiting::new(first_question),
                changed: watch::Sender::new(0),
                sessions: AtomicU64::new(1),
                damaged_unix_nanos,
            }),
        }
    }

    /// When what a predecessor kept was written last, where it was damaged: of sites that were missing then nobody knows.
    pub(crate) fn damaged(&self) -> Option<i64> {
        self.inner.damaged_unix_nanos
    }

    /// Looks at what is known.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.lock())
    }

    /// Changes what is known, and tells whoever watches.
    fn change<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        let changed = change(&mut self.awake());
        self.inner.changed.send_modify(|count| *count += 1);
        changed
    }

    /// Told of every change.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    /// A site says who it is: its session, what is known of it, and where its messages go from now on. A session that it had before is
    /// over.
    pub(crate) fn join(&self, hello: wire::Hello, outbox: Outbox) -> Result<(u64, wire::Welcome), Status> {
        let session = self.inner.sessions.fetch_add(1, Ordering::Relaxed);
        let now = SystemClock.now_unix_nanos();
        let (welcome, replaced) = self.change(|known| known.join(hello, session, outbox, now))?;
        if let Some((older, outbox)) = replaced {
            let _ = outbox.try_send(Err(status::replaced_site()));
            self.inner.waiting.cut(older);
        }
        Ok((session, welcome))
    }

    /// A site's message; what it has to be told.
    pub(crate) fn take(
        &self,
        site: &str,
        session: u64,
        message: wire::JoinRequest,
    ) -> Result<Option<wire::Ack>, Status> {
        let now = SystemClock.now_unix_nanos();
        if matches!(message.message, Some(wire::join_request::Message::Heartbeat(_))) {
            // That it lives is no news.
            return self.awake().take(site, session, message, now);
        }
        self.change(|known| known.take(site, session, message, now))
    }

    /// A site's connection is over.
    pub(crate) fn leave(&self, site: &str, session: u64) {
        self.inner.waiting.cut(session);
        self.change(|known| known.leave(site, session, SystemClock.now_unix_nanos()));
    }

    /// A cluster of this coordinator's own says something, as a site's would.
    pub(crate) fn take_own(&self, message: wire::JoinRequest) -> Result<Option<wire::Ack>, Status> {
        self.change(|known| known.take_own(message, SystemClock.now_unix_nanos()))
    }

    /// Time has passed: what was not heard for long is not known any more.
    pub(crate) fn tick(&self) {
        let is_news = {
            let mut known = self.awake();
            let now = SystemClock.now_unix_nanos();
            let before = known.fleet().version();
            known.tick(now);
            known.fleet().version() != before
        };
        if is_news {
            self.inner.changed.send_modify(|count| *count += 1);
        }
    }

    /// Forgets a site that is missing; whether there was one.
    pub(crate) fn forget(&self, site: &str) -> Result<bool, Status> {
        self.change(|known| known.forget(site))
    }

    /// Forgets a cluster that its site does not serve any more; whether there was one.
    pub(crate) fn forget_cluster(&self, site: &str, cluster: &str) -> Result<bool, Status> {
        self.change(|known| known.forget_cluster(site, cluster))
    }

    /// Where a cluster is.
    pub(crate) fn place(&self, name: &str) -> Result<Place, Status> {
        self.lock().place(name)
    }

    /// Sends a question down; its answer comes as it is. Cancel safe: a question whose answer is dropped is taken back.
    pub(crate) async fn ask(&self, asked: Asked) -> Result<Answer, Status> {
        let (session, outbox) = self.lock().link(&asked.site, &asked.cluster)?;
        let (pending, mut answer) = self.inner.waiting.expect(&asked.site, session, outbox.clone());
        let question = wire::Question {
            id: answer.id(),
            method: asked.method,
            cluster: asked.cluster,
            request: asked.request,
            deadline_nanos: asked
                .deadline
                .map(|deadline| u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX)),
        };
        let message = wire::JoinResponse {
            message: Some(wire::join_response::Message::Question(question)),
        };
        self.inner.waiting.add(answer.id(), pending);
        match tokio::time::timeout(PATIENCE, outbox.send(Ok(message))).await {
            Ok(Ok(())) => {
                answer.sent();
                Ok(answer)
            }
            Ok(Err(_)) => Err(status::cut_off(&asked.site)),
            Err(_) => Err(status::site_busy(&asked.site)),
        }
    }

    /// Whoever waits for an answer, once.
    pub(crate) fn waiting_for(&self, question: u64, site: &str) -> Option<Pending> {
        self.inner.waiting.take(question, site)
    }

    /// What is known, to be changed by what comes or by what does not.
    fn awake(&self) -> MutexGuard<'_, Known> {
        let mut known = self.lock();
        if let Some(paused) = known.runs(SystemClock.monotonic(), SystemClock.now_unix_nanos()) {
            tracing::warn!(
                paused_ms = u64::try_from(paused.as_millis()).unwrap_or(u64::MAX),
                "this coordinator stood still; sites have their usual time anew before they are missing"
            );
        }
        known
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.inner.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
