//! Which events belong to which claims: all I/Os and events with one key are decided together.

use fathom_model::{DiskIndex, Observation, Op, StreamIndex, Tap};
use rustc_hash::FxHashMap;

use super::Engine;
use super::likely::Likely;
use crate::assign::{Assigned, Interval, assign, within};
use crate::layout::Place;
use crate::pool::{ClaimRef, LegEvent, Pool};

mod legs;

/// What was found for one claim.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) initiator: Option<usize>,
    pub(super) target: Option<usize>,
    /// One, or the pieces of a split request.
    pub(super) device: Vec<usize>,
    /// Failed attempts before the one in `initiator`.
    pub(super) attempts: Vec<usize>,
    /// Requests at the target before the one in `target`.
    pub(super) targets_before: Vec<usize>,
    /// Requests at the drive that earlier attempts made.
    pub(super) devices_before: Vec<usize>,
    pub(super) unsure: bool,
    /// Product of the confidences of the steps.
    pub(super) confidence: f32,
    /// Of these what `initiator` rests on; `None` where it could be no other.
    pub(super) leg_confidence: Option<f32>,
    pub(super) by_order: bool,
    /// How sure it is that `initiator` is the leg; of a leg with an offset `unsure` says that too.
    pub(super) tie: Tie,
    /// Of a doubtful leg when it ended, first and last, where all that it may be are known.
    pub(super) leg_end: Option<Interval>,
    /// Another assignment was possible, and this one is likely enough to be decided: not sure enough to learn clocks from.
    pub(super) by_likelihood: bool,
    /// The event in `device` covers other legs too.
    pub(super) merged: bool,
    /// An event at the drive that counts at another leg.
    pub(super) shared: Option<Observation>,
    /// The drive whose event `device` is, where it is not the place's own.
    pub(super) cache: Option<DiskIndex>,
    /// Several events of a cache could be its own.
    pub(super) indistinct: bool,
    /// It is of a parity tier, and tied by time.
    pub(super) of_parity: bool,
}

/// What the tie of a leg rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tie {
    /// The key, or where its device gives no offset: the initiator's own clock or an IRP leaves no other.
    #[default]
    Own,
    /// What is known of the far side's clock leaves no other. What rests on a clock's bounds must not narrow them.
    Bounds,
    /// Another leg could be it too.
    Doubtful,
}

impl Found {
    /// All events that it has.
    pub(super) fn events(&self) -> impl Iterator<Item = usize> + '_ {
        let one = self.initiator.iter().chain(&self.target);
        let before = self
            .attempts
            .iter()
            .chain(&self.targets_before)
            .chain(&self.devices_before);
        one.chain(&self.device).chain(before).copied()
    }

    /// What it has at a drive, by its failed attempts too.
    pub(super) fn at_drive(&self) -> impl Iterator<Item = usize> + '_ {
        self.device.iter().chain(&self.devices_before).copied()
    }

    /// Whether nothing was found at a drive.
    pub(super) const fn lacks_device(&self) -> bool {
        self.device.is_empty() && self.shared.is_none()
    }

    /// How sure it is that the reply's end is the copy's own: the leg's where there is one, else that of what the far side shows. Of a
    /// doubtful leg without an offset it is known between what it ended.
    pub(super) fn end_confidence(&self) -> f32 {
        let nothing = self.target.is_none() && self.lacks_device();
        match self.initiator {
            _ if self.tie == Tie::Doubtful => 1.0,
            Some(_) => self.leg_confidence.unwrap_or(1.0),
            None if nothing => 1.0,
            None => self.confidence,
        }
    }

    /// Whether another assignment was possible for anything that was found.
    pub(super) fn is_unsure(&self) -> bool {
        self.unsure || self.tie == Tie::Doubtful
    }
}

/// Legs without an offset that are known to be a claim's before anything else is.
pub(super) type Ties = FxHashMap<ClaimRef, usize>;

/// What is at least this likely counts as decided.
pub(super) const DECIDED: f32 = 0.99;

pub(super) type Decisions = FxHashMap<ClaimRef, Found>;

/// Which claimants could have the same events, directly or through others.
pub(super) struct Links {
    parent: Vec<usize>,
}

impl Links {
    pub(super) fn new(claimants: usize) -> Self {
        Self {
            parent: (0..claimants).collect(),
        }
    }

    pub(super) fn root(&mut self, mut at: usize) -> usize {
        while self.parent[at] != at {
            self.parent[at] = self.parent[self.parent[at]];
            at = self.parent[at];
        }
        at
    }

    pub(super) fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b)] = a.min(b);
    }
}

/// An event that a claimant which is not sure of its own could have had.
struct Contested {
    by: usize,
    event: usize,
}

/// What is known of a place before anything is changed.
pub(super) struct Considered {
    pub(super) claimants: Vec<Claimant>,
    links: Links,
    contested: Vec<Contested>,
    /// I/Os of the window that have what could as well be somebody's whose clock is not known.
    doubtful: Vec<usize>,
}

/// What deciding a place leaves.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    /// Whether something of the closing window is not decided.
    pub(super) is_open: bool,
    /// Events that such a claim could have had, and I/Os of later windows that could have an event of one.
    events: Vec<usize>,
    ios: Vec<usize>,
}

/// A claim on its way through the taps.
pub(super) struct Claimant {
    /// Its number among those that are decided together.
    pub(super) number: usize,
    pub(super) claim: ClaimRef,
    pub(super) place: Place,
    pub(super) stream: StreamIndex,
    /// Tightest known interval on the initiator's clock, and the tap that it comes from.
    pub(super) outer: Interval,
    pub(super) outer_tap: Tap,
    pub(super) found: Found,
}

impl Engine {
    /// Decides all claims on the place of `claim` that an I/O completed before the cut makes; those of other windows
    /// than the closing one take part as rivals.
    ///
    /// Without `likely` only what no other assignment is possible for is decided.
    pub(super) fn resolve(
        &self,
        claim: ClaimRef,
        window: i64,
        ties: &Ties,
        decisions: &mut Decisions,
        likely: Option<&Likely>,
    ) -> Resolved {
        let closing = self.pool.ios[claim.io].event.stream;
        let Considered {
            claimants,
            mut links,
            contested,
            doubtful,
        } = self.consider(claim, window, ties, likely);
        let mut resolved = Resolved {
            ios: doubtful,
            ..Resolved::default()
        };
        // What rivals of later windows are unsure of among themselves is decided when theirs close.
        let mut concerned = vec![false; claimants.len()];
        let this_window = |pool: &Pool, claimant: &Claimant| {
            let io = &pool.ios[claimant.claim.io].event;
            io.stream == closing && io.end_unix_nanos().div_euclid(self.config.window_nanos) == window
        };
        for claimant in claimants.iter().filter(|claimant| this_window(&self.pool, claimant)) {
            concerned[links.root(claimant.number)] |= likely.is_none() || claimant.found.unsure;
            resolved.is_open |= claimant.found.unsure;
        }
        for Contested { by, event } in contested {
            if concerned[links.root(by)] {
                resolved.events.push(event);
            }
        }
        for claimant in claimants {
            if this_window(&self.pool, &claimant) {
                decisions.insert(claimant.claim, claimant.found);
            } else if claimant.found.unsure && concerned[links.root(claimant.number)] {
                resolved.ios.push(claimant.claim.io);
            }
        }
        resolved
    }

    /// Notes for later windows what a place leaves contested.
    pub(super) fn contest(&mut self, resolved: &Resolved) {
        for &event in &resolved.events {
            self.pool.events[event].contested = true;
        }
        for &io in &resolved.ios {
            self.pool.ios[io].contested = true;
        }
    }

    /// All claims on the place of `claim`, with what each of them has for all that completed before the window's cut. Changes nothing.
    pub(super) fn consider(&self, claim: ClaimRef, window: i64, ties: &Ties, likely: Option<&Likely>) -> Considered {
        let cut = self.cut(window);
        let io = &self.pool.ios[claim.io];
        let (op, place) = (io.op, io.places.places[claim.place]);
        let closing = io.event.stream;
        let mut claimants = self.claimants(op, &place, cut);
        let mut links = Links::new(claimants.len());
        let mut contested = self.match_legs(op, &mut claimants, cut, ties, (&mut links, likely));
        let mut doubtful = Vec::new();
        // Legs may be shared between disks, what the disks say is not.
        claimants.sort_by_key(|claimant| claimant.place.disk);
        for of_disk in claimants.chunk_by_mut(|a, b| a.place.disk == b.place.disk) {
            let place = of_disk[0].place;
            for far in self.far_streams(op, &place, closing, cut) {
                let far_cut = self.far_cut(closing, far, cut);
                for tap in [Tap::Target, Tap::Device] {
                    contested.extend(self.match_far(op, far, tap, far_cut, of_disk, (&mut links, likely)));
                }
                doubtful.extend(self.doubt(of_disk, far, window));
            }
        }
        // Where it is known how likely what is, only those are linked who could well have the same events.
        if likely.is_some() {
            links = Links::new(claimants.len());
            let mut first: FxHashMap<usize, usize> = FxHashMap::default();
            for Contested { by, event } in &contested {
                links.join(*by, *first.entry(*event).or_insert(*by));
            }
        }
        Considered {
            claimants,
            links,
            contested,
            doubtful,
        }
    }

    /// Who claims a place, in an order that depends on the I/Os alone. While there are legs of which only the node is known
    /// that they lead to, also who claims the same offset on another disk of that node: they could have the same legs.
    pub(super) fn claimants(&self, op: Op, place: &Place, cut: i64) -> Vec<Claimant> {
        let others = self.layout.disks_of(place.node).iter();
        let others = others.filter(|&&disk| disk != place.disk && self.pool.has_vague_legs());
        let places = std::iter::once(*place).chain(others.map(|&disk| Place { disk, ..*place }));
        let mut claimants: Vec<Claimant> = places
            .flat_map(|place| self.pool.claims(op, &place))
            .filter_map(|claim| {
                let io = &self.pool.ios[claim.io];
                let (start, end) = (io.event.start_unix_nanos, io.event.end_unix_nanos());
                // Legs that ended longer ago than the longest I/O time are not looked for.
                let start = start.max(end.saturating_sub(self.config.longest_io_nanos));
                (end < cut).then(|| Claimant {
                    number: 0,
                    claim,
                    place: io.places.places[claim.place],
                    stream: io.event.stream,
                    outer: (start, end),
                    outer_tap: Tap::Volume,
                    found: Found {
                        confidence: 1.0,
                        unsure: io.contested,
                        ..Found::default()
                    },
                })
            })
            .collect();
        if claimants.len() > 1 {
            claimants.sort_by_key(|claimant| {
                let io = &self.pool.ios[claimant.claim.io];
                (
                    self.catalog.stream(claimant.stream),
                    io.event.end_unix_nanos(),
                    io.event.ordinal,
                    claimant.claim.place,
                )
            });
        }
        (0..)
            .zip(&mut claimants)
            .for_each(|(number, claimant)| claimant.number = number);
        claimants
    }

    /// Whether an event can be a claim's for all that its device says: its disk, and the copy that its path is made for.
    pub(super) fn may_have(&self, claimant: &Claimant, event: usize) -> bool {
        let event = &self.pool.events[event];
        let copy = (self.pool.ios[claimant.claim.io].volume, claimant.place.copy);
        event.disk.is_none_or(|disk| disk == claimant.place.disk) && event.copy.is_none_or(|other| other == copy)
    }

    /// Ties events of the far side to claims on one disk. Returns the events that stay contested.
    fn match_far(
        &self,
        op: Op,
        far: StreamIndex,
        tap: Tap,
        far_cut: i64,
        claimants: &mut [Claimant],
        (links, likely): (&mut Links, Option<&Likely>),
    ) -> Vec<Contested> {
        if !self.gives(far, tap) {
            return Vec::new();
        }
        let Some(place) = claimants.first().map(|claimant| claimant.place) else {
            return Vec::new();
        };
        let events = self.far_events(op, &place, (far, tap), far_cut);
        let mut widened = Vec::with_capacity(claimants.len());
        for claimant in claimants.iter_mut() {
            let already = match tap {
                Tap::Target => claimant.found.target.is_some(),
                _ => !claimant.found.device.is_empty(),
            };
            let outer = if already {
                None
            } else {
                self.far_interval(claimant, far, tap)
            };
            // An interval that holds nothing stands for a claim that takes no part.
            widened.push(outer.unwrap_or((i64::MAX, i64::MIN)));
        }
        let attempts = self.attempts_at(claimants, far, tap);
        if attempts.is_empty() {
            return self.settle(claimants, &events, &widened, tap, (links, likely));
        }
        let (events, mine) = self.without_attempts(claimants, &events, (&widened, &attempts));
        for (owner, event) in mine {
            let found = &mut claimants[owner].found;
            match tap {
                Tap::Target => found.targets_before.push(event),
                _ => found.devices_before.push(event),
            }
        }
        self.settle(claimants, &events, &widened, tap, (links, likely))
    }

    /// The events of a place at a tap of a far stream.
    pub(super) fn far_events(&self, op: Op, place: &Place, (far, tap): (StreamIndex, Tap), far_cut: i64) -> Vec<usize> {
        let events = self.pool.far(op, place.disk, place.offset).filter(|&at| {
            let event = &self.pool.events[at];
            let same = event.tap == tap && event.event.stream == far && event.length == place.length;
            same && event.event.end_unix_nanos() < far_cut
        });
        self.in_order(events)
    }

    /// Where on the far clock an event of a claim must lie.
    pub(super) fn far_interval(&self, claimant: &Claimant, far: StreamIndex, tap: Tap) -> Option<Interval> {
        if tap == Tap::Device
            && let Some(at) = claimant.found.target
            && self.pool.events[at].event.stream == far
        {
            let slack = self.resolution(far, Tap::Target) + self.resolution(far, Tap::Device);
            return Some(widen(interval(&self.pool.events[at]), slack));
        }
        let slack = self.resolution(claimant.stream, claimant.outer_tap) + self.resolution(far, tap);
        let (start, end) = widen(claimant.outer, slack);
        let (low, high) = self.span_offset(claimant.stream, far, claimant.outer)?;
        Some((start.saturating_add(low), end.saturating_add(high)))
    }

    /// Assigns events to claimants and notes what was found; returns the events that an unsure claim could have had.
    fn settle(
        &self,
        claimants: &mut [Claimant],
        events: &[usize],
        widened: &[Interval],
        tap: Tap,
        (links, likely): (&mut Links, Option<&Likely>),
    ) -> Vec<Contested> {
        if events.is_empty() {
            return Vec::new();
        }
        let inners: Vec<Interval> = events.iter().map(|&at| interval(&self.pool.events[at])).collect();
        let fits = |claimant: usize, event: usize| self.may_have(&claimants[claimant], events[event]);
        let linked = |one: usize, other: usize| links.join(claimants[one].number, claimants[other].number);
        let mut assigned: Vec<Assigned> = assign(widened, &inners, fits, linked);
        let refined =
            likely.map(|likely| self.refine(likely, claimants, events, (&inners, widened), tap, &mut assigned));
        let mut contested = Vec::new();
        for (at, one) in assigned.into_iter().enumerate() {
            let event = one.inner.map(|inner| events[inner]);
            let was_contested = event.is_some_and(|event| self.pool.events[event].contested);
            let decided = one.sure || one.confidence >= DECIDED;
            if !decided || was_contested {
                let by = claimants[at].number;
                let could_have = match (refined.as_ref().and_then(|refined| refined.get(&at)), &refined) {
                    (Some(probable), _) => probable.clone(),
                    // It has nothing to do with the window that closes.
                    (None, Some(_)) if !one.sure => Vec::new(),
                    _ => {
                        let inside = within(&inners, widened[at]).map(|inner| events[inner]);
                        inside.filter(|&event| self.may_have(&claimants[at], event)).collect()
                    }
                };
                contested.extend(could_have.into_iter().map(|event| Contested { by, event }));
                claimants[at].found.unsure = true;
            }
            let found = &mut claimants[at].found;
            let Some(event) = event else { continue };
            found.by_order |= !one.sure;
            found.by_likelihood |= !one.sure;
            found.confidence *= if decided && was_contested { 0.5 } else { one.confidence };
            // Several steps, each likely enough by itself, may not be so together.
            found.unsure |= found.confidence < DECIDED;
            match tap {
                Tap::Initiator => {
                    found.initiator = Some(event);
                    found.leg_confidence = (found.confidence < 1.0).then_some(found.confidence);
                }
                Tap::Target => found.target = Some(event),
                _ => found.device.push(event),
            }
        }
        contested
    }

    fn in_order(&self, events: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut events: Vec<usize> = events.collect();
        if events.len() > 1 {
            events.sort_by_key(|&at| {
                let event = &self.pool.events[at].event;
                (event.start_unix_nanos, event.end_unix_nanos(), event.ordinal)
            });
        }
        events
    }
}

pub(super) fn interval(event: &LegEvent) -> Interval {
    (event.event.start_unix_nanos, event.event.end_unix_nanos())
}

pub(super) const fn contains(outer: Interval, inner: Interval) -> bool {
    outer.0 <= inner.0 && inner.1 <= outer.1
}

/// Recorded times may be off by the resolution: a start by one step, an end (start and duration both rounded) by two.
pub(super) const fn widen(outer: Interval, slack: i64) -> Interval {
    (outer.0.saturating_sub(slack), outer.1.saturating_add(2 * slack))
}
