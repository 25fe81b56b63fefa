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
        prop_assert!(high - low < 400_000, "width {}", high - low);
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
