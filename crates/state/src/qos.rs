//! Settings that all nodes of a cluster should share, side by side: policies, flow control, traffic classes, DCBX, frame sizes, RDMA.

use std::collections::BTreeMap;

use fathom_model::NodeId;
use fathom_model::state::{Kind, Value};

use crate::history::{Fact, Picture, value};

/// A setting on every node.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// What it is of, such as `policy SMB` or `priority 3`.
    pub of: String,
    /// What it is, such as `flow control`.
    pub what: String,
    /// The kind of resource that says it.
    pub kind: Kind,
    /// The resource, by its attribute [`Self::key`].
    pub name: String,
    /// The attribute that names the resource.
    pub key: &'static str,
    /// What each node has: none where it was not heard, or does not say.
    pub values: BTreeMap<NodeId, Option<String>>,
    /// When each value was last found so.
    pub seen: BTreeMap<NodeId, i64>,
    /// Nodes whose newest reading of it failed, and why: what stands of them is of the reading before.
    pub failed: BTreeMap<NodeId, String>,
    /// Whether nodes that say it differ.
    pub drift: bool,
    /// The nodes that differ from most; of a tie all.
    pub odd: Vec<NodeId>,
    /// What is wrong with it on all nodes alike, if anything.
    pub notes: Vec<String>,
}

/// What a node says that does not have a thing at all.
const ABSENT: &str = "absent";

struct Wanted {
    kind: Kind,
    prefix: &'static str,
    /// The attribute that names the thing.
    name: &'static str,
    attributes: &'static [(&'static str, &'static str)],
    /// Whether a node without it differs from one with it.
    everywhere: bool,
}

const WANTED: &[Wanted] = &[
    Wanted {
        kind: Kind::QosPolicy,
        prefix: "policy",
        name: "name",
        attributes: &[
            ("priority", "priority"),
            ("net_direct_port", "NetDirect port"),
            ("port", "port"),
            ("destination_port", "destination port"),
            ("destination_port_end", "last destination port"),
            ("source_port", "source port"),
            ("source_port_end", "last source port"),
            ("destination_prefix", "destination"),
            ("source_prefix", "source"),
            ("protocol", "protocol"),
            ("application", "application"),
            ("template", "template"),
            ("dscp", "DSCP"),
            ("throttle_bits_per_s", "throttle"),
            ("bandwidth_weight", "bandwidth weight"),
        ],
        everywhere: true,
    },
    Wanted {
        kind: Kind::QosFlowControl,
        prefix: "priority",
        name: "priority",
        attributes: &[("enabled", "flow control")],
        everywhere: true,
    },
    Wanted {
        kind: Kind::QosTrafficClass,
        prefix: "traffic class",
        name: "name",
        attributes: &[
            ("bandwidth_percent", "bandwidth %"),
            ("priorities", "priorities"),
            ("algorithm", "algorithm"),
        ],
        everywhere: true,
    },
    Wanted {
        kind: Kind::QosDcbx,
        prefix: "DCBX",
        name: "interface",
        attributes: &[("willing", "willing")],
        everywhere: true,
    },
    Wanted {
        kind: Kind::Adapter,
        prefix: "adapter",
        name: "name",
        attributes: &[
            ("mtu_bytes", "MTU"),
            ("transmit_bits_per_s", "link speed"),
            ("driver_version", "driver"),
        ],
        everywhere: false,
    },
    Wanted {
        kind: Kind::AdapterRdma,
        prefix: "adapter",
        name: "name",
        attributes: &[
            ("enabled", "RDMA enabled"),
            ("operational", "RDMA operational"),
            ("technology", "RDMA technology"),
            ("pfc", "PFC of RDMA"),
            ("ets", "ETS of RDMA"),
        ],
        everywhere: false,
    },
    Wanted {
        kind: Kind::AdapterQos,
        prefix: "adapter",
        name: "name",
        attributes: &[
            ("enabled", "QoS enabled"),
            ("flow_control_by_priority", "flow control by priority"),
            ("class_by_priority", "traffic class by priority"),
            ("bandwidth_percent_by_class", "bandwidth % by traffic class"),
            ("transmission_selection_by_class", "selection by traffic class"),
            ("remote_flow_control_by_priority", "flow control that the switch says"),
        ],
        everywhere: false,
    },
    Wanted {
        kind: Kind::AdapterProperty,
        prefix: "adapter",
        name: "name",
        attributes: &[("value", "")],
        everywhere: false,
    },
];

/// All settings, by what they are of.
#[must_use]
pub fn settings(picture: &Picture, nodes: &[NodeId]) -> Vec<Setting> {
    let mut settings = Vec::new();
    let failures = picture.failures();
    for wanted in WANTED {
        let mut things: BTreeMap<(String, String), BTreeMap<NodeId, Fact>> = BTreeMap::new();
        // What is no node has no settings, whoever said so.
        for fact in picture
            .of(wanted.kind)
            .filter(|fact| nodes.contains(&fact.observation.node))
        {
            let observation = &fact.observation;
            let name = observation.get(wanted.name).map_or_else(String::new, Value::to_string);
            let keyword = observation.text("keyword").unwrap_or_default().to_owned();
            things
                .entry((name, keyword))
                .or_default()
                .insert(observation.node.clone(), fact);
        }
        for ((name, keyword), by_node) in things {
            for (attribute, what) in wanted.attributes {
                let sets = |fact: &Fact| {
                    let said = value(&fact.observation, attribute);
                    said.is_some_and(|said| !is_unset(wanted.kind, attribute, said))
                };
                if !by_node.values().any(sets) {
                    continue;
                }
                let what = if keyword.is_empty() {
                    (*what).to_owned()
                } else {
                    keyword.clone()
                };
                let of = format!("{} {name}", wanted.prefix).trim_end().to_owned();
                let mut setting = setting(picture, nodes, wanted, of, what, attribute, &by_node);
                setting.name.clone_from(&name);
                let why = |node: &NodeId| failures.get(&(node.clone(), wanted.kind)).map(|(_, why)| why.clone());
                let failed = nodes.iter().filter_map(|node| Some((node.clone(), why(node)?)));
                setting.failed = failed.collect();
                settings.push(setting);
            }
        }
    }
    settings
}

/// Whether a policy says by a value that it has no such condition and does no such thing. A priority and a DSCP of 0 are values of their own.
fn is_unset(kind: Kind, attribute: &str, said: &Value) -> bool {
    let is_zero = match said {
        Value::Unsigned(number) => *number == 0,
        Value::Code(code) => code.code == Some(0) || code.name.as_deref() == Some("None"),
        Value::Signed(number) => *number == -1,
        _ => false,
    };
    let has_zero = matches!(attribute, "priority" | "dscp") && matches!(said, Value::Unsigned(_));
    kind == Kind::QosPolicy && is_zero && !has_zero
}

fn setting(
    picture: &Picture,
    nodes: &[NodeId],
    wanted: &Wanted,
    of: String,
    what: String,
    attribute: &str,
    by_node: &BTreeMap<NodeId, Fact>,
) -> Setting {
    let mut values: BTreeMap<NodeId, Option<String>> = BTreeMap::new();
    let mut seen: BTreeMap<NodeId, i64> = BTreeMap::new();
    for node in nodes {
        let (said, at) = match by_node.get(node) {
            Some(fact) => (
                value(&fact.observation, attribute).map(Value::to_string),
                Some(fact.seen_unix_nanos),
            ),
            None if wanted.everywhere && picture.has_read(node, wanted.kind) => {
                (Some(ABSENT.to_owned()), picture.read_at(node, wanted.kind))
            }
            None => (None, None),
        };
        seen.extend(at.filter(|_| said.is_some()).map(|at| (node.clone(), at)));
        values.insert(node.clone(), said);
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    values
        .values()
        .flatten()
        .for_each(|value| *counts.entry(value).or_default() += 1);
    let drift = counts.len() > 1;
    let most = counts.values().max().copied().unwrap_or(0);
    let majority: Vec<&str> = counts
        .iter()
        .filter(|(_, count)| **count == most)
        .map(|(value, _)| *value)
        .collect();
    let is_odd = |value: &Option<String>| match value {
        Some(value) => drift && (majority.len() > 1 || !majority.contains(&value.as_str())),
        None => false,
    };
    let odd = values
        .iter()
        .filter(|(_, value)| is_odd(value))
        .map(|(node, _)| node.clone())
        .collect();
    let mut notes = Vec::new();
    if wanted.kind == Kind::QosDcbx && values.values().flatten().any(|value| value == "yes") {
        notes.push(
            "a host that is willing takes its settings from the switch; on storage hosts it should not be".to_owned(),
        );
    }
    if wanted.kind == Kind::AdapterQos {
        for (node, fact) in by_node {
            let observation = &fact.observation;
            let (own, remote) = (
                value(observation, attribute),
                value(observation, &format!("remote_{attribute}")),
            );
            if let Some((_, remote)) = own.zip(remote).filter(|(own, remote)| own != remote) {
                notes.push(format!("{node}: the switch says something else ({remote})"));
            }
        }
    }
    Setting {
        of,
        what,
        kind: wanted.kind,
        name: String::new(),
        key: wanted.name,
        values,
        seen,
        failed: BTreeMap::new(),
        drift,
        odd,
        notes,
    }
}
