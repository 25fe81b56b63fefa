//! What is simulated: one document, kebab-case, every field with a default but those of a fault.
//!
//! Times are given in the unit that a field's name ends with, sizes in bytes. Nodes, disks and volumes are numbered from 0; in
//! the recording they are called `n0`, `disk0` and `vol0`.

mod check;
mod fault;
mod hardware;
mod recording;
mod volume;

use serde::{Deserialize, Serialize};

pub use self::fault::{DiskRef, Fault, FaultKind, LinkRef};
pub use self::hardware::{ADAPTERS, Cpus, Disks, Network, ShiftFrom};
pub use self::recording::{ClockChange, Clocks, Correlation, Lost, Recording, Taps};
pub use self::volume::{Arrival, Offsets, OpMix, ParityTier, Resiliency, SizeShare, SlabMove, Volume};

/// Most nodes that a cluster may have, as Storage Spaces Direct has it.
pub const MOST_NODES: u32 = 16;

/// Everything that decides a run. The same configuration gives the same bytes on every system.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Name of the recording, which is also the name of its cluster. Default `simulated`.
    pub name: String,
    /// Decides every draw. Default 1.
    pub seed: u64,
    /// Nodes, 1 to 16; each may write and hold copies. Default 4.
    pub nodes: u32,
    /// Volume writes after which no more are made. Default 30 000 where `seconds` is not given either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writes: Option<u64>,
    /// Seconds after which no more I/O is made; what is under way is still completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Where the clocks begin: nanoseconds since 1970 at the run's start. Default 1 790 000 000 s.
    pub epoch_unix_nanos: i64,
    /// The drives.
    pub disks: Disks,
    /// The links between nodes.
    pub network: Network,
    /// The processors, and what a node itself needs for an I/O.
    pub cpus: Cpus,
    /// The nodes' clocks.
    pub clocks: Clocks,
    /// What is recorded of all that happens.
    pub recording: Recording,
    /// The volumes; none stands for one a node, written by that node.
    pub volumes: Vec<Volume>,
    /// What is wrong, and when.
    pub faults: Vec<Fault>,
    /// A drive that holds no copies in this run, as if it were not there; a part of an I/O that has copies nowhere else goes there all the
    /// same. For asking what would be without it: everything else is as it is with it. Left out: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_disk: Option<DiskRef>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "simulated".to_owned(),
            seed: 1,
            nodes: 4,
            writes: None,
            seconds: None,
            epoch_unix_nanos: 1_790_000_000_000_000_000,
            disks: Disks::default(),
            network: Network::default(),
            cpus: Cpus::default(),
            clocks: Clocks::default(),
            recording: Recording::default(),
            volumes: Vec::new(),
            faults: Vec::new(),
            without_disk: None,
        }
    }
}

/// Writes of a run that says neither `writes` nor `seconds`.
const DEFAULT_WRITES: u64 = 30_000;

impl Config {
    /// The same with everything filled in that is left to defaults: volumes with their names and initiators, and an end.
    #[must_use]
    pub fn filled(&self) -> Self {
        let mut config = self.clone();
        if config.volumes.is_empty() {
            config.volumes = (0..config.nodes.min(MOST_NODES))
                .map(|_| Volume::on(config.nodes))
                .collect();
        }
        for (at, volume) in config.volumes.iter_mut().enumerate() {
            volume.name.get_or_insert_with(|| format!("vol{at}"));
            if volume.initiators.is_empty() {
                volume.initiators = vec![(at as u32).checked_rem(config.nodes).unwrap_or(0)];
            }
        }
        if config.writes.is_none() && config.seconds.is_none() {
            config.writes = Some(DEFAULT_WRITES);
        }
        config
    }

    /// About how long the run will be, in seconds: `seconds`, or what `writes` take at the volumes' rates. A queue depth
    /// counts as so many writes in half a millisecond.
    #[must_use]
    pub fn expected_seconds(&self) -> f64 {
        let filled = self.filled();
        let rate: f64 = filled.volumes.iter().map(Volume::expected_writes_per_second).sum();
        let by_writes = filled
            .writes
            .map_or(f64::INFINITY, |writes| writes as f64 / rate.max(1e-9));
        filled.seconds.unwrap_or(f64::INFINITY).min(by_writes).min(1e9)
    }
}

#[cfg(test)]
mod tests;
