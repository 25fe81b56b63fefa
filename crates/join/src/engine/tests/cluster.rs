//! A small made-up cluster (synthetic: nothing here was recorded): nodes with disks and clocks of their own, volumes whose
//! copies lie on them, and who truly made which event.

use std::collections::BTreeMap;

use fathom_model::topology::Node;
use fathom_model::{
    ClusterId, Device, Extent, ExtentMap, Incarnation, IoColumns, IoEvent, NodeId, Op, PhysicalDisk, StreamId,
    StreamKind, Tap, Topology, Validity, Volume,
};

use super::super::{End, StreamInfo};

mod rng;
mod streams;

pub(super) use rng::Rng;

/// Where true time begins.
pub(super) const START: i64 = 1_790_000_000_000_000_000;
/// Nanoseconds in a millisecond.
pub(super) const MS: i64 = 1_000_000;
/// Bytes of an extent.
pub(super) const CHUNK: u64 = 1 << 20;

/// What cluster is made, and what happens on it.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) seed: u64,
    /// How many nodes write.
    pub(super) initiators: usize,
    /// How many nodes have disks.
    pub(super) nodes: usize,
    /// Disks a node.
    pub(super) disks: usize,
    pub(super) copies: u32,
    /// Whether the writers are nodes with disks, so that some copies are local.
    pub(super) converged: bool,
    /// Whether all write to one volume; else each has its own.
    pub(super) shared: bool,
    pub(super) chunks: u64,
    pub(super) millis: i64,
    /// I/Os an initiator.
    pub(super) ios: usize,
    /// Places in a volume that I/Os go to: the fewer, the more overwrite each other in flight.
    pub(super) blocks: usize,
    pub(super) reads_per_mille: u64,
    pub(super) flushes_per_mille: u64,
    pub(super) unmaps_per_mille: u64,
    /// Requests that a disk takes long for.
    pub(super) slow_per_mille: u64,
    /// First attempts that fail at the initiator.
    pub(super) retries_per_mille: u64,
    /// How often one leg fails at most.
    pub(super) most_retries: u64,
    /// Of these those that were served all the same: only the answer was lost.
    pub(super) served_per_mille: u64,
    /// Clocks are off by up to this.
    pub(super) offset_nanos: i64,
    /// And drift by up to this.
    pub(super) drift_ppb: i64,
    /// Every request takes this much longer on its way there than its reply on its way back.
    pub(super) asymmetry_nanos: i64,
    pub(super) without: Vec<Tap>,
    /// Disks split what is longer.
    pub(super) split_bytes: Option<u64>,
    /// Where not 0, offsets of each disk are shifted by up to so many bytes at the drive,
    pub(super) shift_bytes: u64,
    /// and at the bus target.
    pub(super) shift_targets: bool,
    /// Whether a drive of each node that holds no extent takes its writes, at offsets of its own.
    pub(super) cache: bool,
    /// Writes that are followed by one of what lies behind, which drives make one request of.
    pub(super) merges_per_mille: u64,
    /// Events of far sides that no I/O made.
    pub(super) foreign: usize,
    pub(super) lost_per_mille: u64,
    /// Where events are lost: at every tap, or at this one.
    pub(super) lost_at: Option<Tap>,
    /// How far from the order of completion events are logged.
    pub(super) disorder_nanos: i64,
    /// Resolution of what disks say.
    pub(super) device_resolution: u64,
    /// Legs have no offset, and what their device is named for is the disk.
    pub(super) unplaced: bool,
    pub(super) irps: Irps,
}

/// What events carry to tie them by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Irps {
    None,
    /// Every event another.
    Own,
    /// The events of an I/O on its initiator the same.
    Shared,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            initiators: 1,
            nodes: 3,
            disks: 1,
            copies: 2,
            converged: false,
            shared: false,
            chunks: 6,
            millis: 4_000,
            ios: 400,
            blocks: 200,
            reads_per_mille: 0,
            flushes_per_mille: 0,
            unmaps_per_mille: 0,
            slow_per_mille: 0,
            retries_per_mille: 0,
            most_retries: 1,
            served_per_mille: 0,
            offset_nanos: 0,
            drift_ppb: 0,
            asymmetry_nanos: 0,
            without: Vec::new(),
            split_bytes: None,
            shift_bytes: 0,
            shift_targets: false,
            cache: false,
            merges_per_mille: 0,
            foreign: 0,
            lost_per_mille: 0,
            lost_at: None,
            disorder_nanos: 0,
            device_resolution: 1_000,
            unplaced: false,
            irps: Irps::None,
        }
    }
}

/// One node's clock against true time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    pub(super) offset: i64,
    pub(super) ppb: i64,
    /// From a true time on it runs faster by so many parts per billion.
    pub(super) bend: Option<(i64, i64)>,
    /// At a true time it is set, by so much.
    pub(super) step: Option<(i64, i64)>,
}

impl Clock {
    pub(super) fn read(self, time: i64) -> i64 {
        let step = self.step.filter(|&(at, _)| time >= at);
        self.unset(time) + step.map_or(0, |(_, by)| by)
    }

    /// What it would show if it were never set: durations are measured on that.
    pub(super) fn unset(self, time: i64) -> i64 {
        let drift = |since: i64, ppb: i64| (i128::from(time - since) * i128::from(ppb) / 1_000_000_000) as i64;
        let bend = self.bend.filter(|&(at, _)| time > at);
        time + self.offset + drift(START, self.ppb) + bend.map_or(0, |(at, ppb)| drift(at, ppb))
    }

    /// True time when the clock shows `x`, nearly: of a clock that changes only for the order in which streams are played.
    pub(super) fn when(self, x: i64) -> i64 {
        let since = i128::from(x - self.offset - START) * 1_000_000_000 / (1_000_000_000 + i128::from(self.ppb));
        START + since as i64
    }
}

/// One copy of one part of an I/O, as the extent map has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) part: u32,
    pub(super) copy: u32,
    pub(super) node: usize,
    pub(super) disk: usize,
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// Who made an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Owner {
    /// The I/O by number; none of an event that no I/O made.
    pub(super) io: Option<usize>,
    pub(super) part: u32,
    pub(super) copy: u32,
}

/// An event in true time.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) node: usize,
    pub(super) device: Device,
    pub(super) op: Op,
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) status: u32,
    pub(super) owner: Owner,
}

/// What a drive does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merging {
    /// It is one of its own.
    Apart,
    /// It takes so many more bytes, of the next request, with it.
    With(u64),
    /// It is in the one before.
    Behind,
}

/// A stream, ready to be sent.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) info: StreamInfo,
    pub(super) node: usize,
    pub(super) clock: Clock,
    pub(super) devices: Vec<Device>,
    pub(super) events: Vec<IoEvent>,
    pub(super) owners: Vec<Owner>,
    /// When each event truly began.
    pub(super) began: Vec<i64>,
    /// After so many events nothing that completed before this is still to come; one more than there are events.
    pub(super) heard: Vec<i64>,
    pub(super) end: End,
    /// The stream that has to end before this one opens.
    pub(super) after: Option<usize>,
}

impl Made {
    pub(super) fn batch(&self, from: usize, until: usize) -> IoColumns {
        self.events[from..until].iter().copied().collect()
    }
}

/// A cluster with all that happened on it.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) options: Options,
    /// Nodes with disks first, then those that only write.
    pub(super) nodes: Vec<NodeId>,
    pub(super) clocks: Vec<Clock>,
    pub(super) topology: Topology,
    /// Pieces of each volume by chunk and copy: node, disk, offset on the disk.
    spots: Vec<Vec<Vec<(usize, usize, u64)>>>,
    pub(super) drafts: Vec<Draft>,
    /// How many I/Os there were.
    pub(super) ios: usize,
    /// By node, where its cache writes next.
    pub(super) cached: Vec<u64>,
    /// What drives do with the requests of the I/O that is being made.
    pub(super) merging: Merging,
    pub(super) rng: Rng,
}

impl Cluster {
    /// A cluster on which nothing has happened yet.
    pub(super) fn idle(options: &Options) -> Self {
        let mut rng = Rng::new(options.seed);
        let mut nodes: Vec<NodeId> = (0..options.nodes).map(|at| format!("n{at}").as_str().into()).collect();
        if !options.converged {
            nodes.extend((0..options.initiators).map(|at| NodeId::new(format!("i{at}"))));
        }
        let clocks = nodes
            .iter()
            .map(|_| Clock {
                offset: rng.between(-options.offset_nanos, options.offset_nanos + 1),
                ppb: rng.between(-options.drift_ppb, options.drift_ppb + 1),
                ..Clock::default()
            })
            .collect();
        let volumes = if options.shared { 1 } else { options.initiators };
        let mut next_free = vec![vec![1_u64 << 30; options.disks]; options.nodes];
        let mut extents = Vec::new();
        let mut spots = vec![Vec::new(); volumes];
        for (volume, spots) in spots.iter_mut().enumerate() {
            for chunk in 0..options.chunks as usize {
                let mut places = Vec::new();
                for copy in 0..options.copies as usize {
                    let (node, disk) = ((volume + chunk + copy) % options.nodes, (chunk / 2) % options.disks);
                    let offset = next_free[node][disk];
                    next_free[node][disk] += CHUNK;
                    places.push((node, disk, offset));
                    extents.push(Extent {
                        volume: volume_id(volume),
                        volume_offset: chunk as u64 * CHUNK,
                        length: CHUNK,
                        copy: copy as u32,
                        disk: format!("n{node}/disk{disk}").as_str().into(),
                        disk_offset: offset,
                        valid: Validity::default(),
                        stripe: None,
                        parity: None,
                    });
                }
                spots.push(places);
            }
        }
        let disks = (0..options.nodes).flat_map(|node| (0..options.disks).map(move |disk| (node, disk)));
        let topology = Topology {
            nodes: nodes
                .iter()
                .map(|id| Node {
                    id: id.clone(),
                    observed: true,
                })
                .collect(),
            disks: disks
                .map(|(node, disk)| PhysicalDisk {
                    id: format!("n{node}/disk{disk}").as_str().into(),
                    node: format!("n{node}").as_str().into(),
                    name: format!("disk{disk}"),
                })
                .collect(),
            volumes: (0..volumes)
                .map(|volume| Volume {
                    id: volume_id(volume),
                    size_bytes: options.chunks * CHUNK,
                    copies: options.copies,
                })
                .collect(),
            extents: ExtentMap::try_new(extents).unwrap(),
        };
        Self {
            options: options.clone(),
            nodes,
            clocks,
            topology,
            spots,
            drafts: Vec::new(),
            ios: 0,
            cached: vec![0; options.nodes],
            merging: Merging::Apart,
            rng,
        }
    }

    /// Where the copies of a volume's bytes lie, by part and copy.
    pub(super) fn spots(&self, volume: usize, offset: u64, length: u64) -> Vec<Spot> {
        let mut found = Vec::new();
        let (mut at, mut part) = (offset, 0);
        while at < offset + length {
            let until = (offset + length).min((at / CHUNK + 1) * CHUNK);
            for (copy, &(node, disk, base)) in self.spots[volume][(at / CHUNK) as usize].iter().enumerate() {
                found.push(Spot {
                    part,
                    copy: copy as u32,
                    node,
                    disk,
                    offset: base + at % CHUNK,
                    length: until - at,
                });
            }
            (at, part) = (until, part + 1);
        }
        found
    }

    /// Every (copy, disk) of a volume, as a flush reaches them.
    pub(super) fn disks_of(&self, volume: usize) -> Vec<Spot> {
        let mut found: Vec<Spot> = Vec::new();
        for places in &self.spots[volume] {
            for (copy, &(node, disk, _)) in places.iter().enumerate() {
                let spot = Spot {
                    part: 0,
                    copy: copy as u32,
                    node,
                    disk,
                    offset: 0,
                    length: 0,
                };
                if !found.contains(&spot) {
                    found.push(spot);
                }
            }
        }
        found
    }

    /// The node by which initiator number `at` writes, and the volume it writes to.
    pub(super) fn initiator(&self, at: usize) -> (usize, usize) {
        let node = if self.options.converged {
            at
        } else {
            self.options.nodes + at
        };
        (node, if self.options.shared { 0 } else { at })
    }

    pub(super) fn volume_device(volume: usize) -> Device {
        Device {
            tap: Tap::Volume,
            name: format!("v{volume}"),
            disk: None,
            volume: Some(volume_id(volume)),
            copy: None,
            peer: None,
            has_offsets: true,
        }
    }

    /// A disk of another node as a Windows initiator has it.
    pub(super) fn port_device(&self, peer: usize, disk: usize) -> Device {
        Device {
            tap: Tap::Initiator,
            name: format!("clusport.n{peer}.disk{disk}"),
            disk: Some(format!("n{peer}/disk{disk}").as_str().into()),
            volume: None,
            copy: None,
            peer: Some(self.nodes[peer].clone()),
            has_offsets: false,
        }
    }

    /// The path to a copy: its entry names a disk only where all of the copy on that node lies on one.
    pub(super) fn path_device(&self, volume: usize, copy: u32, peer: usize) -> Device {
        let mut disks: Vec<usize> = self.spots[volume]
            .iter()
            .filter_map(|places| places.get(copy as usize).copied())
            .filter(|place| place.0 == peer)
            .map(|place| place.1)
            .collect();
        disks.sort_unstable();
        disks.dedup();
        let only = if let [only] = disks[..] { Some(only) } else { None };
        Device {
            tap: Tap::Initiator,
            name: format!("v{volume}.copy{copy}"),
            disk: only.map(|disk| format!("n{peer}/disk{disk}").as_str().into()),
            volume: Some(volume_id(volume)),
            copy: Some(copy),
            peer: Some(self.nodes[peer].clone()),
            has_offsets: true,
        }
    }

    pub(super) fn disk_device(tap: Tap, node: usize, disk: usize) -> Device {
        Device {
            tap,
            name: format!("disk{disk}"),
            disk: Some(format!("n{node}/disk{disk}").as_str().into()),
            volume: None,
            copy: None,
            peer: None,
            has_offsets: true,
        }
    }

    /// Resolution of a tap's times.
    pub(super) fn resolution(&self, tap: Tap) -> u64 {
        if tap == Tap::Device {
            self.options.device_resolution
        } else {
            100
        }
    }
}

pub(super) fn volume_id(volume: usize) -> fathom_model::VolumeId {
    format!("v{volume}").as_str().into()
}

pub(super) fn stream_id(node: &NodeId, incarnation: u8) -> StreamId {
    StreamId {
        cluster: ClusterId::new("made-up"),
        node: node.clone(),
        kind: StreamKind::Io,
        incarnation: Incarnation::from_bytes([incarnation; 16]),
    }
}
