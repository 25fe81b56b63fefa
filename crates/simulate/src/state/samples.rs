//! Counters, named as the sets of Windows that a daemon reads (`fathom_state::counters::SETS`), so that a simulated cluster shows the same.

use fathom_model::Op;
use fathom_model::state::{Kind, Sample};

use super::node::port;
use super::{POLL_NANOS, States, ports};
use crate::config::{ADAPTERS, DiskRef, FaultKind};

/// Longest time that one pause frame stops a port for: 65,535 quanta of 512 bits (IEEE 802.1Qbb).
const PAUSE_BITS: f64 = 65_535.0 * 512.0;

pub(super) fn read(states: &States<'_>, node: u32, at: u64) -> Vec<Sample> {
    let mut samples = drives(states, node, at);
    samples.extend(pauses(states, node, at));
    samples.extend(ports::read(states, node, at));
    samples
}

pub(super) fn sample(states: &States<'_>, node: u32, at: u64, about: (Kind, &str), name: &str, value: f64) -> Sample {
    Sample {
        node: states.name(node),
        kind: about.0,
        id: about.1.to_owned(),
        name: name.to_owned(),
        observed_unix_nanos: states.shown(node, at),
        value,
    }
}

/// The set PhysicalDisk of each of the node's own drives.
fn drives(states: &States<'_>, node: u32, at: u64) -> Vec<Sample> {
    let after = at.saturating_sub(POLL_NANOS);
    let seconds = (at - after) as f64 / 1e9;
    let mut samples = Vec::new();
    if seconds == 0.0 {
        return samples;
    }
    let own: Vec<DiskRef> = states.each_disk().filter(|on| on.node == node).collect();
    for on in own {
        let Some(done) = states.done(on) else { continue };
        let id = states.disk_id(on);
        let about = (Kind::DiskView, id.as_str());
        for (op, what) in [(Op::Read, "read"), (Op::Write, "write")] {
            let sum = done.between(op, after, at);
            let named = |name: String, value: f64| sample(states, node, at, about, &name, value);
            samples.push(named(
                format!("physical_disk.{what}s_per_s"),
                sum.requests as f64 / seconds,
            ));
            samples.push(named(
                format!("physical_disk.{what}_bytes_per_s"),
                sum.bytes as f64 / seconds,
            ));
            // Of nothing that was completed there is no mean.
            if sum.requests > 0 {
                let mean = sum.nanos as f64 / sum.requests as f64;
                samples.push(named(format!("physical_disk.{what}_mean_ns"), mean));
            }
        }
    }
    samples
}

/// Pause frames of each port: whoever storms sends them, and all others get them.
fn pauses(states: &States<'_>, node: u32, at: u64) -> Vec<Sample> {
    let bits_per_s = states.simulated.config.network.gigabits_per_second * 1e9;
    let longest_millis = PAUSE_BITS / bits_per_s * 1e3;
    let (mut sent, mut received) = (0.0, 0.0);
    for fault in states.faults(at) {
        let FaultKind::PfcStorm {
            node: storms,
            every_millis,
            pause_millis,
        } = fault.what
        else {
            continue;
        };
        // Each burst is as many frames as hold a port for as long.
        let frames_per_s = 1e3 / every_millis * (pause_millis / longest_millis).ceil();
        if storms == node {
            sent += frames_per_s;
        } else {
            received += frames_per_s;
        }
    }
    let mut samples = Vec::new();
    for adapter in 0..ADAPTERS {
        let port = port(adapter);
        for (name, frames) in [("sent", sent), ("received", received)] {
            let name = format!("port_qos.{name}_pause_frames_per_s");
            let value = frames / f64::from(ADAPTERS);
            samples.push(sample(states, node, at, (Kind::Adapter, &port), &name, value));
        }
    }
    samples
}
