//! Whom to blame: which part of the path is worse than its peers, since when, and what it cost.
//!
//! # Method
//!
//! Time is cut into bins. In each, every suspect has a *rate*: the time that it added ([`crate::blame`]) a write that it took
//! part in. A bin is *bad* for a suspect when its rate is far above that of its peers (the other suspects of its kind) and
//! matters: a tenth of what a write takes. A suspect with at least [`FEWEST_BAD`] bad bins can be the culprit; among several,
//! it is the one that cost the most. What all share is in everybody's rate and blames nobody.
//!
//! Two passes over the same rows: [`Search`] finds the suspect and its bad bins, [`Case`] gathers the evidence from them.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::report::{Culprit, Evidence};
use fathom_model::unit::show_nanos as show;
use fathom_model::{Catalog, Io, JoinedRows, Leg, Op};
use hdrhistogram::Histogram;

use crate::blame::{Suspect, blame, like, parts};
use crate::latency::{histogram, record};

/// Width of a bin to begin with.
const BIN_NANOS: i64 = 1_000_000_000;

/// More bins than this are merged, two into one.
const MOST_BINS: usize = 1024;

/// A bin in which a suspect took part in fewer writes says nothing about it.
const FEWEST_WRITES: u64 = 20;

/// Fewer bad bins are chance or a single stall.
const FEWEST_BAD: usize = 2;

/// A suspect's rate matters from this share of what a write takes on.
const MATTERS: f64 = 0.1;

/// A suspect's rate is far above its peers' from this multiple on.
const FAR_ABOVE: f64 = 3.0;

/// How many writes are shown as evidence.
const SHOWN: usize = 3;

#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    writes: u64,
    write_nanos: u64,
    added_nanos: u64,
}

/// The first pass: who, and when.
#[derive(Clone, Debug)]
pub struct Search {
    width: i64,
    bins: BTreeMap<Suspect, BTreeMap<i64, Bin>>,
    times: BTreeSet<i64>,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            width: BIN_NANOS,
            bins: BTreeMap::new(),
            times: BTreeSet::new(),
        }
    }
}

impl Search {
    /// Takes a write; other operations blame nobody.
    pub fn add(&mut self, rows: &JoinedRows, io: &Io) {
        if io.op != Op::Write {
            return;
        }
        let time = io.event.end_unix_nanos().div_euclid(self.width);
        for part in rows.legs_of(io).iter().flat_map(|leg| parts(io, leg)) {
            let bin = self.bins.entry(part.suspect).or_default().entry(time).or_default();
            bin.writes += 1;
            bin.write_nanos = bin.write_nanos.saturating_add(io.event.duration_nanos);
        }
        for (suspect, nanos) in blame(rows, io).map(|blame| blame.shares).unwrap_or_default() {
            let bin = self.bins.entry(suspect).or_default().entry(time).or_default();
            bin.added_nanos = bin.added_nanos.saturating_add(nanos);
        }
        self.times.insert(time);
        while self.times.len() > MOST_BINS {
            self.coarsen();
        }
    }

    fn coarsen(&mut self) {
        self.width = self.width.saturating_mul(2);
        self.times = self.times.iter().map(|time| time.div_euclid(2)).collect();
        for bins in self.bins.values_mut() {
            let mut merged: BTreeMap<i64, Bin> = BTreeMap::new();
            for (time, bin) in std::mem::take(bins) {
                let into = merged.entry(time.div_euclid(2)).or_default();
                into.writes += bin.writes;
                into.write_nanos = into.write_nanos.saturating_add(bin.write_nanos);
                into.added_nanos = into.added_nanos.saturating_add(bin.added_nanos);
            }
            *bins = merged;
        }
    }

    /// The suspect that cost the most where it was far worse than its peers, if there is one.
    #[must_use]
    pub fn suspect(mut self) -> Option<Case> {
        // At low load bins are merged until they say something, as long as enough are left to tell times apart.
        while self.times.len() >= 4 * FEWEST_BAD && self.is_thin() {
            self.coarsen();
        }
        let mut worst: Option<Case> = None;
        for (&suspect, bins) in &self.bins {
            let mut case = Case::new(suspect, self.width);
            let mut writes = 0;
            for (&time, bin) in bins {
                if let Some(excess) = self.excess(suspect, time, bin) {
                    case.bad.insert(time);
                    case.cost_nanos = case.cost_nanos.saturating_add(excess);
                    writes += bin.writes;
                }
            }
            // Half of what it cost a write on average.
            case.felt_nanos = case.cost_nanos / writes.max(1) / 2;
            let enough = case.bad.len() >= FEWEST_BAD;
            if enough && worst.as_ref().is_none_or(|worst| worst.cost_nanos < case.cost_nanos) {
                worst = Some(case);
            }
        }
        worst
    }

    fn is_thin(&self) -> bool {
        let mut counts: Vec<u64> = self
            .bins
            .values()
            .flat_map(|bins| bins.values().map(|bin| bin.writes))
            .collect();
        counts.sort_unstable();
        counts
            .get(counts.len() / 2)
            .is_some_and(|&middle| middle < FEWEST_WRITES)
    }

    /// What a suspect cost in a bin beyond its peers, if the bin is bad for it.
    fn excess(&self, suspect: Suspect, time: i64, bin: &Bin) -> Option<u64> {
        if bin.writes < FEWEST_WRITES {
            return None;
        }
        let rate = |bin: &Bin| bin.added_nanos as f64 / bin.writes as f64;
        let own = rate(bin);
        let peers = self
            .bins
            .iter()
            .filter(|&(&other, _)| other != suspect && comparable(suspect, other));
        let mut rates: Vec<f64> = peers
            .filter_map(|(_, bins)| bins.get(&time).filter(|bin| bin.writes >= FEWEST_WRITES).map(rate))
            .collect();
        rates.sort_by(f64::total_cmp);
        // Without a single peer nothing can be worse than its peers.
        let usual = *rates.get(rates.len() / 2)?;
        let write = bin.write_nanos as f64 / bin.writes as f64;
        let bad = own - usual >= MATTERS * write && own >= FAR_ABOVE * usual;
        bad.then_some(((own - usual) * bin.writes as f64) as u64)
    }
}

/// Whether two suspects can be held against each other: a leg that is not seen at the far side against any way.
const fn comparable(one: Suspect, other: Suspect) -> bool {
    one.same_kind(other)
        || matches!(
            (one, other),
            (Suspect::Unseen { .. }, Suspect::Link { .. }) | (Suspect::Link { .. }, Suspect::Unseen { .. })
        )
}

/// The second pass: the evidence against one suspect, from the writes of its bad bins.
#[derive(Clone, Debug)]
pub struct Case {
    suspect: Suspect,
    width: i64,
    bad: BTreeSet<i64>,
    cost_nanos: u64,
    /// A write that it delayed by less than this does not mark the beginning or the end.
    felt_nanos: u64,
    own: Histogram<u64>,
    peers: Histogram<u64>,
    /// The same component in the other bins: its own past and what came after.
    otherwise: Histogram<u64>,
    last: u64,
    writes: u64,
    all_added: u64,
    own_added: u64,
    first: Option<i64>,
    until: Option<i64>,
    /// The writes that it delayed the most, worst first, with what it added.
    worst: Vec<(u64, String)>,
    /// Whether the far side's bus target was seen on any of its legs.
    target_seen: bool,
    /// Whether any of its legs was seen at the initiator.
    initiator_seen: bool,
    /// Whether there was a write of which every end was seen on the initiator's clock.
    ends_seen: bool,
}

impl Case {
    fn new(suspect: Suspect, width: i64) -> Self {
        Self {
            suspect,
            width,
            bad: BTreeSet::new(),
            cost_nanos: 0,
            felt_nanos: 0,
            own: histogram(),
            peers: histogram(),
            otherwise: histogram(),
            last: 0,
            writes: 0,
            all_added: 0,
            own_added: 0,
            first: None,
            until: None,
            worst: Vec::new(),
            target_seen: false,
            initiator_seen: false,
            ends_seen: false,
        }
    }

    /// Takes a write, in any order; the same rows that the search took.
    pub fn add(&mut self, rows: &JoinedRows, io: &Io, catalog: &Catalog) {
        if io.op != Op::Write {
            return;
        }
        let legs = rows.legs_of(io);
        let of_suspect = |leg: &Leg| parts(io, leg).into_iter().find(|part| part.suspect == self.suspect);
        let is_of = |leg: &Leg| of_suspect(leg).is_some();
        let Some((leg, own)) = legs.iter().find_map(|leg| Some((leg, of_suspect(leg)?))) else {
            return;
        };
        if !self.bad.contains(&io.event.end_unix_nanos().div_euclid(self.width)) {
            record(&mut self.otherwise, own.nanos);
            return;
        }
        self.target_seen |= leg.target.is_some();
        self.initiator_seen |= leg.initiator.is_some();
        self.ends_seen |= legs.iter().all(|leg| leg.local || leg.initiator.is_some());
        self.writes += 1;
        record(&mut self.own, own.nanos);
        // What blame compared: the same component of the other copies of the same part, and whole legs with whole legs.
        for other in legs.iter().filter(|other| other.part == leg.part && !is_of(other)) {
            if let Some(nanos) = like(self.suspect, io, other) {
                record(&mut self.peers, nanos);
            }
        }
        let Some(blame) = blame(rows, io) else { return };
        self.all_added = self.all_added.saturating_add(blame.added_nanos);
        let Some(&(_, added)) = blame.shares.iter().find(|(suspect, _)| *suspect == self.suspect) else {
            return;
        };
        self.last += 1;
        self.own_added = self.own_added.saturating_add(added);
        if added >= self.felt_nanos {
            let start = io.event.start_unix_nanos;
            self.first = Some(self.first.map_or(start, |first| first.min(start)));
            self.until = Some(self.until.map_or(start, |until| until.max(io.event.end_unix_nanos())));
        }
        self.worst.push((added, io.id(catalog).to_string()));
        if self.worst.len() > 16 * SHOWN {
            self.keep_worst();
        }
    }

    fn keep_worst(&mut self) {
        self.worst.sort_by(|a, b| (b.0, &a.1).cmp(&(a.0, &b.1)));
        self.worst.truncate(SHOWN);
    }

    /// The verdict.
    #[must_use]
    pub fn close(mut self, catalog: &Catalog) -> Culprit {
        self.keep_worst();
        let explained = self.own_added as f64 / self.all_added.max(1) as f64;
        // Without target events the way and the far side's queue are one number: it may be either.
        // Without initiator events only the way there is seen, and that by aligned clocks.
        let is_link = matches!(self.suspect, Suspect::Link { .. });
        let one_number = is_link && !self.target_seen;
        let doubt = if one_number || (is_link && !self.initiator_seen) {
            0.8
        } else {
            1.0
        };
        let (kind, node, disk, peer) = match self.suspect {
            Suspect::Disk(disk) => {
                let disk = catalog.disk(disk);
                ("disk", disk.node.clone(), Some(disk.name.clone()), None)
            }
            Suspect::Node(node) => ("node", catalog.node(node).clone(), None, None),
            Suspect::Link { node, peer } => (
                "link",
                catalog.node(node).clone(),
                None,
                Some(catalog.node(peer).to_string()),
            ),
            Suspect::Unseen { node, peer } => (
                "unknown",
                catalog.node(node).clone(),
                None,
                Some(catalog.node(peer).to_string()),
            ),
        };
        Culprit {
            kind: kind.to_owned(),
            node: Some(node.to_string()),
            disk,
            peer,
            // Certainty is not to be had from what was observed.
            confidence: ((explained * doubt).min(0.99) * 100.0).round() / 100.0,
            cost_ns: self.cost_nanos,
            since: timestamp(
                self.first
                    .unwrap_or_else(|| self.bad.first().map_or(0, |bin| bin * self.width)),
            ),
            until: timestamp(
                self.until
                    .unwrap_or_else(|| self.bad.last().map_or(0, |bin| (bin + 1) * self.width)),
            ),
            evidence: self.evidence(one_number),
        }
    }

    fn evidence(&self, one_number: bool) -> Vec<Evidence> {
        let what = match self.suspect {
            Suspect::Disk(_) => "time at the drive",
            Suspect::Node(_) => "time at the far side's bus target beyond the drive's",
            Suspect::Link { .. } if !self.initiator_seen => {
                "time until the far side had the request (the leg itself was not seen at the initiator)"
            }
            Suspect::Link { .. } if one_number => {
                "time on the way and in the far side's queue (one number without target events)"
            }
            Suspect::Link { .. } => "time on the way (leg less the far side's service)",
            Suspect::Unseen { .. } => {
                "time of the whole leg (the far side was not seen, so disk and link cannot be told apart)"
            }
        };
        let shown: Vec<String> = self.worst.iter().map(|(_, id)| id.clone()).collect();
        let mut evidence = vec![Evidence {
            text: format!(
                "{what}: p50 {}, p99 {}, against p50 {}, p99 {} of the other copies of the same {} writes",
                show(self.own.value_at_quantile(0.5)),
                show(self.own.value_at_quantile(0.99)),
                show(self.peers.value_at_quantile(0.5)),
                show(self.peers.value_at_quantile(0.99)),
                self.writes,
            ),
            writes: shown.clone(),
        }];
        if self.otherwise.len() >= FEWEST_WRITES {
            evidence.push(Evidence {
                text: format!(
                    "at other times the same took p50 {}, p99 {} ({} writes)",
                    show(self.otherwise.value_at_quantile(0.5)),
                    show(self.otherwise.value_at_quantile(0.99)),
                    self.otherwise.len(),
                ),
                writes: Vec::new(),
            });
        }
        let last = if self.initiator_seen || self.ends_seen {
            "waited for this copy"
        } else {
            "had this copy done last at the far side (replies were not seen)"
        };
        evidence.push(Evidence {
            text: format!(
                "{:.0} % of those writes {last}; {} of the {} that last copies added then is its own",
                100.0 * self.last as f64 / self.writes.max(1) as f64,
                show(self.own_added),
                show(self.all_added),
            ),
            writes: shown,
        });
        evidence
    }
}

/// RFC 3339 in UTC, to the microsecond.
#[must_use]
pub fn timestamp(unix_nanos: i64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(unix_nanos))
        .map_or_else(|_| format!("{unix_nanos} ns since 1970"), |time| format!("{time:.6}"))
}

#[cfg(test)]
mod tests;
