//! What contends with I/Os that the pool decides although it belongs to later windows.
//!
//! The pool decides a key's claims together with all that completed before the cut and could have the same events, and with what
//! could have theirs, and so on. So where that goes beyond what a round looks at, it is followed as far as it leads.

use fathom_model::{Op, Tap};
use rustc_hash::{FxHashMap, FxHashSet};

use super::claim::{Claim, Kind, Toucher, claim_at, claim_of};
use super::context::Context;
use super::{At, Gathered};
use crate::engine::Engine;
use crate::engine::align::Wanted;
use crate::engine::shifts::mapped_offset;

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
pub(super) fn follow(engine: &Engine, context: &Context, mut keys: FxHashSet<Key>, window: i64) -> Vec<Vec<At>> {
    let ends = i64::MIN..engine.cut(window);
    let sides = &context.sides;
    let collect = |side: usize| engine.collect_ios(sides[side].stream, &ends, i64::MAX);
    let waiting = engine.workers.map(sides.len(), collect);
    let mut reached: FxHashSet<(usize, usize)> = FxHashSet::default();
    loop {
        let mut groups = groups(engine, context, &waiting, &keys, &reached);
        groups.values_mut().for_each(Group::spread);
        let mut more = false;
        for claim in groups
            .values()
            .flat_map(|group| &group.claims)
            .filter(|claim| claim.reached)
        {
            let Some((side, at)) = claim.io else { continue };
            more |= reached.insert((side, at));
            // Its other places may have contenders of their own.
            let io = &waiting[side].ios[at];
            for place in &waiting[side].places[io.places()] {
                more |= keys.insert((place.node.0, place.offset));
            }
        }
        if more {
            continue;
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
        return found;
    }
}

fn groups(
    engine: &Engine,
    context: &Context,
    waiting: &[Gathered],
    keys: &FxHashSet<Key>,
    reached: &FxHashSet<(usize, usize)>,
) -> FxHashMap<Key, Group> {
    let mut groups: FxHashMap<Key, Group> = keys.iter().map(|&key| (key, Group::default())).collect();
    let wanted = Wanted::of(keys.iter().map(|&(_, offset)| offset));
    for (side, gathered) in waiting.iter().enumerate() {
        for (at, io) in gathered.ios.iter().enumerate() {
            let places = gathered.places[io.places()].iter();
            for place in places.filter(|place| wanted.may_have(place.offset)) {
                if let Some(group) = groups.get_mut(&(place.node.0, place.offset)) {
                    group.claims.push(Member {
                        is: claim_of(engine, context, side, io, place, Kind::Rival),
                        io: Some((side, at)),
                        at: None,
                        reached: reached.contains(&(side, at)),
                    });
                }
            }
        }
    }
    for (_, io) in engine
        .pool
        .ios
        .iter()
        .filter(|(_, io)| matches!(io.op, Op::Write | Op::Unmap))
    {
        let Some(side) = context.side_of(io.event.stream) else {
            continue;
        };
        for place in &io.places.places {
            if let Some(group) = groups.get_mut(&(place.node.0, place.offset)) {
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
    for (side, of) in context.sides.iter().enumerate() {
        for (at, batch, row) in engine.streams[&of.stream].lane.events() {
            let offset = mapped_offset(&engine.streams[&of.stream].devices, batch, row);
            if batch.columns.taps()[row] == Tap::Volume || !wanted.may_have(offset) {
                continue;
            }
            let event = engine.toucher(of.stream, side, batch, row);
            if let Some(group) = groups.get_mut(&(event.node, event.offset)) {
                group.events.push(Member {
                    is: event,
                    io: None,
                    at: Some(at),
                    reached: false,
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
    groups
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
    /// Marks everything that is reached from what is.
    fn spread(&mut self) {
        let touching: Vec<Vec<usize>> = self
            .events
            .iter()
            .map(|event| {
                let claims = self.claims.iter().enumerate();
                claims
                    .filter(|(_, claim)| event.is.touches(&claim.is))
                    .map(|(at, _)| at)
                    .collect()
            })
            .collect();
        loop {
            let mut more = false;
            for (event, claims) in self.events.iter_mut().zip(&touching) {
                let reached = event.reached || claims.iter().any(|&claim| self.claims[claim].reached);
                if !reached {
                    continue;
                }
                more |= !std::mem::replace(&mut event.reached, true);
                for &claim in claims {
                    more |= !std::mem::replace(&mut self.claims[claim].reached, true);
                }
            }
            if !more {
                return;
            }
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
