//! Which copy did the I/O wait for?
//!
//! Where every leg was seen at the initiator the answer is one comparison on one clock. Where legs were not, only the far side's
//! end is known, and between it and the moment when the initiator had the reply lies a return path that nobody saw. How long
//! returns take is learnt from the I/Os themselves, and a copy is named only when the others are unlikely enough; else the
//! candidates are.

use fathom_model::{ClockStatement, Leg, NodeIndex, Slowest};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::durations::{Distribution, Durations};

mod few;
pub(crate) mod lost;

use few::Legs;

/// A copy is named when it is the slowest with at least this probability. Replies that waited for one another are not as
/// independent as the reckoning has it, so that it has to be strict: on recorded writes with copies that are close together, one in
/// fifty that 0.99 names is another.
pub(crate) const SURE: f64 = 0.999;

/// With fewer samples than this nothing is concluded from a distribution.
const ENOUGH: u32 = 100;

/// When the reply of a leg was there, on the initiator's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// Seen on the initiator; `service_end` is when the far side was done, if that is known too.
    Seen { at: i64, service_end: Option<i64> },
    /// Seen on the initiator, as one of several.
    Between { first: i64, last: i64 },
    /// Some time after the far side was done, which is known to within `error`.
    After { service_end: i64, error: i64 },
    /// Some time after the I/O began.
    Unknown { from: i64 },
}

impl End {
    /// Between what it was seen on the initiator.
    #[inline]
    const fn seen(&self) -> Option<(i64, i64)> {
        match *self {
            Self::Seen { at, .. } => Some((at, at)),
            Self::Between { first, last } => Some((first, last)),
            Self::After { .. } | Self::Unknown { .. } => None,
        }
    }

    /// When the far side was done, as far as that is known, and to within what.
    #[inline]
    const fn done(&self) -> (i64, i64) {
        match *self {
            Self::After { service_end, error } => (service_end, error),
            Self::Seen { at, .. } => (at, 0),
            Self::Between { first, .. } => (first, 0),
            Self::Unknown { from } => (from, 0),
        }
    }
}

/// What an I/O knows of the reply of a leg.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reply {
    /// The node that replied.
    pub(crate) node: NodeIndex,
    /// On the initiator's own node.
    pub(crate) local: bool,
    pub(crate) ambiguous: bool,
    /// When the leg ended, on the initiator's clock.
    pub(crate) leg_end: Option<i64>,
    /// Between what it ended, where several events may be this leg's.
    pub(crate) between: Option<(i64, i64)>,
    /// When the far side was done, on its own clock.
    pub(crate) service_end: Option<i64>,
    pub(crate) clock: Option<ClockStatement>,
}

impl Reply {
    pub(crate) fn of(leg: &Leg) -> Self {
        Self {
            node: leg.node,
            local: leg.local,
            ambiguous: leg.ambiguous,
            leg_end: leg.initiator.map(|seen| seen.end_unix_nanos()),
            between: None,
            service_end: leg.service().map(|seen| seen.end_unix_nanos()),
            clock: leg.clock,
        }
    }

    /// When it was there, as far as that is known. Its I/O began at `from`.
    #[inline]
    pub(crate) fn end(&self, from: i64) -> End {
        if let Some((first, last)) = self.between {
            return End::Between { first, last };
        }
        if let Some(at) = self.leg_end {
            let service = self.service_end.zip(self.clock);
            return End::Seen {
                at,
                service_end: service.map(|(end, clock)| end.saturating_sub(clock.offset_nanos)),
            };
        }
        match (self.service_end, self.clock) {
            (Some(at), _) if self.local => End::Seen { at, service_end: None },
            (Some(end), Some(clock)) => End::After {
                service_end: end.saturating_sub(clock.offset_nanos),
                error: i64::try_from(clock.error_nanos).unwrap_or(i64::MAX),
            },
            _ => End::Unknown { from },
        }
    }
}

/// How long replies take, as one initiator sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replies {
    /// From the far side's end to the initiator's, a node.
    returns: Vec<(u32, Durations)>,
    /// From the last far side's end to the end of the I/O, where no leg was seen at the initiator.
    rests: Durations,
}

/// What an initiator's replies say, made ready for the naming of a window's I/Os.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// Ends that lie no further apart may have come in either order.
    same_nanos: i64,
    returns: Vec<(u32, Distribution)>,
    rests: Distribution,
}

impl Known {
    /// Of ends that the initiator shows with such a resolution: start and duration are off by up to that each.
    pub(crate) const fn with_resolution(mut self, nanos: i64) -> Self {
        self.same_nanos = 2 * nanos - 1;
        self
    }

    #[inline]
    fn returns(&self, node: NodeIndex) -> Option<&Distribution> {
        self.returns
            .iter()
            .find(|(other, _)| *other == node.0)
            .map(|(_, distribution)| distribution)
    }

    /// Whether a reply that came later would nearly always have come until `until`, as returns from its node go.
    pub(crate) fn is_overdue(&self, reply: &Reply, until: i64) -> bool {
        let (Some(at), Some(service_end), Some(clock)) = (reply.leg_end, reply.service_end, reply.clock) else {
            return false;
        };
        let error = i64::try_from(clock.error_nanos).unwrap_or(i64::MAX);
        let done = service_end.saturating_sub(clock.offset_nanos).saturating_add(error);
        let returns = self.returns(reply.node).filter(|returns| returns.total >= ENOUGH);
        at > until
            && done < until
            && !reply.ambiguous
            && returns.is_some_and(|returns| returns.share_below(until.saturating_sub(done)) >= SURE)
    }
}

impl Replies {
    /// Made ready for questions.
    pub(crate) fn known(&self) -> Known {
        let returns = self.returns.iter();
        Known {
            same_nanos: 0,
            returns: returns
                .map(|(node, durations)| (*node, durations.distribution()))
                .collect(),
            rests: self.rests.distribution(),
        }
    }

    /// Takes in what others learnt.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.rests.merge(&other.rests);
        for (node, durations) in &other.returns {
            self.returns_mut(NodeIndex(*node)).merge(durations);
        }
    }

    fn returns_mut(&mut self, node: NodeIndex) -> &mut Durations {
        let at = self
            .returns
            .iter()
            .position(|(other, _)| *other == node.0)
            .unwrap_or_else(|| {
                self.returns.push((node.0, Durations::default()));
                self.returns.len() - 1
            });
        &mut self.returns[at].1
    }

    /// Takes in what an I/O, from its start to its end, says about replies.
    pub(crate) fn learn(&mut self, io: (i64, i64), replies: impl IntoIterator<Item = Reply>) {
        let mut last = None;
        let mut all_unseen = true;
        for reply in replies {
            all_unseen &= !reply.ambiguous;
            match reply.end(io.0) {
                End::Seen { at, service_end } => {
                    all_unseen = false;
                    if let Some(service_end) = service_end
                        && !reply.ambiguous
                        && !reply.local
                    {
                        self.returns_mut(reply.node).add(at - service_end);
                    }
                }
                End::After { service_end, .. } => last = last.max(Some(service_end)),
                End::Between { .. } | End::Unknown { .. } => all_unseen = false,
            }
        }
        if let Some(last) = last.filter(|_| all_unseen) {
            self.rests.add(io.1 - last);
        }
    }

    /// The same of replies none of which is ambiguous, at an initiator on a node.
    #[inline]
    pub(crate) fn learn_sure<'a>(
        &mut self,
        io_end: i64,
        own: NodeIndex,
        ends: impl IntoIterator<Item = (NodeIndex, &'a End)>,
    ) {
        let mut last = None;
        let mut all_unseen = true;
        for (node, &end) in ends {
            match end {
                End::Seen { at, service_end } => {
                    all_unseen = false;
                    if let Some(service_end) = service_end.filter(|_| node != own) {
                        self.returns_mut(node).add(at - service_end);
                    }
                }
                End::After { service_end, .. } => last = last.max(Some(service_end)),
                End::Between { .. } | End::Unknown { .. } => all_unseen = false,
            }
        }
        if let Some(last) = last.filter(|_| all_unseen) {
            self.rests.add(io_end - last);
        }
    }

    pub(crate) fn age(&mut self) {
        self.rests.age();
        self.returns.iter_mut().for_each(|(_, durations)| durations.age());
    }

    /// The same with nodes renamed; nodes without a new name are left out.
    pub(crate) fn with_nodes(&self, rename: impl Fn(u32) -> Option<u32>) -> Self {
        let returns = self
            .returns
            .iter()
            .filter_map(|(node, durations)| Some((rename(*node)?, durations.clone())));
        Self {
            returns: returns.collect(),
            rests: self.rests.clone(),
        }
    }
}

/// Marks the legs that the I/O may have waited for, and names the one if the rest is unlikely enough.
pub(crate) fn name(replies: &Known, io_end: i64, legs: &mut [Leg], ends: &[End]) -> Option<Slowest> {
    let judged = judge(replies, io_end, |at| legs[at].node, ends);
    mark(judged, ends, |at| legs[at].candidate = true)
}

/// The same of legs on some nodes, with somebody who marks.
#[inline]
pub(crate) fn name_on(
    replies: &Known,
    io_end: i64,
    node_of: impl Fn(usize) -> NodeIndex,
    ends: &[End],
    is_candidate: impl FnMut(usize),
) -> Option<Slowest> {
    let judged = judge(replies, io_end, node_of, ends);
    mark(judged, ends, is_candidate)
}

#[inline]
fn judge(replies: &Known, io_end: i64, node_of: impl Fn(usize) -> NodeIndex, ends: &[End]) -> Judged {
    match ends {
        [] => Judged::open(Legs::default()),
        [_] => Judged::only(0, 1.0),
        _ if ends.iter().all(|end| matches!(end, End::After { .. })) => all_unseen(replies, io_end, ends),
        _ => some_seen(replies, node_of, ends),
    }
}

#[inline]
fn mark(judged: Judged, ends: &[End], is_candidate: impl FnMut(usize)) -> Option<Slowest> {
    judged.candidates.iter().for_each(is_candidate);
    let (leg, confidence) = judged.named?;
    let lead_nanos = lead(ends, leg);
    Some(Slowest {
        leg,
        lead_nanos,
        confidence,
    })
}

/// As many as an I/O has legs, mostly.
type Few<T> = SmallVec<[T; 6]>;

#[derive(Clone, Debug, PartialEq)]
struct Judged {
    candidates: Legs,
    named: Option<(usize, f32)>,
}

impl Judged {
    /// It may be any of these.
    const fn open(candidates: Legs) -> Self {
        Self {
            candidates,
            named: None,
        }
    }

    fn only(at: usize, confidence: f32) -> Self {
        Self {
            candidates: Legs::from_iter([at]),
            named: Some((at, confidence)),
        }
    }
}

/// How long after all others a leg ended; only where every end was seen.
#[inline]
fn lead(ends: &[End], last: usize) -> Option<u64> {
    let (mut own, mut before) = (None, None);
    for (other, end) in ends.iter().enumerate() {
        let End::Seen { at, .. } = *end else {
            return None;
        };
        if other == last {
            own = Some(at);
        } else {
            before = before.max(Some(at));
        }
    }
    Some(u64::try_from(own? - before?).unwrap_or(0))
}

/// At least one end was seen: the last of those is the slowest, unless one that was not seen may have come later.
#[inline]
fn some_seen(replies: &Known, node_of: impl Fn(usize) -> NodeIndex, ends: &[End]) -> Judged {
    // One of those seen ended no earlier than this, and none later than that.
    let (mut last_seen, mut at_most) = (i64::MIN, i64::MIN);
    for end in ends {
        if let Some((first, last)) = end.seen() {
            last_seen = last_seen.max(first);
            at_most = at_most.max(last);
        }
    }
    // Of all together that are left out it must be unlikely that one was the last.
    let unlikely = (1.0 - SURE) / ends.len() as f64;
    let mut left_out = 0.0;
    // Replies of one moment wait for the same: where one took longer than they ever take, another may have as well.
    let ordinary = || {
        ends.iter().enumerate().all(|(at_leg, end)| match *end {
            End::Seen {
                at,
                service_end: Some(done),
            } => {
                let returns = replies.returns(node_of(at_leg));
                returns.is_none_or(|returns| returns.share_below(at.saturating_sub(done)) < SURE)
            }
            _ => true,
        })
    };
    let mut candidates = Legs::default();
    let mut surely_later = None;
    for (at, end) in ends.iter().enumerate() {
        match *end {
            End::Seen { at: last, .. } | End::Between { last, .. } => {
                if last >= last_seen.saturating_sub(replies.same_nanos) {
                    candidates.insert(at);
                }
            }
            End::After { service_end, error } => {
                if service_end.saturating_sub(error) > at_most {
                    surely_later = Some((at, surely_later.is_some()));
                }
                let returns = replies.returns(node_of(at)).filter(|returns| returns.total >= ENOUGH);
                let later = match returns {
                    Some(returns) if ordinary() => {
                        1.0 - returns.share_below(last_seen.saturating_sub(service_end).saturating_sub(error))
                    }
                    _ => 1.0,
                };
                if later > unlikely {
                    candidates.insert(at);
                } else {
                    left_out += later;
                }
            }
            End::Unknown { .. } => candidates.insert(at),
        }
    }
    if let Some((at, false)) = surely_later
        && candidates
            .iter()
            .all(|other| other == at || ends[other].seen().is_some())
    {
        return Judged::only(at, 1.0);
    }
    let named = candidates.only().map(|only| (only, 1.0 - left_out as f32));
    Judged { candidates, named }
}

/// No end was seen. If copy c was the last, its reply took what is left from its far end to the I/O's end, and all other
/// replies took less than what is left from theirs.
fn all_unseen(replies: &Known, io_end: i64, ends: &[End]) -> Judged {
    let rests = &replies.rests;
    // What the clocks do not separate is not separated: only what is done after all others can be named.
    let Some(latest) = last_of_all(ends).filter(|_| rests.total >= ENOUGH) else {
        return Judged::open(Legs::all(ends.len()));
    };
    let left = |end: &End| io_end - end.done().0;
    let earlier: Few<f64> = ends.iter().map(|end| rests.share_up_to(left(end))).collect();
    let likelihoods: Few<f64> = (0..ends.len())
        .map(|last| {
            let others = earlier.iter().enumerate().filter(|&(other, _)| other != last);
            let earlier: f64 = others.map(|(_, share)| share).product();
            rests.density(left(&ends[last])) * earlier
        })
        .collect();
    let sum: f64 = likelihoods.iter().sum();
    let best = (0..ends.len()).max_by(|&a, &b| likelihoods[a].total_cmp(&likelihoods[b]));
    let probability = likelihoods[latest] / sum;
    if best == Some(latest) && probability >= SURE {
        return Judged::only(latest, probability as f32);
    }
    // How long replies take does not rule one out: of one moment they wait for the same.
    Judged::open(Legs::all(ends.len()))
}

/// The copy whose far side was done after those of all others, whatever the clocks show within their bounds.
#[inline]
fn last_of_all(ends: &[End]) -> Option<usize> {
    let (mut latest, mut end, mut from) = (None, i64::MIN, i64::MIN);
    for (at, (done, error)) in ends.iter().map(End::done).enumerate() {
        if latest.is_none() || done >= end {
            (latest, end, from) = (Some(at), done, done.saturating_sub(error));
        }
    }
    let mut others = ends.iter().map(End::done).enumerate();
    let all = others.all(|(at, (done, error))| Some(at) == latest || from > done.saturating_add(error));
    latest.filter(|_| all)
}

#[cfg(test)]
mod tests;
