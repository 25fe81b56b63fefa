//! Whether a claim that nothing else contends for has exactly the events that it should.

use fathom_model::{Op, Tap};

use super::context::{Context, Span};
use super::{At, BulkIo, Pick};
use crate::assign::Interval;
use crate::engine::Engine;
use crate::engine::devices::DeviceEntry;
use crate::engine::lane::Lane;
use crate::layout::Place;

/// A copy of a part of an I/O, looking for its events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sought<'a> {
    pub(super) io: &'a BulkIo,
    pub(super) place: &'a Place,
    /// The initiator's.
    pub(super) side: usize,
}

/// The events of a place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) pick: Pick,
    /// What it says about the two nodes' clocks: a point above and one below, where they are two.
    pub(super) bounds: Option<((i64, i64), (i64, i64))>,
}

/// The events of a slice.
#[derive(Debug)]
pub(super) struct Events<'a> {
    context: &'a Context,
    /// Of each side.
    lanes: Vec<(&'a Lane, &'a [DeviceEntry])>,
    /// By their numbers in the slice.
    seen: &'a [At],
}

/// An event with what its device says.
#[derive(Clone, Copy, Debug)]
struct Event<'a> {
    at: At,
    start: i64,
    end: i64,
    length: u64,
    status: u32,
    op: Op,
    device: &'a DeviceEntry,
}

impl<'a> Events<'a> {
    pub(super) fn new(engine: &'a Engine, context: &'a Context, seen: &'a [At]) -> Self {
        let lane = |stream| {
            let state = &engine.streams[&stream];
            (&state.lane, state.devices.as_slice())
        };
        Self {
            context,
            lanes: context.sides.iter().map(|side| lane(side.stream)).collect(),
            seen,
        }
    }

    fn get(&self, side: usize, number: u32) -> Option<Event<'a>> {
        let at = *self.seen.get(number as usize)?;
        let (lane, devices) = self.lanes[side];
        let batch = lane.batch(at);
        let (columns, row) = (&batch.columns, at.row as usize);
        Some(Event {
            at,
            start: columns.starts_unix_nanos()[row],
            end: batch.end(row),
            length: columns.lengths()[row],
            status: columns.statuses()[row],
            op: columns.ops()[row],
            device: &devices[columns.devices()[row] as usize],
        })
    }

    /// What a claim has, if it is just what it should: of `seen` the leg, the target's event and the drive's, by number, are
    /// all that touches it. `spans` are the bounds of the clocks of all sides over the slice.
    pub(super) fn find(&self, sought: &Sought<'_>, seen: [u32; 3], spans: &[Option<Span>]) -> Option<Found> {
        let context = self.context;
        let (io, place) = (sought.io, sought.place);
        let own = &context.sides[sought.side];
        let far_at = context.far(place.node.0)?;
        let far = &context.sides[far_at];
        let local = own.node == far.node;
        let fits = |event: &Event<'_>| event.op == io.op && event.length == place.length;
        let start = io.start.max(io.end.saturating_sub(context.longest_io_nanos));
        let (mut outer, mut outer_tap) = ((start, io.end), Tap::Volume);

        let leg = self.get(sought.side, seen[0]);
        if leg.is_some() != (!local && own.gives(Tap::Initiator)) {
            return None;
        }
        if let Some(leg) = &leg {
            let slack = own.resolution(Tap::Initiator) + own.resolution(Tap::Volume);
            let device = leg.device;
            let disk = device.disk.is_none_or(|disk| disk == place.disk);
            let copy = device.volume.zip(device.copy);
            let copy = copy.is_none_or(|copy| copy == (io.volume, place.copy));
            if leg.status != 0 || !fits(leg) || !disk || !copy || !inside(widen(outer, slack), leg) {
                return None;
            }
            outer = (leg.start, leg.end);
            outer_tap = Tap::Initiator;
        }
        let within = |tap: Tap, event: &Event<'_>| -> bool {
            let slack = own.resolution(outer_tap) + far.resolution(tap);
            let (start, end) = widen(outer, slack);
            // Nearly always it is inside whatever the clocks are; else they are asked.
            let surely = |span: Span| (start.saturating_add(span.low_most), end.saturating_add(span.high_least));
            if spans[far_at].is_some_and(|span| inside(surely(span), event)) {
                return true;
            }
            let low = context.offset(sought.side, far_at, outer.0);
            let high = context.offset(sought.side, far_at, outer.1);
            low.zip(high).is_some_and(|((low, _), (_, high))| {
                inside((start.saturating_add(low), end.saturating_add(high)), event)
            })
        };
        let right = |event: &Event<'_>| event.device.disk == Some(place.disk) && fits(event);

        let target = self.get(far_at, seen[1]);
        // A local copy does not cross the bus: it may have a target event, where there are such, and need not.
        let expected = far.gives(Tap::Target);
        if target.is_some() != expected && !(local && expected) {
            return None;
        }
        if let Some(target) = &target
            && !(right(target) && within(Tap::Target, target))
        {
            return None;
        }
        let device = self.get(far_at, seen[2]);
        // A drive that nobody sees is no loss where the node sees its targets.
        if device.is_some() != far.gives(Tap::Device) || (device.is_none() && target.is_none()) {
            return None;
        }
        if let Some(device) = &device {
            let fits_in_time = match &target {
                Some(target) => {
                    let slack = far.resolution(Tap::Target) + far.resolution(Tap::Device);
                    inside(widen((target.start, target.end), slack), device)
                }
                None => within(Tap::Device, device),
            };
            if !(right(device) && fits_in_time) {
                return None;
            }
        }
        let (inner, inner_tap) = match (&target, &device) {
            (Some(target), _) => (target, Tap::Target),
            (None, Some(device)) => (device, Tap::Device),
            (None, None) => return None,
        };
        let bounds = (!local).then(|| {
            let outer = if leg.is_some() { outer } else { (io.start, io.end) };
            let slack = own.resolution(outer_tap) + far.resolution(inner_tap);
            (
                (outer.0, inner.start - outer.0 + slack),
                (outer.1, inner.end - outer.1 - 2 * slack),
            )
        });
        let at = |event: Option<Event<'_>>| event.map_or(At::NONE, |event| event.at);
        Some(Found {
            pick: Pick {
                seen: [at(leg), at(target), at(device)],
                far: far_at as u16,
            },
            bounds,
        })
    }
}

const fn inside(outer: Interval, event: &Event<'_>) -> bool {
    outer.0 <= event.start && event.end <= outer.1
}

/// See `resolve::widen`.
const fn widen(outer: Interval, slack: i64) -> Interval {
    (outer.0.saturating_sub(slack), outer.1.saturating_add(2 * slack))
}
