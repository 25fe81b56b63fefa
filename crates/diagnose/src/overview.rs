//! Everything that is said about a stretch of time at once, in one pass and, when there is a suspect, a second.
//!
//! The same rows and clocks give the same report, whatever order the rows come in, in whatever calls, and however their catalog is
//! numbered: what depends on order is given writes in one order (`order`), all else only counts.

use std::borrow::Cow;
use std::cmp::Reverse;

use fathom_model::cell::Candidate;
use fathom_model::finding::Finding;
use fathom_model::report::{Clock, Culprit, IoDetail, Report, Unseen};
use fathom_model::{Catalog, JoinedRows, Op, Topology, Unmatched};

use crate::culprit::{Case, Search, timestamp, unix_nanos};
use crate::detail::detail;
use crate::jobs::{Foreign, Running, settle};
use crate::last_copy::LastCopies;
use crate::latency::{By, Latencies};
use crate::order::Line;
use crate::summary::Summary;
use crate::tally::Totals;
use crate::watch::{BIN_NANOS, Watch, says_guessed, unseen_there};
use crate::what_if::Away;
use crate::writerless::Writerless;

/// The first pass over the rows of a stretch of time.
#[derive(Clone, Debug)]
pub struct Overview<'a> {
    summary: Summary,
    latencies: Latencies,
    search: Search,
    clocks: Vec<Clock>,
    line: Line<'a>,
    in_order: InOrder,
    writerless: Writerless,
    foreign: Foreign,
}

/// What depends on the order of writes.
#[derive(Clone, Debug, Default)]
struct InOrder {
    last_copies: LastCopies,
    watch: Watch,
    slowest: Option<IoDetail>,
}

impl<'a> Overview<'a> {
    /// With what is known of the clocks, by which writes of several initiators are ordered.
    #[must_use]
    pub fn new(clocks: Vec<Clock>) -> Self {
        Self {
            summary: Summary::default(),
            latencies: Latencies::new(By::Node, Op::Write),
            search: Search::default(),
            line: Line::new(&clocks),
            clocks,
            in_order: InOrder::default(),
            writerless: Writerless::default(),
            foreign: Foreign::default(),
        }
    }

    /// Takes I/Os with their legs, and events of no I/O. The catalog is the same in all calls, or has grown. Rows are kept until
    /// [`Self::settle`] says that nothing comes before them.
    pub fn add(&mut self, rows: Cow<'a, JoinedRows>, catalog: &Catalog) {
        for io in &rows.ios {
            let legs = rows.legs_of(io);
            self.summary.add(io, legs);
            self.latencies.add(io, legs);
            self.search.add(&rows, io);
            self.writerless.add_io(io, legs);
        }
        self.add_unmatched(&rows.unmatched);
        self.line.take(rows, catalog);
    }

    /// Takes events of no I/O.
    pub fn add_unmatched(&mut self, events: &[Unmatched]) {
        for event in events {
            self.summary.add_unmatched(event);
            self.writerless.add(event);
        }
    }

    /// Looks at events of no I/O for what moves at drives for no write: at all of them, whichever writes are asked about.
    pub fn see(&mut self, events: &[Unmatched], catalog: &Catalog) {
        events.iter().for_each(|event| self.foreign.add(event, catalog));
    }

    /// Writes that no initiator has seen, as a cluster is laid out: a sentence a volume, for the caller to add to what is odd.
    #[must_use]
    pub fn writerless(&self, topology: &Topology, catalog: &Catalog) -> Vec<String> {
        self.writerless.sentences(topology, catalog)
    }

    /// What moved at drives for no write, for [`settle`].
    #[must_use]
    pub fn take_foreign(&mut self) -> Foreign {
        std::mem::take(&mut self.foreign)
    }

    /// Says that no I/O which is still to be added has completed before a time on its initiator's clock.
    pub fn settle(&mut self, until_unix_nanos: i64) {
        self.drain(Some(until_unix_nanos));
    }

    fn drain(&mut self, until: Option<i64>) {
        while self.line.advance(until) {
            self.in_order.add(&self.line);
        }
    }

    /// What the rows say, and whom to gather evidence against in a second pass ([`Case::add`], [`Case::close`]) over the same rows
    /// with the same catalog. What was not heard is the caller's to add.
    #[must_use]
    pub fn finish(mut self, catalog: &Catalog) -> (Report, Option<Case>) {
        self.drain(None);
        let mut in_order = self.in_order;
        in_order.watch.finish();
        let report = Report {
            joined: self.summary.joined(),
            latency: self.latencies.report(catalog),
            last_copies: in_order.last_copies.report(self.line.catalog()),
            last_copies_by_node: in_order.last_copies.by_node(self.line.catalog()),
            last_copies_by_pair: in_order.last_copies.by_pair(self.line.catalog()),
            culprit: None,
            culprits: in_order.watch.report(self.line.catalog()),
            slowest_write: in_order.slowest,
            clocks: self.clocks,
            unseen: Unseen {
                missing: self.summary.missing(catalog),
                unmatched: self.summary.unmatched(catalog),
                ..Unseen::default()
            },
        };
        (report, self.search.suspect(catalog))
    }
}

impl InOrder {
    fn add(&mut self, line: &Line<'_>) {
        let Some((rows, io)) = line.write() else { return };
        self.last_copies.add(rows, io);
        self.watch.add(rows, io);
        let slower = self
            .slowest
            .as_ref()
            .is_none_or(|slowest| slowest.duration_ns < io.event.duration_nanos);
        if slower {
            self.slowest = Some(detail(rows, io, line.catalog()));
        }
    }
}

/// Sets what the second pass found. Where the watch found the same one, a report has it once: as the second pass did, which knew the
/// whole of its time and writes. A link is the exception where much of it is the other way: the watch looks at both. What the watch has as
/// `unknown` behind a node is the culprit where that is at or on the way to this node, seen by writes that lack its far side.
pub fn blame(report: &mut Report, culprit: Option<Culprit>) {
    let mut culprit = culprit.map(|culprit| seen_where_it_is(&report.culprits, culprit));
    if let Some(culprit) = &mut culprit {
        let is_behind = |other: &Culprit| {
            let node = matches!(&culprit.kind[..], "disk" | "link" | "node") && culprit.node == other.node;
            other.kind == "unknown" && node
        };
        report.culprits.retain(|other| !is_behind(other));
        let both_ways = |other: &Culprit| {
            culprit.kind == "link"
                && other.cost_ns - other.hidden_ns > culprit.cost_ns.saturating_add(culprit.cost_ns / 4)
        };
        let mut same = report.culprits.iter_mut().filter(|other| other.is_same(culprit));
        match same.next() {
            Some(same) if both_ways(same) => (same.node, same.peer) = (culprit.node.clone(), culprit.peer.clone()),
            Some(same) => {
                *same = with_hidden(culprit, same);
                culprit.clone_from(same);
            }
            None => {}
        }
        report.culprits.sort_by_key(|culprit| Reverse(culprit.cost_ns));
    }
    // What the second pass does not find, being of the tail alone, the watch may have.
    let costliest = report.culprits.iter().min_by_key(|culprit| Reverse(culprit.cost_ns));
    report.culprit = culprit.or_else(|| costliest.cloned());
}

/// The account of the second pass with what writes cost that do not show the drive or the far side: those the watch alone knows to be of it.
fn with_hidden(culprit: &Culprit, watched: &Culprit) -> Culprit {
    let mut whole = culprit.clone();
    if watched.hidden_ns == 0 || culprit.hidden_ns > 0 {
        return whole;
    }
    whole.cost_ns = whole.cost_ns.saturating_add(watched.hidden_ns);
    whole.hidden_ns = watched.hidden_ns;
    let guessed = u128::from(watched.hidden_ns) * u128::from(watched.guessed_ns) / u128::from(watched.cost_ns.max(1));
    whole.guessed_ns = whole
        .guessed_ns
        .saturating_add(u64::try_from(guessed).unwrap_or(u64::MAX));
    whole.evidence.extend(unseen_there(watched.hidden_ns));
    // The watch knows times to the second alone: where it knows no other second, the finer ones stand.
    if second(&watched.since) < second(&whole.since) {
        whole.since.clone_from(&watched.since);
    }
    if second(&watched.until).map(|end| end - 1) > second(&whole.until) {
        whole.until.clone_from(&watched.until);
    }
    whole
}

/// The second of a time as answers have it.
fn second(time: &str) -> Option<i64> {
    unix_nanos(time).map(|nanos| nanos.div_euclid(BIN_NANOS))
}

/// Where the second pass knows only that something is at or on the way to a node, what the watch has there is the culprit: it was seen by
/// writes that have the node's far side.
fn seen_where_it_is(found: &[Culprit], culprit: Culprit) -> Culprit {
    let is_there = |other: &&Culprit| {
        let is_seen = matches!(&other.kind[..], "disk" | "link" | "node");
        culprit.kind == "unknown" && is_seen && other.node == culprit.node && other.cost_ns >= culprit.cost_ns / 2
    };
    let seen = found.iter().filter(is_there).max_by_key(|other| other.cost_ns);
    seen.cloned().unwrap_or(culprit)
}

/// What is said of what rows added up to: to 1 %, and without a look at each write. Whom to blame is what was found while the rows came;
/// the slowest write is named by [`slowest`] and is the caller's to look up, as are events of no I/O and what was not heard.
#[must_use]
pub fn of_totals(totals: &Totals, felt: &[Finding], clocks: Vec<Clock>, catalog: &Catalog) -> Report {
    let summary = Summary::of_totals(totals);
    let mut latencies = Latencies::new(By::Node, Op::Write);
    let latency = &totals.latency;
    latency.iter().for_each(|(key, sketch)| latencies.add_cell(key, sketch));
    let mut last_copies = LastCopies::default();
    for (to, cell) in &totals.attribution {
        let of = match *to {
            Candidate::Disk(disk) => Away::Disk(disk),
            Candidate::Link(low, high) => Away::Link(low, high),
            Candidate::Node(node) => Away::Node(node),
            Candidate::All | Candidate::Missing(..) => continue,
        };
        last_copies.add_cell(of, cell);
    }
    let mut culprits: Vec<Culprit> = felt.iter().map(culprit).collect();
    culprits.sort_by_key(|culprit| Reverse(culprit.cost_ns));
    Report {
        joined: summary.joined(),
        latency: latencies.report(catalog),
        last_copies: last_copies.report(catalog),
        last_copies_by_node: last_copies.by_node(catalog),
        last_copies_by_pair: last_copies.by_pair(catalog),
        culprit: culprits.first().cloned(),
        culprits,
        slowest_write: None,
        clocks,
        unseen: Unseen {
            missing: summary.missing(catalog),
            ..Unseen::default()
        },
    }
}

/// The name of the slowest write of what rows added up to.
#[must_use]
pub fn slowest(totals: &Totals) -> Option<&str> {
    let all = totals.attribution.get(&Candidate::All)?;
    all.slowest.as_ref().map(|slowest| slowest.id.as_str())
}

/// A finding that writes show, as a culprit.
fn culprit(finding: &Finding) -> Culprit {
    Culprit {
        kind: finding.kind.clone(),
        node: Some(finding.node.clone()).filter(|node| !node.is_empty()),
        disk: finding.disk.clone(),
        peer: finding.peer.clone(),
        resource: finding.resource.clone().filter(|_| finding.kind == "job"),
        confidence: finding.confidence,
        cost_ns: finding.cost_ns,
        guessed_ns: if says_guessed(&finding.evidence) {
            finding.cost_ns
        } else {
            0
        },
        hidden_ns: 0,
        since: timestamp(finding.first_unix_ns),
        until: timestamp(finding.last_unix_ns),
        evidence: finding.evidence.clone(),
    }
}

/// Both passes over rows in memory, of a cluster that is laid out so and in which these storage jobs are known to have run.
#[must_use]
pub fn report(
    rows: &JoinedRows,
    catalog: &Catalog,
    clocks: Vec<Clock>,
    topology: &Topology,
    running: &[Running],
) -> Report {
    let mut overview = Overview::new(clocks);
    overview.see(&rows.unmatched, catalog);
    overview.add(Cow::Borrowed(rows), catalog);
    let warnings = overview.writerless(topology, catalog);
    let foreign = overview.take_foreign();
    let (mut report, case) = overview.finish(catalog);
    report.unseen.warnings = warnings;
    let culprit = case.and_then(|mut case| {
        rows.ios.iter().for_each(|io| case.add(rows, io, catalog));
        case.close(catalog)
    });
    settle(&mut report, culprit, running, &foreign);
    report
}

#[cfg(test)]
mod tests;
