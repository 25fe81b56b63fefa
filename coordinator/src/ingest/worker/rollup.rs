//! The cluster in short, for its site and the fleet: every 10 s, and within a second when its health or its findings changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fathom_model::rollup::{ClusterKey, ClusterRollup, Revision};
use fathom_model::state::{Key, Kind, Observation};
use fathom_model::{Catalog, JoinedRows};
use fathom_rollup::{Gather, Inventory, Scene};
use fathom_runtime::clock::{Clock, SystemClock};

use super::{HealthView, Running};

/// A rollup is made this often, whatever changed.
const EVERY: Duration = Duration::from_secs(10);

/// Observations of these say what devices are.
const DEVICES: [Kind; 5] = [
    Kind::Node,
    Kind::Disk,
    Kind::DiskReliability,
    Kind::Adapter,
    Kind::AdapterRdma,
];

/// What rollups are made of, and the newest.
pub(super) struct Rollups {
    gather: Gather,
    /// The newest observation of each device.
    devices: BTreeMap<Key, Observation>,
    /// Whether these changed since the last rollup.
    has_devices: bool,
    revision: Revision,
    made: Option<Instant>,
    /// What the newest was made of: health by what is published, findings by their last change.
    of: (Arc<HealthView>, u64),
    /// The newest: without its site's name, which a worker does not know.
    pub(super) view: Option<Arc<ClusterRollup>>,
}

impl Rollups {
    /// Of a coordinator that was started at this time; whether the cluster had I/Os before, which are not counted.
    pub(super) fn new(started_unix_ns: i64, had_ios: bool) -> Self {
        Self {
            gather: match had_ios {
                true => Gather::counting_from(started_unix_ns),
                false => Gather::default(),
            },
            devices: BTreeMap::new(),
            has_devices: false,
            revision: Revision {
                started_unix_ns,
                number: 0,
            },
            made: None,
            of: (Arc::default(), 0),
            view: None,
        }
    }

    /// Counts rows that were decided.
    pub(super) fn add(&mut self, rows: &JoinedRows, catalog: &Catalog) {
        self.gather.add(rows, catalog, SystemClock.now_unix_nanos());
    }

    /// Looks at observations that came; what was observed before what is known is late.
    pub(super) fn observe<'a>(&mut self, observations: impl IntoIterator<Item = &'a Observation>) {
        for observation in observations.into_iter().filter(|row| DEVICES.contains(&row.kind)) {
            let key = observation.key();
            let known = self.devices.get(&key);
            if known.is_none_or(|known| known.observed_unix_nanos <= observation.observed_unix_nanos) {
                self.has_devices |= known.is_none_or(|known| {
                    known.attributes != observation.attributes || known.present != observation.present
                });
                self.devices.insert(key, observation.clone());
            }
        }
    }
}

impl Running {
    /// Makes a rollup where one is due, and publishes it.
    pub(super) fn note_rollup(&mut self, now_unix_nanos: i64) {
        let record = self.owner.record();
        let findings = &record.state.findings;
        let (health, sequence) = &self.rollups.of;
        let is_changed = !Arc::ptr_eq(health, &self.health.view) || *sequence != findings.sequence;
        let is_due = self.rollups.made.is_none_or(|made| made.elapsed() >= EVERY);
        if !is_changed && !is_due && !self.rollups.has_devices {
            return;
        }
        if std::mem::take(&mut self.rollups.has_devices) {
            let drives = self
                .topology
                .as_ref()
                .map_or(&[][..], |version| &version.topology.disks);
            let inventory = Inventory::new(self.rollups.devices.values(), drives);
            self.rollups.gather.set_inventory(inventory);
        }
        self.rollups.revision.number += 1;
        self.rollups.made = Some(Instant::now());
        self.rollups.of = (Arc::clone(&self.health.view), findings.sequence);
        let rollup = self.rollups.gather.rollup(&Scene {
            key: &ClusterKey::new("", self.id.as_str()),
            labels: &BTreeMap::new(),
            revision: self.rollups.revision,
            now_unix_ns: now_unix_nanos,
            health: &self.health.view.entries,
            findings: &findings.findings,
        });
        self.rollups.view = Some(Arc::new(rollup));
        self.publish();
    }
}
