//! One I/O as one tap saw it ([`IoEvent`]), and many of them as columns ([`IoColumns`]).

use crate::tap::{Op, Tap};

/// One I/O as one tap saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoEvent {
    /// Where it was seen.
    pub tap: Tap,
    /// Index into the stream's device dictionary.
    pub device: u32,
    /// What it did.
    pub op: Op,
    /// Byte offset on the device; 0 for a flush, and where the device's entry says that it gives no offsets.
    pub offset: u64,
    /// Bytes; 0 for a flush.
    pub length: u64,
    /// Start, on the node's own clock.
    pub start_unix_nanos: i64,
    /// From start to completion, on the node's own clock.
    pub duration_nanos: u64,
    /// 0 for success, else the source's own code (NTSTATUS on Windows, errno in recordings).
    pub status: u32,
    /// A value that ties events of one I/O on one node (an IRP), where the source has one.
    pub correlation: Option<u64>,
}

impl IoEvent {
    /// Completion, on the node's own clock. Saturates, so that no input can make it wrap.
    #[must_use]
    pub const fn end_unix_nanos(&self) -> i64 {
        self.start_unix_nanos.saturating_add_unsigned(self.duration_nanos)
    }
}

/// Events of one stream as columns, in the order of their ordinals; all columns have the same length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IoColumns {
    tap: Vec<Tap>,
    device: Vec<u32>,
    op: Vec<Op>,
    offset: Vec<u64>,
    length: Vec<u64>,
    start_unix_nanos: Vec<i64>,
    duration_nanos: Vec<u64>,
    status: Vec<u32>,
    correlation: Vec<Option<u64>>,
}

impl IoColumns {
    /// Empty columns with room for `events`.
    #[must_use]
    pub fn with_capacity(events: usize) -> Self {
        Self {
            tap: Vec::with_capacity(events),
            device: Vec::with_capacity(events),
            op: Vec::with_capacity(events),
            offset: Vec::with_capacity(events),
            length: Vec::with_capacity(events),
            start_unix_nanos: Vec::with_capacity(events),
            duration_nanos: Vec::with_capacity(events),
            status: Vec::with_capacity(events),
            correlation: Vec::with_capacity(events),
        }
    }

    /// Adds one event at the end.
    #[inline]
    pub fn push(&mut self, event: IoEvent) {
        self.tap.push(event.tap);
        self.device.push(event.device);
        self.op.push(event.op);
        self.offset.push(event.offset);
        self.length.push(event.length);
        self.start_unix_nanos.push(event.start_unix_nanos);
        self.duration_nanos.push(event.duration_nanos);
        self.status.push(event.status);
        self.correlation.push(event.correlation);
    }

    /// How many events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tap.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tap.is_empty()
    }

    /// The event at `row`, or none past the end.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<IoEvent> {
        Some(IoEvent {
            tap: *self.tap.get(row)?,
            device: self.device[row],
            op: self.op[row],
            offset: self.offset[row],
            length: self.length[row],
            start_unix_nanos: self.start_unix_nanos[row],
            duration_nanos: self.duration_nanos[row],
            status: self.status[row],
            correlation: self.correlation[row],
        })
    }

    /// The tap of each event.
    #[must_use]
    pub fn taps(&self) -> &[Tap] {
        &self.tap
    }

    /// The index into the device dictionary of each event.
    #[must_use]
    pub fn devices(&self) -> &[u32] {
        &self.device
    }

    /// What each event did.
    #[must_use]
    pub fn ops(&self) -> &[Op] {
        &self.op
    }

    /// The byte offset of each event.
    #[must_use]
    pub fn offsets(&self) -> &[u64] {
        &self.offset
    }

    /// The bytes of each event.
    #[must_use]
    pub fn lengths(&self) -> &[u64] {
        &self.length
    }

    /// The start of each event, on the node's own clock.
    #[must_use]
    pub fn starts_unix_nanos(&self) -> &[i64] {
        &self.start_unix_nanos
    }

    /// From start to completion of each event.
    #[must_use]
    pub fn durations_nanos(&self) -> &[u64] {
        &self.duration_nanos
    }

    /// The status of each event.
    #[must_use]
    pub fn statuses(&self) -> &[u32] {
        &self.status
    }

    /// All events in order.
    pub fn iter(&self) -> impl Iterator<Item = IoEvent> + '_ {
        (0..self.len()).filter_map(|row| self.get(row))
    }
}

impl FromIterator<IoEvent> for IoColumns {
    fn from_iter<I: IntoIterator<Item = IoEvent>>(events: I) -> Self {
        let mut columns = Self::default();
        events.into_iter().for_each(|event| columns.push(event));
        columns
    }
}
