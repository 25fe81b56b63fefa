//! What a volume's configuration may be.

use super::{LONGEST_SECONDS, check_name, multiple, number, real};
use crate::config::{Arrival, Config, Offsets, Resiliency, Volume};
use crate::error::{Error, Result};

impl Config {
    pub(super) fn check_volume(&self, of: &str, volume: &Volume) -> Result<()> {
        check_name(&format!("{of}.name"), volume.label())?;
        number(&format!("{of}.size-bytes"), volume.size_bytes, 4096, 1 << 50)?;
        multiple(&format!("{of}.size-bytes"), volume.size_bytes, 4096)?;
        number(&format!("{of}.slab-bytes"), volume.slab_bytes, 1 << 20, 1 << 40)?;
        multiple(&format!("{of}.slab-bytes"), volume.slab_bytes, 4096)?;
        let needed = match (volume.resiliency, self.nodes) {
            (Resiliency::NestedTwoWay, _) => 2,
            (_, 1) => 1,
            (resiliency, _) => resiliency.copies(),
        };
        if self.nodes < needed {
            return Err(Error::field(
                format!("{of}.resiliency"),
                format!("{:?}", volume.resiliency),
                "one for which nodes suffice",
            ));
        }
        let copies_a_node = match volume.resiliency {
            Resiliency::NestedTwoWay => 2,
            resiliency if self.nodes == 1 => resiliency.copies(),
            _ => 1,
        };
        let most = self.disks.count / copies_a_node;
        if most == 0 {
            return Err(Error::field(
                "disks.count",
                self.disks.count,
                format!("at least {copies_a_node} for {of}.resiliency"),
            ));
        }
        number(&format!("{of}.columns"), volume.columns.into(), 1, most.into())?;
        if let Some(tier) = volume.parity {
            let of = format!("{of}.parity");
            number(
                &format!("{of}.size-bytes"),
                tier.size_bytes,
                4096,
                volume.size_bytes - 4096,
            )?;
            multiple(&format!("{of}.size-bytes"), tier.size_bytes, 4096)?;
            let disks = self.disks.count.saturating_mul(self.nodes);
            number(&format!("{of}.columns"), tier.columns.into(), 2, disks.into())?;
            number(
                &format!("{of}.parity-columns"),
                tier.parity_columns.into(),
                1,
                u64::from(tier.columns) - 1,
            )?;
        }
        if volume.columns > 1 || volume.parity.is_some() {
            number(
                &format!("{of}.interleave-bytes"),
                volume.interleave_bytes,
                4096,
                volume.slab_bytes,
            )?;
            multiple(&format!("{of}.interleave-bytes"), volume.interleave_bytes, 4096)?;
            if !volume.slab_bytes.is_multiple_of(volume.interleave_bytes) {
                return Err(Error::field(
                    format!("{of}.slab-bytes"),
                    volume.slab_bytes,
                    "a multiple of interleave-bytes",
                ));
            }
        }
        for (at, node) in volume.initiators.iter().enumerate() {
            self.check_node(&format!("{of}.initiators[{at}]"), *node)?;
            if volume.initiators[..at].contains(node) {
                return Err(Error::field(format!("{of}.initiators[{at}]"), node, "there once"));
            }
        }
        let row_bytes = volume.slab_bytes.saturating_mul(volume.columns.into()).max(1);
        for (at, slabs) in volume.moves.iter().enumerate() {
            let of = format!("{of}.moves[{at}]");
            let rows = volume.mirrored_bytes().div_ceil(row_bytes);
            number(&format!("{of}.slab"), slabs.slab.into(), 0, rows.saturating_sub(1))?;
            number(
                &format!("{of}.copy"),
                slabs.copy.into(),
                0,
                u64::from(volume.resiliency.copies()) - 1,
            )?;
            real(&format!("{of}.at-seconds"), slabs.at_seconds, 0.0, LONGEST_SECONDS)?;
            let earlier = volume.moves[..at].iter();
            if earlier
                .into_iter()
                .any(|other| (other.slab, other.copy) == (slabs.slab, slabs.copy))
            {
                return Err(Error::field(of, "a second move", "the only one of its slab and copy"));
            }
        }
        self.check_load(of, volume)
    }

    fn check_load(&self, of: &str, volume: &Volume) -> Result<()> {
        match volume.arrival {
            Arrival::Rate(rate) => real(&format!("{of}.arrival.rate"), rate, 1e-3, 1e7)?,
            Arrival::QueueDepth(depth) => number(&format!("{of}.arrival.queue-depth"), depth.into(), 1, 4096)?,
        }
        let ops = &volume.ops;
        for (op, weight) in [
            ("read", ops.read),
            ("write", ops.write),
            ("flush", ops.flush),
            ("unmap", ops.unmap),
        ] {
            real(&format!("{of}.ops.{op}"), weight, 0.0, 1e9)?;
        }
        if ops.sum() <= 0.0 {
            return Err(Error::field(
                format!("{of}.ops"),
                "all 0",
                "more than 0 for one of them",
            ));
        }
        number(&format!("{of}.sizes (their count)"), volume.sizes.len() as u64, 1, 64)?;
        for (at, size) in volume.sizes.iter().enumerate() {
            let field = format!("{of}.sizes[{at}].bytes");
            number(&field, size.bytes, 512, volume.size_bytes.min(64 << 20))?;
            multiple(&field, size.bytes, 512)?;
            real(&format!("{of}.sizes[{at}].share"), size.share, 1e-9, 1e9)?;
        }
        let largest = volume.sizes.iter().map(|size| size.bytes).max().unwrap_or(0);
        match volume.offsets {
            Offsets::Uniform => {}
            Offsets::Zipf { blocks, exponent } => {
                let most = (volume.size_bytes / largest).min(1 << 20);
                number(&format!("{of}.offsets.zipf.blocks"), blocks.into(), 1, most)?;
                real(&format!("{of}.offsets.zipf.exponent"), exponent, 0.0, 10.0)?;
            }
            Offsets::Log { bytes } => {
                let initiators = volume.initiators.len().max(1) as u64;
                number(
                    &format!("{of}.offsets.log.bytes"),
                    bytes,
                    largest,
                    volume.size_bytes / initiators,
                )?;
                multiple(&format!("{of}.offsets.log.bytes"), bytes, 512)?;
            }
            Offsets::Same { offset } => {
                number(
                    &format!("{of}.offsets.same.offset"),
                    offset,
                    0,
                    volume.size_bytes - largest,
                )?;
                multiple(&format!("{of}.offsets.same.offset"), offset, 512)?;
            }
        }
        number(
            &format!("{of}.same-block-limit"),
            volume.same_block_limit.into(),
            1,
            1 << 20,
        )
    }
}
