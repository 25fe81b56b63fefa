//! Whether a suspect is far above its equals, and not by chance.

use std::collections::VecDeque;

use super::tally::{Bin, MARGINS, Numbers, Tally, WHOLE, Window, margin_nanos};

/// How much likelier what was counted has to be with a rate of its own than with its equals', as a logarithm. Among equals chance
/// reaches it in one of e^25 (7e10) judgements; ten days of a cluster of 36 suspects are some 10^9, most of them of the same counts.
const SURE: f64 = 25.0;

/// Without its busiest second it has to be at least as sure as this: one stall is no trouble.
const SURE_WITHOUT_A_STALL: f64 = 12.0;

/// Less than this multiple of what its equals do is within what equals differ by.
const FAR_ABOVE: f64 = 2.0;

/// Fewer say nothing.
const FEWEST: u32 = 6;

/// Fewer writes that would have been its own among equals say nothing about it or its equals.
const FEWEST_CHANCES: f64 = 5.0;

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
    chances: f64,
    added_nanos: f64,
    write_nanos: f64,
    at_least: [u32; MARGINS],
}

/// What equals do.
#[derive(Clone, Debug)]
pub(super) struct Usual {
    /// How often beyond each margin, a chance.
    rates: [f64; MARGINS],
    /// Chances that this was drawn from.
    chances: [f64; MARGINS],
    /// Time added, a write.
    pub(super) added_nanos: f64,
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
    pub(super) fn new(numbers: &'a Numbers, window: &'a Window, bins: &'a VecDeque<Bin>) -> Self {
        Self {
            numbers,
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
        let chances = sum.chances as f64 / WHOLE as f64;
        (chances >= FEWEST_CHANCES).then(|| Member {
            suspects,
            writes: f64::from(sum.writes),
            chances,
            added_nanos: sum.added_nanos as f64,
            write_nanos: sum.write_nanos as f64,
            at_least: sum.beyond_at_least(),
        })
    }

    /// What a member's equals do: those that are the least often beyond a margin, so that a few that are worse change nothing.
    pub(super) fn usual(&self, members: &[Member], at: usize) -> Option<Usual> {
        let others: Vec<&Member> = members.iter().enumerate().filter(|&(other, _)| other != at).map(|(_, member)| member).collect();
        if others.is_empty() {
            return None;
        }
        let mut usual = Usual {
            rates: [0.0; MARGINS],
            chances: [0.0; MARGINS],
            added_nanos: 0.0,
        };
        for margin in 0..MARGINS {
            let mut rates: Vec<(f64, &Member)> = others.iter().map(|member| (member.rate(margin), *member)).collect();
            rates.sort_by(|a, b| a.0.total_cmp(&b.0));
            let third = rates[(rates.len() - 1) / 3].0;
            let low = &rates[..rates.len().div_ceil(2)];
            let chances: f64 = low.iter().map(|(_, member)| member.chances).sum();
            let counts: f64 = low.iter().map(|(_, member)| f64::from(member.at_least[margin])).sum();
            usual.rates[margin] = third.max((counts + 0.5) / chances);
            usual.chances[margin] = chances;
        }
        let mut added: Vec<f64> = others.iter().map(|member| member.added_nanos / member.writes.max(1.0)).collect();
        added.sort_by(f64::total_cmp);
        usual.added_nanos = added[(added.len() - 1) / 3];
        Some(usual)
    }

    /// Those members that are far above their equals.
    pub(super) fn judge(&self, members: &[Member]) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        for (at, member) in members.iter().enumerate() {
            // Nobody who was never far beyond anybody is looked at closely.
            if member.at_least[0] < FEWEST {
                continue;
            }
            let Some(usual) = self.usual(members, at) else { continue };
            let added = member.added_nanos - usual.added_nanos * member.writes;
            let matters = added >= ADDED_SHARE * member.write_nanos;
            let mut best: Option<Verdict> = None;
            for margin in 0..MARGINS {
                let Some((count, expected, strength)) = member.above(&usual, margin, 0) else { continue };
                let share = (f64::from(count) - expected) / member.writes.max(1.0);
                let tail = share >= TAIL_SHARE && margin_nanos(margin) as f64 >= TAIL_OF_P99 * self.p99 as f64;
                if strength < SURE || !(matters || tail) || best.as_ref().is_some_and(|best| best.strength >= strength) {
                    continue;
                }
                if member.above(&usual, margin, self.busiest(member, margin)).is_some_and(|(_, _, left)| left >= SURE_WITHOUT_A_STALL) {
                    best = Some(Verdict {
                        member: at,
                        margin,
                        count,
                        expected,
                        strength,
                    });
                }
            }
            verdicts.extend(best);
        }
        verdicts
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

impl Member {
    fn rate(&self, margin: usize) -> f64 {
        f64::from(self.at_least[margin]) / self.chances
    }

    /// How often it was beyond a margin, leaving out so many, how often its equals would have been, and how sure it is that this is no
    /// chance; none when it was not far above.
    pub(super) fn above(&self, usual: &Usual, margin: usize, without: u32) -> Option<(u32, f64, f64)> {
        let count = self.at_least[margin].saturating_sub(without);
        let expected = usual.rates[margin] * self.chances;
        if count < FEWEST.min(self.at_least[margin]) || f64::from(count) < FAR_ABOVE * expected {
            return None;
        }
        Some((count, expected, strength(f64::from(count), self.chances, usual.rates[margin], usual.chances[margin])))
    }

    /// The same without being far above: how many times what is usual, and how sure.
    pub(super) fn against(&self, usual: &Usual, margin: usize) -> (f64, f64) {
        let count = f64::from(self.at_least[margin]);
        let expected = usual.rates[margin] * self.chances;
        (
            count / expected.max(1e-9),
            strength(count, self.chances, usual.rates[margin], usual.chances[margin]),
        )
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
        if counted > 0.0 { counted * (counted / (both * chances)).ln() } else { 0.0 }
    };
    term(count, chances) + term(usual_count, usual_chances)
}
