//! What the taps saw, and from it the rows of each node's file and the truth.

use fathom_model::{Device, IoColumns, IoEvent, NodeId, Op, PhysicalDiskId, Tap, VolumeId};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::clock::Clock;
use crate::config::{Config, Correlation, Taps};
use crate::faults::nanos;
use crate::layout::{DiskNumber, Layout};
use crate::truth::{Truth, TruthWrite};

/// What stands for "of no write".
pub(crate) const NOBODY: u32 = u32::MAX;

/// What stands for "of a repair, and of no write".
pub(crate) const REPAIR: u32 = NOBODY - 1;

/// Where the addresses of IRPs begin; only their being used again matters.
const FIRST_IRP: u64 = 0xffff_b80f_0000_0000;
/// From one to the next.
const IRP_BYTES: u64 = 0x2a0;

/// The device of an event, before it has a number in its node's dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum DeviceKey {
    Volume(u32),
    /// The path of one copy of a row of slabs to a node.
    Path {
        volume: u32,
        slab: u32,
        copy: u32,
        peer: u32,
    },
    /// A remote disk as ClusPort shows it.
    Port(DiskNumber),
    Target(DiskNumber),
    Drive(DiskNumber),
}

/// An event in true time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) tap: Tap,
    pub(crate) device: u32,
    pub(crate) op: Op,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) status: u32,
    pub(crate) irp: u64,
    /// The write (of a volume event) or the leg (of any other) in the truth, or [`NOBODY`] or [`REPAIR`].
    pub(crate) owner: u32,
}

/// Keeps events in the order of their completion, a list a node.
#[derive(Debug)]
pub(crate) struct Recorder {
    taps: Taps,
    correlation: Correlation,
    logs: Vec<Log>,
}

#[derive(Debug, Default)]
struct Log {
    seen: Vec<Seen>,
    devices: Vec<Device>,
    index: FxHashMap<DeviceKey, u32>,
    /// Drive events that belong to further legs: (event, leg).
    shared: Vec<(usize, u32)>,
    /// IRPs that are free, the one that was freed last on top.
    irps: Vec<u64>,
    irps_made: u64,
}

/// A node's part of the recording.
#[derive(Clone, Debug)]
pub struct NodeEvents {
    /// The node.
    pub id: NodeId,
    /// Whether it has a daemon; without, it has no rows.
    pub observed: bool,
    /// What its rows' `device` stands for.
    pub devices: Vec<Device>,
    /// Its rows in the order of completion, times on its own clock.
    pub rows: IoColumns,
    /// True start and completion of each row, in nanoseconds of the run: what no tap shows.
    pub true_times: Vec<(u64, u64)>,
    /// Which of its rows are a repair's and no write's, in their order.
    pub repaired: Vec<u64>,
}

impl Recorder {
    pub(crate) fn new(config: &Config) -> Self {
        let by_taps = match config.recording.taps {
            Taps::Rich => Correlation::None,
            Taps::Windows | Taps::WindowsOffset => Correlation::Leg,
        };
        Self {
            taps: config.recording.taps,
            correlation: config.recording.correlation.unwrap_or(by_taps),
            logs: (0..config.nodes).map(|_| Log::default()).collect(),
        }
    }

    /// Whether legs carry the IRP of their write.
    pub(crate) fn legs_share_irp(&self) -> bool {
        self.correlation == Correlation::Write
    }

    /// An IRP for a request that begins now on a node.
    pub(crate) fn irp(&mut self, node: u32) -> u64 {
        let log = &mut self.logs[node as usize];
        log.irps.pop().unwrap_or_else(|| {
            log.irps_made += 1;
            FIRST_IRP + log.irps_made * IRP_BYTES
        })
    }

    /// Its request is done.
    pub(crate) fn free_irp(&mut self, node: u32, irp: u64) {
        self.logs[node as usize].irps.push(irp);
    }

    /// The initiator's device of a leg, as the taps name it.
    pub(crate) const fn initiator_device(
        &self,
        volume: u32,
        slab: u32,
        copy: u32,
        peer: u32,
        disk: DiskNumber,
    ) -> DeviceKey {
        match self.taps {
            Taps::Rich => DeviceKey::Path {
                volume,
                slab,
                copy,
                peer,
            },
            Taps::Windows | Taps::WindowsOffset => DeviceKey::Port(disk),
        }
    }

    /// Notes an event that completes now. Taps that are not there see nothing.
    pub(crate) fn push(
        &mut self,
        node: u32,
        device: DeviceKey,
        mut seen: Seen,
        layout: &Layout,
        config: &Config,
    ) -> Option<usize> {
        if seen.tap == Tap::Target && self.taps != Taps::Rich {
            return None;
        }
        if seen.tap == Tap::Initiator && self.taps == Taps::Windows {
            seen.offset = 0;
        }
        let has_offsets = !(seen.tap == Tap::Initiator && self.taps == Taps::Windows);
        let log = &mut self.logs[node as usize];
        seen.device = match log.index.get(&device) {
            Some(&known) => known,
            None => {
                let new = log.devices.len() as u32;
                log.devices
                    .push(describe(device, seen.tap, has_offsets, layout, config));
                log.index.insert(device, new);
                new
            }
        };
        log.seen.push(seen);
        Some(log.seen.len() - 1)
    }

    /// Says that an event belongs to a further leg.
    pub(crate) fn share(&mut self, node: u32, event: usize, leg: u32) {
        self.logs[node as usize].shared.push((event, leg));
    }

    /// Rows and truth: what was lost is left out of both.
    pub(crate) fn finish(self, config: &Config, clocks: &[Clock], truth: Truth) -> (Vec<NodeEvents>, Vec<TruthWrite>) {
        let mut truth = truth.open();
        let correlated = self.correlation != Correlation::None;
        let mut nodes = Vec::with_capacity(self.logs.len());
        for (number, log) in self.logs.into_iter().enumerate() {
            let node = number as u32;
            let observed = !config.recording.missing_nodes.contains(&node);
            let lost: SmallVec<[(u64, u64); 2]> = config
                .recording
                .lost
                .iter()
                .filter(|lost| lost.node == node)
                .map(|lost| (nanos(lost.from_seconds), nanos(lost.until_seconds)))
                .collect();
            let mut kept = NodeEvents {
                id: NodeId::new(node_name(node)),
                observed,
                devices: log.devices,
                rows: IoColumns::with_capacity(if observed { log.seen.len() } else { 0 }),
                true_times: Vec::new(),
                repaired: Vec::new(),
            };
            let mut shared = log.shared.into_iter().peekable();
            for (at, seen) in log.seen.iter().enumerate() {
                let gone = !observed || lost.iter().any(|&(from, until)| from <= seen.end && seen.end < until);
                let row = kept.rows.len() as u64;
                if !gone {
                    kept.rows.push(event(
                        seen,
                        &clocks[number],
                        config.recording.resolution_nanos,
                        correlated,
                    ));
                    kept.true_times.push((seen.start, seen.end));
                    kept.repaired.extend((seen.owner == REPAIR).then_some(row));
                    truth.has(seen.tap, seen.owner, row);
                }
                while let Some((_, leg)) = shared.next_if(|&(event, _)| event == at) {
                    if !gone {
                        truth.has(seen.tap, leg, row);
                    }
                }
            }
            nodes.push(kept);
        }
        (nodes, truth.close())
    }
}

/// An event as its node's clock shows it.
fn event(seen: &Seen, clock: &Clock, resolution: u64, correlated: bool) -> IoEvent {
    let (start, end) = (clock.monotonic(seen.start), clock.monotonic(seen.end));
    let shown = clock.set(start);
    let duration = end.saturating_sub(start).unsigned_abs();
    IoEvent {
        tap: seen.tap,
        device: seen.device,
        op: seen.op,
        offset: seen.offset,
        length: seen.length,
        start_unix_nanos: shown - shown.rem_euclid(resolution as i64),
        duration_nanos: duration - duration % resolution,
        status: seen.status,
        correlation: correlated.then_some(seen.irp),
    }
}

/// `n3`.
pub(crate) fn node_name(node: u32) -> String {
    format!("n{node}")
}

/// The identity of a disk in the cluster, as recordings have it: `n3/disk0`.
pub(crate) fn disk_id(layout: &Layout, disk: DiskNumber) -> PhysicalDiskId {
    let node = node_name(layout.node_of(disk));
    PhysicalDiskId::new(format!("{node}/{}", layout.disk_name(disk)))
}

fn describe(key: DeviceKey, tap: Tap, has_offsets: bool, layout: &Layout, config: &Config) -> Device {
    let volume_name = |volume: u32| config.volumes[volume as usize].label();
    let mut device = Device {
        tap,
        name: String::new(),
        disk: None,
        volume: None,
        copy: None,
        peer: None,
        has_offsets,
    };
    match key {
        DeviceKey::Volume(volume) => {
            volume_name(volume).clone_into(&mut device.name);
            device.volume = Some(VolumeId::new(volume_name(volume)));
        }
        DeviceKey::Path {
            volume,
            slab,
            copy,
            peer,
        } => {
            let name = volume_name(volume);
            device.name = if layout.slab_rows(volume) == 1 {
                format!("{name}.copy{copy}")
            } else {
                format!("{name}.slab{slab}.copy{copy}")
            };
            device.volume = Some(VolumeId::new(name));
            device.copy = Some(copy);
            device.peer = Some(NodeId::new(node_name(peer)));
            device.disk = layout.only_disk(volume, copy, peer).map(|disk| disk_id(layout, disk));
        }
        DeviceKey::Port(disk) => {
            let peer = node_name(layout.node_of(disk));
            device.name = format!("clusport.{peer}.{}", layout.disk_name(disk));
            device.disk = Some(disk_id(layout, disk));
            device.peer = Some(NodeId::new(peer));
        }
        DeviceKey::Target(disk) | DeviceKey::Drive(disk) => {
            device.name = layout.disk_name(disk);
            device.disk = Some(disk_id(layout, disk));
        }
    }
    device
}
