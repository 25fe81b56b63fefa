//! What a fleet goes on with after a restart of its coordinator: how everything was shown, and what changed.
//!
//! Nothing of it is taken for how things are now. It decides since when a state is shown, and what is a change: a cluster that is as it was
//! before the restart did not change, one that is not heard again was lost.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::fleet::{Change, Hearing, What};
use fathom_model::health::State;
use fathom_model::rollup::ClusterKey;

use super::history::Kept;
use super::software::KeptVariant;
use super::{Fleet, Id, Software};
use crate::Selection;

/// What there was when a predecessor was last asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// How the fleet was shown, and since when.
    pub fleet: Option<(State, i64)>,
    /// How each site was shown.
    pub sites: BTreeMap<String, (State, i64)>,
    /// How each cluster was shown; none of those of which nothing was ever said.
    pub clusters: BTreeMap<ClusterKey, (State, i64)>,
    /// Those of them that were shown as not heard any more.
    pub unheard: BTreeSet<ClusterKey>,
    /// What changed, the oldest first.
    pub changes: Vec<Change>,
    /// From when on no change is missing.
    pub changes_from_unix_ns: i64,
    /// What ran on the devices of clusters. [`Fleet::memory`] has none of it: it is asked for cluster by cluster, by [`Fleet::software`].
    pub software: BTreeMap<ClusterKey, Vec<KeptVariant>>,
    /// From when on updates of devices were seen.
    pub updates_from_unix_ns: i64,
}

/// What of it is still waited for.
#[derive(Debug, Default)]
pub(super) struct Recalled {
    fleet: Option<(State, i64)>,
    sites: BTreeMap<String, (State, i64)>,
    /// Clusters that are not there again.
    awaited: BTreeMap<ClusterKey, Awaited>,
    /// Clusters that are there and were not heard again.
    pub(super) unheard: BTreeSet<Id>,
    /// Until when all of it is waited for.
    until_unix_ns: Option<i64>,
}

/// A cluster that is not there again.
#[derive(Debug)]
struct Awaited {
    /// The number that it will have: its changes have it already.
    id: Id,
    before: Before,
}

/// What a predecessor knew of a cluster.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// How it was shown, and since when.
    pub(super) shown: Option<(State, i64)>,
    /// Whether that was for not being heard any more.
    pub(super) is_unheard: bool,
    pub(super) software: Software,
}

impl Recalled {
    /// The name of a cluster that is not there again.
    pub(super) fn key(&self, id: Id) -> Option<&ClusterKey> {
        self.awaited.iter().find(|(_, own)| own.id == id).map(|(key, _)| key)
    }
}

impl Fleet {
    /// Says that nobody counted changes before now. For a fleet without clusters.
    pub fn begin(&mut self, now_unix_ns: i64) {
        self.began_unix_ns = Some(now_unix_ns);
        self.history.begin(now_unix_ns);
        self.updates_from_unix_ns = Some(now_unix_ns);
    }

    /// Takes what a predecessor showed. For a fleet without clusters: these are said after it, by [`Fleet::expect`] and [`Fleet::restore`].
    pub fn recall(&mut self, memory: Memory, now_unix_ns: i64) {
        self.began_unix_ns = Some(now_unix_ns);
        self.history.begin(memory.changes_from_unix_ns);
        self.updates_from_unix_ns = Some(memory.updates_from_unix_ns);
        for (key, shown) in memory.clusters {
            let is_unheard = memory.unheard.contains(&key);
            if let Some(own) = self.reserve(key) {
                own.before.shown = Some(shown);
                own.before.is_unheard = is_unheard;
            }
        }
        for (key, software) in memory.software {
            if let Some(own) = self.reserve(key) {
                own.before.software = Software::resume(software);
            }
        }
        for change in memory.changes {
            let key = ClusterKey::new(change.site, change.cluster);
            let Some(awaited) = self.reserve(key) else { break };
            let kept = Kept {
                number: change.number,
                at_unix_ns: change.at_unix_ns,
                cluster: awaited.id,
                what: change.what,
                reason: change.reason,
            };
            self.history.resume(kept);
        }
        (self.recalled.fleet, self.recalled.sites) = (memory.fleet, memory.sites);
        self.recalled.until_unix_ns = Some(now_unix_ns.saturating_add(self.config.missing_after_nanos));
    }

    /// What a successor recalls.
    #[must_use]
    pub fn memory(&self, now_unix_ns: i64) -> Memory {
        let said = self.clusters().filter_map(|own| Some((own.key.clone(), own.said()?)));
        let unheard = self.clusters().filter(|own| own.is_unheard).map(|own| own.key.clone());
        let awaited = self.recalled.awaited.iter();
        let unheard_before = awaited.clone().filter(|(_, own)| own.before.is_unheard);
        let awaited = awaited.filter_map(|(key, own)| Some((key.clone(), own.before.shown?)));
        let sites = self.sites.iter().map(|(site, own)| (site.clone(), own.state()));
        let (changes, _) = self.changes(&Selection::all(), i64::MIN, now_unix_ns);
        Memory {
            // As long as not all was heard again it is what was before that a successor goes on with.
            fleet: (self.recalled.fleet).or_else(|| (!self.is_empty()).then(|| self.all.state())),
            sites: sites.chain(self.recalled.sites.clone()).collect(),
            clusters: said.chain(awaited).collect(),
            unheard: unheard.chain(unheard_before.map(|(key, _)| key.clone())).collect(),
            changes,
            changes_from_unix_ns: self.history.complete_from_unix_ns().unwrap_or(i64::MIN),
            software: BTreeMap::new(),
            updates_from_unix_ns: self.updates_from_unix_ns.unwrap_or(i64::MIN),
        }
    }

    /// What runs on the devices of a cluster, for a successor to recall; empty where nothing is known.
    #[must_use]
    pub fn software(&self, key: &ClusterKey) -> Vec<KeptVariant> {
        let known = self.names.get(key).and_then(|id| self.cluster(*id));
        let known = known.map(|cluster| &cluster.software);
        let awaited = || self.recalled.awaited.get(key).map(|own| &own.before.software);
        known.or_else(awaited).map_or_else(Vec::new, Software::kept)
    }

    /// From when on updates of devices were seen: this coordinator's first start, or when what it kept was lost. `None`: since ever.
    #[must_use]
    pub const fn updates_from_unix_ns(&self) -> Option<i64> {
        self.updates_from_unix_ns
    }

    /// The number of a cluster that is new here, and what a predecessor knew of it.
    pub(super) fn recalled_id(&mut self, key: &ClusterKey) -> Option<(Id, Before)> {
        if let Some(awaited) = self.recalled.awaited.remove(key) {
            return Some((awaited.id, awaited.before));
        }
        Some((self.new_id()?, Before::default()))
    }

    fn new_id(&mut self) -> Option<Id> {
        let id = Id::try_from(self.clusters.len()).ok()?;
        self.clusters.push(None);
        Some(id)
    }

    fn reserve(&mut self, key: ClusterKey) -> Option<&mut Awaited> {
        if !self.recalled.awaited.contains_key(&key) {
            let id = self.new_id()?;
            let before = Before::default();
            self.recalled.awaited.insert(key.clone(), Awaited { id, before });
        }
        self.recalled.awaited.get_mut(&key)
    }

    /// Nobody listened until now: what is waited for has its time anew.
    pub(super) const fn resume_recalled(&mut self, now_unix_ns: i64) {
        if let Some(until) = &mut self.recalled.until_unix_ns {
            *until = now_unix_ns.saturating_add(self.config.missing_after_nanos);
        }
    }

    /// Gives up what was waited for long enough: what was not heard again by now was lost.
    pub(super) fn tick_recalled(&mut self, now_unix_ns: i64) {
        if self.recalled.until_unix_ns.is_none_or(|until| now_unix_ns < until) {
            return;
        }
        self.recalled.awaited.clear();
        for id in std::mem::take(&mut self.recalled.unheard) {
            let Some(cluster) = self.clusters.get_mut(id as usize).and_then(Option::as_mut) else {
                continue;
            };
            let before = cluster.before.take().map(|(state, _)| state);
            let Some(from) = before.or_else(|| cluster.was_said.then_some(State::Unknown)) else {
                continue;
            };
            (cluster.was_said, cluster.is_unheard) = (true, true);
            let (to, why) = (cluster.shown.state, cluster.reason().to_owned());
            let what = What::State {
                from: Some(from),
                to,
                hearing: Some(Hearing::Lost),
            };
            self.history.push(now_unix_ns, id, what, why);
        }
        self.settle_recalled();
    }

    /// Once all was heard again, or was waited for: what is as it was before has been so since then.
    pub(super) fn settle_recalled(&mut self) {
        let recalled = &mut self.recalled;
        if recalled.until_unix_ns.is_none() || !recalled.unheard.is_empty() || !recalled.awaited.is_empty() {
            return;
        }
        recalled.until_unix_ns = None;
        let (fleet, sites) = (recalled.fleet.take(), std::mem::take(&mut recalled.sites));
        let as_before = |now: State, before: (State, i64)| (now == before.0).then_some(before.1);
        if let Some(since) = fleet.and_then(|before| as_before(self.all.state().0, before)) {
            self.all.set_since(since);
        }
        for (site, before) in sites {
            let Some(totals) = self.sites.get_mut(&site) else {
                continue;
            };
            if let Some(since) = as_before(totals.state().0, before) {
                totals.set_since(since);
            }
        }
    }
}

#[cfg(test)]
mod tests;
