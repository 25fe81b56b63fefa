//! Answers from what rows add up to: the tables `latency` and `attribution`, and on top what is in neither.
//!
//! # What is read
//!
//! Cells of the stretch from files of records that have them; the rows of older records, one by one; and the rows that are in no record
//! yet. So each I/O counts once, whatever was written when: a record has the rows and their cells, or neither.
//!
//! # Where a stretch begins
//!
//! Cells are of whole minutes at most, so that a stretch is moved back to where its first minute began, and the answer says so.

use std::collections::BTreeMap;

use fathom_diagnose::baseline::Recent;
use fathom_diagnose::compare::{Compare, Compared, Span as Stretch};
use fathom_diagnose::dated::Dated;
use fathom_diagnose::latency::{By, Latencies};
use fathom_diagnose::overview;
use fathom_diagnose::summary::Summary;
use fathom_diagnose::tally::{Tally, Totals};
use fathom_diagnose::what_if::WhatIf;
use fathom_model::cell::{Attribution, Bucket, KeptAttribution, LatencyKey, Of, OfKind};
use fathom_model::finding::Finding;
use fathom_model::report::{Clock, Latency, Report};
use fathom_model::sketch::{Kept, RELATIVE_ERROR, Sketch};
use fathom_model::{Catalog, JoinedRows, Op};
use fathom_store::paths::{DataPath, Table};
use fathom_store::{
    Ask, FileEntry, Span, each_attribution, each_latency, longest_bucket, read_changes, read_rows, sum_attribution,
    sum_latency,
};

use super::baselines::Against;
use super::{Found, Snapshot};
use crate::error::Result;

/// Beyond so many I/Os an answer is made of what they add up to: up to here percentiles of rows are exact, and read in a second.
const LONG: u64 = 200_000;

/// What percentiles of rows are off by at most: of many I/Os they are of histograms of three digits, and of bins of one part in 512.
const ROWS_ERROR: f64 = 0.001;

/// What an answer was made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Source {
    pub(crate) by_tables: bool,
    pub(crate) relative_error: f64,
    pub(crate) bucket_nanos: i64,
    pub(crate) files: u64,
}

impl Source {
    pub(crate) const fn rows(files: u64) -> Self {
        Self {
            by_tables: false,
            relative_error: ROWS_ERROR,
            bucket_nanos: 0,
            files,
        }
    }

    pub(super) const fn tables(files: u64) -> Self {
        Self {
            by_tables: true,
            relative_error: RELATIVE_ERROR,
            bucket_nanos: Bucket::COARSE_NANOS,
            files,
        }
    }
}

/// A report with what stands beside it.
pub(crate) struct Whole {
    pub(crate) report: Report,
    /// The slowest write, where it was looked up: of rows.
    pub(crate) slowest: Option<Found>,
    /// Its name, where it was not.
    pub(crate) slowest_id: Option<String>,
    pub(crate) changes: Vec<Dated>,
    pub(crate) against: Vec<Against>,
    pub(crate) source: Source,
}

/// What an answer is to be made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Whatever is quick.
    #[default]
    Either,
    Rows,
    Tables,
}

/// Which cells are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needed {
    /// Latencies of an operation, grouped.
    Latency(By, Op),
    /// Latencies by tap, of all operations that are asked for.
    Sketches,
    /// What writes waited for, and what they would have taken.
    Attribution,
    /// What a report is made of: no sketch of what writes waited for.
    Report,
}

impl Needed {
    const fn latency(self) -> bool {
        matches!(self, Self::Latency(..) | Self::Sketches | Self::Report)
    }

    const fn attribution(self) -> bool {
        matches!(self, Self::Attribution | Self::Report)
    }

    const fn sketches(self) -> bool {
        matches!(self, Self::Attribution)
    }

    const fn kinds(self) -> &'static [OfKind] {
        match self {
            Self::Latency(by, _) => by.kinds(),
            Self::Sketches => By::Tap.kinds(),
            Self::Attribution => &[],
            Self::Report => By::Node.kinds(),
        }
    }

    const fn op(self) -> Option<Op> {
        match self {
            Self::Latency(_, op) => Some(op),
            Self::Sketches | Self::Attribution | Self::Report => None,
        }
    }
}

/// What the stretch adds up to.
pub(super) struct Sums {
    pub(super) totals: Totals,
    pub(super) names: Catalog,
    pub(super) files: u64,
}

impl Snapshot {
    /// Chooses what an answer is made of, and moves the beginning and the end to where they can be told. `can` says why tables cannot tell, if so.
    pub(crate) fn choose(
        &mut self,
        wanted: Wanted,
        can: std::result::Result<(), String>,
    ) -> std::result::Result<bool, String> {
        let by_tables = match (wanted, can) {
            (Wanted::Rows, _) | (Wanted::Either, Err(_)) => false,
            (Wanted::Tables, Err(why)) => return Err(why),
            (Wanted::Tables, Ok(())) => true,
            (Wanted::Either, Ok(())) => self.ios_in(self.span()) > LONG,
        };
        if by_tables {
            self.from = self
                .from
                .map(|from| Bucket::of(from, Bucket::COARSE_NANOS).from_unix_nanos);
            self.until = self.until.map(|until| {
                let bucket = Bucket::of(until, Bucket::COARSE_NANOS);
                bucket.from_unix_nanos.saturating_add(Bucket::COARSE_NANOS - 1)
            });
        }
        Ok(by_tables)
    }

    /// Whether the tables can tell of what passes the filter.
    pub(crate) fn tables_can(&self) -> std::result::Result<(), String> {
        if self.filter.node.is_some() || self.filter.disk.is_some() {
            let why = "tables do not tell which I/Os have a copy at a node or a disk: leave filter.node and filter.disk out, or take rows";
            return Err(why.to_owned());
        }
        Ok(())
    }

    /// The same for latencies that are grouped.
    pub(crate) fn tables_can_by(&self, by: By) -> std::result::Result<(), String> {
        self.tables_can()?;
        if by == By::Disk && self.filter.volume.is_some() {
            return Err("tables have disks of all volumes together: leave filter.volume out, or take rows".to_owned());
        }
        Ok(())
    }

    /// About how many I/Os a stretch has: a file that is in it in part counts whole.
    pub(crate) fn ios_in(&self, span: Span) -> u64 {
        let files = self.view.files.iter();
        let files = files.filter(|file| file.table == Table::Ios && span.touches(file));
        let hot: u64 = self.view.hot.iter().map(|rows| rows.ios.len() as u64).sum();
        files.map(|file| file.rows).sum::<u64>() + hot
    }

    /// Whether stretches have so many I/Os that they are not read one by one.
    pub(crate) fn is_long(&self, stretches: &[Stretch]) -> bool {
        let ios = stretches.iter().map(|stretch| {
            self.ios_in(Span {
                from_unix_nanos: stretch.from_unix_nanos,
                until_unix_nanos: stretch.until_unix_nanos,
            })
        });
        ios.sum::<u64>() > LONG
    }

    /// Files of rows that a stretch touches.
    pub(crate) fn files_in(&self, span: Span) -> u64 {
        let files = self.view.files.iter();
        files
            .filter(|file| file.table == Table::Ios && span.touches(file))
            .count() as u64
    }

    /// Whether a file is of a record from which on all rows have cells of a kind.
    fn is_since(file: &FileEntry, since: u64) -> bool {
        let path = file.path.parse::<DataPath>();
        path.is_ok_and(|path| path.number >= since)
    }

    /// What the rows of a stretch add up to that are in no file of cells: those of records before one, and of none.
    pub(super) fn rest(&self, span: Span, names: &mut Catalog, files: &mut u64, since: u64) -> Result<Tally> {
        let mut tally = Tally::default();
        let runtime = tokio::runtime::Handle::current();
        let mut add = |rows: &JoinedRows, names: &Catalog| {
            let kept;
            let rows = if self.filter.keeps_all() {
                rows
            } else {
                kept = self.filter.apply(rows, names, self.span());
                &kept
            };
            for io in &rows.ios {
                let end = io.event.end_unix_nanos();
                if span.from_unix_nanos <= end && end <= span.until_unix_nanos {
                    tally.add_io(rows, io, names);
                }
            }
        };
        for file in self.view.files.iter() {
            if file.table != Table::Ios || !span.touches(file) || Self::is_since(file, since) {
                continue;
            }
            *files += 1;
            if let Some(rows) = runtime.block_on(read_rows(&self.cluster.blobs, &self.cluster.id, file, names))? {
                add(&rows, names);
            }
        }
        for rows in &self.view.hot {
            add(rows, &self.view.catalog);
        }
        Ok(tally)
    }

    /// Adds up a stretch.
    pub(super) fn sums(&self, needed: Needed) -> Result<Sums> {
        let mut names = Catalog::clone(&self.view.catalog);
        let span = self.span();
        let op = needed.op().or(self.filter.op);
        let kinds = needed.kinds();
        let ask = Ask {
            span,
            since: self.view.cells_since,
            volume: self.filter.volume.as_deref(),
            op,
            kinds,
            with_sketches: needed.sketches(),
        };
        let (mut latency, mut attribution) = (BTreeMap::<LatencyKey, Sketch>::new(), BTreeMap::new());
        let runtime = tokio::runtime::Handle::current();
        let (blobs, own) = (&self.cluster.blobs, &self.view.files);
        let mut files = 0;
        if needed.latency() {
            let take = |key, kept: Kept<'_>| latency.entry(key).or_default().merge_bins(kept);
            files += runtime.block_on(sum_latency(blobs, own, &ask, &mut names, take))?;
        }
        if needed.attribution() {
            let take = |to, kept: &KeptAttribution<'_>| {
                let cell: &mut Attribution = attribution.entry(to).or_default();
                cell.merge_kept(kept)
            };
            files += runtime.block_on(sum_attribution(blobs, own, &ask, &mut names, take))?;
        }
        let mut totals = Totals { latency, attribution };
        let mut cells = self.rest(span, &mut names, &mut files, self.view.cells_since)?.take();
        // Of disks there is one sum for all volumes: with a filter it is of that volume alone.
        let has_disks = self.filter.volume.is_none();
        let is_asked = |key: &LatencyKey| {
            (has_disks || key.of.kind() != OfKind::Disk)
                && kinds.contains(&key.of.kind())
                && op.is_none_or(|op| op == key.op)
        };
        cells.latency.cells.retain(|(_, key), _| is_asked(key));
        totals.add(&cells);
        Ok(Sums { totals, names, files })
    }

    /// Latency of one operation, grouped.
    pub(crate) fn latency_by_tables(&self, by: By, op: Op) -> Result<(Vec<Latency>, Source)> {
        let sums = self.sums(Needed::Latency(by, op))?;
        let mut latencies = Latencies::new(by, op);
        let latency = &sums.totals.latency;
        latency.iter().for_each(|(key, sketch)| latencies.add_cell(key, sketch));
        Ok((latencies.report(&sums.names), Source::tables(sums.files)))
    }

    /// What would have been, and the names of everything.
    pub(crate) fn what_if_by_tables(&self) -> Result<(WhatIf, Catalog, Source)> {
        let sums = self.sums(Needed::Attribution)?;
        let what_if = WhatIf::of_totals(&sums.totals.attribution);
        Ok((what_if, sums.names, Source::tables(sums.files)))
    }

    /// Everything at once, the name of the slowest write, and what changed with something that happened. What was not heard is the caller's
    /// to add.
    pub(crate) fn report_by_tables(&self, clocks: Vec<Clock>) -> Result<Whole> {
        let mut sums = self.sums(Needed::Report)?;
        let felt = self.felt_in(self.span())?;
        let mut report = overview::of_totals(&sums.totals, &felt, clocks, &sums.names);
        let slowest = overview::slowest(&sums.totals).map(str::to_owned);
        self.note_unmatched(&mut report, &mut sums.names, &mut sums.files)?;
        // Of copies cells do not have how long they are.
        let mut recent = Recent::default();
        for (key, sketch) in &sums.totals.latency {
            if let Of::Io { volume, size, .. } = key.of {
                recent.add_whole(volume, key.op, size.up_to_bytes(), sketch);
            }
        }
        let against = self.against(&recent, &sums.names, &mut report);
        Ok(Whole {
            against,
            report,
            slowest: None,
            slowest_id: slowest,
            changes: self.changes_by_tables()?,
            source: Source::tables(sums.files),
        })
    }

    /// Events of no I/O, where there are not too many of them to be counted one by one.
    fn note_unmatched(&self, report: &mut Report, names: &mut Catalog, files: &mut u64) -> Result<()> {
        let span = self.span();
        let own = self.view.files.iter();
        let own: Vec<&FileEntry> = own
            .filter(|file| file.table == Table::Unmatched && span.touches(file))
            .collect();
        let stored: u64 = own.iter().map(|file| file.rows).sum();
        if stored > LONG {
            report.unseen.warnings.push(format!(
                "about {stored} events of the stretch belong to no I/O; they were not looked at one by one (fathom why --source rows does)"
            ));
            return Ok(());
        }
        let runtime = tokio::runtime::Handle::current();
        let mut summary = Summary::default();
        for file in own {
            *files += 1;
            let read = read_rows(&self.cluster.blobs, &self.cluster.id, file, names);
            if let Some(rows) = runtime.block_on(read)? {
                let kept = self.filter.apply(&rows, names, self.span());
                kept.unmatched.iter().for_each(|event| summary.add_unmatched(event));
            }
        }
        for rows in &self.view.hot {
            let kept = self.filter.apply(rows, &self.view.catalog, self.span());
            kept.unmatched.iter().for_each(|event| summary.add_unmatched(event));
        }
        report.unseen.unmatched = summary.unmatched(names);
        Ok(())
    }

    /// Findings that writes of a stretch showed, of the filter's volume.
    fn felt_in(&self, span: Span) -> Result<Vec<Finding>> {
        // One that was felt in the stretch has changed since, or stands in the record.
        let files = self.view.files.iter();
        let files: Vec<FileEntry> = files
            .filter(|file| file.table == Table::Findings && file.max_unix_nanos >= span.from_unix_nanos)
            .cloned()
            .collect();
        let runtime = tokio::runtime::Handle::current();
        let changes = runtime.block_on(read_changes(&self.cluster.blobs, &files, 0))?;
        let mut findings: BTreeMap<String, Finding> = BTreeMap::new();
        findings.extend(
            changes
                .into_iter()
                .map(|change| (change.finding.id.clone(), change.finding)),
        );
        let recent = self.view.findings.iter().cloned();
        findings.extend(recent.map(|finding| (finding.id.clone(), finding)));
        let felt = findings.into_values().filter(|finding| {
            let is_of_writes = matches!(
                finding.kind.as_str(),
                "disk" | "link" | "node" | "initiator" | "unknown" | "job"
            );
            let is_in = finding.first_unix_ns <= span.until_unix_nanos && finding.last_unix_ns >= span.from_unix_nanos;
            let is_its = self.filter.volume.as_ref().is_none_or(|volume| {
                finding.victims.is_empty() || finding.victims.iter().any(|victim| victim.volume == *volume)
            });
            // What writes alone show cost something, known or not; what state shows only where they felt it.
            let is_felt = finding.cost_ns > 0 || finding.observations.is_empty();
            is_of_writes && is_felt && finding.part_of.is_none() && is_in && is_its
        });
        Ok(felt.collect())
    }

    /// Two stretches of whole minutes side by side. Blocks: files are read.
    pub(crate) fn compare_by_tables(&self, before: Stretch, after: Stretch) -> Result<(Compared, Source)> {
        let spans = [before, after].map(|stretch| Span {
            from_unix_nanos: stretch.from_unix_nanos,
            until_unix_nanos: stretch.until_unix_nanos.saturating_sub(1),
        });
        let longest = spans.map(|span| longest_bucket(&self.view.files, span));
        let mut compare = Compare::of_buckets(before, after, longest);
        let mut names = Catalog::clone(&self.view.catalog);
        let runtime = tokio::runtime::Handle::current();
        let mut read = 0;
        for (number, span) in spans.into_iter().enumerate() {
            let ask = Ask {
                span,
                since: self.view.cells_since,
                volume: None,
                op: Some(Op::Write),
                kinds: &[OfKind::Io, OfKind::Disk],
                with_sketches: false,
            };
            let (blobs, own) = (&self.cluster.blobs, &self.view.files);
            let latencies = each_latency(blobs, own, &ask, &mut names, |bucket, key, kept| {
                let mut sketch = Sketch::new();
                sketch.merge_bins(kept)?;
                compare.add_latency(number, bucket, &key, &sketch);
                Ok(())
            });
            read += runtime.block_on(latencies)?;
            let shares = each_attribution(blobs, own, &ask, &mut names, |bucket, key, cell| {
                compare.add_attribution(number, bucket, &key, &cell.counts);
                Ok(())
            });
            read += runtime.block_on(shares)?;
            let cells = self.rest(span, &mut names, &mut read, self.view.cells_since)?.take();
            for ((bucket, key), sketch) in &cells.latency.cells {
                compare.add_latency(number, *bucket, key, sketch);
            }
            for ((bucket, key), cell) in &cells.attribution.cells {
                compare.add_attribution(number, *bucket, key, cell);
            }
        }
        Ok((compare.report(&names), Source::tables(read)))
    }
}
