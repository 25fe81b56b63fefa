//! What a way without an equal took before: the one between two nodes, of which both directions share the wire.
//!
//! Nothing at the same time tells whether such a one is worse, so each of its requests is held against its own of the same size class
//! before. What is found is left out of that past, and so is what is too young to have been looked at. More load slows all, and so does
//! what is felt elsewhere too: neither is its own doing ([`Past::is_its_own`]).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fathom_model::NodeIndex;

use super::tally::{MARGINS, margin_nanos};
use crate::blame::Suspect;
use crate::spread::Spread;

/// Seconds that are too young to be a past: what began in them may not have been found yet.
const YOUNG: i64 = 5;

/// Fewer values of a size class are no past.
const ENOUGH: u64 = 400;

/// So many values, and the older ones count half.
const MANY: u64 = 1 << 18;

/// It has to have risen by this multiple of what the rest of its writes did.
const ITS_OWN: f64 = 1.5;

/// More writes a second than this multiple of before are load.
const SAME_LOAD: f64 = 1.5;

/// Size classes are powers of two.
const fn class(length: u64) -> u32 {
    let length = if length == 0 { 1 } else { length };
    length.ilog2()
}

/// What one without an equal took before, in one size class.
#[derive(Clone, Debug)]
pub(super) struct Before {
    /// The middle.
    pub(super) usual_nanos: u64,
    /// Which share took longer than that by each margin or more.
    rates: [f64; MARGINS],
    /// On average: beyond the middle, in all, and what was left of the write.
    beyond_nanos: f64,
    own_nanos: f64,
    rest_nanos: f64,
    values: u64,
}

/// Values of one size class.
#[derive(Clone, Debug, Default)]
struct Values {
    spread: Spread,
    count: u64,
    own_nanos: f64,
    rest_nanos: f64,
}

impl Values {
    fn take(&mut self, other: &Self) {
        self.spread.take(&other.spread);
        self.count += other.count;
        self.own_nanos += other.own_nanos;
        self.rest_nanos += other.rest_nanos;
    }

    fn halve(&mut self) {
        self.spread.halve();
        self.count /= 2;
        self.own_nanos /= 2.0;
        self.rest_nanos /= 2.0;
    }

    fn before(&self) -> Option<Before> {
        let count = (self.count >= ENOUGH).then_some(self.count as f64)?;
        let usual_nanos = self.spread.middle();
        let mut rates = [0.0; MARGINS];
        let mut beyond_nanos = 0.0;
        for (nanos, times) in self.spread.durations() {
            let beyond = nanos.saturating_sub(usual_nanos);
            beyond_nanos += beyond as f64 * f64::from(times);
            for (margin, rate) in rates.iter_mut().enumerate() {
                *rate += if beyond >= margin_nanos(margin) {
                    f64::from(times)
                } else {
                    0.0
                };
            }
        }
        Some(Before {
            usual_nanos,
            rates: rates.map(|times| times / count),
            beyond_nanos: beyond_nanos / count,
            own_nanos: self.own_nanos / count,
            rest_nanos: self.rest_nanos / count,
            values: self.count,
        })
    }
}

#[derive(Clone, Debug, Default)]
struct OfClass {
    old: Values,
    young: VecDeque<(i64, Values)>,
    before: Option<Before>,
}

/// How many writes a second there were.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    writes: f64,
    seconds: f64,
}

/// The pasts of all suspects that have no equal.
#[derive(Clone, Debug, Default)]
pub(super) struct Pasts {
    /// Ways that were met, as far as it takes to know that there is more than one wire.
    ways: BTreeSet<(NodeIndex, NodeIndex)>,
    classes: BTreeMap<(Suspect, u32), OfClass>,
    loads: BTreeMap<Suspect, Load>,
}

impl Pasts {
    /// Whether a suspect, which is met by this, has no equal as far as is known.
    pub(super) fn is_alone(&mut self, suspect: Suspect) -> bool {
        let Suspect::Link { node, peer } = suspect else {
            return false;
        };
        if self.ways.len() <= 2 {
            self.ways.insert((node, peer));
        }
        self.ways.iter().all(|&way| way == (node, peer) || way == (peer, node))
    }

    /// What it took before for requests of that length.
    pub(super) fn before(&self, suspect: Suspect, length: u64) -> Option<&Before> {
        self.classes.get(&(suspect, class(length)))?.before.as_ref()
    }

    /// Takes what it took of a write in a second, and what the rest of the write took.
    pub(super) fn note(&mut self, suspect: Suspect, length: u64, second: i64, (own, rest): (u64, u64)) {
        let of_class = self.classes.entry((suspect, class(length))).or_default();
        if of_class.young.back().is_none_or(|&(newest, _)| newest < second) {
            of_class.young.push_back((second, Values::default()));
        }
        if let Some((_, values)) = of_class.young.back_mut() {
            values.spread.add(own);
            values.count += 1;
            values.own_nanos += own as f64;
            values.rest_nanos += rest as f64;
        }
    }

    /// What is old enough by a second becomes past, but for what is found.
    pub(super) fn settle(&mut self, second: i64, is_found: impl Fn(Suspect) -> bool) {
        let mut settled: BTreeMap<Suspect, (BTreeSet<i64>, u64)> = BTreeMap::new();
        for (&(suspect, _), of_class) in &mut self.classes {
            let mut changed = false;
            while let Some((young, values)) = of_class.young.pop_front_if(|(young, _)| *young + YOUNG <= second) {
                if is_found(suspect) {
                    continue;
                }
                of_class.old.take(&values);
                changed = true;
                let (seconds, writes) = settled.entry(suspect).or_default();
                seconds.insert(young);
                *writes += values.count;
            }
            if of_class.old.count > MANY {
                of_class.old.halve();
            }
            if changed {
                of_class.before = of_class.old.before();
            }
        }
        for (suspect, (seconds, writes)) in settled {
            let load = self.loads.entry(suspect).or_default();
            load.writes += writes as f64;
            load.seconds += seconds.len() as f64;
        }
    }

    /// Whether so many writes a second are no more load than before.
    pub(super) fn is_same_load(&self, suspect: Suspect, writes_a_second: f64) -> bool {
        let load = self.loads.get(&suspect).filter(|load| load.seconds > 0.0);
        load.is_some_and(|load| writes_a_second <= SAME_LOAD * load.writes / load.seconds)
    }
}

/// What writes of a stretch would have been by their suspect's past.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    /// Writes that there is a past for.
    pub(super) writes: u32,
    /// How often they would have been beyond each margin or more.
    pub(super) expected: [f64; MARGINS],
    /// What they would have been beyond the middle in all.
    pub(super) expected_nanos: f64,
    /// How many values that was drawn from, on average over the writes in all.
    values: f64,
    own: Rise,
    rest: Rise,
}

/// A sum now, and what it would have been before.
#[derive(Clone, Copy, Debug, Default)]
struct Rise {
    now: f64,
    before: f64,
}

impl Rise {
    fn multiple(self) -> f64 {
        self.now / self.before.max(1.0)
    }
}

impl Past {
    pub(super) fn add(&mut self, before: &Before, own_nanos: u64, rest_nanos: u64) {
        self.sum(
            1.0,
            &Self {
                writes: 1,
                expected: before.rates,
                expected_nanos: before.beyond_nanos,
                values: before.values as f64,
                own: Rise {
                    now: own_nanos as f64,
                    before: before.own_nanos,
                },
                rest: Rise {
                    now: rest_nanos as f64,
                    before: before.rest_nanos,
                },
            },
        );
    }

    pub(super) fn take(&mut self, other: &Self) {
        self.sum(1.0, other);
    }

    pub(super) fn give_back(&mut self, other: &Self) {
        self.sum(-1.0, other);
    }

    fn sum(&mut self, sign: f64, other: &Self) {
        self.writes = if sign > 0.0 {
            self.writes + other.writes
        } else {
            self.writes - other.writes
        };
        for (own, theirs) in self.expected.iter_mut().zip(&other.expected) {
            *own += sign * theirs;
        }
        self.expected_nanos += sign * other.expected_nanos;
        self.values += sign * other.values;
        for (own, theirs) in [(&mut self.own, other.own), (&mut self.rest, other.rest)] {
            own.now += sign * theirs.now;
            own.before += sign * theirs.before;
        }
    }

    /// How many values a write's past was drawn from.
    pub(super) fn values(&self) -> f64 {
        self.values / f64::from(self.writes.max(1))
    }

    /// Whether it rose by more than the rest of the writes did: what all share is nobody's.
    pub(super) fn is_its_own(&self) -> bool {
        self.own.multiple() >= ITS_OWN * self.rest.multiple().max(1.0)
    }
}

#[cfg(test)]
mod tests;
