//! Which writes a flush made durable, and which flush made a write so.

use std::ops::ControlFlow;

use fathom_diagnose::durable::Durability;
use fathom_model::report::{Covered, CoveredBy, IoDetail};
use fathom_model::{Catalog, Io};
use fathom_store::Span;

use super::Snapshot;
use crate::error::Result;

/// So far before and after an I/O is looked: where the nearer stretch does not tell, the longer one. Flushes come by the second,
/// and who looks an hour back reads the whole store.
const REACHES: [i64; 2] = [10_000_000_000, 600_000_000_000];

impl Snapshot {
    /// What a flush covers, or what covers a write; neither of what failed, and of reads. Blocks: files are read.
    pub(crate) fn durability(&self, io: &IoDetail) -> Result<(Option<Covered>, Option<CoveredBy>)> {
        let Some(asked) = Durability::of(io) else {
            return Ok((None, None));
        };
        let mut last = asked.clone();
        for reach in REACHES {
            last = asked.clone();
            let (from, until) = last.span(reach);
            let span = Span {
                from_unix_nanos: from,
                until_unix_nanos: until,
            };
            self.each_io(span, |io, catalog| last.look(io, catalog))?;
            self.each_io(span, |io, catalog| last.count(io, catalog))?;
            if last.is_settled() {
                break;
            }
        }
        Ok(last.finish())
    }

    /// Hands out every I/O that completed in a stretch of time, and some around it, whatever the filter.
    fn each_io(&self, span: Span, mut take: impl FnMut(&Io, &Catalog)) -> Result<()> {
        self.unfiltered()
            .each_in(span, Catalog::clone(&self.view.catalog), &mut |rows, catalog| {
                rows.ios.iter().for_each(|io| take(io, catalog));
                ControlFlow::Continue(())
            })?;
        Ok(())
    }
}
