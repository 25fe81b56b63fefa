//! How everything was shown and what changed, to the file and from it.

use std::collections::BTreeMap;

use fathom_model::health::State;
use fathom_model::rollup::ClusterKey;
use fathom_proto::convert::rollup::answers::change_from_wire;
use fathom_proto::fleet::v1 as wire;
use fathom_rollup::Memory;

/// What is kept beside the joined sites: what changed, the fleet as a whole, and this coordinator's own clusters.
pub(in crate::fleet) fn to_kept(memory: &Memory, is_joined: impl Fn(&str) -> bool, now: i64) -> wire::KeptFleet {
    let mut own: BTreeMap<&str, wire::KeptSite> = BTreeMap::new();
    for (key, shown) in memory.clusters.iter().filter(|(key, _)| !is_joined(&key.site)) {
        let site = own.entry(&key.site).or_insert_with(|| wire::KeptSite {
            site: key.site.clone(),
            is_own: true,
            shown: memory.sites.get(&key.site).map(state),
            ..wire::KeptSite::default()
        });
        site.clusters.push(wire::KeptCluster {
            cluster: key.cluster.clone(),
            shown: Some(state(shown)),
            ..wire::KeptCluster::default()
        });
    }
    wire::KeptFleet {
        sites: own.into_values().collect(),
        changes: memory.changes.iter().map(Into::into).collect(),
        changes_from_unix_nanos: Some(memory.changes_from_unix_ns),
        shown: memory.fleet.as_ref().map(state),
        written_unix_nanos: now,
    }
}

/// Adds how a joined site and its clusters were shown.
pub(in crate::fleet) fn add_shown(site: &mut wire::KeptSite, memory: &Memory) {
    site.shown = memory.sites.get(&site.site).map(state);
    for cluster in &mut site.clusters {
        let key = ClusterKey::new(site.site.as_str(), cluster.cluster.as_str());
        cluster.shown = memory.clusters.get(&key).map(state);
    }
}

/// What was kept; `None` where another version kept nothing of it. Whoever was away for longer than `most_away` does not know what changed
/// meanwhile, and counts from now on.
pub(in crate::fleet) fn from_kept(kept: &wire::KeptFleet, now: i64, most_away: i64) -> Option<Memory> {
    let changes_from = kept.changes_from_unix_nanos?;
    let was_away = now.saturating_sub(kept.written_unix_nanos) > most_away;
    let mut memory = Memory {
        fleet: kept.shown.as_ref().and_then(shown),
        // One that a later version kept and this cannot read is left out.
        changes: (kept.changes.iter())
            .filter_map(|change| change_from_wire(change.clone()).ok())
            .collect(),
        changes_from_unix_ns: if was_away { now } else { changes_from },
        ..Memory::default()
    };
    for site in &kept.sites {
        if let Some(shown) = site.shown.as_ref().and_then(shown) {
            memory.sites.insert(site.site.clone(), shown);
        }
        for cluster in &site.clusters {
            if let Some(shown) = cluster.shown.as_ref().and_then(shown) {
                let key = ClusterKey::new(site.site.as_str(), cluster.cluster.as_str());
                memory.clusters.insert(key, shown);
            }
        }
    }
    Some(memory)
}

fn state((state, since): &(State, i64)) -> wire::KeptState {
    wire::KeptState {
        state: state.as_str().to_owned(),
        since_unix_nanos: *since,
    }
}

fn shown(kept: &wire::KeptState) -> Option<(State, i64)> {
    let state = State::ALL.into_iter().find(|state| state.as_str() == kept.state)?;
    Some((state, kept.since_unix_nanos))
}
