//! A simulated cluster through join and diagnosis, as time passes.

use std::cmp::Reverse;
use std::collections::VecDeque;

use fathom_capture::StateRow;
use fathom_diagnose::jobs::{Foreign, fold};
use fathom_diagnose::watch::{Shown, Watch};
use fathom_join::{Config as JoinConfig, End, Engine, StreamInfo};
use fathom_model::report::Culprit;
use fathom_model::{
    Catalog, ClusterId, Incarnation, IoColumns, JoinedRows, Op, StreamId, StreamIndex, StreamKind, Tap,
};
use fathom_simulate::config::FaultKind;
use fathom_simulate::{Clock, NodeEvents, Simulated};

use crate::error::{Error, Result};
use crate::simulate::state::timed;
use crate::state::Standing;

/// Events are given to the join so much true time at once: what was named is known to be named to within this.
const STEP_NANOS: u64 = 500_000_000;

/// What was said of a cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct Played {
    /// All that was said at any time: how, and when first in true time since the run's start.
    pub(super) said: Vec<(Culprit, u64)>,
    /// What is said at the end, the costliest first.
    pub(super) culprits: Vec<Culprit>,
    /// Findings of which a write that is shown does not lead to events, or that show none.
    pub(super) without_evidence: u64,
    /// Writes joined.
    pub(super) writes: u64,
    /// All rows, where they were to be kept, and the names behind them.
    pub(super) rows: JoinedRows,
    pub(super) names: Catalog,
}

struct Player<'a> {
    events: &'a NodeEvents,
    clock: Clock,
    stream: StreamIndex,
    next: usize,
    /// Of each row, the earliest completion in it or any later one.
    complete_until: Vec<i64>,
}

/// Plays a cluster.
pub(super) fn play(simulated: &Simulated, keep: bool) -> Result<Played> {
    let mut engine = Engine::new(JoinConfig::default());
    engine.set_topology(&simulated.topology);
    let mut players = Vec::new();
    for (events, &clock) in simulated
        .nodes
        .iter()
        .zip(&simulated.clocks)
        .filter(|(node, _)| node.observed)
    {
        players.push(open(&mut engine, simulated, events, clock)?);
    }
    let mut watch = Watch::default();
    let mut jobs = Jobs::new(simulated);
    let mut played = Played::default();
    let mut kept = JoinedRows::default();
    let mut now = 0;
    loop {
        now += STEP_NANOS;
        let mut ended = true;
        for player in &mut players {
            ended &= player.play(&mut engine, now)?;
        }
        engine.advance();
        let rows = engine.take_rows();
        for io in &rows.ios {
            played.writes += u64::from(io.op == Op::Write);
            watch.add(&rows, io);
        }
        jobs.see(&rows, engine.catalog(), now);
        if ended {
            watch.finish();
        }
        let found = watch.findings().iter().map(|finding| finding.report(engine.catalog()));
        for culprit in jobs.fold(found.collect()) {
            if !played.said.iter().any(|(said, _)| same(said, &culprit)) {
                played.said.push((culprit, now));
            }
        }
        if keep {
            kept.append(rows);
        }
        if ended {
            break;
        }
    }
    played.culprits = jobs.fold(watch.report(engine.catalog()));
    for finding in watch.findings() {
        let shown = |&(_, write): &(u64, Shown)| keep && follows(write, &kept, engine.catalog(), simulated);
        if keep && (finding.shown.is_empty() || !finding.shown.iter().all(shown)) {
            played.without_evidence += 1;
        }
    }
    played.rows = kept;
    played.names = engine.catalog().clone();
    Ok(played)
}

/// What state says of storage jobs, read as it would be, where the cluster has any.
struct Jobs {
    readings: VecDeque<(u64, Vec<StateRow>)>,
    standing: Standing,
    foreign: Foreign,
}

impl Jobs {
    fn new(simulated: &Simulated) -> Self {
        let has_jobs = simulated
            .faults
            .iter()
            .any(|mark| matches!(mark.fault.what, FaultKind::Repair { .. }));
        Self {
            readings: if has_jobs {
                timed(simulated).into()
            } else {
                VecDeque::new()
            },
            standing: Standing::new(&simulated.topology),
            foreign: Foreign::default(),
        }
    }

    /// Takes what was read before a moment, and what moved for no write.
    fn see(&mut self, rows: &JoinedRows, catalog: &Catalog, now: u64) {
        rows.unmatched.iter().for_each(|event| self.foreign.add(event, catalog));
        while self.readings.front().is_some_and(|(at, _)| *at < now) {
            for row in self.readings.pop_front().into_iter().flat_map(|(_, rows)| rows) {
                // What counters say is told of findings and not of culprits.
                if matches!(row, StateRow::Observation(_)) {
                    self.standing.add(&row);
                }
            }
        }
    }

    /// What was found, with what jobs explain as theirs; the costliest first.
    fn fold(&self, mut found: Vec<Culprit>) -> Vec<Culprit> {
        for job in self.standing.jobs() {
            fold(&mut found, &mut None, &job, &self.foreign);
            found.sort_by_key(|culprit| Reverse(culprit.cost_ns));
        }
        found
    }
}

fn same(one: &Culprit, other: &Culprit) -> bool {
    let of = |culprit: &Culprit| {
        let mut ends = [culprit.node.clone(), culprit.peer.clone()];
        ends.sort();
        (
            culprit.kind.clone(),
            ends,
            culprit.disk.clone(),
            culprit.resource.clone(),
        )
    };
    of(one) == of(other)
}

/// Whether a write leads through its row and its legs to the events that they were made from.
fn follows(write: Shown, rows: &JoinedRows, catalog: &Catalog, simulated: &Simulated) -> bool {
    let event = |stream: StreamIndex, ordinal: u64| {
        let node = &catalog.stream(stream).node;
        let events = simulated.nodes.iter().find(|events| events.id == *node)?;
        events.rows.get(usize::try_from(ordinal).ok()?)
    };
    let row = rows
        .ios
        .iter()
        .find(|io| io.event.stream == write.stream && io.event.ordinal == write.ordinal);
    let Some(io) = row else { return false };
    let is_write = event(io.event.stream, io.event.ordinal).is_some_and(|event| {
        event.tap == Tap::Volume && event.op == Op::Write && event.duration_nanos == io.event.duration_nanos
    });
    let legs = rows.legs_of(io);
    let seen = legs.iter().flat_map(|leg| {
        [Tap::Initiator, Tap::Target, Tap::Device]
            .into_iter()
            .filter_map(|tap| Some((tap, leg.observation(tap)?)))
    });
    let mut count = 0;
    let all = seen.into_iter().all(|(tap, seen)| {
        count += 1;
        event(seen.stream, seen.ordinal).is_some_and(|event| event.tap == tap)
    });
    is_write && all && count > 0
}

fn open<'a>(engine: &mut Engine, simulated: &Simulated, events: &'a NodeEvents, clock: Clock) -> Result<Player<'a>> {
    let mut complete_until = Vec::with_capacity(events.rows.len());
    let rows = &events.rows;
    let mut earliest = i64::MAX;
    for row in (0..rows.len()).rev() {
        let end = rows.starts_unix_nanos()[row].saturating_add_unsigned(rows.durations_nanos()[row]);
        earliest = earliest.min(end);
        complete_until.push(earliest);
    }
    complete_until.reverse();
    let resolution = simulated.config.recording.resolution_nanos;
    let taps = Tap::ALL.into_iter().filter(|tap| rows.taps().contains(tap));
    let info = StreamInfo {
        id: StreamId {
            cluster: ClusterId::new(simulated.config.name.as_str()),
            node: events.id.clone(),
            kind: StreamKind::Io,
            incarnation: Incarnation::from_bytes([1; 16]),
        },
        taps: taps.map(|tap| (tap, resolution)).collect(),
        covered_from_unix_nanos: complete_until.first().copied(),
    };
    let stream = engine.open_stream(&info);
    engine
        .set_devices(stream, &events.devices)
        .map_err(|source| refused(events, source))?;
    Ok(Player {
        events,
        clock,
        stream,
        next: 0,
        complete_until,
    })
}

fn refused(events: &NodeEvents, source: fathom_join::Error) -> Error {
    Error::Join {
        node: events.id.to_string(),
        source,
    }
}

impl Player<'_> {
    /// Gives what completed before a moment; whether that was all.
    fn play(&mut self, engine: &mut Engine, now: u64) -> Result<bool> {
        let failed = |source| refused(self.events, source);
        let times = &self.events.true_times;
        if self.next == times.len() {
            return Ok(true);
        }
        let until = self.next + times[self.next..].partition_point(|&(_, end)| end < now);
        let rows = &self.events.rows;
        if until > self.next {
            let batch: IoColumns = (self.next..until).filter_map(|row| rows.get(row)).collect();
            engine.push(self.stream, self.next as u64, batch).map_err(failed)?;
            self.next = until;
        }
        if self.next == times.len() {
            engine.end(self.stream, End::Finished).map_err(failed)?;
            return Ok(true);
        }
        // What its clock shows now, but nothing that a clock that is set back later makes untrue.
        let heard = self.clock.shown(now).min(self.complete_until[self.next]);
        engine.heard(self.stream, heard).map_err(failed)?;
        Ok(false)
    }
}
