//! Which column arithmetic explains the traffic: candidates are held against what the drives really did.
//!
//! Each candidate says where every copy of every part of a write should be seen. Where such an event is there, at the time of the
//! write, the candidate explains that part. The one that explains clearly more than every other wins, by the sign test that the
//! shifts of disks are settled with; where none does, nothing is chosen. What the winner does not explain is reported, not hidden.

use fathom_model::striping::StripedMap;
use fathom_model::{Op, PhysicalDiskId, VolumeId};
use rustc_hash::FxHashMap;

use crate::engine::beats;

/// Disk, offset, length.
type Place<'a> = (&'a PhysicalDiskId, u64, u64);

/// A write, with the time in which its events must lie on each candidate's disks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The volume.
    pub volume: VolumeId,
    /// Byte offset in the volume.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// Its start, on the clock of the events.
    pub start_unix_nanos: i64,
    /// Its end.
    pub end_unix_nanos: i64,
}

/// A request that a drive served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The disk.
    pub disk: PhysicalDiskId,
    /// Byte offset on the disk.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// What it did; only writes count.
    pub op: Op,
    /// Its start, on the clock of the writes.
    pub start_unix_nanos: i64,
    /// Its end.
    pub end_unix_nanos: i64,
}

/// How well a candidate explains the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Copies of parts of writes for which it says a place.
    pub parts: u64,
    /// Of those, how many were seen there.
    pub found: u64,
    /// Writes of which all parts were seen.
    pub whole: u64,
}

/// What holding candidates against the traffic gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The number of the candidate that wins; `None` where none explains clearly more than every other.
    pub winner: Option<usize>,
    /// A candidate each.
    pub explained: Vec<Explained>,
    /// How many writes were looked at.
    pub writes: u64,
}

/// Holds candidates against writes and what drives served. Times are on one clock, or intervals widened by what is not known of
/// the clocks.
#[must_use]
pub fn hold(candidates: &[StripedMap], writes: &[Written], served: &[Served]) -> Verdict {
    let mut seen: FxHashMap<Place<'_>, Vec<(i64, i64)>> = FxHashMap::default();
    for one in served.iter().filter(|one| one.op == Op::Write) {
        let span = (one.start_unix_nanos, one.end_unix_nanos);
        seen.entry((&one.disk, one.offset, one.length)).or_default().push(span);
    }
    let mut explained = vec![
        Explained {
            parts: 0,
            found: 0,
            whole: 0,
        };
        candidates.len()
    ];
    // Of each pair of candidates, how many writes one explains better than the other.
    let mut better = vec![vec![0_usize; candidates.len()]; candidates.len()];
    let mut shares = vec![(0_u64, 0_u64); candidates.len()];
    for write in writes {
        for (at, candidate) in candidates.iter().enumerate() {
            let parts = candidate.parts(&write.volume, write.offset, write.length);
            let there = |part: &fathom_model::striping::StripePart| {
                let spans = seen.get(&(&part.disk, part.disk_offset, part.length));
                let inside =
                    |&(start, end): &(i64, i64)| write.start_unix_nanos <= start && end <= write.end_unix_nanos;
                spans.is_some_and(|spans| spans.iter().any(inside))
            };
            let found = parts.iter().filter(|part| there(part)).count() as u64;
            let all = parts.len() as u64;
            explained[at].parts += all;
            explained[at].found += found;
            explained[at].whole += u64::from(all > 0 && found == all);
            shares[at] = (found, all.max(1));
        }
        for (one, of_one) in shares.iter().enumerate() {
            for (other, of_other) in shares.iter().enumerate() {
                // As shares: a candidate with more parts does not win by that.
                let more =
                    u128::from(of_one.0) * u128::from(of_other.1) > u128::from(of_other.0) * u128::from(of_one.1);
                better[one][other] += usize::from(more);
            }
        }
    }
    let beats_all = |one: &usize| {
        let others = (0..candidates.len()).filter(|other| other != one);
        explained[*one].found > 0
            && others
                .into_iter()
                .all(|other| beats(better[*one][other], better[other][*one]))
    };
    let alone = candidates.len() == 1 && !beats(explained[0].whole as usize, 0);
    Verdict {
        winner: (0..candidates.len()).find(beats_all).filter(|_| !alone),
        explained,
        writes: writes.len() as u64,
    }
}

#[cfg(test)]
mod tests;
