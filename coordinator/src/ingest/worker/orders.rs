//! How much nodes read, where an operator has said so for a time.
//!
//! Orders live as long as this coordinator: whoever takes the cluster over knows nothing of them, and daemons keep theirs to its end.

use std::time::{Duration, Instant};

use fathom_model::NodeId;
use fathom_proto::collect::v1 as wire;
use fathom_proto::collect::v1::collect_response::Message as Response;

use super::Running;
use crate::ingest::{Order, Told};

/// An order in force.
#[derive(Clone, Copy, Debug)]
pub(super) struct InForce {
    profile: wire::Profile,
    until: Instant,
}

impl Running {
    /// Takes an order for these nodes, or for all when there are none, and says to whom it went.
    pub(super) fn order(&mut self, order: &Order) -> Vec<Told> {
        let topology = self.topology.iter().flat_map(|version| &version.topology.nodes);
        let mut nodes: Vec<NodeId> = if order.nodes.is_empty() {
            let known = topology.map(|node| node.id.clone());
            known
                .chain(self.sessions.values().map(|session| session.node.clone()))
                .collect()
        } else {
            order.nodes.clone()
        };
        nodes.sort();
        nodes.dedup();
        let now = Instant::now();
        self.orders.retain(|_, order| order.until > now);
        let told = nodes.into_iter().map(|node| {
            match order.profile {
                Some(profile) => {
                    let until = now + order.lasts;
                    self.orders.insert(node.clone(), InForce { profile, until });
                }
                None => drop(self.orders.remove(&node)),
            }
            let message = policy(order.profile, order.lasts);
            let mut told = false;
            for session in self.sessions.values_mut().filter(|session| session.node == node) {
                // Full: it is said with the next credit.
                let sent = session.outbox.try_send(Ok(message.clone())).is_ok();
                session.order_due = !sent;
                told = true;
            }
            Told { node, told }
        });
        told.collect()
    }

    /// What a daemon that connects is told.
    pub(super) fn policy_of(&self, node: &NodeId) -> wire::Policy {
        let order = self.orders.get(node);
        let left = order.map(|order| (order.profile, order.until.saturating_duration_since(Instant::now())));
        let profile = left
            .filter(|(_, left)| !left.is_zero())
            .map(|(profile, left)| profile_order(profile, left));
        wire::Policy {
            profile,
            ..wire::Policy::default()
        }
    }

    /// Says what found its outbox full before.
    pub(super) fn say_orders(&mut self) {
        let due: Vec<u64> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.order_due)
            .map(|(&number, _)| number)
            .collect();
        for number in due {
            let Some(node) = self.sessions.get(&number).map(|session| session.node.clone()) else {
                continue;
            };
            let policy = match self.policy_of(&node) {
                // It was taken back, or its time is over.
                policy if policy.profile.is_none() => policy_message(wire::Policy {
                    profile: Some(profile_order(wire::Profile::Unspecified, Duration::ZERO)),
                    ..policy
                }),
                policy => policy_message(policy),
            };
            if let Some(session) = self.sessions.get_mut(&number) {
                session.order_due = session.outbox.try_send(Ok(policy)).is_err();
            }
        }
    }
}

fn policy(profile: Option<wire::Profile>, lasts: Duration) -> wire::CollectResponse {
    let (profile, lasts) = profile.map_or((wire::Profile::Unspecified, Duration::ZERO), |profile| (profile, lasts));
    policy_message(wire::Policy {
        profile: Some(profile_order(profile, lasts)),
        ..wire::Policy::default()
    })
}

const fn policy_message(policy: wire::Policy) -> wire::CollectResponse {
    wire::CollectResponse {
        message: Some(Response::Policy(policy)),
    }
}

fn profile_order(profile: wire::Profile, lasts: Duration) -> wire::ProfileOrder {
    wire::ProfileOrder {
        profile: profile.into(),
        for_nanos: u64::try_from(lasts.as_nanos()).unwrap_or(u64::MAX),
    }
}
