//! What the engine holds in memory: I/Os whose window is open, and events that no I/O has yet.
//!
//! Everything is indexed by the key of the join: (disk, offset on the disk) for the claims of I/Os and for events of the far
//! side, (initiator, peer, offset on the peer's disk) for initiator legs; those without an offset are kept by their ends. The length is compared on look-up, since a drive
//! may split a request. Under one key all is in the order of its ends ([`Timed`]).

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::ops::Range;

use fathom_model::{DiskIndex, NodeIndex, Observation, Op, StreamIndex, Tap, VolumeIndex};
use rustc_hash::FxHashMap;
use slab::Slab;
use smallvec::SmallVec;

use crate::assign::Interval;
use crate::layout::{Place, Places};

mod timed;

use timed::Timed;

/// Stands for the offset of a flush in keys: no request starts at the last byte of the 64-bit range.
const FLUSH: u64 = u64::MAX;

/// An I/O whose window has not closed.
#[derive(Clone, Debug)]
pub(crate) struct PendingIo {
    pub(crate) event: Observation,
    pub(crate) node: NodeIndex,
    pub(crate) volume: VolumeIndex,
    pub(crate) op: Op,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) places: Places,
    /// What its node ties its events by (an IRP), where the source has it.
    pub(crate) correlation: Option<u64>,
    /// Another I/O whose window has closed could have had an event of this one.
    pub(crate) contested: bool,
    /// The same of its legs without an offset alone.
    pub(crate) legs_contested: bool,
}

/// An event of a leg: at the initiator, the target or the drive.
#[derive(Clone, Debug)]
pub(crate) struct LegEvent {
    pub(crate) event: Observation,
    pub(crate) tap: Tap,
    pub(crate) node: NodeIndex,
    /// Index into the stream's device dictionary.
    pub(crate) device: u32,
    pub(crate) op: Op,
    /// Where the extent map has it: what its tap showed without the disk's shift.
    pub(crate) offset: u64,
    /// How far its tap shows offsets beyond the extent map's.
    pub(crate) shift: i64,
    pub(crate) length: u64,
    /// Far side: its disk. Initiator: the disk that the path leads to, if known.
    pub(crate) disk: Option<DiskIndex>,
    /// Initiator only: the node at the other end.
    pub(crate) peer: Option<NodeIndex>,
    /// Initiator only: the copy that the device is made for, if known.
    pub(crate) copy: Option<(VolumeIndex, u32)>,
    /// What its node ties its events by (an IRP), where the source has it.
    pub(crate) correlation: Option<u64>,
    /// Initiator only: its device gives no offsets, so that its place is not known.
    pub(crate) unplaced: bool,
    /// An I/O whose window has closed could have had this event.
    pub(crate) contested: bool,
    /// It came after windows had closed that it could have belonged to.
    pub(crate) late: bool,
    /// A record has it as pending: it will not be sent again.
    pub(crate) kept: bool,
}

impl LegEvent {
    /// The offset as its tap showed it.
    pub(crate) const fn shown_offset(&self) -> u64 {
        self.offset.wrapping_add_signed(self.shift)
    }
}

/// A copy of a part of an I/O in the pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ClaimRef {
    pub(crate) io: usize,
    pub(crate) place: usize,
}

/// End, ordinal and place in the pool of an event.
type Age = (i64, u64, usize);

/// I/Os and events in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    pub(crate) ios: Slab<PendingIo>,
    pub(crate) events: Slab<LegEvent>,
    claims: FxHashMap<(DiskIndex, u64), Timed<ClaimRef, 1>>,
    far: FxHashMap<(DiskIndex, u64), Timed<usize, 2>>,
    legs: FxHashMap<(NodeIndex, NodeIndex, u64), Timed<usize, 2>>,
    /// Of each disk which nodes have events of the far side here, and how many.
    seen_by: FxHashMap<DiskIndex, SmallVec<[(NodeIndex, usize); 1]>>,
    /// Initiator legs without an offset, by end and ordinal.
    unplaced: FxHashMap<StreamIndex, BTreeSet<Age>>,
    /// How many initiator legs there are of which the disk is not known.
    vague_legs: usize,
    /// Events of a stream by end and ordinal, the oldest first.
    by_age: FxHashMap<StreamIndex, BinaryHeap<Reverse<Age>>>,
}

pub(crate) const fn key_offset(op: Op, offset: u64) -> u64 {
    match op {
        Op::Flush => FLUSH,
        Op::Read | Op::Write | Op::Unmap => offset,
    }
}

impl Pool {
    pub(crate) fn insert_io(&mut self, io: PendingIo) -> usize {
        let keys: SmallVec<[_; 3]> = io
            .places
            .places
            .iter()
            .map(|place| (place.disk, key_offset(io.op, place.offset)))
            .collect();
        let span = span(&io.event);
        let at = self.ios.insert(io);
        for (place, key) in keys.into_iter().enumerate() {
            let claims = self.claims.entry(key).or_insert_with(Timed::new);
            claims.insert(span, ClaimRef { io: at, place }, |other| {
                self.ios[other.io].event.duration_nanos
            });
        }
        at
    }

    pub(crate) fn remove_io(&mut self, at: usize) -> PendingIo {
        let io = self.ios.remove(at);
        let end = io.event.end_unix_nanos();
        for (place, of) in io.places.places.iter().enumerate() {
            let key = (of.disk, key_offset(io.op, of.offset));
            remove(&mut self.claims, key, end, ClaimRef { io: at, place });
        }
        io
    }

    pub(crate) fn insert_event(&mut self, event: LegEvent) {
        let offset = key_offset(event.op, event.offset);
        let (stream, ordinal, end) = (event.event.stream, event.event.ordinal, event.event.end_unix_nanos());
        let (tap, disk, node, peer) = (event.tap, event.disk, event.node, event.peer);
        let (unplaced, span) = (event.unplaced, span(&event.event));
        let at = self.events.insert(event);
        let lasts = |other: usize| self.events[other].event.duration_nanos;
        match (tap, disk, peer) {
            (Tap::Initiator, ..) if unplaced => {
                self.unplaced.entry(stream).or_default().insert((end, ordinal, at));
            }
            (Tap::Initiator, _, Some(peer)) => {
                self.vague_legs += usize::from(disk.is_none());
                let legs = self.legs.entry((node, peer, offset)).or_insert_with(Timed::new);
                legs.insert(span, at, lasts);
            }
            (_, Some(disk), _) => {
                let far = self.far.entry((disk, offset)).or_insert_with(Timed::new);
                far.insert(span, at, lasts);
                let by = self.seen_by.entry(disk).or_default();
                match by.iter_mut().find(|(other, _)| *other == node) {
                    Some((_, count)) => *count += 1,
                    None => by.push((node, 1)),
                }
            }
            _ => {}
        }
        let ages = self.by_age.entry(stream).or_default();
        // Events come nearly in this order, so that there is little to sort.
        ages.push(Reverse((end, ordinal, at)));
        // Events that found their I/O leave their entry behind; when those are the most, they are swept.
        if ages.len() > 2 * self.events.len() + 4096 {
            let events = &self.events;
            ages.retain(|&Reverse((_, ordinal, at))| is_at(events, at, stream, ordinal));
        }
    }

    pub(crate) fn remove_event(&mut self, at: usize) -> LegEvent {
        let event = self.events.remove(at);
        let (offset, end) = (key_offset(event.op, event.offset), event.event.end_unix_nanos());
        match (event.tap, event.disk, event.peer) {
            (Tap::Initiator, ..) if event.unplaced => {
                let (stream, age) = (event.event.stream, (end, event.event.ordinal, at));
                if let Some(legs) = self.unplaced.get_mut(&stream) {
                    legs.remove(&age);
                    if legs.is_empty() {
                        self.unplaced.remove(&stream);
                    }
                }
            }
            (Tap::Initiator, disk, Some(peer)) => {
                self.vague_legs -= usize::from(disk.is_none());
                remove(&mut self.legs, (event.node, peer, offset), end, at);
            }
            (_, Some(disk), _) => {
                remove(&mut self.far, (disk, offset), end, at);
                if let Some(by) = self.seen_by.get_mut(&disk) {
                    by.iter_mut()
                        .filter(|(node, _)| *node == event.node)
                        .for_each(|(_, count)| *count -= 1);
                    by.retain(|(_, count)| *count > 0);
                }
            }
            _ => {}
        }
        event
    }

    /// The claims of I/Os with this operation on a place.
    pub(crate) fn claims<'a>(&'a self, op: Op, place: &Place) -> impl Iterator<Item = ClaimRef> + use<'a> {
        self.claims_ending(op, place, (i64::MIN, i64::MAX))
    }

    /// The same of I/Os that ended in a stretch of time.
    pub(crate) fn claims_ending<'a>(
        &'a self,
        op: Op,
        place: &Place,
        (from, until): Interval,
    ) -> impl Iterator<Item = ClaimRef> + use<'a> {
        let length = place.length;
        let all = self.claims.get(&(place.disk, key_offset(op, place.offset)));
        let claims = all.into_iter().flat_map(move |all| all.ending(from, until));
        claims.filter(move |claim| {
            let io = &self.ios[claim.io];
            io.op == op && io.places.places[claim.place].length == length
        })
    }

    /// Events of the far side that start at an offset of a disk, of any length and tap.
    pub(crate) fn far(&self, op: Op, disk: DiskIndex, offset: u64) -> impl Iterator<Item = usize> + '_ {
        self.far_within(op, disk, offset, (i64::MIN, i64::MAX))
    }

    /// The same of events that lie within a stretch of time.
    pub(crate) fn far_within(
        &self,
        op: Op,
        disk: DiskIndex,
        offset: u64,
        (from, until): Interval,
    ) -> impl Iterator<Item = usize> + '_ {
        let all = self.far.get(&(disk, key_offset(op, offset)));
        let events = all.into_iter().flat_map(move |all| all.ending(from, until));
        events.filter(move |&at| {
            let event = &self.events[at];
            event.op == op && event.event.start_unix_nanos >= from
        })
    }

    /// Initiator legs from `node` to `peer` that start at an offset.
    pub(crate) fn legs(
        &self,
        op: Op,
        node: NodeIndex,
        peer: NodeIndex,
        offset: u64,
    ) -> impl Iterator<Item = usize> + '_ {
        let all = self.legs.get(&(node, peer, key_offset(op, offset)));
        let legs = all.into_iter().flat_map(Timed::iter);
        legs.filter(move |&at| self.events[at].op == op)
    }

    /// Events of the far side that start at an offset of a disk and have to do with a stretch of time, even partly, and some that
    /// begin after it.
    pub(crate) fn far_around(
        &self,
        disk: DiskIndex,
        offset: u64,
        (from, until): Interval,
    ) -> impl Iterator<Item = usize> + '_ {
        let all = if self.far.is_empty() {
            None
        } else {
            self.far.get(&(disk, offset))
        };
        all.into_iter().flat_map(move |all| all.around(from, until))
    }

    /// The same of initiator legs from `node` to `peer`.
    pub(crate) fn legs_around(
        &self,
        node: NodeIndex,
        peer: NodeIndex,
        offset: u64,
        (from, until): Interval,
    ) -> impl Iterator<Item = usize> + '_ {
        let all = if self.legs.is_empty() {
            None
        } else {
            self.legs.get(&(node, peer, offset))
        };
        all.into_iter().flat_map(move |all| all.around(from, until))
    }

    /// Whether there are events of the far side of a disk that another node than this saw.
    pub(crate) fn is_seen_elsewhere(&self, disk: DiskIndex, node: NodeIndex) -> bool {
        let by = self.seen_by.get(&disk);
        by.is_some_and(|by| by.iter().any(|(other, _)| *other != node))
    }

    /// Whether a stream has initiator legs without an offset.
    pub(crate) fn has_unplaced(&self, stream: StreamIndex) -> bool {
        self.unplaced.contains_key(&stream)
    }

    /// The initiator legs of a stream without an offset that ended in a stretch of time, in the order of their ends.
    pub(crate) fn unplaced(&self, stream: StreamIndex, ends: Range<i64>) -> impl Iterator<Item = usize> + '_ {
        let legs = self.unplaced.get(&stream).filter(|_| ends.start < ends.end);
        let legs = legs.map(|legs| legs.range((ends.start, 0, 0)..(ends.end, 0, 0)));
        legs.into_iter().flatten().map(|&(.., at)| at)
    }

    /// Whether there are initiator legs that could lead to several disks of their peer.
    pub(crate) const fn has_vague_legs(&self) -> bool {
        self.vague_legs > 0
    }

    /// Takes all events of a tap on a disk to be shifted by so many bytes.
    pub(crate) fn shift(&mut self, disk: DiskIndex, tap: Tap, bytes: i64) {
        let of_disk = |event: &LegEvent| event.disk == Some(disk) && event.tap == tap && event.op != Op::Flush;
        let events: Vec<usize> = self
            .events
            .iter()
            .filter(|(_, event)| of_disk(event))
            .map(|(at, _)| at)
            .collect();
        for at in events {
            let event = &mut self.events[at];
            let before = event.offset;
            event.offset = event.shown_offset().wrapping_sub_signed(bytes);
            event.shift = bytes;
            let (after, end) = (event.offset, event.event.end_unix_nanos());
            remove(&mut self.far, (disk, before), end, at);
            let far = self.far.entry((disk, after)).or_insert_with(Timed::new);
            let lasts = |other: usize| self.events[other].event.duration_nanos;
            far.insert(span(&self.events[at].event), at, lasts);
        }
    }

    /// Takes out the events of a stream that ended no later than `last`, in the order of their ends.
    pub(crate) fn take_until(&mut self, stream: StreamIndex, last: i64) -> Vec<LegEvent> {
        let mut due = Vec::new();
        if let Some(ages) = self.by_age.get_mut(&stream) {
            while let Some(&Reverse((end, ordinal, at))) = ages.peek()
                && end <= last
            {
                ages.pop();
                if is_at(&self.events, at, stream, ordinal) {
                    due.push(at);
                }
            }
        }
        due.into_iter().map(|at| self.remove_event(at)).collect()
    }
}

fn is_at(events: &Slab<LegEvent>, at: usize, stream: StreamIndex, ordinal: u64) -> bool {
    events
        .get(at)
        .is_some_and(|event| (event.event.stream, event.event.ordinal) == (stream, ordinal))
}

const fn span(event: &Observation) -> Interval {
    (event.start_unix_nanos, event.end_unix_nanos())
}

fn remove<K: Eq + std::hash::Hash, T: Copy + Default + Ord, const N: usize>(
    map: &mut FxHashMap<K, Timed<T, N>>,
    key: K,
    end: i64,
    item: T,
) where
    [(i64, T); N]: smallvec::Array<Item = (i64, T)>,
{
    if let Some(items) = map.get_mut(&key) {
        items.remove(end, item);
        if items.is_empty() {
            map.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `docs/design/0028-shedding.md` states of a leg in flight.
    #[test]
    fn entries_are_no_larger_than_is_stated() {
        let sizes = (size_of::<LegEvent>(), size_of::<PendingIo>());
        assert!(sizes.0 <= 152 && sizes.1 <= 240, "{sizes:?}");
        let entries = (
            size_of::<Timed<ClaimRef, 1>>(),
            size_of::<Timed<usize, 2>>(),
            size_of::<Age>(),
        );
        assert!(entries.0 <= 48 && entries.1 <= 64 && entries.2 <= 24, "{entries:?}");
    }
}
