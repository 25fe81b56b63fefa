//! Percentiles are those of the values, grouped as asked.

use super::*;
use crate::fixture::{Cluster, Times};

#[test]
fn percentiles_are_exact_to_a_thousandth() {
    let mut cluster = Cluster::new();
    for at in 1..=1000_u64 {
        let times = Times {
            way: 0,
            target: 0,
            device: at * 1_000_003,
        };
        cluster.write(0, [times; 3], &[]);
    }
    let mut latencies = Latencies::new(By::Node, Op::Write);
    cluster
        .rows
        .ios
        .iter()
        .for_each(|io| latencies.add(io, cluster.rows.legs_of(io)));
    let rows = latencies.report(&cluster.catalog);
    let device = rows
        .iter()
        .find(|row| row.tap == "device" && row.node.as_deref() == Some("t1"))
        .unwrap();
    assert_eq!((device.count, device.max_ns), (1000, 1_000_003_000));
    for (value, expected) in [(device.p50_ns, 500_u64), (device.p95_ns, 950), (device.p99_ns, 990)] {
        let expected = expected * 1_000_003;
        assert!(value.abs_diff(expected) <= expected / 1000, "{value} is not {expected}");
    }
    assert_eq!(
        rows.iter().map(|row| row.tap.as_str()).collect::<Vec<_>>()[..2],
        ["volume", "initiator"]
    );
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
