//! A minute is slow by its percentile, is judged once, and too few writes judge nothing.

use super::*;
use crate::fixture::{Cluster, Request, START, healthy};

const SECOND: i64 = 1_000_000_000;

fn objective() -> Objective {
    Objective {
        name: "default".to_owned(),
        volume: None,
        up_to_bytes: 1 << 20,
        percentile: 99.0,
        below_ns: 2_000_000,
    }
}

/// Writes at 10 a second; every so many of those between two seconds take 5 ms more.
fn cluster(seconds: i64, slow: std::ops::Range<i64>, every: i64) -> Cluster {
    let mut cluster = Cluster::new();
    for write in 0..10 * seconds {
        let at = write * SECOND / 10;
        let mut times = [0, 1, 2].map(|copy| healthy(write as u64, copy));
        if slow.contains(&(at / SECOND)) && write % every == 0 {
            times[0].device += 5_000_000;
        }
        cluster.make(Request {
            at,
            from: "i0",
            times,
            before: 0,
            without: &[],
        });
    }
    cluster
}

fn all(cluster: &Cluster, objective: Objective) -> Vec<SlowMinute> {
    let mut minutes = Minutes::new(vec![objective], None);
    let mut slow = Vec::new();
    for io in &cluster.rows.ios {
        minutes.add(io, &cluster.catalog);
        slow.extend(minutes.judge());
    }
    slow.extend(minutes.finish());
    slow
}

#[test]
fn minute_is_slow_when_more_than_its_share_of_writes_is() {
    // Whole minutes of the fixture's clock.
    let first = 60 - START.div_euclid(SECOND).rem_euclid(60);
    let in_second_minute = (first + 60)..(first + 120);
    let slow = all(&cluster(first + 240, in_second_minute.clone(), 50), objective());
    assert_eq!(slow.len(), 1, "{slow:?}");
    let minute = &slow[0];
    assert_eq!(
        minute.minute_unix_ns,
        START.div_euclid(MINUTE_NANOS) * MINUTE_NANOS + 2 * MINUTE_NANOS
    );
    assert_eq!((minute.writes, minute.slow), (600, 12));
    assert!(minute.value_ns > 5_000_000, "{minute:?}");
    // One of 200 may be.
    assert_eq!(
        all(&cluster(first + 240, in_second_minute.clone(), 200), objective()),
        []
    );
    // Nor is it slow where the volume is another one, or the writes are larger.
    let other = Objective {
        volume: Some("vol9".to_owned()),
        ..objective()
    };
    assert_eq!(all(&cluster(first + 240, in_second_minute.clone(), 50), other), []);
    let smaller = Objective {
        up_to_bytes: 1,
        ..objective()
    };
    assert_eq!(all(&cluster(first + 240, in_second_minute, 50), smaller), []);
}

#[test]
fn minute_is_judged_once_and_a_successor_does_not_judge_it_again() {
    let cluster = cluster(300, 0..300, 2);
    let (early, late) = cluster.rows.ios.split_at(cluster.rows.ios.len() / 2);
    let mut minutes = Minutes::new(vec![objective()], None);
    early.iter().for_each(|io| minutes.add(io, &cluster.catalog));
    let mut slow = minutes.judge();
    assert!(!slow.is_empty());
    assert_eq!(minutes.judge(), []);
    // The successor reads some rows again.
    let mut successor = Minutes::new(vec![objective()], minutes.judged());
    let again = early.iter().skip(early.len() / 3).chain(late);
    again.for_each(|io| successor.add(io, &cluster.catalog));
    slow.extend(successor.finish());
    assert_eq!(slow, all(&cluster, objective()));
}

#[test]
fn too_few_writes_judge_nothing() {
    let mut few = cluster(12, 0..12, 2);
    few.rows.ios.truncate(90);
    assert_eq!(all(&few, objective()), []);
}
