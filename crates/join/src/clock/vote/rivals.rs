//! Whether another line explains what a vote found as well.
//!
//! That a line is no chance is reckoned as if pairs of requests and services agreed by themselves. Those of one key do not: where a
//! place is written in an even rhythm, each request meets on a line that is one beat off the service of its neighbour, and as
//! many requests agree on that one. So the lines beside the winner are looked at, as far as keys repeat themselves around it, and each must lose
//! more clearly than one of two equally good lines does by chance.

use super::{Candidate, Line};
use crate::engine::beats;

/// Lines are looked at as far away as so many services a request lie that could be its own on one of them: the traffic that repeats
/// itself there repeats itself further away too.
const REPEATS: usize = 32;

/// And no more services than this in all.
const MOST_REPEATS: usize = 1 << 16;

/// A request with the services that could be its own, as distances from the winner.
#[derive(Debug)]
struct Voter {
    /// Where its services lie, each from one distance to another.
    spans: Vec<(i64, i64)>,
    /// The distances on which its service would lie where services were seen.
    seen: (i64, i64),
    /// Whether one of its services is on the winner.
    agrees: bool,
}

/// What changes for a voter along the distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    /// Services can be seen from here on.
    Seen,
    /// A service begins to fit, one that fits the winner too or another one.
    Same,
    Other,
    /// What began ends.
    Unseen,
    SameEnds,
    OtherEnds,
}

/// What holds for a voter at a distance.
#[derive(Clone, Copy, Debug, Default)]
struct At {
    seen: bool,
    same: u32,
    other: u32,
}

/// How the voters divide between the winner and a rival.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Requests that agree with the winner and whose services on the rival would have been seen.
    comparable: usize,
    /// Of those the ones that have none there,
    won: usize,
    /// those whose service on the winner lies on the rival as well, which says nothing of either,
    same: usize,
    /// and those that have another one there.
    repeated: usize,
    /// Requests that have a service on the rival alone.
    lost: usize,
}

impl Tally {
    /// Counts a voter, or takes it back.
    fn count(&mut self, agrees: bool, at: At, add: bool) {
        let by = |count: &mut usize| if add { *count += 1 } else { *count -= 1 };
        let fits = at.same + at.other > 0;
        match (agrees, fits) {
            (false, true) => by(&mut self.lost),
            (true, _) if at.seen => {
                by(&mut self.comparable);
                by(match (at.same > 0, fits) {
                    (true, _) => &mut self.same,
                    (false, true) => &mut self.repeated,
                    (false, false) => &mut self.won,
                });
            }
            _ => {}
        }
    }
}

/// Whether the winner of a vote has a rival that explains the requests as well.
///
/// `pairs` are all of the vote, in the order of requests. Lines within `margin` of the winner are no rivals: its bounds hold them.
/// `enough` is how many requests have to agree to be no chance.
pub(super) fn has_rival(pairs: &[Candidate], line: &Line, margin: i64, enough: usize) -> bool {
    let voters = voters(pairs, line);
    let agreeing = voters.iter().filter(|voter| voter.agrees);
    // Whoever has no other service can be explained by no other line.
    let alone = agreeing.clone().filter(|voter| voter.others().next().is_none()).count();
    if alone >= enough {
        return false;
    }
    let agreeing = agreeing.count();
    let reach = reach(&voters, margin, agreeing);
    tallies(&voters, reach).any(|((from, until), tally)| {
        let is_apart = from < -margin || until > margin;
        let is_near = from <= reach && until >= -reach;
        // Of a line that most of these services could not have been seen on nothing is known.
        let is_known = tally.comparable * 2 >= agreeing;
        is_apart && is_near && is_known && tally.repeated > 0 && !loses(&tally, enough)
    })
}

/// Whether a rival loses beyond doubt: too few requests are left to it, or what it does not explain by repetition is the greater part
/// and by itself no chance.
fn loses(tally: &Tally, enough: usize) -> bool {
    let not_repeated = tally.won + tally.same;
    clearly_beats(tally.won, tally.lost) || (not_repeated >= tally.lost + enough && not_repeated >= tally.repeated)
}

/// [`beats`], without its sum where Hoeffding's bound says that it is far below one in a million.
fn clearly_beats(won: usize, lost: usize) -> bool {
    let by = won.saturating_sub(lost);
    by * by >= 28 * (won + lost) && by > 0 || beats(won, lost)
}

impl Voter {
    /// Services that are not on the winner.
    fn others(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.spans.iter().copied().filter(|&(low, high)| low > 0 || high < 0)
    }
}

/// The requests that say something of the winner.
fn voters(pairs: &[Candidate], line: &Line) -> Vec<Voter> {
    let first = pairs.iter().map(|pair| pair.inner.0).min().unwrap_or(i64::MAX);
    let last = pairs.iter().map(|pair| pair.inner.1).max().unwrap_or(i64::MIN);
    let of_request = pairs.chunk_by(|a, b| a.outer == b.outer);
    let voters = of_request.map(|pairs| {
        let spans: Vec<(i64, i64)> = pairs.iter().map(|pair| line.distances(pair)).collect();
        let middle = pairs[0].point().0;
        let there = middle.saturating_add(line.at(middle));
        Voter {
            agrees: spans.iter().any(|&(low, high)| low <= 0 && high >= 0),
            spans,
            seen: (first.saturating_sub(there), last.saturating_sub(there)),
        }
    });
    // A request whose service on the winner would not have been seen says nothing against it.
    voters
        .filter(|voter| voter.agrees || (voter.seen.0 <= 0 && voter.seen.1 >= 0))
        .collect()
}

/// How far away rivals are looked for.
fn reach(voters: &[Voter], margin: i64, agreeing: usize) -> i64 {
    let middle = |(low, high): (i64, i64)| (low / 2 + high / 2).abs();
    let others = voters.iter().flat_map(|voter| voter.others().map(middle));
    let mut distances: Vec<i64> = others.filter(|&distance| distance > margin).collect();
    let most = (agreeing * REPEATS).min(MOST_REPEATS).min(distances.len());
    if most == 0 {
        return 0;
    }
    *distances.select_nth_unstable(most - 1).1
}

/// How voters divide, from one distance to another.
fn tallies(voters: &[Voter], reach: i64) -> impl Iterator<Item = ((i64, i64), Tally)> + '_ {
    let mut edges: Vec<(i64, Edge, u32)> = Vec::new();
    for (voter, number) in voters.iter().zip(0..) {
        edges.push((voter.seen.0, Edge::Seen, number));
        edges.push((voter.seen.1.saturating_add(1), Edge::Unseen, number));
        let near = voter
            .spans
            .iter()
            .filter(|(low, high)| *low <= reach && *high >= -reach);
        for &(low, high) in near {
            let is_same = low <= 0 && high >= 0;
            let (begins, ends) = if is_same {
                (Edge::Same, Edge::SameEnds)
            } else {
                (Edge::Other, Edge::OtherEnds)
            };
            edges.push((low, begins, number));
            edges.push((high.saturating_add(1), ends, number));
        }
    }
    edges.sort_unstable();
    let mut at = vec![At::default(); voters.len()];
    let mut tally = Tally::default();
    let mut next = 0;
    std::iter::from_fn(move || {
        let distance = edges.get(next)?.0;
        while let Some(&(_, edge, number)) = edges.get(next).filter(|edge| edge.0 == distance) {
            next += 1;
            let (voter, at) = (&voters[number as usize], &mut at[number as usize]);
            tally.count(voter.agrees, *at, false);
            match edge {
                Edge::Seen => at.seen = true,
                Edge::Unseen => at.seen = false,
                Edge::Same => at.same += 1,
                Edge::SameEnds => at.same -= 1,
                Edge::Other => at.other += 1,
                Edge::OtherEnds => at.other -= 1,
            }
            tally.count(voter.agrees, *at, true);
        }
        let until = edges.get(next).map_or(i64::MAX, |edge| edge.0 - 1);
        Some(((distance, until), tally))
    })
}

#[cfg(test)]
mod tests;
