//! What repeats itself aligns nothing, and what does not is aligned as before.

use super::super::vote;
use super::*;
use crate::clock::{PairClock, Search};
use crate::config::Config;

const START: i64 = 1_790_000_000_000_000_000;
const MS: i64 = 1_000_000;
const OFFSET: i64 = 37 * MS;

/// Simple deterministic noise.
fn noise(seed: &mut u64, below: u64) -> i64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    (*seed % below) as i64
}

/// How a key is written.
#[derive(Clone, Copy, Debug)]
struct Rhythm {
    beat: i64,
    /// By how much later than the beat a write begins at most.
    jitter: u64,
    /// By how much longer than the shortest its ways and its service take at most.
    spread: u64,
    /// Of a thousand services so many are not seen.
    lost_per_mille: i64,
}

/// Some requests of some keys with all services of their key.
fn repeated(keys: usize, rhythm: Rhythm, seed: &mut u64) -> Vec<Candidate> {
    let mut pairs = Vec::new();
    for _ in 0..keys {
        let (mut outers, mut inners) = (Vec::new(), Vec::new());
        for at in 0..60 {
            let start = START + at * rhythm.beat + noise(seed, rhythm.jitter + 1);
            let mut lasts = |least: i64| least + noise(seed, rhythm.spread + 1);
            let (there, took, back) = (lasts(30_000), lasts(60_000), lasts(40_000));
            outers.push((start, start + there + took + back));
            let begins = start + there + OFFSET;
            if noise(seed, 1_000) >= rhythm.lost_per_mille {
                inners.push((begins, begins + took));
            }
        }
        for &outer in outers.iter().step_by(8) {
            pairs.extend(inners.iter().map(|&inner| Candidate {
                outer,
                inner,
                start_slack: 200,
                end_slack: 400,
            }));
        }
    }
    pairs
}

/// What a vote states of the clock in the middle of the traffic.
fn stated(pairs: Vec<Candidate>, beat: i64) -> Option<(i64, i64)> {
    let config = Config::default();
    let mut clock = PairClock::default();
    clock.start(&config, vote(&config, pairs)?);
    assert_eq!(clock.search, Search::Idle);
    clock.bounds(&config, START + 30 * beat)
}

const RHYTHMS: [(i64, i64); 4] = [(2 * MS, 0), (10 * MS, 0), (10 * MS, 30), (100 * MS, 30)];

#[test]
fn line_with_a_rival_one_beat_away_is_refused() {
    for mut seed in 1..20 {
        for keys in [1, 3, 24, 100] {
            for (beat, lost_per_mille) in RHYTHMS {
                let rhythm = Rhythm {
                    beat,
                    jitter: 2_000,
                    spread: 0,
                    lost_per_mille,
                };
                let pairs = repeated(keys, rhythm, &mut seed);
                assert_eq!(stated(pairs, beat), None, "{keys} keys, {rhythm:?}");
            }
        }
    }
}

#[test]
fn line_is_right_or_refused_however_much_a_rhythm_tells() {
    for mut seed in 1..20 {
        for keys in [1, 3, 24, 100] {
            for (beat, lost_per_mille) in RHYTHMS {
                for (jitter, spread) in [(0, 10_000), (10_000, 30_000), (50_000, 100_000)] {
                    let rhythm = Rhythm {
                        beat,
                        jitter,
                        spread,
                        lost_per_mille,
                    };
                    let stated = stated(repeated(keys, rhythm, &mut seed), beat);
                    let is_right = |(low, high): (i64, i64)| low <= OFFSET && OFFSET <= high;
                    assert!(stated.is_none_or(is_right), "{stated:?} of {keys} keys, {rhythm:?}");
                }
            }
        }
    }
}

#[test]
fn line_without_a_rival_is_accepted_where_keys_repeat_without_a_beat() {
    for mut seed in 1..20 {
        for keys in [3, 24, 100] {
            for (beat, lost_per_mille) in &RHYTHMS[1..] {
                let rhythm = Rhythm {
                    beat: *beat,
                    jitter: *beat as u64,
                    spread: 60_000,
                    lost_per_mille: *lost_per_mille,
                };
                let stated = stated(repeated(keys, rhythm, &mut seed), *beat);
                let (low, high) = stated.expect("an alignment");
                assert!(low <= OFFSET && OFFSET <= high, "{low} to {high}");
            }
        }
    }
}

#[test]
fn keys_that_are_written_once_have_no_rival() {
    let mut seed = 7;
    let rhythm = Rhythm {
        beat: 10 * MS,
        jitter: 10_000_000,
        spread: 60_000,
        lost_per_mille: 0,
    };
    let mut once = repeated(8, rhythm, &mut seed);
    once.retain(|pair| pair.outer.0 + OFFSET <= pair.inner.0 && pair.inner.1 <= pair.outer.1 + OFFSET);
    once.sort_unstable_by_key(|pair| (pair.outer, pair.inner));
    let line = Line {
        middle: START,
        offset: OFFSET,
        ppb: 0,
    };
    assert!(!has_rival(&once, &line, MS, 5));
}

#[test]
fn bound_of_hoeffding_says_no_more_than_the_sum() {
    for lost in 0..60 {
        for won in 0..200 {
            assert_eq!(clearly_beats(won, lost), beats(won, lost), "{won} to {lost}");
        }
    }
}
