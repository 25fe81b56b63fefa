//! Identical writes back to back, to one place a volume: time alone tells them apart, and all of them have the same key.

use std::time::{Duration, Instant};

use super::*;
use crate::score::{Calibration, calibration};

/// How a replay compares with the truth.
#[derive(Debug)]
struct Replayed {
    legs: Calibration,
    score: Score,
    took: Duration,
}

fn replayed(seed: u64, count: u64, taps: Option<Taps>) -> Replayed {
    let options = Options {
        seed: Some(seed),
        taps,
        ..writes(count)
    };
    let (directory, _, _) = recorded(Scenario::Identical, &options);
    let recording = Recording::open(directory.path()).unwrap();
    let start = Instant::now();
    let replayed = replay::replay(&recording, &replay::Options::default()).unwrap();
    let took = start.elapsed();
    let map = RowMap::new(&recording, &[]).unwrap();
    let lines: Vec<export::Line> = export::lines(&replayed.rows, &replayed.catalog, &map).collect();
    assert_eq!(lines.len() as u64, count, "seed {seed} {taps:?}");
    Replayed {
        legs: calibration(&recording, &lines).unwrap(),
        score: score::score(&recording, lines, &[]).unwrap(),
        took,
    }
}

/// What is decided is right but for two in a thousand writes, and so is the copy that is named as the slowest but for one.
#[test]
fn what_is_decided_of_identical_writes_is_right() {
    for taps in [None, Some(Taps::WindowsOffset), Some(Taps::Windows)] {
        for seed in 20..23 {
            let run = replayed(seed, 6000, taps);
            let decided = run.legs.writes - run.legs.flagged;
            assert!(
                run.legs.decided_wrong as f64 <= 0.002 * decided as f64,
                "seed {seed} {taps:?} {run:?}"
            );
            assert!(
                run.score.slowest_copy_named.is_none_or(|right| right >= 0.999),
                "seed {seed} {taps:?} {run:?}"
            );
            assert_ne!(run.score.clock_bound_held, Some(false), "seed {seed} {taps:?} {run:?}");
        }
    }
}

/// What was wrong: at many steps of the join each write of a place was held against each event there, so that 30 000 writes took
/// over a minute and ten times as many would have taken hours. Ten times as many take some ten times as long; a hundred times
/// would be each against each.
#[test]
fn time_grows_with_the_number_of_identical_writes_and_not_with_its_square() {
    for taps in [None, Some(Taps::Windows)] {
        let few = replayed(20, 3000, taps).took;
        let many = replayed(20, 30_000, taps).took;
        assert!(many < few * 40, "{taps:?}: {few:?} and {many:?}");
    }
}
