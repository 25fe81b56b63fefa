//! How the fleet, a site, a cluster or any selection of clusters is, and what operations took over them.

use std::collections::BTreeMap;

use fathom_model::fleet::{Change, Child, Clusters, Entry, Level};
use fathom_model::health::State;
use fathom_model::rollup::{ClusterKey, MOST_WORST, TapLatency};
use fathom_model::sketch::Sketch;
use fathom_model::{Op, Tap};

use super::history::Tally;
use super::{Cluster, Fleet, Id, Partial, Totals};
use crate::Selection;

/// What operations took over several clusters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merged {
    /// A tap and operation, in the order of the path.
    pub latency: Vec<TapLatency>,
    /// Clusters that are in it.
    pub clusters: u64,
    /// Clusters that were asked for and are not in it, since they are not heard: since when, `None` where nothing ever came.
    pub unheard: Vec<(ClusterKey, Option<i64>)>,
    /// From when on the earliest of them counts, and until when the latest, on the sites' clocks; `None` where there is none.
    pub span_unix_ns: Option<(i64, i64)>,
    /// Clusters that are in it and were not seen whole.
    pub partial: Vec<Partial>,
}

impl Fleet {
    /// How all clusters together are; its children are the sites.
    #[must_use]
    pub fn fleet_entry(&self, now_unix_ns: i64) -> Entry {
        // What was forgotten counts no more, as nothing else of it does.
        let is_known = |id| self.cluster(id).is_some() || self.recalled.key(id).is_some();
        let tally = self.history.tally(now_unix_ns, |id| is_known(id).then_some(()));
        let (state, since) = self.all.state();
        let mut bad: Vec<_> = self
            .sites
            .iter()
            .map(|(site, totals)| (totals.state(), site, totals))
            .filter(|((state, _), _, _)| *state != State::Ok)
            .collect();
        bad.sort_by(|(a, a_site, _), (b, b_site, _)| b.0.cmp(&a.0).then(a.1.cmp(&b.1)).then(a_site.cmp(b_site)));
        let children = bad.iter().take(MOST_WORST).map(|((state, since), site, totals)| Child {
            kind: Level::Site.as_str().to_owned(),
            name: (*site).clone(),
            state: *state,
            since_unix_ns: Some(*since),
            reason: self.worst_reason(totals),
        });
        let mut entry = entry_of(Level::Fleet, &self.all, tally.of(&()));
        // Of nothing nothing is known, since it was looked.
        let since = if self.is_empty() {
            self.began_unix_ns.unwrap_or(now_unix_ns)
        } else {
            since
        };
        (entry.state, entry.since_unix_ns) = (state, since);
        entry.worst = children.collect();
        entry.worst_more = (bad.len() - entry.worst.len()) as u64;
        entry.reason = self.worst_reason(&self.all);
        entry
    }

    /// How a site is; its children are its clusters. `None` where it has none.
    #[must_use]
    pub fn site_entry(&self, site: &str, now_unix_ns: i64) -> Option<Entry> {
        let totals = self.sites.get(site)?;
        let is_its = |id| self.cluster(id).filter(|cluster| cluster.key.site == site).map(|_| ());
        let tally = self.history.tally(now_unix_ns, is_its);
        Some(self.site_of(site, totals, tally.of(&())))
    }

    /// How each site with a selected cluster is, by name: counted from its selected clusters alone.
    #[must_use]
    pub fn site_entries(&self, selection: &Selection, now_unix_ns: i64) -> Vec<Entry> {
        let tally: Tally<&str> = self.history.tally(now_unix_ns, |id| {
            let cluster = self.cluster(id)?;
            let is_its = selection.is_all() || selection.has(&cluster.key, cluster.labels());
            is_its.then_some(cluster.key.site.as_str())
        });
        if selection.is_all() {
            let sites = self.sites.iter();
            return sites
                .map(|(site, totals)| self.site_of(site, totals, tally.of(&site.as_str())))
                .collect();
        }
        let mut sites: BTreeMap<&str, Vec<(Id, &Cluster)>> = BTreeMap::new();
        for (id, cluster) in self.selected(selection) {
            sites.entry(&cluster.key.site).or_default().push((id, cluster));
        }
        let entry = |(site, clusters): (&str, Vec<_>)| {
            let totals = together(clusters.into_iter(), now_unix_ns);
            self.site_of(site, &totals, tally.of(&site))
        };
        sites.into_iter().map(entry).collect()
    }

    /// How a cluster is; its children are nodes, devices, links and volumes.
    #[must_use]
    pub fn cluster_entry(&self, key: &ClusterKey, now_unix_ns: i64) -> Option<Entry> {
        let &id = self.names.get(key)?;
        let tally = self.history.tally(now_unix_ns, |own| (own == id).then_some(()));
        Some(cluster_of(id, self.cluster(id)?, tally.of(&())))
    }

    /// How each selected cluster is, by site and name.
    #[must_use]
    pub fn cluster_entries(&self, selection: &Selection, now_unix_ns: i64) -> Vec<Entry> {
        let tally: Tally<Id> = self.history.tally(now_unix_ns, Some);
        self.selected(selection)
            .map(|(id, cluster)| cluster_of(id, cluster, tally.of(&id)))
            .collect()
    }

    /// How the selected clusters together are; its children are these clusters.
    #[must_use]
    pub fn selected_entry(&self, selection: &Selection, now_unix_ns: i64) -> Entry {
        if selection.is_all() {
            return self.fleet_entry(now_unix_ns);
        }
        let totals = together(self.selected(selection), now_unix_ns);
        let is_its = |id| {
            let cluster = self.cluster(id)?;
            selection.has(&cluster.key, cluster.labels()).then_some(())
        };
        let tally = self.history.tally(now_unix_ns, is_its);
        let mut entry = entry_of(Level::Fleet, &totals, tally.of(&()));
        self.add_clusters(&mut entry, &totals);
        entry
    }

    /// What changed at selected clusters from a time on, the oldest first, and from when on none is missing where some are not there: a
    /// day is kept, in a bounded number, from when on somebody counted.
    #[must_use]
    pub fn changes(&self, selection: &Selection, from_unix_ns: i64, now_unix_ns: i64) -> (Vec<Change>, Option<i64>) {
        let kept = self.history.since(from_unix_ns).filter(|kept| {
            let cluster = self.cluster(kept.cluster);
            selection.is_all() || cluster.is_some_and(|cluster| selection.has(&cluster.key, cluster.labels()))
        });
        let changes = kept.filter_map(|kept| self.named(kept)).collect();
        (changes, self.history.counted_from_unix_ns(from_unix_ns, now_unix_ns))
    }

    /// What operations took over the selected clusters that are heard.
    #[must_use]
    pub fn latency(&self, selection: &Selection) -> Merged {
        let mut merged = Merged::default();
        let mut sketches: BTreeMap<(Tap, Op), Sketch> = BTreeMap::new();
        for (_, cluster) in self.selected(selection) {
            let Some(rollup) = cluster.rollup.as_ref().filter(|_| !cluster.is_missing) else {
                merged.unheard.push((cluster.key.clone(), cluster.heard_unix_ns));
                continue;
            };
            merged.clusters += 1;
            merged.partial.extend(cluster.partial());
            let (from, to) = merged.span_unix_ns.unwrap_or((i64::MAX, i64::MIN));
            merged.span_unix_ns = Some((from.min(rollup.from_unix_ns), to.max(rollup.to_unix_ns)));
            for own in &rollup.latency {
                sketches.entry((own.tap, own.op)).or_default().merge(&own.sketch);
            }
        }
        let latency = sketches
            .into_iter()
            .map(|((tap, op), sketch)| TapLatency { tap, op, sketch });
        merged.latency = latency.collect();
        merged
    }

    /// Whether a cluster is selected; one that is not there is not.
    #[must_use]
    pub fn is_selected(&self, key: &ClusterKey, selection: &Selection) -> bool {
        let cluster = self.names.get(key).and_then(|id| self.cluster(*id));
        cluster.is_some_and(|cluster| selection.has(&cluster.key, cluster.labels()))
    }

    /// The keys of selected clusters, by site and name.
    pub fn keys<'a>(&'a self, selection: &'a Selection) -> impl Iterator<Item = &'a ClusterKey> {
        self.selected(selection).map(|(_, cluster)| &cluster.key)
    }

    pub(crate) fn selected<'a>(&'a self, selection: &'a Selection) -> impl Iterator<Item = (Id, &'a Cluster)> {
        self.names
            .values()
            .filter_map(|id| Some((*id, self.cluster(*id)?)))
            .filter(|(_, cluster)| selection.is_all() || selection.has(&cluster.key, cluster.labels()))
    }

    fn site_of(&self, site: &str, totals: &Totals, changed: Changes) -> Entry {
        let mut entry = entry_of(Level::Site, totals, changed);
        site.clone_into(&mut entry.site);
        self.add_clusters(&mut entry, totals);
        entry
    }

    /// The clusters that are not ok as children.
    fn add_clusters(&self, entry: &mut Entry, totals: &Totals) {
        let worst = totals.worst().take(MOST_WORST).filter_map(|id| self.cluster(id));
        let children = worst.map(|cluster| Child {
            kind: Level::Cluster.as_str().to_owned(),
            name: cluster.key.to_string(),
            state: cluster.shown.state,
            since_unix_ns: Some(cluster.shown.since_unix_ns),
            reason: cluster.reason().to_owned(),
        });
        entry.worst = children.collect();
        entry.worst_more = totals.not_ok() - entry.worst.len() as u64;
        entry.reason = self.worst_reason(totals);
    }

    /// The reason of the worst cluster; empty where all are ok.
    fn worst_reason(&self, totals: &Totals) -> String {
        let worst = totals.worst().next().and_then(|id| self.cluster(id));
        worst.map_or_else(String::new, |cluster| {
            format!("cluster {}: {}", cluster.key, cluster.reason())
        })
    }
}

/// Several clusters counted together, for one answer. Nobody watched them together: a state other than ok lasts since the first of them that
/// is in it came to be so, ok since the last of them did.
fn together<'a>(clusters: impl Iterator<Item = (Id, &'a Cluster)>, now_unix_ns: i64) -> Totals {
    let mut totals = Totals::default();
    let mut latest: Option<i64> = None;
    for (id, cluster) in clusters {
        totals.count(id, cluster, now_unix_ns);
        latest = latest.max(Some(cluster.shown.since_unix_ns));
    }
    let since = totals.worst_since_unix_ns().or(latest);
    totals.set_since(since.unwrap_or(now_unix_ns));
    totals
}

type Changes = (fathom_model::fleet::Changed, fathom_model::fleet::Changed);

/// An entry of several clusters, without children.
fn entry_of(level: Level, totals: &Totals, (last_hour, last_day): Changes) -> Entry {
    let (state, since_unix_ns) = totals.state();
    let (findings, findings_more) = totals.findings();
    Entry {
        level,
        site: String::new(),
        cluster: String::new(),
        state,
        since_unix_ns,
        reason: String::new(),
        labels: BTreeMap::new(),
        heard_unix_ns: totals.heard_unix_ns(),
        clusters: totals.clusters,
        counts: totals.counts,
        findings,
        findings_more,
        worst: Vec::new(),
        worst_more: 0,
        last_hour,
        last_day,
    }
}

fn cluster_of(id: Id, cluster: &Cluster, changed: Changes) -> Entry {
    let mut totals = Totals::default();
    totals.count(id, cluster, cluster.shown.since_unix_ns);
    let mut entry = entry_of(Level::Cluster, &totals, changed);
    let mut clusters = Clusters::default();
    *clusters.of_mut(cluster.shown.state) = 1;
    entry.clusters = clusters;
    entry.site.clone_from(&cluster.key.site);
    entry.cluster.clone_from(&cluster.key.cluster);
    entry.labels.clone_from(&cluster.labels);
    cluster.reason().clone_into(&mut entry.reason);
    if let Some(rollup) = &cluster.rollup {
        let children = rollup.worst.iter().map(Child::from);
        entry.worst = if cluster.is_away() {
            children
                .map(|child| as_last_heard(child, cluster.shown.since_unix_ns))
                .collect()
        } else {
            children.collect()
        };
        entry.worst_more = rollup.worst_more.into();
    }
    entry
}

/// Of a cluster that is not heard nothing in it is known either: what was not ok is said as it was.
fn as_last_heard(child: Child, since_unix_ns: i64) -> Child {
    let reason = if child.reason.is_empty() {
        String::new()
    } else {
        format!(": {}", child.reason)
    };
    Child {
        reason: format!("{} when it was last heard{reason}", child.state.as_str()),
        state: State::Unknown,
        since_unix_ns: Some(since_unix_ns),
        ..child
    }
}

#[cfg(test)]
mod tests;
