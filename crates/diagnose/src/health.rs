//! Health: how each disk, link, node and volume is, and the cluster.
//!
//! # Rules
//!
//! - An open finding makes what it is about `degraded`, a critical one `critical`; a muted one too.
//! - A node that is not heard is `unknown`, and so are its disks, the links that it has an end of, and the volumes with a copy there.
//! - What says of itself how it is and could not be read is `unknown`, with the reason: drives where nobody can read them, volumes where nobody
//!   can read virtual disks, adapters and links of a node that cannot read its own. A cluster of which no state is read has none of that.
//! - A way between two nodes that no copy of a write took has no state of its own: it is left out where nothing is said of it.
//! - A node has the worst state of itself, its disks and its adapters, and all their reasons. All its drives are in a finding of them all.
//! - A volume has the state of the findings that its writes waited for; where that is not known of a finding, of those about what holds a
//!   copy of it; and of those about the volume itself.
//! - The cluster has the worst of all, and of what is about nothing below it: a job, a setting of which no node is the odd one.
//! - What concerns a node that is in maintenance is `maintenance` and nothing else.
//!
//! The order is ok, maintenance, unknown, degraded, critical. What is worse than `unknown` hides it from the state and never from the
//! reasons. Pure: what is heard, found and worked on is given to it; [`Damped`] keeps states from changing to and fro.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::finding::{Finding, Severity, State as Life};
use fathom_model::health::{Entry, Kind, Reason, State};
use fathom_model::{NodeId, PhysicalDiskId, Topology};

use crate::findings::Code;

mod damped;

pub use damped::Damped;

/// So many reasons are named, and the rest is counted.
const REASONS: usize = 50;

/// What health is told from.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What the cluster is made of.
    pub topology: &'a Topology,
    /// Nodes that are not heard, with the cause.
    pub unheard: &'a BTreeMap<NodeId, &'static str>,
    /// Findings; those that are closed change nothing.
    pub findings: &'a [Finding],
    /// Nodes that are worked on.
    pub maintenance: &'a BTreeSet<NodeId>,
    /// Adapters that carry the storage bus, where state says.
    pub adapters: &'a BTreeSet<(NodeId, String)>,
    /// Nodes between which copies of writes went, the first by name first: of a way that nothing took nothing is known.
    pub ways: &'a BTreeSet<(NodeId, NodeId)>,
    /// What could not be read that says how something is.
    pub unread: &'a [Unread],
}

/// Something that says how it is, and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// What it is of: disks, adapters, links or volumes.
    pub kind: Kind,
    /// The node that cannot read it; of what is read for the whole cluster it is not asked.
    pub node: NodeId,
    /// What cannot be read, and why.
    pub text: String,
}

/// How everything is: the cluster, then nodes, disks, links and volumes by name. Nothing where no topology is known.
#[must_use]
pub fn health(scene: &Scene<'_>) -> Vec<Entry> {
    if scene.topology.nodes.is_empty() {
        return Vec::new();
    }
    let mut entries: BTreeMap<(Kind, String), BTreeSet<Reason>> = BTreeMap::new();
    for disk in &scene.topology.disks {
        let reasons = scene.of_disk(disk.node.as_str(), &disk.name);
        entries.insert((Kind::Disk, format!("{}/{}", disk.node, disk.name)), reasons);
    }
    for (node, adapter) in scene.adapters {
        let reasons = scene.of_adapter(node.as_str(), adapter);
        entries.insert((Kind::Adapter, format!("{node}/{adapter}")), reasons);
    }
    for (name, reasons) in scene.links() {
        entries.insert((Kind::Link, name), reasons);
    }
    for node in &scene.topology.nodes {
        let mut reasons = scene.of_node(&node.id);
        for disk in scene.topology.disks.iter().filter(|disk| disk.node == node.id) {
            reasons.extend(scene.of_disk(disk.node.as_str(), &disk.name));
        }
        let adapters = scene.adapters.iter().filter(|(owner, _)| *owner == node.id);
        for (_, adapter) in adapters {
            reasons.extend(scene.of_adapter(node.id.as_str(), adapter));
        }
        entries.insert((Kind::Node, node.id.to_string()), reasons);
    }
    for (volume, reasons) in scene.volumes() {
        entries.insert((Kind::Volume, volume), reasons);
    }
    let mut all: BTreeSet<Reason> = entries.values().flatten().cloned().collect();
    // Also a drive that no extent is on, and a node that the topology does not name.
    all.extend(scene.open().map(|finding| scene.because(finding)));
    let cluster = entry(Kind::Cluster, String::new(), all);
    let rest = entries
        .into_iter()
        .map(|((kind, name), reasons)| entry(kind, name, reasons));
    std::iter::once(cluster).chain(rest).collect()
}

fn entry(kind: Kind, name: String, reasons: BTreeSet<Reason>) -> Entry {
    // A set is in the order of the states, and of names among them.
    let mut reasons: Vec<Reason> = reasons.into_iter().collect();
    reasons.sort_by(|a, b| b.state.cmp(&a.state).then_with(|| a.cmp(b)));
    let state = reasons.first().map_or(State::Ok, |reason| reason.state);
    let more_reasons = reasons.len().saturating_sub(REASONS);
    // What is worse than an unknown may fill the list and does not hide it.
    let unknown = reasons.iter().position(|reason| reason.state == State::Unknown);
    if let Some(at) = unknown.filter(|at| *at >= REASONS) {
        reasons.swap(REASONS - 1, at);
    }
    reasons.truncate(REASONS);
    Entry {
        kind,
        name,
        state,
        since_unix_ns: None,
        reasons,
        more_reasons: more_reasons as u64,
    }
}

impl Scene<'_> {
    fn open(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.state == Life::Open)
    }

    fn is_worked_on(&self, node: &str) -> bool {
        self.maintenance.iter().any(|worked| worked.as_str() == node)
    }

    /// A finding as a reason.
    fn because(&self, finding: &Finding) -> Reason {
        let ends = [Some(finding.node.as_str()), finding.peer.as_deref()];
        let state = if ends.into_iter().flatten().any(|node| self.is_worked_on(node)) {
            State::Maintenance
        } else if finding.severity == Severity::Critical {
            State::Critical
        } else {
            State::Degraded
        };
        let muted = if finding.muted.is_some() { ", muted" } else { "" };
        Reason {
            state,
            from: format!("{} {}", finding.kind, finding.object()),
            text: format!("{} ({:.0} % sure{muted})", finding.code, finding.confidence * 100.0),
            finding: Some(finding.id.clone()),
        }
    }

    /// That a node is not heard, or is worked on.
    fn silence(&self, node: &str) -> Option<Reason> {
        let worked_on = self.is_worked_on(node);
        let unheard = self.unheard.iter().find(|(unheard, _)| unheard.as_str() == node);
        let (state, text) = match (worked_on, unheard) {
            (true, _) => (State::Maintenance, "in maintenance".to_owned()),
            (false, Some((_, cause))) => (State::Unknown, format!("not heard: {cause}")),
            (false, None) => return None,
        };
        Some(Reason {
            state,
            from: format!("node {node}"),
            text,
            finding: None,
        })
    }

    /// What of a node could not be read; of what is read for the whole cluster it is the same for each.
    fn blind(&self, kind: Kind, node: Option<&str>) -> impl Iterator<Item = Reason> {
        let own = self
            .unread
            .iter()
            .filter(move |unread| unread.kind == kind && node.is_none_or(|node| unread.node.as_str() == node));
        own.map(|unread| Reason {
            state: State::Unknown,
            from: format!("node {}", unread.node),
            text: unread.text.clone(),
            finding: None,
        })
    }

    fn of_disk(&self, node: &str, disk: &str) -> BTreeSet<Reason> {
        let own = self.open().filter(|finding| {
            let is_it = finding.kind == "disk" && finding.disk.as_deref() == Some(disk);
            let is_all = finding.code == Code::NodeDrivesSlow.as_str();
            let of_pool = finding.kind == "pool" && finding.disks.contains(&format!("{node}/{disk}"));
            (finding.node == node && (is_it || is_all)) || of_pool
        });
        own.map(|finding| self.because(finding))
            .chain(self.silence(node))
            .chain(self.blind(Kind::Disk, None))
            .collect()
    }

    /// An adapter that does not fit alone.
    fn of_adapter(&self, node: &str, adapter: &str) -> BTreeSet<Reason> {
        let own = self.open().filter(|finding| {
            finding.kind == "adapter" && finding.node == node && finding.resource.as_deref() == Some(adapter)
        });
        own.map(|finding| self.because(finding))
            .chain(self.silence(node))
            .chain(self.blind(Kind::Adapter, Some(node)))
            .collect()
    }

    fn of_node(&self, node: &NodeId) -> BTreeSet<Reason> {
        let node = node.as_str();
        let own = self.open().filter(|finding| {
            let is_whole = matches!(finding.kind.as_str(), "node" | "initiator" | "unknown" | "adapter");
            is_whole && finding.node == node
        });
        own.map(|finding| self.because(finding))
            .chain(self.silence(node))
            .collect()
    }

    /// The ways between each two nodes that copies took, or of which something else is known.
    fn links(&self) -> Vec<(String, BTreeSet<Reason>)> {
        let mut names: Vec<&str> = self.topology.nodes.iter().map(|node| node.id.as_str()).collect();
        names.sort_unstable();
        let mut links = Vec::new();
        for (at, one) in names.iter().enumerate() {
            for other in &names[at + 1..] {
                let own = self.open().filter(|finding| {
                    let ends = (finding.node.as_str(), finding.peer.as_deref().unwrap_or_default());
                    finding.kind == "link" && (ends == (*one, *other) || ends == (*other, *one))
                });
                let mut reasons: BTreeSet<Reason> = own.map(|finding| self.because(finding)).collect();
                reasons.extend(self.silence(one));
                reasons.extend(self.silence(other));
                for end in [one, other] {
                    reasons.extend(self.blind(Kind::Link, Some(end)));
                }
                let is_used = |way: &(NodeId, NodeId)| way.0.as_str() == *one && way.1.as_str() == *other;
                if !reasons.is_empty() || self.ways.iter().any(is_used) {
                    links.push((format!("{one}-{other}"), reasons));
                }
            }
        }
        links
    }

    fn volumes(&self) -> Vec<(String, BTreeSet<Reason>)> {
        let disks: BTreeMap<&PhysicalDiskId, (&str, &str)> = self
            .topology
            .disks
            .iter()
            .map(|disk| (&disk.id, (disk.node.as_str(), disk.name.as_str())))
            .collect();
        let mut places: BTreeMap<&str, BTreeSet<(&str, &str)>> = BTreeMap::new();
        for volume in &self.topology.volumes {
            places.entry(volume.id.as_str()).or_default();
        }
        for extent in self.topology.extents.extents() {
            let place = disks.get(&extent.disk).copied();
            places.entry(extent.volume.as_str()).or_default().extend(place);
        }
        let of_volume = |(volume, places): (&str, BTreeSet<(&str, &str)>)| {
            let waits = |finding: &&Finding| {
                let holds = places.iter().any(|(node, disk)| match finding.kind.as_str() {
                    "disk" => finding.node == *node && finding.disk.as_deref() == Some(*disk),
                    "link" => finding.node == *node || finding.peer.as_deref() == Some(*node),
                    "initiator" => false,
                    _ => finding.node == *node,
                });
                let is_victim = finding.victims.iter().any(|victim| victim.volume == volume);
                // What state alone shows makes no write wait.
                let is_felt = Code::parse(&finding.code).is_none_or(|code| code.sign().is_none());
                let is_own = finding.kind == "volume" && finding.resource.as_deref() == Some(volume);
                is_victim || is_own || (is_felt && finding.victims.is_empty() && holds)
            };
            let mut reasons: BTreeSet<Reason> =
                self.open().filter(waits).map(|finding| self.because(finding)).collect();
            let nodes: BTreeSet<&str> = places.iter().map(|(node, _)| *node).collect();
            reasons.extend(nodes.into_iter().filter_map(|node| self.silence(node)));
            reasons.extend(self.blind(Kind::Volume, None));
            (volume.to_owned(), reasons)
        };
        places.into_iter().map(of_volume).collect()
    }
}

#[cfg(test)]
mod tests;
