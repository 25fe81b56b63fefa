//! What was asked of disks on which a vote is held.

use std::collections::BTreeSet;

use fathom_model::{DiskIndex, NodeIndex, Op, StreamIndex};

use super::{Asked, VOTERS};
use crate::engine::Engine;
use crate::engine::align::{Request, is_sampled};
use crate::pool::PendingIo;

/// Of so many times as many requests those that vote are chosen.
const LOOKED_UP: usize = 4;

impl Engine {
    /// What the I/Os of a window asked of some disks: of those of which it is far more than can vote, of a part of their places.
    pub(super) fn asked(&self, window: i64, streams: &[StreamIndex], disks: &BTreeSet<DiskIndex>) -> Asked {
        let mut counts = vec![0; self.catalog.disks().len()];
        for &stream in streams {
            self.count_gathered(stream, window, &mut counts);
            for place in self.pooled_of(stream, window).flat_map(|io| &io.places.places) {
                counts[place.disk.as_usize()] += 1;
            }
        }
        let mut one_in = vec![0; counts.len()];
        for disk in disks {
            one_in[disk.as_usize()] = (counts[disk.as_usize()] / (LOOKED_UP * VOTERS)).max(1) as u64;
        }
        let mut asked = self.asked_of(window, streams, &one_in);
        // Where few places are asked for again and again, a part of them may be next to none.
        let few = |disk: &DiskIndex| asked.get(disk).is_none_or(|requests| requests.len() < 2 * VOTERS);
        let again = |disk: &DiskIndex| one_in[disk.as_usize()] > 1 && few(disk);
        let again: Vec<DiskIndex> = disks.iter().copied().filter(again).collect();
        if !again.is_empty() {
            one_in.fill(0);
            again.iter().for_each(|disk| one_in[disk.as_usize()] = 1);
            asked.extend(self.asked_of(window, streams, &one_in));
        }
        asked
    }

    /// The I/Os of a window that are in the pool and have places.
    fn pooled_of(&self, stream: StreamIndex, window: i64) -> impl Iterator<Item = &PendingIo> {
        let ios = self.streams[&stream].windows.get(&window).into_iter().flatten();
        ios.map(|&io| &self.pool.ios[io]).filter(|io| io.op != Op::Flush)
    }

    /// What the I/Os of a window asked of each disk, of one place in so many; nothing where that is 0.
    fn asked_of(&self, window: i64, streams: &[StreamIndex], one_in: &[u64]) -> Asked {
        let of_streams = self.workers.map(streams.len(), |at| {
            let stream = streams[at];
            let mut requests = self.gathered_of_disks(stream, window, one_in);
            for io in self.pooled_of(stream, window) {
                let places = io.places.places.iter().filter(|place| {
                    let one_in = one_in[place.disk.as_usize()];
                    one_in > 0 && is_sampled(place.offset, one_in)
                });
                requests.extend(places.map(|place| Request {
                    ordinal: io.event.ordinal,
                    whole: (io.event.start_unix_nanos, io.event.end_unix_nanos()),
                    op: io.op,
                    place: *place,
                }));
            }
            requests.sort_unstable_by_key(|request| (request.ordinal, request.place.part, request.place.copy));
            requests
        });
        let mut asked = Asked::new();
        for (&stream, requests) in streams.iter().zip(of_streams) {
            for request in requests {
                asked.entry(request.place.disk).or_default().push((stream, request));
            }
        }
        asked
    }

    /// What all open I/Os of some streams that completed before a window's cut asked of some disks, where the disks' nodes were heard
    /// as far because the window needs them.
    pub(super) fn asked_until(&self, window: i64, streams: &[StreamIndex], disks: &BTreeSet<DiskIndex>) -> Asked {
        let nodes: BTreeSet<NodeIndex> = disks.iter().filter_map(|&disk| self.layout.node_of(disk)).collect();
        let mut asked = Asked::new();
        for &stream in streams {
            let heard = self.copy_nodes(window, stream);
            for &node in nodes.intersection(&heard) {
                let requests = self.requests(stream, node, self.cut(window)).places.into_iter();
                for request in requests.filter(|request| disks.contains(&request.place.disk)) {
                    asked.entry(request.place.disk).or_default().push((stream, request));
                }
            }
        }
        asked
    }
}
