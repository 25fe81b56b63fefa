//! Who is worse than its own past while the others are not.

use std::collections::BTreeMap;

use super::{Bin, Case, FAR_ABOVE, MATTERS, Search, middle};
use crate::blame::Suspect;

/// Fewer bins before a bad one are no past to be held against.
const FEWEST_BEFORE: usize = 3;

/// Without anybody to compare with, more writes than this multiple of before are load and nobody's fault.
const SAME_LOAD: f64 = 1.5;

impl Search {
    /// The bins in which a suspect was far worse than in its good bins before, and its peers were not.
    ///
    /// A bin is bad when what the suspect usually takes is far above what it usually took, that matters, its writes took longer
    /// by a share that matters, and it is far more than how much its peers slowed.
    pub(super) fn slower(&self, suspect: Suspect, bins: &BTreeMap<i64, Bin>) -> Case {
        let mut case = Case::new(suspect, self.width);
        let mut good: Vec<i64> = Vec::new();
        let mut writes = 0;
        for (&time, bin) in bins.iter().filter(|(_, bin)| bin.says_something()) {
            match self.rise(suspect, bins, &good, time) {
                Some((usual, usual_write)) => {
                    case.bad.insert(time);
                    case.cost_nanos = case
                        .cost_nanos
                        .saturating_add(((bin.level() - usual) * bin.writes as f64) as u64);
                    case.usual_nanos.get_or_insert(usual as u64);
                    case.usual_write_nanos.get_or_insert(usual_write as u64);
                    writes += bin.writes;
                }
                None => good.push(time),
            }
        }
        case.set_felt(writes);
        case
    }

    /// What the suspect and its writes usually took before, if a bin is bad against that.
    fn rise(&self, suspect: Suspect, bins: &BTreeMap<i64, Bin>, good: &[i64], time: i64) -> Option<(f64, f64)> {
        let bin = bins.get(&time)?;
        let usual = before(bins, good, Bin::level)?;
        let usual_write = before(bins, good, Bin::write)?;
        let rise = bin.level() - usual;
        let matters = rise > 0.0 && rise >= MATTERS * bin.write() && bin.write() - usual_write >= MATTERS * usual_write;
        if !matters || bin.level() < FAR_ABOVE * usual {
            return None;
        }
        let slowed = |bins: &BTreeMap<i64, Bin>, what: fn(&Bin) -> f64| {
            let now = bins.get(&time).filter(|bin| bin.says_something())?;
            Some(what(now) / before(bins, good, what)?.max(1.0))
        };
        // Both directions of a wire slow with it: the other one is no peer.
        let peers = self
            .peers(suspect)
            .filter(|&(other, _)| !suspect.is_the_way_back_of(other));
        let peers = peers.filter_map(|(_, bins)| slowed(bins, Bin::level));
        // Without a peer: all else that was seen then. An initiator is always held against what its own legs took as well.
        let shared = match (middle(peers), suspect.is_of_a_leg()) {
            (Some(peers), true) => Some(peers),
            (peers, false) => Some(peers.unwrap_or(0.0).max(slowed(bins, Bin::rest)?)),
            (None, true) => {
                let others = self.bins.iter().filter(|&(&other, _)| other != suspect);
                let others = others.filter(|&(&other, _)| !suspect.is_the_way_back_of(other));
                middle(others.filter_map(|(_, bins)| slowed(bins, Bin::level)))
            }
        };
        let alone = match shared {
            Some(shared) => bin.level() / usual.max(1.0) >= FAR_ABOVE * shared.max(1.0),
            None => bin.writes as f64 <= SAME_LOAD * before(bins, good, |bin| bin.writes as f64)?,
        };
        alone.then_some((usual, usual_write))
    }
}

/// The middle of a measure over the good bins before, if there are enough.
fn before(bins: &BTreeMap<i64, Bin>, good: &[i64], what: fn(&Bin) -> f64) -> Option<f64> {
    let bins = good.iter().filter_map(|time| bins.get(time));
    let values: Vec<f64> = bins.filter(|bin| bin.says_something()).map(what).collect();
    if values.len() < FEWEST_BEFORE {
        return None;
    }
    middle(values.into_iter())
}
