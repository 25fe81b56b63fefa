//! What flushes made durable ([`fathom_model::report::Covered`]), for the wire and from it.

use fathom_model::report::{Covered, CoveredBy};

use crate::query::v1 as wire;

/// What a flush covers.
#[must_use]
pub const fn covered_to_wire(covered: &Covered) -> wire::FlushCoverage {
    wire::FlushCoverage {
        writes: covered.writes,
        bytes: covered.bytes,
        from_unix_nanos: covered.from_unix_ns,
        until_unix_nanos: covered.until_unix_ns,
        since_unix_nanos: covered.since_unix_ns,
    }
}

/// What a flush covers, from the wire.
#[must_use]
pub const fn covered_from_wire(covered: &wire::FlushCoverage) -> Covered {
    Covered {
        writes: covered.writes,
        bytes: covered.bytes,
        from_unix_ns: covered.from_unix_nanos,
        until_unix_ns: covered.until_unix_nanos,
        since_unix_ns: covered.since_unix_nanos,
    }
}

/// The flush that made a write durable.
#[must_use]
pub fn covered_by_to_wire(by: &CoveredBy) -> wire::CoveringFlush {
    wire::CoveringFlush {
        id: by.id.clone(),
        durable_unix_nanos: by.durable_unix_ns,
        after_nanos: by.after_ns,
    }
}

/// The flush that made a write durable, from the wire.
#[must_use]
pub fn covered_by_from_wire(by: &wire::CoveringFlush) -> CoveredBy {
    CoveredBy {
        id: by.id.clone(),
        durable_unix_ns: by.durable_unix_nanos,
        after_ns: by.after_nanos,
    }
}
