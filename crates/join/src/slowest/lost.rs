//! Legs of an I/O that are missing in a stretch in which rows were lost: they ended in it, so that what ended before it was not
//! the last, and what ended after it was later than all of them.

use fathom_model::{Leg, Slowest};

use super::{End, Few, Judged, Known, Legs, SURE, judge, mark, some_seen};
use crate::pauses::{Stretch, Stretches};

/// Legs of an I/O of which the initiator's row is missing.
#[derive(Clone, Debug)]
pub(crate) struct Missing {
    /// Their places among the legs, and before what each did not end.
    legs: Few<(usize, i64)>,
    io: (i64, i64),
}

impl Missing {
    /// Those of an I/O with its start and its end; `None` if it lacks none.
    pub(crate) fn of(io: (i64, i64), legs: &[Leg], ends: &[End]) -> Option<Self> {
        let missing = legs.iter().zip(ends).enumerate();
        let missing = missing.filter(|(_, (leg, _))| leg.missing_initiator.is_some() && leg.initiator.is_none());
        let legs: Few<(usize, i64)> = missing
            .map(|(at, (leg, end))| match *end {
                // It ended after its far side was done, if it is certain which event that is.
                End::After { service_end, error } if !leg.ambiguous => {
                    (at, service_end.saturating_sub(error).max(io.0))
                }
                _ => (at, io.0),
            })
            .collect();
        (!legs.is_empty()).then_some(Self { legs, io })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.legs.len()
    }

    /// The time in which one stretch must lie, even partly, to have all of them.
    pub(crate) fn time(&self) -> (i64, i64) {
        let latest = self.legs.iter().map(|&(_, from)| from).max();
        (latest.unwrap_or(self.io.0).min(self.io.1), self.io.1)
    }
}

/// As [`super::name`], with what is known of legs that are missing.
pub(crate) fn name(
    replies: &Known,
    legs: &mut [Leg],
    ends: &[End],
    missing: &Missing,
    stretches: &Stretches,
) -> Option<Slowest> {
    let node_of = |at: usize| legs[at].node;
    let mut judged = judge(replies, missing.io.1, node_of, ends);
    let mut refined: Few<End> = ends.iter().copied().collect();
    let stretch = stretches.of_missing(missing.time());
    // It takes one of them that is missing for another reason to be wrong.
    let sure = |stretch: &Stretch| 1.0 - stretch.doubt * missing.count() as f64;
    if let Some(stretch) = stretch.filter(|stretch| sure(stretch) >= SURE)
        && refine(&mut refined, missing, stretch)
    {
        judged = both(judged, some_seen(replies, node_of, &refined), sure(stretch) as f32);
    }
    mark(judged, ends, |at| legs[at].candidate = true)
}

/// Says of missing legs in which time they ended; false if they cannot have ended there.
fn refine(ends: &mut [End], missing: &Missing, stretch: &Stretch) -> bool {
    for &(at, from) in &missing.legs {
        let (first, last) = (from.max(stretch.from), missing.io.1.min(stretch.until));
        if first > last {
            return false;
        }
        ends[at] = End::Between { first, last };
    }
    true
}

/// What was judged by the times of replies, and what by where the missing ones ended, which is certain but for `sure`.
fn both(by_returns: Judged, by_stretch: Judged, sure: f32) -> Judged {
    if let Some((leg, confidence)) = by_stretch.named {
        return Judged {
            named: Some((leg, confidence.min(sure))),
            ..by_stretch
        };
    }
    let candidates = by_returns.candidates.iter();
    let candidates: Legs = candidates.filter(|&at| by_stretch.candidates.contains(at)).collect();
    let named = by_returns.named.filter(|&(leg, _)| candidates.contains(leg));
    // One that is left of two reckonings is not more certain than either.
    let is_left = named.is_none() && candidates.iter().nth(1).is_none();
    Judged {
        candidates: if is_left { by_stretch.candidates } else { candidates },
        named,
    }
}
