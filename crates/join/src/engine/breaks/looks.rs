//! First looks at clocks: what a sample of a window's requests says of each pair. They change nothing, so that those of all pairs are
//! taken side by side.

use std::collections::BTreeSet;

use fathom_model::StreamIndex;
use rustc_hash::FxHashMap;

use super::asked::Asked;
use super::{LAST, SAMPLE};
use crate::assign::Interval;
use crate::clock::{PairClock, Search};
use crate::engine::Engine;
use crate::engine::align::{Request, Services};

/// What a sample of a window's requests says of a pair's clock.
pub(in crate::engine) struct FirstLook {
    /// The requests that say something.
    pub(super) asked: Vec<Asked>,
    /// How many have an answer elsewhere of those whose own may be lost.
    pub(super) strays: usize,
    /// How many requests there are.
    pub(super) all: usize,
}

impl std::fmt::Debug for FirstLook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FirstLook")
            .field("all", &self.all)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Looks at the clocks of all pairs that a window of some streams has to do with and that are due.
    pub(in crate::engine) fn look_at_clocks(&mut self, window: i64, streams: &[StreamIndex]) {
        self.first_looks.clear();
        let mut due = Vec::new();
        for &stream in streams {
            for node in self.copy_nodes(window, stream) {
                let others = self.lives(node).iter().filter(|&&far| far != stream);
                let pairs = others.filter(|&&far| {
                    let clock = self.clocks.get(&(stream, far));
                    // A clock that others' traffic alone tells of gets a vote of its own first.
                    let own = |clock: &PairClock| !clock.is_linked() || clock.search == Search::GivenUp;
                    clock.is_some_and(|clock| clock.is_aligned() && own(clock))
                });
                due.extend(pairs.filter_map(|&far| Some((stream, far, self.is_due(stream, far, window)?))));
            }
        }
        let samples = self.workers.map(due.len(), |at| {
            let (stream, far, _) = due[at];
            self.sample_of(stream, far, window)
        });
        // What one initiator looks for at a node others look for as well: all that is there is looked at once.
        let fars: BTreeSet<StreamIndex> = due.iter().map(|&(_, far, _)| far).collect();
        let fars: Vec<StreamIndex> = fars.into_iter().collect();
        let services = self.workers.map(fars.len(), |at| {
            let of_far = due.iter().zip(&samples).filter(|((_, far, _), _)| *far == fars[at]);
            let asked = of_far.filter_map(|(&(stream, ..), sample)| Some((stream, sample.as_ref()?.0.as_slice())));
            self.services_for_all(fars[at], &asked.collect::<Vec<_>>())
        });
        let looks = self.workers.map(due.len(), |at| {
            let (stream, far, far_until) = due[at];
            let (sample, all) = samples[at].as_ref()?;
            let known = fars.binary_search(&far).ok().map(|at| &services[at]);
            let (asked, strays) = self.looked_at(stream, far, sample, far_until, known);
            Some(FirstLook {
                asked,
                strays,
                all: *all,
            })
        });
        let pairs = due.iter().map(|&(stream, far, _)| (stream, far));
        self.first_looks = pairs
            .zip(looks)
            .filter_map(|(pair, look)| Some((pair, look?)))
            .collect();
    }

    /// Until when the far node was heard, on its clock, where a pair's clock has to be looked at for a window and can be.
    pub(super) fn is_due(&self, stream: StreamIndex, far: StreamIndex, window: i64) -> Option<i64> {
        let node = self.streams[&far].node;
        let cut = self.cut(window);
        let clock = &self.clocks[&(stream, far)];
        let far_until = cut.saturating_add(clock.widest(&self.config, cut).map_or(0, |(_, high)| high));
        let heard = self.heard_of(node) >= far_until || self.is_over(far);
        let due = clock.doubt.checked != Some(window) && heard && !self.silent.contains(&node);
        due.then_some(far_until)
    }

    /// Looks at a sample of what was asked; `None` where nothing was.
    pub(super) fn first_look(
        &self,
        stream: StreamIndex,
        far: StreamIndex,
        window: i64,
        far_until: i64,
    ) -> Option<FirstLook> {
        let (sample, all) = self.sample_of(stream, far, window)?;
        let (asked, strays) = self.looked_at(stream, far, &sample, far_until, None);
        Some(FirstLook { asked, strays, all })
    }

    /// A sample of what a window's I/Os asked of a node since the pair's clock holds, and how many requests there are.
    fn sample_of(&self, stream: StreamIndex, far: StreamIndex, window: i64) -> Option<(Vec<Request>, usize)> {
        let from = self.clocks[&(stream, far)].holds_from();
        let requests = self.requests_of(stream, self.streams[&far].node, window, from);
        let all = requests.len();
        (all > 0).then(|| (requests.sample(SAMPLE, LAST), all))
    }

    /// What a far stream has for the requests of some initiators, where their clocks have it.
    fn services_for_all(&self, far: StreamIndex, asked: &[(StreamIndex, &[Request])]) -> Services {
        let mut all: Vec<&Request> = Vec::new();
        let mut within: Option<Interval> = None;
        for &(stream, requests) in asked {
            let requests: Vec<&Request> = requests.iter().collect();
            if let Some(own) = self.within(stream, far, &requests) {
                within = Some(within.map_or(own, |all| (all.0.min(own.0), all.1.max(own.1))));
                all.extend(requests);
            }
        }
        within.map_or_else(Services::default, |within| {
            self.services((far, self.far_tap(far)), within, &all, &FxHashMap::default())
        })
    }
}
