//! What is counted of a site, or of the fleet: changed by what one cluster changed, and never counted anew.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use fathom_model::finding::Severity;
use fathom_model::fleet::Clusters;
use fathom_model::health::State;
use fathom_model::rollup::{Counts, FindingCount, MOST_CODES};

use super::{Cluster, Id};

/// Counts of several clusters.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) clusters: Clusters,
    pub(super) counts: Counts,
    /// Open and muted, by severity and code.
    findings: BTreeMap<(Reverse<Severity>, String), (u64, u64)>,
    findings_more: u64,
    /// When each was heard, those first of which nothing came.
    heard: BTreeSet<(Option<i64>, Id)>,
    /// Those that are not ok, the worst first, of these the one that has been so for longest.
    worst: BTreeSet<(Reverse<State>, i64, Id)>,
    /// The state, and since when.
    state: Option<(State, i64)>,
}

impl Totals {
    /// Counts a cluster.
    pub(super) fn count(&mut self, id: Id, cluster: &Cluster, now_unix_ns: i64) {
        let state = cluster.shown.state;
        *self.clusters.of_mut(state) += 1;
        self.counts.add_all(&cluster.counts());
        self.heard.insert((cluster.heard_unix_ns, id));
        if state != State::Ok {
            self.worst.insert((Reverse(state), cluster.shown.since_unix_ns, id));
        }
        if let Some(rollup) = &cluster.rollup {
            for count in &rollup.findings {
                let own = self.findings.entry(name(count)).or_default();
                *own = (own.0 + u64::from(count.open), own.1 + u64::from(count.muted));
            }
            self.findings_more += u64::from(rollup.findings_more);
        }
        let worst = self.clusters.worst().unwrap_or(State::Unknown);
        if self.state.is_none_or(|(state, _)| state != worst) {
            self.state = Some((worst, now_unix_ns));
        }
    }

    /// Takes back what was counted of a cluster, which has not changed since.
    pub(super) fn take_back(&mut self, id: Id, cluster: &Cluster) {
        let state = cluster.shown.state;
        *self.clusters.of_mut(state) -= 1;
        self.counts.take_back(&cluster.counts());
        self.heard.remove(&(cluster.heard_unix_ns, id));
        self.worst.remove(&(Reverse(state), cluster.shown.since_unix_ns, id));
        let Some(rollup) = &cluster.rollup else { return };
        for count in &rollup.findings {
            let name = name(count);
            if let Some(own) = self.findings.get_mut(&name) {
                *own = (own.0 - u64::from(count.open), own.1 - u64::from(count.muted));
                if *own == (0, 0) {
                    self.findings.remove(&name);
                }
            }
        }
        self.findings_more -= u64::from(rollup.findings_more);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.clusters.total() == 0
    }

    /// The worst state in it, and since when.
    pub(super) fn state(&self) -> (State, i64) {
        // What took a cluster out did not say when: then it is the state itself that counts.
        let worst = self.clusters.worst().unwrap_or(State::Unknown);
        match self.state {
            Some((state, since)) if state == worst => (state, since),
            Some((_, since)) => (worst, since),
            None => (worst, 0),
        }
    }

    /// Since when the one of the worst that has been so for longest is; `None` where all are ok.
    pub(super) fn worst_since_unix_ns(&self) -> Option<i64> {
        self.worst.first().map(|(_, since, _)| *since)
    }

    /// Says since when it is in the state that it is in.
    pub(super) fn set_since(&mut self, since_unix_ns: i64) {
        self.state = Some((self.state().0, since_unix_ns));
    }

    /// When the one that was not heard for longest was heard; `None` where one never was.
    pub(super) fn heard_unix_ns(&self) -> Option<i64> {
        self.heard.first().and_then(|(heard, _)| *heard)
    }

    /// Clusters that are not ok, the worst first.
    pub(super) fn worst(&self) -> impl Iterator<Item = Id> {
        self.worst.iter().map(|(_, _, id)| *id)
    }

    /// How many clusters are not ok.
    pub(super) fn not_ok(&self) -> u64 {
        self.worst.len() as u64
    }

    /// Open findings by code and severity, as many as are told, and how many more there are.
    pub(super) fn findings(&self) -> (Vec<FindingCount>, u64) {
        let narrow = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let mut all: Vec<_> = self.findings.iter().collect();
        all.sort_by(|((a, _), (a_open, _)), ((b, _), (b_open, _))| a.cmp(b).then(b_open.cmp(a_open)));
        let told = all
            .iter()
            .take(MOST_CODES)
            .map(|((severity, code), (open, muted))| FindingCount {
                code: code.clone(),
                severity: severity.0,
                open: narrow(*open),
                muted: narrow(*muted),
            });
        let more: u64 = all.iter().skip(MOST_CODES).map(|(_, (open, _))| open).sum();
        (told.collect(), self.findings_more + more)
    }
}

fn name(count: &FindingCount) -> (Reverse<Severity>, String) {
    (Reverse(count.severity), count.code.clone())
}
