//! The lane: events of a stream that wait, as the columns in which they came, to be decided in bulk.
//!
//! Nothing is done for an event when it comes but to look at it once. What bulk decisions do not cover (flushes, reads, devices
//! without a place) never enters the lane; what they could not decide leaves it for the pool. Whether an event waits here or in
//! the pool never changes a row.

use std::collections::{BTreeMap, VecDeque};

use fathom_model::{DiskIndex, IoColumns, IoEvent, Op, StreamIndex, Tap, VolumeIndex};

use super::devices::DeviceEntry;
use super::{Engine, observation_of};

/// Longer I/Os than this (4.6 hours) or larger ones than 4 GiB are no business of the bulk.
const LONGEST: u64 = 1 << 44;

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
}

/// Events as they came.
#[derive(Debug)]
pub(super) struct Batch {
    /// The ordinal of the first row.
    pub(super) first: u64,
    pub(super) columns: IoColumns,
    /// A bit a row: it left the lane.
    gone: Vec<u64>,
    pub(super) open: usize,
    min_start: i64,
    pub(super) min_end: i64,
    max_end: i64,
    /// Of each word of `gone` the earliest start and the latest end of its rows.
    spans: Vec<(i64, i64)>,
}

/// An event of the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct At {
    /// The number of the batch.
    pub(super) batch: u32,
    pub(super) row: u32,
}

impl Batch {
    fn new(first: u64, columns: IoColumns) -> Self {
        Self {
            first,
            gone: vec![0; columns.len().div_ceil(64)],
            open: columns.len(),
            min_start: i64::MAX,
            min_end: i64::MAX,
            max_end: i64::MIN,
            spans: vec![(i64::MAX, i64::MIN); columns.len().div_ceil(64)],
            columns,
        }
    }

    fn go(&mut self, row: usize) -> bool {
        let bit = 1 << (row % 64);
        let first = self.gone[row / 64] & bit == 0;
        self.gone[row / 64] |= bit;
        self.open -= usize::from(first);
        first
    }

    pub(super) fn end(&self, row: usize) -> i64 {
        self.columns.starts_unix_nanos()[row] + self.columns.durations_nanos()[row] as i64
    }

    /// Rows that wait.
    pub(super) fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.gone.len()).flat_map(|word| bits(self.waiting(word)).map(move |bit| word * 64 + bit))
    }

    /// Each row that waits, ended no earlier than `from` and started no later than `until`.
    pub(super) fn for_each_between(&self, from: i64, until: i64, mut take: impl FnMut(usize)) {
        if self.max_end < from || self.min_start > until {
            return;
        }
        let starts = self.columns.starts_unix_nanos();
        for (word, &(earliest, latest)) in self.spans.iter().enumerate() {
            if latest < from || earliest > until {
                continue;
            }
            for row in bits(self.waiting(word)).map(|bit| word * 64 + bit) {
                if starts[row] <= until && self.end(row) >= from {
                    take(row);
                }
            }
        }
    }

    /// Each row that waits and ended in a stretch of time.
    fn for_each_ended(&self, from: i64, until: i64, mut take: impl FnMut(usize)) {
        if self.open == 0 || self.max_end < from || self.min_end >= until {
            return;
        }
        let all = self.min_end >= from && self.max_end < until;
        for word in 0..self.gone.len() {
            if self.spans[word].1 < from {
                continue;
            }
            for row in bits(self.waiting(word)).map(|bit| word * 64 + bit) {
                if all || (from..until).contains(&self.end(row)) {
                    take(row);
                }
            }
        }
    }

    /// A bit for each of 64 rows that waits.
    fn waiting(&self, word: usize) -> u64 {
        let rows = (self.columns.len() - word * 64).min(64);
        !self.gone[word] & (u64::MAX >> (64 - rows))
    }

    fn note_span(&mut self, row: usize) {
        let (start, end) = (self.columns.starts_unix_nanos()[row], self.end(row));
        self.min_start = self.min_start.min(start);
        self.min_end = self.min_end.min(end);
        self.max_end = self.max_end.max(end);
        let (earliest, latest) = &mut self.spans[row / 64];
        *earliest = start.min(*earliest);
        *latest = end.max(*latest);
    }
}

/// The bits that are set, the lowest first.
fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(bit)
    })
}

impl Lane {
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

    fn batch(&self, at: At) -> &Batch {
        &self.batches[(at.batch - self.first_batch) as usize]
    }
}

/// Whether the device of an event has a place that the bulk understands.
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
        let (layout, barred) = (&self.layout, &self.barred);
        for stream in self.streams.values_mut() {
            let unplaced = stream.devices.iter().any(|device| device.unplaced);
            for device in &mut stream.devices {
                let own = |disk: DiskIndex| layout.node_of(disk) == Some(stream.node) && !barred.contains(&disk);
                let plain = |volume: VolumeIndex| {
                    layout.knows(volume) && !layout.is_timed(volume) && !layout.is_on_any(volume, barred)
                };
                device.lane = LaneRole {
                    // An I/O whose legs have no offset is decided with all others of its initiator.
                    io: !unplaced && device.volume.is_some_and(plain),
                    leg: device.peer.is_some() && device.has_offsets,
                    far: device.has_offsets && device.disk.is_some_and(own),
                };
            }
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
        let in_time = |row: usize| {
            let limit = if events.taps()[row] == Tap::Volume {
                closed.max(late)
            } else {
                late
            };
            let sane = durations[row] < LONGEST && starts[row].unsigned_abs() < 1 << 62;
            sane && starts[row] + durations[row] as i64 >= limit
        };
        (known..events.len()).all(in_time)
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
            if !(plain && (1..=u64::from(u32::MAX)).contains(&length) && has_place(tap, device)) {
                others.push(row);
                continue;
            }
            let end = batch.end(row);
            batch.note_span(row);
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
