//! What was heard of whom, and what was not.

use fathom_model::NodeIndex;
use fathom_model::coverage::{Coverage, CoverageState, GapCause};

use super::Running;

impl Running {
    /// A daemon lost events that come next: the stretch of time, as far as it is known, without how many.
    pub(super) fn loss(&self, session: u64, cause: GapCause, until: Option<i64>) -> Option<Coverage> {
        let open = self.sessions.get(&session)?;
        let heard = self
            .engine
            .streams()
            .into_iter()
            .find(|report| report.stream == open.stream);
        let from = heard
            .and_then(|report| report.heard_unix_nanos.or(report.covered_from_unix_nanos))
            .unwrap_or(0);
        Some(Coverage {
            node: open.node.clone(),
            from_unix_nanos: from,
            until_unix_nanos: until.unwrap_or(from),
            state: CoverageState::Gap(cause),
            events: None,
        })
    }

    /// Notes until when each node was heard since the last record.
    pub(super) fn note_coverage(&mut self) {
        let catalog = self.engine.catalog();
        for stream in self.engine.streams() {
            let node = catalog.node(stream.node).clone();
            let Some(heard) = stream.heard_unix_nanos.filter(|heard| *heard < i64::MAX) else {
                continue;
            };
            let from = self
                .covered_until
                .get(&node)
                .copied()
                .or(stream.covered_from_unix_nanos)
                .unwrap_or(heard);
            if heard > from {
                let state = CoverageState::Heard;
                self.coverage.push(Coverage {
                    node: node.clone(),
                    from_unix_nanos: from,
                    until_unix_nanos: heard,
                    state,
                    events: None,
                });
                self.covered_until.insert(node, heard);
            }
        }
        let silent: Vec<NodeIndex> = self.engine.silent().collect();
        for index in silent {
            let node = self.engine.catalog().node(index).clone();
            let Some(until) = self.engine.closed_without(index) else {
                continue;
            };
            let from = self.covered_until.get(&node).copied().unwrap_or(until);
            if until > from {
                let state = CoverageState::Silent;
                self.coverage.push(Coverage {
                    node: node.clone(),
                    from_unix_nanos: from,
                    until_unix_nanos: until,
                    state,
                    events: None,
                });
                self.covered_until.insert(node, until);
            }
        }
        self.note_unobserved();
    }

    /// A node without a daemon is not heard for as long as others are.
    fn note_unobserved(&mut self) {
        let Some(topology) = &self.topology else { return };
        let Some(until) = self.covered_until.values().max().copied() else {
            return;
        };
        for node in topology.topology.nodes.iter().filter(|node| !node.observed) {
            let from = self.covered_until.get(&node.id).copied();
            let from = from
                .or_else(|| self.coverage.iter().map(|row| row.from_unix_nanos).min())
                .unwrap_or(until);
            if until > from {
                let state = CoverageState::NoDaemon;
                self.coverage.push(Coverage {
                    node: node.id.clone(),
                    from_unix_nanos: from,
                    until_unix_nanos: until,
                    state,
                    events: None,
                });
                self.covered_until.insert(node.id.clone(), until);
            }
        }
    }
}
