//! Recorded runs: reading and writing the recording format.
//!
//! # Data model
//!
//! A recording is a folder: `run.json` (topology, volumes, extent map, and what is known of faults and clocks),
//! `events-<node>.jsonl.zst` (that node's I/O events, a row an I/O, in completion order, on that node's own clock; plain
//! `events-<node>.jsonl` is read as well), and, where it is known, `truth.jsonl.zst` (which events belong to which write).
//! Where it was recorded, `state.jsonl.zst` has what the nodes' resources were like ([`StateRow`]).
//! A row's number is its line number in its file, from 0, and becomes the event's ordinal where no tap is left out.
//!
//! An `initiator` row names its `peer`, and as its device either the copy that goes there (`vol0.copy1`, of a volume with slabs
//! `vol0.slab3.copy1`) or, as the storage bus of a Windows node shows it, the remote disk (`clusport.t1.disk0`). A tap that gives no
//! offsets leaves `offset` out of its rows.
//!
//! # Errors
//!
//! A file that is broken, cut off or not what its name says gives an [`Error`] that names file, row and cause. Nothing is
//! skipped.
//!
//! # What it is not
//!
//! It does not join and does not score; `fathom-lab` does. Truth and clocks are read only by who asks for them.

mod error;
mod events;
pub mod objects;
mod run;
mod state;
mod truth;

pub use error::{Error, Result};
pub use events::{EventReader, EventRow, EventWriter, RowBatch};
pub use run::{ClockTruth, Recording, RecordingNode, Run, RunExtent, RunTopology, RunVolume};
pub use state::{StateRow, read_state, state_file, write_state};
pub use truth::{TruthCopy, TruthReader, TruthSlowest, TruthWrite, write_truth};
