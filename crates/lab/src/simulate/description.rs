//! `run.json` of a simulated cluster.

use std::collections::BTreeMap;
use std::fmt::Write;

use fathom_capture::{ClockTruth, Run, RunExtent, RunTopology, RunVolume};
use fathom_simulate::{Clock, FaultMark, NodeEvents, Simulated};
use serde_json::{Value, json};

/// What describes the run: a key a line, and of long lists an entry a line.
pub(super) fn run_json(simulated: &Simulated, about: &str) -> String {
    let names = |nodes: &[fathom_model::NodeId]| nodes.iter().map(ToString::to_string).collect();
    let run = Run {
        name: simulated.config.name.clone(),
        about: Some(about.to_owned()),
        topology: RunTopology {
            initiators: names(&simulated.initiators),
            targets: names(&simulated.targets),
        },
        volumes: volumes(simulated),
        extents: extents(simulated),
        fault: fault(simulated),
        clocks: Some(clocks(simulated)),
        resolution_ns: simulated.config.recording.resolution_nanos,
        counts: Some(counts(&simulated.nodes)),
    };
    // Plain structs of numbers, texts and lists always serialise.
    let mut document = serde_json::to_value(run).unwrap_or(Value::Null);
    if let Value::Object(fields) = &mut document {
        fields.insert("seed".to_owned(), json!(simulated.config.seed));
        fields.insert("duration_s".to_owned(), json!(simulated.duration_nanos as f64 / 1e9));
        fields.insert("simulated".to_owned(), json!(simulated.config));
    }
    lines(&document)
}

fn volumes(simulated: &Simulated) -> Vec<RunVolume> {
    let volumes = simulated.topology.volumes.iter();
    volumes
        .map(|volume| RunVolume {
            name: volume.id.to_string(),
            size: volume.size_bytes,
            copies: volume.copies,
        })
        .collect()
}

fn extents(simulated: &Simulated) -> Vec<RunExtent> {
    let disks: BTreeMap<_, _> = simulated.topology.disks.iter().map(|disk| (&disk.id, disk)).collect();
    let extents = simulated.topology.extents.extents().iter();
    extents
        .filter_map(|extent| {
            let disk = disks.get(&extent.disk)?;
            Some(RunExtent {
                volume: extent.volume.to_string(),
                volume_offset: extent.volume_offset,
                length: extent.length,
                copy: extent.copy,
                node: disk.node.to_string(),
                disk: disk.name.clone(),
                disk_offset: extent.disk_offset,
                valid_from_ns: extent.valid.from_unix_nanos,
                valid_until_ns: extent.valid.until_unix_nanos,
                stripe: extent.stripe,
                parity: extent.parity,
            })
        })
        .collect()
}

fn clocks(simulated: &Simulated) -> BTreeMap<String, ClockTruth> {
    let truth = |clock: &Clock| ClockTruth {
        offset_ns: clock.offset_ns,
        drift_ppm: clock.drift_ppm,
        epoch_ns: clock.epoch_ns,
        drift_change_at_ns: clock.drift_change_at_ns,
        drift_change_ppm: clock.drift_change_ppm,
        extra_offset_ns: 0.0,
        extra_drift_ppm: 0.0,
        step_at_ns: clock.step_at_ns,
        step_ns: clock.step_ns,
    };
    let nodes = simulated.nodes.iter().map(|node| node.id.to_string());
    nodes.zip(simulated.clocks.iter().map(truth)).collect()
}

fn counts(nodes: &[NodeEvents]) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut counts: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for node in nodes.iter().filter(|node| node.observed) {
        let mut of_node: BTreeMap<_, u64> = BTreeMap::new();
        for event in node.rows.iter() {
            *of_node.entry((event.tap, event.op)).or_default() += 1;
        }
        let named = of_node
            .into_iter()
            .map(|((tap, op), rows)| (format!("{tap}.{op}"), rows));
        counts.insert(node.id.to_string(), named.collect());
    }
    counts
}

/// One fault as an object, several as a list, in the shape of the recorded ones: `kind`, `node`, parameters, `marks`.
fn fault(simulated: &Simulated) -> Option<Value> {
    let mut faults: Vec<Value> = simulated.faults.iter().map(|mark| of_mark(simulated, mark)).collect();
    match faults.len() {
        0 => None,
        1 => faults.pop(),
        _ => Some(Value::Array(faults)),
    }
}

fn of_mark(simulated: &Simulated, mark: &FaultMark) -> Value {
    let kind = mark.fault.what.name();
    let moment = |what: &str, nanos: u64, at: fn(&(i64, i64)) -> i64| {
        let shown = simulated.nodes.iter().zip(mark.shown.iter().map(at));
        let local: BTreeMap<String, i64> = shown.map(|(node, shown)| (node.id.to_string(), shown)).collect();
        json!({"what": what, "run_s": nanos as f64 / 1e9, "local_ns": local})
    };
    let node = mark
        .fault
        .what
        .node()
        .map(|node| simulated.nodes[node as usize].id.to_string());
    let parameters = json!(mark.fault.what).get(kind).cloned();
    json!({
        "kind": kind,
        "node": node,
        "parameters": parameters,
        "marks": [
            moment("start", mark.from_nanos, |shown| shown.0),
            moment("end", mark.until_nanos, |shown| shown.1),
        ],
    })
}

/// JSON that a person can look through: a top-level key a line, entries of lists of objects a line each.
fn lines(document: &Value) -> String {
    let Value::Object(fields) = document else {
        return document.to_string();
    };
    let mut text = String::from("{\n");
    for (at, (key, value)) in fields.iter().enumerate() {
        let _ = write!(text, " {}: ", json!(key));
        match value {
            Value::Array(entries) if entries.iter().any(Value::is_object) => {
                let entries: Vec<String> = entries.iter().map(|entry| format!("  {entry}")).collect();
                let _ = write!(text, "[\n{}\n ]", entries.join(",\n"));
            }
            _ => {
                let _ = write!(text, "{value}");
            }
        }
        text.push_str(if at + 1 < fields.len() { ",\n" } else { "\n" });
    }
    text.push_str("}\n");
    text
}
