//! Faults as the parts of the cluster feel them: what a drive, a link, a node or a volume has to ask at a time.

use crate::config::{ADAPTERS, Config, Fault, FaultKind, LinkRef};
use crate::layout::{DiskNumber, Layout};
use crate::random::{Purpose, Random};
use crate::stops::Stops;

/// From when until when, in nanoseconds of the run.
pub(crate) type Span = (u64, u64);

/// A fault and its time.
#[derive(Clone, Debug)]
pub(crate) struct Timed<T> {
    pub(crate) span: Span,
    pub(crate) what: T,
}

impl<T> Timed<T> {
    pub(crate) const fn is_on(&self, now: u64) -> bool {
        self.span.0 <= now && now < self.span.1
    }
}

/// What can be wrong with a drive.
#[derive(Clone, Debug)]
pub(crate) enum DiskFault {
    Slow { factor: f64, add: f64 },
    Stalls(Stops),
    Wear { factor: f64 },
    Seeks { median: f64 },
    Errors { share: f64, retry: f64, random: Random },
}

/// What can be wrong with one direction of a link.
#[derive(Clone, Debug)]
pub(crate) enum LinkFault {
    Slow {
        bandwidth_share: f64,
        add: f64,
    },
    Lossy {
        loss: f64,
        retransmit: f64,
    },
    Tcp {
        add: f64,
        cpu_micros: f64,
    },
    /// What is sent waits in the adapter.
    Paused(Stops),
    /// Requests wait in the storage bus.
    Held(Stops),
    Large {
        above: u64,
        add: f64,
    },
    /// A share of what is sent waits for a credit.
    Credits {
        share: f64,
        wait: f64,
    },
    /// What goes over one adapter waits until connections are there again.
    Broken(Stops),
    /// Something else fills it.
    Busy {
        load: f64,
        burst: f64,
    },
}

/// What can be wrong with a node's processors.
#[derive(Clone, Debug)]
pub(crate) enum CpuFault {
    Starved {
        factor: f64,
        share: f64,
        delay: f64,
    },
    /// Nanoseconds a byte before any copy is sent.
    Encryption {
        nanos_per_byte: f64,
    },
}

/// What can be wrong with a volume.
#[derive(Clone, Debug)]
pub(crate) enum VolumeFault {
    Stalls(Stops),
    /// What a node does there goes by way of the owner.
    Redirected {
        node: u32,
        add: f64,
        random: Random,
    },
}

/// A bus target that dies at the start of its span and comes back at its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Death {
    pub(crate) node: u32,
    pub(crate) detect: u64,
    pub(crate) retry: u64,
}

/// A repair: from drive to drive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RepairJob {
    pub(crate) from: DiskNumber,
    pub(crate) to: DiskNumber,
    pub(crate) queue_depth: u32,
}

/// All faults of a run, by what they are at.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) disks: Vec<Vec<Timed<DiskFault>>>,
    /// By `from * nodes + to`.
    pub(crate) links: Vec<Vec<Timed<LinkFault>>>,
    pub(crate) cpus: Vec<Vec<Timed<CpuFault>>>,
    pub(crate) volumes: Vec<Vec<Timed<VolumeFault>>>,
    pub(crate) deaths: Vec<Timed<Death>>,
    pub(crate) repairs: Vec<Timed<RepairJob>>,
}

impl Faults {
    pub(crate) fn new(config: &Config, layout: &Layout) -> Self {
        let nodes = config.nodes as usize;
        let mut faults = Self {
            disks: vec![Vec::new(); nodes * layout.disks_a_node as usize],
            links: vec![Vec::new(); nodes * nodes],
            cpus: vec![Vec::new(); nodes],
            volumes: vec![Vec::new(); config.volumes.len()],
            ..Self::default()
        };
        for (at, fault) in config.faults.iter().enumerate() {
            faults.add(config, layout, &fault.what, span_of(config, fault), at);
        }
        faults
    }

    fn add(&mut self, config: &Config, layout: &Layout, what: &FaultKind, span: Span, number: usize) {
        // Everything that one fault stops, it stops at the same times.
        let stops = |every_millis: f64, length_millis: f64| {
            Stops::new(
                own_random(config, number),
                span,
                every_millis * 1e6,
                length_millis * 1e6,
            )
        };
        let links = |on: LinkRef| links_of(on, config.nodes);
        match *what {
            FaultKind::SlowDisk { on, factor, add_micros } => {
                let add = add_micros * 1e3;
                self.at_disk(layout.disk(on.node, on.disk), span, DiskFault::Slow { factor, add });
            }
            FaultKind::SporadicStalls {
                on,
                every_millis,
                stall_millis,
            } => {
                let stalls = DiskFault::Stalls(stops(every_millis, stall_millis));
                self.at_disk(layout.disk(on.node, on.disk), span, stalls);
            }
            FaultKind::Wear { on, factor } => {
                self.at_disk(layout.disk(on.node, on.disk), span, DiskFault::Wear { factor });
            }
            FaultKind::MixedMedia { on, seek_micros } => {
                let median = seek_micros * 1e3;
                self.at_disk(layout.disk(on.node, on.disk), span, DiskFault::Seeks { median });
            }
            FaultKind::LinkSlow {
                on,
                bandwidth_share,
                add_micros,
            } => {
                let add = add_micros * 1e3;
                self.at_links(links(on), span, &LinkFault::Slow { bandwidth_share, add });
            }
            FaultKind::LinkLossy {
                on,
                loss,
                retransmit_millis,
            } => {
                let retransmit = retransmit_millis * 1e6;
                self.at_links(links(on), span, &LinkFault::Lossy { loss, retransmit });
            }
            FaultKind::RdmaFallback {
                on,
                add_micros,
                cpu_micros,
            } => {
                let add = add_micros * 1e3;
                self.at_links(links(on), span, &LinkFault::Tcp { add, cpu_micros });
            }
            FaultKind::PfcStorm {
                node,
                every_millis,
                pause_millis,
            } => {
                let others = (0..config.nodes).filter(|&other| other != node);
                let to_node = others.map(|other| (other * config.nodes + node) as usize).collect();
                self.at_links(to_node, span, &LinkFault::Paused(stops(every_millis, pause_millis)));
            }
            FaultKind::CreditStalls {
                node,
                share,
                wait_millis,
            } => {
                let wait = wait_millis * 1e6;
                let others = (0..config.nodes).filter(|&other| other != node);
                let from_node = others.map(|other| (node * config.nodes + other) as usize).collect();
                self.at_links(from_node, span, &LinkFault::Credits { share, wait });
            }
            FaultKind::AdapterErrors {
                node,
                every_millis,
                reconnect_millis,
                ..
            } => {
                let of_node = links(LinkRef { node, peer: None });
                self.at_links(of_node, span, &LinkFault::Broken(stops(every_millis, reconnect_millis)));
            }
            FaultKind::LinkBusy {
                node,
                load_share,
                burst_micros,
            } => {
                let busy = LinkFault::Busy {
                    load: load_share,
                    burst: burst_micros * 1e3,
                };
                self.at_links(links(LinkRef { node, peer: None }), span, &busy);
            }
            FaultKind::DriveErrors {
                on,
                share,
                retry_millis,
            } => {
                let errors = DiskFault::Errors {
                    share,
                    retry: retry_millis * 1e6,
                    random: own_random(config, number),
                };
                self.at_disk(layout.disk(on.node, on.disk), span, errors);
            }
            FaultKind::CsvRedirected {
                volume,
                node,
                add_micros,
            } => {
                let what = VolumeFault::Redirected {
                    node,
                    add: add_micros * 1e3,
                    random: own_random(config, number),
                };
                self.volumes[volume as usize].push(Timed { span, what });
            }
            FaultKind::MtuMismatch {
                on,
                above_bytes,
                add_millis,
            } => {
                let large = LinkFault::Large {
                    above: above_bytes,
                    add: add_millis * 1e6,
                };
                self.at_links(links(on), span, &large);
            }
            FaultKind::PathPause {
                on,
                every_millis,
                pause_millis,
            } => {
                self.at_links(links(on), span, &LinkFault::Held(stops(every_millis, pause_millis)));
            }
            FaultKind::Repair { from, to, queue_depth } => {
                let what = RepairJob {
                    from: layout.disk(from.node, from.disk),
                    to: layout.disk(to.node, to.disk),
                    queue_depth,
                };
                self.repairs.push(Timed { span, what });
            }
            // Seen in state alone.
            FaultKind::JobRestarts { .. } | FaultKind::Paused { .. } => {}
            FaultKind::CpuStarved {
                node,
                factor,
                delayed_share,
                delay_millis,
            } => {
                let what = CpuFault::Starved {
                    factor,
                    share: delayed_share,
                    delay: delay_millis * 1e6,
                };
                self.cpus[node as usize].push(Timed { span, what });
            }
            FaultKind::Bitlocker { node, nanos_per_byte } => {
                let what = CpuFault::Encryption { nanos_per_byte };
                self.cpus[node as usize].push(Timed { span, what });
            }
            FaultKind::RefsStall {
                volume,
                every_millis,
                stall_millis,
            } => {
                let what = VolumeFault::Stalls(stops(every_millis, stall_millis));
                self.volumes[volume as usize].push(Timed { span, what });
            }
            FaultKind::TargetDied {
                node,
                detect_millis,
                retry_millis,
            } => {
                let what = Death {
                    node,
                    detect: (detect_millis * 1e6) as u64,
                    retry: (retry_millis * 1e6) as u64,
                };
                self.deaths.push(Timed { span, what });
            }
        }
    }

    fn at_disk(&mut self, disk: DiskNumber, span: Span, what: DiskFault) {
        self.disks[disk.as_usize()].push(Timed { span, what });
    }

    fn at_links(&mut self, links: Vec<usize>, span: Span, what: &LinkFault) {
        for link in links {
            let what = what.clone();
            self.links[link].push(Timed { span, what });
        }
    }
}

/// The time of a fault, in nanoseconds of the run.
fn span_of(config: &Config, fault: &Fault) -> Span {
    let until = match (fault.until_seconds, &fault.what) {
        (Some(until), _) => nanos(until),
        (None, FaultKind::Wear { .. }) => nanos(config.expected_seconds()),
        (None, _) => u64::MAX,
    };
    (nanos(fault.from_seconds), until)
}

/// Chance of a fault's own.
fn own_random(config: &Config, number: usize) -> Random {
    Random::new(config.seed, Purpose::Fault, number)
}

/// When an adapter that breaks its connections did, up to a time; of other faults never.
pub(crate) fn breaks(config: &Config, number: usize, until: u64) -> Vec<u64> {
    let Some(fault) = config.faults.get(number) else {
        return Vec::new();
    };
    let FaultKind::AdapterErrors {
        every_millis,
        reconnect_millis,
        ..
    } = fault.what
    else {
        return Vec::new();
    };
    let span = span_of(config, fault);
    let mut stops = Stops::new(
        own_random(config, number),
        span,
        every_millis * 1e6,
        reconnect_millis * 1e6,
    );
    stops.begins(until)
}

/// How likely a message goes over a certain adapter.
pub(crate) const OVER_ONE_ADAPTER: f64 = 1.0 / ADAPTERS as f64;

/// Both directions of the links that are meant.
fn links_of(on: LinkRef, nodes: u32) -> Vec<usize> {
    let peers = (0..nodes).filter(|&peer| peer != on.node && on.peer.is_none_or(|only| only == peer));
    peers
        .flat_map(|peer| [on.node * nodes + peer, peer * nodes + on.node])
        .map(|link| link as usize)
        .collect()
}

/// Seconds as nanoseconds.
pub(crate) fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}
