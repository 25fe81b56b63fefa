//! What is seen of updates.

use fathom_model::health::State;

use super::*;
use crate::fixture::{Random, START, cohort, rollup, row};

/// A rollup of a cluster whose disks of one model run these, with a time for all.
fn with(number: u64, at: i64, disks: &[(&str, u32)], middle: f64) -> ClusterRollup {
    let mut random = Random::new(number);
    let mut rollup = rollup("berlin", "c1", number, State::Ok, at);
    let rows = disks
        .iter()
        .map(|(variant, devices)| row(cohort(Axis::Disk, "NVMe", variant), *devices, middle, &mut random));
    rollup.cohorts = rows.collect();
    rollup
}

fn key(variant: &str) -> CohortKey {
    cohort(Axis::Disk, "NVMe", variant)
}

#[test]
fn an_update_is_dated_when_its_first_device_shows_it() {
    let mut software = Software::default();
    assert!(software.take(&with(1, START, &[("1.0", 24)], 1e5), START).is_empty());
    let at = START + 7 * HOUR;
    let seen = software.take(&with(2, at, &[("1.0", 20), ("1.1", 4)], 1e5), at);
    let [update] = &seen[..] else { panic!("one update") };
    assert_eq!(
        (update.to.variant.as_str(), update.from_variant.as_str()),
        ("1.1", "1.0")
    );
    assert_eq!((update.devices, update.of), (4, 24));
    // The rest of them follows: that is the same update.
    assert!(
        software
            .take(&with(3, at + HOUR, &[("1.1", 24)], 1e5), at + HOUR)
            .is_empty()
    );
    let updated = software.updated(&key("1.1")).expect("it was updated");
    assert_eq!((updated.at_unix_ns, updated.from_variant.as_str()), (at, "1.0"));
    // Back to what was before is an update too.
    let back = software.take(&with(4, at + 2 * HOUR, &[("1.0", 24)], 1e5), at + 2 * HOUR);
    assert_eq!(back.len(), 1);
    assert_eq!(back[0].from_variant, "1.1");
}

#[test]
fn devices_that_are_added_or_seen_for_the_first_time_are_no_update() {
    let mut software = Software::default();
    software.take(&with(1, START, &[("1.0", 24)], 1e5), START);
    assert!(
        software
            .take(&with(2, START, &[("1.0", 24), ("1.1", 24)], 1e5), START)
            .is_empty()
    );
    assert_eq!(software.updated(&key("1.1")), None);
    let mut other = with(3, START, &[("1.0", 24)], 1e5);
    other
        .cohorts
        .push(row(cohort(Axis::Os, "", "26100"), 16, 1e6, &mut Random::new(1)));
    assert!(software.take(&other, START).is_empty());
}

#[test]
fn what_was_before_is_the_middle_of_the_hours_before_the_update() {
    let mut software = Software::default();
    for hour in 0..8 {
        let (at, middle) = (START + hour * HOUR, if hour == 5 { 9e5 } else { 1e5 });
        software.take(&with(hour as u64 + 1, at, &[("1.0", 24)], middle), at);
    }
    let at = START + 8 * HOUR;
    software.take(&with(9, at, &[("1.1", 24)], 2e5), at);
    let (hour, before) = software.before(&key("1.1")).expect("it is known");
    assert_eq!(hour, at.div_euclid(HOUR));
    let median = before[0].expect("there were enough");
    assert!((0.9e5..1.1e5).contains(&median), "{median}");
    assert!(before[3].is_some_and(|slowest| slowest > median * 0.8));
    assert_eq!(software.before(&key("1.0")), None);
    // What is updated itself is no measure for others; of another axis nothing is known.
    let now = with(9, at, &[("1.1", 24)], 2e5);
    assert_eq!(software.steady(Axis::Disk, hour, &now), None);
    assert_eq!(software.steady(Axis::Nic, hour, &now), None);
}

#[test]
fn a_cluster_without_an_update_says_what_it_changed_by() {
    let mut software = Software::default();
    for hour in 0..8 {
        let at = START + hour * HOUR;
        software.take(&with(hour as u64 + 1, at, &[("1.0", 24)], 1e5), at);
    }
    let now = with(9, START + 8 * HOUR, &[("1.0", 24)], 1.5e5);
    let hour = (START + 8 * HOUR).div_euclid(HOUR);
    let (before, after) = software.steady(Axis::Disk, hour, &now).expect("it is steady");
    let factor = after[0].expect("enough") / before[0].expect("enough");
    assert!((1.35..1.65).contains(&factor), "{factor}");
}

#[test]
fn what_is_kept_is_bounded() {
    let mut software = Software::default();
    for number in 0..200_u64 {
        let at = START + number as i64 * HOUR;
        software.take(&with(number + 1, at, &[(&format!("1.{number}"), 24)], 1e5), at);
    }
    assert!(software.tracked.len() <= 2 * MOST_COHORTS, "{}", software.tracked.len());
    let at = START + 1000 * HOUR;
    software.take(&with(999, at, &[("2.0", 24)], 1e5), at);
    assert_eq!(software.tracked.len(), 1);
    let few = with(1000, at, &[("2.0", 24)], 1e5);
    (0..100).for_each(|hour| drop(software.take(&few, at + hour * HOUR)));
    assert!(software.tracked[0].hours.len() <= HOURS);
}

#[test]
fn too_few_operations_have_no_times() {
    let mut few = row(key("1.0"), 24, 1e5, &mut Random::new(1));
    (few.writes, few.reads) = (Sketch::default(), Sketch::default());
    few.writes.add_many(100_000, ENOUGH - 1);
    few.reads.add_many(100_000, ENOUGH);
    let [write_p50, _, read_p50, read_p99] = times(&few);
    assert_eq!((write_p50, read_p99), (None, None));
    assert!(read_p50.is_some());
}
