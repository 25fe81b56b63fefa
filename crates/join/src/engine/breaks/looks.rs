//! First looks at clocks: what a sample of a window's requests says of each pair. They change nothing, so that those of all pairs are
//! taken side by side.

use fathom_model::StreamIndex;

use super::asked::Asked;
use super::{LAST, SAMPLE};
use crate::clock::{PairClock, Search};
use crate::engine::Engine;

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
        let looks = self.workers.map(due.len(), |at| {
            let (stream, far, far_until) = due[at];
            self.first_look(stream, far, window, far_until)
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
        let from = self.clocks[&(stream, far)].holds_from();
        let requests = self.requests_of(stream, self.streams[&far].node, window, from);
        let all = requests.len();
        if all == 0 {
            return None;
        }
        let (asked, strays) = self.looked_at(stream, far, &requests.sample(SAMPLE, LAST), far_until);
        Some(FirstLook { asked, strays, all })
    }
}
