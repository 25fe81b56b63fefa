//! Clocks, and what is recorded.

use serde::{Deserialize, Serialize};

/// The nodes' clocks.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Clocks {
    /// Each clock is off by at most this, either way, in milliseconds, up to 60 000. Default 5.
    pub offset_millis: f64,
    /// Each clock is too fast or too slow by at most this, in parts per million, up to 500. Default 20.
    pub drift_ppm: f64,
    /// Clocks that are set, or change their speed, in mid-run: at most one of each a node.
    pub changes: Vec<ClockChange>,
}

impl Default for Clocks {
    fn default() -> Self {
        Self {
            offset_millis: 5.0,
            drift_ppm: 20.0,
            changes: Vec::new(),
        }
    }
}

/// What happens to a clock in mid-run.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClockChange {
    /// The node.
    pub node: u32,
    /// When, in seconds of the run.
    pub at_seconds: f64,
    /// By how much it is set, in milliseconds; negative is back. Default 0.
    #[serde(default)]
    pub step_millis: f64,
    /// How much faster it runs from then on, in parts per million, up to 500 either way. Default 0.
    #[serde(default)]
    pub drift_ppm: f64,
}

/// What is recorded of what happens.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Recording {
    /// Which taps there are, and what they show. Default rich.
    pub taps: Taps,
    /// What `correlation` holds. Default none for rich taps, else leg.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation: Option<Correlation>,
    /// All times are rounded down to this, in nanoseconds. Default 100, a tick of the Windows performance counter.
    pub resolution_nanos: u64,
    /// Nodes without a daemon: there is no file of their events.
    pub missing_nodes: Vec<u32>,
    /// Stretches of time whose events were lost.
    pub lost: Vec<Lost>,
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            taps: Taps::Rich,
            correlation: None,
            resolution_nanos: 100,
            missing_nodes: Vec::new(),
            lost: Vec::new(),
        }
    }
}

/// Which taps there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Taps {
    /// What a Windows cluster gives: `volume`, `initiator` without offsets (a device a remote disk, as ClusPort has it) and
    /// `device`.
    Windows,
    /// The same, and `initiator` has offsets.
    WindowsOffset,
    /// `volume`, `initiator`, `target` and `device`, all with offsets; an initiator device is one copy of a slab.
    Rich,
}

impl Taps {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Windows, Self::WindowsOffset, Self::Rich];

    /// The name in commands and configurations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Windows => "windows",
            Self::WindowsOffset => "windows-offset",
            Self::Rich => "rich",
        }
    }
}

/// What the `correlation` of events holds: on Windows the address of the request's IRP, which is used again soon after the
/// request is done (domain/etw.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Correlation {
    /// Nothing.
    None,
    /// Every request has an IRP of its own, at every tap: what happens when Storage Spaces makes a new IRP a copy. Whether it does
    /// is unverified.
    Leg,
    /// The legs of a write carry the IRP of the write.
    Write,
}

/// Events that were lost.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Lost {
    /// The node that lost them.
    pub node: u32,
    /// From, in seconds of the run; what counts is an event's completion.
    pub from_seconds: f64,
    /// Until, in seconds of the run.
    pub until_seconds: f64,
}
