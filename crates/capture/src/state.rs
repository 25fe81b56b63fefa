//! `state.jsonl.zst` (or plain `state.jsonl`): what the nodes' resources were like in the run, a row an observation or a sample, in the
//! order of time.
//!
//! ```text
//! {"observation":{"node":"n0","kind":"disk","id":"n0/disk0","observed_unix_nanos":1790000000000000000,"present":true,
//!                 "attributes":{"health":{"code":0,"name":"Healthy"}},"unavailable":{"wear_percent":"null"}}}
//! {"sample":{"node":"n0","kind":"adapter_rdma","id":"SMB1","name":"inbound_bytes","observed_unix_nanos":1790000000000000000,"value":7.0}}
//! ```

use std::io::BufRead;
use std::path::{Path, PathBuf};

use fathom_model::NodeId;
use fathom_model::state::{Observation, Sample};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::events::{EventWriter, cause, open, read_line};

/// A row.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StateRow {
    /// A resource as it was.
    Observation(Observation),
    /// A reading of a counter.
    Sample(Sample),
}

impl StateRow {
    /// The node that reports.
    #[must_use]
    pub const fn node(&self) -> &NodeId {
        match self {
            Self::Observation(row) => &row.node,
            Self::Sample(row) => &row.node,
        }
    }

    /// When it was so, on that node's clock.
    #[must_use]
    pub const fn observed_unix_nanos(&self) -> i64 {
        match self {
            Self::Observation(row) => row.observed_unix_nanos,
            Self::Sample(row) => row.observed_unix_nanos,
        }
    }
}

/// Where a recording's state is; none where it has none.
#[must_use]
pub fn state_file(folder: &Path) -> Option<PathBuf> {
    let files = ["state.jsonl.zst", "state.jsonl"].map(|name| folder.join(name));
    files.into_iter().find(|path| path.is_file())
}

/// Reads the rows of one node, or of all.
///
/// # Errors
///
/// When the file cannot be read or a row is not what it should be.
pub fn read_state(path: &Path, node: Option<&NodeId>) -> Result<Vec<StateRow>> {
    let (mut input, compressed): (Box<dyn BufRead + Send>, bool) = open(path)?;
    let (mut rows, mut number, mut line) = (Vec::new(), 0, String::new());
    while read_line(&mut *input, &mut line, path, compressed, number)? {
        let text = line.trim_end();
        let row: StateRow = serde_json::from_str(text).map_err(|error| Error::Row {
            path: path.to_owned(),
            row: number,
            cause: cause(&error, text),
        })?;
        number += 1;
        if node.is_none_or(|node| row.node() == node) {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// Writes a file of state.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_state<'a>(path: &Path, rows: impl IntoIterator<Item = &'a StateRow>) -> Result<()> {
    let mut writer = EventWriter::create(path)?;
    rows.into_iter().try_for_each(|row| writer.write(row))?;
    writer.finish()
}

#[cfg(test)]
mod tests;
