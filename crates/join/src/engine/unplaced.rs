//! Initiator legs without an offset, as Windows gives them: only the disk that they lead to, operation, length, times, and perhaps
//! an IRP are known. Whose they are is decided for all I/Os of an initiator together.
//!
//! A leg can be a copy's when device, operation and length agree and the leg lies inside the I/O, which is exact since both
//! times are the initiator's own ([`Unplaced`]). Where legs carry the IRP of their I/O, which is learnt from the traffic
//! ([`irp`]), that leaves one. Else the copy's event at the far side, which is found by its key, has to lie inside the leg as
//! far as the clocks are known, and one leg goes to one copy ([`tie`]). What several could have is said to be ambiguous.

use fathom_model::{DiskIndex, NodeIndex, Op, StreamIndex, Tap, VolumeIndex};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::Engine;
use super::resolve::{Ties, interval, widen};
use crate::assign::Interval;
use crate::lowest::Lowest;
use crate::pool::{ClaimRef, LegEvent};

mod attempts;
mod irp;
mod tie;

pub use irp::CorrelationState;
pub(super) use irp::{Correlations, restore};

/// A copy that a leg without an offset may be of.
#[derive(Clone, Copy, Debug)]
struct Copy {
    claim: ClaimRef,
    /// Its I/O completes in the window that closes.
    closing: bool,
    /// Where its legs must lie.
    span: Interval,
    copy: (VolumeIndex, u32),
    disk: DiskIndex,
    correlation: Option<u64>,
}

/// A leg without an offset.
#[derive(Clone, Copy, Debug)]
struct Leg {
    /// In the pool.
    event: usize,
    span: Interval,
    disk: Option<DiskIndex>,
    copy: Option<(VolumeIndex, u32)>,
    correlation: Option<u64>,
    failed: bool,
    contested: bool,
}

/// What a leg and its copy agree in. Where of some legs to a node the disk is not known, all its disks are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Way {
    Disk(DiskIndex, Op, u64),
    Node(NodeIndex, Op, u64),
}

/// The copies and legs of one way, by their numbers.
#[derive(Debug, Default)]
struct List {
    /// By the ends of their spans.
    copies: Vec<usize>,
    /// Of each place in `copies` the start.
    copy_starts: Lowest,
    /// By their starts.
    legs: Vec<usize>,
    /// Of each place in `legs` the start.
    starts: Vec<i64>,
}

/// Legs without an offset of one initiator, and the copies that they may be of: those of the I/Os of a window that closes, and of
/// all that completed later and before its cut.
#[derive(Debug, Default)]
pub(super) struct Unplaced {
    copies: Vec<Copy>,
    legs: Vec<Leg>,
    lists: Vec<List>,
    /// The list of each copy and leg.
    list_of_copy: Vec<usize>,
    list_of_leg: Vec<usize>,
    /// Whether legs carry the IRP of their I/O.
    shared: bool,
    /// Legs that an IRP ties.
    pub(super) ties: Ties,
}

impl Unplaced {
    /// The legs that a copy may have by all that the initiator says, in the order of their starts.
    fn legs_of(&self, copy: usize) -> impl Iterator<Item = usize> + '_ {
        let (list, of) = (&self.lists[self.list_of_copy[copy]], &self.copies[copy]);
        let first = list.starts.partition_point(|&start| start < of.span.0);
        let legs = list.legs[first..].iter().copied();
        let legs = legs.take_while(move |&leg| self.legs[leg].span.0 <= of.span.1);
        legs.filter(move |&leg| self.fits(of, &self.legs[leg]))
    }

    /// The copies that may have a leg by all that the initiator says, in the order of their ends.
    fn copies_of(&self, leg: usize) -> impl Iterator<Item = usize> + '_ {
        let (list, of) = (&self.lists[self.list_of_leg[leg]], &self.legs[leg]);
        let first = list
            .copies
            .partition_point(|&copy| self.copies[copy].span.1 < of.span.1);
        // One that lasts long among many that do not must not make all of them be looked at.
        let around = list.copy_starts.all(first, of.span.0);
        let around = around.map_while(|at| list.copies.get(at).copied());
        around.filter(move |&copy| self.fits(&self.copies[copy], of))
    }

    fn fits(&self, copy: &Copy, leg: &Leg) -> bool {
        let inside = copy.span.0 <= leg.span.0 && leg.span.1 <= copy.span.1;
        let disk = leg.disk.is_none_or(|disk| disk == copy.disk);
        inside && disk && leg.copy.is_none_or(|other| other == copy.copy) && self.irp_allows(copy, leg)
    }

    /// Where legs carry the IRP of their I/O, a leg with another IRP is another's.
    fn irp_allows(&self, copy: &Copy, leg: &Leg) -> bool {
        match (copy.correlation, leg.correlation) {
            (Some(one), Some(other)) if self.shared => one == other,
            _ => true,
        }
    }

    fn add_lists(&mut self, ways: Vec<(Way, usize)>, legs: Vec<(Way, usize)>) {
        let mut numbers: FxHashMap<Way, usize> = FxHashMap::default();
        let lists = &mut self.lists;
        let mut list = |way: Way| {
            *numbers.entry(way).or_insert_with(|| {
                lists.push(List::default());
                lists.len() - 1
            })
        };
        self.list_of_copy = ways.into_iter().map(|(way, _)| list(way)).collect();
        self.list_of_leg = legs.into_iter().map(|(way, _)| list(way)).collect();
        for (copy, &list) in self.list_of_copy.iter().enumerate() {
            self.lists[list].copies.push(copy);
        }
        for (leg, &list) in self.list_of_leg.iter().enumerate() {
            self.lists[list].legs.push(leg);
        }
        for list in &mut self.lists {
            list.copies.sort_by_key(|&copy| (self.copies[copy].span.1, copy));
            list.legs.sort_by_key(|&leg| (self.legs[leg].span, leg));
            list.starts = list.legs.iter().map(|&leg| self.legs[leg].span.0).collect();
            list.copy_starts = Lowest::new(list.copies.iter().map(|&copy| self.copies[copy].span.0));
        }
    }
}

impl Engine {
    /// Whether legs of a stream may come without an offset.
    pub(super) fn has_unplaced(&self, stream: StreamIndex) -> bool {
        let devices = &self.streams[&stream].devices;
        devices.iter().any(|device| device.unplaced)
    }

    /// Whether an event that was kept is a leg without an offset.
    pub(super) fn is_unplaced(&self, event: &LegEvent) -> bool {
        let state = self.streams.get(&event.event.stream);
        let device = state.and_then(|state| state.devices.get(event.device as usize));
        event.tap == Tap::Initiator && event.op != Op::Flush && device.is_some_and(|device| device.unplaced)
    }

    /// Collects what there is of legs without an offset for a window that closes, and learns from it what IRPs say.
    pub(super) fn unplaced(&mut self, stream: StreamIndex, window: i64, ios: &[usize]) -> Unplaced {
        let mut found = Unplaced::default();
        if !self.pool.has_unplaced(stream) || !self.gives(stream, Tap::Initiator) {
            return found;
        }
        let cut = self.cut(window);
        let later = self.streams[&stream].windows.range(window.saturating_add(1)..);
        let later = later.flat_map(|(_, ios)| ios.iter().copied());
        let later = later.filter(|&io| self.pool.ios[io].event.end_unix_nanos() < cut);
        let mut later: Vec<usize> = later.collect();
        later.sort_by_key(|&io| {
            (
                self.pool.ios[io].event.end_unix_nanos(),
                self.pool.ios[io].event.ordinal,
            )
        });
        let mut ways = Vec::new();
        for (&io, closing) in ios
            .iter()
            .map(|io| (io, true))
            .chain(later.iter().map(|io| (io, false)))
        {
            self.add_copies(io, closing, &mut found, &mut ways);
        }
        let Some(first) = found.copies.iter().map(|copy| copy.span.0).min() else {
            return Unplaced::default();
        };
        let mut legs = self.legs_between(stream, first, cut, &mut found);
        // Of legs whose disk is not known any disk of the node may be theirs.
        let vague: Vec<NodeIndex> = legs
            .iter()
            .filter_map(|&(way, _)| {
                if let Way::Node(node, ..) = way {
                    Some(node)
                } else {
                    None
                }
            })
            .collect();
        if !vague.is_empty() {
            for (way, _) in ways.iter_mut().chain(&mut legs) {
                if let Way::Disk(disk, op, length) = *way
                    && let Some(node) = self.layout.node_of(disk).filter(|node| vague.contains(node))
                {
                    *way = Way::Node(node, op, length);
                }
            }
        }
        found.add_lists(ways, legs);
        found.shared = self.learn_correlation(stream, window, &found);
        found.tie_by_irp();
        self.tie_retried(&mut found);
        found
    }

    /// Adds the copies of an I/O that legs without an offset may be of.
    fn add_copies(&self, at: usize, closing: bool, found: &mut Unplaced, ways: &mut Vec<(Way, usize)>) {
        let io = &self.pool.ios[at];
        if io.op == Op::Flush {
            return;
        }
        let (start, end) = (io.event.start_unix_nanos, io.event.end_unix_nanos());
        let start = start.max(end.saturating_sub(self.config.longest_io_nanos));
        let stream = io.event.stream;
        let slack = self.resolution(stream, Tap::Initiator) + self.resolution(stream, Tap::Volume);
        for (place, where_) in io.places.places.iter().enumerate() {
            // A copy on the initiator's own node need not have a leg. Where the bus shows its own disks too, it has one.
            ways.push((Way::Disk(where_.disk, io.op, where_.length), found.copies.len()));
            found.copies.push(Copy {
                claim: ClaimRef { io: at, place },
                closing,
                span: widen((start, end), slack),
                copy: (io.volume, where_.copy),
                disk: where_.disk,
                correlation: io.correlation,
            });
        }
    }

    /// Adds the legs that ended in a stretch of time.
    fn legs_between(&self, stream: StreamIndex, from: i64, until: i64, found: &mut Unplaced) -> Vec<(Way, usize)> {
        let mut ways = Vec::new();
        for at in self.pool.unplaced(stream, from..until) {
            let event = &self.pool.events[at];
            let way = match (event.disk, event.peer) {
                (Some(disk), _) => Way::Disk(disk, event.op, event.length),
                (None, Some(node)) => Way::Node(node, event.op, event.length),
                (None, None) => continue,
            };
            ways.push((way, found.legs.len()));
            found.legs.push(Leg {
                event: at,
                span: interval(event),
                disk: event.disk,
                copy: event.copy,
                correlation: event.correlation,
                failed: event.event.status != 0,
                contested: event.contested,
            });
        }
        ways
    }
}

/// As many as a copy mostly has.
type Few = SmallVec<[usize; 4]>;
