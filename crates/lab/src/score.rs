//! Fan-outs held against a recording's truth: the only place that reads truth and clocks.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use fathom_capture::{ClockTruth, Recording, TruthReader, TruthWrite};
use fathom_model::report::Score;
use fathom_model::{NodeId, Op, Tap};

use crate::error::{Error, Result};
use crate::export::Line;

mod calibration;

pub use calibration::{Band, Calibration, calibration};

/// Scores fan-outs against the recording's truth, of whose events those of `without` taps are left out.
///
/// A fan-out is exact when it names, for every copy that has target events in the truth, exactly one of them and nothing
/// else, and so for drive events, of which a split request has several. Only rows that the recording has count.
///
/// # Errors
///
/// When the recording has no truth or it cannot be read.
pub fn score(recording: &Recording, lines: impl IntoIterator<Item = Line>, without: &[Tap]) -> Result<Score> {
    let path = recording.truth().ok_or_else(|| Error::NoTruth {
        directory: recording.directory().to_owned(),
    })?;
    let mut joined: HashMap<(String, u64), Line> = lines
        .into_iter()
        .map(|line| ((line.node.clone(), line.write), line))
        .collect();
    let mut clocks = Clocks::new(recording)?;
    let mut counts = Counts::default();
    for truth in TruthReader::open(&path)? {
        let mut truth = truth?;
        for copy in &mut truth.copies {
            if without.contains(&Tap::Target) {
                copy.target_rows.clear();
            }
            if without.contains(&Tap::Device) {
                copy.device_rows.clear();
            }
            if recording.node(&copy.node).is_none_or(|node| node.events.is_none()) {
                copy.target_rows.clear();
                copy.device_rows.clear();
            }
        }
        let line = joined.remove(&(truth.node.clone(), truth.write));
        counts.compare(&truth, line.as_ref());
        if let (Some(line), Some(clocks)) = (&line, &mut clocks) {
            clocks.check(line);
        }
    }
    Ok(counts.score(clocks))
}

/// Whether there is anything to score against; a score against nothing is all nulls, of which none is trouble.
///
/// # Errors
///
/// When the recording has no truth, or it has no write, or its first cannot be read.
pub fn check_truth(recording: &Recording) -> Result<()> {
    let path = recording.truth().ok_or_else(|| Error::NoTruth {
        directory: recording.directory().to_owned(),
    })?;
    match TruthReader::open(&path)?.next() {
        Some(first) => Ok(first.map(drop)?),
        None => Err(Error::EmptyTruth { path }),
    }
}

/// Reads an export back.
///
/// # Errors
///
/// When the file cannot be read, a line is not one of an export, or a write is given twice.
pub fn read_export(path: &Path) -> Result<Vec<Line>> {
    let failed = |source| Error::Write {
        path: path.to_owned(),
        source,
    };
    let mut lines = Vec::new();
    let mut given: HashMap<(String, u64), usize> = HashMap::new();
    for (at, text) in BufReader::new(File::open(path).map_err(failed)?).lines().enumerate() {
        let text = text.map_err(failed)?;
        let line: Line = fathom_capture::objects::from_str(&text).map_err(|error| Error::Export {
            path: path.to_owned(),
            line: at + 1,
            cause: error.to_string(),
        })?;
        // Of two the score would take one: a file that says something twice is not to be called right or wrong.
        if let Some(first) = given.insert((line.node.clone(), line.write), at + 1) {
            return Err(Error::Export {
                path: path.to_owned(),
                line: at + 1,
                cause: format!(
                    "write {} of node {} is given a second time, the first is line {first}",
                    line.write, line.node
                ),
            });
        }
        lines.push(line);
    }
    Ok(lines)
}

#[derive(Debug, Default)]
struct Counts {
    writes: u64,
    exact: u64,
    legs: u64,
    legs_found: u64,
    claims: u64,
    claims_right: u64,
    slowest_known: u64,
    slowest_named: u64,
    slowest_right: u64,
}

impl Counts {
    fn compare(&mut self, truth: &TruthWrite, line: Option<&Line>) {
        self.writes += 1;
        let mut targets: HashMap<(&str, u64), usize> = HashMap::new();
        let mut devices: HashMap<(&str, u64), usize> = HashMap::new();
        let (mut target_legs, mut device_legs) = (HashSet::new(), HashSet::new());
        for (leg, copy) in truth.copies.iter().enumerate() {
            for &row in &copy.target_rows {
                targets.insert((&copy.node, row), leg);
                target_legs.insert(leg);
            }
            for &row in &copy.device_rows {
                devices.insert((&copy.node, row), leg);
                device_legs.insert(leg);
            }
        }
        let (mut target_hits, mut device_hits) = (HashSet::new(), HashSet::new());
        let mut exact = true;
        for copy in line.iter().flat_map(|line| &line.copies) {
            if let Some(row) = copy.target_row {
                self.claims += 1;
                match targets.get(&(copy.node.as_str(), row)) {
                    Some(leg) => {
                        self.claims_right += 1;
                        exact &= target_hits.insert(*leg);
                    }
                    None => exact = false,
                }
            }
            for &row in &copy.device_rows {
                self.claims += 1;
                match devices.get(&(copy.node.as_str(), row)) {
                    Some(leg) => {
                        self.claims_right += 1;
                        device_hits.insert(*leg);
                    }
                    None => exact = false,
                }
            }
        }
        self.exact += u64::from(exact && target_hits == target_legs && device_hits == device_legs);
        self.legs += (target_legs.len() + device_legs.len()) as u64;
        self.legs_found += (target_hits.len() + device_hits.len()) as u64;
        if let Some(slowest) = &truth.slowest {
            self.slowest_known += 1;
            if let Some(named) = line.and_then(|line| line.slowest.as_ref()) {
                self.slowest_named += 1;
                self.slowest_right += u64::from(named.node == slowest.node);
            }
        }
    }

    fn score(&self, clocks: Option<Clocks<'_>>) -> Score {
        let share = |part: u64, whole: u64| (whole > 0).then(|| (part as f64 / whole as f64 * 1e6).round() / 1e6);
        let stated = clocks
            .as_ref()
            .and_then(|clocks| share(clocks.stated.len() as u64, clocks.joined));
        let held = clocks
            .as_ref()
            .filter(|clocks| !clocks.stated.is_empty())
            .map(|clocks| clocks.wrong == 0);
        let median = clocks.and_then(|mut clocks| {
            let middle = clocks.stated.len() / 2;
            (!clocks.stated.is_empty()).then(|| *clocks.stated.select_nth_unstable(middle).1)
        });
        Score {
            // Without a target or drive event in play there is nothing to be exact about.
            exact_fanout: share(self.exact, if self.legs > 0 { self.writes } else { 0 }),
            leg_precision: share(self.claims_right, self.claims),
            leg_recall: share(self.legs_found, self.legs),
            slowest_copy: share(self.slowest_right, self.slowest_known),
            slowest_copy_named: share(self.slowest_right, self.slowest_named),
            clock_bound_held: held,
            clock_stated: stated,
            clock_error_median_ns: median,
        }
    }
}

/// The clocks as they were, held against what was stated of them.
struct Clocks<'a> {
    recording: &'a Recording,
    truth: &'a std::collections::BTreeMap<String, ClockTruth>,
    starts: HashMap<String, HashMap<u64, i64>>,
    resolution: f64,
    joined: u64,
    wrong: u64,
    stated: Vec<u64>,
}

impl<'a> Clocks<'a> {
    /// None when the recording does not say how the clocks were.
    fn new(recording: &'a Recording) -> Result<Option<Self>> {
        let Some(truth) = &recording.run().clocks else {
            return Ok(None);
        };
        let mut starts = HashMap::new();
        for node in recording
            .nodes()
            .iter()
            .filter(|node| node.initiator && node.events.is_some())
        {
            starts.insert(node.id.to_string(), write_starts(recording, &node.id)?);
        }
        let resolution = recording.run().resolution_ns as f64;
        Ok(Some(Self {
            recording,
            truth,
            starts,
            resolution,
            joined: 0,
            wrong: 0,
            stated: Vec::new(),
        }))
    }

    fn check(&mut self, line: &Line) {
        let Some(&start) = self.starts.get(&line.node).and_then(|starts| starts.get(&line.write)) else {
            return;
        };
        let Some(own) = self.truth.get(&line.node) else { return };
        let x = true_time(own, start);
        for copy in &line.copies {
            let seen = copy.target_row.is_some() || !copy.device_rows.is_empty();
            self.joined += u64::from(seen && self.recording.node(&copy.node).is_some());
            let (Some(offset), Some(error)) = (copy.clock_offset_ns, copy.clock_error_ns) else {
                continue;
            };
            let Some(far) = self.truth.get(&copy.node).filter(|_| seen) else {
                continue;
            };
            // A clock that was set is judged outside one second around its step.
            let stepped = |clock: &ClockTruth| {
                clock
                    .step_at_ns
                    .is_some_and(|at| (x - (at - clock.epoch_ns) as f64).abs() < 1e9)
            };
            if stepped(own) || stepped(far) {
                continue;
            }
            self.stated.push(error);
            let truth = beyond_true(far, x) - beyond_true(own, x) + (far.epoch_ns - own.epoch_ns) as f64;
            self.wrong += u64::from((truth - offset as f64).abs() > error as f64 + self.resolution);
        }
    }
}

/// Starts of a node's volume writes by row.
fn write_starts(recording: &Recording, node: &NodeId) -> Result<HashMap<u64, i64>> {
    let mut reader = recording.events(node)?;
    let mut starts = HashMap::new();
    while let Some(batch) = reader.next_batch(4096)? {
        for (event, row) in batch.columns.iter().zip(batch.first_row..) {
            if event.tap == Tap::Volume && event.op == Op::Write {
                starts.insert(row, event.start_unix_nanos);
            }
        }
    }
    Ok(starts)
}

/// What a clock shows beyond its epoch and the true time `x` since then.
fn beyond_true(clock: &ClockTruth, x: f64) -> f64 {
    let mut beyond = clock.offset_ns + x * clock.drift_ppm / 1e6;
    if let Some(at) = clock.drift_change_at_ns {
        beyond += (x - at).max(0.0) * clock.drift_change_ppm / 1e6;
    }
    let base = x + beyond;
    beyond += clock.extra_offset_ns + base * clock.extra_drift_ppm / 1e6;
    if clock
        .step_at_ns
        .is_some_and(|at| base + clock.epoch_ns as f64 >= at as f64)
    {
        beyond += clock.step_ns;
    }
    beyond
}

/// The true time since the epoch when a clock shows `stamp`.
fn true_time(clock: &ClockTruth, stamp: i64) -> f64 {
    let mut y = (stamp - clock.epoch_ns) as f64;
    if let Some(at) = clock.step_at_ns
        && y >= (at - clock.epoch_ns) as f64 + clock.step_ns
    {
        y -= clock.step_ns;
    }
    y = (y - clock.extra_offset_ns) / (1.0 + clock.extra_drift_ppm / 1e6);
    let rate = 1.0 + clock.drift_ppm / 1e6;
    let x = (y - clock.offset_ns) / rate;
    match clock.drift_change_at_ns {
        Some(at) if x > at => at + (x - at) * rate / (rate + clock.drift_change_ppm / 1e6),
        _ => x,
    }
}

#[cfg(test)]
mod tests;
