//! Whether a claim that nothing else contends for has exactly the events that it should.

use fathom_model::{Observation, Op, StreamIndex, Tap};

use super::context::{Context, Span};
use super::{At, BulkIo};
use crate::assign::Interval;
use crate::engine::Engine;
use crate::engine::devices::DeviceEntry;
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
    /// Leg, target, device.
    pub(super) seen: [Option<Event>; 3],
    /// Whose events those of the far side are.
    pub(super) far: usize,
    /// What it says about the two nodes' clocks: a point above and one below, where they are two.
    pub(super) bounds: Option<((i64, i64), (i64, i64))>,
}

/// The events of a slice.
#[derive(Debug)]
pub(super) struct Events<'a> {
    context: &'a Context,
    /// Of each side.
    devices: Vec<&'a [DeviceEntry]>,
    /// By their numbers in the slice.
    seen: &'a [Event],
}

/// An event that touches a claim.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) at: At,
    pub(super) ordinal: u64,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) length: u64,
    pub(super) status: u32,
    /// In its stream's dictionary.
    pub(super) device: u32,
    pub(super) op: Op,
}

impl Event {
    pub(super) const fn observation(&self, stream: StreamIndex) -> Observation {
        Observation {
            stream,
            ordinal: self.ordinal,
            start_unix_nanos: self.start,
            duration_nanos: self.end.abs_diff(self.start),
            status: self.status,
        }
    }
}

impl<'a> Events<'a> {
    pub(super) fn new(engine: &'a Engine, context: &'a Context, seen: &'a [Event]) -> Self {
        let devices = |stream| engine.streams[&stream].devices.as_slice();
        Self {
            context,
            devices: context.sides.iter().map(|side| devices(side.stream)).collect(),
            seen,
        }
    }

    fn get(&self, number: u32) -> Option<&'a Event> {
        self.seen.get(number as usize)
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
        let fits = |event: &Event| event.op == io.op && event.length == place.length;
        let start = io.start.max(io.end.saturating_sub(context.longest_io_nanos));
        let (mut outer, mut outer_tap) = ((start, io.end), Tap::Volume);

        let leg = self.get(seen[0]);
        if leg.is_some() != (!local && own.gives(Tap::Initiator)) {
            return None;
        }
        if let Some(leg) = leg {
            let slack = own.resolution(Tap::Initiator) + own.resolution(Tap::Volume);
            let device = &self.devices[sought.side][leg.device as usize];
            let disk = device.disk.is_none_or(|disk| disk == place.disk);
            let copy = device.volume.zip(device.copy);
            let copy = copy.is_none_or(|copy| copy == (io.volume, place.copy));
            if leg.status != 0 || !fits(leg) || !disk || !copy || !inside(widen(outer, slack), leg) {
                return None;
            }
            outer = (leg.start, leg.end);
            outer_tap = Tap::Initiator;
        }
        let within = |tap: Tap, event: &Event| -> bool {
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
        let disk = |event: &Event| self.devices[far_at][event.device as usize].disk;
        let right = |event: &Event| disk(event) == Some(place.disk) && fits(event);

        let target = self.get(seen[1]);
        // A local copy does not cross the bus: it may have a target event, where there are such, and need not.
        let expected = far.gives(Tap::Target);
        if target.is_some() != expected && !(local && expected) {
            return None;
        }
        if let Some(target) = target
            && !(right(target) && within(Tap::Target, target))
        {
            return None;
        }
        let device = self.get(seen[2]);
        // A drive that nobody sees is no loss where the node sees its targets.
        if device.is_some() != far.gives(Tap::Device) || (device.is_none() && target.is_none()) {
            return None;
        }
        if let Some(device) = device {
            let fits_in_time = match target {
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
        let (inner, inner_tap) = match (target, device) {
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
        Some(Found {
            seen: [leg.copied(), target.copied(), device.copied()],
            far: far_at,
            bounds,
        })
    }
}

const fn inside(outer: Interval, event: &Event) -> bool {
    outer.0 <= event.start && event.end <= outer.1
}

/// See `resolve::widen`.
const fn widen(outer: Interval, slack: i64) -> Interval {
    (outer.0.saturating_sub(slack), outer.1.saturating_add(2 * slack))
}
