//! Events of a finite source into a store without a network: the same worker, engine and record as those of daemons.
//!
//! The store is taken over as a coordinator takes it over, so none may run on it meanwhile. What is in it already is not put in
//! again: a stream's identity is that of its source, and the worker says how far it has it.

mod state;

pub use state::{StateStream, store_state_blocking};

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use fathom_join::End;
use fathom_model::coverage::GapCause;
use fathom_model::{ClusterId, Device, Incarnation, IoColumns, NodeId, StreamId, StreamKind, Tap, Topology};
use fathom_proto::COLLECT_PROTOCOL;
use fathom_proto::collect::v1::collect_response::Message as Response;
use fathom_proto::convert::collect::{Opening, VersionedTopology};
use fathom_runtime::shutdown::{Cause, Shutdown};
use fathom_runtime::tasks::TaskGroup;
use tokio::sync::mpsc;

use crate::config::Ingest;
use crate::error::{Error, Result};
use crate::ingest::{Cluster, Clusters, Message, OUTBOX, Outbox};

/// Events in one message.
const BATCH: usize = 4096;

/// How long the worker's thread may take to end: the last commit needs the disk.
const GRACE: Duration = Duration::from_secs(20);

/// How long one stream is listened to before the others are looked at.
const TICK: Duration = Duration::from_millis(20);

/// How long the store may take to be taken over.
const PATIENCE: Duration = Duration::from_secs(60);

/// Events with contiguous ordinals, and until when nothing of a later ordinal completed.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Ordinal of the first event.
    pub first_ordinal: u64,
    /// The events.
    pub columns: IoColumns,
    /// No event of a later ordinal completed before this, on the node's clock.
    pub complete_until_unix_nanos: i64,
}

/// A stretch of time in which a source may have lost events, on the node's clock.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// From when on.
    pub from_unix_nanos: i64,
    /// Until when.
    pub until_unix_nanos: i64,
    /// Why.
    pub cause: GapCause,
    /// How many events, where that is known.
    pub events: Option<u64>,
}

/// Gives the events of a node, from some ordinal on.
pub trait Feed: Send {
    /// Goes to an ordinal.
    ///
    /// # Errors
    ///
    /// In words, when it cannot.
    fn seek(&mut self, ordinal: u64) -> Result<(), String>;

    /// The next up to `most` events; `None` at the end.
    ///
    /// # Errors
    ///
    /// In words, when they cannot be read.
    fn next(&mut self, most: usize) -> Result<Option<Chunk>, String>;
}

/// A node's events on their way into a store.
pub struct Stream {
    /// The node.
    pub node: NodeId,
    /// The same for the same events: what was put in once is not put in again.
    pub incarnation: Incarnation,
    /// Its taps with their resolutions in nanoseconds.
    pub taps: Vec<(Tap, u64)>,
    /// From when on an event would have been seen.
    pub covered_from_unix_nanos: Option<i64>,
    /// What `device` stands for in the events.
    pub devices: Vec<Device>,
    /// When events may be missing.
    pub gaps: Vec<Gap>,
    /// The events.
    pub feed: Box<dyn Feed>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Events that were put in.
    pub events: u64,
    /// Streams that the store had whole before.
    pub known_streams: u64,
}

/// Puts streams into a cluster of the store in a folder, joined, and returns when all of it is in a record. Blocks; in a runtime of its
/// own.
///
/// # Errors
///
/// When the store cannot be opened or written, or a feed breaks, or the worker refuses something, such as another topology than
/// the cluster has.
pub fn store_blocking(store: &Path, cluster: &ClusterId, topology: &Topology, streams: Vec<Stream>) -> Result<Stored> {
    alone(async |tasks| put(store, cluster, topology, streams, tasks).await)
}

/// Does work that needs the tasks of a coordinator, in a runtime of its own.
fn alone<T>(work: impl AsyncFnOnce(&TaskGroup) -> Result<T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|source| Error::Thread { source })?;
    runtime.block_on(async {
        let tasks = TaskGroup::new(Shutdown::new());
        let outcome = work(&tasks).await;
        // The worker's own failure says more than that it is gone.
        let broken = tasks.shutdown().cause().and_then(|cause| match cause {
            Cause::TaskFailed { task, reason } => Some(Error::Task {
                task: task.clone(),
                reason: reason.clone(),
            }),
            Cause::Signal(_) | Cause::Requested(_) => None,
        });
        if tasks.shutdown_and_wait(GRACE).await.is_err() {
            tracing::warn!("the worker did not end in time");
        }
        broken.map_or(outcome, Err)
    })
}

async fn put(
    store: &Path,
    id: &ClusterId,
    topology: &Topology,
    streams: Vec<Stream>,
    tasks: &TaskGroup,
) -> Result<Stored> {
    // Nothing is shown while it goes in, so only size asks for a record.
    let clusters = Clusters::open(Ingest::default(), store, tasks.clone()).await?;
    let cluster = clusters.get_or_start(id)?;
    cluster.ready(PATIENCE).await.map_err(|status| refused(None, &status))?;
    let mut stored = Stored::default();
    let mut open = Vec::new();
    for stream in streams {
        match Session::open(&clusters, &cluster, id, topology, stream).await? {
            Some(session) => open.push(session),
            None => stored.known_streams += 1,
        }
    }
    // Whoever is furthest behind goes next, so that no node's events pile up.
    let mut waiting: VecDeque<Session> = open.into();
    let mut ended = Vec::new();
    while !waiting.is_empty() {
        waiting.make_contiguous().sort_by_key(|session| session.heard);
        // One that may send; else the worker is waited for.
        let may = waiting.iter_mut().position(Session::may_send);
        let Some(at) = may else {
            match waiting.front_mut() {
                // It may be another one that gets more: looked at again after a while.
                Some(front) => {
                    if let Ok(heard) = tokio::time::timeout(TICK, front.listen()).await {
                        heard?;
                    }
                }
                None => break,
            }
            continue;
        };
        let Some(mut session) = waiting.remove(at) else {
            continue;
        };
        match session.send(&cluster).await? {
            Some(events) => {
                stored.events += events;
                waiting.push_back(session);
            }
            None => ended.push(session),
        }
    }
    // The worker commits by itself once everything has ended.
    for session in &mut ended {
        while !session.complete {
            session.listen().await?;
        }
    }
    Ok(stored)
}

/// A stream that the worker has opened.
struct Session {
    number: u64,
    stream: Stream,
    responses: mpsc::Receiver<Result<fathom_proto::collect::v1::CollectResponse, tonic::Status>>,
    /// One past the last ordinal that may be sent.
    credit: u64,
    next: u64,
    heard: i64,
    complete: bool,
}

impl Session {
    /// Introduces a stream; `None` when the store has it whole.
    async fn open(
        clusters: &Clusters,
        cluster: &Cluster,
        id: &ClusterId,
        topology: &Topology,
        stream: Stream,
    ) -> Result<Option<Self>> {
        let (outbox, responses): (Outbox, _) = mpsc::channel(OUTBOX);
        let number = clusters.new_session();
        let opening = Opening {
            protocol_version: COLLECT_PROTOCOL,
            stream: StreamId {
                cluster: id.clone(),
                node: stream.node.clone(),
                kind: StreamKind::Io,
                incarnation: stream.incarnation,
            },
            anchor_unix_nanos: stream.covered_from_unix_nanos.unwrap_or(0),
            anchor_monotonic_nanos: 0,
            taps: stream.taps.clone(),
            covered_from_unix_nanos: stream.covered_from_unix_nanos,
            spool_first_ordinal: 0,
            spool_next_ordinal: 0,
            daemon_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let mut session = Self {
            number,
            stream,
            responses,
            credit: 0,
            next: 0,
            heard: i64::MIN,
            complete: false,
        };
        session
            .tell(
                cluster,
                Message::Open {
                    session: number,
                    opening,
                    from: None,
                    outbox,
                },
            )
            .await?;
        session.listen().await?;
        if session.complete {
            return Ok(None);
        }
        let topology = VersionedTopology {
            version: 1,
            valid_from_unix_nanos: None,
            topology: topology.clone(),
        };
        session
            .tell(
                cluster,
                Message::Topology {
                    session: number,
                    topology,
                },
            )
            .await?;
        let devices = session.stream.devices.clone();
        session
            .tell(
                cluster,
                Message::Devices {
                    session: number,
                    devices,
                },
            )
            .await?;
        for gap in session.stream.gaps.clone() {
            session
                .tell(
                    cluster,
                    Message::Gap {
                        session: number,
                        stretch: (gap.from_unix_nanos, gap.until_unix_nanos),
                        cause: gap.cause,
                        events: gap.events,
                    },
                )
                .await?;
        }
        let next = session.next;
        session
            .stream
            .feed
            .seek(next)
            .map_err(|reason| session.broken(reason))?;
        Ok(Some(session))
    }

    /// Sends the next events, or the end: `None` then.
    async fn send(&mut self, cluster: &Cluster) -> Result<Option<u64>> {
        let most = usize::try_from(self.credit - self.next).unwrap_or(BATCH).min(BATCH);
        let chunk = self.stream.feed.next(most);
        let Some(chunk) = chunk.map_err(|reason| self.broken(reason))? else {
            self.tell(
                cluster,
                Message::End {
                    session: self.number,
                    end: End::Finished,
                    next_ordinal: self.next,
                },
            )
            .await?;
            return Ok(None);
        };
        let events = chunk.columns.len() as u64;
        self.next = chunk.first_ordinal + events;
        self.heard = chunk.complete_until_unix_nanos;
        self.tell(
            cluster,
            Message::Batch {
                session: self.number,
                first_ordinal: chunk.first_ordinal,
                columns: chunk.columns,
                complete_until: chunk.complete_until_unix_nanos,
            },
        )
        .await?;
        Ok(Some(events))
    }

    /// Whether the worker lets it send more; takes what the worker has said meanwhile.
    fn may_send(&mut self) -> bool {
        while let Ok(Ok(response)) = self.responses.try_recv() {
            self.take(response.message);
        }
        self.next < self.credit
    }

    /// Waits for what the worker says.
    async fn listen(&mut self) -> Result<()> {
        match self.responses.recv().await {
            Some(Ok(response)) => {
                self.take(response.message);
                Ok(())
            }
            Some(Err(status)) => Err(refused(Some(&self.stream.node), &status)),
            None => Err(self.broken("the worker ended".to_owned())),
        }
    }

    fn take(&mut self, message: Option<Response>) {
        match message {
            Some(Response::Welcome(welcome)) => {
                self.next = welcome.position;
                self.complete = welcome.complete;
                self.credit = welcome.credit.map_or(0, |credit| credit.until_ordinal);
            }
            Some(Response::Credit(credit)) => self.credit = self.credit.max(credit.until_ordinal),
            Some(Response::Ack(ack)) => self.complete |= ack.complete,
            _ => {}
        }
    }

    async fn tell(&mut self, cluster: &Cluster, message: Message) -> Result<()> {
        if cluster.send(message).await {
            return Ok(());
        }
        Err(self.broken("the worker ended".to_owned()))
    }

    fn broken(&self, reason: String) -> Error {
        Error::Task {
            task: format!("the import of node {}", self.stream.node),
            reason,
        }
    }
}

fn refused(node: Option<&NodeId>, status: &tonic::Status) -> Error {
    Error::Task {
        task: node.map_or_else(|| "the import".to_owned(), |node| format!("the import of node {node}")),
        reason: status.message().to_owned(),
    }
}
