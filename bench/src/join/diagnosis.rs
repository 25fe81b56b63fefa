//! What a coordinator's worker does with rows beside storing them, on the rows of the join that was just timed: the search for what is
//! wrong, the rollup for the fleet, objectives by the minute, and what rows add up to.

use fathom_diagnose::findings::Tracker;
use fathom_diagnose::objectives::Minutes;
use fathom_diagnose::tally::Tally;
use fathom_model::objective::Objective;
use fathom_model::{Catalog, JoinedRows};
use fathom_rollup::Gather;
use serde_json::{Value, json};

use crate::fleet::thread_nanos;

/// Processor time of each, over all rows, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    findings: f64,
    rollup: f64,
    objectives: f64,
    cells: f64,
}

impl Times {
    /// All of it.
    pub(super) fn all(self) -> f64 {
        self.findings + self.rollup + self.objectives + self.cells
    }

    /// Nanoseconds a write of each.
    pub(super) fn a_write(self, writes: u64) -> Value {
        let of = |nanos: f64| (nanos / writes as f64).round();
        json!({
            "findings": of(self.findings), "rollup": of(self.rollup), "objectives": of(self.objectives), "cells": of(self.cells),
        })
    }
}

/// Does it once, in one thread, as a worker does: a piece of rows after the other.
pub(super) fn diagnose(rows: &[JoinedRows], catalog: &Catalog) -> Times {
    let mut times = Times::default();
    let (mut tracker, mut gather, mut tally) = (Tracker::default(), Gather::default(), Tally::default());
    let mut minutes = Minutes::new(vec![objective()], None);
    let timed = |nanos: &mut f64, work: &mut dyn FnMut()| {
        let before = thread_nanos();
        work();
        *nanos += thread_nanos() - before;
    };
    for piece in rows {
        let newest = piece.ios.iter().map(|io| io.event.end_unix_nanos()).max().unwrap_or(0);
        timed(&mut times.findings, &mut || tracker.add(piece, catalog));
        timed(&mut times.rollup, &mut || gather.add(piece, catalog, newest));
        timed(&mut times.objectives, &mut || {
            piece.ios.iter().for_each(|io| minutes.add(io, catalog));
            minutes.judge();
        });
        timed(&mut times.cells, &mut || tally.add(piece, catalog));
    }
    timed(&mut times.findings, &mut || tracker.finish(catalog));
    // As for a record.
    timed(&mut times.cells, &mut || drop(tally.take()));
    times
}

/// What is promised where nothing is configured.
fn objective() -> Objective {
    Objective {
        name: "default".to_owned(),
        volume: None,
        up_to_bytes: 4096,
        percentile: 99.0,
        below_ns: 2_000_000,
    }
}
