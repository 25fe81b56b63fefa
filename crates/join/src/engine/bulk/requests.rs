//! What the I/Os of a window that is about to close asked of a node, for those who look at its clock or at its disks.

use fathom_model::{NodeIndex, StreamIndex};

use super::gather::{Asking, Gathered};
use crate::engine::Engine;
use crate::engine::align::{Request, is_sampled};

/// What a window's I/Os asked of a node, in the order of ordinals, part and copy.
pub(in crate::engine) enum Asks<'a> {
    /// They wait in the lane, but for some in the pool: nothing is copied before it is looked at.
    Waiting(Waiting<'a>),
    Some(Vec<Request>),
}

/// Requests of I/Os that wait in the lane, and those of some in the pool.
#[derive(Debug)]
pub(in crate::engine) struct Waiting<'a> {
    gathered: &'a Gathered,
    asked: &'a [Asking],
    /// With their places among all.
    pooled: Vec<(usize, Request)>,
}

impl Waiting<'_> {
    fn get(&self, at: usize) -> Request {
        let before = self.pooled.partition_point(|&(place, _)| place < at);
        match self.pooled.get(before) {
            Some(&(place, request)) if place == at => request,
            _ => self.gathered.request(self.asked[at - before]),
        }
    }

    /// Adds requests of I/Os in the pool.
    fn add(&mut self, mut pooled: Vec<Request>) {
        let order = |request: &Request| (request.ordinal, request.place.part, request.place.copy);
        pooled.sort_unstable_by_key(order);
        let with_place = pooled.into_iter().enumerate().map(|(before, request)| {
            let waiting = self
                .asked
                .partition_point(|&asking| order(&self.gathered.request(asking)) < order(&request));
            (waiting + before, request)
        });
        self.pooled = with_place.collect();
    }
}

impl Asks<'_> {
    pub(in crate::engine) fn len(&self) -> usize {
        match self {
            Self::Waiting(waiting) => waiting.asked.len() + waiting.pooled.len(),
            Self::Some(requests) => requests.len(),
        }
    }

    /// None that waits began before this.
    pub(in crate::engine) const fn earliest(&self) -> i64 {
        match self {
            Self::Waiting(waiting) => waiting.gathered.earliest,
            Self::Some(_) => i64::MIN,
        }
    }

    fn get(&self, at: usize) -> Request {
        match self {
            Self::Waiting(waiting) => waiting.get(at),
            Self::Some(requests) => requests[at],
        }
    }

    /// With requests of I/Os in the pool.
    pub(in crate::engine) fn with(mut self, mut pooled: Vec<Request>) -> Self {
        match &mut self {
            Self::Waiting(waiting) => waiting.add(pooled),
            Self::Some(requests) => {
                requests.append(&mut pooled);
                requests.sort_unstable_by_key(|request| (request.ordinal, request.place.part, request.place.copy));
            }
        }
        self
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
            Asks::Waiting(Waiting {
                gathered,
                asked: gathered.asked(node),
                pooled: Vec::new(),
            })
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

    /// How often the I/Os that were gathered for a window asked something of each disk, added to what is there.
    pub(in crate::engine) fn count_gathered(&self, stream: StreamIndex, window: i64, counts: &mut [usize]) {
        if let Some(gathered) = self.streams[&stream].gathered.get(&window) {
            gathered
                .places
                .iter()
                .for_each(|place| counts[place.disk.as_usize()] += 1);
        }
    }

    /// What the I/Os that were gathered for a window asked of disks, of each disk one place in so many, by index; none where that is 0.
    pub(in crate::engine) fn gathered_of_disks(
        &self,
        stream: StreamIndex,
        window: i64,
        one_in: &[u64],
    ) -> Vec<Request> {
        let mut requests = Vec::new();
        let Some(gathered) = self.streams[&stream].gathered.get(&window) else {
            return requests;
        };
        for io in &gathered.ios {
            for place in &gathered.places[io.places()] {
                let one_in = one_in[place.disk.as_usize()];
                if one_in > 0 && is_sampled(place.offset, one_in) {
                    requests.push(Request {
                        ordinal: io.ordinal,
                        whole: (io.start, io.end),
                        op: io.op,
                        place: (*place).into(),
                    });
                }
            }
        }
        requests
    }
}
