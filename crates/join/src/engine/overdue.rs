//! Legs that came after their I/O was decided: I/Os that closed without a leg are remembered for as long as one may come, so
//! that it is told from a leg whose I/O was not seen.

use fathom_model::{
    Catalog, DiskIndex, NodeIndex, Op, PhysicalDisk, StreamId, StreamIndex, Tap, VolumeId, VolumeIndex,
};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::Engine;
use super::resolve::{Decisions, widen};
use crate::pool::{ClaimRef, LegEvent, key_offset};

/// A place of a closed I/O for which no leg was seen at the initiator.
#[derive(Clone, Copy, Debug)]
struct Overdue {
    ordinal: u64,
    op: Op,
    disk: DiskIndex,
    offset: u64,
    length: u64,
    copy: (VolumeIndex, u32),
    /// Its leg has no offset.
    unplaced: bool,
    /// A leg of it began within this, ended after it, and no later than the last.
    from: i64,
    until: i64,
    last: i64,
}

/// All that are remembered.
#[derive(Debug, Default)]
pub(super) struct OverdueLegs {
    /// By the initiator's stream, the far node and the offset there, or what stands for it; in the order of their ends.
    by_key: FxHashMap<(StreamIndex, NodeIndex, u64), Vec<Overdue>>,
}

/// What is kept of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverdueState {
    /// The initiator's stream.
    pub initiator: StreamId,
    /// The I/O.
    pub ordinal: u64,
    /// What it did.
    pub op: Op,
    /// Where the copy lies.
    pub disk: PhysicalDisk,
    /// Byte offset on the disk.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// The volume.
    pub volume: VolumeId,
    /// The copy.
    pub copy: u32,
    /// Its leg has no offset; not so in records of before such legs were tied.
    #[serde(default)]
    pub unplaced: bool,
    /// A leg of it began no earlier than this,
    pub from_unix_nanos: i64,
    /// no later than this, and ended after it,
    pub until_unix_nanos: i64,
    /// no later than this.
    pub last_unix_nanos: i64,
}

impl Engine {
    /// Remembers which claims of a window that closes have no leg at the initiator.
    pub(super) fn note_overdue(&mut self, stream: StreamIndex, claims: &[ClaimRef], decisions: &Decisions) {
        if !self.gives(stream, Tap::Initiator) {
            return;
        }
        let slack = self.resolution(stream, Tap::Initiator) + self.resolution(stream, Tap::Volume);
        let has_leg = |claim: ClaimRef| decisions.get(&claim).is_some_and(|found| found.initiator.is_some());
        for &claim in claims {
            let io = &self.pool.ios[claim.io];
            let place = io.places.places[claim.place];
            // A copy on the initiator's own node does not cross the bus, and a read goes to one copy of each part.
            let elsewhere = !io.op.goes_to_every_copy()
                && io.places.places.iter().enumerate().any(|(other, at)| {
                    let other = ClaimRef {
                        io: claim.io,
                        place: other,
                    };
                    at.part == place.part && has_leg(other)
                });
            if has_leg(claim) || place.node == io.node || elsewhere {
                continue;
            }
            let (start, end) = (io.event.start_unix_nanos, io.event.end_unix_nanos());
            let longest = self.config.longest_io_nanos;
            let (from, until) = widen((start.max(end.saturating_sub(longest)), end), slack);
            let overdue = Overdue {
                ordinal: io.event.ordinal,
                op: io.op,
                disk: place.disk,
                offset: place.offset,
                length: place.length,
                copy: (io.volume, place.copy),
                unplaced: self.has_unplaced(stream),
                from,
                until,
                last: until.saturating_add(longest),
            };
            self.overdue.insert(stream, place.node, overdue);
        }
    }

    /// Whether a leg that no I/O has ended after one that had closed before it came.
    pub(super) fn came_after_its_io(&self, leg: &LegEvent) -> bool {
        let Some(peer) = leg.peer else { return false };
        let offset = if leg.unplaced {
            unplaced_key(leg.op, leg.length)
        } else {
            key_offset(leg.op, leg.offset)
        };
        let key = (leg.event.stream, peer, offset);
        let (start, end) = (leg.event.start_unix_nanos, leg.event.end_unix_nanos());
        self.overdue.by_key.get(&key).is_some_and(|all| {
            let first = all.partition_point(|io| io.until < start);
            all[first..].iter().take_while(|io| io.until < end).any(|io| {
                let same = io.op == leg.op && io.length == leg.length;
                let there = leg.disk.is_none_or(|disk| disk == io.disk) && leg.copy.is_none_or(|copy| copy == io.copy);
                let overran = io.from <= start && start <= io.until && io.until < end && end <= io.last;
                same && there && overran
            })
        })
    }
}

/// Stands for the offset of legs that have none: what they have in common with their I/O besides the node.
const fn unplaced_key(op: Op, length: u64) -> u64 {
    (1 << 63) | (length << 2) | op as u64
}

impl OverdueLegs {
    fn insert(&mut self, stream: StreamIndex, peer: NodeIndex, overdue: Overdue) {
        let offset = if overdue.unplaced && overdue.op != Op::Flush {
            unplaced_key(overdue.op, overdue.length)
        } else {
            key_offset(overdue.op, overdue.offset)
        };
        let key = (stream, peer, offset);
        self.by_key.entry(key).or_default().push(overdue);
    }

    /// Forgets those for which every leg that could come has been given up: all that ended by `last`.
    pub(super) fn forget(&mut self, last: i64) {
        self.by_key.retain(|_, all| {
            all.retain(|overdue| overdue.last > last);
            !all.is_empty()
        });
    }

    pub(super) fn state(&self, catalog: &Catalog) -> Vec<OverdueState> {
        let kept = self.by_key.iter().flat_map(|(&(stream, ..), all)| {
            all.iter().map(move |overdue| OverdueState {
                initiator: catalog.stream(stream).clone(),
                ordinal: overdue.ordinal,
                op: overdue.op,
                disk: catalog.disk(overdue.disk).clone(),
                offset: overdue.offset,
                length: overdue.length,
                volume: catalog.volume(overdue.copy.0).clone(),
                copy: overdue.copy.1,
                unplaced: overdue.unplaced,
                from_unix_nanos: overdue.from,
                until_unix_nanos: overdue.until,
                last_unix_nanos: overdue.last,
            })
        });
        let mut kept: Vec<OverdueState> = kept.collect();
        kept.sort_by(|a, b| {
            let key = |kept: &OverdueState| (kept.ordinal, kept.copy, kept.offset);
            (&a.initiator, key(a), &a.disk.id).cmp(&(&b.initiator, key(b), &b.disk.id))
        });
        kept
    }

    pub(super) fn restore(catalog: &mut Catalog, kept: Vec<OverdueState>) -> Self {
        let mut all = Self::default();
        for kept in kept {
            let stream = catalog.intern_stream(&kept.initiator);
            let peer = catalog.intern_node(&kept.disk.node);
            let overdue = Overdue {
                ordinal: kept.ordinal,
                op: kept.op,
                disk: catalog.intern_disk(&kept.disk),
                offset: kept.offset,
                length: kept.length,
                copy: (catalog.intern_volume(&kept.volume), kept.copy),
                unplaced: kept.unplaced,
                from: kept.from_unix_nanos,
                until: kept.until_unix_nanos,
                last: kept.last_unix_nanos,
            };
            all.insert(stream, peer, overdue);
        }
        for overdue in all.by_key.values_mut() {
            overdue.sort_by_key(|overdue| (overdue.until, overdue.ordinal));
        }
        all
    }
}
