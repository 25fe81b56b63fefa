//! A recording through the join in one process.

use std::time::Duration;

use fathom_capture::Recording;
use fathom_diagnose::jobs::Running;
use fathom_join::{ClockReport, Config, End, Engine, StreamInfo};
use fathom_model::{
    Catalog, ClusterId, Incarnation, JoinedRows, NodeId, StreamId, StreamIndex, StreamKind, Tap, Topology,
};
use fathom_sources::replay::{Options as SourceOptions, ReplaySource};
use fathom_sources::{Polled, Source};

use crate::error::{Error, Result};
use crate::state;

/// How a recording is replayed.
#[derive(Clone, Debug)]
pub struct Options {
    /// Taps whose rows are left out.
    pub without: Vec<Tap>,
    /// Events a batch.
    pub batch_events: usize,
    /// Bounds of the join.
    pub join: Config,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            without: Vec::new(),
            batch_events: 4096,
            join: Config::default(),
        }
    }
}

/// A recording's fan-outs.
#[derive(Debug)]
pub struct Replayed {
    /// The rows.
    pub rows: JoinedRows,
    /// The names behind their indices.
    pub catalog: Catalog,
    /// What is known of the clocks at the end.
    pub clocks: Vec<ClockReport>,
    /// Events that were played, a node.
    pub events: Vec<(NodeId, u64)>,
    /// Nodes that the recording names and has no events of.
    pub missing_nodes: Vec<NodeId>,
    /// What about the recording is odd without being wrong.
    pub warnings: Vec<String>,
    /// How the cluster is laid out.
    pub topology: Topology,
    /// Storage jobs that its state says to have run; none where it has no state.
    pub jobs: Vec<Running>,
}

/// Plays all nodes of a recording through the join.
///
/// # Errors
///
/// When the recording cannot be read.
pub fn replay(recording: &Recording, options: &Options) -> Result<Replayed> {
    let mut engine = Engine::new(options.join.clone());
    engine.set_topology(recording.topology());
    let mut players = Vec::new();
    let mut missing_nodes = Vec::new();
    let mut warnings = odd(recording);
    for node in recording.nodes() {
        if node.events.is_none() {
            missing_nodes.push(node.id.clone());
            continue;
        }
        let source = ReplaySource::open(
            recording,
            &node.id,
            SourceOptions {
                without: options.without.clone(),
                pace: None,
            },
        )?;
        warnings.extend_from_slice(source.warnings());
        players.push(Player::open(&mut engine, source, recording)?);
    }
    let mut rows = JoinedRows::default();
    // Whoever is furthest behind plays next, so that no node's events pile up.
    while let Some(player) = players
        .iter_mut()
        .filter(|player| !player.ended)
        .min_by_key(|player| player.heard)
    {
        player.play(&mut engine, options.batch_events)?;
        engine.advance();
        rows.append(engine.take_rows());
    }
    engine.advance();
    rows.append(engine.take_rows());
    warnings.extend(engine.oddities());
    tidy(&mut warnings);
    Ok(Replayed {
        clocks: engine.clocks(),
        catalog: engine.catalog().clone(),
        events: players
            .iter()
            .map(|player| (player.node.clone(), player.source.events()))
            .collect(),
        rows,
        missing_nodes,
        warnings,
        topology: recording.topology().clone(),
        jobs: state::jobs(recording)?,
    })
}

/// What about the folder and its extent map does not fit together.
fn odd(recording: &Recording) -> Vec<String> {
    let stranger = |name: String| format!("{name} is of no node that run.json's topology names: it was not read");
    let strangers = recording.strangers().into_iter().map(stranger);
    recording.topology().oddities().into_iter().chain(strangers).collect()
}

/// Puts what is odd into one order, each said once: whoever hears it from several sides says the same.
pub fn tidy(warnings: &mut Vec<String>) {
    warnings.sort_unstable();
    warnings.dedup();
}

/// What about a recording is odd without being wrong, as a replay says it, without joining it.
///
/// # Errors
///
/// When the recording cannot be read.
pub fn warnings(recording: &Recording, without: &[Tap]) -> Result<Vec<String>> {
    let mut warnings = odd(recording);
    for node in recording.nodes().iter().filter(|node| node.events.is_some()) {
        let options = SourceOptions {
            without: without.to_vec(),
            pace: None,
        };
        warnings.extend_from_slice(ReplaySource::open(recording, &node.id, options)?.warnings());
    }
    tidy(&mut warnings);
    Ok(warnings)
}

/// The cluster that a recording's events belong to.
#[must_use]
pub fn cluster_of(recording: &Recording) -> ClusterId {
    ClusterId::new(recording.run().name.as_str())
}

struct Player {
    node: NodeId,
    source: ReplaySource,
    stream: StreamIndex,
    heard: i64,
    ended: bool,
}

impl Player {
    fn open(engine: &mut Engine, source: ReplaySource, recording: &Recording) -> Result<Self> {
        let description = source.describe();
        let info = StreamInfo {
            id: StreamId {
                cluster: cluster_of(recording),
                node: description.node.clone(),
                kind: StreamKind::Io,
                incarnation: description
                    .incarnation
                    .unwrap_or_else(|| Incarnation::from_bytes([0; 16])),
            },
            taps: description.taps,
            covered_from_unix_nanos: description.covered_from_unix_nanos,
        };
        let stream = engine.open_stream(&info);
        let refused = |source| Error::Join {
            node: description.node.to_string(),
            source,
        };
        engine.set_devices(stream, source.devices()).map_err(refused)?;
        Ok(Self {
            node: description.node,
            source,
            stream,
            heard: i64::MIN,
            ended: false,
        })
    }

    fn play(&mut self, engine: &mut Engine, batch_events: usize) -> Result<()> {
        let node = self.node.to_string();
        let refused = |source| Error::Join { node, source };
        match self.source.poll(Duration::ZERO, batch_events)? {
            Polled::Events(batch) => {
                self.heard = batch.complete_until_unix_nanos;
                engine
                    .push(self.stream, batch.first_ordinal, batch.columns)
                    .and_then(|()| engine.heard(self.stream, batch.complete_until_unix_nanos))
                    .map_err(refused)
            }
            Polled::Gap(gap) => {
                let told = engine.gap(self.stream, gap.from_unix_nanos, gap.until_unix_nanos);
                told.map(drop).map_err(refused)
            }
            Polled::Quiet {
                complete_until_unix_nanos,
            } => {
                self.heard = complete_until_unix_nanos;
                engine.heard(self.stream, complete_until_unix_nanos).map_err(refused)
            }
            Polled::Later(_) => Ok(()),
            Polled::End => {
                self.ended = true;
                engine.end(self.stream, End::Finished).map_err(refused)
            }
        }
    }
}

/// The rows of a recording's files behind the ordinals of a stream that leaves taps out.
#[derive(Clone, Debug, Default)]
pub struct RowMap {
    kept: Vec<(NodeId, Vec<u64>)>,
}

impl RowMap {
    /// For all nodes of a recording. Without left-out taps an ordinal is its row, and nothing is read.
    ///
    /// # Errors
    ///
    /// When the recording cannot be read.
    pub fn new(recording: &Recording, without: &[Tap]) -> Result<Self> {
        let mut map = Self::default();
        if without.is_empty() {
            return Ok(map);
        }
        for node in recording.nodes().iter().filter(|node| node.events.is_some()) {
            let mut reader = recording.events(&node.id)?;
            let mut kept = Vec::new();
            while let Some(batch) = reader.next_batch(4096)? {
                let rows = batch.columns.iter().zip(batch.first_row..);
                kept.extend(
                    rows.filter(|(event, _)| !without.contains(&event.tap))
                        .map(|(_, row)| row),
                );
            }
            map.kept.push((node.id.clone(), kept));
        }
        Ok(map)
    }

    /// The row behind an ordinal.
    #[must_use]
    pub fn row(&self, node: &NodeId, ordinal: u64) -> u64 {
        let kept = self.kept.iter().find(|(name, _)| name == node).map(|(_, kept)| kept);
        kept.and_then(|kept| kept.get(usize::try_from(ordinal).ok()?).copied())
            .unwrap_or(ordinal)
    }
}
