//! Any cluster that the properties are checked on.

use fathom_model::Tap;
use proptest::prelude::*;

use super::cluster::{Irps, MS, Options};
use crate::config::Config;

/// Bounds that a few seconds of traffic reach.
pub(super) fn small() -> Config {
    Config {
        window_nanos: 100 * MS,
        lateness_nanos: 200 * MS,
        hold_nanos: 1_500 * MS,
        longest_io_nanos: 1_000 * MS,
        max_offset_nanos: 2_000 * MS,
        ..Config::default()
    }
}

/// How often a property is tried: a few times, or as often as `PROPTEST_CASES` says.
pub(super) fn cases(few: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    ProptestConfig {
        cases: if asked { default.cases } else { few },
        ..default
    }
}

fn taps_left_out() -> impl Strategy<Value = Vec<Tap>> {
    prop_oneof![
        3 => Just(vec![]),
        2 => Just(vec![Tap::Target]),
        1 => Just(vec![Tap::Initiator]),
        1 => Just(vec![Tap::Device]),
        1 => Just(vec![Tap::Initiator, Tap::Target]),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    prop_oneof![2 => Just(small()), 1 => Just(Config::default())]
}

/// A cluster and the bounds to join it with.
pub(super) fn any_options() -> impl Strategy<Value = (Options, Config)> {
    let shape = (
        1_usize..4,
        1_usize..6,
        1_usize..3,
        1_u32..4,
        any::<bool>(),
        any::<bool>(),
    );
    let load = (
        1_i64..5,
        1_usize..300,
        1_usize..60,
        prop_oneof![Just(0_u64), Just(200)],
        prop_oneof![Just(0_u64), Just(30)],
    );
    let faults = (
        prop_oneof![Just(0_u64), Just(20), Just(200)],
        prop_oneof![Just(0_usize), Just(60)],
        prop_oneof![Just(None), Just(Some(16_384_u64))],
        prop_oneof![3 => Just((0, false)), 1 => Just((1_u64 << 24, false)), 1 => Just((1 << 24, true))],
        prop_oneof![3 => Just((false, 0)), 1 => Just((true, 0)), 2 => Just((false, 300_u64))],
        prop_oneof![2 => Just((0_u64, 1, 0)), 1 => Just((50, 1, 0)), 1 => Just((100, 4, 500))],
        prop_oneof![Just(0_i64), Just(5 * MS)],
    );
    let irps = prop_oneof![Just(Irps::None), Just(Irps::Own), Just(Irps::Shared)];
    let unplaced = prop_oneof![2 => Just((false, Irps::None)), 1 => irps.prop_map(|irps| (true, irps))];
    let clocks = (prop_oneof![Just(0), Just(MS), Just(1_000 * MS)], 0_i64..100_000);
    (
        any::<u64>(),
        shape,
        load,
        faults,
        clocks,
        taps_left_out(),
        unplaced,
        config(),
    )
        .prop_map(
            |(seed, shape, load, faults, clocks, without, (unplaced, irps), config)| {
                let (initiators, nodes, disks, copies, converged, shared) = shape;
                let (seconds, ios, blocks, reads_per_mille, flushes_per_mille) = load;
                let (
                    lost_per_mille,
                    foreign,
                    split_bytes,
                    shift,
                    (cache, merges_per_mille),
                    (retries_per_mille, most_retries, served_per_mille),
                    disorder_nanos,
                ) = faults;
                let options = Options {
                    seed,
                    initiators: if converged { initiators.min(nodes) } else { initiators },
                    nodes,
                    disks,
                    copies: copies.min(nodes as u32),
                    converged,
                    shared,
                    millis: seconds * 1000,
                    ios,
                    blocks,
                    reads_per_mille,
                    flushes_per_mille,
                    unmaps_per_mille: flushes_per_mille,
                    slow_per_mille: flushes_per_mille,
                    retries_per_mille,
                    most_retries,
                    served_per_mille,
                    offset_nanos: clocks.0,
                    drift_ppb: clocks.1,
                    without,
                    split_bytes,
                    shift_bytes: shift.0,
                    shift_targets: shift.1,
                    cache,
                    merges_per_mille,
                    foreign,
                    lost_per_mille,
                    disorder_nanos,
                    unplaced,
                    irps,
                    ..Options::default()
                };
                (options, config)
            },
        )
}
