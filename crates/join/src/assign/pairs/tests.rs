//! The result is that of the assignment by intervals, whatever the graph.

use super::*;
use crate::assign::assign;

/// Pairs by intervals and pairs by edges are one question in two forms.
#[test]
fn edges_give_what_their_intervals_give() {
    let mut state = 7_u64;
    let mut draw = |most: i64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as i64) % most
    };
    for _ in 0..2_000 {
        let mut interval = |longest: i64| {
            let from = draw(60);
            (from, from + draw(longest))
        };
        let outers: Vec<_> = (0..7).map(|_| interval(40)).collect();
        let inners: Vec<_> = (0..6).map(|_| interval(12)).collect();
        let by_time = assign(&outers, &inners, |_, _| true, |_, _| {});
        let mut in_order: Vec<usize> = (0..inners.len()).collect();
        in_order.sort_by_key(|&at| (inners[at], at));
        let edges = outers.iter().map(|outer| {
            let inside = |&at: &usize| outer.0 <= inners[at].0 && inners[at].1 <= outer.1;
            in_order.iter().copied().filter(inside).collect()
        });
        let mut order: Vec<usize> = (0..outers.len()).collect();
        order.sort_by_key(|&at| (outers[at].1, outers[at].0, at));
        let by_edges = assign_pairs(edges.collect(), inners.len(), order);
        let sure = |all: &[Assigned]| -> Vec<_> {
            all.iter()
                .map(|one| (one.sure, one.inner.filter(|_| one.sure)))
                .collect()
        };
        let found = |all: &[Assigned]| all.iter().filter(|one| one.inner.is_some()).count();
        assert_eq!(found(&by_time), found(&by_edges), "{outers:?} {inners:?}");
        assert_eq!(sure(&by_time), sure(&by_edges), "{outers:?} {inners:?}");
    }
}

#[test]
fn nobody_has_what_is_not_there() {
    assert!(
        assign_pairs(vec![Vec::new(); 3], 0, vec![0, 1, 2])
            .iter()
            .all(|one| one.inner.is_none() && one.sure)
    );
}
