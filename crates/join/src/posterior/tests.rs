//! The probabilities are those that counting all assignments gives.

use proptest::prelude::*;

use super::*;

fn choice(events: &[u32], log: f64) -> Choice {
    Choice {
        events: SmallVec::from_slice(events),
        log,
    }
}

/// Every assignment with its likelihood: the slow and sure way.
fn all(
    claims: &[Vec<Choice>],
    used: &mut Vec<u32>,
    chosen: &mut Vec<usize>,
    log: f64,
    found: &mut Vec<(Vec<usize>, f64)>,
) {
    let Some(choices) = claims.get(chosen.len()) else {
        let mut events: Vec<u32> = claims
            .iter()
            .flatten()
            .flat_map(|choice| choice.events.clone())
            .collect();
        events.sort_unstable();
        events.dedup();
        let unused = events.iter().filter(|event| !used.contains(event)).count();
        found.push((chosen.clone(), libm::exp(log + UNUSED * unused as f64)));
        return;
    };
    for (at, choice) in choices.iter().enumerate() {
        if choice.events.iter().any(|event| used.contains(event)) {
            continue;
        }
        let before = used.len();
        used.extend(&choice.events);
        chosen.push(at);
        all(claims, used, chosen, log + choice.log, found);
        chosen.pop();
        used.truncate(before);
    }
}

fn claims() -> impl Strategy<Value = Vec<Vec<Choice>>> {
    let one = (prop::collection::btree_set(0_u32..4, 1..3), -40_i32..0)
        .prop_map(|(events, log)| choice(&events.into_iter().collect::<Vec<_>>(), f64::from(log) / 8.0));
    // As the join asks: nobody has to choose an event.
    let with_nothing = |mut choices: Vec<Choice>| {
        choices.push(choice(&[], -6.0));
        choices
    };
    prop::collection::vec(prop::collection::vec(one, 1..5).prop_map(with_nothing), 1..6)
}

proptest! {
    #[test]
    fn shares_are_those_of_counting_all_assignments(claims in claims()) {
        let mut found = Vec::new();
        all(&claims, &mut Vec::new(), &mut Vec::new(), 0.0, &mut found);
        let judged = judge(&claims, 4);
        prop_assert_eq!(judged.is_some(), !found.is_empty());
        let Some(judged) = judged else { return Ok(()) };
        let sum: f64 = found.iter().map(|(_, likelihood)| likelihood).sum();
        for (number, one) in judged.iter().enumerate() {
            for (at, share) in one.shares.iter().enumerate() {
                let with = found.iter().filter(|(chosen, _)| chosen[number] == at);
                let exact = with.map(|(_, likelihood)| likelihood).sum::<f64>() / sum;
                prop_assert!((share - exact).abs() < 1e-4, "claim {}, choice {}: {} for {}", number, at, share, exact);
            }
            prop_assert_eq!(one.doubt, 0.0);
        }
        let best: Vec<usize> = judged.iter().map(|one| one.best).collect();
        let likelihood = found.iter().find(|(chosen, _)| *chosen == best).map(|(_, likelihood)| *likelihood);
        let most = found.iter().map(|(_, likelihood)| *likelihood).fold(0.0, f64::max);
        prop_assert!(likelihood.is_some_and(|likelihood| likelihood >= most * (1.0 - 1e-9)));
    }
}

#[test]
fn two_that_are_equally_likely_have_half_each() {
    let claims = vec![vec![choice(&[0], -1.0), choice(&[1], -1.0)]; 2];
    let judged = judge(&claims, 2).unwrap();
    assert!(
        judged
            .iter()
            .flat_map(|one| &one.shares)
            .all(|share| (share - 0.5).abs() < 1e-12)
    );
}

/// A long row of claims, each of which could have its own event or either neighbour's: a permanent that nobody could count.
#[test]
fn thousands_in_a_row_are_judged_exactly_where_they_meet() {
    let claims: Vec<Vec<Choice>> = (0..5000_u32)
        .map(|at| {
            let choices = (at.saturating_sub(1)..=at + 1).filter(|event| *event < 5000);
            choices
                .map(|event| choice(&[event], if event == at { 0.0 } else { -3.0 }))
                .collect()
        })
        .collect();
    let judged = judge(&claims, 5000).unwrap();
    // Of a row of swaps, each e^-6: 1 / (1 + 2 e^-6) to first order.
    let middle = judged[2500].shares[1];
    assert!((middle - 0.99510).abs() < 1e-4, "{middle}");
    assert!(judged.iter().all(|one| one.doubt == 0.0));
}

#[test]
fn more_than_can_be_kept_in_mind_is_not_judged() {
    let claims = vec![(0..300).map(|event| choice(&[event], 0.0)).collect::<Vec<_>>(); 2];
    assert!(judge(&claims, 300).is_none());
}

/// Twenty claims that could all have the same twenty events: more states than are kept. What was left out is said.
#[test]
fn what_is_left_out_is_said() {
    let claims = vec![(0..20).map(|event| choice(&[event], 0.0)).collect::<Vec<_>>(); 20];
    let judged = judge(&claims, 20);
    let says = |one: &Judged| one.doubt > 0.1;
    assert!(judged.is_none_or(|judged| judged.iter().all(says)));
}
