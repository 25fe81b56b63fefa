//! Whether a claim that nothing else contends for has exactly the events that it should.

use fathom_model::{Observation, Op, StreamIndex, Tap};

use super::context::{Context, Span};
use super::{At, BulkIo, Entry, NOTHING};
use crate::assign::Interval;
use crate::layout::Spot;

/// A copy of a part of an I/O, looking for its events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sought<'a> {
    pub(super) io: &'a BulkIo,
    pub(super) place: &'a Spot,
    /// The initiator's.
    pub(super) side: usize,
}

/// What is found out of a place that has just the events that it should.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// Whose events those of the far side are.
    pub(super) far: usize,
    /// What it says about the two nodes' clocks: a point above and one below, where they are two.
    pub(super) bounds: Option<Bounds>,
}

/// A point above and one below.
pub(super) type Bounds = ((i64, i64), (i64, i64));

/// What an initiator's claims on a node's disks should have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    /// The side that speaks for the node.
    far: usize,
    local: bool,
    leg: bool,
    target: bool,
    device: bool,
    /// Of the resolutions of the volume's tap and the leg's; of these two with the target's and with the drive's; and of those two.
    leg_slack: i64,
    from_volume: [i64; 2],
    from_leg: [i64; 2],
    device_slack: i64,
    /// The bounds of the clocks over the slice.
    span: Option<Span>,
    /// The far side's dictionary.
    devices: &'a [Entry],
}

/// The events of a slice.
#[derive(Debug)]
pub(super) struct Events<'a> {
    context: &'a Context,
    /// Of each side its dictionary.
    devices: &'a [Vec<Entry>],
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
    #[inline]
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
    pub(super) const fn new(context: &'a Context, devices: &'a [Vec<Entry>], seen: &'a [Event]) -> Self {
        Self { context, devices, seen }
    }

    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&'a Event> {
        self.seen.get(number as usize)
    }

    /// What a claim has, if it is just what it should: of `seen` the leg, the target's event and the drive's, by number, are
    /// all that touches it. `expected` is what its initiator's claims should have, a node.
    // Asked once a claim in one place: what it gives is large, and would go through memory.
    #[inline]
    pub(super) fn find(&self, sought: &Sought<'_>, seen: [u32; 3], expected: &[Option<Expected<'_>>]) -> Option<Found> {
        let context = self.context;
        let (io, place) = (sought.io, sought.place);
        let expected = expected.get(place.node.as_usize())?.as_ref()?;
        let local = expected.local;
        let fits = |event: &Event| event.op == io.op && event.length == u64::from(place.length);
        let start = io.start.max(io.end.saturating_sub(context.longest_io_nanos));
        let mut outer = (start, io.end);
        // Of its resolution and a far tap's.
        let mut slacks = expected.from_volume;

        let leg = self.get(seen[0]);
        if leg.is_some() != expected.leg {
            return None;
        }
        if let Some(leg) = leg {
            let device = &self.devices[sought.side][leg.device as usize];
            let disk = device.disk == NOTHING || device.disk == place.disk.0;
            let copy = device.volume == NOTHING
                || device.copy == NOTHING
                || (device.volume, device.copy) == (io.volume.0, u32::from(place.copy));
            let inside = inside(around(outer, expected.leg_slack), leg);
            if leg.status != 0 || !fits(leg) || !disk || !copy || !inside {
                return None;
            }
            outer = (leg.start, leg.end);
            slacks = expected.from_leg;
        }
        let within = |slack: i64, event: &Event| -> bool {
            let (start, end) = around(outer, slack);
            // Nearly always it is inside whatever the clocks are; else they are asked.
            let surely = |span: Span| (start + span.low_most, end + span.high_least);
            if expected.span.is_some_and(|span| inside(surely(span), event)) {
                return true;
            }
            let low = context.offset(sought.side, expected.far, outer.0);
            let high = context.offset(sought.side, expected.far, outer.1);
            low.zip(high)
                .is_some_and(|((low, _), (_, high))| inside((start + low, end + high), event))
        };
        let disk = |event: &Event| expected.devices[event.device as usize].disk;
        let right = |event: &Event| disk(event) == place.disk.0 && fits(event);

        let target = self.get(seen[1]);
        // A local copy does not cross the bus: it may have a target event, where there are such, and need not.
        if target.is_some() != expected.target && !(local && expected.target) {
            return None;
        }
        if let Some(target) = target
            && !(right(target) && within(slacks[0], target))
        {
            return None;
        }
        let device = self.get(seen[2]);
        // A drive that nobody sees is no loss where the node sees its targets.
        if device.is_some() != expected.device || (device.is_none() && target.is_none()) {
            return None;
        }
        if let Some(device) = device {
            let fits_in_time = match target {
                Some(target) => inside(around((target.start, target.end), expected.device_slack), device),
                None => within(slacks[1], device),
            };
            if !(right(device) && fits_in_time) {
                return None;
            }
        }
        let (inner, slack) = match (target, device) {
            (Some(target), _) => (target, slacks[0]),
            (None, Some(device)) => (device, slacks[1]),
            (None, None) => return None,
        };
        let bounds = (!local).then(|| {
            let outer = if leg.is_some() { outer } else { (io.start, io.end) };
            (
                (outer.0, inner.start - outer.0 + slack),
                (outer.1, inner.end - outer.1 - 2 * slack),
            )
        });
        Some(Found {
            far: expected.far,
            bounds,
        })
    }
}

impl<'a> Expected<'a> {
    /// What the claims of a side on the disks of each node should have. `spans` are the bounds of its clocks with all sides.
    pub(super) fn of_nodes(
        context: &Context,
        devices: &'a [Vec<Entry>],
        side: usize,
        spans: &[Option<Span>],
    ) -> Vec<Option<Self>> {
        let own = &context.sides[side];
        let of_node = |node: usize| {
            let far_at = context.far(node as u32)?;
            let far = &context.sides[far_at];
            let local = own.node == far.node;
            let slacks = |outer: Tap| [Tap::Target, Tap::Device].map(|tap| own.resolution(outer) + far.resolution(tap));
            Some(Self {
                far: far_at,
                local,
                leg: !local && own.gives(Tap::Initiator),
                target: far.gives(Tap::Target),
                device: far.gives(Tap::Device),
                leg_slack: own.resolution(Tap::Initiator) + own.resolution(Tap::Volume),
                from_volume: slacks(Tap::Volume),
                from_leg: slacks(Tap::Initiator),
                device_slack: far.resolution(Tap::Target) + far.resolution(Tap::Device),
                span: spans[far_at],
                devices: &devices[far_at],
            })
        };
        (0..context.nodes()).map(of_node).collect()
    }
}

#[inline]
const fn inside(outer: Interval, event: &Event) -> bool {
    outer.0 <= event.start && event.end <= outer.1
}

/// The same as [`widen`] of what waits in lanes: their times are so far from the ends of the range, and clocks' offsets so small,
/// that no sum of a few of them leaves it (`goes_to_lane`, `clock::envelope::FAR`).
#[inline]
const fn around(outer: Interval, slack: i64) -> Interval {
    (outer.0 - slack, outer.1 + 2 * slack)
}

/// See `resolve::widen`.
#[inline]
pub(super) const fn widen(outer: Interval, slack: i64) -> Interval {
    (outer.0.saturating_sub(slack), outer.1.saturating_add(2 * slack))
}
