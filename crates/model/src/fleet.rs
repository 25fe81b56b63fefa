//! What is answered about many clusters: how sites and clusters are, what changed, and which firmware, driver or build is worse than its
//! like.
//!
//! These are also shapes of the CLI's JSON (`docs/design/0005-json-output.md`): names and raw integers, `None` for what is not known.
//! Times are nanoseconds since the Unix epoch on the fleet coordinator's clock, unless something else is said.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::health::State;
use crate::rollup::{CohortKey, Counts, FindingCount, WorstChild};

/// Which level of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// All sites together.
    Fleet,
    /// A site.
    Site,
    /// A cluster.
    Cluster,
}

impl Level {
    /// All levels, from the root.
    pub const ALL: [Self; 3] = [Self::Fleet, Self::Site, Self::Cluster];

    /// As JSON and the wire have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fleet => "fleet",
            Self::Site => "site",
            Self::Cluster => "cluster",
        }
    }
}

/// How the fleet, a site or a cluster is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Which of them.
    pub level: Level,
    /// The site; empty of the fleet.
    pub site: String,
    /// The cluster; empty of a site and of the fleet.
    pub cluster: String,
    /// How it is: the worst of what is below it. `Unknown` where something below is not heard and nothing is worse.
    pub state: State,
    /// Since when.
    pub since_unix_ns: i64,
    /// The worst reason; empty when it is ok.
    pub reason: String,
    /// Labels, of a cluster.
    pub labels: BTreeMap<String, String>,
    /// When a rollup last came, of a cluster; of what has several below it the longest ago. `None`: of at least one none has come.
    pub heard_unix_ns: Option<i64>,
    /// Clusters by state: of a cluster itself alone.
    pub clusters: Clusters,
    /// How many things are in which state; those of clusters that are not heard are all unknown.
    pub counts: Counts,
    /// Open findings by code and severity, the most severe first. Those of clusters that are not heard are as they were last heard.
    pub findings: Vec<FindingCount>,
    /// Open findings that are in none of these.
    pub findings_more: u64,
    /// Worst children: sites of the fleet, clusters of a site, devices and nodes of a cluster.
    pub worst: Vec<Child>,
    /// How many more are not ok.
    pub worst_more: u64,
    /// Changes of state in it, in the last hour.
    pub last_hour: Changed,
    /// Changes of state in it, in the last day.
    pub last_day: Changed,
}

/// Clusters by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clusters {
    /// Nothing is wrong, and they were heard.
    pub ok: u64,
    /// Being worked on.
    pub maintenance: u64,
    /// Not heard, or not in full.
    pub unknown: u64,
    /// Something makes writes wait.
    pub degraded: u64,
    /// Something makes writes wait for long.
    pub critical: u64,
}

impl Clusters {
    /// How many are in a state.
    #[must_use]
    pub const fn of(&self, state: State) -> u64 {
        match state {
            State::Ok => self.ok,
            State::Maintenance => self.maintenance,
            State::Unknown => self.unknown,
            State::Degraded => self.degraded,
            State::Critical => self.critical,
        }
    }

    /// The number of those in a state, to be changed.
    pub const fn of_mut(&mut self, state: State) -> &mut u64 {
        match state {
            State::Ok => &mut self.ok,
            State::Maintenance => &mut self.maintenance,
            State::Unknown => &mut self.unknown,
            State::Degraded => &mut self.degraded,
            State::Critical => &mut self.critical,
        }
    }

    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.ok + self.maintenance + self.unknown + self.degraded + self.critical
    }

    /// The worst state that one is in; `None` where there is none.
    #[must_use]
    pub fn worst(&self) -> Option<State> {
        State::ALL.into_iter().rev().find(|state| self.of(*state) > 0)
    }
}

/// Something below that is not ok.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// `site`, `cluster`, or of a cluster what [`WorstChild::kind`] says.
    pub kind: String,
    /// Its name: of a cluster SITE/CLUSTER.
    pub name: String,
    /// How it is.
    pub state: State,
    /// Since when; `None` where that is not known.
    pub since_unix_ns: Option<i64>,
    /// The worst reason.
    pub reason: String,
}

impl From<&WorstChild> for Child {
    fn from(child: &WorstChild) -> Self {
        Self {
            kind: child.kind.as_str().to_owned(),
            name: child.name.clone(),
            state: child.state,
            since_unix_ns: child.since_unix_ns,
            reason: child.reason.clone(),
        }
    }
}

/// How often clusters changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// To something worse.
    pub worse: u64,
    /// To something better.
    pub better: u64,
    /// To not being heard any more, whatever they were.
    pub lost: u64,
    /// To being heard again; where what was heard is worse than `unknown`, it is among `worse` too.
    pub heard: u64,
    /// Updates of firmware, a driver or the system that were seen.
    pub updates: u64,
    /// From when on changes are counted, where older ones of this stretch were given up for their number or nobody counted then; `None`: all
    /// are counted.
    pub counted_from_unix_ns: Option<i64>,
}

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its number: they rise by one, over restarts too as far as the coordinator kept what there was.
    pub number: u64,
    /// When.
    pub at_unix_ns: i64,
    /// The site.
    pub site: String,
    /// The cluster.
    pub cluster: String,
    /// What happened.
    pub what: What,
    /// Why, in words; may be empty.
    pub reason: String,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The state of the cluster.
    State {
        /// What it was; `None` of a cluster that was not known before.
        from: Option<State>,
        /// What it is. The same where only whether it is heard changed.
        to: State,
        /// Whether it came to be heard or not to be, too; `None`: neither, or a version that did not say counted this.
        #[serde(default)]
        hearing: Option<Hearing>,
    },
    /// What runs on devices of it.
    Update(Update),
}

/// Whether a cluster is heard, as a change. Not the same as its being `unknown`: a cluster that is heard may say that of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hearing {
    /// Nothing comes of it any more.
    Lost,
    /// Something does again.
    Heard,
}

impl Hearing {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Lost, Self::Heard];

    /// As JSON and the wire have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Heard => "heard",
        }
    }
}

/// Devices of a cluster run something else than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// What they are and what they run now.
    pub to: CohortKey,
    /// What they ran before.
    pub from_variant: String,
    /// Devices that run it now.
    pub devices: u32,
    /// All devices of this product.
    pub of: u32,
}

/// What is compared of cohorts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Half of the writes took at most this.
    WriteP50,
    /// 99 % of the writes took at most this.
    WriteP99,
    /// Half of the reads took at most this.
    ReadP50,
    /// 99 % of the reads took at most this.
    ReadP99,
    /// Reads and writes with an error, of all.
    IoErrors,
    /// Errors that devices could not correct, a device.
    MediaErrors,
    /// Devices with an open finding, of all.
    Found,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::WriteP50,
        Self::WriteP99,
        Self::ReadP50,
        Self::ReadP99,
        Self::IoErrors,
        Self::MediaErrors,
        Self::Found,
    ];

    /// As JSON and the wire have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WriteP50 => "write_p50",
            Self::WriteP99 => "write_p99",
            Self::ReadP50 => "read_p50",
            Self::ReadP99 => "read_p99",
            Self::IoErrors => "io_errors",
            Self::MediaErrors => "media_errors",
            Self::Found => "found",
        }
    }

    /// Whether it is a time.
    #[must_use]
    pub const fn is_latency(self) -> bool {
        matches!(self, Self::WriteP50 | Self::WriteP99 | Self::ReadP50 | Self::ReadP99)
    }
}

/// Devices with the same driver or firmware, over all clusters that were asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cohort {
    /// What they have in common.
    pub key: CohortKey,
    /// Clusters that have some.
    pub clusters: u64,
    /// How many devices.
    pub devices: u64,
    /// Writes and how long they took, over all of them.
    pub writes: Percentiles,
    /// Reads and how long they took.
    pub reads: Percentiles,
    /// Reads and writes with an error.
    pub io_errors: u64,
    /// Errors that devices could not correct; `None` where none says.
    pub media_errors: Option<u64>,
    /// Devices with an open finding.
    pub found: u64,
    /// Clusters that were seen to change to it.
    pub updated: u64,
    /// The first of these changes; `None` where none was seen.
    pub first_update_unix_ns: Option<i64>,
    /// What it was compared in with others of the same product, what is significant first.
    pub verdicts: Vec<Verdict>,
}

/// Percentiles of many places put together, to 1 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many.
    pub count: u64,
    /// Half were at most this; `None` where there are none.
    pub p50_ns: Option<u64>,
    /// 95 % were at most this.
    pub p95_ns: Option<u64>,
    /// 99 % were at most this.
    pub p99_ns: Option<u64>,
    /// The slowest.
    pub max_ns: Option<u64>,
}

impl From<&crate::sketch::Sketch> for Percentiles {
    fn from(sketch: &crate::sketch::Sketch) -> Self {
        let of = sketch.quantiles([0.5, 0.95, 0.99]);
        Self {
            count: sketch.count(),
            p50_ns: of.map(|of| of[0]),
            p95_ns: of.map(|of| of[1]),
            p99_ns: of.map(|of| of[2]),
            max_ns: sketch.max(),
        }
    }
}

/// What a comparison of a cohort with others of the same product said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What was compared.
    pub measure: Measure,
    /// Whether it is worse by more than chance, after the correction for all that were compared; of latencies only if it is by 5 % or more.
    pub significant: bool,
    /// The chance of this much difference or more where there is none; after the correction.
    pub p_adjusted: f64,
    /// Its chance before the correction.
    pub p: f64,
    /// How much worse: of times a factor, of others a difference of rates; the middle of the clusters in which it is clearly worse, and
    /// where there is none, of all.
    pub effect: f64,
    /// Clusters in which it is clearly worse.
    pub worse_clusters: u64,
    /// Clusters that could be compared.
    pub compared_clusters: u64,
    /// Some of those that are clearly worse, as SITE/CLUSTER, the worst first.
    pub worst: Vec<String>,
    /// Clusters that have others beside it: compared within the cluster.
    pub beside: u64,
    /// Clusters that changed to it: compared with what was before.
    pub before: u64,
    /// Clusters that have it alone: compared with clusters that have others.
    pub alone: u64,
    /// In words, such as `slow on 11 of 40 clusters since the update`.
    pub text: String,
}
