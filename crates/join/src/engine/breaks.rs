//! Clocks that are set while events flow: whether a pair's clock still is what it was, and if not, from when on it is another.
//!
//! A request that finds no answer where it must lie speaks against the clock when its answer lies elsewhere, and against nothing
//! when its answer is lost. So before a window closes, a sample of its requests is looked at. Where answers are missing, a vote is
//! held over those that have the keys: only when they agree on one other clock, beyond chance and for most of the requests, was one
//! of the two clocks set. What the pair knew holds up to the last request that was answered in time, what it knows now from the
//! first one that was answered by the new clock on, and in between nothing is stated. The old clock is not believed beyond its
//! last answer either, for as long as no vote says more.

use fathom_model::{NodeIndex, Op, StreamIndex};
use rustc_hash::{FxHashMap, FxHashSet};

use super::Engine;
use super::align::{Request, Services};
use super::bulk::Asks;
use super::resolve::{Claimant, interval};
use crate::assign::Interval;
use crate::clock::PairClock;
use crate::clock::vote::{Candidate, vote};
use crate::overlaps::Overlaps;
use asked::{Asked, Misfits, first_fit, last_fit, turn};
pub(super) use looks::FirstLook;

mod answers;
mod asked;
mod causes;
mod looks;

/// So many requests at least have to be answered for a clock to be seen at work.
const WORKS: usize = 16;

/// So many requests of a window are looked at to see whether the clock is what it was, and all of the last ones.
const SAMPLE: usize = 256;
const LAST: usize = 16;

/// A vote looks at no more requests of a window than this.
const MOST: usize = 4096;

/// So many candidates of earlier windows are kept where one window has too few to vote on.
const MISFITS: usize = 256;

/// A pair whose requests found nothing in so many windows one after the other, and were so many, starts anew.
const LOST_WINDOWS: u32 = 3;
const LOST_REQUESTS: u32 = 8;

impl Engine {
    /// Finds out which streams' events may wait in lanes when the windows of a number are next: of those that may not, what waits
    /// there goes to the pool.
    pub(super) fn settle_clocks(&mut self, window: i64) {
        // A round looks two windows back.
        let since = window.saturating_sub(4).saturating_mul(self.config.window_nanos);
        let unsettled = self.clocks.iter().filter(|(_, clock)| !clock.is_settled(since));
        self.unsettled = unsettled.flat_map(|(&(own, far), _)| [own, far]).collect();
        for stream in self.unsettled.clone() {
            if self.streams.contains_key(&stream) {
                self.spill_until(stream, i64::MAX);
            }
        }
    }

    /// Where on a far clock an event of a claim may lie by whatever clock, when it is not known which: anywhere if none is known.
    pub(super) fn anywhere(&self, claimant: &Claimant, far: StreamIndex) -> Interval {
        let (start, end) = claimant.outer;
        let offset = |x: i64| self.widest_offset(claimant.stream, far, x);
        let (Some((low, _)), Some((_, high))) = (offset(start), offset(end)) else {
            return (i64::MIN, i64::MAX);
        };
        let (from, until) = (start.saturating_add(low), end.saturating_add(high));
        // What was known of either clock may have grown old: twice as far as the two are apart holds both.
        let slack = until.saturating_sub(from);
        (from.saturating_sub(slack), until.saturating_add(slack))
    }

    /// Claims whose far clock is not known take no part, but what others found may be theirs: then it is not sure. Returns the I/Os
    /// of a window to which that happened.
    pub(super) fn doubt(&self, claimants: &mut [Claimant], far: StreamIndex, window: i64) -> Vec<usize> {
        let mut unknown = Vec::new();
        for (at, claimant) in claimants.iter().enumerate() {
            let found = claimant.found.target.is_some() || !claimant.found.device.is_empty();
            if !found && self.span_offset(claimant.stream, far, claimant.outer).is_none() {
                unknown.push((at, self.anywhere(claimant, far)));
            }
        }
        let mut doubtful = Vec::new();
        if unknown.is_empty() {
            return doubtful;
        }
        let spans: Vec<Interval> = unknown.iter().map(|&(_, anywhere)| anywhere).collect();
        let anywhere = Overlaps::new(&spans);
        for at in 0..claimants.len() {
            let io = &self.pool.ios[claimants[at].claim.io].event;
            if io.end_unix_nanos().div_euclid(self.config.window_nanos) != window {
                continue;
            }
            let found = &claimants[at].found;
            let mut events = found.target.iter().chain(&found.device).copied();
            let could_have = |event: usize| {
                let of_far = self.pool.events[event].event.stream == far;
                let span = interval(&self.pool.events[event]);
                let by = |other: usize| other != at && self.may_have(&claimants[other], event);
                of_far && anywhere.holding(span).any(|number| by(unknown[number].0))
            };
            if !events.any(could_have) {
                continue;
            }
            doubtful.push(claimants[at].claim.io);
            let found = &mut claimants[at].found;
            if !found.unsure {
                found.confidence *= 0.5;
            }
            found.unsure = true;
        }
        doubtful
    }

    /// Looks, once a window, whether a pair's clock still is what it was, and changes it if not. Does nothing until the far node
    /// was heard far enough for the window to close.
    pub(super) fn check_clock(&mut self, stream: StreamIndex, far: StreamIndex, window: i64) {
        let Some(far_until) = self.is_due(stream, far, window) else {
            return;
        };
        let known = self.first_looks.remove(&(stream, far));
        let known = known.or_else(|| self.first_look(stream, far, window, far_until));
        let Some(FirstLook {
            mut asked,
            mut strays,
            all,
        }) = known
        else {
            return;
        };
        // Until when it held is looked up exactly: what lies between two of a sample may be as many.
        if all > SAMPLE && !Misfits::of(&asked).none() {
            let from = self.clocks[&(stream, far)].holds_from();
            let requests = self.requests_of(stream, self.streams[&far].node, window, from);
            (asked, strays) = self.looked_at(stream, far, &requests.sample(MOST, LAST), far_until, None);
        }
        let last_fit = last_fit(&asked).map(|asked| asked.outer.0);
        let last_answered = asked.iter().filter(|asked| asked.fits).map(|asked| asked.outer.1).max();
        let mut misfits = Misfits::of(&asked);
        // What was lost at the end of a window is no sign of another clock when the same one is at work after it.
        if !misfits.none() && last_fit.is_some() && self.works_later(stream, far, window, far_until) {
            misfits = Misfits::default();
            strays = 0;
        }
        let count = asked.len();
        let clock = self.clock_mut(stream, far);
        let since = clock.holds_from();
        let doubt = &mut clock.doubt;
        let was_sure = doubt.checked == Some(window - 1) && doubt.until.is_none();
        doubt.checked = Some(window);
        let fits = asked.iter().filter(|asked| asked.fits).count();
        // A few that another's answer happens to fit do not make up for most that have none.
        let answered = asked
            .iter()
            .filter(|asked| asked.fits || !asked.answers.is_empty())
            .count();
        let as_usual = !doubt.usual.is_less(fits, answered);
        if as_usual {
            doubt.last_fit = doubt.last_fit.max(last_fit);
        }
        if misfits.none() && as_usual && last_fit.is_some() {
            doubt.usual.add(fits, answered);
            doubt.since.get_or_insert(window);
            doubt.until = None;
            doubt.windows = 0;
            doubt.requests = 0;
        } else if count > 0 {
            // Of a clock that was found by a vote and has not been seen at work nothing holds yet.
            let last = doubt.last_fit.unwrap_or(since);
            doubt.until = Some(match misfits.first {
                Some(first) => last.min(first.saturating_sub(1)),
                // Had it been set by little, answers would be seen: by as much as hides them, what lasted long tells as well, and to
                // its end, as what was under way beside it is not to be lost for that.
                None => last.max(last_answered.unwrap_or(last)),
            });
        }
        let doubtful = !as_usual || last_fit.is_none() || misfits.after >= 3;
        if count > 0 && (doubtful || (misfits.all.max(strays)) * 4 > count) {
            // What others' clocks are looked at by may be another afterwards.
            self.first_looks.clear();
            self.look_for_break(stream, far, window, (since, was_sure), far_until);
        } else {
            self.clock_mut(stream, far).doubt.misfits.clear();
        }
        self.settle_clocks(window);
    }

    /// Whether what was asked after a window, as far as all of it must have been heard, is answered where the clock has it, nearly all
    /// from the first answer on: nobody sets a clock to another time and back to the same.
    fn works_later(&self, stream: StreamIndex, far: StreamIndex, window: i64, far_until: i64) -> bool {
        let (ends, cut) = (self.span_of(window).end, self.cut(window));
        let mut later = self.requests(stream, self.streams[&far].node, cut).places;
        later.retain(|request| request.op.goes_to_every_copy() && !request.place.alternative);
        later.retain(|request| (ends..cut).contains(&request.whole.1));
        let (asked, _) = self.looked_at(stream, far, &Asks::Some(later).sample(SAMPLE, 0), far_until, None);
        let Some(first) = asked.iter().position(|asked| asked.fits) else {
            return false;
        };
        let fits = asked[first..].iter().filter(|asked| asked.fits).count();
        fits >= WORKS && fits * 8 >= (asked.len() - first) * 7
    }

    /// What requests were answered where the clock has it, and if not, what else could be their answers. Those of which the answer
    /// may be lost say nothing by themselves and are left out; returns also how many of them have an answer elsewhere.
    fn looked_at(
        &self,
        stream: StreamIndex,
        far: StreamIndex,
        chosen: &[Request],
        far_until: i64,
        known: Option<&Services>,
    ) -> (Vec<Asked>, usize) {
        let chosen: &[&Request] = &chosen.iter().collect::<Vec<_>>();
        let mut asked = self.ask(stream, far, chosen, (None, known));
        if asked.iter().any(|asked| !asked.fits) {
            self.look_elsewhere(stream, far, chosen, &mut asked, far_until);
        }
        self.leave_out_other_causes(stream, far, &mut asked);
        let all = asked.len();
        let nowhere = asked.iter().filter(|asked| !asked.counts()).count();
        asked.retain(|asked| asked.fits || !asked.may_be_lost);
        let strays = all - nowhere - asked.len();
        (asked, strays)
    }

    /// Finds the answers, wherever they are, of requests that were not answered where the clock has it.
    fn look_elsewhere(
        &self,
        stream: StreamIndex,
        far: StreamIndex,
        chosen: &[&Request],
        asked: &mut [Asked],
        until: i64,
    ) {
        let unfit: FxHashSet<u64> = asked
            .iter()
            .filter(|asked| !asked.fits)
            .map(|asked| asked.ordinal)
            .collect();
        let chosen = chosen.iter().filter(|request| unfit.contains(&request.ordinal));
        let chosen: Vec<&Request> = chosen.copied().collect();
        let mut found: FxHashMap<(u64, Interval), Vec<Interval>> = FxHashMap::default();
        for elsewhere in self.ask(stream, far, &chosen, (Some(until), None)) {
            found
                .entry((elsewhere.ordinal, elsewhere.outer))
                .or_default()
                .extend(elsewhere.answers);
        }
        for asked in asked.iter_mut().filter(|asked| !asked.fits) {
            asked.answers = found.remove(&(asked.ordinal, asked.outer)).unwrap_or_default();
        }
    }

    fn clock_mut(&mut self, stream: StreamIndex, far: StreamIndex) -> &mut PairClock {
        self.clocks.entry((stream, far)).or_default()
    }

    /// What the I/Os of a window asked of a node since some time.
    fn requests_of(&self, stream: StreamIndex, node: NodeIndex, window: i64, from: i64) -> Asks<'_> {
        let waiting = self.gathered_requests(stream, node, window);
        let pooled = self.streams[&stream].windows.get(&window);
        // Where what waits is all since then it needs no copy.
        let waiting = if from <= waiting.earliest() {
            waiting
        } else {
            let mut waiting = waiting.sample(usize::MAX, 0);
            waiting.retain(|request| request.whole.0 >= from);
            Asks::Some(waiting)
        };
        let mut requests = Vec::new();
        for &io in pooled.into_iter().flatten() {
            let io = &self.pool.ios[io];
            // A read goes to one of its copies, a flush has no place.
            if !matches!(io.op, Op::Write | Op::Unmap) {
                continue;
            }
            // Of two places that a map gives one only is meant.
            let places = io
                .places
                .places
                .iter()
                .filter(|place| place.node == node && !place.alternative);
            requests.extend(places.map(|place| Request {
                ordinal: io.event.ordinal,
                whole: (io.event.start_unix_nanos, io.event.end_unix_nanos()),
                op: io.op,
                place: *place,
            }));
        }
        requests.retain(|request: &Request| request.whole.0 >= from);
        waiting.with(requests)
    }

    /// When the I/Os of a window completed, with their ordinals.
    fn ends_of(&self, stream: StreamIndex, window: i64) -> Vec<(u64, i64)> {
        let pooled = self.streams[&stream].windows.get(&window).into_iter().flatten();
        let pooled = pooled.map(|&io| &self.pool.ios[io].event);
        let pooled = pooled.map(|event| (event.ordinal, event.end_unix_nanos()));
        self.gathered_ends(stream, window).chain(pooled).collect()
    }

    /// Holds a vote over the requests of a window that were not answered in time.
    fn look_for_break(
        &mut self,
        stream: StreamIndex,
        far: StreamIndex,
        window: i64,
        (since, was_sure): (i64, bool),
        far_until: i64,
    ) {
        // Of a clock that no earlier window bore out.
        let is_new = self.clocks[&(stream, far)]
            .doubt
            .since
            .is_none_or(|since| since == window);
        let requests = self.requests_of(stream, self.streams[&far].node, window, since);
        let chosen = requests.sample(MOST, LAST);
        let mut asked = self.ask(stream, far, &chosen.iter().collect::<Vec<_>>(), (Some(far_until), None));
        let mut ends = self.ends_of(stream, window);
        ends.sort_unstable();
        let ends = ends.as_slice();
        self.leave_out_other_causes(stream, far, &mut asked);
        asked.retain(Asked::counts);
        let misfits = || asked.iter().filter(|asked| !asked.fits);
        let mut now: Vec<Candidate> = misfits().flat_map(Asked::candidates).collect();
        // In an order that does not depend on where the events waited.
        now.sort_unstable_by_key(|pair| (pair.outer, pair.inner));
        let few_fit = misfits().count() * 8 >= asked.len() * 7;
        let lost = misfits().count() as u32;
        let mut candidates = now.clone();
        candidates.extend(&self.clocks[&(stream, far)].doubt.misfits);
        let mut fresh = PairClock::default();
        if let Some(constraints) = vote(&self.config, candidates) {
            fresh.start(&self.config, constraints);
        }
        let config = self.config.clone();
        for asked in &mut asked {
            asked.fits_new = asked.answered(|x| fresh.present(&config, x));
        }
        if self.cut_history(stream, far, window, &mut asked, fresh, was_sure.then_some(ends)) {
            return;
        }
        let first_fit = first_fit(&mut asked, ends);
        let clock = self.clock_mut(stream, far);
        // A vote finds what holds over most of its stretch, which may not be from its beginning on.
        if is_new && let Some(from) = first_fit {
            clock.begin(clock.holds_from().max(from));
        }
        let doubt = &mut clock.doubt;
        doubt.misfits.extend(now);
        let surplus = doubt.misfits.len().saturating_sub(MISFITS);
        doubt.misfits.drain(..surplus);
        if !few_fit || asked.is_empty() {
            return;
        }
        doubt.windows += 1;
        doubt.requests = doubt.requests.saturating_add(lost);
        if doubt.windows >= LOST_WINDOWS && doubt.requests >= LOST_REQUESTS {
            let until = doubt.last_fit.unwrap_or(i64::MIN / 2);
            clock.end(&config, until);
            clock.begin(window.saturating_mul(config.window_nanos));
        }
    }

    /// Cuts a pair's history where the requests say that one of its clocks was set; false if they do not.
    fn cut_history(
        &mut self,
        stream: StreamIndex,
        far: StreamIndex,
        window: i64,
        asked: &mut [Asked],
        fresh: PairClock,
        ends: Option<&[(u64, i64)]>,
    ) -> bool {
        let config = self.config.clone();
        let old = &self.clocks[&(stream, far)];
        // The first vote goes over a longer time than a window: then what was known may be what came later.
        let places = |wanted: fn(&Asked) -> bool| {
            let at = asked.iter().enumerate().filter(|(_, asked)| wanted(asked));
            at.fold((0, 0), |(sum, count), (at, _)| (sum + at, count + 1))
        };
        let of_old = places(|asked| asked.fits && !asked.fits_new);
        let of_new = places(|asked| asked.fits_new && !asked.fits);
        let is_earlier = of_new.0 * of_old.1 < of_old.0 * of_new.1 && old.holds_from() == i64::MIN;
        if !is_earlier {
            let Some((until, from)) = self.place_break(asked, old, &fresh, ends) else {
                return false;
            };
            let last_fit = asked
                .iter()
                .filter(|asked| asked.fits_new)
                .map(|asked| asked.outer.0)
                .max();
            let clock = self.clock_mut(stream, far);
            clock.end(&config, until);
            let past = std::mem::replace(clock, fresh).into_past();
            clock.succeed(past, from);
            clock.doubt.checked = Some(window);
            clock.doubt.last_fit = last_fit;
            return true;
        }
        for asked in asked.iter_mut() {
            std::mem::swap(&mut asked.fits, &mut asked.fits_new);
        }
        let Some((until, from)) = self.place_break(asked, &fresh, old, ends) else {
            return false;
        };
        let mut fresh = fresh;
        fresh.end(&config, until);
        let clock = self.clock_mut(stream, far);
        clock.succeed(fresh.into_past(), from);
        clock.doubt.until = None;
        true
    }

    /// Until when what was known holds, and from when on what a vote found; `None` where the requests do not bear the vote out.
    /// `ends` are those of the initiator's I/Os, by ordinal, if nothing was in doubt before them.
    fn place_break(
        &self,
        asked: &[Asked],
        old: &PairClock,
        fresh: &PairClock,
        ends: Option<&[(u64, i64)]>,
    ) -> Option<(i64, i64)> {
        // What fits both says nothing, and what fits the new one before the old one ends does by chance.
        let later = &asked[turn(asked)..];
        let is_new = |asked: &&Asked| asked.fits_new && !asked.fits;
        let first = later.iter().find(is_new)?;
        let since = later
            .iter()
            .filter(|asked| !asked.fits && asked.ordinal >= first.ordinal);
        let (agreeing, all) = since.fold((0, 0), |(agreeing, all), asked| {
            (agreeing + usize::from(asked.fits_new), all + 1)
        });
        // Another clock is what most of them agree on.
        if agreeing * 2 <= all {
            return None;
        }
        let x = first.outer.0;
        let (before, after) = (old.present(&self.config, x)?, fresh.present(&self.config, x)?);
        if before.0 <= after.1 && after.0 <= before.1 {
            return None;
        }
        // The service of the last one began before the clock was set, that of the first one ended later.
        let last_fit = last_fit(asked).map(|asked| asked.outer.0);
        let last = last_fit.max(old.doubt.last_fit).unwrap_or_else(|| old.holds_from());
        let first = later.iter().filter(is_new).map(|asked| asked.outer.1).min()?;
        let size = (after.1.saturating_sub(before.0)).max(before.1.saturating_sub(after.0));
        let went_on = || ends.is_some_and(|ends| went_on(ends, size));
        // What fits neither is of a third clock: where that is, neither holds.
        let neither = || {
            asked
                .iter()
                .filter(|asked| !asked.fits && !asked.fits_new && !asked.answers.is_empty())
        };
        let narrowed = |(until, from): (i64, i64)| {
            if neither().count() * 8 <= asked.len() {
                return (until, from);
            }
            let (least, most) = neither().fold((until, from), |(least, most), asked| {
                (
                    least.min(asked.start.saturating_sub(1)),
                    most.max(asked.outer.1.saturating_add(1)),
                )
            });
            (least, most)
        };
        if last < first && (after.1 < before.0 || went_on()) {
            return Some(narrowed((last, first)));
        }
        // The initiator's clock may have been set back: it shows the time before that twice, and which was which is not told. It was
        // set after it had shown the last request by the old clock, and by no more than the step before the first by the new one.
        let earliest = last.saturating_sub(size);
        let others = asked.iter().filter(|asked| !asked.fits && asked.start > earliest);
        let until = others.map(|asked| asked.start).min().unwrap_or(last).min(last);
        // Others than these requests may have come a little earlier.
        let until = until.saturating_sub(size / 16).max(earliest);
        Some(narrowed((until, first.saturating_add(size))))
    }
}

/// Whether an initiator's clock was not set back by `size` while it had I/Os: then these completed in the order of their times. (In
/// a pause it could have been; but then there is nothing of which the time would be told wrong.)
fn went_on(ends: &[(u64, i64)], size: i64) -> bool {
    let most = size / 4;
    let mut latest = i64::MIN;
    ends.windows(2).all(|pair| {
        latest = latest.max(pair[0].1);
        let step = pair[1].1.saturating_sub(latest);
        -most < step && step < most
    })
}
