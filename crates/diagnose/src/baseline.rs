//! What is usual here: how long I/Os of a kind take at a place, learnt of its own past.
//!
//! # What is learnt of
//!
//! Reads and writes in three classes of size, of whole I/Os by volume, of copies by pair of nodes as the initiator saw them, by node at its
//! bus target, and by disk; and of all of these together, a tap. A block of five minutes has a median where there are 50 values and a 99th
//! percentile where there are 200; an [`Hour`] the middle of what its blocks have, so that trouble of less than half an hour is not in it.
//!
//! # What is usual
//!
//! The weighted middle over the hours of the last 14 days. An hour counts half as much a week later, and an eighth where something that
//! was found wrong there was felt, or where it is more than twice what was usual before it: so what is long wrong takes long to become usual.
//! A published band ([`fathom_model::baseline::Band`]) counts as six hours of its limit; where there is none, nothing is usual before
//! six hours were seen.
//!
//! # Order
//!
//! The same rows in the same order give the same hours, whatever the calls. What comes later than a minute after its block is not counted.
//!
//! # What it is not
//!
//! It raises no finding: who is worse is told from equals ([`crate::watch`]). It says how what is found compares with before.

use std::sync::Arc;

use fathom_model::baseline::{Hour, Place, Share};
use fathom_model::sketch::Sketch;
use fathom_model::{Catalog, Io, JoinedRows};

pub mod course;
mod open;
mod past;
mod words;

pub use open::Recent;
pub use past::{Past, Pasts, Usual};
pub(crate) use words::BEGINS;
pub use words::{Comparison, compare, of_culprit, places};

use open::Open;

/// An hour.
pub(crate) const HOUR_NANOS: i64 = 3_600_000_000_000;

/// A block of it.
pub(crate) const BLOCK_NANOS: i64 = 300_000_000_000;

/// Blocks of an hour.
pub(crate) const BLOCKS: u32 = 12;

/// What is usual, as rows come in.
#[derive(Clone, Debug, Default)]
pub struct Baselines {
    open: Open,
    pasts: Arc<Pasts>,
    /// Hours that nobody has taken yet.
    hours: Vec<Hour>,
}

impl Baselines {
    /// Goes on from the hours that a predecessor wrote, in any order.
    pub fn resume(&mut self, hours: Vec<Hour>) {
        self.pasts = Arc::new(Pasts::of(hours));
    }

    /// Takes an I/O. Before it, what is over is closed: `was_felt` says whether something wrong was felt at a place in a stretch.
    pub fn add(
        &mut self,
        rows: &JoinedRows,
        io: &Io,
        catalog: &Catalog,
        was_felt: impl Fn(&Place, (i64, i64)) -> bool,
    ) {
        if self.open.is_due(io.event.end_unix_nanos()) {
            let hours = self.open.close(io.event.end_unix_nanos(), catalog);
            self.take(hours, was_felt);
        }
        self.open.add(rows, io);
    }

    /// Closes everything: nothing more comes, or for long not.
    pub fn finish(&mut self, catalog: &Catalog, was_felt: impl Fn(&Place, (i64, i64)) -> bool) {
        let hours = self.open.finish(catalog);
        self.take(hours, was_felt);
    }

    fn take(&mut self, hours: Vec<Hour>, was_felt: impl Fn(&Place, (i64, i64)) -> bool) {
        if hours.is_empty() {
            return;
        }
        let pasts = Arc::make_mut(&mut self.pasts);
        for mut hour in hours {
            let stretch = (hour.from_unix_nanos, hour.from_unix_nanos.saturating_add(HOUR_NANOS));
            hour.felt = was_felt(&hour.subject.place, stretch);
            pasts.add(&hour);
            self.hours.push(hour);
        }
    }

    /// Hours that were closed since this was asked last.
    pub fn take_hours(&mut self) -> Vec<Hour> {
        std::mem::take(&mut self.hours)
    }

    /// Whether there are hours that nobody has taken.
    #[must_use]
    pub const fn has_hours(&self) -> bool {
        !self.hours.is_empty()
    }

    /// The past of everything.
    #[must_use]
    pub const fn pasts(&self) -> &Arc<Pasts> {
        &self.pasts
    }

    /// What I/Os took at a place in the last seconds, against what is usual there; none where nothing was learnt, or too little came.
    #[must_use]
    pub fn compare_now(&self, places: &[Place], catalog: &Catalog) -> Option<Comparison> {
        if self.pasts.is_empty() {
            return None;
        }
        compare(&self.pasts, &self.open.recent(), places, catalog)
    }
}

/// A percentile of values, where there are enough of them to tell.
#[must_use]
pub fn told(values: &Sketch, share: Share) -> Option<u64> {
    let (least, of) = match share {
        Share::P50 => (50, 0.5),
        Share::P99 => (200, 0.99),
    };
    (values.count() >= least).then(|| values.quantile(of)).flatten()
}

#[cfg(test)]
mod tests;
