//! Percentiles are those of the values, grouped as asked.

use super::*;
use crate::fixture::{Cluster, Times};

fn of_values(count: u64) -> (u64, [u64; 3], u64) {
    let mut group = Group::default();
    (1..=count).for_each(|at| group.add(at * 1_000_003));
    group.percentiles([0.5, 0.95, 0.99])
}

#[test]
fn percentiles_of_a_group_that_fits_are_those_of_its_values() {
    assert_eq!(
        of_values(1000),
        (1000, [500, 950, 990].map(|at| at * 1_000_003), 1_000_003_000)
    );
    assert_eq!(of_values(1), (1, [1_000_003; 3], 1_000_003));
    assert_eq!(of_values(0), (0, [0; 3], 0));
}

#[test]
fn percentiles_of_a_larger_group_are_exact_to_a_thousandth() {
    let many = KEPT as u64 + 100_000;
    let (count, percentiles, max) = of_values(many);
    assert_eq!((count, max), (many, many * 1_000_003));
    for (value, expected) in percentiles
        .into_iter()
        .zip([0.5, 0.95, 0.99].map(|share| share * many as f64 * 1_000_003.0))
    {
        assert!(
            (value as f64 - expected).abs() <= expected / 1000.0,
            "{value} is not {expected}"
        );
    }
}

#[test]
fn groups_are_what_was_asked_for() {
    let mut cluster = Cluster::new();
    cluster.write(
        0,
        [Times {
            way: 1,
            target: 2,
            device: 3,
        }; 3],
        &[],
    );
    let count = |by| {
        let mut latencies = Latencies::new(by, Op::Write);
        cluster
            .rows
            .ios
            .iter()
            .for_each(|io| latencies.add(io, cluster.rows.legs_of(io)));
        latencies.report(&cluster.catalog).len()
    };
    assert_eq!(By::ALL.map(count), [4, 8, 9, 4, 9]);
}
