//! Where the time of an I/O and of its legs went.

use fathom_model::report::{Bounds, IoParts, LegParts};

use crate::query::v1 as wire;

const fn bounds_to_wire([low_nanos, high_nanos]: Bounds) -> wire::Bounds {
    wire::Bounds { low_nanos, high_nanos }
}

const fn bounds_from_wire(bounds: wire::Bounds) -> Bounds {
    [bounds.low_nanos, bounds.high_nanos]
}

pub(super) fn io_to_wire(parts: &IoParts) -> wire::IoParts {
    wire::IoParts {
        before: Some(bounds_to_wire(parts.before_ns)),
        legs: Some(bounds_to_wire(parts.legs_ns)),
        after: Some(bounds_to_wire(parts.after_ns)),
        last_copy_nanos: parts.last_copy_ns,
    }
}

/// None of what leaves one of them out.
pub(super) fn io_from_wire(parts: &wire::IoParts) -> Option<IoParts> {
    Some(IoParts {
        before_ns: bounds_from_wire(parts.before?),
        legs_ns: bounds_from_wire(parts.legs?),
        after_ns: bounds_from_wire(parts.after?),
        last_copy_ns: parts.last_copy_nanos,
    })
}

pub(super) fn leg_to_wire(parts: &LegParts) -> wire::LegParts {
    wire::LegParts {
        whole_nanos: parts.whole_ns,
        way_nanos: parts.way_ns,
        there: parts.there_ns.map(bounds_to_wire),
        back: parts.back_ns.map(bounds_to_wire),
        queue_nanos: parts.queue_ns,
        way_and_queue_nanos: parts.way_and_queue_ns,
        drive_nanos: parts.drive_ns,
    }
}

pub(super) fn leg_from_wire(parts: &wire::LegParts) -> LegParts {
    LegParts {
        whole_ns: parts.whole_nanos,
        way_ns: parts.way_nanos,
        there_ns: parts.there.map(bounds_from_wire),
        back_ns: parts.back.map(bounds_from_wire),
        queue_ns: parts.queue_nanos,
        way_and_queue_ns: parts.way_and_queue_nanos,
        drive_ns: parts.drive_nanos,
    }
}
