//! What a cluster's devices are: models, firmware, drivers and builds, from observations.
//!
//! | what | from |
//! |---|---|
//! | model and firmware of a drive | `disk`: `model` (else `name`), `firmware`; errors it could not correct from `disk_reliability` |
//! | adapter and driver of a node | `adapter`: `description`, `driver_version`, of those whose `adapter_rdma` is `enabled`; of several products or drivers at a node its copies are of none, since which one they took is not seen |
//! | build of a node | `node`: `build` |
//!
//! What is not said is not guessed: such devices are counted as unknown.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use fathom_model::finding::{Finding, State as Life};
use fathom_model::rollup::{Axis, CohortKey};
use fathom_model::state::{Kind, Observation};
use fathom_model::{NodeId, PhysicalDisk};

use super::{cut, narrow};

/// What a cluster's devices are.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// By the name of a drive's resource, its unique id and its serial number.
    disks: HashMap<String, CohortKey>,
    nodes: HashMap<(Axis, String), CohortKey>,
    cohorts: BTreeMap<CohortKey, Group>,
    unknown: u32,
    /// Drives by node and name, as findings name them.
    names: HashMap<(String, String), CohortKey>,
}

/// Devices with something in common.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Group {
    pub(super) count: u32,
    pub(super) media_errors: Option<u64>,
}

impl Inventory {
    /// From the newest observation of each resource, and the drives as the topology names them. Resources that are gone count nothing.
    #[must_use]
    pub fn new<'a>(newest: impl IntoIterator<Item = &'a Observation>, drives: &[PhysicalDisk]) -> Self {
        let mut all: BTreeMap<Kind, Vec<&Observation>> = BTreeMap::new();
        for observation in newest.into_iter().filter(|observation| observation.present) {
            all.entry(observation.kind).or_default().push(observation);
        }
        let of = |kind: Kind| all.get(&kind).map_or(&[][..], Vec::as_slice);
        let mut inventory = Self::default();
        inventory.take_disks(of(Kind::Disk), of(Kind::DiskReliability));
        inventory.take_adapters(of(Kind::Adapter), of(Kind::AdapterRdma));
        inventory.take_systems(of(Kind::Node));
        for drive in drives {
            if let Some(key) = inventory.of_disk(drive).cloned() {
                inventory
                    .names
                    .insert((drive.node.to_string(), drive.name.clone()), key);
            }
        }
        inventory
    }

    fn take_disks(&mut self, disks: &[&Observation], reliability: &[&Observation]) {
        let errors: HashMap<&str, u64> = reliability.iter().filter_map(|own| uncorrected(own)).collect();
        for disk in disks {
            let (model, firmware) = (disk.text("model").or_else(|| disk.text("name")), disk.text("firmware"));
            let Some((model, firmware)) = model.zip(firmware) else {
                self.unknown = self.unknown.saturating_add(1);
                continue;
            };
            let key = CohortKey {
                axis: Axis::Disk,
                subject: cut(model.trim()),
                variant: cut(firmware.trim()),
            };
            let ids = [
                Some(disk.id.as_str()),
                disk.text("unique_id"),
                disk.text("serial_number"),
            ];
            let group = self.cohorts.entry(key.clone()).or_default();
            group.count = group.count.saturating_add(1);
            // One drive has one row of counters, by whichever of its names.
            let own = ids.into_iter().flatten().find_map(|id| errors.get(id));
            if let Some(more) = own {
                group.media_errors = Some(group.media_errors.unwrap_or(0).saturating_add(*more));
            }
            for id in ids.into_iter().flatten() {
                self.disks.insert(id.to_owned(), key.clone());
            }
        }
    }

    fn take_adapters(&mut self, adapters: &[&Observation], rdma: &[&Observation]) {
        let carries: BTreeSet<(&NodeId, &str)> = rdma
            .iter()
            .filter(|own| own.flag("enabled") == Some(true))
            .map(|own| (&own.node, own.text("name").unwrap_or(&own.id)))
            .collect();
        let mut nodes: BTreeMap<&NodeId, BTreeSet<Option<CohortKey>>> = BTreeMap::new();
        for adapter in adapters {
            if !carries.contains(&(&adapter.node, adapter.text("name").unwrap_or(&adapter.id))) {
                continue;
            }
            let said = adapter.text("description").zip(adapter.text("driver_version"));
            let key = said.map(|(product, driver)| CohortKey {
                axis: Axis::Nic,
                subject: cut(without_number(product)),
                variant: cut(driver.trim()),
            });
            match &key {
                Some(key) => {
                    let group = self.cohorts.entry(key.clone()).or_default();
                    group.count = group.count.saturating_add(1);
                }
                None => self.unknown = self.unknown.saturating_add(1),
            }
            nodes.entry(&adapter.node).or_default().insert(key);
        }
        for (node, mut keys) in nodes {
            if keys.len() == 1
                && let Some(Some(key)) = keys.pop_first()
            {
                self.nodes.insert((Axis::Nic, node.to_string()), key);
            }
        }
    }

    fn take_systems(&mut self, nodes: &[&Observation]) {
        for node in nodes {
            let Some(build) = node.text("build") else {
                self.unknown = self.unknown.saturating_add(1);
                continue;
            };
            let key = CohortKey {
                axis: Axis::Os,
                subject: String::new(),
                variant: cut(build.trim()),
            };
            let group = self.cohorts.entry(key.clone()).or_default();
            group.count = group.count.saturating_add(1);
            let name = node.text("name").unwrap_or(&node.id);
            self.nodes.insert((Axis::Os, name.to_owned()), key);
        }
    }

    /// What a drive is.
    pub(super) fn of_disk(&self, drive: &PhysicalDisk) -> Option<&CohortKey> {
        self.disks.get(drive.id.as_str())
    }

    /// What a node's adapters or its system are. Nodes are compared without case, as Windows does, where they are not found as they are.
    pub(super) fn of_node(&self, axis: Axis, node: &NodeId) -> Option<&CohortKey> {
        let found = self.nodes.get(&(axis, node.to_string()));
        found.or_else(|| {
            let same = |name: &str| name.eq_ignore_ascii_case(node.as_str());
            let mut all = self.nodes.iter().filter(|((own, name), _)| *own == axis && same(name));
            all.next().map(|(_, key)| key)
        })
    }

    pub(super) fn cohorts(&self) -> impl Iterator<Item = (&CohortKey, Group)> {
        self.cohorts.iter().map(|(key, group)| (key, *group))
    }

    /// Devices of which it is not known what they are.
    pub(super) const fn unknown(&self) -> u32 {
        self.unknown
    }

    /// How many devices of each cohort an open finding is about: drives by themselves, adapters and systems by their node.
    pub(super) fn found(&self, findings: &[Finding]) -> HashMap<CohortKey, u32> {
        let mut devices: BTreeSet<(&CohortKey, &str, &str)> = BTreeSet::new();
        for finding in findings.iter().filter(|finding| finding.state == Life::Open) {
            if let Some(disk) = &finding.disk {
                let key = self.names.get(&(finding.node.clone(), disk.clone()));
                devices.extend(key.map(|key| (key, finding.node.as_str(), disk.as_str())));
                continue;
            }
            let axis = if finding.peer.is_some() { Axis::Nic } else { Axis::Os };
            for node in [Some(&finding.node), finding.peer.as_ref()].into_iter().flatten() {
                let key = self.of_node(axis, &NodeId::from(node.as_str()));
                devices.extend(key.map(|key| (key, node.as_str(), "")));
            }
        }
        let mut found: HashMap<CohortKey, BTreeSet<(&str, &str)>> = HashMap::new();
        for (key, node, disk) in devices {
            found.entry(key.clone()).or_default().insert((node, disk));
        }
        found.into_iter().map(|(key, own)| (key, narrow(own.len()))).collect()
    }
}

/// Errors that a drive could not correct, with the name that they are known by. `None` where neither of the two counters says.
fn uncorrected(counters: &Observation) -> Option<(&str, u64)> {
    let id = counters.text("disk_id").unwrap_or(&counters.id);
    let both = [
        counters.number("read_errors_uncorrected"),
        counters.number("write_errors_uncorrected"),
    ];
    let known: Vec<u64> = both.into_iter().flatten().collect();
    (!known.is_empty()).then(|| (id, known.iter().fold(0, |sum: u64, own| sum.saturating_add(*own))))
}

/// The product of an adapter: Windows numbers several of one as `… #2`.
fn without_number(description: &str) -> &str {
    let text = description.trim();
    match text.rsplit_once(" #") {
        Some((product, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => product,
        _ => text,
    }
}
