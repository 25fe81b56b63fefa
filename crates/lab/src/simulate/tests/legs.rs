//! Legs without an offset, held against what the simulator knows of them.

use std::collections::BTreeMap;

use fathom_simulate::config::{Arrival, Config, Correlation};

use super::*;

/// How legs compare with the truth.
#[derive(Clone, Copy, Debug, Default)]
struct Legs {
    writes: usize,
    /// Writes of which nothing could be otherwise.
    sure_writes: usize,
    /// Legs that are said to be sure.
    sure: usize,
    /// Of those the ones that are another's, or not all of a copy's.
    wrong: usize,
    /// Legs of which it is said that they could be another's.
    doubtful: usize,
    /// Copies whose legs are in the recording and that have none.
    without: usize,
}

fn config(scenario: Scenario, seed: u64, change: impl Fn(&mut Config)) -> Config {
    let options = Options {
        seed: Some(seed),
        taps: Some(Taps::Windows),
        ..writes(6_000)
    };
    let mut config = scenario.config(&options);
    change(&mut config);
    config
}

fn joined(config: &Config) -> (Legs, fathom_model::report::Report) {
    let directory = tempfile::tempdir().unwrap();
    let simulated = simulate(config).unwrap();
    write(&simulated, "", directory.path()).unwrap();
    let recording = Recording::open(directory.path()).unwrap();
    let replayed = replay::replay(&recording, &replay::Options::default()).unwrap();
    let map = RowMap::new(&recording, &[]).unwrap();
    let lines = export::lines(&replayed.rows, &replayed.catalog, &map);
    let mut truth: BTreeMap<(String, u64), TruthWrite> = TruthReader::open(&recording.truth().unwrap())
        .unwrap()
        .map(|write| write.map(|write| ((write.node.clone(), write.write), write)))
        .collect::<Result<_, _>>()
        .unwrap();
    let mut legs = Legs::default();
    for line in lines {
        let truth = truth.remove(&(line.node.clone(), line.write)).unwrap();
        legs.writes += 1;
        legs.sure_writes += usize::from(!line.ambiguous);
        for copy in &line.copies {
            let of = truth
                .copies
                .iter()
                .filter(|of| (of.copy, &of.node) == (copy.copy, &copy.node));
            let own: Vec<u64> = of.flat_map(|of| of.initiator_rows.clone()).collect();
            let found = &copy.initiator_rows;
            if found.is_empty() {
                legs.without += usize::from(!own.is_empty());
            } else if copy.confidence < 1.0 {
                legs.doubtful += 1;
            } else {
                legs.sure += 1;
                legs.wrong += usize::from(!found.iter().all(|row| own.contains(row)));
            }
        }
    }
    (legs, crate::report::report(&replayed))
}

fn depth(depth: u32) -> impl Fn(&mut Config) {
    move |config: &mut Config| {
        for volume in &mut config.volumes {
            volume.arrival = Arrival::QueueDepth(depth);
        }
    }
}

#[test]
fn legs_are_tied_or_said_to_be_doubtful_at_any_depth() {
    // How many legs are sure falls with how many to one disk are under way at once, which is what can be known without an IRP.
    for (queue, least_sure) in [(1, 1.0), (4, 0.8), (16, 0.5), (64, 0.0)] {
        for seed in 1..4 {
            let (legs, report) = joined(&config(Scenario::Windows, seed, depth(queue)));
            assert_eq!((legs.wrong, legs.without), (0, 0), "depth {queue} seed {seed} {legs:?}");
            assert_eq!(report.joined.incomplete, 0, "depth {queue} seed {seed}");
            let share = legs.sure as f64 / (legs.sure + legs.doubtful) as f64;
            assert!(share >= least_sure, "depth {queue} seed {seed} {legs:?}");
        }
    }
}

#[test]
fn legs_with_the_irp_of_their_write_are_all_tied() {
    for queue in [4, 64] {
        for seed in 1..3 {
            let (legs, _) = joined(&config(Scenario::Windows, seed, |config| {
                depth(queue)(config);
                config.recording.correlation = Some(Correlation::Write);
            }));
            assert_eq!((legs.wrong, legs.without), (0, 0), "depth {queue} seed {seed} {legs:?}");
            // Two parts of a write on one disk have one IRP; here no write crosses a border.
            assert!(
                legs.sure_writes * 1000 >= legs.writes * 999,
                "depth {queue} seed {seed} {legs:?}"
            );
        }
    }
}

#[test]
fn faults_make_legs_doubtful_and_never_another_s() {
    let scenarios = [
        Scenario::Healthy,
        Scenario::SlowDisk,
        Scenario::SporadicStalls,
        Scenario::LinkLossy,
        Scenario::Repair,
        Scenario::SblPause,
        Scenario::RefsStall,
        Scenario::MixedMedia,
        Scenario::HotSpot,
        Scenario::TargetDied,
        Scenario::Nested,
        Scenario::Columns,
        Scenario::ManyInitiators,
        Scenario::MixedOps,
        Scenario::Split,
        Scenario::MissingDaemon,
        Scenario::LostEvents,
    ];
    for scenario in scenarios {
        for correlation in [Correlation::None, Correlation::Leg, Correlation::Write] {
            let (legs, _) = joined(&config(scenario, 2, |config| {
                config.recording.correlation = Some(correlation);
            }));
            assert_eq!(legs.wrong, 0, "{scenario:?} {correlation:?} {legs:?}");
        }
    }
}

/// Nobody can tell whose attempts failed while many waited for the same target; what went well in the end is told.
#[test]
fn writes_that_waited_for_a_dead_target_have_the_legs_that_went_well() {
    for seed in 1..4 {
        let (legs, report) = joined(&config(Scenario::TargetDied, seed, |_| {}));
        assert_eq!((legs.wrong, legs.without), (0, 0), "seed {seed} {legs:?}");
        assert_eq!(report.joined.incomplete, 0);
        let failed: u64 = report
            .unseen
            .unmatched
            .iter()
            .map(|count| {
                assert_eq!((count.tap.as_str(), count.cause.as_str()), ("initiator", "ambiguous"));
                count.events
            })
            .sum();
        assert!(failed > 0);
        // With the write's own IRP every attempt is told.
        let shared = |config: &mut Config| config.recording.correlation = Some(Correlation::Write);
        let (legs, report) = joined(&config(Scenario::TargetDied, seed, shared));
        assert_eq!((legs.wrong, legs.without), (0, 0), "seed {seed} {legs:?}");
        assert_eq!(report.unseen.unmatched, []);
    }
}
