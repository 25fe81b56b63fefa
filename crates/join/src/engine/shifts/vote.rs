//! The vote itself: who votes for which distance, and when one is settled.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Choice, VOTERS, Voter};

/// A distance is settled when an equally good one would lose as clearly less often than this.
const CHANCE: f64 = 1e-6;

/// Without clocks every request meets every event of its length: so few look for distances,
const FIRST_VOTERS: usize = 64;

/// and of those that they meet most often so many are looked at by all voters.
const FINALISTS: usize = 8;

/// The voters behind each distance, by number, in order.
pub(super) type Votes = BTreeMap<i64, Vec<u32>>;

/// Who votes for which distance: for that of every event that lies in a voter's time and is as long.
pub(super) fn votes(voters: &[Voter], choices: &[Choice], at: usize) -> Votes {
    let mut votes = Votes::new();
    for (number, voter) in (0..).zip(voters) {
        let Some((stream, (from, until))) = voter.spans[at] else {
            continue;
        };
        let first = choices.partition_point(|choice| choice.start < from);
        for choice in choices[first..].iter().take_while(|choice| choice.start <= until) {
            let same = choice.op == voter.op && choice.length == voter.length && choice.stream == stream;
            if same && choice.end <= until {
                vote(&mut votes, choice.offset, voter.offset, number);
            }
        }
    }
    votes
}

/// The voters that met no event of their disk where it should be.
pub(in crate::engine) fn voters_without(voters: &[Voter], choices: &[Choice], known: i64) -> Vec<Voter> {
    let votes = votes(voters, choices, 1);
    let met = votes.get(&known).map_or(&[][..], Vec::as_slice);
    let without = (0..)
        .zip(voters)
        .filter(|(number, _)| met.binary_search(number).is_err());
    without.map(|(_, voter)| *voter).collect()
}

fn vote(votes: &mut Votes, seen: u64, asked: u64, voter: u32) {
    let behind = votes.entry(seen.wrapping_sub(asked) as i64).or_default();
    if behind.last() != Some(&voter) {
        behind.push(voter);
    }
}

/// The same by keys alone (offset, length, operation). Only distances that some of the requests meet often are looked at.
pub(super) fn votes_of_keys(asked: &BTreeSet<(u64, u64, u8)>, seen: &FxHashSet<(u64, u64, u8)>) -> Votes {
    let mut by_kind: FxHashMap<(u64, u8), Vec<u64>> = FxHashMap::default();
    for &(offset, length, op) in seen {
        by_kind.entry((length, op)).or_default().push(offset);
    }
    let mut counts: FxHashMap<i64, u32> = FxHashMap::default();
    let step = asked.len().div_ceil(FIRST_VOTERS).max(1);
    for &(offset, length, op) in asked.iter().step_by(step) {
        for &other in by_kind.get(&(length, op)).into_iter().flatten() {
            *counts.entry(other.wrapping_sub(offset) as i64).or_default() += 1;
        }
    }
    let mut finalists: Vec<(u32, i64)> = counts.into_iter().map(|(bytes, count)| (count, bytes)).collect();
    finalists.sort_unstable_by_key(|&(count, bytes)| (std::cmp::Reverse(count), bytes.unsigned_abs(), bytes));
    finalists.truncate(FINALISTS);
    let step = asked.len().div_ceil(4 * VOTERS).max(1);
    let mut votes = Votes::new();
    for (_, bytes) in finalists {
        let behind = (0..)
            .zip(asked.iter().step_by(step))
            .filter_map(|(number, &(offset, length, op))| {
                let there = (offset.wrapping_add_signed(bytes), length, op);
                seen.contains(&there).then_some(number)
            });
        votes.insert(bytes, behind.collect());
    }
    votes
}

/// The distance that explains clearly more than every other, if there is one; where two explain the same, none.
pub(super) fn settle(votes: &Votes, known: i64) -> Option<i64> {
    let (&bytes, behind) = votes
        .iter()
        .max_by_key(|&(&bytes, behind)| (behind.len(), bytes == known, bytes == 0, std::cmp::Reverse(bytes)))?;
    // Nearly all others have so few behind them that it is clear whoever those are: what both have in common leaves a difference as
    // large, of fewer votes. It is the same for all that have as many.
    let mut without_a_look: FxHashMap<usize, bool> = FxHashMap::default();
    let mut clearly = |other: &Vec<u32>| {
        let known = without_a_look.entry(other.len());
        *known.or_insert_with(|| beats(behind.len(), other.len())) || {
            let common = common(behind, other);
            beats(behind.len() - common, other.len() - common)
        }
    };
    let mut others = votes.iter().filter(|&(&other, _)| other != bytes);
    // Against nobody it has to stand all the same.
    (beats(behind.len(), 0) && others.all(|(_, other)| clearly(other))).then_some(bytes)
}

/// How many numbers are in both of two sorted lists.
fn common(a: &[u32], b: &[u32]) -> usize {
    let (mut a, mut b, mut count) = (a.iter().peekable(), b.iter().peekable(), 0);
    while let (Some(&&one), Some(&&other)) = (a.peek(), b.peek()) {
        if one <= other {
            a.next();
        }
        if other <= one {
            b.next();
        }
        count += usize::from(one == other);
    }
    count
}

/// Whether of two equally good distances one would have `won` requests to itself, and the other `lost`, by chance less often than
/// [`CHANCE`]: the sign test.
pub(crate) fn beats(won: usize, lost: usize) -> bool {
    let both = won + lost;
    // ln of the number of ways, summed over all outcomes as clear as this.
    let (mut ways, mut total) = (0.0_f64, 0.0_f64);
    for at in 0..=lost {
        if at > 0 {
            ways += ((both - at + 1) as f64 / at as f64).ln();
        }
        total += (ways - both as f64 * std::f64::consts::LN_2).exp();
    }
    won > lost && total < CHANCE
}
