//! Where the last copy's extra time was spent, a write: which part of the path to look at.
//!
//! A write waits for its last copy. How much longer than the second-last is what that copy *added*. The same write's other copies
//! are its peers: they were written at the same moment, with the same length, under the same load. So each component of the
//! last leg (drive, far side's bus target, way) is compared with the same component of its peers, and the added time is split
//! over the components by how much each is longer. Load that all share cancels out.

use fathom_model::{DiskIndex, Io, JoinedRows, Leg, NodeIndex, Op};
use smallvec::SmallVec;

/// A part of the path that may be at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Suspect {
    /// A drive: its own time.
    Disk(DiskIndex),
    /// A node's bus target: time at the target beyond the drive's.
    Node(NodeIndex),
    /// The way between two nodes: time of the leg beyond the far side's service. Without target events the far side's
    /// queue is part of it.
    Link {
        /// The far node.
        node: NodeIndex,
        /// The initiator.
        peer: NodeIndex,
    },
    /// Something at a node whose drives were not seen: time at its bus target and at the drive, one number.
    FarSide(NodeIndex),
    /// Something behind the leg to a node of which the far side was not seen.
    Unseen {
        /// The far node.
        node: NodeIndex,
        /// The initiator.
        peer: NodeIndex,
    },
    /// A node as initiator: time of its writes outside all legs ([`outside`]).
    Initiator(NodeIndex),
}

impl Suspect {
    /// Whether it is a component of legs, so that a write's other copies can be its peers.
    #[must_use]
    pub const fn is_of_a_leg(self) -> bool {
        !matches!(self, Self::Initiator(_))
    }

    /// Whether it is a way between two nodes, or a whole leg in place of one.
    pub(crate) const fn is_way(self) -> bool {
        matches!(self, Self::Link { .. } | Self::Unseen { .. })
    }

    /// Whether both are ways between the same two nodes.
    pub(crate) fn is_the_way_back_of(self, other: Self) -> bool {
        match (self, other) {
            (
                Self::Link { node, peer } | Self::Unseen { node, peer },
                Self::Link { node: to, peer: from } | Self::Unseen { node: to, peer: from },
            ) => (node, peer) == (from, to),
            _ => false,
        }
    }

    /// Suspects of one kind are each other's peers.
    #[must_use]
    pub const fn same_kind(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Disk(_), Self::Disk(_))
                | (Self::Node(_), Self::Node(_))
                | (Self::Link { .. }, Self::Link { .. })
                | (Self::FarSide(_), Self::FarSide(_))
                | (Self::Unseen { .. }, Self::Unseen { .. })
                | (Self::Initiator(_), Self::Initiator(_))
        )
    }
}

/// A component of one leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Whose it is.
    pub suspect: Suspect,
    /// How long it took.
    pub nanos: u64,
}

/// The components of a leg, as far as it was seen; none when nothing can be compared.
#[must_use]
pub fn parts(io: &Io, leg: &Leg) -> SmallVec<[Part; 3]> {
    let mut parts = SmallVec::new();
    let (node, peer) = (leg.node, io.node);
    if let Some(device) = leg.device {
        parts.push(Part {
            suspect: Suspect::Disk(leg.cache.unwrap_or(leg.disk)),
            nanos: device.duration_nanos,
        });
        if let Some(target) = leg.target {
            let nanos = target.duration_nanos.saturating_sub(device.duration_nanos);
            parts.push(Part {
                suspect: Suspect::Node(node),
                nanos,
            });
        }
    } else if let Some(target) = leg.target {
        parts.push(Part {
            suspect: Suspect::FarSide(node),
            nanos: target.duration_nanos,
        });
    }
    if let Some(whole) = whole(io, leg) {
        match leg.service() {
            _ if leg.local => {}
            Some(service) => {
                let nanos = whole.saturating_sub(service.duration_nanos);
                parts.push(Part {
                    suspect: Suspect::Link { node, peer },
                    nanos,
                });
            }
            None => parts.push(Part {
                suspect: Suspect::Unseen { node, peer },
                nanos: whole,
            }),
        }
    } else if let (Some(service), Some(clock), false) = (leg.service(), leg.clock, leg.local) {
        // Without the leg, the way there is still seen: until the far side had the request, by its aligned clock.
        let arrived = service.start_unix_nanos.saturating_sub(clock.offset_nanos);
        let nanos = u64::try_from(arrived.saturating_sub(io.event.start_unix_nanos)).unwrap_or(0);
        parts.push(Part {
            suspect: Suspect::Link { node, peer },
            nanos,
        });
    }
    parts
}

/// How long a leg took as the initiator saw it, with the attempts that failed before: what was sent and never answered was lost on the way
/// or at the target, and the write waited for it. When the first was sent is not known, but for the copies that go beside it: with the
/// write's beginning, or some microseconds later.
fn whole(io: &Io, leg: &Leg) -> Option<u64> {
    let seen = leg.initiator?;
    let lost = if leg.more.initiator.is_empty() {
        0
    } else {
        u64::try_from(seen.start_unix_nanos.saturating_sub(io.event.start_unix_nanos)).unwrap_or(0)
    };
    Some(seen.duration_nanos.saturating_add(lost))
}

/// How much of an I/O lies outside its legs: before the first was sent and after the last was acknowledged. `None` where that is
/// not known: not every leg was seen from its beginning to its end on the initiator's clock.
#[must_use]
pub fn outside(io: &Io, legs: &[Leg]) -> Option<u64> {
    let mut span: Option<(i64, i64)> = None;
    for leg in legs {
        // When a failed attempt before it began is not known.
        if !leg.more.initiator.is_empty() {
            return None;
        }
        let seen = leg.initiator.or_else(|| leg.service().filter(|_| leg.local))?;
        let (start, end) = (seen.start_unix_nanos, seen.end_unix_nanos());
        span = Some(span.map_or((start, end), |(first, last)| (first.min(start), last.max(end))));
    }
    let (first, last) = span.filter(|_| legs.len() == io.legs_expected as usize)?;
    let before = u64::try_from(first.saturating_sub(io.event.start_unix_nanos)).unwrap_or(0);
    let after = u64::try_from(io.event.end_unix_nanos().saturating_sub(last)).unwrap_or(0);
    Some(before.saturating_add(after))
}

/// What a write's last copy added, split over the components of its leg.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Blame {
    /// What the last copy added, in all.
    pub added_nanos: u64,
    /// Shares of it, by how much longer than its peers each component was. The rest is nobody's: the copy was sent later.
    pub shares: SmallVec<[(Suspect, u64); 3]>,
}

/// The blame of a write whose last copy is known, or at least which copy the far sides were done with last; `None` for other
/// I/Os.
#[must_use]
pub fn blame(rows: &JoinedRows, io: &Io) -> Option<Blame> {
    if io.op != Op::Write {
        return None;
    }
    let legs = rows.legs_of(io);
    let (last, lead_nanos) = match io.slowest {
        Some(slowest) => (slowest.leg.checked_sub(io.legs.start)?, slowest.lead_nanos),
        None => last_done(legs)?,
    };
    if last >= legs.len() {
        return None;
    }
    let excess = excess(io, legs, last);
    let all = sum(&excess);
    // Where the initiator did not see the replies, the lead is not known; the excess itself is the best bound on it.
    let added_nanos = lead_nanos.unwrap_or(all);
    Some(Blame {
        added_nanos,
        shares: shared(excess, added_nanos),
    })
}

/// What one of its copies may have added to a write without a reply, of which nobody knows for which copy it waited: one was seen by
/// nobody, or the clocks do not tell. It is that of the copy whose components were the most beyond their peers', as far as the write was
/// `beyond_nanos` longer than such writes are: more where the write waited for a copy that was not seen, and less where ways were seen in
/// one direction alone and were long in both.
pub(crate) fn guessed(io: &Io, legs: &[Leg], beyond_nanos: u64) -> SmallVec<[(Suspect, u64); 3]> {
    let excesses = (0..legs.len()).filter(|&at| !legs[at].ambiguous);
    let worst = excesses.map(|at| excess(io, legs, at)).max_by_key(|excess| sum(excess));
    shared(worst.unwrap_or_default(), beyond_nanos)
}

/// How much longer than its peers each component of a leg was.
fn excess(io: &Io, legs: &[Leg], at: usize) -> SmallVec<[(Suspect, u64); 3]> {
    let others = legs.iter().enumerate();
    let others = others.filter(|&(other, leg)| other != at && leg.part == legs[at].part);
    let others: SmallVec<[&Leg; 3]> = others.map(|(_, leg)| leg).collect();
    let own = parts(io, &legs[at]).into_iter();
    own.filter_map(|part| {
        let usual = peers(part.suspect, io, &legs[at], &others)?;
        Some((part.suspect, part.nanos.saturating_sub(usual)))
    })
    .collect()
}

fn sum(excess: &[(Suspect, u64)]) -> u64 {
    excess.iter().map(|(_, nanos)| *nanos).sum()
}

/// A time split over components by how much longer each was; no more than they were in all.
fn shared(mut excess: SmallVec<[(Suspect, u64); 3]>, nanos: u64) -> SmallVec<[(Suspect, u64); 3]> {
    let all = sum(&excess);
    let shared = u128::from(nanos.min(all));
    for (_, share) in &mut excess {
        *share = (shared * u128::from(*share) / u128::from(all.max(1))) as u64;
    }
    excess
}

/// Whether two legs say the same of a suspect: ways that were measured in two manners, there and back or there alone, do not compare.
pub(crate) const fn compares(suspect: Suspect, one: &Leg, other: &Leg) -> bool {
    !suspect.is_way() || one.initiator.is_some() == other.initiator.is_some()
}

/// Whether some remote legs were seen at the initiator and others not.
pub(crate) fn in_two_manners(legs: &[Leg]) -> bool {
    let mut remote = legs.iter().filter(|leg| !leg.local).map(|leg| leg.initiator.is_some());
    remote.next().is_some_and(|first| remote.any(|seen| seen != first))
}

/// How much longer (above zero) or shorter each component of a leg was than the middle one of its peers, last copy or not, with what
/// the peers took. Over many writes this is zero among equals, which what the last copies added is not: who is last for another
/// reason is looked at only then, and chance that was for it is never counted.
pub(crate) fn against_peers(io: &Io, legs: &[Leg], at: usize) -> SmallVec<[(Suspect, i64, u64); 3]> {
    if legs.len() < 2 {
        return SmallVec::new();
    }
    let others = legs.iter().enumerate();
    let others = others.filter(|&(other, leg)| other != at && leg.part == legs[at].part);
    let others: SmallVec<[&Leg; 3]> = others.map(|(_, leg)| leg).collect();
    let own = parts(io, &legs[at]).into_iter();
    own.filter_map(|part| {
        let usual = peers(part.suspect, io, &legs[at], &others)?;
        let beyond = i64::try_from(i128::from(part.nanos) - i128::from(usual)).unwrap_or(i64::MAX);
        Some((part.suspect, beyond, usual))
    })
    .collect()
}

/// The leg that the far side was done with last, and by how much, where no reply was seen at the initiator. Which reply came last is
/// another question, but what a far side did longer than its peers it did, and over many writes that is enough to blame it.
fn last_done(legs: &[Leg]) -> Option<(usize, Option<u64>)> {
    let done = |leg: &Leg| {
        let clock = match leg.clock {
            Some(clock) => (clock.offset_nanos, clock.error_nanos),
            None if leg.local => (0, 0),
            None => return None,
        };
        let unseen = leg.initiator.is_none() && !leg.ambiguous;
        let end = leg.service().filter(|_| unseen)?.end_unix_nanos();
        Some((end.saturating_sub(clock.0), i64::try_from(clock.1).unwrap_or(i64::MAX)))
    };
    let ends: SmallVec<[(i64, i64); 3]> = legs.iter().map(done).collect::<Option<_>>()?;
    let last = (0..ends.len()).max_by_key(|&at| ends[at].0)?;
    let others = || (0..ends.len()).filter(|&at| at != last).map(|at| ends[at]);
    // What the clocks do not separate is not separated.
    let earliest = ends[last].0.saturating_sub(ends[last].1);
    let apart = others().all(|(end, error)| end.saturating_add(error) < earliest);
    let before = others().map(|(end, _)| end).max()?;
    let lead = u64::try_from(ends[last].0.saturating_sub(before)).unwrap_or(0);
    apart.then_some((last, Some(lead)))
}

/// What of a leg compares with a suspect's time: the same component; with a far side whose drive was not seen the whole target, and
/// with a leg of which the far side was not seen the whole leg.
pub(crate) fn like(suspect: Suspect, io: &Io, leg: &Leg) -> Option<u64> {
    match suspect {
        Suspect::FarSide(_) => leg.target.map(|seen| seen.duration_nanos),
        Suspect::Unseen { .. } => whole(io, leg).filter(|_| !leg.local),
        _ => {
            let part = parts(io, leg).into_iter().find(|part| suspect.same_kind(part.suspect));
            part.map(|part| part.nanos)
        }
    }
}

/// What the same component took on the write's other copies: the middle one, of two the longer.
fn peers(suspect: Suspect, io: &Io, own: &Leg, others: &[&Leg]) -> Option<u64> {
    let others = others.iter().filter(|other| compares(suspect, own, other));
    let mut times: SmallVec<[u64; 3]> = others.filter_map(|leg| like(suspect, io, leg)).collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

#[cfg(test)]
mod tests;
