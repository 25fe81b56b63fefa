//! Slabs of a parity tier: how many columns there are is known, and which bytes lie on which is not.

use serde::{Deserialize, Serialize};

/// The part of one column in a row of slabs of a parity tier (dual parity, or the parity tier of a mirror-accelerated volume).
///
/// The bytes of the row lie in its columns beside parity, and where parity lies rotates in a way that no public page states
/// (`docs/design/0027-parity.md`). So a place is known as a row of slabs and not as an offset on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Parity {
    /// Its number, from 0.
    pub column: u32,
    /// How many columns the row has, those of parity with them; at least 2.
    pub columns: u32,
    /// As many as of these are parity at any place; at least 1 and fewer than all.
    pub parity_columns: u32,
    /// Bytes on one column before the next takes over, where that is known: then the n-th such stretch of every slab is of the n-th
    /// stripe of the row, wherever parity rotates to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interleave_bytes: Option<u64>,
}

impl Parity {
    /// How many slabs of the row hold its bytes, at any place.
    #[must_use]
    pub const fn data_columns(self) -> u32 {
        self.columns.saturating_sub(self.parity_columns)
    }

    /// Where in a slab of so many bytes that may lie which has to do with bytes `from..until` of the row: from, until.
    #[must_use]
    pub fn in_slab(self, (from, until): (u64, u64), slab_bytes: u64) -> (u64, u64) {
        let Some((interleave, stripe)) = self.stripe_bytes() else {
            return (0, slab_bytes);
        };
        let begin = (from / stripe).saturating_mul(interleave);
        let end = until.div_ceil(stripe).saturating_mul(interleave);
        (begin.min(slab_bytes), end.min(slab_bytes))
    }

    /// How many columns hold some of the bytes `from..until` of the row, at least: those of the stripe that has the most of them.
    #[must_use]
    pub fn least_data_columns(self, (from, until): (u64, u64)) -> u32 {
        let Some((interleave, stripe)) = self.stripe_bytes().filter(|_| from < until) else {
            return u32::from(from < until);
        };
        let of_stripe = |number: u64| {
            let begin = from.max(number.saturating_mul(stripe));
            let end = until.min(number.saturating_add(1).saturating_mul(stripe));
            end.div_ceil(interleave).saturating_sub(begin / interleave)
        };
        let (first, last) = (from / stripe, (until - 1) / stripe);
        // A stripe between the first and the last has all of its columns.
        let most = if last - first > 1 {
            u64::from(self.data_columns())
        } else {
            of_stripe(first).max(of_stripe(last))
        };
        u32::try_from(most).unwrap_or(u32::MAX).min(self.data_columns())
    }

    /// Bytes on a column before the next takes over, and bytes of a stripe.
    fn stripe_bytes(self) -> Option<(u64, u64)> {
        let interleave = self.interleave_bytes.filter(|&bytes| bytes > 0)?;
        let stripe = interleave.checked_mul(self.data_columns().into())?;
        (stripe > 0).then_some((interleave, stripe))
    }

    /// Whether a slab of so many bytes can be such a column.
    pub(super) fn is_possible(self, slab_bytes: u64) -> bool {
        let whole = |interleave: u64| interleave > 0 && slab_bytes.is_multiple_of(interleave);
        let numbers = self.column < self.columns && self.parity_columns > 0 && self.parity_columns < self.columns;
        numbers && self.interleave_bytes.is_none_or(whole)
    }

    /// Whether both are columns of one row, and different ones.
    pub(super) fn is_beside(self, other: Self) -> bool {
        self.column != other.column
            && Self {
                column: other.column,
                ..self
            } == other
    }
}

#[cfg(test)]
mod tests;
