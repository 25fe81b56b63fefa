//! Which firmware, driver or build is worse than its like, over many clusters, by more than chance.
//!
//! # What is compared
//!
//! Devices of one product that run one variant (a *cohort*) with devices of the same product that run others: never one product with
//! another, since a slower model is no fault of its firmware. Each cluster gives one value a measure, and is in one of three places:
//!
//! | a cluster | gives | |
//! |---|---|---|
//! | that has the variant and others beside it | the difference within it | *beside* |
//! | that was seen to change to it in the last three days | what it changed by against the six hours before, beside what clusters without any such update changed by in the same time | *before* |
//! | that has it alone | its value, beside those of clusters that only have others | *alone* |
//!
//! # How
//!
//! The cluster is the unit: a million writes of one cluster are one observation. Two questions are asked, since a fault may be everywhere
//! or in some places only:
//!
//! - *Is it worse everywhere, be it a little?* Wilcoxon's signed-rank test of the differences, and the test of Mann and Whitney of the
//!   values: ranks, since latencies are not normally distributed.
//! - *Is it far worse in more clusters than chance explains?* Far is beyond two robust deviations of all, and 10 % for a time. A sign test
//!   of the differences that are as far in either direction; Fisher's exact test of the values.
//!
//! The chances of *beside* and *alone* are about different clusters and put together by Fisher's method; *before* shares clusters with
//! *alone*, so the smaller of the two is doubled. So is the smaller answer of the two questions. All of an answer are corrected by Benjamini
//! and Hochberg: of what is called significant at most [`RATE`] is by chance. Times have to be worse by 5 % besides.
//!
//! Clusters that are named as *clearly* worse are three robust deviations, of those that are not, and 10 % beyond the middle.
//!
//! What this cannot tell: clusters with a firmware may share more than the firmware, such as an owner or a workload. *Beside* and *before*
//! rule that out, *alone* does not; each verdict says how many clusters it has of each.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::fleet::{Cohort, Measure, Percentiles};
use fathom_model::rollup::{Axis, ClusterKey, CohortKey, CohortRow};
use fathom_model::sketch::Sketch;

use crate::Selection;
use crate::fleet::{Cluster, Fleet, Partial, times};

mod compare;
mod stats;

pub(crate) use stats::median;

use compare::{Asked, Sample, Samples};

/// Of what is called significant at most this share is by chance.
pub const RATE: f64 = 0.05;

/// A percentile in the middle is taken of so many operations or more.
pub const ENOUGH: u64 = 100;

/// The percentile of 99 % is taken of so many or more.
pub const ENOUGH_FOR_P99: u64 = 1000;

/// So many cohorts are told.
pub const MOST_TOLD: usize = 500;

/// What is said of all cohorts of a selection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cohorts {
    /// Those with something significant first, then those on most clusters.
    pub cohorts: Vec<Cohort>,
    /// How many more there are.
    pub more: u64,
    /// Comparisons that were made, for which chances are corrected.
    pub compared: u64,
    /// Clusters that were looked at.
    pub clusters: u64,
    /// Clusters that were asked for and not looked at, since they are not heard: since when, `None` where nothing ever came.
    pub unheard: Vec<(ClusterKey, Option<i64>)>,
    /// Clusters that were looked at and were not seen whole.
    pub partial: Vec<Partial>,
}

/// In the order of [`Measure::ALL`]: times as logarithms, so that differences are factors.
type Values = [Option<f64>; Measure::ALL.len()];

/// A cluster with what it has of one product.
struct Place<'a> {
    cluster: &'a Cluster,
    /// Its number among those that were asked for.
    number: usize,
    rows: Vec<(&'a CohortRow, Values)>,
}

impl Fleet {
    /// What is said of all cohorts of the selected clusters.
    #[must_use]
    pub fn cohorts(&self, selection: &Selection) -> Cohorts {
        let mut answer = Cohorts::default();
        let mut heard: Vec<&Cluster> = Vec::new();
        for (_, cluster) in self.selected(selection) {
            if cluster.rollup.is_some() && !cluster.is_missing {
                heard.push(cluster);
            } else {
                answer.unheard.push((cluster.key.clone(), cluster.heard_unix_ns()));
            }
        }
        answer.clusters = heard.len() as u64;
        answer.partial = heard.iter().filter_map(|cluster| cluster.partial()).collect();
        let mut products: BTreeMap<(Axis, &str), Vec<Place<'_>>> = BTreeMap::new();
        for (number, cluster) in heard.iter().enumerate() {
            for row in cluster.rollup.iter().flat_map(|rollup| &rollup.cohorts) {
                let places = products.entry((row.key.axis, &row.key.subject)).or_default();
                match places.last_mut() {
                    Some(last) if last.number == number => last.rows.push((row, values(row))),
                    _ => places.push(Place {
                        cluster,
                        number,
                        rows: vec![(row, values(row))],
                    }),
                }
            }
        }
        let mut asked: Vec<Asked> = Vec::new();
        for ((axis, subject), places) in &products {
            for variant in variants(places) {
                let key = CohortKey {
                    axis: *axis,
                    subject: (*subject).to_owned(),
                    variant: variant.to_owned(),
                };
                let samples = sample(&key, places, &heard);
                let at = answer.cohorts.len();
                asked.extend(
                    samples
                        .into_iter()
                        .filter_map(|(measure, samples)| samples.ask(at, measure)),
                );
                answer.cohorts.push(summed(key, places));
            }
        }
        answer.compared = asked.len() as u64;
        let keys: Vec<String> = heard.iter().map(|cluster| cluster.key.to_string()).collect();
        for (at, verdict) in compare::verdicts(asked, &keys) {
            answer.cohorts[at].verdicts.push(verdict);
        }
        answer
            .cohorts
            .iter_mut()
            .for_each(|cohort| cohort.verdicts.sort_by(compare::most_telling_first));
        let is_worse = |cohort: &Cohort| cohort.verdicts.iter().any(|verdict| verdict.significant);
        answer.cohorts.sort_by(|a, b| {
            (is_worse(b), b.clusters)
                .cmp(&(is_worse(a), a.clusters))
                .then(a.key.cmp(&b.key))
        });
        answer.more = answer.cohorts.len().saturating_sub(MOST_TOLD) as u64;
        answer.cohorts.truncate(MOST_TOLD);
        answer
    }
}

fn variants<'a>(places: &[Place<'a>]) -> BTreeSet<&'a str> {
    places
        .iter()
        .flat_map(|place| place.rows.iter().map(|(row, _)| row.key.variant.as_str()))
        .collect()
}

/// A cohort as a whole, with no verdict yet.
fn summed(key: CohortKey, places: &[Place<'_>]) -> Cohort {
    let (mut writes, mut reads) = (Sketch::default(), Sketch::default());
    let mut cohort = Cohort {
        key,
        clusters: 0,
        devices: 0,
        writes: Percentiles::default(),
        reads: Percentiles::default(),
        io_errors: 0,
        media_errors: None,
        found: 0,
        updated: 0,
        first_update_unix_ns: None,
        verdicts: Vec::new(),
    };
    for place in places {
        let Some((row, _)) = place.rows.iter().find(|(row, _)| row.key == cohort.key) else {
            continue;
        };
        writes.merge(&row.writes);
        reads.merge(&row.reads);
        cohort.clusters += 1;
        cohort.devices += u64::from(row.devices);
        cohort.io_errors = cohort.io_errors.saturating_add(row.io_errors);
        if let Some(more) = row.media_errors {
            cohort.media_errors = Some(cohort.media_errors.unwrap_or(0).saturating_add(more));
        }
        cohort.found += u64::from(row.found);
        if let Some(updated) = place.cluster.software.updated(&row.key) {
            cohort.updated += 1;
            let first = cohort.first_update_unix_ns.unwrap_or(i64::MAX);
            cohort.first_update_unix_ns = Some(first.min(updated.at_unix_ns));
        }
    }
    cohort.writes = Percentiles::from(&writes);
    cohort.reads = Percentiles::from(&reads);
    cohort
}

/// What each cluster says of a cohort, a measure.
fn sample(key: &CohortKey, places: &[Place<'_>], heard: &[&Cluster]) -> Vec<(Measure, Samples)> {
    let mut all: Vec<(Measure, Samples)> = Measure::ALL.map(|measure| (measure, Samples::default())).into();
    let mut hours = Vec::new();
    for place in places {
        let own = place
            .rows
            .iter()
            .find(|(row, _)| row.key == *key)
            .map(|(_, values)| *values);
        let rest = rest_of(place, key);
        let before = match (own, rest) {
            (Some(_), None) => place.cluster.software.before(key),
            _ => None,
        };
        hours.extend(before.map(|(hour, _)| hour));
        for (measure, samples) in &mut all {
            let at = *measure as usize;
            let sample = |value| Sample {
                value,
                place: place.number,
            };
            let old = before.and_then(|(_, times)| *times.get(at)?);
            match (own.map(|own| own[at]), rest.map(|rest| rest[at])) {
                (Some(Some(own)), Some(Some(rest))) => samples.beside.push(sample(own - rest)),
                (Some(Some(own)), None) => match old {
                    Some(old) => samples.before.own.push(sample(own - old.ln())),
                    None => samples.alone.own.push(sample(own)),
                },
                (None, Some(Some(rest))) => samples.alone.others.push(rest),
                // There is too little of one to be compared.
                _ => {}
            }
        }
    }
    if hours.is_empty() {
        return all;
    }
    // What clusters without an update changed by, each since one of the updates in turn: so that both have seen the same times of day.
    for (number, cluster) in heard.iter().enumerate() {
        let hour = hours[number % hours.len()];
        let steady = cluster
            .rollup
            .as_ref()
            .and_then(|rollup| cluster.software.steady(key.axis, hour, rollup));
        let Some((before, now)) = steady else { continue };
        for ((_, samples), (before, now)) in all.iter_mut().zip(before.into_iter().zip(now)) {
            let change = before.zip(now).map(|(before, now)| (now / before).ln());
            samples.before.others.extend(change);
        }
    }
    all
}

/// The values of devices of the same product that run anything else, as one. `None` where there are none.
fn rest_of(place: &Place<'_>, key: &CohortKey) -> Option<Values> {
    let mut others = place.rows.iter().filter(|(row, _)| row.key != *key);
    let (first, first_values) = others.next()?;
    let Some((second, _)) = others.next() else {
        return Some(*first_values);
    };
    let mut rest = CohortRow::clone(first);
    for row in std::iter::once(second).chain(others.map(|(row, _)| row)) {
        rest.devices = rest.devices.saturating_add(row.devices);
        rest.writes.merge(&row.writes);
        rest.reads.merge(&row.reads);
        rest.io_errors = rest.io_errors.saturating_add(row.io_errors);
        if let Some(more) = row.media_errors {
            rest.media_errors = Some(rest.media_errors.unwrap_or(0).saturating_add(more));
        }
        rest.found = rest.found.saturating_add(row.found);
    }
    Some(values(&rest))
}

/// The values of devices.
fn values(row: &CohortRow) -> Values {
    let [write_p50, write_p99, read_p50, read_p99] = times(row).map(|time| time.map(f64::ln));
    let ios = row.writes.count().saturating_add(row.reads.count());
    let a_device = |count: u64| (row.devices > 0).then(|| count as f64 / f64::from(row.devices));
    [
        write_p50,
        write_p99,
        read_p50,
        read_p99,
        (ios >= ENOUGH).then(|| row.io_errors as f64 / ios as f64),
        row.media_errors.and_then(a_device),
        a_device(row.found.into()),
    ]
}

#[cfg(test)]
mod tests;
