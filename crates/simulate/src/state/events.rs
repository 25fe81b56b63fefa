//! What a node's SMB client logs of its connections, as the event log's channel has it.

use fathom_model::state::{Kind, Observation};

use super::{POLL_NANOS, States, code, is_on_link};
use crate::config::FaultKind;

/// What happened since the node read before. An event has its own time, and is told once.
pub(super) fn read(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    let mut happened = Vec::new();
    for mark in &states.simulated.faults {
        // What was so from the start on began before anybody read.
        let is_new = mark.from_nanos <= at && (at < POLL_NANOS || mark.from_nanos > at - POLL_NANOS);
        if !is_new {
            continue;
        }
        for other in (0..states.nodes()).filter(|other| *other != node) {
            let event = match mark.fault.what {
                FaultKind::RdmaFallback { on, .. } if is_on_link(on, node, other) => code(30818, "RDMA Fallback"),
                FaultKind::TargetDied { node: died, .. } if died == other => code(30804, "Disconnected"),
                _ => continue,
            };
            let server = states.name(other).to_string();
            let what = event.as_str().unwrap_or_default().to_owned();
            let mut row = states
                .observation(node, Kind::SmbEvent, format!("{server}/{what}"), mark.from_nanos)
                .with("event", event)
                .with("server", server)
                .with("instance", "SBL");
            for unknown in ["reason", "status"] {
                row.unavailable
                    .insert(unknown.to_owned(), "the event does not say".to_owned());
            }
            happened.push(row);
        }
    }
    happened
}
