//! Whether a suspect is far above its equals, and not by chance.

use std::collections::VecDeque;

use super::BIN_NANOS;
use super::past::Pasts;
use super::tally::{Bin, MARGINS, Numbers, Tally, Window, at_least, margin_nanos};

/// How much likelier what was counted has to be with a rate of its own than with its equals', as a logarithm. Among equals chance
/// reaches it in one of e^25 (7e10) judgements; ten days of a cluster of 36 suspects are some 10^9, most of them of the same counts.
const SURE: f64 = 25.0;

/// Without its busiest second it has to be at least as sure as this: one stall of less than a second is no trouble.
const SURE_WITHOUT_A_STALL: f64 = 12.0;

/// Less than this multiple of what its equals do is within what equals differ by.
const FAR_ABOVE: f64 = 2.0;

/// By how much equals differ one alone does not tell: against one, less than this multiple is within it.
const FAR_ABOVE_ONE: f64 = 3.0;

/// Fewer say nothing.
const FEWEST: u32 = 6;

/// Fewer writes say nothing about a suspect or its equals.
const FEWEST_WRITES: u32 = 12;

/// It matters when it added this share of what its writes took ...
const ADDED_SHARE: f64 = 0.04;

/// ... or made this share of its writes longer by ...
const TAIL_SHARE: f64 = 0.0025;

/// ... this share of what the slowest hundredth of all takes.
const TAIL_OF_P99: f64 = 0.25;

/// What is judged at a time.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub(super) numbers: &'a Numbers,
    pasts: &'a Pasts,
    window: &'a Window,
    bins: &'a VecDeque<Bin>,
    p99: u64,
}

/// One or several suspects that are judged as one.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// Their numbers.
    pub(super) suspects: Vec<usize>,
    pub(super) writes: f64,
    /// In how many of them it is a way that was seen in one direction alone.
    pub(super) one_way: u32,
    added_nanos: f64,
    write_nanos: f64,
    beyond: [u32; MARGINS],
    above: [u32; MARGINS],
}

/// What equals do.
#[derive(Clone, Debug)]
pub(super) struct Usual {
    /// How often above each margin, a write.
    rates: [f64; MARGINS],
    /// Writes that this was drawn from.
    writes: [f64; MARGINS],
    /// Time added, a write.
    pub(super) added_nanos: f64,
    /// What multiple of this is more than what equals differ by.
    far_above: f64,
    /// Whether this is not what equals do, but what it did itself before.
    pub(super) by_past: bool,
}

/// Somebody is far above.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    /// Which of the members.
    pub(super) member: usize,
    /// The margin at which it is the surest.
    pub(super) margin: usize,
    /// How often it was beyond that.
    pub(super) count: u32,
    /// How often its equals would have been.
    pub(super) expected: f64,
    pub(super) strength: f64,
}

impl<'a> Scene<'a> {
    pub(super) fn new((numbers, pasts): (&'a Numbers, &'a Pasts), window: &'a Window, bins: &'a VecDeque<Bin>) -> Self {
        Self {
            numbers,
            pasts,
            window,
            bins,
            p99: window.p99().unwrap_or(0),
        }
    }

    pub(super) const fn seconds(&self) -> usize {
        self.window.seconds
    }

    /// Suspects as one; none when too little was seen of them.
    pub(super) fn member(&self, suspects: Vec<usize>) -> Option<Member> {
        let mut sum = Tally::default();
        for &number in &suspects {
            sum.take(self.window.sums.get(number)?);
        }
        (sum.writes >= FEWEST_WRITES).then(|| Member {
            suspects,
            writes: f64::from(sum.writes),
            one_way: sum.one_way,
            added_nanos: sum.added_nanos as f64,
            write_nanos: sum.write_nanos as f64,
            beyond: at_least(sum.beyond),
            above: at_least(sum.above),
        })
    }

    /// What a member's equals do: of those that it is not made of, the third that is the least often above a margin, so that a few
    /// that are worse change nothing. How often they are above what is usual bounds how often one among equals is beyond all others.
    pub(super) fn usual(&self, singles: &[Member], member: &Member) -> Option<Usual> {
        let others = singles
            .iter()
            .filter(|other| !other.suspects.iter().any(|number| member.suspects.contains(number)));
        let others: Vec<&Member> = others.collect();
        if others.is_empty() {
            return None;
        }
        let mut usual = Usual {
            rates: [0.0; MARGINS],
            writes: [0.0; MARGINS],
            added_nanos: 0.0,
            far_above: if others.len() == 1 { FAR_ABOVE_ONE } else { FAR_ABOVE },
            by_past: false,
        };
        for margin in 0..MARGINS {
            let mut rates: Vec<(f64, &Member)> = others
                .iter()
                .map(|member| (f64::from(member.above[margin]) / member.writes, *member))
                .collect();
            rates.sort_by(|a, b| a.0.total_cmp(&b.0));
            let third = (rates.len() - 1) / 3;
            let low = &rates[..=third];
            let writes: f64 = low.iter().map(|(_, member)| member.writes).sum();
            let counts: f64 = low.iter().map(|(_, member)| f64::from(member.above[margin])).sum();
            usual.rates[margin] = rates[third].0.max((counts + 0.5) / writes);
            usual.writes[margin] = writes;
        }
        let mut added: Vec<f64> = others
            .iter()
            .map(|member| member.added_nanos / member.writes.max(1.0))
            .collect();
        added.sort_by(f64::total_cmp);
        usual.added_nanos = added[(added.len() - 1) / 3];
        Some(usual)
    }

    /// Those members that are far above single suspects of their kind.
    pub(super) fn judge(&self, members: &[Member], singles: &[Member]) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        let rough = rough(singles);
        for (at, member) in members.iter().enumerate() {
            // Most are nowhere near: they are not looked at closely.
            let near = |margin: usize| {
                member.beyond[margin] >= FEWEST && f64::from(member.beyond[margin]) >= rough[margin] * member.writes
            };
            if !(0..MARGINS).any(near) {
                continue;
            }
            let Some(usual) = self.usual(singles, member) else {
                continue;
            };
            verdicts.extend(self.verdict(at, member, &usual));
        }
        verdicts
    }

    /// Whether a member is far above what is usual, at the margin at which it is the surest.
    fn verdict(&self, at: usize, member: &Member, usual: &Usual) -> Option<Verdict> {
        let added = member.added_nanos - usual.added_nanos * member.writes;
        let matters = added >= ADDED_SHARE * member.write_nanos;
        let mut best: Option<Verdict> = None;
        for margin in 0..MARGINS {
            let Some((count, expected, strength)) = member.above(usual, margin, 0) else {
                continue;
            };
            let share = (f64::from(count) - expected) / member.writes;
            let tail = share >= TAIL_SHARE && margin_nanos(margin) as f64 >= TAIL_OF_P99 * self.p99 as f64;
            if strength < SURE || !(matters || tail) || best.as_ref().is_some_and(|best| best.strength >= strength) {
                continue;
            }
            if is_no_moment(margin) || self.is_sure_without_a_stall(member, usual, margin) {
                best = Some(Verdict {
                    member: at,
                    margin,
                    count,
                    expected,
                    strength,
                });
            }
        }
        best
    }

    fn is_sure_without_a_stall(&self, member: &Member, usual: &Usual, margin: usize) -> bool {
        let left = member.above(usual, margin, self.busiest(member, margin));
        left.is_some_and(|(_, _, left)| left >= SURE_WITHOUT_A_STALL)
    }

    /// Those of single members without an equal that are far above their own past, with that, under the same load, and not because all
    /// of their writes slowed.
    pub(super) fn judge_by_past(&self, singles: &[Member]) -> Vec<(Verdict, Usual)> {
        let mut found = Vec::new();
        for (at, member) in singles.iter().enumerate() {
            let Some(&number) = member.suspects.first() else {
                continue;
            };
            let past = self.window.sums.get(number).and_then(|sum| sum.past.as_ref());
            let Some(past) = past.filter(|past| past.writes >= FEWEST_WRITES && past.is_its_own()) else {
                continue;
            };
            let writes = f64::from(past.writes);
            let usual = Usual {
                rates: past.expected.map(|expected| (expected.max(0.0) + 0.5) / writes),
                writes: [past.values(); MARGINS],
                added_nanos: past.expected_nanos / writes,
                far_above: FAR_ABOVE_ONE,
                by_past: true,
            };
            let Some(verdict) = self.verdict(at, member, &usual) else {
                continue;
            };
            let load = self.load_when_felt(number, verdict.margin);
            if self.pasts.is_same_load(self.numbers.suspects()[number], load) {
                found.push((verdict, usual));
            }
        }
        found
    }

    /// How many writes a second there were of a suspect when it was beyond a margin, on average over the times it was.
    fn load_when_felt(&self, number: usize, margin: usize) -> f64 {
        let recent = self.bins.iter().rev().take(self.seconds());
        let (mut felt, mut writes) = (0.0, 0.0);
        for tally in recent.filter_map(|bin| bin.tally(number)) {
            let times = f64::from(tally.beyond[margin..].iter().sum::<u32>());
            felt += times;
            writes += times * f64::from(tally.writes);
        }
        writes / f64::max(felt, 1.0)
    }

    /// How often a member was beyond a margin in its worst second.
    fn busiest(&self, member: &Member, margin: usize) -> u32 {
        let recent = self.bins.iter().rev().take(self.seconds());
        let in_bin = |bin: &Bin| -> u32 {
            let tallies = member.suspects.iter().filter_map(|&number| bin.tally(number));
            tallies.map(|tally| tally.beyond[margin..].iter().sum::<u32>()).sum()
        };
        recent.map(in_bin).max().unwrap_or(0)
    }
}

/// Whether what is beyond a margin waited for longer than a second: then it waited in more than one, and that all of it ended in the same,
/// as when a target comes back, says nothing.
const fn is_no_moment(margin: usize) -> bool {
    margin_nanos(margin) >= BIN_NANOS.unsigned_abs()
}

/// For each margin a rate that is never more than far above what any member's others do.
fn rough(singles: &[Member]) -> [f64; MARGINS] {
    std::array::from_fn(|margin| {
        let mut rates: Vec<f64> = singles
            .iter()
            .map(|member| f64::from(member.above[margin]) / member.writes)
            .collect();
        rates.sort_by(f64::total_cmp);
        // One member fewer moves the third by one place at most.
        let at = (rates.len().saturating_sub(1) / 3).saturating_sub(1);
        FAR_ABOVE * rates.get(at).copied().unwrap_or(0.0)
    })
}

impl Member {
    /// How often it was beyond a margin, leaving out so many, how often its equals would have been, and how sure it is that this is no
    /// chance; none when it was not far above.
    pub(super) fn above(&self, usual: &Usual, margin: usize, without: u32) -> Option<(u32, f64, f64)> {
        let count = self.beyond[margin].saturating_sub(without);
        let expected = usual.rates[margin] * self.writes;
        if (without == 0 && count < FEWEST) || f64::from(count) < usual.far_above * expected {
            return None;
        }
        Some((count, expected, self.strength(count, usual, margin)))
    }

    /// The same without being far above: how many times what is usual, and how sure.
    pub(super) fn against(&self, usual: &Usual, margin: usize) -> (f64, f64) {
        let count = self.beyond[margin];
        let expected = usual.rates[margin] * self.writes;
        (
            f64::from(count) / expected.max(1e-9),
            self.strength(count, usual, margin),
        )
    }

    /// How sure it is that it is less often beyond a margin than another.
    pub(super) fn below(&self, other: &Self, margin: usize) -> f64 {
        let rate = f64::from(self.beyond[margin]) / self.writes;
        strength(f64::from(other.beyond[margin]), other.writes, rate, self.writes)
    }

    fn strength(&self, count: u32, usual: &Usual, margin: usize) -> f64 {
        strength(f64::from(count), self.writes, usual.rates[margin], usual.writes[margin])
    }
}

/// How much likelier counts are with two rates than with one, as a logarithm; 0 where the first rate is not the higher.
fn strength(count: f64, chances: f64, usual: f64, usual_chances: f64) -> f64 {
    let usual_count = usual * usual_chances;
    let both = (count + usual_count) / (chances + usual_chances);
    if count / chances <= usual || both <= 0.0 {
        return 0.0;
    }
    let term = |counted: f64, chances: f64| {
        if counted > 0.0 {
            counted * (counted / (both * chances)).ln()
        } else {
            0.0
        }
    };
    term(count, chances) + term(usual_count, usual_chances)
}
