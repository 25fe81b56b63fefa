//! What a leg shows of how long its steps took.

use fathom_model::{Leg, NodeIndex, Observation, Op, Tap};

use super::{Asked, Kind, Samples, Shown, Step};

/// An observation of a leg, seen from its initiator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    pub(crate) tap: Tap,
    /// On the initiator's clock: of the far side by the middle of what the clocks allow.
    pub(crate) start: i64,
    pub(crate) end: i64,
}

/// How long a request took from an outer tap to an inner one, and back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passed {
    /// Its way in.
    pub(super) step: Step,
    /// Whether the two taps have different clocks.
    pub(super) crosses: bool,
    /// When, at the outer tap.
    pub(super) at: i64,
    pub(super) inwards: i64,
    pub(super) outwards: i64,
}

impl Passed {
    pub(crate) const fn new(node: NodeIndex, local: bool, outer: Sight, inner: Sight, asked: Asked) -> Self {
        let outside = matches!(outer.tap, Tap::Volume | Tap::Initiator);
        let inside = matches!(inner.tap, Tap::Target | Tap::Device);
        Self {
            step: Step::inwards(node, outer.tap, inner.tap, asked),
            crosses: outside && inside && !local,
            at: outer.start,
            inwards: inner.start.saturating_sub(outer.start),
            outwards: outer.end.saturating_sub(inner.end),
        }
    }

    pub(super) const fn ways(&self) -> i64 {
        self.inwards.saturating_add(self.outwards)
    }

    pub(super) const fn lean(&self) -> i64 {
        (self.inwards / 2).saturating_sub(self.outwards / 2)
    }
}

/// What was seen of a leg, the outermost first.
fn sights(leg: &Leg) -> impl Iterator<Item = Sight> {
    let offset = leg.clock.map(|clock| clock.offset_nanos);
    let sight = move |tap: Tap, seen: Option<Observation>| {
        let seen = seen?;
        let offset = if tap == Tap::Initiator { 0 } else { offset? };
        Some(Sight {
            tap,
            start: seen.start_unix_nanos.saturating_sub(offset),
            end: seen.end_unix_nanos().saturating_sub(offset),
        })
    };
    let all = [
        sight(Tap::Initiator, leg.initiator),
        sight(Tap::Target, leg.target),
        sight(Tap::Device, leg.device),
    ];
    all.into_iter().flatten()
}

impl Samples {
    /// Takes in what an I/O shows: every step between two things that are decided, or, with `open`, also between those that are as
    /// order has them.
    pub(crate) fn observe(&mut self, op: Op, (start, end): (i64, i64), legs: &[Leg], open: bool) {
        let whole = Sight {
            tap: Tap::Volume,
            start,
            end,
        };
        // The copy before, as far as its start is known for sure.
        let mut before: Option<(Shown, u32, i64)> = None;
        let mut is_first = true;
        let mut last: Option<(i64, Shown)> = None;
        let mut all_seen = true;
        for leg in legs {
            let asked = Asked { op, length: leg.length };
            let Some(outermost) = sights(leg).next() else {
                all_seen = false;
                continue;
            };
            let shown = Shown {
                copy: leg.copy,
                local: leg.local,
                tap: outermost.tap,
            };
            if (leg.ambiguous && !open) || leg.more.initiator.len() + leg.more.device.len() > 0 {
                (before, is_first, all_seen) = (None, false, false);
                continue;
            }
            if is_first {
                self.add(Step::first(shown, asked), outermost.start.saturating_sub(start));
            }
            if let Some((other, part, from)) = before {
                let step = Step::gap(other, shown, part == leg.part, asked);
                self.add(step, outermost.start.saturating_sub(from));
            }
            (before, is_first) = (Some((shown, leg.part, outermost.start)), false);
            if last.is_none_or(|(latest, _)| latest < outermost.end) {
                last = Some((outermost.end, shown));
            }
            let mut outer = whole;
            for inner in sights(leg) {
                let passed = Passed::new(leg.node, leg.local, outer, inner, asked);
                if passed.crosses {
                    self.add(passed.step.of_kind(Kind::Ways), passed.ways());
                    let leans = self.leans.entry(passed.step.of_kind(Kind::Lean)).or_default();
                    leans.push((outer.start, passed.lean()));
                } else {
                    self.add(passed.step, passed.inwards);
                    self.add(passed.step.of_kind(Kind::Out), passed.outwards);
                }
                outer = inner;
            }
        }
        if let Some((latest, shown)) = last.filter(|_| all_seen) {
            self.add(Step::last(shown), end.saturating_sub(latest));
        }
    }
}
