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

mod envelope;
mod hull;
pub(crate) mod vote;

use envelope::{Envelope, Rate};
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

    pub(crate) fn is_empty(&self) -> bool {
        self.upper.is_empty()
    }

    /// Adds upper and lower points.
    pub(crate) fn extend(&mut self, upper: Vec<Point>, lower: Vec<Point>) {
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

/// Bounds are reckoned at multiples of this many (as a power of two) nanoseconds, 8.4 ms, and between them by the fastest drift
/// from the nearer ones: at most 2 us wider than there is.
const GRID_BITS: u32 = 23;

/// The bounds on one stretch of the grid: at its start and at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    number: i64,
    low: (i64, i64),
    high: (i64, i64),
    rate: Rate,
}

impl Cell {
    /// The stretch of the grid that holds a time.
    pub(crate) const fn number_of(x: i64) -> i64 {
        x >> GRID_BITS
    }

    /// Lowest and highest offset at a time of this stretch.
    pub(crate) fn at(&self, x: i64) -> (i64, i64) {
        let along = x - (self.number << GRID_BITS);
        let (since, until) = (self.rate.over(along), self.rate.over((1 << GRID_BITS) - along));
        (
            (self.low.0 - since).max(self.low.1 - until),
            (self.high.0 + since).min(self.high.1 + until),
        )
    }
}

/// What is known about one far node's clock against one initiator's.
#[derive(Debug, Default)]
pub(crate) struct PairClock {
    /// The stretch of the grid that was asked for last: the next question is mostly about the same.
    cell: Mutex<Option<Cell>>,
    /// Constraints of the last windows, oldest first.
    windows: VecDeque<Constraints>,
    /// What a vote gave; in force until a window has constraints of its own.
    provisional: Option<Constraints>,
    envelope: Option<Envelope>,
    /// Straight bounds of more windows, for an estimate of the drift.
    straight: VecDeque<Constraints>,
    drift_ppb: Option<i64>,
    pub(crate) search: Search,
}

/// Where the search for a first alignment stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Search {
    /// Nobody needed this pair yet.
    #[default]
    Idle,
    /// Votes are held over ever longer stretches from `base`; windows wait.
    Waiting {
        /// Start of the first window that needed the pair.
        base: i64,
        /// Which vote comes next.
        attempt: u32,
    },
    /// The hold bound has passed: votes go on, nobody waits.
    GivenUp,
}

/// What a commit keeps of a pair's clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockState {
    windows: Vec<Constraints>,
    #[serde(default)]
    straight: Vec<Constraints>,
    provisional: Option<Constraints>,
    search: Search,
}

impl PairClock {
    /// Whether anything is known.
    pub(crate) const fn is_aligned(&self) -> bool {
        self.envelope.is_some()
    }

    /// Lowest and highest possible offset when the initiator's clock shows `x`.
    pub(crate) fn bounds(&self, config: &Config, x: i64) -> Option<(i64, i64)> {
        let number = Cell::number_of(x);
        let mut last = self.cell.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|cell| cell.number != number) {
            *last = Some(self.cells(config, number, number)?[0]);
        }
        last.map(|cell| cell.at(x))
    }

    /// The bounds on stretches of the grid, from one to another and with it.
    pub(crate) fn cells(&self, config: &Config, first: i64, last: i64) -> Option<Vec<Cell>> {
        let envelope = self.envelope.as_ref()?;
        let at = |number: i64| envelope.at(number.saturating_mul(1 << GRID_BITS));
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
    pub(crate) fn learn(&mut self, config: &Config, mut constraints: Constraints) {
        if constraints.is_empty() {
            return;
        }
        constraints.thin(Rate::from_ppb(config.max_drift_ppb));
        self.provisional = None;
        self.straight.push_back(constraints.clone().straight());
        while self.straight.len() > config.horizon_windows {
            self.straight.pop_front();
        }
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

    /// Takes the outcome of a vote.
    pub(crate) fn start(&mut self, config: &Config, mut constraints: Constraints) {
        constraints.thin(Rate::from_ppb(config.max_drift_ppb));
        self.windows.clear();
        self.straight = [constraints.clone().straight()].into();
        self.provisional = Some(constraints);
        self.search = Search::Idle;
        self.solve(config);
        self.estimate_drift(config);
    }

    fn solve(&mut self, config: &Config) {
        let all = || self.provisional.iter().chain(&self.windows);
        let upper = all().flat_map(|window| window.upper.iter().copied()).collect();
        let lower = all().flat_map(|window| window.lower.iter().copied()).collect();
        self.envelope = Envelope::new(upper, lower, Rate::from_ppb(config.max_drift_ppb));
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
            search: self.search,
        }
    }

    pub(crate) fn restore(config: &Config, state: ClockState) -> Self {
        let mut clock = Self {
            cell: Mutex::new(None),
            windows: state.windows.into(),
            provisional: state.provisional,
            envelope: None,
            straight: state.straight.into(),
            drift_ppb: None,
            search: state.search,
        };
        clock.solve(config);
        clock.estimate_drift(config);
        clock
    }
}

#[cfg(test)]
mod tests;
