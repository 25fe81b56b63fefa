//! What one node reads for the whole cluster.

use fathom_model::Op;
use fathom_model::state::{Kind, Observation, Value};

use super::{Reading, States, code, ok};
use crate::config::{DiskRef, FaultKind, Resiliency};
use crate::simulated::FaultMark;

pub(super) fn read(states: &States<'_>, node: u32, at: u64) -> Vec<Reading> {
    let reading = |class, kind, read| Reading {
        class,
        kind,
        read: Ok(read),
    };
    vec![
        reading("MSCluster_Node", Kind::Node, nodes(states, node, at)),
        reading("MSFT_PhysicalDisk", Kind::Disk, disks(states, node, at)),
        reading(
            "MSFT_StorageReliabilityCounter",
            Kind::DiskReliability,
            reliability(states, node, at),
        ),
        reading(
            "MSFT_StorageNodeToPhysicalDisk",
            Kind::DiskView,
            views(states, node, at),
        ),
        reading("MSFT_StoragePool", Kind::Pool, vec![pool(states, node, at)]),
        reading("MSFT_VirtualDisk", Kind::VirtualDisk, virtual_disks(states, node, at)),
        reading("MSCluster_ClusterSharedVolume", Kind::Csv, csvs(states, node, at)),
        reading("ClusterSharedVolumeStateInfo", Kind::Csv, reached(states, node, at)),
        reading("MSFT_StorageJob", Kind::StorageJob, jobs(states, node, at)),
        reading(
            "MSFT_StorageJobToAffectedStorageObject",
            Kind::JobObject,
            job_objects(states, node, at),
        ),
        reading("MSFT_PhysicalExtent", Kind::Extent, extents(states, node, at)),
    ]
}

fn nodes(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    let all = 0..states.nodes();
    all.map(|other| {
        let name = states.name(other).to_string();
        let paused = states
            .faults(at)
            .any(|fault| matches!(fault.what, FaultKind::Paused { node } if node == other));
        let (state, drain) = match paused {
            true => (code(2, "Paused"), code(2, "Completed")),
            false => (code(0, "Up"), code(0, "NotInitiated")),
        };
        states
            .observation(node, Kind::Node, name.clone(), at)
            .with("name", name)
            .with("state", state)
            .with("drain", drain)
            .with("status", code(0, "Normal"))
    })
    .collect()
}

fn disks(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    let disk = |on: DiskRef| {
        let is = |other: DiskRef| other == on;
        let slow = states.faults(at).any(|fault| match fault.what {
            FaultKind::SlowDisk { on, .. } | FaultKind::SporadicStalls { on, .. } => is(on),
            _ => false,
        });
        let spinning = is_spinning(states, on);
        let usage = match states.is_cache(on) {
            true => code(5, "Journal"),
            false => code(1, "Auto-Select"),
        };
        let mut status = vec![code(2, "OK")];
        if slow {
            status.push(code(0xD026, "Abnormal Latency"));
        }
        states
            .observation(node, Kind::Disk, states.disk_id(on), at)
            .with("name", if spinning { "Simulated HDD" } else { "Simulated NVMe" })
            .with("serial_number", format!("SIM-{:02}-{:02}", on.node, on.disk))
            .with("unique_id", states.disk_id(on))
            .with("object_id", disk_object(states, on))
            // As a clustered subsystem numbers them: thousands of the node.
            .with(
                "device_id",
                (u64::from(on.node + 1) * 1000 + u64::from(on.disk)).to_string(),
            )
            .with("firmware", "1.0")
            .with("media", if spinning { code(3, "HDD") } else { code(4, "SSD") })
            .with("bus", if spinning { code(10, "SAS") } else { code(17, "NVMe") })
            .with("health", code(0, "Healthy"))
            .with("operational_status", status)
            .with("usage", usage)
            .with("size_bytes", states.simulated.config.disks.capacity_bytes)
            .with("slot", u64::from(on.disk))
            .with("can_pool", false)
            .with("cannot_pool_reason", vec![code(2, "In a Pool")])
    };
    states.each_disk().map(disk).collect()
}

/// Whether a drive has come to the end of its life by a time.
pub(super) fn is_worn(states: &States<'_>, on: DiskRef, at: u64) -> bool {
    let mut past = states.past(at);
    past.any(|mark| matches!(mark.fault.what, FaultKind::Wear { on: worn, .. } if worn == on))
}

/// Whether a drive is a spinning one among NVMe drives.
pub(super) fn is_spinning(states: &States<'_>, on: DiskRef) -> bool {
    let mut faults = states.simulated.config.faults.iter();
    faults.any(|fault| matches!(fault.what, FaultKind::MixedMedia { on: spinning, .. } if spinning == on))
}

/// What NVMe drives answer: most of it is null, unless they count errors. The slowest request is the slowest that was recorded.
fn reliability(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    let counters = |on: DiskRef| {
        let worn = is_worn(states, on, at);
        let mut observation = states
            .observation(node, Kind::DiskReliability, states.disk_id(on), at)
            .with("disk_id", states.disk_id(on))
            .with("temperature_celsius", 35 + u64::from(on.disk % 4))
            .with("wear_percent", if worn { 97_u64 } else { 3 });
        for (op, name) in [(Op::Write, "write_latency_max_ms"), (Op::Read, "read_latency_max_ms")] {
            let longest = states.done(on).map(|done| done.longest(op, at));
            match longest {
                Some(Some(nanos)) => observation = observation.with(name, nanos / 1_000_000),
                Some(None) => drop(observation.unavailable.insert(name.to_owned(), "null".to_owned())),
                None => {
                    let why = "no daemon saw the drive".to_owned();
                    observation.unavailable.insert(name.to_owned(), why);
                }
            }
        }
        for (op, name) in [(Op::Read, "read_errors"), (Op::Write, "write_errors")] {
            if !states.simulated.config.disks.error_counters {
                observation.unavailable.insert(name.to_owned(), "null".to_owned());
                continue;
            }
            // All that is tried again succeeds.
            let retried = states.retried(on, op, at);
            observation = observation
                .with(name, retried)
                .with(&format!("{name}_corrected"), retried)
                .with(&format!("{name}_uncorrected"), 0_u64);
        }
        observation
            .unavailable
            .insert("power_on_hours".to_owned(), "null".to_owned());
        observation
    };
    states.each_disk().map(counters).collect()
}

fn views(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    let view = |on: DiskRef| {
        let owner = states.name(on.node).to_string();
        states
            .observation(node, Kind::DiskView, format!("{}/{owner}", states.disk_id(on)), at)
            .with("disk_id", states.disk_id(on))
            .with("node", owner)
            .with("connected", true)
            .with("disk_number", u64::from(on.disk))
    };
    states.each_disk().map(view).collect()
}

fn is_repaired(states: &States<'_>, at: u64) -> bool {
    states
        .faults(at)
        .any(|fault| matches!(fault.what, FaultKind::Repair { .. }))
}

fn pool(states: &States<'_>, node: u32, at: u64) -> Observation {
    let config = &states.simulated.config;
    let disks = u64::from(states.nodes()) * u64::from(states.disks());
    let in_force = states.in_force(states.shown(node, at));
    let allocated: u64 = in_force.map(|extent| extent.length).sum();
    states
        .observation(node, Kind::Pool, "S2D on simulated", at)
        .with("name", "S2D on simulated")
        .with("health", code(0, "Healthy"))
        .with("operational_status", ok())
        .with("read_only", false)
        .with("primordial", false)
        .with("size_bytes", disks * config.disks.capacity_bytes)
        .with("allocated_bytes", allocated)
}

fn virtual_disks(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    let repaired = is_repaired(states, at);
    let volumes = states.simulated.config.volumes.iter();
    volumes
        .map(|volume| {
            let (health, status) = if repaired {
                (code(1, "Warning"), Value::List(vec![code(11, "In Service")]))
            } else {
                (code(0, "Healthy"), ok())
            };
            let copies = u64::from(volume.resiliency.copies());
            let of_parity = volume.parity.map_or(0, |tier| {
                tier.rows(volume.slab_bytes) * volume.slab_bytes * u64::from(tier.columns)
            });
            let resiliency = if matches!(volume.resiliency, Resiliency::Simple) {
                "Simple"
            } else {
                "Mirror"
            };
            states
                .observation(node, Kind::VirtualDisk, volume.label(), at)
                .with("name", volume.label())
                .with("unique_id", volume.label())
                .with("object_id", volume_object(volume.label()))
                .with("health", health)
                .with("operational_status", status)
                .with("resiliency", resiliency)
                .with("copies", copies)
                .with("columns", u64::from(volume.columns))
                .with("interleave_bytes", volume.interleave_bytes)
                .with("allocation_unit_bytes", volume.slab_bytes)
                .with("size_bytes", volume.size_bytes)
                .with("footprint_bytes", volume.mirrored_bytes() * copies + of_parity)
                .with("detached_reason", code(1, "None"))
        })
        .collect()
}

fn csvs(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    let volumes = states.simulated.config.volumes.iter();
    volumes
        .filter_map(|volume| {
            let owner = states.name(*volume.initiators.first()?).to_string();
            let csv = states
                .observation(
                    node,
                    Kind::Csv,
                    format!("Cluster Virtual Disk ({})", volume.label()),
                    at,
                )
                .with("name", format!("Cluster Virtual Disk ({})", volume.label()))
                .with("volume", volume.label())
                .with("owner", owner)
                .with("state", code(2, "Online"));
            Some(csv)
        })
        .collect()
}

/// How each node reaches each volume. On Windows only a cmdlet says it.
fn reached(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    let mut all = Vec::new();
    for (number, volume) in states.simulated.config.volumes.iter().enumerate() {
        let resource = format!("Cluster Virtual Disk ({})", volume.label());
        let path = format!(r"C:\ClusterStorage\{}", volume.label());
        for by in 0..states.nodes() {
            let is_redirected = states.faults(at).any(|fault| {
                matches!(fault.what, FaultKind::CsvRedirected { volume, node, .. }
                    if volume as usize == number && node == by)
            });
            let (state, reason) = if is_redirected {
                (code(4, "BlockRedirected"), code(1, "NoDiskConnectivity"))
            } else {
                (code(2, "Direct"), code(0, "NotBlockRedirected"))
            };
            let name = states.name(by).to_string();
            let one = states
                .observation(node, Kind::Csv, format!("{resource}/{path}/{name}"), at)
                .with("name", resource.clone())
                .with("path", path.clone())
                .with("volume", volume.label())
                .with("node", name)
                .with("state", state)
                .with("file_system_redirected_reason", code(0, "NotFileSystemRedirected"))
                .with("block_redirected_reason", reason);
            all.push(one);
        }
    }
    all
}

fn job_id(number: usize) -> String {
    format!("repair-{number}")
}

fn disk_object(states: &States<'_>, on: DiskRef) -> String {
    format!("PD:{}", states.disk_id(on))
}

fn volume_object(label: &str) -> String {
    format!("VD:{label}")
}

/// Whether a fault's repair runs at a time.
fn runs(mark: &FaultMark, at: u64) -> bool {
    (mark.from_nanos..mark.until_nanos.max(mark.from_nanos + 1)).contains(&at)
}

/// The volume that repairs are of.
fn repaired_volume<'a>(states: &'a States<'_>) -> &'a str {
    let first = states.simulated.config.volumes.first();
    first.map_or("", crate::config::Volume::label)
}

/// What the repairs that run work on: the volume, and the drive that a copy of it is made on.
fn job_objects(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    let running = states.simulated.faults.iter().enumerate().filter_map(|(number, mark)| {
        let FaultKind::Repair { to, .. } = mark.fault.what else {
            return None;
        };
        runs(mark, at).then_some((job_id(number), to))
    });
    let each = running.flat_map(|(job, to)| {
        [volume_object(repaired_volume(states)), disk_object(states, to)].map(|object| {
            states
                .observation(node, Kind::JobObject, format!("{job}/{object}"), at)
                .with("job_object_id", job.as_str())
                .with("affected_object_id", object)
        })
    });
    each.collect()
}

/// A repair a fault. What it has done is what it wrote to the drive that it goes to.
fn jobs(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    let mut jobs = Vec::new();
    for (number, mark) in states.simulated.faults.iter().enumerate() {
        let FaultKind::Repair { to, .. } = mark.fault.what else {
            continue;
        };
        if !runs(mark, at) {
            continue;
        }
        let done = states.repaired.get(&(to.node, to.disk)).map_or(&[][..], Vec::as_slice);
        let so_far = |until: u64| {
            done.iter()
                .take_while(|(end, _)| *end <= until)
                .last()
                .map_or(0, |(_, sum)| *sum)
        };
        let begun = begun(states, mark.from_nanos, at);
        let before = so_far(begun);
        let processed = so_far(at) - before;
        let total = so_far(u64::MAX) - before;
        // What was written is only seen where a daemon records it.
        let known = states.is_observed(to.node);
        let mut job = states
            .observation(node, Kind::StorageJob, job_id(number), at)
            .with("name", format!("{}-Repair", repaired_volume(states)))
            .with("object_id", job_id(number))
            .with("state", code(4, "Running"))
            .with("background", true)
            .with("elapsed_ns", at - begun);
        if known {
            job = job.with("processed_bytes", processed).with("total_bytes", total);
            if let Some(percent) = (processed * 100).checked_div(total) {
                job = job.with("percent_complete", percent);
            }
        } else {
            job.unavailable
                .insert("processed_bytes".to_owned(), "no daemon saw the drive".to_owned());
        }
        jobs.push(job);
    }
    jobs
}

/// When a job that began at a time last began anew.
fn begun(states: &States<'_>, from: u64, at: u64) -> u64 {
    let anew = states.simulated.faults.iter().filter_map(|mark| match mark.fault.what {
        FaultKind::JobRestarts { every_seconds } if mark.from_nanos <= at => {
            let (every, last) = (
                (every_seconds * 1e9) as u64,
                at.min(mark.until_nanos.max(mark.from_nanos)),
            );
            let times = (last - mark.from_nanos).checked_div(every)?;
            (times > 0).then(|| mark.from_nanos + times * every)
        }
        _ => None,
    });
    anew.fold(from, u64::max)
}

fn extents(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    let shown = states.shown(node, at);
    states
        .in_force(shown)
        .map(|extent| {
            states
                .observation(
                    node,
                    Kind::Extent,
                    // The columns of a row of a parity tier begin at one offset.
                    match extent.parity {
                        None => format!("{}/{}/{}", extent.volume, extent.volume_offset, extent.copy),
                        Some(parity) => format!("{}/{}/column{}", extent.volume, extent.volume_offset, parity.column),
                    },
                    at,
                )
                .with("virtual_disk_id", extent.volume.as_str())
                .with("virtual_disk_offset", extent.volume_offset)
                .with("size_bytes", extent.length)
                .with("copy", u64::from(extent.copy))
                .with("disk_id", extent.disk.as_str())
                .with("disk_offset", extent.disk_offset)
                .with("operational_status", ok())
        })
        .collect()
}
