//! The network of the storage bus: RDMA that is not used, settings and frame sizes that differ.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::NodeId;
use fathom_model::condition::{Condition, ObservationRef, Sign};
use fathom_model::state::{Kind, Observation, Value};

use super::{Scene, cited};
use crate::history::Picture;
use crate::qos::{Setting, settings};
use crate::rdma::{Pair, Servers, Transport, counted, matrix};

/// So many settings are named in one condition.
const NAMED: usize = 6;

/// Pairs of which TCP carries the storage bus though both ends can RDMA. Where that is so of all pairs of a node it is the node, where of
/// all pairs the cluster: one cause.
pub(super) fn fallback(scene: &Scene<'_>) -> Vec<Condition> {
    let pairs: Vec<Pair> = matrix(scene.picture, scene.nodes, [])
        .into_iter()
        .filter(|pair| pair.fallback && matches!(pair.transport, Transport::Tcp | Transport::Mixed))
        .filter(|pair| scene.nodes.iter().any(|node| node.as_str() == pair.server))
        .collect();
    let mut fallen: BTreeMap<(String, String), Vec<&Pair>> = BTreeMap::new();
    for pair in &pairs {
        let (client, server) = (pair.client.to_string(), pair.server.clone());
        let ends = if client < server {
            (client, server)
        } else {
            (server, client)
        };
        fallen.entry(ends).or_default().push(pair);
    }
    let servers = Servers::of(scene.picture, scene.nodes);
    let all: Vec<Observation> = scene
        .picture
        .of(Kind::SmbConnection)
        .map(|fact| fact.observation)
        .collect();
    let mut by_pair: BTreeMap<(&NodeId, Option<String>), Vec<&Observation>> = BTreeMap::new();
    for connection in &all {
        let pair = (&connection.node, servers.name(connection));
        by_pair.entry(pair).or_default().push(connection);
    }
    let connections: Vec<&Observation> = by_pair
        .values()
        .flat_map(|connections| counted(connections))
        .filter(|connection| connection.number("tcp_connections").is_some_and(|count| count > 0))
        .collect();
    let cite = |pairs: &[&Pair]| -> Vec<ObservationRef> {
        let own = connections.iter().copied().filter(|connection| {
            let server = servers.name(connection);
            pairs
                .iter()
                .any(|pair| connection.node == pair.client && server.as_deref() == Some(&pair.server))
        });
        cited(own)
    };
    let others = scene.nodes.len().saturating_sub(1);
    let whole: Vec<&NodeId> = scene
        .nodes
        .iter()
        .filter(|node| {
            let own = fallen.keys().filter(|(a, b)| a == node.as_str() || b == node.as_str());
            others >= 2 && own.count() == others
        })
        .collect();
    let all: Vec<&Pair> = pairs.iter().collect();
    let (tcp, in_all) = (fallen.len(), scene.nodes.len() * others / 2);
    let mut conditions = Vec::new();
    if tcp == in_all && others >= 2 {
        conditions.push(Condition {
            text: format!("the storage bus goes over TCP between all {tcp} pairs of nodes, though both ends can RDMA"),
            observations: cite(&all),
            ..Condition::new(Sign::TcpFallback, "cluster", "")
        });
        return conditions;
    }
    for node in &whole {
        let own: Vec<&Pair> = all
            .iter()
            .copied()
            .filter(|pair| pair.client == **node || pair.server == node.as_str())
            .collect();
        conditions.push(Condition {
            text: format!(
                "the storage bus goes over TCP between it and all {others} other nodes, though both ends can RDMA"
            ),
            observations: cite(&own),
            ..Condition::new(Sign::TcpFallback, "node", node.as_str())
        });
    }
    for ((one, other), pairs) in &fallen {
        if whole.iter().any(|node| node.as_str() == one || node.as_str() == other) {
            continue;
        }
        let directions: Vec<String> = pairs
            .iter()
            .map(|pair| {
                let counts = pair.tcp_connections.zip(pair.rdma_connections);
                let counts = counts.map_or_else(String::new, |(tcp, rdma)| format!(" ({tcp} TCP, {rdma} RDMA)"));
                format!("from {} to {}{counts}", pair.client, pair.server)
            })
            .collect();
        conditions.push(Condition {
            peer: Some(other.clone()),
            text: format!(
                "the storage bus goes over TCP though both ends can RDMA: {}",
                directions.join(", ")
            ),
            observations: cite(pairs),
            ..Condition::new(Sign::TcpFallback, "link", one)
        });
    }
    conditions
}

/// Nodes that mark, pause or share out traffic otherwise than most; of a tie the cluster, since nobody is odd.
pub(super) fn drift(scene: &Scene<'_>) -> Vec<Condition> {
    let is_quality = |setting: &Setting| {
        matches!(
            setting.kind,
            Kind::QosPolicy | Kind::QosFlowControl | Kind::QosTrafficClass | Kind::QosDcbx
        ) || (setting.kind == Kind::AdapterQos && setting.what != "flow control that the switch says")
    };
    let drifting = settings(scene.picture, scene.nodes)
        .into_iter()
        .filter(|setting| setting.drift);
    by_node(scene, Sign::QosDrift, drifting.filter(is_quality).collect())
}

/// Nodes whose storage adapters have frames of another size than most.
pub(super) fn frames(scene: &Scene<'_>) -> Vec<Condition> {
    let storage = storage_adapters(scene.picture);
    let is_frame = |setting: &Setting| {
        let is_size = (setting.kind == Kind::Adapter && setting.what == "MTU")
            || (setting.kind == Kind::AdapterProperty && setting.what == "*JumboPacket");
        // All that differ carry storage: an adapter for management may have what it likes.
        is_size && {
            let said = setting.values.iter().filter(|(_, value)| value.is_some());
            let mut said = said.map(|(node, _)| (node.clone(), setting.name.clone()));
            said.all(|adapter| storage.contains(&adapter))
        }
    };
    let drifting = settings(scene.picture, scene.nodes)
        .into_iter()
        .filter(|setting| setting.drift);
    by_node(scene, Sign::MtuMismatch, drifting.filter(is_frame).collect())
}

fn by_node(scene: &Scene<'_>, sign: Sign, drifting: Vec<Setting>) -> Vec<Condition> {
    let mut odd: BTreeMap<String, Vec<&Setting>> = BTreeMap::new();
    for setting in &drifting {
        let said = setting.values.values().flatten().count();
        if setting.odd.len() == said {
            odd.entry(String::new()).or_default().push(setting);
        } else {
            for node in &setting.odd {
                odd.entry(node.to_string()).or_default().push(setting);
            }
        }
    }
    let of_node = |(node, settings): (String, Vec<&Setting>)| {
        let mut texts: Vec<String> = settings.iter().map(|setting| shown(setting, &node)).collect();
        texts.sort();
        texts.dedup();
        let more = texts.len().saturating_sub(NAMED);
        texts.truncate(NAMED);
        if more > 0 {
            texts.push(format!("and {more} more"));
        }
        let adapters: BTreeSet<&str> = settings
            .iter()
            .filter(|_| sign == Sign::MtuMismatch)
            .map(|setting| setting.name.as_str())
            .collect();
        let one_adapter = adapters.first().filter(|_| adapters.len() == 1 && !node.is_empty());
        let kind = match (node.is_empty(), one_adapter) {
            (true, _) => "cluster",
            (false, Some(_)) => "adapter",
            (false, None) => "node",
        };
        Condition {
            resource: one_adapter.map(|name| (*name).to_owned()),
            text: texts.join("; "),
            observations: settings
                .iter()
                .flat_map(|setting| readings(scene.picture, setting, &node))
                .collect(),
            ..Condition::new(sign, kind, &node)
        }
    };
    odd.into_iter().map(of_node).collect()
}

fn shown(setting: &Setting, node: &str) -> String {
    let mut said: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (node, value) in &setting.values {
        if let Some(value) = value {
            said.entry(value).or_default().push(node.as_str());
        }
    }
    let all = said
        .iter()
        .map(|(value, nodes)| match nodes.contains(&node) {
            true => format!("{value} on {node}"),
            false if nodes.len() <= 3 => format!("{value} on {}", nodes.join(", ")),
            false => format!("{value} on {} nodes", nodes.len()),
        })
        .collect::<Vec<_>>();
    format!("{}, {}: {}", setting.of, setting.what, all.join(" and "))
}

/// What a setting was read from: the node's own reading first; of a node that has none, that it read the class.
fn readings(picture: &Picture, setting: &Setting, node: &str) -> Vec<ObservationRef> {
    let facts: Vec<Observation> = picture
        .of(setting.kind)
        .map(|fact| fact.observation)
        .filter(|observation| observation.get(setting.key).map_or_else(String::new, Value::to_string) == setting.name)
        .collect();
    let own: Vec<&Observation> = facts
        .iter()
        .filter(|observation| observation.node.as_str() == node)
        .collect();
    if !own.is_empty() {
        return cited(own);
    }
    let polls: Vec<Observation> = picture
        .of(Kind::Source)
        .map(|fact| fact.observation)
        .filter(|poll| poll.node.as_str() == node && poll.text("kind") == Some(setting.kind.as_str()))
        .collect();
    let mut cited_polls = cited(&polls);
    cited_polls.extend(cited(facts.iter().take(2)));
    cited_polls
}

/// Adapters that carry the storage bus: those that RDMA is enabled on, and those of connections of the storage bus.
pub(super) fn storage_adapters(picture: &Picture) -> BTreeSet<(NodeId, String)> {
    let rdma = picture
        .of(Kind::AdapterRdma)
        .map(|fact| fact.observation)
        .filter(|adapter| adapter.flag("enabled") == Some(true))
        .filter_map(|adapter| Some((adapter.node.clone(), adapter.text("name")?.to_owned())));
    let bus = picture
        .of(Kind::SmbConnection)
        .map(|fact| fact.observation)
        .filter(|connection| connection.text("instance") == Some("SBL"))
        .filter_map(|connection| Some((connection.node.clone(), connection.text("client_interface")?.to_owned())));
    rdma.chain(bus).collect()
}
