//! Shedding under load: by slices of event time that every node thins by one rule, and never a random part of a write.
//!
//! A slice is a second of event time. At level k a slice is kept when its number is a multiple of 2^k, on all nodes alike, so that the legs
//! of what is kept are kept as well. A slice's level is fixed when its first event comes. What is left out is a gap with its count.

use std::collections::BTreeMap;

/// A slice of event time.
const SLICE_NANOS: i64 = 1_000_000_000;

/// At this level nothing is kept.
pub(super) const NOTHING: u8 = u8::MAX;

/// Highest level below that: one slice in eight.
const HIGHEST: u8 = 3;

/// A slice that was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) from_unix_nanos: i64,
    pub(super) until_unix_nanos: i64,
    pub(super) events: u64,
    /// Whether the spool had no room for any of it, rather than a part that was left out by the rule or memory that was full.
    pub(super) is_spool_full: bool,
}

#[derive(Debug)]
struct Slice {
    level: u8,
    is_spool_full: bool,
    left_out: u64,
}

/// Decides what is kept.
#[derive(Debug, Default)]
pub(super) struct Shed {
    level: u8,
    is_spool_full: bool,
    slices: BTreeMap<i64, Slice>,
    /// The last slice that was asked about and kept whole: the common way.
    kept: Option<i64>,
}

impl Shed {
    /// How full memory and the spool are, from 0 to 1: slices that begin from now on are thinned by the fuller of them.
    pub(super) fn set_pressure(&mut self, memory: f64, spool: f64) {
        self.level = level(memory.max(spool));
        self.is_spool_full = level(spool) == NOTHING;
    }

    /// Whether an event that completed then is kept.
    #[inline]
    pub(super) fn keeps(&mut self, end_unix_nanos: i64) -> bool {
        let number = end_unix_nanos.div_euclid(SLICE_NANOS);
        if self.kept == Some(number) {
            return true;
        }
        let slice = self.slices.entry(number).or_insert(Slice {
            level: self.level,
            is_spool_full: self.is_spool_full,
            left_out: 0,
        });
        let keeps = match slice.level {
            NOTHING => false,
            level => number.rem_euclid(1 << level.min(HIGHEST)) == 0,
        };
        if keeps {
            self.kept = Some(number);
        } else {
            slice.left_out += 1;
        }
        keeps
    }

    /// The slices that ended before this, of those that were left out; they are forgotten.
    pub(super) fn over(&mut self, until_unix_nanos: i64, mut tell: impl FnMut(LeftOut)) {
        while let Some(entry) = self.slices.first_entry() {
            let from = entry.key().saturating_mul(SLICE_NANOS);
            if from.saturating_add(SLICE_NANOS) > until_unix_nanos {
                return;
            }
            let slice = entry.remove();
            if slice.left_out > 0 {
                tell(LeftOut {
                    from_unix_nanos: from,
                    until_unix_nanos: from.saturating_add(SLICE_NANOS),
                    events: slice.left_out,
                    is_spool_full: slice.is_spool_full,
                });
            }
        }
    }
}

fn level(fullness: f64) -> u8 {
    match fullness {
        full if full >= 0.95 => NOTHING,
        full if full >= 0.85 => HIGHEST,
        full if full >= 0.70 => 2,
        full if full >= 0.50 => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(shed: &mut Shed, seconds: std::ops::Range<i64>) -> Vec<i64> {
        seconds.filter(|second| shed.keeps(second * SLICE_NANOS + 7)).collect()
    }

    #[test]
    fn all_nodes_keep_the_same_slices() {
        for (fullness, expected) in [
            (0.1, vec![16, 17, 18, 19, 20, 21, 22, 23, 24]),
            (0.5, vec![16, 18, 20, 22, 24]),
            (0.7, vec![16, 20, 24]),
            (0.9, vec![16, 24]),
            (0.96, vec![]),
        ] {
            let mut shed = Shed::default();
            shed.set_pressure(fullness, 0.0);
            assert_eq!(kept(&mut shed, 16..25), expected, "{fullness}");
        }
    }

    #[test]
    fn a_slice_that_has_begun_stays_as_it_was() {
        let mut shed = Shed::default();
        assert!(shed.keeps(3 * SLICE_NANOS));
        shed.set_pressure(0.2, 0.99);
        assert!(shed.keeps(3 * SLICE_NANOS + 1));
        assert!(!shed.keeps(4 * SLICE_NANOS));
        shed.set_pressure(0.0, 0.0);
        assert!(!shed.keeps(4 * SLICE_NANOS + 1));
        assert!(shed.keeps(3 * SLICE_NANOS + 2) && shed.keeps(5 * SLICE_NANOS));
        let mut told = Vec::new();
        shed.over(4 * SLICE_NANOS + 1, |left| told.push(left));
        assert_eq!(told, []);
        shed.over(6 * SLICE_NANOS, |left| told.push(left));
        assert_eq!(told.len(), 1);
        assert_eq!(
            (told[0].from_unix_nanos, told[0].events, told[0].is_spool_full),
            (4 * SLICE_NANOS, 2, true)
        );
    }

    #[test]
    fn full_memory_is_no_full_spool() {
        let mut shed = Shed::default();
        shed.set_pressure(0.99, 0.6);
        assert!(!shed.keeps(4 * SLICE_NANOS));
        let mut told = Vec::new();
        shed.over(6 * SLICE_NANOS, |left| told.push(left.is_spool_full));
        assert_eq!(told, [false]);
    }
}
