//! Copies of one slab on drives of different media: each of its writes waits for the slower.
//!
//! A pool may have tiers of several media, and then all copies of a slab lie in one tier: only extents tell.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::Topology;
use fathom_model::condition::{Condition, Sign};
use fathom_model::state::{Kind, Observation};

use super::disks::{number, place};
use super::{Scene, cited};
use crate::pools;

/// Usage of a disk that caches for others.
const JOURNAL: i64 = 5;

/// Which drives hold copies of the same slabs.
#[derive(Clone, Debug, Default)]
pub(super) struct Slabs {
    disks: Vec<String>,
    /// By their places in `disks`, both ways.
    pairs: BTreeSet<(u32, u32)>,
}

impl Slabs {
    /// As a topology has them.
    pub(super) fn of(topology: &Topology) -> Self {
        let mut slabs: BTreeMap<(&str, u64, Option<u32>), BTreeSet<u32>> = BTreeMap::new();
        let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
        let mut disks = Vec::new();
        for extent in topology.extents.extents() {
            let number = *numbers.entry(extent.disk.as_str()).or_insert_with(|| {
                disks.push(extent.disk.to_string());
                (disks.len() - 1) as u32
            });
            let column = extent.stripe.map(|stripe| stripe.column);
            let slab = (extent.volume.as_str(), extent.volume_offset, column);
            slabs.entry(slab).or_default().insert(number);
        }
        let mut pairs = BTreeSet::new();
        for own in slabs.into_values() {
            for &one in &own {
                pairs.extend(own.iter().filter(|other| **other != one).map(|other| (one, *other)));
            }
        }
        Self { disks, pairs }
    }
}

/// How fast a medium is among others: hard disk, SSD, storage class memory.
fn rank(disk: &Observation) -> Option<u8> {
    match number(disk.get("media"))? {
        3 => Some(0),
        4 => Some(1),
        5 => Some(2),
        _ => None,
    }
}

/// Pools whose slabs have copies on several media, with the slower drives.
pub(super) fn mixed(scene: &Scene<'_>) -> Vec<Condition> {
    let disks: Vec<Observation> = scene
        .picture
        .of(Kind::Disk)
        .map(|fact| fact.observation)
        .filter(|disk| number(disk.get("usage")) != Some(JOURNAL))
        .collect();
    let mut known: BTreeMap<&str, &Observation> = BTreeMap::new();
    for disk in &disks {
        known.insert(&disk.id, disk);
        known.extend(disk.text("unique_id").map(|id| (id, disk)));
    }
    let slabs = &scene.slabs;
    let mut slower: BTreeMap<&str, (&Observation, &Observation)> = BTreeMap::new();
    for &(one, other) in &slabs.pairs {
        let find = |number: u32| known.get(slabs.disks.get(number as usize)?.as_str()).copied();
        let Some((own, other)) = find(one).zip(find(other)) else {
            continue;
        };
        if rank(own).zip(rank(other)).is_some_and(|(own, other)| own < other) {
            slower.entry(&own.id).or_insert((own, other));
        }
    }
    let mut by_pool: BTreeMap<String, Vec<(&Observation, &Observation)>> = BTreeMap::new();
    for pair in slower.into_values() {
        let pool = pools::name_of(scene.picture, pair.0).unwrap_or_else(|| "the pool".to_owned());
        by_pool.entry(pool).or_default().push(pair);
    }
    let of_pool = |(pool, pairs): (String, Vec<(&Observation, &Observation)>)| {
        let names: BTreeSet<String> = pairs
            .iter()
            .map(|(own, _)| {
                let (node, name) = place(scene, own);
                format!("{node}/{name}")
            })
            .collect();
        let media = |disk: &Observation| disk.get("media").map(ToString::to_string).unwrap_or_default();
        let kinds: BTreeSet<String> = pairs
            .iter()
            .map(|(own, other)| format!("{} and {}", media(own), media(other)))
            .collect();
        let kinds: Vec<String> = kinds.into_iter().collect();
        let shown: Vec<&str> = names.iter().map(String::as_str).take(8).collect();
        let more = names.len().saturating_sub(shown.len());
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        // The slower drives first, and one that they are slower than.
        let mut observations = cited(pairs.iter().map(|(own, _)| *own).take(4));
        observations.extend(cited(pairs.iter().map(|(_, other)| *other).take(1)));
        Condition {
            resource: Some(pool),
            text: format!(
                "copies of the same slabs lie on {}: writes to them wait for the slower medium, of {}{more}",
                kinds.join(", "),
                shown.join(", ")
            ),
            disks: names.into_iter().collect(),
            observations,
            ..Condition::new(Sign::MixedMedia, "pool", "")
        }
    };
    by_pool.into_iter().map(of_pool).collect()
}

#[cfg(test)]
mod tests;
