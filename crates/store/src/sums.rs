//! What a stretch adds up to, of as few files, row groups and columns as tell it.
//!
//! A file of cells that was put together has beside it the sums of all of its time, in a file of the same name in another table
//! ([`tables::latency_sums`], [`tables::attribution_sums`]). Where a question's stretch has all of a file's time these are read instead, and
//! where it has some of it the cells of that part. So each cell counts once, whatever lies in which file: a sum is never of anything but
//! the one file beside it, which stands in the same records.

use std::collections::HashSet;

use fathom_model::cell::{AttributionKey, Bucket, Candidate, KeptAttribution, LatencyKey, Of, OfKind};
use fathom_model::sketch::{Fault, Kept};
use fathom_model::{Catalog, Op, VolumeIndex};

use crate::blobs::Blobs;
use crate::columns::only::Only;
use crate::error::Result;
use crate::manifest::FileEntry;
use crate::paths::{DataPath, Table};
use crate::scan::Span;
use crate::tables;

/// What is asked of cells.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Cells whose bucket begins in it.
    pub span: Span,
    /// Files of records before this one are not read: not all of their rows have cells.
    pub since: u64,
    /// Of one volume; else of all together.
    pub volume: Option<&'a str>,
    /// Latencies of one operation; else of all.
    pub op: Option<Op>,
    /// Latencies of these kinds.
    pub kinds: &'a [OfKind],
    /// Whether what is attributed comes with its sketches, which are most of it.
    pub with_sketches: bool,
}

impl Ask<'_> {
    /// Whether all cells of a file are asked for, by their time.
    const fn has_all_of(&self, file: &FileEntry) -> bool {
        self.span.from_unix_nanos <= file.min_unix_nanos && file.max_unix_nanos <= self.span.until_unix_nanos
    }

    const fn has(&self, bucket: Bucket) -> bool {
        self.span.from_unix_nanos <= bucket.from_unix_nanos && bucket.from_unix_nanos <= self.span.until_unix_nanos
    }

    fn times(&self) -> Option<(&'static str, i64, i64)> {
        Some(("bucket", self.span.from_unix_nanos, self.span.until_unix_nanos))
    }
}

/// Files of a table that a question touches, each with the name of the file that sums it up if there is one.
fn files<'f>(files: &'f [FileEntry], table: Table, sums: Table, ask: &Ask<'_>) -> Vec<(&'f FileEntry, Option<String>)> {
    let of_sums = files.iter().filter(|file| file.table == sums);
    let there: HashSet<&str> = of_sums.map(|file| file.path.as_str()).collect();
    let own = files
        .iter()
        .filter(|file| file.table == table && ask.span.touches(file));
    let path = |file: &FileEntry| file.path.parse::<DataPath>().ok();
    let own = own.filter_map(|file| Some((file, path(file).filter(|path| path.number >= ask.since)?)));
    own.map(|(file, path)| {
        let sum = DataPath { table: sums, ..path }.to_string();
        (file, there.contains(sum.as_str()).then_some(sum))
    })
    .collect()
}

/// What is asked, in the numbers of a catalog.
struct Asked<'a> {
    ask: &'a Ask<'a>,
    volume: Option<VolumeIndex>,
}

impl<'a> Asked<'a> {
    fn new(ask: &'a Ask<'a>, catalog: &mut Catalog) -> Self {
        let volume = ask.volume.map(|name| catalog.intern_volume(&name.into()));
        Self { ask, volume }
    }

    fn has_volume(&self, volume: VolumeIndex) -> bool {
        self.volume.is_none_or(|asked| asked == volume)
    }

    fn has(&self, key: &LatencyKey) -> bool {
        let is_its = match key.of {
            Of::Io { volume, .. } | Of::Way { volume, .. } => self.has_volume(volume),
            Of::Disk(_) => self.volume.is_none(),
        };
        is_its && self.ask.kinds.contains(&key.of.kind()) && self.ask.op.is_none_or(|op| op == key.op)
    }

    fn only_latency(&self, times: Option<(&'static str, i64, i64)>) -> Only<'a> {
        let kinds = self.ask.kinds.iter().map(|kind| kind.as_str());
        let mut texts = vec![("of", kinds.collect())];
        texts.extend(self.ask.op.map(|op| ("op", vec![op.as_str()])));
        Only {
            texts,
            times,
            // How many values a sketch has is the sum of its counts.
            without: vec!["count"],
        }
    }

    fn only_attribution(&self, times: Option<(&'static str, i64, i64)>) -> Only<'a> {
        let without = if self.ask.with_sketches {
            // How many values they have is the sum of their counts.
            vec!["took_count", "would_count"]
        } else {
            tables::attribution::SKETCHES.to_vec()
        };
        let volume = self.ask.volume.map(|volume| ("volume", vec![volume]));
        Only {
            // Sums are of all volumes, and have no such column.
            texts: volume.into_iter().collect(),
            times,
            without,
        }
    }

    /// The cells of a file of latencies.
    async fn latency(
        &self,
        blobs: &Blobs,
        file: &FileEntry,
        catalog: &mut Catalog,
        mut take: impl FnMut(Bucket, LatencyKey, Kept<'_>) -> std::result::Result<(), Fault>,
    ) -> Result<()> {
        let bytes = blobs.get(&file.path).await?;
        let only = self.only_latency(self.ask.times());
        tables::latency::load(&file.path, bytes, &only, catalog, |bucket, key, kept| {
            if self.ask.has(bucket) && self.has(&key) {
                take(bucket, key, kept)
            } else {
                Ok(())
            }
        })
    }

    /// The cells of a file of what is attributed.
    async fn attribution(
        &self,
        blobs: &Blobs,
        file: &FileEntry,
        catalog: &mut Catalog,
        mut take: impl FnMut(Bucket, AttributionKey, &KeptAttribution<'_>) -> std::result::Result<(), Fault>,
    ) -> Result<()> {
        let bytes = blobs.get(&file.path).await?;
        let only = self.only_attribution(self.ask.times());
        tables::attribution::load(&file.path, bytes, &only, catalog, |bucket, key, cell| {
            if self.has_volume(key.volume) && self.ask.has(bucket) {
                take(bucket, key, cell)
            } else {
                Ok(())
            }
        })
    }
}

/// Hands out latencies of a stretch, each with what its sketch was kept as: what has one key may come many times. How many files were
/// read.
///
/// # Errors
///
/// When a file cannot be read, or what takes a sketch finds that it is none.
pub async fn sum_latency(
    blobs: &Blobs,
    all: &[FileEntry],
    ask: &Ask<'_>,
    catalog: &mut Catalog,
    mut take: impl FnMut(LatencyKey, Kept<'_>) -> std::result::Result<(), Fault>,
) -> Result<u64> {
    let asked = Asked::new(ask, catalog);
    let files = files(all, Table::Latency, Table::LatencySums, ask);
    for (file, sum) in &files {
        if let Some(sum) = sum.as_ref().filter(|_| ask.has_all_of(file)) {
            let bytes = blobs.get(sum).await?;
            tables::latency_sums::load(sum, bytes, &asked.only_latency(None), catalog, |key, kept| {
                if asked.has(&key) { take(key, kept) } else { Ok(()) }
            })?;
        } else {
            let take = |_, key, kept: Kept<'_>| take(key, kept);
            asked.latency(blobs, file, catalog, take).await?;
        }
    }
    Ok(files.len() as u64)
}

/// Hands out the cells of `latency` of a stretch by their buckets, whatever sums there are. How many files were read.
///
/// # Errors
///
/// When a file cannot be read, or what takes a sketch finds that it is none.
pub async fn each_latency(
    blobs: &Blobs,
    all: &[FileEntry],
    ask: &Ask<'_>,
    catalog: &mut Catalog,
    mut take: impl FnMut(Bucket, LatencyKey, Kept<'_>) -> std::result::Result<(), Fault>,
) -> Result<u64> {
    let asked = Asked::new(ask, catalog);
    let files = files(all, Table::Latency, Table::LatencySums, ask);
    for (file, _) in &files {
        asked.latency(blobs, file, catalog, &mut take).await?;
    }
    Ok(files.len() as u64)
}

/// Hands out what writes of a stretch are attributed to, as columns keep it: what has one candidate may come many times. How many files
/// were read.
///
/// # Errors
///
/// When a file cannot be read, or what takes a cell finds that it is none.
pub async fn sum_attribution(
    blobs: &Blobs,
    all: &[FileEntry],
    ask: &Ask<'_>,
    catalog: &mut Catalog,
    mut take: impl FnMut(Candidate, &KeptAttribution<'_>) -> std::result::Result<(), Fault>,
) -> Result<u64> {
    let asked = Asked::new(ask, catalog);
    let files = files(all, Table::Attribution, Table::AttributionSums, ask);
    for (file, sum) in &files {
        let is_whole = ask.volume.is_none() && ask.has_all_of(file);
        if let Some(sum) = sum.as_ref().filter(|_| is_whole) {
            let bytes = blobs.get(sum).await?;
            tables::attribution_sums::load(sum, bytes, &asked.only_attribution(None), catalog, &mut take)?;
        } else {
            let take = |_, key: AttributionKey, cell: &KeptAttribution<'_>| take(key.to, cell);
            asked.attribution(blobs, file, catalog, take).await?;
        }
    }
    Ok(files.len() as u64)
}

/// Hands out the cells of `attribution` of a stretch by their minutes and volumes, whatever sums there are. How many files were read.
///
/// # Errors
///
/// When a file cannot be read, or what takes a cell finds that it is none.
pub async fn each_attribution(
    blobs: &Blobs,
    all: &[FileEntry],
    ask: &Ask<'_>,
    catalog: &mut Catalog,
    mut take: impl FnMut(Bucket, AttributionKey, &KeptAttribution<'_>) -> std::result::Result<(), Fault>,
) -> Result<u64> {
    let asked = Asked::new(ask, catalog);
    let files = files(all, Table::Attribution, Table::AttributionSums, ask);
    for (file, _) in &files {
        asked.attribution(blobs, file, catalog, &mut take).await?;
    }
    Ok(files.len() as u64)
}

/// The longest bucket that cells of `latency` of a stretch may have, in nanoseconds.
#[must_use]
pub fn longest_bucket(all: &[FileEntry], span: Span) -> i64 {
    let ask = Ask {
        span,
        since: 0,
        volume: None,
        op: None,
        kinds: &OfKind::ALL,
        with_sketches: false,
    };
    let is_coarse = files(all, Table::Latency, Table::LatencySums, &ask)
        .into_iter()
        .any(|(file, sum)| {
            let merged = file.path.parse::<DataPath>().map_or(0, |path| path.merged);
            // Before there were sums the second level was that of minutes.
            merged > 2 || (merged == 2 && sum.is_none())
        });
    if is_coarse {
        Bucket::COARSE_NANOS
    } else {
        Bucket::FINE_NANOS
    }
}
