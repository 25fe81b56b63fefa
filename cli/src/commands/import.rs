//! `fathom import`: traces that Windows wrote.

use fathom_lab::import::{Imported, Input, NodeFrom, Options, Trace, read, write_events};
use serde_json::{Value, json};

use crate::args::{ImportArgs, Output};
use crate::error::Result;
use crate::exit::Code;
use crate::render::table::many_lines;
use crate::render::{import as text, json};

pub(crate) fn run(arguments: &ImportArgs, output: Output) -> Result<Code> {
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
    let imported = read(&inputs, options)?;
    let rows = match &arguments.events {
        Some(path) => Some((path, write_events(&imported, path)?)),
        None => None,
    };
    match output {
        Output::Json => {
            let events = rows.map(|(path, written)| {
                json!({"path": path.display().to_string(), "rows": written.rows, "with_nodes": written.with_nodes})
            });
            json::print(document(&imported, &events.unwrap_or(Value::Null)))?;
        }
        // It is said about the events and is not them: those may go to standard output.
        Output::Table => {
            eprint!("{}", many_lines(&text::show(&imported)));
            if let Some((path, written)) = rows {
                eprintln!("{}", text::written(path, written));
            }
        }
    }
    let is_partial = imported.traces.iter().any(|trace| trace.report.is_partial());
    Ok(if is_partial { Code::Partial } else { Code::Fine })
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
