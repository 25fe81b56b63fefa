//! Ingest: one worker a cluster owns its join and its store; sessions bring it what daemons send.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use fathom_diagnose::baseline::Pasts;
use fathom_diagnose::findings::{Refused, Said};
use fathom_model::finding::Finding;
use fathom_model::rollup::ClusterRollup;
use fathom_model::state::{Observation, Sample};
use fathom_model::{Catalog, ClusterId, IoColumns, JoinedRows, NodeId, Topology};
use fathom_proto::collect::v1 as wire;
use fathom_proto::convert::collect::{Opening, VersionedTopology};
use fathom_runtime::tasks::{Kind, TaskGroup};
use fathom_store::FileEntry;
use fathom_store::blobs::Blobs;
use tokio::sync::{mpsc, oneshot, watch};
use tonic::Status;

use crate::config::Ingest;
use crate::error::{Error, Result};
use crate::grpc::status;
use crate::webhook::deliver;

mod kept;
mod report;
mod session;
mod worker;

pub(crate) use kept::{Kept, StateStream};
pub(crate) use report::{NodeReport, NodeState, WorkerReport};
pub(crate) use session::serve;

/// Messages on their way to a worker. When it is full, sessions wait, their connections' flow control fills, and daemons keep
/// what they have in their spools.
const QUEUE: usize = 64;

/// Responses on their way to a daemon. Acks and credit are absolute: when it is full the next one says it all.
pub(crate) const OUTBOX: usize = 16;

/// What goes to a daemon.
pub(crate) type Outbox = mpsc::Sender<Result<wire::CollectResponse, Status>>;

/// What sessions and queries ask of a worker.
pub(crate) enum Message {
    /// A daemon introduced a stream.
    Open {
        session: u64,
        opening: Opening,
        /// From where it is connected.
        from: Option<SocketAddr>,
        outbox: Outbox,
    },
    /// The cluster as a daemon knows it.
    Topology { session: u64, topology: VersionedTopology },
    /// The stream's dictionary.
    Devices {
        session: u64,
        devices: Vec<fathom_model::Device>,
    },
    /// Events.
    Batch {
        session: u64,
        first_ordinal: u64,
        columns: IoColumns,
        complete_until: i64,
    },
    /// Observations and samples, in the order of their ordinals.
    State {
        session: u64,
        first_ordinal: u64,
        observations: Vec<Observation>,
        samples: Vec<Sample>,
    },
    /// The daemon lives.
    Heartbeat {
        session: u64,
        complete_until: Option<i64>,
        next_ordinal: u64,
        /// The node's own clock, for showing only.
        wall_unix_nanos: i64,
        daemon: Option<wire::DaemonStatus>,
    },
    /// Ordinals are lost.
    Lost {
        session: u64,
        /// The first, and one past the last.
        ordinals: (u64, u64),
        cause: fathom_model::coverage::GapCause,
        complete_until: Option<i64>,
    },
    /// The source lost events.
    Gap {
        session: u64,
        /// From when until when, on the clock of the node.
        stretch: (i64, i64),
        cause: fathom_model::coverage::GapCause,
        events: Option<u64>,
    },
    /// The stream ended.
    End {
        session: u64,
        end: fathom_join::End,
        next_ordinal: u64,
    },
    /// The connection ended.
    Closed { session: u64 },
    /// An operator says how much is read.
    Order {
        order: Order,
        reply: oneshot::Sender<Vec<Told>>,
    },
    /// Somebody asks how things are.
    Report { reply: oneshot::Sender<WorkerReport> },
    /// Somebody says something of a finding.
    Remark(Remark),
    /// A webhook has been told everything up to a change.
    Told { webhook: String, sequence: u64 },
}

/// What somebody says of a finding.
pub(crate) struct Remark {
    /// Which.
    pub(crate) id: String,
    /// What.
    pub(crate) said: Said,
    /// The caller's name for it; may be empty.
    pub(crate) request: String,
    /// By whom and for how long; none takes it back.
    pub(crate) note: Option<RemarkNote>,
    /// Told when it is stored, or why it is not.
    pub(crate) reply: oneshot::Sender<Result<Finding, Refused>>,
}

/// By whom, for how long, and why.
#[derive(Clone, Debug)]
pub(crate) struct RemarkNote {
    pub(crate) by: String,
    /// None: as long as the finding is open.
    pub(crate) for_nanos: Option<u64>,
    pub(crate) text: String,
}

impl Message {
    /// The session that it is about.
    const fn session(&self) -> Option<u64> {
        match self {
            Self::Open { session, .. }
            | Self::Topology { session, .. }
            | Self::Devices { session, .. }
            | Self::Batch { session, .. }
            | Self::State { session, .. }
            | Self::Heartbeat { session, .. }
            | Self::Lost { session, .. }
            | Self::Gap { session, .. }
            | Self::End { session, .. }
            | Self::Closed { session } => Some(*session),
            Self::Order { .. } | Self::Remark(_) | Self::Report { .. } | Self::Told { .. } => None,
        }
    }
}

/// How much nodes read, for a time.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// Whom it is for; none for all.
    pub(crate) nodes: Vec<NodeId>,
    /// `None`: what their configurations say.
    pub(crate) profile: Option<wire::Profile>,
    pub(crate) lasts: Duration,
}

/// Whom an order is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) node: NodeId,
    /// Whether its daemon is connected.
    pub(crate) told: bool,
}

/// What queries see: one manifest record and the rows that are not in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// The record.
    pub(crate) record: u64,
    /// The owner's epoch.
    pub(crate) epoch: u64,
    /// Files in force.
    pub(crate) files: Arc<Vec<FileEntry>>,
    /// Rows decided after it, in order.
    pub(crate) hot: Vec<Arc<JoinedRows>>,
    /// The names behind the hot rows' indices.
    pub(crate) catalog: Arc<Catalog>,
    /// The topology in force.
    pub(crate) topology: Option<Arc<Topology>>,
    /// Observations that came after it, in order.
    pub(crate) state: Vec<Arc<Vec<Observation>>>,
    /// Readings of counters that came after it, in order.
    pub(crate) samples: Vec<Arc<Vec<Sample>>>,
    /// Findings as the record has them: those that are open, and those that were closed last.
    pub(crate) findings: Arc<Vec<Finding>>,
    /// Number of the last change of a finding in the record.
    pub(crate) findings_sequence: u64,
    /// How everything is.
    pub(crate) health: Arc<worker::HealthView>,
    /// The cluster in short; none before it was looked at.
    pub(crate) rollup: Option<Arc<ClusterRollup>>,
    /// The last change that each webhook was told, by name.
    pub(crate) webhooks: BTreeMap<String, u64>,
    /// Rows of records from this number on are in the tables `latency` and `attribution`.
    pub(crate) cells_since: u64,
    /// The same of the table `write_seconds`.
    pub(crate) seconds_since: u64,
    /// What is usual.
    pub(crate) usual: Arc<Pasts>,
}

/// A cluster that is served.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) id: ClusterId,
    pub(crate) blobs: Blobs,
    messages: mpsc::Sender<Message>,
    view: Arc<RwLock<Arc<View>>>,
    /// Whether the worker has taken the store over; closed when it ends.
    ready: watch::Receiver<bool>,
}

impl Cluster {
    /// Waits until the worker has taken the store over, at most so long: before that there is nothing true to say about the
    /// cluster.
    pub(crate) async fn ready(&self, patience: Duration) -> Result<(), Status> {
        let mut ready = self.ready.clone();
        match tokio::time::timeout(patience, ready.wait_for(|ready| *ready)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(status::stopping()),
            Err(_) => Err(status::starting(&self.id)),
        }
    }

    /// Hands a message to the worker, waiting while it is busy; false when the worker is gone.
    pub(crate) async fn send(&self, message: Message) -> bool {
        self.messages.send(message).await.is_ok()
    }

    /// Whether the worker has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.messages.is_closed()
    }

    /// What queries see now.
    pub(crate) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Orders how much is read; `None` when the worker is gone.
    pub(crate) async fn order(&self, order: Order) -> Option<Vec<Told>> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Order { order, reply }).await.then_some(())?;
        answer.await.ok()
    }

    /// Says something of a finding, and waits until it is stored. `None` when the worker is gone, else the finding, or why there is none.
    pub(crate) async fn remark(
        &self,
        id: String,
        said: Said,
        (request, note): (String, Option<RemarkNote>),
    ) -> Option<Result<Finding, Refused>> {
        let (reply, answer) = oneshot::channel();
        let remark = Remark {
            id,
            said,
            request,
            note,
            reply,
        };
        self.send(Message::Remark(remark)).await.then_some(())?;
        answer.await.ok()
    }

    /// How things are; `None` when the worker is gone.
    pub(crate) async fn report(&self) -> Option<WorkerReport> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Report { reply }).await.then_some(())?;
        answer.await.ok()
    }
}

/// All clusters of a coordinator. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Clusters {
    inner: Arc<Inner>,
}

struct Inner {
    config: Ingest,
    blobs: Blobs,
    tasks: TaskGroup,
    clusters: Mutex<BTreeMap<ClusterId, Cluster>>,
    sessions: std::sync::atomic::AtomicU64,
}

impl Clusters {
    /// Opens the store and starts a worker for every cluster that is in it, which takes it over.
    pub(crate) async fn open(config: Ingest, store: &Path, tasks: TaskGroup) -> Result<Self> {
        let blobs = Blobs::open_folder(store)?;
        let clusters = Self {
            inner: Arc::new(Inner {
                config,
                blobs: blobs.clone(),
                tasks,
                clusters: Mutex::default(),
                sessions: std::sync::atomic::AtomicU64::new(1),
            }),
        };
        for cluster in fathom_store::manifest::clusters(&blobs).await? {
            clusters.start(&cluster)?;
        }
        Ok(clusters)
    }

    /// A cluster by name.
    pub(crate) fn get(&self, cluster: &ClusterId) -> Option<Cluster> {
        self.lock().get(cluster).cloned()
    }

    /// All clusters, by name.
    pub(crate) fn all(&self) -> Vec<Cluster> {
        self.lock().values().cloned().collect()
    }

    /// A cluster by name; a new one gets a worker of its own, if its name can be a folder's. Those that stand in the store already
    /// are served under whatever name they have.
    pub(crate) fn get_or_start(&self, id: &ClusterId) -> Result<Cluster> {
        if let Some(cluster) = self.get(id) {
            return Ok(cluster);
        }
        fathom_model::check_name(id.as_str()).map_err(|source| Error::Name { source })?;
        self.start(id)
    }

    fn start(&self, id: &ClusterId) -> Result<Cluster> {
        let mut clusters = self.lock();
        if let Some(cluster) = clusters.get(id) {
            return Ok(cluster.clone());
        }
        let (messages, inbox) = mpsc::channel(QUEUE);
        let (taken_over, ready) = watch::channel(false);
        let view = Arc::new(RwLock::new(Arc::new(View::default())));
        let cluster = Cluster {
            id: id.clone(),
            blobs: self.inner.blobs.clone(),
            messages,
            view: Arc::clone(&view),
            ready,
        };
        let worker = worker::Worker::new(
            id.clone(),
            self.inner.config.clone(),
            self.inner.blobs.clone(),
            inbox,
            view,
            taken_over,
            self.inner.tasks.shutdown().clone(),
        );
        let runtime = tokio::runtime::Handle::current();
        self.inner
            .tasks
            .spawn_thread(format!("join {id}"), Kind::Critical, move || {
                runtime.block_on(worker.run())
            })
            .map_err(|source| Error::Thread { source })?;
        for webhook in self.inner.config.webhooks.iter().filter(|webhook| webhook.is_for(id)) {
            let shutdown = self.inner.tasks.shutdown().clone();
            let told = deliver(cluster.clone(), Arc::clone(webhook), shutdown);
            let name = format!("webhook {} of {id}", webhook.name());
            self.inner.tasks.spawn(name, Kind::Background, told);
        }
        clusters.insert(id.clone(), cluster.clone());
        Ok(cluster)
    }

    /// A number for a new session.
    pub(crate) fn new_session(&self) -> u64 {
        self.inner.sessions.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<ClusterId, Cluster>> {
        self.inner.clusters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
