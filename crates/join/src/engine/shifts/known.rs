//! What is known of shifts, kept and restored.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::{Catalog, DiskIndex, PhysicalDisk, Tap};
use serde::{Deserialize, Serialize};

/// How far a tap's offsets on a disk lie beyond the extent map's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shift {
    pub(super) bytes: i64,
    pub(super) standing: Standing,
}

/// What a shift rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Something was found with it, by chance or not: no vote was clear so far.
    Seen,
    /// A vote settled it.
    Settled,
    /// A vote settled it, but nothing was found with it in the last window that looked.
    Doubted,
}

/// All that is known of shifts.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Shifts {
    pub(super) known: BTreeMap<(DiskIndex, Tap), Shift>,
    /// Of the window that closes: events were seen, but none where the map says.
    pub(super) displaced: BTreeSet<(DiskIndex, Tap)>,
    /// What a disk shows lies where the map has another disk's copy of the same.
    pub(super) mistaken: BTreeMap<(DiskIndex, Tap), DiskIndex>,
}

/// What is kept of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShiftState {
    /// The disk.
    pub disk: PhysicalDisk,
    /// The tap whose offsets are shifted.
    pub tap: Tap,
    /// How far beyond the extent map's.
    pub bytes: i64,
    /// What it rests on.
    pub standing: Standing,
}

/// What a tap's offsets on a disk were found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShiftReport {
    /// The disk.
    pub disk: DiskIndex,
    /// The tap.
    pub tap: Tap,
    /// How far its offsets lie beyond the extent map's; 0 where they are the same.
    pub bytes: i64,
}

/// A disk whose events lie where the extent map has another copy of the same bytes: most likely one is taken for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MistakenReport {
    /// The disk.
    pub disk: DiskIndex,
    /// The tap that shows it so.
    pub tap: Tap,
    /// The disk where the map has what it shows.
    pub shows: DiskIndex,
}

impl Shifts {
    /// How far a tap's offsets on a disk lie beyond the extent map's, as far as is known.
    pub(in crate::engine) fn of(&self, disk: DiskIndex, tap: Tap) -> i64 {
        self.known.get(&(disk, tap)).map_or(0, |shift| shift.bytes)
    }

    pub(in crate::engine) fn note_mistaken(&mut self, disk: DiskIndex, tap: Tap, shows: DiskIndex) {
        self.mistaken.insert((disk, tap), shows);
    }

    pub(in crate::engine) fn is_sure(&self, disk: DiskIndex, tap: Tap) -> bool {
        self.known
            .get(&(disk, tap))
            .is_some_and(|shift| shift.standing == Standing::Settled)
    }

    /// Whether something was ever found on a disk where its tap is thought to show it.
    pub(in crate::engine) fn is_known(&self, disk: DiskIndex, tap: Tap) -> bool {
        self.known.contains_key(&(disk, tap))
    }

    /// Whether events of a tap were seen on a disk in the window that closes, but none where the map says.
    pub(in crate::engine) fn is_displaced(&self, disk: DiskIndex, tap: Tap) -> bool {
        self.displaced.contains(&(disk, tap))
    }

    pub(in crate::engine) fn state(&self, catalog: &Catalog) -> Vec<ShiftState> {
        let mut kept: Vec<ShiftState> = self
            .known
            .iter()
            .map(|(&(disk, tap), shift)| ShiftState {
                disk: catalog.disk(disk).clone(),
                tap,
                bytes: shift.bytes,
                standing: shift.standing,
            })
            .collect();
        kept.sort_by(|a, b| (&a.disk.id, a.tap).cmp(&(&b.disk.id, b.tap)));
        kept
    }

    pub(in crate::engine) fn restore(catalog: &mut Catalog, kept: Vec<ShiftState>) -> Self {
        let known = kept.into_iter().map(|kept| {
            let shift = Shift {
                bytes: kept.bytes,
                standing: kept.standing,
            };
            ((catalog.intern_disk(&kept.disk), kept.tap), shift)
        });
        Self {
            known: known.collect(),
            ..Self::default()
        }
    }
}
