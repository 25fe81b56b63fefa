//! A node's streams, one after the other: each is a life of its spool, and the older ones are sent to their ends first.
//!
//! Which of them had to see something depends on how far each came, never on which of them has been opened so far: else rows
//! would depend on the moments of calls.

use fathom_model::{NodeIndex, Op, StreamIndex};

use super::{End, Engine, Stream};
use crate::layout::Place;

impl Engine {
    /// The streams of a node, in the order of their lives.
    pub(super) fn lives(&self, node: NodeIndex) -> &[StreamIndex] {
        self.lives.get(&node).map_or(&[], Vec::as_slice)
    }

    /// Until when a node was heard, on its own clock: of its streams the first that is not over counts.
    pub(super) fn heard_of(&self, node: NodeIndex) -> i64 {
        if self.silent.contains(&node) {
            return i64::MAX;
        }
        let lives = self.lives(node);
        if lives.is_empty() {
            return if self.observed.get(&node).copied().unwrap_or(false) {
                i64::MIN
            } else {
                i64::MAX
            };
        }
        let ended = |stream: &&StreamIndex| self.streams[stream].ended == Some(End::Finished);
        let present = lives.iter().position(|&stream| !self.is_over(stream));
        if present.is_none() && lives.iter().any(|stream| ended(&stream)) {
            return i64::MAX;
        }
        // Where all were replaced, the next one has not spoken yet.
        let until = present.map_or(lives.len(), |at| at + 1);
        let heard = lives[..until].iter().map(|stream| self.streams[stream].heard);
        heard.max().unwrap_or(i64::MIN)
    }

    /// Whether a stream has said all that it will: it ended, or a later one of its node speaks (old spools are sent first, so
    /// the rest of this one is gone).
    pub(super) fn is_over(&self, stream: StreamIndex) -> bool {
        let state = &self.streams[&stream];
        let later = self
            .lives(state.node)
            .iter()
            .rev()
            .take_while(|&&other| other != stream);
        state.ended.is_some() || later.into_iter().any(|other| self.streams[other].speaks)
    }

    /// The stream that had to see what happened at a node when the clock of `seen_from` showed `x`: the first that was heard so
    /// far, or that still speaks.
    pub(super) fn life_at(&self, node: NodeIndex, seen_from: StreamIndex, x: i64) -> Option<StreamIndex> {
        let lives = self.lives(node);
        let reaches = |stream: &&StreamIndex| !self.is_over(**stream) || self.reaches(**stream, seen_from, x);
        lives.iter().find(reaches).or_else(|| lives.last()).copied()
    }

    /// Whether what was heard of a stream reaches to when the clock of `seen_from` showed `x`.
    pub(super) fn reaches(&self, stream: StreamIndex, seen_from: StreamIndex, x: i64) -> bool {
        let high = self.highest_offset(seen_from, stream, x).unwrap_or(0);
        self.streams[&stream].heard >= x.saturating_add(high)
    }

    /// The streams by which events of a place may have come, seen from a window that is closed at `cut`.
    pub(super) fn far_streams(&self, op: Op, place: &Place, seen_from: StreamIndex, cut: i64) -> Vec<StreamIndex> {
        let lives = self.lives(place.node);
        let last = self.life_at(place.node, seen_from, cut);
        let until = lives
            .iter()
            .position(|&stream| Some(stream) == last)
            .map_or(0, |at| at + 1);
        let near = |stream: &StreamIndex| Some(*stream) == last || !self.is_past(*stream, cut);
        let mut streams: Vec<StreamIndex> = lives[..until].iter().copied().filter(near).collect();
        let own = streams.len();
        for at in self.pool.far(op, place.disk, place.offset) {
            let event = &self.pool.events[at];
            if event.node != place.node && !streams.contains(&event.event.stream) {
                streams.push(event.event.stream);
            }
        }
        streams[own..].sort_by_key(|&stream| self.catalog.stream(stream));
        streams
    }

    /// Whether a stream ended so long ago that no I/O of a window that is closed at `cut` can have an event of it.
    pub(super) fn is_past(&self, stream: StreamIndex, cut: i64) -> bool {
        self.is_over(stream) && self.streams[&stream].heard < self.reach(cut)
    }

    /// No I/O of a window that is closed at `cut` has an event from before this, whatever the clock.
    pub(super) fn reach(&self, cut: i64) -> i64 {
        cut.saturating_sub(self.config.lateness_nanos)
            .saturating_sub(self.config.window_nanos)
            .saturating_sub(self.config.longest_io_nanos)
            .saturating_sub(self.config.max_offset_nanos)
    }
}

impl Stream {
    pub(super) fn hear(&mut self, heard_unix_nanos: i64) {
        self.heard = self.heard.max(heard_unix_nanos);
        self.promised = self.promised.max(heard_unix_nanos);
        self.speaks = true;
    }
}
