//! A second of a busy node's events as bytes, in slices.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use fathom_etl::Clock;
use fathom_etl::event::{EventKey, RawEvent, providers};
use fathom_etl::layout::Layout;
use fathom_sources::live::chunk::{Chunks, events};
use fathom_sources::live::{Disk, Fed, Feed, Item};

/// A slice of event time; it is repeated with later stamps.
pub(super) const SLICE: Duration = Duration::from_millis(25);

/// Slices of a second.
pub(super) const SLICES: u32 = 40;

/// Ticks a second of the stamps: those of most machines.
const FREQUENCY: u64 = 10_000_000;

const TICKS: i64 = (FREQUENCY / SLICES as u64) as i64;

const BEGIN_UNIX_NANOS: i64 = 1_790_000_000_000_000_000;

const BEGUN: EventKey = EventKey {
    provider: providers::CLUSPORT,
    id: 512,
    version: 0,
};
const DONE: EventKey = EventKey { id: 1536, ..BEGUN };

/// One slice as blocks of events.
pub(super) struct Load {
    blocks: Vec<Vec<u8>>,
    events: u64,
}

impl Load {
    /// So many writes a second, each a volume's event, and of each copy a begin and an end on the bus and a drive's event.
    pub(super) fn new(trace: &[u8], writes: u32, copies: u32) -> Result<Self> {
        let mut recorded = Vec::new();
        fathom_etl::walk(trace, |event: &RawEvent<'_>| {
            if event.key.provider == providers::DISK_IO && event.key.id == 11 && event.payload.len() == 52 {
                recorded.push((event.key, event.payload.to_vec()));
            }
        })?;
        if recorded.is_empty() {
            bail!("the trace has no writes of a machine with 64 bits");
        }
        let slice = (writes / SLICES).max(1);
        let mut made: Vec<(i64, EventKey, Vec<u8>)> = Vec::new();
        for write in 0..slice {
            let (key, payload) = &recorded[write as usize % recorded.len()];
            let step = TICKS * i64::from(write) / i64::from(slice);
            let irp = 0xffff_8000_0000_0000 | u64::from(write) << 12;
            let disk = |number: u32, offset: u64, irp: u64, response: u64| {
                let mut payload = payload.clone();
                payload[0..4].copy_from_slice(&number.to_le_bytes());
                payload[16..24].copy_from_slice(&offset.to_le_bytes());
                payload[32..40].copy_from_slice(&irp.to_le_bytes());
                payload[40..48].copy_from_slice(&response.to_le_bytes());
                payload
            };
            // Offsets as scattered as a database's.
            let offset = (u64::from(write).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) & !0xfff;
            for copy in 0..copies {
                let leg = irp | u64::from(copy + 1) << 4;
                let device = 1_000 * (copy + 1) + write % 8;
                let begun = [&device.to_le_bytes()[..], &leg.to_le_bytes(), &[4, 0]].concat();
                let done = [&device.to_le_bytes()[..], &leg.to_le_bytes(), &[0; 4]].concat();
                made.push((step, BEGUN, begun));
                made.push((step + 900 + i64::from(copy), DONE, done));
                made.push((
                    step + 700 + i64::from(copy),
                    *key,
                    disk(10 + write % 8, offset, leg, 400),
                ));
            }
            made.push((step + 1_000, *key, disk(5, offset, irp, 1_000)));
        }
        made.sort_by_key(|(stamp, ..)| *stamp);
        let chunks = Chunks::new(256 << 20);
        for (stamp, key, payload) in &made {
            let event = RawEvent {
                key: *key,
                stamp: *stamp,
                pointer_bytes: 8,
                payload,
            };
            if !chunks.put(&event) {
                bail!("a slice of {slice} writes is too large");
            }
        }
        Ok(Self {
            blocks: chunks.take().blocks,
            events: made.len() as u64,
        })
    }

    pub(super) fn blocks(&self) -> &[Vec<u8>] {
        &self.blocks
    }

    pub(super) const fn events_a_second(&self) -> u64 {
        self.events * SLICES as u64
    }

    pub(super) const fn clock(&self) -> Clock {
        Clock::of_counter(FREQUENCY, 0, BEGIN_UNIX_NANOS)
    }

    pub(super) const fn begin_unix_nanos(&self) -> i64 {
        BEGIN_UNIX_NANOS
    }
}

/// The slice over and over.
pub(super) struct Looped<'a> {
    load: &'a Load,
    slices: u32,
    given: u32,
    disks: Vec<Disk>,
}

impl<'a> Looped<'a> {
    pub(super) fn new(load: &'a Load, seconds: u32) -> Self {
        let disk = |number: u32, is_space| Disk {
            number: Some(number),
            unique_id: format!("eui.{number:016x}"),
            is_space,
            sector_bytes: 4096,
            ..Disk::default()
        };
        Self {
            load,
            slices: seconds * SLICES,
            given: 0,
            disks: std::iter::once(disk(5, true))
                .chain((10..18).map(|number| disk(number, false)))
                .collect(),
        }
    }
}

impl Feed for Looped<'_> {
    fn drain(&mut self, elapsed: Duration, take: &mut dyn FnMut(Item<'_>)) -> fathom_sources::Result<Fed> {
        if self.given == 0 {
            take(Item::Disks(&self.disks));
        }
        while self.given < self.slices && SLICE * (self.given + 1) <= elapsed {
            let later = TICKS * i64::from(self.given);
            for block in self.load.blocks() {
                for event in events(block) {
                    take(Item::Event(RawEvent {
                        stamp: event.stamp + later,
                        ..event
                    }));
                }
            }
            self.given += 1;
        }
        Ok(Fed {
            now_unix_nanos: BEGIN_UNIX_NANOS + i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX),
            is_ended: self.given == self.slices,
            ..Fed::default()
        })
    }

    fn layouts(&mut self) -> Vec<(EventKey, Layout)> {
        let layout = |text: &str| text.parse().context("a layout");
        let both = [
            (BEGUN, layout("DeviceNumber:u32 Irp:pointer Major:u8 Minor:u8")),
            (DONE, layout("DeviceNumber:u32 Irp:pointer Status:u32")),
        ];
        both.into_iter()
            .filter_map(|(key, layout)| Some((key, layout.ok()?)))
            .collect()
    }
}
