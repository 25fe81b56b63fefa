//! What changed in the last day, in a bounded number of changes, and from when on that is all.

use std::collections::{HashMap, VecDeque};

use fathom_model::fleet::{Changed, Hearing, What};
use fathom_model::health::State;

use super::Id;
use crate::HOUR;

/// Changes are kept for so long.
const DAY: i64 = 24 * HOUR;

/// Changes, the oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    most: usize,
    kept: VecDeque<Kept>,
    number: u64,
    /// The newest change that was given up for the number of them.
    given_up_unix_ns: Option<i64>,
    /// From when on changes were counted at all; `None`: since ever.
    began_unix_ns: Option<i64>,
}

/// A change of a cluster.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) number: u64,
    pub(super) at_unix_ns: i64,
    pub(super) cluster: Id,
    pub(super) what: What,
    pub(super) reason: String,
}

impl History {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            ..Self::default()
        }
    }

    /// Nobody counted before this.
    pub(super) const fn begin(&mut self, at_unix_ns: i64) {
        self.began_unix_ns = Some(at_unix_ns);
    }

    /// Takes what a predecessor counted, the oldest first.
    pub(super) fn resume(&mut self, kept: Kept) {
        self.number = self.number.max(kept.number);
        self.kept.push_back(kept);
    }

    pub(super) fn push(&mut self, at_unix_ns: i64, cluster: Id, what: What, reason: String) {
        self.number += 1;
        self.kept.push_back(Kept {
            number: self.number,
            at_unix_ns,
            cluster,
            what,
            reason,
        });
        let begin = at_unix_ns.saturating_sub(DAY);
        while let Some(first) = self.kept.front() {
            if first.at_unix_ns < begin {
                self.kept.pop_front();
            } else if self.kept.len() > self.most {
                self.given_up_unix_ns = Some(first.at_unix_ns);
                self.kept.pop_front();
            } else {
                break;
            }
        }
    }

    /// Those from a time on, the oldest first.
    pub(super) fn since(&self, from_unix_ns: i64) -> impl Iterator<Item = &Kept> {
        let at = self.kept.partition_point(|kept| kept.at_unix_ns < from_unix_ns);
        self.kept.range(at..)
    }

    /// From when on no change is missing, as far as that was not given up for its age; `None`: since ever.
    pub(super) fn complete_from_unix_ns(&self) -> Option<i64> {
        self.given_up_unix_ns.max(self.began_unix_ns)
    }

    /// From when on all changes of a stretch that ends now are kept; `None`: all of it are.
    pub(super) fn counted_from_unix_ns(&self, from_unix_ns: i64, now_unix_ns: i64) -> Option<i64> {
        let too_old = now_unix_ns.saturating_sub(DAY);
        let complete = self
            .complete_from_unix_ns()
            .filter(|complete| *complete >= from_unix_ns);
        complete.max((from_unix_ns < too_old).then_some(too_old))
    }

    /// How often each group changed in the last hour and day; who is in which group is said by `group`.
    pub(super) fn tally<G: std::hash::Hash + Eq>(&self, now_unix_ns: i64, group: impl Fn(Id) -> Option<G>) -> Tally<G> {
        let (hour, day) = (now_unix_ns.saturating_sub(HOUR), now_unix_ns.saturating_sub(DAY));
        let mut by_group: HashMap<G, (Changed, Changed)> = HashMap::new();
        for kept in self.since(day) {
            let Some(group) = group(kept.cluster) else { continue };
            let own = by_group.entry(group).or_default();
            count(&mut own.1, &kept.what);
            if kept.at_unix_ns >= hour {
                count(&mut own.0, &kept.what);
            }
        }
        Tally {
            by_group,
            hour_from: self.counted_from_unix_ns(hour, now_unix_ns),
            day_from: self.counted_from_unix_ns(day, now_unix_ns),
        }
    }
}

/// How often groups changed.
pub(super) struct Tally<G> {
    by_group: HashMap<G, (Changed, Changed)>,
    hour_from: Option<i64>,
    day_from: Option<i64>,
}

impl<G: std::hash::Hash + Eq> Tally<G> {
    /// In the last hour, and in the last day.
    pub(super) fn of(&self, group: &G) -> (Changed, Changed) {
        let (mut hour, mut day) = self.by_group.get(group).copied().unwrap_or_default();
        hour.counted_from_unix_ns = self.hour_from;
        day.counted_from_unix_ns = self.day_from;
        (hour, day)
    }
}

const fn count(changed: &mut Changed, what: &What) {
    let (from, to, hearing) = match what {
        What::Update(_) => {
            changed.updates += 1;
            return;
        }
        // That a cluster is known now is no change of it.
        What::State { from: None, .. } => return,
        What::State {
            from: Some(from),
            to,
            hearing,
        } => (*from, *to, *hearing),
    };
    match hearing {
        Some(Hearing::Lost) => {
            changed.lost += 1;
            return;
        }
        Some(Hearing::Heard) => changed.heard += 1,
        None => {}
    }
    // What comes back in a worse state than not being known is worse, however it was before.
    if (to as u8) > (from as u8) {
        changed.worse += 1;
    } else if (to as u8) < (from as u8) && hearing.is_none() && !matches!(to, State::Unknown) {
        // What is not known is not known to be better.
        changed.better += 1;
    }
}
