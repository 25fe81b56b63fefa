//! Storage jobs: how fast they really are, and whether they began anew.
//!
//! What Windows says of a job is where it stands. Its rate is what it moved between two readings, and a job that falls back has begun
//! anew: the sign of a repair that is stuck (domain/thresholds.md). What it is and what it is about Windows says in its name
//! ([`about()`]).

use std::collections::BTreeMap;

use fathom_model::state::{Kind, Observation, Value};

use crate::disks::Beside;
use crate::history::Fact;

mod about;
mod ends;

pub use about::about;
pub(crate) use ends::{ends, key};

/// What the readings of one job say together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// Bytes a second between the last two readings that moved forward; none of fewer than two.
    pub bytes_per_s: Option<f64>,
    /// Bytes that it moved, over all beginnings: what the first reading says, and what every later one has more. None where it does not say.
    pub moved_bytes: Option<u64>,
    /// Bytes that are left; none where either number is not known, or where they contradict each other: nothing in all, or less than is done.
    pub left_bytes: Option<u64>,
    /// Seconds to the end at that rate; none where it stands still or is not known.
    pub left_seconds: Option<f64>,
    /// How often it fell back: progress or time that went down.
    pub restarts: u64,
    /// How often the amount to do changed.
    pub changed_totals: u64,
    /// Readings that it is made of.
    pub readings: u64,
}

/// The courses of all jobs, by id, up to a moment. Observations may come in any order.
#[must_use]
pub fn courses<'a>(
    observations: impl IntoIterator<Item = &'a Observation>,
    until_unix_nanos: i64,
) -> BTreeMap<String, Course> {
    let mut by_job: BTreeMap<&str, Vec<&Observation>> = BTreeMap::new();
    for observation in observations {
        if observation.kind == Kind::StorageJob
            && observation.present
            && observation.observed_unix_nanos <= until_unix_nanos
        {
            by_job.entry(&observation.id).or_default().push(observation);
        }
    }
    let courses = by_job.into_iter().map(|(id, mut readings)| {
        readings.sort_by_key(|reading| reading.observed_unix_nanos);
        (id.to_owned(), course(&readings))
    });
    courses.collect()
}

fn course(readings: &[&Observation]) -> Course {
    let mut course = Course {
        readings: readings.len() as u64,
        ..Course::default()
    };
    course.moved_bytes = readings.first().and_then(|first| first.number("processed_bytes"));
    for pair in readings.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        let both = |name: &str| before.number(name).zip(after.number(name));
        let seconds = (after.observed_unix_nanos - before.observed_unix_nanos) as f64 / 1e9;
        let fell = |name: &str| both(name).is_some_and(|(before, after)| after < before);
        if fell("processed_bytes")
            || fell("elapsed_ns")
            || (both("processed_bytes").is_none() && fell("percent_complete"))
        {
            course.restarts += 1;
            course.bytes_per_s = None;
            // It began anew: what it has is what it moved since.
            let anew = after.number("processed_bytes");
            course.moved_bytes = course
                .moved_bytes
                .zip(anew)
                .map(|(moved, anew)| moved.saturating_add(anew));
        } else if let Some((from, to)) = both("processed_bytes").filter(|_| seconds > 0.0) {
            course.bytes_per_s = Some((to - from) as f64 / seconds);
            course.moved_bytes = course.moved_bytes.map(|moved| moved.saturating_add(to - from));
        }
        if both("total_bytes").is_some_and(|(before, after)| before != after) {
            course.changed_totals += 1;
        }
    }
    if let Some(last) = readings.last()
        && let (Some(done), Some(total)) = (last.number("processed_bytes"), last.number("total_bytes"))
    {
        let left = total.checked_sub(done).filter(|_| total > 0);
        course.left_bytes = left;
        let rate = course.bytes_per_s.filter(|rate| *rate > 0.0);
        course.left_seconds = left.zip(rate).map(|(left, rate)| left as f64 / rate);
    }
    course
}

/// What a job's course goes beside it as. Whether it began anew is known of what was read twice at least, also where the second reading had
/// nothing new.
#[must_use]
pub fn beside(course: &Course, fact: &Fact) -> Beside {
    let mut beside = Beside::default();
    let mut set = |name: &str, value: Option<Value>, why: &str| match value {
        Some(value) => drop(beside.known.insert(name.to_owned(), value)),
        None => drop(beside.unknown.insert(name.to_owned(), why.to_owned())),
    };
    let job = &fact.observation;
    let is_read_again = course.readings > 1 || fact.seen_unix_nanos > job.observed_unix_nanos;
    let counted = |count: u64| is_read_again.then_some(Value::Unsigned(count));
    let why = match (job.number("processed_bytes"), job.number("total_bytes")) {
        (Some(_), Some(0)) => "it says that there is nothing to do at all",
        (Some(done), Some(total)) if done > total => "it says to have done more than there is to do",
        _ => "it does not say how much there is to do, or how much is done",
    };
    set("left_bytes", course.left_bytes.map(Value::Unsigned), why);
    let why = match (course.readings, is_read_again) {
        (0 | 1, false) => "it was read once",
        (0 | 1, true) => "nothing of it has changed since it was first read",
        _ => "of two readings one after the other it did not move on",
    };
    set("bytes_per_s", course.bytes_per_s.map(Value::Real), why);
    set(
        "left_s",
        course.left_seconds.map(Value::Real),
        "what is left or how fast it goes is not known",
    );
    set("restarts", counted(course.restarts), "it was read once");
    set("changed_totals", counted(course.changed_totals), "it was read once");
    set("readings", Some(Value::Unsigned(course.readings)), "");
    beside
}
