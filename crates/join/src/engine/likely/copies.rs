//! Whose legs are whose, all copies of a write together.
//!
//! A write's copies leave one after the other, in the order of the copies, and the write ends soon after the last of them: so a
//! copy whose leg is known says much about where the others are. The outermost tap that shows a copy stands for it: the leg, or,
//! where there is none, what the far side shows.

use std::collections::VecDeque;

use fathom_model::{DiskIndex, Op, StreamIndex, Tap};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::super::Engine;
use super::super::resolve::{Claimant, Ties, interval, widen};
use super::groups::judge_groups;
use super::{Likely, MOST_CHOICES, NOTHING, Verdict, lot};
use crate::assign::{Interval, assign, within};
use crate::delays::{Asked, Densities, Shown, Step};
use crate::layout::Place;
use crate::pool::ClaimRef;
use crate::posterior::Choice;

/// Of a write's copies so many beginnings of choices are kept, the likeliest ones.
const BEGINNINGS: usize = 96;

/// Choices less likely than this, beside the best, are not looked at.
const WORST: f64 = -13.0;

/// So many ways to go without some of the copies' events are kept in mind.
const MOST_WAYS: usize = 16;

/// Writes are followed from place to place no further than to so many places.
const MOST_PLACES: usize = 4096;

/// All claims on a place by I/Os with one operation are decided together.
type Key = (Op, DiskIndex, u64, u64);

/// What a copy's outermost tap shows.
#[derive(Clone, Copy, Debug)]
struct Seen {
    event: usize,
    /// On the initiator's clock: of the far side by the middle of what the clocks allow.
    start: i64,
    end: i64,
}

/// What is known of a claim from assigning alone.
#[derive(Clone, Debug)]
enum Known {
    Sure(Seen),
    /// One of these.
    Open(Vec<Seen>),
}

/// Of each claim that was looked at its outermost tap and what is known there.
type Copies = FxHashMap<ClaimRef, (Tap, Known)>;

/// The beginning of a choice: some of a write's copies.
#[derive(Clone, Debug)]
struct Beginning {
    /// Of each open copy so far its event, by number.
    events: SmallVec<[Option<u32>; 3]>,
    before: Option<(Shown, u32, i64)>,
    last: Option<(i64, Shown)>,
    log: f64,
}

impl Engine {
    /// Finds verdicts for what is open of the outermost taps of the writes that have one of these claims, and of all that contend
    /// with them.
    pub(super) fn judge_copies(&self, open: &[ClaimRef], (cut, ties): (i64, &Ties), likely: &mut Likely) {
        let mut places: FxHashSet<Key> = FxHashSet::default();
        let mut copies = Copies::default();
        let mut writes: Vec<usize> = Vec::new();
        let mut met: FxHashSet<usize> = FxHashSet::default();
        let mut waiting: VecDeque<ClaimRef> = open.iter().copied().collect();
        while let Some(claim) = waiting.pop_front() {
            let io = &self.pool.ios[claim.io];
            let place = io.places.places[claim.place];
            if places.len() >= MOST_PLACES || !places.insert((io.op, place.disk, place.offset, place.length)) {
                continue;
            }
            let mut found = self.look_at(io.op, &place, (io.event.stream, cut), ties, likely);
            found.retain(|(claim, _, known)| {
                if matches!(known, Known::Open(_)) && met.insert(claim.io) {
                    writes.push(claim.io);
                    let all = 0..self.pool.ios[claim.io].places.places.len();
                    waiting.extend(all.map(|place| ClaimRef { io: claim.io, place }));
                }
                true
            });
            copies.extend(found.into_iter().map(|(claim, tap, known)| (claim, (tap, known))));
        }
        let mut numbers: FxHashMap<usize, u32> = FxHashMap::default();
        let mut events: Vec<usize> = Vec::new();
        let choices: Vec<Vec<Choice>> = writes
            .iter()
            .map(|&io| {
                let mut number = |event: usize| {
                    *numbers.entry(event).or_insert_with(|| {
                        events.push(event);
                        events.len() as u32 - 1
                    })
                };
                self.choices_of_write(io, &copies, likely, &mut number)
            })
            .collect();
        let starts: Vec<_> = writes
            .iter()
            .map(|&io| {
                let event = &self.pool.ios[io].event;
                (event.start_unix_nanos, self.catalog.stream(event.stream), event.ordinal)
            })
            .collect();
        let mut by_start: Vec<usize> = (0..writes.len()).collect();
        by_start.sort_by_key(|&at| &starts[at]);
        let mut rank = vec![(0, 0); writes.len()];
        by_start
            .iter()
            .enumerate()
            .for_each(|(order, &at)| rank[at] = (starts[at].0, order));
        for (claims, judged) in judge_groups(&choices, &rank, events.len()) {
            for (at, one) in claims.into_iter().zip(judged) {
                let io = writes[at];
                let ordinal = self.pool.ios[io].event.ordinal;
                let chosen = one.chosen(likely.draws.then(|| lot(ordinal, 0)));
                // Choices list the open copies' events in the order of the copies.
                for (place, tap, seen) in self.open_copies(io, &copies) {
                    let claim = ClaimRef { io, place };
                    let of = |choice: &Choice| {
                        let mut taken = choice.events.iter().map(|&event| events[event as usize]);
                        taken.find(|event| seen.iter().any(|seen| seen.event == *event))
                    };
                    let shares: Vec<_> = choices[at].iter().map(of).zip(one.shares.iter().copied()).collect();
                    let verdict = Verdict::new(of(&choices[at][chosen]), &shares, one.doubt);
                    likely.verdicts.insert((claim, tap), verdict);
                }
            }
        }
    }

    /// What is known of the claims on a place at their outermost taps, in the order of the claims.
    fn look_at(
        &self,
        op: Op,
        place: &Place,
        (closing, cut): (StreamIndex, i64),
        ties: &Ties,
        likely: &Likely,
    ) -> Vec<(ClaimRef, Tap, Known)> {
        let mut found = Vec::new();
        let mut claimants = self.claimants(op, place, cut);
        // Legs that may lead to several disks are nobody's in particular.
        if claimants.iter().any(|claimant| claimant.place.disk != place.disk) {
            return found;
        }
        for group in claimants.chunk_by(|a, b| a.stream == b.stream) {
            let stream = group[0].stream;
            if self.outermost(&group[0], None) == Tap::Initiator {
                let (_, legs) = self.legs_for(op, group, cut);
                let slack = self.resolution(stream, Tap::Initiator) + self.resolution(stream, Tap::Volume);
                let widened: Vec<Interval> = group.iter().map(|claimant| widen(claimant.outer, slack)).collect();
                self.note(group, &legs, &widened, (Tap::Initiator, None), likely, &mut found);
            }
        }
        for claimant in &mut claimants {
            if let Some(&leg) = ties.get(&claimant.claim) {
                claimant.outer = interval(&self.pool.events[leg]);
                claimant.outer_tap = Tap::Initiator;
            }
        }
        let [far] = self.far_streams(op, place, closing, cut)[..] else {
            return found;
        };
        let far_cut = self.far_cut(closing, far, cut);
        for tap in [Tap::Target, Tap::Device] {
            if self.gives(far, tap) {
                let events = self.far_events(op, place, (far, tap), far_cut);
                let outer = |claimant: &Claimant| self.far_interval(claimant, far, tap).unwrap_or((i64::MAX, i64::MIN));
                let widened: Vec<Interval> = claimants.iter().map(outer).collect();
                self.note(&claimants, &events, &widened, (tap, Some(far)), likely, &mut found);
            }
        }
        found
    }

    /// The outermost tap that shows a claim, if the far side is this stream's.
    fn outermost(&self, claimant: &Claimant, far: Option<StreamIndex>) -> Tap {
        let local = claimant.place.node == self.streams[&claimant.stream].node;
        let has_target = far.is_some_and(|far| self.gives(far, Tap::Target));
        // Legs without an offset are tied last, by what the far side shows.
        let has_legs = self.gives(claimant.stream, Tap::Initiator) && !self.has_unplaced(claimant.stream);
        if !local && has_legs {
            Tap::Initiator
        } else if !local && has_target {
            Tap::Target
        } else {
            Tap::Device
        }
    }

    fn note(
        &self,
        claimants: &[Claimant],
        events: &[usize],
        widened: &[Interval],
        (tap, far): (Tap, Option<StreamIndex>),
        likely: &Likely,
        found: &mut Vec<(ClaimRef, Tap, Known)>,
    ) {
        let inners: Vec<Interval> = events.iter().map(|&at| interval(&self.pool.events[at])).collect();
        let fits = |claimant: usize, event: usize| self.may_have(&claimants[claimant], events[event]);
        let assigned = assign(widened, &inners, fits, |_, _| ());
        let near = self.near(likely, claimants, events, (&inners, widened), &assigned);
        // Who contends for the same events but is seen elsewhere first is not compared by these, nor whose copy may be at another
        // place altogether.
        let incomparable = |claimant: &Claimant| claimant.place.alternative || self.outermost(claimant, far) != tap;
        if (0..near.len()).any(|at| near[at] && incomparable(&claimants[at])) {
            return;
        }
        let taken: FxHashSet<usize> = assigned
            .iter()
            .filter(|one| one.sure)
            .filter_map(|one| one.inner)
            .collect();
        for (at, (claimant, one)) in claimants.iter().zip(&assigned).enumerate() {
            let start = self.pool.ios[claimant.claim.io].event.start_unix_nanos;
            let offset = far
                .and_then(|far| self.middle(claimant.stream, far, start))
                .unwrap_or(0);
            let seen = |inner: usize| Seen {
                event: events[inner],
                start: inners[inner].0.saturating_sub(offset),
                end: inners[inner].1.saturating_sub(offset),
            };
            let known = match one.inner {
                Some(inner) if one.sure && !incomparable(claimant) => Known::Sure(seen(inner)),
                _ if incomparable(claimant) => continue,
                _ if one.sure || !near[at] => continue,
                _ => {
                    let could = |inner: &usize| !taken.contains(inner) && fits(at, *inner);
                    Known::Open(within(&inners, widened[at]).filter(could).map(seen).collect())
                }
            };
            found.push((claimant.claim, tap, known));
        }
    }

    /// The copies of an I/O of which it is open what is theirs: place, tap, and what could be.
    fn open_copies<'a>(&self, io: usize, copies: &'a Copies) -> Vec<(usize, Tap, &'a [Seen])> {
        let places = 0..self.pool.ios[io].places.places.len();
        let open = places.filter_map(|place| match copies.get(&ClaimRef { io, place })? {
            (tap, Known::Open(seen)) => Some((place, *tap, seen.as_slice())),
            _ => None,
        });
        open.collect()
    }

    /// What a write could have of all its copies, the likeliest choices.
    fn choices_of_write(
        &self,
        io: usize,
        copies: &Copies,
        likely: &Likely,
        number: &mut impl FnMut(usize) -> u32,
    ) -> Vec<Choice> {
        let nothing_learnt = Densities::default();
        let whole = &self.pool.ios[io];
        let densities = likely.densities.get(&whole.event.stream).unwrap_or(&nothing_learnt);
        let (start, end) = (whole.event.start_unix_nanos, whole.event.end_unix_nanos());
        let mut beginnings = vec![Beginning {
            events: SmallVec::new(),
            before: None,
            last: None,
            log: 0.0,
        }];
        for (at, place) in whole.places.places.iter().enumerate() {
            let Some((tap, known)) = copies.get(&ClaimRef { io, place: at }) else {
                continue;
            };
            let asked = Asked {
                op: whole.op,
                length: place.length,
            };
            let shown = Shown {
                copy: place.copy,
                local: place.node == whole.node,
                tap: *tap,
            };
            let mut longer: Vec<Beginning> = Vec::new();
            for beginning in &beginnings {
                let with = |seen: &Seen, event: Option<Option<u32>>| {
                    let mut longer = beginning.clone();
                    longer.log += match beginning.before {
                        None => densities.log(Step::first(shown, asked), seen.start.saturating_sub(start)),
                        Some((other, part, from)) => {
                            let step = Step::gap(other, shown, part == place.part, asked);
                            densities.log(step, seen.start.saturating_sub(from))
                        }
                    };
                    longer.before = Some((shown, place.part, seen.start));
                    if longer.last.is_none_or(|(latest, _)| latest < seen.end) {
                        longer.last = Some((seen.end, shown));
                    }
                    longer.events.extend(event);
                    longer
                };
                match known {
                    Known::Sure(seen) => longer.push(with(seen, None)),
                    Known::Open(could) => {
                        let first = longer.len();
                        longer.extend(could.iter().map(|seen| with(seen, Some(Some(number(seen.event))))));
                        // Beside the best: a density alone is neither likely nor unlikely.
                        let best = longer[first..]
                            .iter()
                            .map(|one| one.log)
                            .fold(f64::NEG_INFINITY, f64::max);
                        let mut without = beginning.clone();
                        without.events.push(None);
                        without.log = if could.is_empty() { beginning.log } else { best } + NOTHING;
                        longer.push(without);
                    }
                }
            }
            keep_likeliest(&mut longer, BEGINNINGS);
            beginnings = longer;
        }
        // Which copy was the last is not known where one may be at either of two places.
        let sure = whole.places.places.iter().all(|place| !place.alternative);
        // Of what is in a parity tier too nobody knows here when the last of it ended.
        let all_known = sure && whole.places.parity.is_empty();
        for beginning in beginnings.iter_mut().filter(|_| all_known) {
            if let Some((latest, shown)) = beginning.last {
                beginning.log += densities.log(Step::last(shown), end.saturating_sub(latest));
            }
        }
        keep_likeliest(&mut beginnings, MOST_CHOICES);
        let mut choices: Vec<Choice> = beginnings
            .into_iter()
            .map(|beginning| Choice {
                events: beginning.events.into_iter().flatten().collect(),
                log: beginning.log,
            })
            .collect();
        if choices.iter().all(|choice| !choice.events.is_empty()) {
            let best = choices
                .iter()
                .map(|choice| choice.log)
                .fold(f64::NEG_INFINITY, f64::max);
            choices.push(Choice {
                events: SmallVec::new(),
                log: best + 3.0 * NOTHING,
            });
        }
        choices
    }
}

/// Keeps the likeliest of what is worth looking at, in that order; of each way to go without some of the events the best one, however
/// unlikely, since there may be too few.
fn keep_likeliest(beginnings: &mut Vec<Beginning>, most: usize) {
    beginnings.sort_by(|a, b| b.log.total_cmp(&a.log).then_with(|| a.events.cmp(&b.events)));
    let best = beginnings.first().map_or(0.0, |one| one.log);
    let mut ways: SmallVec<[SmallVec<[bool; 3]>; 8]> = SmallVec::new();
    let mut kept = 0;
    beginnings.retain(|one| {
        let way: SmallVec<[bool; 3]> = one.events.iter().map(Option::is_some).collect();
        let new = ways.len() < MOST_WAYS && !ways.contains(&way);
        if new {
            ways.push(way);
        }
        let worth = one.log >= best + WORST && kept < most;
        kept += usize::from(worth);
        worth || new
    });
}
