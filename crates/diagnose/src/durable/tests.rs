use fathom_model::Op;

use super::Durability;
use crate::detail::detail;
use crate::fixture::{Cluster, START, healthy};

/// I/Os by operation, start and duration in microseconds, and status.
fn cluster(ios: &[(Op, i64, u64, u32)]) -> Cluster {
    let mut cluster = Cluster::new();
    for (at, &(op, start, duration, status)) in ios.iter().enumerate() {
        cluster.write(0, [healthy(at as u64, 0); 3], &[]);
        let io = cluster.rows.ios.last_mut().unwrap();
        io.op = op;
        io.event.start_unix_nanos = START + start * 1000;
        io.event.duration_nanos = duration * 1000;
        io.event.status = status;
    }
    cluster
}

fn ask(cluster: &Cluster, which: usize) -> Durability {
    let io = &cluster.rows.ios[which];
    let mut asked = Durability::of(&detail(&cluster.rows, io, &cluster.catalog)).unwrap();
    cluster.rows.ios.iter().for_each(|io| asked.look(io, &cluster.catalog));
    cluster.rows.ios.iter().for_each(|io| asked.count(io, &cluster.catalog));
    asked
}

#[test]
fn a_flush_covers_what_completed_since_the_one_before_it_began() {
    let cluster = cluster(&[
        (Op::Write, 0, 100, 0),   // before the first flush
        (Op::Flush, 200, 300, 0), // it takes until 500
        (Op::Write, 150, 100, 0), // completed at 250, while that one ran
        (Op::Write, 300, 100, 0),
        (Op::Write, 450, 100, 5), // failed
        (Op::Write, 590, 100, 0), // completed after the second began
        (Op::Flush, 600, 50, 0),
    ]);
    let covered = ask(&cluster, 6).finish().0.unwrap();
    assert_eq!((covered.writes, covered.bytes), (2, 2 * 4096));
    assert_eq!(covered.since_unix_ns, Some(START + 200_000));
    assert_eq!(covered.from_unix_ns, Some(START + 250_000));
    assert_eq!(covered.until_unix_ns, START + 600_000);
    let first = ask(&cluster, 1).finish().0.unwrap();
    assert_eq!(
        (first.writes, first.since_unix_ns),
        (1, None),
        "nothing is known of before"
    );
}

#[test]
fn a_flush_that_failed_makes_nothing_durable() {
    let cluster = cluster(&[
        (Op::Write, 0, 100, 0),
        (Op::Flush, 200, 10, 108),
        (Op::Flush, 300, 10, 0),
    ]);
    let failed = &cluster.rows.ios[1];
    assert!(Durability::of(&detail(&cluster.rows, failed, &cluster.catalog)).is_none());
    let covered = ask(&cluster, 2).finish().0.unwrap();
    assert_eq!((covered.writes, covered.since_unix_ns), (1, None));
    let by = ask(&cluster, 0).finish().1.unwrap();
    assert_eq!(by.id, cluster.rows.ios[2].id(&cluster.catalog).to_string());
    assert_eq!((by.durable_unix_ns, by.after_ns), (START + 310_000, 210_000));
}

#[test]
fn of_two_flushes_under_way_the_one_that_is_done_first_makes_a_write_durable() {
    let cluster = cluster(&[
        (Op::Write, 0, 100, 0),
        (Op::Flush, 99, 1, 0), // began before it completed
        (Op::Flush, 110, 900, 0),
        (Op::Flush, 120, 80, 0),
    ]);
    let by = ask(&cluster, 0).finish().1.unwrap();
    assert_eq!(by.id, cluster.rows.ios[3].id(&cluster.catalog).to_string());
    // The later one covers nothing of its own: what had completed had when the other began.
    let covered = ask(&cluster, 3).finish().0.unwrap();
    assert_eq!((covered.writes, covered.from_unix_ns), (0, None));
    assert_eq!(covered.since_unix_ns, Some(START + 110_000));
}
