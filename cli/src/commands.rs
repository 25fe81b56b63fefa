//! The commands, one file each.

pub(crate) mod demo;
pub(crate) mod io;
pub(crate) mod ios;
pub(crate) mod latency;
pub(crate) mod nodes;
pub(crate) mod replay;
pub(crate) mod roles;
pub(crate) mod score;
pub(crate) mod simulate;
pub(crate) mod volumes;
pub(crate) mod why;

use std::io::Write;

use fathom_model::report::UnseenNode;
use fathom_proto::query::v1 as wire;
use fathom_proto::query::v1::NodeStatus;

use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::units::date_time;

/// Prints an answer to standard output.
pub(crate) fn print(text: &str) -> Result<()> {
    std::io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .map_err(Error::Output)
}

/// Says on standard error what an answer looked at and what it did not see; the exit code that this means.
pub(crate) fn note(coverage: Option<&wire::Coverage>) -> Code {
    let Some(coverage) = coverage else { return Code::Fine };
    if let (Some(from), Some(newest)) = (coverage.from_unix_nanos, coverage.newest_unix_nanos) {
        eprintln!(
            "since {}, counted back from the cluster's newest event at {}",
            date_time(from),
            date_time(newest)
        );
    }
    for warning in &coverage.warnings {
        eprintln!("odd: {warning}");
    }
    note_unseen(&fathom_proto::convert::query::unseen_nodes(coverage))
}

/// The nodes that were not heard, of all.
pub(crate) fn unseen(nodes: &[NodeStatus]) -> Vec<UnseenNode> {
    let silent = |node: &&NodeStatus| matches!(node.state.as_str(), "not_connected" | "silent" | "no_daemon");
    let unseen = nodes.iter().filter(silent).map(|node| UnseenNode {
        node: node.node.clone(),
        cause: node.state.clone(),
    });
    unseen.collect()
}

/// Says which nodes were not heard.
pub(crate) fn note_unseen(nodes: &[UnseenNode]) -> Code {
    for node in nodes {
        eprintln!("partial: node {} was not heard ({})", node.node, node.cause);
    }
    if nodes.is_empty() { Code::Fine } else { Code::Partial }
}
