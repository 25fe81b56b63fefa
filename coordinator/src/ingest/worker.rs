//! A cluster's worker: one thread that owns the engine and the store.
//!
//! Everything that changes a cluster passes through here, one message after the other, so nothing is ever half done when
//! something else looks. Queries read the published view.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use fathom_diagnose::objectives::Minutes;
use fathom_diagnose::tally::Tally;
use fathom_join::{Engine, Waiting};
use fathom_model::coverage::{Coverage, CoverageState};
use fathom_model::objective::SlowMinute;
use fathom_model::{ClusterId, JoinedRows, NodeId, NodeIndex};
use fathom_proto::convert::collect::VersionedTopology;
use fathom_runtime::clock::{Clock, SystemClock};
use fathom_runtime::shutdown::Shutdown;
use fathom_store::blobs::Blobs;
use fathom_store::{Owner, read_pending};
use tokio::sync::{mpsc, watch};

use super::{Kept, Message, View};
use crate::config::Ingest;
use crate::error::{Error, Result};
use contests::Contests;

mod commit;
mod conditions;
mod contests;
mod coverage;
mod credit;
mod findings;
mod health;
mod orders;
mod overhead;
mod picture;
mod report;
mod rollup;
mod sessions;
mod state;

pub(crate) use health::HealthView;
use sessions::Session;

/// How often the worker looks at the time, whether anything comes or not.
const TICK: Duration = Duration::from_millis(200);

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
    taken_over: watch::Sender<bool>,
    shutdown: Shutdown,
}

impl Worker {
    pub(super) const fn new(
        id: ClusterId,
        config: Ingest,
        blobs: Blobs,
        inbox: mpsc::Receiver<Message>,
        view: Arc<RwLock<Arc<View>>>,
        taken_over: watch::Sender<bool>,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            id,
            config,
            blobs,
            inbox,
            view,
            taken_over,
            shutdown,
        }
    }

    /// Takes the cluster over and works until the coordinator stops.
    pub(super) async fn run(mut self) -> Result<()> {
        let mut running = Running::start(self.id, self.config, self.blobs, self.view).await?;
        self.taken_over.send_replace(true);
        running.warm_state().await?;
        running.warm_findings().await?;
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
            let now = SystemClock.now_unix_nanos();
            running.note_health(now);
            running.note_rollup(now);
        }
        running.pause_findings();
        running.commit().await
    }
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
    orders: BTreeMap<NodeId, orders::InForce>,
    contests: Contests,
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
    /// Whether anything came since it was last looked whether a record is needed.
    dirty: bool,
    /// Whether an ack found its outbox full.
    ack_due: bool,
    ios: u64,
    state: state::StateStreams,
    findings: findings::Findings,
    health: health::Health,
    rollups: rollup::Rollups,
    /// Objectives of the minutes that go on.
    minutes: Minutes,
    /// Minutes since the last record in which one was not met.
    slow_minutes: Vec<SlowMinute>,
    /// What the rows since the last record add up to.
    tally: Tally,
    /// The first record whose rows are in the tables of that.
    cells_since: u64,
    /// The same of the table of seconds, which came later.
    seconds_since: u64,
    /// What is wrong by state.
    by_state: conditions::ByState,
    /// What of all that was observed a successor needs.
    picture: picture::Pictured,
    /// The last change that each webhook was told, by name.
    webhooks: BTreeMap<String, u64>,
}

/// An end that lies beyond what has come is a skip like any other; what has come beyond an end is a fault too.
fn is_end_at(expected: u64, found: u64) -> fathom_join::Result<()> {
    match found.cmp(&expected) {
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(fathom_join::Error::Skipped { expected, found }),
        Ordering::Less => Err(fathom_join::Error::AfterEnd {
            end: found,
            found: expected - 1,
        }),
    }
}

impl Running {
    async fn start(id: ClusterId, config: Ingest, blobs: Blobs, view: Arc<RwLock<Arc<View>>>) -> Result<Self> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|error| Error::Random {
            reason: error.to_string(),
        })?;
        let now = SystemClock.now_unix_nanos();
        let owner = Owner::<Kept>::take_over(blobs.clone(), id.clone(), nonce, now).await?;
        match owner.remove_orphans().await {
            Ok(0) => {}
            Ok(files) => tracing::info!(cluster = %id, files, "removed files that no record names"),
            // They are in nobody's way but that of who reads the folder without the manifest.
            Err(error) => tracing::warn!(cluster = %id, %error, "files that no record names stay"),
        }
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
        let mut webhooks = kept.webhooks;
        for webhook in config.webhooks.iter().filter(|webhook| webhook.is_for(&id)) {
            // A new one is told what changes from here on. Every record of ours has that, so that no kill loses a change.
            webhooks
                .entry(webhook.name().to_owned())
                .or_insert(kept.findings.sequence);
        }
        let by_state = conditions::ByState::new(topology.as_ref().map(|version| &version.topology));
        let running = Self {
            minutes: Minutes::new(config.objectives.clone(), kept.judged_minute),
            slow_minutes: Vec::new(),
            tally: Tally::default(),
            // What earlier records have is in no table: it stays to be read row by row.
            cells_since: kept.cells_since.unwrap_or_else(|| owner.record().number + 1),
            seconds_since: kept.seconds_since.unwrap_or_else(|| owner.record().number + 1),
            by_state,
            picture: picture::Pictured::default(),
            webhooks,
            id,
            config,
            engine,
            view,
            topology,
            sessions: BTreeMap::new(),
            contests: Contests::default(),
            orders: BTreeMap::new(),
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
            state: state::StateStreams::new(&kept.state_streams),
            findings: findings::Findings::resume(kept.findings),
            health: health::Health::resume(kept.health, kept.troubled),
            rollups: rollup::Rollups::new(now, kept.ios > 0),
            owner,
        };
        running.publish();
        Ok(running)
    }

    fn handle(&mut self, message: Message) {
        let Some(message) = self.handle_state(message) else {
            return;
        };
        match message {
            Message::Open {
                session,
                opening,
                from,
                outbox,
            } => self.open(session, &opening, (outbox, from)),
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
                    engine.push(stream, first_ordinal, columns)?;
                    engine.heard(stream, complete_until)
                });
            }
            Message::Heartbeat {
                session,
                complete_until,
                next_ordinal,
                wall_unix_nanos,
                daemon,
            } => {
                if let Some(daemon) = daemon {
                    self.take_status(session, wall_unix_nanos, daemon);
                }
                self.of_stream(session, |engine, stream| match complete_until {
                    // A promise about events that have not come yet would be broken: they are a skip like any other.
                    Some(_) if next_ordinal > engine.next_ordinal(stream) => Err(fathom_join::Error::Skipped {
                        expected: engine.next_ordinal(stream),
                        found: next_ordinal,
                    }),
                    Some(until) => engine.heard(stream, until),
                    None => Ok(()),
                });
            }
            Message::Lost {
                session,
                ordinals: (first, until),
                cause,
                complete_until,
            } => {
                let loss = self.loss(session, cause, complete_until);
                let mut lost = 0;
                self.of_stream(session, |engine, stream| {
                    lost = engine.lose(stream, first, until)?;
                    complete_until.map_or(Ok(()), |until| engine.heard(stream, until))
                });
                // Said again after a reconnect it is nothing new.
                self.coverage.extend(loss.filter(|_| lost > 0).map(|loss| Coverage {
                    events: Some(lost),
                    ..loss
                }));
            }
            Message::Gap {
                session,
                stretch: (from, until),
                cause,
                events,
            } => {
                let node = self.sessions.get(&session).map(|session| session.node.clone());
                let mut is_new = false;
                self.of_stream(session, |engine, stream| {
                    is_new = engine.gap(stream, from, until)?;
                    Ok(())
                });
                if let Some(node) = node.filter(|_| is_new) {
                    let state = CoverageState::Gap(cause);
                    self.coverage.push(Coverage {
                        node,
                        from_unix_nanos: from,
                        until_unix_nanos: until,
                        state,
                        events,
                    });
                }
            }
            Message::End {
                session,
                end,
                next_ordinal,
            } => {
                self.of_stream(session, |engine, stream| {
                    is_end_at(engine.next_ordinal(stream), next_ordinal)?;
                    engine.end(stream, end)
                });
            }
            Message::Closed { session } => {
                if let Some(closed) = self.sessions.remove(&session) {
                    tracing::info!(cluster = %self.id, node = %closed.node, "disconnected");
                    self.seen.insert(closed.node, Instant::now());
                }
            }
            // Taken above.
            Message::State { .. } => {}
            Message::Order { order, reply } => {
                let told = self.order(&order);
                // As below.
                let _ = reply.send(told);
            }
            Message::Report { reply } => {
                // Whoever asked may have gone; that is no fault.
                let _ = reply.send(self.report());
            }
            Message::Remark(remark) => self.take_remark(remark, SystemClock.now_unix_nanos()),
            Message::Told { webhook, sequence } => {
                // No reason for a record of its own: what is told twice is known by its number.
                self.webhooks.insert(webhook, sequence);
            }
        }
    }

    /// Closes what can close, publishes and stores it, and says what may be sent.
    async fn step(&mut self) -> Result<()> {
        self.waiting = self.engine.advance();
        let rows = self.engine.take_rows();
        if !rows.is_empty() {
            self.ios += rows.ios.len() as u64;
            self.hot_bytes += rows.ios.len() as u64 * IO_BYTES + rows.legs.len() as u64 * LEG_BYTES;
            self.findings.add(&rows, self.engine.catalog());
            self.rollups.add(&rows, self.engine.catalog());
            self.tally.add(&rows, self.engine.catalog());
            rows.ios
                .iter()
                .for_each(|io| self.minutes.add(io, self.engine.catalog()));
            self.slow_minutes.append(&mut self.minutes.judge());
            self.hot.push(Arc::new(rows));
            self.publish();
        }
        self.read_conditions(self.all_came());
        if self.all_came() {
            self.findings.finish(self.engine.catalog());
            self.slow_minutes.append(&mut self.minutes.finish());
            self.dirty |= !self.slow_minutes.is_empty() || !self.findings.hours.is_empty();
        }
        // People are told from records alone, and soon.
        self.dirty |= self.findings.has_news();
        let is_time = self.committed.elapsed() >= self.config.commit_every;
        self.dirty |= is_time && self.webhooks != self.owner.record().state.webhooks;
        // How the cluster is does not change often, and whoever starts again goes on from there.
        let is_otherwise = self.health.history().last() != self.owner.record().state.health.last();
        let due = self.findings.has_news()
            || is_otherwise
            || self.hot_bytes >= self.config.commit_bytes
            || self.state.waits_for_record(&self.owner.record().state.state_streams)
            || is_time;
        if self.dirty && (due || self.all_came()) {
            self.commit().await?;
        }
        self.grant();
        self.grant_state();
        Ok(())
    }

    /// Whether nothing that is expected is still to come.
    fn all_came(&self) -> bool {
        let of_events = match self.engine.streams().is_empty() {
            true if !self.state.is_quiet() => return false,
            true => None,
            false => Some(self.topology.is_some() && self.engine.is_finished()),
        };
        let both = of_events.into_iter().chain(self.state.all_ended());
        both.reduce(|events, state| events && state).unwrap_or(false)
    }

    /// Stops waiting for nodes that have been away for too long.
    fn note_silence(&mut self) {
        if self.looked.elapsed() < TICK {
            return;
        }
        self.looked = Instant::now();
        self.findings.expire(SystemClock.now_unix_nanos());
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
}
