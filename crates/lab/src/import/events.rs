//! Imported events as rows of a recording.

use std::path::Path;

use fathom_capture::{EventRow, EventWriter};
use fathom_etl::DiskIo;
use serde::Serialize;

use super::Imported;
use crate::error::Result;

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowsWritten {
    /// Rows.
    pub rows: u64,
    /// Whether they name their node, since they are of several.
    pub with_nodes: bool,
}

/// A row with its node, where there are several.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    row: EventRow<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
}

/// Writes every I/O as a row of the recording format, compressed where the name ends in `.zst`: layer `device`, device `disk` and its number,
/// in the order of completion. The request's address (IRP) is the row's `correlation`. The events of several nodes go into one file by
/// time, each row with its `node`; times are each node's own.
///
/// A trace does not tell whether an I/O succeeded: `status` is 0 in every row.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write_events(imported: &Imported, path: &Path) -> Result<RowsWritten> {
    let with_nodes = imported.nodes.len() > 1;
    let mut events: Vec<(&DiskIo, &str)> = Vec::new();
    for node in &imported.nodes {
        events.extend(node.events.iter().map(|io| (io, node.id.as_str())));
    }
    if with_nodes {
        // Each node's are in order already, and stay so.
        events.sort_by_key(|(io, _)| io.end_unix_nanos());
    }
    let mut writer = EventWriter::create(path)?;
    let mut name = String::new();
    for (io, node) in &events {
        name.clear();
        disk_name(io.disk, &mut name);
        writer.write(&Row {
            row: row(io, "device", &name),
            node: with_nodes.then_some(node),
        })?;
    }
    writer.finish()?;
    Ok(RowsWritten {
        rows: events.len() as u64,
        with_nodes,
    })
}

/// The name of a disk by its number.
pub(super) fn disk_name(number: u32, name: &mut String) {
    use std::fmt::Write;
    let _ = write!(name, "disk{number}");
}

pub(super) fn row<'a>(io: &DiskIo, layer: &'a str, device: &'a str) -> EventRow<'a> {
    EventRow {
        layer: layer.into(),
        device: device.into(),
        op: io.op.as_str().into(),
        offset: Some(io.offset),
        length: io.length,
        start_ns: io.start_unix_nanos,
        duration_ns: io.duration_nanos,
        status: 0,
        peer: None,
        correlation: io.irp,
    }
}
