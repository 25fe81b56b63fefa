//! `fathom.query.v1` and the shapes of answers ([`fathom_model::report`]).

use fathom_model::report;

use super::{Error, Result};
use crate::collect::v1 as collect;
use crate::query::v1 as wire;

mod parts;

/// An I/O for the wire. `ordinals` beyond those of the detail do not exist: nothing is lost.
#[must_use]
pub fn io_to_wire(io: &report::IoDetail, ordinal: u64, attempts: &[Vec<u64>]) -> wire::Io {
    let none = Vec::new();
    wire::Io {
        id: io.id.clone(),
        node: io.node.clone(),
        ordinal,
        volume: io.volume.clone(),
        op: io.op.clone(),
        offset: io.offset,
        length: io.length,
        start_unix_nanos: io.start_unix_ns,
        duration_nanos: io.duration_ns,
        status: io.status,
        class: io.class.clone(),
        legs_expected: io.legs_expected,
        slowest: io.slowest.as_ref().map(|slowest| wire::Slowest {
            node: slowest.node.clone(),
            disk: slowest.disk.clone(),
            part: slowest.part,
            copy: slowest.copy,
            lead_nanos: slowest.lead_ns,
            confidence: slowest.confidence,
        }),
        legs: io
            .legs
            .iter()
            .enumerate()
            .map(|(at, leg)| leg_to_wire(leg, attempts.get(at).unwrap_or(&none)))
            .collect(),
        parts: io.parts.as_ref().map(parts::io_to_wire),
    }
}

/// What a daemon said of itself, for who asks.
#[must_use]
pub fn daemon_to_wire(daemon: &collect::DaemonStatus) -> wire::DaemonReport {
    let profile = match daemon.profile() {
        collect::Profile::Unspecified => "",
        collect::Profile::Off => "off",
        collect::Profile::SlowOnly => "slow-only",
        collect::Profile::Writes => "writes",
        collect::Profile::Full => "full",
    };
    let running = daemon.running_nanos.max(1) as f64;
    wire::DaemonReport {
        profile: profile.to_owned(),
        ordered_for_nanos: daemon.ordered_for_nanos,
        processor_share: daemon.processor_nanos.map(|nanos| nanos as f64 / running),
        memory_bytes: daemon.memory_bytes,
        events_read: daemon.events_read,
        events_lost: daemon.events_lost,
        events_shed: daemon.events_shed,
        events_undecoded: daemon.events_undecoded,
        spool_bytes: daemon.spool_bytes,
        troubles: daemon.troubles.clone(),
    }
}

fn leg_to_wire(leg: &report::LegDetail, attempts: &[u64]) -> wire::Leg {
    let span = |span: Option<[i64; 2]>| span.map(|[start_nanos, end_nanos]| wire::Span { start_nanos, end_nanos });
    let missing = leg.missing.iter().map(|(tap, cause)| wire::MissingTap {
        tap: tap.clone(),
        cause: cause.clone(),
    });
    wire::Leg {
        part: leg.part,
        copy: leg.copy,
        node: leg.node.clone(),
        disk: leg.disk.clone(),
        disk_offset: leg.disk_offset,
        length: leg.length,
        local: leg.local,
        initiator: span(leg.initiator_ns),
        target: span(leg.target_ns),
        device: span(leg.device_ns),
        missing: missing.collect(),
        method: leg.method.clone(),
        confidence: leg.confidence,
        ambiguous: leg.ambiguous,
        candidate: leg.candidate,
        clock_offset_nanos: leg.clock_offset_ns,
        clock_error_nanos: leg.clock_error_ns,
        initiator_ordinal: leg.initiator_ordinal,
        attempt_ordinals: attempts.to_vec(),
        target_ordinal: leg.target_ordinal,
        device_ordinals: leg.device_ordinals.clone(),
        parts: Some(parts::leg_to_wire(&leg.parts)),
    }
}

/// An I/O from the wire.
#[must_use]
pub fn io_from_wire(io: &wire::Io) -> report::IoDetail {
    report::IoDetail {
        id: io.id.clone(),
        node: io.node.clone(),
        volume: io.volume.clone(),
        op: io.op.clone(),
        offset: io.offset,
        length: io.length,
        start_unix_ns: io.start_unix_nanos,
        duration_ns: io.duration_nanos,
        status: io.status,
        class: io.class.clone(),
        legs_expected: io.legs_expected,
        slowest: io.slowest.as_ref().map(|slowest| report::SlowestDetail {
            node: slowest.node.clone(),
            disk: slowest.disk.clone(),
            part: slowest.part,
            copy: slowest.copy,
            lead_ns: slowest.lead_nanos,
            confidence: slowest.confidence,
        }),
        legs: io.legs.iter().map(leg_from_wire).collect(),
        parts: io.parts.as_ref().and_then(parts::io_from_wire),
    }
}

fn leg_from_wire(leg: &wire::Leg) -> report::LegDetail {
    let span = |span: Option<wire::Span>| span.map(|span| [span.start_nanos, span.end_nanos]);
    report::LegDetail {
        part: leg.part,
        copy: leg.copy,
        node: leg.node.clone(),
        disk: leg.disk.clone(),
        disk_offset: leg.disk_offset,
        length: leg.length,
        local: leg.local,
        initiator_ns: span(leg.initiator),
        target_ns: span(leg.target),
        device_ns: span(leg.device),
        missing: leg
            .missing
            .iter()
            .map(|missing| (missing.tap.clone(), missing.cause.clone()))
            .collect(),
        method: leg.method.clone(),
        confidence: leg.confidence,
        ambiguous: leg.ambiguous,
        candidate: leg.candidate,
        clock_offset_ns: leg.clock_offset_nanos,
        clock_error_ns: leg.clock_error_nanos,
        initiator_ordinal: leg.initiator_ordinal,
        target_ordinal: leg.target_ordinal,
        device_ordinals: leg.device_ordinals.clone(),
        parts: leg.parts.as_ref().map(parts::leg_from_wire).unwrap_or_default(),
    }
}

impl From<&report::Latency> for wire::Latency {
    fn from(row: &report::Latency) -> Self {
        Self {
            tap: row.tap.clone(),
            node: row.node.clone(),
            disk: row.disk.clone(),
            volume: row.volume.clone(),
            peer: row.peer.clone(),
            count: row.count,
            p50_nanos: row.p50_ns,
            p95_nanos: row.p95_ns,
            p99_nanos: row.p99_ns,
            max_nanos: row.max_ns,
        }
    }
}

impl From<&wire::Latency> for report::Latency {
    fn from(row: &wire::Latency) -> Self {
        Self {
            tap: row.tap.clone(),
            node: row.node.clone(),
            disk: row.disk.clone(),
            volume: row.volume.clone(),
            peer: row.peer.clone(),
            count: row.count,
            p50_ns: row.p50_nanos,
            p95_ns: row.p95_nanos,
            p99_ns: row.p99_nanos,
            max_ns: row.max_nanos,
        }
    }
}

impl From<&report::Clock> for wire::Clock {
    fn from(clock: &report::Clock) -> Self {
        Self {
            node: clock.node.clone(),
            reference: clock.reference.clone(),
            offset_nanos: clock.offset_ns,
            drift_ppb: clock.drift_ppb,
            error_nanos: clock.error_ns,
        }
    }
}

impl From<&wire::Clock> for report::Clock {
    fn from(clock: &wire::Clock) -> Self {
        Self {
            node: clock.node.clone(),
            reference: clock.reference.clone(),
            offset_ns: clock.offset_nanos,
            drift_ppb: clock.drift_ppb,
            error_ns: clock.error_nanos,
        }
    }
}

impl From<&report::Joined> for wire::Joined {
    fn from(joined: &report::Joined) -> Self {
        Self {
            writes: joined.writes,
            legs: joined.legs,
            legs_expected: joined.legs_expected,
            exact: joined.exact,
            ambiguous: joined.ambiguous,
            incomplete: joined.incomplete,
            reads: joined.reads,
            flushes: joined.flushes,
            unmaps: joined.unmaps,
            last_unknown: joined.last_unknown,
        }
    }
}

impl From<&wire::Joined> for report::Joined {
    fn from(joined: &wire::Joined) -> Self {
        Self {
            writes: joined.writes,
            legs: joined.legs,
            legs_expected: joined.legs_expected,
            exact: joined.exact,
            ambiguous: joined.ambiguous,
            incomplete: joined.incomplete,
            reads: joined.reads,
            flushes: joined.flushes,
            unmaps: joined.unmaps,
            last_unknown: joined.last_unknown,
        }
    }
}

impl From<&report::LastCopy> for wire::LastCopy {
    fn from(row: &report::LastCopy) -> Self {
        Self {
            node: row.node.clone(),
            disk: row.disk.clone().unwrap_or_default(),
            peer: row.peer.clone().unwrap_or_default(),
            writes: row.writes,
            share: row.share,
            share_low: row.share_low,
            share_high: row.share_high,
            expected_share: row.expected_share,
            added_nanos: row.added_ns,
            added_writes: row.added_writes,
        }
    }
}

impl From<&wire::LastCopy> for report::LastCopy {
    fn from(row: &wire::LastCopy) -> Self {
        let given = |text: &String| (!text.is_empty()).then(|| text.clone());
        Self {
            node: row.node.clone(),
            disk: given(&row.disk),
            peer: given(&row.peer),
            writes: row.writes,
            share: row.share,
            share_low: row.share_low,
            share_high: row.share_high,
            expected_share: row.expected_share,
            added_ns: row.added_nanos,
            added_writes: row.added_writes,
        }
    }
}

impl From<&report::Culprit> for wire::Culprit {
    fn from(culprit: &report::Culprit) -> Self {
        let text = |name: &Option<String>| name.clone().unwrap_or_default();
        Self {
            kind: culprit.kind.clone(),
            node: text(&culprit.node),
            disk: text(&culprit.disk),
            peer: text(&culprit.peer),
            resource: text(&culprit.resource),
            confidence: culprit.confidence,
            cost_nanos: culprit.cost_ns,
            guessed_nanos: culprit.guessed_ns,
            hidden_nanos: culprit.hidden_ns,
            since: culprit.since.clone(),
            until: culprit.until.clone(),
            evidence: culprit
                .evidence
                .iter()
                .map(|one| wire::Evidence {
                    text: one.text.clone(),
                    writes: one.writes.clone(),
                })
                .collect(),
        }
    }
}

impl From<&wire::Culprit> for report::Culprit {
    fn from(culprit: &wire::Culprit) -> Self {
        let given = |text: &String| (!text.is_empty()).then(|| text.clone());
        Self {
            kind: culprit.kind.clone(),
            node: given(&culprit.node),
            disk: given(&culprit.disk),
            peer: given(&culprit.peer),
            resource: given(&culprit.resource),
            confidence: culprit.confidence,
            cost_ns: culprit.cost_nanos,
            guessed_ns: culprit.guessed_nanos,
            hidden_ns: culprit.hidden_nanos,
            since: culprit.since.clone(),
            until: culprit.until.clone(),
            evidence: culprit
                .evidence
                .iter()
                .map(|one| report::Evidence {
                    text: one.text.clone(),
                    writes: one.writes.clone(),
                })
                .collect(),
        }
    }
}

/// A report for the wire. `slowest` is the slowest write with what the detail does not hold.
#[must_use]
pub fn report_to_wire(
    report: &report::Report,
    slowest: Option<wire::Io>,
    newest: Option<i64>,
    from: Option<i64>,
) -> wire::GetReportResponse {
    let unseen = &report.unseen;
    wire::GetReportResponse {
        joined: Some((&report.joined).into()),
        latency: report.latency.iter().map(Into::into).collect(),
        last_copies: report.last_copies.iter().map(Into::into).collect(),
        last_copies_by_node: report.last_copies_by_node.iter().map(Into::into).collect(),
        last_copies_by_pair: report.last_copies_by_pair.iter().map(Into::into).collect(),
        culprit: report.culprit.as_ref().map(Into::into),
        culprits: report.culprits.iter().map(Into::into).collect(),
        changes: Vec::new(),
        slowest_write: slowest,
        clocks: report.clocks.iter().map(Into::into).collect(),
        missing: unseen
            .missing
            .iter()
            .map(|row| wire::MissingCount {
                node: row.node.clone(),
                tap: row.tap.clone(),
                cause: row.cause.clone(),
                legs: row.legs,
            })
            .collect(),
        unmatched: unseen
            .unmatched
            .iter()
            .map(|row| wire::UnmatchedCount {
                node: row.node.clone(),
                device: row.device.clone(),
                tap: row.tap.clone(),
                op: row.op.clone(),
                cause: row.cause.clone(),
                events: row.events,
                bytes: row.bytes,
            })
            .collect(),
        coverage: Some(coverage_to_wire(&unseen.nodes, &unseen.warnings, newest, from)),
        // The caller's to say.
        source: None,
        slowest_write_id: String::new(),
        against_usual: Vec::new(),
    }
}

/// What was not complete, for the wire.
#[must_use]
pub fn coverage_to_wire(
    nodes: &[report::UnseenNode],
    warnings: &[String],
    newest_unix_nanos: Option<i64>,
    from_unix_nanos: Option<i64>,
) -> wire::Coverage {
    let nodes = nodes.iter().map(|one| wire::UnseenNode {
        node: one.node.clone(),
        cause: one.cause.clone(),
    });
    wire::Coverage {
        nodes: nodes.collect(),
        newest_unix_nanos,
        from_unix_nanos,
        warnings: warnings.to_vec(),
    }
}

/// A report from the wire.
///
/// # Errors
///
/// When what every report has is missing.
pub fn report_from_wire(answer: &wire::GetReportResponse) -> Result<report::Report> {
    let joined = answer.joined.as_ref().ok_or(Error::Missing { field: "joined" })?;
    let coverage = answer.coverage.as_ref().ok_or(Error::Missing { field: "coverage" })?;
    Ok(report::Report {
        joined: joined.into(),
        latency: answer.latency.iter().map(Into::into).collect(),
        last_copies: answer.last_copies.iter().map(Into::into).collect(),
        last_copies_by_node: answer.last_copies_by_node.iter().map(Into::into).collect(),
        last_copies_by_pair: answer.last_copies_by_pair.iter().map(Into::into).collect(),
        culprit: answer.culprit.as_ref().map(Into::into),
        culprits: answer.culprits.iter().map(Into::into).collect(),
        slowest_write: answer.slowest_write.as_ref().map(io_from_wire),
        clocks: answer.clocks.iter().map(Into::into).collect(),
        unseen: report::Unseen {
            missing: answer
                .missing
                .iter()
                .map(|row| report::MissingCount {
                    node: row.node.clone(),
                    tap: row.tap.clone(),
                    cause: row.cause.clone(),
                    legs: row.legs,
                })
                .collect(),
            unmatched: answer
                .unmatched
                .iter()
                .map(|row| report::UnmatchedCount {
                    node: row.node.clone(),
                    device: row.device.clone(),
                    tap: row.tap.clone(),
                    op: row.op.clone(),
                    cause: row.cause.clone(),
                    events: row.events,
                    bytes: row.bytes,
                })
                .collect(),
            nodes: unseen_nodes(coverage),
            warnings: coverage.warnings.clone(),
        },
    })
}

/// The nodes that an answer did not hear.
#[must_use]
pub fn unseen_nodes(coverage: &wire::Coverage) -> Vec<report::UnseenNode> {
    let node = |one: &wire::UnseenNode| report::UnseenNode {
        node: one.node.clone(),
        cause: one.cause.clone(),
    };
    coverage.nodes.iter().map(node).collect()
}

#[cfg(test)]
mod tests;
