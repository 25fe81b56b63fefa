//! `latency_sums`: of a file of `latency` that was put together, one row a group of I/Os or copies, over all of its time.
//!
//! The file has the name of the one that it sums up, in the other table, comes and goes with it in the same records, and says nothing that
//! the other does not: who asks for a stretch that has all of the other's time reads it instead. Rows lie by `of`, as there.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | from, until | timestamp | the stretch of the other file: where its first bucket begins and its last ends |
//! | op to `disk_id` | | of what, as in `latency` |
//! | count to counts | | the sketch, as in `latency` |

use bytes::Bytes;
use fathom_model::Catalog;
use fathom_model::cell::LatencyKey;
use fathom_model::sketch::{Fault, Kept, Sketch};

use super::latency::{GROUP, SKETCH, keys, read_keys};
use super::{group_ends, stretch};
use crate::columns::only::Only;
use crate::columns::{Builder, Columns, read_only};
use crate::error::Result;

/// A row on its way to a file.
pub(crate) type Row<'a> = (&'a LatencyKey, &'a Sketch);

/// The sums of the cells from one time to another as a Parquet file.
pub(crate) fn write(path: &str, reach: (i64, i64), rows: &[Row<'_>], catalog: &Catalog) -> Result<Bytes> {
    let mut rows = rows.to_vec();
    rows.sort_by_key(|(key, _)| (key.of.kind(), **key));
    let mut builder = Builder::default();
    stretch(&mut builder, reach, rows.len());
    keys(&mut builder, rows.iter().map(|(key, _)| **key), catalog);
    builder.sketches(&SKETCH, rows.iter().map(|(_, sketch)| *sketch));
    let kind = |at: usize| rows[at].0.of.kind();
    let ends = group_ends(rows.len(), |at, from| kind(at) != kind(from) || at - from >= GROUP);
    builder.parquet_of_groups(path, &ends)
}

/// Hands out the sums of a file that may be asked for, with what their sketches were kept as.
pub(crate) fn load(
    path: &str,
    bytes: Bytes,
    only: &Only<'_>,
    catalog: &mut Catalog,
    mut take: impl FnMut(LatencyKey, Kept<'_>) -> std::result::Result<(), Fault>,
) -> Result<()> {
    for batch in read_only(path, bytes, only)? {
        let columns = Columns::new(path, &batch);
        let keys = read_keys(&columns, catalog)?;
        let sketches = columns.sketches(&SKETCH)?;
        for (row, key) in keys.into_iter().enumerate() {
            take(key, sketches.of(row)).map_err(|fault| columns.wrong("bins", fault.to_string()))?;
        }
    }
    Ok(())
}
