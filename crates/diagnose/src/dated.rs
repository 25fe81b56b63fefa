//! Latencies that changed with something that happened: an update, another owner, other firmware.
//!
//! # The test
//!
//! Writes of a stretch are cut into pieces (of a sixtieth of it, from 1 to 10 s; of tables as their cells have it). Of what an event is about (a volume, the writes of a node, a
//! drive) up to 30 pieces before it are held against up to 30 after it, by their medians and their 99th percentiles, with the test and the
//! limits of [`crate::compare`]: Mann and Whitney's U, eight pieces a side, a false discovery rate of 5 % over all events, and a tenth of the
//! latency at least. That alone would credit an event with what began five minutes earlier: besides, the place at which the pieces are best
//! cut in two (Pettitt's statistic, the largest sum of signs) has to lie within two pieces of the event.
//!
//! # What it is not
//!
//! No proof: two things that happen at the same time are both told. An event is known to have happened between two readings; that it was read
//! by one clock and writes by another is covered by the two pieces, and not by more.

use std::collections::BTreeMap;

use fathom_model::cell::{Bucket, LatencyKey, Of, OfKind};
use fathom_model::sketch::Sketch;
use fathom_model::{Catalog, JoinedRows, Op, Tap};

use crate::compare::ranks::{adjusted, mann_whitney};
use crate::compare::{LATENCY_CHANGE, MIDDLE, Quantiles, RATE, SHARES, Span, TAIL, ratio};

const SECOND: i64 = 1_000_000_000;

/// Pieces of a stretch, and how long one is at the least and at the most.
const PIECES: i64 = 60;
const SHORTEST: i64 = SECOND;
const LONGEST: i64 = 10 * SECOND;

/// So many pieces on either side of an event are looked at.
const AROUND: i64 = 30;

/// A change begins with an event when it begins no further from it than this, in pieces.
const NEAR: i64 = 2;

/// What an event may have changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// Writes of a volume.
    Volume(String),
    /// Writes that a node makes.
    Node(String),
    /// What a drive takes for its writes, by node and name.
    Disk(String, String),
}

impl About {
    /// The cells of `latency` that have it.
    #[must_use]
    pub const fn kind(&self) -> OfKind {
        match self {
            Self::Volume(_) | Self::Node(_) => OfKind::Io,
            Self::Disk(..) => OfKind::Disk,
        }
    }

    /// Whether a cell is of it.
    fn has(&self, key: &LatencyKey, catalog: &Catalog) -> bool {
        match (self, key.of) {
            (Self::Volume(name), Of::Io { volume, .. }) => catalog.volume(volume).as_str() == name,
            (Self::Node(name), Of::Io { node, .. }) => catalog.node(node).as_str() == name,
            (Self::Disk(node, name), Of::Disk(disk)) => {
                let disk = catalog.disk(disk);
                key.tap == Tap::Device && disk.node.as_str() == node && disk.name == *name
            }
            _ => false,
        }
    }
}

/// Something that happened, as state says it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// When it was last read to be otherwise.
    pub from_unix_nanos: i64,
    /// When it was first read to be so.
    pub at_unix_nanos: i64,
    /// What it may have changed.
    pub about: About,
    /// The kind of resource that is otherwise, as observations have it.
    pub kind: String,
    /// The resource.
    pub id: String,
    /// The node that read it.
    pub node: String,
    /// What of it.
    pub attribute: String,
    /// As it was, and as it is.
    pub values: [String; 2],
}

/// A latency that changed with an event.
#[derive(Clone, Debug, PartialEq)]
pub struct Dated {
    /// What happened.
    pub event: Event,
    /// When the latency changed, to a piece.
    pub began_unix_nanos: i64,
    /// How long a piece is.
    pub piece_nanos: i64,
    /// As it was.
    pub before: Quantiles,
    /// As it is.
    pub after: Quantiles,
    /// How likely by chance, of the middle and of the tail; none of too few pieces.
    pub p: [Option<f64>; 2],
}

/// Writes around events as they come.
#[derive(Clone, Debug)]
pub struct Search {
    /// With how long a piece is.
    events: Vec<(Event, i64)>,
    /// By what they are of and how long they are, and by the number of the piece.
    pieces: BTreeMap<(About, i64), BTreeMap<i64, Sketch>>,
}

/// What is looked at around an event in pieces of a length.
#[must_use]
pub const fn around(event: &Event, piece_nanos: i64) -> Span {
    let reach = AROUND.saturating_mul(piece_nanos);
    Span {
        from_unix_nanos: event.from_unix_nanos.saturating_sub(reach),
        until_unix_nanos: event.at_unix_nanos.saturating_add(reach),
    }
}

impl Search {
    /// Around events, in a stretch.
    #[must_use]
    pub fn new(span: Span, events: Vec<Event>) -> Self {
        let length = span.until_unix_nanos.saturating_sub(span.from_unix_nanos);
        let piece = (length / PIECES).clamp(SHORTEST, LONGEST);
        Self::of_pieces(events.into_iter().map(|event| (event, piece)).collect())
    }

    /// Around events, each with how long the pieces are that it is looked at in: as long as the cells around it at the least.
    #[must_use]
    pub fn of_pieces(events: Vec<(Event, i64)>) -> Self {
        let events: Vec<(Event, i64)> = events.into_iter().map(|(event, piece)| (event, piece.max(1))).collect();
        let of = |(event, piece): &(Event, i64)| ((event.about.clone(), *piece), BTreeMap::new());
        Self {
            pieces: events.iter().map(of).collect(),
            events,
        }
    }

    /// Whether nothing happened, so that no row has to be looked at.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Takes a cell of `latency` that lies around an event ([`around`]). It counts where it begins.
    pub fn add_cell(&mut self, bucket: Bucket, key: &LatencyKey, sketch: &Sketch, catalog: &Catalog) {
        if key.op != Op::Write {
            return;
        }
        for ((about, piece), pieces) in &mut self.pieces {
            if about.has(key, catalog) {
                let number = bucket.from_unix_nanos.div_euclid(*piece);
                pieces.entry(number).or_default().merge(sketch);
            }
        }
    }

    /// Takes I/Os with their legs.
    pub fn add(&mut self, rows: &JoinedRows, catalog: &Catalog) {
        if self.is_empty() {
            return;
        }
        for ((about, length), pieces) in &mut self.pieces {
            let events = self.events.iter().map(|(event, _)| event);
            let events = events.filter(|event| event.about == *about);
            let near: Vec<Span> = events.map(|event| around(event, *length)).collect();
            let mut take = |end: i64, nanos: u64| {
                let is_in = |span: &Span| (span.from_unix_nanos..span.until_unix_nanos).contains(&end);
                if near.iter().any(is_in) {
                    let piece = end.div_euclid(*length);
                    pieces.entry(piece).or_default().add(nanos);
                }
            };
            let writes = rows.ios.iter().filter(|io| io.op == Op::Write);
            match about {
                About::Volume(name) => {
                    let volume = catalog.find_volume(&name.as_str().into());
                    for io in writes.filter(|io| Some(io.volume) == volume) {
                        take(io.event.end_unix_nanos(), io.event.duration_nanos);
                    }
                }
                About::Node(name) => {
                    let node = catalog.find_node(&name.as_str().into());
                    for io in writes.filter(|io| Some(io.node) == node) {
                        take(io.event.end_unix_nanos(), io.event.duration_nanos);
                    }
                }
                About::Disk(node, name) => {
                    let is_it = |disk: &fathom_model::PhysicalDisk| disk.node.as_str() == node && disk.name == *name;
                    let disk = catalog.disks().iter().position(is_it);
                    for io in writes {
                        let legs = rows.legs_of(io).iter();
                        for leg in legs.filter(|leg| Some(leg.disk.0 as usize) == disk) {
                            if let Some(seen) = leg.observation(Tap::Device) {
                                take(io.event.end_unix_nanos(), seen.duration_nanos);
                            }
                        }
                    }
                }
            }
        }
    }

    /// What changed with an event, the largest change first.
    #[must_use]
    pub fn report(&self) -> Vec<Dated> {
        let sides: Vec<(&Event, i64, Sides<'_>)> = self
            .events
            .iter()
            .filter_map(|(event, piece)| {
                let pieces = self.pieces.get(&(event.about.clone(), *piece))?;
                Some((event, *piece, Sides::of(event, pieces, *piece)?))
            })
            .collect();
        let mut all: Vec<f64> = sides
            .iter()
            .flat_map(|(_, _, sides)| sides.p.into_iter().flatten())
            .collect();
        let limit = adjusted(&mut all, RATE);
        let is_sure = |p: Option<f64>| p.is_some_and(|p| limit.is_some_and(|limit| p <= limit));
        let mut dated: Vec<Dated> = sides
            .into_iter()
            .filter_map(|(event, piece_nanos, sides)| {
                let (before, after) = (quantiles(&sides.before)?, quantiles(&sides.after)?);
                let moved = [
                    ratio(before.p50_nanos, after.p50_nanos),
                    ratio(before.p99_nanos, after.p99_nanos),
                ];
                let changed = [0, 1].map(|which| is_sure(sides.p[which]) && moved[which] >= LATENCY_CHANGE);
                // The middle tells when better than the tail, which few writes make.
                let which = if changed[0] { 0 } else { 1 };
                if !changed[which] {
                    return None;
                }
                let began = sides.began(which, piece_nanos)?;
                let near = NEAR.saturating_mul(piece_nanos);
                let from = event.from_unix_nanos.saturating_sub(near);
                let until = event.at_unix_nanos.saturating_add(near);
                (from..=until).contains(&began).then(|| Dated {
                    event: event.clone(),
                    began_unix_nanos: began,
                    piece_nanos,
                    before,
                    after,
                    p: sides.p,
                })
            })
            .collect();
        let moved = |one: &Dated| ratio(one.before.p99_nanos, one.after.p99_nanos);
        dated.sort_by(|a, b| moved(b).total_cmp(&moved(a)).then_with(|| a.event.cmp(&b.event)));
        dated
    }
}

/// What the pieces around an event say.
struct Sides<'a> {
    /// All of them, also those during which it happened.
    pieces: Vec<(i64, &'a Sketch)>,
    before: Sketch,
    after: Sketch,
    p: [Option<f64>; 2],
}

/// What a piece has to have to say something of its middle, and of its tail; and which of [`SHARES`] that is.
const TOLD: [(u64, usize); 2] = [(MIDDLE, 0), (TAIL, 2)];

fn value(sketch: &Sketch, (least, which): (u64, usize)) -> Option<f64> {
    let share = *SHARES.get(which)?;
    (sketch.count() >= least)
        .then(|| sketch.quantile(share))
        .flatten()
        .map(|nanos| nanos as f64)
}

fn quantiles(sketch: &Sketch) -> Option<Quantiles> {
    let [p50_nanos, p95_nanos, p99_nanos] = sketch.quantiles(SHARES)?;
    Some(Quantiles {
        count: sketch.count(),
        p50_nanos,
        p95_nanos,
        p99_nanos,
    })
}

impl<'a> Sides<'a> {
    fn of(event: &Event, pieces: &'a BTreeMap<i64, Sketch>, piece_nanos: i64) -> Option<Self> {
        let (first, last) = (
            event.from_unix_nanos.div_euclid(piece_nanos),
            event.at_unix_nanos.div_euclid(piece_nanos),
        );
        let around = first.saturating_sub(AROUND)..=last.saturating_add(AROUND);
        let pieces: Vec<(i64, &Sketch)> = pieces.range(around).map(|(number, sketch)| (*number, sketch)).collect();
        // While it happened is neither.
        let before: Vec<&Sketch> = pieces.iter().filter(|(at, _)| *at < first).map(|(_, of)| *of).collect();
        let after: Vec<&Sketch> = pieces.iter().filter(|(at, _)| *at > last).map(|(_, of)| *of).collect();
        let values = |side: &[&Sketch], told| side.iter().filter_map(|of| value(of, told)).collect::<Vec<f64>>();
        let p = TOLD.map(|told| mann_whitney(&values(&before, told), &values(&after, told)));
        if p == [None, None] {
            return None;
        }
        let whole = |side: &[&Sketch]| {
            let mut all = Sketch::default();
            side.iter().for_each(|of| all.merge(of));
            all
        };
        Some(Self {
            before: whole(&before),
            after: whole(&after),
            pieces,
            p,
        })
    }

    /// Where the pieces are best cut in two: when the second part begins. The largest sum of signs, each piece before against each after.
    fn began(&self, which: usize, piece_nanos: i64) -> Option<i64> {
        let told = *TOLD.get(which)?;
        let values: Vec<(i64, f64)> = self
            .pieces
            .iter()
            .filter_map(|(number, sketch)| Some((*number, value(sketch, told)?)))
            .collect();
        let sum = |cut: usize| -> i64 {
            let (one, other) = values.split_at(cut);
            let signs = one.iter().flat_map(|(_, one)| {
                other.iter().map(|(_, other)| match other.total_cmp(one) {
                    std::cmp::Ordering::Less => -1,
                    std::cmp::Ordering::Equal => 0,
                    std::cmp::Ordering::Greater => 1,
                })
            });
            signs.sum::<i64>().abs()
        };
        // Of equal cuts the first.
        let cut = (1..values.len()).rev().max_by_key(|cut| sum(*cut))?;
        Some(values.get(cut)?.0.saturating_mul(piece_nanos))
    }
}

#[cfg(test)]
mod tests;
