//! A cluster's worker: one thread that owns the engine and the store.
//!
//! Everything that changes a cluster passes through here, one message after the other, so nothing is ever half done when
//! something else looks. Queries read the published view.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use fathom_join::{Engine, StreamInfo, Waiting};
use fathom_model::coverage::{Coverage, CoverageState, GapCause};
use fathom_model::{ClusterId, JoinedRows, NodeId, NodeIndex, StreamIndex, StreamKind, Tap};
use fathom_proto::COLLECT_PROTOCOL;
use fathom_proto::collect::v1 as wire;
use fathom_proto::collect::v1::collect_response::Message as Response;
use fathom_proto::convert::collect::{Opening, VersionedTopology};
use fathom_runtime::clock::{Clock, SystemClock};
use fathom_runtime::shutdown::Shutdown;
use fathom_store::blobs::Blobs;
use fathom_store::manifest::TopologyVersion;
use fathom_store::{Commit, Owner, read_pending};
use tokio::sync::mpsc;

use super::{Kept, Message, NodeReport, NodeState, Outbox, View, WorkerReport};
use crate::config::Ingest;
use crate::error::{Error, Result};
use crate::grpc::status;

/// How often the worker looks at the time, whether anything comes or not.
const TICK: Duration = Duration::from_millis(200);

/// Events that a daemon may send ahead of what was received.
const AHEAD: u64 = 256 * 1024;

/// ... and what a daemon that is waited for may send when memory is short.
const AHEAD_WHEN_SHORT: u64 = 16 * 1024;

/// About so many bytes of a file an I/O and a leg take; for deciding when to commit.
const IO_BYTES: u64 = 60;
const LEG_BYTES: u64 = 80;

/// What is needed to start a worker.
pub(super) struct Worker {
    id: ClusterId,
    config: Ingest,
    blobs: Blobs,
    inbox: mpsc::Receiver<Message>,
    view: Arc<RwLock<Arc<View>>>,
    shutdown: Shutdown,
}

impl Worker {
    pub(super) const fn new(
        id: ClusterId,
        config: Ingest,
        blobs: Blobs,
        inbox: mpsc::Receiver<Message>,
        view: Arc<RwLock<Arc<View>>>,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            id,
            config,
            blobs,
            inbox,
            view,
            shutdown,
        }
    }

    /// Takes the cluster over and works until the coordinator stops.
    pub(super) async fn run(mut self) -> Result<()> {
        let mut running = Running::start(self.id, self.config, self.blobs, self.view).await?;
        loop {
            let message = tokio::select! {
                _ = self.shutdown.requested() => break,
                message = tokio::time::timeout(TICK, self.inbox.recv()) => message,
            };
            match message {
                Ok(Some(message)) => {
                    running.handle(message);
                    // What else is there already belongs to the same step.
                    while let Ok(message) = self.inbox.try_recv() {
                        running.handle(message);
                    }
                }
                Ok(None) => break,
                Err(_) => {}
            }
            running.note_silence();
            running.step().await?;
        }
        running.commit().await
    }
}

/// A daemon that is connected.
struct Session {
    stream: StreamIndex,
    node: NodeId,
    outbox: Outbox,
    credit: u64,
    /// The last ack that was said.
    acked: (u64, bool),
}

/// A worker at work.
struct Running {
    id: ClusterId,
    config: Ingest,
    engine: Engine,
    owner: Owner<Kept>,
    view: Arc<RwLock<Arc<View>>>,
    topology: Option<VersionedTopology>,
    sessions: BTreeMap<u64, Session>,
    /// When each node was last connected.
    seen: HashMap<NodeId, Instant>,
    started: Instant,
    /// When it was last looked for silent nodes.
    looked: Instant,
    waiting: Vec<Waiting>,
    /// Rows since the last record.
    hot: Vec<Arc<JoinedRows>>,
    hot_bytes: u64,
    coverage: Vec<Coverage>,
    covered_until: BTreeMap<NodeId, i64>,
    committed: Instant,
    /// Whether anything came since the last record.
    dirty: bool,
    /// Whether an ack found its outbox full.
    ack_due: bool,
    ios: u64,
}

impl Running {
    async fn start(id: ClusterId, config: Ingest, blobs: Blobs, view: Arc<RwLock<Arc<View>>>) -> Result<Self> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|error| Error::Random {
            reason: error.to_string(),
        })?;
        let now = SystemClock.now_unix_nanos();
        let owner = Owner::<Kept>::take_over(blobs.clone(), id.clone(), nonce, now).await?;
        let record = owner.record();
        let topology = record.topologies.last().map(|version| VersionedTopology {
            version: version.version,
            valid_from_unix_nanos: version.valid_from_unix_nanos,
            topology: version.topology.clone(),
        });
        let kept = record.state.clone();
        let engine = match &topology {
            Some(topology) => {
                let pending = read_pending(&blobs, &id, record.pending.as_ref()).await?;
                Engine::restore(config.join.clone(), &topology.topology, kept.join, pending).map_err(|source| {
                    Error::Kept {
                        cluster: id.to_string(),
                        source,
                    }
                })?
            }
            None => Engine::new(config.join.clone()),
        };
        tracing::info!(cluster = %id, record = record.number, epoch = record.epoch, files = owner.files().len(), "took over");
        let running = Self {
            id,
            config,
            engine,
            view,
            topology,
            sessions: BTreeMap::new(),
            seen: HashMap::new(),
            started: Instant::now(),
            looked: Instant::now(),
            waiting: Vec::new(),
            hot: Vec::new(),
            hot_bytes: 0,
            coverage: Vec::new(),
            covered_until: kept.covered_until,
            committed: Instant::now(),
            dirty: false,
            ack_due: false,
            ios: kept.ios,
            owner,
        };
        running.publish();
        Ok(running)
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Open {
                session,
                opening,
                outbox,
            } => self.open(session, &opening, outbox),
            Message::Topology { session, topology } => self.take_topology(session, topology),
            Message::Devices { session, devices } => {
                self.of_stream(session, |engine, stream| engine.set_devices(stream, &devices));
            }
            Message::Batch {
                session,
                first_ordinal,
                columns,
                complete_until,
            } => {
                self.of_stream(session, |engine, stream| {
                    engine.push(stream, first_ordinal, &columns)?;
                    engine.heard(stream, complete_until)
                });
            }
            Message::Heartbeat {
                session,
                complete_until,
                next_ordinal,
            } => {
                self.of_stream(session, |engine, stream| match complete_until {
                    // A promise about events that have not come yet would be broken.
                    Some(until) if next_ordinal <= engine.next_ordinal(stream) => engine.heard(stream, until),
                    _ => Ok(()),
                });
            }
            Message::Lost {
                session,
                first,
                count,
                cause,
                complete_until,
            } => {
                self.note_loss(session, count, cause, complete_until);
                self.of_stream(session, |engine, stream| {
                    engine.lose(stream, first, first.saturating_add(count))?;
                    complete_until.map_or(Ok(()), |until| engine.heard(stream, until))
                });
            }
            Message::Gap {
                session,
                from,
                until,
                cause,
                events,
            } => {
                if let Some(node) = self.sessions.get(&session).map(|session| session.node.clone()) {
                    let state = CoverageState::Gap(cause);
                    self.coverage.push(Coverage {
                        node,
                        from_unix_nanos: from,
                        until_unix_nanos: until,
                        state,
                        events,
                    });
                }
                self.of_stream(session, |engine, stream| engine.gap(stream, from, until));
            }
            Message::End {
                session,
                end,
                next_ordinal,
            } => {
                self.of_stream(session, |engine, stream| {
                    // An end that lies behind what has come is a skip like any other.
                    let expected = engine.next_ordinal(stream);
                    if next_ordinal > expected {
                        return Err(fathom_join::Error::Skipped {
                            expected,
                            found: next_ordinal,
                        });
                    }
                    engine.end(stream, end)
                });
            }
            Message::Closed { session } => {
                if let Some(closed) = self.sessions.remove(&session) {
                    tracing::info!(cluster = %self.id, node = %closed.node, "disconnected");
                    self.seen.insert(closed.node, Instant::now());
                }
            }
            Message::Report { reply } => {
                // Whoever asked may have gone; that is no fault.
                let _ = reply.send(self.report());
            }
        }
    }

    /// Does something with a session's stream; a fault of the daemon ends the session.
    fn of_stream(&mut self, session: u64, action: impl FnOnce(&mut Engine, StreamIndex) -> fathom_join::Result<()>) {
        // A session that was replaced may still have messages on their way.
        let Some(open) = self.sessions.get(&session) else {
            return;
        };
        self.dirty = true;
        if let Err(error) = action(&mut self.engine, open.stream) {
            tracing::warn!(cluster = %self.id, node = %open.node, %error, "refused");
            self.refuse(session, status::of_join(&error));
        }
    }

    fn refuse(&mut self, session: u64, status: tonic::Status) {
        if let Some(refused) = self.sessions.remove(&session) {
            // Full or closed: the connection ends either way when the outbox is dropped.
            let _ = refused.outbox.try_send(Err(status));
            self.seen.insert(refused.node, Instant::now());
        }
    }

    fn open(&mut self, session: u64, opening: &Opening, outbox: Outbox) {
        if opening.stream.kind != StreamKind::Io {
            let _ = outbox.try_send(Err(status::unsupported_stream(opening.stream.kind)));
            return;
        }
        let info = StreamInfo {
            id: opening.stream.clone(),
            taps: opening.taps.clone(),
            covered_from_unix_nanos: opening.covered_from_unix_nanos,
        };
        let stream = self.engine.open_stream(&info);
        let before: Vec<u64> = self
            .sessions
            .iter()
            .filter(|(_, open)| open.stream == stream)
            .map(|(&number, _)| number)
            .collect();
        for older in before {
            self.refuse(older, status::replaced_session(&opening.stream.node));
        }
        let kept = self
            .owner
            .record()
            .state
            .join
            .streams
            .iter()
            .find(|kept| kept.id == opening.stream);
        let complete = kept.is_some_and(|kept| kept.ended.is_some());
        let position = self.engine.next_ordinal(stream);
        let accounted = kept.map_or(&[][..], |kept| kept.accounted.ranges());
        let credit = if self.topology.is_some() {
            position + AHEAD
        } else {
            position
        };
        let welcome = wire::Welcome {
            protocol_version: COLLECT_PROTOCOL,
            epoch: self.owner.record().epoch,
            position,
            accounted: accounted
                .iter()
                .filter(|(_, end)| *end > position)
                .map(|&(first_ordinal, end)| wire::OrdinalRange {
                    first_ordinal,
                    count: end - first_ordinal,
                })
                .collect(),
            credit: Some(wire::Credit { until_ordinal: credit }),
            policy: Some(wire::Policy::default()),
            coordinator_version: env!("CARGO_PKG_VERSION").to_owned(),
            complete,
        };
        tracing::info!(cluster = %self.id, node = %opening.stream.node, position, complete, "connected");
        let sent = outbox.try_send(Ok(wire::CollectResponse {
            message: Some(Response::Welcome(welcome)),
        }));
        if sent.is_ok() {
            let node = opening.stream.node.clone();
            self.sessions.insert(
                session,
                Session {
                    stream,
                    node,
                    outbox,
                    credit,
                    acked: (0, false),
                },
            );
        }
    }

    /// Takes the highest version; of one version all daemons must say the same, but each knows best which nodes it can speak
    /// for.
    fn take_topology(&mut self, session: u64, mut said: VersionedTopology) {
        if let Some(known) = &self.topology {
            if said.version < known.version {
                return;
            }
            if said.version == known.version {
                for node in &mut said.topology.nodes {
                    node.observed |= known
                        .topology
                        .nodes
                        .iter()
                        .any(|other| other.id == node.id && other.observed);
                }
                let mut merged = known.topology.clone();
                for node in &mut merged.nodes {
                    node.observed |= said
                        .topology
                        .nodes
                        .iter()
                        .any(|other| other.id == node.id && other.observed);
                }
                if merged != said.topology {
                    self.refuse(session, status::topology_conflict(said.version));
                    return;
                }
                if merged == known.topology {
                    return;
                }
            }
        }
        self.engine.set_topology(&said.topology);
        self.topology = Some(said);
        self.dirty = true;
        self.publish();
    }

    fn note_loss(&mut self, session: u64, count: u64, cause: GapCause, until: Option<i64>) {
        let Some(open) = self.sessions.get(&session) else {
            return;
        };
        let heard = self
            .engine
            .streams()
            .into_iter()
            .find(|report| report.stream == open.stream);
        let from = heard
            .and_then(|report| report.heard_unix_nanos.or(report.covered_from_unix_nanos))
            .unwrap_or(0);
        self.coverage.push(Coverage {
            node: open.node.clone(),
            from_unix_nanos: from,
            until_unix_nanos: until.unwrap_or(from),
            state: CoverageState::Gap(cause),
            events: Some(count),
        });
    }

    /// Closes what can close, publishes and stores it, and says what may be sent.
    async fn step(&mut self) -> Result<()> {
        self.waiting = self.engine.advance();
        let rows = self.engine.take_rows();
        if !rows.is_empty() {
            self.ios += rows.ios.len() as u64;
            self.hot_bytes += rows.ios.len() as u64 * IO_BYTES + rows.legs.len() as u64 * LEG_BYTES;
            self.hot.push(Arc::new(rows));
            self.publish();
        }
        let due = self.hot_bytes >= self.config.commit_bytes || self.committed.elapsed() >= self.config.commit_every;
        if self.dirty && (due || self.all_came()) {
            self.commit().await?;
        }
        self.grant();
        Ok(())
    }

    /// Whether nothing that is expected is still to come.
    fn all_came(&self) -> bool {
        self.topology.is_some() && !self.engine.streams().is_empty() && self.engine.is_finished()
    }

    /// Stops waiting for nodes that have been away for too long.
    fn note_silence(&mut self) {
        if self.looked.elapsed() < TICK {
            return;
        }
        self.looked = Instant::now();
        let late: Vec<(NodeIndex, NodeId)> = self
            .waiting
            .iter()
            .map(|waiting| (waiting.node, self.engine.catalog().node(waiting.node).clone()))
            .filter(|(_, node)| !self.sessions.values().any(|session| session.node == *node))
            .filter(|(_, node)| self.seen.get(node).unwrap_or(&self.started).elapsed() >= self.config.silence)
            .collect();
        for (index, node) in late {
            tracing::warn!(cluster = %self.id, %node, "silent: windows close without it");
            self.engine.set_silent(index, true);
            self.dirty = true;
        }
    }

    async fn commit(&mut self) -> Result<()> {
        if !self.dirty {
            return Ok(());
        }
        let mut rows = JoinedRows::default();
        for chunk in &self.hot {
            rows.append(JoinedRows::clone(chunk));
        }
        self.note_coverage();
        let topologies = self.topology.iter().map(|version| TopologyVersion {
            version: version.version,
            valid_from_unix_nanos: version.valid_from_unix_nanos,
            topology: version.topology.clone(),
        });
        let join = self.engine.state();
        let state = Kept {
            events: join
                .streams
                .iter()
                .map(|stream| stream.position + stream.accounted.len())
                .sum(),
            join,
            covered_until: self.covered_until.clone(),
            ios: self.ios,
        };
        let record = self
            .owner
            .commit(Commit {
                rows: &rows,
                catalog: self.engine.catalog(),
                coverage: &self.coverage,
                pending: &self.engine.pending(),
                topologies: topologies.collect(),
                state,
                now_unix_nanos: SystemClock.now_unix_nanos(),
            })
            .await?;
        tracing::debug!(cluster = %self.id, record = record.number, ios = rows.ios.len(), "committed");
        self.hot.clear();
        self.hot_bytes = 0;
        self.coverage.clear();
        self.committed = Instant::now();
        self.dirty = false;
        self.publish();
        self.acknowledge();
        Ok(())
    }

    /// Says how far each connected stream is stored.
    fn acknowledge(&mut self) {
        self.ack_due = false;
        let record = self.owner.record();
        let catalog = self.engine.catalog();
        for session in self.sessions.values_mut() {
            let id = catalog.stream(session.stream);
            let Some(kept) = record.state.join.streams.iter().find(|kept| kept.id == *id) else {
                continue;
            };
            let now = (kept.position, kept.ended.is_some());
            if now == session.acked {
                continue;
            }
            let ack = wire::Ack {
                epoch: record.epoch,
                position: now.0,
                complete: now.1,
            };
            let sent = session.outbox.try_send(Ok(wire::CollectResponse {
                message: Some(Response::Ack(ack)),
            }));
            match sent {
                Ok(()) => session.acked = now,
                // Said again at the next step: a daemon waits for its last ack for ever.
                Err(_) => self.ack_due = true,
            }
        }
    }

    /// Says how much may be sent. When memory is short, only those that are waited for get more: with what they send
    /// windows close and memory is freed.
    fn grant(&mut self) {
        if self.topology.is_none() {
            return;
        }
        let short = self.engine.in_memory() >= self.config.memory_events;
        let catalog = self.engine.catalog();
        let waited_for: Vec<&NodeId> = self.waiting.iter().map(|waiting| catalog.node(waiting.node)).collect();
        for session in self.sessions.values_mut() {
            let next = self.engine.next_ordinal(session.stream);
            let ahead = match short {
                false => AHEAD,
                true if waited_for.contains(&&session.node) => AHEAD_WHEN_SHORT,
                true => continue,
            };
            // Not for every batch: when half of what was granted is used.
            if session.credit >= next + ahead / 2 {
                continue;
            }
            let credit = wire::Credit {
                until_ordinal: next + ahead,
            };
            let sent = session.outbox.try_send(Ok(wire::CollectResponse {
                message: Some(Response::Credit(credit)),
            }));
            if sent.is_ok() {
                session.credit = next + ahead;
            }
        }
        if self.ack_due {
            self.acknowledge();
        }
    }

    /// Notes until when each node was heard since the last record.
    fn note_coverage(&mut self) {
        let catalog = self.engine.catalog();
        for stream in self.engine.streams() {
            let node = catalog.node(stream.node).clone();
            let Some(heard) = stream.heard_unix_nanos.filter(|heard| *heard < i64::MAX) else {
                continue;
            };
            let from = self
                .covered_until
                .get(&node)
                .copied()
                .or(stream.covered_from_unix_nanos)
                .unwrap_or(heard);
            if heard > from {
                let state = CoverageState::Heard;
                self.coverage.push(Coverage {
                    node: node.clone(),
                    from_unix_nanos: from,
                    until_unix_nanos: heard,
                    state,
                    events: None,
                });
                self.covered_until.insert(node, heard);
            }
        }
        let silent: Vec<NodeIndex> = self.engine.silent().collect();
        for index in silent {
            let node = self.engine.catalog().node(index).clone();
            let Some(until) = self.engine.closed_without(index) else {
                continue;
            };
            let from = self.covered_until.get(&node).copied().unwrap_or(until);
            if until > from {
                let state = CoverageState::Silent;
                self.coverage.push(Coverage {
                    node: node.clone(),
                    from_unix_nanos: from,
                    until_unix_nanos: until,
                    state,
                    events: None,
                });
                self.covered_until.insert(node, until);
            }
        }
        self.note_unobserved();
    }

    /// A node without a daemon is not heard for as long as others are.
    fn note_unobserved(&mut self) {
        let Some(topology) = &self.topology else { return };
        let Some(until) = self.covered_until.values().max().copied() else {
            return;
        };
        for node in topology.topology.nodes.iter().filter(|node| !node.observed) {
            let from = self.covered_until.get(&node.id).copied();
            let from = from
                .or_else(|| self.coverage.iter().map(|row| row.from_unix_nanos).min())
                .unwrap_or(until);
            if until > from {
                let state = CoverageState::NoDaemon;
                self.coverage.push(Coverage {
                    node: node.id.clone(),
                    from_unix_nanos: from,
                    until_unix_nanos: until,
                    state,
                    events: None,
                });
                self.covered_until.insert(node.id.clone(), until);
            }
        }
    }

    fn publish(&self) {
        let before = Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner));
        let record = self.owner.record();
        let names = |catalog: &fathom_model::Catalog| {
            catalog.nodes().len() + catalog.disks().len() + catalog.volumes().len() + catalog.streams().len()
        };
        let same_names = names(&before.catalog) == names(self.engine.catalog());
        let same_files = before.record == record.number;
        let view = View {
            record: record.number,
            epoch: record.epoch,
            files: if same_files {
                Arc::clone(&before.files)
            } else {
                Arc::new(self.owner.files().to_vec())
            },
            hot: self.hot.clone(),
            catalog: if same_names {
                Arc::clone(&before.catalog)
            } else {
                Arc::new(self.engine.catalog().clone())
            },
            topology: self.topology.as_ref().map(|version| Arc::new(version.topology.clone())),
        };
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }

    fn report(&self) -> WorkerReport {
        let catalog = self.engine.catalog();
        let streams = self.engine.streams();
        WorkerReport {
            ios: self.ios,
            events: streams.iter().map(|stream| stream.next_ordinal).sum(),
            in_memory: self.engine.in_memory() as u64,
            finished: self.all_came() && !self.dirty,
            waiting: self
                .waiting
                .iter()
                .map(|waiting| (catalog.node(waiting.node).clone(), waiting.clone()))
                .collect(),
            nodes: self.node_reports(&streams),
            clocks: self
                .engine
                .clocks()
                .into_iter()
                .map(|clock| {
                    (
                        catalog.node(clock.node).clone(),
                        catalog.node(clock.reference).clone(),
                        clock,
                    )
                })
                .collect(),
        }
    }

    fn node_reports(&self, streams: &[fathom_join::StreamReport]) -> Vec<NodeReport> {
        let catalog = self.engine.catalog();
        let mut nodes: BTreeMap<NodeId, NodeReport> = BTreeMap::new();
        let known = self.topology.iter().flat_map(|version| &version.topology.nodes);
        for node in known {
            let state = if node.observed {
                NodeState::NotConnected
            } else {
                NodeState::NoDaemon
            };
            nodes.insert(node.id.clone(), NodeReport::new(node.id.clone(), state));
        }
        for stream in streams {
            let id = catalog.node(stream.node).clone();
            let node = nodes
                .entry(id.clone())
                .or_insert_with(|| NodeReport::new(id.clone(), NodeState::NotConnected));
            if stream.ended == Some(fathom_join::End::Finished) {
                node.state = NodeState::Finished;
            }
            node.events += stream.next_ordinal - stream.lost;
            node.lost += stream.lost;
            node.heard = node
                .heard
                .max(stream.heard_unix_nanos.filter(|heard| *heard < i64::MAX));
            node.taps.extend(
                stream
                    .taps
                    .iter()
                    .filter(|tap| !node.taps.contains(tap))
                    .copied()
                    .collect::<Vec<Tap>>(),
            );
            let kept = &self.owner.record().state.join.streams;
            let id = catalog.stream(stream.stream);
            node.position += kept.iter().find(|kept| kept.id == *id).map_or(0, |kept| kept.position);
        }
        for index in self.engine.silent() {
            if let Some(node) = nodes.get_mut(catalog.node(index)) {
                node.state = NodeState::Silent;
            }
        }
        for session in self.sessions.values() {
            if let Some(node) = nodes.get_mut(&session.node)
                && node.state != NodeState::Finished
            {
                node.state = NodeState::Connected;
            }
        }
        nodes.into_values().collect()
    }
}

impl NodeReport {
    const fn new(node: NodeId, state: NodeState) -> Self {
        Self {
            node,
            state,
            taps: Vec::new(),
            events: 0,
            lost: 0,
            heard: None,
            position: 0,
        }
    }
}
