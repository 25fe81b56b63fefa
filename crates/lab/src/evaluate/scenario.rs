//! What a scenario is, how its truth is said, and how a file gives its own.

use fathom_model::report::Culprit;
use fathom_simulate::Config;
use fathom_simulate::config::{FaultKind, LinkRef};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// One thing to be named, as culprits are ([`Culprit`]): only what is given has to fit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Name {
    /// `disk`, `link`, `node`, `initiator`, `job` or `unknown`.
    pub kind: String,
    /// The node; of a link either end. Empty of a `job`, which is of no node.
    #[serde(default)]
    pub node: String,
    /// The disk, of a `disk`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<String>,
    /// The other end, of a `link`; left out it may be any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
}

impl Name {
    fn new(kind: &str, node: String) -> Self {
        Self {
            kind: kind.to_owned(),
            node,
            disk: None,
            peer: None,
        }
    }

    /// Whether a culprit is this.
    #[must_use]
    pub fn fits(&self, culprit: &Culprit) -> bool {
        if self.kind != culprit.kind {
            return false;
        }
        if self.kind == "job" {
            // A cluster that is simulated has one at most.
            return true;
        }
        let (node, peer) = (culprit.node.as_deref(), culprit.peer.as_deref());
        if self.kind == "link" {
            // Links are named by one way; the trouble is of both.
            let ends = [node, peer];
            let other = |end: &Option<&str>| *end != Some(self.node.as_str());
            return ends.contains(&Some(self.node.as_str()))
                && self
                    .peer
                    .as_deref()
                    .is_none_or(|wanted| ends.iter().filter(|end| other(end)).any(|end| *end == Some(wanted)));
        }
        node == Some(self.node.as_str())
            && self
                .disk
                .as_deref()
                .is_none_or(|disk| culprit.disk.as_deref() == Some(disk))
    }
}

/// What a fault is to be named as.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Truth {
    /// Its place among the configuration's faults, from 0.
    pub fault: usize,
    /// Names that are right, any of them.
    pub names: Vec<Name>,
}

/// A simulated cluster, what is wrong with it, and how it is to be named.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What is simulated. One run of it, or of a healthy cluster one stretch.
    pub config: Config,
    /// Stretches that are simulated one after the other, each a cluster of its own with the next seed; 1 but for healthy clusters.
    pub stretches: u64,
    /// One a fault.
    pub truth: Vec<Truth>,
}

/// A file of scenarios.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct File {
    /// The scenarios.
    #[serde(rename = "scenario")]
    scenarios: Vec<FileScenario>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct FileScenario {
    name: String,
    #[serde(default)]
    config: Config,
    #[serde(default)]
    truth: Option<Vec<Truth>>,
}

impl File {
    /// Checks the scenarios. Truth that is left out is what the built-in catalogue would say of the faults.
    ///
    /// # Errors
    ///
    /// When there is none, a name is given twice, a configuration cannot be simulated, or truth and faults do not fit.
    pub fn scenarios(self) -> Result<Vec<Scenario>> {
        let failed = |scenario: &str, cause: String| Error::Scenario {
            scenario: scenario.to_owned(),
            cause,
        };
        if self.scenarios.is_empty() {
            return Err(failed("", "there is no [[scenario]] in it".to_owned()));
        }
        let mut scenarios: Vec<Scenario> = Vec::new();
        for given in self.scenarios {
            let name = given.name;
            if name.is_empty() || scenarios.iter().any(|other| other.name == name) {
                return Err(failed(&name, "every scenario needs a name of its own".to_owned()));
            }
            let config = given.config.filled();
            config.check().map_err(|error| failed(&name, error.to_string()))?;
            let faults = config.faults.len();
            let truth = given.truth.unwrap_or_else(|| truth_of(&config));
            for fault in 0..faults {
                match truth.iter().filter(|truth| truth.fault == fault).count() {
                    0 => {
                        return Err(failed(
                            &name,
                            format!("nothing says how faults[{fault}] is to be named"),
                        ));
                    }
                    1 => {}
                    _ => {
                        return Err(failed(
                            &name,
                            format!("faults[{fault}] has more than one truth; give one with several names"),
                        ));
                    }
                }
            }
            if let Some(beyond) = truth.iter().find(|truth| truth.fault >= faults) {
                let cause = format!(
                    "truth is of faults[{}], and there are {faults}, counted from 0",
                    beyond.fault
                );
                return Err(failed(&name, cause));
            }
            check_names(&config, &truth).map_err(|cause| failed(&name, cause))?;
            scenarios.push(Scenario {
                name,
                config,
                stretches: 1,
                truth,
            });
        }
        Ok(scenarios)
    }
}

const KINDS: [&str; 6] = ["disk", "link", "node", "initiator", "job", "unknown"];

fn check_names(config: &Config, truth: &[Truth]) -> std::result::Result<(), String> {
    let nodes: Vec<String> = (0..config.nodes).map(node_name).collect();
    for truth in truth {
        if truth.names.is_empty() {
            return Err(format!("the truth of faults[{}] has no names", truth.fault));
        }
        for name in &truth.names {
            if !KINDS.contains(&name.kind.as_str()) {
                return Err(format!(
                    "`{}` is no kind of culprit; there are {}",
                    name.kind,
                    KINDS.join(", ")
                ));
            }
            if name.kind == "job" {
                if !name.node.is_empty() || name.peer.is_some() || name.disk.is_some() {
                    return Err("a job has neither node, peer nor disk".to_owned());
                }
                continue;
            }
            for node in [Some(&name.node), name.peer.as_ref()].into_iter().flatten() {
                if !nodes.contains(node) {
                    return Err(format!("there is no node `{node}`; there are {}", nodes.join(", ")));
                }
            }
            if (name.kind == "disk") != name.disk.is_some() {
                return Err("`disk` is given of kind disk, and only of that".to_owned());
            }
        }
    }
    Ok(())
}

fn node_name(node: u32) -> String {
    format!("n{node}")
}

/// How the faults of a configuration are to be named: where they act, as far as that can be seen.
#[must_use]
pub fn truth_of(config: &Config) -> Vec<Truth> {
    let filled = config.filled();
    let faults = filled.faults.iter().enumerate();
    faults
        .map(|(fault, what)| Truth {
            fault,
            names: names_of(&filled, &what.what),
        })
        .collect()
}

fn names_of(config: &Config, what: &FaultKind) -> Vec<Name> {
    let is_unseen = |node: u32| config.recording.missing_nodes.contains(&node);
    let disk = |on: fathom_simulate::config::DiskRef| {
        if is_unseen(on.node) {
            return Name::new("unknown", node_name(on.node));
        }
        Name {
            disk: Some(format!("disk{}", on.disk)),
            ..Name::new("disk", node_name(on.node))
        }
    };
    // All ways of a node are the node's; where there is only one other, that is the link as well.
    let ways = |node: u32| {
        let mut names = vec![Name::new(
            if is_unseen(node) { "unknown" } else { "node" },
            node_name(node),
        )];
        if config.nodes == 2 {
            names.push(Name::new("link", node_name(node)));
        }
        names
    };
    match *what {
        FaultKind::SlowDisk { on, .. }
        | FaultKind::SporadicStalls { on, .. }
        | FaultKind::Wear { on, .. }
        | FaultKind::MixedMedia { on, .. }
        | FaultKind::DriveErrors { on, .. } => vec![disk(on)],
        // State says that it runs; where the drives of both ends are not seen nothing says where.
        FaultKind::Repair { from, to, .. } if is_unseen(from.node) && is_unseen(to.node) => vec![disk(to), disk(from)],
        FaultKind::Repair { .. } => vec![Name::new("job", String::new())],
        FaultKind::LinkSlow { on, .. }
        | FaultKind::LinkLossy { on, .. }
        | FaultKind::RdmaFallback { on, .. }
        | FaultKind::MtuMismatch { on, .. }
        | FaultKind::PathPause { on, .. } => match on {
            LinkRef { node, peer: Some(peer) } => {
                let mut names = vec![Name {
                    peer: Some(node_name(peer)),
                    ..Name::new("link", node_name(node))
                }];
                let ends = [node, peer].into_iter().filter(|&end| is_unseen(end));
                names.extend(ends.map(|end| Name::new("unknown", node_name(end))));
                names
            }
            LinkRef { node, peer: None } => ways(node),
        },
        FaultKind::PfcStorm { node, .. }
        | FaultKind::CreditStalls { node, .. }
        | FaultKind::AdapterErrors { node, .. }
        | FaultKind::LinkBusy { node, .. }
        | FaultKind::TargetDied { node, .. } => ways(node),
        // It is slow in both roles.
        FaultKind::CpuStarved { node, .. } => {
            let mut names = ways(node);
            names.push(Name::new("initiator", node_name(node)));
            names
        }
        // They make no write slower.
        FaultKind::JobRestarts { .. } | FaultKind::Paused { .. } => Vec::new(),
        FaultKind::Bitlocker { node, .. } | FaultKind::CsvRedirected { node, .. } => {
            vec![Name::new("initiator", node_name(node))]
        }
        FaultKind::RefsStall { volume, .. } => {
            let writers = config
                .volumes
                .get(volume as usize)
                .map(|volume| volume.initiators.clone());
            let writers = writers.unwrap_or_default().into_iter();
            writers.map(|node| Name::new("initiator", node_name(node))).collect()
        }
    }
}
