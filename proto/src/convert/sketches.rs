//! Latencies of `fathom.query.v1` that can be added up ([`fathom_model::rollup::TapLatency`]).

use fathom_model::rollup::TapLatency;
use fathom_model::sketch::{BINS, Parts, Sketch};

use super::{Error, Result};
use crate::query::v1 as wire;

impl From<&TapLatency> for wire::LatencySketch {
    fn from(row: &TapLatency) -> Self {
        let parts = row.sketch.parts();
        Self {
            tap: row.tap.as_str().to_owned(),
            op: row.op.as_str().to_owned(),
            first_bin: parts.first_bin,
            counts: parts.counts,
            sum_nanos: parts.sum_nanos,
            min_nanos: parts.min_nanos,
            max_nanos: parts.max_nanos,
        }
    }
}

/// A row from the wire.
///
/// # Errors
///
/// When tap or operation are none, or the sketch cannot be that of any values.
pub fn tap_latency_from_wire(row: wire::LatencySketch) -> Result<TapLatency> {
    if row.counts.len() > BINS {
        return Err(Error::TooLarge {
            field: "latency.counts",
            limit: BINS as u64,
            found: row.counts.len() as u64,
        });
    }
    let unknown = |field| move |source| Error::UnknownName { field, source };
    let parts = Parts {
        first_bin: row.first_bin,
        counts: row.counts,
        sum_nanos: row.sum_nanos,
        min_nanos: row.min_nanos,
        max_nanos: row.max_nanos,
    };
    Ok(TapLatency {
        tap: row.tap.parse().map_err(unknown("latency.tap"))?,
        op: row.op.parse().map_err(unknown("latency.op"))?,
        sketch: Sketch::try_from(parts).map_err(|source| Error::Sketch {
            field: "latency",
            source,
        })?,
    })
}

#[cfg(test)]
mod tests;
