//! Counters that a resource keeps of its own errors: by how much they have grown since somebody looked. What was counted before is nobody's
//! news: a drive may have had it for years.

use std::collections::{BTreeMap, VecDeque};

use fathom_model::condition::{Condition, ObservationRef, Sign};
use fathom_model::finding::Severity;
use fathom_model::state::{Key, Kind, Observation};

use super::disks::{condition, number};
use super::rates::middle;
use super::{Scene, cited};
use crate::disks::of_disk;

/// Errors of a drive count for so long: its counters are read every 15 min, and a day of work is the least that is comparable.
const DAY_NANOS: i64 = 86_400 * 1_000_000_000;

/// So many steps of a resource are kept, the newest.
pub(crate) const STEPS: usize = 128;

/// The counters of a kind.
const fn names(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::DiskReliability => &[
            "read_errors",
            "write_errors",
            "read_errors_uncorrected",
            "write_errors_uncorrected",
        ],
        Kind::SmbConnection => &["failures"],
        _ => &[],
    }
}

/// What an observation counts, in the order of its kind's counters; none of a kind that is not followed.
pub(crate) fn counts(observation: &Observation) -> Option<Vec<Option<u64>>> {
    let names = names(observation.kind);
    (!names.is_empty()).then(|| names.iter().map(|name| observation.number(name)).collect())
}

/// A reading at which counters were otherwise than before.
#[derive(Clone, Debug)]
struct Step {
    at: i64,
    node: String,
    counts: Vec<Option<u64>>,
}

/// What a resource counted over time.
#[derive(Clone, Debug)]
pub(super) struct Course {
    steps: VecDeque<Step>,
    /// When it was read last.
    at: i64,
}

/// By how much counters have grown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grown {
    pub(super) by: Vec<u64>,
    /// The readings at which one first and last did.
    pub(super) first: (String, i64),
    pub(super) last: (String, i64),
}

/// Takes a reading.
pub(super) fn follow(courses: &mut BTreeMap<Key, Course>, observation: &Observation) {
    let Some(counts) = counts(observation) else { return };
    let at = observation.observed_unix_nanos;
    let course = courses.entry(observation.key()).or_insert_with(|| Course {
        steps: VecDeque::new(),
        at,
    });
    if at < course.at {
        return;
    }
    course.at = at;
    if !observation.present {
        // What comes again begins anew.
        course.steps.clear();
        return;
    }
    if course.steps.back().is_some_and(|step| step.counts == counts) {
        return;
    }
    course.steps.push_back(Step {
        at,
        node: observation.node.to_string(),
        counts,
    });
    if course.steps.len() > STEPS {
        course.steps.pop_front();
    }
}

impl Course {
    /// By how much counters have grown since a time; none where none has. One that fell began anew, and one that was not known before did
    /// not grow.
    pub(super) fn grown(&self, since: i64) -> Option<Grown> {
        let mut grown: Option<Grown> = None;
        for (before, now) in self.steps.iter().zip(self.steps.iter().skip(1)) {
            let rises: Vec<u64> = before
                .counts
                .iter()
                .zip(&now.counts)
                .map(|(before, now)| before.zip(*now).map_or(0, |(before, now)| now.saturating_sub(before)))
                .collect();
            if now.at < since || rises.iter().all(|rise| *rise == 0) {
                continue;
            }
            let read = (now.node.clone(), now.at);
            let grown = grown.get_or_insert_with(|| Grown {
                by: vec![0; rises.len()],
                first: read.clone(),
                last: read.clone(),
            });
            for (sum, rise) in grown.by.iter_mut().zip(rises) {
                *sum = sum.saturating_add(rise);
            }
            grown.last = read;
        }
        grown
    }
}

/// Limits of a drive's medium: of errors that were not corrected, and of all. They are the floors and the fixed limits of Windows' own rule
/// (domain/thresholds.md, Error-count outlier), which does not say over which time; here it is a day.
fn limits(media: Option<i64>) -> (u64, u64) {
    match media {
        Some(5) => (1, 10),
        Some(4) => (2, 50),
        _ => (3, 100),
    }
}

/// All errors, of which a drive may correct many every day, have to be so many times those of its like.
const TIMES: u64 = 10;

/// Fewer drives of its like that count are nobody to hold it against.
const LIKE: usize = 3;

/// Drives that have counted errors of late.
pub(super) fn of_drives(scene: &Scene<'_>) -> Vec<Condition> {
    let counters: Vec<Observation> = scene
        .picture
        .of(Kind::DiskReliability)
        .map(|fact| fact.observation)
        .collect();
    if counters.is_empty() {
        return Vec::new();
    }
    let newest = scene.errors.values().map(|course| course.at).max().unwrap_or(i64::MIN);
    let since = newest.saturating_sub(DAY_NANOS);
    let drives: Vec<(Observation, &Observation, Option<Grown>)> = scene
        .picture
        .of(Kind::Disk)
        .filter_map(|fact| {
            let disk = fact.observation;
            let own = of_disk(&disk, &counters)?;
            let grown = scene.errors.get(&own.key())?.grown(since);
            Some((disk, own, grown))
        })
        .collect();
    let all = |grown: &Grown| grown.by.iter().take(2).fold(0_u64, |sum, by| sum.saturating_add(*by));
    let like = |disk: &Observation| -> Vec<f64> {
        let is_like = |(other, own, _): &&(Observation, &Observation, Option<Grown>)| {
            let counts = own.number("read_errors").or_else(|| own.number("write_errors"));
            other.id != disk.id && counts.is_some() && number(other.get("media")) == number(disk.get("media"))
        };
        let like = drives.iter().filter(is_like);
        like.map(|(_, _, grown)| grown.as_ref().map_or(0, all) as f64).collect()
    };
    drives
        .iter()
        .filter_map(|(disk, own, grown)| {
            let grown = grown.as_ref()?;
            let media = number(disk.get("media"));
            let (most_uncorrected, most) = limits(media);
            let uncorrected = grown.by.iter().skip(2).fold(0_u64, |sum, by| sum.saturating_add(*by));
            let all = all(grown);
            let others = like(disk);
            let usual = middle(others.clone()).filter(|_| others.len() >= LIKE);
            let is_odd = all >= most && usual.is_some_and(|usual| all as f64 > usual * TIMES as f64);
            if uncorrected < most_uncorrected && !is_odd {
                return None;
            }
            let [reads, writes, bad_reads, bad_writes] = grown.by[..] else {
                return None;
            };
            let like = usual.map_or_else(String::new, |usual| format!("; the middle of its like {usual:.0}"));
            let reading = |(node, at): &(String, i64)| ObservationRef {
                kind: own.kind.as_str().to_owned(),
                node: node.clone(),
                id: own.id.clone(),
                at_unix_ns: *at,
                counter: None,
            };
            let mut observations = vec![reading(&grown.first), reading(&grown.last)];
            observations.extend(cited([*own]));
            Some(Condition {
                severity: if uncorrected >= most {
                    Severity::Critical
                } else {
                    Severity::Warning
                },
                since_unix_ns: Some(grown.first.1),
                text: format!(
                    "it has counted errors within a day: {reads} of reads and {writes} of writes{like}; not corrected {bad_reads} and \
                     {bad_writes}"
                ),
                observations,
                ..condition(scene, Sign::DiskErrors, disk)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
