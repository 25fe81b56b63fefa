//! The I/Os of lanes, with their places.

use std::ops::Range;

use fathom_model::{DiskIndex, NodeIndex, Op, StreamIndex, Tap, VolumeIndex};

use super::At;
use super::claim::Toucher;
use crate::engine::align::{Request, Requests, is_sampled};
use crate::engine::lane::{Batch, Columns};
use crate::engine::shifts::mapped_offset;
use crate::engine::{Engine, Stream};
use crate::layout::{Layout, Place, Spot};

/// I/Os of one stream that wait in its lane, with their places.
#[derive(Debug, Default)]
pub(in crate::engine) struct Gathered {
    /// In the order of their ends.
    pub(super) ios: Vec<BulkIo>,
    pub(super) places: Vec<Spot>,
    /// Room to look places up in.
    scratch: Vec<Place>,
    /// The nodes of those places.
    pub(in crate::engine) nodes: Vec<NodeIndex>,
    /// What was asked of each node, in the order of ordinals, part and copy; empty where nobody will ask.
    asked: Vec<Vec<Asking>>,
    /// When the first of the I/Os began.
    pub(super) earliest: i64,
    /// Whether an I/O came after one that ended later.
    disorder: bool,
    /// By node whether there is a place on it.
    met: Vec<bool>,
}

/// A place with its I/O, by where they are in [`Gathered`].
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Asking {
    io: u32,
    place: u32,
}

/// An I/O of the lane.
#[derive(Clone, Copy, Debug)]
pub(super) struct BulkIo {
    pub(super) at: At,
    pub(super) ordinal: u64,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) offset: u64,
    pub(super) length: u32,
    pub(super) status: u32,
    pub(super) volume: VolumeIndex,
    /// In `places` of the same [`Gathered`].
    first_place: u32,
    pub(super) places: u32,
    pub(super) op: Op,
    /// Whether the extent map has all of it.
    pub(super) whole: bool,
}

impl BulkIo {
    #[inline]
    pub(super) const fn places(&self) -> Range<usize> {
        self.first_place as usize..(self.first_place + self.places) as usize
    }
}

impl Gathered {
    pub(super) fn clear(&mut self) {
        self.ios.clear();
        self.places.clear();
        self.nodes.clear();
        self.met.clear();
        self.disorder = false;
        self.earliest = i64::MAX;
        self.asked.iter_mut().for_each(Vec::clear);
    }

    #[inline]
    fn add(&mut self, at: At, (first, columns): (u64, &Columns<'_>), volume: VolumeIndex, layout: &Layout) {
        let row = at.row as usize;
        // No longer one enters the lane.
        let length = u32::try_from(columns.lengths[row]).unwrap_or(u32::MAX);
        let offset = columns.offsets[row];
        let first_place = self.places.len();
        let whole = layout.add_spots(volume, (offset, length), &mut self.places, &mut self.scratch);
        for place in &self.places[first_place..] {
            if let Some(met) = self.met.get_mut(place.node.as_usize()) {
                *met = true;
            }
        }
        let start = columns.starts[row];
        let end = columns.end(row);
        self.earliest = self.earliest.min(start);
        self.disorder |= self.ios.last().is_some_and(|last| end < last.end);
        self.ios.push(BulkIo {
            at,
            ordinal: first + row as u64,
            start,
            end,
            offset,
            length,
            status: columns.statuses[row],
            volume,
            first_place: first_place as u32,
            places: (self.places.len() - first_place) as u32,
            op: columns.ops[row],
            whole,
        });
    }

    /// Adds what was asked of a node, as far as a sample of about so many I/Os has it.
    pub(in crate::engine) fn add_requests(&self, node: NodeIndex, most: usize, requests: &mut Requests) {
        requests.ios += self.ios.len();
        let one_in = requests.one_in(most);
        for io in &self.ios {
            let places = self.places[io.places()].iter();
            let places = places.filter(|place| place.node == node && is_sampled(place.offset, one_in));
            requests.places.extend(places.map(|place| Request {
                ordinal: io.ordinal,
                whole: (io.start, io.end),
                op: io.op,
                place: (*place).into(),
            }));
        }
    }

    /// Makes what was asked of each node ready for whoever looks at a few requests only.
    fn index(&mut self, nodes: usize) {
        self.asked.resize_with(nodes, Vec::new);
        let (ios, places, asked) = (&self.ios, &self.places, &mut self.asked);
        let mut add = |io: u32| {
            let of_io = ios[io as usize].places();
            for (place, of) in (of_io.start as u32..).zip(&places[of_io]) {
                asked[of.node.as_usize()].push(Asking { io, place });
            }
        };
        let all = 0..ios.len() as u32;
        if ios.is_sorted_by_key(|io| io.ordinal) {
            all.for_each(&mut add);
        } else {
            let mut order: Vec<u32> = all.collect();
            order.sort_unstable_by_key(|&io| ios[io as usize].ordinal);
            order.into_iter().for_each(&mut add);
        }
    }

    /// Gives away what only those needed who look at a few requests.
    pub(super) fn take_asked(&mut self) -> Vec<Vec<Asking>> {
        let mut asked = std::mem::take(&mut self.asked);
        asked.iter_mut().for_each(Vec::clear);
        asked
    }

    /// What was asked of a node.
    pub(super) fn asked(&self, node: NodeIndex) -> &[Asking] {
        self.asked.get(node.as_usize()).map_or(&[], Vec::as_slice)
    }

    pub(super) fn request(&self, asking: Asking) -> Request {
        let io = &self.ios[asking.io as usize];
        Request {
            ordinal: io.ordinal,
            whole: (io.start, io.end),
            op: io.op,
            place: self.places[asking.place as usize].into(),
        }
    }

    fn finish(&mut self) {
        if self.disorder {
            self.ios.sort_by_key(|io| io.end);
        }
        let met = self.met.iter().enumerate().filter(|(_, met)| **met);
        self.nodes = met.map(|(node, _)| NodeIndex(node as u32)).collect();
    }
}

impl Engine {
    /// Looks up the places of the I/Os that wait in lanes for windows of this number.
    pub(in crate::engine) fn gather(&mut self, window: i64) {
        let waits =
            |stream: &Stream| stream.lane.windows.contains_key(&window) && !stream.gathered.contains_key(&window);
        let streams = self.streams.iter().filter(|(_, stream)| waits(stream));
        let streams: Vec<StreamIndex> = streams.map(|(&index, _)| index).collect();
        let ends = self.span_of(window);
        let gather = |at: usize| {
            let mut gathered = self.collect_ios(streams[at], &ends, i64::MAX);
            gathered.asked = self.shelves.asked.take();
            gathered.index(self.catalog.nodes().len());
            gathered
        };
        let gathered = self.workers.map(streams.len(), gather);
        for (stream, gathered) in streams.into_iter().zip(gathered) {
            self.stream_mut(stream).gathered.insert(window, gathered);
        }
    }

    /// The I/Os of a lane that completed in a stretch of time and started no later than another.
    pub(super) fn collect_ios(&self, stream: StreamIndex, ends: &Range<i64>, latest_start: i64) -> Gathered {
        let state = &self.streams[&stream];
        let mut gathered = self.shelves.gathered.take();
        gathered.clear();
        gathered.met.resize(self.catalog.nodes().len(), false);
        // No more than this, where no I/O started too late.
        let windows = ends.start.div_euclid(self.config.window_nanos)..=ends.end.div_euclid(self.config.window_nanos);
        let most: usize = state.lane.windows.range(windows).map(|(_, count)| count).sum();
        if latest_start == i64::MAX {
            gathered.ios.reserve(most);
            gathered.places.reserve(most.saturating_mul(self.layout.most_copies()));
        }
        for (number, batch) in state.lane.batches() {
            if batch.min_end >= ends.end {
                continue;
            }
            let columns = batch.columns();
            batch.for_each_at(
                ends.start,
                latest_start,
                |tap| tap == Tap::Volume,
                |row| {
                    if columns.end(row) >= ends.end {
                        return;
                    }
                    let device = &state.devices[columns.devices[row] as usize];
                    let volume = device.volume.expect("what has no volume does not enter the lane");
                    let at = At {
                        batch: number,
                        row: row as u32,
                    };
                    gathered.add(at, (batch.first, &columns), volume, &self.layout);
                },
            );
        }
        gathered.finish();
        gathered
    }

    /// The I/Os in a lane that completed before `until`.
    pub(in crate::engine) fn waiting_until(&self, stream: StreamIndex, until: i64) -> Gathered {
        self.collect_ios(stream, &(i64::MIN..until), i64::MAX)
    }

    /// The disk of an event of the lane, if it is known.
    pub(in crate::engine) fn disk_of(&self, stream: StreamIndex, batch: &Batch, row: usize) -> Option<DiskIndex> {
        let columns = &batch.columns;
        let device = &self.streams[&stream].devices[columns.devices()[row] as usize];
        let by_map = || {
            let peer = device.peer.filter(|_| columns.taps()[row] == Tap::Initiator)?;
            self.layout
                .disk_at(device.volume?, device.copy?, peer, columns.offsets()[row])
        };
        device.disk.or_else(by_map)
    }

    /// An event of the lane as far as it may touch claims.
    pub(super) fn toucher(&self, stream: StreamIndex, side: usize, batch: &Batch, row: usize) -> Toucher {
        let columns = &batch.columns;
        let state = &self.streams[&stream];
        let tap = columns.taps()[row];
        let peer = match tap {
            Tap::Initiator => state.devices[columns.devices()[row] as usize].peer,
            _ => None,
        };
        Toucher {
            offset: mapped_offset(&state.devices, batch, row),
            start: columns.starts_unix_nanos()[row],
            end: batch.end(row),
            node: peer.unwrap_or(state.node).0,
            side: side as u16,
            tap,
        }
    }
}
