//! How much daemons may send.

use fathom_model::NodeId;
use fathom_proto::collect::v1 as wire;
use fathom_proto::collect::v1::collect_response::Message as Response;

use super::Running;

/// Events that a daemon may send ahead of what was received.
pub(super) const AHEAD: u64 = 256 * 1024;

/// ... and what a daemon that is waited for may send when memory is short.
const AHEAD_WHEN_SHORT: u64 = 16 * 1024;

impl Running {
    /// Says how much may be sent. When memory is short, only those that are waited for get more: with what they send
    /// windows close and memory is freed.
    pub(super) fn grant(&mut self) {
        self.say_orders();
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
            if session.credit >= next.saturating_add(ahead / 2) {
                continue;
            }
            let until_ordinal = next.saturating_add(ahead);
            let credit = wire::Credit { until_ordinal };
            let sent = session.outbox.try_send(Ok(wire::CollectResponse {
                message: Some(Response::Credit(credit)),
            }));
            if sent.is_ok() {
                session.credit = until_ordinal;
            }
        }
        if self.ack_due {
            self.acknowledge();
        }
    }
}
