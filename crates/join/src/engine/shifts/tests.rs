//! When a distance is settled.

use super::vote::Votes;
use super::*;

fn votes_for(all: &[(i64, std::ops::Range<u32>)]) -> Votes {
    all.iter()
        .map(|(bytes, behind)| (*bytes, behind.clone().collect()))
        .collect()
}

#[test]
fn distance_that_explains_nearly_all_is_settled() {
    let votes = votes_for(&[(0, 3..5), (4096, 0..100), (-8192, 20..60)]);
    assert_eq!(settle(&votes, 0), Some(4096));
}

#[test]
fn few_requests_settle_nothing() {
    assert_eq!(settle(&votes_for(&[(4096, 0..19)]), 0), None);
    assert_eq!(settle(&votes_for(&[(4096, 0..20)]), 0), Some(4096));
    assert_eq!(settle(&Votes::new(), 0), None);
}

#[test]
fn two_that_explain_the_same_are_not_told_apart() {
    // A stream of requests one behind the other, always two in flight: all but the last could be the next one's.
    let votes = votes_for(&[(0, 0..1000), (4096, 0..999)]);
    assert_eq!(settle(&votes, 0), None);
    let halves = votes_for(&[(0, 0..100), (1 << 20, 90..200)]);
    assert_eq!(settle(&halves, 0), None);
}

#[test]
fn keys_alone_find_the_distance_of_scattered_requests() {
    // The finisher of a known generator (splitmix64): a plain multiple would have distances of its own.
    let place = |at: u64| {
        let mixed = (at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 27)) >> 40) * 4096
    };
    let asked: BTreeSet<_> = (0..500).map(|at| (place(at), 4096, 1)).collect();
    let seen: FxHashSet<_> = (100..900).map(|at| (place(at) + (7 << 20), 4096, 1)).collect();
    assert_eq!(settle(&votes_of_keys(&asked, &seen), 0), Some(7 << 20));
    // One behind the other any distance explains nearly all.
    let asked: BTreeSet<_> = (0..500_u64).map(|at| (at * 4096, 4096, 1)).collect();
    let seen: FxHashSet<_> = (0..500_u64).map(|at| (at * 4096 + (1 << 20), 4096, 1)).collect();
    assert!(settle(&votes_of_keys(&asked, &seen), 0).is_none_or(|bytes| bytes == 1 << 20));
}

#[test]
fn sign_test_is_that_of_a_fair_coin() {
    // 20 of 20 has 2^-20, 19 of 20 has 21 times that.
    assert!(beats(20, 0) && !beats(19, 0) && !beats(19, 1) && !beats(0, 0));
    assert!(beats(60, 12) && !beats(40, 20));
}
