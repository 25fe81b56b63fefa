//! Parts of I/Os in a parity tier: which requests of its slabs were made for them.
//!
//! Where in a row of slabs a byte lies, and where the parity beside it, is not known (`docs/design/0027-parity.md`): there is no key.
//! A request that was seen in the slabs of the row while the I/O was under way, in the stretch of them that its stripes have, is
//! tied to it by that (`method: time`). Where several I/Os were under way there it is given to the first to end and said to be
//! ambiguous. What claims of copies have found is theirs: this runs last, on what is left, and looks at no disk's bytes that another
//! extent may have.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::{DiskIndex, Op, StreamIndex, Tap};
use rustc_hash::{FxHashMap, FxHashSet};

use super::Engine;
use super::resolve::{Decisions, Found, contains, interval, widen};
use crate::assign::Interval;
use crate::layout::Place;
use crate::overlaps::Overlaps;

mod legs;

/// What was found of an I/O in a parity tier.
#[derive(Debug, Default)]
pub(super) struct ParityLegs {
    /// A leg a request.
    pub(super) legs: Vec<(Place, Found)>,
    /// How many columns something is to be expected on at least.
    pub(super) expected: u32,
    /// Whether of some part something was seen on fewer.
    pub(super) is_lacking: bool,
}

/// A part of an I/O in a parity tier.
#[derive(Clone, Copy, Debug)]
struct Part {
    io: usize,
    /// Its place in the list of the I/O.
    at: usize,
    stream: StreamIndex,
    op: Op,
    /// Its I/O completes in the window that closes.
    closing: bool,
    /// Start and end of the I/O, on its initiator's clock.
    time: Interval,
    /// The stretch of the row's slabs that its stripes have.
    in_slabs: (u64, u64),
}

/// Of parts and disks the legs that they have at their initiator.
type LegsOf = FxHashMap<(usize, DiskIndex), Vec<usize>>;

/// What has to do with a disk.
#[derive(Debug, Default)]
struct OnDisk {
    /// Parts that have a slab there.
    parts: Vec<usize>,
    /// Bytes of the disk that such slabs have, from and until, in order.
    slabs: Vec<(u64, u64)>,
}

/// A request that was tied to a part.
#[derive(Clone, Copy, Debug)]
struct Tied {
    part: usize,
    /// Whether it may be of a part of the window that closes.
    is_closing: bool,
    /// Which column.
    number: u32,
    disk: DiskIndex,
    event: usize,
    confidence: f32,
}

impl OnDisk {
    /// Whether bytes of the disk lie in one of the slabs.
    fn has(&self, offset: u64, length: u64) -> bool {
        let after = self.slabs.partition_point(|&(from, _)| from <= offset);
        let slab = after.checked_sub(1).map(|before| self.slabs[before]);
        slab.is_some_and(|(_, until)| offset.checked_add(length).is_some_and(|end| end <= until))
    }
}

/// An interval that holds nothing.
const NEVER: Interval = (i64::MAX, i64::MIN);

impl Engine {
    /// Finds the legs in parity tiers of the I/Os of a window that closes.
    pub(super) fn find_parity(
        &mut self,
        closing: StreamIndex,
        ios: &[usize],
        decisions: &Decisions,
        cut: i64,
    ) -> FxHashMap<usize, ParityLegs> {
        if ios.iter().all(|&io| self.pool.ios[io].places.parity.is_empty()) {
            return FxHashMap::default();
        }
        let parts = self.parity_parts(ios, cut);
        let used: FxHashSet<usize> = decisions.values().flat_map(Found::events).collect();
        let on_disks = self.parity_on_disks(&parts);
        let sources = self.seen_on(closing, &on_disks, &used, cut);
        let (mut tied, mut contested) = (Vec::new(), Vec::new());
        let mut legs = LegsOf::default();
        // Whose the legs at the initiators are is known on one clock: they tell whose the far side's events are.
        let initiator_first = |((_, tap, _), _): &(&(StreamIndex, Tap, DiskIndex), &Vec<usize>)| *tap != Tap::Initiator;
        let mut order: Vec<_> = sources.iter().collect();
        order.sort_by_key(initiator_first);
        for (&(from, tap, disk), events) in order {
            let of_disk = &on_disks[&disk].parts;
            let shared = self.share_out((from, tap, disk), events, (&parts, of_disk), on_disks.len(), &legs);
            for one in shared {
                if tap == Tap::Initiator {
                    legs.entry((one.part, disk)).or_default().push(one.event);
                }
                if parts[one.part].closing {
                    tied.push(one);
                } else if one.is_closing {
                    contested.push(one.event);
                }
            }
        }
        for event in contested {
            self.pool.events[event].contested = true;
        }
        let mut legs = self.parity_legs(&parts, tied);
        self.tie_parity_unplaced((closing, cut), &parts, &mut legs, decisions);
        self.judge_parity(&parts, legs)
    }

    /// All parts in parity tiers of I/Os that completed before the cut, in the order in which they are served.
    fn parity_parts(&self, closing: &[usize], cut: i64) -> Vec<Part> {
        let closing: FxHashSet<usize> = closing.iter().copied().collect();
        let mut parts = Vec::new();
        for (at, io) in self.pool.ios.iter().filter(|(_, io)| io.event.end_unix_nanos() < cut) {
            let (start, end) = (io.event.start_unix_nanos, io.event.end_unix_nanos());
            // Legs that ended longer ago than the longest I/O time are not looked for.
            let start = start.max(end.saturating_sub(self.config.longest_io_nanos));
            parts.extend(io.places.parity.iter().enumerate().map(|(number, part)| Part {
                io: at,
                at: number,
                stream: io.event.stream,
                op: io.op,
                closing: closing.contains(&at),
                time: (start, end),
                in_slabs: part.in_slabs(),
            }));
        }
        parts.sort_by_key(|part| {
            let event = &self.pool.ios[part.io].event;
            (part.time.1, self.catalog.stream(part.stream), event.ordinal, part.at)
        });
        parts
    }

    /// The disks that parts have slabs on.
    fn parity_on_disks(&self, parts: &[Part]) -> BTreeMap<DiskIndex, OnDisk> {
        let mut on_disks: BTreeMap<DiskIndex, OnDisk> = BTreeMap::new();
        for (number, part) in parts.iter().enumerate() {
            let row = &self.pool.ios[part.io].places.parity[part.at].row;
            for slab in &row.slabs {
                let on_disk = on_disks.entry(slab.disk).or_default();
                on_disk.slabs.push(row.on_disk(slab));
                if on_disk.parts.last() != Some(&number) {
                    on_disk.parts.push(number);
                }
            }
        }
        for on_disk in on_disks.values_mut() {
            on_disk.slabs.sort_unstable();
            on_disk.slabs.dedup();
        }
        on_disks
    }

    /// What was seen in slabs on some disks and is nobody's yet, by who saw it and where, each in the order of time.
    fn seen_on(
        &self,
        closing: StreamIndex,
        disks: &BTreeMap<DiskIndex, OnDisk>,
        used: &FxHashSet<usize>,
        cut: i64,
    ) -> BTreeMap<(StreamIndex, Tap, DiskIndex), Vec<usize>> {
        let mut cuts: FxHashMap<(StreamIndex, Tap), Option<i64>> = FxHashMap::default();
        let mut seen: BTreeMap<(StreamIndex, Tap, DiskIndex), Vec<usize>> = BTreeMap::new();
        for (at, event) in &self.pool.events {
            let placed = !event.unplaced && event.op != Op::Flush && event.length > 0;
            let in_slab = |disk: &DiskIndex| disks.get(disk).is_some_and(|on| on.has(event.offset, event.length));
            let Some(disk) = event.disk.filter(|disk| placed && in_slab(disk) && !used.contains(&at)) else {
                continue;
            };
            let (from, tap) = (event.event.stream, event.tap);
            let until = cuts
                .entry((from, tap))
                .or_insert_with(|| self.parity_cut(closing, from, tap, cut));
            let by_holder = tap == Tap::Initiator || self.layout.node_of(disk) == Some(event.node);
            if by_holder && until.is_some_and(|until| event.event.end_unix_nanos() < until) {
                seen.entry((from, tap, disk)).or_default().push(at);
            }
        }
        for events in seen.values_mut() {
            events.sort_by_key(|&at| {
                let event = &self.pool.events[at].event;
                (event.start_unix_nanos, event.end_unix_nanos(), event.ordinal)
            });
        }
        seen
    }

    /// Until when, on its own clock, what a stream says is looked at; `None` for a life that comes after the one of that time.
    fn parity_cut(&self, closing: StreamIndex, from: StreamIndex, tap: Tap, cut: i64) -> Option<i64> {
        if tap == Tap::Initiator {
            return Some(cut);
        }
        let node = self.streams[&from].node;
        let lives = self.lives(node);
        let number = |stream: StreamIndex| lives.iter().position(|&life| life == stream);
        let last = self.life_at(node, closing, cut).and_then(number);
        let is_later = number(from) > last;
        let high = self.highest_offset(closing, from, cut).unwrap_or(0);
        (!is_later).then_some(cut.saturating_add(high))
    }

    /// Gives what one stream saw at one tap of a disk to the parts that it may be of.
    fn share_out(
        &self,
        (from, tap, disk): (StreamIndex, Tap, DiskIndex),
        events: &[usize],
        (parts, of_disk): (&[Part], &[usize]),
        disks: usize,
        legs: &LegsOf,
    ) -> Vec<Tied> {
        let spans: Vec<Option<Interval>> = of_disk
            .iter()
            .map(|&part| self.parity_span(&parts[part], from, tap))
            .collect();
        let known: Vec<Interval> = spans.iter().map(|span| span.unwrap_or(NEVER)).collect();
        let unknown: Vec<usize> = (0..spans.len()).filter(|&at| spans[at].is_none()).collect();
        let overlaps = Overlaps::new(&known);
        let may_have = |at: usize, event: usize| self.parity_number(&parts[of_disk[at]], event, disk).is_some();
        let owners: Vec<Vec<usize>> = events
            .iter()
            .map(|&event| {
                let held = overlaps.holding(interval(&self.pool.events[event]));
                let mut owners: Vec<usize> = held.filter(|&at| may_have(at, event)).collect();
                owners.sort_unstable();
                owners
            })
            .collect();
        let in_time = events.iter().map(|&event| interval(&self.pool.events[event]));
        let strangers = Strangers::new(&known, in_time, &owners).over(self.config.window_nanos, disks);
        let mut shared = Vec::new();
        for (&event, mut owners) in events.iter().zip(owners) {
            if tap != Tap::Initiator {
                self.keep_by_legs(&mut owners, event, |at| {
                    (&parts[of_disk[at]], legs.get(&(of_disk[at], disk)))
                });
            }
            let Some(&first) = owners.first() else { continue };
            let part = &parts[of_disk[first]];
            let Some(number) = self.parity_number(part, event, disk) else {
                continue;
            };
            // Of whoever's clock is not known it may be as well.
            let possible = owners.len() + unknown.iter().filter(|&&at| may_have(at, event)).count();
            let of = &self.pool.ios[part.io].places.parity[part.at];
            let share = f64::from(of.least_columns(part.op.goes_to_every_copy())) / f64::from(of.row.columns());
            let alone = strangers.confidence(known[first], share) / possible as f32;
            let was_contested = self.pool.events[event].contested;
            shared.push(Tied {
                part: of_disk[first],
                is_closing: owners.iter().any(|&at| parts[of_disk[at]].closing),
                number,
                disk,
                event,
                confidence: if was_contested { alone * 0.5 } else { alone },
            });
        }
        shared
    }

    /// Of those that may have an event of the far side keeps those of whose legs for its bytes one holds it, if there is any; else those
    /// that have no such leg.
    fn keep_by_legs<'a>(
        &self,
        owners: &mut Vec<usize>,
        event: usize,
        legs_of: impl Fn(usize) -> (&'a Part, Option<&'a Vec<usize>>),
    ) {
        let inner = &self.pool.events[event];
        let end = |offset: u64, length: u64| offset.saturating_add(length);
        let holds = |owner: usize| -> Option<bool> {
            let (part, legs) = legs_of(owner);
            let legs = legs.into_iter().flatten().map(|&leg| &self.pool.events[leg]);
            let mut same = legs
                .filter(|leg| {
                    leg.offset < end(inner.offset, inner.length) && inner.offset < end(leg.offset, leg.length)
                })
                .peekable();
            same.peek()?;
            Some(same.any(|leg| {
                let slack =
                    self.resolution(part.stream, Tap::Initiator) + self.resolution(inner.event.stream, inner.tap);
                let (start, until) = widen(interval(leg), slack);
                let offset = self.span_offset(part.stream, inner.event.stream, interval(leg));
                let outer = offset.map(|(low, high)| (start.saturating_add(low), until.saturating_add(high)));
                outer.is_none_or(|outer| contains(outer, interval(inner)))
            }))
        };
        let held: Vec<Option<bool>> = owners.iter().map(|&owner| holds(owner)).collect();
        let wanted = if held.contains(&Some(true)) { Some(true) } else { None };
        let mut held = held.into_iter();
        owners.retain(|_| held.next() == Some(wanted));
    }

    /// Where on a stream's clock that must lie what it saw of a part; `None` where its clock is not known.
    fn parity_span(&self, part: &Part, from: StreamIndex, tap: Tap) -> Option<Interval> {
        if tap == Tap::Initiator && part.stream != from {
            return Some(NEVER);
        }
        let slack = self.resolution(part.stream, Tap::Volume) + self.resolution(from, tap);
        let (start, end) = widen(part.time, slack);
        let (low, high) = self.span_offset(part.stream, from, part.time)?;
        Some((start.saturating_add(low), end.saturating_add(high)))
    }

    /// On which column a request is of a part, by all but its time; `None` if it is of none.
    fn parity_number(&self, part: &Part, event: usize, disk: DiskIndex) -> Option<u32> {
        let seen = &self.pool.events[event];
        let of = &self.pool.ios[part.io].places.parity[part.at];
        let bytes = (seen.offset, seen.offset.checked_add(seen.length)?);
        let slab = of.row.slab_at(disk, bytes, part.time).filter(|_| seen.op == part.op)?;
        let (begin, end) = slab.on_disk(part.in_slabs);
        (bytes.0 < end && begin < bytes.1).then_some(slab.number)
    }

    /// What is expected of each I/O, and whether it was seen.
    fn judge_parity(&self, parts: &[Part], legs: Vec<Vec<(Place, Found)>>) -> FxHashMap<usize, ParityLegs> {
        let mut of_ios: FxHashMap<usize, ParityLegs> = FxHashMap::default();
        for (part, mut legs) in parts.iter().zip(legs).filter(|(part, _)| part.closing) {
            let of = &self.pool.ios[part.io].places.parity[part.at];
            let with_parity = part.op.goes_to_every_copy();
            let least = of.least_columns(with_parity);
            let seen: BTreeSet<u32> = legs.iter().map(|(place, _)| place.copy).collect();
            if with_parity && of.has_all_columns() {
                legs.extend(self.columns_without(part, &seen));
            }
            legs.sort_by_key(|(place, _)| (place.copy, place.offset));
            let of_io = of_ios.entry(part.io).or_default();
            of_io.legs.append(&mut legs);
            of_io.expected += least;
            of_io.is_lacking |= (seen.len() as u32) < least;
        }
        of_ios
    }

    /// The columns of a part that has to do with all of its row's, on which nothing was seen.
    fn columns_without(&self, part: &Part, seen: &BTreeSet<u32>) -> Vec<(Place, Found)> {
        let of = &self.pool.ios[part.io].places.parity[part.at];
        let mut without: Vec<(Place, Found)> = Vec::new();
        for slab in of
            .row
            .slabs
            .iter()
            .filter(|slab| slab.meets(part.time) && !seen.contains(&slab.number))
        {
            // Where the map changed about then, the first of both stands for the column.
            if without.last().is_some_and(|(place, _)| place.copy == slab.number) {
                continue;
            }
            let (begin, end) = slab.on_disk(part.in_slabs);
            let place = Place {
                part: of.part,
                copy: slab.number,
                disk: slab.disk,
                node: slab.node,
                offset: begin,
                length: end - begin,
                alternative: false,
            };
            let found = Found {
                of_parity: true,
                ..Found::default()
            };
            without.push((place, found));
        }
        without
    }
}

/// What is seen on a disk in the time of no part: such a request may lie in the time of one as well.
struct Strangers {
    count: usize,
    /// From the first start to the last end of all parts.
    time: Interval,
}

/// How often that is.
struct Chance {
    /// A nanosecond.
    strangers: f64,
}

impl Strangers {
    fn new(spans: &[Interval], events: impl Iterator<Item = Interval>, owners: &[Vec<usize>]) -> Self {
        let spans = || spans.iter().filter(|span| **span != NEVER);
        let from = spans().map(|span| span.0).min().unwrap_or(i64::MAX);
        let until = spans().map(|span| span.1).max().unwrap_or(i64::MIN);
        // Outside the time of all parts a request is there or not by chance of arrival.
        let inside = events.zip(owners).filter(|(event, _)| contains((from, until), *event));
        Self {
            count: inside.filter(|(_, owners)| owners.is_empty()).count(),
            time: (from, until),
        }
    }

    /// Over at least so long, on one of so many disks.
    fn over(&self, least_nanos: i64, disks: usize) -> Chance {
        let nanos = self.time.1.saturating_sub(self.time.0).max(least_nanos).max(1);
        Chance {
            // What was not seen is not taken to be impossible: one more on all disks together.
            strangers: (self.count as f64 + 1.0 / disks.max(1) as f64) / nanos as f64,
        }
    }
}

impl Chance {
    /// That a request in some time is its own and no stranger's, where its own is on so great a share of all columns.
    fn confidence(&self, (start, end): Interval, share: f64) -> f32 {
        let strangers = self.strangers * end.saturating_sub(start).max(0) as f64;
        (share / (share + strangers).max(f64::MIN_POSITIVE)) as f32
    }
}
