//! Identical writes back to back to one place: where traffic cannot tell, nothing is told.

use fathom_simulate::config::{Arrival, Config};

use super::*;
use crate::score::{Calibration, calibration};

fn joined(seed: u64, count: u64, change: impl Fn(&mut Config)) -> (Score, Calibration) {
    let options = Options {
        seed: Some(seed),
        ..writes(count)
    };
    let mut config = Scenario::Identical.config(&options);
    change(&mut config);
    let directory = tempfile::tempdir().unwrap();
    write(&simulate(&config).unwrap(), "", directory.path()).unwrap();
    let recording = Recording::open(directory.path()).unwrap();
    let replayed = replay::replay(&recording, &replay::Options::default()).unwrap();
    let map = RowMap::new(&recording, &[]).unwrap();
    let lines: Vec<export::Line> = export::lines(&replayed.rows, &replayed.catalog, &map).collect();
    let calibration = calibration(&recording, &lines).unwrap();
    (score::score(&recording, lines, &[]).unwrap(), calibration)
}

/// Every bound that is stated holds, and of the legs that count as decided at most one in a hundred is wrong.
fn check(seed: u64, count: u64, change: impl Fn(&mut Config)) -> Score {
    let (score, calibration) = joined(seed, count, change);
    let decided = calibration.bands.iter().filter(|band| band.from >= 0.99);
    let (legs, wrong) = decided.fold((0, 0), |(legs, wrong), band| (legs + band.legs, wrong + band.wrong));
    assert_ne!(score.clock_bound_held, Some(false), "seed {seed}: {score:?}");
    assert!(wrong * 100 <= legs, "seed {seed}: {calibration:?}");
    // The initiator's own legs need no clock.
    assert!(legs > count, "seed {seed}: {calibration:?}");
    score
}

/// So many volumes a node, each with so many writes under way to its one place.
fn places(times: usize, depth: u32) -> impl Fn(&mut Config) {
    move |config| {
        config.volumes = vec![config.volumes.clone(); times].concat();
        for volume in &mut config.volumes {
            volume.arrival = Arrival::QueueDepth(depth);
        }
    }
}

/// A line some writes off fitted as well as the right one, and was taken where it came first: then bounds were wrong, and with them
/// up to one in twenty of the legs that were said to be certain.
#[test]
fn clocks_are_not_told_by_what_fits_some_writes_later_as_well() {
    for seed in 1..7 {
        check(seed, 6_000, |_| ());
    }
}

#[test]
fn clocks_are_told_where_places_are_enough_and_not_in_step() {
    for seed in 1..3 {
        check(seed, 6_000, places(12, 4));
        let score = check(seed, 6_000, places(12, 1));
        assert!(score.exact_fanout >= Some(0.99), "seed {seed}: {score:?}");
    }
}

/// While a clock is unknown all events of a place may be any of its writes'. Once each looked at all of them, which took a minute and
/// a half; a square of their number would be seen in the time that this takes.
#[test]
fn many_identical_writes_take_time_that_grows_with_their_number() {
    check(1, 30_000, |_| ());
}
