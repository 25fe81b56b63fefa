//! Traces that Windows wrote, as events: what `fathom import` does with them.
//!
//! [`read`] opens files (`.etl`, or the CSV of `wpaexporter`; plain, in a zip archive, or packed with gzip, bzip2 or zstd), decodes
//! them with `fathom-etl`, and puts together what belongs to one node. [`write_events`] writes the events as rows of the recording
//! format; with the [`Places`] of the cluster's disks, [`write_recording`] makes a recording that can be joined.

mod columns;
mod events;
mod places;
mod recording;
mod state;
mod unpack;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use fathom_etl::{DiskIo, LogFile, Report, System, in_order, wpa};
use fathom_model::NodeId;

use crate::error::{Error, Result};

pub use columns::{ByHand, Candidate, Columns};
pub use events::{RowsWritten, write_events};
pub use places::Places;
pub use recording::{Written, write_recording};
pub use state::{StateFile, StateImport, is_state, read_state};
pub use unpack::check_archive;

/// A file to import.
#[derive(Clone, Debug)]
pub struct Input {
    /// Where it is.
    pub path: PathBuf,
    /// The node that it was taken on, where somebody says so.
    pub node: Option<String>,
}

/// What files do not say themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// When the traces behind CSV files were started, in nanoseconds since 1970; a CSV has only times since then.
    pub csv_start_unix_nanos: i64,
}

/// Everything that was read.
#[derive(Clone, Debug)]
pub struct Imported {
    /// A trace or table each, in the order of the inputs.
    pub traces: Vec<Trace>,
    /// A node each, by name.
    pub nodes: Vec<Node>,
}

/// What was read of one trace or table.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The file.
    pub path: PathBuf,
    /// Its name in the archive, where the file is one.
    pub member: Option<String>,
    /// The node that it was taken on.
    pub node: NodeId,
    /// What says so.
    pub node_from: NodeFrom,
    /// What kind of file it is.
    pub kind: Kind,
    /// What was read and what was not.
    pub report: Report,
    /// The earliest start and the latest end of its I/Os; `None` where it has none.
    pub span: Option<(i64, i64)>,
}

/// A stretch of time of which a node's events may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The node.
    pub node: NodeId,
    /// From when on, in nanoseconds since 1970 on its clock.
    pub from_unix_nanos: i64,
    /// Until when.
    pub until_unix_nanos: i64,
    /// Whether the file is broken, or its session lost events.
    pub damaged: bool,
    /// How many events, where that is known; of any kind.
    pub events: Option<u64>,
}

impl Trace {
    /// The stretch of time in which events may be missing: that of the whole trace, since neither a session nor a broken file tells when
    /// those were that it lost.
    #[must_use]
    pub fn gap(&self) -> Option<Gap> {
        if !self.report.is_partial() {
            return None;
        }
        let (first, last) = self.span.unzip();
        let (start, end) = match &self.kind {
            Kind::Etl { log_file, .. } => (log_file.start_unix_nanos(), log_file.end_unix_nanos()),
            Kind::Csv => (None, None),
        };
        let from_unix_nanos = start.into_iter().chain(first).min()?;
        let until_unix_nanos = end.into_iter().chain(last).max()?;
        let report = &self.report;
        let only_lost = report.buffers_lost == 0 && report.buffers_missing == 0 && report.fault_count == 0;
        Some(Gap {
            node: self.node.clone(),
            from_unix_nanos,
            until_unix_nanos: until_unix_nanos.saturating_add(1),
            damaged: report.events_lost == 0 && report.buffers_lost == 0,
            events: (only_lost && report.undecoded.is_empty()).then_some(report.events_lost),
        })
    }
}

/// What names the node of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeFrom {
    /// Whoever imports it.
    Given,
    /// The computer's name in the trace.
    Computer,
    /// The file's name.
    FileName,
}

/// What kind of file something was read from.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A trace.
    Etl {
        /// Its header.
        log_file: Box<LogFile>,
        /// The machine, as far as it says.
        system: System,
    },
    /// A table of `wpaexporter`.
    Csv,
}

impl Kind {
    /// The word for it in documents.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Etl { .. } => "etl",
            Self::Csv => "csv",
        }
    }
}

/// The events of a node, from all of its traces.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub id: NodeId,
    /// Its I/Os, in the order of completion.
    pub events: Vec<DiskIo>,
    /// I/Os that two of its traces have; each is in [`Self::events`] once.
    pub duplicates: u64,
}

/// Reads files, each to its end.
///
/// # Errors
///
/// When a file cannot be opened or unpacked, or is neither a trace nor a table. What is wrong within one stands in its report.
pub fn read(inputs: &[Input], options: Options) -> Result<Imported> {
    let mut traces = Vec::new();
    let mut nodes: BTreeMap<NodeId, Vec<Vec<DiskIo>>> = BTreeMap::new();
    for input in inputs {
        unpack::each(&input.path, &mut |begin, member, content| {
            let place = || Place {
                path: &input.path,
                member,
            };
            let failed = |source| Error::Trace {
                place: place().to_string(),
                source,
            };
            let (kind, events, report) = if wpa::is_table(begin) {
                let table = wpa::read(content, options.csv_start_unix_nanos).map_err(failed)?;
                (Kind::Csv, table.events, table.report)
            } else {
                let trace = fathom_etl::read(content).map_err(failed)?;
                let kind = Kind::Etl {
                    log_file: Box::new(trace.log_file),
                    system: trace.system,
                };
                (kind, trace.events, trace.report)
            };
            let (node, node_from) = name(input, member, &kind);
            if node.contains(['/', '\\', '=']) || fathom_model::check_name(&node).is_err() {
                return Err(Error::NodeName {
                    place: place().to_string(),
                    name: node,
                });
            }
            let node = NodeId::new(node);
            let start = events.iter().map(|io| io.start_unix_nanos).min();
            let end = events.iter().map(DiskIo::end_unix_nanos).max();
            traces.push(Trace {
                path: input.path.clone(),
                member: member.map(ToOwned::to_owned),
                node: node.clone(),
                node_from,
                kind,
                report,
                span: start.zip(end),
            });
            nodes.entry(node).or_default().push(events);
            Ok(())
        })?;
    }
    let nodes = nodes.into_iter().map(|(id, parts)| together(id, parts)).collect();
    Ok(Imported { traces, nodes })
}

/// The events of one node's traces. The same I/O in two of them, which covered the same time, stands once: what tells I/Os apart is
/// their request's address at their completion, which no two I/Os of one machine share.
fn together(id: NodeId, mut parts: Vec<Vec<DiskIo>>) -> Node {
    if parts.len() == 1 {
        return Node {
            id,
            events: parts.pop().unwrap_or_default(),
            duplicates: 0,
        };
    }
    let mut seen: HashSet<DiskIo> = HashSet::new();
    let mut events = Vec::with_capacity(parts.iter().map(Vec::len).sum());
    let mut duplicates = 0;
    for part in parts {
        // Within one trace nothing is twice.
        let new = part.into_iter().filter(|io| {
            let is_known = io.irp.is_some() && seen.contains(io);
            duplicates += u64::from(is_known);
            !is_known
        });
        let begin = events.len();
        events.extend(new);
        seen.extend(events[begin..].iter().filter(|io| io.irp.is_some()));
    }
    in_order(&mut events);
    Node { id, events, duplicates }
}

/// A file, or a file in an archive, as messages name it.
struct Place<'a> {
    path: &'a Path,
    member: Option<&'a str>,
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.member {
            Some(member) => write!(f, "{}: {member}", self.path.display()),
            None => write!(f, "{}", self.path.display()),
        }
    }
}

/// The node of a trace: as given, by the computer's name in it, or by the file's.
fn name(input: &Input, member: Option<&str>, kind: &Kind) -> (String, NodeFrom) {
    if let Some(given) = &input.node {
        return (given.clone(), NodeFrom::Given);
    }
    if let Kind::Etl { system, .. } = kind
        && let Some(computer) = &system.computer
    {
        return (computer.clone(), NodeFrom::Computer);
    }
    let file = match member {
        Some(member) => member.rsplit(['/', '\\']).next().unwrap_or(member).to_owned(),
        None => {
            let name = input.path.file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        }
    };
    let mut stem = file.as_str();
    while let Some((front, ending)) = stem.rsplit_once('.') {
        let is_ending = ["etl", "csv", "zip", "gz", "bz2", "zst"]
            .into_iter()
            .any(|known| ending.eq_ignore_ascii_case(known));
        if !is_ending || front.is_empty() {
            break;
        }
        stem = front;
    }
    (stem.to_owned(), NodeFrom::FileName)
}

#[cfg(test)]
mod tests;
