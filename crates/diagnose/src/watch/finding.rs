//! What was found, and how it is said.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::iter;

use fathom_model::report::{Culprit, Evidence};
use fathom_model::{Catalog, DiskIndex, Io, IoId, NodeIndex, StreamIndex};

use super::explain::{Case, What};
use super::tally::{Bin, Numbers, Wait, Waiting};
use super::{BIN_NANOS, OVER_SECONDS};
use crate::blame::Suspect;
use crate::culprit::{doubted, timestamp};

mod words;

use words::{by_clocks, guessed};
pub(crate) use words::{says_guessed, unseen_there};

/// How many writes are shown as evidence.
const SHOWN: usize = 3;

/// Waiting behind a drive costs less than the drive by at least this multiple.
const BEHIND: f64 = 3.0;

/// A write that is shown as evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The initiator.
    pub node: NodeIndex,
    /// Its stream.
    pub stream: StreamIndex,
    /// The write's ordinal in it.
    pub ordinal: u64,
    /// The second of its completion.
    pub second: i64,
    /// Whether it waited for what is shown by it.
    pub waited: bool,
}

impl Shown {
    /// Of a write.
    #[must_use]
    pub const fn of(io: &Io) -> Self {
        Self {
            node: io.node,
            stream: io.event.stream,
            ordinal: io.event.ordinal,
            second: io.second(),
            waited: false,
        }
    }

    fn id(self, catalog: &Catalog) -> IoId {
        IoId {
            node: catalog.node(self.node).clone(),
            incarnation_prefix: catalog.stream(self.stream).incarnation.prefix(),
            ordinal: self.ordinal,
            second: self.second,
        }
    }
}

/// An object that is worse than its like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Named {
    /// A drive.
    Disk(DiskIndex),
    /// The ways between two nodes, the lower index first.
    Link(NodeIndex, NodeIndex),
    /// A node: its bus target, all ways to it, or all its drives.
    Node(NodeIndex),
    /// Something at or on the way to a node whose far side was not seen.
    Unknown(NodeIndex),
    /// A node as initiator.
    Initiator(NodeIndex),
}

impl Named {
    /// The node, where it is all of one.
    pub(super) const fn whole_node(self) -> Option<NodeIndex> {
        match self {
            Self::Node(node) => Some(node),
            _ => None,
        }
    }

    /// Whether what was found by legs without a far side, at or on the way to a node, is this, which was seen where there is one. Of
    /// several ways one alone says nothing.
    pub(super) fn explains(self, unknown: &Case, numbers: &Numbers) -> bool {
        let Named::Unknown(node) = unknown.named else {
            return false;
        };
        match self {
            Self::Disk(disk) => numbers.node_of(disk) == Some(node),
            Self::Node(whole) => whole == node,
            Self::Link(low, high) => unknown.suspects.iter().all(|&(number, _)| {
                let suspect = numbers.suspects()[number];
                matches!(suspect, Suspect::Unseen { node, peer } if (node.min(peer), node.max(peer)) == (low, high))
            }),
            Self::Unknown(_) | Self::Initiator(_) => false,
        }
    }

    /// Whether it is said with a node: a way from or to it, what was found by legs without its far side, or the node as initiator.
    pub(super) fn is_part_of(self, whole: NodeIndex) -> bool {
        match self {
            Self::Link(low, high) => low == whole || high == whole,
            Self::Initiator(node) | Self::Unknown(node) => node == whole,
            Self::Disk(_) | Self::Node(_) => false,
        }
    }
}

/// Something that was found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What is worse.
    pub named: Named,
    /// When it was found: the newest completion among the rows by then, in seconds on the reference clock.
    pub raised_second: i64,
    /// What it cost so far beyond what is usual.
    pub cost_nanos: u64,
    /// The writes that show it, those that waited for it before the others and the worst of them first, with how much longer than the others it took.
    pub shown: Vec<(u64, Shown)>,
    pub(super) cost: f64,
    /// What the writes took that its suspects took part in, while it had evidence.
    pub(super) wrote: f64,
    /// Whose cost it is, with what is usual a write.
    pub(super) suspects: Vec<(usize, f64)>,
    /// Those of them that writes show in which what is named was not seen.
    hidden: Vec<usize>,
    /// What those cost.
    hidden_cost: f64,
    /// What it added to writes, and what of that to those of which no reply tells for which copy they waited.
    added_nanos: u64,
    unsure_nanos: u64,
    /// What it may have added to writes of which nobody knows for which copy they waited.
    guessed_nanos: u64,
    first: i64,
    last: i64,
    /// Whose writes waited for it, in the seconds in which its cost was counted.
    waits: BTreeMap<Waiting, Wait>,
    /// The last second in which it was felt.
    felt: i64,
    case: Case,
    seconds: usize,
}

impl Finding {
    pub(super) fn new(case: Case, time: i64, seconds: usize, newest: i64) -> Self {
        Self {
            named: case.named,
            raised_second: newest,
            cost_nanos: 0,
            shown: Vec::new(),
            cost: 0.0,
            wrote: 0.0,
            suspects: case.suspects.clone(),
            hidden: Vec::new(),
            hidden_cost: 0.0,
            added_nanos: 0,
            unsure_nanos: 0,
            guessed_nanos: 0,
            waits: BTreeMap::new(),
            first: time - seconds as i64 + 1,
            last: time,
            felt: time - seconds as i64,
            case,
            seconds,
        }
    }

    /// Which component shows it the surest.
    pub(super) const fn what(&self) -> What {
        self.case.what
    }

    /// Whose cost it has.
    pub(super) fn suspects(&self) -> impl Iterator<Item = usize> + '_ {
        self.suspects.iter().map(|&(number, _)| number)
    }

    /// Whether there was evidence in the last so many seconds.
    pub(super) const fn is_active(&self, time: i64, seconds: i64) -> bool {
        time - self.last <= seconds
    }

    /// Cost, beginning and writes from the stretch in which it was found.
    pub(super) fn look_back(&mut self, bins: &VecDeque<Bin>, time: i64) {
        let oldest = time - bins.len() as i64 + 1;
        let (first, mut begins) = (self.first, None);
        for (bin, second) in bins.iter().zip(oldest..).filter(|&(_, second)| second >= first) {
            self.feel(bin, second);
            self.count(bin);
            let tallies = self.suspects.iter().filter_map(|&(suspect, _)| bin.tally(suspect));
            let worst = tallies.filter_map(|tally| tally.worst);
            for (nanos, write) in worst.filter(|(nanos, _)| *nanos >= self.case.margin_nanos) {
                self.shown.push((nanos, write));
                begins.get_or_insert(second);
            }
        }
        self.first = begins.unwrap_or(self.first);
        self.shown
            .sort_by_key(|&(nanos, write)| (Reverse((write.waited, nanos)), write.ordinal));
        self.shown.truncate(SHOWN);
    }

    /// It is felt in a second in which it is beyond its margin at least half as often as in the stretch in which it was found.
    pub(super) fn feel(&mut self, bin: &Bin, second: i64) {
        if self.case.is_felt_in(bin, self.seconds) {
            self.felt = self.felt.max(second);
        }
    }

    /// Evidence for what is known already.
    pub(super) fn again(&mut self, case: Case, time: i64, seconds: usize) {
        self.last = self.last.max(time);
        for &(suspect, usual) in &case.suspects {
            match self.suspects.iter_mut().find(|(number, _)| *number == suspect) {
                Some(known) => known.1 = usual,
                None => self.suspects.push((suspect, usual)),
            }
        }
        if case.strength > self.case.strength {
            (self.case, self.seconds) = (case, seconds);
        }
    }

    /// The same seen by legs without a far side, or without its drive: it costs there too.
    pub(super) fn also(&mut self, unknown: &Case, bins: &VecDeque<Bin>, time: i64, seconds: usize) {
        self.last = self.last.max(time);
        let oldest = time - bins.len() as i64 + 1;
        let stretch = bins
            .iter()
            .zip(oldest..)
            .filter(|&(_, second)| second > time - seconds as i64);
        let new = self.take_suspects(&unknown.suspects);
        for (bin, second) in stretch {
            if unknown.is_felt_in(bin, seconds) {
                self.felt = self.felt.max(second);
            }
            self.count_of(bin, new);
        }
    }

    /// Takes over what was found by legs without a far side, or without its drive, before this was.
    pub(super) fn absorb(&mut self, unknown: &Self) {
        self.cost += unknown.cost;
        self.hidden_cost += unknown.cost;
        self.added_nanos = self.added_nanos.saturating_add(unknown.added_nanos);
        self.unsure_nanos = self.unsure_nanos.saturating_add(unknown.unsure_nanos);
        self.guessed_nanos = self.guessed_nanos.saturating_add(unknown.guessed_nanos);
        self.wrote += unknown.wrote;
        for (whose, wait) in &unknown.waits {
            self.waits.entry(*whose).or_default().take(*wait);
        }
        self.set_cost();
        self.first = self.first.min(unknown.first);
        self.take_suspects(&unknown.suspects);
    }

    /// Takes suspects that it does not have yet; from which of its own on they are.
    fn take_suspects(&mut self, suspects: &[(usize, f64)]) -> usize {
        let before = self.suspects.len();
        for &(number, usual) in suspects {
            if !self.suspects.iter().any(|&(known, _)| known == number) {
                self.suspects.push((number, usual));
                self.hidden.push(number);
            }
        }
        before
    }

    /// Counts what it cost in a second.
    pub(super) fn count(&mut self, bin: &Bin) {
        self.count_of(bin, 0);
    }

    /// The same of its suspects from one on.
    fn count_of(&mut self, bin: &Bin, from: usize) {
        for &(suspect, usual) in &self.suspects[from..] {
            let Some(tally) = bin.tally(suspect) else { continue };
            let cost = tally.added_nanos as f64 - usual * f64::from(tally.writes);
            self.cost += cost;
            self.hidden_cost += if self.hidden.contains(&suspect) { cost } else { 0.0 };
            self.added_nanos = self.added_nanos.saturating_add(tally.added_nanos);
            self.unsure_nanos = self.unsure_nanos.saturating_add(tally.unsure_nanos);
            self.guessed_nanos = self.guessed_nanos.saturating_add(tally.guessed_nanos);
            self.wrote += tally.write_nanos as f64;
            for (whose, wait) in &tally.waits {
                self.waits.entry(*whose).or_default().take(*wait);
            }
        }
        self.set_cost();
    }

    /// What is known of some writes and what is guessed of others count together: none at all would be a number too, and how much is
    /// guessed is said.
    fn set_cost(&mut self) {
        self.cost_nanos = self.known_cost().saturating_add(self.guessed_nanos);
    }

    /// What is not guessed of its cost.
    const fn known_cost(&self) -> u64 {
        self.cost.max(0.0) as u64
    }

    /// The part of that which is of writes of which no reply tells that they waited for it.
    fn unsure_cost(&self) -> u64 {
        let part = u128::from(self.known_cost()) * u128::from(self.unsure_nanos) / u128::from(self.added_nanos.max(1));
        u64::try_from(part).unwrap_or(u64::MAX)
    }

    /// How sure: less where what it cost is guessed, or not known at all.
    fn confidence(&self, guessed_ns: u64) -> f64 {
        let chance = (-self.case.strength).exp();
        let equals = self.case.expected / f64::from(self.case.count.max(1));
        let guess = match self.cost_nanos {
            0 => 1.0,
            cost => guessed_ns as f64 / cost as f64,
        };
        doubted((1.0 - chance - equals).clamp(0.0, 0.99), guess)
    }

    /// Whether this is what waiting behind a slow drive looks like: the drive's node, its far side or a way to it, and much cheaper.
    pub(super) fn is_behind(&self, drive: &Self, numbers: &Numbers) -> bool {
        let node = match drive.named {
            Named::Disk(disk) => numbers.node_of(disk),
            // Whether it is the drive is not known, but that it is at the far side is.
            Named::Unknown(node) if drive.case.what == What::FarSide => Some(node),
            _ => None,
        };
        let Some(node) = node.filter(|_| self.named != drive.named) else {
            return false;
        };
        let at_node = match self.named {
            Named::Link(low, high) => self.case.far.is_none_or(|far| far == node) && (low == node || high == node),
            Named::Node(whole) | Named::Unknown(whole) => whole == node && self.case.what != What::Drive,
            Named::Disk(_) | Named::Initiator(_) => false,
        };
        at_node && self.cost * BEHIND <= drive.cost
    }

    /// Whether another finding is part of this one.
    pub(super) fn covers(&self, other: &Self, time: i64, numbers: &Numbers) -> bool {
        let by_drives = self.case.what == What::Drive;
        let of_node = || {
            self.named.whole_node().is_some_and(|node| {
                let is_drive = matches!(other.named, Named::Disk(disk) if numbers.node_of(disk) == Some(node));
                other.named != self.named && (other.named.is_part_of(node) || (by_drives && is_drive))
            })
        };
        let may_be = self.case.what.may_be(other.case.what);
        other.is_active(time, OVER_SECONDS) && (self.explains(&other.case, numbers) || may_be && of_node())
    }

    /// Whether it is what legs without a far side showed: where there is one, this was seen.
    pub(super) fn explains(&self, unknown: &Case, numbers: &Numbers) -> bool {
        let by_ways = self.named.whole_node().is_some() && !self.case.what.may_be(unknown.what);
        !by_ways && self.named.explains(unknown, numbers)
    }

    /// Whose writes waited for it, since it began.
    #[must_use]
    pub const fn waits(&self) -> &BTreeMap<Waiting, Wait> {
        &self.waits
    }

    /// The first second in which it was felt.
    #[must_use]
    pub const fn first_second(&self) -> i64 {
        self.first
    }

    /// The last second in which it was felt.
    #[must_use]
    pub const fn felt_second(&self) -> i64 {
        if self.felt > self.first { self.felt } else { self.first }
    }

    /// Whether it goes on: there was evidence in the last five minutes.
    #[must_use]
    pub const fn goes_on(&self, time: i64) -> bool {
        self.is_active(time, OVER_SECONDS)
    }

    /// In which share of its writes it was beyond the margin at which it is the surest.
    #[must_use]
    pub fn share(&self) -> f64 {
        f64::from(self.case.count) / (self.case.writes.max(1) as f64)
    }

    /// By which share it made writes longer that it took part in.
    #[must_use]
    pub fn lengthened(&self) -> f64 {
        let cost = self.cost_nanos as f64;
        cost / (self.wrote - cost).max(1.0)
    }

    /// How much longer than all others it took in the worst of the writes that show it.
    #[must_use]
    pub fn worst_nanos(&self) -> u64 {
        self.shown.iter().map(|(nanos, _)| *nanos).max().unwrap_or(0)
    }

    /// Whether it is a node for all its drives.
    #[must_use]
    pub fn is_of_drives(&self) -> bool {
        self.case.what == What::Drive && matches!(self.named, Named::Node(_))
    }

    /// As answers have it.
    #[must_use]
    pub fn report(&self, catalog: &Catalog) -> Culprit {
        let name = |node: NodeIndex| catalog.node(node).to_string();
        let (kind, node, disk, peer) = match self.named {
            Named::Disk(disk) => {
                let disk = catalog.disk(disk);
                ("disk", disk.node.to_string(), Some(disk.name.clone()), None)
            }
            Named::Link(low, high) => {
                let far = self.case.far.unwrap_or(high);
                ("link", name(far), None, Some(name(if far == low { high } else { low })))
            }
            Named::Node(node) => ("node", name(node), None, None),
            Named::Unknown(node) => ("unknown", name(node), None, None),
            Named::Initiator(node) => ("initiator", name(node), None, None),
        };
        let unsure_ns = self.unsure_cost();
        let guessed_ns = unsure_ns.saturating_add(self.guessed_nanos);
        let hidden_ns = (self.hidden_cost.max(0.0) as u64).min(self.cost_nanos);
        Culprit {
            kind: kind.to_owned(),
            node: Some(node),
            disk,
            peer,
            resource: None,
            confidence: self.confidence(guessed_ns),
            cost_ns: self.cost_nanos,
            guessed_ns,
            hidden_ns,
            since: timestamp(self.first.saturating_mul(BIN_NANOS)),
            until: timestamp((self.felt.max(self.first) + 1).saturating_mul(BIN_NANOS)),
            evidence: iter::once(Evidence {
                text: self.text(),
                writes: self
                    .shown
                    .iter()
                    .map(|(_, write)| write.id(catalog).to_string())
                    .collect(),
            })
            .chain(unseen_there(hidden_ns))
            .chain(by_clocks(unsure_ns))
            .chain(guessed(self.guessed_nanos, self.known_cost()))
            .collect(),
        }
    }
}
