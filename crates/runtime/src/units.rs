//! Durations and sizes as people write them: `500ms`, `64 MiB`. Not for machine output, which has plain integers.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// A duration from text such as `500ms`, `30s`, `15m`, `1h 30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A number of bytes from text such as `4096`, `64 MiB`, `1GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// A text that is no duration or size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}")]
pub struct NotAUnit {
    /// What was given.
    pub text: String,
    /// What was expected, with examples.
    pub what: &'static str,
}

const DURATION: &str = "a duration such as 500ms, 30s, 15m or 2h";
const SIZE: &str = "a size such as 4096, 64 MiB or 2 GiB";

const SECONDS: [(&str, f64); 10] = [
    ("ns", 1e-9),
    ("us", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("sec", 1.0),
    ("m", 60.0),
    ("min", 60.0),
    ("h", 3600.0),
    ("d", 86_400.0),
    ("w", 604_800.0),
];

const BYTES: [(&str, u64); 9] = [
    ("", 1),
    ("b", 1),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
];

impl FromStr for Span {
    type Err = NotAUnit;

    fn from_str(text: &str) -> Result<Self, NotAUnit> {
        let wrong = || NotAUnit {
            text: text.to_owned(),
            what: DURATION,
        };
        let mut rest = text.trim();
        let mut seconds = 0.0;
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
            let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
            let unit_and_rest = rest[digits..].trim_start();
            let letters = unit_and_rest
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(unit_and_rest.len());
            let unit = &unit_and_rest[..letters];
            let (_, factor) = SECONDS.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
            seconds += number * factor;
            rest = unit_and_rest[letters..].trim_start();
        }
        Duration::try_from_secs_f64(seconds).map(Self).map_err(|_| wrong())
    }
}

impl FromStr for ByteSize {
    type Err = NotAUnit;

    fn from_str(text: &str) -> Result<Self, NotAUnit> {
        let wrong = || NotAUnit {
            text: text.to_owned(),
            what: SIZE,
        };
        let trimmed = text.trim();
        let digits = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
        let number: u64 = trimmed[..digits].parse().map_err(|_| wrong())?;
        let unit = trimmed[digits..].trim().to_ascii_lowercase();
        let (_, factor) = BYTES.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        number.checked_mul(factor).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = ["TiB", "GiB", "MiB", "KiB"].into_iter().zip([40_u32, 30, 20, 10]);
        match unit.into_iter().find(|(_, bits)| self.0 >= 1 << bits) {
            Some((name, bits)) => write!(f, "{:.1} {name}", self.0 as f64 / (1_u64 << bits) as f64),
            None => write!(f, "{} B", self.0),
        }
    }
}

macro_rules! from_text {
    ($name:ident) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

from_text!(Span);
from_text!(ByteSize);

#[cfg(test)]
mod tests;
