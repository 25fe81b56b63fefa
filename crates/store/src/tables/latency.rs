//! `latency`: one row a stretch of time and group of I/Os or copies, with a sketch of how long they took.
//!
//! Rows of one stretch and group may stand in several files, and are added up. Stretches are of 10 s, and of a minute once they are over an
//! hour old. Rows of a large file lie by `of`, then by time, in row groups of some thousand: whoever asks for one of these reads no other.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | bucket | timestamp | where the stretch begins: I/Os that completed in it count, on the clock of their initiator |
//! | `bucket_nanos` | i64 | how long it is |
//! | op, tap | text | what the I/Os did, and where it was seen |
//! | of | text | `io`: whole I/Os by volume, node and size; `way`: copies by volume, node and far node; `disk`: copies by disk |
//! | volume | text, null | the volume; null of `disk` |
//! | node | text, null | the initiator; null of `disk` |
//! | `size_class` | u32, null | of `io`: the I/Os are at most 2 to the power of this long, and longer than half of it |
//! | `far_node` | text, null | of `way` and `disk`: the node that holds the copies |
//! | disk, `disk_id` | text, null | of `disk`: its name on its node, and its id |
//! | count, `sum_nanos`, `min_nanos`, `max_nanos` | u64 | how many, and how long they took in all, at least and at most |
//! | bins, counts | list of u16, list of u64 | the bins of the sketch that hold some, rising, and how many each |
//!
//! Bins are those of `fathom_model::sketch`: of a duration from 64 ns on whose highest bit is bit `e` the bin is
//! `(e - 6) * 64 + (nanos >> (e - 6))`; of a shorter one itself.

use bytes::Bytes;
use fathom_model::cell::{Bucket, LatencyKey, Of, SizeClass};
use fathom_model::sketch::{Fault, Kept, Sketch};
use fathom_model::{Catalog, Op, Tap};

use super::{Names, buckets, group_ends};
use crate::columns::only::Only;
use crate::columns::sketches::SketchNames;
use crate::columns::{Builder, Columns, read_only};
use crate::error::Result;

/// Rows of a row group, about: those of a minute of a large cluster's disks.
pub(super) const GROUP: usize = 4096;

pub(super) const SKETCH: SketchNames = SketchNames {
    count: "count",
    sum: "sum_nanos",
    min: "min_nanos",
    max: "max_nanos",
    bins: "bins",
    counts: "counts",
};

/// A row on its way to a file.
pub(crate) type Row<'a> = (Bucket, LatencyKey, &'a Sketch);

/// The cells as a Parquet file.
pub(crate) fn write(path: &str, rows: &[Row<'_>], catalog: &Catalog) -> Result<Bytes> {
    let mut rows = rows.to_vec();
    rows.sort_by_key(|(bucket, key, _)| (key.of.kind(), *bucket, *key));
    let mut builder = Builder::default();
    buckets(&mut builder, rows.iter().map(|(bucket, _, _)| *bucket));
    keys(&mut builder, rows.iter().map(|(_, key, _)| *key), catalog);
    builder.sketches(&SKETCH, rows.iter().map(|(_, _, sketch)| *sketch));
    let kind = |at: usize| rows[at].1.of.kind();
    let ends = group_ends(rows.len(), |at, from| kind(at) != kind(from) || at - from >= GROUP);
    builder.parquet_of_groups(path, &ends)
}

/// Adds the columns that say what a row is of.
pub(super) fn keys(builder: &mut Builder, keys: impl Iterator<Item = LatencyKey> + Clone, catalog: &Catalog) {
    let of = || keys.clone().map(|key| key.of);
    builder.name("op", keys.clone().map(|key| Some(key.op.as_str())), false);
    builder.name("tap", keys.clone().map(|key| Some(key.tap.as_str())), false);
    builder.name("of", of().map(|of| Some(of.kind().as_str())), false);
    let volume = |of: Of| match of {
        Of::Io { volume, .. } | Of::Way { volume, .. } => Some(catalog.volume(volume).as_str()),
        Of::Disk(_) => None,
    };
    builder.name("volume", of().map(volume), true);
    let node = |of: Of| match of {
        Of::Io { node, .. } | Of::Way { node, .. } => Some(catalog.node(node).as_str()),
        Of::Disk(_) => None,
    };
    builder.name("node", of().map(node), true);
    let size = |of: Of| match of {
        Of::Io { size, .. } => Some(u32::from(size.0)),
        Of::Way { .. } | Of::Disk(_) => None,
    };
    builder.u32("size_class", of().map(size), true);
    let far = |of: Of| match of {
        Of::Io { .. } => None,
        Of::Way { far, .. } => Some(catalog.node(far).as_str()),
        Of::Disk(disk) => Some(catalog.disk(disk).node.as_str()),
    };
    builder.name("far_node", of().map(far), true);
    let disk = |of: Of| match of {
        Of::Disk(disk) => Some(catalog.disk(disk)),
        Of::Io { .. } | Of::Way { .. } => None,
    };
    builder.name("disk", of().map(|of| disk(of).map(|disk| disk.name.as_str())), true);
    builder.name("disk_id", of().map(|of| disk(of).map(|disk| disk.id.as_str())), true);
}

/// Hands out the cells of a file that may be asked for, with what their sketches were kept as.
pub(crate) fn load(
    path: &str,
    bytes: Bytes,
    only: &Only<'_>,
    catalog: &mut Catalog,
    mut take: impl FnMut(Bucket, LatencyKey, Kept<'_>) -> std::result::Result<(), Fault>,
) -> Result<()> {
    for batch in read_only(path, bytes, only)? {
        let columns = Columns::new(path, &batch);
        let buckets = super::read_buckets(&columns)?;
        let keys = read_keys(&columns, catalog)?;
        let sketches = columns.sketches(&SKETCH)?;
        for (row, (bucket, key)) in buckets.into_iter().zip(keys).enumerate() {
            take(bucket, key, sketches.of(row)).map_err(|fault| columns.wrong("bins", fault.to_string()))?;
        }
    }
    Ok(())
}

/// Reads what [`keys`] wrote.
pub(super) fn read_keys(columns: &Columns<'_>, catalog: &mut Catalog) -> Result<Vec<LatencyKey>> {
    let ops = columns.all("op", columns.parsed("op", |text| text.parse::<Op>().ok())?)?;
    let taps = columns.all("tap", columns.parsed("tap", |text| text.parse::<Tap>().ok())?)?;
    let ofs = columns.all("of", columns.names("of")?)?;
    let (volumes, nodes) = (columns.names("volume")?, columns.names("node")?);
    let sizes = columns.u32s("size_class")?;
    let (fars, disks) = (columns.names("far_node")?, columns.names("disk")?);
    let ids = columns.names("disk_id")?;
    let mut names = Names::new(catalog);
    let mut keys = Vec::with_capacity(ofs.len());
    for (row, word) in ofs.into_iter().enumerate() {
        let of = match word {
            "io" => {
                let size = sizes[row]
                    .and_then(|size| u8::try_from(size).ok())
                    .filter(|size| *size <= 64);
                Of::Io {
                    volume: names
                        .volume(volumes[row])
                        .ok_or_else(|| columns.wrong("volume", "has a null at an I/O"))?,
                    node: names
                        .node(nodes[row])
                        .ok_or_else(|| columns.wrong("node", "has a null at an I/O"))?,
                    size: SizeClass(size.ok_or_else(|| columns.wrong("size_class", "is no power of two of an I/O"))?),
                }
            }
            "way" => Of::Way {
                volume: names
                    .volume(volumes[row])
                    .ok_or_else(|| columns.wrong("volume", "has a null at a way"))?,
                node: names
                    .node(nodes[row])
                    .ok_or_else(|| columns.wrong("node", "has a null at a way"))?,
                far: names
                    .node(fars[row])
                    .ok_or_else(|| columns.wrong("far_node", "has a null at a way"))?,
            },
            "disk" => Of::Disk(
                names
                    .disk(fars[row], disks[row], ids[row])
                    .ok_or_else(|| columns.wrong("disk", "has a null at a disk"))?,
            ),
            other => return Err(columns.wrong("of", format!("`{other}` is not known"))),
        };
        keys.push(LatencyKey {
            op: ops[row],
            tap: taps[row],
            of,
        });
    }
    Ok(keys)
}
