//! Conditions: what is wrong by state alone, as long as it is so.
//!
//! `crates/state` tells them from readings, `crates/diagnose` makes findings of them.

use serde::{Deserialize, Serialize};

use crate::finding::Severity;
use crate::state::Observation;

/// A reading that shows something, by which it can be asked for again (`fathom history ID`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObservationRef {
    /// What kind of resource it is of.
    pub kind: String,
    /// The node that reported it.
    pub node: String,
    /// The resource.
    pub id: String,
    /// When it was so, on that node's clock.
    pub at_unix_ns: i64,
}

impl From<&Observation> for ObservationRef {
    fn from(observation: &Observation) -> Self {
        Self {
            kind: observation.kind.as_str().to_owned(),
            node: observation.node.to_string(),
            id: observation.id.clone(),
            at_unix_ns: observation.observed_unix_nanos,
        }
    }
}

/// What state can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sign {
    /// The storage bus between nodes goes over TCP though both ends can RDMA.
    TcpFallback,
    /// A storage job begins anew again and again, or stands still.
    JobStuck,
    /// A storage job runs: wrong only where writes wait for what it moves.
    JobRuns,
    /// Nodes mark or pause traffic differently.
    QosDrift,
    /// Windows says that a drive is not well.
    DiskUnhealthy,
    /// A drive says that it is worn out.
    DiskWear,
    /// Adapters of storage have frames of different sizes.
    MtuMismatch,
}

impl Sign {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::TcpFallback,
        Self::JobStuck,
        Self::JobRuns,
        Self::QosDrift,
        Self::DiskUnhealthy,
        Self::DiskWear,
        Self::MtuMismatch,
    ];

    /// This, and what else the same readings show.
    #[must_use]
    pub const fn with_its_like(self) -> &'static [Self] {
        match self {
            Self::TcpFallback => &[Self::TcpFallback],
            Self::JobStuck | Self::JobRuns => &[Self::JobStuck, Self::JobRuns],
            Self::QosDrift => &[Self::QosDrift],
            Self::DiskUnhealthy => &[Self::DiskUnhealthy],
            Self::DiskWear => &[Self::DiskWear],
            Self::MtuMismatch => &[Self::MtuMismatch],
        }
    }
}

/// What a reading says of a storage job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobReading {
    /// Its name, as Windows has it; its id where it has none.
    pub name: String,
    /// When it began, by the time that it says to have run for, on the clock of whoever read it; when it was read first where it does not say.
    pub began_unix_ns: i64,
    /// Bytes that it has moved; none where it does not say.
    pub moved_bytes: Option<u64>,
    /// Bytes that it has to move; none where it does not say.
    pub total_bytes: Option<u64>,
}

/// Something that is wrong now.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// What it is.
    pub sign: Sign,
    /// `disk`, `link`, `node`, `adapter`, `job` or `cluster`.
    pub kind: String,
    /// The node; of a link the first by name; empty where it is the cluster's.
    pub node: String,
    /// The disk.
    pub disk: Option<String>,
    /// The other end of a link.
    pub peer: Option<String>,
    /// The job or the adapter.
    pub resource: Option<String>,
    /// What is read of the job, of a `job`.
    pub job: Option<JobReading>,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it says that something is slow and not why: what writes feel of it is the same thing, better told.
    pub is_symptom: bool,
    /// Why, in words.
    pub text: String,
    /// The readings that show it: never none.
    pub observations: Vec<ObservationRef>,
}
