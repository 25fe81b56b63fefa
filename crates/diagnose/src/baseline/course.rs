//! Whether what is usual has changed: all at once, or day by day.
//!
//! # The test
//!
//! The hours of a subject are held against each other, each less what is usual at its time of the day, so that days and nights are no
//! change. Where they are best cut in two, with a day of hours on either side at least, is found by Pettitt's statistic of ranks; over all
//! subjects that are asked about, the false discovery rate is held at 5 %; and the middle has to differ by a quarter. What passes is a
//! *step* from that hour on, or a *drift* where a line (Theil and Sen's) fits by a fifth better than two levels do.
//!
//! # What it is not
//!
//! Hours follow each other and are not independent, which the test takes them for: that is why a quarter is asked for and not a tenth as
//! by [`crate::compare`]. What changed with something that happened within the last day is told by [`crate::dated`].

use std::collections::BTreeMap;

use fathom_model::baseline::{Place, Share, Subject};

use super::{HOUR_NANOS, Past, Pasts};
use crate::compare::ranks::adjusted;
use crate::compare::{RATE, ratio};
use crate::dated::{About, Event};

/// So many hours are needed on either side.
const A_SIDE: usize = 24;

/// Less than this is no change.
const CHANGE: f64 = 0.25;

/// A line has to be off by this much less than two levels to be what happened.
const BETTER: f64 = 0.8;

/// How it changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// All at once.
    Step,
    /// Day by day.
    Drift,
}

impl Shape {
    /// As JSON and the wire have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Drift => "drift",
        }
    }
}

/// A change of what is usual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Which latency: the middle where that changed, else the tail.
    pub share: Share,
    /// How.
    pub shape: Shape,
    /// The first hour of what it is since; of a drift the first that is known.
    pub began_unix_nanos: i64,
    /// As it was: the middle of the hours before; of a drift of the first day.
    pub before_nanos: u64,
    /// As it is: the middle of the hours from then on; of a drift of the last day.
    pub after_nanos: u64,
    /// How likely by chance, if hours were independent.
    pub p: f64,
}

/// What of a past may be a change.
#[derive(Clone, Debug)]
struct Cut {
    share: Share,
    hours: Vec<(i64, u64)>,
    /// The hours in octaves, less what is usual at their time of the day.
    level: Vec<f64>,
    at: usize,
    p: f64,
}

/// Changes of all pasts that are asked about.
#[must_use]
pub fn changes(pasts: &Pasts, is_asked: impl Fn(&Subject) -> bool) -> BTreeMap<Subject, Change> {
    let asked = pasts.iter().filter(|(subject, _)| is_asked(subject));
    let cuts: Vec<(&Subject, Cut)> = asked
        .flat_map(|(subject, past)| {
            let cuts = [Share::P50, Share::P99].map(|share| Cut::of(past, share));
            cuts.into_iter().flatten().map(move |cut| (subject, cut))
        })
        .collect();
    let mut all: Vec<f64> = cuts.iter().map(|(_, cut)| cut.p).collect();
    let Some(limit) = adjusted(&mut all, RATE) else {
        return BTreeMap::new();
    };
    let mut changes = BTreeMap::new();
    // The middle comes first, and tells when better than the tail.
    for (subject, cut) in cuts.into_iter().filter(|(_, cut)| cut.p <= limit) {
        if let Some(change) = cut.change() {
            changes.entry(subject.clone()).or_insert(change);
        }
    }
    changes
}

impl Cut {
    fn of(past: &Past, share: Share) -> Option<Self> {
        let hours = past.hours(share);
        if hours.len() < 2 * A_SIDE {
            return None;
        }
        let octaves: Vec<f64> = hours
            .iter()
            .map(|(_, nanos)| libm::log2((*nanos).max(1) as f64))
            .collect();
        let time_of_day = |at: i64| at.div_euclid(HOUR_NANOS).rem_euclid(24);
        let mut of_day: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for ((at, _), level) in hours.iter().zip(&octaves) {
            of_day.entry(time_of_day(*at)).or_default().push(*level);
        }
        let of_day: BTreeMap<i64, f64> = of_day
            .into_iter()
            .filter_map(|(hour, mut levels)| Some((hour, middle(&mut levels)?)))
            .collect();
        let level: Vec<f64> = hours
            .iter()
            .zip(octaves)
            .map(|((at, _), level)| level - of_day.get(&time_of_day(*at)).copied().unwrap_or(0.0))
            .collect();
        let n = level.len() as f64;
        let (mut at, mut most, mut sum) = (0, 0.0, 0.0);
        for (index, rank) in ranks(&level).into_iter().enumerate() {
            sum += rank;
            let cut = index + 1;
            let statistic = (2.0 * sum - cut as f64 * (n + 1.0)).abs();
            if cut >= A_SIDE && level.len() - cut >= A_SIDE && statistic > most {
                (at, most) = (cut, statistic);
            }
        }
        let p = (2.0 * libm::exp(-6.0 * most * most / (n.powi(3) + n.powi(2)))).min(1.0);
        (at > 0).then_some(Self {
            share,
            hours,
            level,
            at,
            p,
        })
    }

    fn change(&self) -> Option<Change> {
        let nanos = |hours: &[(i64, u64)]| {
            let mut nanos: Vec<u64> = hours.iter().map(|(_, nanos)| *nanos).collect();
            nanos.sort_unstable();
            nanos.get(nanos.len() / 2).copied()
        };
        let (one, other) = self.level.split_at(self.at);
        let levels = [middle(&mut one.to_vec())?, middle(&mut other.to_vec())?];
        let off = |values: &[f64], level: f64| values.iter().map(|value| (value - level).abs()).sum::<f64>();
        let off_levels = off(one, levels[0]) + off(other, levels[1]);
        let (slope, off_line) = self.line()?;
        let shape = if off_line < BETTER * off_levels {
            Shape::Drift
        } else {
            Shape::Step
        };
        let (before, after) = match shape {
            Shape::Step => self.hours.split_at(self.at),
            Shape::Drift => (&self.hours[..A_SIDE], &self.hours[self.hours.len() - A_SIDE..]),
        };
        // Levels have no time of the day in them, and tell by how much.
        let octaves = match shape {
            Shape::Step => (levels[1] - levels[0]).abs(),
            Shape::Drift => slope.abs() * (self.hours.len() - 1) as f64,
        };
        let (before_nanos, after_nanos) = (nanos(before)?, nanos(after)?);
        let is_change = octaves >= libm::log2(1.0 + CHANGE) && ratio(before_nanos, after_nanos) >= CHANGE / 2.0;
        is_change.then_some(Change {
            share: self.share,
            shape,
            began_unix_nanos: match shape {
                Shape::Step => self.hours.get(self.at)?.0,
                Shape::Drift => self.hours.first()?.0,
            },
            before_nanos,
            after_nanos,
            p: self.p,
        })
    }

    /// The line that fits best, an hour that there is after the other: its slope, and by how much hours are off it in all.
    fn line(&self) -> Option<(f64, f64)> {
        let mut slopes = Vec::with_capacity(self.level.len() * self.level.len() / 2);
        for (at, one) in self.level.iter().enumerate() {
            let later = self.level.iter().enumerate().skip(at + 1);
            slopes.extend(later.map(|(then, other)| (other - one) / (then - at) as f64));
        }
        let slope = middle(&mut slopes)?;
        let flat = self.level.iter().enumerate();
        let mut flat: Vec<f64> = flat.map(|(at, level)| level - slope * at as f64).collect();
        let begins = middle(&mut flat)?;
        Some((slope, flat.iter().map(|level| (level - begins).abs()).sum()))
    }
}

/// The middle one; of an even number the lower of the two.
fn middle(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// Ranks from 1; equal ones share the middle.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    while let Some(&at) = order.get(first) {
        let same = order[first..]
            .iter()
            .take_while(|other| values[**other] == values[at])
            .count();
        let rank = first as f64 + (same as f64 + 1.0) / 2.0;
        order[first..first + same].iter().for_each(|index| ranks[*index] = rank);
        first += same;
    }
    ranks
}

/// What happened at the place of a step within an hour of it: it may be why.
#[must_use]
pub fn with<'a>(change: &Change, place: &Place, events: &'a [Event]) -> Vec<&'a Event> {
    let is_near = |event: &&Event| {
        let (from, until) = (
            change.began_unix_nanos - HOUR_NANOS,
            change.began_unix_nanos + 2 * HOUR_NANOS,
        );
        change.shape == Shape::Step && event.at_unix_nanos >= from && event.from_unix_nanos < until
    };
    events
        .iter()
        .filter(|event| is_at(place, &event.about))
        .filter(is_near)
        .collect()
}

/// Whether what an event is about is a part of a place, or has it.
fn is_at(place: &Place, about: &About) -> bool {
    match (place, about) {
        (Place::Cluster, _) => true,
        (Place::Volume(volume), About::Volume(of)) => volume == of,
        (Place::Node(node), About::Node(of)) => node == of,
        (Place::Pair { from, to }, About::Node(of)) => from == of || to == of,
        (Place::Disk { node, .. }, About::Node(of)) => node == of,
        (Place::Disk { node, disk }, About::Disk(of, name)) => node == of && disk == name,
        _ => false,
    }
}
