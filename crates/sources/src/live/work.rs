//! What each event goes through between the feed and its order: decoder, pairs, disks, shedding.

use fathom_etl::Clock;
use fathom_etl::decode::{Decoder, Extent, PairKey, Place, Request, Seen, Unread};
use fathom_etl::event::RawEvent;
use fathom_etl::slow::{self, Slow, SlowIo};
use fathom_model::{IoEvent, Op, Tap};

use super::order::{Late, Order};
use super::pairs::Pairs;
use super::places::{Entry, Places};
use super::shed::Shed;
use super::source::Volume;
use super::{Counts, Profile};

/// What events go through. Apart from the feed, so that it can be lent to it.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) profile: Profile,
    pub(super) clock: Clock,
    pub(super) decoder: Decoder,
    pub(super) pairs: Pairs<Begun>,
    pub(super) places: Places,
    pub(super) order: Order,
    pub(super) shed: Shed,
    pub(super) volumes: Vec<Volume>,
    pub(super) counts: Counts,
    /// From the first to the last completion of those that came too late.
    pub(super) late: Option<(i64, i64, u64)>,
}

/// What is kept of an I/O until it ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    entry: Entry,
    op: Op,
    offset: u64,
    length: u64,
    correlation: Option<u64>,
}

impl Work {
    pub(super) fn event(&mut self, event: &RawEvent<'_>) {
        self.counts.seen += 1;
        let seen = match self.decoder.decode(event, &self.clock) {
            Ok(seen) => seen,
            Err(why) => return self.counts.unread(why, event),
        };
        match seen {
            Seen::Done {
                request,
                duration_nanos,
                status,
            } => {
                if !self.profile.keeps(request.op) {
                    self.counts.not_kept += 1;
                    return;
                }
                let (Some(end), Some(begun)) = (self.clock.unix_nanos(event.stamp), self.begun(&request)) else {
                    return self.counts.unread(Unread::Impossible, event);
                };
                let Some(start) = end.checked_sub_unsigned(duration_nanos) else {
                    return self.counts.unread(Unread::Impossible, event);
                };
                self.push(io(&begun, start, duration_nanos, status));
            }
            Seen::Begun { request, key } => self.begin(event, &request, key),
            Seen::Ended { key, status } => {
                let Some(end) = self.clock.unix_nanos(event.stamp) else {
                    return self.counts.unread(Unread::Impossible, event);
                };
                if let Some((start, begun)) = self.pairs.end(&key, end) {
                    self.push(io(&begun, start, end.abs_diff(start), status));
                }
            }
            Seen::Copies(_) => self.counts.copies += 1,
        }
    }

    fn begin(&mut self, event: &RawEvent<'_>, request: &Request<'_>, key: PairKey) {
        let Some(start) = self.clock.unix_nanos(event.stamp) else {
            return self.counts.unread(Unread::Impossible, event);
        };
        if !self.profile.keeps(request.op) {
            // Its end will find no begin; that is no loss.
            self.counts.not_kept += 1;
            return;
        }
        if let Some(begun) = self.begun(request) {
            self.pairs.begin(key, start, begun);
        }
    }

    /// An I/O with its device and in bytes; `None` where bytes cannot be made of its blocks.
    fn begun(&mut self, request: &Request<'_>) -> Option<Begun> {
        let has_offset = request.place != Place::Untold || request.op == Op::Flush;
        let entry = self.places.find(request.tap, request.site, has_offset);
        let sector = u64::from(entry.sector_bytes);
        let bytes = |blocks: u64| blocks.checked_mul(sector).filter(|_| sector > 0);
        let offset = match request.place {
            Place::Untold => Some(0),
            Place::Byte(offset) => Some(offset),
            Place::Block(block) => bytes(block),
        };
        let length = match request.extent {
            Extent::Untold => Some(0),
            Extent::Bytes(length) => Some(length),
            Extent::Blocks(blocks) => bytes(blocks),
        };
        let (Some(offset), Some(length)) = (offset, length) else {
            self.counts.without_block_size += 1;
            return None;
        };
        Some(Begun {
            entry,
            op: request.op,
            offset,
            length,
            correlation: request.correlation,
        })
    }

    #[inline]
    fn push(&mut self, event: IoEvent) {
        let end = event.end_unix_nanos();
        if !self.shed.keeps(end) {
            self.counts.shed += 1;
            return;
        }
        match self.order.push(event) {
            Ok(()) => self.counts.ios += 1,
            Err(Late) => {
                self.counts.late += 1;
                let (from, until, events) = self.late.unwrap_or((end, end, 0));
                self.late = Some((from.min(end), until.max(end), events + 1));
            }
        }
    }

    /// An event of the log.
    pub(super) fn rendered(&mut self, text: &str) {
        self.counts.seen += 1;
        let slow = slow::xml::parse(text)
            .map_err(|error| error.to_string())
            .and_then(|event| slow::decode(&event).map_err(|error| error.to_string()));
        match slow {
            Ok(Slow::Io(io)) => self.slow_io(&io),
            Ok(Slow::Path(_) | Slow::Latencies(_)) => self.counts.other_slow += 1,
            Err(why) => self.counts.unreadable(why),
        }
    }

    fn slow_io(&mut self, slow: &SlowIo) {
        // A file system whose place on its virtual disk is known gives what the volume's tap would.
        let volume = self
            .volumes
            .iter()
            .find(|volume| slow.tap == Tap::Refs && volume.name == slow.device);
        let on_volume = volume.zip(slow.block).and_then(|(volume, cluster)| {
            let offset = cluster
                .checked_mul(volume.cluster_bytes)?
                .checked_add(volume.partition_offset)?;
            Some((volume.volume.clone(), offset))
        });
        let (entry, offset) = match on_volume {
            Some((volume, offset)) => (self.places.find_volume(&volume), offset),
            None => {
                let serial = slow.serial.as_deref();
                let entry = self
                    .places
                    .find_text(slow.tap, &slow.device, serial, slow.tap == Tap::Device);
                let place = match slow.tap {
                    Tap::Device => slow.block.map(|block| block.checked_mul(u64::from(entry.sector_bytes))),
                    _ => Some(Some(0)),
                };
                match place {
                    Some(Some(offset)) if slow.tap != Tap::Device || entry.sector_bytes > 0 => (entry, offset),
                    None if slow.op == Op::Flush => (entry, 0),
                    _ => {
                        self.counts.without_block_size += 1;
                        return;
                    }
                }
            }
        };
        let Some(start) = slow.end_unix_nanos.checked_sub_unsigned(slow.duration_nanos) else {
            return self.counts.unreadable("a start before 1970".to_owned());
        };
        let begun = Begun {
            entry,
            op: slow.op,
            offset,
            length: slow.length.unwrap_or(0),
            correlation: None,
        };
        self.push(io(&begun, start, slow.duration_nanos, slow.status));
    }
}

#[inline]
const fn io(begun: &Begun, start: i64, duration_nanos: u64, status: u32) -> IoEvent {
    IoEvent {
        tap: begun.entry.tap,
        device: begun.entry.device,
        op: begun.op,
        offset: begun.offset,
        length: begun.length,
        start_unix_nanos: start,
        duration_nanos,
        status,
        correlation: begun.correlation,
    }
}
