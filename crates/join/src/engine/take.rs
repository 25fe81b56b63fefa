//! Events that go to the pool, one by one.

use fathom_model::{IoEvent, Observation, Op, StreamIndex, Tap, Unmatched, UnmatchedCause, VolumeIndex};

use super::Engine;
use super::devices::DeviceEntry;
use crate::layout::Places;
use crate::pool::{LegEvent, PendingIo};

impl Engine {
    pub(super) fn take(&mut self, observation: Observation, event: &IoEvent, device: &DeviceEntry, late: bool) {
        let contested = self.contested.contains(&(observation.stream, observation.ordinal));
        let node = self.streams[&observation.stream].node;
        let window = observation.end_unix_nanos().div_euclid(self.config.window_nanos);
        let cause = match event.tap {
            Tap::Volume => match device.volume.filter(|volume| self.layout.knows(*volume)) {
                None => UnmatchedCause::UnknownDevice,
                Some(_) if window < self.streams[&observation.stream].closed_until => UnmatchedCause::Late,
                Some(volume) => {
                    let time = (observation.start_unix_nanos, observation.end_unix_nanos());
                    let places = self.places(event.op, volume, (event.offset, event.length), time);
                    let io = self.pool.insert_io(PendingIo {
                        event: observation,
                        node,
                        volume,
                        op: event.op,
                        offset: event.offset,
                        length: event.length,
                        places,
                        correlation: event.correlation,
                        contested,
                        legs_contested: self.legs_contested.contains(&(observation.stream, observation.ordinal)),
                    });
                    let stream = self.streams.get_mut(&observation.stream).expect("the stream is open");
                    stream.windows.entry(window).or_default().push(io);
                    return;
                }
            },
            Tap::Initiator | Tap::Target | Tap::Device => {
                let copy = device.volume.zip(device.copy);
                let by_map = || {
                    let (volume, copy) = copy?;
                    self.layout.disk_at(volume, copy, device.peer?, event.offset)
                };
                let unplaced = device.unplaced && event.op != Op::Flush;
                let disk = if unplaced {
                    device.disk
                } else {
                    device.disk.or_else(by_map).or(device.spare)
                };
                // A disk without an offset says of a node at least which it is.
                let by_disk = || self.layout.node_of(disk.filter(|_| unplaced)?);
                let peer = device.peer.or_else(by_disk);
                let has_place = match event.tap {
                    // Of a disk that no topology has nobody's copy is.
                    Tap::Initiator if unplaced => peer.is_some() && !device.disk_unknown,
                    Tap::Initiator => device.peer.is_some(),
                    _ => disk.is_some(),
                };
                if has_place && (device.has_offsets || unplaced || event.op == Op::Flush) {
                    let shift = if event.op == Op::Flush { 0 } else { device.shift };
                    self.pool.insert_event(LegEvent {
                        event: observation,
                        tap: event.tap,
                        node,
                        device: event.device,
                        op: event.op,
                        offset: event.offset.wrapping_sub_signed(shift),
                        shift,
                        length: event.length,
                        disk,
                        peer,
                        copy,
                        correlation: event.correlation,
                        unplaced,
                        contested,
                        late,
                        kept: false,
                    });
                    return;
                }
                UnmatchedCause::UnknownDevice
            }
            Tap::Guest | Tap::Vhdx | Tap::Csv | Tap::Refs => UnmatchedCause::UnusedTap,
        };
        self.rows.unmatched.push(Unmatched {
            event: observation,
            tap: event.tap,
            node,
            disk: device.disk,
            device: device.name.clone(),
            op: event.op,
            offset: event.offset,
            length: event.length,
            cause,
        });
    }

    pub(super) fn places(&self, op: Op, volume: VolumeIndex, (offset, length): (u64, u64), time: (i64, i64)) -> Places {
        match op {
            Op::Flush => self.layout.disks(volume, time),
            Op::Read | Op::Write | Op::Unmap => self.layout.places_at(volume, offset, length, time),
        }
    }
}

pub(super) fn observation_of(stream: StreamIndex, ordinal: u64, event: &IoEvent) -> Observation {
    Observation {
        stream,
        ordinal,
        start_unix_nanos: event.start_unix_nanos,
        duration_nanos: event.duration_nanos,
        status: event.status,
    }
}
