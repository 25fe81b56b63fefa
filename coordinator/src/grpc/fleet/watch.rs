//! A watch of the fleet: what looks different, of the clusters that somebody selected.

use std::collections::HashSet;

use fathom_model::fleet::Entry;
use fathom_model::rollup::ClusterKey;
use fathom_proto::fleet::v1 as wire;
use fathom_rollup::{Fleet, Selection};

/// Entries in a message.
const SOME: usize = 500;

/// What somebody watches, and how far he was told.
pub(super) struct Watch {
    selection: Selection,
    version: u64,
    /// Clusters that he was told of. Whoever selects all needs no such list: what is gone is said to everybody.
    told: HashSet<ClusterKey>,
    /// He goes on after an earlier watch: what that was told of is not known here.
    is_resumed: bool,
}

/// What looks different.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) is_all: bool,
    pub(super) entries: Vec<Entry>,
    pub(super) gone: Vec<ClusterKey>,
    version: u64,
}

impl Watch {
    /// After a version; after 0 everything is told.
    pub(super) fn new(selection: Selection, version: u64) -> Self {
        Self {
            selection,
            version,
            told: HashSet::new(),
            is_resumed: version > 0,
        }
    }

    /// What looks different since it was last asked: nothing at all where that is so.
    pub(super) fn news(&mut self, fleet: &Fleet, now_unix_ns: i64) -> News {
        let delta = fleet.changed_since(self.version);
        self.version = delta.version;
        let selects_all = self.selection.is_all();
        let (changed, others): (Vec<ClusterKey>, Vec<ClusterKey>) =
            (delta.changed.into_iter()).partition(|key| selects_all || fleet.is_selected(key, &self.selection));
        if delta.is_all {
            self.told.clear();
            self.is_resumed = false;
        }
        let mut gone = delta.gone;
        if !selects_all {
            let (told, selection) = (&mut self.told, &self.selection);
            // Of what an earlier watch was told of only the site is known, and that its labels may have been others.
            let (is_resumed, by_label) = (self.is_resumed, selection.is_by_label());
            gone.retain(|key| told.remove(key) || (is_resumed && selection.may_have_site(&key.site)));
            let unfit = others.into_iter().filter(|_| !delta.is_all);
            gone.extend(unfit.filter(|key| told.remove(key) || (is_resumed && by_label)));
            self.told.extend(changed.iter().cloned());
        }
        if changed.is_empty() && gone.is_empty() && !delta.is_all {
            return News {
                version: self.version,
                ..News::default()
            };
        }
        let mut entries = vec![fleet.selected_entry(&self.selection, now_unix_ns)];
        let named: HashSet<&str> = changed.iter().chain(&gone).map(|key| key.site.as_str()).collect();
        let sites = fleet.site_entries(&self.selection, now_unix_ns).into_iter();
        entries.extend(sites.filter(|site| named.contains(site.site.as_str())));
        if delta.is_all {
            entries.extend(fleet.cluster_entries(&self.selection, now_unix_ns));
        } else {
            entries.extend(changed.iter().filter_map(|key| fleet.cluster_entry(key, now_unix_ns)));
        }
        News {
            is_all: delta.is_all,
            entries,
            gone,
            version: self.version,
        }
    }
}

impl News {
    /// In messages, the last with a token of this process.
    pub(super) fn messages(self, incarnation: u64) -> Vec<wire::WatchFleetHealthResponse> {
        let mut messages: Vec<wire::WatchFleetHealthResponse> = (self.entries.chunks(SOME))
            .map(|some| wire::WatchFleetHealthResponse {
                entries: some.iter().map(Into::into).collect(),
                ..wire::WatchFleetHealthResponse::default()
            })
            .collect();
        if let Some(first) = messages.first_mut() {
            first.is_all = self.is_all;
            first.gone = self.gone.into_iter().map(name).collect();
        }
        if let Some(last) = messages.last_mut() {
            // Whoever breaks off before has not seen all of it, and begins at the same place again.
            last.resume_token = format!("{incarnation:016x}.{}", self.version);
        }
        messages
    }
}

fn name(key: ClusterKey) -> wire::ClusterName {
    wire::ClusterName {
        site: key.site,
        cluster: key.cluster,
    }
}

#[cfg(test)]
mod tests;
