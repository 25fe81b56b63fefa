//! Simulated clusters as recordings.

mod description;
pub(crate) mod state;

use std::fs;
use std::path::Path;

use fathom_capture::{EventRow, EventWriter, TruthCopy, TruthSlowest, TruthWrite, write_truth};
use fathom_model::{Device, IoEvent, Op, Tap};
use fathom_simulate::{NodeEvents, Simulated};
use serde::Serialize;

use crate::error::{Error, Result};

/// What was written, in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Nodes of the cluster.
    pub nodes: u64,
    /// Nodes without events.
    pub missing_nodes: u64,
    /// Volumes.
    pub volumes: u64,
    /// Volume writes with their truth.
    pub writes: u64,
    /// Legs of those writes.
    pub legs: u64,
    /// Rows of all nodes.
    pub events: u64,
    /// From the run's start to its end, in nanoseconds.
    pub duration_ns: u64,
    /// Half of the volume writes took at most this, in nanoseconds; null without any.
    pub write_p50_ns: Option<u64>,
    /// 99 of 100 volume writes took at most this, in nanoseconds; null without any.
    pub write_p99_ns: Option<u64>,
}

/// Makes sure that a recording can be written to a folder: it is new or empty, or what is in it may be replaced.
///
/// # Errors
///
/// When the folder has something in it and `force` is not given, or it cannot be read.
pub fn prepare(folder: &Path, force: bool) -> Result<()> {
    let failed = |source| Error::Write {
        path: folder.to_owned(),
        source,
    };
    fs::create_dir_all(folder).map_err(failed)?;
    let mut replaced = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        if !force {
            return Err(Error::NotEmpty {
                directory: folder.to_owned(),
            });
        }
        let path = entry.map_err(failed)?.path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let is_rows = name.ends_with(".jsonl") || name.ends_with(".jsonl.zst");
        let is_ours = ["events-", "truth.", "state."]
            .iter()
            .any(|begin| name.starts_with(begin));
        if name == "run.json" || (is_rows && is_ours) {
            replaced.push(path);
        }
    }
    // run.json first: without it the rest is no recording.
    replaced.sort_by_key(|path| !path.ends_with("run.json"));
    for path in replaced {
        fs::remove_file(&path).map_err(|source| Error::Write { path, source })?;
    }
    Ok(())
}

/// Writes a simulated cluster as a recording; `run.json` comes last, so that a folder with one is whole.
///
/// # Errors
///
/// When a file cannot be written.
pub fn write(simulated: &Simulated, about: &str, folder: &Path) -> Result<Summary> {
    let mut latencies = Vec::new();
    for node in simulated.nodes.iter().filter(|node| node.observed) {
        write_events(node, folder, &mut latencies)?;
    }
    let truth: Vec<TruthWrite> = simulated.truth.iter().map(|write| truth_of(simulated, write)).collect();
    write_truth(&folder.join("truth.jsonl.zst"), &truth)?;
    state::write(simulated, folder)?;
    let path = folder.join("run.json");
    let run = description::run_json(simulated, about);
    fs::write(&path, run).map_err(|source| Error::Write { path, source })?;
    latencies.sort_unstable();
    let percentile =
        |share: f64| latencies.get(((latencies.len() as f64 * share) as usize).min(latencies.len().saturating_sub(1)));
    Ok(Summary {
        nodes: simulated.nodes.len() as u64,
        missing_nodes: simulated.nodes.iter().filter(|node| !node.observed).count() as u64,
        volumes: simulated.topology.volumes.len() as u64,
        writes: truth.len() as u64,
        legs: truth.iter().map(|write| write.copies.len() as u64).sum(),
        events: simulated.nodes.iter().map(|node| node.rows.len() as u64).sum(),
        duration_ns: simulated.duration_nanos,
        write_p50_ns: percentile(0.5).copied(),
        write_p99_ns: percentile(0.99).copied(),
    })
}

fn write_events(node: &NodeEvents, folder: &Path, latencies: &mut Vec<u64>) -> Result<()> {
    let mut writer = EventWriter::create(&folder.join(format!("events-{}.jsonl.zst", node.id)))?;
    for event in node.rows.iter() {
        if event.tap == Tap::Volume && event.op == Op::Write {
            latencies.push(event.duration_nanos);
        }
        writer.write(&row(&event, &node.devices[event.device as usize]))?;
    }
    Ok(writer.finish()?)
}

fn row<'a>(event: &IoEvent, device: &'a Device) -> EventRow<'a> {
    EventRow {
        layer: event.tap.as_str().into(),
        device: device.name.as_str().into(),
        op: event.op.as_str().into(),
        offset: device.has_offsets.then_some(event.offset),
        length: event.length,
        start_ns: event.start_unix_nanos,
        duration_ns: event.duration_nanos,
        status: event.status,
        peer: device.peer.as_ref().map(|peer| peer.as_str().into()),
        correlation: event.correlation,
    }
}

fn truth_of(simulated: &Simulated, write: &fathom_simulate::TruthWrite) -> TruthWrite {
    let name = |node: u32| simulated.nodes[node as usize].id.to_string();
    TruthWrite {
        write: write.row,
        node: name(write.node),
        copies: write
            .copies
            .iter()
            .map(|copy| TruthCopy {
                copy: copy.copy,
                node: name(copy.node),
                initiator_rows: copy.initiator_rows.to_vec(),
                target_rows: copy.target_rows.to_vec(),
                device_rows: copy.device_rows.to_vec(),
            })
            .collect(),
        slowest: write.slowest.map(|slowest| TruthSlowest {
            node: name(slowest.node),
            copy: slowest.copy,
            lead_ns: slowest.lead_nanos,
        }),
    }
}

#[cfg(test)]
mod tests;
