//! Disks whose events show other offsets than the extent map: by a constant of each disk and tap, which is learnt.
//!
//! A partition in front of the pool, or a layer that keeps a header of its own, moves all that a tap says of a disk by the same
//! number of bytes. How many is in no inventory, so it is voted on: each request of a window lets every event of the same disk,
//! operation and length that lies in its time vote for the distance between the two. The true distance has nearly all of the
//! requests behind it, whatever else was in flight only some.
//!
//! A distance is *settled* when it explains requests that no other does, so many more than the other way round that of two equally
//! good ones this would be less likely than once in a million votes (`shifts/vote.rs`). Until then offsets are taken as they are.
//! What is settled is doubted when a window found nothing of a disk, and voted on again.
//!
//! Votes are held when windows close, from what had to be there by then: so they are the same in every run.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::{DiskIndex, NodeIndex, Op, StreamIndex, Tap};
use rustc_hash::{FxHashMap, FxHashSet};

use super::Engine;
use super::align::Request;
use super::bulk::Round;
use super::devices::DeviceEntry;
use super::lane::Batch;
use super::resolve::{Decisions, widen};
use crate::assign::Interval;
use crate::pool::ClaimRef;

/// So many different requests of a disk vote, spread evenly over a window: some ten times what the clearest case needs.
const VOTERS: usize = 256;

mod asked;
mod known;
mod vote;

use known::Shift;
pub(super) use known::Shifts;
pub use known::{MistakenReport, ShiftReport, ShiftState, Standing};

pub(crate) use vote::beats;
pub(super) use vote::voters_without;
use vote::{settle, votes, votes_of_keys};

/// The taps that may be shifted.
const TAPS: [Tap; 2] = [Tap::Target, Tap::Device];

/// What was asked of disks, by whom.
pub(super) type Asked = BTreeMap<DiskIndex, Vec<(StreamIndex, Request)>>;

/// A request that votes: where and when its event must be, but for the shift.
#[derive(Clone, Copy, Debug)]
pub(super) struct Voter {
    pub(super) op: Op,
    pub(super) offset: u64,
    pub(super) length: u64,
    /// By tap: by whose clock, and when. None where that clock is not known.
    pub(super) spans: [Option<(StreamIndex, Interval)>; TAPS.len()],
}

/// An event that is voted for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub(super) stream: StreamIndex,
    pub(super) op: Op,
    /// As the tap shows it.
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) start: i64,
    pub(super) end: i64,
}

/// Events of disks by disk and tap, in order of their starts.
pub(super) type Choices = FxHashMap<(DiskIndex, Tap), Vec<Choice>>;

/// Of streams the stretch of their time that is looked at.
pub(super) type Reach = BTreeMap<StreamIndex, Interval>;

/// When events that some requests vote for may have happened.
pub(super) fn reach<'a>(voters: impl IntoIterator<Item = &'a Voter>) -> Reach {
    let mut reach = Reach::new();
    for (stream, (from, until)) in voters.into_iter().flat_map(|voter| voter.spans).flatten() {
        let known = reach.entry(stream).or_insert((from, until));
        *known = (known.0.min(from), known.1.max(until));
    }
    reach
}

/// Where the extent map has what an event of a lane shows, by the dictionary of its stream.
#[inline]
pub(super) fn mapped_offset(devices: &[DeviceEntry], batch: &Batch, row: usize) -> u64 {
    let device = &devices[batch.columns.devices()[row] as usize];
    batch.columns.offsets()[row].wrapping_sub_signed(device.shift)
}

impl Engine {
    /// What is known of each disk's offsets, by disk and tap.
    #[must_use]
    pub fn shifts(&self) -> Vec<ShiftReport> {
        let known = self.shifts.known.iter();
        let settled = known.filter(|(_, shift)| shift.standing != Standing::Seen);
        settled
            .map(|(&(disk, tap), shift)| ShiftReport {
                disk,
                tap,
                bytes: shift.bytes,
            })
            .collect()
    }

    /// Disks that show what the extent map has on others. Between two copies of one volume lies a constant too: that it explains
    /// everything is no sign of a shift, and nothing is joined by it.
    #[must_use]
    pub fn mistaken(&self) -> Vec<MistakenReport> {
        let mistaken = self.shifts.mistaken.iter();
        mistaken
            .map(|(&(disk, tap), &shows)| MistakenReport { disk, tap, shows })
            .collect()
    }

    /// Notes in the dictionaries how far each device's offsets are shifted.
    pub(super) fn note_shifts(&mut self) {
        for stream in self.streams.values_mut() {
            for (device, described) in stream.devices.iter_mut().zip(&stream.described) {
                let disk = device.disk.filter(|_| TAPS.contains(&described.tap));
                device.shift = disk.map_or(0, |disk| self.shifts.of(disk, described.tap));
            }
        }
    }

    /// Whether what a disk's taps show has been settled.
    fn is_settled(&self, node: NodeIndex, disk: DiskIndex) -> bool {
        let given = |&tap: &Tap| self.lives(node).iter().any(|&stream| self.gives(stream, tap));
        let sure = |&tap: &Tap| self.shifts.is_sure(disk, tap) || (tap == Tap::Device && self.caches.is_sure(disk));
        TAPS.iter().filter(|tap| given(tap)).all(sure)
    }

    /// Votes on the disks that the I/Os of a window's streams went to and that are not settled.
    pub(super) fn vote_on_shifts(&mut self, window: i64, streams: &[StreamIndex]) {
        self.shifts.displaced.clear();
        let open: BTreeSet<DiskIndex> = (0..self.catalog.disks().len() as u32)
            .map(DiskIndex)
            .filter(|&disk| {
                let node = self.layout.node_of(disk);
                node.is_some_and(|node| !self.lives(node).is_empty() && !self.is_settled(node, disk))
            })
            .collect();
        if open.is_empty() {
            return;
        }
        let asked = self.asked(window, streams, &open);
        let mut unexplained = self.vote_among(&asked);
        unexplained.extend(self.vote_on_caches(&asked));
        if !unexplained.is_empty() {
            // A window may hold too few requests; what completes until it closes was heard as well.
            let asked = self.asked_until(window, streams, &unexplained);
            self.vote_among(&asked);
            self.vote_on_caches(&asked);
        }
    }

    /// Votes by what was asked of disks; returns those of which requests were seen, but none where the map says.
    fn vote_among(&mut self, asked: &Asked) -> BTreeSet<DiskIndex> {
        let mut unexplained = BTreeSet::new();
        if asked.is_empty() {
            return unexplained;
        }
        let of_disks: Vec<_> = asked.iter().collect();
        let voters: Vec<(DiskIndex, Vec<Voter>)> = self.workers.map(of_disks.len(), |at| {
            let (&disk, requests) = of_disks[at];
            (disk, self.voters(requests))
        });
        let reach = reach(voters.iter().flat_map(|(_, voters)| voters));
        let choices = self.choices(&asked.keys().copied().collect(), &reach);
        // No disk's vote has to do with another's.
        let voted = self.workers.map(voters.len(), |at| {
            let (disk, voters) = &voters[at];
            let taps = TAPS.into_iter().enumerate();
            taps.map(|(at, tap)| {
                let choices = choices
                    .get(&(*disk, tap))
                    .filter(|_| !self.shifts.is_sure(*disk, tap))?;
                let known = self.shifts.of(*disk, tap);
                let votes = votes(voters, choices, at);
                let best = settle(&votes, known);
                let other = best.filter(|&bytes| bytes != 0);
                let other = other.and_then(|bytes| self.layout.other_copy_at(*disk, bytes));
                Some((known, votes, best, other))
            })
            .collect::<Vec<_>>()
        });
        let mut learnt = false;
        for ((disk, _), voted) in voters.into_iter().zip(voted) {
            for (tap, voted) in TAPS.into_iter().zip(voted) {
                let Some((known, votes, best, other)) = voted else {
                    continue;
                };
                if let Some(other) = other {
                    self.shifts.mistaken.insert((disk, tap), other);
                }
                match best.filter(|_| other.is_none()) {
                    Some(bytes) => {
                        self.shifts.mistaken.remove(&(disk, tap));
                        let standing = Standing::Settled;
                        let shift = Shift { bytes, standing };
                        self.shifts.known.insert((disk, tap), shift);
                        self.shifts.displaced.remove(&(disk, tap));
                        if bytes != known {
                            self.pool.shift(disk, tap, bytes);
                            learnt = true;
                        }
                    }
                    None if votes.contains_key(&known) => {}
                    None => {
                        let met: BTreeSet<u32> = votes.values().flatten().copied().collect();
                        if !met.is_empty() {
                            unexplained.insert(disk);
                        }
                        // As many that miss what they meet are none whose own events were lost.
                        if beats(met.len(), 0) {
                            self.shifts.displaced.insert((disk, tap));
                        }
                    }
                }
            }
        }
        if learnt {
            self.note_shifts();
        }
        unexplained
    }

    /// The requests of a disk that vote.
    pub(super) fn voters(&self, requests: &[(StreamIndex, Request)]) -> Vec<Voter> {
        // What asks for the same again says the same again.
        let mut met = FxHashSet::default();
        let different = requests
            .iter()
            .filter(|(_, request)| met.insert((request.op, request.place.offset, request.place.length)));
        let different: Vec<_> = different.collect();
        let step = different.len().div_ceil(VOTERS).max(1);
        let chosen = different.into_iter().step_by(step);
        chosen.map(|(stream, request)| self.voter(*stream, request)).collect()
    }

    fn voter(&self, stream: StreamIndex, request: &Request) -> Voter {
        let (start, end) = request.whole;
        let start = start.max(end.saturating_sub(self.config.longest_io_nanos));
        let spans = TAPS.map(|tap| {
            // Of several lives of a node the one that had to see the request.
            let far = self.life_at(request.place.node, stream, end)?;
            let (low, high) = self.span_offset(stream, far, (start, end))?;
            let slack = self.resolution(stream, Tap::Volume) + self.resolution(far, tap);
            let (from, until) = widen((start, end), slack);
            Some((far, (from.saturating_add(low), until.saturating_add(high))))
        });
        Voter {
            op: request.op,
            offset: request.place.offset,
            length: request.place.length,
            spans,
        }
    }

    /// The events of some disks that wait and have to do with a stretch of their stream's time, in order.
    pub(super) fn choices(&self, disks: &BTreeSet<DiskIndex>, reach: &Reach) -> Choices {
        let mut found = Choices::default();
        for (_, event) in &self.pool.events {
            let Some(disk) = event.disk.filter(|disk| disks.contains(disk)) else {
                continue;
            };
            let Some(&(from, until)) = reach.get(&event.event.stream) else {
                continue;
            };
            let near = event.event.start_unix_nanos <= until && event.event.end_unix_nanos() >= from;
            if near && TAPS.contains(&event.tap) {
                found.entry((disk, event.tap)).or_default().push(Choice {
                    stream: event.event.stream,
                    op: event.op,
                    offset: event.shown_offset(),
                    length: event.length,
                    start: event.event.start_unix_nanos,
                    end: event.event.end_unix_nanos(),
                });
            }
        }
        let of_streams: Vec<_> = reach.iter().collect();
        let waiting = self.workers.map(of_streams.len(), |at| {
            let (&stream, &(from, until)) = of_streams[at];
            let state = &self.streams[&stream];
            let wanted = |device: &DeviceEntry| device.disk.filter(|disk| disks.contains(disk));
            let wanted: Vec<Option<DiskIndex>> = state.devices.iter().map(wanted).collect();
            // Of each device and tap, in the order of both: an event is put there without a search.
            let mut of_devices: Vec<[Vec<Choice>; TAPS.len()]> = Vec::new();
            of_devices.resize_with(wanted.len(), Default::default);
            for (_, batch) in state.lane.batches() {
                let columns = batch.columns();
                batch.for_each_at(
                    from,
                    until,
                    |tap| TAPS.contains(&tap),
                    |row| {
                        let device = columns.devices[row] as usize;
                        let tap = TAPS.iter().position(|&tap| tap == columns.taps[row]);
                        let Some(tap) = tap.filter(|_| wanted[device].is_some()) else {
                            return;
                        };
                        of_devices[device][tap].push(Choice {
                            stream,
                            op: columns.ops[row],
                            offset: columns.offsets[row],
                            length: columns.lengths[row],
                            start: columns.starts[row],
                            end: columns.end(row),
                        });
                    },
                );
            }
            let of_disks = wanted.into_iter().zip(of_devices);
            let of_disks = of_disks.filter_map(|(disk, choices)| Some((disk?, choices)));
            let mut found = Choices::default();
            for (disk, choices) in of_disks {
                for (tap, mut choices) in TAPS.into_iter().zip(choices) {
                    if !choices.is_empty() {
                        found.entry((disk, tap)).or_default().append(&mut choices);
                    }
                }
            }
            found
        });
        for (key, mut choices) in waiting.into_iter().flatten() {
            found.entry(key).or_default().append(&mut choices);
        }
        let mut all: Vec<&mut Vec<Choice>> = found.values_mut().collect();
        self.workers.map_mut(&mut all, |choices| {
            choices.sort_unstable_by_key(|choice| (choice.start, choice.end, choice.offset, choice.length));
        });
        found
    }

    /// Notes of which disks an initiator's window found something where it looked, and doubts what is known of the others.
    pub(super) fn weigh_shifts(
        &mut self,
        stream: StreamIndex,
        claims: &[ClaimRef],
        decisions: &Decisions,
        round: Option<&Round>,
    ) {
        let mut met: BTreeMap<(DiskIndex, Tap), bool> = BTreeMap::new();
        for claim in claims {
            let io = &self.pool.ios[claim.io];
            let Some(found) = decisions.get(claim).filter(|_| io.op.goes_to_every_copy()) else {
                continue;
            };
            let disk = io.places.places[claim.place].disk;
            if io.op != Op::Flush {
                *met.entry((disk, Tap::Target)).or_default() |= found.target.is_some();
                *met.entry((disk, Tap::Device)).or_default() |= !found.device.is_empty() && found.cache.is_none();
            }
        }
        if let Some(round) = round {
            // Those of which it matters: nearly all were known long ago.
            let matters = |key: &(DiskIndex, Tap)| {
                let unknown = !self.shifts.is_known(key.0, key.1) || met.get(key) == Some(&false);
                let lives = self.layout.node_of(key.0).map_or(&[][..], |node| self.lives(node));
                unknown && lives.iter().any(|&stream| self.gives(stream, key.1))
            };
            let disks = (0..self.catalog.disks().len() as u32).map(DiskIndex);
            let open = disks.flat_map(|disk| TAPS.map(|tap| (disk, tap))).filter(matters);
            for key in round.seen_of(stream, open.collect()) {
                met.insert(key, true);
            }
        }
        for (key, any) in met {
            match self.shifts.known.get_mut(&key) {
                Some(shift) if shift.standing == Standing::Settled && !any => shift.standing = Standing::Doubted,
                None if any => {
                    let (bytes, standing) = (0, Standing::Seen);
                    self.shifts.known.insert(key, Shift { bytes, standing });
                }
                _ => {}
            }
        }
    }

    /// How far the events of a far stream's disks lie beyond the places of some requests, as offsets alone tell: for a pair
    /// whose clocks are not known, so that nobody can say which events are of the requests' time. With them come the disks that show
    /// what the map has on others.
    pub(super) fn shifts_without_clocks<'a>(
        &self,
        far: StreamIndex,
        tap: Tap,
        until: i64,
        requests: impl IntoIterator<Item = &'a Request>,
    ) -> (FxHashMap<DiskIndex, i64>, Vec<(DiskIndex, DiskIndex)>) {
        let mut asked: BTreeMap<DiskIndex, BTreeSet<(u64, u64, u8)>> = BTreeMap::new();
        let mut from = i64::MAX;
        for request in requests {
            let place = &request.place;
            if !self.shifts.is_sure(place.disk, tap) && request.op.goes_to_every_copy() {
                let (start, end) = request.whole;
                from = from.min(start.max(end.saturating_sub(self.config.longest_io_nanos)));
                let key = (place.offset, place.length, request.op as u8);
                asked.entry(place.disk).or_default().insert(key);
            }
        }
        let (mut found, mut mistaken) = (FxHashMap::default(), Vec::new());
        if asked.is_empty() {
            return (found, mistaken);
        }
        // What is further away may be in memory or not, by when this is asked.
        let from = from.saturating_sub(self.config.max_offset_nanos);
        let reach = Reach::from([(far, (from, until))]);
        let choices = self.choices(&asked.keys().copied().collect(), &reach);
        for (disk, asked) in asked {
            let Some(choices) = choices.get(&(disk, tap)) else {
                continue;
            };
            let known = self.shifts.of(disk, tap);
            let seen: FxHashSet<(u64, u64, u8)> = choices
                .iter()
                .filter(|choice| choice.stream == far && choice.end >= from && choice.end < until)
                .map(|choice| (choice.offset, choice.length, choice.op as u8))
                .collect();
            if let Some(bytes) = settle(&votes_of_keys(&asked, &seen), known) {
                match self.layout.other_copy_at(disk, bytes).filter(|_| bytes != 0) {
                    Some(other) => mistaken.push((disk, other)),
                    None => drop(found.insert(disk, bytes.wrapping_sub(known))),
                }
            }
        }
        (found, mistaken)
    }
}

#[cfg(test)]
mod tests;
