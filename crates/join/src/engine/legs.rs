//! From what was found to rows: a leg a claim, with the reason for whatever is not there.

use fathom_model::fan_out::{Further, MoreOrdinals};
use fathom_model::{ClockStatement, IoClass, Leg, LegMethod, Missing, Observation, Op, Slowest, StreamIndex, Tap};

use super::Engine;
use super::bulk::Round;
use super::close::class_of;
use super::parity::ParityLegs;
use super::resolve::{Decisions, Found, Tie};
use crate::assign::Interval;
use crate::layout::Place;
use crate::pool::{ClaimRef, PendingIo};
use crate::slowest::lost::{self, Missing as MissingLegs};
use crate::slowest::{self, Reply};

/// An I/O with its legs, about to be written.
pub(super) struct Built {
    pub(super) io: PendingIo,
    pub(super) legs: Vec<Leg>,
    pub(super) class: IoClass,
    pub(super) legs_expected: u32,
    pub(super) slowest: Option<Slowest>,
    /// How sure it is that all its replies ended when its legs say.
    pub(super) ends_confidence: f32,
    /// Something of it was to be seen in a parity tier and was not, so that what came last may be missing.
    pub(super) lacks_parity: bool,
    /// Of each leg whether the initiator's event could be another's, and between what it ended then.
    pub(super) doubtful: Vec<Option<Option<Interval>>>,
    /// Events that are in it now.
    pub(super) used: Vec<usize>,
}

impl Engine {
    pub(super) fn build(&self, at: usize, decisions: &Decisions, parity: ParityLegs) -> Built {
        let io = self.pool.ios[at].clone();
        let nothing = Found::default();
        let mut chosen: Vec<(Place, &Found)> = io
            .places
            .places
            .iter()
            .enumerate()
            .map(|(place, &where_)| (where_, decisions.get(&ClaimRef { io: at, place }).unwrap_or(&nothing)))
            .collect();
        let mut torn = false;
        if !io.op.goes_to_every_copy() {
            torn = one_copy_a_part(&mut chosen);
        }
        let both = one_version_a_copy(&mut chosen);
        torn |= both;
        let mut legs: Vec<Leg> = chosen
            .iter()
            .map(|(place, found)| self.leg(&io, place, found, torn))
            .collect();
        let copies = if io.op.goes_to_every_copy() {
            copies_of(&chosen)
        } else {
            io.places.parts
        };
        let whole = io.places.whole && !parity.is_lacking;
        legs.extend(
            parity
                .legs
                .iter()
                .map(|(place, found)| self.leg(&io, place, found, false)),
        );
        chosen.extend(parity.legs.iter().map(|(place, found)| (*place, found)));
        let legs_expected = copies + parity.expected;
        let class = class_of(&legs, legs_expected, whole);
        let used = chosen.iter().flat_map(|(_, found)| found.events()).collect();
        Built {
            io,
            legs,
            class,
            legs_expected,
            slowest: None,
            lacks_parity: parity.is_lacking,
            ends_confidence: chosen.iter().map(|(_, found)| found.end_confidence()).product(),
            doubtful: chosen
                .iter()
                .map(|(_, found)| (found.tie == Tie::Doubtful).then_some(found.leg_end))
                .collect(),
            used,
        }
    }

    fn leg(&self, io: &PendingIo, place: &Place, found: &Found, torn: bool) -> Leg {
        let local = place.node == io.node;
        let event = |at: usize| self.pool.events[at].event;
        let seen_by = found
            .target
            .or_else(|| found.device.first().copied())
            .map(|at| event(at).stream)
            .or_else(|| found.shared.map(|shared| shared.stream));
        let far = seen_by.or_else(|| self.life_at(place.node, io.event.stream, io.event.end_unix_nanos()));
        let clock = far.and_then(|far| self.statement(io.event.stream, far, io.event.start_unix_nanos));
        let nothing = found.initiator.is_none() && found.target.is_none() && found.lacks_device();
        let unsure = (found.is_unsure() && !nothing) || torn;
        let missing = |tap: Tap, there: bool| {
            if there {
                None
            } else {
                self.missing(io, place, found, far, tap)
            }
        };
        let further_devices = found.device.iter().skip(1).chain(&found.devices_before);
        Leg {
            part: place.part,
            copy: place.copy,
            node: place.node,
            disk: place.disk,
            disk_offset: place.offset,
            length: place.length,
            local,
            initiator: found.initiator.map(event),
            target: found.target.map(event),
            device: span(found.device.iter().map(|&at| event(at))).or(found.shared),
            cache: found.cache,
            merged: found.merged(),
            more: MoreOrdinals::from(Further {
                initiator: found.attempts.iter().map(|&at| event(at).ordinal).collect(),
                target: found.targets_before.iter().map(|&at| event(at).ordinal).collect(),
                device: further_devices.map(|&at| event(at).ordinal).collect(),
            }),
            missing_initiator: missing(Tap::Initiator, found.initiator.is_some()),
            missing_target: missing(Tap::Target, found.target.is_some()),
            missing_device: missing(Tap::Device, !found.lacks_device()),
            method: match io.op {
                Op::Flush => LegMethod::Time,
                _ if found.cache.is_some() || found.of_parity => LegMethod::Time,
                _ if found.by_order => LegMethod::Order,
                _ => LegMethod::Key,
            },
            confidence: if nothing {
                0.0
            } else {
                found.confidence * if torn { 0.5 } else { 1.0 }
            },
            ambiguous: unsure,
            candidate: false,
            clock,
        }
    }

    fn statement(&self, stream: StreamIndex, far: StreamIndex, x: i64) -> Option<ClockStatement> {
        let (low, high) = self.offset(stream, far, x)?;
        Some(ClockStatement::between(low, high))
    }

    /// Why an observation is not there; `None` when none is to be expected.
    fn missing(
        &self,
        io: &PendingIo,
        place: &Place,
        found: &Found,
        far: Option<StreamIndex>,
        tap: Tap,
    ) -> Option<Missing> {
        let own = io.event.stream;
        let local = place.node == io.node;
        // A copy on the initiator's own node does not cross the bus: only its drive has to be seen.
        if local && tap != Tap::Device {
            return None;
        }
        if tap == Tap::Initiator {
            return self.gives(own, tap).then(|| {
                self.uncovered(own, (io.event.start_unix_nanos, io.event.end_unix_nanos()))
                    .unwrap_or(Missing::Absent)
            });
        }
        let Some(far) = far else {
            if self.silent.contains(&place.node) {
                return Some(Missing::Silent);
            }
            // Nobody knows which taps a node without a daemon would give; a drive it has for sure.
            return (tap == Tap::Device).then_some(Missing::NoDaemon);
        };
        if !self.gives(far, tap) {
            // A node whose stream has no far-side tap at all has not recorded its drives either.
            let blind = tap == Tap::Device && !self.gives(far, Tap::Target);
            return blind.then_some(Missing::NotCovered);
        }
        if self.silent.contains(&place.node) {
            return Some(Missing::Silent);
        }
        let outer = match found.initiator.filter(|_| found.tie != Tie::Doubtful) {
            Some(leg) => self.pool.events[leg].event,
            None => io.event,
        };
        let (start, end) = (outer.start_unix_nanos, outer.end_unix_nanos());
        // Its node was silent, and what was seen of its I/Os had been set aside when it came: so the clock may not be known either.
        let until = self.set_aside.get(&io.node);
        let late = until.is_some_and(|&until| io.event.end_unix_nanos() < until);
        let Some((low, high)) = self.span_offset(own, far, (start, end)) else {
            return Some(if late { Missing::Late } else { Missing::Unaligned });
        };
        let uncovered = self.uncovered(far, (start.saturating_add(low), end.saturating_add(high)));
        let displaced = self.shifts.is_displaced(place.disk, tap) && !self.caches.has(place.disk);
        let displaced = displaced.then_some(Missing::Displaced);
        let indistinct = (tap == Tap::Device && found.indistinct).then_some(Missing::Indistinct);
        let otherwise = if late { Missing::Late } else { Missing::Absent };
        Some(indistinct.or(uncovered).or(displaced).unwrap_or(otherwise))
    }

    /// Names the leg that each I/O of a window waited for, where that can be known; those decided in bulk become rows.
    pub(super) fn name_slowest(
        &mut self,
        stream: StreamIndex,
        window: i64,
        built: &mut [Built],
        mut round: Option<&mut Round>,
    ) {
        let mut replies = self.replies.remove(&stream).unwrap_or_default();
        let reply_of = |leg: &Leg, doubtful: Option<Option<Interval>>| match doubtful {
            None => Reply::of(leg),
            Some(between) => Reply {
                leg_end: None,
                between,
                ..Reply::of(leg)
            },
        };
        let replies_of = |one: &Built| -> Vec<Reply> {
            let legs = one.legs.iter().zip(&one.doubtful);
            legs.map(|(leg, &doubtful)| reply_of(leg, doubtful)).collect()
        };
        let ends: Vec<Vec<slowest::End>> = built
            .iter()
            .map(|one| {
                let start = one.io.event.start_unix_nanos;
                replies_of(one).iter().map(|reply| reply.end(start)).collect()
            })
            .collect();
        // First learn from the whole window, then name: the order of its I/Os must not matter.
        for one in built.iter().filter(|one| !one.lacks_parity) {
            let io = (one.io.event.start_unix_nanos, one.io.event.end_unix_nanos());
            replies.learn(io, replies_of(one));
        }
        if let Some(round) = &mut round {
            replies.merge(&round.replies((&self.workers, &self.shelves), stream));
        }
        let known = replies.known().with_resolution(self.resolution(stream, Tap::Initiator));
        let stretches = self.learn_stretches(stream, window, &known, (built, &ends), round.as_deref());
        for (one, ends) in built.iter_mut().zip(&ends).filter(|(one, _)| !one.lacks_parity) {
            let io = (one.io.event.start_unix_nanos, one.io.event.end_unix_nanos());
            one.slowest = match MissingLegs::of(io, &one.legs, ends) {
                Some(missing) => lost::name(&known, &mut one.legs, ends, &missing, &stretches),
                None => slowest::name(&known, io.1, &mut one.legs, ends),
            };
            // It is the slowest by when its legs ended: no surer than whose they are.
            if let Some(slowest) = &mut one.slowest {
                slowest.confidence *= one.ends_confidence;
            }
        }
        if let Some(round) = round {
            let fan_outs = round.fan_outs((&self.workers, &self.shelves), stream, &known);
            self.fan_outs.extend(fan_outs);
        }
        replies.age();
        self.replies.insert(stream, replies);
    }
}

/// Keeps, of the copies that a read could have gone to, those where something was seen. Returns whether more than one is
/// left of a part, so that it stays open which it was.
fn one_copy_a_part(chosen: &mut Vec<(Place, &Found)>) -> bool {
    let seen = |found: &Found| found.initiator.is_some() || found.target.is_some() || !found.lacks_device();
    let parts_with_leg: Vec<u32> = chosen
        .iter()
        .filter(|(_, found)| found.initiator.is_some())
        .map(|(place, _)| place.part)
        .collect();
    chosen.retain(|(place, found)| seen(found) && (found.initiator.is_some() || !parts_with_leg.contains(&place.part)));
    chosen.windows(2).any(|pair| pair[0].0.part == pair[1].0.part)
}

/// How many copies of parts there are; a flush has as many as it reaches disks.
fn copies_of(chosen: &[(Place, &Found)]) -> u32 {
    let key = |place: &Place| (place.part, place.copy, (place.length == 0).then_some(place.disk));
    let mut copies: Vec<_> = chosen.iter().map(|(place, _)| key(place)).collect();
    copies.sort_unstable();
    copies.dedup();
    copies.len() as u32
}

/// Of the places of a copy that the extent map had before and after a change keeps those where something was seen; where nothing
/// was, the first. Returns whether more than one is left, so that it stays open which it was.
fn one_version_a_copy(chosen: &mut Vec<(Place, &Found)>) -> bool {
    if chosen.iter().all(|(place, _)| !place.alternative) {
        return false;
    }
    let seen = |found: &Found| {
        let device = usize::from(!found.lacks_device());
        usize::from(found.initiator.is_some()) + usize::from(found.target.is_some()) + device
    };
    let same = |a: &Place, b: &Place| (a.part, a.copy) == (b.part, b.copy) && a.length > 0;
    let all = chosen.clone();
    let mut at = 0;
    chosen.retain(|(place, found)| {
        at += 1;
        let others = || {
            let others = all
                .iter()
                .enumerate()
                .filter(|(other, (one, _))| *other != at - 1 && same(one, place));
            others.map(|(other, (_, found))| (other, seen(found)))
        };
        // A disk that a flush may have had no reason to reach is only looked at where it did.
        let flush = place.length == 0;
        let most = others().map(|(_, seen)| seen).max().unwrap_or(0);
        let first = others().all(|(other, _)| other > at - 1);
        let own = seen(found);
        !place.alternative || own > 0 && own >= most || own == 0 && most == 0 && first && !flush
    });
    chosen.windows(2).any(|pair| same(&pair[0].0, &pair[1].0))
}

/// One observation from the pieces of a request: the first's identity, from the first start to the last end.
fn span(pieces: impl Iterator<Item = Observation>) -> Option<Observation> {
    pieces.reduce(|mut all, piece| {
        let end = all.end_unix_nanos().max(piece.end_unix_nanos());
        all.start_unix_nanos = all.start_unix_nanos.min(piece.start_unix_nanos);
        all.duration_nanos = u64::try_from(end.saturating_sub(all.start_unix_nanos)).unwrap_or(0);
        all.status = all.status.max(piece.status);
        all
    })
}
