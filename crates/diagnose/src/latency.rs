//! Latency of groups of I/Os and legs: percentiles in bounded memory.

use std::collections::BTreeMap;

use fathom_model::cell::{LatencyKey, Of, OfKind};
use fathom_model::report;
use fathom_model::sketch::Sketch;
use fathom_model::{Catalog, DiskIndex, Io, Leg, NodeIndex, Op, Tap, VolumeIndex};
use hdrhistogram::Histogram;

/// What latencies are grouped by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// Tap alone.
    Tap,
    /// Tap and the node that saw it.
    #[default]
    Node,
    /// Tap and disk (of legs).
    Disk,
    /// Tap and volume.
    Volume,
    /// Tap, initiator and far node (of legs).
    Pair,
}

impl By {
    /// All groupings.
    pub const ALL: [Self; 5] = [Self::Tap, Self::Node, Self::Disk, Self::Volume, Self::Pair];

    /// Lower case, as the CLI takes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tap => "tap",
            Self::Node => "node",
            Self::Disk => "disk",
            Self::Volume => "volume",
            Self::Pair => "pair",
        }
    }

    /// Of which cells its groups are made: of others [`Latencies::add_cell`] takes nothing.
    #[must_use]
    pub const fn kinds(self) -> &'static [OfKind] {
        match self {
            Self::Tap | Self::Node | Self::Volume => &[OfKind::Io, OfKind::Way],
            Self::Pair => &[OfKind::Way],
            Self::Disk => &[OfKind::Disk],
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    tap: Tap,
    node: Option<NodeIndex>,
    disk: Option<DiskIndex>,
    volume: Option<VolumeIndex>,
    peer: Option<NodeIndex>,
}

impl Key {
    const fn of(tap: Tap) -> Self {
        Self {
            tap,
            node: None,
            disk: None,
            volume: None,
            peer: None,
        }
    }

    const fn node(self, node: NodeIndex) -> Self {
        Self {
            node: Some(node),
            ..self
        }
    }
}

/// A group of up to so many values keeps them all, and its percentiles are exact; a larger one becomes a histogram.
const KEPT: usize = 200_000;

/// Latencies of I/Os of one operation and of their legs.
///
/// Percentiles are exact for groups of up to 200,000, else to 0.1 % (three significant digits), of what others added up to 1 %; counts and
/// maxima always are exact.
#[derive(Clone, Debug)]
pub struct Latencies {
    by: By,
    op: Op,
    groups: BTreeMap<Key, Group>,
}

#[derive(Clone, Debug)]
enum Group {
    All(Vec<u64>),
    Many {
        histogram: Histogram<u64>,
        max: u64,
    },
    /// What others added up.
    Added(Sketch),
}

impl Default for Group {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl Group {
    fn add(&mut self, nanos: u64) {
        match self {
            Self::All(values) if values.len() < KEPT => values.push(nanos),
            Self::All(values) => {
                let mut histogram = histogram();
                values.iter().for_each(|&value| record(&mut histogram, value));
                let max = values.iter().copied().max().unwrap_or(0);
                *self = Self::Many { histogram, max };
                self.add(nanos);
            }
            Self::Many { histogram, max } => {
                record(histogram, nanos);
                *max = nanos.max(*max);
            }
            Self::Added(sketch) => sketch.add(nanos),
        }
    }

    fn merge(&mut self, more: &Sketch) {
        let mut sketch = match std::mem::take(self) {
            Self::Added(sketch) => sketch,
            Self::All(values) => {
                let mut sketch = Sketch::default();
                values.into_iter().for_each(|nanos| sketch.add(nanos));
                sketch
            }
            Self::Many { histogram, .. } => {
                let mut sketch = Sketch::default();
                for step in histogram.iter_recorded() {
                    sketch.add_many(step.value_iterated_to(), step.count_at_value());
                }
                sketch
            }
        };
        sketch.merge(more);
        *self = Self::Added(sketch);
    }

    /// Count, percentiles by nearest rank, maximum.
    fn percentiles(&self, quantiles: [f64; 3]) -> (u64, [u64; 3], u64) {
        match self {
            Self::All(values) => {
                let mut sorted = values.clone();
                sorted.sort_unstable();
                let rank = |quantile: f64| (quantile * sorted.len() as f64).ceil() as usize;
                let at = |quantile: f64| sorted.get(rank(quantile).max(1) - 1).copied().unwrap_or(0);
                (
                    sorted.len() as u64,
                    quantiles.map(at),
                    sorted.last().copied().unwrap_or(0),
                )
            }
            Self::Many { histogram, max } => {
                let at = |quantile: f64| histogram.value_at_quantile(quantile).min(*max);
                (histogram.len(), quantiles.map(at), *max)
            }
            Self::Added(sketch) => {
                let values = sketch.quantiles(quantiles).unwrap_or_default();
                (sketch.count(), values, sketch.max().unwrap_or(0))
            }
        }
    }
}

impl Latencies {
    /// Latencies of one operation, grouped.
    #[must_use]
    pub const fn new(by: By, op: Op) -> Self {
        Self {
            by,
            op,
            groups: BTreeMap::new(),
        }
    }

    /// Takes an I/O and its legs.
    pub fn add(&mut self, io: &Io, legs: &[Leg]) {
        if io.op != self.op {
            return;
        }
        if !matches!(self.by, By::Disk | By::Pair) {
            let key = self.key(Tap::Volume, io.node, None, io, None);
            self.record(key, io.event.duration_nanos);
        }
        for leg in legs {
            for tap in [Tap::Initiator, Tap::Target, Tap::Device] {
                let Some(seen) = leg.observation(tap) else { continue };
                let by_node = if tap == Tap::Initiator { io.node } else { leg.node };
                let node = if self.by == By::Pair { leg.node } else { by_node };
                let key = self.key(tap, node, Some(leg.disk), io, Some(io.node));
                self.record(key, seen.duration_nanos);
            }
        }
    }

    /// Takes what I/Os or legs added up to: percentiles of its group are then to 1 %. Cells of what this is not grouped by are left out,
    /// so that of all cells each I/O and leg counts once.
    pub fn add_cell(&mut self, key: &LatencyKey, sketch: &Sketch) {
        if key.op != self.op {
            return;
        }
        let own = match (self.by, key.of) {
            (By::Tap, Of::Io { .. } | Of::Way { .. }) => Key::of(key.tap),
            (By::Node, Of::Io { node, .. }) => Key::of(key.tap).node(node),
            (By::Node, Of::Way { node, .. }) if key.tap == Tap::Initiator => Key::of(key.tap).node(node),
            (By::Node, Of::Way { far, .. }) => Key::of(key.tap).node(far),
            (By::Volume, Of::Io { volume, .. } | Of::Way { volume, .. }) => Key {
                volume: Some(volume),
                ..Key::of(key.tap)
            },
            (By::Pair, Of::Way { node, far, .. }) => Key {
                peer: Some(node),
                ..Key::of(key.tap).node(far)
            },
            (By::Disk, Of::Disk(disk)) => Key {
                disk: Some(disk),
                ..Key::of(key.tap)
            },
            _ => return,
        };
        self.groups.entry(own).or_default().merge(sketch);
    }

    fn key(&self, tap: Tap, node: NodeIndex, disk: Option<DiskIndex>, io: &Io, peer: Option<NodeIndex>) -> Key {
        let nothing = Key::of(tap);
        match self.by {
            By::Tap => nothing,
            By::Node => Key {
                node: Some(node),
                ..nothing
            },
            By::Disk => Key { disk, ..nothing },
            By::Volume => Key {
                volume: Some(io.volume),
                ..nothing
            },
            By::Pair => Key {
                node: Some(node),
                peer,
                ..nothing
            },
        }
    }

    fn record(&mut self, key: Key, nanos: u64) {
        self.groups.entry(key).or_default().add(nanos);
    }

    /// The groups in the order of the path, then by name.
    #[must_use]
    pub fn report(&self, catalog: &Catalog) -> Vec<report::Latency> {
        let mut rows: Vec<(Tap, report::Latency)> = self
            .groups
            .iter()
            .map(|(key, group)| {
                let (count, [p50_ns, p95_ns, p99_ns], max_ns) = group.percentiles([0.5, 0.95, 0.99]);
                let disk = key.disk.map(|disk| catalog.disk(disk));
                let row = report::Latency {
                    tap: key.tap.as_str().to_owned(),
                    node: key
                        .node
                        .map(|node| catalog.node(node).to_string())
                        .or_else(|| disk.map(|disk| disk.node.to_string())),
                    disk: disk.map(|disk| disk.name.clone()),
                    volume: key.volume.map(|volume| catalog.volume(volume).to_string()),
                    peer: key.peer.map(|peer| catalog.node(peer).to_string()),
                    count,
                    p50_ns,
                    p95_ns,
                    p99_ns,
                    max_ns,
                };
                (key.tap, row)
            })
            .collect();
        rows.sort_by(|(a_tap, a), (b_tap, b)| {
            let order = |tap: &Tap, row: &report::Latency| {
                (
                    *tap,
                    row.volume.clone(),
                    row.peer.clone(),
                    row.node.clone(),
                    row.disk.clone(),
                )
            };
            order(a_tap, a).cmp(&order(b_tap, b))
        });
        rows.into_iter().map(|(_, row)| row).collect()
    }
}

/// An empty histogram of durations: three significant digits, growing as needed.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three significant digits are possible")
}

/// Records a duration; no I/O takes longer than 2^50 ns (13 days), and one that says so is counted there.
pub(crate) fn record(histogram: &mut Histogram<u64>, nanos: u64) {
    histogram
        .record(nanos.min(1 << 50))
        .expect("a growing histogram takes every value");
}

#[cfg(test)]
mod tests;
