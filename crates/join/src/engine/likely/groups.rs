//! Claims that contend with each other, each group of them judged by itself.

use rustc_hash::FxHashMap;

use super::Verdict;
use crate::posterior::{Choice, Judged, judge};

/// Judges claims with at most one event a choice, those that contend with each other together: gives the claims of each group with
/// what was found. Groups that cannot be judged are left out.
pub(super) fn judge_apart(
    choices: &[Vec<Choice>],
    starts: &[(i64, usize)],
    events: usize,
    draw: impl Fn(usize) -> Option<f64>,
) -> Vec<(Vec<usize>, Vec<Verdict>)> {
    let mut judged = Vec::new();
    for (claims, found) in judge_groups(choices, starts, events) {
        let event_of = |choice: &Choice| choice.events.first().map(|&event| event as usize);
        let verdicts = claims.iter().zip(found).map(|(&claim, one)| {
            let shares: Vec<_> = choices[claim]
                .iter()
                .map(event_of)
                .zip(one.shares.iter().copied())
                .collect();
            let chosen = one.chosen(draw(claim));
            Verdict::new(event_of(&choices[claim][chosen]), &shares, one.doubt)
        });
        let verdicts = verdicts.collect();
        judged.push((claims, verdicts));
    }
    judged
}

/// Judges claims, those that contend with each other together.
pub(super) fn judge_groups(
    choices: &[Vec<Choice>],
    starts: &[(i64, usize)],
    events: usize,
) -> Vec<(Vec<usize>, Vec<Judged>)> {
    let mut order: Vec<usize> = (0..choices.len()).collect();
    order.sort_by_key(|&claim| starts[claim]);
    // Who has an event in common with whom, directly or through others.
    let mut parent: Vec<usize> = (0..choices.len()).collect();
    let mut owner: Vec<Option<usize>> = vec![None; events];
    let root = |parent: &mut Vec<usize>, mut at: usize| {
        while parent[at] != at {
            parent[at] = parent[parent[at]];
            at = parent[at];
        }
        at
    };
    for &claim in &order {
        for &event in choices[claim].iter().flat_map(|choice| &choice.events) {
            match owner[event as usize] {
                None => owner[event as usize] = Some(claim),
                Some(other) => {
                    let (a, b) = (root(&mut parent, claim), root(&mut parent, other));
                    parent[a] = b;
                }
            }
        }
    }
    let mut number: FxHashMap<usize, usize> = FxHashMap::default();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for &claim in &order {
        let root = root(&mut parent, claim);
        let group = *number.entry(root).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(claim);
    }
    let mut judged = Vec::new();
    let mut dense: Vec<u32> = vec![u32::MAX; events];
    for claims in groups {
        // Events by the number in the group.
        let mut count = 0;
        let of_group: Vec<Vec<Choice>> = claims
            .iter()
            .map(|&claim| {
                let mut own = choices[claim].clone();
                for event in own.iter_mut().flat_map(|choice| &mut choice.events) {
                    let place = &mut dense[*event as usize];
                    if *place == u32::MAX {
                        *place = count;
                        count += 1;
                    }
                    *event = *place;
                }
                own
            })
            .collect();
        if let Some(found) = judge(&of_group, count as usize) {
            judged.push((claims, found));
        }
    }
    judged
}
