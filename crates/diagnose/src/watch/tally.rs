//! Counts a suspect and second, and their sums over the stretches that are judged.

use std::collections::VecDeque;

use fathom_model::{DiskIndex, NodeIndex, VolumeIndex};
use rustc_hash::FxHashMap;

use super::finding::Shown;
use super::measure::Measure;
use super::past::{Past, Pasts};
use crate::blame::Suspect;
use crate::spread::{BINS, bin};

/// Margins: one an octave, from 2^10 ns (1 us) to 2^41 ns (37 min).
pub(super) const MARGINS: usize = 32;
const FIRST_OCTAVE: u32 = 10;

/// The lower end of a margin, in nanoseconds.
pub(super) const fn margin_nanos(margin: usize) -> u64 {
    1 << (FIRST_OCTAVE + margin as u32)
}

/// What a suspect did in a stretch of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Writes that it took part in.
    pub(super) writes: u32,
    /// What it added to them, in all.
    pub(super) added_nanos: u64,
    /// What of that is of writes of which no reply tells for which copy they waited.
    pub(super) unsure_nanos: u64,
    /// What it may have added to others.
    pub(super) guessed_nanos: u64,
    /// In how many of them it is a way that was seen in one direction alone.
    pub(super) one_way: u32,
    /// What they took.
    pub(super) write_nanos: u64,
    /// How often it was longer than the longest of the others, by how much (not cumulative).
    pub(super) beyond: [u32; MARGINS],
    /// How often it was longer than what is usual, by how much (not cumulative).
    pub(super) above: [u32; MARGINS],
    /// Of one without an equal: what its writes would have been by its own past.
    pub(super) past: Option<Box<Past>>,
    /// The write in which it was the most; one that waited for it goes before all that did not.
    pub(super) worst: Option<(u64, Shown)>,
    /// Whose writes waited for it, in a second; sums over stretches have none.
    pub(super) waits: Vec<(Waiting, Wait)>,
}

/// Whose writes wait: a volume's, and the node that writes.
pub type Waiting = (VolumeIndex, NodeIndex);

/// What writes waited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    /// Writes that waited for nothing else longer.
    pub writes: u64,
    /// What was added to writes, in nanoseconds.
    pub nanos: u64,
}

impl Wait {
    /// Adds another's.
    pub const fn take(&mut self, other: Self) {
        self.writes = self.writes.saturating_add(other.writes);
        self.nanos = self.nanos.saturating_add(other.nanos);
    }
}

impl Tally {
    /// Notes whose write waited for it.
    fn wait(&mut self, whose: Waiting, wait: Wait) {
        match self.waits.iter_mut().find(|(known, _)| *known == whose) {
            Some((_, known)) => known.take(wait),
            None => self.waits.push((whose, wait)),
        }
    }

    pub(super) fn take(&mut self, other: &Self) {
        self.writes += other.writes;
        self.added_nanos += other.added_nanos;
        self.unsure_nanos += other.unsure_nanos;
        self.guessed_nanos += other.guessed_nanos;
        self.one_way += other.one_way;
        self.write_nanos += other.write_nanos;
        for (own, theirs) in self.beyond.iter_mut().zip(&other.beyond) {
            *own += theirs;
        }
        for (own, theirs) in self.above.iter_mut().zip(&other.above) {
            *own += theirs;
        }
        if let Some(past) = &other.past {
            self.past.get_or_insert_default().take(past);
        }
    }

    /// How often it was beyond a time that is the lower end of a margin.
    pub(super) fn beyond_at_least(&self, nanos: u64) -> u64 {
        let from = margin(nanos).unwrap_or(0);
        self.beyond[from..].iter().map(|&count| u64::from(count)).sum()
    }

    fn give_back(&mut self, other: &Self) {
        self.writes -= other.writes;
        self.added_nanos -= other.added_nanos;
        self.unsure_nanos -= other.unsure_nanos;
        self.guessed_nanos -= other.guessed_nanos;
        self.one_way -= other.one_way;
        self.write_nanos -= other.write_nanos;
        for (own, theirs) in self.beyond.iter_mut().zip(&other.beyond) {
            *own -= theirs;
        }
        for (own, theirs) in self.above.iter_mut().zip(&other.above) {
            *own -= theirs;
        }
        if let (Some(past), Some(other)) = (&mut self.past, &other.past) {
            past.give_back(other);
        }
        // What rounding left of it goes with the last write.
        self.past.take_if(|past| past.writes == 0);
    }
}

/// From counts a margin to counts of that margin or more.
pub(super) fn at_least(mut counts: [u32; MARGINS]) -> [u32; MARGINS] {
    for at in (0..MARGINS - 1).rev() {
        counts[at] += counts[at + 1];
    }
    counts
}

/// The margin that a time reaches.
fn margin(nanos: u64) -> Option<usize> {
    let octave = nanos.checked_ilog2().filter(|&octave| octave >= FIRST_OCTAVE)?;
    Some(((octave - FIRST_OCTAVE) as usize).min(MARGINS - 1))
}

/// Suspects by number, in the order in which they were met.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    suspects: Vec<Suspect>,
    index: FxHashMap<Suspect, usize>,
    nodes: FxHashMap<DiskIndex, NodeIndex>,
}

impl Numbers {
    pub(super) fn number(&mut self, suspect: Suspect) -> usize {
        *self.index.entry(suspect).or_insert_with(|| {
            self.suspects.push(suspect);
            self.suspects.len() - 1
        })
    }

    /// The number of a suspect that was met.
    pub(super) fn find(&self, suspect: Suspect) -> Option<usize> {
        self.index.get(&suspect).copied()
    }

    pub(super) fn count(&self) -> usize {
        self.suspects.len()
    }

    pub(super) fn suspects(&self) -> &[Suspect] {
        &self.suspects
    }

    /// Says which node a disk is of.
    pub(super) fn disk_is_of(&mut self, disk: DiskIndex, node: NodeIndex) {
        self.nodes.insert(disk, node);
    }

    pub(super) fn node_of(&self, disk: DiskIndex) -> Option<NodeIndex> {
        self.nodes.get(&disk).copied()
    }
}

/// One second of all suspects.
#[derive(Clone, Debug, Default)]
pub(super) struct Bin {
    tallies: Vec<Tally>,
    /// How long writes took: bins of `spread`.
    writes: Vec<u16>,
    count: u32,
}

impl Bin {
    /// Takes the measures of a write, with the pasts of those that have no equal.
    pub(super) fn add(
        &mut self,
        numbers: &mut Numbers,
        measures: &[Measure],
        pasts: &Pasts,
        (write_nanos, volume, write): (u64, VolumeIndex, Shown),
    ) {
        if self.writes.is_empty() {
            self.writes = vec![0; BINS];
        }
        self.count += 1;
        let at = bin(write_nanos);
        self.writes[at] = self.writes[at].saturating_add(1);
        let waited = |measure: &Measure| measure.added_nanos.max(measure.guessed_nanos);
        let most = measures.iter().map(waited).max().unwrap_or(0);
        for measure in measures {
            let number = numbers.number(measure.suspect);
            if self.tallies.len() <= number {
                self.tallies.resize_with(number + 1, Tally::default);
            }
            let tally = &mut self.tallies[number];
            tally.writes += 1;
            tally.added_nanos += measure.added_nanos.min(1 << 50);
            tally.unsure_nanos += measure.unsure_nanos.min(1 << 50);
            tally.guessed_nanos += measure.guessed_nanos.min(1 << 50);
            tally.one_way += u32::from(measure.one_way);
            tally.write_nanos += write_nanos.min(1 << 50);
            if let Some((length, nanos)) = measure.alone
                && let Some(before) = pasts.before(measure.suspect, length)
            {
                let past = tally.past.get_or_insert_default();
                past.add(before, nanos, write_nanos.saturating_sub(nanos));
            }
            let nanos = waited(measure);
            if nanos > 0 {
                let wait = Wait {
                    writes: u64::from(nanos == most),
                    nanos: nanos.min(1 << 50),
                };
                tally.wait((volume, write.node), wait);
            }
            if let Some(margin) = margin(measure.above_nanos) {
                tally.above[margin] += 1;
            }
            if let Some(margin) = margin(measure.beyond_nanos) {
                tally.beyond[margin] += 1;
                let waited = measure.added_nanos > 0;
                let rank = |(nanos, write): (u64, Shown)| (write.waited, nanos);
                if tally
                    .worst
                    .is_none_or(|worst| rank(worst) < (waited, measure.beyond_nanos))
                {
                    tally.worst = Some((measure.beyond_nanos, Shown { waited, ..write }));
                }
            }
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn tally(&self, number: usize) -> Option<&Tally> {
        self.tallies.get(number)
    }
}

/// Sums over the last so many seconds.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) seconds: usize,
    pub(super) sums: Vec<Tally>,
    writes: Vec<u32>,
    count: u64,
}

impl Window {
    pub(super) fn new(seconds: usize) -> Self {
        Self {
            seconds,
            sums: Vec::new(),
            writes: vec![0; BINS],
            count: 0,
        }
    }

    /// Takes the newest of the bins, and gives back the one that falls out.
    pub(super) fn slide(&mut self, bins: &VecDeque<Bin>, suspects: usize) {
        self.sums.resize_with(suspects.max(self.sums.len()), Tally::default);
        if let Some(newest) = bins.back() {
            for (sum, tally) in self.sums.iter_mut().zip(&newest.tallies) {
                sum.take(tally);
            }
            for (sum, &count) in self.writes.iter_mut().zip(&newest.writes) {
                *sum += u32::from(count);
            }
            self.count += u64::from(newest.count);
        }
        if bins.len() > self.seconds {
            let oldest = &bins[bins.len() - 1 - self.seconds];
            for (sum, tally) in self.sums.iter_mut().zip(&oldest.tallies) {
                sum.give_back(tally);
            }
            for (sum, &count) in self.writes.iter_mut().zip(&oldest.writes) {
                *sum -= u32::from(count);
            }
            self.count -= u64::from(oldest.count);
        }
    }

    /// What 99 of 100 writes took at most, to within an eighth; none without writes.
    pub(super) fn p99(&self) -> Option<u64> {
        let counted: u64 = self.writes.iter().map(|&count| u64::from(count)).sum();
        let mut left = counted.div_ceil(100);
        (0..BINS).rev().find_map(|at| {
            let here = u64::from(self.writes[at]);
            if here >= left && left > 0 {
                return Some(crate::spread::middle(at));
            }
            left = left.saturating_sub(here);
            None
        })
    }
}
