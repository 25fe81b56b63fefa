//! Deciding a window's I/Os in bulk: those for which only one assignment is possible, which are nearly all.
//!
//! A round takes the windows of one number, all initiators together, and decides in slices of time what is clean ([`decide`],
//! [`slice`]). Whatever else completed in the windows goes to the pool and is decided there, as if there had been no bulk, and
//! so does what has to do with it ([`rest`], [`contend`]); what has only to do with later windows stays in the lanes.
//!
//! INVARIANT: an I/O is decided here only when deciding it among all events and I/Os with its keys would give the same. So where
//! an event waits never changes a row (`tests/bulk.rs` holds one way against the other).

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use fathom_model::{DiskIndex, StreamIndex};
use rustc_hash::FxHashSet;

use super::Engine;
use super::devices::DeviceEntry;
use super::lane::{At, Lane};
use crate::clock::Constraints;

mod claim;
mod contend;
mod context;
mod decide;
mod emit;
mod fan_outs;
mod gather;
mod parallel;
mod requests;
mod rest;
mod shelves;
mod slice;
mod tightest;

use context::Context;
pub use fan_outs::FanOuts;
use gather::BulkIo;
pub(super) use gather::Gathered;
pub(super) use parallel::Workers;
pub(super) use requests::Asks;
use rest::Rest;
pub(super) use shelves::Shelves;
use slice::{Slice, Work};

const NOTHING: u32 = u32::MAX;

/// The I/Os that a round decided.
#[derive(Debug)]
pub(super) struct Round {
    context: Context,
    /// Of each side. What was decided refers to it.
    gathered: Vec<Arc<Gathered>>,
    slices: Vec<Slice>,
    span: (i64, i64),
}

/// Whose events those of a place's far side are, and what of a place was seen: leg, target, device.
#[derive(Clone, Copy, Debug)]
struct Pick {
    far: u16,
    seen: [bool; 3],
    /// Whether the far clock is known at the start of the I/O.
    has_clock: bool,
    /// The I/O may have waited for it.
    candidate: bool,
}

/// An entry of a stream's dictionary as slices look at it: small, since every event does.
#[derive(Clone, Copy, Debug)]
struct Entry {
    shift: i64,
    /// [`NOTHING`] where there is none, here and below.
    disk: u32,
    peer: u32,
    volume: u32,
    copy: u32,
}

impl Entry {
    fn of(device: &DeviceEntry) -> Self {
        Self {
            shift: device.shift,
            disk: device.disk.map_or(NOTHING, |disk| disk.0),
            peer: device.peer.map_or(NOTHING, |peer| peer.0),
            volume: device.volume.map_or(NOTHING, |volume| volume.0),
            copy: device.copy.unwrap_or(NOTHING),
        }
    }
}

impl Engine {
    pub(super) fn stream_mut(&mut self, stream: StreamIndex) -> &mut super::Stream {
        self.streams.get_mut(&stream).expect("the stream is open")
    }

    pub(super) fn span_of(&self, window: i64) -> Range<i64> {
        let width = self.config.window_nanos;
        window.saturating_mul(width)..(window + 1).saturating_mul(width)
    }

    /// Decides what is clean of the windows of one number, those of `streams`, and moves to the pool what has to do with the
    /// rest.
    pub(super) fn bulk_round(&mut self, window: i64, streams: &[StreamIndex]) -> Option<Round> {
        if self.streams.values().all(|stream| stream.lane.open == 0) {
            return None;
        }
        let ends = self.span_of(window);
        let span = (
            ends.start.saturating_sub(2 * self.config.window_nanos),
            self.cut(window),
        );
        let context = Context::new(self, span.0, span.1);
        let sides: Vec<StreamIndex> = context.sides.iter().map(|side| side.stream).collect();
        let initiators: Vec<usize> = (0..sides.len())
            .filter(|&side| streams.contains(&sides[side]))
            .collect();
        let gathered: Vec<Gathered> = sides
            .iter()
            .map(|&stream| {
                let known = self.stream_mut(stream).gathered.remove(&window);
                // What left the lane since it was gathered was gathered anew.
                known.unwrap_or_else(|| self.collect_ios(stream, &ends, i64::MAX))
            })
            .collect();
        let later = ends.end..span.1;
        let anywhere = rest::asks_unknown(self, &context, &gathered, &later);
        let settled = rest::horizon(&context, &initiators, ends.end);
        let horizon = if anywhere {
            vec![i64::MAX; sides.len()]
        } else {
            settled.clone()
        };
        let rivals = |side: usize| self.collect_ios(sides[side], &later, horizon[side]);
        let rivals = self.workers.map(sides.len(), rivals);
        let slices = self.slices(&context, &gathered, &rivals, anywhere);
        let round = Round {
            context,
            gathered: gathered
                .into_iter()
                .map(|mut gathered| {
                    self.shelves.asked.put(gathered.take_asked());
                    Arc::new(gathered)
                })
                .collect(),
            slices,
            span,
        };
        self.leave_lanes(&round, window);
        self.spill_rest(&round, &rivals, (&settled, &horizon), window);
        rivals.into_iter().for_each(|rivals| self.shelve_gathered(rivals));
        self.sweep_lanes();
        Some(round)
    }

    /// Decides what is clean.
    fn slices(&self, context: &Context, gathered: &[Gathered], rivals: &[Gathered], anywhere: bool) -> Vec<Slice> {
        if gathered.iter().all(|side| side.ios.is_empty()) {
            return Vec::new();
        }
        let pooled = rest::pooled_claims(self, context);
        let work = Work::new(self, context, gathered, rivals, pooled, anywhere);
        self.workers.map(work.slices(), |slice| {
            let mut scratch = self.shelves.scratch.take();
            let decided = work.decide(slice, &mut scratch);
            self.shelves.scratch.put(scratch);
            decided
        })
    }

    /// Takes what was decided out of the lanes, and moves the I/Os that were not to the pool.
    fn leave_lanes(&mut self, round: &Round, window: i64) {
        let sides = &round.context.sides;
        let streams = self.streams.iter_mut();
        let mut lanes: Vec<(usize, Mutex<&mut Lane>)> = streams
            .filter_map(|(&stream, state)| Some((round.context.side_of(stream)?, Mutex::new(&mut state.lane))))
            .collect();
        lanes.sort_unstable_by_key(|(side, _)| *side);
        let undecided = self.workers.map(lanes.len(), |at| {
            let (side, lane) = &lanes[at];
            let mut lane = lane.lock().unwrap_or_else(PoisonError::into_inner);
            let mut undecided: Vec<At> = Vec::new();
            for slice in &round.slices {
                lane.leave(slice.used[*side].iter().copied());
                let of_side = &slice.of_side[*side];
                let ios = of_side.ios(&round.gathered[*side]).iter().zip(&of_side.decided);
                let decided = ios.clone().filter(|(_, decided)| **decided);
                lane.leave_window(window, decided.map(|(io, _)| io.at));
                undecided.extend(ios.filter(|(_, decided)| !**decided).map(|(io, _)| io.at));
            }
            undecided
        });
        drop(lanes);
        for (side, undecided) in sides.iter().zip(undecided) {
            self.spill(side.stream, undecided);
        }
    }

    /// Moves to the pool what has to do with what it decides.
    fn spill_rest(&mut self, round: &Round, rivals: &[Gathered], until: (&[i64], &[i64]), window: i64) {
        let context = &round.context;
        let rest = Rest::new(self, context, rivals, until);
        if let Some(disk) = rest.splits(&self.pool) {
            self.bar(disk);
            return;
        }
        let leftovers = rest.leftovers(&self.workers, until.0);
        let mut keys: FxHashSet<contend::Key> = leftovers.keys.into_iter().collect();
        let mut spilled: Vec<Vec<At>> = vec![Vec::new(); context.sides.len()];
        for (side, at) in leftovers.events {
            spilled[side].push(at);
        }
        for (side, events) in context.sides.iter().zip(spilled) {
            self.spill(side.stream, events);
        }
        keys.extend(contend::keys_of_later(self, self.span_of(window).end));
        if keys.is_empty() {
            return;
        }
        let contending = contend::follow(self, context, keys, window);
        for (side, events) in context.sides.iter().zip(contending) {
            self.spill(side.stream, events);
        }
    }

    /// Lets go of what a round needed in the lanes.
    pub(super) fn sweep_lanes(&mut self) {
        self.streams.values_mut().for_each(|stream| stream.lane.sweep());
    }

    /// Keeps a disk that splits or merges requests, and all volumes on it, out of the lanes: whose piece an event is depends on
    /// more than what has the same key.
    pub(super) fn bar(&mut self, disk: DiskIndex) {
        self.barred.insert(disk);
        self.set_lane_roles();
        self.spill_all();
    }
}

impl Round {
    /// What the I/Os that were decided say about clocks, a pair.
    pub(in crate::engine) fn constraints(&self, stream: StreamIndex) -> Vec<((StreamIndex, StreamIndex), Constraints)> {
        let Some(own) = self.context.side_of(stream) else {
            return Vec::new();
        };
        let mut of_far: Vec<Constraints> = Vec::new();
        of_far.resize_with(self.context.sides.len(), Constraints::default);
        for (side, far, tightest) in self.slices.iter().flat_map(|slice| &slice.clocks) {
            if *side == own {
                tightest.give(&mut of_far[*far]);
            }
        }
        let with_far = self.context.sides.iter().zip(of_far);
        let known = with_far.filter(|(_, constraints)| !constraints.is_empty());
        known
            .map(|(far, constraints)| ((stream, far.stream), constraints))
            .collect()
    }

    /// Reads the clocks as they stand after learning.
    pub(in crate::engine) fn read_clocks(&mut self, engine: &Engine, stream: StreamIndex) {
        self.context.read_clocks(engine, Some(stream), self.span);
    }
}
