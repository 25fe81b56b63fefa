//! Drives, links and processors: how long each takes, with its queue and its faults.

use fathom_model::Op;

use crate::config::{Config, Cpus, Disks, Network};
use crate::counted::{Counted, Message};
use crate::faults::{CpuFault, DiskFault, Faults, LinkFault, OVER_ONE_ADAPTER, Timed, VolumeFault};
use crate::layout::{DiskNumber, Layout};
use crate::random::{Purpose, Random};
use crate::station::Station;

/// A message is lost at most so often in a row.
const MOST_LOSSES: u32 = 10;

/// Spread (sigma of the logarithm) of the way to a volume's owner and back.
const REDIRECTED_SIGMA: f64 = 0.5;

/// Everything of a cluster that takes time.
#[derive(Debug)]
pub(crate) struct Hardware {
    nodes: u32,
    disk_config: Disks,
    network: Network,
    cpu_config: Cpus,
    disks: Vec<Disk>,
    links: Vec<Link>,
    cpus: Vec<Cpu>,
    /// By volume.
    volumes: Vec<Vec<Timed<VolumeFault>>>,
    counted: Counted,
}

#[derive(Debug)]
struct Disk {
    station: Station,
    /// For a drive that seeks.
    one_head: Station,
    random: Random,
    faults: Vec<Timed<DiskFault>>,
}

#[derive(Debug)]
struct Link {
    wire: Station,
    random: Random,
    /// Of its own, so that a lossy link's messages take the ways that they would have taken.
    losses: Random,
    faults: Vec<Timed<LinkFault>>,
}

#[derive(Debug)]
struct Cpu {
    station: Station,
    random: Random,
    faults: Vec<Timed<CpuFault>>,
}

impl Hardware {
    pub(crate) fn new(config: &Config, layout: &Layout, faults: &mut Faults) -> Self {
        let seed = config.seed;
        let disks = std::mem::take(&mut faults.disks).into_iter().enumerate();
        let links = std::mem::take(&mut faults.links).into_iter().enumerate();
        let cpus = std::mem::take(&mut faults.cpus).into_iter().enumerate();
        debug_assert_eq!(disks.len(), (config.nodes * layout.disks_a_node) as usize);
        Self {
            nodes: config.nodes,
            disk_config: config.disks.clone(),
            network: config.network.clone(),
            cpu_config: config.cpus.clone(),
            disks: disks
                .map(|(at, faults)| Disk {
                    station: Station::new(config.disks.channels),
                    one_head: Station::new(1),
                    random: Random::new(seed, Purpose::Disk, at),
                    faults,
                })
                .collect(),
            links: links
                .map(|(at, faults)| Link {
                    wire: Station::new(1),
                    random: Random::new(seed, Purpose::Link, at),
                    losses: Random::new(seed, Purpose::Loss, at),
                    faults,
                })
                .collect(),
            cpus: cpus
                .map(|(at, faults)| Cpu {
                    station: Station::new(config.cpus.cores),
                    random: Random::new(seed, Purpose::Cpu, at),
                    faults,
                })
                .collect(),
            volumes: std::mem::take(&mut faults.volumes),
            counted: Counted::new(config.nodes, (config.nodes * layout.disks_a_node) as usize),
        }
    }

    /// When a node has done its work before the first copy of an I/O that comes now.
    pub(crate) fn submit(&mut self, node: u32, volume: u32, now: u64, length: u64) -> u64 {
        let mut at = now;
        let mut round = 0.0;
        for fault in &mut self.volumes[volume as usize] {
            let is_on = fault.is_on(now);
            match &mut fault.what {
                VolumeFault::Stalls(stops) => at = stops.release(at),
                VolumeFault::Redirected { node: by, add, random } if is_on && *by == node => {
                    round += random.log_normal(*add, REDIRECTED_SIGMA);
                }
                VolumeFault::Redirected { .. } => {}
            }
        }
        let encryption: f64 = self.cpus[node as usize]
            .faults
            .iter()
            .filter(|fault| fault.is_on(now))
            .map(|fault| match fault.what {
                CpuFault::Encryption { nanos_per_byte } => nanos_per_byte * length as f64,
                CpuFault::Starved { .. } => 0.0,
            })
            .sum();
        let work = self.cpu_config.submit_micros;
        self.work(node, now, work, encryption).max(at) + round as u64
    }

    /// When a message that is there now has been looked at.
    pub(crate) fn receive(&mut self, from: u32, at: u32, now: u64) -> u64 {
        let extra = self.tcp_cpu(from, at, now);
        let work = self.cpu_config.message_micros;
        self.work(at, now, work, extra)
    }

    /// When a node has done its work after the last copy.
    pub(crate) fn complete(&mut self, node: u32, now: u64) -> u64 {
        let work = self.cpu_config.complete_micros;
        self.work(node, now, work, 0.0)
    }

    /// The time between one copy and the next.
    pub(crate) fn send_gap(&mut self, node: u32) -> u64 {
        let random = &mut self.cpus[node as usize].random;
        let gap = random.log_normal(self.cpu_config.send_gap_micros * 1e3, self.cpu_config.sigma);
        // Two copies are never handed over in the same nanosecond.
        gap as u64 + 1
    }

    fn work(&mut self, node: u32, now: u64, median_micros: f64, extra: f64) -> u64 {
        let cpu = &mut self.cpus[node as usize];
        let mut work = cpu.random.log_normal(median_micros * 1e3, self.cpu_config.sigma) + extra;
        let mut wait = 0.0;
        for fault in cpu.faults.iter().filter(|fault| fault.is_on(now)) {
            if let CpuFault::Starved { factor, share, delay } = fault.what {
                work *= factor;
                if cpu.random.chance(share) {
                    wait += cpu.random.exponential(delay);
                }
            }
        }
        cpu.station.serve(now, |start| start + work as u64) + wait as u64
    }

    fn tcp_cpu(&self, from: u32, to: u32, now: u64) -> f64 {
        let faults = self.links[self.link(from, to)].faults.iter();
        faults
            .filter(|fault| fault.is_on(now))
            .map(|fault| match fault.what {
                LinkFault::Tcp { cpu_micros, .. } => cpu_micros * 1e3,
                _ => 0.0,
            })
            .sum()
    }

    const fn link(&self, from: u32, to: u32) -> usize {
        (from * self.nodes + to) as usize
    }

    /// When a message that is handed over now may go on the wire: the storage bus may hold requests, and TCP takes the
    /// processor's time.
    pub(crate) fn ready(&mut self, (from, to): (u32, u32), now: u64, request: bool) -> u64 {
        let tcp = self.tcp_cpu(from, to, now);
        let mut at = if tcp > 0.0 { self.work(from, now, 0.0, tcp) } else { now };
        let link = self.link(from, to);
        for fault in &mut self.links[link].faults {
            if let LinkFault::Held(stops) = &mut fault.what
                && request
            {
                at = at.max(stops.release(now));
            }
        }
        at
    }

    /// When a message arrives that goes on the wire now.
    pub(crate) fn wire(&mut self, (from, to): (u32, u32), now: u64, bytes: u64) -> u64 {
        let at = self.link(from, to);
        let network = &self.network;
        let Link {
            wire,
            random,
            losses,
            faults,
        } = &mut self.links[at];
        let mut bits_per_nano = network.gigabits_per_second;
        let mut way = random.log_normal(network.one_way_micros * 1e3, network.sigma);
        let (mut is_tcp, mut has_stalled) = (false, false);
        for fault in faults.iter_mut().filter(|fault| fault.is_on(now)) {
            match &mut fault.what {
                LinkFault::Slow { bandwidth_share, add } => {
                    bits_per_nano *= *bandwidth_share;
                    way += *add;
                }
                LinkFault::Lossy { loss, retransmit } => {
                    let lost = (0..MOST_LOSSES).take_while(|_| losses.chance(*loss)).count();
                    // Each time it waits longer before it tries again.
                    way += (0..lost).map(|time| *retransmit * (1.0 + time as f64)).sum::<f64>();
                }
                LinkFault::Tcp { add, .. } => {
                    is_tcp = true;
                    way += losses.log_normal(*add, 0.5);
                }
                LinkFault::Large { above, add } if bytes > *above => way += losses.exponential(*add),
                LinkFault::Credits { share, wait } => {
                    if losses.chance(*share) {
                        has_stalled = true;
                        way += losses.exponential(*wait);
                    }
                }
                LinkFault::Broken(stops) => {
                    if losses.chance(OVER_ONE_ADAPTER) {
                        way += (stops.release(now) - now) as f64;
                    }
                }
                LinkFault::Busy { load, burst } => {
                    // Whoever comes to a queue of so much load finds it busy so often, and waits so long then (M/M/1).
                    bits_per_nano *= 1.0 - *load;
                    if losses.chance(*load) {
                        way += losses.exponential(*burst / (1.0 - *load));
                    }
                }
                LinkFault::Large { .. } | LinkFault::Paused(_) | LinkFault::Held(_) => {}
            }
        }
        let bytes = bytes + network.header_bytes;
        let transfer = (bytes as f64 * 8.0 / bits_per_nano) as u64;
        let sent = wire.serve(now, |start| {
            let pauses = faults.iter_mut().filter_map(|fault| match &mut fault.what {
                LinkFault::Paused(stops) => Some(stops),
                _ => None,
            });
            pauses.fold(start + transfer, |end, stops| end.max(stops.through(start, transfer)))
        });
        let arrived = sent + way as u64;
        self.counted.message(&Message {
            from,
            to,
            bytes,
            sent,
            arrived,
            is_tcp,
            has_stalled,
        });
        arrived
    }

    /// What was counted; the run is over.
    pub(crate) fn into_counted(self) -> Counted {
        self.counted.finish()
    }

    /// When a drive has done a request that it is given now.
    pub(crate) fn drive(&mut self, number: DiskNumber, now: u64, op: Op, length: u64) -> u64 {
        let config = &self.disk_config;
        let disk = &mut self.disks[number.as_usize()];
        let (median_micros, moves) = match op {
            Op::Write => (config.write_micros, true),
            Op::Read => (config.read_micros, true),
            Op::Flush => (config.flush_micros, false),
            Op::Unmap => (config.unmap_micros, false),
        };
        let transfer = if moves {
            length as f64 * 1e9 / config.channel_bytes_per_second
        } else {
            0.0
        };
        let mut work = disk.random.log_normal(median_micros * 1e3, config.sigma) + transfer;
        if disk.random.chance(config.tail_share) {
            work += disk.random.exponential(config.tail_micros * 1e3);
        }
        let (mut seeks, mut is_retried) = (false, false);
        for fault in disk.faults.iter_mut().filter(|fault| fault.is_on(now)) {
            match &mut fault.what {
                DiskFault::Slow { factor, add } => work = work * *factor + *add,
                DiskFault::Wear { factor } => {
                    let (from, until) = fault.span;
                    let passed = (now - from) as f64 / (until - from).max(1) as f64;
                    work *= 1.0 + (*factor - 1.0) * passed;
                }
                DiskFault::Seeks { median } => {
                    seeks = true;
                    work += disk.random.log_normal(*median, config.sigma);
                }
                DiskFault::Errors { share, retry, random } => {
                    if moves && random.chance(*share) {
                        is_retried = true;
                        work += random.exponential(*retry);
                    }
                }
                DiskFault::Stalls(_) => {}
            }
        }
        let work = work as u64 + 1;
        let stalls = &mut disk.faults;
        let station = if seeks { &mut disk.one_head } else { &mut disk.station };
        let done = station.serve(now, |start| {
            let stops = stalls.iter_mut().filter_map(|fault| match &mut fault.what {
                DiskFault::Stalls(stops) => Some(stops),
                _ => None,
            });
            stops.fold(start + work, |end, stops| end.max(stops.through(start, work)))
        });
        if is_retried {
            self.counted.retry(number, done, op);
        }
        done
    }
}
