//! What each scenario changes of the defaults.

use super::{Options, Scenario};
use crate::config::{
    Arrival, ClockChange, Config, DiskRef, Fault, FaultKind, LinkRef, Lost, MOST_NODES, Offsets, OpMix, ParityTier,
    Resiliency, SizeShare, SlabMove, Taps, Volume,
};

/// The node that faults are at.
const BAD: u32 = 1;

/// The drive that faults are at.
const DISK: DiskRef = DiskRef { node: BAD, disk: 0 };

/// Its links.
const LINKS: LinkRef = LinkRef { node: BAD, peer: None };

pub(super) fn config(scenario: Scenario, options: &Options) -> Config {
    let nodes = options.nodes.unwrap_or(match scenario {
        Scenario::Sixteen => 16,
        _ => 4,
    });
    let mut config = Config {
        name: scenario.as_str().to_owned(),
        seed: options.seed.unwrap_or(1),
        nodes,
        writes: options.writes,
        seconds: options.seconds,
        ..Config::default()
    };
    workload(scenario, &mut config);
    if config.writes.is_none() && config.seconds.is_none() {
        config.writes = Some(30_000);
    }
    surroundings(scenario, &mut config);
    if let Some(taps) = options.taps {
        config.recording.taps = taps;
    }
    config
}

/// One volume a node, each changed in the same way.
fn volumes(config: &mut Config, change: impl Fn(u32, &mut Volume)) {
    config.volumes = (0..config.nodes.clamp(1, MOST_NODES))
        .map(|at| {
            let mut volume = Volume {
                initiators: vec![at],
                ..Volume::on(config.nodes)
            };
            change(at, &mut volume);
            volume
        })
        .collect();
}

/// 4 KiB mostly, and some of everything up to 1 MiB.
fn many_sizes() -> Vec<SizeShare> {
    [
        (4096, 50.0),
        (8192, 20.0),
        (16_384, 10.0),
        (65_536, 15.0),
        (262_144, 4.0),
        (1_048_576, 1.0),
    ]
    .map(|(bytes, share)| SizeShare { bytes, share })
    .to_vec()
}

fn workload(scenario: Scenario, config: &mut Config) {
    let nodes = config.nodes;
    match scenario {
        Scenario::HotSpot => volumes(config, |_, volume| {
            volume.arrival = Arrival::QueueDepth(64);
            volume.offsets = Offsets::Zipf {
                blocks: 64,
                exponent: 1.2,
            };
        }),
        Scenario::Identical => volumes(config, |_, volume| {
            volume.arrival = Arrival::QueueDepth(4);
            volume.offsets = Offsets::Same { offset: 1 << 20 };
        }),
        Scenario::WrappingLog => volumes(config, |_, volume| {
            volume.offsets = Offsets::Log { bytes: 4 << 20 };
        }),
        Scenario::Merge => {
            volumes(config, |_, volume| {
                volume.arrival = Arrival::QueueDepth(8);
                volume.offsets = Offsets::Log { bytes: 256 << 20 };
            });
            config.disks.merge_micros = 20.0;
        }
        Scenario::Nested => volumes(config, |_, volume| volume.resiliency = Resiliency::NestedTwoWay),
        Scenario::MirrorAccelerated => volumes(config, |_, volume| {
            volume.size_bytes = 1 << 30;
            volume.slab_bytes = 64 << 20;
            volume.sizes = many_sizes();
            volume.parity = Some(ParityTier {
                size_bytes: 512 << 20,
                columns: 4,
                parity_columns: 2,
            });
        }),
        Scenario::Columns => volumes(config, |_, volume| {
            volume.size_bytes = 512 << 20;
            volume.slab_bytes = 64 << 20;
            volume.columns = 2;
            volume.sizes = many_sizes();
        }),
        Scenario::ManyInitiators => volumes(config, |_, volume| {
            volume.initiators = (0..nodes).collect();
            volume.arrival = Arrival::Rate(1200.0 / f64::from(nodes.max(1)));
        }),
        Scenario::MixedOps => volumes(config, |_, volume| {
            volume.ops = OpMix {
                read: 60.0,
                write: 36.0,
                flush: 1.0,
                unmap: 3.0,
            };
            volume.arrival = Arrival::Rate(2000.0);
            volume.sizes = many_sizes();
        }),
        Scenario::Split => {
            volumes(config, |_, volume| volume.sizes = many_sizes());
            config.disks.max_transfer_bytes = 64 << 10;
        }
        Scenario::MtuMismatch | Scenario::Bitlocker => volumes(config, |_, volume| volume.sizes = many_sizes()),
        Scenario::Sixteen => volumes(config, |_, volume| volume.arrival = Arrival::Rate(600.0)),
        // Each is written by its owner and by the next node.
        Scenario::CsvRedirected => volumes(config, |at, volume| {
            volume.initiators = vec![at, (at + 1) % nodes.max(1)];
            volume.initiators.dedup();
            volume.arrival = Arrival::Rate(600.0);
        }),
        // The owner's own drive faults are met by the volumes' defaults.
        _ => volumes(config, |_, _| {}),
    }
}

/// Everything but the workload, whose rate tells how long the run is.
fn surroundings(scenario: Scenario, config: &mut Config) {
    let length = config.expected_seconds();
    let third = (length * 0.3, Some(length * 0.7));
    if let Some(what) = fault(scenario) {
        let (from_seconds, until_seconds) = match what {
            FaultKind::Wear { .. } => (0.0, None),
            FaultKind::TargetDied { .. } => (length * 0.4, Some(length * 0.4 + 0.3)),
            _ => third,
        };
        config.faults.push(Fault {
            from_seconds,
            until_seconds,
            what,
        });
    }
    let change = |step_millis: f64, drift_ppm: f64| ClockChange {
        node: BAD,
        at_seconds: length * 0.5,
        step_millis,
        drift_ppm,
    };
    match scenario {
        Scenario::MixedMedia => {
            let disks = (0..config.nodes).map(|node| DiskRef { node, disk: 0 });
            config.faults = disks
                .map(|on| Fault {
                    from_seconds: 0.0,
                    until_seconds: None,
                    what: FaultKind::MixedMedia { on, seek_micros: 900.0 },
                })
                .collect();
        }
        Scenario::ClockStepForward => config.clocks.changes.push(change(200.0, 0.0)),
        Scenario::ClockStepBack => config.clocks.changes.push(change(-200.0, 0.0)),
        Scenario::DriftChange => config.clocks.changes.push(change(0.0, 80.0)),
        Scenario::FarClocks => config.clocks.offset_millis = 60_000.0,
        Scenario::Shift => config.disks.shift_bytes = 16 << 20,
        Scenario::Cache => config.disks.cache = true,
        Scenario::DriveErrors => config.disks.error_counters = true,
        Scenario::Moves => volumes(config, |_, volume| {
            volume.size_bytes = 1 << 30;
            volume.moves = (0..4)
                .map(|slab| SlabMove {
                    slab,
                    copy: slab % volume.resiliency.copies(),
                    at_seconds: length * (0.3 + 0.1 * f64::from(slab)),
                })
                .collect();
        }),
        Scenario::MissingDaemon => config.recording.missing_nodes = vec![BAD],
        Scenario::LostEvents => {
            config.recording.lost = (0..config.nodes)
                .map(|node| {
                    let from_seconds = length * (0.2 + 0.6 * f64::from(node) / f64::from(config.nodes.max(1)));
                    Lost {
                        node,
                        from_seconds,
                        until_seconds: from_seconds + length * 0.04,
                    }
                })
                .collect();
        }
        Scenario::Windows => config.recording.taps = Taps::Windows,
        _ => {}
    }
}

fn fault(scenario: Scenario) -> Option<FaultKind> {
    Some(match scenario {
        Scenario::SlowDisk => FaultKind::SlowDisk {
            on: DISK,
            factor: 6.0,
            add_micros: 0.0,
        },
        Scenario::SporadicStalls => FaultKind::SporadicStalls {
            on: DISK,
            every_millis: 150.0,
            stall_millis: 20.0,
        },
        Scenario::Wear => FaultKind::Wear { on: DISK, factor: 5.0 },
        Scenario::LinkSlow => FaultKind::LinkSlow {
            on: LINKS,
            bandwidth_share: 0.01,
            add_micros: 1000.0,
        },
        Scenario::LinkLossy => FaultKind::LinkLossy {
            on: LINKS,
            loss: 0.02,
            retransmit_millis: 5.0,
        },
        Scenario::RdmaFallback => FaultKind::RdmaFallback {
            on: LINKS,
            add_micros: 120.0,
            cpu_micros: 25.0,
        },
        Scenario::PfcStorm => FaultKind::PfcStorm {
            node: BAD,
            every_millis: 60.0,
            pause_millis: 10.0,
        },
        Scenario::MtuMismatch => FaultKind::MtuMismatch {
            on: LINKS,
            above_bytes: 8192,
            add_millis: 4.0,
        },
        Scenario::CreditStalls => FaultKind::CreditStalls {
            node: BAD,
            share: 0.2,
            wait_millis: 2.0,
        },
        Scenario::AdapterErrors => FaultKind::AdapterErrors {
            node: BAD,
            adapter: 0,
            every_millis: 1000.0,
            reconnect_millis: 30.0,
        },
        Scenario::LinkBusy => FaultKind::LinkBusy {
            node: BAD,
            load_share: 0.97,
            burst_micros: 60.0,
        },
        Scenario::DriveErrors => FaultKind::DriveErrors {
            on: DISK,
            share: 0.1,
            retry_millis: 15.0,
        },
        Scenario::CsvRedirected => FaultKind::CsvRedirected {
            volume: 0,
            node: BAD,
            add_micros: 1500.0,
        },
        Scenario::Repair => FaultKind::Repair {
            from: DiskRef { node: 0, disk: 0 },
            to: DISK,
            queue_depth: 4,
        },
        Scenario::CpuStarved => FaultKind::CpuStarved {
            node: BAD,
            factor: 4.0,
            delayed_share: 0.1,
            delay_millis: 2.0,
        },
        Scenario::SblPause => FaultKind::PathPause {
            on: LINKS,
            every_millis: 150.0,
            pause_millis: 30.0,
        },
        Scenario::RefsStall => FaultKind::RefsStall {
            volume: 0,
            every_millis: 400.0,
            stall_millis: 50.0,
        },
        Scenario::Bitlocker => FaultKind::Bitlocker {
            node: BAD,
            nanos_per_byte: 40.0,
        },
        Scenario::TargetDied => FaultKind::TargetDied {
            node: BAD,
            detect_millis: 5.0,
            retry_millis: 50.0,
        },
        _ => return None,
    })
}
