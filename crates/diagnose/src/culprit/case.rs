//! The second pass: the evidence against one suspect, from the writes of its bad bins.

use std::borrow::Cow;
use std::collections::BTreeSet;

use fathom_model::report::{Culprit, Evidence};
use fathom_model::unit::show_nanos as show;
use fathom_model::{Catalog, Io, JoinedRows, Leg, Op};
use hdrhistogram::Histogram;

use super::FEWEST_WRITES;
use crate::blame::{Suspect, blame, compares, like, outside, parts};
use crate::latency::{histogram, record};

/// How many writes are shown as evidence.
const SHOWN: usize = 3;

/// What is held against a past or against other initiators has to explain at least this share, or nobody is named.
const CARRIES: f64 = 0.5;

/// Nobody is named who is not at least as likely as not.
const LIKELY: f64 = 0.5;

/// By which share it is less sure where only the way there was seen, or the way and the far side's queue are one number.
const ONE_NUMBER: f64 = 0.2;

/// By which share it is less sure where of no write it is known that it waited for it.
const GUESS: f64 = 0.2;

/// The evidence against one suspect.
#[derive(Clone, Debug)]
pub struct Case {
    suspect: Suspect,
    width: i64,
    pub(super) bad: BTreeSet<i64>,
    pub(super) cost_nanos: u64,
    /// What the suspect's own time is held against, where that is not the other copies of each write: its own past, or what
    /// other initiators take.
    pub(super) usual_nanos: Option<u64>,
    /// What its writes took before, where it is held against its own past.
    pub(super) usual_write_nanos: Option<u64>,
    /// A write that it delayed by less than this does not mark the beginning or the end.
    felt_nanos: u64,
    own: Histogram<u64>,
    peers: Histogram<u64>,
    /// The same in the other bins: its own past and what came after.
    otherwise: Histogram<u64>,
    peers_otherwise: Histogram<u64>,
    last: u64,
    /// Of how many of these that is known, and not only possible.
    known_last: u64,
    /// Writes of which it is not known whether they waited for it, or how long, and of which nothing is counted.
    open: u64,
    writes: u64,
    all_added: u64,
    own_added: u64,
    /// What of it is of writes of which it is not known that they waited for it.
    guessed_added: u64,
    first: Option<i64>,
    until: Option<i64>,
    /// The writes that it delayed the most, worst first, with what it added.
    worst: Vec<(u64, String)>,
    /// How many of its legs were not seen at the initiator, and how many not at the far side's bus target.
    one_way: u64,
    without_target: u64,
    /// How many lack one of both.
    one_number: u64,
}

impl Case {
    pub(super) fn new(suspect: Suspect, width: i64) -> Self {
        Self {
            suspect,
            width,
            bad: BTreeSet::new(),
            cost_nanos: 0,
            usual_nanos: None,
            usual_write_nanos: None,
            felt_nanos: 0,
            own: histogram(),
            peers: histogram(),
            otherwise: histogram(),
            peers_otherwise: histogram(),
            last: 0,
            known_last: 0,
            open: 0,
            writes: 0,
            all_added: 0,
            own_added: 0,
            guessed_added: 0,
            first: None,
            until: None,
            worst: Vec::new(),
            one_way: 0,
            without_target: 0,
            one_number: 0,
        }
    }

    /// A write felt it from half of what it cost a write on average.
    pub(super) fn set_felt(&mut self, writes: u64) {
        self.felt_nanos = self.cost_nanos / writes.max(1) / 2;
    }

    /// Takes a write, in any order; the same rows that the search took.
    pub fn add(&mut self, rows: &JoinedRows, io: &Io, catalog: &Catalog) {
        if io.op != Op::Write {
            return;
        }
        let legs = rows.legs_of(io);
        let is_bad = self.bad.contains(&io.event.end_unix_nanos().div_euclid(self.width));
        let (own, others) = self.compared(io, legs);
        for nanos in others {
            record(
                if is_bad {
                    &mut self.peers
                } else {
                    &mut self.peers_otherwise
                },
                nanos,
            );
        }
        let Some((nanos, at)) = own else { return };
        if !is_bad {
            record(&mut self.otherwise, nanos);
            return;
        }
        if let Some(at) = at {
            let (one_way, without_target) = (legs[at].initiator.is_none(), legs[at].target.is_none());
            self.one_way += u64::from(one_way);
            self.without_target += u64::from(without_target);
            self.one_number += u64::from(one_way || without_target);
        }
        self.writes += 1;
        record(&mut self.own, nanos);
        let Some(added) = self.added(rows, io, nanos, at) else {
            // It may have waited for it, or did, and nothing of it compares with what its peers took.
            let may_have = match io.slowest {
                None => at.is_some_and(|at| legs[at].candidate),
                Some(slowest) => self.usual_nanos.is_none() && at.is_some_and(|at| slowest.leg == io.legs.start + at),
            };
            self.open += u64::from(may_have);
            return;
        };
        self.last += 1;
        self.own_added = self.own_added.saturating_add(added);
        if at.is_none() || io.slowest.is_some() {
            self.known_last += 1;
        } else {
            self.guessed_added = self.guessed_added.saturating_add(added);
        }
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

    /// What the suspect took of a write, with the leg, and what its peers took: what blame compared.
    fn compared(&self, io: &Io, legs: &[Leg]) -> (Option<(u64, Option<usize>)>, Vec<u64>) {
        if let Suspect::Initiator(node) = self.suspect {
            let nanos = outside(io, legs);
            return if node == io.node {
                (nanos.map(|nanos| (nanos, None)), Vec::new())
            } else {
                (None, nanos.into_iter().collect())
            };
        }
        let of_suspect = |leg: &Leg| parts(io, leg).into_iter().find(|part| part.suspect == self.suspect);
        let own = (0..legs.len()).find_map(|at| Some((of_suspect(&legs[at])?.nanos, Some(at))));
        let Some((_, Some(at))) = own else {
            return (None, Vec::new());
        };
        let others = legs.iter().filter(|other| other.part == legs[at].part);
        let others = others.filter(|other| of_suspect(other).is_none() && compares(self.suspect, &legs[at], other));
        (own, others.filter_map(|other| like(self.suspect, io, other)).collect())
    }

    /// What the suspect added to a write of a bad bin; `None` when it added nothing of what the write waited for.
    fn added(&mut self, rows: &JoinedRows, io: &Io, nanos: u64, at: Option<usize>) -> Option<u64> {
        let blame = blame(rows, io);
        let last_added = blame.as_ref().map_or(0, |blame| blame.added_nanos);
        let Some(usual) = self.usual_nanos else {
            self.all_added = self.all_added.saturating_add(last_added);
            let shares = blame?.shares;
            return Some(shares.iter().find(|(suspect, _)| *suspect == self.suspect)?.1);
        };
        let excess = nanos.saturating_sub(usual);
        let waited = match (at, io.slowest) {
            (None, _) => excess,
            (Some(at), Some(slowest)) if slowest.leg == io.legs.start + at => {
                slowest.lead_nanos.map_or(excess, |lead| lead.min(excess))
            }
            (Some(at), None) if rows.legs_of(io)[at].candidate => excess,
            (Some(_), _) => 0,
        };
        // Against its own past: whole writes, of which `close` takes away what they took before.
        let all = match self.usual_write_nanos {
            Some(_) => io.event.duration_nanos,
            None => waited.saturating_add(last_added),
        };
        self.all_added = self.all_added.saturating_add(all);
        (waited > 0).then_some(waited)
    }

    fn keep_worst(&mut self) {
        self.worst.sort_by(|a, b| (b.0, &a.1).cmp(&(a.0, &b.1)));
        self.worst.truncate(SHOWN);
    }

    /// The verdict; `None` when what was found does not carry.
    #[must_use]
    pub fn close(mut self, catalog: &Catalog) -> Option<Culprit> {
        self.keep_worst();
        if let Some(usual) = self.usual_write_nanos {
            let before = usual.saturating_mul(self.writes);
            self.all_added = self.all_added.saturating_sub(before);
        }
        // Writes that got longer by much less than it is said to have added would be as odd as those that got longer by much more.
        let (less, more) = if self.usual_write_nanos.is_some() && self.own_added > self.all_added {
            (self.all_added, self.own_added)
        } else {
            (self.own_added, self.all_added)
        };
        let explained = less as f64 / more.max(1) as f64;
        if self.usual_nanos.is_some() {
            if explained < CARRIES {
                return None;
            }
            self.cost_nanos = self.own_added;
        }
        // Without target events the way and the far side's queue are one number: it may be either.
        // Without initiator events only the way there is seen, and that by aligned clocks.
        let is_link = matches!(self.suspect, Suspect::Link { .. });
        let one_number = if is_link { self.share(self.one_number) } else { 0.0 };
        // Certainty is not to be had from what was observed.
        let explained = (explained * (1.0 - ONE_NUMBER * one_number)).min(0.99);
        if rounded(explained) < LIKELY || self.cost_nanos == 0 {
            return None;
        }
        // Of those of which it is open it may be either.
        let guess = 1.0 - self.known_last as f64 / (self.last + self.open).max(1) as f64;
        let guessed = u128::from(self.cost_nanos) * u128::from(self.guessed_added) / u128::from(self.own_added.max(1));
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
            Suspect::FarSide(node) => ("unknown", catalog.node(node).clone(), None, None),
            Suspect::Unseen { node, peer } => (
                "unknown",
                catalog.node(node).clone(),
                None,
                Some(catalog.node(peer).to_string()),
            ),
            Suspect::Initiator(node) => ("initiator", catalog.node(node).clone(), None, None),
        };
        Some(Culprit {
            kind: kind.to_owned(),
            node: Some(node.to_string()),
            disk,
            peer,
            resource: None,
            confidence: doubted(explained, guess),
            cost_ns: self.cost_nanos,
            guessed_ns: u64::try_from(guessed).unwrap_or(u64::MAX),
            hidden_ns: 0,
            since: timestamp(
                self.first
                    .unwrap_or_else(|| self.bad.first().map_or(0, |bin| bin * self.width)),
            ),
            until: timestamp(
                self.until
                    .unwrap_or_else(|| self.bad.last().map_or(0, |bin| (bin + 1) * self.width)),
            ),
            evidence: self.evidence(),
        })
    }

    /// Which share of the writes in which it took part so many are.
    fn share(&self, writes: u64) -> f64 {
        writes as f64 / self.writes.max(1) as f64
    }

    /// What of a way was measured.
    fn way(&self) -> Cow<'static, str> {
        let all = self.writes;
        match (self.one_way, self.without_target) {
            (0, 0) => "time on the way (leg less the far side's service)".into(),
            (one_way, _) if one_way == all => {
                "time until the far side had the request (the leg itself was not seen at the initiator)".into()
            }
            (0, without) if without == all => {
                "time on the way and in the far side's queue (one number without target events)".into()
            }
            (one_way, without) => format!(
                "time on the way (leg less the far side's service; in {one_way} of {all} writes until the far side had the request, since the \
                 leg itself was not seen, and in {without} with the far side's queue, since its target was not)"
            )
            .into(),
        }
    }

    fn evidence(&self) -> Vec<Evidence> {
        let way = self.way();
        let what = match self.suspect {
            Suspect::Disk(_) => "time at the drive",
            Suspect::Node(_) => "time at the far side's bus target beyond the drive's",
            Suspect::Link { .. } => &way,
            Suspect::FarSide(_) => {
                "time at the far side's bus target (its drive was not seen, so disk and node cannot be told apart)"
            }
            Suspect::Unseen { .. } => {
                "time of the whole leg (the far side was not seen, so disk and link cannot be told apart)"
            }
            Suspect::Initiator(_) => {
                "time outside all legs (before the first was sent and after the last was acknowledged)"
            }
        };
        let shown: Vec<String> = self.worst.iter().map(|(_, id)| id.clone()).collect();
        let said = |text: String, writes: Vec<String>| Evidence { text, writes };
        let (own, otherwise) = (percentiles(&self.own), percentiles(&self.otherwise));
        let others = match self.suspect {
            Suspect::Initiator(_) => "writes of other initiators",
            _ => "other copies of the same writes",
        };
        let mut evidence = Vec::new();
        if self.usual_write_nanos.is_some() {
            let text = format!(
                "{what}: {own} of {} writes, against {otherwise} of its own {} at other times",
                self.writes,
                self.otherwise.len(),
            );
            evidence.push(said(text, shown.clone()));
            if !self.peers.is_empty() && !self.peers_otherwise.is_empty() {
                let text = format!(
                    "its peers did not slow like it: the same of the {others} took {} then, and {} at other times",
                    percentiles(&self.peers),
                    percentiles(&self.peers_otherwise),
                );
                evidence.push(said(text, Vec::new()));
            }
        } else {
            let peers = percentiles(&self.peers);
            let text = match self.suspect {
                Suspect::Initiator(_) => format!(
                    "{what}: {own} of {} writes, against {peers} of {others} at the same time",
                    self.writes
                ),
                _ => format!(
                    "{what}: {own}, against {peers} of the other copies of the same {} writes",
                    self.writes
                ),
            };
            evidence.push(said(text, shown.clone()));
            if self.otherwise.len() >= FEWEST_WRITES {
                let text = format!(
                    "at other times the same took {otherwise} ({} writes)",
                    self.otherwise.len()
                );
                evidence.push(said(text, Vec::new()));
            }
        }
        evidence.push(said(self.waited(), shown));
        evidence
    }

    /// How many of the writes waited for it, as far as that is known, and what of the time is its own.
    fn waited(&self) -> String {
        let share = 100.0 * self.share(self.last);
        let (own, all) = (show(self.own_added), show(self.all_added));
        let (it, all) = match (self.suspect, self.usual_write_nanos) {
            (_, Some(_)) => ("it", format!("{all} that they took longer than before")),
            (Suspect::Initiator(_), None) => ("it", format!("{all} that it and last copies added then")),
            (_, None) => ("this copy", format!("{all} that last copies added then")),
        };
        let counted = match self.known_last {
            known if known == self.last => {
                format!("{share:.0} % of those writes waited for {it}; {own} of the {all} is its own")
            }
            0 if self.usual_write_nanos.is_some() => format!(
                "{share:.0} % of those writes may have waited for it, and of none is it known: no reply tells; that {own} of the {all} is its \
                 own is a guess, which counts all of them"
            ),
            0 => format!(
                "{share:.0} % of those writes had this copy done last at the far side (replies were not seen); {own} of the {all} is its own"
            ),
            known => format!(
                "{share:.0} % of those writes waited for {it} or may have: it is known of {known} of {}, of the others no reply tells; {own} of \
                 the {all} is its own, {} of it a guess",
                self.last,
                show(self.guessed_added)
            ),
        };
        if self.open == 0 {
            return counted;
        }
        format!(
            "{counted}; of {:.0} % more it is open whether they waited for it or how long, and nothing of them is counted",
            100.0 * self.share(self.open)
        )
    }
}

/// How sure it is where of a share of the writes it is not known that they waited for it; what was likely stays so.
pub(crate) fn doubted(confidence: f64, guess: f64) -> f64 {
    let doubted = rounded(confidence * (1.0 - GUESS * guess));
    if rounded(confidence) < LIKELY {
        doubted
    } else {
        doubted.max(LIKELY)
    }
}

fn rounded(confidence: f64) -> f64 {
    (confidence * 100.0).round() / 100.0
}

fn percentiles(times: &Histogram<u64>) -> String {
    format!(
        "p50 {}, p99 {}",
        show(times.value_at_quantile(0.5)),
        show(times.value_at_quantile(0.99))
    )
}

/// RFC 3339 in UTC, to the microsecond.
#[must_use]
pub fn timestamp(unix_nanos: i64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(unix_nanos))
        .map_or_else(|_| format!("{unix_nanos} ns since 1970"), |time| format!("{time:.6}"))
}

/// A time that [`timestamp`] wrote, or any other of RFC 3339, in nanoseconds since 1970.
pub(crate) fn unix_nanos(time: &str) -> Option<i64> {
    let time = time.parse::<jiff::Timestamp>().ok()?;
    i64::try_from(time.as_nanosecond()).ok()
}
