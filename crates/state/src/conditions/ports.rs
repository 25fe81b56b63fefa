//! Ports and connections of storage: pause storms, waits for credits, errors. Told by counters that are held against those of other nodes at
//! the same time, since a low rate of each is normal and nobody has said what is too much.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::NodeId;
use fathom_model::condition::{Condition, ObservationRef, Sign};
use fathom_model::state::{Kind, Observation};

use super::disks::number;
use super::network::storage_adapters;
use super::rates::{
    DISCARDS, ERRORS, KEPT_NANOS, Of, PAUSES_SENT, RDMA_ERRORS, SENDS, STALLS, middle, middle_of_others,
};
use super::{Scene, errors};
use crate::history::Picture;
use crate::rdma::Servers;

/// Longest time that one pause frame stops a port for: 65,535 quanta of 512 bits (IEEE 802.1Qbb).
const PAUSE_BITS: f64 = 65_535.0 * 512.0;

/// A port that may be stopped for this part of the time is in a storm whatever is felt; from the lower one on it explains what is. Chosen:
/// Microsoft has no number (domain/thresholds.md, Pause frames).
const STORM: f64 = 0.10;
const FELT_STORM: f64 = 0.01;

/// The same of a port whose speed is not known, in frames a second. Chosen: a tenth of the time at 40 Gbit/s is 120.
const STORM_FRAMES: f64 = 1_000.0;
const FELT_STORM_FRAMES: f64 = 100.0;

/// What is told has to be so many times what is usual of other nodes at the same time. Chosen: equals of one cluster differ by two or three.
const TIMES: f64 = 10.0;

/// Waits of a node's RDMA connections that are worth a word: so many a second, and such a part of what was sent. Chosen.
const STALLS_PER_S: f64 = 10.0;
const STALLS_OF_SENDS: f64 = 0.01;

/// Packets with errors a second that are worth a finding, and such that were thrown away which explain what is felt. Chosen: a cable that is
/// well has none of the former.
const ERRORS_PER_S: f64 = 1.0;
const DISCARDS_PER_S: f64 = 10.0;

/// So many failures of RDMA within 900 s are a fault of their own (domain/thresholds.md, RDMA disconnects).
const FAILURES: f64 = 10.0;

/// State of a node that is up.
const UP: i64 = 0;

/// Letters and digits alone, as Windows writes brackets and slashes of a description otherwise in the name of an instance.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|letter| letter.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The adapter that an instance of a counter set is about: called by name or description, with or without more.
pub(super) fn adapter_of<'a>(adapters: &'a [Observation], node: &NodeId, instance: &str) -> Option<&'a Observation> {
    let instance = plain(instance);
    let mut best: Option<(usize, &Observation)> = None;
    for adapter in adapters.iter().filter(|adapter| adapter.node == *node) {
        for key in ["name", "description"] {
            let Some(name) = adapter.text(key).map(plain).filter(|name| !name.is_empty()) else {
                continue;
            };
            // Of `adapter` and `adapter #2` the longer one.
            if instance.starts_with(&name) && best.is_none_or(|(length, _)| name.len() > length) {
                best = Some((name.len(), adapter));
            }
        }
    }
    best.map(|(_, adapter)| adapter)
}

pub(super) fn adapters(picture: &Picture) -> Vec<Observation> {
    picture.of(Kind::Adapter).map(|fact| fact.observation).collect()
}

/// What was found of an instance.
pub(super) struct Odd {
    pub(super) node: NodeId,
    /// The adapter's name where it is known, else the instance's.
    pub(super) name: String,
    pub(super) text: String,
    pub(super) is_loud: bool,
    pub(super) since: i64,
    pub(super) observations: Vec<ObservationRef>,
}

/// One condition a node; about the adapter where it is one.
pub(super) fn by_node(sign: Sign, odd: Vec<Odd>) -> Vec<Condition> {
    let mut by_node: BTreeMap<NodeId, Vec<Odd>> = BTreeMap::new();
    for one in odd {
        by_node.entry(one.node.clone()).or_default().push(one);
    }
    let of_node = |(node, odd): (NodeId, Vec<Odd>)| {
        let names: BTreeSet<&str> = odd.iter().map(|one| one.name.as_str()).collect();
        let only = names
            .first()
            .filter(|_| names.len() == 1)
            .map(|name| (*name).to_owned());
        let texts: Vec<&str> = odd.iter().map(|one| one.text.as_str()).take(4).collect();
        let more = odd.len().saturating_sub(texts.len());
        let more = if more > 0 {
            format!("; and {more} more")
        } else {
            String::new()
        };
        let kind = if only.is_some() { "adapter" } else { "node" };
        Condition {
            only_if_felt: !odd.iter().any(|one| one.is_loud),
            since_unix_ns: odd.iter().map(|one| one.since).min(),
            text: texts.join("; ") + &more,
            observations: odd.iter().flat_map(|one| one.observations.iter().cloned()).collect(),
            resource: only,
            ..Condition::new(sign, kind, node.as_str())
        }
    };
    by_node.into_iter().map(of_node).collect()
}

/// Nodes whose ports ask others to pause far more often than ports of other nodes do.
pub(super) fn storms(scene: &Scene<'_>) -> Vec<Condition> {
    let sent = scene.rates.of(PAUSES_SENT);
    let adapters = adapters(scene.picture);
    let of_port = |port: &Of| {
        let usual = middle_of_others(&sent, &port.node, port.at)?;
        let adapter = adapter_of(&adapters, &port.node, &port.id);
        let speed = adapter
            .and_then(|adapter| adapter.number("receive_bits_per_s"))
            .filter(|speed| *speed > 0);
        let stopped = speed.map(|speed| port.mean * PAUSE_BITS / speed as f64);
        let (is_loud, is_storm) = match stopped {
            Some(share) => (share >= STORM, share >= FELT_STORM),
            None => (port.mean >= STORM_FRAMES, port.mean >= FELT_STORM_FRAMES),
        };
        if !is_storm || port.mean < usual * TIMES {
            return None;
        }
        let share = stopped.map_or_else(String::new, |share| {
            format!(
                ", which may stop what is sent to it for up to {:.0} % of the time",
                (share * 100.0).min(100.0)
            )
        });
        let name = adapter.and_then(|adapter| adapter.text("name")).unwrap_or(&port.id);
        Some(Odd {
            node: port.node.clone(),
            name: name.to_owned(),
            text: format!(
                "{} sends {:.1} pause frames a second{share}; the middle of ports of other nodes {usual:.1}",
                port.id, port.mean
            ),
            is_loud,
            since: port.from,
            observations: vec![port.cited()],
        })
    };
    by_node(Sign::PauseStorm, sent.iter().filter_map(of_port).collect())
}

/// How often RDMA connections of a node wait a second: in all, by what for, and each.
#[derive(Default)]
struct Waits {
    sum: f64,
    each: Vec<(f64, &'static str)>,
    all: Vec<Of>,
}

/// Nodes whose RDMA connections wait far more often than those of other nodes.
pub(super) fn stalls(scene: &Scene<'_>) -> Vec<Condition> {
    let mut waits: BTreeMap<NodeId, Waits> = BTreeMap::new();
    for (name, what) in STALLS {
        for one in scene.rates.of(name) {
            let own = waits.entry(one.node.clone()).or_default();
            own.sum += one.mean;
            match own.each.iter_mut().find(|(_, known)| *known == what) {
                Some((of_it, _)) => *of_it += one.mean,
                None => own.each.push((one.mean, what)),
            }
            own.all.push(one);
        }
    }
    let mut sends: BTreeMap<NodeId, f64> = BTreeMap::new();
    for one in scene.rates.of(SENDS) {
        *sends.entry(one.node).or_default() += one.mean;
    }
    // Of each node one sum, to be held against each other.
    let sums: Vec<Of> = waits
        .values()
        .filter_map(|own| {
            let newest = own.all.iter().max_by_key(|one| one.at)?;
            Some(Of {
                mean: own.sum,
                ..newest.clone()
            })
        })
        .collect();
    let of_node = |sum: &Of| {
        let usual = middle_of_others(&sums, &sum.node, sum.at)?;
        let sent = sends.get(&sum.node).copied()?;
        if sum.mean < STALLS_PER_S || sum.mean < sent * STALLS_OF_SENDS || sum.mean < usual * TIMES {
            return None;
        }
        let own = waits.get(&sum.node)?;
        let each: Vec<String> = own
            .each
            .iter()
            .filter(|(rate, _)| *rate > 0.0)
            .map(|(rate, what)| format!("{rate:.1} for {what}"))
            .collect();
        let mut worst: Vec<&Of> = own.all.iter().filter(|one| one.mean > 0.0).collect();
        worst.sort_by(|a, b| b.mean.total_cmp(&a.mean));
        Some(Condition {
            since_unix_ns: worst.iter().map(|one| one.from).min(),
            text: format!(
                "its RDMA connections wait {:.1} times a second ({}) at {sent:.1} messages sent; the middle of other nodes {usual:.1}",
                sum.mean,
                each.join(", ")
            ),
            observations: worst.iter().map(|one| one.cited()).collect(),
            ..Condition::new(Sign::CreditStalls, "node", sum.node.as_str())
        })
    };
    sums.iter().filter_map(of_node).collect()
}

/// Adapters that count errors, and pairs of nodes between which connections of the storage bus fail.
pub(super) fn failing(scene: &Scene<'_>) -> Vec<Condition> {
    let mut conditions = by_node(Sign::LinkErrors, adapter_errors(scene));
    let of_adapters = conditions.len();
    for failed in failed_connections(scene) {
        // Connections fail over an adapter that counts errors: it is why, whichever end they are counted at.
        let ends = [Some(&failed.node), failed.peer.as_ref()];
        let mut own = conditions.iter_mut().take(of_adapters);
        match own.find(|adapter| ends.contains(&Some(&adapter.node))) {
            Some(adapter) => {
                let pair = failed
                    .peer
                    .as_ref()
                    .map_or_else(String::new, |peer| format!("{} and {peer}: ", failed.node));
                adapter.text.push_str(&format!("; {pair}{}", failed.text));
                adapter.only_if_felt &= failed.only_if_felt;
                adapter.since_unix_ns = adapter.since_unix_ns.into_iter().chain(failed.since_unix_ns).min();
                adapter.observations.extend(failed.observations);
            }
            None => conditions.push(failed),
        }
    }
    conditions
}

fn adapter_errors(scene: &Scene<'_>) -> Vec<Odd> {
    let storage = storage_adapters(scene.picture);
    let adapters = adapters(scene.picture);
    // What is counted of adapters of guests and management is nobody's here.
    let stored = |node: &NodeId, instance: &str| -> Option<String> {
        let name = adapter_of(&adapters, node, instance)?.text("name")?;
        storage
            .contains(&(node.clone(), name.to_owned()))
            .then(|| name.to_owned())
    };
    let mut odd = Vec::new();
    let rates = ERRORS.iter().map(|of| (of, ERRORS_PER_S, true));
    for (&(counter, what), limit, is_loud) in rates.chain(DISCARDS.iter().map(|of| (of, DISCARDS_PER_S, false))) {
        let all = scene.rates.of(counter);
        for one in &all {
            let (Some(name), Some(usual)) = (stored(&one.node, &one.id), middle_of_others(&all, &one.node, one.at))
            else {
                continue;
            };
            if one.mean >= limit && one.mean >= usual * TIMES {
                odd.push(Odd {
                    node: one.node.clone(),
                    text: format!(
                        "{name}: {:.1} packets a second {what}; the middle of adapters of other nodes {usual:.1}",
                        one.mean
                    ),
                    name,
                    is_loud,
                    since: one.from,
                    observations: vec![one.cited()],
                });
            }
        }
    }
    for (counter, what) in RDMA_ERRORS {
        let grown = scene.rates.grown(counter);
        // Of those that have not grown nothing is in it.
        let all: Vec<(NodeId, f64)> = scene
            .rates
            .of(counter)
            .into_iter()
            .map(|one| {
                let own = grown.iter().find(|(node, id, _, _)| (node, id) == (&one.node, &one.id));
                (one.node, own.map_or(0.0, |(_, _, by, _)| *by))
            })
            .collect();
        for (node, instance, by, cited) in grown {
            let others = all.iter().filter(|(other, _)| *other != node).map(|(_, by)| *by);
            let (Some(name), Some(usual)) = (stored(&node, &instance), middle(others.collect())) else {
                continue;
            };
            if by < usual * TIMES {
                continue;
            }
            odd.push(Odd {
                node,
                text: format!("{name}: {by:.0} {what} within 15 min; the middle of other nodes {usual:.0}"),
                name,
                is_loud: by >= FAILURES,
                since: cited.at_unix_ns,
                observations: vec![cited],
            });
        }
    }
    odd
}

/// Connections between two nodes that failed.
#[derive(Default)]
struct Failed {
    times: u64,
    since: Option<i64>,
    cited: Vec<ObservationRef>,
}

/// Failures of connections between two nodes that are both up, which the SMB client of either counts; of a node where they are of all its
/// pairs.
fn failed_connections(scene: &Scene<'_>) -> Vec<Condition> {
    let servers = Servers::of(scene.picture, scene.nodes);
    let down: BTreeSet<String> = scene
        .picture
        .of(Kind::Node)
        .map(|fact| fact.observation)
        .filter(|node| number(node.get("state")).is_some_and(|state| state != UP))
        .map(|node| super::node_of(&node).to_string())
        .collect();
    let mut pairs: BTreeMap<(String, String), Failed> = BTreeMap::new();
    for fact in scene.picture.of(Kind::SmbConnection) {
        let own = &fact.observation;
        // Of interfaces that cannot reach each other nobody uses a connection, however often it is tried.
        let Some(server) = servers.name(own).filter(|_| own.flag("selected") != Some(false)) else {
            continue;
        };
        let client = own.node.to_string();
        let is_known = scene.nodes.iter().any(|node| node.as_str() == server);
        if !is_known || client == server || down.contains(&client) || down.contains(&server) {
            continue;
        }
        let ends = if client < server {
            (client, server)
        } else {
            (server, client)
        };
        let pair = pairs.entry(ends).or_default();
        let since = fact.seen_unix_nanos.saturating_sub(KEPT_NANOS);
        let grown = scene.errors.get(&own.key()).and_then(|course| course.grown(since));
        let Some(errors::Grown { by, first, last }) = grown else {
            continue;
        };
        pair.times = by.iter().fold(pair.times, |sum, by| sum.saturating_add(*by));
        pair.since = Some(pair.since.map_or(first.1, |since| since.min(first.1)));
        pair.cited.push(ObservationRef {
            kind: own.kind.as_str().to_owned(),
            node: last.0,
            id: own.id.clone(),
            at_unix_ns: last.1,
            counter: None,
        });
    }
    // What all pairs do is not the link's.
    let times: Vec<(&(String, String), f64)> = pairs.iter().map(|(ends, pair)| (ends, pair.times as f64)).collect();
    let usual = |own: &(String, String)| {
        let others = times.iter().filter(|(ends, _)| *ends != own).map(|(_, times)| *times);
        middle(others.collect()).unwrap_or(0.0)
    };
    let odd: Vec<(String, String)> = pairs
        .iter()
        .filter(|(ends, pair)| pair.times > 0 && pair.times as f64 >= usual(ends) * TIMES)
        .map(|(ends, _)| ends.clone())
        .collect();
    pairs.retain(|ends, _| odd.contains(ends));
    let others = scene.nodes.len().saturating_sub(1);
    let of = |node: &str| -> Vec<&Failed> {
        let own = pairs.iter().filter(|((one, other), _)| one == node || other == node);
        own.map(|(_, pair)| pair).collect()
    };
    let is_whole = |node: &str| others >= 2 && of(node).len() == others;
    let condition = |kind: &str, node: &str, pairs: &[&Failed]| {
        let sum: u64 = pairs.iter().fold(0, |sum, pair| sum.saturating_add(pair.times));
        Condition {
            only_if_felt: (sum as f64) < FAILURES,
            since_unix_ns: pairs.iter().filter_map(|pair| pair.since).min(),
            text: format!("connections of the SMB client failed {sum} times within 15 min while both ends were up"),
            observations: pairs.iter().flat_map(|pair| pair.cited.iter().cloned()).collect(),
            ..Condition::new(Sign::LinkErrors, kind, node)
        }
    };
    let whole = scene.nodes.iter().filter(|node| is_whole(node.as_str()));
    let mut conditions: Vec<Condition> = whole
        .map(|node| condition("node", node.as_str(), &of(node.as_str())))
        .collect();
    for ((one, other), pair) in &pairs {
        if !is_whole(one) && !is_whole(other) {
            conditions.push(Condition {
                peer: Some(other.clone()),
                ..condition("link", one, &[pair])
            });
        }
    }
    conditions
}

#[cfg(test)]
mod tests;
