//! `pending`: legs that ended before their I/O, kept beside a record so that a successor goes on with them.
//!
//! Columns as in `unmatched`, and: `device_index` (u32), `peer` (text, null), `copy_volume` (text, null) and `copy` (u32, null) of
//! an initiator's device, `correlation` (u64, null; not in files of before it was kept), `contested` and `late` (bool).

use bytes::Bytes;
use fathom_model::{Catalog, ClusterId, NodeId, Op, PendingEvent, Tap, VolumeId};

use super::unmatched::read_disks;
use super::{PLAIN, event_columns, read_events, read_streams};
use crate::columns::{Builder, Columns, read};
use crate::error::Result;

/// The events as a Parquet file.
pub(crate) fn write(path: &str, rows: &[PendingEvent]) -> Result<Bytes> {
    let incarnations: Vec<String> = rows.iter().map(|row| row.stream.incarnation.to_string()).collect();
    let events: Vec<_> = rows.iter().map(|row| Some(&row.event)).collect();
    let disks = || rows.iter().map(|row| row.disk.as_ref());
    let mut builder = Builder::default();
    builder.name("node", rows.iter().map(|row| Some(row.stream.node.as_str())), false);
    builder.name(
        "incarnation",
        incarnations.iter().map(|text| Some(text.as_str())),
        false,
    );
    event_columns(&mut builder, "", false, &events);
    builder.name("tap", rows.iter().map(|row| Some(row.tap.as_str())), false);
    builder.u32("device_index", rows.iter().map(|row| Some(row.device)), false);
    builder.name("op", rows.iter().map(|row| Some(row.op.as_str())), false);
    builder.u64("offset", rows.iter().map(|row| Some(row.offset)), false);
    builder.u64("length", rows.iter().map(|row| Some(row.length)), false);
    builder.name("disk", disks().map(|disk| disk.map(|disk| disk.name.as_str())), true);
    builder.name(
        "disk_node",
        disks().map(|disk| disk.map(|disk| disk.node.as_str())),
        true,
    );
    builder.name("disk_id", disks().map(|disk| disk.map(|disk| disk.id.as_str())), true);
    builder.name(
        "peer",
        rows.iter().map(|row| row.peer.as_ref().map(NodeId::as_str)),
        true,
    );
    builder.name(
        "copy_volume",
        rows.iter()
            .map(|row| row.copy.as_ref().map(|(volume, _)| volume.as_str())),
        true,
    );
    builder.u32(
        "copy",
        rows.iter().map(|row| row.copy.as_ref().map(|(_, copy)| *copy)),
        true,
    );
    builder.u64("correlation", rows.iter().map(|row| row.correlation), true);
    builder.bool("contested", rows.iter().map(|row| row.contested));
    builder.bool("late", rows.iter().map(|row| row.late));
    builder.parquet(path)
}

/// The events of a file.
pub(crate) fn load(path: &str, bytes: Bytes, cluster: &ClusterId) -> Result<Vec<PendingEvent>> {
    // Indices of the catalog leave with the names that stand beside them.
    let mut catalog = Catalog::default();
    let mut rows = Vec::new();
    for batch in read(path, bytes)? {
        let columns = Columns::new(path, &batch);
        let streams = read_streams(&columns, "node", "incarnation", cluster, &mut catalog)?;
        let events = columns.all("ordinal", read_events(&columns, &PLAIN, &streams)?)?;
        let taps = columns.all("tap", columns.parsed("tap", |text| text.parse::<Tap>().ok())?)?;
        let devices = columns.all("device_index", columns.u32s("device_index")?)?;
        let ops = columns.all("op", columns.parsed("op", |text| text.parse::<Op>().ok())?)?;
        let offsets = columns.all("offset", columns.u64s("offset")?)?;
        let lengths = columns.all("length", columns.u64s("length")?)?;
        let disks = read_disks(&columns)?;
        let peers = columns.names("peer")?;
        let copy_volumes = columns.names("copy_volume")?;
        let copies = columns.u32s("copy")?;
        let correlations = if columns.has("correlation") {
            columns.u64s("correlation")?
        } else {
            vec![None; columns.rows()]
        };
        let contested = columns.all("contested", columns.bools("contested")?)?;
        let late = columns.all("late", columns.bools("late")?)?;
        for row in 0..columns.rows() {
            rows.push(PendingEvent {
                stream: catalog.stream(events[row].stream).clone(),
                event: events[row],
                tap: taps[row],
                device: devices[row],
                op: ops[row],
                offset: offsets[row],
                length: lengths[row],
                disk: disks[row].clone(),
                peer: peers[row].map(NodeId::new),
                copy: copy_volumes[row].map(VolumeId::new).zip(copies[row]),
                correlation: correlations[row],
                contested: contested[row],
                late: late[row],
            });
        }
    }
    Ok(rows)
}
