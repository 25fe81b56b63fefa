//! The lane: events of a stream that wait, as the columns in which they came, to be decided in bulk.
//!
//! Nothing is done for an event when it comes but to look at it once. What bulk decisions do not cover (flushes, reads, devices
//! without a place) never enters the lane; what they could not decide leaves it for the pool. Whether an event waits here or in
//! the pool never changes a row.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use fathom_model::{DiskIndex, IoColumns, IoEvent, NodeIndex, Op, StreamIndex, Tap, VolumeIndex};

use super::devices::DeviceEntry;
use super::{Engine, observation_of};

mod batch;

pub(super) use batch::{Batch, Columns};

/// Longer I/Os than this (4.6 hours) or larger ones than 256 MiB are no business of the bulk.
const LONGEST: u64 = 1 << 44;
const LARGEST: u64 = 1 << 28;

/// A stream's events that are in no row and not in the pool.
#[derive(Debug, Default)]
pub(super) struct Lane {
    batches: VecDeque<Batch>,
    /// The number of the oldest batch: numbers stay when older batches go.
    first_batch: u32,
    /// I/Os by the number of their window.
    pub(super) windows: BTreeMap<i64, usize>,
    /// Events that wait.
    pub(super) open: usize,
    /// Of each device which taps' events may wait here: a bit a tap.
    roles: Vec<u16>,
}

/// An event of the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct At {
    /// The number of the batch.
    pub(super) batch: u32,
    pub(super) row: u32,
}

impl Lane {
    /// Takes events all of which wait; so many of them are I/Os.
    fn take(&mut self, batch: Batch, window_nanos: i64) {
        let (first, last) = (
            batch.min_end.div_euclid(window_nanos),
            batch.max_end.div_euclid(window_nanos),
        );
        let taps = batch.columns.taps();
        if first == last {
            let ios = taps.iter().map(|&tap| usize::from(tap == Tap::Volume)).sum::<usize>();
            if ios > 0 {
                *self.windows.entry(first).or_default() += ios;
            }
        } else {
            // Ends come nearly in order: the window of the last one is the window of the next one.
            let (mut window, mut ends, mut count) = (i64::MIN, 0..0, 0);
            for row in (0..taps.len()).filter(|&row| taps[row] == Tap::Volume) {
                let end = batch.end(row);
                if !ends.contains(&end) {
                    if count > 0 {
                        *self.windows.entry(window).or_default() += count;
                    }
                    window = end.div_euclid(window_nanos);
                    ends = window * window_nanos..(window + 1) * window_nanos;
                    count = 0;
                }
                count += 1;
            }
            if count > 0 {
                *self.windows.entry(window).or_default() += count;
            }
        }
        self.open += batch.open;
        self.batches.push_back(batch);
    }

    /// Takes an event out of the lane; false if it had left before.
    pub(super) fn go(&mut self, at: At, window_nanos: i64) -> bool {
        let row = at.row as usize;
        let batch = &mut self.batches[(at.batch - self.first_batch) as usize];
        if !batch.go(row) {
            return false;
        }
        self.open -= 1;
        if batch.columns.taps()[row] == Tap::Volume {
            let window = batch.end(row).div_euclid(window_nanos);
            if let Some(count) = self.windows.get_mut(&window) {
                *count -= 1;
                if *count == 0 {
                    self.windows.remove(&window);
                }
            }
        }
        true
    }

    /// Takes events that are no I/Os out of the lane.
    pub(super) fn leave(&mut self, events: impl IntoIterator<Item = At>) {
        for at in events {
            let left = self.batches[(at.batch - self.first_batch) as usize].go(at.row as usize);
            debug_assert!(left, "an event leaves the lane once");
            self.open -= usize::from(left);
        }
    }

    /// Takes I/Os of one window out of the lane.
    pub(super) fn leave_window(&mut self, window: i64, ios: impl IntoIterator<Item = At>) {
        let before = self.open;
        self.leave(ios);
        if let Some(count) = self.windows.get_mut(&window) {
            *count -= before - self.open;
            if *count == 0 {
                self.windows.remove(&window);
            }
        }
    }

    /// Lets go of batches that nothing waits in.
    pub(super) fn sweep(&mut self) {
        while self.batches.front().is_some_and(|batch| batch.open == 0) {
            self.batches.pop_front();
            self.first_batch += 1;
        }
    }

    /// The batches with their numbers, the oldest first.
    pub(super) fn batches(&self) -> impl Iterator<Item = (u32, &Batch)> + '_ {
        (self.first_batch..).zip(&self.batches)
    }

    /// Every event that waits, with where it is.
    pub(super) fn events(&self) -> impl Iterator<Item = (At, &Batch, usize)> + '_ {
        self.batches().flat_map(|(number, batch)| {
            batch.rows().map(move |row| {
                let at = At {
                    batch: number,
                    row: row as u32,
                };
                (at, batch, row)
            })
        })
    }

    /// Each event that waits and ended in a stretch of time, by batch and row.
    pub(super) fn for_each_ended<'a>(&'a self, from: i64, until: i64, mut take: impl FnMut(&'a Batch, usize)) {
        for batch in &self.batches {
            batch.for_each_ended(from, until, |row| take(batch, row));
        }
    }

    /// The same of rows of which one look tells that they may be wanted.
    pub(super) fn for_each_wanted<'a>(
        &'a self,
        from: i64,
        until: i64,
        may_be: impl Fn(&Batch, usize) -> bool,
        mut take: impl FnMut(&'a Batch, usize),
    ) {
        for batch in &self.batches {
            batch.for_each_wanted(from, until, |row| may_be(batch, row), |row| take(batch, row));
        }
    }

    #[inline]
    fn batch(&self, at: At) -> &Batch {
        &self.batches[(at.batch - self.first_batch) as usize]
    }
}

/// Whether the device of an event has a place that the bulk understands.
#[inline]
fn has_place(tap: Tap, device: &DeviceEntry) -> bool {
    match tap {
        Tap::Volume => device.lane.io,
        Tap::Initiator => device.lane.leg,
        Tap::Target | Tap::Device => device.lane.far,
        Tap::Guest | Tap::Vhdx | Tap::Csv | Tap::Refs => false,
    }
}

/// What a device's events may be in the lane.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LaneRole {
    /// I/Os on a volume with extents.
    pub(super) io: bool,
    /// Legs to a node.
    pub(super) leg: bool,
    /// Events of a disk of the stream's own node.
    pub(super) far: bool,
}

impl Engine {
    /// Finds out which devices' events may wait in lanes.
    pub(super) fn set_lane_roles(&mut self) {
        let layout = &self.layout;
        // What is seen of a parity tier has no key, and is looked for in the pool alone.
        let of_parity: Vec<(DiskIndex, NodeIndex)> = layout.parity_disks().collect();
        let parity_nodes: BTreeSet<NodeIndex> = of_parity.iter().map(|&(_, node)| node).collect();
        let mut barred = self.barred.clone();
        barred.extend(of_parity.iter().map(|&(disk, _)| disk));
        let barred = &barred;
        for stream in self.streams.values_mut() {
            let unplaced = stream.devices.iter().any(|device| device.unplaced);
            for device in &mut stream.devices {
                let own = |disk: DiskIndex| layout.node_of(disk) == Some(stream.node) && !barred.contains(&disk);
                let plain = |volume: VolumeIndex| {
                    let of_the_pool = layout.is_timed(volume) || layout.has_parity(volume);
                    layout.knows(volume) && !of_the_pool && !layout.is_on_any(volume, barred)
                };
                device.lane = LaneRole {
                    // An I/O whose legs have no offset is decided with all others of its initiator.
                    io: !unplaced && device.volume.is_some_and(plain),
                    leg: device.has_offsets && device.peer.is_some_and(|peer| !parity_nodes.contains(&peer)),
                    far: device.has_offsets && device.disk.is_some_and(own),
                };
            }
            let taps = |device: &DeviceEntry| {
                let with_place = Tap::ALL.into_iter().filter(|&tap| has_place(tap, device));
                with_place.fold(0, |taps, tap| taps | 1 << tap as usize)
            };
            stream.lane.roles = stream.devices.iter().map(taps).collect();
        }
    }

    /// Whether events of a stream may wait in the lane: they came in time, nothing was said of them before, the node has
    /// had one life only, and none of its clocks is in doubt.
    pub(super) fn goes_to_lane(
        &self,
        stream: StreamIndex,
        first_ordinal: u64,
        known: usize,
        events: &IoColumns,
    ) -> bool {
        let state = &self.streams[&stream];
        // The first event after a loss says until when it reaches.
        if !self.config.bulk
            || !state.accounted.is_empty()
            || state.open_loss.is_some()
            || self.unsettled.contains(&stream)
            || self.lives(state.node).len() != 1
        {
            return false;
        }
        let last_ordinal = first_ordinal + events.len() as u64;
        let contested = self.contested.range((stream, first_ordinal)..(stream, last_ordinal));
        if contested.take(1).count() > 0 {
            return false;
        }
        let closed = state.closed_until.saturating_mul(self.config.window_nanos);
        let late = self.late_before(stream);
        let (starts, durations) = (events.starts_unix_nanos(), events.durations_nanos());
        let sane_starts = starts
            .iter()
            .fold(true, |all, start| all & (start.unsigned_abs() < 1 << 62));
        let sane_durations = durations.iter().fold(true, |all, &duration| all & (duration < LONGEST));
        if !sane_starts || !sane_durations {
            return false;
        }
        let io_limit = closed.max(late);
        let times = starts.iter().zip(durations).zip(events.taps()).skip(known);
        times.fold(true, |all, ((&start, &duration), &tap)| {
            let limit = if tap == Tap::Volume { io_limit } else { late };
            all & (start + duration as i64 >= limit)
        })
    }

    /// Puts events into the lane, and into the pool what the lane is not for. `Err` is the row and the device of the first event
    /// whose device is not known; those before it were taken.
    pub(super) fn fill_lane(
        &mut self,
        stream: StreamIndex,
        first_ordinal: u64,
        known: usize,
        events: IoColumns,
    ) -> Result<(), (usize, u32)> {
        let mut batch = Batch::new(first_ordinal, events);
        for row in 0..known.min(batch.columns.len()) {
            batch.go(row);
        }
        let window_nanos = self.config.window_nanos;
        let state = self.streams.get_mut(&stream).expect("the stream is open");
        if known == 0 && batch.open > 0 && batch.may_all_wait(&state.lane.roles) {
            state.next = first_ordinal + batch.open as u64;
            state.lane.take(batch, window_nanos);
            return Ok(());
        }
        let mut unknown = None;
        let mut others = Vec::new();
        // Ends come nearly in order: the window of the last one is the window of the next one.
        let (mut window, mut count, mut until) = (i64::MIN, 0, 0);
        for row in known..batch.columns.len() {
            let index = batch.columns.devices()[row];
            let Some(device) = state.devices.get(index as usize) else {
                unknown = Some((row, index));
                break;
            };
            let tap = batch.columns.taps()[row];
            let plain = matches!(batch.columns.ops()[row], Op::Write | Op::Unmap);
            let length = batch.columns.lengths()[row];
            if !(plain && (1..=LARGEST).contains(&length) && has_place(tap, device)) {
                others.push(row);
                continue;
            }
            let end = batch.end(row);
            if tap == Tap::Volume {
                if count == 0 || !(until - window_nanos..until).contains(&end) {
                    if count > 0 {
                        *state.lane.windows.entry(window).or_default() += count;
                    }
                    window = end.div_euclid(window_nanos);
                    until = (window + 1) * window_nanos;
                    count = 0;
                }
                count += 1;
            }
        }
        if count > 0 {
            *state.lane.windows.entry(window).or_default() += count;
        }
        let rows = unknown.map_or(batch.columns.len(), |(row, _)| row);
        (rows..batch.columns.len()).for_each(|row| {
            batch.go(row);
        });
        others.iter().for_each(|&row| {
            batch.go(row);
        });
        state.next = first_ordinal + rows as u64;
        let taken: Vec<_> = others
            .into_iter()
            .filter_map(|row| Some((first_ordinal + row as u64, batch.columns.get(row)?)))
            .collect();
        if batch.open > 0 {
            state.lane.open += batch.open;
            state.lane.batches.push_back(batch);
        }
        for (ordinal, event) in taken {
            self.take_one(stream, ordinal, &event);
        }
        unknown.map_or(Ok(()), Err)
    }

    /// Hands an event, which came in time, to the pool.
    fn take_one(&mut self, stream: StreamIndex, ordinal: u64, event: &IoEvent) {
        let device = self.streams[&stream].devices[event.device as usize].clone();
        self.take(observation_of(stream, ordinal, event), event, &device, false);
    }

    /// Moves events from the lane to the pool.
    pub(super) fn spill(&mut self, stream: StreamIndex, events: impl IntoIterator<Item = At>) {
        let window_nanos = self.config.window_nanos;
        let mut spilled = Vec::new();
        let lane = &mut self.stream_mut(stream).lane;
        for at in events {
            if lane.go(at, window_nanos) {
                let batch = lane.batch(at);
                let event = batch.columns.get(at.row as usize).expect("the row is there");
                spilled.push((batch.first + u64::from(at.row), event));
            }
        }
        for (ordinal, event) in spilled {
            self.take_one(stream, ordinal, &event);
        }
    }

    /// Moves everything in a stream's lane that ended before `until` to the pool.
    pub(super) fn spill_until(&mut self, stream: StreamIndex, until: i64) {
        let lane = &self.streams[&stream].lane;
        if lane.batches.iter().all(|batch| batch.min_end >= until) {
            return;
        }
        let events: Vec<At> = lane
            .events()
            .filter(|(_, batch, row)| batch.end(*row) < until)
            .map(|(at, _, _)| at)
            .collect();
        self.spill(stream, events);
        self.stream_mut(stream).gathered.clear();
    }

    /// Moves all that waits in lanes to the pool.
    pub(super) fn spill_all(&mut self) {
        let streams: Vec<StreamIndex> = self.streams.keys().copied().collect();
        for stream in streams {
            self.spill_until(stream, i64::MAX);
        }
    }
}
