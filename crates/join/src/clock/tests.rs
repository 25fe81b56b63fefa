//! Stated bounds hold, whatever the clocks are, and are tight when there is traffic.

use proptest::prelude::*;

use super::vote::{Candidate, vote};
use super::*;

const START: i64 = 1_790_000_000_000_000_000;

/// A far clock: offset and drift against the initiator's.
#[derive(Clone, Copy, Debug)]
struct Model {
    offset: i64,
    ppb: i64,
}

impl Model {
    fn theta(self, x: i64) -> i64 {
        self.offset + (i128::from(x - START) * i128::from(self.ppb) / 1_000_000_000) as i64
    }
}

/// Simple deterministic noise.
fn noise(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

fn legs(model: Model, from: i64, seconds: i64, rate: i64, seed: &mut u64) -> Vec<Candidate> {
    (0..seconds * rate)
        .map(|at| {
            let start = from + at * 1_000_000_000 / rate + (noise(seed) % 900_000) as i64;
            let there = 20_000 + (noise(seed) % 400_000) as i64;
            let service = 50_000 + (noise(seed) % 300_000) as i64;
            let back = 10_000 + (noise(seed) % 400_000) as i64;
            let inner = start + there;
            Candidate {
                outer: (start, start + there + service + back),
                inner: (
                    inner + model.theta(inner),
                    inner + service + model.theta(inner + service),
                ),
                start_slack: 2,
                end_slack: 4,
            }
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn bounds_hold_in_every_window_for_any_offset_and_drift(
        offset in -60_000_000_000_i64..60_000_000_000, ppb in -400_000_i64..400_000, seed in 1_u64.., rate in 5_i64..400,
    ) {
        let config = Config::default();
        let model = Model { offset, ppb };
        let mut seed = seed;
        let mut clock = PairClock::default();
        for window in 0..20 {
            let from = START + window * 1_000_000_000;
            let mut constraints = Constraints::default();
            for leg in legs(model, from, 1, rate, &mut seed) {
                constraints.add(leg.outer, leg.inner, leg.start_slack, leg.end_slack);
            }
            clock.learn(&config, constraints);
            for x in [from, from + 350_000_000, from + 999_999_999, from + 2_500_000_000] {
                let (low, high) = clock.bounds(&config, x).unwrap();
                prop_assert!(low <= model.theta(x) && model.theta(x) <= high, "{low}..{high} at {x}: {}", model.theta(x));
            }
        }
        let (low, high) = clock.bounds(&config, START + 19_500_000_000).unwrap();
        // Five pairs a second: what the fastest drift does until the next one comes on top.
        prop_assert!(high - low < 900_000, "width {}", high - low);
        let restored = PairClock::restore(&config, clock.state());
        prop_assert_eq!(restored.bounds(&config, START + 19_000_000_123), clock.bounds(&config, START + 19_000_000_123));
    }

    #[test]
    fn vote_finds_any_offset_among_false_pairs(
        offset in -59_000_000_000_i64..59_000_000_000, ppb in -240_000_i64..240_000, seed in 1_u64.., seconds in 2_i64..30,
    ) {
        let config = Config::default();
        let model = Model { offset, ppb };
        let mut seed = seed;
        let mut candidates = legs(model, START, seconds, 20, &mut seed);
        let count = candidates.len();
        // As many pairs that do not belong together.
        for at in 0..count {
            let mut wrong = candidates[at];
            let by = (noise(&mut seed) % 4_000_000_000) as i64 - 2_000_000_000;
            wrong.inner = (wrong.inner.0 + by, wrong.inner.1 + by);
            candidates.push(wrong);
        }
        let mut clock = PairClock::default();
        clock.start(&config, vote(&config, candidates).expect("an alignment"));
        let x = START + seconds * 500_000_000;
        let (low, high) = clock.bounds(&config, x).unwrap();
        prop_assert!(low - 50_000 <= model.theta(x) && model.theta(x) <= high + 50_000, "{low}..{high}: {}", model.theta(x));
    }

    #[test]
    fn vote_finds_nothing_where_nothing_agrees(seed in 1_u64.., count in 1_usize..400) {
        let mut seed = seed;
        let mut candidates = legs(Model { offset: 0, ppb: 0 }, START, 4, 100, &mut seed);
        candidates.truncate(count);
        for pair in &mut candidates {
            let by = (noise(&mut seed) % 4_000_000_000) as i64 - 2_000_000_000;
            pair.inner = (pair.inner.0 + by, pair.inner.1 + by);
        }
        prop_assert!(vote(&Config::default(), candidates).is_none());
    }
}

/// Legs whose way there and back takes a shape that real networks show: near its least, and now and then far more.
fn skewed(model: Model, from: i64, seconds: i64, rate: i64, seed: &mut u64) -> Vec<Candidate> {
    let way = |least: i64, seed: &mut u64| {
        let share = (noise(seed) % 1_000_000) as f64 / 1e6;
        least + (-(1.0 - share).ln() * 60_000.0) as i64
    };
    (0..seconds * rate)
        .map(|at| {
            let start = from + at * 1_000_000_000 / rate + (noise(seed) % 900_000) as i64;
            let (there, back) = (way(25_000, seed), way(15_000, seed));
            let service = 50_000 + (noise(seed) % 300_000) as i64;
            let inner = start + there;
            Candidate {
                outer: (start, start + there + service + back),
                inner: (
                    inner + model.theta(inner),
                    inner + service + model.theta(inner + service),
                ),
                start_slack: 200,
                end_slack: 400,
            }
        })
        .collect()
}

type Traffic = fn(Model, i64, i64, i64, &mut u64) -> Vec<Candidate>;

#[test]
fn with_a_thousand_pairs_a_second_bounds_are_at_most_twice_as_wide_as_the_smallest_leg_less_its_service() {
    let config = Config::default();
    for (seed, traffic, often) in [
        // Ways that are anything between 20 and 420 us are hardest: the shortest are as rare as any.
        (3, legs as Traffic, 0.9),
        (5, skewed as Traffic, 1.0),
        (8, skewed as Traffic, 1.0),
    ] {
        let mut seed = seed;
        let (mut narrow, mut all) = (0, 0);
        for ppb in [0, 40_000, -190_000] {
            let model = Model { offset: 3_000_000, ppb };
            let mut clock = PairClock::default();
            let mut smallest = Vec::new();
            for window in 0..14_i64 {
                let from = START + window * 1_000_000_000;
                let mut constraints = Constraints::default();
                for leg in traffic(model, from, 1, 1_000, &mut seed) {
                    constraints.add(leg.outer, leg.inner, leg.start_slack, leg.end_slack);
                    smallest.push((leg.outer.1 - leg.outer.0) - (leg.inner.1 - leg.inner.0));
                }
                clock.learn(&config, constraints);
                let last: &[i64] = &smallest[smallest.len().saturating_sub(10_000)..];
                let least = *last.iter().min().unwrap();
                for x in (from + 20_000_000..from + 1_000_000_000).step_by(7_000_000) {
                    let (low, high) = clock.bounds(&config, x).unwrap();
                    narrow += u32::from(high - low <= 2 * least);
                    all += 1;
                    assert!(low <= model.theta(x) && model.theta(x) <= high);
                }
            }
        }
        let share = f64::from(narrow) / f64::from(all);
        assert!(share >= often, "{share} of {all} are as narrow");
    }
}

#[test]
fn what_was_known_before_a_break_holds_before_it_and_nothing_in_between() {
    let config = Config::default();
    let mut seed = 11;
    let (before, after) = (
        Model { offset: 0, ppb: 20_000 },
        Model {
            offset: 200_000_000,
            ppb: 20_000,
        },
    );
    let constraints = |model: Model, window: i64, seed: &mut u64| {
        let mut constraints = Constraints::default();
        for leg in legs(model, START + window * 1_000_000_000, 1, 100, seed) {
            constraints.add(leg.outer, leg.inner, leg.start_slack, leg.end_slack);
        }
        constraints
    };
    let mut clock = PairClock::default();
    clock.learn(&config, constraints(before, 0, &mut seed));
    let (until, from) = (START + 900_000_000, START + 1_100_000_000);
    clock.end(&config, until);
    assert!(!clock.is_aligned() && clock.bounds(&config, from).is_none());
    clock.begin(from);
    clock.learn(&config, constraints(after, 1, &mut seed));
    let restored = PairClock::restore(&config, clock.state());
    for clock in [clock, restored] {
        for x in [START + 100_000_000, until] {
            let (low, high) = clock.bounds(&config, x).unwrap();
            assert!(low <= before.theta(x) && before.theta(x) <= high);
        }
        for x in [from, from + 500_000_000] {
            let (low, high) = clock.bounds(&config, x).unwrap();
            assert!(low <= after.theta(x) && after.theta(x) <= high);
        }
        assert_eq!(clock.bounds(&config, until + 1), None);
        assert_eq!(clock.bounds(&config, from - 1), None);
        assert!(clock.span(&config, START, until).is_some() && clock.span(&config, until, from).is_none());
        assert!(!clock.is_settled(from - 1) && clock.is_settled(from));
    }
}

proptest! {
    #[test]
    fn bounds_are_the_tightest_that_any_point_gives(
        upper in prop::collection::vec((0_i64..10_000_000, 0_i64..20_000), 1..40), at in 0_i64..10_000_000,
    ) {
        let rate = Rate::from_ppb(500_000);
        let points: Vec<Point> = upper;
        let least = points.iter().map(|&(x, y)| y + rate.over(at - x)).min().unwrap();
        let envelope = Envelope::new(points, vec![(0, -1_000_000)], rate).unwrap();
        let (_, high) = envelope.at(at);
        // Rounding may cost a nanosecond a step.
        prop_assert!((least..=least + 2).contains(&high), "{high}, not {least}");
    }

    #[test]
    fn envelope_that_is_followed_says_what_it_says_when_it_is_asked(
        upper in prop::collection::vec((0_i64..10_000_000, 0_i64..20_000), 1..40),
        lower in prop::collection::vec((0_i64..10_000_000, -20_000_i64..0), 1..40),
        mut times in prop::collection::vec(-1_000_000_i64..11_000_000, 1..100),
    ) {
        times.sort_unstable();
        let envelope = Envelope::new(upper, lower, Rate::from_ppb(500_000)).unwrap();
        let mut walk = envelope.walk(times[0]);
        for at in times {
            prop_assert_eq!(walk.at(at), envelope.at(at));
        }
    }
}

#[test]
fn clock_that_was_set_is_followed_from_the_next_window_on() {
    let config = Config::default();
    let mut seed = 7;
    let mut clock = PairClock::default();
    for window in 0..8_i64 {
        let model = Model {
            offset: if window < 4 { 0 } else { 200_000_000 },
            ppb: 20_000,
        };
        let mut constraints = Constraints::default();
        for leg in legs(model, START + window * 1_000_000_000, 1, 100, &mut seed) {
            constraints.add(leg.outer, leg.inner, leg.start_slack, leg.end_slack);
        }
        clock.learn(&config, constraints);
        let x = START + window * 1_000_000_000 + 500_000_000;
        let (low, high) = clock.bounds(&config, x).unwrap();
        assert!(low <= model.theta(x) && model.theta(x) <= high);
    }
}
