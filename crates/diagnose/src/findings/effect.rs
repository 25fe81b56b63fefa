//! What is felt, and which condition of state explains it.

use fathom_model::condition::{Condition, Sign};
use fathom_model::finding::Finding;
use fathom_model::report::Culprit;

use super::Code;
use super::tracked::Tracked;
use crate::watch::{self, BIN_NANOS};

/// An effect was felt no earlier than this before its cause was read: causes are read by the minute.
const BEFORE_NANOS: i64 = 60 * BIN_NANOS;

/// What may have stood for years explains what is felt only when both began together.
const TOGETHER_NANOS: i64 = 600 * BIN_NANOS;

/// Errors of a drive are counted when they are read, which is every 15 min.
const COUNTED_NANOS: i64 = 20 * 60 * BIN_NANOS;

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

    /// Of a condition that may be part of another.
    pub(super) fn of_condition(condition: &Condition, first: i64) -> Self {
        Self {
            code: Code::of_sign(condition.sign),
            node: condition.node.clone(),
            disk: condition.disk.clone(),
            peer: condition.peer.clone(),
            first_unix_ns: condition.since_unix_ns.unwrap_or(first),
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

/// What may explain an effect: something that state shows.
pub(super) struct Cause<'a> {
    sign: Sign,
    kind: &'a str,
    node: &'a str,
    disk: Option<&'a str>,
    peer: Option<&'a str>,
    /// Drives that it is about, as NODE/DISK.
    disks: &'a [String],
    /// Nodes that it is about, where it is the cluster's; empty where that is not known.
    nodes: &'a [String],
    since: i64,
}

impl<'a> Cause<'a> {
    /// Of a finding, with what stands of it; none of what writes show.
    pub(super) fn of(tracked: &'a Tracked, standing: Option<&'a Condition>) -> Option<Self> {
        let finding = &tracked.finding;
        Some(Self {
            sign: Code::parse(&finding.code)?.sign()?,
            kind: &finding.kind,
            node: &finding.node,
            disk: finding.disk.as_deref(),
            peer: finding.peer.as_deref(),
            disks: &finding.disks,
            nodes: standing.map_or(&[], |condition| &condition.nodes),
            since: tracked.since,
        })
    }

    /// Of a condition that is no finding.
    pub(super) fn of_condition(condition: &'a Condition, since: i64) -> Self {
        Self {
            sign: condition.sign,
            kind: &condition.kind,
            node: &condition.node,
            disk: condition.disk.as_deref(),
            peer: condition.peer.as_deref(),
            disks: &condition.disks,
            nodes: &condition.nodes,
            since: condition.since_unix_ns.unwrap_or(since),
        }
    }

    /// Whether it explains an effect: by what it is about, and by when both began.
    pub(super) fn explains(&self, effect: &Effect) -> bool {
        let after = effect.first_unix_ns.saturating_sub(self.since);
        let is_in_time = after >= -BEFORE_NANOS;
        let is_together = is_in_time && after <= TOGETHER_NANOS;
        let is_way = matches!(effect.code, Code::LinkSlow | Code::LinkStalls);
        let is_node = effect.code == Code::NodeSlow;
        let is_slow_disk = matches!(effect.code, Code::DiskSlow | Code::DiskStalls);
        let is_own_disk = self.node == effect.node && self.disk == effect.disk.as_deref();
        match self.sign {
            Sign::TcpFallback => {
                let is_part = effect.code == Code::LinkTcpFallback && self.kind != "link";
                let is_larger = effect.code == Code::LinkTcpFallback && effect.peer.is_none();
                is_in_time
                    && match self.kind {
                        "link" => is_way && self.has_same_ends(effect),
                        "node" => (is_way || is_node || (is_part && !is_larger)) && effect.has_end(self.node),
                        _ => is_way || is_node || (is_part && !effect.node.is_empty()),
                    }
            }
            Sign::QosDrift | Sign::MtuMismatch => {
                let is_there = self.node.is_empty() || effect.has_end(self.node);
                // A wrong map of priorities is what a storm of pauses comes of.
                let is_storm = self.sign == Sign::QosDrift && effect.code == Code::LinkPauseStorm;
                is_together && (is_way || is_node || is_storm) && is_there
            }
            Sign::PauseStorm | Sign::CreditStalls | Sign::Saturated => {
                is_together && (is_way || is_node) && effect.has_end(self.node)
            }
            Sign::LinkErrors => {
                let is_there = match self.kind {
                    "link" => is_way && self.has_same_ends(effect),
                    _ => (is_way || is_node) && effect.has_end(self.node),
                };
                is_together && is_there
            }
            Sign::DiskUnhealthy => {
                // That it has counted errors is why it is not well.
                let is_slow = is_in_time && is_slow_disk;
                (is_slow || effect.code == Code::DiskErrors) && is_own_disk
            }
            Sign::DiskWear => is_in_time && is_slow_disk && is_own_disk,
            Sign::DiskErrors => after >= -COUNTED_NANOS && is_slow_disk && is_own_disk,
            Sign::MixedMedia => {
                let own = effect.disk.as_ref().map(|disk| format!("{}/{disk}", effect.node));
                is_slow_disk && own.is_some_and(|own| self.disks.contains(&own))
            }
            Sign::CsvRedirected => {
                let is_there = self.nodes.is_empty() || self.nodes.contains(&effect.node);
                is_together && effect.code == Code::InitiatorSlow && is_there
            }
            Sign::Encrypted => is_together && effect.code == Code::InitiatorSlow && effect.node == self.node,
            // What a job that runs explains is told by where it works.
            Sign::JobStuck | Sign::JobRuns => false,
        }
    }

    fn has_same_ends(&self, effect: &Effect) -> bool {
        let ends = (Some(self.node), self.peer);
        let own = (Some(effect.node.as_str()), effect.peer.as_deref());
        own == ends || (own.1, own.0) == ends
    }
}
