//! What a site says of a cluster to the fleet: a rollup.
//!
//! It has a bounded size however large the cluster is, and says what was left out for that. A newer one takes the place of an older one in
//! full: none has to be kept for the next to be understood.
//!
//! Times are nanoseconds since the Unix epoch on the clock of the site's coordinator.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ClusterId;
use crate::finding::Severity;
use crate::health::State;
use crate::sketch::Sketch;
use crate::tap::{Op, Tap};

mod counts;

pub use counts::{Counted, Counts};

/// So many children that are not ok are named.
pub const MOST_WORST: usize = 20;

/// So many codes of findings are named.
pub const MOST_CODES: usize = 64;

/// So many groups of like devices are named.
pub const MOST_COHORTS: usize = 64;

/// So many labels a cluster has, those of its site among them.
pub const MOST_LABELS: usize = 32;

/// Bytes of a text; what is longer is cut.
pub const LONGEST_TEXT: usize = 256;

/// Which rollup of a cluster is the newer one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Revision {
    /// When the site's coordinator was started, in nanoseconds since the Unix epoch: one that was started later has newer rollups.
    pub started_unix_ns: i64,
    /// Its number since then, from 1.
    pub number: u64,
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.started_unix_ns, self.number)
    }
}

/// Which cluster: names are unique at a site, and every site may have a `cluster01`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClusterKey {
    /// The site.
    pub site: String,
    /// The cluster's name at it.
    pub cluster: String,
}

impl ClusterKey {
    /// From two names.
    #[must_use]
    pub fn new(site: impl Into<String>, cluster: impl Into<String>) -> Self {
        Self {
            site: site.into(),
            cluster: cluster.into(),
        }
    }
}

impl fmt::Display for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.site, self.cluster)
    }
}

/// A cluster in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterRollup {
    /// The site.
    pub site: String,
    /// The cluster.
    pub cluster: ClusterId,
    /// What somebody says of it, such as `env` = `prod`.
    pub labels: BTreeMap<String, String>,
    /// Which one this is.
    pub revision: Revision,
    /// From when on latencies, errors and operations are counted.
    pub from_unix_ns: i64,
    /// Until when; states and findings are as they were then.
    pub to_unix_ns: i64,
    /// How the cluster is. `Unknown` as long as its health was not told.
    pub state: State,
    /// Since when; `None` where that is not known.
    pub since_unix_ns: Option<i64>,
    /// The worst reason; empty when it is ok.
    pub reason: String,
    /// How many things of each kind are in which state.
    pub counts: Counts,
    /// What is not ok, the worst first; at most [`MOST_WORST`].
    pub worst: Vec<WorstChild>,
    /// How many more are not ok.
    pub worst_more: u32,
    /// Open findings by code and severity, the most severe and most frequent first; at most [`MOST_CODES`].
    pub findings: Vec<FindingCount>,
    /// Open findings that are in none of these.
    pub findings_more: u32,
    /// How long operations took, a tap and operation; only those that there were.
    pub latency: Vec<TapLatency>,
    /// Devices with the same driver or firmware; at most [`MOST_COHORTS`].
    pub cohorts: Vec<CohortRow>,
    /// Devices that are in none of these: their group was left out, or it is not known what runs on them.
    pub cohorts_more: u32,
}

impl ClusterRollup {
    /// A rollup in which nothing is known but whose it is.
    #[must_use]
    pub fn new(key: &ClusterKey, revision: Revision) -> Self {
        Self {
            site: key.site.clone(),
            cluster: ClusterId::from(key.cluster.as_str()),
            labels: BTreeMap::new(),
            revision,
            from_unix_ns: 0,
            to_unix_ns: 0,
            state: State::Unknown,
            since_unix_ns: None,
            reason: "its health was not told yet".to_owned(),
            counts: Counts::default(),
            worst: Vec::new(),
            worst_more: 0,
            findings: Vec::new(),
            findings_more: 0,
            latency: Vec::new(),
            cohorts: Vec::new(),
            cohorts_more: 0,
        }
    }

    /// Which cluster it is about.
    #[must_use]
    pub fn key(&self) -> ClusterKey {
        ClusterKey::new(self.site.clone(), self.cluster.to_string())
    }

    /// What operations at a tap took.
    #[must_use]
    pub fn latency_of(&self, tap: Tap, op: Op) -> Option<&Sketch> {
        let own = self.latency.iter().find(|own| own.tap == tap && own.op == op);
        own.map(|own| &own.sketch)
    }
}

/// Something of a cluster that is not ok.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorstChild {
    /// What it is.
    pub kind: Counted,
    /// Its name; of a disk NODE/DISK, of a link NODE-NODE.
    pub name: String,
    /// How it is.
    pub state: State,
    /// Since when; `None` where that is not known.
    pub since_unix_ns: Option<i64>,
    /// The worst reason.
    pub reason: String,
}

/// How many findings of a code are open.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FindingCount {
    /// The code, such as `DISK_SLOW`.
    pub code: String,
    /// How bad they are.
    pub severity: Severity,
    /// How many, those that are muted too.
    pub open: u32,
    /// How many of them are muted.
    pub muted: u32,
}

/// How long operations at a tap took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TapLatency {
    /// The tap.
    pub tap: Tap,
    /// The operation.
    pub op: Op,
    /// How long.
    pub sketch: Sketch,
}

/// By what devices are put into groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Drives: `subject` is the model, `variant` the firmware. Latency is the drive's own.
    Disk,
    /// Adapters that carry storage traffic: `subject` is what the adapter is, `variant` the version of its driver. Latency is what copies
    /// took on their way: less the far side's time, as much of it as is seen.
    Nic,
    /// Nodes: `subject` is empty, `variant` the build of the system. Latency is that of the I/Os that the node began.
    Os,
}

impl Axis {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Disk, Self::Nic, Self::Os];

    /// As JSON and the wire have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Nic => "nic",
            Self::Os => "os",
        }
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What devices of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CohortKey {
    /// What they are.
    pub axis: Axis,
    /// Which product.
    pub subject: String,
    /// What runs on it.
    pub variant: String,
}

/// Devices of a cluster with the same driver or firmware.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CohortRow {
    /// What they have in common.
    pub key: CohortKey,
    /// How many there are.
    pub devices: u32,
    /// How long writes took.
    pub writes: Sketch,
    /// How long reads took.
    pub reads: Sketch,
    /// Reads and writes, in the stretch, that ended with an error.
    pub io_errors: u64,
    /// Errors that the devices themselves could not correct, since they were made; `None` where none of them says.
    pub media_errors: Option<u64>,
    /// Devices that an open finding is about.
    pub found: u32,
}
