//! What a commit keeps, so that a successor goes on as if nothing had happened.
//!
//! Names, not indices: a successor numbers them anew.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::{
    Catalog, Device, NodeId, NodeIndex, Observation, Op, PendingEvent, RangeSet, StreamId, StreamIndex, Tap, Topology,
};
use serde::{Deserialize, Serialize};

use super::caches::{CacheState, Caches};
use super::merged::{SharedEvents, SharedState};
use super::shifts::{ShiftState, Shifts};
use super::{CorrelationState, End, Engine, OpenLoss, OverdueLegs, OverdueState, StreamInfo};
use crate::clock::{ClockState, PairClock};
use crate::config::Config;
use crate::delays::Delays;
use crate::error::Result;
use crate::pauses::Pauses;
use crate::pool::LegEvent;
use crate::slowest::Replies;

/// The engine's state between two windows, without the events that are still open: those are sent again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Every stream ever heard that may still matter; of each node in the order of their lives.
    pub streams: Vec<StreamState>,
    /// Alignment of each pair.
    pub clocks: Vec<PairState>,
    /// How long replies take, an initiator.
    pub replies: Vec<RepliesState>,
    /// How long the steps of legs take, an initiator; none in records of before they were kept.
    #[serde(default)]
    pub delays: Vec<DelaysState>,
    /// Until when windows closed that a silent node could have had legs in.
    pub closed_without: Vec<(NodeId, i64)>,
    /// Until when what far sides saw of the I/Os of a silent node was set aside; none in records of before this was kept.
    #[serde(default)]
    pub set_aside: Vec<(NodeId, i64)>,
    /// I/Os that closed without a leg that may still come; none in records of before they were kept.
    #[serde(default)]
    pub overdue: Vec<OverdueState>,
    /// Whether legs without an offset carry the IRP of their I/O; none in records of before this was learnt.
    #[serde(default)]
    pub correlations: Vec<CorrelationState>,
    /// How far offsets at each disk are shifted; none in records of before they were learnt.
    #[serde(default)]
    pub shifts: Vec<ShiftState>,
    /// Drives that take other disks' requests; none in records of before they were learnt.
    #[serde(default)]
    pub caches: Vec<CacheState>,
    /// Drives' events that legs of open windows share with decided ones.
    #[serde(default)]
    pub shared: Vec<SharedState>,
}

/// What is kept of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamState {
    /// Its identity.
    pub id: StreamId,
    /// Below this every ordinal is accounted for.
    pub position: u64,
    /// Ordinals beyond the position that are accounted for already.
    pub accounted: RangeSet,
    /// Taps and their resolutions.
    pub taps: Vec<(Tap, u64)>,
    /// The device dictionary.
    pub devices: Vec<Device>,
    /// From when on it would have seen an event.
    pub covered_from_unix_nanos: Option<i64>,
    /// Until when it was heard.
    pub heard_unix_nanos: i64,
    /// Completion of the newest event that came; none where none did, and in records of before this was kept.
    #[serde(default)]
    pub newest_unix_nanos: Option<i64>,
    /// How it ended, if it did.
    pub ended: Option<End>,
    /// Stretches of time in which its source lost events.
    pub gaps: Vec<(i64, i64)>,
    /// Ordinals lost, ever.
    pub lost: u64,
    /// Ordinals lost after which no event had come yet; none in records of before this was kept.
    #[serde(default)]
    pub open_loss: Option<OpenLoss>,
    /// No ordinal from the position on completed before this; none where events are still open, which are sent again.
    #[serde(default)]
    pub promised_unix_nanos: Option<i64>,
    /// Stretches in which no leg ended; none in records of before they were looked at.
    #[serde(default)]
    pub pauses: Option<Pauses>,
    /// Windows below this number have closed.
    pub closed_until: i64,
    /// Open events that a closed window could have had.
    pub contested: Vec<u64>,
    /// Open I/Os whose legs without an offset a closed window could have had; none in records of before such legs were tied.
    #[serde(default)]
    pub legs_contested: Vec<u64>,
}

/// What is kept of a pair's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairState {
    /// The initiator's stream.
    pub initiator: StreamId,
    /// The far node's stream.
    pub far: StreamId,
    /// Its alignment.
    pub clock: ClockState,
}

/// What is kept of an initiator's replies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepliesState {
    /// The initiator's stream.
    pub initiator: StreamId,
    /// Nodes by the numbers that `replies` uses.
    pub nodes: Vec<NodeId>,
    /// The distributions.
    pub replies: Replies,
}

/// What is kept of how long an initiator's legs take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelaysState {
    /// The initiator's stream.
    pub initiator: StreamId,
    /// Nodes by the numbers that `delays` uses.
    pub nodes: Vec<NodeId>,
    /// The distributions.
    pub delays: Delays,
}

/// Up to where a stream is accounted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamAccount {
    /// The stream.
    pub stream: StreamIndex,
    /// Below this every ordinal is accounted for.
    pub position: u64,
    /// Ordinals beyond the position that are accounted for already.
    pub accounted: RangeSet,
}

impl Engine {
    /// Up to where each stream is accounted for, if the rows taken so far and the pending events are kept.
    #[must_use]
    pub fn accounts(&self) -> Vec<StreamAccount> {
        let mut open: BTreeMap<StreamIndex, Vec<u64>> = BTreeMap::new();
        for (_, io) in &self.pool.ios {
            open.entry(io.event.stream).or_default().push(io.event.ordinal);
        }
        for (_, event) in self.pool.events.iter().filter(|(_, event)| !self.is_pending(event)) {
            open.entry(event.event.stream).or_default().push(event.event.ordinal);
        }
        for (&stream, state) in self.streams.iter().filter(|(_, state)| state.lane.open > 0) {
            let waiting = state.lane.events().map(|(_, batch, row)| batch.first + row as u64);
            open.entry(stream).or_default().extend(waiting);
        }
        let account = |&stream: &StreamIndex| {
            let state = &self.streams[&stream];
            let mut ordinals = open.remove(&stream).unwrap_or_default();
            ordinals.sort_unstable();
            let mut accounted = state.accounted.clone();
            let mut from = 0;
            for ordinal in ordinals {
                accounted.insert(from, ordinal);
                from = ordinal + 1;
            }
            accounted.insert(from, state.next);
            let position = match accounted.ranges().first() {
                Some(&(0, end)) => end,
                _ => 0,
            };
            accounted.remove_below(position);
            StreamAccount {
                stream,
                position,
                accounted,
            }
        };
        let mut streams: Vec<StreamIndex> = self.streams.keys().copied().collect();
        streams.sort_by_key(|&stream| self.catalog.stream(stream));
        streams.iter().map(account).collect()
    }

    /// The events to keep beside the state: older than every open window, and without an I/O.
    #[must_use]
    pub fn pending(&self) -> Vec<PendingEvent> {
        let mut pending: Vec<PendingEvent> = self
            .pool
            .events
            .iter()
            .filter(|(_, event)| self.is_pending(event))
            .map(|(_, event)| PendingEvent {
                stream: self.catalog.stream(event.event.stream).clone(),
                event: event.event,
                tap: event.tap,
                device: event.device,
                op: event.op,
                offset: event.shown_offset(),
                length: event.length,
                disk: event.disk.map(|disk| self.catalog.disk(disk).clone()),
                peer: event.peer.map(|peer| self.catalog.node(peer).clone()),
                copy: event
                    .copy
                    .map(|(volume, copy)| (self.catalog.volume(volume).clone(), copy)),
                correlation: event.correlation,
                contested: event.contested,
                late: event.late,
            })
            .collect();
        pending.sort_by(|a, b| (&a.stream, a.event.ordinal).cmp(&(&b.stream, b.event.ordinal)));
        pending
    }

    /// What was accounted for once stays so, since whoever sent it may have let go of it.
    const fn is_pending(&self, event: &LegEvent) -> bool {
        event.kept || event.event.end_unix_nanos() < self.pending_floor
    }

    /// Where the open windows begin, by the initiators' clocks. Any choice would be right as long as it never goes back: what
    /// is not kept as pending is sent again.
    pub(super) fn raise_pending_floor(&mut self) {
        let open = |stream: &super::Stream| match stream.first_window() {
            Some(window) => Some(window.saturating_mul(self.config.window_nanos)),
            None => (stream.ended.is_none()).then(|| stream.closed_until.saturating_mul(self.config.window_nanos)),
        };
        let writers = self
            .streams
            .values()
            .filter(|stream| stream.resolution[Tap::Volume as usize].is_some());
        let floor = writers.filter_map(open).min().unwrap_or(i64::MIN);
        self.pending_floor = self.pending_floor.max(floor);
    }

    fn came(&self, stream: StreamIndex, ordinal: u64) -> bool {
        let state = self.streams.get(&stream);
        state.is_none_or(|state| ordinal < state.next || state.accounted.contains(ordinal))
    }

    /// The state to keep, together with [`Self::pending`] and the rows taken so far.
    #[must_use]
    pub fn state(&self) -> State {
        let mut contested: BTreeMap<StreamIndex, BTreeSet<u64>> = BTreeMap::new();
        for (_, io) in self.pool.ios.iter().filter(|(_, io)| io.contested) {
            contested.entry(io.event.stream).or_default().insert(io.event.ordinal);
        }
        for (_, event) in self.pool.events.iter().filter(|(_, event)| event.contested) {
            contested
                .entry(event.event.stream)
                .or_default()
                .insert(event.event.ordinal);
        }
        // What was contested before a restart and has not been sent again yet is still so.
        for &(stream, ordinal) in self
            .contested
            .iter()
            .filter(|(stream, ordinal)| !self.came(*stream, *ordinal))
        {
            contested.entry(stream).or_default().insert(ordinal);
        }
        let mut legs_contested: BTreeMap<StreamIndex, BTreeSet<u64>> = BTreeMap::new();
        let open = self.pool.ios.iter().filter(|(_, io)| io.legs_contested);
        let open = open.map(|(_, io)| (io.event.stream, io.event.ordinal));
        let to_come = self.legs_contested.iter().copied();
        for (stream, ordinal) in open.chain(to_come.filter(|&(stream, ordinal)| !self.came(stream, ordinal))) {
            legs_contested.entry(stream).or_default().insert(ordinal);
        }
        // Of each node in the order of their lives, which is not that of their names.
        let mut accounts = self.accounts();
        let life = |stream: StreamIndex| {
            let node = self.streams[&stream].node;
            self.lives(node).iter().position(|&other| other == stream)
        };
        accounts.sort_by_key(|account| (&self.catalog.stream(account.stream).node, life(account.stream)));
        let streams = accounts
            .into_iter()
            .map(|account| {
                let stream = &self.streams[&account.stream];
                let resolution = |tap: Tap| stream.resolution[tap as usize].map(|nanos| (tap, nanos));
                StreamState {
                    id: self.catalog.stream(account.stream).clone(),
                    position: account.position,
                    accounted: account.accounted,
                    taps: Tap::ALL.into_iter().filter_map(resolution).collect(),
                    devices: stream.described.clone(),
                    covered_from_unix_nanos: stream.covered_from,
                    heard_unix_nanos: stream.heard,
                    newest_unix_nanos: (stream.newest != i64::MIN).then_some(stream.newest),
                    // With events still open somebody has to send them again and say again that this was the end.
                    ended: stream.ended.filter(|_| account.position == stream.next),
                    gaps: stream.gaps.clone(),
                    lost: stream.lost,
                    open_loss: stream.open_loss,
                    promised_unix_nanos: (account.position == stream.next && stream.promised != i64::MIN)
                        .then_some(stream.promised),
                    pauses: Some(stream.pauses.clone()),
                    closed_until: stream.closed_until,
                    legs_contested: legs_contested
                        .remove(&account.stream)
                        .unwrap_or_default()
                        .into_iter()
                        .collect(),
                    contested: contested
                        .remove(&account.stream)
                        .unwrap_or_default()
                        .into_iter()
                        .collect(),
                }
            })
            .collect();
        let id = |stream: StreamIndex| self.catalog.stream(stream).clone();
        let mut clocks: Vec<PairState> = self
            .clocks
            .iter()
            .map(|(&(initiator, far), clock)| PairState {
                initiator: id(initiator),
                far: id(far),
                clock: clock.state(),
            })
            .collect();
        clocks.sort_by(|a, b| (&a.initiator, &a.far).cmp(&(&b.initiator, &b.far)));
        let mut replies: Vec<RepliesState> = self
            .replies
            .iter()
            .map(|(&initiator, replies)| RepliesState {
                initiator: id(initiator),
                nodes: self.catalog.nodes().to_vec(),
                replies: replies.clone(),
            })
            .collect();
        replies.sort_by(|a, b| a.initiator.cmp(&b.initiator));
        let mut delays: Vec<DelaysState> = self
            .delays
            .iter()
            .map(|(&initiator, delays)| DelaysState {
                initiator: id(initiator),
                nodes: self.catalog.nodes().to_vec(),
                delays: delays.clone(),
            })
            .collect();
        delays.sort_by(|a, b| a.initiator.cmp(&b.initiator));
        let of_nodes = |times: &BTreeMap<NodeIndex, i64>| -> Vec<(NodeId, i64)> {
            let times = times.iter();
            times
                .map(|(&node, &until)| (self.catalog.node(node).clone(), until))
                .collect()
        };
        State {
            streams,
            clocks,
            replies,
            delays,
            closed_without: of_nodes(&self.closed_without),
            set_aside: of_nodes(&self.set_aside),
            overdue: self.overdue.state(&self.catalog),
            correlations: self.correlation_state(),
            shifts: self.shifts.state(&self.catalog),
            caches: self.caches.state(&self.catalog),
            shared: self.shared.state(&self.catalog),
        }
    }

    /// An engine that goes on from a kept state.
    ///
    /// # Errors
    ///
    /// When the state contradicts itself.
    pub fn restore(config: Config, topology: &Topology, state: State, pending: Vec<PendingEvent>) -> Result<Self> {
        let mut engine = Self::new(config);
        engine.set_topology(topology);
        engine.shifts = Shifts::restore(&mut engine.catalog, state.shifts);
        engine.caches = Caches::restore(&mut engine.catalog, state.caches);
        engine.shared = SharedEvents::restore(&mut engine.catalog, state.shared);
        engine.resume_caches();
        for stream in state.streams {
            let info = StreamInfo {
                id: stream.id,
                taps: stream.taps,
                covered_from_unix_nanos: stream.covered_from_unix_nanos,
            };
            let index = engine.open_stream(&info);
            engine.set_devices(index, &stream.devices)?;
            engine
                .contested
                .extend(stream.contested.into_iter().map(|ordinal| (index, ordinal)));
            engine
                .legs_contested
                .extend(stream.legs_contested.into_iter().map(|ordinal| (index, ordinal)));
            if let Some(open) = engine.streams.get_mut(&index) {
                open.next = stream.position;
                open.accounted = stream.accounted;
                // Events that are sent again must not look late: what was heard is said again as well.
                open.heard = if stream.ended.is_some() {
                    stream.heard_unix_nanos
                } else {
                    i64::MIN
                };
                open.newest = stream.newest_unix_nanos.unwrap_or(i64::MIN);
                open.gaps = stream.gaps;
                open.lost = stream.lost;
                open.open_loss = stream.open_loss;
                open.promised = stream.promised_unix_nanos.unwrap_or(i64::MIN);
                open.pauses = stream.pauses.unwrap_or_else(|| Pauses::resumed(stream.position));
                open.closed_until = stream.closed_until;
                open.ended = stream.ended;
            }
        }
        let catalog = &mut engine.catalog;
        for pair in state.clocks {
            let key = (catalog.intern_stream(&pair.initiator), catalog.intern_stream(&pair.far));
            engine
                .clocks
                .insert(key, PairClock::restore(&engine.config, pair.clock));
        }
        for kept in state.replies {
            let renamed: Vec<u32> = kept.nodes.iter().map(|node| catalog.intern_node(node).0).collect();
            let replies = kept.replies.with_nodes(|node| renamed.get(node as usize).copied());
            engine.replies.insert(catalog.intern_stream(&kept.initiator), replies);
        }
        for kept in state.delays {
            let renamed: Vec<u32> = kept.nodes.iter().map(|node| catalog.intern_node(node).0).collect();
            let delays = kept.delays.with_nodes(|node| renamed.get(node as usize).copied());
            engine.delays.insert(catalog.intern_stream(&kept.initiator), delays);
        }
        for (node, until) in state.closed_without {
            engine.closed_without.insert(catalog.intern_node(&node), until);
        }
        for (node, until) in state.set_aside {
            engine.set_aside.insert(catalog.intern_node(&node), until);
        }
        engine.overdue = OverdueLegs::restore(catalog, state.overdue);
        engine.correlations = super::unplaced::restore(catalog, state.correlations);
        for event in pending {
            let mut event = revive(&mut engine.catalog, event);
            event.unplaced = engine.is_unplaced(&event);
            if let Some(disk) = event
                .disk
                .filter(|_| event.tap != Tap::Initiator && event.op != Op::Flush)
            {
                event.shift = engine.shifts.of(disk, event.tap);
                event.offset = event.offset.wrapping_sub_signed(event.shift);
            }
            engine.pool.insert_event(event);
        }
        Ok(engine)
    }
}

fn revive(catalog: &mut Catalog, kept: PendingEvent) -> LegEvent {
    let stream = catalog.intern_stream(&kept.stream);
    LegEvent {
        event: Observation { stream, ..kept.event },
        tap: kept.tap,
        node: catalog.intern_node(&kept.stream.node),
        device: kept.device,
        op: kept.op,
        offset: kept.offset,
        shift: 0,
        length: kept.length,
        disk: kept.disk.map(|disk| catalog.intern_disk(&disk)),
        peer: kept.peer.map(|peer| catalog.intern_node(&peer)),
        copy: kept.copy.map(|(volume, copy)| (catalog.intern_volume(&volume), copy)),
        correlation: kept.correlation,
        unplaced: false,
        contested: kept.contested,
        late: kept.late,
        kept: true,
    }
}
