//! Is a leg wrong as often as its confidence says?

use std::collections::HashMap;

use fathom_capture::{Recording, TruthReader, TruthWrite};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::export::{Copy, Line};

/// Where bands of confidence begin. What is beyond the last one could not be otherwise.
const BANDS: [f64; 7] = [0.0, 0.5, 0.7, 0.9, 0.99, 0.999, 1.0];

/// What confidence was worth, held against the truth.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// Volume writes of the truth that were joined.
    pub writes: u64,
    /// Of those, how many were given as ambiguous.
    pub flagged: u64,
    /// Of the others, how many have a leg that is wrong.
    pub decided_wrong: u64,
    /// Legs by confidence, the least first; every band has at least one leg.
    pub bands: Vec<Band>,
}

/// Legs of about the same confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Band {
    /// The least confidence in it; it ends where the next one begins.
    pub from: f64,
    /// Legs of which something was found.
    pub legs: u64,
    /// Those of them that have a row that is not theirs.
    pub wrong: u64,
}

/// Counts how often legs of each confidence are wrong. A leg is wrong when it names a row that its copy does not have in the
/// truth; what it does not name is not wrong.
///
/// # Errors
///
/// When the recording has no truth or it cannot be read.
pub fn calibration<'a>(recording: &Recording, lines: impl IntoIterator<Item = &'a Line>) -> Result<Calibration> {
    let path = recording.truth().ok_or_else(|| Error::NoTruth {
        directory: recording.directory().to_owned(),
    })?;
    let joined: HashMap<(&str, u64), &Line> = lines
        .into_iter()
        .map(|line| ((line.node.as_str(), line.write), line))
        .collect();
    let mut bands = BANDS.map(|from| Band {
        from,
        legs: 0,
        wrong: 0,
    });
    let (mut writes, mut flagged, mut decided_wrong) = (0, 0, 0);
    for truth in TruthReader::open(&path)? {
        let truth = truth?;
        let Some(line) = joined.get(&(truth.node.as_str(), truth.write)) else {
            continue;
        };
        writes += 1;
        let mut any_wrong = false;
        for copy in line.copies.iter().filter(|copy| names_any(copy)) {
            let wrong = !is_right(copy, &truth);
            any_wrong |= wrong;
            let band = bands.iter_mut().rev().find(|band| copy.confidence >= band.from);
            if let Some(band) = band {
                band.legs += 1;
                band.wrong += u64::from(wrong);
            }
        }
        flagged += u64::from(line.ambiguous);
        decided_wrong += u64::from(any_wrong && !line.ambiguous);
    }
    Ok(Calibration {
        writes,
        flagged,
        decided_wrong,
        bands: bands.into_iter().filter(|band| band.legs > 0).collect(),
    })
}

fn names_any(copy: &Copy) -> bool {
    copy.target_row.is_some() || !copy.device_rows.is_empty() || !copy.initiator_rows.is_empty()
}

/// Whether one copy of the truth has all rows that are named. (A write that crosses extents has a copy a part.)
fn is_right(copy: &Copy, truth: &TruthWrite) -> bool {
    let same = truth
        .copies
        .iter()
        .filter(|other| other.copy == copy.copy && other.node == copy.node);
    same.into_iter().any(|other| {
        copy.initiator_rows.iter().all(|row| other.initiator_rows.contains(row))
            && copy.target_row.iter().all(|row| other.target_rows.contains(row))
            && copy.device_rows.iter().all(|row| other.device_rows.contains(row))
    })
}
