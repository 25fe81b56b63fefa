//! In which stretches of time an initiator's legs may be missing.
//!
//! Rows are lost in ranges: a buffer that ran over, a segment that is gone, a recording that began late. A stream's legs come in
//! the order of their ends, so such a range is a *pause*: a stretch of time in which no leg ended. A leg that is missing of an
//! I/O that was open then has ended in that pause, unless it is missing for a reason of its own, and both can be counted: how many
//! legs are missing of I/Os that were open in pauses as long as this one, and how many of those that were open in none. A pause that
//! is nothing but a stall loses no legs, and one after which legs come that were overdue was a stall, whatever else is missing.

use std::collections::VecDeque;

use fathom_model::{IoColumns, Tap};
use serde::{Deserialize, Serialize};

use crate::durations::{BINS, Durations};

/// One pause in so many is looked at: those that are longer than nearly all others.
const ONE_IN: u32 = 1_000;

/// How many pauses are learnt between two reckonings of what is rare, at most.
const RECKONED_EVERY: u32 = 1_024;

/// Pauses of about one length: as long, or up to an octave shorter.
const OCTAVE: usize = 3;

/// An I/O that took longer than this says nothing about pauses.
const KEPT_NANOS: i64 = 10_000_000_000;

/// More pauses than this are not kept; at one in a thousand legs it is some ten seconds of a million legs a second.
const MOST_KEPT: usize = 1 << 14;

/// With more legs than this the counts are halved, so that they follow.
const MANY: u32 = 1_000_000;

/// The class of stretches that are known to miss rows: stated as lost, or before the stream's first leg.
const STATED: usize = BINS;

/// What one initiator's stream shows of stretches in which its legs may be missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pauses {
    /// The ordinal up to which events were looked at.
    next: u64,
    /// The latest end of a leg; `i64::MIN` before the first one, `None` when it is not known whether there was one.
    last_end: Option<i64>,
    /// How much earlier than a leg before it one ended, at most.
    disorder_nanos: i64,
    /// How long no leg ended, from one to the next.
    lengths: Durations,
    /// Pauses since what is rare was reckoned.
    since: u32,
    /// The bin of lengths from which on a pause is rare: at first the longest so far.
    rare_from: usize,
    /// Rare pauses that I/Os may still have been open in, in the order of time.
    recent: VecDeque<Pause>,
    counts: Counts,
}

/// A rare pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Pause {
    /// A leg that is missing in it ended no earlier than this.
    from: i64,
    /// And no later than this.
    until: i64,
    class: usize,
    /// Legs came after it that were overdue.
    stalled: bool,
}

/// Legs, by the class of the longest stretch that their I/O was open in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counts {
    outside: Count,
    within: Vec<Count>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Count {
    /// Seen at the initiator.
    seen: u32,
    /// To be expected there, and not seen.
    missing: u32,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            next: 0,
            last_end: Some(i64::MIN),
            disorder_nanos: 0,
            lengths: Durations::default(),
            since: 0,
            rare_from: 0,
            recent: VecDeque::new(),
            counts: Counts::default(),
        }
    }
}

impl Pauses {
    /// Of a stream of which nothing was kept but that it goes on at an ordinal.
    pub(crate) fn resumed(next: u64) -> Self {
        Self {
            next,
            last_end: (next == 0).then_some(i64::MIN),
            ..Self::default()
        }
    }

    /// Looks at events in the order of their ordinals, at each once.
    pub(crate) fn note(&mut self, first_ordinal: u64, events: &IoColumns) {
        let known = usize::try_from(self.next.saturating_sub(first_ordinal)).unwrap_or(usize::MAX);
        self.next = self.next.max(first_ordinal.saturating_add(events.len() as u64));
        let (taps, starts, durations) = (events.taps(), events.starts_unix_nanos(), events.durations_nanos());
        for row in known..events.len() {
            if taps[row] == Tap::Initiator {
                self.note_leg(starts[row].saturating_add_unsigned(durations[row]));
            }
        }
    }

    fn note_leg(&mut self, end: i64) {
        let Some(last) = self.last_end.replace(end) else {
            return;
        };
        if last == i64::MIN {
            self.keep(i64::MIN, end, STATED);
            return;
        }
        if end < last {
            self.last_end = Some(last);
            self.disorder_nanos = self.disorder_nanos.max(last.saturating_sub(end));
            return;
        }
        let length = end.saturating_sub(last);
        let class = Durations::bin(length).min(BINS - 1);
        self.lengths.add(length);
        let is_rare = class >= self.rare_from;
        if is_rare {
            self.keep(last, end, class);
        }
        self.since += 1;
        if is_rare || self.since >= RECKONED_EVERY {
            self.since = 0;
            self.lengths.age();
            self.rare_from = self.lengths.rarest(ONE_IN);
        }
    }

    /// Keeps a pause between legs that ended at `last` and at `end`. What is missing came after the one and before the other, in
    /// the order of ends but for what is out of order.
    fn keep(&mut self, last: i64, end: i64, class: usize) {
        let pause = Pause {
            from: last.saturating_add(1).saturating_sub(self.disorder_nanos),
            until: end.saturating_sub(1).saturating_add(self.disorder_nanos),
            class,
            stalled: false,
        };
        self.recent.push_back(pause);
        if self.recent.len() > MOST_KEPT {
            self.recent.pop_front();
        }
    }

    /// The stretches that are over before `cut`: rare pauses, and those that were stated (no earlier than, no later than).
    pub(crate) fn stretches(&self, stated: &[(i64, i64)], cut: i64) -> Stretches {
        let stated = stated.iter().map(|&(from, until)| Stretch {
            from,
            until,
            class: STATED,
            doubt: 1.0,
            stalled: false,
        });
        let pauses = self.recent.iter().map(|pause| Stretch {
            from: pause.from,
            until: pause.until,
            class: pause.class,
            doubt: 1.0,
            stalled: pause.stalled,
        });
        let mut all: Vec<Stretch> = stated
            .chain(pauses)
            .filter(|one| one.from <= one.until && one.until < cut)
            .collect();
        all.sort_by_key(|one| (one.from, one.until));
        let mut apart: Vec<Stretch> = Vec::with_capacity(all.len());
        for one in all {
            match apart.last_mut() {
                // Two that overlap are one.
                Some(before) if one.from <= before.until => {
                    before.until = before.until.max(one.until);
                    before.class = before.class.max(one.class);
                    before.stalled |= one.stalled;
                }
                _ => apart.push(one),
            }
        }
        Stretches { apart }
    }

    /// Takes in what the I/Os of a window say about stretches, and lets go of pauses long before `begin`.
    pub(crate) fn learn(&mut self, stretches: &mut Stretches, tally: &Tally, begin: i64) {
        self.counts.merge(&tally.counts);
        if self.counts.total() > MANY {
            self.counts.halve();
        }
        let stalled = stretches.apart.iter_mut().zip(&tally.stalled);
        for (stretch, _) in stalled.filter(|(_, stalled)| **stalled) {
            stretch.stalled = true;
            let over = stretch.from..=stretch.until;
            let within = self.recent.iter_mut().filter(|pause| over.contains(&pause.until));
            within.for_each(|pause| pause.stalled = true);
        }
        for stretch in &mut stretches.apart {
            // What was stated was lost, whether there was a stall or not.
            let is_stall = stretch.stalled && stretch.class != STATED;
            stretch.doubt = if is_stall {
                1.0
            } else {
                self.counts.doubt(stretch.class)
            };
        }
        let oldest = begin.saturating_sub(KEPT_NANOS);
        self.recent.retain(|pause| pause.until >= oldest);
    }
}

impl Counts {
    fn count_mut(&mut self, class: Option<usize>) -> &mut Count {
        let Some(class) = class else {
            return &mut self.outside;
        };
        if self.within.len() <= class {
            self.within.resize(class + 1, Count::default());
        }
        &mut self.within[class]
    }

    fn merge(&mut self, other: &Self) {
        self.outside.add(other.outside);
        for (class, &count) in other.within.iter().enumerate() {
            self.count_mut(Some(class)).add(count);
        }
    }

    fn total(&self) -> u32 {
        let all = self.within.iter().fold(self.outside, |mut sum, &count| {
            sum.add(count);
            sum
        });
        all.seen.saturating_add(all.missing)
    }

    fn halve(&mut self) {
        for count in std::iter::once(&mut self.outside).chain(&mut self.within) {
            count.seen /= 2;
            count.missing /= 2;
        }
    }

    /// How likely a leg that is missing of an I/O that was open in a stretch of this class is missing for another reason than the
    /// stretch. Among the legs of I/Os that were open in such stretches as many are missing for other reasons as among those of
    /// I/Os that were open in none.
    fn doubt(&self, class: usize) -> f64 {
        let about = match class {
            STATED => STATED..=STATED,
            _ => class.saturating_sub(OCTAVE)..=class,
        };
        let mut here = Count::default();
        for &count in self.within.iter().take(about.end() + 1).skip(*about.start()) {
            here.add(count);
        }
        if here.missing == 0 {
            return 1.0;
        }
        // Half a leg more than is missing, so that nothing is impossible.
        let elsewhere = (f64::from(self.outside.missing) + 0.5) / (self.outside.all() + 1.0);
        (elsewhere * here.all() / f64::from(here.missing)).min(1.0)
    }
}

impl Count {
    fn add(&mut self, other: Self) {
        self.seen = self.seen.saturating_add(other.seen);
        self.missing = self.missing.saturating_add(other.missing);
    }

    fn all(self) -> f64 {
        f64::from(self.seen) + f64::from(self.missing)
    }
}

/// Stretches in which legs of an initiator may be missing, apart from each other and in the order of time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stretches {
    apart: Vec<Stretch>,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    /// A leg that is missing in it ended no earlier than this.
    pub(crate) from: i64,
    /// And no later than this.
    pub(crate) until: i64,
    class: usize,
    /// How likely a leg that is missing of an I/O that was open in it is missing for another reason.
    pub(crate) doubt: f64,
    stalled: bool,
}

impl Stretches {
    /// Those that lie, even partly, in a stretch of time.
    fn open_in(&self, (start, end): (i64, i64)) -> impl Iterator<Item = (usize, &Stretch)> {
        let first = self.apart.partition_point(|stretch| stretch.until < start);
        let from_first = self.apart.iter().enumerate().skip(first);
        from_first.take_while(move |(_, stretch)| stretch.from <= end)
    }

    /// The longest of those, the first if there are several.
    fn longest(&self, time: (i64, i64)) -> Option<&Stretch> {
        let open = self.open_in(time).map(|(_, stretch)| stretch);
        open.reduce(|longest, other| if other.class > longest.class { other } else { longest })
    }

    /// Where the legs have ended that are missing of an I/O, if it is clear in which stretch: they ended in this time.
    pub(crate) fn of_missing(&self, time: (i64, i64)) -> Option<&Stretch> {
        let longest = self.longest(time)?;
        let as_long = self.open_in(time).filter(|(_, other)| other.class == longest.class);
        (as_long.count() == 1).then_some(longest)
    }
}

/// What I/Os say about stretches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    counts: Counts,
    /// Of each stretch whether legs came after it that were overdue.
    stalled: Vec<bool>,
}

impl Tally {
    /// An I/O of which every leg that is to be expected was seen, so many, open in this time. `is_overdue` says whether one of them
    /// came after a moment until which it should have come.
    pub(crate) fn add_whole(
        &mut self,
        stretches: &Stretches,
        time: (i64, i64),
        seen: u32,
        is_overdue: impl Fn(i64) -> bool,
    ) {
        let class = stretches.longest(time).map(|one| one.class);
        self.counts.count_mut(class).add(Count { seen, missing: 0 });
        self.note_stalls(stretches, time, is_overdue);
    }

    /// An I/O of which so many legs were seen, and so many are missing that have ended in `missing_in`.
    pub(crate) fn add_lacking(
        &mut self,
        stretches: &Stretches,
        time: (i64, i64),
        missing_in: (i64, i64),
        (seen, missing): (u32, u32),
        is_overdue: impl Fn(i64) -> bool,
    ) {
        let class = stretches.longest(missing_in).map(|one| one.class);
        self.counts.count_mut(class).add(Count { seen, missing });
        self.note_stalls(stretches, time, is_overdue);
    }

    fn note_stalls(&mut self, stretches: &Stretches, time: (i64, i64), is_overdue: impl Fn(i64) -> bool) {
        for (at, stretch) in stretches.open_in(time) {
            if is_overdue(stretch.until) {
                self.stalled.resize(stretches.apart.len(), false);
                self.stalled[at] = true;
            }
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
        if self.stalled.len() < other.stalled.len() {
            self.stalled.resize(other.stalled.len(), false);
        }
        for (stalled, &also) in self.stalled.iter_mut().zip(&other.stalled) {
            *stalled |= also;
        }
    }
}

#[cfg(test)]
mod tests;
