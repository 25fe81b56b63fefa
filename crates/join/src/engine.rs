//! The engine: takes events in any order of nodes, closes windows when nothing that could matter is still to come, and
//! gives out fan-outs.
//!
//! # Order
//!
//! Windows close one at a time in a fixed order (number of the window, then initiator), each only when every node that could
//! change its outcome was heard far enough, and each looks at nothing beyond a fixed point of event time. So the rows depend on
//! the events alone, not on how they arrived.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::{Catalog, DiskIndex, IoColumns, JoinedRows, NodeIndex, StreamId, StreamIndex, Tap, Topology};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::clock::PairClock;
use crate::config::Config;
use crate::delays::Delays;
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::pool::Pool;
use crate::slowest::Replies;

mod again;
mod align;
mod breaks;
mod bulk;
mod caches;
mod close;
mod devices;
mod inspect;
mod lacking;
mod lane;
mod legs;
mod likely;
mod links;
mod lives;
mod losses;
mod merged;
mod overdue;
mod parity;
mod pieces;
mod resolve;
mod shifts;
mod state;
mod stream;
mod take;
mod unplaced;
mod windows;

use overdue::OverdueLegs;
use stream::Stream;
use take::observation_of;

pub use align::ClockReport;
pub use bulk::FanOuts;
pub use caches::CacheState;
pub use inspect::StreamReport;
pub use losses::OpenLoss;
pub use merged::SharedState;
pub use overdue::OverdueState;
pub(crate) use shifts::beats;
pub use shifts::{MistakenReport, ShiftReport, ShiftState, Standing};
pub use state::{DelaysState, PairState, RepliesState, State, StreamAccount, StreamState};
pub use unplaced::CorrelationState;

/// Resolutions are taken to be no coarser than this.
const COARSEST_NANOS: u64 = 60_000_000_000;

/// What a stream says of itself when it opens.
#[derive(Clone, Debug)]
pub struct StreamInfo {
    /// Its identity.
    pub id: StreamId,
    /// The taps that it gives, each with its resolution in nanoseconds.
    pub taps: Vec<(Tap, u64)>,
    /// From when on it would have seen an event that completed; `None` if it does not say.
    pub covered_from_unix_nanos: Option<i64>,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The source has no more events and the node will send none.
    Finished,
    /// The node goes on under a new incarnation.
    Replaced,
}

/// The join of one cluster.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    catalog: Catalog,
    layout: Layout,
    /// Nodes of the topology and whether a daemon is expected to speak for each.
    observed: BTreeMap<NodeIndex, bool>,
    silent: BTreeSet<NodeIndex>,
    /// Until when, on its clock, windows closed that a silent node could have had legs in.
    closed_without: BTreeMap<NodeIndex, i64>,
    /// Until when, on its clock, what far sides saw of the I/Os of a silent node was set aside.
    set_aside: BTreeMap<NodeIndex, i64>,
    streams: FxHashMap<StreamIndex, Stream>,
    /// The streams of each node in the order in which they were opened.
    lives: FxHashMap<NodeIndex, Vec<StreamIndex>>,
    pool: Pool,
    overdue: OverdueLegs,
    clocks: FxHashMap<(StreamIndex, StreamIndex), PairClock>,
    /// What was seen of pairs' clocks for the next windows and not judged yet.
    first_looks: FxHashMap<(StreamIndex, StreamIndex), breaks::FirstLook>,
    /// First votes on pairs' clocks, held and not counted yet.
    first_votes: FxHashMap<(StreamIndex, StreamIndex), align::FirstVote>,
    /// Streams with a clock that is in doubt or was set a short time ago: their events are no business of the bulk.
    unsettled: BTreeSet<StreamIndex>,
    replies: FxHashMap<StreamIndex, Replies>,
    /// Whether legs without an offset carry the IRP of their I/O, an initiator.
    correlations: unplaced::Correlations,
    shifts: shifts::Shifts,
    caches: caches::Caches,
    shared: merged::SharedEvents,
    /// Drives that hold no extent, as dictionaries name them.
    spares: BTreeSet<DiskIndex>,
    /// How long the steps of legs take, an initiator.
    delays: FxHashMap<StreamIndex, Delays>,
    rows: JoinedRows,
    workers: bulk::Workers,
    shelves: bulk::Shelves,
    /// Disks that were seen to split requests.
    barred: BTreeSet<DiskIndex>,
    /// What was decided in bulk, as it was made.
    fan_outs: Vec<FanOuts>,
    /// Events that a closed window contested and that were not decided when the state was kept.
    contested: BTreeSet<(StreamIndex, u64)>,
    /// The same of I/Os of which only the legs without an offset are contested.
    legs_contested: BTreeSet<(StreamIndex, u64)>,
    /// Events that ended before this are kept as pending, not sent again.
    pending_floor: i64,
}

/// What keeps the next window from closing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The node that has not been heard far enough.
    pub node: NodeIndex,
    /// It must say that nothing that completed before this is unsent; on its own clock.
    pub until_unix_nanos: i64,
}

impl Engine {
    /// An engine for one cluster. Events can be pushed once [`Self::set_topology`] was called.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            workers: bulk::Workers::new(config.threads),
            config,
            catalog: Catalog::default(),
            layout: Layout::default(),
            observed: BTreeMap::new(),
            silent: BTreeSet::new(),
            closed_without: BTreeMap::new(),
            set_aside: BTreeMap::new(),
            streams: FxHashMap::default(),
            lives: FxHashMap::default(),
            pool: Pool::default(),
            overdue: OverdueLegs::default(),
            clocks: FxHashMap::default(),
            first_looks: FxHashMap::default(),
            first_votes: FxHashMap::default(),
            unsettled: BTreeSet::new(),
            replies: FxHashMap::default(),
            correlations: unplaced::Correlations::default(),
            shifts: shifts::Shifts::default(),
            caches: caches::Caches::default(),
            shared: merged::SharedEvents::default(),
            spares: BTreeSet::new(),
            delays: FxHashMap::default(),
            rows: JoinedRows::default(),
            shelves: bulk::Shelves::default(),
            barred: BTreeSet::new(),
            fan_outs: Vec::new(),
            contested: BTreeSet::new(),
            legs_contested: BTreeSet::new(),
            pending_floor: i64::MIN,
        }
    }

    /// The names behind the indices in the engine's rows.
    #[must_use]
    pub const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Says what the cluster is made of. I/Os that are pushed later use the new extent map.
    pub fn set_topology(&mut self, topology: &Topology) {
        // What came before belongs to the map that was in force then.
        self.spill_all();
        self.layout = Layout::new(topology, &mut self.catalog);
        for disk in &topology.disks {
            if let Some(disk) = self.catalog.find_disk(disk) {
                self.spares.remove(&disk);
            }
        }
        self.layout.leave_out(&self.spares);
        self.observed = topology
            .nodes
            .iter()
            .map(|node| (self.catalog.intern_node(&node.id), node.observed))
            .collect();
        self.find_disks();
        self.note_shifts();
        self.set_lane_roles();
    }

    /// Opens a stream, new or known. A known one goes on where it was. Of one node the older streams are to be opened first.
    pub fn open_stream(&mut self, info: &StreamInfo) -> StreamIndex {
        let index = self.catalog.intern_stream(&info.id);
        let node = self.catalog.intern_node(&info.id.node);
        self.silent.remove(&node);
        let mut resolution = [None; Tap::ALL.len()];
        for &(tap, nanos) in &info.taps {
            // A stream that claims coarser times than a minute says nothing; larger numbers must not wrap.
            resolution[tap as usize] = Some(nanos.min(COARSEST_NANOS));
        }
        let lives = self.lives.entry(node).or_default();
        if !lives.contains(&index) {
            lives.push(index);
            // Which life saw what is no business of the bulk.
            let earlier = lives[..lives.len() - 1].to_vec();
            for stream in earlier {
                self.spill_until(stream, i64::MAX);
            }
        }
        let stream = self.streams.entry(index).or_insert_with(|| Stream::new(node));
        stream.resolution = resolution;
        stream.covered_from = stream.covered_from.or(info.covered_from_unix_nanos);
        index
    }

    /// The ordinal that the stream has to go on with.
    #[must_use]
    pub fn next_ordinal(&self, stream: StreamIndex) -> u64 {
        self.streams.get(&stream).map_or(0, |stream| stream.next)
    }

    /// Takes events. Ordinals that are already accounted for are dropped.
    ///
    /// # Errors
    ///
    /// When the stream is not open or has ended, ordinals are skipped without having been declared lost, or an event names a
    /// device that the dictionary does not have. Events before the faulty one were taken.
    pub fn push(&mut self, stream: StreamIndex, first_ordinal: u64, events: IoColumns) -> Result<()> {
        let state = self.streams.get(&stream).ok_or(Error::NotOpen)?;
        if first_ordinal > state.next {
            return Err(Error::Skipped {
                expected: state.next,
                found: first_ordinal,
            });
        }
        let known = usize::try_from(state.next - first_ordinal).unwrap_or(usize::MAX);
        // A batch of long ago that came again: nothing goes back to where it ends.
        if known >= events.len() {
            return Ok(());
        }
        state.not_after_end(state.next)?;
        self.stream_mut(stream).note_newest(&events, known);
        if self.gives(stream, Tap::Initiator) {
            self.stream_mut(stream).pauses.note(first_ordinal, &events);
        }
        if self.goes_to_lane(stream, first_ordinal, known, &events) {
            return self
                .fill_lane(stream, first_ordinal, known, events)
                .map_err(|(row, device)| Error::UnknownDevice {
                    ordinal: first_ordinal + row as u64,
                    device,
                });
        }
        for (at, event) in events.iter().enumerate().skip(known) {
            let ordinal = first_ordinal + at as u64;
            let state = self.streams.get_mut(&stream).ok_or(Error::NotOpen)?;
            let device = state
                .devices
                .get(event.device as usize)
                .cloned()
                .ok_or(Error::UnknownDevice {
                    ordinal,
                    device: event.device,
                })?;
            state.next = ordinal + 1;
            state.end_loss(ordinal, event.end_unix_nanos());
            if state.accounted.contains(ordinal) {
                continue;
            }
            let late = observation_of(stream, ordinal, &event).end_unix_nanos() < self.late_before(stream);
            self.take(observation_of(stream, ordinal, &event), &event, &device, late);
        }
        Ok(())
    }

    /// Says that no event of the stream that completed before `heard` (its own clock) is still to come.
    ///
    /// # Errors
    ///
    /// When the stream is not open.
    pub fn heard(&mut self, stream: StreamIndex, heard_unix_nanos: i64) -> Result<()> {
        let state = self.streams.get_mut(&stream).ok_or(Error::NotOpen)?;
        state.hear(heard_unix_nanos);
        Ok(())
    }

    /// Says that the stream has no more events.
    ///
    /// # Errors
    ///
    /// When the stream is not open.
    pub fn end(&mut self, stream: StreamIndex, end: End) -> Result<()> {
        let state = self.streams.get_mut(&stream).ok_or(Error::NotOpen)?;
        state.ended = Some(end);
        // Where a restart left nothing to be sent again, nobody says again what was heard.
        state.heard = state.heard.max(state.promised);
        // Nothing comes after the newest event, whatever was promised with it.
        if end == End::Finished {
            state.heard = state.heard.max(state.newest);
        }
        Ok(())
    }

    /// Says that nobody should wait for a node any more (it was not heard for the silence time), or that it is back.
    pub fn set_silent(&mut self, node: NodeIndex, silent: bool) {
        if silent {
            self.silent.insert(node);
        } else {
            self.silent.remove(&node);
        }
    }

    /// Nodes that nobody waits for.
    pub fn silent(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        self.silent.iter().copied()
    }

    /// Takes the rows decided since the last call, in the order of their windows.
    #[must_use]
    pub fn take_rows(&mut self) -> JoinedRows {
        let (fan_outs, mut rows) = self.take_columns();
        rows.ios.reserve_exact(fan_outs.iter().map(FanOuts::len).sum());
        rows.legs.reserve_exact(fan_outs.iter().map(FanOuts::legs).sum());
        fan_outs.iter().for_each(|one| one.append_to(&mut rows));
        // What was decided in bulk and what was not come apart; who looks at rows as they come takes them for the order of their windows.
        let width = self.config.window_nanos;
        rows.order_by_key(|io| io.event.end_unix_nanos().div_euclid(width));
        rows
    }

    /// Takes what was decided since the last call as it was made: what was decided in bulk as columns, and the rest, of which there
    /// are few, as rows. Nothing is copied.
    #[must_use]
    pub fn take_columns(&mut self) -> (Vec<FanOuts>, JoinedRows) {
        (std::mem::take(&mut self.fan_outs), std::mem::take(&mut self.rows))
    }

    /// Whether every stream has ended and everything was decided.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.in_memory() == 0 && self.all_ended()
    }

    /// I/Os and events in memory.
    #[must_use]
    pub fn in_memory(&self) -> usize {
        let lanes: usize = self.streams.values().map(|stream| stream.lane.open).sum();
        self.pool.ios.len() + self.pool.events.len() + lanes
    }

    /// How far the I/Os of a stream are decided: everything that completed before this, on its own clock.
    #[must_use]
    pub fn decided_until(&self, stream: StreamIndex) -> i64 {
        self.streams.get(&stream).map_or(i64::MIN, |stream| {
            stream.closed_until.saturating_mul(self.config.window_nanos)
        })
    }
}

#[cfg(test)]
mod tests;
