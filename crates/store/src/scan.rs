//! Reading what was committed, a file at a time.

use fathom_model::baseline::Hour;
use fathom_model::cell::{AttributionKey, Bucket, KeptAttribution, LatencyKey, Moments, SecondKey};
use fathom_model::coverage::Coverage;
use fathom_model::finding::Change;
use fathom_model::objective::SlowMinute;
use fathom_model::sketch::{Fault, Kept};
use fathom_model::state::{Observation, Sample};
use fathom_model::{Catalog, ClusterId, JoinedRows, PendingEvent};

use crate::blobs::Blobs;
use crate::columns::only::Only;
use crate::error::{Error, Result};
use crate::manifest::FileEntry;
use crate::paths::Table;
use crate::tables;

/// A stretch of time, both ends inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From.
    pub from_unix_nanos: i64,
    /// Until.
    pub until_unix_nanos: i64,
}

impl Span {
    /// All time.
    pub const ALL: Self = Self {
        from_unix_nanos: i64::MIN,
        until_unix_nanos: i64::MAX,
    };

    /// Whether a file may hold rows of it.
    #[must_use]
    pub const fn touches(&self, file: &FileEntry) -> bool {
        file.min_unix_nanos <= self.until_unix_nanos && file.max_unix_nanos >= self.from_unix_nanos
    }
}

/// Reads the rows of one file: I/Os with their legs, or unmatched events. `None` for files of other tables. A scan reads the
/// files of one record in their order, which is the order in which their rows were decided.
///
/// # Errors
///
/// When the file cannot be read.
pub async fn read_rows(
    blobs: &Blobs,
    cluster: &ClusterId,
    file: &FileEntry,
    catalog: &mut Catalog,
) -> Result<Option<JoinedRows>> {
    let mut rows = JoinedRows::default();
    match file.table {
        Table::Ios => {
            let bytes = blobs.get(&file.path).await?;
            rows.ios = tables::ios::load(&file.path, bytes, cluster, catalog)?;
            let legs = legs_of(file);
            let bytes = blobs.get(&legs).await?;
            rows.legs = tables::legs::load(&legs, bytes, cluster, catalog)?;
            let needed = rows.ios.last().map_or(0, |io| io.legs.end);
            if needed != rows.legs.len() {
                let cause = format!("{legs} has {} legs for the {needed} of its I/Os", rows.legs.len());
                return Err(Error::Column {
                    path: file.path.clone(),
                    column: "legs",
                    cause,
                });
            }
        }
        Table::Unmatched => {
            let bytes = blobs.get(&file.path).await?;
            rows.unmatched = tables::unmatched::load(&file.path, bytes, cluster, catalog)?;
        }
        Table::Legs
        | Table::Coverage
        | Table::Pending
        | Table::Observations
        | Table::Samples
        | Table::Findings
        | Table::SlowMinutes
        | Table::Baselines
        | Table::Latency
        | Table::Attribution
        | Table::WriteSeconds
        | Table::LatencySums
        | Table::AttributionSums
        | Table::Pictures => {
            return Ok(None);
        }
    }
    Ok(Some(rows))
}

/// The legs of a file of I/Os were written with it, under the same name in the other table.
fn legs_of(ios: &FileEntry) -> String {
    let name = ios.path.strip_prefix(Table::Ios.as_str()).unwrap_or(&ios.path);
    format!("{}{name}", Table::Legs.as_str())
}

/// Reads all stretches of a stretch of time.
///
/// # Errors
///
/// When a file cannot be read.
pub async fn read_coverage(blobs: &Blobs, files: &[FileEntry], span: Span) -> Result<Vec<Coverage>> {
    let mut rows = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.table == Table::Coverage && span.touches(file))
    {
        rows.extend(tables::coverage::load(&file.path, blobs.get(&file.path).await?)?);
    }
    Ok(rows)
}

/// Reads the observations of one file, in the order in which they came, or of a picture; none of files of other tables.
///
/// # Errors
///
/// When the file cannot be read.
pub async fn read_observations(blobs: &Blobs, file: &FileEntry) -> Result<Vec<Observation>> {
    match file.table {
        Table::Observations | Table::Pictures => tables::observations::load(&file.path, blobs.get(&file.path).await?),
        _ => Ok(Vec::new()),
    }
}

/// Reads the samples of one file; none of files of other tables.
///
/// # Errors
///
/// When the file cannot be read.
pub async fn read_samples(blobs: &Blobs, file: &FileEntry) -> Result<Vec<Sample>> {
    match file.table {
        Table::Samples => tables::samples::load(&file.path, blobs.get(&file.path).await?),
        _ => Ok(Vec::new()),
    }
}

/// Reads the changes of findings with numbers above one, in their order.
///
/// # Errors
///
/// When a file cannot be read.
pub async fn read_changes(blobs: &Blobs, files: &[FileEntry], after: u64) -> Result<Vec<Change>> {
    let mut pieces = Vec::new();
    // Numbers rise from file to file, so that the newest are looked at until one begins early enough.
    for file in files.iter().rev().filter(|file| file.table == Table::Findings) {
        let rows = tables::findings::load(&file.path, blobs.get(&file.path).await?)?;
        let is_enough = rows.iter().any(|row| row.sequence <= after.saturating_add(1));
        pieces.push(rows);
        // Those of one record lie in several folders where it spans days; the record before it is never needed then.
        if is_enough && !files_of_one_record(files, file) {
            break;
        }
    }
    let mut changes: Vec<Change> = pieces
        .into_iter()
        .flatten()
        .filter(|row| row.sequence > after)
        .collect();
    changes.sort_by_key(|change| change.sequence);
    Ok(changes)
}

/// Reads the minutes of one file in which an objective was not met; none of files of other tables.
///
/// # Errors
///
/// When the file cannot be read.
pub async fn read_slow_minutes(blobs: &Blobs, file: &FileEntry) -> Result<Vec<SlowMinute>> {
    match file.table {
        Table::SlowMinutes => tables::slow_minutes::load(&file.path, blobs.get(&file.path).await?),
        _ => Ok(Vec::new()),
    }
}

/// Reads the hours of one file of `baselines`; none of files of other tables.
///
/// # Errors
///
/// When the file cannot be read.
pub async fn read_baselines(blobs: &Blobs, file: &FileEntry) -> Result<Vec<Hour>> {
    match file.table {
        Table::Baselines => tables::baselines::load(&file.path, blobs.get(&file.path).await?),
        _ => Ok(Vec::new()),
    }
}

/// Hands out the cells of one file of `latency`, with what their sketches were kept as; none of files of other tables.
///
/// # Errors
///
/// When the file cannot be read, or what takes a cell finds that it is none.
pub async fn read_latency(
    blobs: &Blobs,
    file: &FileEntry,
    catalog: &mut Catalog,
    take: impl FnMut(Bucket, LatencyKey, Kept<'_>) -> std::result::Result<(), Fault>,
) -> Result<()> {
    match file.table {
        Table::Latency => {
            let bytes = blobs.get(&file.path).await?;
            tables::latency::load(&file.path, bytes, &Only::default(), catalog, take)
        }
        _ => Ok(()),
    }
}

/// Hands out the cells of one file of `attribution`, with what their sketches were kept as; none of files of other tables.
///
/// # Errors
///
/// When the file cannot be read, or what takes a cell finds that it is none.
pub async fn read_attribution(
    blobs: &Blobs,
    file: &FileEntry,
    catalog: &mut Catalog,
    take: impl FnMut(Bucket, AttributionKey, &KeptAttribution<'_>) -> std::result::Result<(), Fault>,
) -> Result<()> {
    match file.table {
        Table::Attribution => {
            let bytes = blobs.get(&file.path).await?;
            tables::attribution::load(&file.path, bytes, &Only::default(), catalog, take)
        }
        _ => Ok(()),
    }
}

/// Hands out the cells of one file of `write_seconds` that may lie in a stretch; none of files of other tables.
///
/// # Errors
///
/// When the file cannot be read.
pub async fn read_seconds(
    blobs: &Blobs,
    file: &FileEntry,
    span: Span,
    catalog: &mut Catalog,
    take: impl FnMut(SecondKey, Moments),
) -> Result<()> {
    match file.table {
        Table::WriteSeconds => {
            let only = Only {
                times: Some(("second", span.from_unix_nanos, span.until_unix_nanos)),
                ..Only::default()
            };
            tables::write_seconds::load(&file.path, blobs.get(&file.path).await?, &only, catalog, take)
        }
        _ => Ok(()),
    }
}

/// Whether a record has more than one file of findings.
fn files_of_one_record(files: &[FileEntry], file: &FileEntry) -> bool {
    let name = |file: &FileEntry| file.path.rsplit('/').next().map(str::to_owned);
    let same = |other: &&FileEntry| other.table == Table::Findings && name(other) == name(file);
    files.iter().filter(same).count() > 1
}

/// Reads a record's pending legs.
///
/// # Errors
///
/// When the file cannot be read.
pub async fn read_pending(
    blobs: &Blobs,
    cluster: &ClusterId,
    pending: Option<&FileEntry>,
) -> Result<Vec<PendingEvent>> {
    match pending {
        Some(file) => tables::pending::load(&file.path, blobs.get(&file.path).await?, cluster),
        None => Ok(Vec::new()),
    }
}
