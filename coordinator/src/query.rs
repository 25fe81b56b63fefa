//! Typed queries: plain scans over the files of one manifest record and the rows that are not in it yet.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

use fathom_diagnose::baseline::Recent;
use fathom_diagnose::culprit::Case;
use fathom_diagnose::dated::Search;
use fathom_diagnose::detail::detail;
use fathom_diagnose::jobs::settle;
use fathom_diagnose::latency::{By, Latencies};
use fathom_diagnose::overview::Overview;
use fathom_model::report::{Clock, IoDetail, Latency};
use fathom_model::{Catalog, Io, IoId, JoinedRows, Op};
use fathom_store::{FileEntry, Span, read_rows};

use crate::error::{Error, Result};
use crate::ingest::{Cluster, View};

pub(crate) mod baselines;
pub(crate) mod costs;
pub(crate) mod counters;
mod dated;
mod durable;
mod filter;
pub(crate) mod findings;
pub(crate) mod jobs;
mod sketches;
pub(crate) mod state;
pub(crate) mod sums;
mod what_if;

pub(crate) use filter::{Filter, known_node_of_state};
use sums::{Source, Whole};

/// What one query looks at: it does not change while the query runs.
pub(crate) struct Snapshot {
    cluster: Cluster,
    view: Arc<View>,
    filter: Filter,
    /// Completion of the cluster's newest I/O.
    newest: Option<i64>,
    /// I/Os that completed before this are left out; of tables where a minute begins.
    from: Option<i64>,
    /// I/Os that completed after this are left out; of tables where a minute ends.
    until: Option<i64>,
}

/// An I/O as an answer shows it, with what the detail does not hold.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) detail: IoDetail,
    pub(crate) ordinal: u64,
    /// Ordinals of failed attempts, a leg.
    pub(crate) attempts: Vec<Vec<u64>>,
}

impl Found {
    fn new(rows: &JoinedRows, io: &Io, catalog: &Catalog) -> Self {
        Self {
            detail: detail(rows, io, catalog),
            ordinal: io.event.ordinal,
            attempts: rows.legs_of(io).iter().map(|leg| leg.more.initiator.clone()).collect(),
        }
    }
}

/// Where rows are.
enum Part<'a> {
    File(&'a FileEntry),
    Hot(&'a JoinedRows),
}

/// In which order I/Os are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Newest,
    Slowest,
}

/// A page of I/Os.
pub(crate) struct Page {
    pub(crate) ios: Vec<Found>,
    /// How many passed the filter, on all pages.
    pub(crate) total: u64,
}

impl Snapshot {
    pub(crate) fn new(cluster: Cluster, filter: Filter) -> Self {
        let view = cluster.view();
        let in_files = view
            .files
            .iter()
            .filter(|file| file.table == fathom_store::paths::Table::Ios);
        let in_files = in_files.map(|file| file.max_unix_nanos).max();
        let in_hot = view
            .hot
            .iter()
            .flat_map(|rows| rows.ios.iter().map(|io| io.event.end_unix_nanos()))
            .max();
        let newest = in_files.max(in_hot);
        let from = newest
            .zip(filter.since_nanos)
            .map(|(newest, since)| newest.saturating_sub_unsigned(since));
        let until = newest
            .zip(filter.until_nanos)
            .map(|(newest, until)| newest.saturating_sub_unsigned(until));
        Self {
            cluster,
            view,
            filter,
            newest,
            from,
            until,
        }
    }

    pub(crate) const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    pub(crate) const fn newest(&self) -> Option<i64> {
        self.newest
    }

    pub(crate) const fn from(&self) -> Option<i64> {
        self.from
    }

    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// Hands out all rows that pass the filter, in the order in which they were decided. Blocks: files are read.
    /// Returns the catalog with all names that were met.
    fn each(&self, mut take: impl FnMut(&JoinedRows, &Catalog) -> ControlFlow<()>) -> Result<Catalog> {
        self.each_in(self.span(), Catalog::clone(&self.view.catalog), &mut take)
    }

    const fn span(&self) -> Span {
        Span {
            from_unix_nanos: match self.from {
                Some(from) => from,
                None => i64::MIN,
            },
            until_unix_nanos: match self.until {
                Some(until) => until,
                None => i64::MAX,
            },
        }
    }

    /// Files are read into a catalog that has the names of the hot rows, so that one index means one thing in both.
    fn each_in(
        &self,
        span: Span,
        mut catalog: Catalog,
        take: &mut impl FnMut(&JoinedRows, &Catalog) -> ControlFlow<()>,
    ) -> Result<Catalog> {
        let mut flow = ControlFlow::Continue(());
        let runtime = tokio::runtime::Handle::current();
        for file in self.view.files.iter().filter(|file| span.touches(file)) {
            // Rows are handed out between reads, not within: what takes them may itself wait.
            let read = runtime.block_on(read_rows(&self.cluster.blobs, &self.cluster.id, file, &mut catalog))?;
            let Some(rows) = read else { continue };
            flow = self.filtered(&rows, &catalog, &mut *take);
            if flow.is_break() {
                break;
            }
        }
        for rows in &self.view.hot {
            if flow.is_break() {
                break;
            }
            flow = self.filtered(rows, &catalog, &mut *take);
        }
        Ok(catalog)
    }

    fn filtered(
        &self,
        rows: &JoinedRows,
        catalog: &Catalog,
        take: &mut impl FnMut(&JoinedRows, &Catalog) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if self.filter.keeps_all() {
            return take(rows, catalog);
        }
        let kept = self.filter.apply(rows, catalog, self.span());
        if kept.is_empty() {
            ControlFlow::Continue(())
        } else {
            take(&kept, catalog)
        }
    }

    /// Everything at once, by what is known of the clocks, the slowest write, what changed with something that happened, and how it is
    /// against what is usual. What was not heard is the caller's to add.
    pub(crate) fn report(&self, clocks: Vec<Clock>) -> Result<Whole> {
        let (mut search, mut recent) = (self.search()?, Recent::default());
        let (mut overview, names) = self.overview(clocks, &mut search, &mut recent)?;
        let warnings = self
            .view
            .topology
            .as_deref()
            .map(|topology| overview.writerless(topology, &names));
        let foreign = overview.take_foreign();
        let (mut report, case) = overview.finish(&names);
        report.unseen.warnings = warnings.unwrap_or_default();
        let mut culprit = None;
        if let Some(mut case) = case {
            self.gather(&mut case, names.clone())?;
            culprit = case.close(&names);
        }
        // What was read of jobs is only looked for where something may be theirs.
        let is_found = culprit.is_some() || !report.culprits.is_empty();
        let running = if is_found && !foreign.is_empty() {
            self.running()?
        } else {
            Vec::new()
        };
        settle(&mut report, culprit, &running, &foreign);
        let against = self.against(&recent, &names, &mut report);
        let slowest = match &report.slowest_write {
            Some(slowest) => slowest
                .id
                .parse::<IoId>()
                .ok()
                .map(|id| self.find(&id))
                .transpose()?
                .flatten(),
            None => None,
        };
        Ok(Whole {
            report,
            slowest,
            slowest_id: None,
            changes: search.report(),
            against,
            source: self.source_of_rows(),
        })
    }

    /// Files and hot rows in the order of their first I/Os, so that of those that are read no more wait than overlap with others.
    fn overview(
        &self,
        clocks: Vec<Clock>,
        search: &mut Search,
        recent: &mut Recent,
    ) -> Result<(Overview<'_>, Catalog)> {
        let span = self.span();
        let files = self.view.files.iter().filter(|file| span.touches(file));
        let files = files.map(|file| (file.min_unix_nanos, Part::File(file)));
        let hot = self.view.hot.iter().map(|rows| {
            let first = rows.ios.iter().map(|io| io.event.end_unix_nanos()).min();
            (first.unwrap_or(i64::MIN), Part::Hot(rows))
        });
        let mut parts: Vec<(i64, Part<'_>)> = files.chain(hot).collect();
        parts.sort_by_key(|&(first, _)| first);
        let mut catalog = Catalog::clone(&self.view.catalog);
        let mut overview = Overview::new(clocks);
        let runtime = tokio::runtime::Handle::current();
        for (first, part) in parts {
            overview.settle(first);
            let rows = match part {
                Part::Hot(rows) => Cow::Borrowed(rows),
                Part::File(file) => {
                    let read = read_rows(&self.cluster.blobs, &self.cluster.id, file, &mut catalog);
                    let Some(rows) = runtime.block_on(read)? else { continue };
                    Cow::Owned(rows)
                }
            };
            overview.see(&rows.unmatched, &catalog);
            let rows = if self.filter.keeps_all() {
                rows
            } else {
                Cow::Owned(self.filter.apply(&rows, &catalog, self.span()))
            };
            search.add(&rows, &catalog);
            recent.add(&rows);
            overview.add(rows, &catalog);
        }
        Ok((overview, catalog))
    }

    /// The second pass, with the names of the first: the case speaks in their indices.
    fn gather(&self, case: &mut Case, names: Catalog) -> Result<()> {
        self.each_in(self.span(), names, &mut |rows, catalog| {
            rows.ios.iter().for_each(|io| case.add(rows, io, catalog));
            ControlFlow::Continue(())
        })?;
        Ok(())
    }

    /// Latency of one operation, grouped, of tables or rows.
    pub(crate) fn latency_of(&self, by_tables: bool, by: By, op: Op) -> Result<(Vec<Latency>, Source)> {
        if by_tables {
            return self.latency_by_tables(by, op);
        }
        Ok((self.latency(by, op)?, self.source_of_rows()))
    }

    /// What an answer of rows was made of.
    pub(crate) fn source_of_rows(&self) -> Source {
        Source::rows(self.files_in(self.span()))
    }

    /// Latency of one operation, grouped.
    fn latency(&self, by: By, op: Op) -> Result<Vec<Latency>> {
        let mut latencies = Latencies::new(by, op);
        let names = self.each(|rows, _| {
            rows.ios.iter().for_each(|io| latencies.add(io, rows.legs_of(io)));
            ControlFlow::Continue(())
        })?;
        Ok(latencies.report(&names))
    }

    /// A page of I/Os.
    pub(crate) fn list(&self, order: Order, skip: usize, most: usize) -> Result<Page> {
        let wanted = skip.saturating_add(most);
        let mut best: Vec<((u64, i64, u64), Found)> = Vec::new();
        let mut total = 0;
        let mut least = (0, i64::MIN, 0);
        self.each(|rows, catalog| {
            for io in &rows.ios {
                total += 1;
                let end = io.event.end_unix_nanos();
                let key = match order {
                    Order::Newest => (0, end, io.event.ordinal),
                    Order::Slowest => (io.event.duration_nanos, end, io.event.ordinal),
                };
                if best.len() >= wanted && key <= least {
                    continue;
                }
                best.push((key, Found::new(rows, io, catalog)));
                if best.len() >= 2 * wanted + 64 {
                    least = keep_best(&mut best, wanted);
                }
            }
            ControlFlow::Continue(())
        })?;
        keep_best(&mut best, wanted);
        let ios = best.into_iter().map(|(_, found)| found).skip(skip).collect();
        Ok(Page { ios, total })
    }

    /// The same view of everything.
    fn unfiltered(&self) -> Self {
        Self {
            cluster: self.cluster.clone(),
            view: Arc::clone(&self.view),
            filter: Filter::default(),
            newest: self.newest,
            from: None,
            until: None,
        }
    }

    /// One I/O by its name.
    pub(crate) fn find(&self, id: &IoId) -> Result<Option<Found>> {
        let second = id.second.saturating_mul(1_000_000_000);
        let span = Span {
            from_unix_nanos: second,
            until_unix_nanos: second.saturating_add(999_999_999),
        };
        let mut found = None;
        self.unfiltered()
            .each_in(span, Catalog::clone(&self.view.catalog), &mut |rows, catalog| {
                let wanted = |io: &&Io| {
                    io.event.ordinal == id.ordinal
                        && *catalog.node(io.node) == id.node
                        && catalog.stream(io.event.stream).incarnation.prefix() == id.incarnation_prefix
                        && io.second() == id.second
                };
                found = rows.ios.iter().find(wanted).map(|io| Found::new(rows, io, catalog));
                if found.is_some() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })?;
        Ok(found)
    }

    /// All I/Os, some at a time; the callback says whether to go on.
    pub(crate) fn stream(&self, some: usize, mut take: impl FnMut(Vec<Found>) -> ControlFlow<()>) -> Result<()> {
        self.each(|rows, catalog| {
            for ios in rows.ios.chunks(some) {
                take(ios.iter().map(|io| Found::new(rows, io, catalog)).collect())?;
            }
            ControlFlow::Continue(())
        })?;
        Ok(())
    }
}

/// Sorts, best first, keeps so many and returns the least key kept.
fn keep_best(best: &mut Vec<((u64, i64, u64), Found)>, wanted: usize) -> (u64, i64, u64) {
    best.sort_by_key(|(key, _)| std::cmp::Reverse(*key));
    best.truncate(wanted);
    best.last().map_or((0, i64::MIN, 0), |(key, _)| *key)
}

/// Runs a query on a thread for blocking work: scans read files and burn CPU.
pub(crate) async fn run<T: Send + 'static>(query: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(query).await;
    done.map_err(|error| Error::Task {
        task: "query".to_owned(),
        reason: error.to_string(),
    })?
}
