//! Which of many events may be wanted at all.

/// Some offsets, as far as a bit each tells: nearly all events of a lane are nobody's whom is asked for, and one look says so.
#[derive(Debug)]
pub(in crate::engine) struct Wanted {
    bits: Vec<u64>,
}

impl Wanted {
    /// So many bits, as a power of two: 8 KiB stay close to the processor.
    const BITS: u32 = 16;

    pub(in crate::engine) fn of(offsets: impl IntoIterator<Item = u64>) -> Self {
        let mut bits = vec![0; 1 << (Self::BITS - 6)];
        for offset in offsets {
            let at = Self::at(offset);
            bits[at / 64] |= 1_u64 << (at % 64);
        }
        Self { bits }
    }

    /// Whether an offset of the extent map may be among them; false for sure.
    pub(in crate::engine) fn may_have(&self, offset: u64) -> bool {
        let at = Self::at(offset);
        self.bits[at / 64] & (1 << (at % 64)) != 0
    }

    const fn at(offset: u64) -> usize {
        (offset.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - Self::BITS)) as usize
    }
}
