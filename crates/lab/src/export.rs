//! Fan-outs as JSON Lines: one line a volume write, in rows of the recording's files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use fathom_model::{Catalog, Io, JoinedRows, Leg, NodeId, Op};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::replay::RowMap;

/// A volume write with its copies.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(expecting = "an object")]
pub struct Line {
    /// Row of the volume event.
    pub write: u64,
    /// The initiator.
    pub node: String,
    /// Its copies, by part and number.
    pub copies: Vec<Copy>,
    /// The copy that the write waited for; null where it cannot be known.
    pub slowest: Option<SlowestCopy>,
    /// The nodes whose copies it may have waited for.
    pub candidates: Vec<String>,
    /// Whether another assignment was possible.
    pub ambiguous: bool,
}

/// One copy of one part.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(expecting = "an object")]
pub struct Copy {
    /// Copy number.
    pub copy: u32,
    /// Part number.
    pub part: u32,
    /// The node that holds it.
    pub node: String,
    /// Rows in the initiator's file: the last is the leg, those before it failed attempts.
    pub initiator_rows: Vec<u64>,
    /// Row in the copy node's file.
    pub target_row: Option<u64>,
    /// Rows in the copy node's file; several where the drive split the request.
    pub device_rows: Vec<u64>,
    /// How it was joined: `key`, `order` or `time`.
    pub method: String,
    /// How sure that is.
    pub confidence: f64,
    /// The copy node's clock minus the initiator's at the write's start.
    pub clock_offset_ns: Option<i64>,
    /// The truth lies within this of the offset.
    pub clock_error_ns: Option<u64>,
}

/// The copy that a write waited for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(expecting = "an object")]
pub struct SlowestCopy {
    /// The node that holds it.
    pub node: String,
    /// Its number.
    pub copy: u32,
}

/// The line of one I/O.
#[must_use]
pub fn line(rows: &JoinedRows, io: &Io, catalog: &Catalog, map: &RowMap) -> Line {
    let legs = rows.legs_of(io);
    let name = |leg: &Leg| catalog.node(leg.node).to_string();
    let mut candidates: Vec<String> = legs.iter().filter(|leg| leg.candidate).map(name).collect();
    candidates.sort();
    candidates.dedup();
    let own = catalog.node(io.node);
    Line {
        write: map.row(own, io.event.ordinal),
        node: own.to_string(),
        copies: legs.iter().map(|leg| copy(leg, own, catalog, map)).collect(),
        slowest: io.slowest.map(|slowest| {
            let leg = &rows.legs[slowest.leg];
            SlowestCopy {
                node: name(leg),
                copy: leg.copy,
            }
        }),
        candidates,
        ambiguous: legs.iter().any(|leg| leg.ambiguous),
    }
}

fn copy(leg: &Leg, own: &NodeId, catalog: &Catalog, map: &RowMap) -> Copy {
    let node = catalog.node(leg.node);
    let there = |ordinal: u64| map.row(node, ordinal);
    let here = |ordinal: &u64| map.row(own, *ordinal);
    Copy {
        copy: leg.copy,
        part: leg.part,
        node: node.to_string(),
        initiator_rows: leg
            .more
            .initiator
            .iter()
            .chain(leg.initiator.as_ref().map(|leg| &leg.ordinal))
            .map(here)
            .collect(),
        target_row: leg.target.map(|target| there(target.ordinal)),
        device_rows: leg
            .device
            .iter()
            .map(|device| device.ordinal)
            .chain(leg.more.device.iter().copied())
            .map(there)
            .collect(),
        method: leg.method.as_str().to_owned(),
        // To three digits: an f32 as it is would print as 0.5000000199.
        confidence: (f64::from(leg.confidence) * 1000.0).round() / 1000.0,
        clock_offset_ns: leg.clock.map(|clock| clock.offset_nanos),
        clock_error_ns: leg.clock.map(|clock| clock.error_nanos),
    }
}

/// The lines of all volume writes of `rows`, by initiator and row.
pub fn lines<'a>(rows: &'a JoinedRows, catalog: &'a Catalog, map: &'a RowMap) -> impl Iterator<Item = Line> + 'a {
    let mut ios: Vec<&Io> = rows.ios.iter().filter(|io| io.op == Op::Write).collect();
    ios.sort_by_key(|io| (catalog.node(io.node), io.event.ordinal));
    ios.into_iter().map(|io| line(rows, io, catalog, map))
}

/// Writes the volume writes of `rows`, by initiator and row. The file appears when it is whole: what was there before stays until
/// then, and stays for good when this fails.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write(path: &Path, rows: &JoinedRows, catalog: &Catalog, map: &RowMap) -> Result<()> {
    let failed = |source| Error::Write {
        path: path.to_owned(),
        source,
    };
    // A pipe, a terminal, or whatever standard output is, is written to as it is.
    if path.starts_with("/dev") || fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
        return write_to(file, rows, catalog, map).map_err(failed);
    }
    let path = behind_links(path);
    let mut beside = path.clone().into_os_string();
    beside.push(format!(".{}.part", std::process::id()));
    let file = File::create(&beside).map_err(failed)?;
    write_to(file, rows, catalog, map)
        .and_then(|()| fs::rename(&beside, &path))
        .map_err(|source| {
            // What is wrong is said already, and more than trying to clean up cannot be done.
            let _ = fs::remove_file(&beside);
            failed(source)
        })
}

/// The file that is meant: replacing a link would leave it as it was.
fn behind_links(path: &Path) -> PathBuf {
    // More links than a system follows.
    const MOST: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MOST {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or_else(|| Path::new("")).join(target);
    }
    path
}

fn write_to(file: File, rows: &JoinedRows, catalog: &Catalog, map: &RowMap) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    for line in lines(rows, catalog, map) {
        serde_json::to_writer(&mut file, &line)?;
        file.write_all(b"\n")?;
    }
    file.flush()
}
