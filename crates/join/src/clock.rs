//! The clock of one node as another sees it: hard bounds on the offset, drawn from traffic alone.
//!
//! θ(x) is the far node's clock minus the initiator's, at the moment when the initiator's clock shows x. A far-side service
//! [c, d] that truly happened inside an initiator's leg [a, b] bounds it from both sides: θ(a) ≤ c − a, because the service
//! began after the leg did, and θ(b) ≥ d − b, because it ended before. These are points above and below the curve θ. All that is
//! taken for granted of the curve is that it is nowhere steeper than two clocks can drift apart: a drift may change at any
//! moment and by any amount within that, and what is stated still holds ([`envelope`]). For that, a bound knows little of what
//! happened longer ago than the fastest drift takes to eat up the width of a leg.
//!
//! All arithmetic is in integers and rounded outwards: the same constraints give the same bounds on every machine.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::config::Config;

mod cell;
mod doubt;
mod envelope;
mod hull;
pub(crate) mod vote;

use cell::GRID_BITS;
pub(crate) use cell::{Cell, Moment};
pub(crate) use doubt::{Doubt, Search};
use envelope::Envelope;
pub(crate) use envelope::Rate;
use hull::Band;

/// A point that θ passes below (`upper`) or above (`lower`): (initiator's clock, offset).
pub(crate) type Point = (i64, i64);

/// The constraints that one window gave, thinned to those that matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Constraints {
    upper: Vec<Point>,
    lower: Vec<Point>,
}

impl Constraints {
    /// The far side's service from `inner.0` to `inner.1` (its clock) lay inside `outer` (the initiator's clock).
    /// `start_slack` and `end_slack` are how far the recorded starts and ends may be from the truth, both sides together.
    pub(crate) fn add(&mut self, outer: (i64, i64), inner: (i64, i64), start_slack: i64, end_slack: i64) {
        let upper = (outer.0, inner.0 - outer.0 + start_slack);
        self.add_bounds(upper, (outer.1, inner.1 - outer.1 - end_slack));
    }

    /// Two points that the curve passes between.
    pub(crate) fn add_bounds(&mut self, upper: Point, lower: Point) {
        self.upper.push(upper);
        self.lower.push(lower);
    }

    /// Whether one side has no point: then nothing is bounded.
    pub(crate) fn is_empty(&self) -> bool {
        self.upper.is_empty() || self.lower.is_empty()
    }

    /// Adds upper and lower points.
    pub(crate) fn extend(&mut self, upper: impl IntoIterator<Item = Point>, lower: impl IntoIterator<Item = Point>) {
        self.upper.extend(upper);
        self.lower.extend(lower);
    }

    /// Keeps what no other point makes needless.
    fn thin(&mut self, rate: Rate) {
        let upper = tightest(std::mem::take(&mut self.upper), 1);
        let lower = tightest(std::mem::take(&mut self.lower), -1);
        self.upper = envelope::needed(upper, rate);
        self.lower = envelope::turned(envelope::needed(envelope::turned(lower), rate));
    }

    /// Keeps only what a straight line can touch.
    fn straight(mut self) -> Self {
        self.upper = hull::lower_hull(self.upper);
        self.lower = hull::upper_hull(self.lower);
        self
    }
}

/// Of the points within one stretch of this many (as a power of two) nanoseconds only the tightest is kept: about a
/// millisecond, over which the fastest drift moves a clock by half a microsecond. So a window keeps a thousand points, not a
/// hundred thousand.
pub(crate) const STRETCH_BITS: u32 = 20;

/// The tightest point of each stretch: the lowest for `sign` 1, the highest for -1; of equal ones the first.
fn tightest(mut points: Vec<Point>, sign: i64) -> Vec<Point> {
    points.sort_unstable_by_key(|&(x, y)| (x >> STRETCH_BITS, sign * y, x));
    points.dedup_by_key(|point| point.0 >> STRETCH_BITS);
    points
}

/// From so many windows with traffic bounds are drawn: of what lies further back the fastest drift leaves little.
const NEAR_WINDOWS: usize = 4;

/// What is known about one far node's clock against one initiator's.
#[derive(Debug)]
pub(crate) struct PairClock {
    /// The stretch of the grid that was asked for last: the next question is mostly about the same.
    cell: Mutex<Option<Cell>>,
    /// Constraints of the last windows, oldest first.
    windows: VecDeque<Constraints>,
    /// What a vote or a link gave; in force until a window has constraints of its own.
    provisional: Option<Constraints>,
    /// Whether that came by way of other nodes.
    linked: bool,
    envelope: Option<Envelope>,
    /// Straight bounds of more windows, for an estimate of the drift.
    straight: VecDeque<Constraints>,
    drift_ppb: Option<i64>,
    /// What was known of the time before one of the two clocks was set.
    past: Option<Past>,
    /// What is known now holds from here on, on the initiator's clock.
    from: i64,
    pub(crate) doubt: Doubt,
    pub(crate) search: Search,
}

impl Clone for PairClock {
    fn clone(&self) -> Self {
        Self {
            // A memory of the last question alone.
            cell: Mutex::new(None),
            windows: self.windows.clone(),
            provisional: self.provisional.clone(),
            linked: self.linked,
            envelope: self.envelope.clone(),
            straight: self.straight.clone(),
            drift_ppb: self.drift_ppb,
            past: self.past.clone(),
            from: self.from,
            doubt: self.doubt.clone(),
            search: self.search,
        }
    }
}

impl Default for PairClock {
    fn default() -> Self {
        Self {
            cell: Mutex::new(None),
            windows: VecDeque::new(),
            provisional: None,
            linked: false,
            envelope: None,
            straight: VecDeque::new(),
            drift_ppb: None,
            past: None,
            from: i64::MIN,
            doubt: Doubt::default(),
            search: Search::Idle,
        }
    }
}

/// A pair's clock before one of the two was set.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    windows: Vec<Constraints>,
    envelope: Option<Envelope>,
    /// Until when it held for sure, on the initiator's clock.
    until: i64,
}

impl Past {
    fn new(config: &Config, windows: Vec<Constraints>, until: i64) -> Self {
        let envelope = envelope_of(config, windows.iter());
        Self {
            windows,
            envelope,
            until,
        }
    }
}

/// What a commit keeps of a pair's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockState {
    windows: Vec<Constraints>,
    provisional: Option<Constraints>,
    search: Search,
    // Records of before clocks were followed over steps have none of these.
    #[serde(default)]
    straight: Vec<Constraints>,
    #[serde(default)]
    linked: bool,
    #[serde(default)]
    past: Option<(i64, Vec<Constraints>)>,
    #[serde(default)]
    from: Option<i64>,
    #[serde(default)]
    doubt: Doubt,
}

impl PairClock {
    /// Whether anything is known of the present.
    pub(crate) const fn is_aligned(&self) -> bool {
        self.envelope.is_some()
    }

    /// Whether what is known was seen in the pair's own traffic while windows closed.
    pub(crate) fn is_learnt(&self) -> bool {
        self.is_aligned() && !self.windows.is_empty()
    }

    /// Whether all that is known came by way of other nodes.
    pub(crate) const fn is_linked(&self) -> bool {
        self.linked
    }

    /// Lowest and highest possible offset when the initiator's clock shows `x`; `None` where that is not known.
    pub(crate) fn bounds(&self, config: &Config, x: i64) -> Option<(i64, i64)> {
        if self.holds(x) {
            return self.present(config, x);
        }
        let past = self.past.as_ref().filter(|past| x <= past.until)?;
        Some(past.envelope.as_ref()?.at(x))
    }

    /// Lowest offset at the start and highest at the end of something that began at `a` and ended at `b`; `None` unless one clock
    /// held all the while: what was under way while a clock was set may have been answered by either.
    pub(crate) fn span(&self, config: &Config, a: i64, b: i64) -> Option<(i64, i64)> {
        if !self.is_one(a, b) {
            return None;
        }
        Some((self.bounds(config, a)?.0, self.bounds(config, b)?.1))
    }

    /// Whether one clock held from `a` to `b`.
    fn is_one(&self, a: i64, b: i64) -> bool {
        let past = |x: i64| self.past.as_ref().is_some_and(|past| x <= past.until);
        self.holds(a) && self.holds(b) || past(a) && past(b)
    }

    /// Lowest and highest offset at `x` by anything that is known, whether or not it still holds there.
    pub(crate) fn widest(&self, config: &Config, x: i64) -> Option<(i64, i64)> {
        let past = self.past.as_ref().and_then(|past| past.envelope.as_ref());
        let past = past.map(|past| past.at(x));
        match (self.present(config, x), past) {
            (Some(now), Some(past)) => Some((now.0.min(past.0), now.1.max(past.1))),
            (now, past) => now.or(past),
        }
    }

    /// Whether what is known now holds at `x`.
    fn holds(&self, x: i64) -> bool {
        x >= self.from && self.doubt.until.is_none_or(|until| x <= until)
    }

    /// From when on what is known now holds.
    pub(crate) const fn holds_from(&self) -> i64 {
        self.from
    }

    /// Whether what is known now holds without a break from `x` on.
    pub(crate) const fn is_settled(&self, x: i64) -> bool {
        self.doubt.until.is_none() && self.from <= x
    }

    /// The bounds at `x` as if what is known now held for ever.
    pub(crate) fn present(&self, config: &Config, x: i64) -> Option<(i64, i64)> {
        let number = Cell::number_of(x);
        let mut last = self.cell.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|cell| cell.number != number) {
            *last = Some(self.all_cells(config, number, number)?[0]);
        }
        last.map(|cell| cell.at(x))
    }

    /// The bounds on stretches of the grid, from one to another and with it; `None` unless they are known on all of them.
    pub(crate) fn cells(&self, config: &Config, first: i64, last: i64) -> Option<Vec<Cell>> {
        let (from, until) = (first << GRID_BITS, (last + 1) << GRID_BITS);
        if !self.holds(from) || !self.holds(until) {
            return None;
        }
        self.all_cells(config, first, last)
    }

    fn all_cells(&self, config: &Config, first: i64, last: i64) -> Option<Vec<Cell>> {
        let envelope = self.envelope.as_ref()?;
        let time = |number: i64| number.saturating_mul(1 << GRID_BITS);
        let mut walk = envelope.walk(time(first));
        let mut at = |number: i64| walk.at(time(number));
        let rate = Rate::from_ppb(config.max_drift_ppb);
        let mut start = at(first);
        let cells = (first..=last).map(|number| {
            let end = at(number + 1);
            let cell = Cell {
                number,
                low: (start.0, end.0),
                high: (start.1, end.1),
                rate,
            };
            start = end;
            cell
        });
        Some(cells.collect())
    }

    /// Drift at its best estimate, parts per billion: an estimate, on which no bound depends.
    pub(crate) const fn drift_ppb(&self) -> Option<i64> {
        self.drift_ppb
    }

    /// Takes the constraints that closing a window gave.
    ///
    /// When no curve fits them all any more, the oldest windows are dropped until one does: the newest traffic is right.
    pub(crate) fn learn(&mut self, config: &Config, constraints: Constraints) {
        let mut constraints = self.learn_past(config, constraints);
        if constraints.is_empty() {
            return;
        }
        constraints.thin(Rate::from_ppb(config.max_drift_ppb));
        self.straight.push_back(constraints.clone().straight());
        while self.straight.len() > config.horizon_windows {
            self.straight.pop_front();
        }
        self.provisional = None;
        self.linked = false;
        self.windows.push_back(constraints);
        while self.windows.len() > NEAR_WINDOWS {
            self.windows.pop_front();
        }
        self.solve(config);
        while self.envelope.is_none() && self.windows.len() > 1 {
            self.windows.pop_front();
            self.solve(config);
        }
        if self.envelope.is_none() {
            // Not even one window agrees with itself: whatever it holds, it is not one clock. Start again.
            self.windows.clear();
            self.straight.clear();
            self.search = Search::Idle;
        }
        self.estimate_drift(config);
    }

    /// Gives the past what belongs there; the rest is of the present.
    fn learn_past(&mut self, config: &Config, constraints: Constraints) -> Constraints {
        let Some(past) = &mut self.past else {
            return constraints;
        };
        let (until, from) = (past.until, self.from);
        let part = |keep: &dyn Fn(i64) -> bool| Constraints {
            upper: constraints
                .upper
                .iter()
                .copied()
                .filter(|point| keep(point.0))
                .collect(),
            lower: constraints
                .lower
                .iter()
                .copied()
                .filter(|point| keep(point.0))
                .collect(),
        };
        let (mut before, now) = (part(&|x| x <= until), part(&|x| x >= from));
        if !before.is_empty() {
            before.thin(Rate::from_ppb(config.max_drift_ppb));
            past.windows.push(before);
            // Should they contradict each other, what is newest is right.
            while !past.windows.is_empty() {
                *past = Past::new(config, std::mem::take(&mut past.windows), until);
                if past.envelope.is_some() {
                    break;
                }
                past.windows.remove(0);
            }
        }
        let last = now.upper.iter().map(|point| point.0).max();
        // No I/O that began then is still to be decided.
        if last.is_some_and(|last| last.saturating_sub(config.longest_io_nanos) > from) {
            self.past = None;
        }
        now
    }

    /// Takes the outcome of a vote.
    pub(crate) fn start(&mut self, config: &Config, mut constraints: Constraints) {
        constraints.thin(Rate::from_ppb(config.max_drift_ppb));
        self.windows.clear();
        self.straight = [constraints.clone().straight()].into();
        self.provisional = Some(constraints);
        self.linked = false;
        self.search = Search::Idle;
        self.doubt.until = None;
        self.solve(config);
        self.estimate_drift(config);
    }

    /// Takes bounds that others' traffic gives, at some times: (initiator's clock, lowest, highest).
    pub(crate) fn link(&mut self, config: &Config, bounds: &[(i64, i64, i64)]) {
        let mut constraints = Constraints::default();
        for &(x, low, high) in bounds {
            constraints.add_bounds((x, high), (x, low));
        }
        let search = self.search;
        self.start(config, constraints);
        self.linked = true;
        self.search = search;
    }

    /// One of the two clocks was set: what was known until now holds until one time, and nothing after that.
    pub(crate) fn end(&mut self, config: &Config, until: i64) {
        let windows = self.provisional.take().into_iter().chain(self.windows.drain(..));
        self.past = Some(Past::new(config, windows.collect(), until));
        let checked = self.doubt.checked;
        *self = Self {
            past: self.past.take(),
            from: until.saturating_add(1),
            ..Self::default()
        };
        self.doubt.checked = checked;
    }

    /// What was known before the clock ended; the rest goes.
    pub(crate) fn into_past(self) -> Option<Past> {
        self.past
    }

    /// Follows on another clock, from some time on.
    pub(crate) fn succeed(&mut self, past: Option<Past>, from: i64) {
        self.past = past;
        self.from = from;
    }

    /// What will be known from now on holds from some time on only.
    pub(crate) const fn begin(&mut self, from: i64) {
        self.from = from;
    }

    fn solve(&mut self, config: &Config) {
        self.envelope = envelope_of(config, self.provisional.iter().chain(&self.windows));
        self.cell = Mutex::new(None);
    }

    /// The drift of the lines that fit the newest windows, as many as some line fits.
    fn estimate_drift(&mut self, config: &Config) {
        let band = loop {
            let all = || self.straight.iter();
            let upper = hull::lower_hull(all().flat_map(|window| window.upper.iter().copied()).collect());
            let lower = hull::upper_hull(all().flat_map(|window| window.lower.iter().copied()).collect());
            let band = Band::new(&upper, &lower, config.max_drift_ppb);
            if band.is_some() || self.straight.pop_front().is_none() {
                break band;
            }
        };
        self.drift_ppb = band.map(|band| band.drift_ppb());
    }

    pub(crate) fn state(&self) -> ClockState {
        ClockState {
            windows: self.windows.iter().cloned().collect(),
            straight: self.straight.iter().cloned().collect(),
            provisional: self.provisional.clone(),
            linked: self.linked,
            past: self.past.as_ref().map(|past| (past.until, past.windows.clone())),
            from: (self.from != i64::MIN).then_some(self.from),
            doubt: self.doubt.clone(),
            search: self.search,
        }
    }

    pub(crate) fn restore(config: &Config, state: ClockState) -> Self {
        let mut clock = Self {
            windows: state.windows.into(),
            straight: state.straight.into(),
            provisional: state.provisional,
            linked: state.linked,
            past: state.past.map(|(until, windows)| Past::new(config, windows, until)),
            from: state.from.unwrap_or(i64::MIN),
            doubt: state.doubt,
            search: state.search,
            ..Self::default()
        };
        clock.solve(config);
        clock.estimate_drift(config);
        clock
    }
}

fn envelope_of<'a>(config: &Config, windows: impl Iterator<Item = &'a Constraints> + Clone) -> Option<Envelope> {
    let upper = windows
        .clone()
        .flat_map(|window| window.upper.iter().copied())
        .collect();
    let lower = windows.flat_map(|window| window.lower.iter().copied()).collect();
    Envelope::new(upper, lower, Rate::from_ppb(config.max_drift_ppb))
}

#[cfg(test)]
mod tests;
