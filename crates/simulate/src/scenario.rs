//! Ready configurations by name: one difficulty each.

mod presets;

use std::fmt;
use std::str::FromStr;

use crate::config::{Config, MOST_NODES, Taps};
use crate::error::{Error, Result};

/// A ready configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scenario {
    /// Nothing is wrong.
    Healthy,
    /// One drive takes six times as long for a while.
    SlowDisk,
    /// One drive stops now and then.
    SporadicStalls,
    /// One drive gets slower and slower.
    Wear,
    /// The links of one node have less bandwidth and a longer way.
    LinkSlow,
    /// The links of one node lose messages.
    LinkLossy,
    /// The links of one node fall back to TCP.
    RdmaFallback,
    /// Pause frames stop what is sent to one node.
    PfcStorm,
    /// Large messages to and from one node are slow.
    MtuMismatch,
    /// RDMA connections of one node run out of send credits.
    CreditStalls,
    /// An adapter of one node breaks its RDMA connections now and then.
    AdapterErrors,
    /// Something else fills the adapters of one node.
    LinkBusy,
    /// One drive tries again now and then, and counts it.
    DriveErrors,
    /// One node reaches a volume by way of its owner.
    CsvRedirected,
    /// A repair runs between two drives.
    Repair,
    /// The processors of one node are busy.
    CpuStarved,
    /// The storage bus holds what goes to one node, then lets it go.
    SblPause,
    /// The file system holds one volume's I/O now and then.
    RefsStall,
    /// One node encrypts without help.
    Bitlocker,
    /// One drive of each node is a hard disk.
    MixedMedia,
    /// Few blocks, written up to 64 times at once.
    HotSpot,
    /// Identical writes back to back.
    Identical,
    /// Logs that wrap around.
    WrappingLog,
    /// One clock is set forward by 200 ms.
    ClockStepForward,
    /// One clock is set back by 200 ms.
    ClockStepBack,
    /// One clock's drift changes.
    DriftChange,
    /// Clocks are off by up to a minute.
    FarClocks,
    /// A bus target dies and comes back.
    TargetDied,
    /// Nested two-way mirrors.
    Nested,
    /// Mirror-accelerated parity: half of each volume lies in a parity tier.
    MirrorAccelerated,
    /// Columns and interleave, and writes that cross their borders.
    Columns,
    /// Every volume is written by all nodes.
    ManyInitiators,
    /// Reads, writes, flushes and unmaps of many sizes.
    MixedOps,
    /// Drives split large requests.
    Split,
    /// Drives are given adjacent writes as one.
    Merge,
    /// Offsets at the drives are shifted.
    Shift,
    /// Cache drives take the writes.
    Cache,
    /// Slabs move to other disks in mid-run.
    Moves,
    /// One node has no daemon.
    MissingDaemon,
    /// Stretches of events are lost at every node.
    LostEvents,
    /// What a Windows cluster gives: no target, initiator without offset.
    Windows,
    /// Sixteen nodes.
    Sixteen,
}

/// What of a scenario may be chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Options {
    /// Seed.
    pub seed: Option<u64>,
    /// Nodes.
    pub nodes: Option<u32>,
    /// Volume writes.
    pub writes: Option<u64>,
    /// Seconds.
    pub seconds: Option<f64>,
    /// Taps.
    pub taps: Option<Taps>,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 42] = [
        Self::Healthy,
        Self::SlowDisk,
        Self::SporadicStalls,
        Self::Wear,
        Self::LinkSlow,
        Self::LinkLossy,
        Self::RdmaFallback,
        Self::PfcStorm,
        Self::MtuMismatch,
        Self::CreditStalls,
        Self::AdapterErrors,
        Self::LinkBusy,
        Self::DriveErrors,
        Self::CsvRedirected,
        Self::Repair,
        Self::CpuStarved,
        Self::SblPause,
        Self::RefsStall,
        Self::Bitlocker,
        Self::MixedMedia,
        Self::HotSpot,
        Self::Identical,
        Self::WrappingLog,
        Self::ClockStepForward,
        Self::ClockStepBack,
        Self::DriftChange,
        Self::FarClocks,
        Self::TargetDied,
        Self::Nested,
        Self::MirrorAccelerated,
        Self::Columns,
        Self::ManyInitiators,
        Self::MixedOps,
        Self::Split,
        Self::Merge,
        Self::Shift,
        Self::Cache,
        Self::Moves,
        Self::MissingDaemon,
        Self::LostEvents,
        Self::Windows,
        Self::Sixteen,
    ];

    /// Its name in commands.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::SlowDisk => "slow-disk",
            Self::SporadicStalls => "sporadic-stalls",
            Self::Wear => "wear",
            Self::LinkSlow => "link-slow",
            Self::LinkLossy => "link-lossy",
            Self::RdmaFallback => "rdma-fallback",
            Self::PfcStorm => "pfc-storm",
            Self::MtuMismatch => "mtu-mismatch",
            Self::CreditStalls => "credit-stalls",
            Self::AdapterErrors => "adapter-errors",
            Self::LinkBusy => "link-busy",
            Self::DriveErrors => "drive-errors",
            Self::CsvRedirected => "csv-redirected",
            Self::Repair => "repair",
            Self::CpuStarved => "cpu-starved",
            Self::SblPause => "sbl-pause",
            Self::RefsStall => "refs-stall",
            Self::Bitlocker => "bitlocker",
            Self::MixedMedia => "mixed-media",
            Self::HotSpot => "hot-spot",
            Self::Identical => "identical",
            Self::WrappingLog => "wrapping-log",
            Self::ClockStepForward => "clock-step-forward",
            Self::ClockStepBack => "clock-step-back",
            Self::DriftChange => "drift-change",
            Self::FarClocks => "far-clocks",
            Self::TargetDied => "target-died",
            Self::Nested => "nested",
            Self::MirrorAccelerated => "mirror-accelerated",
            Self::Columns => "columns",
            Self::ManyInitiators => "many-initiators",
            Self::MixedOps => "mixed-ops",
            Self::Split => "split",
            Self::Merge => "merge",
            Self::Shift => "shift",
            Self::Cache => "cache",
            Self::Moves => "moves",
            Self::MissingDaemon => "missing-daemon",
            Self::LostEvents => "lost-events",
            Self::Windows => "windows",
            Self::Sixteen => "sixteen",
        }
    }

    /// One sentence for people.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Healthy => "Nothing is wrong.",
            Self::SlowDisk => "One drive of n1 takes six times as long in the middle of the run.",
            Self::SporadicStalls => "One drive of n1 stops for some 20 ms a few times a second.",
            Self::Wear => "One drive of n1 gets slower evenly, up to five times.",
            Self::LinkSlow => "The links of n1 have a hundredth of their bandwidth and 1 ms more each way.",
            Self::LinkLossy => "The links of n1 lose 2 % of their messages, which go again after 5 ms.",
            Self::RdmaFallback => "The links of n1 fall back from RDMA to TCP.",
            Self::PfcStorm => "Pause frames stop what is sent to n1, in bursts of some 10 ms.",
            Self::MtuMismatch => "Messages of n1 with more than 8 KiB are slow.",
            Self::CreditStalls => "A fifth of what n1 sends waits some 2 ms for a send credit.",
            Self::AdapterErrors => "An adapter of n1 breaks its RDMA connections once a second, for some 30 ms.",
            Self::LinkBusy => "Something else fills the adapters of n1 to 97 %, both ways.",
            Self::DriveErrors => "One drive of n1 tries every tenth request again for some 15 ms, and counts it.",
            Self::CsvRedirected => "n1 reaches vol0 by way of its owner n0, which takes some 1.5 ms.",
            Self::Repair => "A repair copies pieces of 1 to 2 MiB from a drive of n0 to a drive of n1.",
            Self::CpuStarved => "The processors of n1 are busy: all takes four times as long, and some of it waits.",
            Self::SblPause => "The storage bus holds what goes to n1 for some 30 ms, then lets all of it go at once.",
            Self::RefsStall => "The file system of vol0 holds its I/O for some 50 ms before any copy is sent.",
            Self::Bitlocker => "n1 encrypts without help of its processors: 40 ns a byte before any copy is sent.",
            Self::MixedMedia => "One drive of each node is a hard disk: one request at a time, with seeks.",
            Self::HotSpot => "Zipf 1.2 over 64 blocks a volume, 64 writes in flight, up to 64 of them to one block.",
            Self::Identical => "All writes of a volume go to one place, four at a time.",
            Self::WrappingLog => "Sequential logs of 4 MiB that wrap around.",
            Self::ClockStepForward => "The clock of n1 is set forward by 200 ms.",
            Self::ClockStepBack => "The clock of n1 is set back by 200 ms.",
            Self::DriftChange => "The clock of n1 runs 80 ppm faster from the middle of the run on.",
            Self::FarClocks => "Clocks are off by up to a minute.",
            Self::TargetDied => "The bus target of n1 dies with requests under way and comes back after 300 ms.",
            Self::Nested => "Nested two-way mirrors: two copies on the owner's server and two on another.",
            Self::MirrorAccelerated => "Half of each volume in a parity tier of two columns of data and two of parity.",
            Self::Columns => "Two columns, 256 KiB interleave, and sizes up to 1 MiB that cross their borders.",
            Self::ManyInitiators => "Every volume is written by all nodes.",
            Self::MixedOps => "Reads, writes, flushes and unmaps of 4 KiB to 1 MiB.",
            Self::Split => "Drives take at most 64 KiB a request: larger ones are split.",
            Self::Merge => "Sequential writes; drives are given adjacent ones as one request.",
            Self::Shift => "Offsets at each drive are shifted by a constant of its own.",
            Self::Cache => "A cache drive a node takes the writes, at offsets of its own.",
            Self::Moves => "Slabs of each volume move to other disks in mid-run.",
            Self::MissingDaemon => "n1 has no daemon.",
            Self::LostEvents => "Every node lost a stretch of its events.",
            Self::Windows => "What a Windows cluster gives: no target, initiator legs without offset.",
            Self::Sixteen => "Sixteen nodes with a volume each.",
        }
    }

    /// Its configuration: the scenario's own, with what is chosen instead.
    #[must_use]
    pub fn config(self, options: &Options) -> Config {
        presets::config(self, options)
    }

    /// Fewest nodes that it makes sense with.
    #[must_use]
    pub const fn fewest_nodes(self) -> u32 {
        match self {
            Self::Healthy
            | Self::HotSpot
            | Self::Identical
            | Self::WrappingLog
            | Self::ManyInitiators
            | Self::FarClocks
            | Self::MixedOps
            | Self::MixedMedia
            | Self::Split
            | Self::Merge
            | Self::Shift
            | Self::Cache
            | Self::Moves
            | Self::Columns
            | Self::RefsStall
            | Self::LostEvents
            | Self::Windows
            | Self::Sixteen => 1,
            _ => 2,
        }
    }

    /// Checks that it can be had with so many nodes.
    ///
    /// # Errors
    ///
    /// When there are too few, or too many for any cluster.
    pub fn check_nodes(self, nodes: u32) -> Result<()> {
        let fewest = self.fewest_nodes();
        if (fewest..=MOST_NODES).contains(&nodes) {
            return Ok(());
        }
        Err(Error::field(
            "nodes",
            nodes,
            format!("from {fewest} to {MOST_NODES} for scenario {self}"),
        ))
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scenario {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|scenario| scenario.as_str() == text)
            .ok_or_else(|| Error::NoScenario {
                name: text.to_owned(),
                known: Self::ALL.map(Self::as_str).join(", "),
            })
    }
}
