//! The health of many clusters, kept up to date by the rollups of each.
//!
//! # Rules
//!
//! - A rollup counts once: of a cluster the newest revision, older ones are ignored, the same one again changes nothing.
//! - A cluster of which nothing comes for [`Config::missing_after_nanos`] is `unknown`, and everything in it; its last rollup is kept to say
//!   what it was like, and takes no part in percentiles and cohorts. Expected clusters of which nothing ever came are `unknown` too.
//! - A site is as its worst cluster, the fleet as its worst site. `unknown` is worse than ok: what is not known is never ok.
//! - States are damped as a cluster's own are: worse at once, better after [`Config::better_nanos`], to and from `unknown` after
//!   [`Config::unknown_nanos`]. How long a state lasted at the site counts, so that nothing is waited for twice.
//!
//! Times are the caller's clock, in nanoseconds since the Unix epoch.
//!
//! # How a coordinator uses it
//!
//! One thread or lock owns it. [`Fleet::expect`] for each cluster that a site's Hello names; [`Fleet::apply`] for each rollup, once it was
//! checked (`fathom_proto::convert::rollup`) *and that its site is the one that speaks*; [`Fleet::tick`] about once a second. After each,
//! where [`Fleet::version`] rose, watchers ask [`Fleet::changed_since`] and send the entries of what it names, of their sites and of the
//! fleet. Answers: [`Fleet::fleet_entry`], [`Fleet::site_entries`], [`Fleet::cluster_entries`], [`Fleet::changes`], [`Fleet::latency`],
//! [`Fleet::cohorts`].
//!
//! # Restart
//!
//! Keep the last rollups with the times that they came at, and give them to [`Fleet::restore`]. What was restored is `unknown` until a
//! rollup comes, and then at once as that says. Keep how everything was shown and what changed too, and give that to [`Fleet::recall`]
//! before: then a state lasts over the restart, and changes of the last hour and day are still counted. Without it they are counted from
//! [`Fleet::begin`].
//!
//! # Pause
//!
//! A process that did not run for a while heard nobody, and that was nobody's silence: say so, by [`Fleet::resume`], before anything else.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::fleet::{Change, Hearing, What};
use fathom_model::health::State;
use fathom_model::rollup::{ClusterKey, ClusterRollup};

mod answers;
mod cluster;
mod history;
mod recall;
mod shown;
mod software;
mod totals;
mod watched;

pub use answers::Merged;
pub use cluster::Partial;
pub use recall::Memory;
pub use software::{KeptVariant, UPDATES_KEPT_NANOS};
pub use watched::Delta;

pub(crate) use cluster::Cluster;
pub(crate) use software::{Software, times};

use cluster::NOTHING_COMES;
use history::History;
use recall::Recalled;
use totals::Totals;
use watched::Watched;

/// What is decided for a fleet.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// A cluster of which nothing came for so long is missing. Sites send every 10 s.
    pub missing_after_nanos: i64,
    /// What is better is shown when it has stayed so for this long.
    pub better_nanos: i64,
    /// What was or becomes unknown is shown when it has stayed so for this long.
    pub unknown_nanos: i64,
    /// So many changes are kept.
    pub most_changes: usize,
    /// So many clusters are taken; rollups of more are refused.
    pub most_clusters: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            missing_after_nanos: 60 * crate::SECOND,
            better_nanos: 60 * crate::SECOND,
            unknown_nanos: 10 * crate::SECOND,
            most_changes: 20_000,
            most_clusters: 20_000,
        }
    }
}

/// What became of a rollup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It is the cluster's rollup now.
    New,
    /// It was here already; that the cluster was heard is noted.
    Same,
    /// A newer one is here; nothing changed.
    Older,
    /// There are [`Config::most_clusters`] others already; nothing changed.
    TooMany,
}

/// A cluster in the tables: handed out once, never again.
type Id = u32;

/// The clusters of a fleet and how they are.
#[derive(Debug)]
pub struct Fleet {
    config: Config,
    names: BTreeMap<ClusterKey, Id>,
    clusters: Vec<Option<Box<Cluster>>>,
    sites: BTreeMap<String, Totals>,
    all: Totals,
    /// Clusters that are not missing, the one that was not heard for longest first.
    heard: BTreeSet<(i64, Id)>,
    /// Clusters whose state is going to be shown differently when it stays as it is.
    unsettled: BTreeSet<Id>,
    history: History,
    watched: Watched,
    /// What a predecessor showed, until everything was heard again or was waited for.
    recalled: Recalled,
    /// When this process began to look.
    began_unix_ns: Option<i64>,
    /// When it last went on after it had not run for a while.
    resumed_unix_ns: Option<i64>,
    /// From when on updates of devices were seen.
    updates_from_unix_ns: Option<i64>,
}

impl Fleet {
    /// No clusters yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            names: BTreeMap::new(),
            clusters: Vec::new(),
            sites: BTreeMap::new(),
            all: Totals::default(),
            heard: BTreeSet::new(),
            unsettled: BTreeSet::new(),
            history: History::new(config.most_changes),
            watched: Watched::default(),
            recalled: Recalled::default(),
            began_unix_ns: None,
            resumed_unix_ns: None,
            updates_from_unix_ns: None,
        }
    }

    /// Takes a rollup that came just now.
    pub fn apply(&mut self, rollup: ClusterRollup, now_unix_ns: i64) -> Applied {
        self.take(rollup, now_unix_ns, now_unix_ns, false)
    }

    /// Takes a rollup that came at a time before this process began: the cluster is `unknown` until it is heard again.
    pub fn restore(&mut self, rollup: ClusterRollup, heard_unix_ns: i64, now_unix_ns: i64) -> Applied {
        self.take(rollup, heard_unix_ns, now_unix_ns, true)
    }

    /// Says that there is a cluster, of which nothing has to have come yet: it is `unknown` until something does.
    /// `false` where there are too many.
    pub fn expect(&mut self, key: &ClusterKey, labels: &BTreeMap<String, String>, now_unix_ns: i64) -> bool {
        if self.names.contains_key(key) {
            return true;
        }
        let Some(id) = self.id_of(key, now_unix_ns) else {
            return false;
        };
        self.change(id, now_unix_ns, |cluster| cluster.labels.clone_from(labels));
        true
    }

    /// Takes a cluster out, as one that was dismantled; whether there was one.
    pub fn forget(&mut self, key: &ClusterKey) -> bool {
        let Some(id) = self.names.remove(key) else { return false };
        let Some(cluster) = self.clusters.get_mut(id as usize).and_then(Option::take) else {
            return false;
        };
        self.all.take_back(id, &cluster);
        if let Some(site) = self.sites.get_mut(&key.site) {
            site.take_back(id, &cluster);
            if site.is_empty() {
                self.sites.remove(&key.site);
            }
        }
        if let Some(heard) = cluster.heard_unix_ns {
            self.heard.remove(&(heard, id));
        }
        self.unsettled.remove(&id);
        self.watched.forget(id, key);
        self.recalled.unheard.remove(&id);
        self.settle_recalled();
        true
    }

    /// Says that a cluster is not heard any more, before [`Config::missing_after_nanos`] would: its site was cut off. Shown, as all of
    /// this, when it has stayed so for [`Config::unknown_nanos`].
    pub fn miss(&mut self, key: &ClusterKey, now_unix_ns: i64) {
        self.miss_for(key, now_unix_ns, NOTHING_COMES);
    }

    /// Says that a site is there and does not serve a cluster any more, as one that lost its store. It is missing until somebody forgets it:
    /// what was critical does not look better for not being told of.
    pub fn withdraw(&mut self, key: &ClusterKey, now_unix_ns: i64) {
        self.miss_for(key, now_unix_ns, "its site does not serve it any more");
    }

    fn miss_for(&mut self, key: &ClusterKey, now_unix_ns: i64, why: &str) {
        let Some(&id) = self.names.get(key) else { return };
        if let Some(heard) = self.cluster(id).and_then(|cluster| cluster.heard_unix_ns) {
            self.heard.remove(&(heard, id));
        }
        self.change(id, now_unix_ns, |cluster| cluster.miss(now_unix_ns, why));
    }

    /// Says that nobody listened and looked for so long until now, as when the process or its machine stood still: clusters have their usual
    /// time anew before they are missing. Whoever was away for longer than that does not know what came and went meanwhile, and counts
    /// changes from now on.
    pub fn resume(&mut self, paused_nanos: i64, now_unix_ns: i64) {
        self.resumed_unix_ns = Some(now_unix_ns);
        if paused_nanos > self.config.missing_after_nanos {
            self.history.begin(now_unix_ns);
        }
        self.resume_recalled(now_unix_ns);
        for id in &self.unsettled {
            if let Some(cluster) = self.clusters.get_mut(*id as usize).and_then(Option::as_mut) {
                cluster.resume(now_unix_ns);
            }
        }
    }

    /// Looks what became missing, and what stayed as it is for long enough to be shown so.
    pub fn tick(&mut self, now_unix_ns: i64) {
        let overdue = now_unix_ns.saturating_sub(self.config.missing_after_nanos);
        // Not after the clock was set back since, and whoever looks may have read it a moment before.
        let is_of_this_clock = |resumed: &i64| resumed.saturating_sub(now_unix_ns) <= self.config.missing_after_nanos;
        let resumed = self.resumed_unix_ns.filter(is_of_this_clock);
        while let Some(&(heard, id)) = self.heard.first()
            && resumed.unwrap_or(heard).max(heard) <= overdue
        {
            self.heard.pop_first();
            self.change(id, now_unix_ns, |cluster| cluster.miss(heard, NOTHING_COMES));
        }
        // Only those that can be shown differently by now: a state that does not last long enough costs nothing more.
        for id in self.unsettled.clone() {
            if self
                .cluster(id)
                .is_some_and(|cluster| cluster.is_due(&self.config, now_unix_ns))
            {
                self.change(id, now_unix_ns, |_| ());
            }
        }
        self.tick_recalled(now_unix_ns);
    }

    fn take(&mut self, rollup: ClusterRollup, heard_unix_ns: i64, now_unix_ns: i64, restored: bool) -> Applied {
        let key = rollup.key();
        let known = self.names.get(&key).copied();
        let known_revision = known
            .and_then(|id| self.cluster(id))
            .and_then(|cluster| cluster.rollup.as_ref())
            .map(|own| own.revision);
        if known_revision.is_some_and(|own| own > rollup.revision) {
            return Applied::Older;
        }
        let Some(id) = self.id_of(&key, now_unix_ns) else {
            return Applied::TooMany;
        };
        let is_same = known_revision == Some(rollup.revision);
        if restored && is_same {
            return Applied::Same;
        }
        let before = self.cluster(id).and_then(|cluster| cluster.heard_unix_ns);
        if let Some(before) = before {
            self.heard.remove(&(before, id));
        }
        if !restored {
            self.heard.insert((heard_unix_ns, id));
        }
        let mut updates = Vec::new();
        self.change(id, now_unix_ns, |cluster| {
            if is_same {
                cluster.hear(heard_unix_ns);
            } else {
                updates = cluster.take(rollup, heard_unix_ns, restored);
            }
        });
        for update in updates {
            self.history.push(now_unix_ns, id, What::Update(update), String::new());
        }
        if !restored && self.recalled.unheard.remove(&id) {
            self.settle_recalled();
        }
        if is_same { Applied::Same } else { Applied::New }
    }

    /// The cluster of a name, new or known; `None` where there are too many.
    fn id_of(&mut self, key: &ClusterKey, now_unix_ns: i64) -> Option<Id> {
        if let Some(&id) = self.names.get(key) {
            return Some(id);
        }
        if self.names.len() >= self.config.most_clusters {
            return None;
        }
        let (id, before) = self.recalled_id(key)?;
        let cluster = Cluster::new(key.clone(), before, now_unix_ns);
        self.all.count(id, &cluster, now_unix_ns);
        self.sites
            .entry(key.site.clone())
            .or_default()
            .count(id, &cluster, now_unix_ns);
        self.names.insert(key.clone(), id);
        if cluster.before.is_some() || (cluster.was_said && !cluster.is_unheard) {
            self.recalled.unheard.insert(id);
        }
        *self.clusters.get_mut(id as usize)? = Some(Box::new(cluster));
        self.watched.touch(id);
        Some(id)
    }

    /// Changes a cluster, and everything that is counted of it. All changes go this way.
    fn change(&mut self, id: Id, now_unix_ns: i64, how: impl FnOnce(&mut Cluster)) {
        let Some(cluster) = self.clusters.get_mut(id as usize).and_then(Option::as_mut) else {
            return;
        };
        let site = self.sites.entry(cluster.key.site.clone()).or_default();
        self.all.take_back(id, cluster);
        site.take_back(id, cluster);
        let (before, was_unheard) = (cluster.shown.state, cluster.is_unheard);
        let seen_before = cluster.face();
        how(cluster);
        let is_settled = cluster.settle(&self.config, now_unix_ns);
        self.all.count(id, cluster, now_unix_ns);
        site.count(id, cluster, now_unix_ns);
        if is_settled {
            self.unsettled.remove(&id);
        } else {
            self.unsettled.insert(id);
        }
        let after = cluster.shown.state;
        // Of a cluster that this process never heard there is nothing to say but that it is not known.
        let is_first = !cluster.was_said && !cluster.is_missing;
        let hearing = match (was_unheard, cluster.is_unheard) {
            _ if is_first => None,
            (false, true) => Some(Hearing::Lost),
            (true, false) => Some(Hearing::Heard),
            _ => None,
        };
        if is_first || (cluster.was_said && (after != before || hearing.is_some())) {
            let own = cluster.was_said.then_some(before);
            let from = own.or_else(|| cluster.before.take().map(|(state, _)| state));
            cluster.was_said = true;
            // As a predecessor showed it: then nothing changed.
            if from != Some(after) || hearing.is_some() {
                let what = What::State {
                    from,
                    to: after,
                    hearing,
                };
                let why = cluster.reason().to_owned();
                self.history.push(now_unix_ns, id, what, why);
            }
        }
        if cluster.face() != seen_before {
            self.watched.touch(id);
        }
    }

    fn cluster(&self, id: Id) -> Option<&Cluster> {
        self.clusters.get(id as usize)?.as_deref()
    }

    /// All clusters by name.
    pub(crate) fn clusters(&self) -> impl Iterator<Item = &Cluster> {
        self.names.values().filter_map(|id| self.cluster(*id))
    }

    /// How many clusters there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The state that a cluster is shown in.
    #[must_use]
    pub fn state(&self, key: &ClusterKey) -> Option<State> {
        Some(self.cluster(*self.names.get(key)?)?.shown.state)
    }

    /// The last rollups with the times that they came at, to be kept for [`Fleet::restore`].
    pub fn rollups(&self) -> impl Iterator<Item = (&ClusterRollup, i64)> {
        self.clusters()
            .filter_map(|cluster| Some((cluster.rollup.as_ref()?, cluster.heard_unix_ns?)))
    }

    /// What a cluster last said, and when it came: its devices' worst, its latencies. `None` where nothing came.
    #[must_use]
    pub fn rollup(&self, key: &ClusterKey) -> Option<(&ClusterRollup, i64)> {
        let cluster = self.cluster(*self.names.get(key)?)?;
        Some((cluster.rollup.as_ref()?, cluster.heard_unix_ns?))
    }

    fn named(&self, kept: &history::Kept) -> Option<Change> {
        let known = self.cluster(kept.cluster).map(|cluster| &cluster.key);
        let key = known.or_else(|| self.recalled.key(kept.cluster))?;
        Some(Change {
            number: kept.number,
            at_unix_ns: kept.at_unix_ns,
            site: key.site.clone(),
            cluster: key.cluster.clone(),
            what: kept.what.clone(),
            reason: kept.reason.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
