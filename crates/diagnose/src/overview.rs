//! Everything that is said about a stretch of time at once, in one pass and, when there is a suspect, a second.

use fathom_model::report::{IoDetail, Report, Unseen};
use fathom_model::{Catalog, JoinedRows, Op, Unmatched};

use crate::culprit::{Case, Search};
use crate::detail::detail;
use crate::last_copy::LastCopies;
use crate::latency::{By, Latencies};
use crate::summary::Summary;
use crate::watch::Watch;

/// The first pass over the rows of a stretch of time.
#[derive(Clone, Debug)]
pub struct Overview {
    summary: Summary,
    latencies: Latencies,
    last_copies: LastCopies,
    search: Search,
    watch: Watch,
    slowest: Option<IoDetail>,
}

impl Default for Overview {
    fn default() -> Self {
        Self {
            summary: Summary::default(),
            latencies: Latencies::new(By::Node, Op::Write),
            last_copies: LastCopies::default(),
            search: Search::default(),
            watch: Watch::default(),
            slowest: None,
        }
    }
}

impl Overview {
    /// Takes I/Os with their legs, in the order of their windows.
    pub fn add(&mut self, rows: &JoinedRows, catalog: &Catalog) {
        for io in &rows.ios {
            let legs = rows.legs_of(io);
            self.summary.add(io, legs);
            self.latencies.add(io, legs);
            self.last_copies.add(rows, io);
            self.search.add(rows, io);
            self.watch.add(rows, io);
            let slower = self
                .slowest
                .as_ref()
                .is_none_or(|slowest| slowest.duration_ns < io.event.duration_nanos);
            if io.op == Op::Write && slower {
                self.slowest = Some(detail(rows, io, catalog));
            }
        }
        self.add_unmatched(&rows.unmatched);
    }

    /// Takes events of no I/O.
    pub fn add_unmatched(&mut self, events: &[Unmatched]) {
        events.iter().for_each(|event| self.summary.add_unmatched(event));
    }

    /// What the rows say, and whom to gather evidence against in a second pass ([`Case::add`], [`Case::close`]). Clocks and
    /// what was not heard are the caller's to add.
    #[must_use]
    pub fn finish(mut self, catalog: &Catalog) -> (Report, Option<Case>) {
        self.watch.finish();
        let report = Report {
            joined: self.summary.joined(),
            latency: self.latencies.report(catalog),
            last_copies: self.last_copies.report(catalog),
            culprit: None,
            culprits: self.watch.report(catalog),
            slowest_write: self.slowest,
            clocks: Vec::new(),
            unseen: Unseen {
                missing: self.summary.missing(catalog),
                unmatched: self.summary.unmatched(catalog),
                ..Unseen::default()
            },
        };
        (report, self.search.suspect())
    }
}

/// Both passes over rows in memory.
#[must_use]
pub fn report(rows: &JoinedRows, catalog: &Catalog) -> Report {
    let mut overview = Overview::default();
    overview.add(rows, catalog);
    let (mut report, case) = overview.finish(catalog);
    report.culprit = case.and_then(|mut case| {
        rows.ios.iter().for_each(|io| case.add(rows, io, catalog));
        case.close(catalog)
    });
    report
}
