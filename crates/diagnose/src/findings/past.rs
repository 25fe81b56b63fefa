//! Findings against what is usual: what is felt is not learnt as if it were, and what is found is compared with its own past.

use std::sync::Arc;

use fathom_model::Catalog;
use fathom_model::baseline::{Hour, Place};
use fathom_model::finding::{ChangeKind, Finding, Severity};

use super::Tracker;
use super::tracked::Tracked;
use crate::baseline::{BEGINS, Pasts, places};

/// What was felt for less than this of an hour leaves what is usual in it as it is.
const MATTERS_NANOS: i64 = 900_000_000_000;

impl Tracker {
    /// Takes up the hours that a predecessor wrote.
    pub fn resume_hours(&mut self, hours: Vec<Hour>) {
        self.baselines.resume(hours);
    }

    /// Closes the hour that goes on: nothing comes for a while.
    pub fn close_hours(&mut self, catalog: &Catalog) {
        let Self { baselines, tracked, .. } = self;
        baselines.finish(catalog, |place, stretch| was_felt(tracked, place, stretch));
    }

    /// Hours that were closed since this was asked last.
    pub fn take_hours(&mut self) -> Vec<Hour> {
        self.baselines.take_hours()
    }

    /// Whether there are hours that nobody has taken.
    #[must_use]
    pub const fn has_hours(&self) -> bool {
        self.baselines.has_hours()
    }

    /// What is usual.
    #[must_use]
    pub const fn pasts(&self) -> &Arc<Pasts> {
        self.baselines.pasts()
    }

    /// Says how what was just found compares with its own past.
    pub(super) fn compare(&mut self, at: usize, kind: ChangeKind, catalog: &Catalog) {
        let finding = &mut self.tracked[at].finding;
        let is_said = finding.evidence.iter().any(|reason| reason.text.starts_with(BEGINS));
        if is_said && !matches!(kind, ChangeKind::Opened | ChangeKind::Reopened) {
            return;
        }
        let worst = finding.victims.first().map(|victim| victim.volume.as_str());
        let (disk, peer) = (finding.disk.as_deref(), finding.peer.as_deref());
        let places = places(&finding.kind, &finding.node, disk, peer, worst);
        if let Some(compared) = self.baselines.compare_now(&places, catalog) {
            finding.evidence.retain(|reason| !reason.text.starts_with(BEGINS));
            finding.evidence.push(compared.evidence());
        }
    }
}

/// Whether something that was found wrong was felt at a place for long enough of a stretch.
pub(super) fn was_felt(tracked: &[Tracked], place: &Place, (from, until): (i64, i64)) -> bool {
    let is_its = |finding: &Finding| {
        let felt = finding
            .last_unix_ns
            .min(until)
            .saturating_sub(finding.first_unix_ns.max(from));
        felt >= MATTERS_NANOS && finding.severity > Severity::Maintenance && is_at(finding, place)
    };
    tracked.iter().any(|tracked| is_its(&tracked.finding))
}

/// Whether what was found makes I/Os of a place longer.
fn is_at(finding: &Finding, place: &Place) -> bool {
    let kind = finding.kind.as_str();
    let is_end = |node: &String| *node == finding.node || finding.peer.as_ref() == Some(node);
    match place {
        Place::Cluster => finding.cost_ns > 0,
        Place::Volume(volume) => finding.victims.iter().any(|victim| victim.volume == *volume),
        Place::Node(node) => matches!(kind, "node" | "disk" | "unknown") && finding.node == *node,
        Place::Pair { from, to } => match kind {
            "link" => is_end(from) && is_end(to),
            "disk" => finding.node == *to,
            _ => is_end(from) || is_end(to),
        },
        Place::Disk { node, disk } => {
            finding.node == *node
                && finding.disk.as_ref().is_none_or(|of| of == disk)
                && matches!(kind, "disk" | "node")
        }
    }
}
