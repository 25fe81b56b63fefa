//! `write_seconds`: one row a second and group of writes that are alike, with how many there were and what they took.
//!
//! Rows of one second and group may stand in several files, and are added up. Rows of a large file lie by time, in row groups of some
//! thousand.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | second | timestamp | where the second begins: writes that completed in it count, on the clock of their initiator |
//! | volume, node | text | the volume of the writes, and their initiator |
//! | `size_class` | u32 | the writes are at most 2 to the power of this long, and longer than half of it |
//! | writes | u64 | how many |
//! | `sum_nanos` | u64 | how long they took in all |
//! | squares | decimal(38, 0) | the squares of how long they took, in square nanoseconds, in all |

use bytes::Bytes;
use fathom_model::Catalog;
use fathom_model::cell::{Moments, SecondKey, SizeClass};

use super::{Names, group_ends};
use crate::columns::only::Only;
use crate::columns::{Builder, Columns, read_only};
use crate::error::Result;

const SECOND: i64 = 1_000_000_000;

/// Rows of a row group.
const GROUP: usize = 16 * 1024;

/// A row on its way to a file.
pub(crate) type Row<'a> = (&'a SecondKey, &'a Moments);

/// The cells, in the order of their seconds, as a Parquet file.
pub(crate) fn write(path: &str, rows: &[Row<'_>], catalog: &Catalog) -> Result<Bytes> {
    let mut builder = Builder::default();
    let seconds = rows.iter().map(|(key, _)| Some(key.second.saturating_mul(SECOND)));
    builder.time("second", seconds, false);
    let volumes = rows.iter().map(|(key, _)| Some(catalog.volume(key.volume).as_str()));
    builder.name("volume", volumes, false);
    let nodes = rows.iter().map(|(key, _)| Some(catalog.node(key.node).as_str()));
    builder.name("node", nodes, false);
    let sizes = rows.iter().map(|(key, _)| Some(u32::from(key.size.0)));
    builder.u32("size_class", sizes, false);
    builder.u64("writes", rows.iter().map(|(_, moments)| Some(moments.count)), false);
    builder.u64(
        "sum_nanos",
        rows.iter().map(|(_, moments)| Some(moments.sum_nanos)),
        false,
    );
    builder.decimal("squares", rows.iter().map(|(_, moments)| moments.squares));
    let ends = group_ends(rows.len(), |at, from| at - from >= GROUP);
    builder.parquet_of_groups(path, &ends)
}

/// Hands out the cells of a file that may be asked for.
pub(crate) fn load(
    path: &str,
    bytes: Bytes,
    only: &Only<'_>,
    catalog: &mut Catalog,
    mut take: impl FnMut(SecondKey, Moments),
) -> Result<()> {
    for batch in read_only(path, bytes, only)? {
        let columns = Columns::new(path, &batch);
        let seconds = columns.all("second", columns.times("second")?)?;
        let (volumes, nodes) = (columns.names("volume")?, columns.names("node")?);
        let sizes = columns.all("size_class", columns.u32s("size_class")?)?;
        let writes = columns.all("writes", columns.u64s("writes")?)?;
        let sums = columns.all("sum_nanos", columns.u64s("sum_nanos")?)?;
        let squares = columns.decimals("squares")?;
        let mut names = Names::new(catalog);
        for (row, at) in seconds.into_iter().enumerate() {
            if at.rem_euclid(SECOND) != 0 {
                return Err(columns.wrong("second", format!("{at} ns is where no second begins")));
            }
            let size = u8::try_from(sizes[row]).ok().filter(|size| *size <= 64);
            let null = |column| columns.wrong(column, "has a null");
            let key = SecondKey {
                second: at.div_euclid(SECOND),
                volume: names.volume(volumes[row]).ok_or_else(|| null("volume"))?,
                node: names.node(nodes[row]).ok_or_else(|| null("node"))?,
                size: SizeClass(size.ok_or_else(|| columns.wrong("size_class", "is no power of two of a write"))?),
            };
            take(
                key,
                Moments {
                    count: writes[row],
                    sum_nanos: sums[row],
                    squares: squares[row],
                },
            );
        }
    }
    Ok(())
}
