//! Writes in one order, whatever order their rows come in and however their catalog is numbered.
//!
//! Which rows are decided is a matter of the events alone; when, in which files and in which batches is not, and neither is who got which
//! index. What is summed or learnt in passing would differ with them. So a [`Line`] takes rows as they come and hands writes out by their
//! completion on one clock, then by node and ordinal, with indices that follow the names.
//!
//! It keeps rows only until nothing can come before them any more; whoever fills it says until when that is ([`Line::advance`]).

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use fathom_model::report::Clock;
use fathom_model::{
    Catalog, DiskIndex, Io, JoinedRows, NodeIndex, Observation, Op, PhysicalDisk, StreamIndex, VolumeIndex,
};

/// Beyond so many waiting writes the first goes on, whatever may come before it: memory stays bounded.
const MOST_WAITING: usize = 1 << 20;

/// The order: completion on one clock, then the stream by its names, then the ordinal.
type Key = (i64, StreamIndex, u64);

/// Writes that wait for those before them.
#[derive(Clone, Debug)]
pub(crate) struct Line<'a> {
    names: Names,
    /// How far each node's clock is ahead of the one that all are ordered by.
    ahead: BTreeMap<String, i64>,
    furthest: i64,
    waiting: BinaryHeap<Reverse<(Key, usize, usize)>>,
    chunks: BTreeMap<usize, Chunk<'a>>,
    taken: usize,
    /// The write that was handed out last, alone.
    out: JoinedRows,
}

#[derive(Clone, Debug)]
struct Chunk<'a> {
    rows: Cow<'a, JoinedRows>,
    /// Its writes that wait.
    left: usize,
}

impl<'a> Line<'a> {
    /// Orders by the clocks as they are known; nodes of whose clocks nothing is are taken as they are.
    pub(crate) fn new(clocks: &[Clock]) -> Self {
        let ahead = ahead(clocks);
        Self {
            names: Names::default(),
            furthest: ahead.values().copied().max().unwrap_or(0).max(0),
            ahead,
            waiting: BinaryHeap::new(),
            chunks: BTreeMap::new(),
            taken: 0,
            out: JoinedRows::default(),
        }
    }

    /// Takes the writes of some rows. The catalog is the same in all calls, or has grown.
    pub(crate) fn take(&mut self, rows: Cow<'a, JoinedRows>, catalog: &Catalog) {
        self.names.learn(catalog);
        let number = self.taken;
        self.taken += 1;
        let before = self.waiting.len();
        for (at, io) in rows.ios.iter().enumerate().filter(|(_, io)| io.op == Op::Write) {
            let ahead = self.ahead.get(catalog.node(io.node).as_str()).copied().unwrap_or(0);
            let time = io.event.end_unix_nanos().saturating_sub(ahead);
            let stream = self.names.streams[io.event.stream.as_usize()];
            self.waiting
                .push(Reverse(((time, stream, io.event.ordinal), number, at)));
        }
        let left = self.waiting.len() - before;
        if left > 0 {
            self.chunks.insert(number, Chunk { rows, left });
        }
    }

    /// Moves on to the next write, if there is one: of those that nothing can come before when no row that is still to be taken has
    /// completed before `until` on its own clock; without it nothing more comes.
    pub(crate) fn advance(&mut self, until: Option<i64>) -> bool {
        let Some(&Reverse(((time, _, _), number, at))) = self.waiting.peek() else {
            return false;
        };
        let is_first = until.is_none_or(|until| time < until.saturating_sub(self.furthest));
        if !is_first && self.waiting.len() <= MOST_WAITING {
            return false;
        }
        self.waiting.pop();
        let Some(chunk) = self.chunks.get_mut(&number) else {
            return false;
        };
        self.names.renumber(&chunk.rows, at, &mut self.out);
        chunk.left -= 1;
        if chunk.left == 0 {
            self.chunks.remove(&number);
        }
        true
    }

    /// The write that [`Self::advance`] moved on to, with indices of [`Self::catalog`]. There is one after it has said that there is.
    pub(crate) fn write(&self) -> Option<(&JoinedRows, &Io)> {
        Some((&self.out, self.out.ios.first()?))
    }

    /// The names behind the indices of what is handed out.
    pub(crate) const fn catalog(&self) -> &Catalog {
        &self.names.catalog
    }
}

/// How far clocks are ahead of that of the first node by name, of each set of nodes that are tied by known offsets.
fn ahead(clocks: &[Clock]) -> BTreeMap<String, i64> {
    // The surest of several, as a pair has a row for each pair of incarnations.
    let mut ties: BTreeMap<&str, BTreeSet<(u64, &str, i64)>> = BTreeMap::new();
    for clock in clocks {
        let Some(offset) = clock.offset_ns else { continue };
        let error = clock.error_ns.unwrap_or(u64::MAX);
        let (node, reference) = (clock.node.as_str(), clock.reference.as_str());
        ties.entry(reference).or_default().insert((error, node, offset));
        ties.entry(node)
            .or_default()
            .insert((error, reference, offset.saturating_neg()));
    }
    let mut ahead: BTreeMap<String, i64> = BTreeMap::new();
    for &first in ties.keys() {
        if ahead.contains_key(first) {
            continue;
        }
        ahead.insert(first.to_owned(), 0);
        let mut reached = vec![(first, 0_i64)];
        while let Some((node, own)) = reached.pop() {
            for &(_, other, offset) in ties.get(node).into_iter().flatten() {
                if !ahead.contains_key(other) {
                    let theirs = own.saturating_add(offset);
                    ahead.insert(other.to_owned(), theirs);
                    reached.push((other, theirs));
                }
            }
        }
    }
    ahead
}

/// A catalog in which names stand in their own order, and where each index of another catalog is in it. Names that are met later follow
/// those that were known before.
#[derive(Clone, Debug, Default)]
struct Names {
    catalog: Catalog,
    nodes: Vec<NodeIndex>,
    disks: Vec<DiskIndex>,
    volumes: Vec<VolumeIndex>,
    streams: Vec<StreamIndex>,
}

impl Names {
    fn learn(&mut self, from: &Catalog) {
        let own = &mut self.catalog;
        add(&mut self.nodes, from.nodes(), Clone::clone, |name| {
            own.intern_node(name)
        });
        let by_place = |disk: &PhysicalDisk| (disk.node.clone(), disk.name.clone(), disk.id.clone());
        add(&mut self.disks, from.disks(), by_place, |disk| own.intern_disk(disk));
        add(&mut self.volumes, from.volumes(), Clone::clone, |name| {
            own.intern_volume(name)
        });
        add(&mut self.streams, from.streams(), Clone::clone, |id| {
            own.intern_stream(id)
        });
    }

    /// Puts one I/O with its legs into `out`, alone.
    fn renumber(&self, rows: &JoinedRows, at: usize, out: &mut JoinedRows) {
        let seen = |mut seen: Observation| {
            seen.stream = self.streams[seen.stream.as_usize()];
            seen
        };
        out.ios.clear();
        out.legs.clear();
        let mut io = rows.ios[at].clone();
        out.legs.extend_from_slice(&rows.legs[io.legs.clone()]);
        for leg in &mut out.legs {
            leg.node = self.nodes[leg.node.as_usize()];
            leg.disk = self.disks[leg.disk.as_usize()];
            leg.cache = leg.cache.map(|cache| self.disks[cache.as_usize()]);
            leg.initiator = leg.initiator.map(seen);
            leg.target = leg.target.map(seen);
            leg.device = leg.device.map(seen);
        }
        io.event = seen(io.event);
        io.node = self.nodes[io.node.as_usize()];
        io.volume = self.volumes[io.volume.as_usize()];
        if let Some(slowest) = &mut io.slowest {
            slowest.leg -= io.legs.start;
        }
        io.legs = 0..out.legs.len();
        out.ios.push(io);
    }
}

/// Adds the names that are new, in their order, and says where each is.
fn add<T, K: Ord, I: Copy>(known: &mut Vec<I>, names: &[T], key: impl Fn(&T) -> K, mut intern: impl FnMut(&T) -> I) {
    let new = &names[known.len().min(names.len())..];
    if new.is_empty() {
        return;
    }
    let mut sorted: Vec<&T> = new.iter().collect();
    sorted.sort_by_cached_key(|name| key(name));
    for name in sorted {
        intern(name);
    }
    known.extend(new.iter().map(intern));
}

#[cfg(test)]
mod tests;
