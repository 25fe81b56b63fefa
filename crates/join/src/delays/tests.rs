//! What histograms say.

use proptest::prelude::*;

use super::*;

const STEP: Step = Step::first(
    Shown {
        copy: 0,
        local: false,
        tap: Tap::Initiator,
    },
    WRITE,
);

const WRITE: Asked = Asked {
    op: Op::Write,
    length: 4096,
};

fn learnt(samples: impl Iterator<Item = i64>) -> Densities {
    let mut taken = Samples::default();
    samples.for_each(|nanos| taken.add(STEP, nanos));
    let mut delays = Delays::default();
    delays.learn(taken, &mut Usual::default());
    delays.densities()
}

proptest! {
    #[test]
    fn duration_lies_in_its_bin(nanos in -(1_i64 << 35)..(1_i64 << 35)) {
        let at = usize::from(bin(nanos));
        let (from, until) = (edge(at), edge(at + 1));
        prop_assert!(from <= nanos as f64 && nanos as f64 <= until, "{} is not between {} and {}", nanos, from, until);
        prop_assert!(until - from <= 256.0_f64.max(nanos.unsigned_abs() as f64 / 8.0 + 1.0));
    }

    #[test]
    fn any_duration_has_a_bin(nanos: i64) {
        prop_assert!(usize::from(bin(nanos)) <= 2 * HALF);
    }
}

#[test]
fn density_sums_to_about_one_over_where_samples_are() {
    let densities = learnt((0..4000).map(|at| 40_000 + at * 5));
    let sum: f64 = (30_000..70_000)
        .map(|nanos| libm::exp(densities.log(STEP, nanos)))
        .sum();
    assert!((0.9..1.1).contains(&sum), "{sum}");
}

#[test]
fn two_ways_that_a_step_can_go_are_both_likely_and_what_lies_between_is_not() {
    let densities = learnt((0..2000).map(|at| if at % 2 == 0 { 10_000 + at } else { 500_000 + at * 10 }));
    let log = |nanos| densities.log(STEP, nanos);
    assert!(log(11_000) > log(100_000) + 5.0);
    assert!(log(510_000) > log(100_000) + 2.0);
    assert!(log(100_000) > f64::NEG_INFINITY);
}

#[test]
fn of_too_few_samples_nothing_is_said() {
    let densities = learnt((0..i64::from(ENOUGH) - 1).map(|at| at * 10));
    assert_eq!(densities.log(STEP, 5), densities.log(STEP, 1_000_000_000));
}

#[test]
fn state_is_kept_as_it_is() {
    let mut taken = Samples::default();
    (0..500).for_each(|at| taken.add(STEP, at * 321));
    (0..90).for_each(|at| {
        taken.add(
            Step::inwards(NodeIndex(3), Tap::Initiator, Tap::Target, WRITE),
            at * 321 - 999,
        )
    });
    let mut delays = Delays::default();
    delays.learn(taken, &mut Usual::default());
    let text = serde_json::to_string(&delays).unwrap();
    assert_eq!(serde_json::from_str::<Delays>(&text).unwrap(), delays);
    let renamed = delays
        .clone()
        .with_nodes(|node| Some(node + 10))
        .with_nodes(|node| node.checked_sub(10));
    assert_eq!(renamed, delays);
}
