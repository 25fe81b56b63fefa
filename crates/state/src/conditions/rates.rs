//! What counters of nodes said in the last minutes, for holding them against those of other nodes at the same time.
//!
//! Of all counters only those are kept that a sign is told by. A reading is over when a later one of the same node begins: then its sign
//! may be looked at.

use std::collections::{BTreeMap, VecDeque};

use fathom_model::NodeId;
use fathom_model::condition::{ObservationRef, Sign};
use fathom_model::state::{Kind, Sample};

use super::Read;

/// Which counters are followed, and what they show.
const FOLLOWED: &[(&str, Sign)] = &[
    (PAUSES_SENT, Sign::PauseStorm),
    (STALLS[0].0, Sign::CreditStalls),
    (STALLS[1].0, Sign::CreditStalls),
    (STALLS[2].0, Sign::CreditStalls),
    (STALLS[3].0, Sign::CreditStalls),
    (SENDS, Sign::CreditStalls),
    (ERRORS[0].0, Sign::LinkErrors),
    (ERRORS[1].0, Sign::LinkErrors),
    (DISCARDS[0].0, Sign::LinkErrors),
    (DISCARDS[1].0, Sign::LinkErrors),
    (RDMA_ERRORS[0].0, Sign::LinkErrors),
    (RDMA_ERRORS[1].0, Sign::LinkErrors),
    (RDMA_ERRORS[2].0, Sign::LinkErrors),
    (SENT[0], Sign::Saturated),
    (SENT[1], Sign::Saturated),
    (RECEIVED[0], Sign::Saturated),
    (RECEIVED[1], Sign::Saturated),
];

/// Pause frames that a port sent: it asks others to stop.
pub(super) const PAUSES_SENT: &str = "port_qos.sent_pause_frames_per_s";

/// Waits of RDMA connections, and for what.
pub(super) const STALLS: [(&str, &str); 4] = [
    ("smb_direct.stalls_send_credit_per_s", "send credits"),
    ("smb_direct.stalls_send_queue_per_s", "room in the send queue"),
    ("smb_direct.stalls_rdma_read_per_s", "RDMA reads"),
    ("smb_direct.stalls_registration_per_s", "registrations of memory"),
];

/// Messages that RDMA connections sent.
pub(super) const SENDS: &str = "smb_direct.sends_per_s";

/// Packets with errors.
pub(super) const ERRORS: [(&str, &str); 2] = [
    ("network.received_errors_per_s", "received with errors"),
    ("network.sent_errors_per_s", "not sent for errors"),
];

/// Packets without errors that were thrown away.
pub(super) const DISCARDS: [(&str, &str); 2] = [
    ("network.received_discarded_per_s", "received and thrown away"),
    ("network.sent_discarded_per_s", "thrown away before they were sent"),
];

/// Totals of RDMA since the driver started.
pub(super) const RDMA_ERRORS: [(&str, &str); 3] = [
    ("rdma.connection_errors", "connections that failed"),
    ("rdma.completion_queue_errors", "errors of completion queues"),
    ("rdma.failed_attempts", "attempts to connect that failed"),
];

/// Bytes that an adapter sends, and that it receives: those of RDMA pass the network stack by, so that neither counter has the other's.
pub(super) const SENT: [&str; 2] = ["network.sent_bytes_per_s", "rdma.outbound_bytes_per_s"];
pub(super) const RECEIVED: [&str; 2] = ["network.received_bytes_per_s", "rdma.inbound_bytes_per_s"];

/// Means are of readings of the last minute, and of two at least.
const WINDOW_NANOS: i64 = 60 * SECOND;
const FEWEST: usize = 2;

/// Two readings further apart than this, and equals not heard for so long, say nothing of now.
const STALE_NANOS: i64 = 300 * SECOND;

/// So long readings are kept, for totals that grow seldom (domain/thresholds.md: disconnects count within 900 s), and so many at most.
pub(super) const KEPT_NANOS: i64 = 900 * SECOND;
const KEPT: usize = 960;

/// So many instances of counters are followed: a node that makes up names costs no more memory than that.
const MOST: usize = 20_000;

const SECOND: i64 = 1_000_000_000;

/// A counter of an instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    name: &'static str,
    node: NodeId,
    kind: Kind,
    id: String,
}

/// Readings by counter, instance and node, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Rates {
    series: BTreeMap<Key, VecDeque<(i64, f64)>>,
    /// When each node read last what a sign is told by.
    read: BTreeMap<(Sign, NodeId), i64>,
}

/// What an instance said of late.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Of {
    pub(super) node: NodeId,
    pub(super) id: String,
    /// Mean of its readings of the last minute.
    pub(super) mean: f64,
    /// When the newest was read.
    pub(super) at: i64,
    /// Since when it has said about as much: at least half of the mean in one of each two readings, as far as readings are kept.
    pub(super) from: i64,
    pub(super) newest: ObservationRef,
}

impl Of {
    /// The newest reading.
    pub(super) fn cited(&self) -> ObservationRef {
        self.newest.clone()
    }
}

/// Whether a counter is followed.
#[must_use]
pub fn is_followed(sample: &Sample) -> bool {
    followed(&sample.name).is_some()
}

fn followed(name: &str) -> Option<(&'static str, Sign)> {
    FOLLOWED.iter().find(|(known, _)| *known == name).copied()
}

impl Rates {
    /// Takes a reading; when it begins another one of its node, the one before is over.
    pub(super) fn add(&mut self, sample: &Sample) -> Option<Read> {
        let (name, sign) = followed(&sample.name)?;
        let at = sample.observed_unix_nanos;
        let key = Key {
            name,
            node: sample.node.clone(),
            kind: sample.kind,
            id: sample.id.clone(),
        };
        if !sample.value.is_finite() || (self.series.len() >= MOST && !self.series.contains_key(&key)) {
            return None;
        }
        let series = self.series.entry(key).or_default();
        if series.back().is_some_and(|(newest, _)| *newest >= at) {
            // Said again, or late: its own clock was here before.
            return None;
        }
        series.push_back((at, sample.value));
        while series.len() > KEPT
            || series
                .front()
                .is_some_and(|(first, _)| at.saturating_sub(*first) > KEPT_NANOS)
        {
            series.pop_front();
        }
        let before = self.read.insert((sign, sample.node.clone()), at);
        before.filter(|before| *before < at).map(|before| Read {
            sign,
            node: sample.node.clone(),
            at_unix_nanos: before,
        })
    }

    /// What each instance said of late of a counter.
    pub(super) fn of(&self, name: &str) -> Vec<Of> {
        let Some((name, sign)) = followed(name) else {
            return Vec::new();
        };
        let own = self.series.iter().filter(|(key, _)| key.name == name);
        own.filter_map(|(key, series)| {
            let (at, _) = *series.back()?;
            let read = self.read.get(&(sign, key.node.clone())).copied().unwrap_or(at);
            let of_late: Vec<(i64, f64)> = series
                .iter()
                .rev()
                .enumerate()
                .take_while(|(number, (when, _))| {
                    let age = at.saturating_sub(*when);
                    age < WINDOW_NANOS || (*number < FEWEST && age < STALE_NANOS)
                })
                .map(|(_, reading)| *reading)
                .collect();
            // What is gone is not read any more.
            if of_late.len() < FEWEST || read.saturating_sub(at) >= STALE_NANOS {
                return None;
            }
            let sum: f64 = of_late.iter().map(|(_, value)| value).sum();
            let mean = sum / of_late.len() as f64;
            Some(Of {
                node: key.node.clone(),
                id: key.id.clone(),
                mean,
                at,
                from: since(series, mean / 2.0),
                newest: ObservationRef {
                    kind: key.kind.as_str().to_owned(),
                    node: key.node.to_string(),
                    id: key.id.clone(),
                    at_unix_ns: at,
                    counter: Some(name.to_owned()),
                },
            })
        })
        .collect()
    }

    /// Since when an instance's readings of a counter have reached a value, as far as readings are kept.
    pub(super) fn since(&self, name: &str, of: &Of, value: f64) -> i64 {
        let own = self
            .series
            .iter()
            .find(|(key, _)| key.name == name && (&key.node, key.id.as_str()) == (&of.node, of.id.as_str()));
        own.map_or(of.from, |(_, series)| since(series, value))
    }

    /// By how much each instance's total of a counter has grown within [`KEPT_NANOS`], with the reading at which it last did; those that
    /// have not are left out.
    pub(super) fn grown(&self, name: &str) -> Vec<(NodeId, String, f64, ObservationRef)> {
        let own = self.series.iter().filter(|(key, _)| key.name == name);
        own.filter_map(|(key, series)| {
            let pairs = series.iter().zip(series.iter().skip(1));
            // A total that fell began anew.
            let rises = pairs.filter(|((_, before), (_, now))| now > before);
            let (mut sum, mut last) = (0.0, None);
            for ((_, before), (at, now)) in rises {
                sum += now - before;
                last = Some(*at);
            }
            let cited = ObservationRef {
                kind: key.kind.as_str().to_owned(),
                node: key.node.to_string(),
                id: key.id.clone(),
                at_unix_ns: last?,
                counter: Some(name.to_owned()),
            };
            Some((key.node.clone(), key.id.clone(), sum, cited))
        })
        .collect()
    }
}

/// Since when readings have reached a value: one that does not ends it when the one before did not either.
fn since(series: &VecDeque<(i64, f64)>, value: f64) -> i64 {
    let mut from = series.back().map_or(i64::MIN, |(at, _)| *at);
    let mut below = 0;
    for (at, reading) in series.iter().rev() {
        below = if *reading < value { below + 1 } else { 0 };
        match below {
            0 => from = *at,
            1 => {}
            _ => break,
        }
    }
    from
}

/// The middle of what instances of other nodes said at the same time, as far as clocks tell; none where nobody did.
pub(super) fn middle_of_others(all: &[Of], node: &NodeId, at: i64) -> Option<f64> {
    let others = all
        .iter()
        .filter(|other| other.node != *node && other.at.abs_diff(at) < STALE_NANOS.unsigned_abs());
    middle(others.map(|other| other.mean).collect())
}

/// The middle of values, of an even number of them the lower.
pub(super) fn middle(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}
