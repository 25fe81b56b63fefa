//! Storage jobs: that they run, and that they begin anew again and again or stand still.
//!
//! Readings of one node alone are held against each other: two nodes' clocks and caches may make a job seem to fall back.

use std::collections::BTreeMap;

use fathom_model::NodeId;
use fathom_model::condition::{Condition, JobReading, Sign};
use fathom_model::state::{Kind, Observation, Value};
use fathom_model::unit::show_bytes;

use super::{Scene, cited};

/// A job that has begun anew so often does not get on: once may be its plan.
const RESTARTS: u32 = 2;

/// A job that runs and moves nothing for so long stands still.
const STILL_NANOS: i64 = 600 * 1_000_000_000;

/// So many jobs are followed; those that are gone are forgotten first.
const MOST: usize = 4096;

/// JobState: running.
const RUNNING: i64 = 4;

/// What the readings of a job say together.
#[derive(Clone, Debug)]
pub(super) struct Course {
    /// Who reads it now.
    reader: NodeId,
    at: i64,
    /// When it was read first, on the clock of whoever did.
    first: i64,
    done: Option<u64>,
    elapsed: Option<u64>,
    /// When it moved last.
    moved: i64,
    restarts: u32,
}

/// Takes a reading of a job.
pub(super) fn follow(jobs: &mut BTreeMap<String, Course>, job: &Observation) {
    if !job.present {
        jobs.remove(&job.id);
        return;
    }
    let (at, done) = (
        job.observed_unix_nanos,
        job.number("processed_bytes").or_else(|| job.number("percent_complete")),
    );
    let elapsed = job.number("elapsed_ns");
    if jobs.len() >= MOST && !jobs.contains_key(&job.id) {
        jobs.pop_first();
    }
    let course = jobs.entry(job.id.clone()).or_insert_with(|| Course {
        reader: job.node.clone(),
        at,
        first: at,
        done,
        elapsed,
        moved: at,
        restarts: 0,
    });
    if course.reader != job.node {
        // Another clock: it begins where this reader finds it.
        course.reader = job.node.clone();
        course.moved = at;
    } else if at < course.at {
        return;
    } else {
        let fell = |before: Option<u64>, now: Option<u64>| before.zip(now).is_some_and(|(before, now)| now < before);
        if fell(course.done, done) || fell(course.elapsed, elapsed) {
            course.restarts = course.restarts.saturating_add(1);
            course.moved = at;
        } else if course.done.zip(done).is_some_and(|(before, now)| now > before) {
            course.moved = at;
        }
    }
    course.at = at;
    course.done = done;
    course.elapsed = elapsed;
}

/// Jobs that do not get on.
pub(super) fn stuck(scene: &Scene<'_>) -> Vec<Condition> {
    let jobs = scene.picture.of(Kind::StorageJob);
    jobs.filter_map(|fact| {
        let job = &fact.observation;
        let course = scene.jobs.get(&job.id)?;
        let runs = runs(job);
        let still = fact.seen_unix_nanos.saturating_sub(course.moved);
        let why = if runs && course.restarts >= RESTARTS {
            format!("it fell back and began anew {} times", course.restarts)
        } else if runs && course.done.is_some() && still >= STILL_NANOS {
            format!("it runs and has moved nothing for {} min", still / (60 * 1_000_000_000))
        } else {
            return None;
        };
        let mut observations = cited([job]);
        let mut text = format!("job {}: {why}", job.text("name").unwrap_or(&job.id));
        // Of such a job one drive that hardly answers is the usual reason (domain/thresholds.md).
        let slow: Vec<Observation> = scene
            .picture
            .of(Kind::Disk)
            .map(|fact| fact.observation)
            .filter(is_of_abnormal_latency)
            .collect();
        if !slow.is_empty() {
            let names: Vec<&str> = slow.iter().map(|disk| disk.id.as_str()).take(4).collect();
            text.push_str(&format!("; drives of abnormal latency meanwhile: {}", names.join(", ")));
            observations.extend(cited(slow.iter().take(4)));
        }
        Some(Condition {
            resource: Some(job.id.clone()),
            job: Some(reading(job, course)),
            text,
            observations,
            ..Condition::new(Sign::JobStuck, "job", "")
        })
    })
    .collect()
}

/// Jobs that run, whatever they cost.
pub(super) fn running(scene: &Scene<'_>) -> Vec<Condition> {
    let jobs = scene.picture.of(Kind::StorageJob);
    jobs.filter(|fact| runs(&fact.observation))
        .filter_map(|fact| {
            let job = &fact.observation;
            let reading = reading(job, scene.jobs.get(&job.id)?);
            let moved = match (reading.moved_bytes, reading.total_bytes) {
                (Some(moved), Some(total)) => {
                    format!(
                        " and had moved {} of {} when it was read",
                        show_bytes(moved),
                        show_bytes(total)
                    )
                }
                (Some(moved), None) => format!(" and had moved {} when it was read", show_bytes(moved)),
                (None, _) => String::new(),
            };
            Some(Condition {
                resource: Some(job.id.clone()),
                text: format!("job {} runs{moved}", reading.name),
                observations: cited([job]),
                job: Some(reading),
                ..Condition::new(Sign::JobRuns, "job", "")
            })
        })
        .collect()
}

fn runs(job: &Observation) -> bool {
    matches!(job.get("state"), Some(Value::Code(code)) if code.code == Some(RUNNING))
}

fn reading(job: &Observation, course: &Course) -> JobReading {
    let name = job.text("name").filter(|name| !name.is_empty());
    let elapsed = job.number("elapsed_ns");
    JobReading {
        name: name.unwrap_or(&job.id).to_owned(),
        // A job that began anew says for how long it has run since; it was there before.
        began_unix_ns: elapsed.map_or(course.first, |elapsed| {
            job.observed_unix_nanos
                .saturating_sub_unsigned(elapsed)
                .min(course.first)
        }),
        moved_bytes: job.number("processed_bytes"),
        total_bytes: job.number("total_bytes"),
    }
}

fn is_of_abnormal_latency(disk: &Observation) -> bool {
    let status = disk.get("operational_status").map_or(&[][..], Value::items);
    status
        .iter()
        .any(|value| matches!(value, Value::Code(code) if code.code == Some(0xD026)))
}
