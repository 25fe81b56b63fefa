//! The hours of the last days, and what is usual by them.

use std::collections::{BTreeMap, VecDeque};

use fathom_model::baseline::{Band, Hour, Share, Subject};

use super::{BLOCKS, HOUR_NANOS};

/// Hours older than this are forgotten.
const KEPT_HOURS: i64 = 14 * 24;

/// An hour that may not be as it should be counts this much less.
const LESS: u64 = 8;

/// It may not be where it is so many times what was usual.
const FAR: u64 = 2;

/// A published band counts as so many hours, and without one nothing is usual before.
const PRIOR_HOURS: u64 = 6;

/// What an hour counts a day later, in 1024ths: half in seven days.
const A_DAY: u64 = 927;

/// An hour as it is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Kept {
    /// Since 1970.
    hour: i32,
    p50_nanos: f32,
    p99_nanos: Option<f32>,
    blocks: u8,
    felt: bool,
    /// Whether the middle, and the tail, was far above what was usual.
    far: [bool; 2],
}

impl Kept {
    fn of(&self, share: Share) -> Option<u64> {
        match share {
            Share::P50 => Some(self.p50_nanos as u64),
            Share::P99 => self.p99_nanos.map(|nanos| nanos as u64),
        }
    }

    const fn is_less(&self, share: Share) -> bool {
        self.felt || self.far[share as usize]
    }
}

/// What is usual of something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usual {
    /// The median; none where too little was seen and nothing is published.
    pub p50_nanos: Option<u64>,
    /// The 99th percentile, likewise.
    pub p99_nanos: Option<u64>,
    /// Between which the 99th percentiles of eight in ten hours are; none where there is none.
    pub p99_range_nanos: Option<(u64, u64)>,
    /// How much time was learnt of.
    pub learnt_nanos: u64,
    /// When the oldest hour that counts began; none where there is none.
    pub since_unix_nanos: Option<i64>,
    /// Whether enough was learnt for what is said to be of this place rather than of what is published.
    pub is_learnt: bool,
    /// What is published.
    pub band: Option<Band>,
}

impl Usual {
    /// The latency of a share.
    #[must_use]
    pub const fn of(&self, share: Share) -> Option<u64> {
        match share {
            Share::P50 => self.p50_nanos,
            Share::P99 => self.p99_nanos,
        }
    }

    /// Whether so much is worse than what is usual: more than twice it, and more than it is in nine of ten hours. None where nothing was
    /// learnt.
    #[must_use]
    pub fn is_worse(&self, share: Share, nanos: u64) -> Option<bool> {
        let usual = self.of(share).filter(|_| self.is_learnt)?;
        let most = match share {
            Share::P50 => usual,
            Share::P99 => self.p99_range_nanos.map_or(usual, |(_, high)| high),
        };
        Some(nanos > usual.saturating_mul(FAR) && nanos > most)
    }
}

/// The hours of one subject, the oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    hours: VecDeque<Kept>,
}

impl Past {
    fn add(&mut self, hour: &Hour, newest: i32) {
        let usual = self.usual(&hour.subject, newest);
        let is_far = |share: Share, nanos: Option<u64>| {
            let usual = usual.of(share);
            nanos
                .zip(usual)
                .is_some_and(|(nanos, usual)| nanos > usual.saturating_mul(FAR))
        };
        let kept = Kept {
            hour: number(hour),
            p50_nanos: hour.p50_nanos as f32,
            p99_nanos: hour.p99_nanos.map(|nanos| nanos as f32),
            blocks: u8::try_from(hour.blocks.min(BLOCKS)).unwrap_or(u8::MAX),
            felt: hour.felt,
            far: [
                is_far(Share::P50, Some(hour.p50_nanos)),
                is_far(Share::P99, hour.p99_nanos),
            ],
        };
        self.hours.push_back(kept);
    }

    fn forget(&mut self, newest: i32) {
        while self.hours.pop_front_if(|kept| is_old(kept.hour, newest)).is_some() {}
    }

    /// Values of a share with what they count, the least first.
    fn weighed(&self, share: Share, newest: i32) -> Vec<(u64, u64)> {
        let of = |kept: &Kept| {
            let own = if kept.is_less(share) { 1 } else { LESS };
            let age = newest.saturating_sub(kept.hour).max(0) / 24;
            let decayed = (0..age).fold(1024, |weight, _| weight * A_DAY / 1024);
            Some((kept.of(share)?, u64::from(kept.blocks) * own * decayed))
        };
        let mut all: Vec<(u64, u64)> = self.hours.iter().filter_map(of).collect();
        all.sort_unstable();
        all
    }

    fn usual(&self, subject: &Subject, newest: i32) -> Usual {
        let band = subject.band();
        let blocks: u64 = self.hours.iter().map(|kept| u64::from(kept.blocks)).sum();
        let is_learnt = blocks >= PRIOR_HOURS * u64::from(BLOCKS);
        let middle = |share: Share| {
            let mut all = self.weighed(share, newest);
            let prior = band.filter(|band| band.of == share);
            if let Some(band) = prior {
                let weight = PRIOR_HOURS * u64::from(BLOCKS) * LESS * 1024;
                let place = all.partition_point(|(nanos, _)| *nanos < band.below_nanos);
                all.insert(place, (band.below_nanos, weight));
            }
            (is_learnt || prior.is_some()).then(|| at_share(&all, 1, 2)).flatten()
        };
        let tails = self.weighed(Share::P99, newest);
        Usual {
            p50_nanos: middle(Share::P50),
            p99_nanos: middle(Share::P99),
            p99_range_nanos: at_share(&tails, 1, 10).zip(at_share(&tails, 9, 10)),
            learnt_nanos: blocks * super::BLOCK_NANOS.unsigned_abs(),
            since_unix_nanos: self.hours.front().map(|kept| i64::from(kept.hour) * HOUR_NANOS),
            is_learnt,
            band,
        }
    }

    /// What each hour had of a share, the oldest first, by when it began.
    #[must_use]
    pub fn hours(&self, share: Share) -> Vec<(i64, u64)> {
        let of = |kept: &Kept| Some((i64::from(kept.hour) * HOUR_NANOS, kept.of(share)?));
        self.hours.iter().filter_map(of).collect()
    }
}

/// The value that so great a part of all weight is at most.
fn at_share(all: &[(u64, u64)], part: u64, of: u64) -> Option<u64> {
    let whole: u64 = all.iter().map(|(_, weight)| weight).sum();
    let mut below = 0;
    let reaches = |(_, weight): &&(u64, u64)| {
        below += weight;
        below * of >= whole * part
    };
    all.iter().find(reaches).map(|(nanos, _)| *nanos)
}

fn number(hour: &Hour) -> i32 {
    let number = hour.from_unix_nanos.div_euclid(HOUR_NANOS);
    i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX })
}

fn is_old(hour: i32, newest: i32) -> bool {
    i64::from(newest) - i64::from(hour) >= KEPT_HOURS
}

/// The pasts of all subjects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pasts {
    of: BTreeMap<Subject, Past>,
    /// The newest hour of all.
    newest: i32,
}

impl Pasts {
    /// From when on hours count, where the newest one began then.
    #[must_use]
    pub const fn reach_unix_nanos(newest_unix_nanos: i64) -> i64 {
        newest_unix_nanos.saturating_sub(KEPT_HOURS * HOUR_NANOS)
    }

    /// Of hours in any order.
    #[must_use]
    pub fn of(mut hours: Vec<Hour>) -> Self {
        // Several rows of one hour stay as they were written.
        hours.sort_by(|a, b| (a.from_unix_nanos, &a.subject).cmp(&(b.from_unix_nanos, &b.subject)));
        let mut pasts = Self::default();
        hours.iter().for_each(|hour| pasts.add(hour));
        pasts
    }

    /// Takes an hour; hours come in their order.
    pub fn add(&mut self, hour: &Hour) {
        let number = number(hour);
        if self.of.is_empty() || number > self.newest {
            self.newest = number;
            let newest = self.newest;
            self.of.values_mut().for_each(|past| past.forget(newest));
            self.of.retain(|_, past| !past.hours.is_empty());
        }
        if is_old(number, self.newest) {
            return;
        }
        let newest = self.newest;
        match self.of.get_mut(&hour.subject) {
            Some(past) => past.add(hour, newest),
            None => {
                let mut past = Past::default();
                past.add(hour, newest);
                self.of.insert(hour.subject.clone(), past);
            }
        }
    }

    /// Whether nothing was learnt.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// All of them, in the order of what they are of.
    pub fn iter(&self) -> impl Iterator<Item = (&Subject, &Past)> {
        self.of.iter()
    }

    /// What is usual of something: where nothing was learnt, what is published.
    #[must_use]
    pub fn usual(&self, subject: &Subject) -> Usual {
        let nothing = Past::default();
        self.of.get(subject).unwrap_or(&nothing).usual(subject, self.newest)
    }
}
