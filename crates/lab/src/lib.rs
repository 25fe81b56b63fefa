//! Runs without a network: a recording through the join in one process, and its score against the truth.
//!
//! [`replay`] plays a recording through the same source and the same engine that daemons and coordinator use; [`export`] writes
//! its fan-outs as JSON Lines; [`score`] holds fan-outs against a recording's truth, wherever they were joined; [`simulate`] writes
//! recordings of clusters that nobody has at hand; [`import`] reads what Windows' tracing wrote;
//! [`evaluate`] measures how well the diagnosis names what is wrong with such clusters; [`state`] reads what recordings say of state.

mod error;
pub mod evaluate;
pub mod export;
pub mod import;
pub mod replay;
pub mod report;
pub mod score;
pub mod simulate;
pub mod state;

use std::path::Path;

pub use error::{Error, Result};
pub use fathom_capture::{Recording, RecordingNode, state_file};
pub use fathom_diagnose as diagnosis;
pub use fathom_etl as etl;
pub use fathom_simulate as simulator;
pub use fathom_sources as sources;

/// Opens a recording: reads and checks its `run.json`.
///
/// # Errors
///
/// When the folder holds no recording, or a broken one.
pub fn open(folder: &Path) -> Result<Recording> {
    Ok(Recording::open(folder)?)
}
