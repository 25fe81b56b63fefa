//! How things are, from a drive to the cluster.

use serde::{Deserialize, Serialize};

/// How something is, the best first: what rolls up is the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing is wrong, and it was heard.
    Ok,
    /// It is being worked on: what is wrong with it is expected.
    Maintenance,
    /// It was not heard, or not in full: nobody knows.
    Unknown,
    /// Something makes writes wait.
    Degraded,
    /// Something makes writes wait for long.
    Critical,
}

impl State {
    /// All, the best first.
    pub const ALL: [Self; 5] = [
        Self::Ok,
        Self::Maintenance,
        Self::Unknown,
        Self::Degraded,
        Self::Critical,
    ];

    /// As JSON and the wire have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Maintenance => "maintenance",
            Self::Unknown => "unknown",
            Self::Degraded => "degraded",
            Self::Critical => "critical",
        }
    }
}

/// What has a health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The whole cluster.
    Cluster,
    /// A node.
    Node,
    /// A drive, as NODE/DISK.
    Disk,
    /// A network adapter that carries the storage bus, as NODE/ADAPTER.
    Adapter,
    /// The ways between two nodes, as NODE-NODE.
    Link,
    /// A volume.
    Volume,
}

impl Kind {
    /// As JSON and the wire have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Node => "node",
            Self::Disk => "disk",
            Self::Adapter => "adapter",
            Self::Link => "link",
            Self::Volume => "volume",
        }
    }
}

/// Why something is not ok.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reason {
    /// The state that this alone gives.
    pub state: State,
    /// What it comes from, such as `disk t1/disk0`.
    pub from: String,
    /// In words.
    pub text: String,
    /// The finding behind it.
    pub finding: Option<String>,
}

/// How something is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: State,
    /// Since when, on the coordinator's clock; null where that is not known.
    pub since_unix_ns: Option<i64>,
    /// Why, the worst first; empty when it is ok. Of many some are left out, and of the states that there are one each is there.
    pub reasons: Vec<Reason>,
    /// How many more reasons there are.
    #[serde(default)]
    pub more_reasons: u64,
}

/// A stretch of time in which a cluster was in one state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The state.
    pub state: State,
    /// From when on, on the coordinator's clock.
    pub from_unix_ns: i64,
    /// The worst reason; empty when it was ok.
    pub reason: String,
}
