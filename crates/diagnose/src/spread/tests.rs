//! The middle is where it should be, in whatever order values come.

use super::*;

#[test]
fn middle_is_right_to_an_eighth_in_any_order() {
    let values: Vec<u64> = (1..=999).map(|at| at * 1_000).collect();
    let (mut forth, mut back, mut halves) = (Spread::default(), Spread::default(), Spread::default());
    values.iter().for_each(|&nanos| forth.add(nanos));
    values.iter().rev().for_each(|&nanos| back.add(nanos));
    for half in values.chunks(500) {
        let mut part = Spread::default();
        half.iter().for_each(|&nanos| part.add(nanos));
        halves.take(&part);
    }
    for spread in [forth, back, halves] {
        assert!(spread.middle().abs_diff(500_000) <= 500_000 / 8, "{}", spread.middle());
    }
    assert_eq!(Spread::default().middle(), 0);
}
