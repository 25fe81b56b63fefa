//! Chance for made-up clusters.

/// Noise that is the same on every machine.
#[derive(Clone, Debug)]
pub(in super::super) struct Rng(u64);

impl Rng {
    pub(in super::super) fn new(seed: u64) -> Self {
        let mut rng = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        rng.next();
        rng.next();
        rng
    }

    pub(in super::super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }

    pub(in super::super) fn below(&mut self, most: u64) -> u64 {
        if most == 0 { 0 } else { self.next() % most }
    }

    pub(in super::super) fn between(&mut self, from: i64, until: i64) -> i64 {
        from + self.below((until - from).max(1) as u64) as i64
    }

    pub(in super::super) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }
}
