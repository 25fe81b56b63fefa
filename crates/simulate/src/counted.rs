//! What a run counts beside its events: messages and bytes at the nodes' adapters, and errors of drives. No tap sees these; counters of
//! a node say them ([`crate::state`]).

use fathom_model::Op;

use crate::layout::DiskNumber;
use crate::state::{APART_NANOS, POLL_NANOS};

/// What went through the adapters of a node, all together, between one of its readings and the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// Bytes by RDMA, with headers.
    pub(crate) rdma_sent_bytes: u64,
    pub(crate) rdma_received_bytes: u64,
    /// Bytes by TCP, of the storage bus alone.
    pub(crate) tcp_sent_bytes: u64,
    pub(crate) tcp_received_bytes: u64,
    /// Messages that were sent by RDMA.
    pub(crate) rdma_sends: u64,
    /// How often one of them waited for a credit.
    pub(crate) credit_stalls: u64,
}

/// A message on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) bytes: u64,
    /// When its last byte went, and when it was there.
    pub(crate) sent: u64,
    pub(crate) arrived: u64,
    pub(crate) is_tcp: bool,
    pub(crate) has_stalled: bool,
}

/// A request that a drive had to try again: when it was done, and what it was.
pub(crate) type Retried = (u64, Op);

/// All of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    /// By node and reading.
    traffic: Vec<Vec<Traffic>>,
    /// By disk, in the order in which they were done.
    retried: Vec<Vec<Retried>>,
}

/// The reading of a node that has what happened at a time: readings are a second apart, each node's at times of its own.
fn reading(node: u32, at: u64) -> usize {
    at.saturating_sub(u64::from(node) * APART_NANOS).div_ceil(POLL_NANOS) as usize
}

impl Counted {
    pub(crate) fn new(nodes: u32, disks: usize) -> Self {
        Self {
            traffic: vec![Vec::new(); nodes as usize],
            retried: vec![Vec::new(); disks],
        }
    }

    pub(crate) fn message(&mut self, message: &Message) {
        let sender = self.at(message.from, message.sent);
        if message.is_tcp {
            sender.tcp_sent_bytes += message.bytes;
        } else {
            sender.rdma_sent_bytes += message.bytes;
            sender.rdma_sends += 1;
            sender.credit_stalls += u64::from(message.has_stalled);
        }
        let receiver = self.at(message.to, message.arrived);
        if message.is_tcp {
            receiver.tcp_received_bytes += message.bytes;
        } else {
            receiver.rdma_received_bytes += message.bytes;
        }
    }

    fn at(&mut self, node: u32, at: u64) -> &mut Traffic {
        let number = reading(node, at);
        let own = &mut self.traffic[node as usize];
        if own.len() <= number {
            own.resize(number + 1, Traffic::default());
        }
        &mut own[number]
    }

    pub(crate) fn retry(&mut self, disk: DiskNumber, done: u64, op: Op) {
        self.retried[disk.as_usize()].push((done, op));
    }

    /// The run is over.
    pub(crate) fn finish(mut self) -> Self {
        // A drive's channels do not finish in the order in which they begin.
        self.retried
            .iter_mut()
            .for_each(|own| own.sort_by_key(|(done, _)| *done));
        self
    }

    /// What a reading of a node at a time has.
    pub(crate) fn traffic(&self, node: u32, at: u64) -> Traffic {
        let own = self.traffic.get(node as usize);
        own.and_then(|own| own.get(reading(node, at)).copied())
            .unwrap_or_default()
    }

    /// How many reads, or writes, a drive had tried again by a time.
    pub(crate) fn retried(&self, disk: DiskNumber, op: Op, at: u64) -> u64 {
        let own = self.retried.get(disk.as_usize()).map_or(&[][..], Vec::as_slice);
        let by = own.partition_point(|(done, _)| *done <= at);
        own[..by].iter().filter(|(_, of)| *of == op).count() as u64
    }
}
