//! Clocks of pairs: finding a first alignment, and what is known of each.

use fathom_model::{DiskIndex, NodeIndex, Op, StreamIndex, Tap};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::bulk::Gathered;
use super::lane::Batch;
use super::{End, Engine};
use crate::clock::Search;
use crate::clock::vote::Candidate;

mod requests;
mod votes;
mod wanted;

pub(super) use requests::{Key, Leg, Request, Requests, Services, Spans, is_sampled, tightest};
pub(super) use votes::FirstVote;
pub(super) use wanted::Wanted;

/// A vote looks at a sample of places by hash, of about so many I/Os; where that does not carry, at a larger one.
const SAMPLES: [usize; 2] = [1 << 12, 1 << 16];

/// Of a key met more often than this within a vote only so many I/Os are looked at: it says little about time and costs a lot.
const MOST_PER_KEY: usize = 8;

/// And with all services of the key no more pairs than this: what has so many services tells nothing, and waits for long.
const MOST_PAIRS_PER_KEY: usize = 1 << 17;

/// Of so many requests one that the bus target does not show may be lost, overwritten or split; more of them ask for the drive's own.
const FEW_LOST: usize = 8;

/// What is known about a node's clock, as seen from an initiator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReport {
    /// The node.
    pub node: NodeIndex,
    /// The initiator that it is measured against.
    pub reference: NodeIndex,
    /// When, on the initiator's clock.
    pub at_unix_nanos: i64,
    /// The node's clock minus the initiator's: the middle of what is possible.
    pub offset_nanos: i64,
    /// The truth lies within this of the offset.
    pub error_nanos: u64,
    /// How much faster the node's clock runs, in parts per billion.
    pub drift_ppb: i64,
}

impl Engine {
    /// What is known about each pair's clock now, by initiator and node.
    #[must_use]
    pub fn clocks(&self) -> Vec<ClockReport> {
        let mut reports: Vec<ClockReport> = self
            .clocks
            .iter()
            .filter_map(|(&(stream, far), clock)| {
                let at_unix_nanos = self.decided_until(stream);
                let (low, high) = clock.bounds(&self.config, at_unix_nanos)?;
                Some(ClockReport {
                    node: self.streams[&far].node,
                    reference: self.streams[&stream].node,
                    at_unix_nanos,
                    offset_nanos: low + (high - low) / 2,
                    error_nanos: (high - low).unsigned_abs().div_ceil(2),
                    drift_ppb: clock.drift_ppb().unwrap_or(0),
                })
            })
            .collect();
        reports.sort_by_key(|report| (self.catalog.node(report.reference), self.catalog.node(report.node)));
        reports
    }

    /// Lowest and highest offset of a far stream's clock when the initiator's shows `x`; `None` if it is not known.
    pub(super) fn offset(&self, stream: StreamIndex, far: StreamIndex, x: i64) -> Option<(i64, i64)> {
        // Another life of the same node may have booted with another clock.
        if stream == far {
            return Some((0, 0));
        }
        self.clocks.get(&(stream, far))?.bounds(&self.config, x)
    }

    /// Lowest offset at the start and highest at the end of something on the initiator's clock; `None` where that is not known, or
    /// a clock was set in between.
    pub(super) fn span_offset(&self, stream: StreamIndex, far: StreamIndex, (a, b): (i64, i64)) -> Option<(i64, i64)> {
        if stream == far {
            return Some((0, 0));
        }
        self.clocks.get(&(stream, far))?.span(&self.config, a, b)
    }

    /// The highest offset of a far stream's clock around `x` by anything that is known: what is heard beyond it is later for sure.
    pub(super) fn highest_offset(&self, stream: StreamIndex, far: StreamIndex, x: i64) -> Option<i64> {
        self.widest_offset(stream, far, x).map(|(_, high)| high)
    }

    /// Completions before this, on a far stream's clock, are looked at when a window is closed at `cut`: what is there of later
    /// ones is chance.
    pub(super) fn far_cut(&self, closing: StreamIndex, far: StreamIndex, cut: i64) -> i64 {
        cut.saturating_add(self.highest_offset(closing, far, cut).unwrap_or(0))
    }

    /// Lowest and highest offset of a far stream's clock around `x` by anything that is known.
    pub(super) fn widest_offset(&self, stream: StreamIndex, far: StreamIndex, x: i64) -> Option<(i64, i64)> {
        if stream == far {
            return Some((0, 0));
        }
        self.clocks.get(&(stream, far))?.widest(&self.config, x)
    }

    /// Which nodes must have been heard until when so that a window can use the events of `node`. Holds votes on the clocks of
    /// its streams when they are due.
    pub(super) fn alignment_needs(
        &mut self,
        node: NodeIndex,
        window: i64,
        stream: StreamIndex,
    ) -> Vec<(NodeIndex, i64)> {
        let cut = self.cut(window);
        let mut until = cut;
        if self.streams[&stream].node == node {
            return vec![(node, until)];
        }
        for far in self.lives(node).to_vec() {
            if self.is_past(far, cut) {
                continue;
            }
            if let Some(needs) = self.search(stream, far, window) {
                return needs;
            }
            until = cut.saturating_add(self.highest_offset(stream, far, cut).unwrap_or(0));
            if !self.is_over(far) || self.streams[&far].heard >= until {
                break;
            }
        }
        vec![(node, until)]
    }

    /// Looks for a first alignment of a pair, if it has none; says who must be heard further for that.
    fn search(&mut self, stream: StreamIndex, far: StreamIndex, window: i64) -> Option<Vec<(NodeIndex, i64)>> {
        // Nothing that such a stream says has to be placed in time.
        if !self.gives(far, Tap::Target) && !self.gives(far, Tap::Device) {
            return None;
        }
        let cut = self.cut(window);
        let (own, node) = (self.streams[&stream].node, self.streams[&far].node);
        // What is over by the last life's end is a finished source; a life that another follows was heard so far and no further.
        let over = self.is_over(far) && self.streams[&far].ended != Some(End::Finished);
        let heard = if over {
            self.streams[&far].heard
        } else {
            self.heard_of(node)
        };
        loop {
            let clock = self.clocks.entry((stream, far)).or_default();
            // What others' traffic says is wider than what the pair's own does: where there is some, a vote goes first.
            let linked = clock.is_linked();
            if clock.is_aligned() && !(linked && clock.search != Search::GivenUp) {
                self.check_clock(stream, far, window);
                if self.clocks[&(stream, far)].is_aligned() {
                    return None;
                }
                continue;
            }
            match clock.search {
                Search::Idle => {
                    // Of what is over and has nothing left nobody needs to know the time.
                    if over && !self.has_events(far, self.reach(cut)) {
                        return None;
                    }
                    let base = window.saturating_mul(self.config.window_nanos);
                    let clock = self.clocks.entry((stream, far)).or_default();
                    clock.search = Search::Waiting { base, attempt: 0 };
                }
                Search::Waiting { base, attempt } => {
                    let span = (self.config.window_nanos << (attempt + 1)).min(self.config.hold_nanos);
                    let until = base.saturating_add(span);
                    let far_until = self.first_of(far, base).saturating_add(span);
                    let short = heard < far_until;
                    if self.heard_of(own) < until || (short && !over) {
                        return Some(vec![(own, until), (node, if over { i64::MIN } else { far_until })]);
                    }
                    if !self.try_alignment(stream, far, (until, far_until)) {
                        let clock = self.clocks.entry((stream, far)).or_default();
                        // What is over before the end of the stretch gives no more to vote on.
                        clock.search = if linked || short || span >= self.config.hold_nanos {
                            Search::GivenUp
                        } else {
                            Search::Waiting {
                                base,
                                attempt: attempt + 1,
                            }
                        };
                    }
                }
                Search::GivenUp => {
                    // Nobody waits for this pair any more; what is there now may still be enough.
                    if heard >= cut && self.try_alignment(stream, far, (cut, cut)) {
                        continue;
                    }
                    return None;
                }
            }
        }
    }

    fn has_events(&self, stream: StreamIndex, since: i64) -> bool {
        let of_stream =
            |event: &crate::pool::LegEvent| event.event.stream == stream && event.event.end_unix_nanos() >= since;
        let mut waiting = self.streams[&stream].lane.events();
        waiting.any(|(_, batch, row)| batch.columns.taps()[row] != Tap::Volume && batch.end(row) >= since)
            || self.pool.events.iter().any(|(_, event)| of_stream(event))
    }

    /// Where on a far stream's clock a vote begins that begins at `base` on the initiator's: there, or where the stream begins if
    /// that is later. A clock that is ahead by a minute has nothing to say about the minute before.
    fn first_of(&self, far: StreamIndex, base: i64) -> i64 {
        let first = self.streams[&far].covered_from;
        let ahead = first.filter(|first| first.saturating_sub(base) <= self.config.max_offset_nanos);
        ahead.map_or(base, |first| first.max(base))
    }

    /// What an initiator's I/Os that completed before `until` asked of a node, in the order of their ordinals.
    pub(super) fn requests(&self, stream: StreamIndex, node: NodeIndex, until: i64) -> Requests {
        self.sampled_requests(stream, node, until, (usize::MAX, None))
    }

    /// The same of a sample of places, of about so many I/Os; with those that wait in the lane, where somebody has looked them up.
    fn sampled_requests(
        &self,
        stream: StreamIndex,
        node: NodeIndex,
        until: i64,
        (most, waiting): (usize, Option<&Gathered>),
    ) -> Requests {
        let mut requests = Requests::default();
        let pooled = self.streams[&stream].windows.values().flatten();
        for io in pooled.map(|&io| &self.pool.ios[io]) {
            if io.op == Op::Flush || io.event.end_unix_nanos() >= until {
                continue;
            }
            requests.ios += 1;
            for place in io.places.places.iter().filter(|place| place.node == node) {
                requests.places.push(Request {
                    ordinal: io.event.ordinal,
                    whole: (io.event.start_unix_nanos, io.event.end_unix_nanos()),
                    op: io.op,
                    place: *place,
                });
            }
        }
        match waiting {
            Some(waiting) => waiting.add_requests(node, most, &mut requests),
            None => {
                let waiting = self.waiting_until(stream, until);
                waiting.add_requests(node, most, &mut requests);
                self.shelve_gathered(waiting);
            }
        }
        let one_in = requests.one_in(most);
        requests
            .places
            .retain(|request| is_sampled(request.place.offset, one_in));
        requests
            .places
            .sort_unstable_by_key(|request| (request.ordinal, request.place.part, request.place.copy));
        requests
    }

    /// Pairs of requests and services with equal keys, of one in so many places.
    fn candidates(
        &self,
        stream: StreamIndex,
        far: StreamIndex,
        until: i64,
        requests: &[Request],
        one_in: u64,
        shifts: &FxHashMap<DiskIndex, i64>,
    ) -> Vec<Candidate> {
        let far_tap = self.far_tap(far);
        let requests: Vec<&Request> = requests
            .iter()
            .filter(|request| is_sampled(request.place.offset, one_in))
            .collect();
        let key = |request: &Request| request.key();
        let mut in_all: FxHashMap<_, usize> = FxHashMap::default();
        for request in &requests {
            *in_all.entry(key(request)).or_default() += 1;
        }
        let mut met: FxHashMap<_, usize> = FxHashMap::default();
        let mut chosen: Vec<&Request> = Vec::new();
        for request in requests {
            // Of a key that is met often a few are taken, spread over the stretch, but with all events that could be theirs.
            let times = met.entry(key(request)).or_default();
            *times += 1;
            if (*times - 1).is_multiple_of(in_all[&key(request)].div_ceil(MOST_PER_KEY)) {
                chosen.push(request);
            }
        }
        let mut services = self.services((far, far_tap), (i64::MIN, until), &chosen, shifts);
        self.stand_in((far, far_tap), (i64::MIN, until), &chosen, shifts, &mut services);
        let legs = self.legs_of(stream, (i64::MIN, i64::MAX), &chosen);
        let mut candidates = Vec::new();
        met.clear();
        for request in chosen {
            let services = &services[&key(request)];
            let pairs = met.entry(key(request)).or_default();
            *pairs += services.len();
            if *pairs > MOST_PAIRS_PER_KEY {
                continue;
            }
            let (outer, outer_tap) = tightest(request, &legs);
            let slack = self.resolution(stream, outer_tap) + self.resolution(far, far_tap);
            candidates.extend(services.iter().map(|&inner| Candidate {
                outer,
                inner,
                start_slack: slack,
                end_slack: 2 * slack,
            }));
        }
        candidates
    }

    /// The tap by which a far stream's clock is told.
    pub(super) fn far_tap(&self, far: StreamIndex) -> Tap {
        if self.gives(far, Tap::Target) {
            Tap::Target
        } else {
            Tap::Device
        }
    }

    /// Where the bus target lost many of the services that some requests had, what the drive did for those stands in.
    ///
    /// Only what is near to a request counts: what is further away may be in memory or not, by when this is asked.
    pub(super) fn stand_in(
        &self,
        (far, tap): (StreamIndex, Tap),
        within: (i64, i64),
        requests: &[&Request],
        shifts: &FxHashMap<DiskIndex, i64>,
        found: &mut FxHashMap<Key, Spans>,
    ) {
        if tap != Tap::Target || !self.gives(far, Tap::Device) {
            return;
        }
        let reach = self.config.max_offset_nanos;
        let near = |from: i64, until: i64, start: i64| {
            from.saturating_sub(reach) <= start && start <= until.saturating_add(reach)
        };
        let is_lost = |request: &&&Request| {
            let asked = request.whole.0;
            let spans = found.get(&request.key()).into_iter().flatten();
            !spans.copied().any(|(start, _)| near(asked, asked, start))
        };
        let lost: Vec<&Request> = requests.iter().filter(is_lost).copied().collect();
        if lost.len() * FEW_LOST <= requests.len() {
            return;
        }
        let mut asked: FxHashMap<Key, (i64, i64)> = FxHashMap::default();
        for request in &lost {
            let start = request.whole.0;
            let (from, until) = asked.entry(request.key()).or_insert((start, start));
            (*from, *until) = (start.min(*from), start.max(*until));
        }
        // As late and as early as the coarser times of drives allow: what is drawn from them holds with the slack of targets.
        let (fine, coarse) = (self.resolution(far, Tap::Target), self.resolution(far, Tap::Device));
        let more = coarse.saturating_sub(fine).max(0);
        for (key, spans) in self.services((far, Tap::Device), within, &lost, shifts) {
            let (from, until) = asked[&key];
            let spans = spans.into_iter().filter(|&(start, _)| near(from, until, start));
            let surely = spans.map(|(start, end)| {
                let middle = start + (end - start) / 2;
                ((start + more).min(middle), (end - more).max(middle))
            });
            found.insert(key, surely.collect());
        }
    }

    /// The services at a tap of a far stream that have the keys of some requests, and ended in a stretch of time; each disk's
    /// offsets are shifted by so much more than is known.
    pub(super) fn services(
        &self,
        (far, tap): (StreamIndex, Tap),
        (from, until): (i64, i64),
        requests: &[&Request],
        shifts: &FxHashMap<DiskIndex, i64>,
    ) -> FxHashMap<Key, Spans> {
        let shift_of = |disk: DiskIndex| shifts.get(&disk).copied().unwrap_or(0);
        let mut found: FxHashMap<Key, Spans> = FxHashMap::default();
        for request in requests {
            let place = &request.place;
            found.entry(request.key()).or_insert_with(|| {
                let offset = place.offset.wrapping_add_signed(shift_of(place.disk));
                let pooled = self.pool.far(request.op, place.disk, offset);
                let pooled = pooled.map(|at| &self.pool.events[at]).filter(|event| {
                    let seen = event.event.stream == far && event.tap == tap && event.length == place.length;
                    seen && (from..until).contains(&event.event.end_unix_nanos())
                });
                pooled.map(super::resolve::interval).collect()
            });
        }
        let state = &self.streams[&far];
        let wanted = Wanted::of(requests.iter().map(|request| request.place.offset));
        // By number: nearly all rows are looked at for this alone.
        let shifts: Vec<i64> = state
            .devices
            .iter()
            .map(|device| device.shift.wrapping_add(device.disk.map_or(0, shift_of)))
            .collect();
        // Where the map has it, not as the tap shows it: that is what is asked for.
        let offset_of = |batch: &Batch, row: usize| {
            let index = batch.columns.devices()[row] as usize;
            batch.columns.offsets()[row].wrapping_sub_signed(shifts.get(index).copied().unwrap_or(0))
        };
        let may_be = |batch: &Batch, row: usize| wanted.may_have(offset_of(batch, row));
        state.lane.for_each_wanted(from, until, may_be, |batch, row| {
            let columns = &batch.columns;
            let offset = offset_of(batch, row);
            let index = columns.devices()[row] as usize;
            let Some(disk) = state.devices[index].disk.filter(|_| columns.taps()[row] == tap) else {
                return;
            };
            let key = (columns.ops()[row], disk, offset, columns.lengths()[row]);
            if let Some(spans) = found.get_mut(&key) {
                spans.push((columns.starts_unix_nanos()[row], batch.end(row)));
            }
        });
        found
    }

    /// The legs of an initiator that start where some requests do, and ended in a stretch of time.
    pub(super) fn legs_of(
        &self,
        stream: StreamIndex,
        (from, until): (i64, i64),
        requests: &[&Request],
    ) -> FxHashMap<(Op, u64), SmallVec<[Leg; 1]>> {
        let mut found: FxHashMap<(Op, u64), SmallVec<[Leg; 1]>> = FxHashMap::default();
        let Some(first) = requests.first().filter(|_| self.gives(stream, Tap::Initiator)) else {
            return found;
        };
        let (own, peer) = (self.streams[&stream].node, first.place.node);
        for request in requests {
            let offset = request.place.offset;
            found.entry((request.op, offset)).or_insert_with(|| {
                let pooled = self
                    .pool
                    .legs(request.op, own, peer, offset)
                    .map(|at| &self.pool.events[at]);
                let leg = |event: &crate::pool::LegEvent| (super::resolve::interval(event), event.length, event.disk);
                pooled.map(leg).collect()
            });
        }
        let state = &self.streams[&stream];
        let wanted = Wanted::of(requests.iter().map(|request| request.place.offset));
        let may_be = |batch: &Batch, row: usize| wanted.may_have(batch.columns.offsets()[row]);
        state.lane.for_each_wanted(from, until, may_be, |batch, row| {
            let columns = &batch.columns;
            if columns.taps()[row] != Tap::Initiator {
                return;
            }
            let key = (columns.ops()[row], columns.offsets()[row]);
            let device = &state.devices[columns.devices()[row] as usize];
            if let Some(legs) = found.get_mut(&key).filter(|_| device.peer == Some(peer)) {
                let span = (columns.starts_unix_nanos()[row], batch.end(row));
                legs.push((span, columns.lengths()[row], self.disk_of(stream, batch, row)));
            }
        });
        found
    }
}
