//! What daemons cost their nodes, kept: they say it with their heartbeats, and once a minute it becomes readings beside those of the
//! nodes' own counters.

use std::sync::Arc;

use fathom_model::NodeId;
use fathom_model::state::{Kind, Sample};
use fathom_proto::collect::v1 as wire;

use super::Running;

/// A reading is kept this often, by the daemon's own running time.
const EVERY_NANOS: u64 = 60_000_000_000;

/// About so many bytes of a file readings of one daemon take.
const BYTES: u64 = 200;

impl Running {
    /// Takes what a daemon says of itself, at a time of its node's clock.
    pub(super) fn take_status(&mut self, session: u64, wall_unix_nanos: i64, said: wire::DaemonStatus) {
        let Some(open) = self.sessions.get_mut(&session) else {
            return;
        };
        // The replay of a recording costs nobody anything, and an idle cluster puts no records for it.
        let is_live = said.profile() != wire::Profile::Unspecified;
        let running = said.running_nanos;
        let due = |kept: &wire::DaemonStatus| running.saturating_sub(kept.running_nanos) >= EVERY_NANOS;
        if is_live && open.kept.as_ref().is_none_or(due) {
            let samples = readings(&open.node, open.kept.as_ref(), &said, wall_unix_nanos);
            open.kept = Some(said.clone());
            if !samples.is_empty() {
                self.state.samples.push(Arc::new(samples));
                self.hot_bytes += BYTES;
            }
        }
        if let Some(open) = self.sessions.get_mut(&session) {
            open.daemon = Some(said);
        }
    }
}

/// What a daemon used since it was looked at before, or since it began; what it does not count is left out.
fn readings(node: &NodeId, before: Option<&wire::DaemonStatus>, now: &wire::DaemonStatus, at: i64) -> Vec<Sample> {
    // One that runs for less long than before is another process.
    let before = before.filter(|before| before.running_nanos <= now.running_nanos);
    let since = |of: fn(&wire::DaemonStatus) -> Option<u64>| {
        let was = before.and_then(of).unwrap_or(0);
        of(now).and_then(|is| is.checked_sub(was))
    };
    let passed = now.running_nanos - before.map_or(0, |before| before.running_nanos);
    let of_time = |came: u64| (passed > 0).then(|| came as f64 / passed as f64);
    let all = [
        (
            "daemon.processor_percent",
            since(|status| status.processor_nanos)
                .and_then(of_time)
                .map(|share| share * 100.0),
        ),
        ("daemon.memory_bytes", now.memory_bytes.map(|bytes| bytes as f64)),
        ("daemon.spool_bytes", Some(now.spool_bytes as f64)),
        (
            "daemon.events_read_per_s",
            since(|status| status.events_read)
                .and_then(of_time)
                .map(|rate| rate * 1e9),
        ),
        ("daemon.events_lost", now.events_lost.map(|events| events as f64)),
        ("daemon.events_shed", now.events_shed.map(|events| events as f64)),
        (
            "daemon.events_undecoded",
            now.events_undecoded.map(|events| events as f64),
        ),
    ];
    let known = all.into_iter().filter_map(|(name, value)| Some((name, value?)));
    known
        .map(|(name, value)| Sample {
            node: node.clone(),
            kind: Kind::Node,
            id: node.to_string(),
            name: name.to_owned(),
            observed_unix_nanos: at,
            value,
        })
        .collect()
}

#[cfg(test)]
mod tests;
