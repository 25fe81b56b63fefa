//! Where things lie: object paths as types. Nothing else formats a path.
//!
//! ```text
//! manifest/cluster=<c>/<number, 20 digits>.json
//! ios/cluster=<c>/date=2026-09-22/hour=03/<number>-<nonce>.parquet       and legs
//! unmatched/cluster=<c>/date=2026-09-22/<number>-<nonce>.parquet         and coverage, observations, samples, findings, slow_minutes, baselines,
//!                                                                        latency, attribution, write_seconds (with `-m1`, `-m2` or `-m3`
//!                                                                        before the dot where merged), latency_sums, attribution_sums (named as what they sum up)
//! pending/cluster=<c>/<number>-<nonce>.parquet                          and pictures
//! ```
//!
//! The nonce is the writer's: two owners that race for a number never write to one name.

use std::fmt;
use std::str::FromStr;

use fathom_model::ClusterId;
use jiff::tz::TimeZone;

/// The tables of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Table {
    /// One row an I/O.
    Ios,
    /// One row a leg.
    Legs,
    /// One row an event that no I/O has.
    Unmatched,
    /// One row a stretch of a node's time.
    Coverage,
    /// Legs that ended before their I/O: replaced with every record.
    Pending,
    /// One row a resource as a node reported it.
    Observations,
    /// One row a reading of a counter.
    Samples,
    /// One row a change of a finding.
    Findings,
    /// One row a minute in which an objective was not met.
    #[serde(rename = "slow_minutes")]
    SlowMinutes,
    /// One row an hour and what something is usual of.
    Baselines,
    /// One row a stretch of time and group of I/Os or copies.
    Latency,
    /// One row a minute, volume and candidate.
    Attribution,
    /// One row a second, volume, initiator and size class of writes.
    #[serde(rename = "write_seconds")]
    WriteSeconds,
    /// One row a group of I/Os or copies, of all of the time of a file of `latency`.
    #[serde(rename = "latency_sums")]
    LatencySums,
    /// One row a candidate, of all of the time and all volumes of a file of `attribution`.
    #[serde(rename = "attribution_sums")]
    AttributionSums,
    /// Observations from which the same is known as from all up to a record: replaced by the next.
    Pictures,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 16] = [
        Self::Ios,
        Self::Legs,
        Self::Unmatched,
        Self::Coverage,
        Self::Pending,
        Self::Observations,
        Self::Samples,
        Self::Findings,
        Self::SlowMinutes,
        Self::Baselines,
        Self::Latency,
        Self::Attribution,
        Self::WriteSeconds,
        Self::LatencySums,
        Self::AttributionSums,
        Self::Pictures,
    ];

    /// The folder's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ios => "ios",
            Self::Legs => "legs",
            Self::Unmatched => "unmatched",
            Self::Coverage => "coverage",
            Self::Pending => "pending",
            Self::Observations => "observations",
            Self::Samples => "samples",
            Self::Findings => "findings",
            Self::SlowMinutes => "slow_minutes",
            Self::Baselines => "baselines",
            Self::Latency => "latency",
            Self::Attribution => "attribution",
            Self::WriteSeconds => "write_seconds",
            Self::LatencySums => "latency_sums",
            Self::AttributionSums => "attribution_sums",
            Self::Pictures => "pictures",
        }
    }
}

/// A stretch of time that shares a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Partition {
    /// A whole table.
    None,
    /// Days since 1970-01-01, UTC.
    Day(i64),
    /// Hours since 1970-01-01 00:00, UTC.
    Hour(i64),
}

const HOUR_NANOS: i64 = 3_600_000_000_000;

impl Partition {
    /// The partition of a row of `table` with this time.
    #[must_use]
    pub const fn of(table: Table, unix_nanos: i64) -> Self {
        match table {
            Table::Ios | Table::Legs => Self::Hour(unix_nanos.div_euclid(HOUR_NANOS)),
            Table::Unmatched
            | Table::Coverage
            | Table::Observations
            | Table::Samples
            | Table::Findings
            | Table::SlowMinutes
            | Table::Baselines
            | Table::Latency
            | Table::Attribution
            | Table::WriteSeconds
            | Table::LatencySums
            | Table::AttributionSums => Self::Day(unix_nanos.div_euclid(24 * HOUR_NANOS)),
            Table::Pending | Table::Pictures => Self::None,
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hours, with_hour) = match *self {
            Self::None => return Ok(()),
            Self::Day(day) => (day * 24, false),
            Self::Hour(hour) => (hour, true),
        };
        let time = jiff::Timestamp::from_second(hours * 3600)
            .unwrap_or_default()
            .to_zoned(TimeZone::UTC);
        write!(f, "/date={}", time.date())?;
        if with_hour {
            write!(f, "/hour={:02}", time.hour())
        } else {
            Ok(())
        }
    }
}

/// A data file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DataPath {
    /// The table.
    pub table: Table,
    /// The cluster.
    pub cluster: ClusterId,
    /// The folder.
    pub partition: Partition,
    /// The record that adds it.
    pub number: u64,
    /// The first 4 bytes of the writer's nonce.
    pub writer: u32,
    /// How often its rows were put together out of several files: 0 as they were first committed.
    pub merged: u8,
}

impl DataPath {
    /// The folder of a cluster's files of a table.
    #[must_use]
    pub fn folder(table: Table, cluster: &ClusterId) -> String {
        format!("{}/cluster={}", table.as_str(), escape(cluster.as_str()))
    }
}

impl fmt::Display for DataPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{}/{:020}-{:08x}",
            Self::folder(self.table, &self.cluster),
            self.partition,
            self.number,
            self.writer
        )?;
        if self.merged > 0 {
            write!(f, "-m{}", self.merged)?;
        }
        f.write_str(".parquet")
    }
}

impl FromStr for DataPath {
    type Err = NotAPath;

    fn from_str(text: &str) -> Result<Self, NotAPath> {
        let wrong = || NotAPath { text: text.to_owned() };
        let parts: Vec<&str> = text.split('/').collect();
        let [table, cluster, between @ .., file] = &parts[..] else {
            return Err(wrong());
        };
        let table = Table::ALL
            .into_iter()
            .find(|known| known.as_str() == *table)
            .ok_or_else(wrong)?;
        let cluster = cluster.strip_prefix("cluster=").and_then(unescape).ok_or_else(wrong)?;
        let hours = |date: &str, hour: &str| -> Option<i64> {
            let date: jiff::civil::Date = date.strip_prefix("date=")?.parse().ok()?;
            let hour: i8 = hour.strip_prefix("hour=")?.parse().ok()?;
            let time = date.at(hour, 0, 0, 0).to_zoned(TimeZone::UTC).ok()?;
            Some(time.timestamp().as_second() / 3600)
        };
        let partition = match between {
            [] => Partition::None,
            [date] => Partition::Day(hours(date, "hour=00").ok_or_else(wrong)? / 24),
            [date, hour] => Partition::Hour(hours(date, hour).ok_or_else(wrong)?),
            _ => return Err(wrong()),
        };
        let (number, writer) = file
            .strip_suffix(".parquet")
            .and_then(|stem| stem.split_once('-'))
            .ok_or_else(wrong)?;
        let (writer, merged) = match writer.split_once("-m") {
            Some((writer, merged)) => (
                writer,
                merged.parse().ok().filter(|level| *level > 0).ok_or_else(wrong)?,
            ),
            None => (writer, 0),
        };
        if number.len() != 20 || writer.len() != 8 {
            return Err(wrong());
        }
        Ok(Self {
            table,
            cluster: ClusterId::new(cluster),
            partition,
            number: number.parse().map_err(|_| wrong())?,
            writer: u32::from_str_radix(writer, 16).map_err(|_| wrong())?,
            merged,
        })
    }
}

/// A manifest record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecordPath {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its number, from 1.
    pub number: u64,
}

impl RecordPath {
    /// The folder of a cluster's records.
    #[must_use]
    pub fn folder(cluster: &ClusterId) -> String {
        format!("manifest/cluster={}", escape(cluster.as_str()))
    }
}

impl fmt::Display for RecordPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:020}.json", Self::folder(&self.cluster), self.number)
    }
}

impl FromStr for RecordPath {
    type Err = NotAPath;

    fn from_str(text: &str) -> Result<Self, NotAPath> {
        let wrong = || NotAPath { text: text.to_owned() };
        let rest = text.strip_prefix("manifest/cluster=").ok_or_else(wrong)?;
        let (cluster, file) = rest.split_once('/').ok_or_else(wrong)?;
        let number = file
            .strip_suffix(".json")
            .filter(|digits| digits.len() == 20)
            .ok_or_else(wrong)?;
        Ok(Self {
            cluster: ClusterId::new(unescape(cluster).ok_or_else(wrong)?),
            number: number.parse().map_err(|_| wrong())?,
        })
    }
}

/// A text that is no path of the store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a path of the store")]
pub struct NotAPath {
    /// What was given.
    pub text: String,
}

/// Letters, digits, `-`, `_` and inner `.` as they are, all else as %XX of its UTF-8 bytes: safe as a folder's name on every
/// system, and different for different names.
fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' || (byte == b'.' && at > 0);
        if plain {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first != b'%' {
            bytes.push(*first);
            rest = tail;
            continue;
        }
        let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
