//! What is usual is learnt slowly, forgotten slowly, and not of what is wrong; and changes are found with their hour.

use fathom_model::baseline::{Place, Size, Subject};
use fathom_model::{JoinedRows, Op, Tap};
use proptest::prelude::*;

use super::course::{Shape, changes, with};
use super::*;
use crate::dated::{About, Event};
use crate::fixture::{Cluster, START, healthy};

const MILLI: u64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;

fn drive() -> Subject {
    Subject {
        place: Place::Disk {
            node: "t1".to_owned(),
            disk: "disk0".to_owned(),
        },
        tap: Tap::Device,
        op: Op::Write,
        size: Size::Large,
    }
}

/// What the fixture's writes are of.
fn small_drive() -> Subject {
    Subject {
        size: Size::Small,
        ..drive()
    }
}

fn small_writes() -> Subject {
    Subject {
        place: Place::Cluster,
        tap: Tap::Volume,
        op: Op::Write,
        size: Size::Small,
    }
}

/// A whole hour of a subject, so many after the first.
fn hour(subject: &Subject, number: i64, p99_nanos: u64) -> Hour {
    Hour {
        from_unix_nanos: number * HOUR_NANOS,
        subject: subject.clone(),
        blocks: 12,
        values: 12_000,
        p50_nanos: p99_nanos / 4,
        p99_nanos: Some(p99_nanos),
        felt: false,
    }
}

/// Hours one after the other, each with what it took.
fn hours(subject: &Subject, values: impl IntoIterator<Item = u64>) -> Vec<Hour> {
    let numbered = (0..).zip(values);
    numbered.map(|(number, nanos)| hour(subject, number, nanos)).collect()
}

/// A little more and a little less, the same every time.
fn about(nanos: u64, number: u64) -> u64 {
    nanos + nanos / 50 * (number * 7 % 5)
}

fn p99(hours: Vec<Hour>, subject: &Subject) -> Option<u64> {
    Pasts::of(hours).usual(subject).p99_nanos
}

#[test]
fn published_band_is_usual_until_six_hours_were_seen() {
    let subject = small_writes();
    let nothing = Pasts::default().usual(&subject);
    assert_eq!((nothing.p99_nanos, nothing.is_learnt), (Some(2 * MILLI), false));
    let seen = |count: usize| Pasts::of(hours(&subject, vec![MILLI / 2; count])).usual(&subject);
    assert_eq!((seen(5).p99_nanos, seen(5).is_learnt), (Some(2 * MILLI), false));
    assert_eq!((seen(7).p99_nanos, seen(7).is_learnt), (Some(MILLI / 2), true));
    assert_eq!(seen(7).learnt_nanos, 7 * HOUR_NANOS.unsigned_abs());
    // Where nothing is published nothing is said before.
    assert_eq!(p99(hours(&drive(), vec![MILLI; 5]), &drive()), None);
    assert_eq!(p99(hours(&drive(), vec![MILLI; 6]), &drive()), Some(MILLI));
}

#[test]
fn new_cluster_that_is_slow_after_an_hour_is_not_usually_slow() {
    let subject = small_writes();
    let values = std::iter::once(MILLI / 2).chain(std::iter::repeat_n(20 * MILLI, 24));
    assert_eq!(p99(hours(&subject, values), &subject), Some(2 * MILLI));
}

#[test]
fn long_fault_does_not_become_usual_for_a_week_and_a_change_for_good_does_in_two() {
    let subject = drive();
    let with = |days: usize| {
        let values = std::iter::repeat_n(MILLI, 7 * 24).chain(std::iter::repeat_n(5 * MILLI, days * 24));
        p99(hours(&subject, values), &subject)
    };
    for days in [1, 3, 7] {
        assert_eq!(with(days), Some(MILLI), "{days} days");
    }
    assert_eq!(with(14), Some(5 * MILLI));
}

#[test]
fn what_is_found_wrong_counts_an_eighth_also_where_it_is_no_more_than_twice() {
    let subject = drive();
    let worse = |felt: bool| {
        let mut all = hours(
            &subject,
            std::iter::repeat_n(MILLI, 4 * 24).chain(std::iter::repeat_n(MILLI * 3 / 2, 6 * 24)),
        );
        all.iter_mut()
            .filter(|hour| hour.p99_nanos != Some(MILLI))
            .for_each(|hour| hour.felt = felt);
        p99(all, &subject)
    };
    assert_eq!(worse(true), Some(MILLI));
    assert_eq!(worse(false), Some(MILLI * 3 / 2));
}

#[test]
fn what_drifts_becomes_usual_and_is_told_as_drift() {
    let subject = drive();
    // By a twentieth a day, over fourteen days.
    let values = (0..14 * 24).map(|number: u64| {
        let level = (0..number / 24).fold(MILLI, |level, _| level + level / 20);
        about(level, number)
    });
    let pasts = Pasts::of(hours(&subject, values));
    let usual = pasts.usual(&subject).p99_nanos.unwrap();
    assert!((MILLI * 13 / 10..MILLI * 18 / 10).contains(&usual), "{usual}");
    let change = changes(&pasts, |_| true)[&subject];
    assert_eq!((change.shape, change.began_unix_nanos), (Shape::Drift, 0));
    let ratio = change.after_nanos as f64 / change.before_nanos as f64;
    assert!((1.6..2.1).contains(&ratio), "{change:?}");
}

#[test]
fn step_is_told_with_its_hour_and_what_happened_then() {
    let subject = drive();
    let values = (0..6 * 24).map(|number: u64| about(if number < 100 { MILLI } else { MILLI * 8 / 5 }, number));
    let change = changes(&Pasts::of(hours(&subject, values)), |_| true)[&subject];
    let off = change.began_unix_nanos - 100 * HOUR_NANOS;
    assert!(change.shape == Shape::Step && off.abs() <= HOUR_NANOS, "{change:?}");
    assert!(
        (change.after_nanos as f64 / change.before_nanos as f64 - 1.6).abs() < 0.05,
        "{change:?}"
    );
    let event = |hour: i64, about: About| Event {
        from_unix_nanos: hour * HOUR_NANOS - SECOND,
        at_unix_nanos: hour * HOUR_NANOS,
        about,
        kind: "disk".to_owned(),
        id: "d".to_owned(),
        node: "t1".to_owned(),
        attribute: "firmware".to_owned(),
        values: ["1".to_owned(), "2".to_owned()],
    };
    let own = |hour| event(hour, About::Disk("t1".to_owned(), "disk0".to_owned()));
    let events = [
        own(100),
        own(90),
        event(100, About::Node("t2".to_owned())),
        event(101, About::Node("t1".to_owned())),
    ];
    let told: Vec<&Event> = with(&change, &subject.place, &events);
    assert_eq!(told, [&events[0], &events[3]]);
}

#[test]
fn days_and_nights_and_chance_are_no_change() {
    let subject = drive();
    // Twice as slow for ten hours of each day.
    let values = (0..9 * 24 + 13).map(|number: u64| about(if number % 24 < 10 { 2 * MILLI } else { MILLI }, number));
    assert!(changes(&Pasts::of(hours(&subject, values)), |_| true).is_empty());
    let values = (0..9 * 24).map(|number: u64| about(MILLI, number * number));
    assert!(changes(&Pasts::of(hours(&subject, values)), |_| true).is_empty());
}

/// Writes of a stretch from an hour's beginning on, so many a second.
fn cluster(seconds: i64, a_second: i64, worse: impl Fn(i64) -> u64) -> (Cluster, i64) {
    let mut cluster = Cluster::new();
    let begin = (HOUR_NANOS - START.rem_euclid(HOUR_NANOS)) % HOUR_NANOS;
    for write in 0..seconds * a_second {
        let at = write * SECOND / a_second;
        let mut times = [0, 1, 2].map(|copy| healthy(write as u64, copy));
        times[1].device += worse(at.div_euclid(SECOND));
        cluster.write(begin + at, times, &[]);
    }
    let first = (START + begin).div_euclid(HOUR_NANOS);
    (cluster, first)
}

fn learn(cluster: &Cluster, pieces: usize) -> Baselines {
    let mut baselines = Baselines::default();
    // However rows are cut, the same I/Os come.
    for ios in cluster.rows.ios.chunks(pieces.max(1)) {
        ios.iter()
            .for_each(|io| baselines.add(&cluster.rows, io, &cluster.catalog, |_, _| false));
    }
    baselines
}

#[test]
fn hour_has_the_middle_of_its_blocks_and_short_trouble_is_not_in_it() {
    // An hour and two minutes; slow for twenty minutes of it.
    let (cluster, first) = cluster(62 * 60, 2, |second| if second < 1200 { 20 * MILLI } else { 0 });
    let mut baselines = learn(&cluster, 1000);
    let mut of: Vec<Hour> = baselines.take_hours();
    of.retain(|hour| hour.subject == small_drive());
    let [hour] = &of[..] else { panic!("{of:?}") };
    assert_eq!((hour.from_unix_nanos, hour.blocks), (first * HOUR_NANOS, 12));
    assert_eq!(hour.values, 7200);
    assert!(
        hour.p50_nanos < MILLI && hour.p99_nanos.unwrap() < 2 * MILLI,
        "{hour:?}"
    );
    baselines.finish(&cluster.catalog, |_, _| false);
    assert!(
        baselines
            .take_hours()
            .iter()
            .all(|hour| hour.from_unix_nanos > first * HOUR_NANOS)
    );
}

#[test]
fn what_is_now_is_held_against_what_was_learnt() {
    let (cluster, first) = cluster(60, 50, |second| if second >= 40 { 6 * MILLI } else { 0 });
    let mut past: Vec<Hour> = (1..=6 * 24)
        .map(|ago| hour(&small_drive(), first - ago, MILLI))
        .collect();
    past.reverse();
    let mut baselines = Baselines::default();
    baselines.resume(past);
    for io in &cluster.rows.ios {
        baselines.add(&cluster.rows, io, &cluster.catalog, |_, _| false);
    }
    let compared = baselines.compare_now(&[drive().place], &cluster.catalog).unwrap();
    assert_eq!(compared.usual.is_worse(compared.share, compared.nanos), Some(true));
    let text = compared.text();
    assert!(
        text.starts_with("p99 of writes of up to 4 KiB at the drive 6.")
            && text.ends_with("; usual here 1.00 ms, learnt over 6 days"),
        "{text}"
    );
}

#[test]
fn rows_of_no_time_and_no_values_say_nothing() {
    let mut baselines = Baselines::default();
    let cluster = Cluster::new();
    baselines.finish(&cluster.catalog, |_, _| true);
    assert!(!baselines.has_hours());
    assert_eq!(baselines.compare_now(&[drive().place], &cluster.catalog), None);
    let mut recent = Recent::default();
    recent.add(&JoinedRows::default());
    assert!(recent.all(&cluster.catalog).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whoever goes on from stored hours knows what he would have known, also where an hour was written in two parts.
    #[test]
    fn successor_knows_the_same(values in proptest::collection::vec(100_000_u64..20_000_000, 1..400), cut in 0_usize..400, felt in 0_u64..5) {
        let subject = small_writes();
        let mut written = hours(&subject, values);
        written.iter_mut().for_each(|hour| hour.felt = hour.p50_nanos % 5 < felt);
        let half = written[cut % written.len()].clone();
        written.push(Hour { blocks: 3, ..half });
        written.sort_by_key(|hour| hour.from_unix_nanos);
        let mut one = Pasts::default();
        written.iter().for_each(|hour| one.add(hour));
        let (early, late) = written.split_at(cut % written.len());
        let mut other = Pasts::of(early.to_vec());
        late.iter().for_each(|hour| other.add(hour));
        prop_assert_eq!(&one, &other);
        let mut shuffled = written.clone();
        shuffled.reverse();
        prop_assert_eq!(one.usual(&subject), Pasts::of(written).usual(&subject));
        prop_assert_eq!(one.usual(&subject).is_learnt, Pasts::of(shuffled).usual(&subject).is_learnt);
    }

    /// The hours of rows do not depend on how they are cut into calls, nor on slices that end meanwhile.
    #[test]
    fn hours_are_of_rows_and_not_of_calls(pieces in 1_usize..5000, seconds in 1_i64..1500) {
        let (cluster, _) = cluster(seconds, 3, |_| 0);
        let hours = |mut of: Baselines| { of.finish(&cluster.catalog, |_, _| false); of.take_hours() };
        prop_assert_eq!(hours(learn(&cluster, pieces)), hours(learn(&cluster, usize::MAX)));
    }
}

/// Of many I/Os a part is learnt from, the same however they come, and it tells what all of them do.
#[test]
fn part_of_many_tells_what_all_of_them_take() {
    const MANY: u64 = 30_000;
    let mut cluster = Cluster::new();
    let mut all = Sketch::default();
    for at in 0..3 * MANY {
        let nanos = 30 * SECOND.unsigned_abs() * at / (3 * MANY);
        let times = [0, 1, 2].map(|copy| healthy(at, copy));
        cluster.write(nanos as i64, times, &[]);
        all.add(cluster.rows.ios[at as usize].event.duration_nanos);
    }
    let mut open = Open::default();
    cluster.rows.ios.iter().for_each(|io| open.add(&cluster.rows, io));
    let recent = open.recent().all(&cluster.catalog);
    let (_, part) = recent.iter().find(|(subject, _)| *subject == small_writes()).unwrap();
    // A thousand or two a slice are left where fifteen times as many come, and of the first slice some more.
    assert!((4_000..20_000).contains(&part.count()), "{}", part.count());
    for of in [0.5, 0.99] {
        let (part, all) = (part.quantile(of).unwrap(), all.quantile(of).unwrap());
        assert!(part.abs_diff(all) < all / 20, "{of}: {part} of {all}");
    }
}
