//! Clocks of pairs that have no traffic of their own to tell them from: by way of others.
//!
//! Where a far clock is known to a third node and that node's clock to the initiator, the sum is known too, and as hard as its
//! parts. A clock is known both ways: what bounds B against A bounds A against B.
//!
//! Links are drawn when all windows of a number have closed, from what pairs have learnt by then: so they depend on events alone,
//! not on which vote was held first.

use std::collections::BTreeMap;

use fathom_model::{StreamIndex, Tap};
use rustc_hash::FxHashSet;

use super::Engine;

/// A way leads over no more pairs than this: each adds its width.
const MOST_STEPS: usize = 3;

/// The times, in windows after the one that closed, at which a link is reckoned: a pair that has traffic then learns by itself.
const AHEAD: [i64; 4] = [0, 1, 2, 3];

/// Only pairs whose clocks were seen to be right in the last so many windows carry a link.
const FRESH_WINDOWS: i64 = 8;

/// An initiator and a far stream.
type Pair = (StreamIndex, StreamIndex);

/// Bounds on an offset: lowest and highest.
type Bounds = (i64, i64);

impl Engine {
    /// Links the pairs that have not learnt anything by themselves, after the windows of a number have closed.
    pub(super) fn link_clocks(&mut self, window: i64) {
        let clocks = self.clocks.iter().filter(|(_, clock)| clock.is_learnt());
        let learnt: FxHashSet<Pair> = clocks.map(|(&pair, _)| pair).collect();
        let mut known: Vec<StreamIndex> = learnt.iter().flat_map(|&(own, far)| [own, far]).collect();
        known.sort_unstable_by_key(|&stream| self.catalog.stream(stream));
        known.dedup();
        let initiators: Vec<StreamIndex> = known
            .iter()
            .copied()
            .filter(|&own| self.gives(own, Tap::Volume))
            .collect();
        for own in initiators {
            let wanted: Vec<StreamIndex> = known.iter().copied().filter(|&far| self.wants_link(own, far)).collect();
            if wanted.is_empty() {
                continue;
            }
            let mut found: BTreeMap<usize, Vec<(i64, i64, i64)>> = BTreeMap::new();
            for ahead in AHEAD {
                let x = (window + 1 + ahead).saturating_mul(self.config.window_nanos);
                let bounds = self.reachable(own, x, &known, &learnt);
                for (at, far) in wanted.iter().enumerate() {
                    if let Some(&(low, high)) = bounds.get(far) {
                        found.entry(at).or_default().push((x, low, high));
                    }
                }
            }
            for (at, bounds) in found {
                let clock = self.clocks.entry((own, wanted[at])).or_default();
                clock.link(&self.config, &bounds);
            }
        }
    }

    /// Whether a pair is to be known by way of others.
    fn wants_link(&self, own: StreamIndex, far: StreamIndex) -> bool {
        let other = self.streams[&own].node != self.streams[&far].node;
        let sees = self.gives(far, Tap::Target) || self.gives(far, Tap::Device);
        let clock = self.clocks.get(&(own, far));
        other && sees && clock.is_none_or(|clock| !clock.is_aligned() || clock.is_linked())
    }

    /// The bounds of every clock that can be reached from one that shows `x`, by the narrowest ways.
    fn reachable(
        &self,
        own: StreamIndex,
        x: i64,
        known: &[StreamIndex],
        learnt: &FxHashSet<Pair>,
    ) -> BTreeMap<StreamIndex, Bounds> {
        let mut found: BTreeMap<StreamIndex, Bounds> = BTreeMap::from([(own, (0, 0))]);
        for _ in 0..MOST_STEPS {
            let mut next = found.clone();
            for (&via, &so_far) in &found {
                for &far in known.iter().filter(|&&far| far != own && far != via) {
                    let Some(step) = self.step_between(via, far, x, so_far, learnt) else {
                        continue;
                    };
                    let sum = (so_far.0.saturating_add(step.0), so_far.1.saturating_add(step.1));
                    let width = |bounds: &Bounds| bounds.1.saturating_sub(bounds.0);
                    // Of two that are as narrow the lower one, whichever was found first.
                    let better = |old: &Bounds| (width(&sum), sum) < (width(old), *old);
                    if next.get(&far).is_none_or(better) {
                        next.insert(far, sum);
                    }
                }
            }
            found = next;
        }
        found.remove(&own);
        found
    }

    /// The bounds of one clock against another, when a third shows `x` and the second is off from that by `off`.
    fn step_between(
        &self,
        from: StreamIndex,
        to: StreamIndex,
        x: i64,
        off: Bounds,
        learnt: &FxHashSet<Pair>,
    ) -> Option<Bounds> {
        let at = x.saturating_add(off.0 / 2 + off.1 / 2);
        let reach = off.1.saturating_sub(off.0) / 2 + 1;
        let direct = self.is_fresh((from, to), at, learnt).then(|| {
            let (low, high) = self.offset(from, to, at)?;
            Some(self.loosened((low, high), reach))
        });
        let back = learnt.contains(&(to, from)).then(|| {
            // Where the other clock is when this one shows it, found in two steps: after that only the bounds' own width is open.
            let middle = |y: i64| self.offset(to, from, y).map(|(low, high)| low / 2 + high / 2);
            let guess = at.saturating_sub(middle(at)?);
            let y = at.saturating_sub(middle(guess)?);
            if !self.is_fresh((to, from), y, learnt) {
                return None;
            }
            let (low, high) = self.offset(to, from, y)?;
            let miss = y.saturating_add(low / 2 + high / 2).abs_diff(at) as i64;
            // Both ends of the uncertain time have to be known, or a clock was set there.
            let open = (miss + (high - low) + reach).saturating_mul(2);
            self.offset(to, from, y.saturating_sub(open))?;
            self.offset(to, from, y.saturating_add(open))?;
            Some(self.loosened((-high, -low), open))
        });
        match (direct.flatten(), back.flatten()) {
            (Some(one), Some(other)) => Some((one.0.max(other.0), one.1.min(other.1))).filter(|both| both.0 <= both.1),
            (one, other) => one.or(other),
        }
    }

    /// Whether a pair's traffic bore its clock out a short time before `x`, or later: one that was set since is not believed.
    fn is_fresh(&self, pair: Pair, x: i64, learnt: &FxHashSet<Pair>) -> bool {
        let since = x.saturating_sub(FRESH_WINDOWS.saturating_mul(self.config.window_nanos));
        let last_fit = |pair| self.clocks.get(pair).and_then(|clock| clock.doubt.last_fit);
        learnt.contains(&pair) && last_fit(&pair).is_some_and(|last| last >= since)
    }

    /// Bounds at a time that is only known to within `reach`.
    fn loosened(&self, (low, high): Bounds, reach: i64) -> Bounds {
        let drift = i128::from(reach) * i128::from(self.config.max_drift_ppb) / 1_000_000_000 + 1;
        let drift = i64::try_from(drift).unwrap_or(i64::MAX / 8);
        (low.saturating_sub(drift), high.saturating_add(drift))
    }
}
