//! What was imported, for people.

use std::fmt::Write;
use std::path::Path;

use fathom_lab::etl::Report;
use fathom_lab::import::{Imported, Kind, NodeFrom, RowsWritten, Trace};

use crate::args::ImportArgs;
use crate::commands::import::Joined;

use super::table::{Grid, one_line};
use super::units::{bytes, count, date_time};

/// Faults that are shown; `-o json` has more.
const SHOWN: usize = 6;

/// Everything that was read, and what was not.
pub(crate) fn show(imported: &Imported) -> String {
    let mut text = String::new();
    for trace in &imported.traces {
        text.push_str(&of(trace));
    }
    if imported.traces.len() > 1 {
        let mut grid = Grid::new(&["node", ">events", ">in two traces"]);
        for node in &imported.nodes {
            let events = count(node.events.len() as u64);
            grid.row([node.id.to_string(), events, count(node.duplicates)]);
        }
        text.push_str(&grid.lines(""));
    }
    text
}

/// What was written.
pub(crate) fn written(path: &Path, written: RowsWritten) -> String {
    let nodes = if written.with_nodes { ", each with its node" } else { "" };
    let path = path.display().to_string();
    format!("wrote {} rows to {}{nodes}", count(written.rows), one_line(&path))
}

/// What became of the traces together.
pub(crate) fn joined(arguments: &ImportArgs, joined: &Joined) -> String {
    let mut text = String::new();
    let written = &joined.written;
    for (volume, events) in &written.volumes {
        let _ = writeln!(
            text,
            "volume {}: {} I/Os of its own disk",
            one_line(volume),
            count(*events)
        );
    }
    let _ = writeln!(
        text,
        "{} I/Os of the disks that hold them, {} of other disks",
        count(written.placed),
        count(written.elsewhere)
    );
    for columns in &written.columns {
        let by = if columns.by_hand {
            "as it was named"
        } else {
            "what explains the traffic"
        };
        let _ = writeln!(
            text,
            "volume {}: {} columns; of {} writes, {by}:",
            one_line(&columns.volume),
            columns.columns,
            count(columns.writes)
        );
        for (at, candidate) in columns.candidates.iter().enumerate() {
            let mark = if at == columns.chosen { "used" } else { "    " };
            let _ = writeln!(text, "  {mark} {}", one_line(&candidate.to_string()));
        }
    }
    for warning in &written.warnings {
        let _ = writeln!(text, "odd: {}", one_line(warning));
    }
    for node in &written.missing_nodes {
        let _ = writeln!(text, "partial: node {} holds copies and has no trace", one_line(node));
    }
    if let Some(folder) = &arguments.recording {
        let folder = folder.display().to_string();
        let _ = writeln!(
            text,
            "wrote the recording; join it: fathom replay {}",
            one_line(&folder)
        );
    }
    if let (Some(store), Some(stored)) = (&arguments.store, joined.stored) {
        let store = store.display().to_string();
        let _ = writeln!(
            text,
            "stored {} events of cluster {} in {}; ask a coordinator on it: fathom coordinator --store {}",
            count(stored.events),
            one_line(&arguments.cluster),
            one_line(&store),
            one_line(&store)
        );
        if stored.known_streams > 0 {
            let _ = writeln!(text, "{} traces were in it already", count(stored.known_streams));
        }
    }
    text
}

fn of(trace: &Trace) -> String {
    let mut text = String::new();
    let member = trace.member.as_ref().map(|member| format!(": {member}"));
    let path = format!("{}{}", trace.path.display(), member.unwrap_or_default());
    let from = match trace.node_from {
        NodeFrom::Given => "",
        NodeFrom::Computer => " (the computer's name in it)",
        NodeFrom::FileName => " (by the file's name; --node NAME=PATH gives another)",
    };
    let _ = writeln!(
        text,
        "{}\n  node {}{from}",
        one_line(&path),
        one_line(trace.node.as_str())
    );
    let report = &trace.report;
    if let Kind::Etl { log_file, system } = &trace.kind {
        let (major, minor, build) = log_file.windows;
        let compressed = if log_file.is_compressed() { "compressed " } else { "" };
        let _ = writeln!(
            text,
            "  Windows {major}.{minor}.{build}, {}-bit; {} {compressed}buffers with {} events of all kinds, {}",
            log_file.pointer_bytes.saturating_mul(8),
            count(report.buffers),
            count(report.records),
            bytes(report.bytes)
        );
        for drive in &system.drives {
            let letters: Vec<&str> = system
                .partitions
                .iter()
                .filter(|part| part.disk == drive.disk)
                .map(|part| part.letter.as_str())
                .filter(|letter| !letter.is_empty())
                .collect();
            let letters = if letters.is_empty() {
                String::new()
            } else {
                format!(" ({})", letters.join(" "))
            };
            let line = format!("disk{}: {}{letters}", drive.disk, drive.model);
            let _ = writeln!(text, "  {}", one_line(&line));
        }
    }
    let counts = report.counts;
    let _ = write!(
        text,
        "  {} disk I/Os: {} reads, {} writes, {} flushes",
        count(counts.ios()),
        count(counts.reads),
        count(counts.writes),
        count(counts.flushes)
    );
    if let Some((first, last)) = trace.span {
        let _ = write!(text, "; {} to {}", date_time(first), date_time(last));
    }
    text.push('\n');
    if counts.ios() == 0 && report.undecoded.is_empty() && matches!(trace.kind, Kind::Etl { .. }) {
        text.push_str(
            "  no disk I/O was logged: the session did not have the kernel's DiskIO flag, or nothing happened\n",
        );
    }
    text.push_str(&unseen(report));
    text
}

/// What was not read, and why.
fn unseen(report: &Report) -> String {
    let mut text = String::new();
    if report.events_lost > 0 || report.buffers_lost > 0 {
        let _ = writeln!(
            text,
            "  partial: the session lost {} events and {} buffers; give it more or larger buffers",
            count(report.events_lost),
            count(report.buffers_lost)
        );
    }
    if report.buffers_missing > 0 {
        let _ = writeln!(
            text,
            "  partial: {} buffers that the session wrote are not in the file",
            count(report.buffers_missing)
        );
    }
    for (why, events) in &report.undecoded {
        let word = if why.may_be_io() { "partial" } else { "left out" };
        let line = format!("{word}: {} events not decoded: {why}", count(*events));
        let _ = writeln!(text, "  {}", one_line(&line));
    }
    for fault in report.faults.iter().take(SHOWN) {
        let _ = writeln!(text, "  partial: {}", one_line(&fault.to_string()));
    }
    let more = report.fault_count.saturating_sub(SHOWN as u64);
    if more > 0 {
        let _ = writeln!(
            text,
            "  partial: {} more of the like (-o json has the first hundred)",
            count(more)
        );
    }
    text
}
