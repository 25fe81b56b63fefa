//! From rows to the cells of the tables `latency`, `attribution` and `write_seconds`, and from these to answers.
//!
//! # What is counted
//!
//! Latencies of whole I/Os by volume, initiator and size, of copies by volume, initiator and far node, and of copies by disk, each by
//! operation and tap; of writes, what [`crate::last_copy`] and [`crate::what_if`] count, by volume and disk, link and node; how they were
//! joined and what is missing, as [`crate::summary`] counts it; and the name of the slowest. How long writes took by second, volume,
//! initiator and size, as [`crate::ledger`] holds them against each other.
//!
//! # Order
//!
//! All but the expected shares only count: the same rows in any order and any pieces add up to the same cells. What share a copy was
//! expected to be the last in is learnt from the rows before it in the order in which they come.

use std::collections::{BTreeMap, HashMap};

use fathom_model::cell::{
    Attribution, AttributionKey, Attributions, Bucket, Candidate, Cells, Latencies, LatencyKey, Moments, Of, SecondKey,
    Seconds, SizeClass,
};
use fathom_model::sketch::Sketch;
use fathom_model::{Catalog, DiskIndex, Io, IoClass, JoinedRows, Leg, NodeIndex, Op, Tap, VolumeIndex};
use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;

use crate::chances::{Common, Table};
use crate::summary::each_missing;
use crate::what_if::{Away, Ends};

/// Taps of legs, in the order in which their sketches lie.
const OF_LEGS: [Tap; 3] = [Tap::Initiator, Tap::Target, Tap::Device];

/// The common distribution is asked anew when it has so many legs more, or a quarter more while it is small.
const ANEW: u64 = 4096;

type Map<K, V> = HashMap<K, V, FxBuildHasher>;

/// Cells of rows as they come.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    ios: Map<(i64, Op, VolumeIndex, NodeIndex, SizeClass), Sketch>,
    ways: Map<(i64, Op, VolumeIndex, NodeIndex, NodeIndex), [Sketch; 3]>,
    disks: Map<(i64, Op, DiskIndex), [Sketch; 3]>,
    attribution: Map<(i64, AttributionKey), Attribution>,
    seconds: Map<SecondKey, Moments>,
    common: Common,
    table: Table,
    /// How many legs the table knows.
    known: u64,
    chances: Vec<f64>,
}

impl Tally {
    /// Takes rows that were decided; events of no I/O are not counted.
    pub fn add(&mut self, rows: &JoinedRows, catalog: &Catalog) {
        for io in &rows.ios {
            self.add_io(rows, io, catalog);
        }
    }

    /// Takes an I/O with its legs.
    pub fn add_io(&mut self, rows: &JoinedRows, io: &Io, catalog: &Catalog) {
        let legs = rows.legs_of(io);
        let end = io.event.end_unix_nanos();
        let fine = Bucket::of(end, Bucket::FINE_NANOS).from_unix_nanos;
        let of_io = (fine, io.op, io.volume, io.node, SizeClass::of(io.length));
        self.ios.entry(of_io).or_default().add(io.event.duration_nanos);
        for leg in legs {
            let way = self.ways.entry((fine, io.op, io.volume, io.node, leg.node));
            count(way.or_default(), leg);
            count(self.disks.entry((fine, io.op, leg.disk)).or_default(), leg);
        }
        if io.op == Op::Write {
            let alike = SecondKey {
                second: io.second(),
                volume: io.volume,
                node: io.node,
                size: SizeClass::of(io.length),
            };
            self.seconds.entry(alike).or_default().add(io.event.duration_nanos);
            let minute = Bucket::of(end, Bucket::COARSE_NANOS).from_unix_nanos;
            self.attribute(rows, io, legs, minute, catalog);
        }
    }

    /// Takes legs of rows that are counted elsewhere: by them it is known what to expect.
    pub fn learn(&mut self, rows: &JoinedRows) {
        for io in rows.ios.iter().filter(|io| io.op == Op::Write) {
            self.learn_of(rows.legs_of(io));
        }
    }

    fn learn_of(&mut self, legs: &[Leg]) {
        // As for shares: a single copy is compared with nothing.
        if legs.len() > 1 {
            for seen in legs.iter().filter_map(|leg| leg.initiator) {
                self.common.add(seen.duration_nanos);
            }
        }
    }

    fn cell(&mut self, minute: i64, volume: VolumeIndex, to: Candidate) -> &mut Attribution {
        self.attribution
            .entry((minute, AttributionKey { volume, to }))
            .or_default()
    }

    fn attribute(&mut self, rows: &JoinedRows, io: &Io, legs: &[Leg], minute: i64, catalog: &Catalog) {
        let took = io.event.duration_nanos;
        let slowest = io.slowest.filter(|slowest| io.legs.contains(&slowest.leg));
        let all = self.cell(minute, io.volume, Candidate::All);
        all.writes += 1;
        all.took.add(took);
        all.unknown += u64::from(slowest.is_none());
        all.joined.legs_expected += u64::from(io.legs_expected);
        all.joined.legs += legs.iter().filter(|leg| leg.found()).count() as u64;
        match io.class {
            IoClass::Exact => all.joined.exact += 1,
            IoClass::Ambiguous => all.joined.ambiguous += 1,
            IoClass::Incomplete => all.joined.incomplete += 1,
        }
        all.note_slowest(took, || io.id(catalog).to_string());
        each_missing(io, legs, |node, tap, cause| {
            let to = Candidate::Missing(node, tap, cause);
            self.cell(minute, io.volume, to).writes += 1;
        });
        if let Some(slowest) = slowest {
            if legs.len() > 1 {
                self.share(io, legs, slowest.lead_nanos.is_some(), minute);
            }
            let last = &rows.legs[slowest.leg];
            let ends = Ends::of(io, legs);
            for away in Away::of_last(io, last) {
                let cell = self.cell(minute, io.volume, away.into());
                if legs.len() > 1 {
                    cell.last += 1;
                    cell.added_nanos = cell.added_nanos.saturating_add(slowest.lead_nanos.unwrap_or(0));
                }
                match ends.given_back(away, io, legs) {
                    Some(nanos) if nanos > 0 => {
                        cell.took.add(took);
                        cell.would.add(took.saturating_sub(nanos));
                        cell.given_back_nanos = cell.given_back_nanos.saturating_add(nanos);
                        cell.sooner += 1;
                    }
                    Some(_) => {}
                    None => cell.unknown += 1,
                }
            }
        }
        self.learn_of(legs);
    }

    /// Counts a write whose last copy is known for everything that holds a copy of it.
    fn share(&mut self, io: &Io, legs: &[Leg], has_lead: bool, minute: i64) {
        if self.common.total() >= self.known + ANEW.min(self.known / 4 + 1) {
            self.table = self.common.table();
            self.known = self.common.total();
        }
        let mut chances = std::mem::take(&mut self.chances);
        self.table.chances(legs, &mut chances);
        let mut counted: SmallVec<[Candidate; 12]> = SmallVec::new();
        for (leg, chance) in legs.iter().zip(&chances) {
            let expected = (chance * 1e6).round() as u64;
            for away in Away::of_last(io, leg) {
                let to = Candidate::from(away);
                let is_first = !counted.contains(&to);
                let cell = self.cell(minute, io.volume, to);
                cell.expected_millionths += expected;
                if is_first {
                    cell.writes += 1;
                    cell.leads += u64::from(has_lead);
                    counted.push(to);
                }
            }
        }
        self.chances = chances;
    }

    /// Whether nothing was counted since it was last asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ios.is_empty()
    }

    /// What was counted since it was last asked for; what is to be expected stays known.
    pub fn take(&mut self) -> Cells {
        let cells = self.cells();
        self.ios.clear();
        self.ways.clear();
        self.disks.clear();
        self.attribution.clear();
        self.seconds.clear();
        cells
    }

    /// What was counted since it was last taken.
    #[must_use]
    pub fn cells(&self) -> Cells {
        let mut latency = Latencies::default();
        let fine = |from_unix_nanos: i64| Bucket {
            from_unix_nanos,
            length_nanos: Bucket::FINE_NANOS,
        };
        for (&(at, op, volume, node, size), sketch) in &self.ios {
            let of = Of::Io { volume, node, size };
            let tap = Tap::Volume;
            latency.add(fine(at), LatencyKey { op, tap, of }, sketch);
        }
        let ways = self.ways.iter().map(|(&(at, op, volume, node, far), sketches)| {
            let of = Of::Way { volume, node, far };
            (at, op, of, sketches)
        });
        let disks = self.disks.iter();
        let disks = disks.map(|(&(at, op, disk), sketches)| (at, op, Of::Disk(disk), sketches));
        for (at, op, of, sketches) in ways.chain(disks) {
            for (tap, sketch) in OF_LEGS.into_iter().zip(sketches) {
                if !sketch.is_empty() {
                    latency.add(fine(at), LatencyKey { op, tap, of }, sketch);
                }
            }
        }
        let mut attribution = Attributions::default();
        for (&(from_unix_nanos, key), cell) in &self.attribution {
            let minute = Bucket {
                from_unix_nanos,
                length_nanos: Bucket::COARSE_NANOS,
            };
            attribution.add(minute, key, cell);
        }
        let mut seconds = Seconds::default();
        self.seconds
            .iter()
            .for_each(|(key, moments)| seconds.add(*key, moments));
        Cells {
            latency,
            attribution,
            seconds,
        }
    }
}

fn count(sketches: &mut [Sketch; 3], leg: &Leg) {
    for (tap, sketch) in OF_LEGS.into_iter().zip(sketches) {
        if let Some(seen) = leg.observation(tap) {
            sketch.add(seen.duration_nanos);
        }
    }
}

impl From<Away> for Candidate {
    fn from(away: Away) -> Self {
        match away {
            Away::Disk(disk) => Self::Disk(disk),
            Away::Link(low, high) => Self::Link(low, high),
            Away::Node(node) => Self::Node(node),
        }
    }
}

/// What a stretch of time adds up to, whatever its buckets and volumes.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Latencies.
    pub latency: BTreeMap<LatencyKey, Sketch>,
    /// What writes waited for.
    pub attribution: BTreeMap<Candidate, Attribution>,
}

impl Totals {
    /// Adds cells.
    pub fn add(&mut self, cells: &Cells) {
        for ((_, key), sketch) in &cells.latency.cells {
            self.latency.entry(*key).or_default().merge(sketch);
        }
        for ((_, key), cell) in &cells.attribution.cells {
            self.attribution.entry(key.to).or_default().merge(cell);
        }
    }
}

#[cfg(test)]
mod tests;
