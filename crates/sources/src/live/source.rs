//! The live source: from what a feed hands over to batches with promises.

use std::collections::VecDeque;
use std::time::Duration;

use fathom_etl::Clock;
use fathom_etl::decode::{Decoder, Settings, Unread};
use fathom_etl::event::{EventKey, providers};
use fathom_etl::layout::Layout;
use fathom_model::coverage::GapCause;
use fathom_model::{Device, Incarnation, IoColumns, NodeId, Tap, Topology};

use super::order::Order;
use super::pairs::Pairs;
use super::places::Places;
use super::shed::Shed;
use super::work::Work;
use super::{Counts, Fed, Feed, Item, Profile};
use crate::{Batch, Description, Error, Gap, Polled, Result, Source, Tally};

/// How a live source reads.
#[derive(Clone, Debug)]
pub struct Options {
    /// The node.
    pub node: NodeId,
    /// How much is read.
    pub profile: Profile,
    /// How events are stamped.
    pub clock: Clock,
    /// The wall clock in nanoseconds since 1970 and the stamps' clock in nanoseconds, at one moment.
    pub anchor: (i64, u64),
    /// How long after an event was logged it may come. Events wait so long for those that came by slower ways.
    pub hold: Duration,
    /// The cluster, where it is known.
    pub topology: Option<Topology>,
    /// What no source documents.
    pub settings: Settings,
    /// Layouts that were configured: they go before those of the system, and these before the public ones.
    pub layouts: Vec<(EventKey, Layout)>,
    /// What places slow I/O of a volume on its virtual disk.
    pub volumes: Vec<Volume>,
    /// Events that may wait in memory; slices are left out when it becomes full.
    pub most_held: usize,
}

/// Where a file system lies on its virtual disk: a cluster's place is `partition_offset + number * cluster_bytes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// As events of the file system name it.
    pub name: String,
    /// The virtual disk, as the topology names its volume.
    pub volume: String,
    /// Bytes of a cluster.
    pub cluster_bytes: u64,
    /// First byte of the partition on the virtual disk.
    pub partition_offset: u64,
}

/// How long there is nothing to do when nothing came: a slot of the order.
const NAP: Duration = Duration::from_millis(25);

/// A promise without events is made this often.
const QUIET_NANOS: i64 = 1_000_000_000;

/// So much time is declared thin at once where only slow I/O is read.
const THIN_NANOS: i64 = 3_600_000_000_000;

/// What a node logs now.
#[derive(Debug)]
pub struct LiveSource<F> {
    feed: F,
    options: Options,
    work: Work,
    taps: Vec<(Tap, u64)>,
    covered_from: Option<i64>,
    next: u64,
    /// The last promise that was given out.
    promised: i64,
    /// The feed's losses that were told already, and when it was looked.
    told: (u64, u64),
    looked: Option<i64>,
    /// Up to where time is declared thin: of slow I/O alone.
    thin_until: i64,
    gaps: VecDeque<Gap>,
    is_ended: bool,
    spool_fullness: f64,
    /// Of a feed that always hands over the same: what stands for it. It can wait, and is not thinned.
    incarnation: Option<Incarnation>,
    /// Events that a stream has already, of such a feed.
    skip: u64,
}

impl<F: Feed> LiveSource<F> {
    /// Reads from a feed that has begun; layouts that are of no use are given back with the reason.
    pub fn new(mut feed: F, options: Options) -> (Self, Vec<String>) {
        let mut decoder = Decoder::new(options.settings.clone());
        let mut refused = Vec::new();
        for (key, layout) in feed.layouts().iter().chain(&options.layouts) {
            if let Err(reason) = decoder.learn(*key, layout) {
                refused.push(reason.to_string());
            }
        }
        let mut taps = options.profile.taps(options.clock.resolution_nanos());
        // A tap whose events cannot be read is never expected: its legs are not missing, they are not seen.
        taps.retain(|(tap, _)| match tap {
            Tap::Initiator => decoder.knows_id(providers::CLUSPORT, 512) && decoder.knows_id(providers::CLUSPORT, 1536),
            Tap::Vhdx => options.profile == Profile::SlowOnly || !options.settings.vhd_io_types.is_empty(),
            _ => true,
        });
        let work = Work {
            profile: options.profile,
            clock: options.clock,
            decoder,
            pairs: Pairs::default(),
            places: Places::new(options.topology.clone()),
            order: Order::new(),
            shed: Shed::default(),
            volumes: options.volumes.clone(),
            counts: Counts::default(),
            late: None,
        };
        let anchor = options.anchor.0;
        let source = Self {
            feed,
            covered_from: (options.profile != Profile::Off).then_some(options.anchor.0),
            thin_until: options.anchor.0,
            options,
            work,
            taps,
            next: 0,
            promised: anchor,
            told: (0, 0),
            looked: None,
            gaps: VecDeque::new(),
            is_ended: false,
            spool_fullness: 0.0,
            incarnation: None,
            skip: 0,
        };
        (source, refused)
    }

    /// The same, where the feed would have seen what completed from then on and not before.
    #[must_use]
    pub const fn covering_from(mut self, unix_nanos: i64) -> Self {
        if self.covered_from.is_some() {
            self.covered_from = Some(unix_nanos);
        }
        self
    }

    /// The same over a feed that always hands over the same events, for which this incarnation stands.
    #[must_use]
    pub const fn repeatable(mut self, incarnation: Incarnation) -> Self {
        self.incarnation = Some(incarnation);
        self
    }

    /// What became of events.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = self.work.counts.clone();
        counts.pairs = self.work.pairs.counts;
        counts
    }

    /// Takes in what the feed has, and what it says of itself.
    fn drain(&mut self, elapsed: Duration) -> Result<()> {
        let work = &mut self.work;
        let fed = self.feed.drain(elapsed, &mut |item| match item {
            Item::Event(event) => work.event(&event),
            Item::Rendered(text) => work.rendered(text),
            Item::Disks(disks) => work.places.set_disks(disks),
        })?;
        self.look(&fed);
        Ok(())
    }

    fn look(&mut self, fed: &Fed) {
        let hold = i64::try_from(self.options.hold.as_nanos()).unwrap_or(i64::MAX);
        let now = fed.now_unix_nanos;
        // What was lost was logged since the last look, or waited in a buffer before it.
        let from = self.looked.unwrap_or(self.options.anchor.0).saturating_sub(hold);
        let lost = fed.lost.saturating_sub(self.told.0);
        if lost > 0 || fed.lost_buffers > self.told.1 {
            self.work.counts.lost += lost;
            let (from, until) = fed.lost_within.unwrap_or_else(|| (from.min(now), now));
            self.gaps.push_back(Gap {
                from_unix_nanos: from,
                until_unix_nanos: until,
                cause: GapCause::SourceDropped,
                // A buffer's events are not counted.
                events: (fed.lost_buffers == self.told.1).then_some(lost),
            });
            self.told = (fed.lost, fed.lost_buffers);
        }
        if let Some((from, until, events)) = self.work.late.take() {
            self.gaps.push_back(Gap {
                from_unix_nanos: from,
                until_unix_nanos: until.saturating_add(1),
                cause: GapCause::SourceDropped,
                events: Some(events),
            });
        }
        self.is_ended |= fed.is_ended;
        self.looked = Some(now);
        let until = if self.is_ended {
            i64::MAX
        } else {
            now.saturating_sub(hold)
        };
        self.work.order.complete(until);
        let gaps = &mut self.gaps;
        self.work.shed.over(until, |left| {
            gaps.push_back(Gap {
                from_unix_nanos: left.from_unix_nanos,
                until_unix_nanos: left.until_unix_nanos,
                cause: if left.is_spool_full {
                    GapCause::SpoolFull
                } else {
                    GapCause::Shed
                },
                events: Some(left.events),
            });
        });
        // Where only slow I/O is read, what is not seen is not absent: said ahead, a stretch at a time.
        if self.options.profile == Profile::SlowOnly && now.saturating_add(THIN_NANOS / 2) > self.thin_until {
            let from = self.thin_until;
            self.thin_until = now.max(from).saturating_add(THIN_NANOS);
            self.gaps.push_back(Gap {
                from_unix_nanos: from,
                until_unix_nanos: self.thin_until,
                cause: GapCause::Shed,
                events: None,
            });
        }
        let held = self.work.order.held() as f64 / self.options.most_held.max(1) as f64;
        if self.incarnation.is_none() {
            self.work.shed.set_pressure(held, self.spool_fullness);
        }
    }
}

impl<F: Feed> Source for LiveSource<F> {
    fn describe(&self) -> Description {
        Description {
            node: self.options.node.clone(),
            incarnation: self.incarnation,
            taps: self.taps.clone(),
            covered_from_unix_nanos: self.covered_from,
            topology: self.options.topology.clone(),
            // Times of a trace were not made from an anchor of ours.
            anchor: self.incarnation.is_none().then_some(self.options.anchor),
        }
    }

    fn devices(&self) -> &[Device] {
        self.work.places.devices()
    }

    fn seek(&mut self, ordinal: u64) -> Result<()> {
        let is_ahead = ordinal >= self.next + self.skip;
        if ordinal == self.next || (self.incarnation.is_some() && is_ahead) {
            self.skip = ordinal - self.next;
            return Ok(());
        }
        Err(Error::Gone {
            wanted: ordinal,
            next: self.next,
        })
    }

    fn poll(&mut self, elapsed: Duration, most: usize) -> Result<Polled> {
        if !self.is_ended {
            self.drain(elapsed)?;
        }
        if let Some(gap) = self.gaps.pop_front() {
            return Ok(Polled::Gap(gap));
        }
        let mut columns = IoColumns::with_capacity(most.min(4096));
        while self.skip > 0 {
            let mut known = IoColumns::default();
            let some = usize::try_from(self.skip).unwrap_or(usize::MAX).min(4096);
            self.work.order.take(some, &mut known);
            if known.is_empty() {
                break;
            }
            self.skip -= known.len() as u64;
            self.next += known.len() as u64;
        }
        if self.skip == 0 {
            self.work.order.take(most, &mut columns);
        }
        let promise = self.work.order.promise();
        if !columns.is_empty() {
            let first_ordinal = self.next;
            self.next += columns.len() as u64;
            self.promised = promise;
            return Ok(Polled::Events(Batch {
                first_ordinal,
                columns,
                complete_until_unix_nanos: promise,
            }));
        }
        if self.is_ended && self.skip > 0 {
            return Err(Error::Gone {
                wanted: self.next + self.skip,
                next: self.next,
            });
        }
        if self.is_ended {
            return Ok(Polled::End);
        }
        // Also where nothing is read: then nothing will come, and nobody is to wait for it. What a stream has already was promised already.
        if self.skip == 0 && promise >= self.promised.saturating_add(QUIET_NANOS) {
            self.promised = promise;
            return Ok(Polled::Quiet {
                complete_until_unix_nanos: promise,
            });
        }
        Ok(Polled::Later(NAP))
    }

    fn set_pressure(&mut self, fullness: f64) {
        // A file can wait.
        if self.incarnation.is_none() {
            self.spool_fullness = fullness;
        }
    }

    fn tally(&self) -> Option<Tally> {
        let counts = self.counts();
        let undecoded = counts
            .unread
            .iter()
            .filter(|((why, _), _)| !matches!(why, Unread::NotWanted | Unread::Foreign));
        Some(Tally {
            read: counts.seen,
            lost: counts.lost + counts.late,
            shed: counts.shed,
            undecoded: undecoded.map(|(_, count)| count).sum::<u64>() + counts.unreadable.values().sum::<u64>(),
            held: self.work.order.held() as u64,
            troubles: self.feed.troubles().into_iter().chain(counts.troubles()).collect(),
        })
    }
}

#[cfg(test)]
mod tests;
