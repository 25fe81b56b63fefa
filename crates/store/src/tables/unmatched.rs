//! `unmatched`: one row an event that no I/O has.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | node, incarnation, ordinal | text, text, u64 | the event |
//! | start, duration_nanos, status | timestamp, u64, u32 | on its node's clock |
//! | tap, device, op, offset, length | text, text, text, u64, u64 | what was seen |
//! | disk, disk_node, disk_id | text, null | the disk, where the device is one or leads to one |
//! | cause | text | why no I/O has it |

use bytes::Bytes;
use fathom_model::{Catalog, ClusterId, NodeId, Op, PhysicalDisk, PhysicalDiskId, Tap, Unmatched, UnmatchedCause};

use super::{Incarnations, PLAIN, event_columns, read_events, read_streams};
use crate::columns::{Builder, Columns, Values, read};
use crate::error::Result;

/// The events as a Parquet file.
pub(crate) fn write(path: &str, rows: &[&Unmatched], catalog: &Catalog) -> Result<Bytes> {
    let incarnations = Incarnations::new(catalog);
    let events: Vec<_> = rows.iter().map(|row| Some(&row.event)).collect();
    let disks = || rows.iter().map(|row| row.disk.map(|disk| catalog.disk(disk)));
    let mut builder = Builder::default();
    builder.name(
        "node",
        rows.iter().map(|row| Some(catalog.node(row.node).as_str())),
        false,
    );
    builder.name(
        "incarnation",
        rows.iter().map(|row| Some(incarnations.of(row.event.stream))),
        false,
    );
    event_columns(&mut builder, "", false, &events);
    builder.name("tap", rows.iter().map(|row| Some(row.tap.as_str())), false);
    builder.name("device", rows.iter().map(|row| Some(row.device.as_str())), false);
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
    builder.name("cause", rows.iter().map(|row| Some(row.cause.as_str())), false);
    builder.parquet(path)
}

/// The events of a file.
pub(crate) fn load(path: &str, bytes: Bytes, cluster: &ClusterId, catalog: &mut Catalog) -> Result<Vec<Unmatched>> {
    let mut rows = Vec::new();
    for batch in read(path, bytes)? {
        let columns = Columns::new(path, &batch);
        let streams = read_streams(&columns, "node", "incarnation", cluster, catalog)?;
        let events = columns.all("ordinal", read_events(&columns, &PLAIN, &streams)?)?;
        let nodes = columns.all("node", columns.names("node")?)?;
        let taps = columns.all("tap", columns.parsed("tap", |text| text.parse::<Tap>().ok())?)?;
        let devices = columns.all("device", columns.names("device")?)?;
        let ops = columns.all("op", columns.parsed("op", |text| text.parse::<Op>().ok())?)?;
        let offsets = columns.all("offset", columns.u64s("offset")?)?;
        let lengths = columns.all("length", columns.u64s("length")?)?;
        let disks = read_disks(&columns)?;
        let cause = |text: &str| UnmatchedCause::ALL.into_iter().find(|cause| cause.as_str() == text);
        let causes = columns.all("cause", columns.parsed("cause", cause)?)?;
        for row in 0..columns.rows() {
            rows.push(Unmatched {
                event: events[row],
                tap: taps[row],
                node: catalog.intern_node(&NodeId::new(nodes[row])),
                disk: disks[row].as_ref().map(|disk| catalog.intern_disk(disk)),
                device: devices[row].to_owned(),
                op: ops[row],
                offset: offsets[row],
                length: lengths[row],
                cause: causes[row],
            });
        }
    }
    Ok(rows)
}

/// Reads the three columns of a disk that may be null.
pub(super) fn read_disks(columns: &Columns<'_>) -> Result<Values<PhysicalDisk>> {
    let names = columns.names("disk")?;
    let nodes = columns.names("disk_node")?;
    let ids = columns.names("disk_id")?;
    let disk = |row: usize| {
        Some(PhysicalDisk {
            id: PhysicalDiskId::new(ids[row]?),
            node: NodeId::new(nodes[row]?),
            name: names[row]?.to_owned(),
        })
    };
    Ok((0..columns.rows()).map(disk).collect())
}
