//! What of a selection is not there, as the fleet coordinator says it, for people and in documents.
//!
//! A name that is written out and that nothing has makes an answer partial; a pattern or a label that nothing fits is told, and no more.

use fathom_proto::fleet::v1 as wire;
use serde_json::{Value, json};

use crate::exit::Code;
use crate::render::table::one_line;
use crate::scope::tell;

/// What was asked for and is not there.
#[derive(Debug, Default)]
pub(super) struct Absent(wire::SelectionGaps);

impl Absent {
    /// What an answer says of it; nothing of a version that did not say.
    pub(super) fn of(gaps: Option<wire::SelectionGaps>) -> Self {
        Self(gaps.unwrap_or_default())
    }

    /// Says it; the exit code that this means.
    pub(super) fn note(&self) -> Code {
        for pattern in &self.0.empty_terms {
            tell!("no cluster is what `{}` selects", one_line(pattern));
        }
        for name in &self.0.unknown {
            tell!("partial: {}", says(name));
        }
        if self.0.unknown.is_empty() {
            Code::Fine
        } else {
            Code::Partial
        }
    }

    /// As rows of `missing` of an answer about several clusters.
    pub(super) fn missing(&self) -> Vec<Value> {
        let rows = self.0.unknown.iter().map(|name| {
            json!({
                "site": given(&name.site), "cluster": given(&name.cluster), "cause": "unknown", "reason": name.reason,
                "since_unix_ns": null, "error": says(name), "last": null,
            })
        });
        rows.collect()
    }

    /// As a list of their own, in an answer about the fleet.
    pub(super) fn unknown(&self) -> Vec<Value> {
        let rows = self.0.unknown.iter();
        let rows =
            rows.map(|name| json!({"site": given(&name.site), "cluster": given(&name.cluster), "reason": name.reason}));
        rows.collect()
    }
}

/// What was not said is null.
fn given(name: &str) -> Option<&str> {
    Some(name).filter(|name| !name.is_empty())
}

fn says(name: &wire::UnknownName) -> String {
    let (site, cluster) = (one_line(&name.site), one_line(&name.cluster));
    match (site.is_empty(), cluster.is_empty()) {
        (_, true) => format!("there is no site `{site}`"),
        (true, false) => format!("there is no cluster `{cluster}` among those that are meant"),
        (false, false) => format!("there is no cluster `{site}/{cluster}` among those that are meant"),
    }
}

#[cfg(test)]
mod tests;
