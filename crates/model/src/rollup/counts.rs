//! How many things of each kind are in which state.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::health::State;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Nodes.
    Node,
    /// Drives.
    Disk,
    /// Network adapters.
    Adapter,
    /// Ways between two nodes.
    Link,
    /// Volumes.
    Volume,
}

impl Counted {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Node, Self::Disk, Self::Adapter, Self::Link, Self::Volume];

    /// As JSON and the wire have it; as [`Kind`](crate::health::Kind) has it too.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Disk => "disk",
            Self::Adapter => "adapter",
            Self::Link => "link",
            Self::Volume => "volume",
        }
    }

    /// The one of that name. `None` of others: the cluster itself, or what a later version has.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How many of each kind are in which state. A kind of which nothing is counted was not told, or there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts([[u64; State::ALL.len()]; Counted::ALL.len()]);

impl Counts {
    /// Counts some more.
    pub const fn add(&mut self, kind: Counted, state: State, more: u64) {
        let own = &mut self.0[kind as usize][state as usize];
        *own = own.saturating_add(more);
    }

    /// How many of a kind are in a state.
    #[must_use]
    pub const fn of(&self, kind: Counted, state: State) -> u64 {
        self.0[kind as usize][state as usize]
    }

    /// How many of a kind there are.
    #[must_use]
    pub fn total(&self, kind: Counted) -> u64 {
        self.0[kind as usize]
            .iter()
            .fold(0, |sum, own| sum.saturating_add(*own))
    }

    /// The worst state that something counted is in; `None` where nothing is.
    #[must_use]
    pub fn worst(&self) -> Option<State> {
        let is_there = |state: &State| Counted::ALL.iter().any(|kind| self.of(*kind, *state) > 0);
        State::ALL.into_iter().rev().find(is_there)
    }

    /// All that are not 0, by kind and state.
    pub fn iter(&self) -> impl Iterator<Item = (Counted, State, u64)> {
        let all = Counted::ALL
            .into_iter()
            .flat_map(|kind| State::ALL.map(|state| (kind, state)));
        all.map(|(kind, state)| (kind, state, self.of(kind, state)))
            .filter(|(_, _, count)| *count > 0)
    }

    /// Counts all that another one has.
    pub fn add_all(&mut self, other: &Self) {
        for (kind, state, count) in other.iter() {
            self.add(kind, state, count);
        }
    }

    /// Takes back all that another one has, which was counted before.
    pub fn take_back(&mut self, other: &Self) {
        for (kind, state, count) in other.iter() {
            let own = &mut self.0[kind as usize][state as usize];
            debug_assert!(*own >= count, "only what was counted is taken back");
            *own = own.saturating_sub(count);
        }
    }

    /// The same with everything unknown: nothing is heard of it any more.
    #[must_use]
    pub fn unheard(&self) -> Self {
        let mut unheard = Self::default();
        for (kind, _, count) in self.iter() {
            unheard.add(kind, State::Unknown, count);
        }
        unheard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_can_be_taken_back() {
        let (mut one, mut other) = (Counts::default(), Counts::default());
        one.add(Counted::Disk, State::Ok, 24);
        other.add(Counted::Disk, State::Ok, 3);
        other.add(Counted::Link, State::Critical, 1);
        let mut both = one;
        both.add_all(&other);
        assert_eq!((both.total(Counted::Disk), both.worst()), (27, Some(State::Critical)));
        both.take_back(&other);
        assert_eq!((both, both.worst()), (one, Some(State::Ok)));
        assert_eq!(Counts::default().worst(), None);
    }

    #[test]
    fn what_is_not_heard_is_unknown_and_not_one_of_it_ok() {
        let mut counts = Counts::default();
        counts.add(Counted::Node, State::Ok, 15);
        counts.add(Counted::Node, State::Degraded, 1);
        let unheard = counts.unheard();
        let all: Vec<_> = unheard.iter().collect();
        assert_eq!(all, [(Counted::Node, State::Unknown, 16)]);
    }

    #[test]
    fn every_kind_of_health_but_the_cluster_is_counted() {
        use crate::health::Kind;
        for kind in [Kind::Node, Kind::Disk, Kind::Link, Kind::Volume] {
            assert!(Counted::named(kind.as_str()).is_some());
        }
        assert_eq!(Counted::named(Kind::Cluster.as_str()), None);
    }
}
