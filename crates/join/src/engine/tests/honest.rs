//! What is stated is true: nothing is joined to the wrong partner, and clock errors hold, whatever is missing.

use fathom_model::{NodeIndex, Tap};

use super::cluster::{Cluster, MS, Made, Options};
use super::play::{Plan, Played, play};
use super::truth::score;
use crate::config::Config;

fn busy() -> Options {
    Options {
        ios: 800,
        blocks: 400,
        nodes: 4,
        copies: 3,
        offset_nanos: 500 * MS,
        drift_ppb: 100_000,
        reads_per_mille: 200,
        flushes_per_mille: 5,
        unmaps_per_mille: 10,
        ..Options::default()
    }
}

/// Difficulties under which everything that is stated must be true. `exact` is the least share of I/Os that must be exact.
fn difficulties() -> Vec<(&'static str, f64, Options)> {
    vec![
        ("none", 0.98, busy()),
        (
            "flushes",
            0.85,
            Options {
                flushes_per_mille: 100,
                ..busy()
            },
        ),
        (
            "a few blocks",
            0.9,
            Options {
                blocks: 4,
                flushes_per_mille: 0,
                ..busy()
            },
        ),
        (
            "lost events",
            0.1,
            Options {
                lost_per_mille: 200,
                ..busy()
            },
        ),
        (
            "clocks half a minute apart",
            0.98,
            Options {
                offset_nanos: 30_000 * MS,
                ..busy()
            },
        ),
        (
            "split requests",
            0.98,
            Options {
                split_bytes: Some(16_384),
                ..busy()
            },
        ),
        (
            "shifted drives",
            0.98,
            Options {
                shift_bytes: 1 << 24,
                ..busy()
            },
        ),
        (
            "shifted targets and drives",
            0.98,
            Options {
                shift_bytes: 1 << 24,
                shift_targets: true,
                ..busy()
            },
        ),
        ("cache drives", 0.5, Options { cache: true, ..busy() }),
        (
            "cache drives, foreign I/O and lost events",
            0.1,
            Options {
                cache: true,
                foreign: 800,
                lost_per_mille: 100,
                ..busy()
            },
        ),
        (
            "merged requests",
            0.95,
            Options {
                merges_per_mille: 300,
                ..busy()
            },
        ),
        (
            "merged requests, lost events and a few blocks",
            0.1,
            Options {
                merges_per_mille: 300,
                lost_per_mille: 100,
                blocks: 20,
                ..busy()
            },
        ),
        ("foreign I/O", 0.98, Options { foreign: 800, ..busy() }),
        (
            "foreign I/O and lost events",
            0.3,
            Options {
                foreign: 800,
                lost_per_mille: 100,
                ..busy()
            },
        ),
        (
            "slow copies",
            0.98,
            Options {
                slow_per_mille: 30,
                ..busy()
            },
        ),
        (
            "retries",
            0.98,
            Options {
                retries_per_mille: 50,
                ..busy()
            },
        ),
        (
            "several retries, some of them served",
            0.75,
            Options {
                retries_per_mille: 50,
                most_retries: 4,
                served_per_mille: 600,
                ..busy()
            },
        ),
        (
            "several disks a node",
            0.97,
            Options {
                disks: 2,
                blocks: 30,
                ..busy()
            },
        ),
    ]
}

/// Claimed clock offsets, and how many of them are further from the truth than they say.
fn clocks(cluster: &Cluster, played: &Played) -> (usize, usize) {
    let clock = |node: NodeIndex| {
        let id = played.engine.catalog().node(node);
        cluster.clocks[cluster.nodes.iter().position(|other| other == id).unwrap()]
    };
    let mut claimed = (0, 0);
    for io in &played.rows.ios {
        let x = io.event.start_unix_nanos;
        for leg in played.rows.legs_of(io) {
            let Some(said) = leg.clock else { continue };
            let truth = clock(leg.node).read(clock(io.node).when(x)) - x;
            claimed.0 += 1;
            // Readings are whole nanoseconds.
            claimed.1 += usize::from((truth - said.offset_nanos).unsigned_abs() > said.error_nanos + 1);
        }
    }
    claimed
}

fn played(options: &Options) -> (Cluster, Vec<Made>, Played) {
    let cluster = Cluster::busy(options);
    let streams = cluster.streams();
    let played = play(&Config::default(), &cluster.topology, &streams, &Plan::PLAIN);
    (cluster, streams, played)
}

#[test]
fn what_is_stated_is_true_under_every_difficulty() {
    let left_out = [
        vec![],
        vec![Tap::Target],
        vec![Tap::Initiator],
        vec![Tap::Initiator, Tap::Target],
    ];
    for (name, least_exact, options) in difficulties() {
        for without in &left_out {
            let without = without.clone();
            let (cluster, streams, played) = played(&Options {
                seed: 7,
                without: without.clone(),
                ..options.clone()
            });
            let score = score(&played, &streams);
            let (claimed, broken) = clocks(&cluster, &played);
            let context = format!(
                "{name}, without {without:?}: {score:?}, {broken} of {claimed} clocks, {:?}",
                played.missing()
            );
            assert_eq!((score.wrong, broken), (0, 0), "{context}");
            // Each is right with a probability of at least 0.999.
            assert!(score.wrong_by_time * 1000 <= score.by_time + 2000, "{context}");
            assert!(score.claims > 0 && claimed > 0, "{context}");
            assert!(score.exact as f64 >= least_exact * score.ios as f64, "{context}");
        }
    }
}
