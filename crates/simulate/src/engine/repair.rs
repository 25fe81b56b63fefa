//! A repair: pieces from one drive to another, I/O of no write.

use fathom_model::Op;

use super::legs::{Leg, Of};
use super::{Engine, Step};
use crate::faults::{RepairJob, Timed};
use crate::layout::{DiskNumber, Part};
use crate::random::Random;
use crate::record::REPAIR;

const MIB: u64 = 1 << 20;

/// One of the pieces that a repair has under way.
#[derive(Debug)]
pub(super) struct Job {
    from: DiskNumber,
    to: DiskNumber,
    until: u64,
    random: Random,
    /// Where the next piece lies, counted from the middle of the drives.
    next: u64,
    /// Where the present piece lies on both drives, and its length.
    piece: (u64, u64),
}

impl Job {
    pub(super) fn new(repair: &Timed<RepairJob>, slot: u32, random: Random) -> Self {
        Self {
            from: repair.what.from,
            to: repair.what.to,
            until: repair.span.1,
            random,
            next: u64::from(slot) * 256 * MIB,
            piece: (0, 0),
        }
    }
}

impl Engine<'_> {
    /// The next piece is read, unless the repair or the run is over.
    pub(super) fn repair(&mut self, number: u32) {
        let over = self.is_over() && self.ios.is_empty();
        let half = self.config.disks.capacity_bytes / 2 / MIB * MIB;
        let job = &mut self.jobs[number as usize];
        if over || self.now >= job.until {
            return;
        }
        // Pieces of 1 to 2 MiB, one after the other through the second half of the drives.
        let length = MIB + job.random.below(257) * 4096;
        job.piece = (half + job.next % (half - 2 * MIB), length);
        job.next += 2 * MIB;
        let (from, to) = (job.from, job.to);
        let (leg, ticket) = self.repair_leg(number, Op::Read, from, self.layout.node_of(to));
        self.reach(leg, ticket);
    }

    fn repair_leg(&mut self, job: u32, op: Op, disk: DiskNumber, peer: u32) -> (u32, u32) {
        let ticket = self.ticket();
        let (disk_offset, length) = self.jobs[job as usize].piece;
        let leg = self.legs.insert(Leg {
            of: Of::Repair(job),
            op,
            part: Part {
                copy: 0,
                slab: 0,
                disk,
                disk_offset,
                length,
                of_parity: false,
            },
            from: peer,
            node: self.layout.node_of(disk),
            truth: REPAIR,
            ticket,
            sent: self.now,
            reached: 0,
            at_target: false,
            pieces: 0,
            irp: 0,
        });
        (leg, ticket)
    }

    /// A piece was read, and goes to the other drive; or it was written there, and the next one is read.
    pub(super) fn repair_served(&mut self, number: u32, op: Op) {
        let job = &self.jobs[number as usize];
        let (from, to) = (job.from, job.to);
        if op == Op::Write {
            self.at(self.now, Step::Repair { job: number });
            return;
        }
        let (leg, ticket) = self.repair_leg(number, Op::Write, to, self.layout.node_of(from));
        self.hand_over(leg, ticket, false);
    }
}
