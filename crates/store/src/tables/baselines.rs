//! `baselines`: one row an hour and what something is usual of: a place, a tap, reads or writes, and how long they are.
//!
//! Rows of one hour and subject may stand twice: a coordinator that stops writes what it has of an hour. Both count.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | hour | timestamp | where the hour begins: I/Os that completed in it count, on the clock of their initiator |
//! | of | text | `cluster`, `volume`, `node` (its bus target), `pair` (copies that `node` sends to `peer`), `disk` |
//! | volume, node, disk, peer | text, null | the names of it; null: it has none |
//! | tap, op | text | where I/Os were seen, and what they did |
//! | size | text | `4k` (up to 4 KiB), `64k` (above that up to 64 KiB), `larger` |
//! | blocks | u32 | in how many blocks of five minutes there were enough values |
//! | values | u64 | values of all blocks |
//! | `p50_nanos` | u64 | the middle of what the blocks' medians were |
//! | `p99_nanos` | u64, null | the same of their 99th percentiles; null: no block had enough values |
//! | felt | bool | whether something that was found wrong there was felt in the hour |

use bytes::Bytes;
use fathom_model::baseline::{Hour, Place, Size, Subject};

use crate::columns::{Builder, Columns, read};
use crate::error::Result;

/// The hours as a Parquet file.
pub(crate) fn write(path: &str, rows: &[&Hour]) -> Result<Bytes> {
    let mut builder = Builder::default();
    builder.time("hour", rows.iter().map(|row| Some(row.from_unix_nanos)), false);
    let subjects = || rows.iter().map(|row| &row.subject);
    builder.name("of", subjects().map(|subject| Some(subject.place.kind())), false);
    for (at, name) in ["volume", "node", "disk", "peer"].into_iter().enumerate() {
        builder.name(name, subjects().map(|subject| subject.place.names()[at]), true);
    }
    builder.name("tap", subjects().map(|subject| Some(subject.tap.as_str())), false);
    builder.name("op", subjects().map(|subject| Some(subject.op.as_str())), false);
    builder.name("size", subjects().map(|subject| Some(subject.size.as_str())), false);
    builder.u32("blocks", rows.iter().map(|row| Some(row.blocks)), false);
    builder.u64("values", rows.iter().map(|row| Some(row.values)), false);
    builder.u64("p50_nanos", rows.iter().map(|row| Some(row.p50_nanos)), false);
    builder.u64("p99_nanos", rows.iter().map(|row| row.p99_nanos), true);
    builder.bool("felt", rows.iter().map(|row| row.felt));
    builder.parquet(path)
}

/// The hours of a file.
pub(crate) fn load(path: &str, bytes: Bytes) -> Result<Vec<Hour>> {
    let mut rows = Vec::new();
    for batch in read(path, bytes)? {
        let columns = Columns::new(path, &batch);
        let hours = columns.all("hour", columns.times("hour")?)?;
        let of = columns.all("of", columns.names("of")?)?;
        let volumes = columns.names("volume")?;
        let nodes = columns.names("node")?;
        let disks = columns.names("disk")?;
        let peers = columns.names("peer")?;
        let taps = columns.all("tap", columns.parsed("tap", |word| word.parse().ok())?)?;
        let ops = columns.all("op", columns.parsed("op", |word| word.parse().ok())?)?;
        let sizes = columns.all("size", columns.parsed("size", Size::parse)?)?;
        let blocks = columns.all("blocks", columns.u32s("blocks")?)?;
        let values = columns.all("values", columns.u64s("values")?)?;
        let p50s = columns.all("p50_nanos", columns.u64s("p50_nanos")?)?;
        let p99s = columns.u64s("p99_nanos")?;
        let felt = columns.all("felt", columns.bools("felt")?)?;
        for row in 0..columns.rows() {
            let names = [volumes[row], nodes[row], disks[row], peers[row]];
            let place = Place::of(of[row], names)
                .ok_or_else(|| columns.wrong("of", format!("`{}` is of none of the names beside it", of[row])))?;
            rows.push(Hour {
                from_unix_nanos: hours[row],
                subject: Subject {
                    place,
                    tap: taps[row],
                    op: ops[row],
                    size: sizes[row],
                },
                blocks: blocks[row],
                values: values[row],
                p50_nanos: p50s[row],
                p99_nanos: p99s[row],
                felt: felt[row],
            });
        }
    }
    Ok(rows)
}
