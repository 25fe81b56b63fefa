//! What initiators asked of nodes, as votes on clocks look at it.

use fathom_model::{DiskIndex, Op, Tap};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::layout::Place;

/// What an initiator asked of a node.
#[derive(Debug, Default)]
pub(in crate::engine) struct Requests {
    /// I/Os that were looked at, whichever nodes they went to.
    pub(in crate::engine) ios: usize,
    pub(in crate::engine) places: Vec<Request>,
}

impl Requests {
    /// One place in so many makes a sample of about so many I/Os.
    pub(in crate::engine) fn one_in(&self, most: usize) -> u64 {
        self.ios.div_ceil(most).max(1) as u64
    }
}

/// Whether a place is looked at of which one in so many is.
pub(in crate::engine) const fn is_sampled(offset: u64, one_in: u64) -> bool {
    (offset.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).is_multiple_of(one_in)
}

/// A copy of a part of an I/O, as a vote looks at it.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Request {
    pub(in crate::engine) ordinal: u64,
    pub(in crate::engine) whole: (i64, i64),
    pub(in crate::engine) op: Op,
    pub(in crate::engine) place: Place,
}

impl Request {
    pub(in crate::engine) const fn key(&self) -> Key {
        (self.op, self.place.disk, self.place.offset, self.place.length)
    }
}

pub(in crate::engine) type Key = (Op, DiskIndex, u64, u64);
pub(in crate::engine) type Spans = SmallVec<[(i64, i64); 2]>;
/// What was seen, by key.
pub(in crate::engine) type Services = FxHashMap<Key, Spans>;
/// Interval, length, disk.
pub(in crate::engine) type Leg = ((i64, i64), u64, Option<DiskIndex>);

/// The tightest interval on the initiator's clock within which a copy was written: its leg, if exactly one is seen.
pub(in crate::engine) fn tightest(
    request: &Request,
    legs: &FxHashMap<(Op, u64), SmallVec<[Leg; 1]>>,
) -> ((i64, i64), Tap) {
    let (whole, place) = (request.whole, &request.place);
    let legs = legs.get(&(request.op, place.offset)).into_iter().flatten();
    let mut fitting = legs.filter(|(span, length, disk)| {
        let inside = span.0 >= whole.0 && span.1 <= whole.1;
        inside && *length == place.length && disk.is_none_or(|disk| disk == place.disk)
    });
    match (fitting.next(), fitting.next()) {
        (Some((span, ..)), None) => (*span, Tap::Initiator),
        _ => (whole, Tap::Volume),
    }
}
