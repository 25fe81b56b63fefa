//! How well the diagnosis names what is wrong: simulated clusters with known faults, joined and diagnosed as time passes, and
//! held against the truth. What is scored and how: `docs/design/0015-evaluate.md`.

mod catalogue;
mod play;
mod scenario;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use fathom_diagnose::what_if::{Away, WhatIf};
use fathom_model::report::Culprit;
use fathom_model::{Op, Tap};
use fathom_simulate::config::DiskRef;
use fathom_simulate::{FaultMark, Simulated, simulate};
use serde::Serialize;

use crate::error::Result;
use play::play;

pub use catalogue::scenario;
pub use scenario::{File, Name, Scenario, Truth, truth_of};

/// A fault is scored when it is the cause of at least this share of the p99 of all writes while it lasts.
const SCORED_SHARE: f64 = 0.1;

const SECOND: f64 = 1e9;
const DAY: f64 = 86_400.0;

/// What was measured over all scenarios.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Evaluation {
    /// Single faults that are scored.
    pub n: u64,
    /// Share of them that was named first; null without any.
    pub top1: Option<f64>,
    /// Share of them that was among the first three.
    pub top3: Option<f64>,
    /// Scenarios with two faults that are both scored.
    pub n_two_faults: u64,
    /// Share of them in which the first that was named is one of the two.
    pub top1_two_faults: Option<f64>,
    /// Share of them in which the first two that were named are the two.
    pub both_two_faults: Option<f64>,
    /// 90 of 100 scored single faults were named within this after their beginning, in seconds of the cluster's time; null where
    /// more than ten of 100 were not named at all.
    pub time_to_name_p90_s: Option<f64>,
    /// Simulated time of healthy clusters, in days.
    pub healthy_cluster_days: f64,
    /// Writes of healthy clusters.
    pub healthy_writes: u64,
    /// What was named in healthy clusters at any time.
    pub false_findings: u64,
    /// At most so many false findings a healthy cluster-day, at 95 % sureness; null without any such day.
    pub false_findings_a_day_at_most: Option<f64>,
    /// What was named at the end in clusters with faults and is none of them.
    pub wrong_findings: u64,
    /// Findings of clusters with faults whose evidence does not lead to events.
    pub without_evidence: u64,
    /// Scored faults of a drive, of which what-if is held against a run without it.
    pub n_what_if: u64,
    /// Share of them in which what-if's p99 is within 10 % of that run's; null without any.
    pub what_if_within_10_percent: Option<f64>,
    /// 90 of 100 are off by at most this share of that run's; null without any.
    pub what_if_error_p90: Option<f64>,
    /// The same of single faults, a kind of fault.
    pub by_kind: BTreeMap<String, Kind>,
    /// What happened, a seed.
    pub scenarios: Vec<Outcome>,
}

/// One kind of fault.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Kind {
    /// Single faults of the kind.
    pub faults: u64,
    /// Those that are scored.
    pub n: u64,
    /// Share of the scored that was named first; null without any.
    pub top1: Option<f64>,
    /// Share of the scored that was among the first three.
    pub top3: Option<f64>,
}

/// One scenario with one seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The scenario.
    pub scenario: String,
    /// Nodes.
    pub nodes: u32,
    /// Taps.
    pub taps: String,
    /// Writes joined.
    pub writes: u64,
    /// Simulated time, in seconds.
    pub seconds: f64,
    /// Its faults.
    pub faults: Vec<FaultOutcome>,
    /// What is named at the end, the costliest first; of a healthy cluster all that was named at any time.
    pub named: Vec<String>,
    /// The same in full, with its evidence.
    pub culprits: Vec<Culprit>,
    /// Of those, how many are no fault of it.
    pub wrong: u64,
    /// Findings whose evidence does not lead to events.
    pub without_evidence: u64,
}

/// One fault of a scenario.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FaultOutcome {
    /// The kind of fault.
    pub fault: String,
    /// How it should be named; any.
    pub truth: Vec<String>,
    /// The p99 of all writes while it lasted, with it alone.
    pub p99_ns: u64,
    /// The same of the same cluster without any fault.
    pub p99_without_ns: u64,
    /// Whether it is scored.
    pub scored: bool,
    /// At which place it is named at the end, from 1; null where it is not.
    pub place: Option<u64>,
    /// When it was first named, in seconds after its beginning.
    pub named_after_s: Option<f64>,
    /// What the p99 would have been without its drive, by the rows that were joined; null of what is no drive's, or is not scored.
    pub what_if_p99_ns: Option<u64>,
    /// The same of the same cluster, simulated without copies on that drive.
    pub p99_without_disk_ns: Option<u64>,
}

/// What is evaluated.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Seeds, the end not included.
    pub seeds: Range<u64>,
    /// Scenarios of a file, of which a seed takes the one at its number modulo how many there are; none for the catalogue.
    pub scenarios: Option<Vec<Scenario>>,
    /// Threads.
    pub threads: usize,
}

impl Plan {
    fn scenario(&self, seed: u64) -> Scenario {
        let Some(scenarios) = self.scenarios.as_deref().filter(|scenarios| !scenarios.is_empty()) else {
            return scenario(seed);
        };
        let mut scenario = scenarios[(seed % scenarios.len() as u64) as usize].clone();
        scenario.config.seed = seed;
        scenario
    }
}

/// Runs a plan. `progress` is told each outcome when it is there, in any order.
///
/// # Errors
///
/// When a scenario cannot be simulated, or the join refuses its events.
pub fn evaluate(plan: &Plan, progress: impl Fn(&Outcome) + Sync) -> Result<Evaluation> {
    let next = AtomicU64::new(plan.seeds.start);
    let work = || -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= plan.seeds.end {
                return Ok(outcomes);
            }
            match outcome(seed, &plan.scenario(seed)) {
                Ok(outcome) => {
                    progress(&outcome);
                    outcomes.push(outcome);
                }
                Err(error) => {
                    // Nobody begins another.
                    next.store(plan.seeds.end, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
    };
    let mut outcomes = Vec::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..plan.threads.max(1)).map(|_| scope.spawn(work)).collect();
        let mut result = Ok(());
        for thread in threads {
            match thread.join() {
                Ok(Ok(own)) => outcomes.extend(own),
                Ok(Err(error)) => result = Err(error),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        result
    })?;
    outcomes.sort_by_key(|outcome| outcome.seed);
    Ok(summary(outcomes))
}

/// One scenario: simulated with each of its faults and without it, joined, diagnosed, compared.
fn outcome(seed: u64, scenario: &Scenario) -> Result<Outcome> {
    let healthy = scenario.truth.is_empty();
    let mut outcome = Outcome {
        seed,
        scenario: scenario.name.clone(),
        nodes: scenario.config.nodes,
        taps: scenario.config.recording.taps.as_str().to_owned(),
        writes: 0,
        seconds: 0.0,
        faults: Vec::new(),
        named: Vec::new(),
        culprits: Vec::new(),
        wrong: 0,
        without_evidence: 0,
    };
    for stretch in 0..scenario.stretches.max(1) {
        let mut config = scenario.config.clone();
        // Seeds of stretches are far from those that are given.
        config.seed = seed.wrapping_add(stretch << 40);
        let simulated = simulate(&config)?;
        let played = play(&simulated, !healthy)?;
        outcome.writes += played.writes;
        outcome.seconds += simulated.duration_nanos as f64 / SECOND;
        outcome.without_evidence += played.without_evidence;
        if healthy {
            outcome.wrong += played.said.len() as u64;
            outcome
                .culprits
                .extend(played.said.into_iter().map(|(culprit, _)| culprit));
            continue;
        }
        for truth in &scenario.truth {
            outcome
                .faults
                .push(fault(scenario, &config, &simulated, truth, &played)?);
        }
        let is_true = |culprit: &Culprit| {
            scenario
                .truth
                .iter()
                .flat_map(|truth| &truth.names)
                .any(|name| name.fits(culprit))
        };
        outcome.wrong += played.culprits.iter().filter(|culprit| !is_true(culprit)).count() as u64;
        outcome.culprits = played.culprits;
    }
    outcome.named = outcome.culprits.iter().map(shown).collect();
    Ok(outcome)
}

fn fault(
    scenario: &Scenario,
    config: &fathom_simulate::Config,
    simulated: &Simulated,
    truth: &Truth,
    played: &play::Played,
) -> Result<FaultOutcome> {
    let mark = &simulated.faults[truth.fault];
    let span = mark.from_nanos..mark.until_nanos;
    // Faults that are left out keep their numbers, so that the others draw what they drew.
    let only = |kept: Option<usize>| {
        let mut config = config.clone();
        for (_, fault) in config.faults.iter_mut().enumerate().filter(|&(at, _)| Some(at) != kept) {
            fault.until_seconds = Some(fault.from_seconds);
        }
        simulate(&config)
    };
    let p99_ns = match config.faults.len() {
        1 => p99(simulated, &span),
        _ => p99(&only(Some(truth.fault))?, &span),
    };
    let p99_without_ns = p99(&only(None)?, &span);
    let scored = p99_ns.saturating_sub(p99_without_ns) as f64 >= SCORED_SHARE * p99_ns as f64 && p99_ns > 0;
    let (mut what_if_p99_ns, mut p99_without_disk_ns) = (None, None);
    if let Some(disk) = config.faults[truth.fault].what.disk().filter(|_| scored) {
        what_if_p99_ns = what_if(simulated, played, disk, mark);
        let without = fathom_simulate::Config {
            without_disk: Some(disk),
            ..config.clone()
        };
        p99_without_disk_ns = Some(p99(&simulate(&without)?, &span));
    }
    let fits = |culprit: &Culprit| truth.names.iter().any(|name| name.fits(culprit));
    let place = played.culprits.iter().position(fits);
    let first = played
        .said
        .iter()
        .filter(|(culprit, _)| fits(culprit))
        .map(|(_, at)| *at)
        .min();
    Ok(FaultOutcome {
        fault: scenario.config.faults[truth.fault].what.name().to_owned(),
        truth: truth.names.iter().map(show_name).collect(),
        p99_ns,
        p99_without_ns,
        scored,
        place: place.map(|place| place as u64 + 1),
        named_after_s: first.map(|at| (at.saturating_sub(mark.from_nanos) as f64 / SECOND * 10.0).round() / 10.0),
        what_if_p99_ns,
        p99_without_disk_ns,
    })
}

/// What the p99 of the writes that began while a fault lasted would have been without a drive, by the rows that were joined.
fn what_if(simulated: &Simulated, played: &play::Played, disk: DiskRef, mark: &FaultMark) -> Option<u64> {
    let topology = &simulated.topology;
    let node = simulated.nodes.get(disk.node as usize)?;
    let mut disks = topology.disks.iter().filter(|known| known.node == node.id);
    let name = format!("disk{}", disk.disk);
    let known = disks.find(|known| known.name == name)?;
    let away = Away::Disk(played.names.find_disk(known)?);
    let mut what_if = WhatIf::default();
    for io in &played.rows.ios {
        let writer = simulated
            .nodes
            .iter()
            .position(|node| node.id == *played.names.node(io.node))?;
        let (from, until) = mark.shown[writer];
        if (from..until).contains(&io.event.start_unix_nanos) {
            what_if.add(&played.rows, io);
        }
    }
    what_if.without(away).map(|without| without.percentiles[2])
}

/// What 99 of 100 writes took at most of those that began in a stretch of true time; 0 without any. Also of nodes without a daemon
/// nothing is known here: they have no rows.
fn p99(simulated: &Simulated, span: &Range<u64>) -> u64 {
    let mut durations: Vec<u64> = Vec::new();
    for node in &simulated.nodes {
        for (row, &(start, end)) in node.true_times.iter().enumerate() {
            if node.rows.taps()[row] == Tap::Volume && node.rows.ops()[row] == Op::Write && span.contains(&start) {
                durations.push(end - start);
            }
        }
    }
    durations.sort_unstable();
    let at = (durations.len() * 99).div_ceil(100).max(1) - 1;
    durations.get(at).copied().unwrap_or(0)
}

fn summary(outcomes: Vec<Outcome>) -> Evaluation {
    let mut evaluation = Evaluation::default();
    let mut errors: Vec<f64> = Vec::new();
    for fault in outcomes.iter().flat_map(|outcome| &outcome.faults) {
        if let (Some(said), Some(truth)) = (fault.what_if_p99_ns, fault.p99_without_disk_ns) {
            errors.push(said.abs_diff(truth) as f64 / truth.max(1) as f64);
        }
    }
    let (mut first, mut third, mut first_of_two, mut both) = (0, 0, 0, 0);
    let mut kinds: BTreeMap<String, (u64, u64, u64, u64)> = BTreeMap::new();
    let mut times: Vec<f64> = Vec::new();
    for outcome in &outcomes {
        evaluation.without_evidence += outcome.without_evidence;
        match outcome.faults.as_slice() {
            [] => {
                evaluation.healthy_cluster_days += outcome.seconds / DAY;
                evaluation.healthy_writes += outcome.writes;
                evaluation.false_findings += outcome.wrong;
                continue;
            }
            [fault] => {
                let kind = kinds.entry(fault.fault.clone()).or_default();
                kind.0 += 1;
                if fault.scored {
                    let within = |places: u64| u64::from(fault.place.is_some_and(|place| place <= places));
                    evaluation.n += 1;
                    first += within(1);
                    third += within(3);
                    kind.1 += 1;
                    kind.2 += within(1);
                    kind.3 += within(3);
                    times.push(fault.named_after_s.unwrap_or(f64::INFINITY));
                }
            }
            [one, other] if one.scored && other.scored => {
                evaluation.n_two_faults += 1;
                first_of_two += u64::from(one.place == Some(1) || other.place == Some(1));
                let places = [one.place, other.place];
                both += u64::from(places == [Some(1), Some(2)] || places == [Some(2), Some(1)]);
            }
            _ => {}
        }
        evaluation.wrong_findings += outcome.wrong;
    }
    let share = |part: u64, of: u64| (of > 0).then(|| (part as f64 / of as f64 * 1e4).round() / 1e4);
    evaluation.top1 = share(first, evaluation.n);
    evaluation.top3 = share(third, evaluation.n);
    evaluation.top1_two_faults = share(first_of_two, evaluation.n_two_faults);
    evaluation.both_two_faults = share(both, evaluation.n_two_faults);
    times.sort_by(f64::total_cmp);
    errors.sort_by(f64::total_cmp);
    evaluation.n_what_if = errors.len() as u64;
    let within = errors.iter().filter(|error| **error <= 0.1).count() as u64;
    evaluation.what_if_within_10_percent = share(within, evaluation.n_what_if);
    let p90 = (errors.len() * 9).div_ceil(10).max(1) - 1;
    evaluation.what_if_error_p90 = errors.get(p90).map(|error| (error * 1e4).round() / 1e4);
    let p90 = (times.len() * 9).div_ceil(10).max(1) - 1;
    evaluation.time_to_name_p90_s = times.get(p90).copied().filter(|time| time.is_finite());
    evaluation.false_findings_a_day_at_most = at_most(evaluation.false_findings, evaluation.healthy_cluster_days);
    evaluation.healthy_cluster_days = (evaluation.healthy_cluster_days * 1e3).floor() / 1e3;
    evaluation.by_kind = kinds
        .into_iter()
        .map(|(name, (faults, n, top1, top3))| {
            let kind = Kind {
                faults,
                n,
                top1: share(top1, n),
                top3: share(top3, n),
            };
            (name, kind)
        })
        .collect();
    evaluation.scenarios = outcomes;
    evaluation
}

/// The upper bound of a rate, at 95 % sureness: of nothing counted the rule of three; else that of Poisson's by Wilson and Hilferty (1931).
fn at_most(counted: u64, days: f64) -> Option<f64> {
    let count = counted as f64 + 1.0;
    let bound = match counted {
        0 => 3.0,
        _ => count * (1.0 - 1.0 / (9.0 * count) + 1.645 / (3.0 * count.sqrt())).powi(3),
    };
    (days > 0.0).then(|| (bound / days * 1e3).ceil() / 1e3)
}

/// A culprit in one word.
fn shown(culprit: &Culprit) -> String {
    let name = Name {
        kind: culprit.kind.clone(),
        node: culprit.node.clone().unwrap_or_default(),
        disk: culprit.disk.clone(),
        peer: culprit.peer.clone(),
    };
    show_name(&name)
}

fn show_name(name: &Name) -> String {
    let Name { kind, node, disk, peer } = name;
    match (disk, peer) {
        (Some(disk), _) => format!("{kind} {node}/{disk}"),
        (None, Some(peer)) => format!("{kind} {node}-{peer}"),
        (None, None) if node.is_empty() => kind.clone(),
        (None, None) => format!("{kind} {node}"),
    }
}

#[cfg(test)]
mod tests;
