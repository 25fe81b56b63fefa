use proptest::prelude::*;

use super::*;

fn of(values: &[u64]) -> Sketch {
    let mut sketch = Sketch::default();
    values.iter().for_each(|&value| sketch.add(value));
    sketch
}

/// By nearest rank, as everywhere.
fn exact(values: &[u64], share: f64) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = ((share * sorted.len() as f64).ceil() as usize).max(1);
    sorted[rank - 1]
}

fn is_within(found: u64, truth: u64) -> bool {
    found.abs_diff(truth) as f64 <= truth as f64 * RELATIVE_ERROR
}

/// From nanoseconds to hours, each octave as likely as the next.
fn durations() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(
        (0_u32..48, any::<u64>()).prop_map(|(bits, raw)| raw >> (63 - bits)),
        1..400,
    )
}

proptest! {
    #[test]
    fn percentiles_are_within_one_percent_of_the_exact_ones(values in durations()) {
        let sketch = of(&values);
        for share in [0.0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0] {
            let (found, truth) = (sketch.quantile(share).expect("values"), exact(&values, share));
            prop_assert!(is_within(found, truth), "{share}: {found} for {truth}");
        }
    }

    #[test]
    fn merging_in_any_order_and_grouping_is_the_sketch_of_all(
        parts in prop::collection::vec(durations(), 1..8),
        order in any::<prop::sample::Index>(),
    ) {
        let whole = of(&parts.concat());
        let mut rolled = parts.clone();
        let by = order.index(rolled.len());
        rolled.rotate_left(by);
        let mut forward = Sketch::default();
        rolled.iter().for_each(|part| forward.merge(&of(part)));
        prop_assert_eq!(&forward, &whole);
        // As a tree: the halves first.
        let (left, right) = rolled.split_at(rolled.len() / 2);
        let mut tree = of(&right.concat());
        tree.merge(&of(&left.concat()));
        prop_assert_eq!(&tree, &whole);
        let values = parts.concat();
        prop_assert!(is_within(tree.quantile(0.99).expect("values"), exact(&values, 0.99)));
    }

    #[test]
    fn parts_come_back_as_they_went(values in durations()) {
        let sketch = of(&values);
        prop_assert_eq!(Sketch::try_from(sketch.parts()), Ok(sketch));
    }

    #[test]
    fn bins_that_were_kept_come_back_and_add_up(one in durations(), other in durations()) {
        let (one, other, whole) = (of(&one), of(&other), of(&[one.clone(), other].concat()));
        let mut merged = Sketch::default();
        for sketch in [&one, &other] {
            let (bins, counts): (Vec<u16>, Vec<u64>) = sketch.bins().unzip();
            let (min, max) = (sketch.min().unwrap_or(0), sketch.max().unwrap_or(0));
            let kept = Kept { bins: &bins, counts: &counts, sum: sketch.sum(), min, max };
            prop_assert_eq!(merged.merge_bins(kept), Ok(()));
        }
        prop_assert_eq!(merged, whole);
    }

    #[test]
    fn whatever_bins_are_given_nothing_panics(
        bins in prop::collection::vec(any::<u16>(), 0..20), counts in prop::collection::vec(any::<u64>(), 0..20),
        sum in any::<u64>(), min in any::<u64>(), max in any::<u64>(),
    ) {
        let mut sketch = of(&[1, 1000, 1_000_000]);
        let before = sketch.clone();
        if sketch.merge_bins(Kept { bins: &bins, counts: &counts, sum, min, max }).is_err() {
            prop_assert_eq!(sketch, before, "what is refused changes nothing");
        }
    }

    #[test]
    fn whatever_parts_are_given_nothing_panics(
        first_bin in any::<u32>(), counts in prop::collection::vec(any::<u64>(), 0..20),
        sum_nanos in any::<u64>(), min_nanos in any::<u64>(), max_nanos in any::<u64>(),
    ) {
        if let Ok(mut sketch) = Sketch::try_from(Parts { first_bin, counts, sum_nanos, min_nanos, max_nanos }) {
            let twice = sketch.clone();
            sketch.merge(&twice);
            prop_assert!(sketch.quantile(0.5) >= sketch.min() && sketch.quantile(0.5) <= sketch.max());
        }
    }
}

#[test]
fn every_value_is_in_one_bin_and_bins_are_in_order() {
    let mut last = 0;
    for octave in 0..64 {
        for step in [0_u64, 1, 2, 5, 63] {
            let value = (1_u64 << octave) | ((u128::from(step) << octave) >> 6) as u64;
            let bin = bin(value);
            assert!(bin >= last && bin < BINS, "{value}");
            last = bin;
        }
    }
    assert_eq!(bin(u64::MAX), BINS - 1);
    assert!((0..BINS).all(|at| bin(middle(at)) == at));
}

#[test]
fn nothing_has_no_percentiles() {
    let nothing = Sketch::default();
    assert_eq!(
        (nothing.quantile(0.5), nothing.min(), nothing.max(), nothing.mean()),
        (None, None, None, None)
    );
    let mut some = of(&[5]);
    some.merge(&nothing);
    assert_eq!(some, of(&[5]));
    let mut filled = nothing;
    filled.merge(&some);
    assert_eq!(filled, some);
}

#[test]
fn more_than_can_be_counted_stays_at_the_greatest_number() {
    let mut sketch = Sketch::default();
    sketch.add_many(u64::MAX, u64::MAX);
    sketch.add_many(1, 7);
    assert_eq!((sketch.count(), sketch.sum()), (u64::MAX, u64::MAX));
    assert_eq!((sketch.min(), sketch.max()), (Some(1), Some(u64::MAX)));
}

#[test]
fn counts_beyond_four_bytes_are_the_same_however_they_came_to_be() {
    let many = u64::from(u32::MAX);
    let (mut one, mut other) = (Sketch::default(), Sketch::default());
    one.add_many(1_000, many);
    one.add(1_000_000);
    other.add_many(1_000, 5);
    let mut merged = one.clone();
    merged.merge(&other);
    let mut added = one.clone();
    added.add_many(1_000, 5);
    let mut turned = other;
    turned.merge(&one);
    assert_eq!((&merged, &merged), (&added, &turned));
    assert_eq!(merged.count(), many + 6);
    assert_eq!(Sketch::try_from(merged.parts()), Ok(merged.clone()));
    let mut twice = merged.clone();
    twice.merge(&merged);
    assert_eq!((twice.count(), twice.quantile(1.0)), (2 * (many + 6), Some(1_000_000)));
    assert!(one.heap_bytes() < twice.heap_bytes());
}

#[test]
fn parts_that_no_values_have_are_refused() {
    let good = of(&[100_000, 150_000]).parts();
    let bad = |change: fn(&mut Parts)| {
        let mut parts = good.clone();
        change(&mut parts);
        Sketch::try_from(parts).expect_err("it is refused")
    };
    assert!(matches!(bad(|parts| parts.first_bin = 4_000), Fault::Bins { .. }));
    assert_eq!(bad(|parts| parts.counts.push(0)), Fault::Hollow);
    assert_eq!(bad(|parts| parts.counts.clear()), Fault::Hollow);
    assert_eq!(bad(|parts| parts.counts[0] = u64::MAX), Fault::TooMany);
    assert!(matches!(bad(|parts| parts.min_nanos = 1), Fault::Elsewhere { .. }));
    assert!(matches!(bad(|parts| parts.max_nanos = 1), Fault::Elsewhere { .. }));
    assert!(matches!(bad(|parts| parts.sum_nanos = 1), Fault::Sum { .. }));
    let text = serde_json::to_string(&good).expect("JSON");
    assert_eq!(
        serde_json::from_str::<Sketch>(&text).expect("it is a sketch").parts(),
        good
    );
    assert!(serde_json::from_str::<Sketch>(&text.replace("\"sum_nanos\":250000", "\"sum_nanos\":3")).is_err());
}
