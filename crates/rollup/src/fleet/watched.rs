//! Which clusters look different from how they did, in the order in which they last came to do so.
//!
//! Of each cluster only its last change is kept, so that nobody who comes back is too late for it: the number of clusters bounds it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use fathom_model::rollup::ClusterKey;

use super::{Fleet, Id};

/// So many clusters that were taken out are remembered.
const MOST_GONE: usize = 1000;

/// Last changes.
#[derive(Debug, Default)]
pub(super) struct Watched {
    version: u64,
    by_version: BTreeMap<u64, Id>,
    versions: HashMap<Id, u64>,
    gone: VecDeque<(u64, ClusterKey)>,
    /// The newest of those taken out that is not remembered any more.
    forgotten: u64,
}

impl Watched {
    pub(super) fn touch(&mut self, id: Id) {
        self.version += 1;
        if let Some(old) = self.versions.insert(id, self.version) {
            self.by_version.remove(&old);
        }
        self.by_version.insert(self.version, id);
    }

    pub(super) fn forget(&mut self, id: Id, key: &ClusterKey) {
        self.version += 1;
        if let Some(old) = self.versions.remove(&id) {
            self.by_version.remove(&old);
        }
        self.gone.push_back((self.version, key.clone()));
        if self.gone.len() > MOST_GONE
            && let Some((version, _)) = self.gone.pop_front()
        {
            self.forgotten = version;
        }
    }
}

/// What looks different since a version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// To go on after it.
    pub version: u64,
    /// Whether `changed` is every cluster there is, and what the watcher knows beside is gone: it comes from too long ago, or from another
    /// process.
    pub is_all: bool,
    /// Clusters that look different, in the order of their last changes; how they look now is what [`Fleet::cluster_entry`] says. Their
    /// sites and the fleet may look different too.
    pub changed: Vec<ClusterKey>,
    /// Clusters that were taken out.
    pub gone: Vec<ClusterKey>,
}

impl Fleet {
    /// The version of what is shown: a higher one means that something looks different. Of this process alone: a token for watchers has to
    /// say which process it is of.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.watched.version
    }

    /// What looks different since a version, in the time that it takes to tell; 0 is everything.
    #[must_use]
    pub fn changed_since(&self, version: u64) -> Delta {
        let watched = &self.watched;
        let is_all = version == 0 || version < watched.forgotten || version > watched.version;
        let from = if is_all { 0 } else { version };
        let keys = watched
            .by_version
            .range(from + 1..)
            .filter_map(|(_, id)| Some(self.cluster(*id)?.key.clone()));
        let gone = watched.gone.iter().filter(|(at, _)| !is_all && *at > from);
        Delta {
            version: watched.version,
            is_all,
            changed: keys.collect(),
            gone: gone.map(|(_, key)| key.clone()).collect(),
        }
    }
}
