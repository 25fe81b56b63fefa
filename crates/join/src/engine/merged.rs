//! Requests that a drive made one of several: no event has their length, but one covers them and others without a gap.
//!
//! The event is a leg's of each of the requests. Its ordinal counts at the first leg that was decided ([`Merged::First`]); the others
//! refer to it ([`Merged::Further`]), so that it is in one place only.

use std::collections::BTreeMap;

use fathom_model::{Catalog, DiskIndex, Merged, Observation, Op, StreamId, StreamIndex, Tap};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use super::Engine;
use super::resolve::{Decisions, Found, contains, interval};
use crate::layout::Place;
use crate::pool::ClaimRef;

/// Events that were decided with their first leg, for the legs that are decided later.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedEvents {
    /// By stream and ordinal of the I/O, and the number of its place.
    of: BTreeMap<(StreamIndex, u64, usize), Shared>,
}

#[derive(Clone, Copy, Debug)]
struct Shared {
    event: Observation,
    unsure: bool,
    /// When the I/O completed.
    end: i64,
}

/// What is kept of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedState {
    /// The stream of the I/O.
    pub initiator: StreamId,
    /// The I/O.
    pub ordinal: u64,
    /// Which of its places.
    pub place: usize,
    /// When it completed.
    pub end_unix_nanos: i64,
    /// The stream of the event.
    pub far: StreamId,
    /// The event's ordinal.
    pub far_ordinal: u64,
    /// Its start on its node's clock.
    pub start_unix_nanos: i64,
    /// From start to completion.
    pub duration_nanos: u64,
    /// 0 for success.
    pub status: u32,
    /// Whether another assignment was possible.
    pub unsure: bool,
}

impl SharedEvents {
    pub(super) fn state(&self, catalog: &Catalog) -> Vec<SharedState> {
        let kept = self.of.iter().map(|(&(stream, ordinal, place), shared)| SharedState {
            initiator: catalog.stream(stream).clone(),
            ordinal,
            place,
            end_unix_nanos: shared.end,
            far: catalog.stream(shared.event.stream).clone(),
            far_ordinal: shared.event.ordinal,
            start_unix_nanos: shared.event.start_unix_nanos,
            duration_nanos: shared.event.duration_nanos,
            status: shared.event.status,
            unsure: shared.unsure,
        });
        let mut kept: Vec<SharedState> = kept.collect();
        kept.sort_by(|a, b| (&a.initiator, a.ordinal, a.place).cmp(&(&b.initiator, b.ordinal, b.place)));
        kept
    }

    pub(super) fn restore(catalog: &mut Catalog, kept: Vec<SharedState>) -> Self {
        let of = kept.into_iter().map(|kept| {
            let shared = Shared {
                event: Observation {
                    stream: catalog.intern_stream(&kept.far),
                    ordinal: kept.far_ordinal,
                    start_unix_nanos: kept.start_unix_nanos,
                    duration_nanos: kept.duration_nanos,
                    status: kept.status,
                },
                unsure: kept.unsure,
                end: kept.end_unix_nanos,
            };
            (
                (catalog.intern_stream(&kept.initiator), kept.ordinal, kept.place),
                shared,
            )
        });
        Self { of: of.collect() }
    }

    /// Forgets those of I/Os that completed before `end`: their windows have closed.
    pub(super) fn forget(&mut self, end: impl Fn(StreamIndex) -> i64) {
        self.of.retain(|(stream, ..), shared| shared.end >= end(*stream));
    }
}

/// Drives' events of a disk in the order of their offsets, and the length of the longest.
#[derive(Default)]
struct Long {
    events: Vec<(u64, u64, usize)>,
    longest: u64,
}

impl Engine {
    /// Looks for requests that were made one with those of claims that have no event of their own.
    pub(super) fn find_merged(&mut self, decisions: &mut Decisions, order: &[ClaimRef], closing: (StreamIndex, i64)) {
        let lacking: Vec<ClaimRef> = order
            .iter()
            .copied()
            .filter(|claim| {
                let moves = matches!(self.pool.ios[claim.io].op, Op::Read | Op::Write | Op::Unmap);
                moves && decisions.get(claim).is_some_and(Found::lacks_device)
            })
            .collect();
        if lacking.is_empty() {
            return;
        }
        for claim in &lacking {
            let event = &self.pool.ios[claim.io].event;
            let told = self.shared.of.remove(&(event.stream, event.ordinal, claim.place));
            if let (Some(told), Some(found)) = (told, decisions.get_mut(claim)) {
                found.shared = Some(told.event);
                found.unsure |= told.unsure;
            }
        }
        let mut used: FxHashSet<usize> = decisions.values().flat_map(Found::at_drive).collect();
        let long = self.long_events(&lacking, &used);
        for claim in lacking {
            if decisions.get(&claim).is_some_and(Found::lacks_device)
                && let Some((event, members)) = self.merged_row(claim, decisions, &long, &used, closing)
            {
                used.insert(event);
                self.share(event, claim, &members, decisions);
            }
        }
    }

    /// The drives' events on the disks of some claims, as far as they are longer than one of them.
    fn long_events(&self, claims: &[ClaimRef], used: &FxHashSet<usize>) -> FxHashMap<DiskIndex, Long> {
        let mut long: FxHashMap<DiskIndex, Long> = FxHashMap::default();
        let mut shortest: FxHashMap<DiskIndex, u64> = FxHashMap::default();
        for claim in claims {
            let place = &self.pool.ios[claim.io].places.places[claim.place];
            long.entry(place.disk).or_default();
            let length = shortest.entry(place.disk).or_insert(u64::MAX);
            *length = (*length).min(place.length);
        }
        for (at, event) in &self.pool.events {
            let free = event.tap == Tap::Device && event.op != Op::Flush && !event.contested && !used.contains(&at);
            // Of a place that is written again and again there are many that are as long as each of its claims.
            let covers = |disk: &DiskIndex| shortest.get(disk).is_some_and(|&length| event.length > length);
            let disk = event.disk.filter(|_| free).filter(covers);
            if let Some(of_disk) = disk.and_then(|disk| long.get_mut(&disk)) {
                of_disk.events.push((event.offset, event.length, at));
                of_disk.longest = of_disk.longest.max(event.length);
            }
        }
        long.values_mut().for_each(|of_disk| of_disk.events.sort_unstable());
        long
    }

    /// The one event that covers a claim together with others, and all that it covers.
    fn merged_row(
        &self,
        claim: ClaimRef,
        decisions: &Decisions,
        long: &FxHashMap<DiskIndex, Long>,
        used: &FxHashSet<usize>,
        closing: (StreamIndex, i64),
    ) -> Option<(usize, Vec<ClaimRef>)> {
        let place = self.pool.ios[claim.io].places.places[claim.place];
        let of_disk = long.get(&place.disk)?;
        let first = place.offset.saturating_sub(of_disk.longest);
        let from = of_disk.events.partition_point(|&(offset, ..)| offset < first);
        let end = place.offset.checked_add(place.length)?;
        let near = of_disk.events[from..]
            .iter()
            .take_while(|&&(offset, ..)| offset <= place.offset);
        let mut rows = near.filter_map(|&(offset, length, at)| {
            let covers = length > place.length && offset.checked_add(length)? >= end && !used.contains(&at);
            let members = covers
                .then(|| self.members(at, &place, decisions, used, closing))
                .flatten()?;
            members.contains(&claim).then_some((at, members))
        });
        match (rows.next(), rows.next()) {
            (Some(row), None) => Some(row),
            _ => None,
        }
    }

    /// The claims that an event covers without a gap, each the only possible one at its place.
    fn members(
        &self,
        event: usize,
        place: &Place,
        decisions: &Decisions,
        used: &FxHashSet<usize>,
        closing: (StreamIndex, i64),
    ) -> Option<Vec<ClaimRef>> {
        let row = &self.pool.events[event];
        let end = row.offset.checked_add(row.length)?;
        let whole = Place {
            offset: row.offset,
            length: row.length,
            ..*place
        };
        // What asked for just as much may have it, when its window closes if not now.
        let mut others = self.pool.claims(row.op, &whole);
        if others.any(|claim| self.could_have(claim, event, decisions, closing.1)) {
            return None;
        }
        let mut members = Vec::new();
        let mut at = row.offset;
        while at < end {
            let here = Place { offset: at, ..*place };
            let mut possible = self.pool.claims(row.op, &here).filter(|&claim| {
                let length = self.pool.ios[claim.io].places.places[claim.place].length;
                length > 0 && length <= end - at && self.may_be_in(claim, event, decisions, used, closing)
            });
            let (Some(member), None) = (possible.next(), possible.next()) else {
                return None;
            };
            at += self.pool.ios[member.io].places.places[member.place].length;
            members.push(member);
        }
        Some(members)
    }

    /// Whether an event as long as a claim that has none yet lies in its time, or may.
    fn could_have(&self, claim: ClaimRef, event: usize, decisions: &Decisions, cut: i64) -> bool {
        let nothing = Found::default();
        let claimant = self.claimant(claim, decisions.get(&claim).unwrap_or(&nothing));
        let row = &self.pool.events[event];
        let is_open = claimant.found.lacks_device() && self.pool.ios[claim.io].event.end_unix_nanos() < cut;
        let outer = self.far_interval(&claimant, row.event.stream, Tap::Device);
        is_open && outer.is_none_or(|outer| contains(outer, interval(row)))
    }

    /// Whether a claim without an event of its own has an event in its time.
    fn may_be_in(
        &self,
        claim: ClaimRef,
        event: usize,
        decisions: &Decisions,
        used: &FxHashSet<usize>,
        (closing, cut): (StreamIndex, i64),
    ) -> bool {
        let io = &self.pool.ios[claim.io];
        if io.event.end_unix_nanos() >= cut {
            return false;
        }
        let nothing = Found::default();
        let claimant = self.claimant(claim, decisions.get(&claim).unwrap_or(&nothing));
        let row = &self.pool.events[event];
        let far = row.event.stream;
        let Some(outer) = self.far_interval(&claimant, far, Tap::Device) else {
            return false;
        };
        if !claimant.found.lacks_device() || !contains(outer, interval(row)) {
            return false;
        }
        // One of another window or initiator: what it has counts as far as all was heard.
        let far_cut = self.far_cut(closing, far, cut);
        let place = &claimant.place;
        let own = |&at: &usize| {
            let other = &self.pool.events[at];
            let same = other.tap == Tap::Device && other.length == place.length && other.event.stream == far;
            let heard = other.event.end_unix_nanos() < far_cut;
            same && heard && !used.contains(&at) && contains(outer, interval(other))
        };
        decisions.contains_key(&claim) || !self.pool.far(io.op, place.disk, place.offset).any(|at| own(&at))
    }

    /// Gives an event to all its legs: it counts at `first`, those of other windows are told when theirs close.
    fn share(&mut self, event: usize, first: ClaimRef, members: &[ClaimRef], decisions: &mut Decisions) {
        let row = self.pool.events[event].event;
        let sure = |claim: &ClaimRef| !self.pool.ios[claim.io].contested;
        let unsure = !members.iter().all(sure);
        for &member in members {
            let io = &self.pool.ios[member.io].event;
            match decisions.get_mut(&member) {
                Some(found) => {
                    found.unsure |= unsure;
                    if member == first {
                        found.device = vec![event];
                        found.merged = true;
                    } else {
                        found.shared = Some(row);
                    }
                }
                None => {
                    let shared = Shared {
                        event: row,
                        unsure,
                        end: io.end_unix_nanos(),
                    };
                    self.shared.of.insert((io.stream, io.ordinal, member.place), shared);
                }
            }
        }
    }
}

impl Found {
    /// How the event at the drive is shared, if it is.
    pub(super) fn merged(&self) -> Option<Merged> {
        match self.shared {
            Some(_) => Some(Merged::Further),
            None => self.merged.then_some(Merged::First),
        }
    }
}
