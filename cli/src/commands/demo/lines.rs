//! From the coordinator's answers to lines of an export, for scoring: what is scored is what was stored.

use fathom_lab::export::{Copy, Line, SlowestCopy};
use fathom_lab::replay::RowMap;
use fathom_model::NodeId;
use fathom_proto::query::v1 as wire;

/// A write as a line.
pub(super) fn line(io: &wire::Io, map: &RowMap) -> Line {
    let own = NodeId::new(io.node.as_str());
    let mut candidates: Vec<String> = io
        .legs
        .iter()
        .filter(|leg| leg.candidate)
        .map(|leg| leg.node.clone())
        .collect();
    candidates.sort();
    candidates.dedup();
    Line {
        write: map.row(&own, io.ordinal),
        node: io.node.clone(),
        copies: io.legs.iter().map(|leg| copy(leg, &own, map)).collect(),
        slowest: io.slowest.as_ref().map(|slowest| SlowestCopy {
            node: slowest.node.clone(),
            copy: slowest.copy,
        }),
        candidates,
        ambiguous: io.legs.iter().any(|leg| leg.ambiguous),
    }
}

fn copy(leg: &wire::Leg, own: &NodeId, map: &RowMap) -> Copy {
    let node = NodeId::new(leg.node.as_str());
    let there = |ordinal: &u64| map.row(&node, *ordinal);
    let here = |ordinal: &u64| map.row(own, *ordinal);
    Copy {
        copy: leg.copy,
        part: leg.part,
        node: leg.node.clone(),
        initiator_rows: leg
            .attempt_ordinals
            .iter()
            .chain(leg.initiator_ordinal.as_ref())
            .map(here)
            .collect(),
        target_row: leg.target_ordinal.as_ref().map(there),
        device_rows: leg.device_ordinals.iter().map(there).collect(),
        method: leg.method.clone(),
        confidence: leg.confidence,
        clock_offset_ns: leg.clock_offset_nanos,
        clock_error_ns: leg.clock_error_nanos,
    }
}
