//! `truth.jsonl.zst`: which events belong to which write. For checks only; the join never sees it.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::events::{EventWriter, cause, open, read_line};

/// A volume write and the events that truly belong to it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(expecting = "an object")]
pub struct TruthWrite {
    /// Row of the volume event in its node's events file.
    pub write: u64,
    /// The initiating node.
    pub node: String,
    /// Its copies.
    pub copies: Vec<TruthCopy>,
    /// The copy whose reply came last, where that is known.
    #[serde(default)]
    pub slowest: Option<TruthSlowest>,
}

/// A copy and its events: lists are empty for a copy that never got there, longer where a request was sent again or split.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(expecting = "an object")]
pub struct TruthCopy {
    /// Copy number.
    pub copy: u32,
    /// The node that holds it.
    pub node: String,
    /// Rows in the initiating node's file.
    pub initiator_rows: Vec<u64>,
    /// Rows in the copy node's file.
    pub target_rows: Vec<u64>,
    /// Rows in the copy node's file.
    pub device_rows: Vec<u64>,
}

/// The copy that came last.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(expecting = "an object")]
pub struct TruthSlowest {
    /// Its node.
    pub node: String,
    /// Its number.
    pub copy: u32,
    /// How long after the one before it.
    #[serde(default)]
    pub lead_ns: Option<u64>,
}

/// Reads a truth file row by row.
pub struct TruthReader {
    path: PathBuf,
    input: Box<dyn BufRead + Send>,
    compressed: bool,
    line: String,
    rows: u64,
}

impl std::fmt::Debug for TruthReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TruthReader")
            .field("path", &self.path)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl TruthReader {
    /// Opens a truth file.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let (input, compressed) = open(path)?;
        Ok(Self {
            path: path.to_owned(),
            input,
            compressed,
            line: String::new(),
            rows: 0,
        })
    }

    fn read(&mut self) -> Result<Option<TruthWrite>> {
        if !read_line(&mut *self.input, &mut self.line, &self.path, self.compressed, self.rows)? {
            return Ok(None);
        }
        let write = crate::objects::from_str(self.line.trim_end()).map_err(|error| Error::Row {
            path: self.path.clone(),
            row: self.rows,
            cause: cause(&error, self.line.trim_end()),
        })?;
        self.rows += 1;
        Ok(Some(write))
    }
}

impl Iterator for TruthReader {
    type Item = Result<TruthWrite>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// Writes a truth file.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_truth<'a>(path: &Path, writes: impl IntoIterator<Item = &'a TruthWrite>) -> Result<()> {
    let mut writer = EventWriter::create(path)?;
    writes.into_iter().try_for_each(|write| writer.write(write))?;
    writer.finish()
}
