//! `attribution`: one row a minute, volume and candidate: what writes waited for it, and what they would have taken without it.
//!
//! Rows of one minute, volume and candidate may stand in several files, and are added up. Rows of a large file lie by minute and volume, in
//! row groups of some thousand: whoever asks for a volume, or for later minutes, passes over others.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | bucket | timestamp | where the minute begins: writes that completed in it count, on the clock of their initiator |
//! | `bucket_nanos` | i64 | how long it is |
//! | volume | text | the volume of the writes |
//! | to | text | the candidate: `all` (nothing: all writes), `disk`, `link`, `node`; `missing`: observations that are not there |
//! | node, peer | text, null | the node; of `link` both ends, the first by name first |
//! | disk, `disk_id` | text, null | of `disk`: its name on its node, and its id |
//! | tap, cause | text, null | of `missing`: where the observation should have been made, and why there is none |
//! | writes | u64 | of `all` the writes; of `missing` the copies; else writes of at least two copies, one of them there, whose last copy is known |
//! | last | u64 | those whose last copy was there |
//! | `expected_millionths` | u64 | how many these were to be, if all were alike and sent as they were |
//! | leads, `added_nanos` | u64 | writes of which the lead of the last copy is known, and the leads of those whose last copy was there |
//! | `given_back_nanos`, sooner | u64 | by how much writes would have been shorter without it, and how many |
//! | unknown | u64 | writes that waited for it by an unknown time, or have no other copy; of `all` those whose last copy is not known |
//! | `took_…` | | sketch (as in `latency`): of `all` what writes took; else what those took that would have been shorter |
//! | `would_…` | | sketch: what these would have taken |
//! | `legs_expected`, legs, exact, ambiguous, incomplete | u64 | of `all`: copies that were asked for and found, and writes by class |
//! | slowest, `slowest_nanos` | text, u64; null | of `all`: the name of the slowest write, and what it took |
//!
//! What all writes would have taken without a candidate is what `all` took, less what the candidate's `took`, and with its `would`.

use bytes::Bytes;
use fathom_model::cell::{Attribution, AttributionKey, Bucket, Candidate, KeptAttribution, SlowestWrite, Whole};
use fathom_model::sketch::{Fault, Kept};
use fathom_model::{Catalog, Missing, Tap};

use super::{Names, buckets, group_ends};
use crate::columns::only::Only;
use crate::columns::sketches::SketchNames;
use crate::columns::{Builder, Columns, read_only};
use crate::error::Result;

/// Rows of a row group at least, where the minute or the volume changes.
const GROUP: usize = 1024;

const TOOK: SketchNames = SketchNames {
    count: "took_count",
    sum: "took_sum_nanos",
    min: "took_min_nanos",
    max: "took_max_nanos",
    bins: "took_bins",
    counts: "took_counts",
};
const WOULD: SketchNames = SketchNames {
    count: "would_count",
    sum: "would_sum_nanos",
    min: "would_min_nanos",
    max: "would_max_nanos",
    bins: "would_bins",
    counts: "would_counts",
};

/// A row on its way to a file.
pub(crate) type Row<'a> = (Bucket, AttributionKey, &'a Attribution);

/// A count of a row.
type Count = fn(&Attribution) -> u64;

/// Counts that every row has, by column.
const COUNTS: [(&str, Count); 13] = [
    ("writes", |cell| cell.writes),
    ("last", |cell| cell.last),
    ("expected_millionths", |cell| cell.expected_millionths),
    ("leads", |cell| cell.leads),
    ("added_nanos", |cell| cell.added_nanos),
    ("given_back_nanos", |cell| cell.given_back_nanos),
    ("sooner", |cell| cell.sooner),
    ("unknown", |cell| cell.unknown),
    ("legs_expected", |cell| cell.joined.legs_expected),
    ("legs", |cell| cell.joined.legs),
    ("exact", |cell| cell.joined.exact),
    ("ambiguous", |cell| cell.joined.ambiguous),
    ("incomplete", |cell| cell.joined.incomplete),
];

/// The columns of a sketch, which are most of a file: left out where only counts are asked for.
pub(crate) const SKETCHES: [&str; 12] = [
    TOOK.count,
    TOOK.sum,
    TOOK.min,
    TOOK.max,
    TOOK.bins,
    TOOK.counts,
    WOULD.count,
    WOULD.sum,
    WOULD.min,
    WOULD.max,
    WOULD.bins,
    WOULD.counts,
];

/// The cells as a Parquet file.
pub(crate) fn write(path: &str, rows: &[Row<'_>], catalog: &Catalog) -> Result<Bytes> {
    let mut rows = rows.to_vec();
    // By the name of the volume, as statistics are; indices are in no order.
    let order = |row: &Row<'_>| (row.0, catalog.volume(row.1.volume).as_str(), row.1.to);
    rows.sort_by(|one, other| order(one).cmp(&order(other)));
    let mut builder = Builder::default();
    buckets(&mut builder, rows.iter().map(|(bucket, _, _)| *bucket));
    let volume = |key: &AttributionKey| Some(catalog.volume(key.volume).as_str());
    builder.name("volume", rows.iter().map(|(_, key, _)| volume(key)), false);
    cells(&mut builder, rows.iter().map(|(_, key, cell)| (key.to, *cell)), catalog);
    let of = |at: usize| (rows[at].0, rows[at].1.volume);
    let ends = group_ends(rows.len(), |at, from| at - from >= GROUP && of(at) != of(at - 1));
    builder.parquet_of_groups(path, &ends)
}

/// Adds the columns of candidates and what is attributed to them.
pub(super) fn cells<'a>(
    builder: &mut Builder,
    rows: impl ExactSizeIterator<Item = (Candidate, &'a Attribution)> + Clone,
    catalog: &Catalog,
) {
    let to = || rows.clone().map(|(to, _)| to);
    let cell = || rows.clone().map(|(_, cell)| cell);
    let word = |to: Candidate| match to {
        Candidate::All => "all",
        Candidate::Disk(_) => "disk",
        Candidate::Link(..) => "link",
        Candidate::Node(_) => "node",
        Candidate::Missing(..) => "missing",
    };
    builder.name("to", to().map(|to| Some(word(to))), false);
    // Indices are in no order that would mean anything outside.
    let ends = |to: Candidate| match to {
        Candidate::All => (None, None),
        Candidate::Disk(disk) => (Some(catalog.disk(disk).node.as_str()), None),
        Candidate::Node(node) | Candidate::Missing(node, ..) => (Some(catalog.node(node).as_str()), None),
        Candidate::Link(one, other) => {
            let (one, other) = (catalog.node(one).as_str(), catalog.node(other).as_str());
            (Some(one.min(other)), Some(one.max(other)))
        }
    };
    builder.name("node", to().map(|to| ends(to).0), true);
    builder.name("peer", to().map(|to| ends(to).1), true);
    let disk = |to: Candidate| match to {
        Candidate::Disk(disk) => Some(catalog.disk(disk)),
        _ => None,
    };
    builder.name("disk", to().map(|to| disk(to).map(|disk| disk.name.as_str())), true);
    builder.name("disk_id", to().map(|to| disk(to).map(|disk| disk.id.as_str())), true);
    let missing = |to: Candidate| match to {
        Candidate::Missing(_, tap, cause) => Some((tap, cause)),
        _ => None,
    };
    builder.name("tap", to().map(|to| missing(to).map(|(tap, _)| tap.as_str())), true);
    builder.name(
        "cause",
        to().map(|to| missing(to).map(|(_, cause)| cause.as_str())),
        true,
    );
    for (name, count) in COUNTS {
        builder.u64(name, cell().map(|cell| Some(count(cell))), false);
    }
    builder.sketches(&TOOK, cell().map(|cell| &cell.took));
    builder.sketches(&WOULD, cell().map(|cell| &cell.would));
    let slowest = || cell().map(|cell| cell.slowest.as_ref());
    builder.text(
        "slowest",
        slowest().map(|slowest| slowest.map(|slowest| slowest.id.clone())),
    );
    builder.u64(
        "slowest_nanos",
        slowest().map(|slowest| slowest.map(|slowest| slowest.nanos)),
        true,
    );
}

/// Hands out the cells of a file that may be asked for.
pub(crate) fn load(
    path: &str,
    bytes: Bytes,
    only: &Only<'_>,
    catalog: &mut Catalog,
    mut take: impl FnMut(Bucket, AttributionKey, &KeptAttribution<'_>) -> std::result::Result<(), Fault>,
) -> Result<()> {
    for batch in read_only(path, bytes, only)? {
        let columns = Columns::new(path, &batch);
        let buckets = super::read_buckets(&columns)?;
        let volumes = columns.all("volume", columns.names("volume")?)?;
        let volumes = {
            let mut names = Names::new(catalog);
            let known = volumes.into_iter().map(|volume| names.volume(Some(volume)));
            columns.all("volume", known.collect())?
        };
        read_cells(&columns, catalog, |row, to, cell| {
            let volume = volumes[row];
            take(buckets[row], AttributionKey { volume, to }, cell)
        })?;
    }
    Ok(())
}

/// Reads what [`cells`] wrote, row by row. Sketches that are not there are empty.
pub(super) fn read_cells(
    columns: &Columns<'_>,
    catalog: &mut Catalog,
    mut take: impl FnMut(usize, Candidate, &KeptAttribution<'_>) -> std::result::Result<(), Fault>,
) -> Result<()> {
    let candidates = candidates(columns, catalog)?;
    let count = |name| columns.all(name, columns.u64s(name)?);
    let (writes, last, expected) = (count("writes")?, count("last")?, count("expected_millionths")?);
    let (leads, added) = (count("leads")?, count("added_nanos")?);
    let (given_back, sooner, unknown) = (count("given_back_nanos")?, count("sooner")?, count("unknown")?);
    let (legs_expected, legs, exact) = (count("legs_expected")?, count("legs")?, count("exact")?);
    let (ambiguous, incomplete) = (count("ambiguous")?, count("incomplete")?);
    let sketches = if columns.has(TOOK.bins) || columns.has(WOULD.bins) {
        Some((columns.sketches(&TOOK)?, columns.sketches(&WOULD)?))
    } else {
        None
    };
    let (slowest, slowest_nanos) = (columns.names("slowest")?, columns.u64s("slowest_nanos")?);
    for (row, to) in candidates.into_iter().enumerate() {
        let counts = Attribution {
            writes: writes[row],
            last: last[row],
            expected_millionths: expected[row],
            leads: leads[row],
            added_nanos: added[row],
            given_back_nanos: given_back[row],
            sooner: sooner[row],
            unknown: unknown[row],
            joined: Whole {
                legs_expected: legs_expected[row],
                legs: legs[row],
                exact: exact[row],
                ambiguous: ambiguous[row],
                incomplete: incomplete[row],
            },
            slowest: slowest[row].zip(slowest_nanos[row]).map(|(id, nanos)| SlowestWrite {
                nanos,
                id: id.to_owned(),
            }),
            ..Attribution::default()
        };
        let (took, would): (Kept<'_>, Kept<'_>) = sketches
            .as_ref()
            .map_or_else(Default::default, |(took, would)| (took.of(row), would.of(row)));
        let wrong = |fault: Fault| columns.wrong("took_bins or would_bins", fault.to_string());
        take(row, to, &KeptAttribution { counts, took, would }).map_err(wrong)?;
    }
    Ok(())
}

/// To what the rows of a batch are attributed.
fn candidates(columns: &Columns<'_>, catalog: &mut Catalog) -> Result<Vec<Candidate>> {
    let words = columns.all("to", columns.names("to")?)?;
    let (nodes, peers) = (columns.names("node")?, columns.names("peer")?);
    let (disks, ids) = (columns.names("disk")?, columns.names("disk_id")?);
    let taps = columns.parsed("tap", |text| text.parse::<Tap>().ok())?;
    let cause = |text: &str| Missing::ALL.into_iter().find(|cause| cause.as_str() == text);
    let causes = columns.parsed("cause", cause)?;
    let mut names = Names::new(catalog);
    let mut found = Vec::with_capacity(words.len());
    for (row, word) in words.into_iter().enumerate() {
        let null = |column| columns.wrong(column, format!("has a null at `{word}`"));
        found.push(match word {
            "all" => Candidate::All,
            "disk" => Candidate::Disk(
                names
                    .disk(nodes[row], disks[row], ids[row])
                    .ok_or_else(|| null("disk"))?,
            ),
            "node" => Candidate::Node(names.node(nodes[row]).ok_or_else(|| null("node"))?),
            "link" => {
                let one = names.node(nodes[row]).ok_or_else(|| null("node"))?;
                let other = names.node(peers[row]).ok_or_else(|| null("peer"))?;
                Candidate::Link(one.min(other), one.max(other))
            }
            "missing" => Candidate::Missing(
                names.node(nodes[row]).ok_or_else(|| null("node"))?,
                taps[row].ok_or_else(|| null("tap"))?,
                causes[row].ok_or_else(|| null("cause"))?,
            ),
            other => return Err(columns.wrong("to", format!("`{other}` is not known"))),
        });
    }
    Ok(found)
}
