//! What can be wrong with a cluster.

use serde::{Deserialize, Serialize};

/// Something that is wrong for some time.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fault {
    /// From when, in seconds of the run. Default 0.
    #[serde(default)]
    pub from_seconds: f64,
    /// Until when, in seconds of the run. Default for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_seconds: Option<f64>,
    /// What it is.
    pub what: FaultKind,
}

/// A drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DiskRef {
    /// Its node.
    pub node: u32,
    /// Its number on that node.
    pub disk: u32,
}

/// The links, both ways, between a node and another or all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LinkRef {
    /// The node.
    pub node: u32,
    /// The other end; all others where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<u32>,
}

/// The kinds of faults. Microseconds, milliseconds and factors say how bad it is.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum FaultKind {
    /// Every request of a drive takes longer.
    SlowDisk {
        /// The drive.
        on: DiskRef,
        /// So many times as long.
        factor: f64,
        /// And so much longer.
        add_micros: f64,
    },
    /// A drive stops now and then, and goes on where it was.
    SporadicStalls {
        /// The drive.
        on: DiskRef,
        /// Mean time between stops.
        every_millis: f64,
        /// Mean length of a stop.
        stall_millis: f64,
    },
    /// A drive gets slower evenly over the time of the fault.
    Wear {
        /// The drive.
        on: DiskRef,
        /// How many times as long a request takes at the end; a fault without end wears over the expected length of the run.
        factor: f64,
    },
    /// A drive of another kind among the others: one request at a time, and seeks.
    MixedMedia {
        /// The drive.
        on: DiskRef,
        /// Median of a request.
        seek_micros: f64,
    },
    /// Links with less bandwidth and a longer way.
    LinkSlow {
        /// The links.
        on: LinkRef,
        /// What is left of the bandwidth, as a share.
        bandwidth_share: f64,
        /// So much longer each way.
        add_micros: f64,
    },
    /// Links that lose messages, which are sent again after a while.
    LinkLossy {
        /// The links.
        on: LinkRef,
        /// Share of messages lost.
        loss: f64,
        /// Until a lost message is sent again.
        retransmit_millis: f64,
    },
    /// RDMA is lost and TCP carries on: a longer way, and processor time for every message at both ends.
    RdmaFallback {
        /// The links.
        on: LinkRef,
        /// So much longer each way (median).
        add_micros: f64,
        /// Processor time a message at either end.
        cpu_micros: f64,
    },
    /// Pause frames stop everything that is sent to a node, in bursts.
    PfcStorm {
        /// The node whose port asks others to pause.
        node: u32,
        /// Mean time between bursts.
        every_millis: f64,
        /// Mean length of a burst.
        pause_millis: f64,
    },
    /// Large messages do not fit through and take another, slower way.
    MtuMismatch {
        /// The links.
        on: LinkRef,
        /// Messages with more data than this are concerned.
        above_bytes: u64,
        /// What they take longer (mean).
        add_millis: f64,
    },
    /// RDMA connections of a node run out of send credits: some of what it sends waits for one.
    CreditStalls {
        /// The node that sends.
        node: u32,
        /// How often a message waits, as a share.
        share: f64,
        /// How long it waits then (mean).
        wait_millis: f64,
    },
    /// An adapter of a node breaks all RDMA connections that go over it now and then; what is sent over it meanwhile, either way, waits
    /// until they are there again.
    AdapterErrors {
        /// The node.
        node: u32,
        /// The adapter's number, from 0.
        adapter: u32,
        /// Mean time between breaks.
        every_millis: f64,
        /// Mean time until connections are there again.
        reconnect_millis: f64,
    },
    /// Something else (a backup, a live migration) fills the adapters of a node, both ways: messages wait for it.
    LinkBusy {
        /// The node.
        node: u32,
        /// What it takes of the bandwidth, as a share below 1; only the rest is left.
        load_share: f64,
        /// How long one burst of it holds a link (mean).
        burst_micros: f64,
    },
    /// A drive cannot read or write at once now and then, tries again, and counts it.
    DriveErrors {
        /// The drive.
        on: DiskRef,
        /// How often, as a share of reads and writes.
        share: f64,
        /// How long it tries (mean).
        retry_millis: f64,
    },
    /// A node reaches a volume by way of the node that owns it, the first of its initiators: everything that it does there takes longer
    /// before its copies are sent.
    CsvRedirected {
        /// The volume's number.
        volume: u32,
        /// The node.
        node: u32,
        /// The way to the owner and back (median).
        add_micros: f64,
    },
    /// A repair copies pieces of 1 to 2 MiB from one drive to another, over and over: I/O of no write.
    Repair {
        /// The drive that is read.
        from: DiskRef,
        /// The drive that is written.
        to: DiskRef,
        /// Pieces under way at the same time (domain/thresholds.md, Repair speed: 1 to 16, 4 by default).
        queue_depth: u32,
    },
    /// Storage jobs begin anew so often: state alone says so.
    JobRestarts {
        /// Time between two beginnings.
        every_seconds: f64,
    },
    /// The cluster has paused a node and drained it: state alone says so.
    Paused {
        /// The node.
        node: u32,
    },
    /// The processors of a node are busy with something else.
    CpuStarved {
        /// The node.
        node: u32,
        /// Everything takes so many times as long.
        factor: f64,
        /// How often a request waits for a turn besides, as a share.
        delayed_share: f64,
        /// And how long it waits then (mean).
        delay_millis: f64,
    },
    /// The storage bus holds what is sent over a path, then lets all of it go at once.
    PathPause {
        /// The paths.
        on: LinkRef,
        /// Mean time between pauses.
        every_millis: f64,
        /// Mean length of a pause.
        pause_millis: f64,
    },
    /// The file system holds all I/O of a volume before any copy is sent.
    RefsStall {
        /// The volume's number.
        volume: u32,
        /// Mean time between stalls.
        every_millis: f64,
        /// Mean length of a stall.
        stall_millis: f64,
    },
    /// Encryption without help of the processor: a constant time a byte before any copy is sent.
    Bitlocker {
        /// The node that writes.
        node: u32,
        /// Time a byte.
        nanos_per_byte: f64,
    },
    /// The bus target of a node dies and comes back at the end: what it had under way never completes, its initiators see
    /// failed legs and send them again. Copies of its own node do not pass it.
    TargetDied {
        /// The node.
        node: u32,
        /// Until an initiator notices that a request has failed.
        detect_millis: f64,
        /// From a failed leg to the next attempt.
        retry_millis: f64,
    },
}

impl FaultKind {
    /// The name in configurations and in recordings.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SlowDisk { .. } => "slow-disk",
            Self::SporadicStalls { .. } => "sporadic-stalls",
            Self::Wear { .. } => "wear",
            Self::MixedMedia { .. } => "mixed-media",
            Self::LinkSlow { .. } => "link-slow",
            Self::LinkLossy { .. } => "link-lossy",
            Self::RdmaFallback { .. } => "rdma-fallback",
            Self::PfcStorm { .. } => "pfc-storm",
            Self::MtuMismatch { .. } => "mtu-mismatch",
            Self::CreditStalls { .. } => "credit-stalls",
            Self::AdapterErrors { .. } => "adapter-errors",
            Self::LinkBusy { .. } => "link-busy",
            Self::DriveErrors { .. } => "drive-errors",
            Self::CsvRedirected { .. } => "csv-redirected",
            Self::Repair { .. } => "repair",
            Self::JobRestarts { .. } => "job-restarts",
            Self::Paused { .. } => "paused",
            Self::CpuStarved { .. } => "cpu-starved",
            Self::PathPause { .. } => "path-pause",
            Self::RefsStall { .. } => "refs-stall",
            Self::Bitlocker { .. } => "bitlocker",
            Self::TargetDied { .. } => "target-died",
        }
    }

    /// The drive that it makes slow, of what is wrong with one.
    #[must_use]
    pub const fn disk(&self) -> Option<DiskRef> {
        match self {
            Self::SlowDisk { on, .. }
            | Self::SporadicStalls { on, .. }
            | Self::Wear { on, .. }
            | Self::MixedMedia { on, .. }
            | Self::DriveErrors { on, .. } => Some(*on),
            _ => None,
        }
    }

    /// The node that it is at, but for a volume's.
    #[must_use]
    pub const fn node(&self) -> Option<u32> {
        match self {
            Self::SlowDisk { on, .. }
            | Self::SporadicStalls { on, .. }
            | Self::Wear { on, .. }
            | Self::MixedMedia { on, .. }
            | Self::DriveErrors { on, .. }
            | Self::Repair { to: on, .. } => Some(on.node),
            Self::LinkSlow { on, .. }
            | Self::LinkLossy { on, .. }
            | Self::RdmaFallback { on, .. }
            | Self::MtuMismatch { on, .. }
            | Self::PathPause { on, .. } => Some(on.node),
            Self::PfcStorm { node, .. }
            | Self::CreditStalls { node, .. }
            | Self::AdapterErrors { node, .. }
            | Self::LinkBusy { node, .. }
            | Self::CsvRedirected { node, .. }
            | Self::Paused { node }
            | Self::CpuStarved { node, .. }
            | Self::Bitlocker { node, .. }
            | Self::TargetDied { node, .. } => Some(*node),
            Self::RefsStall { .. } | Self::JobRestarts { .. } => None,
        }
    }
}
