//! What is asked of the volumes: operations, sizes, places.

use fathom_model::Op;

use crate::config::{Arrival, Config, Offsets, Volume};
use crate::random::{Purpose, Random, Zipf};

/// Offsets are drawn at multiples of this: what a file system on a volume does.
const ALIGN: u64 = 4096;

/// How often another place is drawn when one has enough writes under way.
const TRIES: u32 = 32;

/// One initiator's I/O on one volume.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) volume: u32,
    pub(crate) node: u32,
    pub(crate) arrival: Arrival,
    config: Volume,
    random: Random,
    zipf: Option<Zipf>,
    /// First byte of its log, and how far it is in it.
    log: (u64, u64),
    largest: u64,
}

/// An I/O that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) op: Op,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

impl Source {
    pub(crate) fn all(config: &Config) -> Vec<Self> {
        let mut sources: Vec<Self> = Vec::new();
        for (volume, of) in config.volumes.iter().enumerate() {
            for (at, &node) in of.initiators.iter().enumerate() {
                let log = match of.offsets {
                    Offsets::Log { bytes } => bytes * at as u64,
                    _ => 0,
                };
                sources.push(Self {
                    volume: volume as u32,
                    node,
                    arrival: of.arrival,
                    random: Random::new(config.seed, Purpose::Source, sources.len()),
                    zipf: match of.offsets {
                        Offsets::Zipf { blocks, exponent } => Some(Zipf::new(blocks, exponent)),
                        _ => None,
                    },
                    log: (log, 0),
                    largest: of.sizes.iter().map(|size| size.bytes).max().unwrap_or(ALIGN),
                    config: of.clone(),
                });
            }
        }
        sources
    }

    /// Until the next I/O of a source that makes so many a second.
    pub(crate) fn gap(&mut self) -> u64 {
        match self.arrival {
            Arrival::Rate(rate) => self.random.exponential(1e9 / rate) as u64 + 1,
            // The first requests of a queue are not made in the same instant.
            Arrival::QueueDepth(_) => self.random.below(500_000),
        }
    }

    /// The next I/O; none when every place that was drawn has enough writes under way, by `under_way(offset)`.
    pub(crate) fn next(&mut self, under_way: impl Fn(u64) -> u32) -> Option<Wanted> {
        let op = self.op();
        if op == Op::Flush {
            return Some(Wanted {
                op,
                offset: 0,
                length: 0,
            });
        }
        let length = self.size();
        let free = |offset: &u64| op != Op::Write || under_way(*offset) < self.config.same_block_limit;
        if let Offsets::Log { bytes } = self.config.offsets {
            let (first, mut at) = self.log;
            if at + length > bytes {
                at = 0;
            }
            let offset = first + at;
            return free(&offset).then(|| {
                self.log.1 = at + length;
                Wanted { op, offset, length }
            });
        }
        let mut random = self.random.clone();
        let offset = (0..TRIES).map(|_| self.place(&mut random, length)).find(free);
        self.random = random;
        offset.map(|offset| Wanted { op, offset, length })
    }

    fn place(&self, random: &mut Random, length: u64) -> u64 {
        match (self.config.offsets, &self.zipf) {
            (Offsets::Zipf { .. }, Some(zipf)) => zipf.draw(random) * self.largest,
            (Offsets::Same { offset }, _) => offset,
            _ => random.below((self.config.size_bytes - length) / ALIGN + 1) * ALIGN,
        }
    }

    fn op(&mut self) -> Op {
        let ops = self.config.ops;
        let mut at = self.random.unit() * ops.sum();
        for (op, weight) in [(Op::Write, ops.write), (Op::Read, ops.read), (Op::Flush, ops.flush)] {
            if at < weight {
                return op;
            }
            at -= weight;
        }
        if ops.unmap > 0.0 { Op::Unmap } else { Op::Write }
    }

    fn size(&mut self) -> u64 {
        let sizes = &self.config.sizes;
        let mut at = self.random.unit() * sizes.iter().map(|size| size.share).sum::<f64>();
        for size in sizes {
            if at < size.share {
                return size.bytes;
            }
            at -= size.share;
        }
        self.largest
    }
}

#[cfg(test)]
mod tests;
