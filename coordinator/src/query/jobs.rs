//! What storage jobs cost, of rows or of what these added up to, and what writes would have taken without one, of rows.

use std::ops::ControlFlow;
use std::sync::Arc;

use fathom_diagnose::compare::Span as Stretch;
use fathom_diagnose::jobs::Running;
use fathom_diagnose::ledger::{Entry, Job, Ledger, Times};
use fathom_diagnose::what_if::{JobAway, WhatIf, WithoutJob};
use fathom_model::Catalog;
use fathom_model::cell::{Moments, SecondKey};
use fathom_model::sketch::RELATIVE_ERROR;
use fathom_store::paths::Table;
use fathom_store::{Span, read_rows, read_seconds};

use super::Snapshot;
use super::state::StateSnapshot;
use super::sums::{Source, Wanted};
use crate::error::Result;

const SECOND: i64 = 1_000_000_000;

/// What writes would have taken without a job.
pub(crate) struct JobAnswer {
    /// As they were.
    pub(crate) what_if: WhatIf,
    pub(crate) without: WithoutJob,
    pub(crate) source: Source,
}

const fn stretch((from_unix_nanos, until_unix_nanos): (i64, i64)) -> Span {
    Span {
        from_unix_nanos,
        until_unix_nanos,
    }
}

impl Snapshot {
    /// Storage jobs that are known to have run, as state says. Blocks: files are read.
    pub(super) fn running(&self) -> Result<Vec<Running>> {
        let state = StateSnapshot::new(self.cluster.clone(), None);
        let known = state.jobs()?.into_iter().map(|known| Running {
            name: known.last.text("name").unwrap_or(&known.job.id).to_owned(),
            id: known.job.id,
            from_unix_nanos: known.job.from_unix_nanos,
            until_unix_nanos: Some(known.job.until_unix_nanos),
            moved_bytes: known.course.moved_bytes,
        });
        Ok(known.collect())
    }

    /// What jobs did and cost, in their order. Blocks: files are read, of rows twice.
    pub(crate) fn ledger(&self, jobs: Vec<Job>, wanted: Wanted) -> Result<(Vec<Entry>, Source)> {
        let Some((from_unix_nanos, until_unix_nanos)) = Ledger::new(jobs.clone()).span() else {
            return Ok((Vec::new(), Source::rows(0)));
        };
        let by_tables = match wanted {
            Wanted::Rows => false,
            Wanted::Tables => true,
            Wanted::Either => self.is_long(&[Stretch {
                from_unix_nanos,
                until_unix_nanos,
            }]),
        };
        let span = stretch((from_unix_nanos, until_unix_nanos));
        if by_tables {
            return self.ledger_by_tables(jobs, span);
        }
        let mut ledger = Ledger::new(jobs);
        let names = self.each_in(span, Catalog::clone(&self.view.catalog), &mut |rows, _| {
            ledger.see(rows);
            ControlFlow::Continue(())
        })?;
        // With the names of the first pass: drives are spoken of by their indices.
        let names = self.each_in(span, names, &mut |rows, _| {
            rows.ios.iter().for_each(|io| ledger.count(rows, io));
            ControlFlow::Continue(())
        })?;
        Ok((ledger.report(&names), Source::rows(self.files_in(span))))
    }

    /// The same of what writes of each second added up to, and of what drives did for no write.
    fn ledger_by_tables(&self, jobs: Vec<Job>, span: Span) -> Result<(Vec<Entry>, Source)> {
        let mut ledger = Ledger::of_sums(jobs);
        let (mut names, mut files) = (Catalog::clone(&self.view.catalog), 0);
        let runtime = tokio::runtime::Handle::current();
        let own = self.view.files.iter();
        for file in own.filter(|file| file.table == Table::Unmatched && span.touches(file)) {
            files += 1;
            let read = read_rows(&self.cluster.blobs, &self.cluster.id, file, &mut names);
            if let Some(rows) = runtime.block_on(read)? {
                ledger.see(&rows);
            }
        }
        self.view.hot.iter().for_each(|rows| ledger.see(rows));
        let take = &mut |key: &SecondKey, moments: &Moments| ledger.add_second(key, moments);
        self.each_second(span, &mut names, &mut files, take)?;
        let source = Source {
            // Seconds have all that the ledger counts.
            relative_error: 0.0,
            bucket_nanos: 0,
            ..Source::tables(files)
        };
        Ok((ledger.report(&names), source))
    }

    /// What writes of a stretch that pass the filter took, by second. What is alike may come many times.
    fn each_second(
        &self,
        span: Span,
        names: &mut Catalog,
        files: &mut u64,
        take: &mut impl FnMut(&SecondKey, &Moments),
    ) -> Result<()> {
        let volume = self.filter.volume.as_deref();
        let volume = volume.map(|name| names.intern_volume(&name.into()));
        let runtime = tokio::runtime::Handle::current();
        let own = self.view.files.iter();
        for file in own.filter(|file| file.table == Table::WriteSeconds && span.touches(file)) {
            *files += 1;
            let read = read_seconds(&self.cluster.blobs, file, span, names, |key, moments| {
                let at = key.second.saturating_mul(SECOND);
                let is_in = span.from_unix_nanos <= at && at <= span.until_unix_nanos;
                if is_in && volume.is_none_or(|volume| volume == key.volume) {
                    take(&key, &moments);
                }
            });
            runtime.block_on(read)?;
        }
        let rest = self.rest(span, names, files, self.view.seconds_since)?.take();
        rest.seconds.cells.iter().for_each(|(key, moments)| take(key, moments));
        Ok(())
    }

    /// What writes would have taken without one of some jobs. Blocks: files are read.
    pub(crate) fn without_job(&self, jobs: Vec<Job>, job: usize) -> Result<JobAnswer> {
        let mut away = JobAway::new(Times::new(jobs), job, self.span().from_unix_nanos);
        let from = self.span().from_unix_nanos;
        let around = away.span().map_or(from, |(around, _)| around);
        let mut what_if = WhatIf::default();
        let until = self.span().until_unix_nanos;
        let last = away.span().map_or(until, |(_, around)| around);
        let span = stretch((from.min(around), until.max(last)));
        self.since_ever()
            .each_in(span, Catalog::clone(&self.view.catalog), &mut |rows, _| {
                for io in &rows.ios {
                    away.add(io);
                    if (from..=until).contains(&io.event.end_unix_nanos()) {
                        what_if.add(rows, io);
                    }
                }
                ControlFlow::Continue(())
            })?;
        let source = Source {
            // How writes are spread is in bins here too.
            relative_error: RELATIVE_ERROR,
            ..Source::rows(self.files_in(span))
        };
        Ok(JobAnswer {
            what_if,
            without: away.finish(),
            source,
        })
    }

    /// The same without a beginning and an end: what is usual may lie before and after.
    fn since_ever(&self) -> Self {
        Self {
            cluster: self.cluster.clone(),
            view: Arc::clone(&self.view),
            filter: self.filter.clone(),
            newest: self.newest,
            from: None,
            until: None,
        }
    }
}
