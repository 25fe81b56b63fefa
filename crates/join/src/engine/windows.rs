//! Which window closes next, who keeps it open, and which events nobody will claim any more.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::{NodeIndex, StreamIndex, Tap, Unmatched, UnmatchedCause};

use super::{Engine, Waiting};
use crate::pool::LegEvent;

impl Engine {
    /// Closes every window that can close; says whom the next one waits for or, where none is open, whom the events wait for
    /// that have no I/O.
    pub fn advance(&mut self) -> Vec<Waiting> {
        let waiting = loop {
            let Some(window) = self.streams.values().filter_map(super::Stream::first_window).min() else {
                break None;
            };
            // All that may write were heard far enough, or nobody's window closes: so all windows of the number are known.
            let streams = self.streams_with(window);
            let waiting = self.waiting_for_all(window, &streams);
            if !waiting.is_empty() {
                break Some(waiting);
            }
            self.close_all(window, &streams);
        };
        self.expire();
        self.raise_pending_floor();
        waiting.unwrap_or_else(|| self.waiting_to_give_up())
    }

    /// The streams that have a window of this number, in the order of their identities, which is the same however the streams
    /// came to be numbered.
    fn streams_with(&self, window: i64) -> Vec<StreamIndex> {
        let has =
            |stream: &super::Stream| stream.windows.contains_key(&window) || stream.lane.windows.contains_key(&window);
        let streams = self.streams.iter().filter(|(_, stream)| has(stream));
        let mut streams: Vec<StreamIndex> = streams.map(|(&index, _)| index).collect();
        streams.sort_by_key(|&stream| self.catalog.stream(stream));
        streams
    }

    /// What ended before this on the stream's clock comes too late: the stream had said that nothing of that time was
    /// still to come, or windows closed while its node was silent.
    pub(super) fn late_before(&self, stream: StreamIndex) -> i64 {
        let state = &self.streams[&stream];
        state
            .heard
            .max(self.closed_without.get(&state.node).copied().unwrap_or(i64::MIN))
    }

    pub(super) fn all_ended(&self) -> bool {
        self.speakers().all(|node| self.heard_of(node) == i64::MAX)
    }

    /// Nodes that speak or are expected to; some more than once.
    fn speakers(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        let expected = self.observed.iter().filter(|(_, observed)| **observed);
        let expected = expected.map(|(&node, _)| node);
        expected.chain(self.streams.values().map(|stream| stream.node))
    }

    /// Nodes that may write: whoever has not spoken yet may be anything.
    fn writers(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        self.speakers().filter(|&node| {
            let lives = self.lives(node);
            lives.is_empty() || lives.iter().any(|&stream| self.gives(stream, Tap::Volume))
        })
    }

    pub(super) fn resolution(&self, stream: StreamIndex, tap: Tap) -> i64 {
        self.streams
            .get(&stream)
            .and_then(|stream| stream.resolution[tap as usize])
            .map_or(1, |nanos| nanos as i64)
    }

    /// Nodes that must be heard further before the windows of a number can close.
    fn waiting_for_all(&mut self, window: i64, streams: &[StreamIndex]) -> Vec<Waiting> {
        let cut = self.cut(window);
        // Whoever may write could compete for the same events.
        let mut until: BTreeMap<NodeIndex, i64> = self.writers().map(|node| (node, cut)).collect();
        let short = self.short_of(&until);
        // Only when all that may write were heard is it known which window comes next and what it holds. A vote before that
        // would depend on what happened to have arrived.
        if !short.is_empty() {
            return short;
        }
        self.settle_clocks(window);
        self.gather(window);
        self.look_at_clocks(window, streams);
        self.hold_first_votes(window, streams);
        for &stream in streams {
            for node in self.copy_nodes(window, stream) {
                for (node, time) in self.alignment_needs(node, window, stream) {
                    let most = until.entry(node).or_insert(i64::MIN);
                    *most = (*most).max(time);
                }
            }
        }
        self.first_votes.clear();
        self.short_of(&until)
    }

    fn short_of(&self, until: &BTreeMap<NodeIndex, i64>) -> Vec<Waiting> {
        let short = until.iter().filter(|&(&node, &until)| self.heard_of(node) < until);
        short
            .map(|(&node, &until_unix_nanos)| Waiting { node, until_unix_nanos })
            .collect()
    }

    pub(super) fn gives(&self, stream: StreamIndex, tap: Tap) -> bool {
        self.streams
            .get(&stream)
            .is_some_and(|stream| stream.resolution[tap as usize].is_some())
    }

    /// Completions before this, on the initiator's clock, are looked at when a window closes.
    pub(super) const fn cut(&self, window: i64) -> i64 {
        (window + 1)
            .saturating_mul(self.config.window_nanos)
            .saturating_add(self.config.lateness_nanos)
    }

    /// The nodes that hold copies of the I/Os of a window.
    pub(super) fn copy_nodes(&self, window: i64, stream: StreamIndex) -> BTreeSet<NodeIndex> {
        let stream = &self.streams[&stream];
        let ios = stream.windows.get(&window).into_iter().flatten();
        let pooled = ios.flat_map(|&io| self.pool.ios[io].places.nodes());
        let gathered = stream.gathered.get(&window).into_iter();
        pooled
            .chain(gathered.flat_map(|gathered| gathered.nodes.iter().copied()))
            .collect()
    }

    /// Gives up events that are too old for any I/O that may still come.
    fn expire(&mut self) {
        let windows = self.streams.values().filter_map(super::Stream::first_window);
        let open = windows.map(|window| window.saturating_mul(self.config.window_nanos));
        // Of whoever has not said how far it is any I/O may still come; of whom nobody waits for, none.
        let to_come = self
            .writers()
            .map(|node| self.heard_of(node))
            .filter(|&heard| heard < i64::MAX);
        let to_come = to_come.map(|heard| heard.saturating_sub(self.config.lateness_nanos));
        let oldest = open.chain(to_come).min();
        // Without a window and without a writer no I/O will ever come.
        let last = oldest.map_or(i64::MAX, |oldest| {
            oldest.saturating_sub(self.margin()).saturating_sub(1)
        });
        let mut streams: Vec<StreamIndex> = self.streams.keys().copied().collect();
        streams.sort_by_key(|&stream| self.catalog.stream(stream));
        let mut foreign = None;
        for stream in streams {
            // Without a window of that time nobody looks at them there any more.
            self.spill_until(stream, last.saturating_add(1));
            for event in self.pool.take_until(stream, last) {
                let end = event.event.end_unix_nanos();
                if self.give_up(event) == UnmatchedCause::Foreign {
                    foreign = foreign.max(Some(end));
                }
            }
        }
        if let Some(end) = foreign {
            self.note_set_aside(end.saturating_add(self.margin()).saturating_add(1));
        }
        self.sweep_lanes();
        self.overdue.forget(last);
        let (streams, window_nanos) = (&self.streams, self.config.window_nanos);
        self.shared.forget(|stream| {
            let closed = streams.get(&stream).map_or(i64::MIN, |stream| stream.closed_until);
            closed.saturating_mul(window_nanos)
        });
    }

    /// Remembers that what far sides saw of the I/Os of silent nodes was set aside, as far as those had ended before a time.
    fn note_set_aside(&mut self, until: i64) {
        let silent: Vec<NodeIndex> = self.writers().filter(|node| self.silent.contains(node)).collect();
        for node in silent {
            let known = self.set_aside.entry(node).or_insert(until);
            *known = until.max(*known);
        }
    }

    /// How long before an I/O, by whatever clock, its events may have ended.
    const fn margin(&self) -> i64 {
        self.config
            .longest_io_nanos
            .saturating_add(self.config.max_offset_nanos)
    }

    /// Whose I/Os could still have one of the events that are left.
    fn waiting_to_give_up(&self) -> Vec<Waiting> {
        let pooled = self.pool.events.iter().map(|(_, event)| event.event.end_unix_nanos());
        let lanes = self.streams.values().flat_map(|stream| stream.lane.events());
        let Some(last) = pooled.chain(lanes.map(|(_, batch, row)| batch.end(row))).max() else {
            return Vec::new();
        };
        let until = last
            .saturating_add(self.margin())
            .saturating_add(self.config.lateness_nanos)
            .saturating_add(1);
        self.short_of(&self.writers().map(|node| (node, until)).collect())
    }

    fn give_up(&mut self, event: LegEvent) -> UnmatchedCause {
        let device = self.streams[&event.event.stream].devices.get(event.device as usize);
        // A drive without extents that turned out to be nobody's cache is no business of the join.
        let known = event.disk.is_none_or(|disk| self.layout.node_of(disk).is_some());
        let cause = match event.tap {
            _ if !known => UnmatchedCause::UnknownDevice,
            _ if event.late => UnmatchedCause::Late,
            Tap::Initiator if event.unplaced && event.contested => UnmatchedCause::Ambiguous,
            Tap::Initiator if self.came_after_its_io(&event) => UnmatchedCause::AfterWrite,
            Tap::Initiator => UnmatchedCause::NoWrite,
            _ => UnmatchedCause::Foreign,
        };
        self.rows.unmatched.push(Unmatched {
            event: event.event,
            tap: event.tap,
            node: event.node,
            disk: event.disk.filter(|_| known),
            device: device.map_or_else(String::new, |device| device.name.clone()),
            op: event.op,
            offset: event.shown_offset(),
            length: event.length,
            cause,
        });
        cause
    }
}
