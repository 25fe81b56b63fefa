//! What is wrong by state alone: fallen back to TCP, settings that differ, drives that are not well, jobs that do not end.
//!
//! [`Conditions`] takes observations as they come and says after each reading of a class what stands. It judges nothing over time but
//! jobs: how long something has to stand before anybody hears of it is the findings' part. What was not read is no condition: a node that
//! was not heard is never odd, a drive without counters is not worn.
//!
//! Of a resource the newest observation is kept, of a job and of counters of errors a few numbers more; of extents only which drives hold
//! copies of the same slabs; of counters the readings of the last minutes.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::condition::{Condition, ObservationRef, Sign};
use fathom_model::state::{Key, Kind, Observation, Sample};
use fathom_model::{NodeId, Topology};

use crate::history::{Picture, Unread};

mod disks;
pub(crate) mod errors;
mod jobs;
mod media;
mod network;
mod ports;
mod rates;
mod saturated;
mod volumes;

pub use rates::is_followed;

/// So many readings are cited for one condition.
const CITED: usize = 8;

/// A reading of a class after which a sign may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The sign.
    pub sign: Sign,
    /// Who read.
    pub node: NodeId,
    /// When, on its clock.
    pub at_unix_nanos: i64,
}

/// What is wrong now, from observations as they come.
#[derive(Clone, Debug)]
pub struct Conditions {
    picture: Picture,
    jobs: BTreeMap<String, jobs::Course>,
    errors: BTreeMap<Key, errors::Course>,
    rates: rates::Rates,
    slabs: media::Slabs,
    /// Where drives are, by their identity, as the topology has them.
    places: BTreeMap<String, (String, String)>,
    nodes: BTreeSet<NodeId>,
    /// What was told last of each sign; a sign of which something new was said since is not in it.
    told: BTreeMap<Sign, Vec<Condition>>,
    worked_on: Option<BTreeSet<NodeId>>,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            picture: Picture::at(i64::MAX),
            jobs: BTreeMap::new(),
            errors: BTreeMap::new(),
            rates: rates::Rates::default(),
            slabs: media::Slabs::default(),
            places: BTreeMap::new(),
            nodes: BTreeSet::new(),
            told: BTreeMap::new(),
            worked_on: None,
        }
    }
}

impl Conditions {
    /// Takes what the cluster is made of.
    pub fn set_topology(&mut self, topology: &Topology) {
        self.nodes.extend(topology.nodes.iter().map(|node| node.id.clone()));
        let places = topology
            .disks
            .iter()
            .map(|disk| (disk.id.to_string(), (disk.node.to_string(), disk.name.clone())));
        self.places = places.collect();
        self.slabs = media::Slabs::of(topology);
        self.told.clear();
    }

    /// Takes an observation; after the last one of a reading, what may have changed.
    pub fn add(&mut self, observation: &Observation) -> Option<Read> {
        if observation.kind == Kind::Extent {
            return None;
        }
        let of = match observation.kind {
            Kind::Source => observation.text("kind").and_then(|kind| kind.parse().ok())?,
            kind => kind,
        };
        self.picture.add(observation);
        if observation.kind != Kind::Source {
            if observation.kind == Kind::Node {
                self.worked_on = None;
                // What is worked on is left out of everything.
                self.told.clear();
            }
            if observation.kind == Kind::StorageJob {
                jobs::follow(&mut self.jobs, observation);
            }
            errors::follow(&mut self.errors, observation);
            // A drive's place and counters stand in other classes.
            let signs = signs_of(of).iter();
            signs.for_each(|sign| {
                self.told.remove(sign);
            });
            return None;
        }
        let sign = *signs_of(of).first()?;
        (observation.flag("available") == Some(true)).then(|| {
            // A reading that was said in full may end what it does not name; and what is told by time is over some day.
            let is_full = observation.flag("full") == Some(true);
            let is_timed = |sign: &Sign| {
                matches!(
                    sign,
                    Sign::JobStuck | Sign::JobRuns | Sign::LinkErrors | Sign::DiskErrors
                )
            };
            for sign in sign.with_its_like().iter().filter(|sign| is_full || is_timed(sign)) {
                self.told.remove(sign);
            }
            Read {
                sign,
                node: observation.node.clone(),
                at_unix_nanos: observation.observed_unix_nanos,
            }
        })
    }

    /// Takes a reading of a counter; when it begins another reading of its node, what may have changed by the one before.
    pub fn add_sample(&mut self, sample: &Sample) -> Option<Read> {
        let read = self.rates.add(sample)?;
        self.told.remove(&read.sign);
        Some(read)
    }

    /// What stands of a sign.
    pub fn of(&mut self, sign: Sign) -> &[Condition] {
        if !self.told.contains_key(&sign) {
            let worked_on = self.maintenance().clone();
            let nodes = self.nodes();
            let scene = Scene {
                picture: &self.picture,
                nodes: &nodes,
                places: &self.places,
                jobs: &self.jobs,
                errors: &self.errors,
                rates: &self.rates,
                slabs: &self.slabs,
                worked_on: &worked_on,
            };
            let mut conditions = match sign {
                Sign::TcpFallback => network::fallback(&scene),
                Sign::QosDrift => network::drift(&scene),
                Sign::MtuMismatch => network::frames(&scene),
                Sign::DiskUnhealthy => disks::unhealthy(&scene),
                Sign::DiskWear => disks::worn(&scene),
                Sign::JobStuck => jobs::stuck(&scene),
                Sign::JobRuns => jobs::running(&scene),
                Sign::PauseStorm => ports::storms(&scene),
                Sign::CreditStalls => ports::stalls(&scene),
                Sign::LinkErrors => ports::failing(&scene),
                Sign::Saturated => saturated::saturated(&scene),
                Sign::DiskErrors => errors::of_drives(&scene),
                Sign::CsvRedirected => volumes::redirected(&scene),
                Sign::Encrypted => volumes::encrypted(&scene),
                Sign::MixedMedia => media::mixed(&scene),
            };
            // Maintenance is not an incident.
            conditions.retain(|condition| {
                let ends = [Some(&condition.node), condition.peer.as_ref()];
                let mut ends = ends.into_iter().flatten();
                !ends.any(|end| worked_on.iter().any(|node| node.as_str() == end))
            });
            for condition in &mut conditions {
                condition.observations.sort();
                condition.observations.dedup();
                condition.observations.truncate(CITED);
            }
            self.told.insert(sign, conditions);
        }
        self.told.get(&sign).map_or(&[], Vec::as_slice)
    }

    /// Nodes that the cluster has paused, or drains or has drained.
    pub fn maintenance(&mut self) -> &BTreeSet<NodeId> {
        let picture = &self.picture;
        self.worked_on.get_or_insert_with(|| {
            let nodes = picture.of(Kind::Node);
            let worked_on = nodes.filter(|fact| {
                let code = |name: &str| match fact.observation.get(name) {
                    Some(fathom_model::state::Value::Code(code)) => code.code,
                    _ => None,
                };
                // Paused; a drain under way or completed. One that failed left the node at work.
                code("state") == Some(2) || matches!(code("drain"), Some(1 | 2))
            });
            worked_on.map(|fact| node_of(&fact.observation)).collect()
        })
    }

    /// Adapters that carry the storage bus, by node and name.
    #[must_use]
    pub fn adapters(&self) -> BTreeSet<(NodeId, String)> {
        network::storage_adapters(&self.picture)
    }

    /// Classes of some kinds that cannot be read now.
    #[must_use]
    pub fn unread(&self, kinds: &[Kind]) -> Vec<Unread> {
        self.picture.unread(kinds)
    }

    /// All nodes that are known of, each once: in whatever case the topology has it, a node is called as it calls itself. A name under which
    /// files speak of a whole cluster is none of them, unless the topology or the cluster's own list has it.
    fn nodes(&self) -> Vec<NodeId> {
        let mut nodes = self.nodes.clone();
        let listed: BTreeSet<String> = self
            .picture
            .of(Kind::Node)
            .map(|fact| node_of(&fact.observation).as_str().to_lowercase())
            .collect();
        for node in self.picture.heard().keys() {
            let is_same = |known: &NodeId| known.as_str().eq_ignore_ascii_case(node.as_str());
            let is_known = nodes.iter().any(is_same) || listed.contains(&node.as_str().to_lowercase());
            if is_known || !self.picture.may_be_a_clusters(node) {
                nodes.retain(|known| !is_same(known));
                nodes.insert(node.clone());
            }
        }
        nodes.into_iter().collect()
    }
}

/// What conditions are told from.
struct Scene<'a> {
    picture: &'a Picture,
    nodes: &'a [NodeId],
    places: &'a BTreeMap<String, (String, String)>,
    jobs: &'a BTreeMap<String, jobs::Course>,
    errors: &'a BTreeMap<Key, errors::Course>,
    rates: &'a rates::Rates,
    slabs: &'a media::Slabs,
    /// Nodes that are worked on.
    worked_on: &'a BTreeSet<NodeId>,
}

/// Which signs a class is about; the first is looked at after each reading of it, with its like.
const fn signs_of(kind: Kind) -> &'static [Sign] {
    match kind {
        Kind::SmbConnection => &[Sign::TcpFallback, Sign::MtuMismatch, Sign::LinkErrors],
        Kind::SmbInterface => &[Sign::TcpFallback, Sign::MtuMismatch],
        Kind::StorageJob => &[Sign::JobStuck, Sign::JobRuns],
        Kind::QosPolicy | Kind::QosFlowControl | Kind::QosTrafficClass | Kind::QosDcbx | Kind::AdapterQos => {
            &[Sign::QosDrift]
        }
        Kind::Adapter | Kind::AdapterRdma => &[Sign::MtuMismatch, Sign::Saturated],
        Kind::AdapterProperty => &[Sign::MtuMismatch],
        Kind::Disk => &[Sign::DiskUnhealthy, Sign::DiskWear, Sign::MixedMedia, Sign::DiskErrors],
        Kind::DiskReliability => &[Sign::DiskWear, Sign::DiskErrors],
        Kind::DiskView => &[Sign::DiskUnhealthy, Sign::DiskWear, Sign::MixedMedia, Sign::DiskErrors],
        Kind::Pool => &[Sign::MixedMedia],
        Kind::Csv => &[Sign::CsvRedirected, Sign::Encrypted],
        Kind::Bitlocker => &[Sign::Encrypted],
        _ => &[],
    }
}

/// The node that an observation of kind `node` is about.
fn node_of(observation: &Observation) -> NodeId {
    NodeId::new(observation.text("name").unwrap_or(&observation.id))
}

fn cited<'a>(observations: impl IntoIterator<Item = &'a Observation>) -> Vec<ObservationRef> {
    observations.into_iter().map(ObservationRef::from).collect()
}

#[cfg(test)]
pub(super) mod tests;
