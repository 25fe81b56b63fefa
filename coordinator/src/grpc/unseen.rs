//! Which nodes an answer did not hear.

use fathom_model::report::UnseenNode;

use super::status::rfc3339;
use crate::ingest::{NodeReport, WorkerReport};

/// Nodes that an answer has to name.
pub(super) fn unseen(report: &WorkerReport) -> Vec<UnseenNode> {
    let unseen = report.nodes.iter().filter(|node| node.state.is_unseen());
    unseen
        .map(|node| UnseenNode {
            node: node.node.to_string(),
            cause: node.state.as_str().to_owned(),
        })
        .collect()
}

/// The same for an answer about a stretch of time: a node that is heard again was missing where windows closed without it.
pub(super) fn unseen_since(report: &WorkerReport, from: Option<i64>) -> Vec<UnseenNode> {
    let mut nodes = unseen(report);
    let later = |until: i64| from.is_none_or(|from| until > from);
    let back = report.nodes.iter().filter(|node| !node.state.is_unseen());
    nodes.extend(
        back.filter(|node| node.closed_without.is_some_and(later))
            .map(|node| UnseenNode {
                node: node.node.to_string(),
                cause: "was_silent".to_owned(),
            }),
    );
    nodes
}

/// That windows closed without a node which is heard now.
pub(super) fn closed_without(node: &NodeReport) -> Option<String> {
    let until = node.closed_without.filter(|_| !node.state.is_unseen())?;
    Some(format!(
        "node {} was silent, and windows closed without it, the last at {} on its clock: its legs there, and those of its own I/Os, stay missing",
        node.node,
        rfc3339(until)
    ))
}
