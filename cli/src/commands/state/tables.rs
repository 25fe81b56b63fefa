//! What the plain lists show: a column is a name and how it is made of a resource.

use fathom_model::state::Value;

use super::{Shown, span};
use crate::render::units::{bytes, count, date_time};

mod sbl;

pub(super) use sbl::{
    DIRTY_REGIONS, SBL_BINDINGS, SBL_DEVICES, SBL_DISKS, SBL_NODES, SBL_PATHS, SBL_STORES, SBL_TARGETS,
};

/// A column: its name, and what it shows of a resource.
type Column = (&'static str, fn(&Shown) -> String);

/// A list.
pub(crate) struct Table {
    /// The command, and the list's key in JSON.
    pub(crate) name: &'static str,
    /// Kinds of resources.
    pub(crate) kinds: &'static [&'static str],
    /// The columns; one whose name begins with `>` is of numbers.
    pub(crate) columns: &'static [Column],
    /// What it lists is on no one node: asked for a node it is not asked for by that.
    pub(crate) is_of_no_node: bool,
    /// A column with the age of what is put beside, where that is read at times of its own, and what says when it was.
    pub(crate) other_age: Option<(&'static str, &'static str)>,
}

impl Table {
    /// Whether a resource is one of those that it lists.
    pub(crate) fn has(&self, row: &Shown) -> bool {
        self.kinds.contains(&row.observation.kind.as_str())
    }
}

pub(crate) const DISKS: Table = Table {
    name: "disks",
    kinds: &["disk"],
    columns: &[
        ("disk", |row| text(row, "name")),
        ("serial", |row| text(row, "serial_number")),
        ("on", |row| text(row, "connected_node")),
        ("media", |row| text(row, "media")),
        ("bus", |row| text(row, "bus")),
        ("firmware", |row| text(row, "firmware")),
        (">slot", |row| text(row, "slot")),
        ("usage", |row| text(row, "usage")),
        (">size", |row| size(row, "size_bytes")),
        ("health", |row| text(row, "health")),
        ("status", |row| text(row, "operational_status")),
        (">temp", |row| with(row, "temperature_celsius", "\u{b0}C")),
        (">wear", |row| with(row, "wear_percent", "%")),
        (">spare", |row| with(row, "nvme_available_spare_percent", "%")),
        ("warns of", |row| none_or(row, "nvme_critical_warnings")),
        (">errors r/w", |row| both(row, ["read_errors", "write_errors"])),
        (">max ms r/w", |row| {
            both(row, ["read_latency_max_ms", "write_latency_max_ms"])
        }),
    ],
    is_of_no_node: false,
    other_age: Some((">of wear and errors", "reliability_seen_unix_ns")),
};

/// Drives as a report of a node or a validation has them, of a cluster whose disks nobody listed.
pub(crate) const DISK_VIEWS: Table = Table {
    name: "disk_views",
    kinds: &["disk_view"],
    columns: &[
        ("drive as a node sees it", |row| row.observation.id.clone()),
        ("node", |row| text(row, "node")),
        ("model", |row| text(row, "name")),
        ("serial", |row| text(row, "serial_number")),
        ("media", |row| text(row, "media")),
        ("bus", |row| text(row, "bus")),
        ("firmware", |row| text(row, "firmware")),
        ("usage", |row| text(row, "usage")),
        (">size", |row| size(row, "size_bytes")),
        ("health", |row| text(row, "health")),
        ("status", |row| text(row, "operational_status")),
        ("connected", |row| text(row, "connected")),
        ("periods with slow requests", |row| text(row, "sample_periods")),
    ],
    is_of_no_node: false,
    other_age: None,
};

pub(crate) const FIRMWARE: Table = Table {
    name: "firmware",
    kinds: &["firmware"],
    columns: &[
        ("drives of", |row| row.observation.id.clone()),
        ("manufacturer", |row| text(row, "manufacturer")),
        ("model", |row| text(row, "name")),
        ("firmware", |row| text(row, "firmware")),
        ("media", |row| text(row, "media")),
        ("usage", |row| text(row, "usage")),
        (">drives", |row| text(row, "drives")),
    ],
    is_of_no_node: true,
    other_age: None,
};

/// Counters that no disk is known of: of a file that names none.
pub(crate) const COUNTERS_ALONE: Table = Table {
    name: "disk_reliability",
    kinds: &["disk_reliability"],
    columns: &[
        ("counters of no known drive", |row| row.observation.id.clone()),
        ("read by", |row| row.observation.node.to_string()),
        (">temp", |row| with(row, "temperature_celsius", "\u{b0}C")),
        (">wear", |row| with(row, "wear_percent", "%")),
        (">on", |row| with(row, "power_on_hours", "h")),
        (">errors r/w", |row| both(row, ["read_errors", "write_errors"])),
        (">max ms r/w", |row| {
            both(row, ["read_latency_max_ms", "write_latency_max_ms"])
        }),
    ],
    is_of_no_node: false,
    other_age: None,
};

pub(crate) const JOBS: Table = Table {
    name: "jobs",
    kinds: &["storage_job"],
    columns: &[
        ("job", |row| text(row, "name")),
        ("kind", |row| text(row, "job_kind")),
        ("volume", |row| {
            let several = if row.get("volume").is_some() {
                "volume"
            } else {
                "volumes"
            };
            some(row, several)
        }),
        ("state", |row| text(row, "state")),
        (">done", |row| with(row, "percent_complete", "%")),
        (">processed", |row| size(row, "processed_bytes")),
        (">total", |row| size(row, "total_bytes")),
        (">left", |row| size(row, "left_bytes")),
        (">rate", |row| match row.get("bytes_per_s") {
            Some(Value::Real(rate)) => format!("{}/s", bytes(*rate as u64)),
            _ => "-".to_owned(),
        }),
        (">to go", |row| match row.get("left_s") {
            Some(Value::Real(seconds)) if *seconds < 1e9 => span((*seconds * 1e9) as u64),
            _ => "-".to_owned(),
        }),
        (">running", |row| {
            row.number("elapsed_ns").map_or_else(|| "-".to_owned(), span)
        }),
        (">restarts", |row| text(row, "restarts")),
        ("background", |row| text(row, "background")),
        ("disks", |row| some(row, "disks")),
    ],
    is_of_no_node: false,
    other_age: None,
};

pub(crate) const POOLS: Table = Table {
    name: "pools",
    kinds: &["pool"],
    columns: &[
        ("pool", |row| text(row, "name")),
        ("health", |row| text(row, "health")),
        ("status", |row| text(row, "operational_status")),
        (">size", |row| size(row, "size_bytes")),
        (">allocated", |row| size(row, "allocated_bytes")),
        ("media", |row| {
            let mixed = row.get("mixed_media").and_then(Value::as_bool) == Some(true);
            format!("{}{}", text(row, "media"), if mixed { " (mixed)" } else { "" })
        }),
        ("read-only", |row| text(row, "read_only")),
        ("why", |row| text(row, "read_only_reason")),
        ("repair", |row| text(row, "repair_policy")),
    ],
    is_of_no_node: false,
    other_age: None,
};

pub(crate) const VIRTUAL_DISKS: Table = Table {
    name: "virtual_disks",
    kinds: &["virtual_disk"],
    columns: &[
        ("virtual disk", |row| text(row, "name")),
        ("health", |row| text(row, "health")),
        ("status", |row| text(row, "operational_status")),
        ("resiliency", |row| text(row, "resiliency")),
        (">copies", |row| text(row, "copies")),
        (">columns", |row| text(row, "columns")),
        (">interleave", |row| size(row, "interleave_bytes")),
        (">size", |row| size(row, "size_bytes")),
        (">footprint", |row| size(row, "footprint_bytes")),
        ("detached", |row| text(row, "detached_reason")),
    ],
    is_of_no_node: true,
    other_age: None,
};

pub(crate) const CSVS: Table = Table {
    name: "csvs",
    kinds: &["csv"],
    columns: &[
        ("cluster volume", |row| text(row, "name")),
        ("owner", |row| text(row, "owner")),
        ("seen by", |row| text(row, "node")),
        ("access", |row| match row.get("fault_state") {
            // What the cluster itself says of a volume; how each node reaches it a cmdlet alone gives.
            Some(fault) => format!("{}, {fault}", text(row, "state")),
            None => text(row, "state"),
        }),
        ("redirected, file system", |row| {
            text(row, "file_system_redirected_reason")
        }),
        ("redirected, block", |row| text(row, "block_redirected_reason")),
    ],
    is_of_no_node: false,
    other_age: None,
};

pub(crate) const FILE_SYSTEMS: Table = Table {
    name: "file_systems",
    kinds: &["file_system"],
    columns: &[
        ("file system", |row| text(row, "name")),
        ("of", |row| text(row, "file_system")),
        ("path", |row| text(row, "path")),
        ("health", |row| text(row, "health")),
        ("status", |row| text(row, "operational_status")),
        (">size", |row| size(row, "size_bytes")),
        (">free", |row| size(row, "free_bytes")),
        (">cluster", |row| size(row, "cluster_bytes")),
        ("checksums of data", integrity),
    ],
    is_of_no_node: false,
    other_age: None,
};

pub(crate) const BITLOCKER: Table = Table {
    name: "bitlocker",
    kinds: &["bitlocker"],
    columns: &[
        ("encryption of", |row| text(row, "volume")),
        ("cluster volume", |row| text(row, "shared_volume")),
        ("on", |row| row.observation.node.to_string()),
        ("protection", |row| text(row, "protection")),
        ("conversion", |row| text(row, "conversion")),
        ("method", |row| text(row, "method")),
    ],
    is_of_no_node: false,
    other_age: None,
};

pub(crate) const HEALTH_FAULTS: Table = Table {
    name: "health_faults",
    kinds: &["health_fault"],
    columns: &[
        ("the Health Service says", |row| text(row, "type")),
        ("severity", |row| text(row, "severity")),
        ("of", |row| text(row, "object")),
        ("where", |row| text(row, "location")),
        ("why", |row| text(row, "reason")),
        ("what to do", |row| text(row, "recommended")),
    ],
    is_of_no_node: true,
    other_age: None,
};

pub(crate) const NODES: Table = Table {
    name: "cluster_nodes",
    kinds: &["node"],
    columns: &[
        ("node", |row| row.observation.id.clone()),
        ("cluster says", |row| text(row, "state")),
        ("drain", |row| text(row, "drain")),
        ("status", |row| text(row, "status")),
        ("build", |row| text(row, "build")),
    ],
    is_of_no_node: false,
    other_age: None,
};

pub(crate) const SOURCES: Table = Table {
    name: "sources",
    kinds: &["source"],
    columns: &[
        ("node", |row| row.observation.node.to_string()),
        ("kind", |row| text(row, "kind")),
        ("class", |row| text(row, "class")),
        ("available", |row| text(row, "available")),
        (">instances", |row| text(row, "instances")),
        (">every", |row| with(row, "every_s", "s")),
        ("why not", |row| text(row, "reason")),
        ("note", |row| text(row, "note")),
    ],
    is_of_no_node: false,
    other_age: None,
};

pub(crate) const SMB_EVENTS: Table = Table {
    name: "smb_events",
    kinds: &["smb_event"],
    columns: &[
        ("last", |row| date_time(row.observation.observed_unix_nanos)),
        ("client", |row| row.observation.node.to_string()),
        ("server", |row| text(row, "server")),
        ("what", |row| text(row, "event")),
        ("over", |row| text(row, "connection_type")),
        ("reason", |row| text(row, "reason")),
        ("status", |row| text(row, "status")),
        (">took", |row| with(row, "elapsed_ms", "ms")),
    ],
    is_of_no_node: false,
    other_age: None,
};

pub(crate) const EXTENTS: Table = Table {
    name: "extents",
    kinds: &["extent"],
    columns: &[
        (">offset", |row| {
            row.number("virtual_disk_offset").map_or_else(|| "-".to_owned(), count)
        }),
        (">size", |row| size(row, "size_bytes")),
        (">copy", |row| text(row, "copy")),
        (">column", |row| text(row, "column")),
        ("disk", |row| text(row, "disk_id")),
        (">disk offset", |row| {
            row.number("disk_offset").map_or_else(|| "-".to_owned(), count)
        }),
        ("status", |row| text(row, "operational_status")),
    ],
    is_of_no_node: false,
    other_age: None,
};

/// A value, or a dash where it is not known: why not is in JSON.
pub(super) fn text(row: &Shown, name: &str) -> String {
    row.get(name).map_or_else(|| "-".to_owned(), ToString::to_string)
}

/// Of reads and of writes.
fn both(row: &Shown, [read, write]: [&str; 2]) -> String {
    format!("{}/{}", text(row, read), text(row, write))
}

/// The same of a list that may be empty.
fn none_or(row: &Shown, name: &str) -> String {
    match row.get(name) {
        Some(list) if list.items().is_empty() => "nothing".to_owned(),
        _ => text(row, name),
    }
}

/// Whether new files get them, and how many of those that were asked have them.
fn integrity(row: &Shown) -> String {
    let new = text(row, "integrity_of_new_files");
    match (row.number("integrity_files_on"), row.number("integrity_files")) {
        (Some(on), Some(all)) => format!("new files: {new}; {on} of {all} files"),
        _ => new,
    }
}

/// Several values, of many the first.
fn some(row: &Shown, name: &str) -> String {
    const MOST: usize = 3;
    let Some(value) = row.get(name) else {
        return "-".to_owned();
    };
    let items: Vec<String> = value.items().iter().map(ToString::to_string).collect();
    match items.len().saturating_sub(MOST) {
        0 => items.join(", "),
        more => format!("{} and {more} more", items[..MOST].join(", ")),
    }
}

fn size(row: &Shown, name: &str) -> String {
    row.number(name).map_or_else(|| "-".to_owned(), bytes)
}

fn with(row: &Shown, name: &str, unit: &str) -> String {
    row.number(name)
        .map_or_else(|| "-".to_owned(), |value| format!("{value} {unit}"))
}
