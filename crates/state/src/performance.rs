//! Cluster performance history (`Get-ClusterPerf`) as readings: what the cluster itself kept of the time before anybody looked.
//!
//! Its values are means over whole intervals (domain/health.md: 10 s, 5 min, 15 min, 1 h, 1 d), so a reading says so in its name:
//! `history.mean_of_300s.physicaldisk.latency.average_s`. Of which interval is told by the distance to the next value of the same series; where
//! that is none of the known ones it is `mean_of_unknown`. A mean hides what is short: nothing here is a reading of a moment.
//!
//! Names of properties are those that the public samples use (`Time`, `Value`, `Group.ObjectDescription`, `MetricId`) and that the cmdlet
//! prints (`Series`, `Unit`); no output as JSON of a real cluster was at hand.

use std::collections::BTreeMap;

use fathom_model::NodeId;
use fathom_model::state::{Kind, Sample};

use crate::bag::{Bag, Raw};

/// What holds the series' name.
const SERIES: &[&str] = &["Series", "SeriesName", "MetricId"];

/// What holds the name of the object.
const OBJECT: &[&str] = &[
    "Group.ObjectDescription",
    "ObjectDescription",
    "Object Description",
    "Group",
];

/// The intervals that values are means of, in seconds.
const INTERVALS: &[u64] = &[10, 300, 900, 3_600, 86_400];

const SECOND: i64 = 1_000_000_000;

/// What became of values of the history.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The readings, by node, object and name, oldest first.
    pub samples: Vec<Sample>,
    /// Values that none was made of, by why.
    pub refused: BTreeMap<String, u64>,
}

/// Whether an object is a value of the history.
#[must_use]
pub fn is_one(bag: &Bag) -> bool {
    let has = |names: &[&str]| names.iter().any(|name| bag.get(name).is_some());
    has(SERIES) && has(&["Time"]) && has(&["Value"])
}

/// A value with what it is of.
struct Value {
    at: i64,
    value: f64,
}

/// What is of one object and one series, as one computer gave it out.
type Of = (NodeId, Kind, String, String);

/// Readings of values of the history. One that names no computer was given out by `reporter`.
#[must_use]
pub fn samples<'a>(bags: impl IntoIterator<Item = &'a Bag>, reporter: &NodeId) -> History {
    let mut history = History::default();
    let mut series: BTreeMap<Of, Vec<Value>> = BTreeMap::new();
    for bag in bags {
        match value(bag, reporter) {
            Ok((of, value)) => series.entry(of).or_default().push(value),
            Err(why) => *history.refused.entry(why).or_default() += 1,
        }
    }
    for ((node, kind, id, name), mut values) in series {
        values.sort_by_key(|value| value.at);
        values.dedup_by(|a, b| a.at == b.at && a.value.to_bits() == b.value.to_bits());
        let intervals: Vec<Option<u64>> = (0..values.len()).map(|at| interval(&values, at)).collect();
        for (value, interval) in values.iter().zip(intervals) {
            let of = interval.map_or_else(|| "unknown".to_owned(), |seconds| format!("{seconds}s"));
            history.samples.push(Sample {
                node: node.clone(),
                kind,
                id: id.clone(),
                name: format!("history.mean_of_{of}.{name}"),
                observed_unix_nanos: value.at,
                value: value.value,
            });
        }
    }
    history
}

/// What a value is the mean of, by its nearest neighbour; two of one time are of different intervals, and of which each is nobody says.
fn interval(values: &[Value], at: usize) -> Option<u64> {
    let before = at
        .checked_sub(1)
        .map(|before| values[at].at.abs_diff(values[before].at));
    let after = values.get(at + 1).map(|after| after.at.abs_diff(values[at].at));
    let gap = [before, after].into_iter().flatten().min()?;
    let is_it = |seconds: &&u64| {
        let nanos = **seconds * SECOND.unsigned_abs();
        gap.abs_diff(nanos) <= nanos / 5
    };
    INTERVALS.iter().find(is_it).copied()
}

fn value(bag: &Bag, reporter: &NodeId) -> Result<(Of, Value), String> {
    let first = |names: &[&str]| names.iter().find_map(|name| bag.text(name));
    let said = first(SERIES).ok_or("a value of no series")?;
    // An identity of a metric has the object behind the series.
    let (series, behind) = match said.split_once(',') {
        Some((series, object)) => (series.trim(), Some(object.trim().to_owned())),
        None => (said.trim(), None),
    };
    let object = first(OBJECT).or(behind).filter(|object| !object.is_empty());
    let object = object.ok_or_else(|| format!("a value of {series} of nobody knows what: it names no object"))?;
    let value = match bag.get("Value") {
        Some(Raw::Real(value)) if value.is_finite() => *value,
        Some(Raw::Integer(value)) => *value as f64,
        Some(Raw::Null) => return Err(format!("a value of {series} that is null")),
        Some(Raw::Text(text)) => match text.trim().parse::<f64>() {
            Ok(value) if value.is_finite() => value,
            _ => {
                return Err(format!(
                    "a value of {series} that is no number: numbers with units are rounded for display"
                ));
            }
        },
        _ => return Err(format!("a value of {series} that is no number")),
    };
    let at = bag.text("Time").and_then(|text| unix_nanos(&text));
    let at = at.ok_or_else(|| format!("a value of {series} without a time that has a zone"))?;
    let (kind, id) = of_object(&object, series);
    let node = bag.computer.as_deref().map(crate::decode::node_name);
    let node = node.map_or_else(|| reporter.clone(), NodeId::new);
    Ok(((node, kind, id, with_unit(series)), Value { at, value }))
}

/// A time as JSON and CLIXML have it: `/Date(1547224008000)/` of PowerShell 5.1, or ISO 8601 with a zone.
fn unix_nanos(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix("/Date(") {
        let digits = rest.strip_suffix(")/")?;
        return digits.parse::<i64>().ok()?.checked_mul(1_000_000);
    }
    let time: jiff::Timestamp = text.parse().ok()?;
    i64::try_from(time.as_nanosecond()).ok()
}

/// What a description such as `ClusterNode Server1` is of; where it begins with no known word, by the series.
fn of_object(object: &str, series: &str) -> (Kind, String) {
    let kind = |word: &str| match word.to_ascii_lowercase().as_str() {
        "physicaldisk" | "disk" => Some(Kind::Disk),
        "volume" => Some(Kind::Csv),
        "netadapter" => Some(Kind::Adapter),
        "vhd" => Some(Kind::Vhd),
        "vm" | "virtualmachine" => Some(Kind::Vm),
        "clusternode" => Some(Kind::Node),
        "cluster" => Some(Kind::Counters),
        _ => None,
    };
    if let Some((word, name)) = object.trim().split_once([' ', '='])
        && let Some(kind) = kind(word)
        && !name.trim().is_empty()
    {
        return (kind, name.trim().to_owned());
    }
    let by_series = series.split('.').next().and_then(kind);
    (by_series.unwrap_or(Kind::Counters), object.trim().to_owned())
}

/// A series' name in small letters with its unit as the pages give it. Of a bandwidth the pages say bits and their own sample bytes.
fn with_unit(series: &str) -> String {
    let name = series.to_ascii_lowercase();
    let has = |part: &str| name.split('.').any(|own| own == part);
    let unit = if has("hitrate") || name.contains(".cpu.") {
        "_percent"
    } else if has("bandwidth") {
        "_bits_or_bytes_per_s"
    } else if has("iops") {
        "_per_s"
    } else if has("throughput") {
        "_bytes_per_s"
    } else if has("latency") && !has("bucket") {
        "_s"
    } else if has("size") || has("memory") || has("storage") {
        "_bytes"
    } else {
        ""
    };
    name + unit
}

#[cfg(test)]
mod tests;
