//! A healthy all-flash cluster has the latencies that such clusters have.

use fathom_model::{Op, Tap};

use crate::scenario::Options;
use crate::{Scenario, Simulated, Taps, simulate};

fn percentiles(simulated: &Simulated, tap: Tap, op: Op) -> (u64, u64) {
    let mut durations: Vec<u64> = simulated
        .nodes
        .iter()
        .flat_map(|node| node.rows.iter())
        .filter(|event| event.tap == tap && event.op == op)
        .map(|event| event.duration_nanos)
        .collect();
    durations.sort_unstable();
    (durations[durations.len() / 2], durations[durations.len() * 99 / 100])
}

#[test]
fn healthy_writes_take_half_a_millisecond_whatever_the_seed_and_the_size_of_the_cluster() {
    for (seed, nodes) in [(1, 4), (2, 4), (3, 2), (4, 3), (5, 8), (6, 16)] {
        let options = Options {
            seed: Some(seed),
            nodes: Some(nodes),
            writes: Some(5000),
            ..Options::default()
        };
        let simulated = simulate(&Scenario::Healthy.config(&options)).unwrap();
        let (p50, p99) = percentiles(&simulated, Tap::Volume, Op::Write);
        assert!((300_000..800_000).contains(&p50), "p50 {p50} of seed {seed} on {nodes}");
        assert!(
            (500_000..2_000_000).contains(&p99),
            "p99 {p99} of seed {seed} on {nodes}"
        );
    }
}

#[test]
fn taps_change_what_is_seen_and_not_what_happens() {
    let runs = Taps::ALL.map(|taps| {
        let options = Options {
            writes: Some(1000),
            taps: Some(taps),
            ..Options::default()
        };
        let simulated = simulate(&Scenario::Healthy.config(&options)).unwrap();
        [Tap::Volume, Tap::Initiator, Tap::Device].map(|tap| percentiles(&simulated, tap, Op::Write))
    });
    assert_eq!(runs[0], runs[1]);
    assert_eq!(runs[1], runs[2]);
}

#[test]
fn local_reads_are_quicker_than_writes_and_ask_one_copy() {
    let options = Options {
        writes: Some(2000),
        ..Options::default()
    };
    let simulated = simulate(&Scenario::MixedOps.config(&options)).unwrap();
    let (reads, _) = percentiles(&simulated, Tap::Volume, Op::Read);
    let (writes, _) = percentiles(&simulated, Tap::Volume, Op::Write);
    assert!(reads < writes, "{reads} {writes}");
    let count = |tap: Tap, op: Op| {
        let rows = simulated.nodes.iter().flat_map(|node| node.rows.iter());
        rows.filter(|event| (event.tap, event.op) == (tap, op)).count()
    };
    let (asked, driven) = (count(Tap::Volume, Op::Read), count(Tap::Device, Op::Read));
    assert!(
        asked <= driven && driven * 10 < asked * 11,
        "{asked} reads, {driven} at drives"
    );
    assert!(count(Tap::Device, Op::Flush) > count(Tap::Volume, Op::Flush));
    assert!(count(Tap::Device, Op::Unmap) >= 3 * count(Tap::Volume, Op::Unmap));
}
