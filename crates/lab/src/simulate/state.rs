//! The state of a simulated cluster as its daemons would report it: everything once, then what changes.

use std::path::Path;

use fathom_capture::{StateRow, write_state};
use fathom_etl::connectivity;
use fathom_model::state::Kind;
use fathom_simulate::Simulated;
use fathom_simulate::state::States;
use fathom_state::history::{Differ, Poll};

use crate::error::Result;

/// All nodes' rows, in the order in which they were read, each with when that was: true time since the run's start.
pub(crate) fn timed(simulated: &Simulated) -> Vec<(u64, Vec<StateRow>)> {
    let states = States::new(simulated);
    let mut timed: Vec<(u64, Vec<StateRow>)> = Vec::new();
    for node in (0..simulated.config.nodes).filter(|node| states.is_observed(*node)) {
        let name = &simulated.nodes[node as usize].id;
        let mut differ = Differ::default();
        for at in states.polls(node) {
            let shown = states.shown(node, at);
            let mut rows = Vec::new();
            for reading in states.read(node, at) {
                let said = differ.read(name, reading.class, reading.kind, reading.read, shown);
                rows.extend(said.into_iter().map(StateRow::Observation));
            }
            let happened = states.happened(node, at);
            let poll = Poll {
                kind: Kind::SmbEvent,
                class: connectivity::CHANNEL.to_owned(),
                outcome: Ok(happened.len() as u64),
                full: false,
            };
            rows.extend(happened.into_iter().map(StateRow::Observation));
            rows.push(StateRow::Observation(poll.observation(name, shown)));
            rows.extend(states.samples(node, at).into_iter().map(StateRow::Sample));
            timed.push((at, rows));
        }
    }
    timed.sort_by_key(|(at, _)| *at);
    timed
}

/// The same without the times.
fn rows(simulated: &Simulated) -> Vec<StateRow> {
    timed(simulated).into_iter().flat_map(|(_, rows)| rows).collect()
}

/// Writes them beside the events.
pub(super) fn write(simulated: &Simulated, folder: &Path) -> Result<()> {
    Ok(write_state(&folder.join("state.jsonl.zst"), &rows(simulated))?)
}
