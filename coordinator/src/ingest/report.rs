//! How a cluster's worker is doing, for queries.

use fathom_join::{ClockReport, Waiting};
use fathom_model::{NodeId, Tap};
use fathom_proto::collect::v1 as wire;

/// A worker's own account.
#[derive(Clone, Debug)]
pub(crate) struct WorkerReport {
    /// I/Os joined, stored or not.
    pub(crate) ios: u64,
    /// Events received.
    pub(crate) events: u64,
    /// I/Os and events that wait for their window.
    pub(crate) in_memory: u64,
    /// Everything that will ever come has come and is stored.
    pub(crate) finished: bool,
    /// What keeps the next window open.
    pub(crate) waiting: Vec<(NodeId, Waiting)>,
    /// The nodes, by name.
    pub(crate) nodes: Vec<NodeReport>,
    /// What is known of the clocks, with the names of node and reference.
    pub(crate) clocks: Vec<(NodeId, NodeId, ClockReport)>,
    /// What about the extent map, between it and the traffic, or among daemons is odd: a sentence each, in their order.
    pub(crate) oddities: Vec<String>,
}

/// How a node was heard.
#[derive(Clone, Debug)]
pub(crate) struct NodeReport {
    pub(crate) node: NodeId,
    pub(crate) state: NodeState,
    pub(crate) taps: Vec<Tap>,
    pub(crate) events: u64,
    pub(crate) lost: u64,
    pub(crate) heard: Option<i64>,
    pub(crate) position: u64,
    /// Until when, on its clock, windows closed without it. None: none did.
    pub(crate) closed_without: Option<i64>,
    /// What its daemon says of itself, while it is connected.
    pub(crate) daemon: Option<wire::DaemonStatus>,
}

/// Whether a node speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeState {
    /// Its daemon is connected.
    Connected,
    /// It has sent everything it will ever send.
    Finished,
    /// Its daemon is not connected.
    NotConnected,
    /// It has been away for longer than the silence time.
    Silent,
    /// No daemon is expected to speak for it.
    NoDaemon,
}

impl NodeState {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Finished => "finished",
            Self::NotConnected => "not_connected",
            Self::Silent => "silent",
            Self::NoDaemon => "no_daemon",
        }
    }

    /// Whether answers have to say that this node was not heard.
    pub(crate) const fn is_unseen(self) -> bool {
        matches!(self, Self::NotConnected | Self::Silent | Self::NoDaemon)
    }
}
