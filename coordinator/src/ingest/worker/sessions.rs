//! Daemons that are connected: what opens and ends their sessions, and what each says the cluster is made of.

use std::net::SocketAddr;
use std::time::Instant;

use fathom_join::{Engine, StreamInfo};
use fathom_model::{NodeId, StreamId, StreamIndex};
use fathom_proto::COLLECT_PROTOCOL;
use fathom_proto::collect::v1 as wire;
use fathom_proto::collect::v1::collect_response::Message as Response;
use fathom_proto::convert::collect::{Opening, VersionedTopology};

use super::super::Outbox;
use super::{Running, contests, credit};
use crate::grpc::status;

/// A daemon that is connected.
pub(super) struct Session {
    pub(super) stream: StreamIndex,
    pub(super) node: NodeId,
    pub(super) outbox: Outbox,
    /// From where it is connected.
    from: Option<SocketAddr>,
    pub(super) credit: u64,
    /// The last ack that was said.
    pub(super) acked: (u64, bool),
    /// What the daemon said of itself last.
    pub(super) daemon: Option<wire::DaemonStatus>,
    /// ... and when readings of it were kept last.
    pub(super) kept: Option<wire::DaemonStatus>,
    /// Whether an order found its outbox full.
    pub(super) order_due: bool,
}

impl Running {
    /// Does something with a session's stream; a fault of the daemon ends the session.
    pub(super) fn of_stream(
        &mut self,
        session: u64,
        action: impl FnOnce(&mut Engine, StreamIndex) -> fathom_join::Result<()>,
    ) {
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

    pub(super) fn refuse(&mut self, session: u64, status: tonic::Status) {
        if let Some(refused) = self.sessions.remove(&session) {
            // Full or closed: the connection ends either way when the outbox is dropped.
            let _ = refused.outbox.try_send(Err(status));
            self.seen.insert(refused.node, Instant::now());
        }
    }

    pub(super) fn open(&mut self, session: u64, opening: &Opening, (outbox, from): (Outbox, Option<SocketAddr>)) {
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
            let had = self.sessions.get(&older).and_then(|older| older.from);
            self.note_contest(&opening.stream, [had, from]);
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
            position.saturating_add(credit::AHEAD)
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
            policy: Some(self.policy_of(&opening.stream.node)),
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
                    from,
                    credit,
                    acked: (0, false),
                    daemon: None,
                    kept: None,
                    order_due: false,
                },
            );
        }
    }

    /// Tells of a stream that is taken over again and again.
    fn note_contest(&mut self, stream: &StreamId, between: [Option<SocketAddr>; 2]) {
        if let Some(times) = self.contests.note(stream, between, Instant::now()) {
            let [had, took] = between.map(contests::address);
            tracing::warn!(
                cluster = %self.id, node = %stream.node, incarnation = %stream.incarnation, had, took, times,
                "two daemons send one stream and take it from each other: stop one of them"
            );
        }
    }

    /// Takes the highest version; of one version all daemons must say the same, but each knows best which nodes it can speak
    /// for.
    pub(super) fn take_topology(&mut self, session: u64, mut said: VersionedTopology) {
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
        for odd in said.topology.oddities() {
            tracing::warn!(cluster = %self.id, odd, "the topology does not fit together");
        }
        self.engine.set_topology(&said.topology);
        self.by_state.now.set_topology(&said.topology);
        self.topology = Some(said);
        self.dirty = true;
        self.publish();
    }
}
