//! Requests that a cache drive took in their disk's place: the drive shows offsets of its own, so that time and length are all that
//! ties them.
//!
//! Which drive is a disk's cache is learnt, since no inventory that the join has says so. A drive that holds no extent is one where
//! the requests of a disk that the disk itself never saw meet events of their length on it so often that chance is out of the
//! question. Only then are its events looked at, so that a boot drive's never are.
//!
//! A request is tied to an event only where no other assignment is possible among all requests of the node and all such events;
//! whatever else could be is said ([`fathom_model::Missing::Indistinct`]) and not guessed.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::{Catalog, DiskIndex, NodeIndex, Op, PhysicalDisk, StreamIndex, Tap};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use super::Engine;
use super::resolve::{Claimant, DECIDED, Decisions, Found, contains, interval};
use super::shifts::{Asked, Choice, Voter, reach, voters_without};
use crate::assign::{Interval, assign};
use crate::pool::ClaimRef;

/// A drive is a cache when chance would give as many meetings less often than this.
const CHANCE: f64 = 1e-6;

/// What is tied by time alone is said to be ambiguous where the right event may as well be lost, and another in its place, more
/// often than once in a thousand: as often as a copy that is named may be another (`slowest`).
const CERTAIN: f32 = 0.999;

/// The drives that take a disk's requests.
#[derive(Clone, Debug, Default)]
struct Cache {
    drives: BTreeSet<DiskIndex>,
    /// Nothing was found there in the last window that looked.
    doubted: bool,
}

/// All that is known of caches, by the disk that they stand for.
#[derive(Clone, Debug, Default)]
pub(super) struct Caches {
    of: BTreeMap<DiskIndex, Cache>,
}

/// What is kept of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheState {
    /// The disk.
    pub disk: PhysicalDisk,
    /// The drives that take its requests.
    pub drives: Vec<PhysicalDisk>,
    /// Whether nothing was found there in the last window that looked.
    pub doubted: bool,
}

impl Caches {
    fn of(&self, disk: DiskIndex) -> Option<&BTreeSet<DiskIndex>> {
        self.of.get(&disk).map(|cache| &cache.drives)
    }

    /// Whether the drives that take a disk's requests are known.
    pub(super) fn is_sure(&self, disk: DiskIndex) -> bool {
        self.of.get(&disk).is_some_and(|cache| !cache.doubted)
    }

    /// Whether a disk's requests are known to go to other drives.
    pub(super) fn has(&self, disk: DiskIndex) -> bool {
        self.of.contains_key(&disk)
    }

    /// The disks that have a cache.
    pub(super) fn disks(&self) -> impl Iterator<Item = DiskIndex> + '_ {
        self.of.keys().copied()
    }

    pub(super) fn state(&self, catalog: &Catalog) -> Vec<CacheState> {
        let name = |disk: DiskIndex| catalog.disk(disk).clone();
        let kept = self.of.iter().map(|(&disk, cache)| {
            let mut drives: Vec<PhysicalDisk> = cache.drives.iter().map(|&drive| name(drive)).collect();
            drives.sort_by(|a, b| a.id.cmp(&b.id));
            CacheState {
                disk: name(disk),
                drives,
                doubted: cache.doubted,
            }
        });
        let mut kept: Vec<CacheState> = kept.collect();
        kept.sort_by(|a, b| a.disk.id.cmp(&b.disk.id));
        kept
    }

    pub(super) fn restore(catalog: &mut Catalog, kept: Vec<CacheState>) -> Self {
        let of = kept.into_iter().map(|kept| {
            let drives = kept.drives.iter().map(|drive| catalog.intern_disk(drive)).collect();
            let doubted = kept.doubted;
            (catalog.intern_disk(&kept.disk), Cache { drives, doubted })
        });
        Self { of: of.collect() }
    }
}

/// Claims and events of one operation and length on one node.
#[derive(Default)]
struct Kind {
    claims: Vec<(Claimant, Interval)>,
    events: Vec<usize>,
}

impl Engine {
    /// The drives that are known to take each disk's requests in its place.
    #[must_use]
    pub fn caches(&self) -> Vec<(DiskIndex, Vec<DiskIndex>)> {
        let of = self.caches.of.iter();
        of.map(|(&disk, cache)| (disk, cache.drives.iter().copied().collect()))
            .collect()
    }

    /// Looks for the caches of disks whose requests they did not see themselves. Returns those for which there may be one, but too
    /// little was asked to tell.
    pub(super) fn vote_on_caches(&mut self, asked: &Asked) -> BTreeSet<DiskIndex> {
        let mut open = BTreeSet::new();
        if self.spares.is_empty() {
            return open;
        }
        let voters: Vec<(DiskIndex, Vec<Voter>)> = asked
            .iter()
            .map(|(&disk, requests)| (disk, self.voters(requests)))
            .collect();
        let reach = reach(voters.iter().flat_map(|(_, voters)| voters));
        let spares = self.choices(&self.spares, &reach);
        let own = self.choices(&asked.keys().copied().collect(), &reach);
        let mut bound = BTreeSet::new();
        for (disk, voters) in voters {
            if self.shifts.is_sure(disk, Tap::Device) || self.caches.is_sure(disk) {
                continue;
            }
            let Some(node) = self.layout.node_of(disk) else {
                continue;
            };
            let own = own.get(&(disk, Tap::Device)).map_or(&[][..], Vec::as_slice);
            let without = voters_without(&voters, own, self.shifts.of(disk, Tap::Device));
            for (&(spare, _), choices) in &spares {
                if self.catalog.disk(spare).node != *self.catalog.node(node) || without.is_empty() {
                    continue;
                }
                let (met, beyond_chance) = meets(&without, choices);
                if beyond_chance {
                    let cache = self.caches.of.entry(disk).or_default();
                    cache.drives.insert(spare);
                    cache.doubted = false;
                    bound.insert(node);
                } else if met {
                    open.insert(disk);
                }
            }
        }
        // Whose event one is depends on all requests of the node, not on what has the same key.
        let disks = bound.into_iter().flat_map(|node| self.layout.disks_of(node));
        for disk in disks.copied().collect::<Vec<_>>() {
            self.bar(disk);
        }
        open.retain(|disk| !self.caches.is_sure(*disk));
        open
    }

    /// After a restart: drives that are caches hold no extent, and all disks of their nodes stay out of the lanes, as when that was
    /// learnt.
    pub(super) fn resume_caches(&mut self) {
        // Before dictionaries name them: else they would be taken for disks that a topology has named.
        let drives = self.caches.of.values().flat_map(|cache| &cache.drives);
        let spares = drives.filter(|&&drive| self.layout.node_of(drive).is_none());
        self.spares.extend(spares);
        let nodes: BTreeSet<NodeIndex> = self
            .caches
            .disks()
            .filter_map(|disk| self.layout.node_of(disk))
            .collect();
        for node in nodes {
            self.barred.extend(self.layout.disks_of(node));
        }
    }

    /// Ties the requests of a window that have no event at their disk to events of its cache.
    pub(super) fn find_cached(
        &mut self,
        closing: StreamIndex,
        decisions: &mut Decisions,
        order: &[ClaimRef],
        cut: i64,
    ) {
        if self.caches.of.is_empty() {
            return;
        }
        let mut nodes = BTreeSet::new();
        for claim in order {
            let place = self.pool.ios[claim.io].places.places[claim.place];
            let open = decisions.get(claim).is_some_and(Found::lacks_device);
            if open && self.caches.of(place.disk).is_some() {
                nodes.insert(place.node);
            }
        }
        let used: FxHashSet<usize> = decisions.values().flat_map(Found::at_drive).collect();
        for node in nodes {
            for (_, kind) in self.kinds(closing, node, decisions, &used, cut) {
                self.settle_kind(kind, decisions);
            }
        }
    }

    /// Everything on a node that competes for its caches' events, by operation and length.
    fn kinds(
        &self,
        closing: StreamIndex,
        node: NodeIndex,
        decisions: &Decisions,
        used: &FxHashSet<usize>,
        cut: i64,
    ) -> BTreeMap<(Op, u64), Kind> {
        let mut kinds: BTreeMap<(Op, u64), Kind> = BTreeMap::new();
        let mut claims = Vec::new();
        for (at, io) in self.pool.ios.iter().filter(|(_, io)| io.event.end_unix_nanos() < cut) {
            let places = io.places.places.iter().enumerate();
            claims.extend(
                places
                    .filter(|(_, place)| place.node == node && io.op != Op::Flush)
                    .map(|(place, _)| ClaimRef { io: at, place }),
            );
        }
        claims.sort_by_key(|claim| {
            let event = &self.pool.ios[claim.io].event;
            let stream = self.catalog.stream(event.stream);
            (stream, event.end_unix_nanos(), event.ordinal, claim.place)
        });
        for claim in claims {
            if let Some((claimant, outer)) = self.without_device(claim, (decisions, used), (closing, cut)) {
                let kind = (self.pool.ios[claim.io].op, claimant.place.length);
                kinds.entry(kind).or_default().claims.push((claimant, outer));
            }
        }
        let drives: BTreeSet<DiskIndex> = self
            .layout
            .disks_of(node)
            .iter()
            .filter_map(|&disk| self.caches.of(disk))
            .flatten()
            .copied()
            .collect();
        let mut far_cuts: FxHashMap<StreamIndex, i64> = FxHashMap::default();
        for (at, event) in &self.pool.events {
            let of_cache = event.tap == Tap::Device && event.disk.is_some_and(|disk| drives.contains(&disk));
            if !of_cache || used.contains(&at) {
                continue;
            }
            let far = event.event.stream;
            let far_cut = *far_cuts.entry(far).or_insert_with(|| self.far_cut(closing, far, cut));
            if event.event.end_unix_nanos() < far_cut
                && let Some(kind) = kinds.get_mut(&(event.op, event.length))
            {
                kind.events.push(at);
            }
        }
        for kind in kinds.values_mut() {
            kind.events.sort_by_key(|&at| {
                let event = &self.pool.events[at].event;
                let stream = self.catalog.stream(event.stream);
                (event.start_unix_nanos, event.end_unix_nanos(), stream, event.ordinal)
            });
        }
        kinds
    }

    /// A claim that has no device event, with where on the far clock it must lie.
    fn without_device(
        &self,
        claim: ClaimRef,
        (decisions, used): (&Decisions, &FxHashSet<usize>),
        (closing, cut): (StreamIndex, i64),
    ) -> Option<(Claimant, Interval)> {
        let nothing = Found::default();
        let decided = decisions.get(&claim);
        let mut claimant = self.claimant(claim, decided.unwrap_or(&nothing));
        if !claimant.found.lacks_device() {
            return None;
        }
        let io = &self.pool.ios[claim.io];
        let seen_by = claimant.found.target.map(|at| self.pool.events[at].event.stream);
        let far = seen_by.or_else(|| self.life_at(claimant.place.node, claimant.stream, io.event.end_unix_nanos()))?;
        if !self.gives(far, Tap::Device) {
            return None;
        }
        let far_cut = self.far_cut(closing, far, cut);
        if decided.is_none() {
            // One of another window or initiator: what it will have is looked for in the same way, if not as thoroughly.
            let only = |tap: Tap| {
                let outer = self.far_interval(&claimant, far, tap)?;
                let mut fitting = self
                    .pool
                    .far(io.op, claimant.place.disk, claimant.place.offset)
                    .filter(|&at| {
                        let event = &self.pool.events[at];
                        let same = event.tap == tap && event.length == claimant.place.length;
                        let heard = event.event.stream == far && event.event.end_unix_nanos() < far_cut;
                        same && heard && !used.contains(&at) && contains(outer, interval(event))
                    });
                Some((fitting.next()?, fitting.next().is_none()))
            };
            if only(Tap::Device).is_some() {
                return None;
            }
            if let Some((target, true)) = only(Tap::Target) {
                claimant.found.target = Some(target);
            }
        }
        // A read goes to one copy, and of two places that a map gives one is meant: only where something was seen to come.
        let certain = io.op.goes_to_every_copy() && !claimant.place.alternative;
        if !certain && claimant.found.target.is_none() && claimant.found.initiator.is_none() {
            return None;
        }
        let outer = self.far_interval(&claimant, far, Tap::Device)?;
        // One that began later, by the clock of another initiator, has none of the events that are looked at.
        (outer.0 < far_cut).then_some((claimant, outer))
    }

    /// Ties what can only be tied in one way; notes what could be otherwise.
    fn settle_kind(&mut self, kind: Kind, decisions: &mut Decisions) {
        let Kind { claims, events } = kind;
        let outers: Vec<Interval> = claims.iter().map(|(_, outer)| *outer).collect();
        // Outside the time of all claims an event is there or not by chance of arrival.
        let from = outers.iter().map(|outer| outer.0).min().unwrap_or(i64::MAX);
        let until = outers.iter().map(|outer| outer.1).max().unwrap_or(i64::MIN);
        let near = |at: &usize| contains((from, until), interval(&self.pool.events[*at]));
        let events: Vec<usize> = events.into_iter().filter(near).collect();
        if events.is_empty() {
            return;
        }
        let inners: Vec<Interval> = events.iter().map(|&at| interval(&self.pool.events[at])).collect();
        // Of a disk whose cache is not known any may be the one.
        let fits = |claim: usize, event: usize| {
            let drives = self.caches.of(claims[claim].0.place.disk);
            let drive = self.pool.events[events[event]].disk;
            drives.is_none_or(|drives| drive.is_some_and(|drive| drives.contains(&drive)))
        };
        let assigned = assign(&outers, &inners, fits, |_, _| {});
        let chance = Chance::new(&outers, &inners, self.config.window_nanos);
        let mut contested = Vec::new();
        let mut tied = Vec::new();
        for (at, one) in assigned.into_iter().enumerate() {
            let (claimant, outer) = &claims[at];
            let is_cached = self.caches.of(claimant.place.disk).is_some();
            if !decisions.contains_key(&claimant.claim) || !is_cached {
                continue;
            }
            let free = |inner: &usize| !self.pool.events[events[*inner]].contested;
            match one.inner.filter(|_| one.sure).filter(free) {
                Some(inner) => tied.push((claimant.claim, events[inner], chance.confidence(*outer))),
                None => {
                    let could_have = |inner: &usize| contains(*outer, inners[*inner]) && fits(at, *inner);
                    let could_have: Vec<usize> = (0..inners.len()).filter(could_have).collect();
                    if !could_have.is_empty() {
                        contested.extend(could_have.into_iter().map(|inner| events[inner]));
                        decisions.entry(claimant.claim).or_default().indistinct = true;
                    }
                }
            }
        }
        for event in contested {
            self.pool.events[event].contested = true;
        }
        for (claim, event, confidence) in tied {
            let found = decisions.entry(claim).or_default();
            found.device = vec![event];
            found.cache = self.pool.events[event].disk;
            found.confidence *= confidence;
            // Each step may be likely enough by itself, and all of them together not.
            found.unsure |= confidence < CERTAIN || found.confidence < DECIDED;
        }
    }

    /// Doubts the caches of disks for whose requests a window found nothing at all.
    pub(super) fn doubt_caches(&mut self, claims: &[ClaimRef], decisions: &Decisions) {
        let mut met: BTreeMap<DiskIndex, bool> = BTreeMap::new();
        for claim in claims {
            let io = &self.pool.ios[claim.io];
            let disk = io.places.places[claim.place].disk;
            if let Some(found) = decisions
                .get(claim)
                .filter(|_| io.op.goes_to_every_copy() && io.op != Op::Flush)
            {
                // That several are possible speaks for the cache, not against it.
                *met.entry(disk).or_default() |= !found.lacks_device() || found.indistinct;
            }
        }
        for (disk, any) in met {
            if let Some(cache) = self.caches.of.get_mut(&disk) {
                cache.doubted |= !any;
            }
        }
    }
}

/// How likely an event that lies in a claim's time is not its own although no other does: the own one would have to be lost, and
/// a stranger to be in its place.
struct Chance {
    /// That an event is lost.
    lost: f64,
    /// Events that are nobody's, a nanosecond.
    strangers: f64,
}

impl Chance {
    /// From all claims and events of about `time`.
    fn new(outers: &[Interval], inners: &[Interval], time: i64) -> Self {
        let inside = |outer: &&Interval| inners.iter().any(|inner| contains(**outer, *inner));
        let empty = outers.len() - outers.iter().filter(inside).count();
        let stranger = |inner: &&Interval| !outers.iter().any(|outer| contains(*outer, **inner));
        let strangers = inners.iter().filter(stranger).count();
        let from = outers.iter().map(|outer| outer.0).min().unwrap_or(0);
        let until = outers.iter().map(|outer| outer.1).max().unwrap_or(0);
        let span = until.saturating_sub(from).max(time).max(1) as f64;
        Self {
            // Laplace's rule: what was not seen is not taken to be impossible.
            lost: (empty + 1) as f64 / (outers.len() + 2) as f64,
            strangers: (strangers + 1) as f64 / span,
        }
    }

    fn confidence(&self, outer: Interval) -> f32 {
        let width = outer.1.saturating_sub(outer.0).max(0) as f64;
        let stranger = 1.0 - (-self.strangers * width).exp();
        let wrong = self.lost * stranger;
        let right = (1.0 - self.lost) * (1.0 - stranger);
        (right / (right + wrong).max(f64::MIN_POSITIVE)) as f32
    }
}

/// Whether requests meet events of their length on a drive, and whether more often than by chance: Hoeffding's bound for a sum of
/// trials that are not equally likely.
fn meets(voters: &[Voter], choices: &[Choice]) -> (bool, bool) {
    let spans: Vec<(&Voter, StreamIndex, Interval)> = voters
        .iter()
        .filter_map(|voter| {
            let (stream, span) = voter.spans[1]?;
            Some((voter, stream, span))
        })
        .collect();
    let Some(from) = spans.iter().map(|(_, _, span)| span.0).min() else {
        return (false, false);
    };
    let until = spans.iter().map(|(_, _, span)| span.1).max().unwrap_or(from);
    let time = until.saturating_sub(from).max(1) as f64;
    let mut rates: BTreeMap<(Op, u64), f64> = BTreeMap::new();
    for choice in choices
        .iter()
        .filter(|choice| choice.start >= from && choice.end <= until)
    {
        *rates.entry((choice.op, choice.length)).or_default() += 1.0 / time;
    }
    let (mut met, mut expected) = (0.0, 0.0);
    for (voter, stream, span) in &spans {
        let rate = rates.get(&(voter.op, voter.length)).copied().unwrap_or(0.0);
        let width = span.1.saturating_sub(span.0).max(0) as f64;
        expected += 1.0 - (-rate * width).exp();
        let first = choices.partition_point(|choice| choice.start < span.0);
        let mut inside = choices[first..].iter().take_while(|choice| choice.start <= span.1);
        let hit = inside.any(|choice| {
            let same = choice.op == voter.op && choice.length == voter.length && choice.stream == *stream;
            same && choice.end <= span.1
        });
        met += f64::from(u8::from(hit));
    }
    let count = spans.len() as f64;
    let (share, chance) = (met / count, (expected / count).clamp(1e-12, 1.0));
    if share <= chance {
        return (met > 0.0, false);
    }
    let term = |p: f64, q: f64| if p <= 0.0 { 0.0 } else { p * (p / q).ln() };
    let divergence = term(share, chance) + term(1.0 - share, (1.0 - chance).max(1e-12));
    (true, (-count * divergence).exp() < CHANCE)
}
