//! What percentiles of writes would have been without a storage job.
//!
//! Writes that completed while the job alone ran are taken out, and as many are put in their place as those of the five minutes before and
//! after in which no job ran took, of the same volume, initiator and size: what the ledger ([`crate::ledger`]) holds against each other.
//! So it has everything that the job loads, and whatever else changed at the same time. Of writes of which nothing tells what is usual
//! nothing is changed.
//!
//! It is told of each write: what was added up by ten seconds does not tell how writes beside a job are spread.

use std::collections::BTreeMap;

use fathom_model::cell::{Moments, SizeClass};
use fathom_model::sketch::Sketch;
use fathom_model::{Io, NodeIndex, Op, VolumeIndex};

use super::Percentiles;
use crate::ledger::{Place, Times};

/// What is alike: volume, initiator, size.
type Kind = (VolumeIndex, NodeIndex, SizeClass);

/// Writes of a stretch of time, and those around a job.
#[derive(Clone, Debug)]
pub struct JobAway {
    times: Times,
    job: usize,
    from_unix_nanos: i64,
    all: Sketch,
    kinds: BTreeMap<Kind, Beside>,
}

/// Writes of one kind while the job ran and while none did.
#[derive(Clone, Debug, Default)]
struct Beside {
    during: Spread,
    around: Spread,
}

/// How many, what they took, and how that is spread.
#[derive(Clone, Debug, Default)]
struct Spread {
    moments: Moments,
    shape: Sketch,
}

/// Writes without a job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WithoutJob {
    /// Percentiles as they would have been, to 1 %; none without any write.
    pub percentiles: Option<Percentiles>,
    /// By how much writes would have been shorter, in all; less than nothing where they were no longer than usual.
    pub given_back_nanos: i64,
    /// Writes while it alone ran of which it is known what is usual.
    pub replaced: u64,
    /// Other writes while it alone ran: they are counted as they were.
    pub unknown: u64,
}

impl JobAway {
    /// Of one of some jobs, and of writes from a time on.
    #[must_use]
    pub const fn new(times: Times, job: usize, from_unix_nanos: i64) -> Self {
        Self {
            times,
            job,
            from_unix_nanos,
            all: Sketch::new(),
            kinds: BTreeMap::new(),
        }
    }

    /// The stretch of time that is needed to tell what is usual.
    #[must_use]
    pub fn span(&self) -> Option<(i64, i64)> {
        self.times.span_of(self.job)
    }

    /// Takes an I/O; other operations than writes are not counted.
    pub fn add(&mut self, io: &Io) {
        if io.op != Op::Write {
            return;
        }
        let took = io.event.duration_nanos;
        let is_in = io.event.end_unix_nanos() >= self.from_unix_nanos;
        if is_in {
            self.all.add(took);
        }
        let place = self.times.place(self.job, io.second());
        if let Some(spread) = self.spread((io.volume, io.node, SizeClass::of(io.length)), place, is_in) {
            spread.moments.add(took);
            spread.shape.add(took);
        }
    }

    fn spread(&mut self, kind: Kind, place: Place, is_in: bool) -> Option<&mut Spread> {
        match place {
            Place::During if is_in => Some(&mut self.kinds.entry(kind).or_default().during),
            Place::Around => Some(&mut self.kinds.entry(kind).or_default().around),
            Place::During | Place::Elsewhere => None,
        }
    }

    /// What would have been.
    #[must_use]
    pub fn finish(&self) -> WithoutJob {
        let mut counts: BTreeMap<u64, f64> = BTreeMap::new();
        add_scaled(&mut counts, &self.all, 1.0);
        let (mut given_back, mut replaced, mut unknown) = (0.0, 0, 0);
        for Beside { during, around } in self.kinds.values() {
            let count = during.moments.count;
            if count == 0 || around.moments.count == 0 {
                unknown += count;
                continue;
            }
            replaced += count;
            given_back += during.moments.sum_nanos as f64 - count as f64 * around.moments.mean();
            let each = |shape: &Sketch| count as f64 / shape.count() as f64;
            add_scaled(&mut counts, &during.shape, -each(&during.shape));
            add_scaled(&mut counts, &around.shape, each(&around.shape));
        }
        WithoutJob {
            percentiles: percentiles(&counts),
            given_back_nanos: given_back as i64,
            replaced,
            unknown,
        }
    }
}

/// Adds what a sketch counts, so many times.
fn add_scaled(counts: &mut BTreeMap<u64, f64>, sketch: &Sketch, times: f64) {
    for (nanos, count) in sketch.values() {
        *counts.entry(nanos).or_default() += count as f64 * times;
    }
}

/// Half, 95 % and 99 % by nearest rank; none without any. Where more is taken out of a bin than it has, since what is taken out is spread
/// as a part of it is, it has none.
fn percentiles(counts: &BTreeMap<u64, f64>) -> Option<Percentiles> {
    let total: f64 = counts.values().map(|count| count.max(0.0)).sum();
    if total < 0.5 {
        return None;
    }
    // Sums of parts of counts are off by little: a rank that is reached but for that is reached.
    let ranks = [0.5, 0.95, 0.99].map(|share| (share * total - 1e-6 * total).max(0.0));
    let (mut values, mut at, mut before) = ([0; 3], 0, 0.0);
    for (&nanos, count) in counts.iter().filter(|(_, count)| **count > 0.0) {
        before += count;
        while at < ranks.len() && before >= ranks[at] {
            values[at] = nanos;
            at += 1;
        }
    }
    Some(values)
}
