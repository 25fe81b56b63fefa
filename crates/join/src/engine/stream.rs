//! What is known of one stream.

use std::collections::BTreeMap;

use fathom_model::{Device, IoColumns, NodeIndex, RangeSet, Tap};

use super::devices::DeviceEntry;
use super::losses::OpenLoss;
use super::{End, bulk, lane};
use crate::pauses::Pauses;

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) node: NodeIndex,
    /// Resolution of each tap that the stream gives.
    pub(super) resolution: [Option<u64>; Tap::ALL.len()],
    pub(super) devices: Vec<DeviceEntry>,
    /// The same as it came, to be kept.
    pub(super) described: Vec<Device>,
    /// The ordinal that comes next.
    pub(super) next: u64,
    /// Ordinals from before a restart that are accounted for although they lie beyond `next`.
    pub(super) accounted: RangeSet,
    /// Nothing that completed before this is still to come.
    pub(super) heard: i64,
    /// Completion of the newest event that came, also before a restart.
    pub(super) newest: i64,
    /// Whether it was heard since this engine began.
    pub(super) speaks: bool,
    pub(super) ended: Option<End>,
    pub(super) covered_from: Option<i64>,
    pub(super) gaps: Vec<(i64, i64)>,
    pub(super) lost: u64,
    /// Ordinals lost after which no event has come yet.
    pub(super) open_loss: Option<OpenLoss>,
    /// Nothing that completes before this has an ordinal from `next` on. What was heard, also before a restart.
    pub(super) promised: i64,
    /// Stretches in which no leg ended.
    pub(super) pauses: Pauses,
    /// Windows below this number have closed.
    pub(super) closed_until: i64,
    /// I/Os in the pool.
    pub(super) windows: BTreeMap<i64, Vec<usize>>,
    pub(super) lane: lane::Lane,
    /// Of windows that are about to close the I/Os in the lane, with their places.
    pub(super) gathered: BTreeMap<i64, bulk::Gathered>,
}

impl Stream {
    /// The first window that has I/Os.
    pub(super) fn first_window(&self) -> Option<i64> {
        let pooled = self.windows.first_key_value().map(|(&window, _)| window);
        let waiting = self.lane.windows.first_key_value().map(|(&window, _)| window);
        pooled.into_iter().chain(waiting).min()
    }

    pub(super) fn new(node: NodeIndex) -> Self {
        Self {
            node,
            resolution: [None; Tap::ALL.len()],
            devices: Vec::new(),
            described: Vec::new(),
            next: 0,
            accounted: RangeSet::new(),
            heard: i64::MIN,
            newest: i64::MIN,
            speaks: false,
            ended: None,
            covered_from: None,
            gaps: Vec::new(),
            lost: 0,
            open_loss: None,
            promised: i64::MIN,
            pauses: Pauses::default(),
            closed_until: i64::MIN,
            windows: BTreeMap::new(),
            lane: lane::Lane::default(),
            gathered: BTreeMap::new(),
        }
    }

    /// Looks at the completion of every event that is new. The last one of a batch need not be the newest: a clock that is set back
    /// shows earlier times after later ones, and where a batch ends is chance.
    pub(super) fn note_newest(&mut self, events: &IoColumns, known: usize) {
        let (starts, durations) = (events.starts_unix_nanos(), events.durations_nanos());
        let new = starts.iter().zip(durations).skip(known);
        let ends = new.map(|(start, &duration)| start.saturating_add_unsigned(duration));
        self.newest = ends.fold(self.newest, i64::max);
    }

    /// Whether it gives legs and not the I/Os that they are of.
    pub(super) const fn has_legs_alone(&self) -> bool {
        self.resolution[Tap::Initiator as usize].is_some() && self.resolution[Tap::Volume as usize].is_none()
    }
}
