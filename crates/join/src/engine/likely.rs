//! Deciding by likelihood: what more than one assignment is possible for, where how long legs take tells them apart.
//!
//! What no other assignment is possible for is decided first, and shows how long the steps of legs take ([`crate::delays`]). Then
//! the rest is decided by the exact probability of each choice over all assignments ([`crate::posterior`]): first which legs are
//! whose, all copies of a write together, since copies leave one after the other and the write ends after its last; then step by
//! step inwards, event by event.

use fathom_model::{StreamIndex, Tap};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::{SmallVec, smallvec};

use super::Engine;
use super::resolve::{Claimant, Decisions, Resolved, Ties, interval};
use crate::assign::{Assigned, Interval, within};
use crate::delays::{Asked, Densities, Passed, Sight, Usual};
use crate::pool::ClaimRef;
use crate::posterior::Choice;

mod copies;
mod groups;
mod learn;

use groups::judge_apart;

/// What it costs to leave a claim without an event, beside the best that it could have. That happens where there are too few events,
/// since one is not seen in a million times; little enough that it is kept in mind until it shows whose event is not there.
const NOTHING: f64 = -16.0;

/// Choices less likely than this, beside the best, are not looked at, and no more than so many.
const WORST: f64 = -9.0;
const MOST_CHOICES: usize = 48;

/// Claims that contend are followed from event to event so many times.
const HOPS: usize = 2;

/// Likelihood makes nothing surer than this: what is learnt of delays is not known any better, and what could not be otherwise is
/// to be told from it.
const MOST_SURE: f64 = 0.999;

/// An event that a claim has with at least this probability is one that it could well have.
const PROBABLE: f64 = 0.01;

/// What is known when a window's open places are decided.
#[derive(Debug, Default)]
pub(super) struct Likely {
    densities: FxHashMap<StreamIndex, Densities>,
    /// What is usual in the window that closes, for its initiator, which is this.
    usual: Usual,
    closing: Option<(StreamIndex, i64)>,
    /// What was found for claims by looking at all copies of their writes, by the outermost tap that shows them.
    verdicts: FxHashMap<(ClaimRef, Tap), Verdict>,
    /// Choices are drawn, each as often as it is likely, and not the likeliest ones.
    draws: bool,
}

/// Which event is a claim's.
#[derive(Clone, Debug)]
struct Verdict {
    event: Option<usize>,
    confidence: f32,
    /// All that it could well have.
    probable: Vec<usize>,
}

impl Verdict {
    /// From the probability of each event, and of nothing.
    fn new(best: Option<usize>, shares: &[(Option<usize>, f64)], doubt: f64) -> Self {
        let share: f64 = shares
            .iter()
            .filter(|(event, _)| *event == best)
            .map(|(_, share)| share)
            .sum();
        let mut probable: Vec<(usize, f64)> = Vec::new();
        for &(event, share) in shares {
            let Some(event) = event else { continue };
            match probable.iter_mut().find(|(other, _)| *other == event) {
                Some((_, sum)) => *sum += share,
                None => probable.push((event, share)),
            }
        }
        probable.retain(|(_, share)| *share >= PROBABLE);
        Self {
            event: best,
            confidence: (share - doubt).clamp(0.0, MOST_SURE) as f32,
            probable: probable.into_iter().map(|(event, _)| event).collect(),
        }
    }
}

impl Engine {
    fn resolve_all(
        &self,
        open: &[ClaimRef],
        (window, ties): (i64, &Ties),
        decisions: &mut Decisions,
        likely: &Likely,
    ) -> Vec<Resolved> {
        let resolve = |claim: &ClaimRef| self.resolve(*claim, window, ties, decisions, Some(likely));
        open.iter().map(resolve).collect()
    }

    fn likely(
        &self,
        open: &[ClaimRef],
        (stream, window): (StreamIndex, i64),
        ties: &Ties,
        usual: Usual,
        draws: bool,
    ) -> Likely {
        let densities = self.delays.iter().map(|(&stream, delays)| (stream, delays.densities()));
        let mut likely = Likely {
            densities: densities.collect(),
            usual,
            closing: Some((stream, window)),
            verdicts: FxHashMap::default(),
            draws,
        };
        self.judge_copies(open, (self.cut(window), ties), &mut likely);
        likely
    }

    /// Decides by likelihood what is not sure of an assignment, as far as it matters for the window that closes; gives, of each
    /// claimant that this was done for, the events that it could well have.
    pub(super) fn refine(
        &self,
        likely: &Likely,
        claimants: &[Claimant],
        events: &[usize],
        (inners, widened): (&[Interval], &[Interval]),
        tap: Tap,
        assigned: &mut [Assigned],
    ) -> FxHashMap<usize, Vec<usize>> {
        let mut refined = FxHashMap::default();
        let mut open = Vec::new();
        let near = self.near(likely, claimants, events, (inners, widened), assigned);
        let could_have = |at: usize| {
            let fits = move |&event: &usize| self.may_have(&claimants[at], events[event]);
            within(inners, widened[at]).filter(fits)
        };
        let place_of: FxHashMap<usize, usize> = events.iter().zip(0..).map(|(&event, at)| (event, at)).collect();
        let sure: FxHashSet<usize> = assigned
            .iter()
            .filter(|one| one.sure)
            .filter_map(|one| one.inner)
            .collect();
        for (at, one) in assigned.iter_mut().enumerate().filter(|(_, one)| !one.sure) {
            let Some(verdict) = likely.verdicts.get(&(claimants[at].claim, tap)) else {
                // What only contends with others of later windows is decided with those.
                if near[at] {
                    open.push(at);
                }
                continue;
            };
            // What another has for sure is not its own, whatever all copies say.
            one.inner = verdict.event.and_then(|event| place_of.get(&event).copied());
            one.inner = one.inner.filter(|inner| !sure.contains(inner));
            one.confidence = if one.inner.is_some() { verdict.confidence } else { 0.0 };
            refined.insert(at, verdict.probable.clone());
        }
        let mut taken = vec![false; events.len()];
        for at in (0..assigned.len()).filter(|at| assigned[*at].sure || refined.contains_key(at)) {
            if let Some(inner) = assigned[at].inner {
                taken[inner] = true;
            }
        }
        let choices: Vec<Vec<Choice>> = open
            .iter()
            .map(|&at| {
                let free = could_have(at).filter(|&event| !taken[event]);
                let choices = free.map(|event| Choice {
                    events: smallvec![event as u32],
                    log: self.likelihood(likely, &claimants[at], events[event], tap),
                });
                // Of two places that a map gives one is meant: to have nothing at the other is as likely as the best.
                let nothing = if claimants[at].place.alternative { 0.0 } else { NOTHING };
                with_nothing(choices.collect(), nothing)
            })
            .collect();
        let starts: Vec<(i64, usize)> = open.iter().map(|&at| (widened[at].0, at)).collect();
        let draw = |claim: usize| {
            let ClaimRef { io, place } = claimants[open[claim]].claim;
            likely
                .draws
                .then(|| lot(self.pool.ios[io].event.ordinal, place as u64 + 1))
        };
        for (claims, verdicts) in judge_apart(&choices, &starts, events.len(), draw) {
            for (claim, verdict) in claims.into_iter().zip(verdicts) {
                let at = open[claim];
                assigned[at].inner = verdict.event;
                assigned[at].confidence = if verdict.event.is_some() {
                    verdict.confidence
                } else {
                    0.0
                };
                refined.insert(at, verdict.probable.iter().map(|&event| events[event]).collect());
            }
        }
        // What could not be judged keeps what order says, as far as nobody else has it now. Who was left without an event although
        // one is free that could be its own has that one, for want of a better.
        let mut taken = vec![false; events.len()];
        for at in (0..assigned.len()).filter(|at| assigned[*at].sure || refined.contains_key(at)) {
            if let Some(inner) = assigned[at].inner {
                taken[inner] = true;
            }
        }
        let not_judged: Vec<usize> = open.into_iter().filter(|at| !refined.contains_key(at)).collect();
        for at in not_judged {
            refined.insert(at, could_have(at).map(|event| events[event]).collect());
            match assigned[at].inner {
                Some(inner) if !taken[inner] => taken[inner] = true,
                _ => {
                    assigned[at].inner = None;
                    assigned[at].confidence = 0.0;
                }
            }
        }
        let without: Vec<usize> = (0..assigned.len())
            .filter(|at| refined.contains_key(at) && assigned[*at].inner.is_none())
            .collect();
        for at in without {
            let free: Vec<usize> = could_have(at).filter(|&event| !taken[event]).collect();
            if let Some(&first) = free.first() {
                taken[first] = true;
                assigned[at].inner = Some(first);
                assigned[at].confidence = 1.0 / (free.len() + 1) as f32;
                if let Some(probable) = refined.get_mut(&at) {
                    probable.extend(free.iter().map(|&event| events[event]));
                }
            }
        }
        refined
    }

    /// Which claimants of which it is open what is theirs matter for those of the window that closes: they could have the same
    /// events, directly or through few others. What only time has in common with them must not count: whether it is here at all
    /// depends on how it came.
    fn near(
        &self,
        likely: &Likely,
        claimants: &[Claimant],
        events: &[usize],
        (inners, widened): (&[Interval], &[Interval]),
        assigned: &[Assigned],
    ) -> Vec<bool> {
        let closes = |at: usize| {
            let io = &self.pool.ios[claimants[at].claim.io].event;
            let window = io.end_unix_nanos().div_euclid(self.config.window_nanos);
            likely.closing == Some((io.stream, window))
        };
        let mut near: Vec<bool> = (0..claimants.len())
            .map(|at| !assigned[at].sure && closes(at))
            .collect();
        let could_have = |at: usize| -> Vec<usize> {
            if assigned[at].sure {
                return Vec::new();
            }
            let fits = |event: &usize| self.may_have(&claimants[at], events[*event]);
            within(inners, widened[at]).filter(fits).collect()
        };
        let could_have: Vec<Vec<usize>> = (0..claimants.len()).map(could_have).collect();
        let mut reached = vec![false; events.len()];
        for _ in 0..HOPS {
            for at in (0..near.len()).filter(|&at| near[at]) {
                could_have[at].iter().for_each(|&event| reached[event] = true);
            }
            for at in 0..near.len() {
                near[at] = near[at] || could_have[at].iter().any(|&event| reached[event]);
            }
        }
        near
    }

    /// How likely a claimant's event at a tap is this one, by how long the steps around it take.
    fn likelihood(&self, likely: &Likely, claimant: &Claimant, event: usize, tap: Tap) -> f64 {
        let Some(densities) = likely.densities.get(&claimant.stream) else {
            return 0.0;
        };
        let inner = &self.pool.events[event];
        let far = inner.event.stream;
        let io = &self.pool.ios[claimant.claim.io];
        let asked = Asked {
            op: io.op,
            length: claimant.place.length,
        };
        let ((outer, outer_tap), offset) = match claimant.found.target.map(|at| &self.pool.events[at]) {
            Some(target) if tap == Tap::Device && target.event.stream == far => ((interval(target), Tap::Target), 0),
            _ if tap == Tap::Initiator => ((claimant.outer, Tap::Volume), 0),
            _ => {
                let offset = self.middle(claimant.stream, far, io.event.start_unix_nanos);
                ((claimant.outer, claimant.outer_tap), offset.unwrap_or(0))
            }
        };
        let sight = |(start, end): Interval, tap: Tap, offset: i64| Sight {
            tap,
            start: start.saturating_sub(offset),
            end: end.saturating_sub(offset),
        };
        let (outer, inner) = (sight(outer, outer_tap, 0), sight(interval(inner), tap, offset));
        let local = claimant.place.node == io.node;
        let passed = Passed::new(claimant.place.node, local, outer, inner, asked);
        let nothing_usual = Usual::default();
        let usual = if likely.closing.is_some_and(|(stream, _)| stream == claimant.stream) {
            &likely.usual
        } else {
            &nothing_usual
        };
        densities.of_passing(&passed, usual)
    }

    /// The middle of what the offset of a far clock may be.
    fn middle(&self, stream: StreamIndex, far: StreamIndex, x: i64) -> Option<i64> {
        let (low, high) = self.offset(stream, far, x)?;
        Some(fathom_model::ClockStatement::between(low, high).offset_nanos)
    }
}

/// A lot of an I/O, from 0 to 1, the same in every run.
fn lot(ordinal: u64, of: u64) -> f64 {
    let mixed = (ordinal ^ of.wrapping_mul(0xff51_afd7_ed55_8ccd)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

/// The choices of a claim that are worth looking at, the likeliest first, and that of nothing, which costs so much.
fn with_nothing(mut choices: Vec<Choice>, nothing: f64) -> Vec<Choice> {
    choices.sort_by(|a, b| b.log.total_cmp(&a.log).then_with(|| a.events.cmp(&b.events)));
    let best = choices.first().map_or(0.0, |choice| choice.log);
    let worth = choices.iter().take_while(|choice| choice.log >= best + WORST).count();
    choices.truncate(worth.min(MOST_CHOICES));
    choices.push(Choice {
        events: SmallVec::new(),
        log: best + nothing,
    });
    choices
}
