//! From what a round decided to rows.

use fathom_model::fan_out::MoreOrdinals;
use fathom_model::{ClockStatement, Io, IoClass, JoinedRows, Leg, LegMethod, Observation, Slowest, StreamIndex};

use super::context::{Context, Side};
use super::slice::Decided;
use super::{At, BulkIo, Gathered, Pick, Round, parallel};
use crate::engine::Engine;
use crate::engine::lane::Lane;
use crate::slowest::{self, Known, Replies};

/// What the rows of one initiator are made from.
struct Source<'a> {
    context: &'a Context,
    side: usize,
    own: &'a Side,
    gathered: &'a Gathered,
    /// Of each side.
    lanes: Vec<&'a Lane>,
}

impl Round {
    fn source<'a>(&'a self, engine: &'a Engine, stream: StreamIndex) -> Option<Source<'a>> {
        let side = self.context.side_of(stream)?;
        let sides = &self.context.sides;
        Some(Source {
            context: &self.context,
            side,
            own: &sides[side],
            gathered: &self.gathered[side],
            lanes: sides.iter().map(|side| &engine.streams[&side.stream].lane).collect(),
        })
    }

    /// What the I/Os of a stream say about replies.
    pub(in crate::engine) fn replies(&self, engine: &Engine, stream: StreamIndex) -> Replies {
        let mut all = Replies::default();
        let Some(source) = self.source(engine, stream) else {
            return all;
        };
        let learnt = parallel::map(engine.config.threads, self.slices.len(), |at| {
            let mut replies = Replies::default();
            let (mut legs, mut ends) = (Vec::new(), Vec::new());
            let decided = &self.slices[at].of_side[source.side];
            for (io, picks) in decided.with_picks(source.gathered) {
                legs.clear();
                ends.clear();
                source.add_legs(io, picks, &mut legs, &mut ends);
                replies.learn(io.end, &legs, &ends);
            }
            replies
        });
        learnt.iter().for_each(|replies| all.merge(replies));
        all
    }

    /// The rows of a stream's I/Os.
    pub(in crate::engine) fn rows(&self, engine: &Engine, stream: StreamIndex, known: &Known) -> Vec<JoinedRows> {
        let Some(source) = self.source(engine, stream) else {
            return Vec::new();
        };
        let rows = parallel::map(engine.config.threads, self.slices.len(), |at| {
            let decided = &self.slices[at].of_side[source.side];
            let mut rows = JoinedRows::default();
            rows.ios.reserve_exact(decided.decided.len());
            rows.legs.reserve_exact(decided.picks.len());
            let mut ends = Vec::new();
            for (io, picks) in decided.with_picks(source.gathered) {
                let from = rows.legs.len();
                ends.clear();
                source.add_legs(io, picks, &mut rows.legs, &mut ends);
                let slowest = slowest::name(known, io.end, &mut rows.legs[from..], &ends);
                let legs = from..rows.legs.len();
                rows.ios.push(source.io(io, legs, slowest));
            }
            rows
        });
        rows.into_iter().filter(|rows| !rows.is_empty()).collect()
    }
}

impl Source<'_> {
    fn observation(&self, side: usize, at: At) -> Option<Observation> {
        if at == At::NONE {
            return None;
        }
        let batch = self.lanes[side].batch(at);
        let row = at.row as usize;
        Some(Observation {
            stream: self.context.sides[side].stream,
            ordinal: batch.first + u64::from(at.row),
            start_unix_nanos: batch.columns.starts_unix_nanos()[row],
            duration_nanos: batch.columns.durations_nanos()[row],
            status: batch.columns.statuses()[row],
        })
    }

    fn io(&self, io: &BulkIo, legs: std::ops::Range<usize>, slowest: Option<Slowest>) -> Io {
        Io {
            event: self
                .observation(self.side, io.at)
                .expect("every I/O is an event of a lane"),
            node: self.own.node,
            volume: io.volume,
            op: io.op,
            offset: io.offset,
            length: io.length,
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
    fn add_legs(&self, io: &BulkIo, picks: &[Pick], legs: &mut Vec<Leg>, ends: &mut Vec<slowest::End>) {
        for (place, pick) in self.gathered.places[io.places()].iter().zip(picks) {
            let far_at = usize::from(pick.far);
            let far = &self.context.sides[far_at];
            let [initiator, target, device] = pick.seen;
            let clock = self.context.offset(self.side, far_at, io.start);
            let leg = Leg {
                part: place.part,
                copy: place.copy,
                node: place.node,
                disk: place.disk,
                disk_offset: place.offset,
                length: place.length,
                local: far.node == self.own.node,
                initiator: self.observation(self.side, initiator),
                target: self.observation(far_at, target),
                device: self.observation(far_at, device),
                more: MoreOrdinals::default(),
                missing_initiator: None,
                missing_target: None,
                missing_device: None,
                method: LegMethod::Key,
                confidence: 1.0,
                ambiguous: false,
                candidate: false,
                clock: clock.map(|(low, high)| ClockStatement::between(low, high)),
            };
            ends.push(slowest::end_of(io.start, &leg));
            legs.push(leg);
        }
    }
}

impl Decided {
    /// Its I/Os, decided or not.
    pub(super) fn ios<'a>(&self, gathered: &'a Gathered) -> &'a [BulkIo] {
        &gathered.ios[self.first..self.first + self.decided.len()]
    }

    /// The I/Os that were decided, with what was found for their places.
    fn with_picks<'a>(&'a self, gathered: &'a Gathered) -> impl Iterator<Item = (&'a BulkIo, &'a [Pick])> {
        let mut picks = self.picks.as_slice();
        let ios = self.ios(gathered).iter().zip(&self.decided);
        ios.filter(|(_, decided)| **decided).map(move |(io, _)| {
            let (own, rest) = picks.split_at(io.places as usize);
            picks = rest;
            (io, own)
        })
    }
}
