//! Without what writes wait for they take what the other copies took; without another nothing changes.

use fathom_model::{DiskIndex, PhysicalDisk};

use super::*;
use crate::fixture::{Cluster, START, healthy};
use crate::ledger::{Job, Times};

const SECOND: i64 = 1_000_000_000;

fn what_if(cluster: &Cluster) -> WhatIf {
    let mut what_if = WhatIf::default();
    cluster.rows.ios.iter().for_each(|io| what_if.add(&cluster.rows, io));
    what_if
}

fn slow_at_times() -> Cluster {
    let mut cluster = Cluster::new();
    for at in 0..1000 {
        let mut times = [0, 1, 2].map(|copy| healthy(at as u64, copy));
        if at % 20 == 0 {
            times[1].device += 5_000_000;
        }
        cluster.write(at * 5_000_000, times, &[]);
    }
    cluster
}

#[test]
fn p99_without_the_slow_disk_is_that_of_the_others_and_without_another_the_same() {
    let cluster = slow_at_times();
    let what_if = what_if(&cluster);
    assert_eq!((what_if.writes(), what_if.unknown()), (1000, 0));
    let [_, _, with] = what_if.percentiles().unwrap();
    let slow = what_if.without(Away::Disk(DiskIndex(1))).unwrap();
    assert!(with > 5_000_000 && slow.percentiles[2] < 1_000_000, "{slow:?}");
    assert!(slow.sooner >= 50 && slow.unknown == 0, "{slow:?}");
    assert!((245_000_000..300_000_000).contains(&slow.given_back_nanos), "{slow:?}");
    let other = what_if.without(Away::Disk(DiskIndex(0))).unwrap();
    assert!(other.percentiles[2] > 5_000_000, "{other:?}");
    let nothing = what_if.without(Away::Disk(DiskIndex(7))).unwrap();
    assert_eq!(
        (nothing.sooner, nothing.percentiles),
        (0, what_if.percentiles().unwrap())
    );
    assert_eq!(WhatIf::default().without(Away::Disk(DiskIndex(0))), None);
}

#[test]
fn what_gives_back_the_most_comes_first() {
    let cluster = slow_at_times();
    let ranked = what_if(&cluster).ranked();
    assert_eq!(ranked[0].away.names(&cluster.catalog).1, "t1");
    assert!(
        matches!(ranked[0].away, Away::Disk(_)),
        "the smallest thing that gives it back: {:?}",
        ranked[0]
    );
    assert!(
        ranked
            .windows(2)
            .all(|pair| pair[0].given_back_nanos >= pair[1].given_back_nanos)
    );
    // One disk a node, one initiator: disk, link and node are the same copies.
    assert_eq!(ranked.len(), 9);
}

#[test]
fn waiting_for_an_unknown_time_is_counted_and_changes_nothing() {
    let mut cluster = Cluster::new();
    cluster.write(0, [0, 1, 2].map(|copy| healthy(1, copy)), &[]);
    let last = cluster.rows.ios[0].slowest.unwrap();
    let disk = cluster.rows.legs[last.leg].disk;
    cluster.rows.ios[0].slowest.as_mut().unwrap().lead_nanos = None;
    let other = (0..3).find(|leg| *leg != last.leg).unwrap();
    cluster.rows.legs[other].initiator = None;
    let what_if = what_if(&cluster);
    let without = what_if.without(Away::Disk(disk)).unwrap();
    assert_eq!((without.sooner, without.unknown), (0, 1));
    assert_eq!(Some(without.percentiles), what_if.percentiles());
}

#[test]
fn part_without_another_copy_is_not_made_shorter() {
    let mut cluster = Cluster::new();
    cluster.write(0, [0, 1, 2].map(|copy| healthy(1, copy)), &[]);
    let node = cluster.rows.legs[0].node;
    cluster.rows.legs.iter_mut().for_each(|leg| leg.node = node);
    let without = what_if(&cluster).without(Away::Node(node)).unwrap();
    assert_eq!((without.given_back_nanos, without.unknown), (0, 1));
}

#[test]
fn things_are_named_as_answers_show_them() {
    let catalog = Cluster::new().catalog;
    let node = |name: &str| catalog.find_node(&name.into()).unwrap();
    let parse = |text: &str| Away::parse(text, &catalog, &Serials::default());
    assert_eq!(parse("disk:t1/disk0"), Ok(Away::Disk(DiskIndex(1))));
    assert_eq!(parse("node:t2"), Ok(Away::Node(node("t2"))));
    let link = parse("link:t2-i0");
    assert_eq!(link, Ok(Away::Link(node("i0"), node("t2"))));
    assert_eq!(link, parse("link:i0-t2"));
    for wrong in ["", "disk", "disk:", "volume:vol0", "link:i0"] {
        assert!(matches!(parse(wrong), Err(NotAway::Form { .. })), "{wrong}");
    }
    for unknown in ["disk:t1/disk9", "disk:disk0", "node:t9", "link:t1-t9", "link:t1-t1"] {
        assert!(matches!(parse(unknown), Err(NotAway::Unknown { .. })), "{unknown}");
    }
}

#[test]
fn drive_goes_by_its_serial_number_and_its_identity_where_these_are_of_one() {
    let mut catalog = Cluster::new().catalog;
    let id = "eui.0025388100B2C3D4";
    let own = catalog.intern_disk(&PhysicalDisk {
        id: id.into(),
        node: "t2".into(),
        name: "disk7".to_owned(),
    });
    let serials: Serials = [
        ("S6CMNE0R1 ", vec![id, "{1}"]),
        ("0001", vec!["t0/disk0", "t1/disk0"]),
        ("NOWHERE", vec!["eui.1"]),
    ]
    .into_iter()
    .map(|(serial, ids)| (serial.to_owned(), ids.into_iter().map(str::to_owned).collect()))
    .collect();
    let parse = |text: &str| Away::parse(text, &catalog, &serials);
    for named in [
        "disk:S6CMNE0R1",
        "disk:s6cmne0r1",
        "disk:EUI.0025388100b2c3d4",
        "disk:t2/disk7",
    ] {
        assert_eq!(parse(named), Ok(Away::Disk(own)), "{named}");
    }
    assert!(Away::asks_for_serial("disk:S6CMNE0R1", &catalog));
    for known in ["disk:t2/disk7", "disk:eui.0025388100B2C3D4", "disk:", "node:t2"] {
        assert!(!Away::asks_for_serial(known, &catalog), "{known}");
    }
    let several = parse("disk:0001").unwrap_err();
    assert!(
        several.to_string().contains("disk:t0/disk0 or disk:t1/disk0"),
        "{several}"
    );
    let unknown = parse("disk:NOWHERE").unwrap_err();
    assert!(unknown.to_string().contains("serial number"), "{unknown}");
    // Where no state is known it is not there.
    let without = Away::parse("disk:S6CMNE0R1", &catalog, &Serials::default());
    assert!(matches!(without, Err(NotAway::Unknown { .. })));
}

/// A job that makes copy 1 take 1.5 ms longer from 20 to 60 s of 120 s, and how its cluster is spread in its place.
fn with_job() -> (Cluster, Vec<Job>) {
    let mut cluster = Cluster::new();
    let (from, until) = (20_i64, 60_i64);
    for write in 0..12_000_i64 {
        let at = write * 10_000_000;
        let mut times = [0, 1, 2].map(|copy| healthy(write as u64, copy));
        if (from..until).contains(&at.div_euclid(SECOND)) {
            times[1].device += 1_500_000;
        }
        cluster.write(at, times, &[]);
    }
    let job = Job {
        id: "repair".to_owned(),
        from_unix_nanos: START + from * SECOND,
        until_unix_nanos: START + until * SECOND - 1,
    };
    (cluster, vec![job])
}

#[test]
fn without_a_job_writes_take_what_they_take_around_it() {
    let (cluster, jobs) = with_job();
    let what_if = what_if(&cluster);
    let mut rows = JobAway::new(Times::new(jobs.clone()), 0, i64::MIN);
    cluster.rows.ios.iter().for_each(|io| rows.add(io));
    let without = rows.finish();
    // The last writes that began while it ran ended a little later.
    assert!((3990..=4010).contains(&without.replaced), "{without:?}");
    assert_eq!(without.unknown, 0);
    let each = without.given_back_nanos / 4000;
    assert!((1_200_000..1_500_000).contains(&each), "{without:?}");
    let [_, with, _] = what_if.percentiles().unwrap();
    let [_, p95, _] = without.percentiles.unwrap();
    assert!(with > 1_500_000 && p95 < 700_000, "{with} {p95}");
}

#[test]
fn without_a_job_nothing_changes_where_nothing_is_usual_or_it_never_ran() {
    let (cluster, mut jobs) = with_job();
    let all = |jobs: Vec<Job>, from| {
        let mut away = JobAway::new(Times::new(jobs), 0, from);
        cluster.rows.ios.iter().for_each(|io| away.add(io));
        away.finish()
    };
    let with = what_if(&cluster).percentiles().unwrap();
    let same = |without: &WithoutJob| {
        let percentiles = without.percentiles.unwrap();
        percentiles
            .iter()
            .zip(with)
            .all(|(one, other)| one.abs_diff(other) * 90 <= other)
    };
    // From a time on that is after it: what came before is no part of it.
    let later = all(jobs.clone(), START + 70 * SECOND);
    assert_eq!((later.replaced, later.given_back_nanos), (0, 0));
    (jobs[0].from_unix_nanos, jobs[0].until_unix_nanos) = (START - SECOND, START + 200 * SECOND);
    let always = all(jobs.clone(), i64::MIN);
    assert_eq!(
        (always.replaced, always.unknown, always.given_back_nanos),
        (0, 12_000, 0)
    );
    assert!(same(&always), "{always:?} {with:?}");
}
