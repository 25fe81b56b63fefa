//! The far side: the bus target and the drive behind it.

use fathom_model::{Op, Tap};
use smallvec::{SmallVec, smallvec};

use super::legs::Of;
use super::{Engine, Step};
use crate::layout::{DiskNumber, Part};
use crate::record::{DeviceKey, NOBODY, REPAIR, Seen};

/// What a cache drive takes before some of it goes to a capacity drive.
const DESTAGE_AFTER: u64 = 1 << 20;
/// How much then goes in one piece.
const DESTAGE_BYTES: u64 = 256 << 10;

/// A request at a drive.
#[derive(Debug)]
pub(super) struct Request {
    disk: DiskNumber,
    op: Op,
    offset: u64,
    length: u64,
    start: u64,
    irp: u64,
    /// The attempts that it is for: (leg, ticket). None of a destage.
    owners: SmallVec<[(u32, u32); 1]>,
}

/// Adjacent writes that are about to become one request.
#[derive(Debug)]
pub(super) struct Gathering {
    number: u64,
    offset: u64,
    length: u64,
    owners: SmallVec<[(u32, u32); 1]>,
}

impl Engine<'_> {
    /// A request is at the bus target.
    pub(super) fn reach(&mut self, at: u32, ticket: u32) {
        if !self.is_current(at, ticket) {
            return;
        }
        let now = self.now;
        let leg = &mut self.legs[at];
        let (from, node) = (leg.from, leg.node);
        if let Some(death) = self.dead[node as usize] {
            let detect = self.deaths[death as usize].what.detect;
            self.at(now + detect, Step::Fail { leg: at, ticket });
            return;
        }
        leg.reached = now;
        leg.at_target = true;
        let looked_at = self.hardware.receive(from, node, now);
        self.at(looked_at, Step::Issue { leg: at, ticket });
    }

    /// A leg goes to its drive, in pieces where it is longer than the drive takes.
    pub(super) fn issue(&mut self, at: u32, ticket: u32) {
        if !self.is_current(at, ticket) {
            return;
        }
        let leg = &mut self.legs[at];
        let (op, part, node) = (leg.op, leg.part, leg.node);
        let most = self.config.disks.max_transfer_bytes;
        if op == Op::Write && self.config.disks.merge_micros > 0.0 && part.length < most {
            leg.pieces = 1;
            self.gather(at, ticket, part);
            return;
        }
        let (disk, offset) = match self.layout.cache_of(node) {
            Some(cache) if op == Op::Write => (cache, self.cached(node, part)),
            _ => (part.disk, part.disk_offset),
        };
        // What moves no data is not split.
        let most = if matches!(op, Op::Read | Op::Write) {
            most
        } else {
            u64::MAX
        };
        let pieces = part.length.div_ceil(most).max(1);
        self.legs[at].pieces = pieces as u32;
        for piece in 0..pieces {
            let from = piece * most;
            let length = (part.length - from).min(most);
            self.drive(disk, op, (offset + from, length), smallvec![(at, ticket)]);
        }
    }

    fn drive(&mut self, disk: DiskNumber, op: Op, (offset, length): (u64, u64), owners: SmallVec<[(u32, u32); 1]>) {
        let irp = self.recorder.irp(self.layout.node_of(disk));
        let request = self.requests.insert(Request {
            disk,
            op,
            offset,
            length,
            start: self.now,
            irp,
            owners,
        });
        let done = self.hardware.drive(disk, self.now, op, length);
        self.at(done, Step::Driven { request });
    }

    /// A write waits a moment for one that continues it.
    fn gather(&mut self, at: u32, ticket: u32, part: Part) {
        let slot = part.disk.as_usize();
        let most = self.config.disks.max_transfer_bytes;
        if let Some(gathering) = &mut self.gatherings[slot]
            && gathering.offset + gathering.length == part.disk_offset
            && gathering.length + part.length <= most
        {
            gathering.length += part.length;
            gathering.owners.push((at, ticket));
            return;
        }
        self.flush_gathering(part.disk);
        self.gathered += 1;
        let number = self.gathered;
        self.gatherings[slot] = Some(Gathering {
            number,
            offset: part.disk_offset,
            length: part.length,
            owners: smallvec![(at, ticket)],
        });
        let wait = (self.config.disks.merge_micros * 1e3) as u64;
        let disk = part.disk;
        self.at(self.now + wait, Step::Gathered { disk, number });
    }

    /// The moment is over.
    pub(super) fn gathered(&mut self, disk: DiskNumber, number: u64) {
        let same = self.gatherings[disk.as_usize()]
            .as_ref()
            .is_some_and(|gathering| gathering.number == number);
        if same {
            self.flush_gathering(disk);
        }
    }

    fn flush_gathering(&mut self, disk: DiskNumber) {
        if let Some(gathering) = self.gatherings[disk.as_usize()].take() {
            self.drive(disk, Op::Write, (gathering.offset, gathering.length), gathering.owners);
        }
    }

    /// The next place of a node's cache drive; now and then something goes on to the capacity drives.
    fn cached(&mut self, node: u32, part: Part) -> u64 {
        let capacity = self.config.disks.capacity_bytes;
        let (next, waiting) = &mut self.caches[node as usize];
        let offset = if *next + part.length > capacity { 0 } else { *next };
        *next = offset + part.length;
        *waiting += part.length;
        if *waiting >= DESTAGE_AFTER {
            *waiting -= DESTAGE_AFTER;
            let to = part.disk_offset - part.disk_offset % DESTAGE_BYTES;
            let from = offset.saturating_sub(DESTAGE_AFTER);
            if let Some(cache) = self.layout.cache_of(node) {
                self.drive(cache, Op::Read, (from, DESTAGE_BYTES), SmallVec::new());
                self.drive(part.disk, Op::Write, (to, DESTAGE_BYTES), SmallVec::new());
            }
        }
        offset
    }

    /// The drive has done a request. Where all that it was for was given up, nobody hears of it.
    pub(super) fn driven(&mut self, request: u32) {
        let request = self.requests.remove(request);
        let node = self.layout.node_of(request.disk);
        self.recorder.free_irp(node, request.irp);
        let destage = request.owners.is_empty();
        let current: SmallVec<[(u32, u32); 1]> = request
            .owners
            .iter()
            .copied()
            .filter(|&(leg, ticket)| self.is_current(leg, ticket))
            .collect();
        if current.is_empty() && !destage {
            return;
        }
        let truths: SmallVec<[u32; 1]> = current.iter().map(|&(leg, _)| self.legs[leg].truth).collect();
        let seen = Seen {
            tap: Tap::Device,
            device: 0,
            op: request.op,
            offset: self.shown_offset(Tap::Device, request.disk, request.op, request.offset),
            length: request.length,
            start: request.start,
            end: 0,
            status: 0,
            irp: request.irp,
            owner: truths.first().copied().unwrap_or(NOBODY),
        };
        let event = self.see(node, DeviceKey::Drive(request.disk), seen);
        if let Some(event) = event {
            for &leg in truths.iter().skip(1).filter(|&&leg| leg < REPAIR) {
                self.recorder.share(node, event, leg);
            }
        }
        for (at, ticket) in current {
            let leg = &mut self.legs[at];
            leg.pieces -= 1;
            if leg.pieces > 0 {
                continue;
            }
            if leg.is_local() {
                self.leg_done(at);
                continue;
            }
            // The answer comes from the node's own drive, so no link has a part in it.
            let looked_at = self.hardware.receive(node, node, self.now);
            self.at(looked_at, Step::Served { leg: at, ticket });
        }
    }

    /// The target is done and sends its reply.
    pub(super) fn served(&mut self, at: u32, ticket: u32) {
        if !self.is_current(at, ticket) {
            return;
        }
        let leg = &mut self.legs[at];
        leg.at_target = false;
        let (node, op, part, of) = (leg.node, leg.op, leg.part, leg.of);
        let seen = Seen {
            tap: Tap::Target,
            device: 0,
            op,
            offset: part.disk_offset,
            length: part.length,
            start: leg.reached,
            end: 0,
            status: 0,
            irp: 0,
            owner: leg.truth,
        };
        let offset = self.shown_offset(Tap::Target, part.disk, op, part.disk_offset);
        self.see(node, DeviceKey::Target(part.disk), Seen { offset, ..seen });
        if let Of::Repair(job) = of {
            self.legs.remove(at);
            self.repair_served(job, op);
            return;
        }
        self.hand_over(at, ticket, true);
    }

    /// A bus target dies or comes back.
    pub(super) fn death(&mut self, number: u32, alive: bool) {
        let death = self.deaths[number as usize].what;
        if alive {
            if self.dead[death.node as usize] == Some(number) {
                self.dead[death.node as usize] = None;
            }
            return;
        }
        self.dead[death.node as usize] = Some(number);
        let mut failed = Vec::new();
        for (at, leg) in self.legs.iter_mut() {
            if leg.at_target && leg.node == death.node && !leg.is_local() {
                self.tickets = self.tickets.wrapping_add(1);
                leg.ticket = self.tickets;
                leg.at_target = false;
                failed.push((at, leg.ticket));
            }
        }
        for (at, ticket) in failed {
            self.at(self.now + death.detect, Step::Fail { leg: at, ticket });
        }
    }
}
