//! Single faults that have seeds of their own in the catalogue: each in place of what is drawn there, so that all other seeds are what they
//! were before there was one.

use fathom_simulate::config::{ADAPTERS, Arrival, Config, DiskRef, FaultKind};

use super::{Draw, ROUND};

/// What is at a seed in place of what is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    Repair,
    CreditStalls,
    AdapterErrors,
    LinkBusy,
    DriveErrors,
    CsvRedirected,
    /// A bus target dies and comes back.
    TargetDied,
    /// What is drawn, in a cluster of two.
    TwoNodes,
    /// What is drawn, and a node without a daemon: the one that it is at, or another.
    MissingDaemon,
}

impl Own {
    /// What a seed of a single fault has: of 32 ten.
    pub(super) const fn of(seed: u64) -> Option<Self> {
        Some(match seed % (4 * ROUND) {
            6 | 46 => Self::Repair,
            1 => Self::CreditStalls,
            21 => Self::AdapterErrors,
            41 => Self::DriveErrors,
            61 => Self::CsvRedirected,
            3 => Self::LinkBusy,
            23 => Self::TwoNodes,
            43 => Self::TargetDied,
            63 => Self::MissingDaemon,
            _ => return None,
        })
    }

    /// Its fault at a node; none where it is what is drawn.
    pub(super) fn fault(self, node: u32, nodes: u32, disks: u32, draw: &mut Draw) -> Option<FaultKind> {
        let disk = |node: u32, draw: &mut Draw| DiskRef {
            node,
            disk: draw.below(disks),
        };
        Some(match self {
            Self::Repair => FaultKind::Repair {
                to: disk(node, draw),
                from: disk((node + 1) % nodes, draw),
                queue_depth: 1 + draw.below(8),
            },
            Self::CreditStalls => FaultKind::CreditStalls {
                node,
                share: draw.between(0.02, 0.4),
                wait_millis: draw.between(0.5, 10.0),
            },
            Self::AdapterErrors => FaultKind::AdapterErrors {
                node,
                adapter: draw.below(ADAPTERS),
                every_millis: draw.between(200.0, 4000.0),
                reconnect_millis: draw.between(10.0, 200.0),
            },
            Self::LinkBusy => FaultKind::LinkBusy {
                node,
                load_share: 1.0 - draw.between(0.01, 0.08),
                burst_micros: draw.between(10.0, 150.0),
            },
            Self::DriveErrors => FaultKind::DriveErrors {
                on: disk(node, draw),
                share: draw.between(0.02, 0.3),
                retry_millis: draw.between(2.0, 40.0),
            },
            Self::CsvRedirected => FaultKind::CsvRedirected {
                volume: (node + 1) % nodes,
                node,
                add_micros: draw.between(200.0, 5000.0),
            },
            Self::TargetDied => FaultKind::TargetDied {
                node,
                detect_millis: draw.between(1.0, 30.0),
                retry_millis: draw.between(5.0, 100.0),
            },
            Self::TwoNodes | Self::MissingDaemon => return None,
        })
    }

    /// What the cluster has besides.
    pub(super) fn arrange(self, config: &mut Config, node: u32, draw: &mut Draw) {
        match self {
            Self::DriveErrors => config.disks.error_counters = true,
            Self::CsvRedirected => {
                // The node writes to the volume of the next one as well as to its own.
                let of_next = (node as usize + 1) % config.volumes.len().max(1);
                for (at, volume) in config.volumes.iter_mut().enumerate() {
                    if at == of_next {
                        volume.initiators.push(node);
                    }
                    if let Arrival::Rate(rate) = &mut volume.arrival
                        && (at == of_next || volume.initiators.contains(&node))
                    {
                        *rate /= 2.0;
                    }
                }
            }
            Self::MissingDaemon => {
                let other = (node + 1 + draw.below(config.nodes - 1)) % config.nodes;
                // What only a writer itself sees cannot be told of one that nobody hears.
                let is_of_writer = config.faults.iter().any(|fault| {
                    matches!(
                        fault.what,
                        FaultKind::Bitlocker { .. } | FaultKind::RefsStall { .. } | FaultKind::CsvRedirected { .. }
                    )
                });
                let unheard = if draw.below(2) == 0 && !is_of_writer {
                    node
                } else {
                    other
                };
                config.recording.missing_nodes = vec![unheard];
            }
            Self::Repair
            | Self::CreditStalls
            | Self::AdapterErrors
            | Self::LinkBusy
            | Self::TargetDied
            | Self::TwoNodes => {}
        }
    }
}
