//! What the daemon itself uses and reads, as its heartbeats say it.

use std::sync::{Arc, Mutex, PoisonError};

use fathom_proto::collect::v1 as wire;
use fathom_runtime::clock::{Clock, SystemClock};
use fathom_sources::Tally;
use fathom_sources::process;

use crate::orders::{Orders, profile_to_wire};

/// Lines about what cannot be read that a heartbeat has at most.
const MOST_TROUBLES: usize = 16;

/// How the daemon does. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    orders: Arc<Orders>,
    present: Arc<Mutex<Present>>,
}

#[derive(Debug, Default)]
struct Present {
    tally: Option<Tally>,
    spool_bytes: u64,
    /// What went wrong when a source was opened.
    refused: Option<String>,
}

impl Health {
    pub(crate) fn new(orders: Arc<Orders>) -> Self {
        Self {
            orders,
            present: Arc::default(),
        }
    }

    /// Keeps what the source says of itself.
    pub(crate) fn note(&self, tally: Option<Tally>, spool_bytes: u64) {
        let mut present = self.lock();
        present.tally = tally;
        present.spool_bytes = spool_bytes;
    }

    /// Keeps why an order could not be carried out; `None` when one could.
    pub(crate) fn note_refused(&self, refused: Option<String>) {
        self.lock().refused = refused;
    }

    /// As the wire has it.
    pub(crate) fn status(&self) -> wire::DaemonStatus {
        let usage = process::usage();
        let nanos = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let present = self.lock();
        let tally = present.tally.as_ref();
        let troubles = tally.iter().flat_map(|tally| &tally.troubles);
        wire::DaemonStatus {
            profile: profile_to_wire(self.orders.profile()).into(),
            ordered_for_nanos: self.orders.remaining().map(nanos),
            processor_nanos: usage.processor_nanos,
            memory_bytes: usage.memory_bytes,
            running_nanos: nanos(SystemClock.monotonic()),
            events_read: tally.map(|tally| tally.read),
            events_lost: tally.map(|tally| tally.lost),
            events_shed: tally.map(|tally| tally.shed),
            events_undecoded: tally.map(|tally| tally.undecoded),
            spool_bytes: present.spool_bytes,
            troubles: present
                .refused
                .iter()
                .chain(troubles)
                .take(MOST_TROUBLES)
                .cloned()
                .collect(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
