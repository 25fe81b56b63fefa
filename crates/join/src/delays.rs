//! How long the steps of a leg take, learnt from legs that could be no other's: what tells apart those that could.
//!
//! A leg leaves its write after a while, reaches the drive after another, and comes back. How long each of these takes is not
//! assumed but counted, a histogram a step, and read as a density that makes no claim about its shape. Where too little was
//! counted nothing is said, so that what rests on it stays open.
//!
//! # Steps
//!
//! | step | from | to |
//! |---|---|---|
//! | `First` | the write's start | the start of its first copy that is seen |
//! | `Gap` | the start of a copy | the start of the next one that is seen |
//! | `Last` | the end of the last copy | the write's end |
//! | `In` | an outer tap's start | an inner tap's start on the same clock |
//! | `Out` | an inner tap's end | the outer tap's end on the same clock |
//! | `Ways` | both of these together, of two clocks: what of the outer tap's duration is not the inner one's |
//! | `Lean` | by how much the way in is longer than half of both, beside what is usual at that moment |
//!
//! Where two clocks are between, ways in and out are known only as well as the clocks, but both together exactly. By how much the
//! way in seems longer than the way out is the same for all that cross at about the same time, whatever it is made of: it is
//! followed through a window, and only what deviates from it counts ([`Usual`]).

use std::collections::BTreeMap;
use std::sync::OnceLock;

use fathom_model::{NodeIndex, Op, Tap};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

mod passed;

pub(crate) use passed::{Passed, Sight};

/// With fewer samples than this nothing is concluded from a histogram.
const ENOUGH: u32 = 64;

/// When a window alone has so many samples of a step, older ones count an eighth: the bounds of clocks move as they tighten, and
/// their middle with them.
const PLENTY: u32 = 256;

/// Of more samples than this half are forgotten.
const MOST: u32 = 1 << 16;

/// The smallest difference that is told apart, in nanoseconds, as a power of two.
const UNIT_BITS: u32 = 7;

/// Bins an octave, as a power of two.
const FINE_BITS: u32 = 3;

/// Bins of each sign: from the unit to 2^36 ns, a minute.
const HALF: usize = ((36 - UNIT_BITS as usize) << FINE_BITS) + (1 << FINE_BITS);

/// A step of a leg, as far as steps differ in how long they take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Which it is.
    pub(crate) kind: Kind,
    /// The far node; for what happens at the initiator itself 0.
    pub(crate) node: u32,
    /// What else it depends on: see [`Step::first`] and the others.
    pub(crate) detail: u32,
}

/// The kinds of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    First,
    Gap,
    Last,
    In,
    Out,
    Ways,
    Lean,
}

/// What is asked of a copy. How long that takes goes with it, and with its size: requests of about one size have histograms of
/// their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) op: Op,
    pub(crate) length: u64,
}

impl Asked {
    const fn code(self) -> u32 {
        let op = match self.op {
            Op::Read => 0,
            Op::Write => 1,
            Op::Flush => 2,
            Op::Unmap => 3,
        };
        (op << 6) | (63 - (self.length | 1).leading_zeros())
    }
}

/// A copy as others see its start: its number, whether it is local, and the tap that shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) copy: u32,
    pub(crate) local: bool,
    pub(crate) tap: Tap,
}

impl Shown {
    const fn code(self) -> u32 {
        // Copies beyond the eighth share.
        let copy = if self.copy < 7 { self.copy } else { 7 };
        (copy << 3) | ((self.local as u32) << 2) | tap_code(self.tap)
    }
}

const fn tap_code(tap: Tap) -> u32 {
    match tap {
        Tap::Initiator => 1,
        Tap::Target => 2,
        Tap::Device => 3,
        _ => 0,
    }
}

impl Step {
    pub(crate) const fn first(to: Shown, asked: Asked) -> Self {
        Self {
            kind: Kind::First,
            node: 0,
            detail: (asked.code() << 12) | to.code(),
        }
    }

    /// `part` says whether both are copies of one part.
    pub(crate) const fn gap(from: Shown, to: Shown, same_part: bool, asked: Asked) -> Self {
        Self {
            kind: Kind::Gap,
            node: 0,
            detail: (asked.code() << 16) | ((same_part as u32) << 12) | (from.code() << 6) | to.code(),
        }
    }

    /// After a copy that is local or not, shown by a tap.
    pub(crate) const fn last(of: Shown) -> Self {
        let Shown { local, tap, .. } = of;
        Self {
            kind: Kind::Last,
            node: 0,
            detail: Shown { copy: 0, local, tap }.code(),
        }
    }

    pub(crate) const fn inwards(node: NodeIndex, outer: Tap, inner: Tap, asked: Asked) -> Self {
        Self {
            kind: Kind::In,
            node: node.0,
            detail: (asked.code() << 12) | (tap_code(outer) << 2) | tap_code(inner),
        }
    }

    const fn of_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }
}

/// A way between two clocks, by node, taps and what is asked: the [`Step`] of its [`Kind::Lean`].
type Crossing = Step;

/// What is usual of a [`Crossing`] in a window, as it goes through time: (time, lean), a straight line between.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usual {
    leans: FxHashMap<Crossing, Vec<(i64, i64)>>,
}

/// A window is cut into so many stretches to follow what is usual.
const STRETCHES: usize = 8;

/// What is usual in a stretch is the median of at least so many.
const MEDIAN_OF: usize = 32;

impl Usual {
    fn of(&self, crossing: Crossing, x: i64) -> Option<i64> {
        let line = self.leans.get(&crossing)?;
        let after = line.partition_point(|&(at, _)| at <= x);
        let (Some(&(from, low)), Some(&(until, high))) = (line.get(after.wrapping_sub(1)), line.get(after)) else {
            // Before the first and after the last it stays as it is there.
            return line.get(after.min(line.len() - 1)).map(|&(_, lean)| lean);
        };
        let part = i128::from(high - low) * i128::from(x - from) / i128::from((until - from).max(1));
        Some(low + part as i64)
    }

    /// Follows the leans of one crossing; nothing where there are too few.
    fn follow(&mut self, crossing: Crossing, samples: &mut [(i64, i64)]) {
        if samples.len() < ENOUGH as usize {
            return;
        }
        samples.sort_unstable();
        let width = samples.len().div_ceil(STRETCHES).max(MEDIAN_OF);
        let mut line: Vec<(i64, i64)> = Vec::new();
        for stretch in samples.chunks(width).filter(|stretch| stretch.len() >= MEDIAN_OF) {
            let mut leans: Vec<i64> = stretch.iter().map(|&(_, lean)| lean).collect();
            leans.sort_unstable();
            line.push((stretch[stretch.len() / 2].0, leans[leans.len() / 2]));
        }
        self.leans.insert(crossing, line);
    }
}

/// What one initiator has learnt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delays {
    /// Each step's histogram, in the order of steps.
    steps: Vec<(Step, Histogram)>,
}

/// Samples of one window, in no order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples {
    steps: FxHashMap<Step, Histogram>,
    /// (time, lean)
    leans: FxHashMap<Crossing, Vec<(i64, i64)>>,
}

impl Samples {
    pub(crate) fn add(&mut self, step: Step, nanos: i64) {
        self.steps.entry(step).or_default().add(nanos, 1);
    }

    /// Takes in those of others.
    pub(crate) fn merge(&mut self, others: Self) {
        for (step, histogram) in others.steps {
            let own = self.steps.entry(step).or_default();
            histogram.bins.iter().for_each(|&(bin, count)| own.add_bin(bin, count));
        }
        for (crossing, mut leans) in others.leans {
            self.leans.entry(crossing).or_default().append(&mut leans);
        }
    }
}

impl Delays {
    /// Takes in what a window has shown, and what is usual in it.
    pub(crate) fn learn(&mut self, mut samples: Samples, usual: &mut Usual) {
        for (crossing, mut leans) in std::mem::take(&mut samples.leans) {
            usual.follow(crossing, &mut leans);
            for (x, lean) in leans {
                if let Some(usual) = usual.of(crossing, x) {
                    samples.add(crossing, lean - usual);
                }
            }
        }
        for (step, new) in &samples.steps {
            let at = match self.steps.binary_search_by_key(step, |(step, _)| *step) {
                Ok(at) => at,
                Err(at) => {
                    self.steps.insert(at, (*step, Histogram::default()));
                    at
                }
            };
            let known = &mut self.steps[at].1;
            if new.total() >= PLENTY {
                known.shrink(8);
            } else if known.total() > MOST {
                known.shrink(2);
            }
            new.bins.iter().for_each(|&(bin, count)| known.add_bin(bin, count));
        }
    }

    /// Whether too little is known of a step that samples have, or of what is usual in their window.
    pub(crate) fn lacks_any(&self, samples: &Samples, usual: &Usual) -> bool {
        let lacks = |step: &Step| self.total(*step) < ENOUGH;
        samples.steps.keys().any(lacks) || samples.leans.keys().any(|crossing| !usual.leans.contains_key(crossing))
    }

    /// Leaves of samples those of which too little is known.
    pub(crate) fn only_lacking(&self, samples: &mut Samples, usual: &Usual) {
        samples.steps.retain(|step, _| self.total(*step) < ENOUGH);
        samples.leans.retain(|crossing, _| !usual.leans.contains_key(crossing));
    }

    fn total(&self, step: Step) -> u32 {
        let at = self.steps.binary_search_by_key(&step, |(step, _)| *step);
        at.map_or(0, |at| self.steps[at].1.total())
    }

    /// Made ready for questions.
    pub(crate) fn densities(&self) -> Densities {
        let steps = self.steps.iter().map(|(step, histogram)| {
            let density = Density {
                counted: histogram.clone(),
                logs: OnceLock::new(),
            };
            (*step, density)
        });
        Densities { steps: steps.collect() }
    }

    /// The same with nodes renamed; nodes without a new name are left out.
    pub(crate) fn with_nodes(self, rename: impl Fn(u32) -> Option<u32>) -> Self {
        let mut steps: Vec<_> = self
            .steps
            .into_iter()
            .filter_map(|(mut step, histogram)| {
                if matches!(step.kind, Kind::In | Kind::Out | Kind::Ways | Kind::Lean) {
                    step.node = rename(step.node)?;
                }
                Some((step, histogram))
            })
            .collect();
        steps.sort_by_key(|(step, _)| *step);
        Self { steps }
    }
}

/// How often each duration was met: (bin, count), in the order of bins.
///
/// Bins are of both signs, 128 ns wide around 0 and an eighth of an octave further out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Histogram {
    bins: Vec<(u16, u32)>,
}

impl Histogram {
    fn add(&mut self, nanos: i64, count: u32) {
        self.add_bin(bin(nanos), count);
    }

    fn add_bin(&mut self, bin: u16, count: u32) {
        match self.bins.binary_search_by_key(&bin, |&(bin, _)| bin) {
            Ok(at) => self.bins[at].1 = self.bins[at].1.saturating_add(count),
            Err(at) => self.bins.insert(at, (bin, count)),
        }
    }

    fn total(&self) -> u32 {
        self.bins.iter().fold(0, |sum, &(_, count)| sum.saturating_add(count))
    }

    fn shrink(&mut self, by: u32) {
        self.bins.iter_mut().for_each(|(_, count)| *count /= by);
        self.bins.retain(|&(_, count)| count > 0);
    }

    /// The density as its logarithm (a nanosecond), a bin; `None` where too little was counted.
    ///
    /// Around each bin as many neighbours are taken together as hold a fair number of samples, but none further off than half of
    /// the samples lie from one another, so that there are no holes in the middle. Beside that one sample more is spread over
    /// all durations, the thinner the further out: nothing that was never met is impossible, and it is the less likely the more
    /// often it was not met.
    fn density(&self) -> Option<Vec<f64>> {
        let total = self.total();
        if total < ENOUGH {
            return None;
        }
        let mut counts = vec![0.0; 2 * HALF + 1];
        for &(bin, count) in &self.bins {
            if let Some(place) = counts.get_mut(usize::from(bin)) {
                *place = f64::from(count);
            }
        }
        let mut up_to = Vec::with_capacity(counts.len() + 1);
        up_to.push(0.0);
        for count in &counts {
            up_to.push(up_to[up_to.len() - 1] + count);
        }
        let all = f64::from(total) + 1.0;
        let last = counts.len() - 1;
        let quantile = |part: f64| {
            let at = up_to.partition_point(|&sum| sum < part * f64::from(total));
            centre(at.saturating_sub(1).min(last))
        };
        let (median, middle_half) = (quantile(0.5), (quantile(0.75) - quantile(0.25)).max(1000.0));
        let fair = f64::from((total / 64).clamp(8, 32));
        let density = |at: usize| {
            let here = centre(at);
            let (mut low, mut high) = (at, at);
            loop {
                let inside: f64 = up_to[high + 1] - up_to[low];
                let width = edge(high + 1) - edge(low);
                if inside >= fair || width >= middle_half / 2.0 || (low == 0 && high == last) {
                    let anywhere = 0.5 / ((here - median).abs() + middle_half);
                    return libm::log((inside / width + anywhere) / all);
                }
                low = low.saturating_sub(1);
                high = (high + 1).min(last);
            }
        };
        Some((0..counts.len()).map(density).collect())
    }
}

/// The bin of a duration.
fn bin(nanos: i64) -> u16 {
    let units = nanos.unsigned_abs() >> UNIT_BITS;
    let fine = 1_u64 << FINE_BITS;
    let distance = if units < fine {
        units as usize
    } else {
        let octave = 63 - units.leading_zeros() - FINE_BITS;
        (((octave as usize) + 1) << FINE_BITS) + ((units >> octave) & (fine - 1)) as usize
    };
    let distance = distance.min(HALF);
    let bin = if nanos < 0 { HALF - distance } else { HALF + distance };
    bin as u16
}

/// Where a bin begins, in nanoseconds; the bin of 0 has both signs.
fn edge(bin: usize) -> f64 {
    let start = |distance: usize| {
        let fine = 1_usize << FINE_BITS;
        let units = if distance < fine {
            distance as f64
        } else {
            let octave = (distance >> FINE_BITS) - 1;
            ((fine + (distance & (fine - 1))) as f64) * (1_u64 << octave) as f64
        };
        units * f64::from(1_u32 << UNIT_BITS)
    };
    if bin > HALF {
        start(bin - HALF)
    } else {
        -start(HALF - bin + 1)
    }
}

fn centre(bin: usize) -> f64 {
    f64::midpoint(edge(bin), edge(bin + 1))
}

/// What was learnt, ready for questions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Densities {
    steps: BTreeMap<Step, Density>,
}

/// Reckoned when somebody asks: nearly nobody asks about all steps of all initiators.
#[derive(Clone, Debug)]
struct Density {
    counted: Histogram,
    /// A bin each; `None` where too little was counted.
    logs: OnceLock<Option<Vec<f64>>>,
}

impl Density {
    fn logs(&self) -> Option<&[f64]> {
        self.logs.get_or_init(|| self.counted.density()).as_deref()
    }
}

impl Densities {
    /// How likely it is that what passed from an outer tap to an inner one took so long: see [`Self::log`].
    pub(crate) fn of_passing(&self, passed: &Passed, usual: &Usual) -> f64 {
        if !passed.crosses {
            return self.log(passed.step, passed.inwards) + self.log(passed.step.of_kind(Kind::Out), passed.outwards);
        }
        let crossing = passed.step.of_kind(Kind::Lean);
        let lean = match usual.of(crossing, passed.at) {
            Some(usual) => self.log(crossing, passed.lean().saturating_sub(usual)),
            None => 0.0,
        };
        self.log(passed.step.of_kind(Kind::Ways), passed.ways()) + lean
    }

    /// How likely it is that a step takes so long: the logarithm of the density, which means something beside others of the
    /// same step. 0, the same for all, where nothing is known.
    pub(crate) fn log(&self, step: Step, nanos: i64) -> f64 {
        match self.steps.get(&step).and_then(Density::logs) {
            Some(bins) => bins[usize::from(bin(nanos)).min(bins.len() - 1)],
            None => 0.0,
        }
    }
}

#[cfg(test)]
mod tests;
