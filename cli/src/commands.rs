//! The commands, one file each.

pub(crate) mod baselines;
pub(crate) mod clusters;
pub(crate) mod compare;
pub(crate) mod demo;
pub(crate) mod evaluate;
pub(crate) mod explain;
pub(crate) mod findings;
pub(crate) mod fleet;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod io;
pub(crate) mod ios;
pub(crate) mod latency;
pub(crate) mod ledger;
pub(crate) mod nodes;
pub(crate) mod of_vm;
pub(crate) mod profile;
pub(crate) mod replay;
pub(crate) mod roles;
pub(crate) mod score;
mod selected;
pub(crate) mod several;
pub(crate) mod simulate;
pub(crate) mod slow_minutes;
pub(crate) mod state;
pub(crate) mod volumes;
pub(crate) mod what_if;
pub(crate) mod why;

use fathom_proto::convert::query::unseen_nodes;
use fathom_proto::query::v1 as wire;
use serde_json::{Value, json};

use crate::exit::Code;
use crate::render::json::to_value;
use crate::render::table::one_line;
use crate::render::units::moment;
pub(crate) use crate::scope::print;
use crate::scope::tell;

/// Says on standard error what an answer looked at and what it did not see; the exit code that this means.
pub(crate) fn note(coverage: Option<&wire::Coverage>) -> Code {
    let Some(coverage) = coverage else { return Code::Fine };
    if let (Some(from), Some(newest)) = (coverage.from_unix_nanos, coverage.newest_unix_nanos) {
        tell!(
            "since {}, counted back from the cluster's newest I/O at {}",
            moment(from),
            moment(newest)
        );
    }
    for warning in &coverage.warnings {
        tell!("odd: {}", one_line(warning));
    }
    for node in &coverage.nodes {
        tell!("partial: node {} was not heard ({})", one_line(&node.node), node.cause);
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

/// What an answer was made of; null of a coordinator of before this was said, and where no coordinator was asked.
pub(crate) fn source(source: Option<&wire::Source>) -> Value {
    source.map_or(Value::Null, |source| {
        json!({
            "kind": source.kind, "relative_error": source.relative_error, "bucket_ns": source.bucket_nanos,
            "files": source.files,
        })
    })
}

/// Says on standard error where an answer was not made of each I/O.
pub(crate) fn tell_source(source: Option<&wire::Source>) {
    if let Some(source) = source.filter(|source| source.kind == "tables") {
        tell!(
            "of what I/Os added up to as they came, from whole minutes on; percentiles are within {:.0} % (--source rows looks at each)",
            source.relative_error * 100.0
        );
    }
}

/// The nodes that an answer did not hear.
pub(crate) fn unseen_only_nodes(coverage: Option<&wire::Coverage>) -> Value {
    to_value(&coverage.map(unseen_nodes).unwrap_or_default())
}
