//! Which rows belong to which write: known because the simulator made them.

use fathom_model::Tap;
use smallvec::SmallVec;

use crate::record::REPAIR;

/// Rows of one tap of one leg: one for nearly all.
pub type Rows = SmallVec<[u64; 2]>;

/// A volume write and the rows that belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruthWrite {
    /// The node that wrote, by its number.
    pub node: u32,
    /// Row of the volume event in that node's events.
    pub row: u64,
    /// Its copies, part by part; a part's copies in the order in which they were sent.
    pub copies: Vec<TruthCopy>,
    /// The copy whose reply came last.
    pub slowest: Option<TruthSlowest>,
}

/// A copy of a part of a write. Lists are empty for what no tap saw, longer where a request was sent again or split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruthCopy {
    /// Copy number.
    pub copy: u32,
    /// The node that holds it, by its number.
    pub node: u32,
    /// Rows in the writing node's events.
    pub initiator_rows: Rows,
    /// Rows in the holding node's events.
    pub target_rows: Rows,
    /// Rows in the holding node's events.
    pub device_rows: Rows,
}

/// The copy that came last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TruthSlowest {
    /// Its node, by number.
    pub node: u32,
    /// Its number.
    pub copy: u32,
    /// How long after the one before it, in nanoseconds; none where it was the only one.
    pub lead_nanos: Option<u64>,
}

/// What the engine tells while it runs.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    writes: Vec<Write>,
    legs: Vec<(u32, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Write {
    node: u32,
    legs: (u32, u32),
    slowest: Option<TruthSlowest>,
}

impl Truth {
    /// A write that is made now.
    pub(crate) fn write(&mut self, node: u32) -> u32 {
        let at = self.legs.len() as u32;
        self.writes.push(Write {
            node,
            legs: (at, at),
            slowest: None,
        });
        self.writes.len() as u32 - 1
    }

    /// The legs of a write, told one after the other: (copy, node that holds it). Returns the number of the first.
    pub(crate) fn legs(&mut self, write: u32, legs: impl Iterator<Item = (u32, u32)>) -> u32 {
        let first = self.legs.len() as u32;
        self.legs.extend(legs);
        self.writes[write as usize].legs = (first, self.legs.len() as u32);
        first
    }

    pub(crate) fn slowest(&mut self, write: u32, slowest: TruthSlowest) {
        self.writes[write as usize].slowest = Some(slowest);
    }

    pub(crate) fn open(self) -> OpenTruth {
        OpenTruth {
            rows: vec![None; self.writes.len()],
            copies: self
                .legs
                .iter()
                .map(|&(copy, node)| TruthCopy {
                    copy,
                    node,
                    initiator_rows: Rows::new(),
                    target_rows: Rows::new(),
                    device_rows: Rows::new(),
                })
                .collect(),
            writes: self.writes,
        }
    }
}

/// The truth while rows get their numbers.
#[derive(Debug)]
pub(crate) struct OpenTruth {
    writes: Vec<Write>,
    rows: Vec<Option<u64>>,
    copies: Vec<TruthCopy>,
}

impl OpenTruth {
    /// An event of a write (volume) or of a leg (other taps) has this row.
    pub(crate) fn has(&mut self, tap: Tap, owner: u32, row: u64) {
        // Of no write.
        if owner >= REPAIR {
            return;
        }
        let owner = owner as usize;
        match tap {
            Tap::Initiator => self.copies[owner].initiator_rows.push(row),
            Tap::Target => self.copies[owner].target_rows.push(row),
            Tap::Device => self.copies[owner].device_rows.push(row),
            Tap::Guest | Tap::Vhdx | Tap::Csv | Tap::Refs | Tap::Volume => self.rows[owner] = Some(row),
        }
    }

    /// The writes whose volume event has a row, by node and row.
    pub(crate) fn close(self) -> Vec<TruthWrite> {
        let mut copies = self.copies.into_iter();
        let mut writes: Vec<TruthWrite> = Vec::with_capacity(self.writes.len());
        // Legs lie in the order in which writes fanned out, which is not that in which they were made.
        let mut order: Vec<(Write, Option<u64>)> = self.writes.into_iter().zip(self.rows).collect();
        order.sort_by_key(|(write, _)| write.legs);
        for (write, row) in order {
            let own: Vec<TruthCopy> = copies.by_ref().take((write.legs.1 - write.legs.0) as usize).collect();
            if let Some(row) = row {
                writes.push(TruthWrite {
                    node: write.node,
                    row,
                    copies: own,
                    slowest: write.slowest,
                });
            }
        }
        writes.sort_by_key(|write| (write.node, write.row));
        writes
    }
}
