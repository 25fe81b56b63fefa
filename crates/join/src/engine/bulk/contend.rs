//! What contends with I/Os that the pool decides although it belongs to later windows.
//!
//! The pool decides a key's claims together with all that completed before the cut and could have the same events, and with what
//! could have theirs, and so on. So where that goes beyond what a round looks at, it is followed as far as it leads.

use fathom_model::{Op, Tap};
use rustc_hash::{FxHashMap, FxHashSet};

use super::claim::{Claim, Kind, Toucher, claim_at, claim_of};
use super::context::Context;
use super::{At, Gathered};
use crate::assign::Interval;
use crate::engine::Engine;
use crate::engine::align::Wanted;
use crate::engine::resolve::Links;
use crate::overlaps::join_touching;

pub(super) type Key = (u32, u64);

/// Everything with one key.
#[derive(Debug, Default)]
struct Group {
    claims: Vec<Member<Claim>>,
    events: Vec<Member<Toucher>>,
}

#[derive(Debug)]
struct Member<T> {
    is: T,
    /// The I/O that it is of, by side and place in what was gathered; `None` for one of the pool.
    io: Option<(usize, usize)>,
    /// Itself, an event of a lane.
    at: Option<At>,
    reached: bool,
}

/// Follows contention from `keys`; gives the I/Os and events of lanes that it leads to from what the pool has.
pub(super) fn follow(engine: &Engine, context: &Context, keys: FxHashSet<Key>, window: i64) -> Vec<Vec<At>> {
    let ends = i64::MIN..engine.cut(window);
    let sides = &context.sides;
    let collect = |side: usize| engine.collect_ios(sides[side].stream, &ends, i64::MAX);
    let waiting = engine.workers.map(sides.len(), collect);
    let mut reached: FxHashSet<(usize, usize)> = FxHashSet::default();
    let mut groups: FxHashMap<Key, Group> = FxHashMap::default();
    let mut new = keys;
    loop {
        if !new.is_empty() {
            add_groups(engine, context, &waiting, &new, &mut groups);
            new.clear();
        }
        for claim in groups.values_mut().flat_map(|group| &mut group.claims) {
            claim.reached |= claim.io.is_some_and(|io| reached.contains(&io));
        }
        groups.values_mut().for_each(Group::spread);
        let claims = groups.values().flat_map(|group| &group.claims);
        let mut more = false;
        for (side, at) in claims.filter(|claim| claim.reached).filter_map(|claim| claim.io) {
            if !reached.insert((side, at)) {
                continue;
            }
            more = true;
            // Its other places may have contenders of their own.
            let places = waiting[side].places[waiting[side].ios[at].places()].iter();
            let keys = places.map(|place| (place.node.0, place.offset));
            new.extend(keys.filter(|key| !groups.contains_key(key)));
        }
        if !more {
            break;
        }
    }
    let mut found: Vec<Vec<At>> = vec![Vec::new(); sides.len()];
    reached
        .iter()
        .for_each(|&(side, at)| found[side].push(waiting[side].ios[at].at));
    for event in groups.values().flat_map(|group| &group.events) {
        if event.reached {
            found[usize::from(event.is.side)].extend(event.at);
        }
    }
    waiting.into_iter().for_each(|waiting| engine.shelve_gathered(waiting));
    found
}

/// Adds everything with some keys of which nothing is there yet.
fn add_groups(
    engine: &Engine,
    context: &Context,
    waiting: &[Gathered],
    keys: &FxHashSet<Key>,
    groups: &mut FxHashMap<Key, Group>,
) {
    groups.extend(keys.iter().map(|&key| (key, Group::default())));
    let wanted = Wanted::of(keys.iter().map(|&(_, offset)| offset));
    let of_sides = engine.workers.map(waiting.len(), |side| {
        let claims = claims_of(engine, context, side, &waiting[side], (keys, &wanted));
        (claims, events_of(engine, context, side, (keys, &wanted)))
    });
    for (claims, events) in of_sides {
        for claim in claims {
            if let Some(group) = groups.get_mut(&(claim.is.node, claim.is.offset)) {
                group.claims.push(claim);
            }
        }
        for event in events {
            if let Some(group) = groups.get_mut(&(event.is.node, event.is.offset)) {
                group.events.push(event);
            }
        }
    }
    let pooled = engine.pool.ios.iter().map(|(_, io)| io);
    for io in pooled.filter(|io| matches!(io.op, Op::Write | Op::Unmap)) {
        let Some(side) = context.side_of(io.event.stream) else {
            continue;
        };
        for place in &io.places.places {
            let key = (place.node.0, place.offset);
            if let Some(group) = groups.get_mut(&key).filter(|_| keys.contains(&key)) {
                let (start, end) = (io.event.start_unix_nanos, io.event.end_unix_nanos());
                group.claims.push(Member {
                    is: claim_at(engine, context, side, (start, end), place, Kind::Pooled),
                    io: None,
                    at: None,
                    reached: true,
                });
            }
        }
    }
    for event in pooled_events(engine, context, keys) {
        if let Some(group) = groups.get_mut(&(event.node, event.offset)) {
            group.events.push(Member {
                is: event,
                io: None,
                at: None,
                reached: true,
            });
        }
    }
}

/// The claims of a side's I/Os that wait on places with some keys.
fn claims_of(
    engine: &Engine,
    context: &Context,
    side: usize,
    gathered: &Gathered,
    (keys, wanted): (&FxHashSet<Key>, &Wanted),
) -> Vec<Member<Claim>> {
    let mut claims = Vec::new();
    for (at, io) in gathered.ios.iter().enumerate() {
        let places = gathered.places[io.places()].iter();
        let places = places.filter(|place| wanted.may_have(place.offset));
        for place in places.filter(|place| keys.contains(&(place.node.0, place.offset))) {
            claims.push(Member {
                is: claim_of(engine, context, side, io, place, Kind::Rival),
                io: Some((side, at)),
                at: None,
                reached: false,
            });
        }
    }
    claims
}

/// The events of a side that wait with some keys.
fn events_of(
    engine: &Engine,
    context: &Context,
    side: usize,
    (keys, wanted): (&FxHashSet<Key>, &Wanted),
) -> Vec<Member<Toucher>> {
    let mut events = Vec::new();
    let stream = context.sides[side].stream;
    let state = &engine.streams[&stream];
    let shifts: Vec<i64> = state.devices.iter().map(|device| device.shift).collect();
    for (number, batch) in state.lane.batches() {
        let may_be = |row: usize| {
            let shift = shifts.get(batch.columns.devices()[row] as usize);
            wanted.may_have(batch.columns.offsets()[row].wrapping_sub_signed(shift.copied().unwrap_or(0)))
        };
        batch.for_each_wanted(i64::MIN, i64::MAX, may_be, |row| {
            if batch.columns.taps()[row] == Tap::Volume {
                return;
            }
            let event = engine.toucher(stream, side, batch, row);
            if keys.contains(&(event.node, event.offset)) {
                events.push(Member {
                    is: event,
                    io: None,
                    at: Some(At {
                        batch: number,
                        row: row as u32,
                    }),
                    reached: false,
                });
            }
        });
    }
    events
}

/// The events of the pool with some keys.
fn pooled_events<'a>(
    engine: &'a Engine,
    context: &'a Context,
    keys: &'a FxHashSet<Key>,
) -> impl Iterator<Item = Toucher> + 'a {
    engine.pool.events.iter().filter_map(move |(_, event)| {
        let node = match event.tap {
            Tap::Initiator => event.peer?.0,
            _ => engine.layout.node_of(event.disk?)?.0,
        };
        if !keys.contains(&(node, event.offset)) {
            return None;
        }
        Some(Toucher {
            offset: event.offset,
            start: event.event.start_unix_nanos,
            end: event.event.end_unix_nanos(),
            node,
            side: context.side_of(event.event.stream)? as u16,
            tap: event.tap,
        })
    })
}

impl Group {
    /// Joins claims, whose events must lie in these stretches, with some of the events.
    fn join(
        &self,
        sets: &mut Links,
        (claims, spans): (&[usize], &[Interval]),
        some: impl Fn(&Member<Toucher>) -> bool,
    ) {
        let events = self
            .events
            .iter()
            .zip(self.claims.len()..)
            .filter(|(event, _)| some(event));
        let (events, times): (Vec<usize>, Vec<Interval>) = events
            .map(|(event, number)| (number, (event.is.start, event.is.end)))
            .unzip();
        join_touching(spans, &times, |claim, event| sets.join(claims[claim], events[event]));
    }

    /// Marks everything that is reached from what is.
    fn spread(&mut self) {
        // Who touches the same event is one set; a set is reached with any of its members.
        let mut sets = Links::new(self.claims.len() + self.events.len());
        let is_leg = |event: &&Member<Toucher>| event.is.tap == Tap::Initiator;
        let far: Vec<Interval> = self.claims.iter().map(|claim| claim.is.far).collect();
        let claims: Vec<usize> = (0..far.len()).collect();
        self.join(&mut sets, (&claims, &far), |event| !is_leg(&event));
        // A leg is of its own initiator's claims.
        let mut sides: Vec<u16> = self.events.iter().filter(is_leg).map(|event| event.is.side).collect();
        sides.sort_unstable();
        sides.dedup();
        for side in sides {
            let own = self
                .claims
                .iter()
                .enumerate()
                .filter(|(_, claim)| claim.is.side == side);
            let (claims, own): (Vec<usize>, Vec<Interval>) = own.map(|(at, claim)| (at, claim.is.own())).unzip();
            self.join(&mut sets, (&claims, &own), |event| {
                is_leg(&event) && event.is.side == side
            });
        }
        let mut reached = vec![false; self.claims.len() + self.events.len()];
        let claims = self.claims.iter().map(|claim| claim.reached);
        let events = self.events.iter().map(|event| event.reached);
        for (number, is_reached) in claims.chain(events).enumerate() {
            if is_reached {
                reached[sets.root(number)] = true;
            }
        }
        for (number, claim) in self.claims.iter_mut().enumerate() {
            claim.reached |= reached[sets.root(number)];
        }
        for (event, number) in self.events.iter_mut().zip(self.claims.len()..) {
            event.reached |= reached[sets.root(number)];
        }
    }
}

/// Keys of I/Os in the pool that complete after a window: what contends with them may have come since they went there.
pub(super) fn keys_of_later(engine: &Engine, window_end: i64) -> impl Iterator<Item = Key> + '_ {
    let later = engine
        .pool
        .ios
        .iter()
        .filter(move |(_, io)| io.event.end_unix_nanos() >= window_end && matches!(io.op, Op::Write | Op::Unmap));
    later.flat_map(|(_, io)| io.places.places.iter().map(|place| (place.node.0, place.offset)))
}
