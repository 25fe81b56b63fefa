//! Everything that is worse than its like at the same time, while rows come in: several culprits at once, ranked by cost.
//!
//! # Method
//!
//! Each component of each copy is held against the same component of the write's other copies (`measure`): how much longer it took
//! than the longest of them. Among equals every copy is the longest equally often and by as much, so how often a suspect was beyond a
//! margin is compared, at every margin (powers of two) and over stretches of 5 s to 4 min, with how often its equals were (`judge`).
//! What is far above and not by chance is explained by as few objects as possible: all ways to a node are the node, one way is a
//! link (`explain`).
//!
//! What all share is in everybody's count and names nobody. One pass, no rows kept; the same rows in the same order give the same
//! findings, whatever the calls.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fathom_model::report::Culprit;
use fathom_model::{Catalog, Io, JoinedRows, NodeIndex, Op};

mod explain;
mod finding;
mod judge;
mod measure;
mod past;
mod tally;

pub use finding::{Finding, Named, Shown};
pub(crate) use finding::{says_guessed, unseen_there};

use crate::blame::Suspect;

use judge::Scene;
use measure::Known;
use tally::{Bin, Numbers, Window};
pub use tally::{Wait, Waiting};

/// Width of a bin, by completion on the reference clock.
pub(crate) const BIN_NANOS: i64 = 1_000_000_000;

/// A bin is judged when rows this many bins later are there: windows of several initiators close one after the other.
const LATE_BINS: i64 = 2;

/// Rows come no later than this after the newest, in bins; what seems to was seen by a clock that was set.
const MOST_BEHIND: i64 = 90;

/// Stretches that are judged, in seconds, and how often each is.
const WINDOWS: [(usize, i64); 4] = [(5, 1), (15, 3), (60, 6), (240, 24)];

/// After this many seconds without evidence a finding is over, and what comes later is another.
pub(crate) const OVER_SECONDS: i64 = 300;

/// The streaming search for culprits.
#[derive(Clone, Debug)]
pub struct Watch {
    numbers: Numbers,
    known: Known,
    /// What to add to an initiator's clock to have the reference node's.
    offsets: BTreeMap<NodeIndex, i64>,
    reference: Option<NodeIndex>,
    open: BTreeMap<i64, Bin>,
    newest: i64,
    /// By how much the reference clock was set back, in bins.
    set_back: i64,
    closed: VecDeque<Bin>,
    windows: Vec<Window>,
    /// The next bin to be judged.
    next: Option<i64>,
    findings: Vec<Finding>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            numbers: Numbers::default(),
            known: Known::default(),
            offsets: BTreeMap::new(),
            reference: None,
            open: BTreeMap::new(),
            newest: i64::MIN,
            set_back: 0,
            closed: VecDeque::new(),
            windows: WINDOWS.iter().map(|&(seconds, _)| Window::new(seconds)).collect(),
            next: None,
            findings: Vec::new(),
        }
    }
}

impl Watch {
    /// Takes I/Os with their legs, in the order in which their windows closed; operations that are no writes name nobody.
    pub fn add(&mut self, rows: &JoinedRows, io: &Io) {
        if io.op != Op::Write {
            return;
        }
        let time = self.time(rows, io);
        let floor = self.next.unwrap_or(time);
        self.next = Some(floor);
        self.newest = self.newest.max(time);
        for leg in rows.legs_of(io) {
            self.numbers.disk_is_of(leg.disk, leg.node);
        }
        let second = time.max(floor);
        let bin = self.open.entry(second).or_default();
        let measures = measure::measure(rows, io, second, &mut self.known);
        let pasts = &self.known.pasts;
        let write = (io.event.duration_nanos, io.volume, Shown::of(io));
        bin.add(&mut self.numbers, &measures, pasts, write);
        self.judge_until(self.newest - LATE_BINS);
    }

    /// Judges what is left: no more rows come.
    pub fn finish(&mut self) {
        if self.newest > i64::MIN {
            self.judge_until(self.newest);
        }
    }

    /// What was found so far, in the order in which it was. Those that turned out to be part of something larger are left out.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Nodes between which copies of writes went.
    pub(crate) fn ways(&self) -> impl Iterator<Item = (NodeIndex, NodeIndex)> {
        let suspects = self.numbers.suspects().iter();
        suspects.filter_map(|suspect| match *suspect {
            Suspect::Link { node, peer } | Suspect::Unseen { node, peer } if node != peer => Some((node, peer)),
            _ => None,
        })
    }

    /// The last second that was judged, on the reference clock; none before the first write.
    #[must_use]
    pub fn second(&self) -> Option<i64> {
        self.next.map(|next| next - 1)
    }

    /// Lets go of findings that are over: for whoever keeps them otherwise.
    pub fn forget_over(&mut self) {
        if let Some(now) = self.second() {
            self.findings.retain(|finding| finding.goes_on(now));
        }
    }

    /// What was found as answers have it, the costliest first.
    #[must_use]
    pub fn report(&self, catalog: &Catalog) -> Vec<Culprit> {
        let mut ranked: Vec<&Finding> = self.findings.iter().collect();
        ranked.sort_by(|a, b| b.cost_nanos.cmp(&a.cost_nanos).then(a.named.cmp(&b.named)));
        ranked.into_iter().map(|finding| finding.report(catalog)).collect()
    }

    /// The bin of a write, on the clock of one node, as far as the clocks are known.
    fn time(&mut self, rows: &JoinedRows, io: &Io) -> i64 {
        let reference = *self.reference.get_or_insert(io.node);
        if io.node != reference {
            let legs = rows.legs_of(io).iter();
            let seen = legs.filter(|leg| leg.node == reference).find_map(|leg| leg.clock);
            if let Some(clock) = seen {
                self.offsets.insert(io.node, clock.offset_nanos);
            }
        }
        let offset = if io.node == reference {
            Some(0)
        } else {
            self.offsets.get(&io.node).copied()
        };
        // Of whose clock nothing is known yet, that it is now is the best that is known.
        let Some(offset) = offset else { return self.newest };
        let time = io.event.end_unix_nanos().saturating_add(offset).div_euclid(BIN_NANOS);
        let behind = self.newest.saturating_sub(time.saturating_add(self.set_back));
        if self.newest > i64::MIN && behind > MOST_BEHIND {
            // The reference clock was set back: it goes on from where it was.
            self.set_back += behind;
        }
        time.saturating_add(self.set_back)
    }

    fn judge_until(&mut self, until: i64) {
        let Some(mut time) = self.next else { return };
        while time <= until {
            // Hours without a write are not gone through second by second.
            if self.closed.iter().all(Bin::is_empty) && !self.open.contains_key(&time) {
                let Some(&first) = self.open.keys().next() else { break };
                time = first.min(until + 1);
                if time > until {
                    break;
                }
            }
            let bin = self.open.remove(&time).unwrap_or_default();
            self.close(time, bin);
            time += 1;
        }
        self.next = Some(time);
    }

    fn close(&mut self, time: i64, bin: Bin) {
        let longest = WINDOWS[WINDOWS.len() - 1].0;
        self.closed.push_back(bin);
        for window in &mut self.windows {
            window.slide(&self.closed, self.numbers.count());
        }
        if self.closed.len() > longest {
            self.closed.pop_front();
        }
        self.add_costs(time);
        let due: Vec<usize> = (0..WINDOWS.len())
            .filter(|&at| time.rem_euclid(WINDOWS[at].1) == 0)
            .filter(|&at| at == 0 || self.closed.len() > WINDOWS[at - 1].0)
            .collect();
        for at in due {
            let scene = Scene::new((&self.numbers, &self.known.pasts), &self.windows[at], &self.closed);
            for case in explain::explain(&scene, &self.findings, time) {
                self.raise(case, time, at);
            }
        }
        let active = self
            .findings
            .iter()
            .filter(|finding| finding.is_active(time, OVER_SECONDS));
        let found: BTreeSet<usize> = active.flat_map(Finding::suspects).collect();
        let numbers = &self.numbers;
        let is_found = |suspect| numbers.find(suspect).is_some_and(|number| found.contains(&number));
        self.known.pasts.settle(time, is_found);
    }

    /// What active findings cost in the bin that was closed last.
    fn add_costs(&mut self, time: i64) {
        let Some(bin) = self.closed.back() else { return };
        for finding in self.findings.iter_mut().filter(|finding| finding.is_active(time, 15)) {
            finding.count(bin);
            finding.feel(bin, time);
        }
    }

    fn raise(&mut self, case: explain::Case, time: i64, window: usize) {
        let (seconds, _) = WINDOWS[window];
        let known = self
            .findings
            .iter_mut()
            .find(|finding| finding.named == case.named && finding.is_active(time, OVER_SECONDS));
        if let Some(finding) = known {
            finding.again(case, time, seconds);
            return;
        }
        let numbers = &self.numbers;
        let mut active = self
            .findings
            .iter_mut()
            .filter(|finding| finding.is_active(time, OVER_SECONDS));
        if let Some(seen) = active.find(|finding| finding.explains(&case, numbers)) {
            seen.also(&case, &self.closed, time, seconds);
            return;
        }
        let mut finding = Finding::new(case, time, seconds, self.newest);
        finding.look_back(&self.closed, time);
        let mut drives = self.findings.iter().filter(|other| other.is_active(time, OVER_SECONDS));
        if drives.any(|drive| finding.is_behind(drive, numbers)) {
            return;
        }
        self.findings.retain(|other| {
            let covers = finding.covers(other, time, numbers);
            if covers && matches!(other.named, Named::Unknown(_)) {
                finding.absorb(other);
            }
            let is_far_side = matches!(finding.named, Named::Unknown(_));
            let is_behind = is_far_side && other.is_active(time, OVER_SECONDS) && other.is_behind(&finding, numbers);
            !covers && !is_behind
        });
        self.findings.push(finding);
    }
}

#[cfg(test)]
mod tests;
