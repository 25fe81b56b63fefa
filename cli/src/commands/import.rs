//! `fathom import`: traces that Windows wrote, and what cmdlets and support folders say.

mod state;
mod store;

use std::path::Path;

use fathom_lab::import::{
    Columns, Imported, Input, NodeFrom, Options, Places, Trace, Written, check_archive, read, write_events,
    write_recording,
};
use serde_json::{Value, json};

use crate::args::{ImportArgs, Output};
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::table::many_lines;
use crate::render::{import as text, json};
use crate::scope::tell;

pub(crate) fn run(arguments: &ImportArgs, output: Output) -> Result<Code> {
    let of_state = state::paths(arguments);
    if !of_state.is_empty() {
        return state::run(arguments, &of_state, output);
    }
    if arguments.store.is_some() && arguments.extents.is_empty() {
        // What an archive that is cut off has in it nobody knows: it may be state, which needs none.
        let named = arguments.node.iter().map(|(_, path)| path);
        for path in arguments.paths.iter().chain(named) {
            check_archive(path)?;
        }
        return Err(Error::NoExtents);
    }
    let unnamed = arguments.paths.iter().map(|path| Input {
        path: path.clone(),
        node: None,
    });
    let named = arguments.node.iter().map(|(node, path)| Input {
        path: path.clone(),
        node: Some(node.clone()),
    });
    let inputs: Vec<Input> = unnamed.chain(named).collect();
    let options = Options {
        csv_start_unix_nanos: arguments.csv_start.unwrap_or(0),
    };
    // What is wrong with small files is found before the large ones are read.
    let mut places = Places::read(&arguments.extents, &arguments.disks)?;
    places.arithmetic = arguments.column_arithmetic;
    if let Some(folder) = &arguments.recording {
        fathom_lab::simulate::prepare(folder, arguments.force)?;
    }
    let imported = read(&inputs, options)?;
    let rows = match &arguments.events {
        Some(path) => Some((path, write_events(&imported, path)?)),
        None => None,
    };
    let joined = join(arguments, &imported, &places)?;
    let is_unheard = joined
        .as_ref()
        .is_some_and(|joined| !joined.written.missing_nodes.is_empty());
    match output {
        Output::Json => {
            let events = rows.map(|(path, written)| {
                json!({"path": path.display().to_string(), "rows": written.rows, "with_nodes": written.with_nodes})
            });
            let mut document = document(&imported, &events.unwrap_or(Value::Null));
            document["recording"] = joined
                .as_ref()
                .map_or(Value::Null, |joined| recording(arguments, &joined.written));
            document["store"] = joined
                .as_ref()
                .and_then(|joined| joined.stored)
                .map_or(Value::Null, |stored| {
                    json!({
                        "path": arguments.store.as_ref().map(|store| store.display().to_string()),
                        "cluster": arguments.cluster,
                        "events": stored.events,
                        "known_streams": stored.known_streams,
                    })
                });
            json::print(document)?;
        }
        // It is said about the events and is not them: those may go to standard output.
        Output::Table => {
            eprint!("{}", many_lines(&text::show(&imported)));
            if let Some((path, written)) = rows {
                tell!("{}", text::written(path, written));
            }
            if let Some(joined) = joined {
                eprint!("{}", many_lines(&text::joined(arguments, &joined)));
            }
        }
    }
    let is_partial = imported.traces.iter().any(|trace| trace.report.is_partial());
    Ok(if is_partial || is_unheard {
        Code::Partial
    } else {
        Code::Fine
    })
}

/// What became of the traces of several nodes.
pub(crate) struct Joined {
    pub(crate) written: Written,
    pub(crate) stored: Option<fathom_coordinator::offline::Stored>,
}

/// Writes the recording, where it is asked for or a store wants it, and puts it into the store.
fn join(arguments: &ImportArgs, imported: &Imported, places: &Places) -> Result<Option<Joined>> {
    let joined = |folder: &Path| -> Result<Joined> {
        let written = write_recording(imported, places, &arguments.cluster, folder)?;
        let stored = match &arguments.store {
            Some(store) => {
                let gaps: Vec<_> = imported.traces.iter().filter_map(Trace::gap).collect();
                Some(store::put(folder, &gaps, store)?)
            }
            None => None,
        };
        Ok(Joined { written, stored })
    };
    match (&arguments.recording, &arguments.store) {
        (Some(folder), _) => joined(folder).map(Some),
        (None, Some(_)) => {
            let folder = tempfile::tempdir().map_err(|source| Error::File {
                path: std::env::temp_dir(),
                source,
            })?;
            joined(folder.path()).map(Some)
        }
        (None, None) => Ok(None),
    }
}

fn recording(arguments: &ImportArgs, written: &Written) -> Value {
    let volumes: Vec<Value> = written
        .volumes
        .iter()
        .map(|(volume, events)| json!({"volume": volume, "events": events}))
        .collect();
    json!({
        "path": arguments.recording.as_ref().map(|folder| folder.display().to_string()),
        "volumes": volumes,
        "device_events": written.placed,
        "other_events": written.elsewhere,
        "columns": written.columns.iter().map(columns).collect::<Vec<Value>>(),
        "missing_nodes": written.missing_nodes,
        "warnings": written.warnings,
    })
}

/// How a virtual disk's columns were found to lie, with all that was held against the traffic.
fn columns(columns: &Columns) -> Value {
    let candidates: Vec<Value> = columns
        .candidates
        .iter()
        .map(|candidate| {
            let explained = candidate.explained.as_ref();
            json!({
                "arithmetic": candidate.arithmetic.as_str(),
                "interleave_bytes": candidate.interleave_bytes,
                "places": explained.ok().map(|explained| explained.parts),
                "places_seen": explained.ok().map(|explained| explained.found),
                "writes_whole": explained.ok().map(|explained| explained.whole),
                "impossible": explained.err(),
            })
        })
        .collect();
    json!({
        "volume": columns.volume,
        "columns": columns.columns,
        "chosen": candidates.get(columns.chosen),
        "by": if columns.by_hand { "hand" } else { "traffic" },
        "writes": columns.writes,
        "candidates": candidates,
    })
}

fn document(imported: &Imported, events: &Value) -> Value {
    let nodes: Vec<Value> = imported
        .nodes
        .iter()
        .map(|node| json!({"node": node.id.as_str(), "events": node.events.len(), "duplicates": node.duplicates}))
        .collect();
    let traces: Vec<Value> = imported.traces.iter().map(trace).collect();
    json!({"traces": traces, "nodes": nodes, "events": events})
}

fn trace(trace: &Trace) -> Value {
    use fathom_lab::import::Kind;
    let report = &trace.report;
    let counts = report.counts;
    let undecoded: Vec<Value> = report
        .undecoded
        .iter()
        .map(|(why, events)| json!({"what": why.to_string(), "events": events, "may_be_io": why.may_be_io()}))
        .collect();
    let faults: Vec<Value> = report
        .faults
        .iter()
        .map(|fault| json!({"at": fault.offset, "cause": fault.to_string()}))
        .collect();
    let machine = match &trace.kind {
        Kind::Csv => Value::Null,
        Kind::Etl { log_file, system } => {
            let (major, minor, build) = log_file.windows;
            let disks: Vec<Value> = system
                .drives
                .iter()
                .map(|drive| json!({"disk": drive.disk, "model": drive.model, "partitions": drive.partitions}))
                .collect();
            let partitions: Vec<Value> = system
                .partitions
                .iter()
                .map(|part| {
                    json!({
                        "disk": part.disk,
                        "offset": part.offset,
                        "length": part.length,
                        "letter": part.letter,
                        "file_system": part.file_system,
                    })
                })
                .collect();
            json!({
                "computer": system.computer,
                "windows": format!("{major}.{minor}.{build}"),
                "pointer_bytes": log_file.pointer_bytes,
                "clock": log_file.clock.map(|clock| clock.to_string()),
                "clock_hz": log_file.qpc_frequency,
                "started_unix_ns": log_file.start_unix_nanos(),
                "compressed": log_file.is_compressed(),
                "disks": disks,
                "partitions": partitions,
            })
        }
    };
    json!({
        "path": trace.path.display().to_string(),
        "member": trace.member,
        "format": trace.kind.as_str(),
        "node": trace.node.as_str(),
        "node_from": match trace.node_from {
            NodeFrom::Given => "given",
            NodeFrom::Computer => "computer",
            NodeFrom::FileName => "file_name",
        },
        "machine": machine,
        "reads": counts.reads,
        "writes": counts.writes,
        "flushes": counts.flushes,
        "first_unix_ns": trace.span.map(|(first, _)| first),
        "last_unix_ns": trace.span.map(|(_, last)| last),
        "bytes": report.bytes,
        "buffers": report.buffers,
        "records": report.records,
        "unseen": {
            "events_lost": report.events_lost,
            "buffers_lost": report.buffers_lost,
            "buffers_missing": report.buffers_missing,
            "undecoded": undecoded,
            "faults": faults,
            "fault_count": report.fault_count,
        },
    })
}
