//! What changed is said to have, what did not is not, and of too little nothing is said.

use super::ranks::{adjusted, mann_whitney};
use super::*;
use crate::fixture::{Cluster, Request, START, Times, healthy};

const MILLISECOND: i64 = 1_000_000;

fn cluster(seconds: i64, worse: impl Fn(i64, usize, &mut Times)) -> Cluster {
    let mut cluster = Cluster::new();
    for write in 0..100 * seconds {
        let at = write * 10 * MILLISECOND;
        let mut times = [0, 1, 2].map(|copy| healthy(write as u64, copy));
        for (copy, times) in times.iter_mut().enumerate() {
            worse(at, copy, times);
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

fn span(from: i64, until: i64) -> Span {
    Span {
        from_unix_nanos: START + from * SECOND,
        until_unix_nanos: START + until * SECOND,
    }
}

fn compared(cluster: &Cluster, before: Span, after: Span) -> Compared {
    let mut compare = Compare::new(before, after);
    cluster.rows.ios.iter().for_each(|io| compare.add(&cluster.rows, io));
    compare.report(&cluster.catalog)
}

#[test]
fn slow_drive_is_what_changed_and_its_share_of_last_copies_with_it() {
    let cluster = cluster(60, |at, copy, times| {
        if copy == 1 && at >= 30 * SECOND {
            times.device += 2_000_000;
        }
    });
    let report = compared(&cluster, span(0, 30), span(30, 60));
    assert_eq!(report.blocks, [30, 30]);
    let changed: Vec<(Tap, Option<&str>)> = report
        .latencies
        .iter()
        .filter(|one| one.changed == Some(true) && one.disk.is_some())
        .map(|one| (one.tap, one.node.as_deref()))
        .collect();
    assert!(
        !changed.is_empty() && changed.iter().all(|(_, node)| *node == Some("t1")),
        "{changed:?}"
    );
    assert!(changed.iter().any(|(tap, _)| *tap == Tap::Device));
    let whole = report
        .latencies
        .iter()
        .find(|one| one.tap == Tap::Volume && one.volume.is_none() && one.node.is_none())
        .unwrap();
    assert_eq!(whole.changed, Some(true));
    let (before, after) = (whole.before.unwrap(), whole.after.unwrap());
    assert!(after.p50_nanos > before.p50_nanos + 1_000_000, "{whole:?}");
    let share = &report.shares[0];
    assert_eq!((share.node.as_str(), share.changed), ("t1", Some(true)));
    assert!(share.after.unwrap() > 0.9, "{share:?}");
}

#[test]
fn nothing_changed_where_nothing_did() {
    let cluster = cluster(60, |_, _, _| {});
    let report = compared(&cluster, span(0, 30), span(30, 60));
    assert!(
        report.latencies.iter().all(|one| one.changed == Some(false)),
        "{report:?}"
    );
    assert!(report.shares.iter().all(|one| one.changed == Some(false)), "{report:?}");
}

#[test]
fn too_little_is_neither_changed_nor_unchanged() {
    let cluster = cluster(60, |_, _, _| {});
    let report = compared(&cluster, span(0, 30), span(54, 60));
    assert!(report.latencies.iter().all(|one| one.changed.is_none()), "{report:?}");
    let nothing = compared(&cluster, span(0, 30), span(100, 130));
    assert_eq!(nothing.writes[1], 0);
    assert!(
        nothing
            .latencies
            .iter()
            .all(|one| one.after.is_none() && one.changed.is_none())
    );
}

#[test]
fn ranks_give_the_p_of_the_books() {
    // scipy.stats.mannwhitneyu(range(10), range(5, 15), method="asymptotic").pvalue
    let (one, other): (Vec<f64>, Vec<f64>) = ((0..10).map(f64::from).collect(), (5..15).map(f64::from).collect());
    let p = mann_whitney(&one, &other).unwrap();
    assert!((p - 0.005075392).abs() < 1e-6, "{p}");
    assert_eq!(mann_whitney(&one[..7], &other), None);
    assert_eq!(mann_whitney(&[1.0; 9], &[1.0; 9]), Some(1.0));
    assert_eq!(adjusted(&mut [0.01, 0.04, 0.03, 0.5], 0.05), Some(0.01));
    assert_eq!(adjusted(&mut [0.01, 0.02, 0.03, 0.5], 0.05), Some(0.03));
    assert_eq!(adjusted(&mut [0.4, 0.5], 0.05), None);
}

#[test]
fn what_rows_add_up_to_compares_as_they_do() {
    let mut cluster = Cluster::new();
    for write in 0..20 * 1200_i64 {
        let at = write * 50 * MILLISECOND;
        let mut times = [0, 1, 2].map(|copy| healthy(write as u64, copy));
        if at >= 600 * SECOND {
            times[1].device += 2_000_000;
        }
        cluster.make(Request {
            at,
            from: "i0",
            times,
            before: 0,
            without: &[],
        });
    }
    // The fixture begins 20 s into a minute; stretches of cells are of whole ones.
    let (before, after) = (span(40, 580), span(640, 1180));
    let rows = compared(&cluster, before, after);
    let mut tally = crate::tally::Tally::default();
    tally.add(&cluster.rows, &cluster.catalog);
    let cells = tally.take();
    for longest in [Bucket::FINE_NANOS, Bucket::COARSE_NANOS] {
        let mut compare = Compare::of_buckets(before, after, [longest; 2]);
        for number in 0..2 {
            for ((bucket, key), sketch) in &cells.latency.cells {
                let bucket = if longest == Bucket::COARSE_NANOS {
                    bucket.coarse()
                } else {
                    *bucket
                };
                compare.add_latency(number, bucket, key, sketch);
            }
            for ((bucket, key), cell) in &cells.attribution.cells {
                compare.add_attribution(number, *bucket, key, cell);
            }
        }
        let sums = compare.report(&cluster.catalog);
        assert_eq!(sums.writes, rows.writes);
        // 540 s are 54 stretches of 10 s, and 30 blocks would be of 18 s: of whole ones of these they are of 10 s.
        let blocks = if longest == Bucket::FINE_NANOS { 54 } else { 9 };
        assert_eq!(sums.blocks, [blocks; 2]);
        let key = |one: &Latency| (one.tap, one.volume.clone(), one.node.clone(), one.disk.clone());
        assert_eq!(sums.latencies.len(), rows.latencies.len());
        for one in &sums.latencies {
            let other = rows.latencies.iter().find(|other| key(other) == key(one)).unwrap();
            // Of rows durations are in the same bins.
            assert_eq!((one.before, one.after), (other.before, other.after), "{one:?}");
            assert_eq!(one.changed, other.changed, "{one:?} {other:?}");
        }
        for (one, other) in sums.shares.iter().zip(&rows.shares) {
            let of = |share: &Share| (share.node.clone(), share.before, share.after, share.changed);
            assert_eq!(of(one), of(other));
        }
    }
}
