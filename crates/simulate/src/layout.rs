//! Where the bytes of the volumes lie: slabs on disks, and from them the extent map.

use smallvec::SmallVec;

use crate::config::{Config, Resiliency, SlabMove, Volume};
use crate::error::{Error, Result};
use crate::random::{Purpose, Random};

mod parity;

pub(crate) use parity::ParityRow;

/// More rows than this make a description that takes longer to read than the events.
const MOST_EXTENTS: u64 = 200_000;

/// Nothing is placed before this on a disk: partition tables and the pool's own data are there.
const FIRST_BYTE: u64 = 64 << 20;

/// One copy of one part of an I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) copy: u32,
    /// Which row of slabs of the volume.
    pub(crate) slab: u32,
    pub(crate) disk: DiskNumber,
    pub(crate) disk_offset: u64,
    pub(crate) length: u64,
    /// Whether it is a column of a parity tier, and `copy` the column's number.
    pub(crate) of_parity: bool,
}

/// A row of the extent map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExtentRow {
    pub(crate) volume_offset: u64,
    pub(crate) part: Part,
    /// From when on, and until when, in true time since the run's start, where it does not hold for the whole run.
    pub(crate) from: Option<u64>,
    pub(crate) until: Option<u64>,
}

/// A disk of the cluster: node by node, the cache drive of a node (if any) last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DiskNumber(pub(crate) u32);

impl DiskNumber {
    pub(crate) const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

/// All volumes of a cluster.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) disks_a_node: u32,
    cache: bool,
    volumes: Vec<VolumeLayout>,
}

#[derive(Debug)]
struct VolumeLayout {
    /// Bytes that lie in copies: all but those of a parity tier.
    size: u64,
    copies: u32,
    columns: u32,
    interleave: u64,
    slab_bytes: u64,
    /// By (row of slabs, copy, column).
    slabs: Vec<Slab>,
    moves: Vec<Moved>,
    parity: Option<parity::Tier>,
}

/// Slabs of a copy that lie elsewhere from some time on.
#[derive(Debug)]
struct Moved {
    row: u32,
    copy: u32,
    /// In true time since the run's start.
    at: u64,
    /// By column.
    slabs: Vec<Slab>,
}

#[derive(Clone, Copy, Debug)]
struct Slab {
    disk: DiskNumber,
    offset: u64,
}

impl Layout {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let rows: u64 = config.volumes.iter().map(extent_rows).fold(0, u64::saturating_add);
        if rows > MOST_EXTENTS {
            return Err(Error::TooManyExtents {
                rows,
                most: MOST_EXTENTS,
            });
        }
        let mut layout = Self {
            disks_a_node: config.disks.count + u32::from(config.disks.cache),
            cache: config.disks.cache,
            volumes: Vec::with_capacity(config.volumes.len()),
        };
        let mut room = Room::new(config, layout.disks_a_node);
        for volume in &config.volumes {
            layout.volumes.push(VolumeLayout::new(volume, config.nodes, &mut room)?);
        }
        Ok(layout)
    }

    pub(crate) const fn node_of(&self, disk: DiskNumber) -> u32 {
        disk.0 / self.disks_a_node
    }

    pub(crate) const fn disk(&self, node: u32, disk: u32) -> DiskNumber {
        DiskNumber(node * self.disks_a_node + disk)
    }

    /// The node's cache drive, where there are cache drives.
    pub(crate) fn cache_of(&self, node: u32) -> Option<DiskNumber> {
        self.cache.then(|| self.disk(node, self.disks_a_node - 1))
    }

    /// The name of a disk on its node.
    pub(crate) fn disk_name(&self, disk: DiskNumber) -> String {
        let number = disk.0 % self.disks_a_node;
        if self.cache && number == self.disks_a_node - 1 {
            return "cache0".to_owned();
        }
        format!("disk{number}")
    }

    /// Copies of the bytes of an I/O: parts in the order of the volume, each with its copies in order, then what a parity tier has of
    /// them. As they lie at some time.
    pub(crate) fn parts(&self, volume: u32, offset: u64, length: u64, now: u64) -> SmallVec<[Part; 4]> {
        let mut parts = self.copies_of(volume, offset, length, now);
        parts.extend(self.volumes[volume as usize].parity_parts(offset, length, true));
        parts
    }

    /// The columns of a parity tier that have the bytes of a read.
    pub(crate) fn read_parts(&self, volume: u32, offset: u64, length: u64) -> Vec<Part> {
        self.volumes[volume as usize].parity_parts(offset, length, false)
    }

    /// The slabs of a volume's parity tier, by row and column.
    pub(crate) fn parity_rows(&self, volume: u32) -> impl Iterator<Item = ParityRow> + '_ {
        self.volumes[volume as usize].parity_rows()
    }

    /// Copies of the bytes of an I/O that lie in copies.
    pub(crate) fn copies_of(&self, volume: u32, offset: u64, length: u64, now: u64) -> SmallVec<[Part; 4]> {
        let volume = &self.volumes[volume as usize];
        let mut parts = SmallVec::new();
        let end = (offset + length).min(volume.size);
        let mut at = offset;
        while at < end {
            let until = volume.border_after(at).min(end);
            parts.extend((0..volume.copies).map(|copy| volume.part(copy, at, until - at, now)));
            at = until;
        }
        parts
    }

    /// Where a flush of a volume goes: every disk that holds a copy at that time once, with the first slab and the lowest copy on
    /// it.
    pub(crate) fn disks_of(&self, volume: u32, now: u64) -> SmallVec<[Part; 4]> {
        let volume = &self.volumes[volume as usize];
        let mut disks: SmallVec<[Part; 4]> = SmallVec::new();
        let mut known = std::collections::BTreeSet::new();
        for row in 0..volume.rows() {
            for copy in 0..volume.copies {
                for column in 0..volume.columns {
                    let disk = volume.slab(row, copy, column, now).disk;
                    if known.insert(disk) {
                        disks.push(Part {
                            copy,
                            slab: row,
                            disk,
                            disk_offset: 0,
                            length: 0,
                            of_parity: false,
                        });
                    }
                }
            }
        }
        for slab in volume.parity_rows().filter(|slab| known.insert(slab.disk)) {
            disks.push(Part {
                copy: slab.column,
                slab: volume.rows(),
                disk: slab.disk,
                disk_offset: 0,
                length: 0,
                of_parity: true,
            });
        }
        disks
    }

    pub(crate) fn copies(&self, volume: u32) -> u32 {
        self.volumes[volume as usize].copies
    }

    pub(crate) fn slab_rows(&self, volume: u32) -> u32 {
        self.volumes[volume as usize].rows()
    }

    /// The extent map of a volume, by offset and copy.
    pub(crate) fn extents(&self, volume: u32) -> impl Iterator<Item = ExtentRow> + '_ {
        let volume = &self.volumes[volume as usize];
        let first = (volume.size > 0).then_some(0);
        let starts = std::iter::successors(first, move |&at| {
            let next = volume.border_after(at);
            (next < volume.size).then_some(next)
        });
        starts.flat_map(move |at| {
            let length = volume.border_after(at).min(volume.size) - at;
            (0..volume.copies).flat_map(move |copy| {
                let moved = volume
                    .moved((at / volume.row_bytes()) as u32, copy)
                    .map(|moved| moved.at);
                let row = |from: Option<u64>, until: Option<u64>| ExtentRow {
                    volume_offset: at,
                    part: volume.part(copy, at, length, from.unwrap_or(0)),
                    from,
                    until,
                };
                // A slab that lies elsewhere from the start on was never where it lay before.
                let before = (moved != Some(0)).then(|| row(None, moved));
                before.into_iter().chain(moved.map(|moved| row(Some(moved), None)))
            })
        })
    }

    /// The disk that holds all of a copy that lies on a node, if there is one.
    pub(crate) fn only_disk(&self, volume: u32, copy: u32, node: u32) -> Option<DiskNumber> {
        let volume = &self.volumes[volume as usize];
        let columns = volume.columns as usize;
        let of_copy = volume
            .slabs
            .chunks(columns)
            .enumerate()
            .filter(|(at, _)| (*at as u32) % volume.copies == copy)
            .flat_map(|(_, slabs)| slabs);
        let moved = volume.moves.iter().filter(|moved| moved.copy == copy);
        let of_copy = of_copy.chain(moved.flat_map(|moved| &moved.slabs));
        let mut there = of_copy.map(|slab| slab.disk).filter(|&disk| self.node_of(disk) == node);
        let first = there.next()?;
        there.all(|disk| disk == first).then_some(first)
    }
}

fn extent_rows(volume: &Volume) -> u64 {
    let unit = if volume.columns > 1 {
        volume.interleave_bytes
    } else {
        volume.slab_bytes
    };
    let of_parity = volume.parity.map_or(0, |tier| {
        tier.rows(volume.slab_bytes).saturating_mul(tier.columns.into())
    });
    volume
        .mirrored_bytes()
        .div_ceil(unit.max(1))
        .saturating_mul(volume.resiliency.copies().into())
        .saturating_add(
            volume
                .slab_bytes
                .saturating_mul(volume.columns.into())
                .div_ceil(unit.max(1))
                * volume.moves.len() as u64,
        )
        .saturating_add(of_parity)
}

impl VolumeLayout {
    fn new(volume: &Volume, nodes: u32, room: &mut Room) -> Result<Self> {
        let mut layout = Self {
            size: volume.mirrored_bytes(),
            copies: volume.resiliency.copies(),
            columns: volume.columns,
            interleave: if volume.columns > 1 {
                volume.interleave_bytes
            } else {
                volume.slab_bytes
            },
            slab_bytes: volume.slab_bytes,
            slabs: Vec::new(),
            moves: Vec::new(),
            parity: None,
        };
        for _ in 0..layout.rows() {
            let mut taken: SmallVec<[DiskNumber; 16]> = SmallVec::new();
            for node in room.nodes_for(volume, nodes) {
                for _ in 0..layout.columns {
                    let slab = room.take(volume, node, &taken)?;
                    taken.push(slab.disk);
                    layout.slabs.push(slab);
                }
            }
        }
        if let Some(tier) = volume.parity {
            let rows = layout.rows();
            layout.parity = Some(parity::Tier::new(volume, tier, nodes, rows, room)?);
        }
        for slabs in &volume.moves {
            let moved = layout.move_slabs(volume, slabs, nodes, room)?;
            layout.moves.push(moved);
        }
        Ok(layout)
    }

    /// Finds room for slabs that move: on their own node where that has any, else on the next one that has.
    fn move_slabs(&self, volume: &Volume, slabs: &SlabMove, nodes: u32, room: &mut Room) -> Result<Moved> {
        let mut taken: SmallVec<[DiskNumber; 16]> = SmallVec::new();
        for copy in 0..self.copies {
            taken.extend((0..self.columns).map(|column| self.slab(slabs.slab, copy, column, 0).disk));
        }
        let own = self.slab(slabs.slab, slabs.copy, 0, 0).disk.0 / room.disks_a_node;
        let mut moved = Vec::new();
        for _ in 0..self.columns {
            let mut found = room.take(volume, own, &taken);
            for node in (own + 1..nodes).chain(0..own) {
                if found.is_err() {
                    found = room.take(volume, node, &taken);
                }
            }
            let slab = found?;
            taken.push(slab.disk);
            moved.push(slab);
        }
        Ok(Moved {
            row: slabs.slab,
            copy: slabs.copy,
            at: (slabs.at_seconds * 1e9) as u64,
            slabs: moved,
        })
    }

    fn moved(&self, row: u32, copy: u32) -> Option<&Moved> {
        self.moves.iter().find(|moved| (moved.row, moved.copy) == (row, copy))
    }

    /// Bytes of a row of slabs: one a column.
    const fn row_bytes(&self) -> u64 {
        self.slab_bytes * self.columns as u64
    }

    const fn rows(&self) -> u32 {
        self.size.div_ceil(self.row_bytes()) as u32
    }

    fn slab(&self, row: u32, copy: u32, column: u32, now: u64) -> Slab {
        if let Some(moved) = self.moved(row, copy).filter(|moved| moved.at <= now) {
            return moved.slabs[column as usize];
        }
        self.slabs[((row * self.copies + copy) * self.columns + column) as usize]
    }

    /// Where the extent ends that has this byte.
    const fn border_after(&self, offset: u64) -> u64 {
        (offset / self.interleave + 1) * self.interleave
    }

    fn part(&self, copy: u32, offset: u64, length: u64, now: u64) -> Part {
        let row = (offset / self.row_bytes()) as u32;
        let within = offset % self.row_bytes();
        let stripe = within / self.interleave;
        let column = (stripe % u64::from(self.columns)) as u32;
        let on_column = stripe / u64::from(self.columns) * self.interleave + within % self.interleave;
        let slab = self.slab(row, copy, column, now);
        Part {
            copy,
            slab: row,
            disk: slab.disk,
            disk_offset: slab.offset + on_column,
            length,
            of_parity: false,
        }
    }
}

/// What is free on every disk.
struct Room {
    random: Random,
    disks_a_node: u32,
    /// Drives of a node that take slabs: not the cache drive.
    drives: u32,
    capacity: u64,
    /// First free byte, by disk.
    free: Vec<u64>,
    /// Slabs a node.
    load: Vec<u32>,
}

impl Room {
    fn new(config: &Config, disks_a_node: u32) -> Self {
        let mut random = Random::new(config.seed, Purpose::Layout, 0);
        let free = (0..config.nodes * disks_a_node).map(|_| FIRST_BYTE + (random.below(256) << 20));
        Self {
            disks_a_node,
            drives: config.disks.count,
            capacity: config.disks.capacity_bytes,
            free: free.collect(),
            load: vec![0; config.nodes as usize],
            random,
        }
    }

    /// The nodes, those with the fewest slabs first, else in a random order.
    fn least_loaded(&mut self, nodes: u32) -> SmallVec<[u32; 16]> {
        let mut order: SmallVec<[(u32, u64, u32); 16]> = (0..nodes)
            .map(|node| (self.load[node as usize], self.random.bits(), node))
            .collect();
        order.sort_unstable();
        order.into_iter().map(|(_, _, node)| node).collect()
    }

    /// The node of each copy of the next row of slabs: those with the fewest slabs, in a random order.
    fn nodes_for(&mut self, volume: &Volume, nodes: u32) -> SmallVec<[u32; 4]> {
        let order = self.least_loaded(nodes);
        let owner = volume.initiators.first().copied().unwrap_or(0);
        let mut chosen: SmallVec<[u32; 4]> = match volume.resiliency {
            Resiliency::NestedTwoWay => {
                let other = order.iter().copied().find(|&node| node != owner);
                let other = other.unwrap_or(owner);
                SmallVec::from_slice(&[owner, owner, other, other])
            }
            resiliency if nodes == 1 => SmallVec::from_elem(0, resiliency.copies() as usize),
            resiliency => order.iter().copied().take(resiliency.copies() as usize).collect(),
        };
        if volume.resiliency != Resiliency::NestedTwoWay {
            for at in (1..chosen.len()).rev() {
                chosen.swap(at, self.random.below(at as u64 + 1) as usize);
            }
        }
        for &node in &chosen {
            self.load[node as usize] += 1;
        }
        chosen
    }

    /// Some nodes have a slab more each.
    fn add_load<'a>(&mut self, nodes: impl IntoIterator<Item = &'a u32>) {
        nodes.into_iter().for_each(|&node| self.load[node as usize] += 1);
    }

    /// A slab on the emptiest disk of a node that is not taken yet.
    fn take(&mut self, volume: &Volume, node: u32, taken: &[DiskNumber]) -> Result<Slab> {
        let first = node * self.disks_a_node;
        let disks = (first..first + self.drives).map(DiskNumber);
        let emptiest = disks
            .filter(|disk| !taken.contains(disk))
            .min_by_key(|disk| self.free[disk.as_usize()]);
        let full = || Error::Space {
            volume: volume.label().to_owned(),
            node,
            slab_bytes: volume.slab_bytes,
        };
        let disk = emptiest.ok_or_else(full)?;
        let offset = self.free[disk.as_usize()];
        let end = offset.saturating_add(volume.slab_bytes);
        if end > self.capacity {
            return Err(full());
        }
        self.free[disk.as_usize()] = end;
        Ok(Slab { disk, offset })
    }
}

#[cfg(test)]
mod tests;
