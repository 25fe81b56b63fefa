//! How everything was shown and what changed, to the file and from it.

use std::collections::BTreeMap;

use fathom_model::health::State;
use fathom_model::rollup::ClusterKey;
use fathom_proto::convert::rollup::answers::change_from_wire;
use fathom_proto::convert::rollup::key_from_wire;
use fathom_proto::fleet::v1 as wire;
use fathom_rollup::{Fleet, KeptVariant, Memory};

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
            unheard: memory.unheard.contains(key),
            ..wire::KeptCluster::default()
        });
    }
    wire::KeptFleet {
        sites: own.into_values().collect(),
        changes: memory.changes.iter().map(Into::into).collect(),
        changes_from_unix_nanos: Some(memory.changes_from_unix_ns),
        shown: memory.fleet.as_ref().map(state),
        written_unix_nanos: now,
        updates_from_unix_nanos: Some(memory.updates_from_unix_ns),
    }
}

/// Adds what ran on the devices of this coordinator's own clusters; those of joined sites are written with the rest of them.
pub(in crate::fleet) fn add_own_variants(kept: &mut wire::KeptFleet, fleet: &Fleet) {
    for site in &mut kept.sites {
        for cluster in &mut site.clusters {
            let key = ClusterKey::new(site.site.as_str(), cluster.cluster.as_str());
            cluster.variants = variants_to_kept(fleet.software(&key));
        }
    }
}

/// What ran on a cluster's devices, to the file.
pub(in crate::fleet) fn variants_to_kept(variants: Vec<KeptVariant>) -> Vec<wire::KeptVariant> {
    let kept = variants.into_iter().map(|own| wire::KeptVariant {
        key: Some((&own.key).into()),
        devices: own.devices,
        updated_unix_nanos: own.updated.as_ref().map(|(at, _)| *at),
        updated_from: own.updated.map(|(_, from)| from).unwrap_or_default(),
        seen_unix_nanos: own.seen_unix_ns,
        hours: own.hours.iter().map(|(hour, _)| *hour).collect(),
        times: (own.hours.iter())
            .flat_map(|(_, times)| times.map(|time| time.unwrap_or(f32::NAN)))
            .collect(),
    });
    kept.collect()
}

/// ... and from it. What a later version kept and this cannot read is left out.
fn variant_from_kept(kept: wire::KeptVariant) -> Option<KeptVariant> {
    let times = kept.times.chunks_exact(4).map(|times| {
        let time = |at: usize| times.get(at).copied().filter(|time| time.is_finite() && *time > 0.0);
        [time(0), time(1), time(2), time(3)]
    });
    Some(KeptVariant {
        key: key_from_wire(kept.key?).ok().flatten()?,
        devices: kept.devices,
        updated: kept.updated_unix_nanos.map(|at| (at, kept.updated_from)),
        hours: kept.hours.into_iter().zip(times).collect(),
        seen_unix_ns: kept.seen_unix_nanos,
    })
}

/// Adds how a joined site and its clusters were shown.
pub(in crate::fleet) fn add_shown(site: &mut wire::KeptSite, memory: &Memory) {
    site.shown = memory.sites.get(&site.site).map(state);
    for cluster in &mut site.clusters {
        let key = ClusterKey::new(site.site.as_str(), cluster.cluster.as_str());
        cluster.shown = memory.clusters.get(&key).map(state);
        cluster.unheard = memory.unheard.contains(&key);
    }
}

/// What was kept; `None` where another version kept nothing of it. Whoever was away for longer than `most_away` does not know what changed
/// meanwhile, and counts from now on.
pub(in crate::fleet) fn from_kept(kept: &mut wire::KeptFleet, now: i64, most_away: i64) -> Option<Memory> {
    let changes_from = kept.changes_from_unix_nanos?;
    let was_away = now.saturating_sub(kept.written_unix_nanos) > most_away;
    let mut memory = Memory {
        fleet: kept.shown.as_ref().and_then(shown),
        // One that a later version kept and this cannot read is left out.
        changes: (kept.changes.iter())
            .filter_map(|change| change_from_wire(change.clone()).ok())
            .collect(),
        changes_from_unix_ns: if was_away { now } else { changes_from },
        // Whoever was away sees an update later, and sees it.
        updates_from_unix_ns: kept.updates_from_unix_nanos.unwrap_or(now),
        ..Memory::default()
    };
    for site in &mut kept.sites {
        if let Some(shown) = site.shown.as_ref().and_then(shown) {
            memory.sites.insert(site.site.clone(), shown);
        }
        for cluster in &mut site.clusters {
            let key = ClusterKey::new(site.site.as_str(), cluster.cluster.as_str());
            let variants = std::mem::take(&mut cluster.variants).into_iter();
            let variants: Vec<KeptVariant> = variants.filter_map(variant_from_kept).collect();
            if !variants.is_empty() {
                memory.software.insert(key.clone(), variants);
            }
            if cluster.unheard {
                memory.unheard.insert(key.clone());
            }
            if let Some(shown) = cluster.shown.as_ref().and_then(shown) {
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
