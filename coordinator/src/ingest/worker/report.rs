//! How a cluster stands, for whoever asks.

use std::collections::BTreeMap;
use std::time::Instant;

use fathom_model::{NodeId, Tap};

use super::Running;
use crate::ingest::{NodeReport, NodeState, WorkerReport};

impl Running {
    /// How the cluster stands.
    pub(super) fn report(&self) -> WorkerReport {
        let catalog = self.engine.catalog();
        let streams = self.engine.streams();
        WorkerReport {
            ios: self.ios,
            events: (streams.iter()).fold(0, |sum, stream| stream.next_ordinal.saturating_add(sum)),
            in_memory: self.engine.in_memory() as u64,
            finished: self.all_came() && !self.dirty,
            waiting: self
                .waiting
                .iter()
                .map(|waiting| (catalog.node(waiting.node).clone(), waiting.clone()))
                .collect(),
            nodes: self.node_reports(&streams),
            clocks: self
                .engine
                .clocks()
                .into_iter()
                .map(|clock| {
                    (
                        catalog.node(clock.node).clone(),
                        catalog.node(clock.reference).clone(),
                        clock,
                    )
                })
                .collect(),
            oddities: self.oddities(),
        }
    }

    fn oddities(&self) -> Vec<String> {
        let of_map = self.topology.iter().flat_map(|known| known.topology.oddities());
        let of_map = of_map.chain(self.contests.sentences(Instant::now()));
        let mut oddities: Vec<String> = of_map.chain(self.engine.oddities()).collect();
        oddities.sort_unstable();
        oddities.dedup();
        oddities
    }

    fn node_reports(&self, streams: &[fathom_join::StreamReport]) -> Vec<NodeReport> {
        let catalog = self.engine.catalog();
        let mut nodes: BTreeMap<NodeId, NodeReport> = BTreeMap::new();
        let known = self.topology.iter().flat_map(|version| &version.topology.nodes);
        for node in known {
            let state = if node.observed {
                NodeState::NotConnected
            } else {
                NodeState::NoDaemon
            };
            nodes.insert(node.id.clone(), NodeReport::new(node.id.clone(), state));
        }
        for stream in streams {
            let id = catalog.node(stream.node).clone();
            let node = nodes
                .entry(id.clone())
                .or_insert_with(|| NodeReport::new(id.clone(), NodeState::NotConnected));
            if stream.ended == Some(fathom_join::End::Finished) {
                node.state = NodeState::Finished;
            }
            node.events += stream.next_ordinal - stream.lost;
            node.lost += stream.lost;
            node.heard = node
                .heard
                .max(stream.heard_unix_nanos.filter(|heard| *heard < i64::MAX));
            node.taps.extend(
                stream
                    .taps
                    .iter()
                    .filter(|tap| !node.taps.contains(tap))
                    .copied()
                    .collect::<Vec<Tap>>(),
            );
            let kept = &self.owner.record().state.join.streams;
            let id = catalog.stream(stream.stream);
            node.position += kept.iter().find(|kept| kept.id == *id).map_or(0, |kept| kept.position);
        }
        for (id, node) in &mut nodes {
            let index = catalog.find_node(id);
            node.closed_without = index.and_then(|index| self.engine.closed_without(index));
        }
        for index in self.engine.silent() {
            if let Some(node) = nodes.get_mut(catalog.node(index)) {
                node.state = NodeState::Silent;
            }
        }
        for session in self.sessions.values() {
            if let Some(node) = nodes.get_mut(&session.node) {
                node.daemon.clone_from(&session.daemon);
            }
            if let Some(node) = nodes.get_mut(&session.node)
                && node.state != NodeState::Finished
            {
                node.state = NodeState::Connected;
            }
        }
        nodes.into_values().collect()
    }
}

impl NodeReport {
    const fn new(node: NodeId, state: NodeState) -> Self {
        Self {
            node,
            state,
            taps: Vec::new(),
            events: 0,
            lost: 0,
            heard: None,
            position: 0,
            closed_without: None,
            daemon: None,
        }
    }
}
