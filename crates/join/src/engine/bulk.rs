//! Deciding a window's I/Os in bulk: those for which only one assignment is possible, which are nearly all.
//!
//! A round takes the windows of one number, all initiators together. It collects the I/Os that complete in them and everything
//! that could have to do with them, by key, and decides those that are clean ([`decide`]). Whatever else it met goes to the pool
//! and is decided there, as if there had been no bulk; whatever has only to do with later windows stays in the lane.
//!
//! INVARIANT: an I/O is decided here only when deciding it among all events and I/Os with its keys would give the same. So where
//! an event waits never changes a row (`tests/bulk.rs` holds one way against the other).

use std::collections::{BTreeMap, BTreeSet};
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
use decide::{CopyOf, Part};

const NOTHING: u32 = u32::MAX;

/// A window's I/Os are taken in stretches of about this many, so that everything about them stays close to the processor.
/// (Tests want several.)
const IOS_A_ROUND: usize = if cfg!(test) { 16 } else { 8_192 };

/// At most so many stretches a window.
const MOST_ROUNDS: usize = 512;

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
    of_stream: BTreeMap<StreamIndex, Vec<Decided>>,
    /// Of each stretch an entry a place, one stream after the other.
    picked: Vec<Vec<Picked>>,
    span: (i64, i64),
}

/// Memory that one round leaves to the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    parts: Vec<Part>,
    picked: Vec<Vec<Picked>>,
}

/// Of one stream and stretch.
#[derive(Debug, Default)]
struct Decided {
    /// Those of which all places are picked, and others.
    gathered: Gathered,
    /// Which stretch of the round it is of, and where its places begin there.
    stretch: usize,
    first_place: usize,
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
        let waiting = self
            .streams
            .values()
            .filter_map(|stream| stream.lane.windows.get(&window));
        let rounds = (waiting.sum::<usize>() / IOS_A_ROUND).clamp(1, MOST_ROUNDS);
        let gather = |at: usize| self.collect_ios(streams[at], &ends, i64::MAX, rounds);
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

    /// The I/Os of a lane that completed in a stretch of time and started no later than another, cut into so many equal
    /// stretches of their ends.
    fn collect_ios(
        &self,
        stream: StreamIndex,
        ends: &Range<i64>,
        latest_start: i64,
        stretches: usize,
    ) -> Vec<Gathered> {
        let state = &self.streams[&stream];
        let mut gathered: Vec<Gathered> = Vec::new();
        gathered.resize_with(stretches, Gathered::default);
        let width = (ends.end.saturating_sub(ends.start) / stretches as i64).max(1);
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
                let stretch = if stretches == 1 {
                    0
                } else {
                    ((batch.end(row) - ends.start) / width) as usize
                };
                gathered[stretch.min(stretches - 1)].add(at, batch, volume, &self.layout);
            }
        }
        let nodes = self.catalog.nodes().len();
        gathered.iter_mut().for_each(|gathered| gathered.note_nodes(nodes));
        gathered
    }

    /// The same as one.
    fn collect_all(&self, stream: StreamIndex, ends: &Range<i64>, latest_start: i64) -> Gathered {
        self.collect_ios(stream, ends, latest_start, 1)
            .pop()
            .unwrap_or_default()
    }

    /// Decides what is clean of the windows of one number, those of `streams`, and moves to the pool what has to do with the
    /// rest.
    pub(super) fn bulk_round(&mut self, window: i64, streams: &[StreamIndex]) -> Option<Round> {
        if self.streams.values().all(|stream| stream.lane.open == 0) {
            return None;
        }
        let ends = self.span_of(window);
        let gathered: Vec<Vec<Gathered>> = streams
            .iter()
            .map(|&stream| self.stream_mut(stream).gathered.remove(&window).unwrap_or_default())
            .collect();
        // What left the lane since it was gathered is in the pool.
        let rounds = gathered.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let even = gathered
            .iter()
            .all(|gathered| gathered.is_empty() || gathered.len() == rounds);
        let mut gathered: Vec<_> = if even {
            gathered.into_iter().map(Vec::into_iter).collect()
        } else {
            let again = |&stream: &StreamIndex| self.collect_ios(stream, &ends, i64::MAX, rounds).into_iter();
            streams.iter().map(again).collect()
        };
        let span = (
            ends.start.saturating_sub(2 * self.config.window_nanos),
            self.cut(window),
        );
        let mut round = Round {
            context: Context::new(self, span.0, span.1),
            of_stream: BTreeMap::new(),
            picked: Vec::new(),
            span,
        };
        let mut keys = FxHashSet::default();
        let width = (ends.end.saturating_sub(ends.start) / rounds as i64).max(1);
        for number in 1..=rounds {
            let until = if number == rounds {
                ends.end
            } else {
                ends.start + width * number as i64
            };
            let deciding = streams.iter().zip(&mut gathered);
            let deciding = deciding.map(|(&stream, rest)| (stream, rest.next().unwrap_or_default()));
            let deciding: Vec<_> = deciding.collect();
            if !self.stretch(&mut round, deciding, until, window, &mut keys) {
                // A disk was barred, and everything is in the pool.
                return Some(round);
            }
        }
        keys.extend(contend::keys_of_later(self, ends.end));
        if !keys.is_empty() {
            let contending = contend::follow(self, &round.context, keys, window);
            for (side, events) in contending.into_iter().enumerate() {
                self.spill(round.context.sides[side].stream, events);
            }
        }
        for &stream in &round.streams() {
            self.stream_mut(stream).lane.sweep();
        }
        Some(round)
    }

    /// Decides what is clean of the I/Os that complete in a stretch of the windows; false if nothing more is to be decided.
    fn stretch(
        &mut self,
        round: &mut Round,
        deciding: Vec<(StreamIndex, Gathered)>,
        until: i64,
        window: i64,
        keys: &mut FxHashSet<contend::Key>,
    ) -> bool {
        let collected = Collected::new(self, &round.context, deciding, until, window);
        let threads = collected.threads(self.config.threads);
        let parts = std::mem::take(&mut self.scratch.parts);
        let parts = collected.parts(self, threads, parts);
        let picked = self.scratch.picked.pop().unwrap_or_default();
        let (picked, decided) = collected.pick(&parts, threads, picked);
        if let Some(disk) = collected.splits(self, &parts, &decided, threads) {
            self.scratch.parts = parts;
            self.bar(disk);
            return false;
        }
        let leftovers = parallel::map(threads, parts.len(), |part| {
            parts[part].leftovers(&decided, |event| collected.until[usize::from(event.side)])
        });
        self.scratch.parts = parts;

        let sides = round.streams();
        let mut spilled: Vec<Vec<At>> = vec![Vec::new(); sides.len()];
        let mut used: Vec<Vec<At>> = vec![Vec::new(); sides.len()];
        for part in leftovers {
            let events = part.events.iter();
            events.for_each(|&(side, at)| spilled[usize::from(side)].push(at));
            part.used
                .iter()
                .for_each(|&(side, at)| used[usize::from(side)].push(at));
            keys.extend(part.keys);
        }
        for (&stream, used) in sides.iter().zip(used) {
            self.stream_mut(stream).lane.leave(used);
        }
        let number = round.picked.len();
        for (stream, decided) in collected.split(&decided, number) {
            let ios = decided.gathered.ios.iter().zip(&decided.decided);
            let done = ios.clone().filter(|(_, decided)| **decided).map(|(io, _)| io.at);
            self.stream_mut(stream).lane.leave_window(window, done);
            spilled[decided.side].extend(ios.filter(|(_, decided)| !**decided).map(|(io, _)| io.at));
            round.of_stream.entry(stream).or_default().push(decided);
        }
        round.picked.push(picked);
        for (stream, events) in sides.into_iter().zip(spilled) {
            self.spill(stream, events);
        }
        true
    }

    /// Keeps a round's memory for the next one.
    pub(super) fn give_back(&mut self, round: Round) {
        self.scratch.picked.extend(round.picked);
    }

    /// Keeps a disk that splits or merges requests, and all volumes on it, out of the lanes: whose piece an event is depends on more than
    /// what has the same key.
    pub(super) fn bar(&mut self, disk: DiskIndex) {
        self.barred.insert(disk);
        self.set_lane_roles();
        self.spill_all();
    }

    /// Adds what the I/Os in a lane that completed before `until` asked of a node.
    pub(super) fn waiting_requests(&self, stream: StreamIndex, node: NodeIndex, until: i64, requests: &mut Requests) {
        let ios = self.collect_all(stream, &(i64::MIN..until), i64::MAX);
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

    /// What the I/Os in a lane that complete in a window ask of some disks.
    pub(super) fn gathered_requests(
        &self,
        stream: StreamIndex,
        window: i64,
        disks: &BTreeSet<DiskIndex>,
    ) -> Vec<Request> {
        let gathered = self.streams[&stream].gathered.get(&window).into_iter().flatten();
        let requests = gathered.flat_map(|gathered| {
            gathered.ios.iter().flat_map(move |io| {
                let places = gathered.places[io.places()].iter();
                places
                    .filter(|place| disks.contains(&place.disk))
                    .map(move |place| Request {
                        ordinal: io.ordinal,
                        whole: (io.start, io.end),
                        op: io.op,
                        place: *place,
                    })
            })
        });
        requests.collect()
    }

    /// The disk of an event of the lane, if it is known.
    pub(super) fn disk_of(&self, stream: StreamIndex, at: At, batch: &Batch, row: usize) -> Option<DiskIndex> {
        let disk = self.event(stream, 0, at, batch, row).disk;
        (disk != NOTHING).then_some(DiskIndex(disk))
    }

    /// The node that an event of the lane is about: of its disk; of a leg the node that it leads to.
    fn node_of(&self, stream: StreamIndex, batch: &Batch, row: usize) -> u32 {
        let state = &self.streams[&stream];
        let peer = match batch.columns.taps()[row] {
            Tap::Initiator => state.devices[batch.columns.devices()[row] as usize].peer,
            _ => None,
        };
        peer.unwrap_or(state.node).0
    }

    /// An event of the lane that belongs to a leg, with what its device says.
    fn event(&self, stream: StreamIndex, side: u16, at: At, batch: &Batch, row: usize) -> Event {
        let columns = &batch.columns;
        let state = &self.streams[&stream];
        let device = &state.devices[columns.devices()[row] as usize];
        let (tap, offset) = (columns.taps()[row], self.mapped_offset(stream, batch, row));
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
