//! Which copy did the I/O wait for?
//!
//! Where every leg was seen at the initiator the answer is one comparison on one clock. Where legs were not, only the far side's
//! end is known, and between it and the moment when the initiator had the reply lies a return path that nobody saw. How long
//! returns take is learnt from the I/Os themselves, and a copy is named only when the others are unlikely enough; else the
//! candidates are.

use fathom_model::{ClockStatement, Leg, NodeIndex, Slowest};
use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};

use crate::durations::{Distribution, Durations};

pub(crate) mod lost;

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
    pub(crate) fn learn_sure(&mut self, io_end: i64, own: NodeIndex, nodes: &[NodeIndex], ends: &[End]) {
        let mut last = None;
        let mut all_unseen = true;
        for (&node, &end) in nodes.iter().zip(ends) {
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
    let judged = judge(replies, io_end, &nodes_of(legs), ends);
    mark(judged, ends, |at| legs[at].candidate = true)
}

/// The same of legs on some nodes, with somebody who marks.
#[inline]
pub(crate) fn name_on(
    replies: &Known,
    io_end: i64,
    nodes: &[NodeIndex],
    ends: &[End],
    is_candidate: impl FnMut(usize),
) -> Option<Slowest> {
    let judged = judge(replies, io_end, nodes, ends);
    mark(judged, ends, is_candidate)
}

fn nodes_of(legs: &[Leg]) -> Few<NodeIndex> {
    legs.iter().map(|leg| leg.node).collect()
}

fn judge(replies: &Known, io_end: i64, nodes: &[NodeIndex], ends: &[End]) -> Judged {
    match ends {
        [] => Judged {
            candidates: Few::new(),
            named: None,
        },
        [_] => Judged {
            candidates: smallvec![0],
            named: Some((0, 1.0)),
        },
        _ if ends.iter().all(|end| matches!(end, End::After { .. })) => all_unseen(replies, io_end, ends),
        _ => some_seen(replies, nodes, ends),
    }
}

fn mark(judged: Judged, ends: &[End], is_candidate: impl FnMut(usize)) -> Option<Slowest> {
    judged.candidates.iter().copied().for_each(is_candidate);
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
    candidates: Few<usize>,
    named: Option<(usize, f32)>,
}

/// How long after all others a leg ended; only where every end was seen.
fn lead(ends: &[End], last: usize) -> Option<u64> {
    let at = |end: &End| match end {
        End::Seen { at, .. } => Some(*at),
        End::Between { .. } | End::After { .. } | End::Unknown { .. } => None,
    };
    let all: Option<Few<i64>> = ends.iter().map(at).collect();
    let all = all?;
    let before = all
        .iter()
        .enumerate()
        .filter(|&(other, _)| other != last)
        .map(|(_, &end)| end)
        .max()?;
    Some(u64::try_from(all[last] - before).unwrap_or(0))
}

/// At least one end was seen: the last of those is the slowest, unless one that was not seen may have come later.
fn some_seen(replies: &Known, nodes: &[NodeIndex], ends: &[End]) -> Judged {
    let seen = |end: &End| match *end {
        End::Seen { at, .. } => Some((at, at)),
        End::Between { first, last } => Some((first, last)),
        End::After { .. } | End::Unknown { .. } => None,
    };
    // One of those seen ended no earlier than this, and none later than that.
    let last_seen = ends.iter().filter_map(seen).map(|end| end.0).max().unwrap_or(i64::MIN);
    let at_most = ends.iter().filter_map(seen).map(|end| end.1).max().unwrap_or(i64::MIN);
    // Of all together that are left out it must be unlikely that one was the last.
    let unlikely = (1.0 - SURE) / ends.len() as f64;
    let mut left_out = 0.0;
    // Replies of one moment wait for the same: where one took longer than they ever take, another may have as well.
    let ordinary = || {
        ends.iter().zip(nodes).all(|(end, node)| match *end {
            End::Seen {
                at,
                service_end: Some(done),
            } => {
                let returns = replies.returns(*node);
                returns.is_none_or(|returns| returns.share_below(at.saturating_sub(done)) < SURE)
            }
            _ => true,
        })
    };
    let mut candidates = Few::new();
    let mut surely_later = None;
    for (at, end) in ends.iter().enumerate() {
        match *end {
            End::Seen { at: last, .. } | End::Between { last, .. } => {
                if last >= last_seen.saturating_sub(replies.same_nanos) {
                    candidates.push(at);
                }
            }
            End::After { service_end, error } => {
                if service_end.saturating_sub(error) > at_most {
                    surely_later = Some((at, surely_later.is_some()));
                }
                let returns = replies.returns(nodes[at]).filter(|returns| returns.total >= ENOUGH);
                let later = match returns {
                    Some(returns) if ordinary() => {
                        1.0 - returns.share_below(last_seen.saturating_sub(service_end).saturating_sub(error))
                    }
                    _ => 1.0,
                };
                if later > unlikely {
                    candidates.push(at);
                } else {
                    left_out += later;
                }
            }
            End::Unknown { .. } => candidates.push(at),
        }
    }
    if let Some((at, false)) = surely_later
        && candidates
            .iter()
            .all(|&other| other == at || seen(&ends[other]).is_some())
    {
        return Judged {
            candidates: smallvec![at],
            named: Some((at, 1.0)),
        };
    }
    let named = if let [only] = candidates[..] {
        Some((only, 1.0 - left_out as f32))
    } else {
        None
    };
    Judged { candidates, named }
}

/// No end was seen. If copy c was the last, its reply took what is left from its far end to the I/O's end, and all other
/// replies took less than what is left from theirs.
fn all_unseen(replies: &Known, io_end: i64, ends: &[End]) -> Judged {
    let known: Few<(i64, i64)> = ends
        .iter()
        .map(|end| match *end {
            End::After { service_end, error } => (service_end, error),
            End::Seen { at, .. } => (at, 0),
            End::Between { first, .. } => (first, 0),
            End::Unknown { from } => (from, 0),
        })
        .collect();
    let everyone = Judged {
        candidates: (0..ends.len()).collect(),
        named: None,
    };
    let rests = &replies.rests;
    if rests.total < ENOUGH {
        return everyone;
    }
    // What the clocks do not separate is not separated: only what is done after all others can be named.
    let Some(latest) = (0..known.len()).max_by_key(|&at| known[at].0) else {
        return everyone;
    };
    let (end, error) = known[latest];
    let apart = |at: usize| {
        let (other, slack) = known[at];
        end.saturating_sub(error) > other.saturating_add(slack)
    };
    if !(0..known.len()).all(|at| at == latest || apart(at)) {
        return everyone;
    }
    let likelihoods: Few<f64> = (0..known.len())
        .map(|last| {
            let others = known.iter().enumerate().filter(|&(other, _)| other != last);
            let earlier: f64 = others.map(|(_, &(end, _))| rests.share_up_to(io_end - end)).product();
            rests.density(io_end - known[last].0) * earlier
        })
        .collect();
    let sum: f64 = likelihoods.iter().sum();
    let best = (0..known.len()).max_by(|&a, &b| likelihoods[a].total_cmp(&likelihoods[b]));
    let probability = likelihoods[latest] / sum;
    let named = (best == Some(latest) && probability >= SURE).then_some((latest, probability as f32));
    Judged {
        // How long replies take does not rule one out: of one moment they wait for the same.
        candidates: if named.is_some() {
            smallvec![latest]
        } else {
            everyone.candidates
        },
        named,
    }
}

#[cfg(test)]
mod tests;
