//! What writes would have taken without something.

use std::ops::ControlFlow;

use fathom_diagnose::what_if::WhatIf;
use fathom_model::Catalog;

use super::Snapshot;
use crate::error::Result;

impl Snapshot {
    /// What would have been, over all writes that pass the filter, and the names of everything. Blocks: files are read.
    pub(crate) fn what_if(&self) -> Result<(WhatIf, Catalog)> {
        let mut what_if = WhatIf::default();
        let names = self.each(|rows, _| {
            rows.ios.iter().for_each(|io| what_if.add(rows, io));
            ControlFlow::Continue(())
        })?;
        Ok((what_if, names))
    }
}
