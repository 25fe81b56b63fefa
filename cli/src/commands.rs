//! The commands, one file each.

pub(crate) mod compare;
pub(crate) mod demo;
pub(crate) mod evaluate;
pub(crate) mod explain;
pub(crate) mod findings;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod io;
pub(crate) mod ios;
pub(crate) mod latency;
pub(crate) mod ledger;
pub(crate) mod nodes;
pub(crate) mod profile;
pub(crate) mod replay;
pub(crate) mod roles;
pub(crate) mod score;
pub(crate) mod simulate;
pub(crate) mod slow_minutes;
pub(crate) mod state;
pub(crate) mod volumes;
pub(crate) mod what_if;
pub(crate) mod why;

use std::io::Write;

use fathom_proto::convert::query::unseen_nodes;
use fathom_proto::query::v1 as wire;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::json::to_value;
use crate::render::table::{many_lines, one_line};
use crate::render::units::date_time;

/// Prints an answer to standard output.
pub(crate) fn print(text: &str) -> Result<()> {
    std::io::stdout()
        .lock()
        .write_all(many_lines(text).as_bytes())
        .map_err(Error::Output)
}

/// Says on standard error what an answer looked at and what it did not see; the exit code that this means.
pub(crate) fn note(coverage: Option<&wire::Coverage>) -> Code {
    let Some(coverage) = coverage else { return Code::Fine };
    if let (Some(from), Some(newest)) = (coverage.from_unix_nanos, coverage.newest_unix_nanos) {
        eprintln!(
            "since {}, counted back from the cluster's newest I/O at {}",
            date_time(from),
            date_time(newest)
        );
    }
    for warning in &coverage.warnings {
        eprintln!("odd: {}", one_line(warning));
    }
    for node in &coverage.nodes {
        eprintln!("partial: node {} was not heard ({})", one_line(&node.node), node.cause);
    }
    if coverage.nodes.is_empty() {
        Code::Fine
    } else {
        Code::Partial
    }
}

/// What an answer did not see, as every document has it. Which observations are missing and which events were set aside is found
/// by a report alone: elsewhere it is not known.
pub(crate) fn unseen(coverage: Option<&wire::Coverage>) -> Value {
    let nodes = coverage.map(unseen_nodes).unwrap_or_default();
    let warnings = coverage.map(|coverage| coverage.warnings.clone()).unwrap_or_default();
    json!({"missing": null, "unmatched": null, "nodes": to_value(&nodes), "warnings": warnings})
}

/// The nodes that an answer did not hear.
pub(crate) fn unseen_only_nodes(coverage: Option<&wire::Coverage>) -> Value {
    to_value(&coverage.map(unseen_nodes).unwrap_or_default())
}
