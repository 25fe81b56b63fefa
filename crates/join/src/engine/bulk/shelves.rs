//! Memory that one round leaves to the next: a round needs about as much as the last one, and fresh pages cost more than the work that
//! is done on them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Round;
use super::gather::{Asking, Gathered};
use super::slice::{Decided, Scratch};
use crate::engine::Engine;
use crate::engine::lane::At;
use crate::slowest::End;

/// Buffers that the last rounds left.
#[derive(Debug, Default)]
pub(in crate::engine) struct Shelves {
    pub(super) gathered: Shelf<Gathered>,
    pub(super) asked: Shelf<Vec<Vec<Asking>>>,
    pub(super) decided: Shelf<Decided>,
    pub(super) ends: Shelf<Vec<End>>,
    pub(super) used: Shelf<Vec<At>>,
    pub(super) scratch: Shelf<Scratch>,
}

/// Empty buffers of one kind, for whichever thread asks.
#[derive(Debug, Default)]
pub(super) struct Shelf<T>(Mutex<Vec<T>>);

impl<T: Default> Shelf<T> {
    fn all(&self) -> MutexGuard<'_, Vec<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A buffer with room where there is one.
    pub(super) fn take(&self) -> T {
        self.all().pop().unwrap_or_default()
    }

    /// Leaves an empty buffer to others.
    pub(super) fn put(&self, buffer: T) {
        self.all().push(buffer);
    }

    /// Leaves all buffers of a round; what it had no use for goes.
    fn replace(&self, buffers: impl IntoIterator<Item = T>) {
        let mut all = self.all();
        all.clear();
        all.extend(buffers);
    }
}

impl Engine {
    pub(in crate::engine) fn shelve_gathered(&self, mut gathered: Gathered) {
        gathered.clear();
        self.shelves.gathered.put(gathered);
    }

    /// Keeps the memory of a round that is over.
    pub(in crate::engine) fn shelve(&self, round: Round) {
        let Round { gathered, slices, .. } = round;
        // What rows refer to is theirs.
        let gathered = gathered.into_iter().filter_map(Arc::into_inner).map(|mut gathered| {
            gathered.clear();
            gathered
        });
        self.shelves.gathered.replace(gathered);
        let (mut decided, mut used) = (Vec::new(), Vec::new());
        for slice in slices {
            decided.extend(slice.of_side.into_iter().map(|mut decided| {
                decided.clear();
                decided
            }));
            used.extend(slice.used.into_iter().map(|mut used| {
                used.clear();
                used
            }));
        }
        self.shelves.decided.replace(decided);
        self.shelves.used.replace(used);
    }
}
