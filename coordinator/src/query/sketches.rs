//! Latencies as sketches, which can be added up over clusters.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use fathom_model::rollup::TapLatency;
use fathom_model::sketch::Sketch;
use fathom_model::{Op, Tap};

use super::Snapshot;
use super::sums::{Needed, Source};
use crate::error::Result;

impl Snapshot {
    /// How long operations took, by tap and operation. Blocks: files are read.
    pub(crate) fn sketches(&self, by_tables: bool) -> Result<(Vec<TapLatency>, Source)> {
        let mut sketches: BTreeMap<(Tap, Op), Sketch> = BTreeMap::new();
        let source = if by_tables {
            let sums = self.sums(Needed::Sketches)?;
            for (key, sketch) in &sums.totals.latency {
                sketches.entry((key.tap, key.op)).or_default().merge(sketch);
            }
            Source::tables(sums.files)
        } else {
            self.each(|rows, _| {
                for io in &rows.ios {
                    let mut add = |tap, nanos| sketches.entry((tap, io.op)).or_default().add(nanos);
                    add(Tap::Volume, io.event.duration_nanos);
                    for leg in rows.legs_of(io) {
                        for tap in [Tap::Initiator, Tap::Target, Tap::Device] {
                            if let Some(seen) = leg.observation(tap) {
                                add(tap, seen.duration_nanos);
                            }
                        }
                    }
                }
                ControlFlow::Continue(())
            })?;
            self.source_of_rows()
        };
        let rows = sketches.into_iter();
        Ok((
            rows.map(|((tap, op), sketch)| TapLatency { tap, op, sketch }).collect(),
            source,
        ))
    }
}
