//! What happened in a stretch, as state says it, for latencies that changed with it.

use std::collections::BTreeMap;

use fathom_diagnose::compare::Span as Stretch;
use fathom_diagnose::dated::{About, Dated, Event, Search, around};
use fathom_model::cell::{Bucket, Latencies, OfKind};
use fathom_model::state::{Key, Kind, Observation};
use fathom_model::{Catalog, NodeId, Op, PhysicalDisk};
use fathom_state::shared_volumes::name_of;
use fathom_store::paths::Table;
use fathom_store::{Ask, Span, each_latency, longest_bucket, read_observations};

use super::Snapshot;
use super::state::StateSnapshot;
use crate::error::Result;

/// What of each kind happens at a time and may change how long writes take: an update, a reboot, firmware, a driver, another owner.
const EVENTS: &[(Kind, &[&str])] = &[
    (Kind::Node, &["build", "state"]),
    (Kind::Disk, &["firmware"]),
    (Kind::Csv, &["owner"]),
    (Kind::Adapter, &["driver_version"]),
];

/// So many events are looked at, the newest: more are no cause of anything in particular.
const MOST: usize = 200;

fn attributes(kind: Kind) -> &'static [&'static str] {
    let of_kind = EVENTS.iter().find(|(known, _)| *known == kind);
    of_kind.map_or(&[], |(_, attributes)| attributes)
}

/// Values of a resource as they were read last.
#[derive(Default)]
struct Last {
    at: i64,
    values: BTreeMap<&'static str, String>,
}

/// Events of observations in the order in which they were stored.
struct Happened<'a> {
    stretch: Stretch,
    disks: &'a [PhysicalDisk],
    last: BTreeMap<Key, Last>,
    /// When each node read each kind last.
    read: BTreeMap<(NodeId, Kind), i64>,
    events: Vec<Event>,
}

impl Happened<'_> {
    fn add(&mut self, row: &Observation) {
        if row.kind == Kind::Source {
            let kind = row.text("kind").and_then(|kind| kind.parse().ok());
            if let Some(kind) = kind.filter(|_| row.flag("available") == Some(true)) {
                self.read.insert((row.node.clone(), kind), row.observed_unix_nanos);
            }
            return;
        }
        let names = attributes(row.kind);
        if names.is_empty() || !row.present {
            return;
        }
        let at = row.observed_unix_nanos;
        let read = self.read.get(&(row.node.clone(), row.kind)).copied();
        let last = self.last.entry(row.key()).or_default();
        if !last.values.is_empty() && at < last.at {
            return;
        }
        // It was otherwise when its class was read before.
        let from = last.at.max(read.filter(|read| *read < at).unwrap_or(last.at));
        last.at = at;
        for name in names {
            let Some(now) = row.get(name).map(ToString::to_string) else {
                continue;
            };
            // What was not known before is no change.
            let before = last.values.insert(name, now.clone()).filter(|before| *before != now);
            let is_within = self.stretch.from_unix_nanos <= at && at < self.stretch.until_unix_nanos;
            if let (Some(before), Some(about), true) = (before, about(row, self.disks), is_within) {
                self.events.push(Event {
                    from_unix_nanos: from,
                    at_unix_nanos: at,
                    about,
                    kind: row.kind.as_str().to_owned(),
                    id: row.id.clone(),
                    node: row.node.to_string(),
                    attribute: (*name).to_owned(),
                    values: [before, now],
                });
            }
        }
    }
}

/// What an event of a resource may change; none of a drive that the topology does not have.
fn about(row: &Observation, disks: &[PhysicalDisk]) -> Option<About> {
    match row.kind {
        Kind::Node => Some(About::Node(row.text("name").unwrap_or(&row.id).to_owned())),
        Kind::Adapter => Some(About::Node(row.node.to_string())),
        Kind::Disk => {
            let ids = [Some(row.id.as_str()), row.text("unique_id")];
            let own = disks.iter().find(|disk| ids.contains(&Some(disk.id.as_str())));
            own.map(|disk| About::Disk(disk.node.to_string(), disk.name.clone()))
        }
        Kind::Csv => Some(About::Volume(name_of(row).to_owned())),
        _ => None,
    }
}

impl StateSnapshot {
    /// What happened in a stretch. Blocks: files are read, and where nothing of the kind was said in the stretch only those of it.
    pub(super) fn happened(&self, stretch: Stretch) -> Result<Vec<Event>> {
        let is_one = |row: &Observation| {
            let at = row.observed_unix_nanos;
            let is_within = stretch.from_unix_nanos <= at && at < stretch.until_unix_nanos;
            is_within && !attributes(row.kind).is_empty()
        };
        let (cluster, view) = self.parts();
        let mut hot = view.state.iter().flat_map(|some| some.iter());
        let mut is_said = hot.any(is_one);
        let runtime = tokio::runtime::Handle::current();
        let touches = |from: i64, until: i64| from < stretch.until_unix_nanos && until >= stretch.from_unix_nanos;
        for file in view.files.iter().filter(|file| file.table == Table::Observations) {
            if is_said {
                break;
            }
            if touches(file.min_unix_nanos, file.max_unix_nanos) {
                is_said = runtime
                    .block_on(read_observations(&cluster.blobs, file))?
                    .iter()
                    .any(is_one);
            }
        }
        if !is_said {
            return Ok(Vec::new());
        }
        let topology = view.topology.as_deref();
        let mut happened = Happened {
            stretch,
            disks: topology.map_or(&[], |topology| &topology.disks),
            last: BTreeMap::new(),
            read: BTreeMap::new(),
            events: Vec::new(),
        };
        self.each(|row| happened.add(row))?;
        let mut events = happened.events;
        events.sort_by_key(|event| event.at_unix_nanos);
        let old = events.len().saturating_sub(MOST);
        Ok(events.split_off(old))
    }
}

/// Stretches of events no further apart than this are read as one: a file of cells is of an hour at the most for long.
const GAP_NANOS: i64 = 3_600 * 1_000_000_000;

impl Snapshot {
    /// A search for latencies that changed with what happened in the stretch of the filter. Blocks: files are read.
    pub(super) fn search(&self) -> Result<Search> {
        let (stretch, events) = self.events()?;
        Ok(Search::new(stretch, events))
    }

    /// What happened in the stretch of the filter, as far as there are I/Os in it.
    fn events(&self) -> Result<(Stretch, Vec<Event>)> {
        let span = self.span();
        let of_ios = self.view.files.iter().filter(|file| file.table == Table::Ios);
        let in_files = of_ios.map(|file| file.min_unix_nanos).min();
        let in_hot = self
            .view
            .hot
            .iter()
            .flat_map(|rows| rows.ios.iter().map(|io| io.event.end_unix_nanos()))
            .min();
        let oldest = [in_files, in_hot].into_iter().flatten().min();
        let (Some(oldest), Some(newest)) = (oldest, self.newest) else {
            return Ok((stretch(0, 0), Vec::new()));
        };
        let stretch = stretch(
            span.from_unix_nanos.max(oldest),
            span.until_unix_nanos.min(newest.saturating_add(1)),
        );
        let events = StateSnapshot::new(self.cluster.clone(), None).happened(stretch)?;
        Ok((stretch, events))
    }

    /// Latencies that changed with what happened in the stretch of the filter, of what its rows add up to: to a bucket of the cells that are
    /// around each event. Blocks: files are read.
    pub(super) fn changes_by_tables(&self) -> Result<Vec<Dated>> {
        let (stretch, mut events) = self.events()?;
        if self.filter.volume.is_some() {
            // Cells have disks of all volumes together.
            events.retain(|event| event.about.kind() != OfKind::Disk);
        }
        let within = |span: Stretch| Span {
            from_unix_nanos: span.from_unix_nanos.max(stretch.from_unix_nanos),
            until_unix_nanos: span.until_unix_nanos.min(stretch.until_unix_nanos).saturating_sub(1),
        };
        // Cells are finer where they are young.
        let pieces = |event: &Event| longest_bucket(&self.view.files, within(around(event, Bucket::FINE_NANOS)));
        let events: Vec<(Event, i64)> = events
            .into_iter()
            .map(|event| {
                let length = pieces(&event);
                (event, length)
            })
            .collect();
        let mut kinds: Vec<OfKind> = events.iter().map(|(event, _)| event.about.kind()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let spans = events.iter().map(|(event, length)| within(around(event, *length)));
        let spans = joined(spans.collect());
        let mut search = Search::of_pieces(events);
        let mut names = Catalog::clone(&self.view.catalog);
        for span in spans {
            let cells = self.latency_cells(span, &kinds, &mut names)?;
            for ((bucket, key), sketch) in &cells.cells {
                search.add_cell(*bucket, key, sketch, &names);
            }
        }
        Ok(search.report())
    }

    /// Latencies of writes in a stretch by their buckets, of whatever has them.
    fn latency_cells(&self, span: Span, kinds: &[OfKind], names: &mut Catalog) -> Result<Latencies> {
        let ask = Ask {
            span,
            since: self.view.cells_since,
            volume: self.filter.volume.as_deref(),
            op: Some(Op::Write),
            kinds,
            with_sketches: false,
        };
        let mut cells = Latencies::default();
        let runtime = tokio::runtime::Handle::current();
        let read = each_latency(
            &self.cluster.blobs,
            &self.view.files,
            &ask,
            names,
            |bucket, key, kept| cells.cells.entry((bucket, key)).or_default().merge_bins(kept),
        );
        let mut files = runtime.block_on(read)?;
        let rest = self.rest(span, names, &mut files, self.view.cells_since)?.take();
        cells.merge(&rest.latency);
        Ok(cells)
    }
}

/// Stretches in order, those that overlap or are close together as one, so that nothing is read twice.
fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| span.from_unix_nanos);
    let mut joined: Vec<Span> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.from_unix_nanos <= last.until_unix_nanos.saturating_add(GAP_NANOS) => {
                last.until_unix_nanos = last.until_unix_nanos.max(span.until_unix_nanos);
            }
            _ => joined.push(span),
        }
    }
    joined
}

const fn stretch(from_unix_nanos: i64, until_unix_nanos: i64) -> Stretch {
    Stretch {
        from_unix_nanos,
        until_unix_nanos,
    }
}

#[cfg(test)]
mod tests;
