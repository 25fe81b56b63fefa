//! Conditions: what is wrong by state alone, as long as it is so.
//!
//! `crates/state` tells them from readings, `crates/diagnose` makes findings of them.

use serde::{Deserialize, Serialize};

use crate::finding::Severity;
use crate::state::{Observation, Sample};

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
    /// The counter that it is a reading of (`fathom counters`); none of what was observed of the resource itself.
    #[serde(default)]
    pub counter: Option<String>,
}

impl From<&Observation> for ObservationRef {
    fn from(observation: &Observation) -> Self {
        Self {
            kind: observation.kind.as_str().to_owned(),
            node: observation.node.to_string(),
            id: observation.id.clone(),
            at_unix_ns: observation.observed_unix_nanos,
            counter: None,
        }
    }
}

impl From<&Sample> for ObservationRef {
    fn from(sample: &Sample) -> Self {
        Self {
            kind: sample.kind.as_str().to_owned(),
            node: sample.node.to_string(),
            id: sample.id.clone(),
            at_unix_ns: sample.observed_unix_nanos,
            counter: Some(sample.name.clone()),
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
    /// A port asks others to pause far more often than its equals do.
    PauseStorm,
    /// RDMA connections of a node wait for credits far more often than those of its equals.
    CreditStalls,
    /// An adapter counts errors, or connections of the storage bus fail.
    LinkErrors,
    /// An adapter of storage carries about as much as its link takes: wrong only where copies that go over it wait.
    Saturated,
    /// A drive counts errors, more than its like.
    DiskErrors,
    /// I/O of a cluster shared volume goes by way of another node.
    CsvRedirected,
    /// A node encrypts a cluster shared volume: wrong only where its writes are slow.
    Encrypted,
    /// Copies of one slab lie on drives of different media: wrong only where writes wait for the slower.
    MixedMedia,
}

impl Sign {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::TcpFallback,
        Self::JobStuck,
        Self::JobRuns,
        Self::QosDrift,
        Self::DiskUnhealthy,
        Self::DiskWear,
        Self::MtuMismatch,
        Self::PauseStorm,
        Self::CreditStalls,
        Self::LinkErrors,
        Self::Saturated,
        Self::DiskErrors,
        Self::CsvRedirected,
        Self::Encrypted,
        Self::MixedMedia,
    ];

    /// This, and what else the same readings show.
    #[must_use]
    pub const fn with_its_like(self) -> &'static [Self] {
        match self {
            Self::TcpFallback => &[Self::TcpFallback, Self::LinkErrors],
            Self::JobStuck | Self::JobRuns => &[Self::JobStuck, Self::JobRuns],
            Self::QosDrift => &[Self::QosDrift],
            Self::DiskUnhealthy | Self::MixedMedia => &[Self::DiskUnhealthy, Self::MixedMedia],
            Self::DiskWear | Self::DiskErrors => &[Self::DiskWear, Self::DiskErrors],
            Self::MtuMismatch => &[Self::MtuMismatch],
            Self::PauseStorm => &[Self::PauseStorm],
            Self::CreditStalls => &[Self::CreditStalls],
            Self::LinkErrors => &[Self::LinkErrors],
            Self::Saturated => &[Self::Saturated],
            Self::CsvRedirected => &[Self::CsvRedirected],
            Self::Encrypted => &[Self::Encrypted],
        }
    }

    /// Whether it is never wrong by itself: it is a finding only for what writes feel of it.
    #[must_use]
    pub const fn is_nothing_by_itself(self) -> bool {
        matches!(
            self,
            Self::JobRuns | Self::CreditStalls | Self::Saturated | Self::Encrypted | Self::MixedMedia
        )
    }

    /// Whether it is of the cluster, whoever reports it, and not of what a node reads of its own.
    #[must_use]
    pub const fn is_of_cluster(self) -> bool {
        matches!(
            self,
            Self::JobStuck
                | Self::JobRuns
                | Self::DiskUnhealthy
                | Self::DiskWear
                | Self::DiskErrors
                | Self::CsvRedirected
                | Self::MixedMedia
        )
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
    /// `disk`, `link`, `node`, `initiator`, `adapter`, `job`, `volume`, `pool` or `cluster`.
    pub kind: String,
    /// The node; of a link the first by name; empty where it is the cluster's.
    pub node: String,
    /// The disk.
    pub disk: Option<String>,
    /// The other end of a link.
    pub peer: Option<String>,
    /// The job, the adapter, the volume or the pool.
    pub resource: Option<String>,
    /// Drives that it is about, as NODE/DISK, of a `pool`.
    pub disks: Vec<String>,
    /// Nodes that have it, of a `volume`.
    pub nodes: Vec<String>,
    /// What is read of the job, of a `job`.
    pub job: Option<JobReading>,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it says that something is slow and not why: what writes feel of it is the same thing, better told.
    pub is_symptom: bool,
    /// Whether it is nothing wrong by itself, and names the cause where writes are slow for it.
    pub only_if_felt: bool,
    /// Since when it is so, on the clock of whoever read it, where the readings say so; else it counts from its first reading.
    pub since_unix_ns: Option<i64>,
    /// Why, in words.
    pub text: String,
    /// The readings that show it: never none.
    pub observations: Vec<ObservationRef>,
}

impl Condition {
    /// One of a sign about something at a node, a warning of which nothing more is known yet.
    #[must_use]
    pub fn new(sign: Sign, kind: &str, node: &str) -> Self {
        Self {
            sign,
            kind: kind.to_owned(),
            node: node.to_owned(),
            disk: None,
            peer: None,
            resource: None,
            disks: Vec::new(),
            nodes: Vec::new(),
            job: None,
            severity: Severity::Warning,
            is_symptom: false,
            only_if_felt: sign.is_nothing_by_itself(),
            since_unix_ns: None,
            text: String::new(),
            observations: Vec::new(),
        }
    }
}
