//! How bad it is what writes feel, and that work which is to be expected is no incident.

use std::collections::BTreeSet;

use fathom_model::finding::{Finding, Severity};
use fathom_model::{Catalog, NodeId, NodeIndex};

use crate::watch::{self, Named};

/// It is critical when it makes writes longer by this share ...
const CRITICAL_SHARE: f64 = 0.5;

/// ... or made one longer by this much.
const CRITICAL_NANOS: u64 = 1_000_000_000;

/// What severity is told by.
#[derive(Clone, Debug, Default)]
pub(super) struct Scale {
    /// Nodes that the cluster has paused or drains.
    pub(super) maintenance: BTreeSet<NodeId>,
}

impl Scale {
    /// Whether an end of what a finding names is at a node that is worked on.
    pub(super) fn is_expected_of(&self, finding: &Finding) -> bool {
        let ends = [Some(&finding.node), finding.peer.as_ref()];
        let mut ends = ends.into_iter().flatten();
        ends.any(|end| self.maintenance.iter().any(|node| node.as_str() == end))
    }

    /// How bad it is by what the watch has of it now: work that is to be expected is that, whatever it was taken for before.
    pub(super) fn at_least(&self, known: Severity, found: &watch::Finding, catalog: &Catalog) -> Severity {
        match self.of(found, catalog) {
            Severity::Maintenance => Severity::Maintenance,
            now => known.max(now),
        }
    }

    /// How bad something is that the watch found: `maintenance` where an end of it is at a node that is worked on.
    pub(super) fn of(&self, found: &watch::Finding, catalog: &Catalog) -> Severity {
        let is_worked_on = |node: NodeIndex| self.maintenance.contains(catalog.node(node));
        let is_expected = match found.named {
            _ if self.maintenance.is_empty() => false,
            Named::Disk(disk) => self.maintenance.contains(&catalog.disk(disk).node),
            Named::Link(one, other) => is_worked_on(one) || is_worked_on(other),
            Named::Node(node) | Named::Unknown(node) | Named::Initiator(node) => is_worked_on(node),
        };
        if is_expected {
            Severity::Maintenance
        } else if found.lengthened() >= CRITICAL_SHARE || found.worst_nanos() >= CRITICAL_NANOS {
            Severity::Critical
        } else {
            Severity::Warning
        }
    }
}
