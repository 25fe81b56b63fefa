//! At the site: from what a cluster's worker has to its rollup.
//!
//! # How the coordinator uses it
//!
//! A worker keeps one [`Gather`] for its cluster, and:
//!
//! - gives it the rows of each step, where it gives them to the findings ([`Gather::add`]);
//! - gives it an [`Inventory`] when observations of drives, adapters or nodes changed, and at the start ([`Gather::set_inventory`]): made of
//!   the picture of now, that is of the newest observation of each resource;
//! - asks it for a rollup every 10 s, and at once when health or findings changed ([`Gather::rollup`]), with a number that rises.
//!
//! Rows are counted in pieces of [`Gather::PIECE_NANOS`] of the caller's clock, of which the last [`Gather::PIECES`] are in a rollup: the last
//! hour. What a restart of the coordinator forgets comes back within an hour; until then the rollup says from when on it counts
//! ([`Gather::counting_from`]).

use std::collections::{BTreeMap, VecDeque};

use fathom_model::finding::{Finding, State as Life};
use fathom_model::health::{Entry, Kind, State};
use fathom_model::rollup::{
    Axis, ClusterKey, ClusterRollup, CohortKey, CohortRow, Counted, FindingCount, LONGEST_TEXT, MOST_CODES,
    MOST_COHORTS, MOST_LABELS, MOST_WORST, Revision, TapLatency, WorstChild,
};
use fathom_model::sketch::Sketch;
use fathom_model::{Catalog, DiskIndex, Io, JoinedRows, Leg, Merged, NodeIndex, Op, Tap};

use crate::SECOND;

mod inventory;

pub use inventory::Inventory;

/// What is counted of the rows of a cluster, and what its devices are.
#[derive(Clone, Debug, Default)]
pub struct Gather {
    pieces: VecDeque<Piece>,
    inventory: Inventory,
    /// Rows that came before this are not counted, and there were some; `None`: there were none.
    counting_from_unix_ns: Option<i64>,
}

/// What was counted in a stretch of time.
#[derive(Clone, Debug)]
struct Piece {
    number: i64,
    latency: BTreeMap<(Tap, Op), Sketch>,
    cohorts: BTreeMap<CohortKey, Tallied>,
}

/// What was counted of one cohort.
#[derive(Clone, Debug, Default)]
struct Tallied {
    writes: Sketch,
    reads: Sketch,
    io_errors: u64,
}

/// What a rollup is made of beside the rows.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// Which cluster.
    pub key: &'a ClusterKey,
    /// What is said of it.
    pub labels: &'a BTreeMap<String, String>,
    /// Which rollup this is.
    pub revision: Revision,
    /// Now, on the coordinator's clock.
    pub now_unix_ns: i64,
    /// How everything is, as it is shown; empty where that is not known yet.
    pub health: &'a [Entry],
    /// Findings; those that are closed count nothing.
    pub findings: &'a [Finding],
}

impl Gather {
    /// Rows are counted in pieces of so long.
    pub const PIECE_NANOS: i64 = 600 * SECOND;

    /// So many pieces are in a rollup.
    pub const PIECES: i64 = 6;

    /// Of a cluster that had rows before this time, which are not counted.
    #[must_use]
    pub fn counting_from(unix_ns: i64) -> Self {
        Self {
            counting_from_unix_ns: Some(unix_ns),
            ..Self::default()
        }
    }

    /// Says what the cluster's devices are from now on.
    pub fn set_inventory(&mut self, inventory: Inventory) {
        self.inventory = inventory;
    }

    /// Counts rows that came at a time.
    pub fn add(&mut self, rows: &JoinedRows, catalog: &Catalog, now_unix_ns: i64) {
        if rows.ios.is_empty() {
            return;
        }
        let number = now_unix_ns.div_euclid(Self::PIECE_NANOS);
        self.drop_old(number);
        if self.pieces.back().is_none_or(|last| last.number != number) {
            self.pieces.push_back(Piece {
                number,
                latency: BTreeMap::new(),
                cohorts: BTreeMap::new(),
            });
        }
        let Some(piece) = self.pieces.back_mut() else { return };
        let mut batch = Batch::new(&self.inventory, catalog);
        for io in &rows.ios {
            batch.add(io, rows.legs_of(io));
        }
        batch.end(piece);
    }

    /// Lets go of what is too old. A clock that steps back counts on in a piece of its own.
    fn drop_old(&mut self, number: i64) {
        self.pieces
            .retain(|piece| piece.number > number - Self::PIECES && piece.number <= number);
    }

    /// The cluster in short.
    pub fn rollup(&mut self, scene: &Scene<'_>) -> ClusterRollup {
        let number = scene.now_unix_ns.div_euclid(Self::PIECE_NANOS);
        self.drop_old(number);
        let hour = (number + 1 - Self::PIECES) * Self::PIECE_NANOS;
        let first = self.counting_from_unix_ns.unwrap_or(hour).max(hour);
        let mut rollup = ClusterRollup::new(scene.key, scene.revision);
        let labels = scene.labels.iter().take(MOST_LABELS);
        rollup.labels = labels.map(|(name, value)| (cut(name), cut(value))).collect();
        rollup.from_unix_ns = first.min(scene.now_unix_ns);
        rollup.to_unix_ns = scene.now_unix_ns;
        set_health(&mut rollup, scene.health);
        set_findings(&mut rollup, scene.findings);
        let mut latency: BTreeMap<(Tap, Op), Sketch> = BTreeMap::new();
        for (at, sketch) in self.pieces.iter().flat_map(|piece| &piece.latency) {
            latency.entry(*at).or_default().merge(sketch);
        }
        let latency = latency
            .into_iter()
            .map(|((tap, op), sketch)| TapLatency { tap, op, sketch });
        rollup.latency = latency.collect();
        self.set_cohorts(&mut rollup, scene.findings);
        rollup
    }

    fn set_cohorts(&self, rollup: &mut ClusterRollup, findings: &[Finding]) {
        let mut counted: BTreeMap<&CohortKey, Tallied> = BTreeMap::new();
        for (key, piece) in self.pieces.iter().flat_map(|piece| &piece.cohorts) {
            let own = counted.entry(key).or_default();
            own.writes.merge(&piece.writes);
            own.reads.merge(&piece.reads);
            own.io_errors = own.io_errors.saturating_add(piece.io_errors);
        }
        let found = self.inventory.found(findings);
        let mut rows: Vec<CohortRow> = self
            .inventory
            .cohorts()
            .map(|(key, devices)| {
                // What ran there before is not of these devices any more, so that only what they have now is told.
                let own = counted.remove(key).unwrap_or_default();
                CohortRow {
                    key: key.clone(),
                    devices: devices.count,
                    writes: own.writes,
                    reads: own.reads,
                    io_errors: own.io_errors,
                    media_errors: devices.media_errors,
                    found: found.get(key).copied().unwrap_or(0),
                }
            })
            .collect();
        let mut more = self.inventory.unknown();
        if rows.len() > MOST_COHORTS {
            rows.sort_by(|a, b| b.devices.cmp(&a.devices).then(a.key.cmp(&b.key)));
            let left_out = rows.split_off(MOST_COHORTS);
            more = left_out.iter().fold(more, |sum, row| sum.saturating_add(row.devices));
            rows.sort_by(|a, b| a.key.cmp(&b.key));
        }
        rollup.cohorts = rows;
        rollup.cohorts_more = more;
    }
}

/// Rows on their way into a piece. What an index of the catalog stands for is looked up once: this is done for every leg.
struct Batch<'a> {
    inventory: &'a Inventory,
    catalog: &'a Catalog,
    disks: Vec<Place>,
    nics: Vec<Place>,
    systems: Vec<Place>,
    /// By tap and operation.
    latency: [Sketch; Tap::ALL.len() * Op::ALL.len()],
    cohorts: Vec<(&'a CohortKey, Tallied)>,
}

/// Where in [`Batch::cohorts`] a device counts, once that was looked up: nowhere, where it is not known what it is.
type Place = Option<Option<usize>>;

impl<'a> Batch<'a> {
    fn new(inventory: &'a Inventory, catalog: &'a Catalog) -> Self {
        Self {
            inventory,
            catalog,
            disks: vec![None; catalog.disks().len()],
            nics: vec![None; catalog.nodes().len()],
            systems: vec![None; catalog.nodes().len()],
            latency: std::array::from_fn(|_| Sketch::default()),
            cohorts: Vec::new(),
        }
    }

    fn add(&mut self, io: &Io, legs: &[Leg]) {
        let nanos = io.event.duration_nanos;
        self.latency[at(Tap::Volume, io.op)].add(nanos);
        let system = self.system(io.node);
        self.count(system, io.op, nanos, io.event.status);
        for leg in legs {
            for tap in [Tap::Initiator, Tap::Target, Tap::Device] {
                if let Some(seen) = leg.observation(tap) {
                    self.latency[at(tap, io.op)].add(seen.duration_nanos);
                }
            }
            // Of a request that a drive made of several legs' it is counted where its ordinal is; a cache's request is another drive's.
            let is_its_own = leg.merged != Some(Merged::Further);
            if let Some(seen) = leg.device.filter(|_| is_its_own) {
                let drive = self.disk(leg.cache.unwrap_or(leg.disk));
                self.count(drive, io.op, seen.duration_nanos, seen.status);
            }
            if let Some((way, status)) = on_the_way(leg) {
                let (near, far) = (self.nic(io.node), self.nic(leg.node));
                self.count(near, io.op, way, status);
                self.count(far.filter(|_| far != near), io.op, way, status);
            }
        }
    }

    fn count(&mut self, cohort: Option<usize>, op: Op, nanos: u64, status: u32) {
        let Some((_, own)) = cohort.and_then(|at| self.cohorts.get_mut(at)) else {
            return;
        };
        match op {
            Op::Write => own.writes.add(nanos),
            Op::Read => own.reads.add(nanos),
            Op::Flush | Op::Unmap => return,
        }
        own.io_errors += u64::from(status != 0);
    }

    fn disk(&mut self, disk: DiskIndex) -> Option<usize> {
        if let Some(known) = self.disks[disk.as_usize()] {
            return known;
        }
        let place = self.place(self.inventory.of_disk(self.catalog.disk(disk)));
        self.disks[disk.as_usize()] = Some(place);
        place
    }

    fn nic(&mut self, node: NodeIndex) -> Option<usize> {
        if let Some(known) = self.nics[node.as_usize()] {
            return known;
        }
        let place = self.place(self.inventory.of_node(Axis::Nic, self.catalog.node(node)));
        self.nics[node.as_usize()] = Some(place);
        place
    }

    fn system(&mut self, node: NodeIndex) -> Option<usize> {
        if let Some(known) = self.systems[node.as_usize()] {
            return known;
        }
        let place = self.place(self.inventory.of_node(Axis::Os, self.catalog.node(node)));
        self.systems[node.as_usize()] = Some(place);
        place
    }

    fn place(&mut self, key: Option<&'a CohortKey>) -> Option<usize> {
        let key = key?;
        let known = self.cohorts.iter().position(|(own, _)| *own == key);
        Some(known.unwrap_or_else(|| {
            self.cohorts.push((key, Tallied::default()));
            self.cohorts.len() - 1
        }))
    }

    fn end(self, piece: &mut Piece) {
        for tap in Tap::ALL {
            for op in Op::ALL {
                let own = &self.latency[at(tap, op)];
                if !own.is_empty() {
                    piece.latency.entry((tap, op)).or_default().merge(own);
                }
            }
        }
        for (key, counted) in self.cohorts {
            if !piece.cohorts.contains_key(key) {
                piece.cohorts.insert(key.clone(), Tallied::default());
            }
            let Some(own) = piece.cohorts.get_mut(key) else {
                continue;
            };
            own.writes.merge(&counted.writes);
            own.reads.merge(&counted.reads);
            own.io_errors = own.io_errors.saturating_add(counted.io_errors);
        }
    }
}

/// Where a tap and operation are in [`Batch::latency`].
const fn at(tap: Tap, op: Op) -> usize {
    tap as usize * Op::ALL.len() + op as usize
}

/// What a copy took beside the far side, and how it ended for the initiator; `None` of one that did not cross the network, or of which an
/// end was not seen.
fn on_the_way(leg: &Leg) -> Option<(u64, u32)> {
    let whole = leg.initiator.filter(|_| !leg.local)?;
    let far = leg.service()?;
    Some((whole.duration_nanos.saturating_sub(far.duration_nanos), whole.status))
}

fn set_health(rollup: &mut ClusterRollup, health: &[Entry]) {
    let mut bad: Vec<(Counted, &Entry)> = Vec::new();
    for entry in health {
        if entry.kind == Kind::Cluster {
            rollup.state = entry.state;
            rollup.since_unix_ns = entry.since_unix_ns;
            rollup.reason = reason(entry);
        } else if let Some(kind) = Counted::named(entry.kind.as_str()) {
            rollup.counts.add(kind, entry.state, 1);
            if entry.state != State::Ok {
                bad.push((kind, entry));
            }
        }
    }
    // The worst first; of these what it comes from before what it is passed on to.
    let first = |kind: Counted| match kind {
        Counted::Disk => 0,
        Counted::Adapter => 1,
        Counted::Link => 2,
        Counted::Node => 3,
        Counted::Volume => 4,
    };
    bad.sort_by(|(a_kind, a), (b_kind, b)| {
        (b.state.cmp(&a.state))
            .then(first(*a_kind).cmp(&first(*b_kind)))
            .then(a.name.cmp(&b.name))
    });
    let worst = bad.iter().take(MOST_WORST).map(|(kind, entry)| WorstChild {
        kind: *kind,
        name: cut(&entry.name),
        state: entry.state,
        since_unix_ns: entry.since_unix_ns,
        reason: reason(entry),
    });
    rollup.worst = worst.collect();
    rollup.worst_more = narrow(bad.len() - rollup.worst.len());
}

fn reason(entry: &Entry) -> String {
    let worst = entry.reasons.first();
    worst.map_or_else(String::new, |worst| cut(&format!("{}: {}", worst.from, worst.text)))
}

fn set_findings(rollup: &mut ClusterRollup, findings: &[Finding]) {
    let mut counts: Vec<FindingCount> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.state == Life::Open) {
        let same = |own: &FindingCount| own.code == finding.code && own.severity == finding.severity;
        let at = counts.iter().position(same).unwrap_or_else(|| {
            counts.push(FindingCount {
                code: finding.code.clone(),
                severity: finding.severity,
                open: 0,
                muted: 0,
            });
            counts.len() - 1
        });
        counts[at].open += 1;
        counts[at].muted += u32::from(finding.muted.is_some());
    }
    counts.sort_by(|a, b| {
        (b.severity.cmp(&a.severity))
            .then(b.open.cmp(&a.open))
            .then(a.code.cmp(&b.code))
    });
    let left_out = counts.split_off(counts.len().min(MOST_CODES));
    rollup.findings_more = left_out.iter().fold(0, |sum, own| sum + own.open);
    for count in &mut counts {
        count.code = cut(&count.code);
    }
    rollup.findings = counts;
}

/// As much of a text as is sent.
fn cut(text: &str) -> String {
    if text.len() <= LONGEST_TEXT {
        return text.to_owned();
    }
    let mark = "…";
    let end = text.floor_char_boundary(LONGEST_TEXT - mark.len());
    format!("{}{mark}", &text[..end])
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
