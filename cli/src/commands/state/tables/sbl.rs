//! What is shown of the storage bus.

use super::super::Shown;
use super::{Table, size, text};

pub(crate) const SBL_DEVICES: Table = Table {
    name: "sbl_devices",
    kinds: &["sbl_device"],
    columns: &[
        ("node", |row| row.observation.node.to_string()),
        ("reaches", device),
        (">number", |row| text(row, "device_number")),
        ("at", |row| text(row, "connected_node")),
        ("state", |row| text(row, "state")),
        ("type", |row| text(row, "type")),
        (">paths", |row| text(row, "paths")),
        ("active", |row| text(row, "active")),
        ("read-only", |row| text(row, "read_only")),
    ],
    is_of_no_node: false,
    other_age: None,
};

pub(crate) const SBL_PATHS: Table = Table {
    name: "sbl_paths",
    kinds: &["sbl_path"],
    columns: &[
        ("node", |row| row.observation.node.to_string()),
        ("has a path to", device),
        (">path", |row| text(row, "path")),
        ("peer", |row| text(row, "node")),
        ("path state", |row| text(row, "state")),
        ("active", |row| text(row, "active")),
        ("standby", |row| text(row, "standby")),
        ("read-only", |row| text(row, "read_only")),
    ],
    is_of_no_node: false,
    other_age: None,
};

pub(crate) const SBL_TARGETS: Table = Table {
    name: "sbl_targets",
    kinds: &["sbl_target"],
    columns: &[
        ("node", |row| row.observation.node.to_string()),
        ("holds", device),
        (">number", |row| text(row, "device_number")),
        (">path", |row| text(row, "path")),
        ("path type", |row| text(row, "path_type")),
        ("status", |row| text(row, "status")),
        ("cache state", |row| text(row, "cache_state")),
        ("cache mode", |row| text(row, "cache_mode")),
        ("usage", |row| text(row, "usage")),
        ("is cache", |row| text(row, "cache_device")),
        (">errors r/w", |row| {
            format!("{}/{}", text(row, "read_errors"), text(row, "write_errors"))
        }),
    ],
    is_of_no_node: false,
    other_age: None,
};

pub(crate) const SBL_STORES: Table = Table {
    name: "sbl_cache_stores",
    kinds: &["sbl_cache_store"],
    columns: &[
        ("node", |row| row.observation.node.to_string()),
        ("cache store", |row| row.observation.id.clone()),
        ("on drive", |row| text(row, "device_guid")),
        (">path", |row| text(row, "path")),
        ("status", |row| text(row, "status")),
        (">size", |row| size(row, "size_bytes")),
        // In which unit is not documented.
        (">page size", |row| text(row, "page_size")),
    ],
    is_of_no_node: false,
    other_age: None,
};

pub(crate) const SBL_BINDINGS: Table = Table {
    name: "sbl_bindings",
    kinds: &["sbl_binding"],
    columns: &[
        ("node", |row| row.observation.node.to_string()),
        ("binding", |row| row.observation.id.clone()),
        ("of drive", |row| text(row, "device_guid")),
        ("to cache store", |row| text(row, "store_id")),
        ("on drive", |row| text(row, "store_device_guid")),
        (">pages", |row| text(row, "pages")),
        (">dirty", |row| text(row, "dirty_pages")),
        ("flags", |row| {
            row.number("flags")
                .map_or_else(|| "-".to_owned(), |flags| format!("{flags:#x}"))
        }),
    ],
    is_of_no_node: false,
    other_age: None,
};

/// A node's storage bus as a whole, and what its cache does or why it binds nothing.
pub(crate) const SBL_NODES: Table = Table {
    name: "sbl_nodes",
    kinds: &["sbl_node"],
    columns: &[
        ("bus of", |row| row.observation.node.to_string()),
        ("id", |row| row.observation.id.clone()),
        (">disks", |row| text(row, "disks")),
        (">enclosures", |row| text(row, "enclosures")),
        (">scale units", |row| text(row, "scale_units")),
        (">cache", |row| text(row, "cache_devices")),
        (">capacity", |row| text(row, "capacity_devices")),
        ("cache state", |row| text(row, "cache_state")),
        ("mode hdd", |row| text(row, "cache_mode_hdd")),
        ("mode ssd", |row| text(row, "cache_mode_ssd")),
        ("says of its cache", |row| text(row, "cache_said")),
    ],
    is_of_no_node: false,
    other_age: None,
};

pub(crate) const SBL_DISKS: Table = Table {
    name: "sbl_disks",
    kinds: &["sbl_disk"],
    columns: &[
        ("node", |row| row.observation.node.to_string()),
        ("cache counts", |row| row.observation.id.clone()),
        (">number", |row| text(row, "device_number")),
        ("cache state", |row| text(row, "cache_state")),
        ("cache mode", |row| text(row, "cache_mode")),
        ("usage", |row| text(row, "usage")),
        ("wanted", |row| text(row, "desired_usage")),
        ("is cache", |row| text(row, "cache_device")),
        (">errors r/w", |row| {
            format!("{}/{}", text(row, "read_errors"), text(row, "write_errors"))
        }),
    ],
    is_of_no_node: false,
    other_age: None,
};

pub(crate) const DIRTY_REGIONS: Table = Table {
    name: "dirty_regions",
    kinds: &["dirty_regions"],
    columns: &[
        ("node", |row| row.observation.node.to_string()),
        ("dirty regions of", |row| row.observation.id.clone()),
        (">dirty", |row| text(row, "dirty_count")),
        (">limit", |row| text(row, "dirty_count_limit")),
        ("", |row| {
            match (row.number("dirty_count"), row.number("dirty_count_limit")) {
                (Some(dirty), Some(limit)) if dirty > limit => "above the limit (!)".to_owned(),
                _ => String::new(),
            }
        }),
    ],
    is_of_no_node: false,
    other_age: None,
};

/// A drive as the storage bus names it.
fn device(row: &Shown) -> String {
    let own = &row.observation;
    let name = own.text("serial_number").or_else(|| own.text("device_guid"));
    name.unwrap_or(&own.id).to_owned()
}
