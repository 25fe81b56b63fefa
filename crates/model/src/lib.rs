//! The domain of Fathom: identities, taps, I/O events, topology, extents and fan-outs.
//!
//! # Purpose
//!
//! Every other crate speaks in these types. A new reader should start with [`fan_out`], which is what all of Fathom
//! exists to make, and [`tap`], which says where along the path of a write an event was seen.
//!
//! # What it is not
//!
//! No I/O, no clocks, no protocol: conversions to protobuf live in `fathom-proto`, to Parquet in `fathom-store`, to the
//! recording format in `fathom-capture`.
//!
//! # Units
//!
//! Times are nanoseconds since the Unix epoch (`i64`, `*_unix_nanos`) on the clock of the node that saw the event,
//! durations nanoseconds (`u64`, `*_nanos`), offsets and lengths bytes (`u64`).

pub mod baseline;
pub mod catalog;
pub mod cell;
pub mod condition;
pub mod coverage;
pub mod extent;
pub mod fan_out;
pub mod finding;
pub mod fleet;
pub mod health;
pub mod id;
pub mod io_event;
pub mod missing;
pub mod objective;
pub mod range_set;
pub mod report;
pub mod rollup;
pub mod sketch;
pub mod state;
pub mod striping;
pub mod tap;
pub mod topology;
pub mod unit;

pub use catalog::{Catalog, DiskIndex, NodeIndex, StreamIndex, VolumeIndex};
pub use extent::{Extent, ExtentError, ExtentMap, Parity, Stripe, Validity};
pub use fan_out::{
    ClockStatement, Io, IoClass, JoinedRows, Leg, LegMethod, Merged, Observation, PendingEvent, Slowest,
};
pub use id::{
    ClusterId, Incarnation, IoId, NameFault, NodeId, PhysicalDiskId, StreamId, StreamKind, VolumeId, check_name,
};
pub use io_event::{IoColumns, IoEvent};
pub use missing::{Missing, Unmatched, UnmatchedCause};
pub use range_set::RangeSet;
pub use tap::{Op, Tap};
pub use topology::{Device, PhysicalDisk, Topology, Volume};
