//! From what a round decided to rows.

use fathom_model::fan_out::MoreOrdinals;
use fathom_model::{
    ClockStatement, DiskIndex, Io, IoClass, JoinedRows, Leg, LegMethod, Observation, Slowest, StreamIndex, Tap,
};

use super::context::Context;
use super::{BulkIo, Decided, Picked, Round, Seen, parallel};
use crate::clock::{Constraints, STRETCH_BITS};
use crate::delays::Samples;
use crate::engine::Engine;
use crate::slowest::{self, Replies};

impl Round {
    /// What the I/Os that were decided say about clocks, a pair.
    pub(in crate::engine) fn constraints(&self, stream: StreamIndex) -> Vec<((StreamIndex, StreamIndex), Constraints)> {
        let Some(all) = self.of_stream.get(&stream) else {
            return Vec::new();
        };
        let Some(own) = all.first().map(|decided| &self.context.sides[decided.side]) else {
            return Vec::new();
        };
        let mut tightest: Vec<Tightest> = vec![Tightest::default(); self.context.sides.len()];
        for (decided, io) in all
            .iter()
            .flat_map(|decided| decided.ios().map(move |io| (decided, io)))
        {
            for picked in self.picked_of(decided, io) {
                let far = &self.context.sides[usize::from(picked.far)];
                if far.node == own.node {
                    continue;
                }
                let [leg, target, device] = picked.seen;
                let (outer, outer_tap) = if leg.is {
                    ((leg.start, leg.end), Tap::Initiator)
                } else {
                    ((io.start, io.end), Tap::Volume)
                };
                let (inner, inner_tap) = if target.is {
                    (target, Tap::Target)
                } else {
                    (device, Tap::Device)
                };
                let slack = own.resolution(outer_tap) + far.resolution(inner_tap);
                tightest[usize::from(picked.far)].add(
                    (outer.0, inner.start - outer.0 + slack),
                    (outer.1, inner.end - outer.1 - 2 * slack),
                );
            }
        }
        let sides = self.context.sides.iter().zip(tightest);
        sides
            .filter(|(_, tightest)| !tightest.upper.is_empty())
            .map(|(far, tightest)| ((stream, far.stream), tightest.constraints()))
            .collect()
    }

    /// Whether something of a stream was decided on a disk.
    pub(in crate::engine) fn has_decided(&self, stream: StreamIndex, disk: DiskIndex) -> bool {
        let all = self.of_stream.get(&stream).into_iter().flatten();
        all.flat_map(|decided| decided.ios().map(move |io| &decided.gathered.places[io.places()]))
            .any(|places| places.iter().any(|place| place.disk == disk))
    }

    /// The streams that a round knows, by their sides.
    pub(super) fn streams(&self) -> Vec<StreamIndex> {
        self.context.sides.iter().map(|side| side.stream).collect()
    }

    /// What was found for the places of an I/O.
    fn picked_of(&self, decided: &Decided, io: &BulkIo) -> &[Picked] {
        let places = io.places();
        let places = decided.first_place + places.start..decided.first_place + places.end;
        &self.picked[decided.stretch][places]
    }

    /// Reads the clocks as they stand after learning.
    pub(in crate::engine) fn read_clocks(&mut self, engine: &Engine, stream: StreamIndex) {
        if self.of_stream.contains_key(&stream) {
            self.context.read_clocks(engine, Some(stream), self.span);
        }
    }

    /// What the I/Os of a stream say about replies.
    pub(in crate::engine) fn replies(&self, stream: StreamIndex, threads: usize) -> Replies {
        let mut all = Replies::default();
        let Some(stretches) = self.of_stream.get(&stream) else {
            return all;
        };
        let learnt = parallel::map(threads, stretches.len(), |at| {
            let decided = &stretches[at];
            let mut replies = Replies::default();
            let mut legs = Vec::new();
            let mut ends = Vec::new();
            for io in decided.ios() {
                self.build(stream, decided, io, &mut legs, &mut ends);
                replies.learn(io.end, &legs, &ends);
                legs.clear();
                ends.clear();
            }
            replies
        });
        learnt.iter().for_each(|replies| all.merge(replies));
        all
    }

    /// How many I/Os of a stream were decided.
    pub(in crate::engine) fn count(&self, stream: StreamIndex) -> usize {
        let all = self.of_stream.get(&stream).into_iter().flatten();
        all.map(|decided| decided.ios().count()).sum()
    }

    /// What the I/Os of a stream with some ordinals say about the steps of legs.
    pub(in crate::engine) fn delays(&self, stream: StreamIndex, wanted: impl Fn(u64) -> bool, samples: &mut Samples) {
        let (mut legs, mut ends) = (Vec::new(), Vec::new());
        for decided in self.of_stream.get(&stream).into_iter().flatten() {
            for io in decided.ios().filter(|io| wanted(io.ordinal)) {
                self.build(stream, decided, io, &mut legs, &mut ends);
                samples.observe(io.op, (io.start, io.end), &legs, false);
                legs.clear();
                ends.clear();
            }
        }
    }

    /// The rows of a stream's I/Os.
    pub(in crate::engine) fn rows(
        &self,
        stream: StreamIndex,
        known: &slowest::Known,
        threads: usize,
    ) -> Vec<JoinedRows> {
        let Some(stretches) = self.of_stream.get(&stream) else {
            return Vec::new();
        };
        let rows = parallel::map(threads, stretches.len(), |at| {
            let decided = &stretches[at];
            let mut rows = JoinedRows::default();
            rows.ios.reserve_exact(decided.gathered.ios.len());
            rows.legs.reserve_exact(decided.gathered.places.len());
            let mut ends = Vec::new();
            for io in decided.ios() {
                let from = rows.legs.len();
                ends.clear();
                self.build(stream, decided, io, &mut rows.legs, &mut ends);
                let slowest = slowest::name(known, io.end, &mut rows.legs[from..], &ends);
                let legs = from..rows.legs.len();
                rows.ios.push(self.io(stream, decided, io, legs, slowest));
            }
            rows
        });
        rows.into_iter().filter(|rows| !rows.is_empty()).collect()
    }

    fn io(
        &self,
        stream: StreamIndex,
        decided: &Decided,
        io: &BulkIo,
        legs: std::ops::Range<usize>,
        slowest: Option<Slowest>,
    ) -> Io {
        Io {
            event: Observation {
                stream,
                ordinal: io.ordinal,
                start_unix_nanos: io.start,
                duration_nanos: io.end.abs_diff(io.start),
                status: io.status,
            },
            node: self.context.sides[decided.side].node,
            volume: io.volume,
            op: io.op,
            offset: io.offset,
            length: u64::from(io.length),
            class: IoClass::Exact,
            legs_expected: io.places,
            slowest: slowest.map(|slowest| Slowest {
                leg: slowest.leg + legs.start,
                ..slowest
            }),
            legs,
        }
    }

    /// Adds the legs of an I/O, and when their replies were there.
    fn build(
        &self,
        stream: StreamIndex,
        decided: &Decided,
        io: &BulkIo,
        legs: &mut Vec<Leg>,
        ends: &mut Vec<slowest::End>,
    ) {
        let picked = self.picked_of(decided, io);
        for (place, picked) in decided.gathered.places[io.places()].iter().zip(picked) {
            let far = &self.context.sides[usize::from(picked.far)];
            let [initiator, target, device] = picked.seen;
            let leg = Leg {
                part: place.part,
                copy: place.copy,
                node: place.node,
                disk: place.disk,
                disk_offset: place.offset,
                length: place.length,
                local: far.node == self.context.sides[decided.side].node,
                initiator: initiator.observation(stream),
                target: target.observation(far.stream),
                device: device.observation(far.stream),
                cache: None,
                merged: None,
                more: MoreOrdinals::default(),
                missing_initiator: None,
                missing_target: None,
                missing_device: None,
                method: LegMethod::Key,
                confidence: 1.0,
                ambiguous: false,
                candidate: false,
                clock: statement(&self.context, decided.side, picked, io.start),
            };
            ends.push(slowest::end_of(io.start, &leg));
            legs.push(leg);
        }
    }
}

fn statement(context: &Context, own: usize, picked: &Picked, x: i64) -> Option<ClockStatement> {
    let (low, high) = context.offset(own, usize::from(picked.far), x)?;
    Some(ClockStatement::between(low, high))
}

impl Decided {
    /// The I/Os that were decided.
    fn ios(&self) -> impl Iterator<Item = &BulkIo> {
        let ios = self.gathered.ios.iter().zip(&self.decided);
        ios.filter(|(_, decided)| **decided).map(|(io, _)| io)
    }
}

impl Seen {
    const fn observation(&self, stream: StreamIndex) -> Option<Observation> {
        if !self.is {
            return None;
        }
        Some(Observation {
            stream,
            ordinal: self.ordinal,
            start_unix_nanos: self.start,
            duration_nanos: self.end.abs_diff(self.start),
            status: self.status,
        })
    }
}

/// The tightest constraints of each stretch of time, as far as they come in order: the rest is thinned later.
#[derive(Clone, Debug, Default)]
struct Tightest {
    upper: Vec<(i64, i64)>,
    lower: Vec<(i64, i64)>,
}

impl Tightest {
    fn add(&mut self, upper: (i64, i64), lower: (i64, i64)) {
        push(&mut self.upper, upper, 1);
        push(&mut self.lower, lower, -1);
    }

    fn constraints(self) -> Constraints {
        let mut constraints = Constraints::default();
        constraints.extend(self.upper, self.lower);
        constraints
    }
}

/// Adds a point, or puts it in the place of one of the last few of the same stretch that is less tight.
fn push(points: &mut Vec<(i64, i64)>, point: (i64, i64), sign: i64) {
    let stretch = point.0 >> STRETCH_BITS;
    let from = points.len().saturating_sub(4);
    if let Some(other) = points[from..]
        .iter_mut()
        .find(|other| other.0 >> STRETCH_BITS == stretch)
    {
        if (sign * point.1, point.0) < (sign * other.1, other.0) {
            *other = point;
        }
        return;
    }
    points.push(point);
}
