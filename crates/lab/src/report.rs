//! A replayed recording as a report.

use fathom_diagnose::overview;
use fathom_model::report::{Clock, Report, UnseenNode};

use crate::replay::{Replayed, tidy};

/// Everything that is said about a replayed recording.
#[must_use]
pub fn report(replayed: &Replayed) -> Report {
    let catalog = &replayed.catalog;
    let clocks = replayed
        .clocks
        .iter()
        .map(|clock| Clock {
            node: catalog.node(clock.node).to_string(),
            reference: catalog.node(clock.reference).to_string(),
            offset_ns: Some(clock.offset_nanos),
            drift_ppb: Some(clock.drift_ppb),
            error_ns: Some(clock.error_nanos),
        })
        .collect();
    let mut report = overview::report(&replayed.rows, catalog, clocks, &replayed.topology, &replayed.jobs);
    let missing = replayed.missing_nodes.iter();
    report.unseen.nodes = missing
        .map(|node| UnseenNode {
            node: node.to_string(),
            cause: "no_daemon".to_owned(),
        })
        .collect();
    report.unseen.warnings.extend_from_slice(&replayed.warnings);
    tidy(&mut report.unseen.warnings);
    report
}
