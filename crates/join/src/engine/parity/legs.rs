//! From requests that were tied to parts to legs: one a stretch of a slab, with what each tap saw of it.

use fathom_model::{DiskIndex, Op, StreamIndex, Tap};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Engine, Found, Part, Place, Tied};
use crate::assign::{Interval, assign_pairs};
use crate::engine::resolve::{DECIDED, Decisions, Tie, contains, interval, widen};
use crate::pool::{ClaimRef, PendingIo};

/// What a leg without an offset and its part's leg agree in.
type Way = (DiskIndex, Op, u64);

/// Who else may have a leg without an offset.
#[derive(Clone, Copy, Debug)]
struct Rival {
    /// In which it must lie.
    time: Interval,
    disk: DiskIndex,
    op: Op,
    /// Of a part in a parity tier the lengths of its requests are not known.
    length: Option<u64>,
}

impl Engine {
    /// The legs of each part.
    pub(super) fn parity_legs(&self, parts: &[Part], mut tied: Vec<Tied>) -> Vec<Vec<(Place, Found)>> {
        tied.sort_by_key(|one| {
            let event = &self.pool.events[one.event];
            let seen = (
                event.event.start_unix_nanos,
                event.event.end_unix_nanos(),
                event.event.ordinal,
            );
            (
                one.part,
                one.number,
                one.disk,
                event.offset,
                event.length,
                event.tap,
                seen,
            )
        });
        let mut legs: Vec<Vec<(Place, Found)>> = parts.iter().map(|_| Vec::new()).collect();
        for of_column in tied.chunk_by(|a, b| (a.part, a.number, a.disk) == (b.part, b.number, b.disk)) {
            let mut from = 0;
            while from < of_column.len() {
                // What one tap saw as one request another may have seen in pieces.
                let mut end = 0;
                let reaches = |one: &&Tied| {
                    let event = &self.pool.events[one.event];
                    let joins = end == 0 || event.offset < end;
                    end = if joins {
                        end.max(event.offset.saturating_add(event.length))
                    } else {
                        end
                    };
                    joins
                };
                let count = of_column[from..].iter().take_while(reaches).count();
                let part = &parts[of_column[from].part];
                legs[of_column[from].part].push(self.parity_leg(part, &of_column[from..from + count]));
                from += count;
            }
        }
        legs
    }

    /// One leg of requests that have to do with the same bytes of a slab.
    fn parity_leg(&self, part: &Part, tied: &[Tied]) -> (Place, Found) {
        let first = &self.pool.events[tied[0].event];
        let ends = tied.iter().map(|one| {
            let event = &self.pool.events[one.event];
            event.offset.saturating_add(event.length)
        });
        let of = &self.pool.ios[part.io].places.parity[part.at];
        let slab = of
            .row
            .slabs
            .iter()
            .find(|slab| (slab.number, slab.disk) == (tied[0].number, tied[0].disk));
        let place = Place {
            part: of.part,
            copy: tied[0].number,
            disk: tied[0].disk,
            node: slab.map_or(first.node, |slab| slab.node),
            offset: first.offset,
            length: ends.max().unwrap_or(first.offset) - first.offset,
            alternative: false,
        };
        let at = |tap: Tap| {
            let seen = tied
                .iter()
                .map(|one| one.event)
                .filter(|&at| self.pool.events[at].tap == tap);
            let mut seen: Vec<usize> = seen.collect();
            seen.sort_by_key(|&at| {
                let event = &self.pool.events[at].event;
                (event.start_unix_nanos, event.end_unix_nanos(), event.ordinal)
            });
            seen
        };
        let (mut attempts, mut targets) = (at(Tap::Initiator), at(Tap::Target));
        // What went well before the last is no attempt of it, and whose it is then is not known.
        let went_well = |&at: &usize| self.pool.events[at].event.status == 0;
        let last = attempts
            .iter()
            .rposition(went_well)
            .or_else(|| attempts.len().checked_sub(1));
        let last = last.map(|last| attempts.split_off(last)[0]);
        attempts.retain(|at| !went_well(at));
        let confidence = tied.iter().map(|one| one.confidence).fold(1.0, f32::min);
        let found = Found {
            initiator: last,
            attempts,
            target: targets.pop(),
            targets_before: targets,
            device: at(Tap::Device),
            confidence,
            leg_confidence: (confidence < 1.0).then_some(confidence),
            unsure: confidence < DECIDED,
            of_parity: true,
            ..Found::default()
        };
        (place, found)
    }

    /// Ties legs without an offset to legs of which the far side was seen: their disk, operation, length and time agree. Copies that
    /// may have the same leg are rivals.
    pub(super) fn tie_parity_unplaced(
        &mut self,
        (closing, cut): (StreamIndex, i64),
        parts: &[Part],
        legs: &mut [Vec<(Place, Found)>],
        decisions: &Decisions,
    ) {
        let own = |part: &Part| part.closing && part.stream == closing;
        let from = parts.iter().filter(|part| own(part)).map(|part| part.time.0).min();
        let Some(from) = from.filter(|_| self.pool.has_unplaced(closing)) else {
            return;
        };
        let used: FxHashSet<usize> = decisions.values().flat_map(Found::events).collect();
        let free = self.pool.unplaced(closing, from..cut).filter(|&at| {
            let event = &self.pool.events[at];
            event.event.status == 0 && event.disk.is_some() && !used.contains(&at)
        });
        let free: Vec<usize> = free.collect();
        let mut ways: FxHashMap<Way, Vec<usize>> = FxHashMap::default();
        for (number, &at) in free.iter().enumerate() {
            let event = &self.pool.events[at];
            if let Some(disk) = event.disk {
                ways.entry((disk, event.op, event.length)).or_default().push(number);
            }
        }
        let (mut claimers, mut edges) = (Vec::new(), Vec::new());
        for (number, part) in parts.iter().enumerate().filter(|(_, part)| own(part)) {
            for (at, (place, found)) in legs[number].iter().enumerate() {
                let way = ways.get(&(place.disk, part.op, place.length)).into_iter().flatten();
                let may_be = |leg: &usize| found.initiator.is_none() && self.holds_parity(part, free[*leg], found);
                claimers.push(Some((number, at)));
                edges.push(way.copied().filter(may_be).collect::<Vec<usize>>());
            }
        }
        for rival in self.rivals_for_legs(closing, parts, decisions, cut) {
            let mut own: Vec<usize> = match rival.length {
                Some(length) => ways.get(&(rival.disk, rival.op, length)).cloned().unwrap_or_default(),
                None => {
                    let of_disk = ways
                        .iter()
                        .filter(|((disk, op, _), _)| (*disk, *op) == (rival.disk, rival.op));
                    of_disk.flat_map(|(_, legs)| legs.iter().copied()).collect()
                }
            };
            own.retain(|&leg| contains(rival.time, interval(&self.pool.events[free[leg]])));
            own.sort_unstable();
            if !own.is_empty() {
                claimers.push(None);
                edges.push(own);
            }
        }
        let assigned = assign_pairs(edges.clone(), free.len(), (0..edges.len()).collect());
        for ((claimer, one), could_have) in claimers.into_iter().zip(assigned).zip(edges) {
            let (Some((number, at)), Some(leg)) = (claimer, one.inner.map(|leg| free[leg])) else {
                continue;
            };
            let found = &mut legs[number][at].1;
            let sure = one.sure && !self.pool.events[leg].contested;
            found.initiator = Some(leg);
            found.tie = if sure { Tie::Bounds } else { Tie::Doubtful };
            if !sure {
                found.confidence *= one.confidence.min(0.5);
                could_have
                    .iter()
                    .for_each(|&leg| self.pool.events[free[leg]].contested = true);
            }
        }
    }

    /// Whether a leg without an offset may be of a part's leg: inside the I/O, with what the far side saw inside of it.
    fn holds_parity(&self, part: &Part, leg: usize, found: &Found) -> bool {
        let seen = &self.pool.events[leg];
        let slack = self.resolution(part.stream, Tap::Volume) + self.resolution(part.stream, Tap::Initiator);
        if !contains(widen(part.time, slack), interval(seen)) {
            return false;
        }
        let shared = self.legs_share_correlation(part.stream) == Some(true);
        if let (true, Some(one), Some(other)) = (shared, self.pool.ios[part.io].correlation, seen.correlation)
            && one != other
        {
            return false;
        }
        found.target.iter().chain(&found.device).all(|&at| {
            let inner = &self.pool.events[at];
            let slack = self.resolution(part.stream, Tap::Initiator) + self.resolution(inner.event.stream, inner.tap);
            let (start, end) = widen(interval(seen), slack);
            let offset = self.span_offset(part.stream, inner.event.stream, interval(seen));
            let outer = offset.map(|(low, high)| (start.saturating_add(low), end.saturating_add(high)));
            outer.is_none_or(|outer| contains(outer, interval(inner)))
        })
    }

    /// Who else of an initiator may have legs without an offset: copies that have none yet, and parts in parity tiers of I/Os of later
    /// windows.
    fn rivals_for_legs(&self, closing: StreamIndex, parts: &[Part], decisions: &Decisions, cut: i64) -> Vec<Rival> {
        let slack = self.resolution(closing, Tap::Volume) + self.resolution(closing, Tap::Initiator);
        let own = |io: &PendingIo| io.event.stream == closing && io.op != Op::Flush && io.event.end_unix_nanos() < cut;
        let mut ios: Vec<usize> = self
            .pool
            .ios
            .iter()
            .filter(|(_, io)| own(io))
            .map(|(at, _)| at)
            .collect();
        ios.sort_by_key(|&at| {
            (
                self.pool.ios[at].event.end_unix_nanos(),
                self.pool.ios[at].event.ordinal,
            )
        });
        let closing: FxHashSet<usize> = parts.iter().filter(|part| part.closing).map(|part| part.io).collect();
        let mut rivals = Vec::new();
        for at in ios {
            let io = &self.pool.ios[at];
            let rival = |disk: DiskIndex, length: Option<u64>| Rival {
                time: widen((io.event.start_unix_nanos, io.event.end_unix_nanos()), slack),
                disk,
                op: io.op,
                length,
            };
            let has_leg = |place: usize| {
                let found = decisions.get(&ClaimRef { io: at, place });
                found.is_some_and(|found| found.initiator.is_some())
            };
            let copies = io
                .places
                .places
                .iter()
                .enumerate()
                .filter(|(place, _)| !has_leg(*place));
            rivals.extend(copies.map(|(_, place)| rival(place.disk, Some(place.length))));
            if !closing.contains(&at) {
                let slabs = io.places.parity.iter().flat_map(|part| &part.row.slabs);
                rivals.extend(slabs.map(|slab| rival(slab.disk, None)));
            }
        }
        rivals
    }
}
