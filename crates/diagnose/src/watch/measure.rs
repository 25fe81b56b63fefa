//! What of a write is held against what: each component of each copy against the same of the other copies.

use std::collections::BTreeMap;

use fathom_model::{Io, JoinedRows, Leg};
use smallvec::SmallVec;

use super::past::Pasts;
use crate::blame::{Suspect, blame, guessed, in_two_manners, like, outside, parts};
use crate::spread::Spread;

/// Fewer values say nothing about what is usual.
const ENOUGH: u64 = 100;

/// So many values, and the older ones are forgotten.
const MANY: u64 = 4000;

/// What stands beside the kinds of suspects for whole writes.
const WHOLE: u8 = 6;

/// One component of one write.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measure {
    pub(super) suspect: Suspect,
    /// How much longer than the longest of the write's other copies, and than what is usual; 0 when it was not.
    pub(super) beyond_nanos: u64,
    /// How much longer than what is usual for requests of its size; 0 when it was not.
    pub(super) above_nanos: u64,
    /// What it added to the write.
    pub(super) added_nanos: u64,
    /// What of that is of a write of which no reply tells for which copy it waited: by the clocks this one was done last.
    pub(super) unsure_nanos: u64,
    /// What it may have added, where it is not known which copy was last. It decides nothing about who is worse.
    pub(super) guessed_nanos: u64,
    /// Whether it is a way that was seen in one direction alone: the leg itself was not seen at the initiator.
    pub(super) one_way: bool,
    /// Of one without an equal the length of the request and how long it took.
    pub(super) alone: Option<(u64, u64)>,
}

/// What measures are held against besides the write's other copies.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) references: References,
    pub(super) pasts: Pasts,
}

impl Known {
    /// What is usual for a request, before this one is counted; of one without an equal what was usual before.
    fn usual(&mut self, suspect: Suspect, length: u64, nanos: u64) -> Option<u64> {
        let usual = self.references.usual(suspect, length, nanos);
        let before = self.pasts.before(suspect, length).map(|before| before.usual_nanos);
        before.or(usual)
    }
}

/// What is usual of a component, a size of request: the middle of recent values of all suspects of the kind.
#[derive(Clone, Debug, Default)]
pub(super) struct References(BTreeMap<(u8, u32), Recent>);

impl References {
    /// What is usual, before this value is counted.
    fn usual(&mut self, suspect: Suspect, length: u64, nanos: u64) -> Option<u64> {
        let kind = match suspect {
            Suspect::Disk(_) => 0,
            Suspect::Node(_) => 1,
            Suspect::Link { .. } => 2,
            Suspect::FarSide(_) => 3,
            Suspect::Unseen { .. } => 4,
            Suspect::Initiator(_) => 5,
        };
        self.usual_of(kind, length, nanos)
    }

    /// The same of whole writes.
    fn usual_write(&mut self, io: &Io) -> Option<u64> {
        self.usual_of(WHOLE, io.length, io.event.duration_nanos)
    }

    fn usual_of(&mut self, kind: u8, length: u64, nanos: u64) -> Option<u64> {
        // Requests of one size class take alike.
        let class = length.max(1).ilog2();
        self.0.entry((kind, class)).or_default().usual(nanos)
    }
}

#[derive(Clone, Debug, Default)]
struct Recent {
    now: Spread,
    count: u64,
    /// The middle of the generation before.
    usual: Option<u64>,
}

impl Recent {
    /// What is usual, before this value is counted.
    fn usual(&mut self, nanos: u64) -> Option<u64> {
        let usual = self.usual.or_else(|| (self.count >= ENOUGH).then(|| self.now.middle()));
        self.now.add(nanos);
        self.count += 1;
        if self.count >= MANY {
            self.usual = Some(self.now.middle());
            self.now = Spread::default();
            self.count = 0;
        }
        usual
    }
}

/// All measures of a write. Legs that could be another write's are left out: what took long may not be theirs.
pub(super) fn measure(rows: &JoinedRows, io: &Io, second: i64, known: &mut Known) -> SmallVec<[Measure; 12]> {
    let legs = rows.legs_of(io);
    let write_nanos = io.event.duration_nanos;
    let mut measures: SmallVec<[Measure; 12]> = SmallVec::new();
    let all: SmallVec<[_; 6]> = legs.iter().map(|leg| parts(io, leg)).collect();
    let two_manners = in_two_manners(legs);
    for (at, own) in all.iter().enumerate().filter(|&(at, _)| !legs[at].ambiguous) {
        for part in own {
            let is_way = part.suspect.is_way();
            // What is usual is of ways that were measured alike.
            if is_way && two_manners {
                continue;
            }
            let length = legs[at].length;
            let usual = known.usual(part.suspect, length, part.nanos);
            let alone = known.pasts.is_alone(part.suspect);
            if alone {
                let rest = write_nanos.saturating_sub(part.nanos);
                known.pasts.note(part.suspect, length, second, (part.nanos, rest));
            }
            let Some(usual) = usual else { continue };
            let mut longest = usual;
            let mut others = 0;
            for other in (0..legs.len()).filter(|&other| other != at) {
                if legs[other].ambiguous || legs[other].part != legs[at].part {
                    continue;
                }
                let theirs = match part.suspect {
                    Suspect::FarSide(_) | Suspect::Unseen { .. } => like(part.suspect, io, &legs[other]),
                    _ => all[other]
                        .iter()
                        .find(|theirs| theirs.suspect.same_kind(part.suspect))
                        .map(|theirs| theirs.nanos),
                };
                // Another copy that went the only way there is says nothing of that way.
                if let Some(nanos) = theirs.filter(|_| !alone) {
                    longest = longest.max(nanos);
                    others += 1;
                }
            }
            // The only way of its write is held against what ways of such writes usually take.
            if others > 0 || is_way {
                measures.push(Measure {
                    suspect: part.suspect,
                    beyond_nanos: part.nanos.saturating_sub(longest),
                    above_nanos: part.nanos.saturating_sub(usual),
                    added_nanos: 0,
                    unsure_nanos: 0,
                    guessed_nanos: 0,
                    one_way: is_way && legs[at].initiator.is_none(),
                    alone: alone.then_some((length, part.nanos)),
                });
            }
        }
    }
    measures.extend(wholes(io, legs, &mut known.references));
    let shares = blame(rows, io).map(|blame| blame.shares);
    let is_known = shares.is_some();
    let replied = io.slowest.is_some() || legs.iter().any(|leg| leg.initiator.is_some());
    let usual = if is_known || replied {
        None
    } else {
        known.references.usual_write(io)
    };
    let guess = usual.map(|usual| guessed(io, legs, write_nanos.saturating_sub(usual)));
    let shares = shares.or(guess).unwrap_or_default();
    for (suspect, nanos) in shares {
        let Some(measure) = measures.iter_mut().find(|measure| measure.suspect == suspect) else {
            continue;
        };
        if is_known {
            measure.added_nanos = nanos;
        } else {
            measure.guessed_nanos = nanos;
        }
    }
    let writer = Suspect::Initiator(io.node);
    if let Some(nanos) = outside(io, legs)
        && let Some(usual) = known.references.usual(writer, io.length, nanos)
    {
        let above_nanos = nanos.saturating_sub(usual);
        measures.push(Measure {
            suspect: writer,
            beyond_nanos: above_nanos,
            above_nanos,
            added_nanos: above_nanos,
            unsure_nanos: 0,
            guessed_nanos: 0,
            one_way: false,
            alone: None,
        });
    }
    // The longest of its write and alone in its way added what it took longer.
    for measure in measures
        .iter_mut()
        .filter(|measure| matches!(measure.suspect, Suspect::Link { .. }))
    {
        let waited = measure.alone.is_some() && waited_for_a_way(io, legs);
        let two = legs.len() <= 2 && legs.iter().any(|leg| leg.local);
        if measure.added_nanos == 0 && (two || waited) {
            measure.added_nanos = measure.beyond_nanos;
        }
    }
    if io.slowest.is_none() {
        for measure in measures.iter_mut().filter(|measure| measure.suspect.is_of_a_leg()) {
            measure.unsure_nanos = measure.added_nanos;
        }
    }
    measures
}

/// Whether a write waited for a copy on another node.
fn waited_for_a_way(io: &Io, legs: &[Leg]) -> bool {
    let last = io.slowest.and_then(|slowest| slowest.leg.checked_sub(io.legs.start));
    last.and_then(|at| legs.get(at)).is_some_and(|leg| !leg.local)
}

/// What legs that were seen are held against of a write that has one of which the far side, or the drive behind it, was not: the whole
/// leg, or the whole of the far side.
fn wholes(io: &Io, legs: &[Leg], references: &mut References) -> SmallVec<[Measure; 3]> {
    let without_far_side = |leg: &Leg| leg.initiator.is_some() && leg.service().is_none() && !leg.local;
    let without_drive = |leg: &Leg| leg.target.is_some() && leg.device.is_none();
    let (legs_too, far_sides_too) = (legs.iter().any(without_far_side), legs.iter().any(without_drive));
    let mut measures = SmallVec::new();
    for leg in legs.iter().filter(|leg| !leg.ambiguous) {
        let (node, peer) = (leg.node, io.node);
        let leg_too = legs_too && leg.service().is_some();
        let far_side_too = far_sides_too && leg.device.is_some();
        let whole = [
            leg_too.then_some(Suspect::Unseen { node, peer }),
            far_side_too.then_some(Suspect::FarSide(node)),
        ];
        for suspect in whole.into_iter().flatten() {
            let Some(nanos) = like(suspect, io, leg) else { continue };
            let Some(usual) = references.usual(suspect, leg.length, nanos) else {
                continue;
            };
            measures.push(Measure {
                suspect,
                // Whoever was seen is told by its parts.
                beyond_nanos: 0,
                above_nanos: nanos.saturating_sub(usual),
                added_nanos: 0,
                unsure_nanos: 0,
                guessed_nanos: 0,
                one_way: false,
                alone: None,
            });
        }
    }
    measures
}
