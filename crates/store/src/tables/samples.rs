//! `samples`: one row a reading of a counter.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | kind, id | text | the resource that the counter is about |
//! | node | text | the node that reports |
//! | observed | timestamp | when it was read, on that node's clock |
//! | name | text | the counter, with its unit as suffix |
//! | value | f64 | the reading; of a running total the total |

use bytes::Bytes;
use fathom_model::NodeId;
use fathom_model::state::{Kind, Sample};

use crate::columns::{Builder, Columns, read};
use crate::error::Result;

/// The samples as a Parquet file.
pub(crate) fn write(path: &str, rows: &[&Sample]) -> Result<Bytes> {
    let mut builder = Builder::default();
    builder.name("kind", rows.iter().map(|row| Some(row.kind.as_str())), false);
    builder.name("id", rows.iter().map(|row| Some(row.id.as_str())), false);
    builder.name("node", rows.iter().map(|row| Some(row.node.as_str())), false);
    builder.time("observed", rows.iter().map(|row| Some(row.observed_unix_nanos)), false);
    builder.name("name", rows.iter().map(|row| Some(row.name.as_str())), false);
    builder.f64("value", rows.iter().map(|row| row.value));
    builder.parquet(path)
}

/// The samples of a file.
pub(crate) fn load(path: &str, bytes: Bytes) -> Result<Vec<Sample>> {
    let mut rows = Vec::new();
    for batch in read(path, bytes)? {
        let columns = Columns::new(path, &batch);
        let kinds = columns.all("kind", columns.parsed("kind", |text| text.parse::<Kind>().ok())?)?;
        let ids = columns.all("id", columns.names("id")?)?;
        let nodes = columns.all("node", columns.names("node")?)?;
        let observed = columns.all("observed", columns.times("observed")?)?;
        let names = columns.all("name", columns.names("name")?)?;
        let values = columns.all("value", columns.f64s("value")?)?;
        for row in 0..columns.rows() {
            rows.push(Sample {
                node: NodeId::new(nodes[row]),
                kind: kinds[row],
                id: ids[row].to_owned(),
                name: names[row].to_owned(),
                observed_unix_nanos: observed[row],
                value: values[row],
            });
        }
    }
    Ok(rows)
}
