//! Objectives in the configuration file: tables `[[objective]]`.

use fathom_model::objective::Objective;
use fathom_runtime::units::{ByteSize, Span};
use serde::Deserialize;

/// What is promised where nothing is configured: 99 of 100 writes of up to 4 KiB take less than 2 ms.
const UP_TO_BYTES: u64 = 4096;
const PERCENTILE: f64 = 99.0;
const BELOW_NANOS: u64 = 2_000_000;

/// An objective as the file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Entry {
    /// Its name.
    name: String,
    /// The volume that it is about [default: all writes of a cluster together].
    volume: Option<String>,
    /// Writes of at most this size count [default: 4 KiB].
    up_to: Option<ByteSize>,
    /// The percentile of the writes of a minute [default: 99].
    percentile: Option<f64>,
    /// What it is to be below [default: 2ms].
    below: Option<Span>,
}

/// The objectives that are in force: the default one where none is configured.
pub(super) fn all(entries: &[Entry], faults: &mut Vec<String>) -> Vec<Objective> {
    let mut objectives: Vec<Objective> = Vec::new();
    for entry in entries {
        let objective = Objective {
            name: entry.name.clone(),
            volume: entry.volume.clone(),
            up_to_bytes: entry.up_to.map_or(UP_TO_BYTES, |size| size.0),
            percentile: entry.percentile.unwrap_or(PERCENTILE),
            below_ns: entry
                .below
                .map_or(BELOW_NANOS, |span| u64::try_from(span.0.as_nanos()).unwrap_or(u64::MAX)),
        };
        let mut wrong = |what: &str| faults.push(format!("objective `{}`: {what}", entry.name));
        if entry.name.is_empty() {
            wrong("name is empty; minutes are told apart by it");
        }
        if objectives.iter().any(|other| other.name == objective.name) {
            wrong("it is there twice");
        }
        if !(objective.percentile > 0.0 && objective.percentile < 100.0) {
            wrong("percentile must be above 0 and below 100");
        }
        if objective.below_ns == 0 {
            wrong("below must be more than nothing");
        }
        if objective.up_to_bytes == 0 {
            wrong("up-to must be more than nothing");
        }
        objectives.push(objective);
    }
    if objectives.is_empty() {
        objectives.push(default());
    }
    objectives
}

/// The one where none is configured.
pub(super) fn default() -> Objective {
    Objective {
        name: "default".to_owned(),
        volume: None,
        up_to_bytes: UP_TO_BYTES,
        percentile: PERCENTILE,
        below_ns: BELOW_NANOS,
    }
}
