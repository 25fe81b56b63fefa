//! The first alignment, from nothing: which offset do most pairs of events with equal keys agree on?
//!
//! Every (leg, service) pair with the same key is a candidate and allows an interval of offsets. True pairs agree on one line of
//! offset and drift; pairs of events that do not belong together are spread over the whole stretch. The vote finds the line that
//! passes through most intervals, and accepts it only when so many agreeing by chance is out of the question.

use serde::{Deserialize, Serialize};

use super::{Constraints, Point};
use crate::config::Config;

mod rivals;

/// A leg (initiator's clock) and a service (far clock) with equal keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Candidate {
    pub(crate) outer: (i64, i64),
    pub(crate) inner: (i64, i64),
    pub(crate) start_slack: i64,
    pub(crate) end_slack: i64,
}

impl Candidate {
    fn high(&self) -> i64 {
        self.inner.0 - self.outer.0 + self.start_slack
    }

    fn low(&self) -> i64 {
        self.inner.1 - self.outer.1 - self.end_slack
    }

    fn point(&self) -> Point {
        (self.outer.0 / 2 + self.outer.1 / 2, self.low() / 2 + self.high() / 2)
    }
}

/// A line of offset and drift.
#[derive(Clone, Copy, Debug)]
struct Line {
    /// Where on the initiator's clock it has its offset.
    middle: i64,
    offset: i64,
    ppb: i64,
}

impl Line {
    fn at(&self, x: i64) -> i64 {
        self.offset + drifted(x - self.middle, self.ppb)
    }

    /// How far from the line, from one distance to another, a pair has it.
    fn distances(&self, pair: &Candidate) -> (i64, i64) {
        let here = self.at(pair.point().0);
        (pair.low() - here, pair.high() - here)
    }

    fn holds(&self, pair: &Candidate) -> bool {
        let (low, high) = self.distances(pair);
        low <= 0 && high >= 0
    }
}

/// The fine search looks at no more candidates than this, spread evenly.
const FINE_SAMPLE: usize = 1024;

/// A vote is accepted when chance would give as many agreeing pairs less often than this.
const CHANCE: f64 = 1e-6;

/// Finds the offset that the candidates agree on; `None` when chance could explain it.
pub(crate) fn vote(config: &Config, mut candidates: Vec<Candidate>) -> Option<Constraints> {
    candidates.retain(|pair| pair.low() <= pair.high() && pair.point().1.abs() <= config.max_offset_nanos);
    candidates.sort_unstable_by_key(|pair| (pair.outer, pair.inner));
    let (first, last) = (candidates.first()?.outer.0, candidates.last()?.outer.0);
    let middle = first / 2 + last / 2;
    let smear = (last - first) / 2 * config.max_drift_ppb / 1_000_000_000;

    // Coarse: intervals widened by what drift could do over the stretch.
    let coarse: Vec<_> = candidates
        .iter()
        .map(|pair| (pair.low() - smear, pair.high() + smear))
        .collect();
    let (peak, _) = busiest(&coarse)?;
    let near = |pair: &Candidate| (pair.low() - smear..=pair.high() + smear).contains(&peak);
    let close: Vec<Candidate> = candidates.iter().copied().filter(near).collect();

    // Fine: the same with the drift undone, for every drift that could matter.
    let mut widths: Vec<i64> = close.iter().map(|pair| pair.high() - pair.low()).collect();
    widths.sort_unstable();
    let width = (*widths.get(widths.len() / 2)?).max(1_000);
    let step = close.len().div_ceil(FINE_SAMPLE);
    let sample: Vec<&Candidate> = close.iter().step_by(step).collect();
    let ppb_step = (i128::from(width) * 500_000_000 / i128::from((last - first).max(1))).clamp(1_000, 100_000) as i64;
    let mut best = (0, 0, 0);
    let mut ppb = -config.max_drift_ppb;
    while ppb <= config.max_drift_ppb {
        let undone: Vec<_> = sample
            .iter()
            .map(|pair| {
                let shift = drifted(pair.point().0 - middle, ppb);
                (pair.low() - shift, pair.high() - shift)
            })
            .collect();
        if let Some((offset, count)) = busiest(&undone)
            && count > best.0
        {
            best = (count, offset, ppb);
        }
        ppb += ppb_step;
    }
    let (_, offset, ppb) = best;
    let line = Line { middle, offset, ppb };
    let agreeing: Vec<&Candidate> = close.iter().filter(|pair| line.holds(pair)).collect();

    // How likely is it that as many requests meet in one place by chance? Two services of one request there are one request.
    let offsets = candidates.iter().map(|pair| pair.point().1);
    let spread = offsets.clone().max()? - offsets.min()?;
    let range = spread.max(last - first).max(config.window_nanos);
    let places = range as f64 / width as f64;
    let mean = candidates.len() as f64 / places;
    let requests = agreeing.chunk_by(|a, b| a.outer == b.outer).count();
    let enough = beyond_chance(requests, mean, places)?;
    // Some that agree do not belong together, and would bound the truth out. But a pair that does holds both the truth and the
    // line found, so that they are no further apart than it is wide, and more than half of those that agree belong together.
    let mut widths: Vec<i64> = agreeing.iter().map(|pair| pair.high() - pair.low()).collect();
    widths.sort_unstable();
    // The line is straight and the truth need not be: the best line through a bend in its middle is an eighth of the bend off, over
    // the whole stretch. Two fifths of the most that clocks drift apart is as much as a drift changes at once (200 ppm).
    let bend = (last - first) / 20 * config.max_drift_ppb / 1_000_000_000;
    let median = widths[widths.len() / 2];
    let margin = median.saturating_add(median.max(bend));
    if rivals::has_rival(&candidates, &line, margin, enough) {
        return None;
    }
    let mut constraints = Constraints::default();
    for pair in agreeing {
        let high = pair.high().max(line.at(pair.outer.0) + margin);
        let low = pair.low().min(line.at(pair.outer.1) - margin);
        constraints.add_bounds((pair.outer.0, high), (pair.outer.1, low));
    }
    Some(constraints)
}

fn drifted(distance: i64, ppb: i64) -> i64 {
    (i128::from(distance) * i128::from(ppb) / 1_000_000_000) as i64
}

/// The value that most intervals hold (the middle of the first such stretch), and how many.
fn busiest(intervals: &[(i64, i64)]) -> Option<(i64, usize)> {
    let mut edges: Vec<(i64, i32)> = Vec::with_capacity(intervals.len() * 2);
    for &(low, high) in intervals {
        edges.push((low, -1));
        edges.push((high, 1));
    }
    // Openings sort before closings at the same place: intervals are closed.
    edges.sort_unstable();
    let (mut open, mut best, mut place) = (0_usize, 0, None);
    for (at, &(value, kind)) in edges.iter().enumerate() {
        if kind < 0 {
            open += 1;
            if open > best {
                best = open;
                place = Some((value, edges[at + 1].0));
            }
        } else {
            open -= 1;
        }
    }
    place.map(|(from, to)| (from / 2 + to / 2, best))
}

/// How many that agree are more than chance gives, when each of `places` gets `mean` candidates on average; `None` where it is more
/// than there are.
fn beyond_chance(agreeing: usize, mean: f64, places: f64) -> Option<usize> {
    // P(at least n) of a Poisson count is below mean^n / n!; a count twice the mean and more falls fast enough.
    let mut chance = places;
    (1..=agreeing).find(|&n| {
        chance *= mean / n as f64;
        n as f64 >= 2.0 * mean && chance < CHANCE
    })
}
