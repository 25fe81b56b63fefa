//! Fan-outs in columns, as a round leaves them.

use std::ops::Range;
use std::sync::Arc;

use fathom_model::{Io, IoClass, JoinedRows, Leg, NodeIndex, Observation, StreamIndex};

use super::context::Side;
use super::emit::{Fanned, leg};
use super::slice::{Decided, Last};
use super::{BulkIo, Gathered};

/// Fan-outs of one initiator's I/Os that were decided in bulk, in the order of their ends: a column an attribute of I/Os, legs and
/// their events. Rows are made of them when somebody asks.
///
/// All of them are exact: each copy has every event that its taps give, and no other assignment was possible.
#[derive(Debug)]
pub struct FanOuts {
    stream: StreamIndex,
    node: NodeIndex,
    /// Shared with those of the same window.
    gathered: Arc<Gathered>,
    decided: Decided,
}

impl FanOuts {
    pub(super) fn new(own: &Side, gathered: Arc<Gathered>, decided: Decided) -> Self {
        Self {
            stream: own.stream,
            node: own.node,
            gathered,
            decided,
        }
    }

    /// How many I/Os.
    #[must_use]
    pub fn len(&self) -> usize {
        self.decided.last.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.decided.last.is_empty()
    }

    /// How many legs all of them have.
    #[must_use]
    pub fn legs(&self) -> usize {
        self.decided.picks.len()
    }

    /// Adds them to rows, after those that are there.
    pub fn append_to(&self, rows: &mut JoinedRows) {
        for (one, last) in self.decided.fanned(&self.gathered).zip(&self.decided.last) {
            let first = rows.legs.len();
            rows.legs.extend(self.legs_of(&one));
            rows.ios.push(self.io(one.io, last, first..rows.legs.len()));
        }
    }

    /// As rows.
    #[must_use]
    pub fn to_rows(&self) -> JoinedRows {
        let mut rows = JoinedRows::default();
        rows.ios.reserve_exact(self.len());
        rows.legs.reserve_exact(self.legs());
        self.append_to(&mut rows);
        rows
    }

    fn legs_of<'a>(&self, one: &Fanned<'a>) -> impl Iterator<Item = Leg> + use<'a> {
        let own = self.node;
        let legs = one.places().zip(one.clocks());
        legs.map(move |(seen, clock)| leg(seen, own, clock))
    }

    fn io(&self, io: &BulkIo, last: &Last, legs: Range<usize>) -> Io {
        Io {
            event: Observation {
                stream: self.stream,
                ordinal: io.ordinal,
                start_unix_nanos: io.start,
                duration_nanos: io.end.abs_diff(io.start),
                status: io.status,
            },
            node: self.node,
            volume: io.volume,
            op: io.op,
            offset: io.offset,
            length: io.length.into(),
            class: IoClass::Exact,
            legs_expected: io.places,
            slowest: last.slowest(legs.start),
            legs,
        }
    }
}
