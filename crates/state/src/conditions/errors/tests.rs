//! Errors count when they come while somebody looks, and when its like have none.

use super::*;
use crate::conditions::Conditions;
use crate::conditions::tests::{SECOND, code, disk, observation, read};

const QUARTER: i64 = 900;

fn counters(id: &str, all: [Option<u64>; 4]) -> Observation {
    let mut own = observation("a", Kind::DiskReliability, id, 1).with("disk_id", id);
    for (name, count) in names(Kind::DiskReliability).iter().zip(all) {
        match count {
            Some(count) => own = own.with(name, count),
            None => drop(own.unavailable.insert((*name).to_owned(), "null".to_owned())),
        }
    }
    own
}

/// Five SSDs whose first counts so much in steps of a quarter of an hour, the others as `others` says.
fn ssds(steps: &[[Option<u64>; 4]], others: impl Fn(usize) -> [Option<u64>; 4]) -> Conditions {
    let mut conditions = Conditions::default();
    let ids = ["d0", "d1", "d2", "d3", "d4"];
    let disks = ids.map(|id| disk(id, 0, &[2]).with("media", code(4, "SSD"))).to_vec();
    read(&mut conditions, "a", Kind::Disk, disks, 1);
    for (number, step) in steps.iter().enumerate() {
        let rows = ids.map(|id| counters(id, if id == "d0" { *step } else { others(number) }));
        let second = 1 + number as i64 * QUARTER;
        let looked = read(&mut conditions, "a", Kind::DiskReliability, rows.to_vec(), second);
        assert!(looked.sign.with_its_like().contains(&Sign::DiskErrors));
    }
    conditions
}

const fn known(reads: u64, bad: u64) -> [Option<u64>; 4] {
    [Some(reads), Some(0), Some(bad), Some(0)]
}

#[test]
fn errors_that_could_not_be_corrected_are_told_and_those_of_before_are_not() {
    let mut conditions = ssds(&[known(500, 30), known(500, 30)], |_| known(0, 0));
    assert_eq!(conditions.of(Sign::DiskErrors), [], "that was before");
    let mut conditions = ssds(&[known(500, 30), known(503, 32)], |_| known(0, 0));
    let found = conditions.of(Sign::DiskErrors);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].disk.as_deref(), found[0].severity, found[0].since_unix_ns),
        (Some("d0"), Severity::Warning, Some((1 + QUARTER) * SECOND))
    );
    assert!(
        found[0]
            .text
            .contains("3 of reads and 0 of writes; the middle of its like 0; not corrected 2 and 0"),
        "{}",
        found[0].text
    );
    assert_eq!(found[0].observations[0].kind, "disk_reliability");
    let mut conditions = ssds(&[known(0, 0), known(90, 60)], |_| known(0, 0));
    assert_eq!(conditions.of(Sign::DiskErrors)[0].severity, Severity::Critical);
    let mut conditions = ssds(&[known(0, 0), known(1, 1)], |_| known(0, 0));
    assert_eq!(conditions.of(Sign::DiskErrors), [], "one is below the floor of an SSD");
}

#[test]
fn many_that_were_corrected_are_told_where_its_like_have_few() {
    let steps = [known(0, 0), known(800, 0)];
    assert_eq!(ssds(&steps, |_| known(7, 0)).of(Sign::DiskErrors).len(), 1);
    assert_eq!(
        ssds(&steps, |number| known(number as u64 * 700, 0)).of(Sign::DiskErrors),
        [],
        "all count so"
    );
    let silent = ssds(&steps, |_| [None; 4]).of(Sign::DiskErrors).to_vec();
    assert_eq!(silent, [], "those that do not say are nobody to hold it against");
}

#[test]
fn counters_that_fall_or_are_told_first_have_not_grown_and_a_day_later_it_is_over() {
    let mut conditions = ssds(&[known(9000, 90), known(4, 0), [None; 4], known(5000, 50)], |_| {
        known(0, 0)
    });
    assert_eq!(conditions.of(Sign::DiskErrors), []);
    let mut steps = vec![known(0, 0), known(10, 10)];
    steps.extend(vec![known(10, 10); 97]);
    assert_eq!(ssds(&steps[..90], |_| known(0, 0)).of(Sign::DiskErrors).len(), 1);
    assert_eq!(ssds(&steps, |_| known(0, 0)).of(Sign::DiskErrors), []);
}

#[test]
fn drive_that_says_nothing_has_not_counted_none() {
    let mut conditions = ssds(&[[None; 4], [None; 4]], |_| known(0, 0));
    assert_eq!(conditions.of(Sign::DiskErrors), []);
}
