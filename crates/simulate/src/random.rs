//! Chance: a generator a purpose, so that one more disk or fault does not change what the others draw.
//!
//! Distributions are made here from `libm`, whose results are the same bits on every system; those of the standard library
//! are the system's own, and the same seed would not be the same recording everywhere.

use rand_core::Rng;
use rand_pcg::Pcg64;

/// What a generator is for; with the seed it decides everything that the generator gives.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub(crate) enum Purpose {
    Layout = 1,
    Clock,
    Source,
    Cpu,
    Link,
    Disk,
    Fault,
    Loss,
    Repair,
}

/// A generator of one purpose and one member (disk 3, link 7).
#[derive(Clone, Debug)]
pub(crate) struct Random(Pcg64);

impl Random {
    pub(crate) fn new(seed: u64, purpose: Purpose, member: usize) -> Self {
        let stream = ((purpose as u128) << 64) | member as u128;
        Self(Pcg64::new(u128::from(seed), stream))
    }

    /// Any 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// From 0 up to but without 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// From `-1` up to but without 1.
    pub(crate) fn signed(&mut self) -> f64 {
        self.unit().mul_add(2.0, -1.0)
    }

    /// From 0 up to but without `count`; 0 when there is nothing to choose from.
    pub(crate) fn below(&mut self, count: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(count)) >> 64) as u64
    }

    /// Whether something of this probability happens.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.unit() < probability
    }

    /// Exponential with this mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(1.0 - self.unit())
    }

    /// Log-normal: half of what is drawn is below `median`, `sigma` is the spread of its logarithm.
    pub(crate) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        if sigma <= 0.0 {
            return median;
        }
        // Box-Muller; the second value is not kept, so that a draw is always two steps of the generator.
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        let normal = radius * libm::cos(std::f64::consts::TAU * self.unit());
        median * libm::exp(sigma * normal)
    }
}

/// Few values of very unequal weight: value `k` (from 0) in proportion to `1 / (k + 1) ^ exponent`.
#[derive(Clone, Debug)]
pub(crate) struct Zipf {
    /// Share of the values up to and with this one.
    up_to: Vec<f64>,
}

impl Zipf {
    pub(crate) fn new(values: u32, exponent: f64) -> Self {
        let weights = (1..=values.max(1)).map(|rank| libm::pow(f64::from(rank), -exponent));
        let mut sum = 0.0;
        let mut up_to: Vec<f64> = weights
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        up_to.iter_mut().for_each(|share| *share /= sum);
        Self { up_to }
    }

    pub(crate) fn draw(&self, random: &mut Random) -> u64 {
        let at = random.unit();
        (self.up_to.partition_point(|&share| share <= at) as u64).min(self.up_to.len() as u64 - 1)
    }
}

#[cfg(test)]
mod tests;
