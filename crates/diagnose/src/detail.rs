//! One I/O with its legs, in names and in time since its start.

use std::collections::BTreeMap;

use fathom_model::report::{IoDetail, LegDetail, LegParts, SlowestDetail};
use fathom_model::{Catalog, Io, JoinedRows, Leg, Missing, Observation, Tap};

use crate::decompose::decompose;

/// An I/O of `rows` in full.
#[must_use]
pub fn detail(rows: &JoinedRows, io: &Io, catalog: &Catalog) -> IoDetail {
    let legs = rows.legs_of(io);
    let has_targets = legs.iter().any(|leg| leg.target.is_some());
    let (parts, legs_parts) = decompose(rows, io);
    IoDetail {
        id: io.id(catalog).to_string(),
        node: catalog.node(io.node).to_string(),
        volume: catalog.volume(io.volume).to_string(),
        op: io.op.as_str().to_owned(),
        offset: io.offset,
        length: io.length,
        start_unix_ns: io.event.start_unix_nanos,
        duration_ns: io.event.duration_nanos,
        status: io.event.status,
        class: io.class.as_str().to_owned(),
        legs_expected: io.legs_expected,
        slowest: io.slowest.map(|slowest| {
            let leg = &rows.legs[slowest.leg];
            let disk = catalog.disk(leg.disk);
            SlowestDetail {
                node: disk.node.to_string(),
                disk: disk.name.clone(),
                part: leg.part,
                copy: leg.copy,
                lead_ns: slowest.lead_nanos,
                confidence: three_digits(slowest.confidence),
            }
        }),
        legs: legs
            .iter()
            .zip(legs_parts)
            .map(|(leg, parts)| leg_detail(io, leg, parts, has_targets, catalog))
            .collect(),
        parts,
    }
}

fn leg_detail(io: &Io, leg: &Leg, parts: LegParts, has_targets: bool, catalog: &Catalog) -> LegDetail {
    let since = |seen: Observation, offset: i64| {
        let start = seen
            .start_unix_nanos
            .saturating_sub(offset)
            .saturating_sub(io.event.start_unix_nanos);
        [start, start.saturating_add_unsigned(seen.duration_nanos)]
    };
    let offset = leg.clock.map(|clock| clock.offset_nanos);
    let far = |seen: Option<Observation>| seen.zip(offset).map(|(seen, offset)| since(seen, offset));
    // A node that was not heard is taken to have `target` where others have it, as everywhere: nobody said which taps it has.
    let unheard = leg
        .missing_device
        .filter(|cause| has_targets && matches!(cause, Missing::NoDaemon | Missing::Silent));
    let missing = [
        (Tap::Initiator, leg.missing_initiator),
        (
            Tap::Target,
            leg.missing_target.or_else(|| unheard.filter(|_| leg.target.is_none())),
        ),
        (Tap::Device, leg.missing_device),
    ];
    let disk = catalog.disk(leg.disk);
    LegDetail {
        part: leg.part,
        copy: leg.copy,
        node: disk.node.to_string(),
        disk: disk.name.clone(),
        disk_offset: leg.disk_offset,
        length: leg.length,
        local: leg.local,
        initiator_ns: leg.initiator.map(|seen| since(seen, 0)),
        target_ns: far(leg.target),
        device_ns: far(leg.device),
        missing: missing
            .into_iter()
            .filter_map(|(tap, cause)| Some((tap.as_str().to_owned(), cause?.as_str().to_owned())))
            .collect::<BTreeMap<_, _>>(),
        method: leg.method.as_str().to_owned(),
        confidence: three_digits(leg.confidence),
        ambiguous: leg.ambiguous,
        candidate: leg.candidate,
        clock_offset_ns: offset,
        clock_error_ns: leg.clock.map(|clock| clock.error_nanos),
        initiator_ordinal: leg.initiator.map(|seen| seen.ordinal),
        target_ordinal: leg.target.map(|seen| seen.ordinal),
        device_ordinals: leg
            .device
            .iter()
            .map(|seen| seen.ordinal)
            .chain(leg.more.device.iter().copied())
            .collect(),
        parts,
    }
}

fn three_digits(value: f32) -> f64 {
    (f64::from(value) * 1000.0).round() / 1000.0
}
