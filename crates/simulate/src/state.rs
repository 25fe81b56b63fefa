//! What the nodes of a simulated cluster would report of their resources: drives, adapters, connections, jobs, settings.
//!
//! Nothing is drawn here: state follows from the configuration, from the faults that are on, and from what was recorded. It is what a
//! Windows node would show of them, as far as that is known (domain/wmi.md, domain/thresholds.md): a drive that is slow is healthy and of
//! abnormal latency; where RDMA is lost the connections are TCP; a repair is a job whose bytes are those that the drive was written.

use std::collections::BTreeMap;

use fathom_model::state::{Code, Kind, Observation, Sample, Value};
use fathom_model::{Extent, NodeId, Op, Tap};

use crate::config::{DiskRef, Fault, FaultKind, LinkRef};
use crate::faults::breaks;
use crate::layout::DiskNumber;
use crate::simulated::{FaultMark, Simulated};

mod cluster;
mod done;
mod events;
mod node;
mod ports;
mod samples;
mod vms;

use done::Done;

/// Every class is read this often, in nanoseconds: for a run of seconds; a real one is read by the minute.
pub const POLL_NANOS: u64 = 1_000_000_000;

/// Nodes read at times of their own: so much apart.
pub(crate) const APART_NANOS: u64 = 37_000_000;

/// One reading of a class.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The class.
    pub class: &'static str,
    /// What its objects are.
    pub kind: Kind,
    /// The objects, or why there are none.
    pub read: Result<Vec<Observation>, String>,
}

/// Reads state of a simulated cluster.
#[derive(Debug)]
pub struct States<'a> {
    simulated: &'a Simulated,
    /// What repairs wrote to each drive, with the bytes so far: completion in true time, and bytes.
    repaired: BTreeMap<(u32, u32), Vec<(u64, u64)>>,
    /// What each node's drives did, by node and by the drive's name there.
    done: Vec<BTreeMap<&'a str, Done>>,
    /// When adapters broke their connections, by the fault's number.
    breaks: Vec<Vec<u64>>,
}

impl<'a> States<'a> {
    /// Looks through the recorded events once.
    #[must_use]
    pub fn new(simulated: &'a Simulated) -> Self {
        let mut repaired = BTreeMap::new();
        for mark in &simulated.faults {
            if let FaultKind::Repair { to, .. } = mark.fault.what {
                repaired.insert((to.node, to.disk), written(simulated, to));
            }
        }
        let done = simulated.nodes.iter().map(Done::of_drives).collect();
        let faults = 0..simulated.faults.len();
        let breaks = faults.map(|number| breaks(&simulated.config, number, simulated.duration_nanos));
        Self {
            breaks: breaks.collect(),
            simulated,
            repaired,
            done,
        }
    }

    /// When a node reads, in true time since the run's start.
    pub fn polls(&self, node: u32) -> impl Iterator<Item = u64> + use<> {
        let first = u64::from(node) * APART_NANOS;
        let last = self.simulated.duration_nanos;
        // Also after a run of less than a second.
        (0..)
            .map(move |at| first + at * POLL_NANOS)
            .take_while(move |at| *at == first || *at <= last)
    }

    /// The time that a node's clock shows.
    #[must_use]
    pub fn shown(&self, node: u32, at: u64) -> i64 {
        self.simulated.clocks[node as usize].shown(at)
    }

    /// Whether a daemon speaks for a node.
    #[must_use]
    pub fn is_observed(&self, node: u32) -> bool {
        self.simulated.nodes[node as usize].observed
    }

    /// The node that reads what the cluster answers for: the first that has a daemon.
    #[must_use]
    pub fn reporter(&self) -> Option<u32> {
        (0..self.simulated.config.nodes).find(|node| self.is_observed(*node))
    }

    /// Everything that a node reads at a time.
    #[must_use]
    pub fn read(&self, node: u32, at: u64) -> Vec<Reading> {
        let mut readings = node::read(self, node, at);
        if self.reporter() == Some(node) {
            readings.extend(cluster::read(self, node, at));
        }
        readings
    }

    /// Counters of a node at a time, since it read them before: what its drives did, as recorded, and what went through its adapters, went
    /// wrong there and paused them. They are named as the counter sets of Windows are.
    #[must_use]
    pub fn samples(&self, node: u32, at: u64) -> Vec<Sample> {
        samples::read(self, node, at)
    }

    /// What became of the node's SMB connections since it read before, each at its own time.
    #[must_use]
    pub fn happened(&self, node: u32, at: u64) -> Vec<Observation> {
        events::read(self, node, at)
    }

    fn nodes(&self) -> u32 {
        self.simulated.config.nodes
    }

    fn name(&self, node: u32) -> NodeId {
        self.simulated.nodes[node as usize].id.clone()
    }

    fn observation(&self, node: u32, kind: Kind, id: impl Into<String>, at: u64) -> Observation {
        Observation::new(self.name(node), kind, id, self.shown(node, at))
    }

    /// Faults that are on at a time.
    fn faults(&self, at: u64) -> impl Iterator<Item = &'a Fault> {
        let is_on = move |mark: &&'a FaultMark| mark.from_nanos <= at && at < mark.until_nanos.max(mark.from_nanos + 1);
        let marks: &'a [FaultMark] = &self.simulated.faults;
        marks.iter().filter(is_on).map(|mark| &mark.fault)
    }

    /// Faults that were on at a time or before.
    fn past(&self, at: u64) -> impl Iterator<Item = &'a FaultMark> {
        let marks: &'a [FaultMark] = &self.simulated.faults;
        marks.iter().filter(move |mark| mark.from_nanos <= at)
    }

    /// How often an adapter of a node has broken its connections by a time.
    fn broken(&self, node: u32, adapter: u32, at: u64) -> u64 {
        let own = self.simulated.faults.iter().zip(&self.breaks).filter(|(mark, _)| {
            matches!(mark.fault.what, FaultKind::AdapterErrors { node: of, adapter: number, .. }
                if (of, number) == (node, adapter))
        });
        own.map(|(_, breaks)| breaks.partition_point(|begun| *begun <= at) as u64)
            .sum()
    }

    /// How many reads, or writes, a drive had to try again by a time.
    fn retried(&self, on: DiskRef, op: Op, at: u64) -> u64 {
        let a_node = self.disks() + u32::from(self.simulated.config.disks.cache);
        let number = DiskNumber(on.node * a_node + on.disk);
        self.simulated.counted.retried(number, op, at)
    }

    /// Drives a node, the cache's not counted.
    fn disks(&self) -> u32 {
        self.simulated.config.disks.count
    }

    /// What a drive did; none where no daemon saw it.
    fn done(&self, on: DiskRef) -> Option<&Done> {
        let own = self.is_observed(on.node).then(|| self.done.get(on.node as usize))??;
        own.get(self.disk_name(on).as_str())
    }

    /// A node's cache drive, if it has one, comes after the others.
    fn is_cache(&self, on: DiskRef) -> bool {
        on.disk >= self.disks()
    }

    fn disk_name(&self, on: DiskRef) -> String {
        match self.is_cache(on) {
            true => "cache0".to_owned(),
            false => format!("disk{}", on.disk),
        }
    }

    fn disk_id(&self, on: DiskRef) -> String {
        format!("n{}/{}", on.node, self.disk_name(on))
    }

    /// Every drive, caches too.
    fn each_disk(&self) -> impl Iterator<Item = DiskRef> + use<> {
        let a_node = self.disks() + u32::from(self.simulated.config.disks.cache);
        (0..self.nodes()).flat_map(move |node| (0..a_node).map(move |disk| DiskRef { node, disk }))
    }

    /// Extents in force at a time of a node's clock. Around a move both places are: the newer one counts.
    fn in_force(&self, shown: i64) -> impl Iterator<Item = &'a Extent> + use<'a> {
        let mut in_force: BTreeMap<_, &'a Extent> = BTreeMap::new();
        let extents: &'a [Extent] = self.simulated.topology.extents.extents();
        for extent in extents.iter().filter(|extent| {
            extent.valid.from_unix_nanos.is_none_or(|from| from <= shown)
                && extent.valid.until_unix_nanos.is_none_or(|until| shown < until)
        }) {
            let newest = in_force
                .entry((extent.volume.as_str(), extent.volume_offset, extent.copy))
                .or_insert(extent);
            if newest.valid.from_unix_nanos < extent.valid.from_unix_nanos {
                *newest = extent;
            }
        }
        in_force.into_values()
    }
}

fn code(number: i64, name: &str) -> Value {
    Value::Code(Code {
        code: Some(number),
        name: Some(name.to_owned()),
    })
}

fn ok() -> Value {
    Value::List(vec![code(2, "OK")])
}

const fn is_on_link(link: LinkRef, node: u32, other: u32) -> bool {
    match link.peer {
        Some(peer) => (link.node == node && peer == other) || (link.node == other && peer == node),
        None => link.node == node || link.node == other,
    }
}

/// What a repair wrote to a drive: completion in true time, and bytes so far. Where a node has a cache, that takes it first.
fn written(simulated: &Simulated, on: DiskRef) -> Vec<(u64, u64)> {
    let node = &simulated.nodes[on.node as usize];
    let name = format!("disk{}", on.disk);
    let own = node.repaired.iter().filter_map(|row| {
        let row = usize::try_from(*row).ok()?;
        let event = node.rows.get(row)?;
        let is_there = simulated.config.disks.cache || node.devices[event.device as usize].name == name;
        let is_it = event.tap == Tap::Device && event.op == Op::Write && is_there;
        is_it
            .then(|| Some((node.true_times.get(row)?.1, event.length)))
            .flatten()
    });
    let mut done: Vec<(u64, u64)> = own.collect();
    done.sort_unstable();
    let mut sum = 0;
    for (_, bytes) in &mut done {
        sum += *bytes;
        *bytes = sum;
    }
    done
}

#[cfg(test)]
mod tests;
