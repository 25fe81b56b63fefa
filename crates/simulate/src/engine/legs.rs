//! The initiator's side: I/Os, their legs, and what becomes of a leg whose target dies.

use fathom_model::{Op, Tap};
use smallvec::SmallVec;

use super::{Engine, Step};
use crate::config::Arrival;
use crate::layout::Part;
use crate::record::{DeviceKey, NOBODY, Seen};
use crate::truth::TruthSlowest;

/// `ECONNRESET`: the status of a leg whose target died. Recordings carry errnos.
pub(crate) const RESET: u32 = 104;

/// An I/O on a volume that is under way.
#[derive(Debug)]
pub(super) struct Io {
    pub(super) source: u32,
    pub(super) volume: u32,
    pub(super) node: u32,
    pub(super) op: Op,
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) start: u64,
    /// Its number in the truth, or [`NOBODY`] or [`REPAIR`](crate::record::REPAIR).
    pub(super) truth: u32,
    pub(super) irp: u64,
    /// Legs that are not done.
    pub(super) open: u32,
    /// The last leg to be done so far: when, its node and its copy.
    pub(super) last: Option<(u64, u32, u32)>,
    /// How long after the one before it.
    pub(super) lead: Option<u64>,
}

/// Whose leg it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Io(u32),
    Repair(u32),
}

/// A leg that is under way.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) of: Of,
    pub(super) op: Op,
    pub(super) part: Part,
    /// The node that sends it.
    pub(super) from: u32,
    /// The node that holds the copy.
    pub(super) node: u32,
    /// Its number in the truth, or [`NOBODY`] or [`REPAIR`](crate::record::REPAIR).
    pub(super) truth: u32,
    /// Its present attempt.
    pub(super) ticket: u32,
    pub(super) sent: u64,
    pub(super) reached: u64,
    /// Whether the target has it, from its arrival until the reply is sent.
    pub(super) at_target: bool,
    /// Requests at the drive that are not done.
    pub(super) pieces: u32,
    pub(super) irp: u64,
}

impl Leg {
    pub(super) const fn is_local(&self) -> bool {
        self.from == self.node
    }

    /// The link that its request, or its reply, takes.
    const fn way(&self, reply: bool) -> (u32, u32) {
        if reply {
            (self.node, self.from)
        } else {
            (self.from, self.node)
        }
    }
}

impl Engine<'_> {
    /// An I/O becomes its legs, which go one after the other.
    pub(super) fn fan(&mut self, io: u32) {
        let Io {
            volume,
            node,
            op,
            offset,
            length,
            truth,
            ..
        } = self.ios[io];
        let mut parts: SmallVec<[Part; 4]> = match op {
            Op::Flush => self.layout.disks_of(volume, self.now),
            Op::Read => self.one_copy_each(io),
            Op::Write | Op::Unmap => self.layout.parts(volume, offset, length, self.now),
        };
        if self.without.is_some() && op != Op::Read && self.layout.copies(volume) > 1 {
            parts.retain(|part| Some(part.disk) != self.without);
        }
        let layout = self.layout;
        let first_truth = if truth == NOBODY {
            NOBODY
        } else {
            let legs = parts.iter().map(|part| (part.copy, layout.node_of(part.disk)));
            self.truth.legs(truth, legs)
        };
        self.ios[io].open = parts.len() as u32;
        let mut at = self.now;
        for (number, part) in parts.into_iter().enumerate() {
            if number > 0 {
                at += self.hardware.send_gap(node);
            }
            let leg = self.legs.insert(Leg {
                of: Of::Io(io),
                op,
                part,
                from: node,
                node: layout.node_of(part.disk),
                truth: if truth == NOBODY {
                    NOBODY
                } else {
                    first_truth + number as u32
                },
                ticket: 0,
                sent: 0,
                reached: 0,
                at_target: false,
                pieces: 0,
                irp: 0,
            });
            self.at(at, Step::Send { leg });
        }
    }

    /// A read asks one copy of each part: the local one where there is one.
    fn one_copy_each(&mut self, io: u32) -> SmallVec<[Part; 4]> {
        let io = &self.ios[io];
        let parts = self.layout.copies_of(io.volume, io.offset, io.length, self.now);
        let of_parity = self.layout.read_parts(io.volume, io.offset, io.length);
        let copies = self.layout.copies(io.volume) as usize;
        let chosen = parts.chunks(copies).filter_map(|of_part| {
            let there = |part: &&Part| Some(part.disk) != self.without || copies == 1;
            let local = of_part.iter().filter(there);
            let local = local.clone().find(|part| self.layout.node_of(part.disk) == io.node);
            // Without a local copy the offset decides, so that the copies share the load.
            let chosen = of_part.get((io.offset >> 12) as usize % copies).filter(there);
            local.or(chosen).or_else(|| of_part.iter().find(there)).copied()
        });
        chosen.chain(of_parity).collect()
    }

    /// A leg is handed to the storage bus, or, where the copy is on the same node, to the drive.
    pub(super) fn send(&mut self, at: u32) {
        let ticket = self.ticket();
        let now = self.now;
        let shared = match self.legs[at].of {
            Of::Io(io) if self.recorder.legs_share_irp() => Some(self.ios[io].irp),
            Of::Io(_) | Of::Repair(_) => None,
        };
        let leg = &mut self.legs[at];
        leg.ticket = ticket;
        leg.sent = now;
        if leg.is_local() {
            self.issue(at, ticket);
            return;
        }
        leg.irp = shared.unwrap_or_else(|| self.recorder.irp(leg.from));
        self.hand_over(at, ticket, false);
    }

    /// A leg's request or reply is handed to the network, and goes on the wire when nothing holds it.
    pub(super) fn hand_over(&mut self, at: u32, ticket: u32, reply: bool) {
        let way = self.legs[at].way(reply);
        let ready = self.hardware.ready(way, self.now, !reply);
        if ready > self.now {
            self.at(ready, Step::Wire { leg: at, ticket, reply });
        } else {
            self.wire(at, ticket, reply);
        }
    }

    pub(super) fn wire(&mut self, at: u32, ticket: u32, reply: bool) {
        if !self.is_current(at, ticket) {
            return;
        }
        let leg = &self.legs[at];
        // Writes carry their data with the request, reads with the reply.
        let has_data = leg.op == if reply { Op::Read } else { Op::Write };
        let data = if has_data { leg.part.length } else { 0 };
        let arrives = self.hardware.wire(leg.way(reply), self.now, data);
        let step = if reply {
            Step::Back { leg: at, ticket }
        } else {
            Step::Reach { leg: at, ticket }
        };
        self.at(arrives, step);
    }

    /// The reply is there.
    pub(super) fn back(&mut self, at: u32, ticket: u32) {
        if !self.is_current(at, ticket) {
            return;
        }
        let Leg { from, node, .. } = self.legs[at];
        let looked_at = self.hardware.receive(node, from, self.now);
        self.at(looked_at, Step::Reply { leg: at, ticket });
    }

    /// The reply has been looked at: the leg is done.
    pub(super) fn reply(&mut self, at: u32, ticket: u32) {
        if self.is_current(at, ticket) {
            self.leg_event(at, 0);
            self.leg_done(at);
        }
    }

    /// The initiator's event of an attempt that ends now.
    fn leg_event(&mut self, at: u32, status: u32) {
        let leg = &self.legs[at];
        let Of::Io(io) = leg.of else { return };
        let volume = self.ios[io].volume;
        let Part {
            copy,
            slab,
            disk,
            of_parity,
            ..
        } = leg.part;
        // A column is no copy, and no path has its name: its disk's.
        let device = if of_parity {
            DeviceKey::Port(disk)
        } else {
            self.recorder.initiator_device(volume, slab, copy, leg.node, disk)
        };
        let seen = Seen {
            tap: Tap::Initiator,
            device: 0,
            op: leg.op,
            offset: leg.part.disk_offset,
            length: leg.part.length,
            start: leg.sent,
            end: 0,
            status,
            irp: leg.irp,
            owner: leg.truth,
        };
        let (from, irp) = (leg.from, leg.irp);
        self.see(from, device, seen);
        if !self.recorder.legs_share_irp() {
            self.recorder.free_irp(from, irp);
        }
    }

    /// An attempt failed: the event is written and the leg goes again after a while.
    pub(super) fn fail(&mut self, at: u32, ticket: u32) {
        if !self.is_current(at, ticket) {
            return;
        }
        self.leg_event(at, RESET);
        let node = self.legs[at].node;
        let of_node = self.deaths.iter().filter(|death| death.what.node == node);
        let wait = of_node.map(|death| death.what.retry).max().unwrap_or(0);
        match self.legs[at].of {
            Of::Io(_) => self.at(self.now + wait, Step::Send { leg: at }),
            Of::Repair(job) => {
                self.legs.remove(at);
                self.at(self.now + wait, Step::Repair { job });
            }
        }
    }

    /// A leg is done at its initiator.
    pub(super) fn leg_done(&mut self, at: u32) {
        let leg = self.legs.remove(at);
        let Of::Io(io) = leg.of else { return };
        let now = self.now;
        let of = &mut self.ios[io];
        of.lead = of.last.map(|(before, _, _)| now - before);
        of.last = Some((now, leg.node, leg.part.copy));
        of.open -= 1;
        if of.open == 0 {
            let node = of.node;
            let complete = self.hardware.complete(node, now);
            self.at(complete, Step::Complete { io });
        }
    }

    /// The I/O is done.
    pub(super) fn complete(&mut self, io: u32) {
        let io = self.ios.remove(io);
        let seen = Seen {
            tap: Tap::Volume,
            device: 0,
            op: io.op,
            offset: io.offset,
            length: io.length,
            start: io.start,
            end: 0,
            status: 0,
            irp: io.irp,
            owner: io.truth,
        };
        self.see(io.node, DeviceKey::Volume(io.volume), seen);
        self.recorder.free_irp(io.node, io.irp);
        if io.truth != NOBODY {
            let key = (io.volume, io.offset);
            if let Some(count) = self.under_way.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    self.under_way.remove(&key);
                }
            }
            if let Some((_, node, copy)) = io.last {
                let slowest = TruthSlowest {
                    node,
                    copy,
                    lead_nanos: io.lead,
                };
                self.truth.slowest(io.truth, slowest);
            }
        }
        if matches!(self.sources[io.source as usize].arrival, Arrival::QueueDepth(_)) {
            self.at(self.now, Step::Submit { source: io.source });
        }
    }

    /// Whether a step still means the present attempt of a leg.
    pub(super) fn is_current(&self, at: u32, ticket: u32) -> bool {
        self.legs.get(at).is_some_and(|leg| leg.ticket == ticket)
    }
}
