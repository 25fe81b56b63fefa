//! Deciding a window's I/Os in bulk: those for which only one assignment is possible, which are nearly all.
//!
//! A round takes the windows of one number, all initiators together. It collects the I/Os that complete in them and everything
//! that could have to do with them, by key, and decides those that are clean ([`decide`]). Whatever else it met goes to the pool
//! and is decided there, as if there had been no bulk; whatever has only to do with later windows stays in the lane.
//!
//! INVARIANT: an I/O is decided here only when deciding it among all events and I/Os with its keys would give the same. So where
//! an event waits never changes a row (`tests/bulk.rs` holds one way against the other).

use std::collections::BTreeMap;
use std::ops::Range;

use fathom_model::{DiskIndex, NodeIndex, Op, StreamIndex, Tap, VolumeIndex};
use rustc_hash::FxHashSet;

use super::Engine;
use super::align::{Request, Requests};
use super::lane::{At, Batch};
use crate::layout::{Layout, Place};

mod collect;
mod contend;
mod context;
mod decide;
mod emit;
mod parallel;

use collect::Collected;
use context::Context;
use decide::CopyOf;

const NOTHING: u32 = u32::MAX;

/// I/Os of one stretch of time that wait in a lane, with their places.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    ios: Vec<BulkIo>,
    places: Vec<Place>,
    /// The nodes of those places.
    pub(super) nodes: Vec<NodeIndex>,
}

/// An I/O of the lane.
#[derive(Clone, Copy, Debug)]
struct BulkIo {
    at: At,
    ordinal: u64,
    start: i64,
    end: i64,
    offset: u64,
    length: u32,
    status: u32,
    volume: VolumeIndex,
    op: Op,
    whole: bool,
    /// In `places` of the same [`Gathered`].
    first_place: u32,
    places: u32,
}

impl BulkIo {
    fn places(&self) -> Range<usize> {
        self.first_place as usize..(self.first_place + self.places) as usize
    }
}

/// How a claim takes part in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Its I/O completes in this round's windows.
    Deciding,
    /// Its I/O completes later.
    Rival,
    /// Its I/O is in the pool.
    Pooled,
}

/// A copy of a part of an I/O, looking for its events.
#[derive(Clone, Copy, Debug)]
struct Claim {
    offset: u64,
    start: i64,
    end: i64,
    /// Where its events on the far clock must lie, generously.
    far: (i64, i64),
    /// How much generously is on the own clock.
    slack: i64,
    /// Of an I/O that is to be decided its number in the round, and that of the place.
    io: u32,
    slot: u32,
    node: u32,
    disk: u32,
    copy: u32,
    volume: VolumeIndex,
    length: u32,
    side: u16,
    kind: Kind,
    op: Op,
    /// The pool has something for it too.
    odd: bool,
}

impl Claim {
    /// Where its legs must lie, generously.
    const fn own(&self) -> (i64, i64) {
        (
            self.start.saturating_sub(self.slack),
            self.end.saturating_add(self.slack),
        )
    }
}

/// An event of the lane.
#[derive(Clone, Copy, Debug)]
struct Event {
    offset: u64,
    start: i64,
    end: i64,
    ordinal: u64,
    at: At,
    /// The node of its disk; of a leg the node that it leads to.
    node: u32,
    disk: u32,
    length: u32,
    status: u32,
    copy: CopyOf,
    side: u16,
    tap: Tap,
    op: Op,
}

/// The I/Os that a round decided.
#[derive(Debug)]
pub(super) struct Round {
    context: Context,
    of_stream: BTreeMap<StreamIndex, Decided>,
    span: (i64, i64),
}

/// Of one stream.
#[derive(Debug, Default)]
struct Decided {
    /// Those of which all places are picked, and others.
    gathered: Gathered,
    /// An entry a place.
    picked: Vec<Picked>,
    /// An entry an I/O.
    decided: Vec<bool>,
    side: usize,
}

/// The events of a place: leg, target, device.
#[derive(Clone, Copy, Debug)]
struct Picked {
    seen: [Seen; 3],
    /// Whose events those of the far side are; `NOBODY` where the place was not decided.
    far: u16,
}

impl Picked {
    const NONE: Self = Self {
        seen: [Seen::NONE; 3],
        far: u16::MAX,
    };
}

/// An event as a leg will have it.
#[derive(Clone, Copy, Debug)]
struct Seen {
    ordinal: u64,
    start: i64,
    end: i64,
    status: u32,
    is: bool,
}

impl Seen {
    const NONE: Self = Self {
        ordinal: 0,
        start: 0,
        end: 0,
        status: 0,
        is: false,
    };

    const fn of(event: &Event) -> Self {
        Self {
            ordinal: event.ordinal,
            start: event.start,
            end: event.end,
            status: event.status,
            is: true,
        }
    }
}

impl Gathered {
    fn add(&mut self, at: At, batch: &Batch, volume: VolumeIndex, layout: &Layout) {
        let row = at.row as usize;
        let columns = &batch.columns;
        let (offset, length) = (columns.offsets()[row], columns.lengths()[row]);
        let first_place = self.places.len();
        let (whole, _) = layout.add_places(volume, offset, length, &mut self.places);
        self.ios.push(BulkIo {
            at,
            ordinal: batch.first + row as u64,
            start: columns.starts_unix_nanos()[row],
            end: batch.end(row),
            offset,
            length: length as u32,
            status: columns.statuses()[row],
            volume,
            op: columns.ops()[row],
            whole,
            first_place: first_place as u32,
            places: (self.places.len() - first_place) as u32,
        });
    }

    fn note_nodes(&mut self, nodes: usize) {
        let mut met = vec![false; nodes];
        self.places.iter().for_each(|place| met[place.node.as_usize()] = true);
        let met = met.iter().enumerate().filter(|(_, met)| **met);
        self.nodes = met.map(|(node, _)| NodeIndex(node as u32)).collect();
    }
}

impl Engine {
    /// Looks up the places of the I/Os that wait in lanes for windows of this number.
    pub(super) fn gather(&mut self, window: i64) {
        let waits = |stream: &super::Stream| {
            stream.lane.windows.contains_key(&window) && !stream.gathered.contains_key(&window)
        };
        let streams = self.streams.iter().filter(|(_, stream)| waits(stream));
        let streams: Vec<StreamIndex> = streams.map(|(&index, _)| index).collect();
        let ends = self.span_of(window);
        let gather = |at: usize| self.collect_ios(streams[at], &ends, i64::MAX);
        let gathered = parallel::map(self.config.threads, streams.len(), gather);
        for (stream, gathered) in streams.into_iter().zip(gathered) {
            self.stream_mut(stream).gathered.insert(window, gathered);
        }
    }

    pub(super) fn stream_mut(&mut self, stream: StreamIndex) -> &mut super::Stream {
        self.streams.get_mut(&stream).expect("the stream is open")
    }

    fn span_of(&self, window: i64) -> Range<i64> {
        let width = self.config.window_nanos;
        window.saturating_mul(width)..(window + 1).saturating_mul(width)
    }

    /// The I/Os of a lane that completed in a stretch of time and started no later than another.
    fn collect_ios(&self, stream: StreamIndex, ends: &Range<i64>, latest_start: i64) -> Gathered {
        let state = &self.streams[&stream];
        let mut gathered = Gathered::default();
        for (number, batch) in state.lane.batches() {
            if batch.max_end < ends.start || batch.min_end >= ends.end || batch.min_start > latest_start {
                continue;
            }
            let columns = &batch.columns;
            for row in batch.rows() {
                let wanted = columns.taps()[row] == Tap::Volume
                    && columns.starts_unix_nanos()[row] <= latest_start
                    && ends.contains(&batch.end(row));
                if !wanted {
                    continue;
                }
                let device = &state.devices[columns.devices()[row] as usize];
                let volume = device.volume.expect("what has no volume does not enter the lane");
                let at = At {
                    batch: number,
                    row: row as u32,
                };
                gathered.add(at, batch, volume, &self.layout);
            }
        }
        gathered.note_nodes(self.catalog.nodes().len());
        gathered
    }

    /// Decides what is clean of the windows of one number, those of `streams`, and moves to the pool what has to do with the
    /// rest.
    pub(super) fn bulk_round(&mut self, window: i64, streams: &[StreamIndex]) -> Option<Round> {
        if self.streams.values().all(|stream| stream.lane.open == 0) {
            return None;
        }
        let mut deciding: Vec<(StreamIndex, Gathered)> = Vec::new();
        for &stream in streams {
            // What left the lane since it was gathered is in the pool.
            let gathered = self.stream_mut(stream).gathered.remove(&window).unwrap_or_default();
            deciding.push((stream, gathered));
        }
        let ends = self.span_of(window);
        let span = (
            ends.start.saturating_sub(2 * self.config.window_nanos),
            self.cut(window),
        );
        let context = Context::new(self, span.0, span.1);
        let collected = Collected::new(self, context, deciding, window);
        let threads = collected.threads(self.config.threads);
        let parts = collected.parts(self, threads);
        let (picked, decided) = collected.pick(&parts, threads);
        if let Some(disk) = collected.splits(self, &parts, &decided, threads) {
            self.bar(disk);
            return None;
        }
        let leftovers = parallel::map(threads, parts.len(), |part| {
            parts[part].leftovers(&decided, |event| collected.until[usize::from(event.side)])
        });
        drop(parts);

        let sides: Vec<StreamIndex> = collected.context.sides.iter().map(|side| side.stream).collect();
        let mut spilled: Vec<Vec<At>> = vec![Vec::new(); sides.len()];
        let mut keys: FxHashSet<(u32, u64)> = FxHashSet::default();
        let mut used: Vec<Vec<At>> = vec![Vec::new(); sides.len()];
        for part in leftovers {
            part.events
                .iter()
                .for_each(|&(side, at)| spilled[usize::from(side)].push(at));
            part.used
                .iter()
                .for_each(|&(side, at)| used[usize::from(side)].push(at));
            keys.extend(part.keys);
        }
        for (&stream, used) in sides.iter().zip(used) {
            self.stream_mut(stream).lane.leave(used);
        }
        let mut of_stream = BTreeMap::new();
        let (context, streams) = collected.split(picked, decided);
        for (stream, decided) in streams {
            let ios = decided.gathered.ios.iter().zip(&decided.decided);
            let done = ios.clone().filter(|(_, decided)| **decided).map(|(io, _)| io.at);
            self.stream_mut(stream).lane.leave_window(window, done);
            spilled[decided.side].extend(ios.filter(|(_, decided)| !**decided).map(|(io, _)| io.at));
            of_stream.insert(stream, decided);
        }
        keys.extend(contend::keys_of_later(self, ends.end));
        if !keys.is_empty() {
            let going: Vec<FxHashSet<At>> = spilled.iter().map(|events| events.iter().copied().collect()).collect();
            let contending = contend::follow(self, &context, keys, window, &going);
            for (spilled, more) in spilled.iter_mut().zip(contending) {
                spilled.extend(more);
            }
        }
        for (stream, events) in sides.into_iter().zip(spilled) {
            self.spill(stream, events);
            self.stream_mut(stream).lane.sweep();
        }
        Some(Round {
            context,
            of_stream,
            span,
        })
    }

    /// Keeps a disk that splits requests, and all volumes on it, out of the lanes: whose piece an event is depends on more than
    /// what has the same key.
    fn bar(&mut self, disk: DiskIndex) {
        self.barred.insert(disk);
        self.set_lane_roles();
        self.spill_all();
    }

    /// Adds what the I/Os in a lane that completed before `until` asked of a node.
    pub(super) fn waiting_requests(&self, stream: StreamIndex, node: NodeIndex, until: i64, requests: &mut Requests) {
        let ios = self.collect_ios(stream, &(i64::MIN..until), i64::MAX);
        requests.ios += ios.ios.len();
        for io in &ios.ios {
            let places = ios.places[io.places()].iter().filter(|place| place.node == node);
            requests.places.extend(places.map(|place| Request {
                ordinal: io.ordinal,
                whole: (io.start, io.end),
                op: io.op,
                place: *place,
            }));
        }
    }

    /// The disk of an event of the lane, if it is known.
    pub(super) fn disk_of(&self, stream: StreamIndex, at: At, batch: &Batch, row: usize) -> Option<DiskIndex> {
        let disk = self.event(stream, 0, at, batch, row).disk;
        (disk != NOTHING).then_some(DiskIndex(disk))
    }

    /// An event of the lane that belongs to a leg, with what its device says.
    fn event(&self, stream: StreamIndex, side: u16, at: At, batch: &Batch, row: usize) -> Event {
        let columns = &batch.columns;
        let state = &self.streams[&stream];
        let device = &state.devices[columns.devices()[row] as usize];
        let (tap, offset) = (columns.taps()[row], columns.offsets()[row]);
        let mut copy = None;
        let (node, disk) = match (tap, device.peer) {
            (Tap::Initiator, Some(peer)) => {
                copy = device.volume.zip(device.copy);
                let by_map = || {
                    let (volume, copy) = copy?;
                    self.layout.disk_at(volume, copy, peer, offset)
                };
                (peer, device.disk.or_else(by_map))
            }
            _ => (state.node, device.disk),
        };
        Event {
            offset,
            start: columns.starts_unix_nanos()[row],
            end: batch.end(row),
            ordinal: batch.first + row as u64,
            at,
            node: node.0,
            disk: disk.map_or(NOTHING, |disk| disk.0),
            length: columns.lengths()[row] as u32,
            status: columns.statuses()[row],
            copy,
            side,
            tap,
            op: columns.ops()[row],
        }
    }
}
