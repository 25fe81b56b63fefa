//! How likely is each choice, over all ways in which everybody chooses something else?
//!
//! Claims come one after the other, each with choices of events and how likely each choice is by itself. No event is chosen twice.
//! Summing over all assignments is a permanent, which is hard for many claims that all have the same choices; but claims that
//! contend for events are close in time, and what was chosen long ago matters no more. So claims are taken in order of time, and of
//! what they chose only which of the events that a later one could have are gone is remembered: states, with the summed
//! likelihood of all ways to them. A pass forwards and one backwards give the exact probability of every choice.
//!
//! The number of states is bounded. Where the bound cuts, the least likely states go, and how much went is said of every claim
//! that it could matter for.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// A choice of a claim.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// The events that it takes, by number.
    pub(crate) events: SmallVec<[u32; 3]>,
    /// The logarithm of its likelihood.
    pub(crate) log: f64,
}

/// What is said of a claim.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    /// Its choice in the likeliest assignment of all.
    pub(crate) best: usize,
    /// The probability of each of its choices.
    pub(crate) shares: Vec<f64>,
    /// What was left out that could matter for it.
    pub(crate) doubt: f64,
}

impl Judged {
    /// The likeliest choice, or that which a lot from 0 to 1 falls on.
    pub(crate) fn chosen(&self, lot: Option<f64>) -> usize {
        let Some(lot) = lot else { return self.best };
        let mut left = lot;
        for (choice, share) in self.shares.iter().enumerate() {
            left -= share;
            if left < 0.0 {
                return choice;
            }
        }
        self.best
    }
}

/// Events that some claim could still have, at most.
const SLOTS: usize = 256;

/// States less likely than this, beside the likeliest of the same step, are left out without a word.
const NEGLIGIBLE: f64 = 1e-10;

/// Ways less likely than this would be lost to rounding.
const UNDERFLOW: f64 = 1e-100;

/// States in all of a run, and the fewest and most of one step.
const STATES: usize = 1 << 16;
const FEWEST: usize = 16;
const MOST: usize = 1 << 8;

/// What an event costs that nobody takes: it is no reason to leave a claim without, and no assignment is better for it.
const UNUSED: f64 = -4.0;

type Taken = [u64; SLOTS / 64];

#[derive(Clone, Copy, Debug)]
struct State {
    taken: Taken,
    /// Summed likelihood of the ways to it, as a share of the step's likeliest.
    weight: f64,
    /// Likelihood of the best way to it, by a scale of the step's own; where it comes from and by which choice.
    best: f64,
    from: u32,
    choice: u32,
}

/// Judges claims, which are given in order of time; none is without a choice. `None` where more events are open at a time than
/// can be kept in mind, or no assignment exists.
pub(crate) fn judge(claims: &[Vec<Choice>], events: usize) -> Option<Vec<Judged>> {
    let steps = steps(claims, events)?;
    let width = (STATES / claims.len().max(1)).clamp(FEWEST, MOST);
    let mut forward: Vec<Vec<State>> = Vec::with_capacity(claims.len() + 1);
    forward.push(vec![State {
        taken: [0; SLOTS / 64],
        weight: 1.0,
        best: 1.0,
        from: 0,
        choice: 0,
    }]);
    let mut cut = Vec::with_capacity(claims.len() + 1);
    cut.push(0.0);
    let mut index = FxHashMap::default();
    for step in &steps {
        let (states, left_out) = advance(forward.last()?, step, width, &mut index);
        if states.is_empty() {
            return None;
        }
        forward.push(states);
        cut.push(cut[cut.len() - 1] + left_out);
    }
    let mut judged = backward(&steps, &forward, &mut index)?;
    // The likeliest of all ends in the last step's best state.
    let last = forward.last()?;
    let mut at = (0..last.len()).max_by(|&a, &b| last[a].best.total_cmp(&last[b].best).then(b.cmp(&a)))?;
    for number in (0..claims.len()).rev() {
        let state = &forward[number + 1][at];
        judged[number].best = state.choice as usize;
        at = state.from as usize;
    }
    for (judged, step) in judged.iter_mut().zip(&steps) {
        let (from, until) = step.matters;
        judged.doubt = cut[until + 1] - cut[from];
    }
    Some(judged)
}

/// A claim as the passes see it.
#[derive(Clone, Debug)]
struct Step {
    /// Of each choice the events that it takes, and its likelihood beside the claim's best.
    choices: Vec<(Taken, f64)>,
    /// Events that no later claim could have, and what each costs if nobody took it.
    done: Taken,
    /// From which claim to which events of this one can be had.
    matters: (usize, usize),
}

fn steps(claims: &[Vec<Choice>], events: usize) -> Option<Vec<Step>> {
    let mut spans: Vec<Option<(usize, usize)>> = vec![None; events];
    for (at, choices) in claims.iter().enumerate() {
        for &event in choices.iter().flat_map(|choice| &choice.events) {
            let span = spans[event as usize].get_or_insert((at, at));
            span.1 = at;
        }
    }
    let mut slots: Vec<usize> = vec![usize::MAX; events];
    let mut free: Vec<usize> = (0..SLOTS).rev().collect();
    let mut steps = Vec::with_capacity(claims.len());
    for (at, choices) in claims.iter().enumerate() {
        let best = choices
            .iter()
            .map(|choice| choice.log)
            .fold(f64::NEG_INFINITY, f64::max);
        let mut done = [0; SLOTS / 64];
        let mut ended = Vec::new();
        let mut matters = (at, at);
        let mut compiled = Vec::with_capacity(choices.len());
        for choice in choices {
            let mut taken = [0; SLOTS / 64];
            for &event in &choice.events {
                let event = event as usize;
                if slots[event] == usize::MAX {
                    slots[event] = free.pop()?;
                }
                let slot = slots[event];
                taken[slot / 64] |= 1 << (slot % 64);
                let (first, last) = spans[event].unwrap_or((at, at));
                matters = (matters.0.min(first), matters.1.max(last));
                if last == at && done[slot / 64] & (1 << (slot % 64)) == 0 {
                    done[slot / 64] |= 1 << (slot % 64);
                    ended.push(slot);
                }
            }
            compiled.push((taken, libm::exp(choice.log - best)));
        }
        free.extend(ended);
        steps.push(Step {
            choices: compiled,
            done,
            matters,
        });
    }
    Some(steps)
}

/// What a choice leads to from what is taken, and what it costs that events go by unused.
fn next(taken: &Taken, choice: &Taken, done: &Taken) -> Option<(Taken, u32)> {
    let mut after = [0; SLOTS / 64];
    let mut unused = 0;
    for at in 0..after.len() {
        if taken[at] & choice[at] != 0 {
            return None;
        }
        let all = taken[at] | choice[at];
        unused += (done[at] & !all).count_ones();
        after[at] = all & !done[at];
    }
    Some((after, unused))
}

fn cost(unused: u32) -> f64 {
    if unused == 0 {
        1.0
    } else {
        libm::exp(UNUSED * f64::from(unused))
    }
}

/// The states after a step, and the share of likelihood that was left out.
fn advance(states: &[State], step: &Step, width: usize, index: &mut FxHashMap<Taken, u32>) -> (Vec<State>, f64) {
    index.clear();
    let mut after: Vec<State> = Vec::new();
    for (from, state) in states.iter().enumerate() {
        for (choice, (taken, likelihood)) in step.choices.iter().enumerate() {
            let Some((taken, unused)) = next(&state.taken, taken, &step.done) else {
                continue;
            };
            let likelihood = likelihood * cost(unused);
            let (weight, best) = (state.weight * likelihood, state.best * likelihood);
            if weight < UNDERFLOW {
                continue;
            }
            let new = State {
                taken,
                weight,
                best,
                from: from as u32,
                choice: choice as u32,
            };
            match index.get(&taken) {
                None => {
                    index.insert(taken, after.len() as u32);
                    after.push(new);
                }
                Some(&at) => {
                    let known = &mut after[at as usize];
                    known.weight += weight;
                    if best > known.best {
                        *known = State {
                            weight: known.weight,
                            ..new
                        };
                    }
                }
            }
        }
    }
    let most = after.iter().map(|state| state.weight).fold(0.0, f64::max);
    if most <= 0.0 {
        return (Vec::new(), 1.0);
    }
    after.retain(|state| state.weight >= most * NEGLIGIBLE);
    let mut left_out = 0.0;
    if after.len() > width {
        let all: f64 = after.iter().map(|state| state.weight).sum();
        after.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.taken.cmp(&b.taken)));
        left_out = after[width..].iter().map(|state| state.weight).sum::<f64>() / all;
        after.truncate(width);
    }
    let best = after.iter().map(|state| state.best).fold(f64::MIN_POSITIVE, f64::max);
    for state in &mut after {
        state.weight /= most;
        state.best /= best;
    }
    (after, left_out)
}

/// The probability of each choice, given everything before and after it.
fn backward(steps: &[Step], forward: &[Vec<State>], index: &mut FxHashMap<Taken, u32>) -> Option<Vec<Judged>> {
    let mut judged: Vec<Judged> = Vec::with_capacity(steps.len());
    let mut later: Vec<f64> = vec![1.0; forward.last()?.len()];
    for (number, step) in steps.iter().enumerate().rev() {
        index.clear();
        index.extend(forward[number + 1].iter().zip(0..).map(|(state, at)| (state.taken, at)));
        let mut shares = vec![0.0; step.choices.len()];
        let mut now = vec![0.0; forward[number].len()];
        for (state, now) in forward[number].iter().zip(&mut now) {
            for ((taken, likelihood), share) in step.choices.iter().zip(&mut shares) {
                let Some((taken, unused)) = next(&state.taken, taken, &step.done) else {
                    continue;
                };
                let Some(&at) = index.get(&taken) else { continue };
                let rest = likelihood * cost(unused) * later[at as usize];
                *now += rest;
                *share += state.weight * rest;
            }
        }
        let all: f64 = shares.iter().sum();
        let most = now.iter().copied().fold(0.0, f64::max);
        if !(all > 0.0 && most > 0.0) {
            return None;
        }
        shares.iter_mut().for_each(|share| *share /= all);
        now.iter_mut().for_each(|now| *now /= most);
        later = now;
        judged.push(Judged {
            best: 0,
            shares,
            doubt: 0.0,
        });
    }
    judged.reverse();
    Some(judged)
}

#[cfg(test)]
mod tests;
