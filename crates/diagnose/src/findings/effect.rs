//! What is felt, and which condition of state explains it.

use fathom_model::condition::Sign;
use fathom_model::finding::Finding;
use fathom_model::report::Culprit;

use super::Code;
use super::tracked::Tracked;
use crate::watch::{self, BIN_NANOS};

/// An effect was felt no earlier than this before its cause was read: causes are read by the minute.
const BEFORE_NANOS: i64 = 60 * BIN_NANOS;

/// What may have stood for years explains what is felt only when both began together.
const TOGETHER_NANOS: i64 = 600 * BIN_NANOS;

/// Something that a condition may explain.
pub(super) struct Effect {
    pub(super) code: Code,
    pub(super) node: String,
    pub(super) disk: Option<String>,
    pub(super) peer: Option<String>,
    pub(super) first_unix_ns: i64,
}

impl Effect {
    pub(super) fn of(finding: &Finding) -> Self {
        Self {
            code: Code::parse(&finding.code).unwrap_or(Code::UnknownSlow),
            node: finding.node.clone(),
            disk: finding.disk.clone(),
            peer: finding.peer.clone(),
            first_unix_ns: finding.first_unix_ns,
        }
    }

    /// Of what the watch found, as it reports it.
    pub(super) fn of_found(found: &watch::Finding, report: &Culprit) -> Self {
        Self {
            code: Code::of(found, None),
            node: report.node.clone().unwrap_or_default(),
            disk: report.disk.clone(),
            peer: report.peer.clone(),
            first_unix_ns: found.first_second().saturating_mul(BIN_NANOS),
        }
    }

    fn has_end(&self, node: &str) -> bool {
        self.node == node || self.peer.as_deref() == Some(node)
    }
}

/// Whether a condition explains an effect: by what it is about, and by when both began.
pub(super) fn explains(tracked: &Tracked, effect: &Effect) -> bool {
    let cause = &tracked.finding;
    let Some(sign) = Code::parse(&cause.code).and_then(Code::sign) else {
        return false;
    };
    let is_way = matches!(effect.code, Code::LinkSlow | Code::LinkStalls);
    let is_node = effect.code == Code::NodeSlow;
    let after = effect.first_unix_ns.saturating_sub(tracked.since);
    let is_in_time = after >= -BEFORE_NANOS;
    match sign {
        Sign::TcpFallback => {
            let is_part = effect.code == Code::LinkTcpFallback && cause.kind != "link";
            let is_larger = effect.code == Code::LinkTcpFallback && effect.peer.is_none();
            is_in_time
                && match cause.kind.as_str() {
                    "link" => is_way && same_ends(cause, effect),
                    "node" => (is_way || is_node || (is_part && !is_larger)) && effect.has_end(&cause.node),
                    _ => is_way || is_node || (is_part && !effect.node.is_empty()),
                }
        }
        Sign::QosDrift | Sign::MtuMismatch => {
            let is_there = cause.node.is_empty() || effect.has_end(&cause.node);
            is_in_time && after <= TOGETHER_NANOS && (is_way || is_node) && is_there
        }
        Sign::DiskUnhealthy | Sign::DiskWear => {
            let is_disk = matches!(effect.code, Code::DiskSlow | Code::DiskStalls);
            is_in_time && is_disk && cause.node == effect.node && cause.disk == effect.disk
        }
        // What a job that runs explains is told by where it works.
        Sign::JobStuck | Sign::JobRuns => false,
    }
}

fn same_ends(cause: &Finding, effect: &Effect) -> bool {
    let ends = (Some(cause.node.as_str()), cause.peer.as_deref());
    let own = (Some(effect.node.as_str()), effect.peer.as_deref());
    own == ends || (own.1, own.0) == ends
}
