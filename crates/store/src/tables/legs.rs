//! `legs`: one row a leg, in the order of the I/Os and of their legs.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | io_node, io_incarnation, io_ordinal | text, text, u64 | the I/O's key |
//! | io_end | timestamp | its completion on the initiator's clock |
//! | volume, op | text | of the I/O |
//! | part, copy | u32 | which part of the I/O, which copy |
//! | node, disk, disk_id, disk_offset, length, local | text, text, text, u64, u64, bool | where the copy lies |
//! | initiator_ordinal, _start, _duration_nanos, _status | null | as the initiator saw it; same stream as the I/O |
//! | far_incarnation | text, null | the stream of target and device events, on `node` |
//! | target_ordinal, … ; device_ordinal, … | null | as the far side saw it, on its own clock |
//! | cache | text, null | the id of the drive that the device event is of, where a cache took the request in the disk's place |
//! | merged | text, null | of a request that the drive made of several legs': `first` where its ordinal counts, else `further` |
//! | further_initiator, further_target, further_device | text, null | ordinals of failed attempts, of what they made at the target, of further pieces and what attempts made at the drive; `3,4` |
//! | missing_initiator, missing_target, missing_device | text, null | why an observation is not there |
//! | method, confidence, ambiguous | text, f32, bool | how it was joined and how sure that is |
//! | candidate | bool | whether the I/O may have waited for it |
//! | clock_offset_nanos, clock_error_nanos | i64, u64, null | the copy node's clock minus the initiator's, and its bound |

use bytes::Bytes;
use fathom_model::fan_out::{Further, MoreOrdinals};
use fathom_model::{
    Catalog, ClockStatement, ClusterId, DiskIndex, Io, JoinedRows, Leg, LegMethod, Merged, Missing, NodeId,
    PhysicalDisk, PhysicalDiskId,
};

use super::{EventNames, Incarnations, event_columns, read_events, read_streams};
use crate::columns::{Builder, Columns, Values, read};
use crate::error::Result;

const INITIATOR: EventNames = EventNames {
    ordinal: "initiator_ordinal",
    start: "initiator_start",
    duration: "initiator_duration_nanos",
    status: "initiator_status",
};
const TARGET: EventNames = EventNames {
    ordinal: "target_ordinal",
    start: "target_start",
    duration: "target_duration_nanos",
    status: "target_status",
};
const DEVICE: EventNames = EventNames {
    ordinal: "device_ordinal",
    start: "device_start",
    duration: "device_duration_nanos",
    status: "device_status",
};

/// The legs of some I/Os as a Parquet file.
pub(crate) fn write(path: &str, ios: &[&Io], rows: &JoinedRows, catalog: &Catalog) -> Result<Bytes> {
    let incarnations = Incarnations::new(catalog);
    let legs: Vec<(&Io, &Leg)> = ios
        .iter()
        .flat_map(|io| rows.legs_of(io).iter().map(move |leg| (*io, leg)))
        .collect();
    let of_io = || legs.iter().map(|(io, _)| *io);
    let of_leg = || legs.iter().map(|(_, leg)| *leg);
    let disk = |leg: &Leg| catalog.disk(leg.disk);
    let mut builder = Builder::default();
    builder.name("io_node", of_io().map(|io| Some(catalog.node(io.node).as_str())), false);
    builder.name(
        "io_incarnation",
        of_io().map(|io| Some(incarnations.of(io.event.stream))),
        false,
    );
    builder.u64("io_ordinal", of_io().map(|io| Some(io.event.ordinal)), false);
    builder.time("io_end", of_io().map(|io| Some(io.event.end_unix_nanos())), false);
    builder.name(
        "volume",
        of_io().map(|io| Some(catalog.volume(io.volume).as_str())),
        false,
    );
    builder.name("op", of_io().map(|io| Some(io.op.as_str())), false);
    builder.u32("part", of_leg().map(|leg| Some(leg.part)), false);
    builder.u32("copy", of_leg().map(|leg| Some(leg.copy)), false);
    builder.name("node", of_leg().map(|leg| Some(disk(leg).node.as_str())), false);
    builder.name("disk", of_leg().map(|leg| Some(disk(leg).name.as_str())), false);
    builder.name("disk_id", of_leg().map(|leg| Some(disk(leg).id.as_str())), false);
    builder.u64("disk_offset", of_leg().map(|leg| Some(leg.disk_offset)), false);
    builder.u64("length", of_leg().map(|leg| Some(leg.length)), false);
    builder.bool("local", of_leg().map(|leg| leg.local));
    let events: Vec<_> = of_leg().map(|leg| leg.initiator.as_ref()).collect();
    event_columns(&mut builder, "initiator_", true, &events);
    let far = |leg: &Leg| leg.service().map(|seen| incarnations.of(seen.stream));
    builder.name("far_incarnation", of_leg().map(far), true);
    let events: Vec<_> = of_leg().map(|leg| leg.target.as_ref()).collect();
    event_columns(&mut builder, "target_", true, &events);
    let events: Vec<_> = of_leg().map(|leg| leg.device.as_ref()).collect();
    event_columns(&mut builder, "device_", true, &events);
    let cache = |leg: &Leg| leg.cache.map(|drive| catalog.disk(drive).id.as_str());
    builder.name("cache", of_leg().map(cache), true);
    let merged = |leg: &Leg| leg.merged.map(Merged::as_str);
    builder.name("merged", of_leg().map(merged), true);
    builder.text("further_initiator", of_leg().map(|leg| ordinals(&leg.more.initiator)));
    builder.text("further_target", of_leg().map(|leg| ordinals(&leg.more.target)));
    builder.text("further_device", of_leg().map(|leg| ordinals(&leg.more.device)));
    let missing = |cause: Option<Missing>| cause.map(Missing::as_str);
    builder.name(
        "missing_initiator",
        of_leg().map(|leg| missing(leg.missing_initiator)),
        true,
    );
    builder.name("missing_target", of_leg().map(|leg| missing(leg.missing_target)), true);
    builder.name("missing_device", of_leg().map(|leg| missing(leg.missing_device)), true);
    builder.name("method", of_leg().map(|leg| Some(leg.method.as_str())), false);
    builder.f32("confidence", of_leg().map(|leg| Some(leg.confidence)), false);
    builder.bool("ambiguous", of_leg().map(|leg| leg.ambiguous));
    builder.bool("candidate", of_leg().map(|leg| leg.candidate));
    builder.i64(
        "clock_offset_nanos",
        of_leg().map(|leg| leg.clock.map(|clock| clock.offset_nanos)),
        true,
    );
    builder.u64(
        "clock_error_nanos",
        of_leg().map(|leg| leg.clock.map(|clock| clock.error_nanos)),
        true,
    );
    builder.parquet(path)
}

/// The legs of a file.
pub(crate) fn load(path: &str, bytes: Bytes, cluster: &ClusterId, catalog: &mut Catalog) -> Result<Vec<Leg>> {
    let mut legs = Vec::new();
    for batch in read(path, bytes)? {
        load_batch(&Columns::new(path, &batch), cluster, catalog, &mut legs)?;
    }
    Ok(legs)
}

fn load_batch(columns: &Columns<'_>, cluster: &ClusterId, catalog: &mut Catalog, legs: &mut Vec<Leg>) -> Result<()> {
    let own = read_streams(columns, "io_node", "io_incarnation", cluster, catalog)?;
    let far = read_streams(columns, "node", "far_incarnation", cluster, catalog)?;
    let initiators = read_events(columns, &INITIATOR, &own)?;
    let targets = read_events(columns, &TARGET, &far)?;
    let devices = read_events(columns, &DEVICE, &far)?;
    let parts = columns.all("part", columns.u32s("part")?)?;
    let copies = columns.all("copy", columns.u32s("copy")?)?;
    let nodes = columns.all("node", columns.names("node")?)?;
    let disks = columns.all("disk", columns.names("disk")?)?;
    let disk_ids = columns.all("disk_id", columns.names("disk_id")?)?;
    let offsets = columns.all("disk_offset", columns.u64s("disk_offset")?)?;
    let lengths = columns.all("length", columns.u64s("length")?)?;
    let local = columns.all("local", columns.bools("local")?)?;
    // Files of before there were such columns do not have them.
    let caches = columns.since("cache", |name| columns.names(name))?;
    let merged = |text: &str| Merged::ALL.into_iter().find(|merged| merged.as_str() == text);
    let merged = columns.since("merged", |name| columns.parsed(name, merged))?;
    let further_initiator = further(columns, "further_initiator")?;
    let further_target = columns.since("further_target", |name| further_or_none(columns, name))?;
    let further_device = further(columns, "further_device")?;
    let missing_initiator = missing(columns, "missing_initiator")?;
    let missing_target = missing(columns, "missing_target")?;
    let missing_device = missing(columns, "missing_device")?;
    let method = |text: &str| LegMethod::ALL.into_iter().find(|method| method.as_str() == text);
    let methods = columns.all("method", columns.parsed("method", method)?)?;
    let confidences = columns.all("confidence", columns.f32s("confidence")?)?;
    let ambiguous = columns.all("ambiguous", columns.bools("ambiguous")?)?;
    let candidates = columns.all("candidate", columns.bools("candidate")?)?;
    let clock_offsets = columns.i64s("clock_offset_nanos")?;
    let clock_errors = columns.u64s("clock_error_nanos")?;
    for row in 0..columns.rows() {
        let clock = clock_offsets[row].zip(clock_errors[row]);
        legs.push(Leg {
            part: parts[row],
            copy: copies[row],
            node: catalog.intern_node(&NodeId::new(nodes[row])),
            disk: catalog.intern_disk(&PhysicalDisk {
                id: PhysicalDiskId::new(disk_ids[row]),
                node: NodeId::new(nodes[row]),
                name: disks[row].to_owned(),
            }),
            disk_offset: offsets[row],
            length: lengths[row],
            local: local[row],
            initiator: initiators[row],
            target: targets[row],
            device: devices[row],
            cache: caches[row].map(|id| cache_drive(catalog, id, nodes[row])),
            merged: merged[row],
            more: MoreOrdinals::from(Further {
                initiator: further_initiator[row].clone(),
                target: further_target[row].clone().unwrap_or_default(),
                device: further_device[row].clone(),
            }),
            missing_initiator: missing_initiator[row],
            missing_target: missing_target[row],
            missing_device: missing_device[row],
            method: methods[row],
            confidence: confidences[row],
            ambiguous: ambiguous[row],
            candidate: candidates[row],
            clock: clock.map(|(offset_nanos, error_nanos)| ClockStatement {
                offset_nanos,
                error_nanos,
            }),
        });
    }
    Ok(())
}

/// A drive by its identity; one that nothing else names is called by that.
fn cache_drive(catalog: &mut Catalog, id: &str, node: &str) -> DiskIndex {
    let known = (0..)
        .map(DiskIndex)
        .zip(catalog.disks())
        .find(|(_, disk)| disk.id.as_str() == id);
    let known = known.map(|(at, _)| at);
    known.unwrap_or_else(|| {
        catalog.intern_disk(&PhysicalDisk {
            id: PhysicalDiskId::new(id),
            node: NodeId::new(node),
            name: id.to_owned(),
        })
    })
}

fn ordinals(ordinals: &[u64]) -> Option<String> {
    let texts: Vec<String> = ordinals.iter().map(u64::to_string).collect();
    (!texts.is_empty()).then(|| texts.join(","))
}

fn further(columns: &Columns<'_>, name: &'static str) -> Result<Vec<Vec<u64>>> {
    let parsed = further_or_none(columns, name)?;
    Ok(parsed.into_iter().map(Option::unwrap_or_default).collect())
}

fn further_or_none(columns: &Columns<'_>, name: &'static str) -> Result<Values<Vec<u64>>> {
    let parse = |text: &str| {
        text.split(',')
            .map(|one| one.parse().ok())
            .collect::<Option<Vec<u64>>>()
    };
    columns.parsed(name, parse)
}

fn missing(columns: &Columns<'_>, name: &'static str) -> Result<Values<Missing>> {
    columns.parsed(name, |text| {
        Missing::ALL.into_iter().find(|cause| cause.as_str() == text)
    })
}
