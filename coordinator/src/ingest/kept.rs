//! What a cluster's worker keeps in each manifest record beside files and positions.

use std::collections::BTreeMap;

use fathom_model::{NodeId, StreamId};
use serde::{Deserialize, Serialize};

/// Everything that a successor needs to go on; the `state` of a record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Positions, accounted sets, losses, windows, alignment.
    pub(crate) join: fathom_join::State,
    /// Until when each node's time is in the coverage table.
    pub(crate) covered_until: BTreeMap<NodeId, i64>,
    /// I/Os stored so far.
    pub(crate) ios: u64,
    /// Events received so far, of every stream: of those that are accounted for.
    pub(crate) events: u64,
    /// How far each state stream is stored. Records of before there were any have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) state_streams: Vec<StateStream>,
    /// Findings after the rows of this record. Records of before there were any have none.
    #[serde(default)]
    pub(crate) findings: fathom_diagnose::findings::Kept,
    /// Changes of the cluster's health, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) health: Vec<fathom_model::health::Span>,
    /// How what is not ok is shown. None: nobody has looked yet, or the record is of before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) troubled: Option<Vec<fathom_model::health::Entry>>,
    /// The last change that each webhook was told, by name. Those that are not configured now keep theirs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) webhooks: BTreeMap<String, u64>,
    /// How many observations, in the order in which they are stored, have been looked at for what is wrong by state. Records of before
    /// that was done have none: all of theirs count as looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) state_judged: Option<u64>,
    /// The last minute whose objectives were judged, in minutes since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) judged_minute: Option<i64>,
    /// So many observations, in the order in which they are stored, are in the picture that the store has. None where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pictured: Option<u64>,
    /// The first record whose rows are in the tables `latency` and `attribution`, as are those of all after it. Records of before there
    /// were such tables have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cells_since: Option<u64>,
    /// The same of the table `write_seconds`, which came later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seconds_since: Option<u64>,
}

/// A stream of observations and samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateStream {
    /// Which.
    pub(crate) id: StreamId,
    /// Below this every ordinal is stored or lost.
    pub(crate) position: u64,
    /// Whether nothing more comes.
    pub(crate) ended: bool,
}
