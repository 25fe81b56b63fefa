//! A finding: something that is worse than its like, from the moment that it was found until it is over, under one name.
//!
//! These are also the shapes of the CLI's JSON (`docs/design/0005-json-output.md`) and of the store's table: names and raw integers,
//! `None` for what is not known. Times of the diagnosis (`opened`, `first`, `last`, `closed`) are on the clock of the cluster's
//! reference node, as its events are; times of people (`acknowledged`, `muted`) are the coordinator's.

use serde::{Deserialize, Serialize};

pub use crate::condition::ObservationRef;
use crate::report::Evidence;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It is at a node that the cluster has paused or drains: work that was to be expected, and no incident. Nobody is told of it.
    Maintenance,
    /// Writes take longer than they should.
    Warning,
    /// Writes take half as long again for it, or one waited a second.
    Critical,
}

impl Severity {
    /// All, the least first.
    pub const ALL: [Self; 3] = [Self::Maintenance, Self::Warning, Self::Critical];

    /// As columns, JSON and the wire have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Maintenance => "maintenance",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Whether it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It goes on, or nothing has come since that would say otherwise.
    Open,
    /// It is over, or turned out to be part of another.
    Closed,
}

impl State {
    /// All states.
    pub const ALL: [Self; 2] = [Self::Open, Self::Closed];

    /// As columns, JSON and the wire have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// What a person said of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Who.
    pub by: String,
    /// When.
    pub at_unix_ns: i64,
    /// Until when it holds; null for as long as the finding is open.
    pub until_unix_ns: Option<i64>,
    /// What was said; may be empty.
    pub text: String,
    /// The request that said it: said again it changes nothing. Empty where the caller gave none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request: String,
}

/// Whose writes it cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Victim {
    /// The volume.
    pub volume: String,
    /// Writes to it that it made longer, since it began.
    pub writes: u64,
    /// Its part of the finding's cost: those of all volumes add up to it. Null where that is not known a volume.
    pub cost_ns: Option<u64>,
}

/// A node whose writes it cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VictimNode {
    /// The initiator.
    pub node: String,
    /// Its writes that it made longer, since it began.
    pub writes: u64,
    /// Its part of the finding's cost: those of all nodes add up to it.
    pub cost_ns: u64,
}

/// Something that is worse than its like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Its name: of the object and which time it is that something is found of it. The same after a restart.
    pub id: String,
    /// What it is, such as `DISK_SLOW`: an open word with a page (`fathom explain CODE`).
    pub code: String,
    /// `disk`, `link`, `node`, `initiator`, `unknown`, as of a culprit; of what state shows also `adapter`, `job`, `volume`, `pool` and
    /// `cluster`.
    pub kind: String,
    /// The node; of a link the far one; empty where it is the cluster's.
    pub node: String,
    /// The disk, of a `disk`.
    pub disk: Option<String>,
    /// The other end, of a `link`.
    pub peer: Option<String>,
    /// What it is called that is none of these: the job, the adapter, the volume, the pool.
    #[serde(default)]
    pub resource: Option<String>,
    /// Drives that it works on, of a `job`, or that are of a slower medium, of a `pool`, as NODE/DISK; empty of all else, and where they were
    /// not seen.
    #[serde(default)]
    pub disks: Vec<String>,
    /// How bad it has been at its worst; `maintenance` for as long as it was felt only at a node in maintenance.
    pub severity: Severity,
    /// Whether it is over.
    pub state: State,
    /// How sure, 0 to 1.
    pub confidence: f64,
    /// When it was found.
    pub opened_unix_ns: i64,
    /// When it was first felt.
    pub first_unix_ns: i64,
    /// When it was last felt.
    pub last_unix_ns: i64,
    /// When it was over; null while it is open.
    pub closed_unix_ns: Option<i64>,
    /// How often it came back within an hour of being over, and was opened again under its name.
    pub reopened: u32,
    /// What writes waited for it beyond what is usual.
    pub cost_ns: u64,
    /// Whom it cost, the most first; empty where that is not known.
    pub victims: Vec<Victim>,
    /// The same by the node that wrote; empty where that is not known.
    #[serde(default)]
    pub initiators: Vec<VictimNode>,
    /// Why, with writes that show it.
    pub evidence: Vec<Evidence>,
    /// Readings of state that show it; empty of what writes alone show.
    #[serde(default)]
    pub observations: Vec<ObservationRef>,
    /// Read-only commands to look next, with its names filled in.
    pub next: Vec<String>,
    /// The finding that it turned out to be part of.
    pub part_of: Option<String>,
    /// Who works on it.
    pub acknowledged: Option<Note>,
    /// Who does not want to hear of it.
    pub muted: Option<Note>,
    /// The number of its last change.
    pub sequence: u64,
}

impl Finding {
    /// The object, as people write it.
    #[must_use]
    pub fn object(&self) -> String {
        match (&self.disk, &self.peer, &self.resource) {
            (Some(disk), _, _) if self.node.is_empty() => disk.clone(),
            (Some(disk), _, _) => format!("{}/{disk}", self.node),
            (None, Some(peer), _) => format!("{}-{peer}", self.node),
            (None, None, Some(resource)) if self.node.is_empty() => resource.clone(),
            (None, None, Some(resource)) => format!("{}/{resource}", self.node),
            (None, None, None) => self.node.clone(),
        }
    }
}

/// What happened to a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It was found.
    Opened,
    /// It came back within an hour.
    Reopened,
    /// Its code, severity, confidence, cost or victims changed by much.
    Updated,
    /// It is over, or part of another.
    Closed,
    /// Somebody works on it.
    Acknowledged,
    /// Nobody does any more: the note was taken back, or it ran out.
    Unacknowledged,
    /// Somebody does not want to hear of it.
    Muted,
    /// It is to be heard of again: the note was taken back, or it ran out.
    Unmuted,
}

impl ChangeKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Opened,
        Self::Reopened,
        Self::Updated,
        Self::Closed,
        Self::Acknowledged,
        Self::Unacknowledged,
        Self::Muted,
        Self::Unmuted,
    ];

    /// As columns, JSON and the wire have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Reopened => "reopened",
            Self::Updated => "updated",
            Self::Closed => "closed",
            Self::Acknowledged => "acknowledged",
            Self::Unacknowledged => "unacknowledged",
            Self::Muted => "muted",
            Self::Unmuted => "unmuted",
        }
    }
}

/// A change of a finding. Numbers rise by one in a cluster, over restarts too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Its number, from 1.
    pub sequence: u64,
    /// What happened.
    pub kind: ChangeKind,
    /// When: of the diagnosis on the reference clock, of people on the coordinator's.
    pub at_unix_ns: i64,
    /// The finding after it.
    pub finding: Finding,
}
