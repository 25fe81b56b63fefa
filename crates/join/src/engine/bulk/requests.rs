//! What the I/Os of a window that is about to close asked of a node, for those who look at its clock or at its disks.

use std::collections::BTreeSet;

use fathom_model::{DiskIndex, NodeIndex, StreamIndex};

use crate::engine::Engine;
use crate::engine::align::Request;

impl Engine {
    /// Adds the I/Os that were gathered for a window: what they asked of a node, and when each completed.
    pub(in crate::engine) fn gathered_requests(
        &self,
        stream: StreamIndex,
        node: NodeIndex,
        window: i64,
        requests: &mut Vec<Request>,
        ends: &mut Vec<(u64, i64)>,
    ) {
        if let Some(gathered) = self.streams[&stream].gathered.get(&window) {
            ends.extend(gathered.ios.iter().map(|io| (io.ordinal, io.end)));
            for io in &gathered.ios {
                let places = gathered.places[io.places()].iter().filter(|place| place.node == node);
                requests.extend(places.map(|place| Request {
                    ordinal: io.ordinal,
                    whole: (io.start, io.end),
                    op: io.op,
                    place: *place,
                }));
            }
        }
    }

    /// What the I/Os that were gathered for a window asked of some disks.
    pub(in crate::engine) fn gathered_of_disks(
        &self,
        stream: StreamIndex,
        window: i64,
        disks: &BTreeSet<DiskIndex>,
    ) -> Vec<Request> {
        let mut requests = Vec::new();
        if let Some(gathered) = self.streams[&stream].gathered.get(&window) {
            for io in &gathered.ios {
                let places = gathered.places[io.places()].iter();
                let places = places.filter(|place| disks.contains(&place.disk));
                requests.extend(places.map(|place| Request {
                    ordinal: io.ordinal,
                    whole: (io.start, io.end),
                    op: io.op,
                    place: *place,
                }));
            }
        }
        requests
    }
}
