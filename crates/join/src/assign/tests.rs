//! The assignment is a largest one, and "sure" means what it says: checked against all assignments of small cases.

use proptest::prelude::*;

use super::*;

fn all_largest(outers: &[Interval], inners: &[Interval]) -> Vec<Vec<Option<usize>>> {
    fn extend(
        outers: &[Interval],
        inners: &[Interval],
        at: usize,
        now: &mut Vec<Option<usize>>,
        all: &mut Vec<Vec<Option<usize>>>,
    ) {
        if at == outers.len() {
            all.push(now.clone());
            return;
        }
        now.push(None);
        extend(outers, inners, at + 1, now, all);
        now.pop();
        for inner in 0..inners.len() {
            if contains(outers[at], inners[inner]) && !now.contains(&Some(inner)) {
                now.push(Some(inner));
                extend(outers, inners, at + 1, now, all);
                now.pop();
            }
        }
    }
    let mut all = Vec::new();
    extend(outers, inners, 0, &mut Vec::new(), &mut all);
    let size = |found: &Vec<Option<usize>>| found.iter().flatten().count();
    let largest = all.iter().map(size).max().unwrap_or(0);
    all.retain(|found| size(found) == largest);
    all
}

fn interval() -> impl Strategy<Value = Interval> {
    (0_i64..24, 0_i64..12).prop_map(|(start, length)| (start, start + length))
}

proptest! {
    #[test]
    fn sure_pairs_are_those_of_every_largest_assignment(
        outers in prop::collection::vec(interval(), 1..5),
        inners in prop::collection::vec((0_i64..30, 0_i64..4).prop_map(|(start, length)| (start, start + length)), 0..6),
    ) {
        let assigned = assign(&outers, &inners, |_, _| true, |_, _| ());
        let found: Vec<Option<usize>> = assigned.iter().map(|one| one.inner).collect();
        let all = all_largest(&outers, &inners);
        prop_assert!(all.contains(&found), "{found:?} is not one of {all:?}");
        for (outer, one) in assigned.iter().enumerate() {
            let same = all.iter().all(|other| other[outer] == one.inner);
            prop_assert_eq!(one.sure, same, "outer {} of {:?} in {:?}", outer, outers, inners);
            prop_assert_eq!(one.confidence == 1.0, one.sure && one.inner.is_some());
        }
    }
}

#[test]
fn back_to_back_writes_of_one_block_are_told_apart_by_time() {
    let assigned = assign(&[(0, 10), (11, 20)], &[(2, 8), (13, 18)], |_, _| true, |_, _| ());
    assert!(assigned.iter().all(|one| one.sure));
    assert_eq!([assigned[0].inner, assigned[1].inner], [Some(0), Some(1)]);
}

#[test]
fn two_that_could_be_exchanged_go_by_order_and_are_not_sure() {
    let assigned = assign(&[(0, 20), (1, 21)], &[(5, 6), (9, 10)], |_, _| true, |_, _| ());
    assert_eq!([assigned[0].inner, assigned[1].inner], [Some(0), Some(1)]);
    assert!(assigned.iter().all(|one| !one.sure && one.confidence == 0.5));
}

#[test]
fn pair_that_time_allows_but_the_device_does_not_is_not_taken() {
    let assigned = assign(
        &[(0, 20), (1, 21)],
        &[(5, 6), (9, 10)],
        |outer, inner| outer == inner,
        |_, _| (),
    );
    assert!(assigned.iter().all(|one| one.sure));
}
