//! `coverage`: one row a stretch of a node's time.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | node | text | the node |
//! | from, until | timestamp | the stretch, on its clock |
//! | state | text | heard, silent, no_daemon, or why events are lost |
//! | events | u64, null | events lost in it, where known; null of a stretch that was heard |

use bytes::Bytes;
use fathom_model::NodeId;
use fathom_model::coverage::{Coverage, CoverageState};

use crate::columns::{Builder, Columns, read};
use crate::error::Result;

/// The stretches as a Parquet file.
pub(crate) fn write(path: &str, rows: &[&Coverage]) -> Result<Bytes> {
    let mut builder = Builder::default();
    builder.name("node", rows.iter().map(|row| Some(row.node.as_str())), false);
    builder.time("from", rows.iter().map(|row| Some(row.from_unix_nanos)), false);
    builder.time("until", rows.iter().map(|row| Some(row.until_unix_nanos)), false);
    builder.name("state", rows.iter().map(|row| Some(row.state.as_str())), false);
    builder.u64("events", rows.iter().map(|row| row.events), true);
    builder.parquet(path)
}

/// The stretches of a file.
pub(crate) fn load(path: &str, bytes: Bytes) -> Result<Vec<Coverage>> {
    let mut rows = Vec::new();
    for batch in read(path, bytes)? {
        let columns = Columns::new(path, &batch);
        let nodes = columns.all("node", columns.names("node")?)?;
        let froms = columns.all("from", columns.times("from")?)?;
        let untils = columns.all("until", columns.times("until")?)?;
        let states = columns.all("state", columns.parsed("state", CoverageState::from_name)?)?;
        let events = columns.u64s("events")?;
        for row in 0..columns.rows() {
            rows.push(Coverage {
                node: NodeId::new(nodes[row]),
                from_unix_nanos: froms[row],
                until_unix_nanos: untils[row],
                state: states[row],
                events: events[row],
            });
        }
    }
    Ok(rows)
}
