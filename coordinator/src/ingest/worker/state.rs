//! State streams: observations and samples on their way to the store.
//!
//! They have ordinals, positions and acknowledgements as streams of events have, and no windows: what was said is stored as it was said.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fathom_model::state::{Observation, Sample};
use fathom_model::{NodeId, StreamId, StreamKind};
use fathom_proto::COLLECT_PROTOCOL;
use fathom_proto::collect::v1 as wire;
use fathom_proto::collect::v1::collect_response::Message as Response;
use fathom_proto::convert::collect::Opening;
use tonic::Status;

use super::Running;
use crate::grpc::status;
use crate::ingest::{Message, Outbox, StateStream};

/// Who sends state that has an end sends it before events: where there are none yet, they are expected for so long.
const QUIET: Duration = Duration::from_secs(3);

/// Rows that a daemon may send ahead of what was received.
const AHEAD: u64 = 64 * 1024;

/// About so many bytes of a file an observation and a sample take; for deciding when to commit.
const OBSERVATION_BYTES: u64 = 200;
const SAMPLE_BYTES: u64 = 20;

/// A daemon that is connected.
struct Session {
    id: StreamId,
    outbox: Outbox,
    credit: u64,
    acked: (u64, bool),
    /// Whether it was told to report for the cluster.
    reporter: bool,
}

/// All state streams of a cluster.
#[derive(Default)]
pub(super) struct StateStreams {
    /// What was received of each, committed or not.
    streams: BTreeMap<StreamId, (u64, bool)>,
    sessions: BTreeMap<u64, Session>,
    /// Observations since the last record, as they came.
    pub(super) hot: Vec<Arc<Vec<Observation>>>,
    /// Samples since the last record, as they came.
    pub(super) samples: Vec<Arc<Vec<Sample>>>,
    /// Whether an ack found its outbox full.
    ack_due: bool,
    /// When anything came last.
    came: Option<Instant>,
}

impl StateStreams {
    pub(super) fn new(kept: &[StateStream]) -> Self {
        let streams = kept.iter().map(|kept| (kept.id.clone(), (kept.position, kept.ended)));
        Self {
            streams: streams.collect(),
            ..Self::default()
        }
    }

    /// As a record keeps them.
    pub(super) fn kept(&self) -> Vec<StateStream> {
        let kept = self.streams.iter().map(|(id, &(position, ended))| StateStream {
            id: id.clone(),
            position,
            ended,
        });
        kept.collect()
    }

    /// Whether there are any, and all of them have ended.
    pub(super) fn all_ended(&self) -> Option<bool> {
        (!self.streams.is_empty()).then(|| self.streams.values().all(|(_, ended)| *ended))
    }

    /// Whether nothing has come for a while.
    pub(super) fn is_quiet(&self) -> bool {
        self.came.is_none_or(|came| came.elapsed() >= QUIET)
    }

    /// Whether anything is new since the last record.
    pub(super) fn has_news(&self, kept: &[StateStream]) -> bool {
        !self.hot.is_empty() || !self.samples.is_empty() || self.kept() != kept
    }

    /// Whether a stream has ended and no record says so: its daemon waits for that and for nothing else.
    pub(super) fn waits_for_record(&self, kept: &[StateStream]) -> bool {
        let is_kept = |id: &StreamId| kept.iter().any(|kept| kept.id == *id && kept.ended);
        self.streams.iter().any(|(id, (_, ended))| *ended && !is_kept(id))
    }

    /// Names another node to report for the cluster where none does: the first by name that can be told.
    pub(super) fn name_reporter(&mut self) {
        if self.sessions.values().any(|open| open.reporter) {
            return;
        }
        let mut open: Vec<&mut Session> = self.sessions.values_mut().collect();
        open.sort_by(|a, b| a.id.cmp(&b.id));
        for session in open {
            let policy = wire::Policy {
                report_cluster: true,
                ..wire::Policy::default()
            };
            let message = Some(Response::Policy(policy));
            if session.outbox.try_send(Ok(wire::CollectResponse { message })).is_ok() {
                session.reporter = true;
                return;
            }
        }
    }

    /// Takes the rows beyond what was received; how many bytes they take.
    fn take(
        &mut self,
        session: u64,
        first: u64,
        mut observations: Vec<Observation>,
        mut samples: Vec<Sample>,
    ) -> Result<u64, Status> {
        let Some(open) = self.sessions.get(&session) else {
            return Ok(0);
        };
        let stranger = |node: &NodeId| *node != open.id.node;
        let nodes = observations
            .iter()
            .map(|row| &row.node)
            .chain(samples.iter().map(|row| &row.node));
        if let Some(other) = nodes.into_iter().find(|node| stranger(node)) {
            return Err(status::foreign_node(&open.id.node, other));
        }
        let entry = self.streams.entry(open.id.clone()).or_default();
        let known = skip(entry.0, first)?;
        let count = (observations.len() + samples.len()) as u64;
        not_after_end(*entry, first.saturating_add(count))?;
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let known_samples = known.saturating_sub(observations.len()).min(samples.len());
        observations.drain(..known.min(observations.len()));
        samples.drain(..known_samples);
        entry.0 = entry.0.max(first.saturating_add(count));
        let bytes = observations.len() as u64 * OBSERVATION_BYTES + samples.len() as u64 * SAMPLE_BYTES;
        if !observations.is_empty() {
            self.hot.push(Arc::new(observations));
        }
        if !samples.is_empty() {
            self.samples.push(Arc::new(samples));
        }
        Ok(bytes)
    }
}

/// How many of the rows from `first` on are known already.
fn skip(next: u64, first: u64) -> Result<u64, Status> {
    if first > next {
        return Err(status::of_join(&fathom_join::Error::Skipped {
            expected: next,
            found: first,
        }));
    }
    Ok(next - first)
}

/// A stream that has ended gets nothing new.
fn not_after_end((next, ended): (u64, bool), until: u64) -> Result<(), Status> {
    match ended && until > next {
        true => Err(status::of_join(&fathom_join::Error::AfterEnd {
            end: next,
            found: until - 1,
        })),
        false => Ok(()),
    }
}

impl Running {
    /// Handles what is about a state stream, and gives back what is not.
    pub(super) fn handle_state(&mut self, message: Message) -> Option<Message> {
        match message {
            Message::Open {
                session,
                opening,
                outbox,
                ..
            } if opening.stream.kind == StreamKind::State => {
                self.open_state(session, &opening, outbox);
                return None;
            }
            Message::State { session, .. } if !self.state.sessions.contains_key(&session) => {
                // On a stream of events it is a fault; of a session that was replaced it is late.
                if self.sessions.contains_key(&session) {
                    self.refuse(session, status::unknown_message());
                }
                return None;
            }
            ref other
                if other
                    .session()
                    .is_none_or(|session| !self.state.sessions.contains_key(&session)) =>
            {
                return Some(message);
            }
            _ => {}
        }
        self.dirty |= matches!(
            message,
            Message::State { .. } | Message::Lost { .. } | Message::End { .. }
        );
        self.state.came = Some(Instant::now());
        let (session, outcome) = match message {
            Message::State {
                session,
                first_ordinal,
                observations,
                samples,
            } => {
                let (known, counted) = (self.state.hot.len(), self.state.samples.len());
                let taken = self.state.take(session, first_ordinal, observations, samples);
                let outcome = taken.map(|bytes| {
                    self.hot_bytes += bytes;
                    for piece in self.state.hot.iter().skip(known) {
                        self.rollups.observe(piece.iter());
                        self.by_state.wait(piece);
                    }
                    for piece in self.state.samples.iter().skip(counted) {
                        self.by_state.wait_samples(piece);
                    }
                    self.publish();
                });
                (session, outcome)
            }
            Message::Lost { session, ordinals, .. } => (session, self.lose_state(session, ordinals)),
            Message::End {
                session, next_ordinal, ..
            } => (session, self.end_state(session, next_ordinal)),
            Message::Closed { session } => {
                if let Some(closed) = self.state.sessions.remove(&session) {
                    self.state.name_reporter();
                    self.seen.insert(closed.id.node, Instant::now());
                }
                return None;
            }
            Message::Batch { session, .. } => (session, Err(status::unknown_message())),
            // A cluster's topology is said on streams of events; that a daemon lives is seen by its connection.
            _ => return None,
        };
        if let Err(refusal) = outcome
            && let Some(refused) = self.state.sessions.remove(&session)
        {
            tracing::warn!(cluster = %self.id, node = %refused.id.node, error = %refusal.message(), "state refused");
            let _ = refused.outbox.try_send(Err(refusal));
            self.state.name_reporter();
        }
        None
    }

    fn lose_state(&mut self, session: u64, (first, until): (u64, u64)) -> Result<(), Status> {
        let Some(open) = self.state.sessions.get(&session) else {
            return Ok(());
        };
        let entry = self.state.streams.entry(open.id.clone()).or_default();
        skip(entry.0, first)?;
        not_after_end(*entry, until)?;
        entry.0 = entry.0.max(until);
        Ok(())
    }

    fn end_state(&mut self, session: u64, next_ordinal: u64) -> Result<(), Status> {
        let Some(open) = self.state.sessions.get(&session) else {
            return Ok(());
        };
        let entry = self.state.streams.entry(open.id.clone()).or_default();
        super::is_end_at(entry.0, next_ordinal).map_err(|error| status::of_join(&error))?;
        entry.1 = true;
        Ok(())
    }

    fn open_state(&mut self, session: u64, opening: &Opening, outbox: Outbox) {
        let id = opening.stream.clone();
        let before: Vec<u64> = self
            .state
            .sessions
            .iter()
            .filter(|(_, open)| open.id == id)
            .map(|(&number, _)| number)
            .collect();
        for older in before {
            if let Some(replaced) = self.state.sessions.remove(&older) {
                let _ = replaced.outbox.try_send(Err(status::replaced_session(&id.node)));
            }
        }
        self.state.came = Some(Instant::now());
        let (position, _) = *self.state.streams.entry(id.clone()).or_default();
        let kept = self
            .owner
            .record()
            .state
            .state_streams
            .iter()
            .find(|kept| kept.id == id);
        let complete = kept.is_some_and(|kept| kept.ended);
        // Somebody has to, and who does goes on: another one would ask everything anew.
        let reporter = !self.state.sessions.values().any(|open| open.reporter);
        let welcome = wire::Welcome {
            protocol_version: COLLECT_PROTOCOL,
            epoch: self.owner.record().epoch,
            position,
            accounted: Vec::new(),
            credit: Some(wire::Credit {
                until_ordinal: position.saturating_add(AHEAD),
            }),
            policy: Some(wire::Policy {
                report_cluster: reporter,
                ..wire::Policy::default()
            }),
            coordinator_version: env!("CARGO_PKG_VERSION").to_owned(),
            complete,
        };
        let sent = outbox.try_send(Ok(wire::CollectResponse {
            message: Some(Response::Welcome(welcome)),
        }));
        if sent.is_ok() {
            self.dirty = true;
            let acked = (0, false);
            let credit = position.saturating_add(AHEAD);
            self.state.sessions.insert(
                session,
                Session {
                    id,
                    outbox,
                    credit,
                    acked,
                    reporter,
                },
            );
        }
    }

    /// Says how far each connected state stream is stored.
    pub(super) fn acknowledge_state(&mut self) {
        let record = self.owner.record();
        self.state.ack_due = false;
        for session in self.state.sessions.values_mut() {
            let Some(kept) = record.state.state_streams.iter().find(|kept| kept.id == session.id) else {
                continue;
            };
            let now = (kept.position, kept.ended);
            if now == session.acked {
                continue;
            }
            let ack = wire::Ack {
                epoch: record.epoch,
                position: now.0,
                complete: now.1,
            };
            let message = Some(Response::Ack(ack));
            match session.outbox.try_send(Ok(wire::CollectResponse { message })) {
                Ok(()) => session.acked = now,
                // Said again at the next step: a daemon waits for its last ack for ever.
                Err(_) => self.state.ack_due = true,
            }
        }
    }

    /// Says how much state may be sent.
    pub(super) fn grant_state(&mut self) {
        for session in self.state.sessions.values_mut() {
            let next = self.state.streams.get(&session.id).map_or(0, |(next, _)| *next);
            if session.credit >= next.saturating_add(AHEAD / 2) {
                continue;
            }
            let until_ordinal = next.saturating_add(AHEAD);
            let message = Some(Response::Credit(wire::Credit { until_ordinal }));
            if session.outbox.try_send(Ok(wire::CollectResponse { message })).is_ok() {
                session.credit = until_ordinal;
            }
        }
        if self.state.ack_due {
            self.acknowledge_state();
        }
        self.state.name_reporter();
    }
}
