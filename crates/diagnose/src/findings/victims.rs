//! Whom a finding costs: volumes and the nodes that write, which share its whole cost.
//!
//! The watch counts from the beginning of what it found whose writes waited, and how long. A finding's cost is that beyond what is usual;
//! each volume, and each node, has the part of it that it has of what was waited.

use std::collections::BTreeMap;

use fathom_model::Catalog;
use fathom_model::finding::{Finding, Victim, VictimNode};

use crate::watch::{self, Named, Wait, Waiting};

/// How many volumes and nodes are named, the most harmed first.
const VICTIMS: usize = 100;

/// Who waited for a finding, of all that it follows or has folded under it.
#[derive(Clone, Debug, Default)]
pub(super) struct Victims {
    volumes: BTreeMap<String, Wait>,
    nodes: BTreeMap<String, Wait>,
    /// What of each of the watch's findings has been counted.
    counted: BTreeMap<(Named, i64), BTreeMap<Waiting, Wait>>,
}

impl Victims {
    /// As a predecessor has told them.
    pub(super) fn resume(finding: &Finding) -> Self {
        let wait = |writes: u64, nanos: u64| Wait { writes, nanos };
        let volumes = finding.victims.iter();
        let nodes = finding.initiators.iter();
        Self {
            volumes: volumes
                .map(|victim| (victim.volume.clone(), wait(victim.writes, victim.cost_ns.unwrap_or(0))))
                .collect(),
            nodes: nodes
                .map(|victim| (victim.node.clone(), wait(victim.writes, victim.cost_ns)))
                .collect(),
            counted: BTreeMap::new(),
        }
    }

    /// Takes what the watch has counted since it was looked at last.
    pub(super) fn take(&mut self, found: &watch::Finding, catalog: &Catalog) {
        let counted = self.counted.entry((found.named, found.raised_second)).or_default();
        for (&(volume, node), now) in found.waits() {
            let before = counted.insert((volume, node), *now).unwrap_or_default();
            let more = Wait {
                writes: now.writes.saturating_sub(before.writes),
                nanos: now.nanos.saturating_sub(before.nanos),
            };
            if more == Wait::default() {
                continue;
            }
            let (volume, node) = (catalog.volume(volume).as_str(), catalog.node(node).as_str());
            self.volumes.entry(volume.to_owned()).or_default().take(more);
            self.nodes.entry(node.to_owned()).or_default().take(more);
        }
    }

    /// What the watch has counted up to now has been counted before.
    pub(super) fn skip(&mut self, found: &watch::Finding) {
        self.counted
            .insert((found.named, found.raised_second), found.waits().clone());
    }

    /// What the watch found is over: nothing more comes of it.
    pub(super) fn forget(&mut self, found: (Named, i64)) {
        self.counted.remove(&found);
    }

    /// What the watch found is counted elsewhere.
    pub(super) fn give_back(&mut self, found: (Named, i64), catalog: &Catalog) {
        for ((volume, node), wait) in self.counted.remove(&found).unwrap_or_default() {
            let (volume, node) = (catalog.volume(volume).as_str(), catalog.node(node).as_str());
            let own = [self.volumes.get_mut(volume), self.nodes.get_mut(node)];
            for known in own.into_iter().flatten() {
                known.writes = known.writes.saturating_sub(wait.writes);
                known.nanos = known.nanos.saturating_sub(wait.nanos);
            }
        }
        self.volumes.retain(|_, wait| *wait != Wait::default());
        self.nodes.retain(|_, wait| *wait != Wait::default());
    }

    /// Takes over those of what folds under it.
    pub(super) fn absorb(&mut self, part: &Self) {
        for (own, theirs) in [(&mut self.volumes, &part.volumes), (&mut self.nodes, &part.nodes)] {
            for (name, wait) in theirs {
                own.entry(name.clone()).or_default().take(*wait);
            }
        }
        self.counted
            .extend(part.counted.iter().map(|(found, counts)| (*found, counts.clone())));
    }

    /// Puts them into the finding, whose cost they share.
    pub(super) fn show(&self, finding: &mut Finding) {
        let volumes = shares(&self.volumes, finding.cost_ns).into_iter();
        finding.victims = volumes
            .map(|(volume, writes, cost_ns)| Victim {
                volume,
                writes,
                cost_ns: Some(cost_ns),
            })
            .collect();
        let nodes = shares(&self.nodes, finding.cost_ns).into_iter();
        finding.initiators = nodes
            .map(|(node, writes, cost_ns)| VictimNode { node, writes, cost_ns })
            .collect();
    }
}

/// A cost shared by what each waited, to the nanosecond; the most harmed first.
fn shares(waits: &BTreeMap<String, Wait>, cost: u64) -> Vec<(String, u64, u64)> {
    let all: u128 = waits.values().map(|wait| u128::from(wait.nanos)).sum();
    let up_to = |sum: u128| (sum * u128::from(cost)).checked_div(all).unwrap_or(0);
    let mut sum = 0;
    let mut shares: Vec<(String, u64, u64)> = Vec::with_capacity(waits.len());
    for (name, wait) in waits {
        let before = up_to(sum);
        sum += u128::from(wait.nanos);
        let own = u64::try_from(up_to(sum) - before).unwrap_or(u64::MAX);
        shares.push((name.clone(), wait.writes, own));
    }
    shares.sort_by(|a, b| (b.2, b.1, &a.0).cmp(&(a.2, a.1, &b.0)));
    shares.truncate(VICTIMS);
    shares
}

#[cfg(test)]
mod tests;
