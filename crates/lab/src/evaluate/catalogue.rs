//! The built-in catalogue: every seed is a scenario.
//!
//! Of 20 consecutive seeds eight have one fault, four have two, one has three, and seven are healthy: five long and quiet at 50 writes
//! a second, two short and busy. All else (where, how bad, how large the cluster, which taps, whose clock is set) is drawn from the seed,
//! but for what has seeds of its own (`own`).

mod own;

use fathom_simulate::config::{
    Arrival, ClockChange, Config, DiskRef, Fault, FaultKind, LinkRef, Offsets, Resiliency, SizeShare, Taps, Volume,
};

use self::own::Own;
use super::scenario::{Scenario, truth_of};

/// Seeds after which the kinds of scenarios come again.
const ROUND: u64 = 20;

/// Length of a run with faults, in seconds.
const FAULT_SECONDS: f64 = 90.0;

/// Writes a second of a quiet cluster, all volumes together.
const QUIET_RATE: f64 = 50.0;

/// Length of a quiet stretch, in seconds, and how many a seed has: 50 such seeds of 200 make ten days.
const QUIET_SECONDS: f64 = 2160.0;
const QUIET_STRETCHES: u64 = 8;

/// The scenario of a seed.
#[must_use]
pub fn scenario(seed: u64) -> Scenario {
    let mut draw = Draw::new(seed);
    match seed % ROUND {
        at @ 0..8 => with_faults(seed, 1, at == 7, &mut draw),
        8..12 => with_faults(seed, 2, false, &mut draw),
        12 => with_faults(seed, 3, false, &mut draw),
        at @ 13..15 => busy(seed, at == 13, &mut draw),
        at => quiet(seed, at, &mut draw),
    }
}

/// Numbers from a seed: SplitMix64 (Steele, Lea and Flood, 2014).
struct Draw(u64);

impl Draw {
    const fn new(seed: u64) -> Self {
        Self(seed ^ 0x5eed_fa70_0f0a_0b0c)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    const fn below(&mut self, bound: u32) -> u32 {
        (((self.next() >> 32) * bound as u64) >> 32) as u32
    }

    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Between two values, every ratio equally likely: from barely visible to drastic.
    fn between(&mut self, low: f64, high: f64) -> f64 {
        // Rounded, so that a configuration can be read and written.
        (low * (high / low).powf(self.share()) * 1e3).round() / 1e3
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u32) as usize]
    }
}

/// A cluster with one volume a node and so many writes a second in all.
fn cluster(seed: u64, nodes: u32, rate: f64, draw: &mut Draw) -> Config {
    let resiliency = if nodes == 2 || draw.below(6) == 0 {
        Resiliency::TwoWay
    } else {
        Resiliency::ThreeWay
    };
    let volumes = (0..nodes).map(|node| Volume {
        initiators: vec![node],
        resiliency,
        arrival: Arrival::Rate(rate / f64::from(nodes)),
        ..Volume::on(nodes)
    });
    Config {
        seed,
        nodes,
        volumes: volumes.collect(),
        ..Config::default()
    }
}

fn sizes(draw: &mut Draw) -> Vec<SizeShare> {
    let share = |bytes, share| SizeShare { bytes, share };
    match draw.below(3) {
        0 => vec![share(4096, 1.0)],
        1 => vec![share(4096, 70.0), share(16_384, 20.0), share(65_536, 10.0)],
        _ => vec![share(8192, 50.0), share(32_768, 30.0), share(131_072, 20.0)],
    }
}

fn with_faults(seed: u64, count: usize, windows: bool, draw: &mut Draw) -> Scenario {
    let own = if count == 1 { Own::of(seed) } else { None };
    let drawn = 3 + draw.below(4);
    let nodes = if own == Some(Own::TwoNodes) { 2 } else { drawn };
    let rate = draw.between(300.0, 900.0).round();
    let mut config = cluster(seed, nodes, rate, draw);
    config.seconds = Some(FAULT_SECONDS);
    let sizes = sizes(draw);
    config
        .volumes
        .iter_mut()
        .for_each(|volume| volume.sizes.clone_from(&sizes));
    if nodes > 2 && config.volumes[0].resiliency == Resiliency::TwoWay {
        // A far copy without another far copy beside it is told by other writes; with a third node there are some.
        config.nodes = nodes.max(4);
    }
    let first = draw.below(nodes);
    for number in 0..count {
        // Two faults are at two nodes: which of two at one node it was is another question.
        let node = (first + number as u32) % nodes;
        let drawn = fault(node, nodes, config.disks.count, draw);
        let own = own.and_then(|own| own.fault(node, nodes, config.disks.count, draw));
        let what = own.unwrap_or(drawn);
        if let FaultKind::MtuMismatch { .. } = what {
            let sizes = vec![
                SizeShare {
                    bytes: 4096,
                    share: 60.0,
                },
                SizeShare {
                    bytes: 65_536,
                    share: 40.0,
                },
            ];
            config
                .volumes
                .iter_mut()
                .for_each(|volume| volume.sizes.clone_from(&sizes));
        }
        let from_seconds = 15.0 + f64::from(draw.below(8)) + number as f64 * 2.0;
        let until_seconds = match what {
            FaultKind::TargetDied { .. } => Some(from_seconds + 1.0 + 4.0 * draw.share()),
            _ => None,
        };
        config.faults.push(Fault {
            from_seconds,
            until_seconds,
            what,
        });
    }
    if let Some(own) = own {
        own.arrange(&mut config, first, draw);
    }
    if windows {
        config.recording.taps = draw.one_of(&[Taps::Windows, Taps::WindowsOffset]);
    } else if draw.below(6) == 0 {
        config.recording.taps = Taps::WindowsOffset;
    }
    if draw.below(8) == 0 {
        clock_trouble(&mut config, FAULT_SECONDS, draw);
    }
    let names: Vec<&str> = config.faults.iter().map(|fault| fault.what.name()).collect();
    let name = names.join("+");
    finish(seed, name, config, 1)
}

/// A fault of any kind, from barely visible to drastic.
fn fault(node: u32, nodes: u32, disks: u32, draw: &mut Draw) -> FaultKind {
    let on = DiskRef {
        node,
        disk: draw.below(disks),
    };
    let ways = LinkRef {
        node,
        peer: (draw.below(2) == 0).then(|| (node + 1 + draw.below(nodes - 1)) % nodes),
    };
    match draw.below(14) {
        0 | 1 => FaultKind::SlowDisk {
            on,
            factor: draw.between(1.5, 20.0),
            add_micros: 0.0,
        },
        2 => FaultKind::SporadicStalls {
            on,
            every_millis: draw.between(100.0, 1500.0),
            stall_millis: draw.between(5.0, 80.0),
        },
        3 => FaultKind::Wear {
            on,
            factor: draw.between(4.0, 20.0),
        },
        4 => FaultKind::MixedMedia {
            on,
            seek_micros: draw.between(300.0, 5000.0),
        },
        5 => FaultKind::LinkSlow {
            on: ways,
            bandwidth_share: draw.between(0.01, 0.5),
            add_micros: draw.between(100.0, 3000.0),
        },
        6 => FaultKind::LinkLossy {
            on: ways,
            loss: draw.between(0.004, 0.1),
            retransmit_millis: draw.between(2.0, 20.0),
        },
        7 => FaultKind::RdmaFallback {
            on: ways,
            add_micros: draw.between(80.0, 600.0),
            cpu_micros: draw.between(10.0, 50.0),
        },
        8 => FaultKind::PfcStorm {
            node,
            every_millis: draw.between(30.0, 600.0),
            pause_millis: draw.between(2.0, 30.0),
        },
        9 => FaultKind::MtuMismatch {
            on: ways,
            above_bytes: 8192,
            add_millis: draw.between(0.5, 10.0),
        },
        10 => FaultKind::CpuStarved {
            node,
            factor: draw.between(2.0, 12.0),
            delayed_share: draw.between(0.02, 0.3),
            delay_millis: draw.between(0.5, 8.0),
        },
        11 => FaultKind::PathPause {
            on: ways,
            every_millis: draw.between(80.0, 1000.0),
            pause_millis: draw.between(5.0, 60.0),
        },
        12 => FaultKind::RefsStall {
            volume: node,
            every_millis: draw.between(200.0, 2000.0),
            stall_millis: draw.between(10.0, 100.0),
        },
        _ => FaultKind::Bitlocker {
            node,
            nanos_per_byte: draw.between(20.0, 200.0),
        },
    }
}

fn clock_trouble(config: &mut Config, seconds: f64, draw: &mut Draw) {
    let node = draw.below(config.nodes);
    let at_seconds = seconds * (0.2 + 0.6 * draw.share());
    match draw.below(4) {
        0 => config.clocks.offset_millis = 60_000.0,
        1 => config.clocks.changes.push(ClockChange {
            node,
            at_seconds,
            step_millis: draw.between(20.0, 400.0),
            drift_ppm: 0.0,
        }),
        2 => config.clocks.changes.push(ClockChange {
            node,
            at_seconds,
            step_millis: -draw.between(20.0, 400.0),
            drift_ppm: 0.0,
        }),
        _ => config.clocks.changes.push(ClockChange {
            node,
            at_seconds,
            step_millis: 0.0,
            drift_ppm: draw.between(20.0, 100.0),
        }),
    }
}

/// Healthy and busy for a minute: hot spots, deep queues, mixed operations.
fn busy(seed: u64, hot: bool, draw: &mut Draw) -> Scenario {
    let nodes = 2 + draw.below(5);
    let mut config = cluster(seed, nodes, 1200.0, draw);
    config.seconds = Some(30.0);
    let depth = 4 + draw.below(13);
    for volume in &mut config.volumes {
        if hot {
            volume.offsets = Offsets::Zipf {
                blocks: 64,
                exponent: 1.2,
            };
        }
        volume.arrival = if hot {
            Arrival::Rate(1500.0)
        } else {
            Arrival::QueueDepth(depth)
        };
    }
    config.writes = Some(40_000);
    let sizes = sizes(draw);
    config
        .volumes
        .iter_mut()
        .for_each(|volume| volume.sizes.clone_from(&sizes));
    let name = if hot { "busy-hot-spot" } else { "busy-deep-queues" };
    finish(seed, name.to_owned(), config, 1)
}

/// Healthy, at 50 writes a second, for hours.
fn quiet(seed: u64, at: u64, draw: &mut Draw) -> Scenario {
    let nodes = 2 + draw.below(5);
    let mut config = cluster(seed, nodes, QUIET_RATE, draw);
    config.seconds = Some(QUIET_SECONDS);
    let sizes = sizes(draw);
    config
        .volumes
        .iter_mut()
        .for_each(|volume| volume.sizes.clone_from(&sizes));
    let name = match at {
        15 => {
            clock_trouble(&mut config, QUIET_SECONDS, draw);
            "quiet-clock-trouble"
        }
        16 => {
            config.recording.missing_nodes = vec![draw.below(nodes)];
            "quiet-missing-daemon"
        }
        17 => {
            config.recording.taps = Taps::Windows;
            "quiet-windows"
        }
        18 => {
            config.recording.taps = Taps::WindowsOffset;
            "quiet-windows-offset"
        }
        _ => "quiet",
    };
    finish(seed, name.to_owned(), config, QUIET_STRETCHES)
}

fn finish(seed: u64, name: String, config: Config, stretches: u64) -> Scenario {
    let config = Config {
        // Several faults make a name that no recording may have.
        name: format!("seed-{seed}"),
        ..config.filled()
    };
    Scenario {
        truth: truth_of(&config),
        name,
        config,
        stretches,
    }
}
