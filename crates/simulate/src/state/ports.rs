//! Counters of the adapters: what went through them, what waited for credits, and what broke.
//!
//! The storage bus is spread evenly over a node's adapters, so that each has its part of what the run counted for the node. An instance is
//! called after its adapter; Windows has one a connection of SMB Direct, and calls those of RDMA by the adapter's description.

use fathom_model::state::{Kind, Sample};

use super::node::{is_fallen, port};
use super::samples::sample;
use super::{POLL_NANOS, States};
use crate::config::{ADAPTERS, FaultKind};

/// Channels of a connection to another node, over each adapter.
const CHANNELS: u64 = 2;

pub(super) fn read(states: &States<'_>, node: u32, at: u64) -> Vec<Sample> {
    let traffic = states.simulated.counted.traffic(node, at);
    let after = at.saturating_sub(POLL_NANOS);
    let seconds = (at - after) as f64 / 1e9;
    if seconds == 0.0 {
        return Vec::new();
    }
    let a_second = |count: u64| count as f64 / seconds / f64::from(ADAPTERS);
    let foreign = foreign_bytes_per_s(states, node, (after, at));
    let mut samples = Vec::new();
    for adapter in 0..ADAPTERS {
        let name = port(adapter);
        let connections = CHANNELS * rdma_peers(states, node, at);
        let connection = [
            ("stalls_send_credit_per_s", a_second(traffic.credit_stalls)),
            ("stalls_send_queue_per_s", 0.0),
            ("stalls_rdma_read_per_s", 0.0),
            ("stalls_registration_per_s", 0.0),
            ("rdma_written_bytes_per_s", a_second(traffic.rdma_sent_bytes)),
            ("sends_per_s", a_second(traffic.rdma_sends)),
        ];
        let rdma = [
            ("inbound_bytes_per_s", a_second(traffic.rdma_received_bytes)),
            ("outbound_bytes_per_s", a_second(traffic.rdma_sent_bytes)),
            ("connections", connections as f64),
            // Which end counts is not documented: here the adapter that breaks them, all that go over it.
            (
                "connection_errors",
                (states.broken(node, adapter, at) * connections) as f64,
            ),
            ("completion_queue_errors", 0.0),
            ("failed_attempts", 0.0),
        ];
        // What goes by RDMA is not seen by these.
        let network = [
            ("received_bytes_per_s", a_second(traffic.tcp_received_bytes) + foreign),
            ("sent_bytes_per_s", a_second(traffic.tcp_sent_bytes) + foreign),
            ("received_discarded_per_s", 0.0),
            ("received_errors_per_s", 0.0),
            ("sent_discarded_per_s", 0.0),
            ("sent_errors_per_s", 0.0),
        ];
        for (set, kind, counters) in [
            ("smb_direct", Kind::SmbConnection, connection),
            ("rdma", Kind::Adapter, rdma),
            ("network", Kind::Adapter, network),
        ] {
            let of_set = counters
                .into_iter()
                .map(|(counter, value)| sample(states, node, at, (kind, &name), &format!("{set}.{counter}"), value));
            samples.extend(of_set);
        }
    }
    samples
}

/// Other nodes that a node talks to by RDMA.
fn rdma_peers(states: &States<'_>, node: u32, at: u64) -> u64 {
    let others = (0..states.nodes()).filter(|other| *other != node);
    others.filter(|other| !is_fallen(states, node, *other, at)).count() as u64
}

/// What something else sends through each adapter of a node, and gets by it, in a stretch of time.
fn foreign_bytes_per_s(states: &States<'_>, node: u32, (after, at): (u64, u64)) -> f64 {
    let bytes_per_s = states.simulated.config.network.gigabits_per_second * 1e9 / 8.0;
    let own = states.simulated.faults.iter().filter_map(|mark| match mark.fault.what {
        FaultKind::LinkBusy {
            node: of, load_share, ..
        } if of == node => {
            let overlap = at.min(mark.until_nanos).saturating_sub(after.max(mark.from_nanos));
            Some(load_share * overlap as f64 / (at - after).max(1) as f64)
        }
        _ => None,
    });
    bytes_per_s * own.sum::<f64>().min(1.0)
}
