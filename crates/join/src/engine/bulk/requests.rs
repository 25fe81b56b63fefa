//! What the I/Os of a window that is about to close asked of a node, for those who look at its clock or at its disks.

use std::collections::BTreeSet;

use fathom_model::{DiskIndex, NodeIndex, StreamIndex};

use super::gather::{Asking, Gathered};
use crate::engine::Engine;
use crate::engine::align::Request;

/// What a window's I/Os asked of a node, in the order of ordinals, part and copy.
pub(in crate::engine) enum Asks<'a> {
    /// All of them wait in the lane: nothing is copied before it is looked at.
    Waiting(&'a Gathered, &'a [Asking]),
    Some(Vec<Request>),
}

impl Asks<'_> {
    pub(in crate::engine) fn len(&self) -> usize {
        match self {
            Self::Waiting(_, asked) => asked.len(),
            Self::Some(requests) => requests.len(),
        }
    }

    /// No request began before this.
    pub(in crate::engine) const fn earliest(&self) -> i64 {
        match self {
            Self::Waiting(gathered, _) => gathered.earliest,
            Self::Some(_) => i64::MIN,
        }
    }

    fn get(&self, at: usize) -> Request {
        match self {
            Self::Waiting(gathered, asked) => gathered.request(asked[at]),
            Self::Some(requests) => requests[at],
        }
    }

    /// So many of the requests, spread evenly, and all of the last ones.
    pub(in crate::engine) fn sample(&self, most: usize, last: usize) -> Vec<Request> {
        let step = self.len().div_ceil(most).max(1);
        let tail = self.len().saturating_sub(last);
        let chosen = (0..tail).step_by(step).chain(tail..self.len());
        chosen.map(|at| self.get(at)).collect()
    }
}

impl Engine {
    /// What the I/Os that were gathered for a window asked of a node.
    pub(in crate::engine) fn gathered_requests(&self, stream: StreamIndex, node: NodeIndex, window: i64) -> Asks<'_> {
        let gathered = self.streams[&stream].gathered.get(&window);
        gathered.map_or(Asks::Some(Vec::new()), |gathered| {
            Asks::Waiting(gathered, gathered.asked(node))
        })
    }

    /// When each I/O completed that was gathered for a window, with its ordinal.
    pub(in crate::engine) fn gathered_ends(
        &self,
        stream: StreamIndex,
        window: i64,
    ) -> impl Iterator<Item = (u64, i64)> + '_ {
        let gathered = self.streams[&stream].gathered.get(&window).into_iter();
        gathered.flat_map(|gathered| gathered.ios.iter().map(|io| (io.ordinal, io.end)))
    }

    /// What the I/Os that were gathered for a window asked of some disks.
    pub(in crate::engine) fn gathered_of_disks(
        &self,
        stream: StreamIndex,
        window: i64,
        disks: &BTreeSet<DiskIndex>,
    ) -> Vec<Request> {
        let mut requests = Vec::new();
        if let Some(gathered) = self.streams[&stream].gathered.get(&window) {
            for io in &gathered.ios {
                let places = gathered.places[io.places()].iter();
                let places = places.filter(|place| disks.contains(&place.disk));
                requests.extend(places.map(|place| Request {
                    ordinal: io.ordinal,
                    whole: (io.start, io.end),
                    op: io.op,
                    place: *place,
                }));
            }
        }
        requests
    }
}
