//! A job's cost is what writes took longer for it, and nothing is said where nothing tells.

use fathom_model::{NodeIndex, StreamIndex, Unmatched};

use super::*;
use crate::fixture::{Cluster, Request, START, healthy};

/// 100 writes a second; where the job runs, copy 1 takes so much longer at its drive.
fn cluster(seconds: i64, job: &Job, more: u64) -> Cluster {
    let mut cluster = Cluster::new();
    for write in 0..100 * seconds {
        let at = write * SECOND / 100;
        let mut times = [0, 1, 2].map(|copy| healthy(write as u64, copy));
        let runs = START + at >= job.from_unix_nanos && START + at < job.until_unix_nanos;
        if runs {
            times[1].device += more;
        }
        cluster.make(Request {
            at,
            from: "i0",
            times,
            before: 0,
            without: &[],
        });
        if runs {
            let event = fathom_model::Observation {
                stream: StreamIndex(3),
                ordinal: write as u64,
                start_unix_nanos: START + at,
                duration_nanos: 1_000_000,
                status: 0,
            };
            cluster.rows.unmatched.push(Unmatched {
                event,
                tap: Tap::Device,
                node: NodeIndex(3),
                disk: Some(DiskIndex(1)),
                device: "disk0".to_owned(),
                op: if write % 2 == 0 { Op::Write } else { Op::Read },
                offset: 0,
                length: 1 << 20,
                cause: UnmatchedCause::Foreign,
            });
        }
    }
    cluster
}

fn job(id: &str, from: i64, until: i64) -> Job {
    Job {
        id: id.to_owned(),
        from_unix_nanos: START + from * SECOND,
        until_unix_nanos: START + until * SECOND,
    }
}

fn ledger(cluster: &Cluster, jobs: Vec<Job>) -> Vec<Entry> {
    let mut ledger = Ledger::new(jobs);
    ledger.see(&cluster.rows);
    cluster.rows.ios.iter().for_each(|io| ledger.count(&cluster.rows, io));
    ledger.report(&cluster.catalog)
}

#[test]
fn cost_is_what_writes_took_longer_and_lies_within_its_error() {
    let repair = job("repair", 20, 40);
    let (with, without) = (cluster(60, &repair, 1_500_000), cluster(60, &repair, 0));
    let truth: i64 = with
        .rows
        .ios
        .iter()
        .zip(&without.rows.ios)
        .map(|(with, without)| with.event.duration_nanos as i64 - without.event.duration_nanos as i64)
        .sum();
    let entry = &ledger(&with, vec![repair.clone()])[0];
    let cost = &entry.costs[0];
    let (nanos, error) = (cost.cost_nanos.unwrap(), cost.error_nanos.unwrap());
    assert!((nanos - truth).abs() < truth / 10, "{nanos} of {truth}");
    assert!(
        (nanos - truth).unsigned_abs() <= error * 2,
        "{nanos} of {truth} +- {error}"
    );
    assert_eq!((cost.volume.as_str(), cost.unknown), ("vol0", 0));
    assert!((1950..=2100).contains(&cost.writes), "{}", cost.writes);
    // Here all of it is waited at the drive.
    let at_drives = cost.at_drives_nanos.unwrap();
    assert!((at_drives - truth).abs() < truth / 10, "{at_drives} of {truth}");
    let exposed = cost.exposed.unwrap();
    assert!((1950..=2100).contains(&exposed), "{exposed}");
    assert_eq!(entry.disks, ["t1/disk0"]);
    assert_eq!((entry.read_bytes, entry.written_bytes), (1000 << 20, 1000 << 20));
    assert_eq!(entry.shared_nanos, 0);

    // One that costs nothing is not said to.
    let entry = &ledger(&without, vec![repair])[0];
    let cost = &entry.costs[0];
    let (nanos, error) = (cost.cost_nanos.unwrap(), cost.error_nanos.unwrap());
    assert!(nanos.unsigned_abs() <= error * 2, "{nanos} +- {error}");
    assert!(error < truth.unsigned_abs() / 10, "{error}");
}

#[test]
fn without_a_time_before_nothing_is_said_and_of_two_at_once_nothing_is_told_apart() {
    let always = job("repair", 0, 60);
    let entry = &ledger(&cluster(60, &always, 1_500_000), vec![always.clone()])[0];
    let cost = &entry.costs[0];
    assert_eq!(
        (cost.cost_nanos, cost.error_nanos, cost.at_drives_nanos),
        (None, None, None)
    );
    assert_eq!(cost.unknown, cost.writes);

    let other = job("other", 10, 30);
    let entries = ledger(&cluster(60, &always, 1_500_000), vec![always, other]);
    assert_eq!(entries[1].costs, []);
    assert_eq!((entries[1].written_bytes, entries[1].disks.len()), (0, 0));
    let shared: Vec<u64> = entries.iter().map(|entry| entry.shared_nanos).collect();
    assert_eq!(shared, [20_000_000_000; 2]);
    assert_eq!(ledger(&Cluster::new(), Vec::new()), []);
}

#[test]
fn what_writes_added_up_to_costs_to_the_nanosecond_what_rows_do() {
    // Jobs that begin and end within a second, one after the other and a little beside each other.
    let mut jobs = vec![job("repair", 20, 40), job("other", 38, 50)];
    jobs[0].from_unix_nanos += 300_000_000;
    jobs[1].until_unix_nanos += 700_000_000;
    let mut cluster = cluster(70, &jobs[0], 1_500_000);
    for (number, io) in cluster.rows.ios.iter_mut().enumerate() {
        io.length = 4096 << (number % 3);
    }
    let rows = ledger(&cluster, jobs.clone());
    let mut tally = crate::tally::Tally::default();
    let mut sums = Ledger::of_sums(jobs);
    sums.see(&cluster.rows);
    for piece in cluster.rows.ios.chunks(777) {
        piece
            .iter()
            .for_each(|io| tally.add_io(&cluster.rows, io, &cluster.catalog));
        let seconds = tally.take().seconds;
        seconds
            .cells
            .iter()
            .for_each(|(key, moments)| sums.add_second(key, moments));
    }
    let sums = sums.report(&cluster.catalog);
    assert!(rows[0].costs[0].cost_nanos.unwrap() > 1_000_000_000, "{rows:?}");
    assert!(rows[0].costs[0].exposed.is_some_and(|exposed| exposed > 0));
    let without_waits = rows.iter().cloned().map(|mut entry| {
        for cost in &mut entry.costs {
            (cost.exposed, cost.at_drives_nanos, cost.at_drives_error_nanos) = (None, None, None);
        }
        entry
    });
    assert_eq!(sums, without_waits.collect::<Vec<_>>());
}
