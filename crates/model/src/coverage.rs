//! What was and was not heard: a part of every answer.

use serde::{Deserialize, Serialize};

use crate::id::NodeId;

/// Why a stretch of ordinals or of time has no events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapCause {
    /// The spool was full and the source could not wait.
    SpoolFull,
    /// The daemon did not run.
    DaemonDown,
    /// The source dropped events or buffers (ETW).
    SourceDropped,
    /// Detail was shed under load.
    Shed,
    /// Cut out of a recording.
    Recording,
    /// A spool segment was damaged.
    Damaged,
    /// Released from the spool after a coordinator with another store had acknowledged them.
    Released,
}

impl GapCause {
    /// All causes.
    pub const ALL: [Self; 7] = [
        Self::SpoolFull,
        Self::DaemonDown,
        Self::SourceDropped,
        Self::Shed,
        Self::Recording,
        Self::Damaged,
        Self::Released,
    ];

    /// Snake case, as columns and JSON show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SpoolFull => "spool_full",
            Self::DaemonDown => "daemon_down",
            Self::SourceDropped => "source_dropped",
            Self::Shed => "shed",
            Self::Recording => "recording",
            Self::Damaged => "damaged",
            Self::Released => "released",
        }
    }
}

/// A stretch of a node's time and whether it was heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The node.
    pub node: NodeId,
    /// From, on the node's own clock.
    pub from_unix_nanos: i64,
    /// Until, on the node's own clock.
    pub until_unix_nanos: i64,
    /// What happened.
    pub state: CoverageState,
    /// Events lost in it, where known; none of a stretch that was heard.
    pub events: Option<u64>,
}

/// Whether a stretch of time was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoverageState {
    /// Everything that the taps give was received.
    Heard,
    /// The source says that it lost events.
    Gap(GapCause),
    /// Nothing was heard for longer than the silence time, and windows closed without the node.
    Silent,
    /// No daemon speaks for the node.
    NoDaemon,
}

impl CoverageState {
    /// Snake case, as columns and JSON show it; a gap is shown by its cause.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Heard => "heard",
            Self::Gap(cause) => cause.as_str(),
            Self::Silent => "silent",
            Self::NoDaemon => "no_daemon",
        }
    }

    /// The state behind a spelling of [`Self::as_str`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Heard, Self::Silent, Self::NoDaemon]
            .into_iter()
            .chain(GapCause::ALL.into_iter().map(Self::Gap))
            .find(|state| state.as_str() == name)
    }
}
