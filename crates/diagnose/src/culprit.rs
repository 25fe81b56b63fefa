//! Whom to blame: which part of the path is worse than its peers or its own past, since when, and what it cost.
//!
//! # Method
//!
//! Time is cut into bins. In each, every suspect has a *rate*: the time that it added ([`crate::blame`]) a write that it took
//! part in. A bin is *bad* for a suspect when its rate is far above that of its peers (the other suspects of its kind) and
//! matters: a tenth of what a write takes. A suspect with at least two bad bins can be the culprit; among several,
//! it is the one that cost the most. What all share is in everybody's rate and blames nobody.
//!
//! An initiator is held against others by its usual time outside all legs, since no write has two of it. Where nobody is worse
//! than its peers, each is held against its own past (`past`).
//!
//! Two passes over the same rows: [`Search`] finds the suspect and its bad bins, [`Case`] gathers the evidence from them.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::{Catalog, Io, JoinedRows, NodeIndex, Op};

use crate::blame::{Suspect, against_peers, blame, outside, parts};
use crate::spread::Spread;

mod case;
mod past;

pub use case::{Case, timestamp};
pub(crate) use case::{doubted, unix_nanos};

/// Width of a bin to begin with.
const BIN_NANOS: i64 = 1_000_000_000;

/// More bins than this are merged, two into one.
const MOST_BINS: usize = 1024;

/// A bin in which a suspect took part in fewer writes says nothing about it.
const FEWEST_WRITES: u64 = 20;

/// Fewer bad bins are chance or a single stall.
const FEWEST_BAD: usize = 2;

/// A suspect's rate matters from this share of what a write takes on.
const MATTERS: f64 = 0.1;

/// A suspect's rate is far above its peers' from this multiple on.
const FAR_ABOVE: f64 = 3.0;

/// A suspect is worse than the other copies of the same writes when it takes this multiple of their time on average.
const WORSE: f64 = 1.5;

/// What it takes beyond them has to be this many standard errors above zero.
const SIGNIFICANT: f64 = 4.0;

#[derive(Clone, Debug, Default)]
struct Bin {
    writes: u64,
    write_nanos: u64,
    /// What the suspect added to writes for which it was the last.
    added_nanos: u64,
    /// What the suspect itself took, of all writes.
    own_nanos: u64,
    own: Spread,
    beyond: Beyond,
}

/// What a suspect took beyond the other copies of the same writes, the last copy or not.
#[derive(Clone, Debug, Default)]
struct Beyond {
    count: u64,
    // Whole numbers: their sums are the same in any order.
    nanos: i128,
    squares: u128,
    peer_nanos: u128,
}

impl Beyond {
    fn add(&mut self, beyond: i64, peers: u64) {
        let square = u128::from(beyond.unsigned_abs()).pow(2);
        self.count += 1;
        self.nanos = self.nanos.saturating_add(i128::from(beyond));
        self.squares = self.squares.saturating_add(square);
        self.peer_nanos = self.peer_nanos.saturating_add(u128::from(peers));
    }

    fn take(&mut self, other: &Self) {
        self.count += other.count;
        self.nanos = self.nanos.saturating_add(other.nanos);
        self.squares = self.squares.saturating_add(other.squares);
        self.peer_nanos = self.peer_nanos.saturating_add(other.peer_nanos);
    }

    /// On average, a write that has a peer.
    fn mean(&self) -> f64 {
        self.nanos as f64 / self.count.max(1) as f64
    }

    /// Whether it is worse than its peers by a multiple that is more than what equals differ by, and not by chance.
    fn is_worse(&self) -> bool {
        let count = self.count.max(1) as f64;
        let spread = (self.squares as f64 / count - self.mean() * self.mean())
            .max(0.0)
            .sqrt();
        self.count >= FEWEST_WRITES
            && self.nanos as f64 >= (WORSE - 1.0) * self.peer_nanos as f64
            && self.mean() > SIGNIFICANT * spread / count.sqrt()
    }
}

impl Bin {
    /// What the suspect added, a write that it took part in.
    fn rate(&self) -> f64 {
        self.added_nanos as f64 / self.writes.max(1) as f64
    }

    /// What a write took on average.
    fn write(&self) -> f64 {
        self.write_nanos as f64 / self.writes.max(1) as f64
    }

    /// What was left of a write on average beside what the suspect took.
    fn rest(&self) -> f64 {
        self.write_nanos.saturating_sub(self.own_nanos) as f64 / self.writes.max(1) as f64
    }

    /// What the suspect usually took.
    fn level(&self) -> f64 {
        self.own.middle() as f64
    }

    const fn says_something(&self) -> bool {
        self.writes >= FEWEST_WRITES
    }

    fn take(&mut self, other: &Self) {
        self.writes += other.writes;
        self.write_nanos = self.write_nanos.saturating_add(other.write_nanos);
        self.added_nanos = self.added_nanos.saturating_add(other.added_nanos);
        self.own_nanos = self.own_nanos.saturating_add(other.own_nanos);
        self.own.take(&other.own);
        self.beyond.take(&other.beyond);
    }
}

/// The first pass: who, and when.
#[derive(Clone, Debug)]
pub struct Search {
    width: i64,
    bins: BTreeMap<Suspect, BTreeMap<i64, Bin>>,
    times: BTreeSet<i64>,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            width: BIN_NANOS,
            bins: BTreeMap::new(),
            times: BTreeSet::new(),
        }
    }
}

impl Search {
    /// Takes a write; other operations blame nobody.
    pub fn add(&mut self, rows: &JoinedRows, io: &Io) {
        if io.op != Op::Write {
            return;
        }
        let time = io.event.end_unix_nanos().div_euclid(self.width);
        let legs = rows.legs_of(io);
        let of_legs = legs.iter().flat_map(|leg| parts(io, leg));
        let of_legs = of_legs.map(|part| (part.suspect, part.nanos));
        let initiator = outside(io, legs).map(|nanos| (Suspect::Initiator(io.node), nanos));
        for (suspect, nanos) in of_legs.chain(initiator) {
            let bin = self.bins.entry(suspect).or_default().entry(time).or_default();
            bin.writes += 1;
            bin.write_nanos = bin.write_nanos.saturating_add(io.event.duration_nanos);
            bin.own_nanos = bin.own_nanos.saturating_add(nanos);
            bin.own.add(nanos);
        }
        for (suspect, beyond, peers) in (0..legs.len()).flat_map(|at| against_peers(io, legs, at)) {
            let bin = self.bins.entry(suspect).or_default().entry(time).or_default();
            bin.beyond.add(beyond, peers);
        }
        for (suspect, nanos) in blame(rows, io).map(|blame| blame.shares).unwrap_or_default() {
            let bin = self.bins.entry(suspect).or_default().entry(time).or_default();
            bin.added_nanos = bin.added_nanos.saturating_add(nanos);
        }
        self.times.insert(time);
        while self.times.len() > MOST_BINS {
            self.coarsen();
        }
    }

    fn coarsen(&mut self) {
        self.width = self.width.saturating_mul(2);
        self.times = self.times.iter().map(|time| time.div_euclid(2)).collect();
        for bins in self.bins.values_mut() {
            let mut merged: BTreeMap<i64, Bin> = BTreeMap::new();
            for (time, bin) in std::mem::take(bins) {
                merged.entry(time.div_euclid(2)).or_default().take(&bin);
            }
            *bins = merged;
        }
    }

    /// The suspect that cost the most where it was far worse than its peers; if there is none, the one that cost the most where it
    /// was far worse than before. Of several that cost the same it is the first by name.
    #[must_use]
    pub fn suspect(mut self, catalog: &Catalog) -> Option<Case> {
        // At low load bins are merged until they say something, as long as enough are left to tell times apart.
        while self.times.len() >= 4 * FEWEST_BAD && self.is_thin() {
            self.coarsen();
        }
        let mut suspects: Vec<(Suspect, &BTreeMap<i64, Bin>)> =
            self.bins.iter().map(|(&suspect, bins)| (suspect, bins)).collect();
        suspects.sort_by_cached_key(|(suspect, _)| by_name(*suspect, catalog));
        let worse = suspects.iter().map(|&(suspect, bins)| self.worse(suspect, bins));
        most_costly(worse).or_else(|| {
            let slower = suspects.iter().map(|&(suspect, bins)| self.slower(suspect, bins));
            most_costly(slower)
        })
    }

    /// The bins in which a suspect was far worse than its peers.
    fn worse(&self, suspect: Suspect, bins: &BTreeMap<i64, Bin>) -> Case {
        let mut case = Case::new(suspect, self.width);
        let (mut writes, mut usual_nanos) = (0, 0.0_f64);
        for (&time, bin) in bins {
            if let Some((usual, excess)) = self.excess(suspect, time, bin) {
                case.bad.insert(time);
                case.cost_nanos = case.cost_nanos.saturating_add(excess);
                writes += bin.writes;
                usual_nanos = usual_nanos.max(usual);
            }
        }
        if matches!(suspect, Suspect::Initiator(_)) {
            case.usual_nanos = Some(usual_nanos as u64);
        }
        case.set_felt(writes);
        case
    }

    fn is_thin(&self) -> bool {
        let of_legs = self.bins.iter().filter(|(suspect, _)| suspect.is_of_a_leg());
        let counts = of_legs.flat_map(|(_, bins)| bins.values().map(|bin| bin.writes));
        let mut counts: Vec<u64> = counts.collect();
        counts.sort_unstable();
        counts
            .get(counts.len() / 2)
            .is_some_and(|&middle| middle < FEWEST_WRITES)
    }

    /// What is usual in a bin and what a suspect cost beyond it, if the bin is bad for it.
    fn excess(&self, suspect: Suspect, time: i64, bin: &Bin) -> Option<(f64, u64)> {
        if !bin.says_something() {
            return None;
        }
        // No write has two initiators, so nothing that one adds is known; what it usually takes is.
        let rate = |bin: &Bin| if suspect.is_of_a_leg() { bin.rate() } else { bin.level() };
        let own = rate(bin);
        let peers = self.peers(suspect).filter_map(|(_, bins)| bins.get(&time));
        // Without a single peer nothing can be worse than its peers.
        let usual = middle(peers.filter(|bin| bin.says_something()).map(rate))?;
        let matters = own > usual && own - usual >= MATTERS * bin.write() && own >= FAR_ABOVE * usual;
        // The copy that is last for another reason adds chance that is against it and never chance that is for it.
        let worse = !suspect.is_of_a_leg() || (bin.beyond.is_worse() && bin.beyond.mean() >= MATTERS * bin.write());
        (matters && worse).then_some((usual, ((own - usual) * bin.writes as f64) as u64))
    }

    /// The suspects that one can be held against, with their bins.
    fn peers(&self, suspect: Suspect) -> impl Iterator<Item = (Suspect, &BTreeMap<i64, Bin>)> {
        let others = self.bins.iter().map(|(&other, bins)| (other, bins));
        others.filter(move |&(other, _)| other != suspect && comparable(suspect, other))
    }
}

fn most_costly(cases: impl Iterator<Item = Case>) -> Option<Case> {
    let mut worst: Option<Case> = None;
    for case in cases.filter(|case| case.bad.len() >= FEWEST_BAD) {
        if worst.as_ref().is_none_or(|worst| worst.cost_nanos < case.cost_nanos) {
            worst = Some(case);
        }
    }
    worst
}

/// What orders suspects alike in every numbering of their names: kind, node, and disk or initiator.
fn by_name(suspect: Suspect, catalog: &Catalog) -> (u8, String, String) {
    let name = |node: NodeIndex| catalog.node(node).to_string();
    match suspect {
        Suspect::Disk(disk) => {
            let disk = catalog.disk(disk);
            (0, disk.node.to_string(), disk.name.clone())
        }
        Suspect::Node(node) => (1, name(node), String::new()),
        Suspect::Link { node, peer } => (2, name(node), name(peer)),
        Suspect::FarSide(node) => (3, name(node), String::new()),
        Suspect::Unseen { node, peer } => (4, name(node), name(peer)),
        Suspect::Initiator(node) => (5, name(node), String::new()),
    }
}

/// The middle value, of two the higher.
fn middle(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Whether two suspects can be held against each other: a leg that is not seen at the far side against any way.
const fn comparable(one: Suspect, other: Suspect) -> bool {
    one.same_kind(other)
        || matches!(
            (one, other),
            (Suspect::Unseen { .. }, Suspect::Link { .. }) | (Suspect::Link { .. }, Suspect::Unseen { .. })
        )
}

#[cfg(test)]
mod tests;
