//! What the fleet may do here. The site holds itself to it: whatever comes down is checked again.

use fathom_proto::fleet::v1 as wire;

use crate::config::{Group, Policy};

/// For people.
pub(super) fn to_wire(policy: &Policy) -> wire::SitePolicy {
    wire::SitePolicy {
        allows: policy.allows.iter().map(|group| group.as_str().to_owned()).collect(),
        max_rows: policy.max_rows,
        max_answer_bytes: policy.max_answer_bytes,
        max_time_nanos: u64::try_from(policy.max_time.as_nanos()).unwrap_or(u64::MAX),
        max_queries: policy.max_queries,
        max_watches: policy.max_watches,
    }
}

/// The group that a method belongs to: what is not known to read only is not taken for it. By the names of methods, since those of later
/// versions follow the same rule.
pub(super) fn group(method: &str) -> Option<Group> {
    let (service, method) = method.strip_prefix('/')?.split_once('/')?;
    match (service, method) {
        ("fathom.query.v1.FindingsService", "AcknowledgeFinding" | "MuteFinding") => Some(Group::Remarks),
        ("fathom.control.v1.ControlService", "SetProfile") => Some(Group::Profiles),
        (service, method) if service.starts_with("fathom.query.v1.") => {
            let reads = ["Get", "List", "Watch", "Stream", "Compare"];
            reads.iter().any(|verb| method.starts_with(verb)).then_some(Group::Read)
        }
        _ => None,
    }
}

/// Whether a method reads, is about one cluster, and ends by itself.
pub(crate) fn reads_one(method: &str) -> bool {
    group(method) == Some(Group::Read) && !is_watch(method) && method != crate::fleet::route::OWN
}

/// Whether a method goes on until somebody ends it.
pub(crate) fn is_watch(method: &str) -> bool {
    method.rsplit('/').next().is_some_and(|name| name.starts_with("Watch"))
}

impl Policy {
    /// Whether a method may be called.
    pub(super) fn allows(&self, method: &str) -> bool {
        group(method).is_some_and(|group| self.allows.contains(&group))
    }

    /// What it allows, in words.
    pub(super) fn allows_text(&self) -> String {
        if self.allows.is_empty() {
            return "nothing".to_owned();
        }
        let names: Vec<&str> = self.allows.iter().map(|group| group.as_str()).collect();
        names.join(", ")
    }
}

#[cfg(test)]
mod tests;
