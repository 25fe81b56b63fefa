//! Hot spots: confidence is worth what it says, whatever the cluster's delays are, and hardly anything decided is wrong.

use fathom_simulate::config::{Arrival, Config, Offsets};

use super::*;
use crate::score::{Calibration, calibration};

fn calibrated(config: &Config) -> Calibration {
    let directory = tempfile::tempdir().unwrap();
    let simulated = simulate(config).unwrap();
    write(&simulated, "", directory.path()).unwrap();
    let recording = Recording::open(directory.path()).unwrap();
    let replayed = replay::replay(&recording, &replay::Options::default()).unwrap();
    let map = RowMap::new(&recording, &[]).unwrap();
    let lines: Vec<export::Line> = export::lines(&replayed.rows, &replayed.catalog, &map).collect();
    calibration(&recording, &lines).unwrap()
}

/// Shares of wrong legs and writes over several runs, and of writes that are flagged.
fn check(configs: impl Iterator<Item = Config>, flagged_at_most: f64) {
    let all: Vec<Calibration> = configs.map(|config| calibrated(&config)).collect();
    let sum = |of: &dyn Fn(&Calibration) -> u64| all.iter().map(of).sum::<u64>() as f64;
    let legs = |from: f64, until: f64, of: fn(&score::Band) -> u64| {
        let inside = move |band: &&score::Band| (from..until).contains(&band.from);
        sum(&move |run: &Calibration| run.bands.iter().filter(inside).map(of).sum())
    };
    let wrong =
        |from: f64, until: f64| legs(from, until, |band| band.wrong) / legs(from, until, |band| band.legs).max(1.0);
    // Those that could not be otherwise would hide what likelihood gets wrong.
    assert!(wrong(0.99, 1.0) <= 0.01, "of 0.99: {all:?}");
    assert!(wrong(0.9, 0.99) <= 0.1, "of 0.9: {all:?}");
    assert!(wrong(1.0, 2.0) <= 0.0005, "of 1: {all:?}");
    let (writes, flagged) = (sum(&|run| run.writes), sum(&|run| run.flagged));
    assert!(
        sum(&|run| run.decided_wrong) <= 0.002 * (writes - flagged),
        "decided: {all:?}"
    );
    assert!(flagged <= flagged_at_most * writes, "flagged: {all:?}");
}

fn hot(seed: u64, change: impl Fn(&mut Config)) -> Config {
    let mut config = Scenario::HotSpot.config(&Options {
        seed: Some(seed),
        ..writes(4000)
    });
    change(&mut config);
    config
}

#[test]
fn hot_spot_is_decided_as_far_as_delays_tell() {
    check((1..4).map(|seed| hot(seed, |_| ())), 0.25);
}

#[test]
fn confidence_is_worth_what_it_says_with_other_delays() {
    let jitter = |sigma: f64| move |config: &mut Config| config.network.sigma = sigma;
    check(
        [hot(11, jitter(0.1)), hot(12, jitter(0.6)), hot(13, jitter(1.0))].into_iter(),
        0.6,
    );
    let slow = |config: &mut Config| {
        config.disks.sigma = 0.8;
        config.cpus.sigma = 0.8;
        config.disks.channels = 32;
    };
    check((21..23).map(|seed| hot(seed, slow)), 0.7);
}

#[test]
fn confidence_is_worth_what_it_says_of_few_writes_at_a_time() {
    let few = |config: &mut Config| {
        for volume in &mut config.volumes {
            volume.arrival = Arrival::QueueDepth(8);
            volume.offsets = Offsets::Zipf {
                blocks: 8,
                exponent: 1.2,
            };
        }
    };
    check((31..33).map(|seed| hot(seed, few)), 0.4);
}
