//! `attribution_sums`: of a file of `attribution`, one row a candidate, over all of its time and all volumes together.
//!
//! The file has the name of the one that it sums up, in the other table, comes and goes with it in the same records, and says nothing that
//! the other does not: who asks for no volume and a stretch that has all of the other's time reads it instead. A file as it was first
//! committed has one only where that is much shorter than itself.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | from, until | timestamp | the stretch of the other file: where its first minute begins and its last ends |
//! | to to cause | | the candidate, as in `attribution` |
//! | writes to `slowest_nanos` | | as in `attribution` |

use bytes::Bytes;
use fathom_model::Catalog;
use fathom_model::cell::{Attribution, Candidate, KeptAttribution};
use fathom_model::sketch::Fault;

use super::attribution::{cells, read_cells};
use super::stretch;
use crate::columns::only::Only;
use crate::columns::{Builder, Columns, read_only};
use crate::error::Result;

/// A row on its way to a file.
pub(crate) type Row<'a> = (Candidate, &'a Attribution);

/// The sums of the cells from one time to another as a Parquet file.
pub(crate) fn write(path: &str, reach: (i64, i64), rows: &[Row<'_>], catalog: &Catalog) -> Result<Bytes> {
    let mut builder = Builder::default();
    stretch(&mut builder, reach, rows.len());
    cells(&mut builder, rows.iter().copied(), catalog);
    builder.parquet(path)
}

/// Hands out the sums of a file.
pub(crate) fn load(
    path: &str,
    bytes: Bytes,
    only: &Only<'_>,
    catalog: &mut Catalog,
    mut take: impl FnMut(Candidate, &KeptAttribution<'_>) -> std::result::Result<(), Fault>,
) -> Result<()> {
    for batch in read_only(path, bytes, only)? {
        read_cells(&Columns::new(path, &batch), catalog, |_, to, cell| take(to, cell))?;
    }
    Ok(())
}
