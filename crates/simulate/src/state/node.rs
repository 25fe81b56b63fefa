//! What each node reads for itself.

use fathom_model::state::{Kind, Observation, Value};

use super::{Reading, States, cluster, code, is_on_link, vms};
use crate::config::{ADAPTERS, DiskRef, FaultKind};

/// Bytes of a frame: jumbo, and the plain one of a port that was left out.
const JUMBO: u64 = 9014;
const PLAIN: u64 = 1514;

/// The priority of storage traffic.
const STORAGE_PRIORITY: u64 = 3;

pub(super) fn read(states: &States<'_>, node: u32, at: u64) -> Vec<Reading> {
    let reading = |class, kind, read| Reading {
        class,
        kind,
        read: Ok(read),
    };
    vec![
        reading("MSFT_NetAdapter", Kind::Adapter, adapters(states, node, at)),
        reading(
            "MSFT_NetAdapterRdmaSettingData",
            Kind::AdapterRdma,
            rdma(states, node, at),
        ),
        reading(
            "MSFT_NetAdapterAdvancedPropertySettingData",
            Kind::AdapterProperty,
            jumbo(states, node, at),
        ),
        reading(
            "MSFT_SmbClientNetworkInterface",
            Kind::SmbInterface,
            interfaces(states, node, at),
        ),
        reading(
            "MSFT_SmbMultichannelConnection",
            Kind::SmbConnection,
            connections(states, node, at),
        ),
        reading(
            "MSFT_NetQosPolicySettingData",
            Kind::QosPolicy,
            vec![policy(states, node, at)],
        ),
        reading(
            "MSFT_NetQosFlowControlSettingData",
            Kind::QosFlowControl,
            flow_control(states, node, at),
        ),
        reading(
            "MSFT_NetQosTrafficClassSettingData",
            Kind::QosTrafficClass,
            vec![traffic_class(states, node, at)],
        ),
        reading(
            "MSFT_NetQosDcbxSettingData",
            Kind::QosDcbx,
            vec![
                states
                    .observation(node, Kind::QosDcbx, "host", at)
                    .with("willing", false),
            ],
        ),
        reading(
            "ClusPortDeviceInformation",
            Kind::SblDevice,
            bus_devices(states, node, at),
        ),
        reading("NvmeHealthLog", Kind::NvmeHealth, nvme_health(states, node, at)),
        reading("Win32_EncryptableVolume", Kind::Bitlocker, encryption(states, node, at)),
        reading("Msvm_ComputerSystem", Kind::Vm, vms::machines(states, node, at)),
        reading(
            "Msvm_StorageAllocationSettingData",
            Kind::Vhd,
            vms::files(states, node, at),
        ),
    ]
}

pub(super) fn port(adapter: u32) -> String {
    format!("SMB{}", adapter + 1)
}

fn address(node: u32, adapter: u32) -> String {
    format!("10.0.{}.{}", adapter + 1, node + 1)
}

fn bits_per_s(states: &States<'_>) -> u64 {
    (states.simulated.config.network.gigabits_per_second * 1e9) as u64
}

/// A frame size that does not fit is a setting of the node at the near end.
fn frame_bytes(states: &States<'_>, node: u32, at: u64) -> u64 {
    let plain = states
        .faults(at)
        .any(|fault| matches!(fault.what, FaultKind::MtuMismatch { on, .. } if on.node == node));
    if plain { PLAIN } else { JUMBO }
}

fn adapters(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    let adapter = |number: u32| {
        states
            .observation(node, Kind::Adapter, port(number), at)
            .with("name", port(number))
            .with("description", "Simulated RDMA adapter")
            .with("interface_index", u64::from(number) + 11)
            .with("mtu_bytes", frame_bytes(states, node, at) - 14)
            .with("transmit_bits_per_s", bits_per_s(states))
            .with("receive_bits_per_s", bits_per_s(states))
            .with("driver_version", "1.0")
    };
    (0..ADAPTERS).map(adapter).collect()
}

fn rdma(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    // Where every link of a node has fallen back it is its own adapters that do not work.
    let down = states
        .faults(at)
        .any(|fault| matches!(fault.what, FaultKind::RdmaFallback { on, .. } if on.node == node && on.peer.is_none()));
    let adapter = |number: u32| {
        states
            .observation(node, Kind::AdapterRdma, port(number), at)
            .with("name", port(number))
            .with("enabled", true)
            .with("operational", !down)
    };
    (0..ADAPTERS).map(adapter).collect()
}

fn jumbo(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    let property = |number: u32| {
        states
            .observation(
                node,
                Kind::AdapterProperty,
                format!("{}/*JumboPacket", port(number)),
                at,
            )
            .with("name", port(number))
            .with("keyword", "*JumboPacket")
            .with("value", vec![Value::from(frame_bytes(states, node, at).to_string())])
    };
    (0..ADAPTERS).map(property).collect()
}

fn interfaces(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    let interface = |number: u32| {
        states
            .observation(node, Kind::SmbInterface, (number + 11).to_string(), at)
            .with("name", port(number))
            .with("interface_index", u64::from(number) + 11)
            .with("addresses", vec![Value::from(address(node, number))])
            .with("link_bits_per_s", bits_per_s(states))
            .with("rdma_capable", true)
            .with("rss_capable", true)
    };
    (0..ADAPTERS).map(interface).collect()
}

/// Whether two nodes talk TCP.
pub(super) fn is_fallen(states: &States<'_>, node: u32, other: u32, at: u64) -> bool {
    states
        .faults(at)
        .any(|fault| matches!(fault.what, FaultKind::RdmaFallback { on, .. } if is_on_link(on, node, other)))
}

/// The storage bus's connections to every other node, one a network, of two channels each.
fn connections(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    let mut connections = Vec::new();
    for other in (0..states.nodes()).filter(|other| *other != node) {
        let fallen = is_fallen(states, node, other, at);
        // Counted since the node's start: it stays when a fault has gone.
        let failures = states.past(at).filter(|mark| match mark.fault.what {
            FaultKind::LinkLossy { on, .. } => is_on_link(on, node, other),
            FaultKind::TargetDied { node, .. } => node == other,
            _ => false,
        });
        let failures = failures.count() as u64;
        let died = states
            .faults(at)
            .any(|fault| matches!(fault.what, FaultKind::TargetDied { node, .. } if node == other));
        for adapter in 0..ADAPTERS {
            let server = states.name(other).to_string();
            let channels = |over_tcp: bool| if over_tcp == fallen { 2_u64 } else { 0 };
            let connection = states
                .observation(node, Kind::SmbConnection, format!("{server}/SBL/{}", adapter + 11), at)
                .with("server", server)
                .with("instance", code(2, "SBL"))
                .with("client_interface", port(adapter))
                .with("client_interface_index", u64::from(adapter) + 11)
                .with("client_address", address(node, adapter))
                .with("client_rdma_capable", true)
                .with("server_interface_index", u64::from(adapter) + 11)
                .with("server_address", address(other, adapter))
                .with("server_rdma_capable", true)
                .with("channels", 2_u64)
                .with("channels_max", 4_u64)
                .with("rdma_connections", channels(false))
                .with("tcp_connections", channels(true))
                .with("selected", true)
                .with("failed", died)
                // Counted at both ends of what was broken.
                .with(
                    "failures",
                    failures + states.broken(node, adapter, at) + states.broken(other, adapter, at),
                );
            connections.push(connection);
        }
    }
    connections
}

fn policy(states: &States<'_>, node: u32, at: u64) -> Observation {
    states
        .observation(node, Kind::QosPolicy, "SMB", at)
        .with("name", "SMB")
        .with("priority", STORAGE_PRIORITY)
        .with("net_direct_port", 445_u64)
}

/// On for the storage priority alone; a node whose port storms with pauses has it on for all, the wrong map.
fn flow_control(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    let storms = states
        .faults(at)
        .any(|fault| matches!(fault.what, FaultKind::PfcStorm { node: at, .. } if at == node));
    let priority = |priority: u64| {
        states
            .observation(node, Kind::QosFlowControl, priority.to_string(), at)
            .with("priority", priority)
            .with("enabled", storms || priority == STORAGE_PRIORITY)
    };
    (0..8).map(priority).collect()
}

fn traffic_class(states: &States<'_>, node: u32, at: u64) -> Observation {
    states
        .observation(node, Kind::QosTrafficClass, "SMB", at)
        .with("name", "SMB")
        .with("bandwidth_percent", 50_u64)
        .with("priorities", vec![Value::Unsigned(STORAGE_PRIORITY)])
}

/// Every node sees every drive through the bus; those of a bus target that died have no path.
fn bus_devices(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    let mut devices = Vec::new();
    for owner in 0..states.nodes() {
        let died = owner != node
            && states
                .faults(at)
                .any(|fault| matches!(fault.what, FaultKind::TargetDied { node, .. } if node == owner));
        for disk in 0..states.disks() {
            let device = states
                .observation(node, Kind::SblDevice, states.disk_id(DiskRef { node: owner, disk }), at)
                .with("device_number", u64::from(owner * states.disks() + disk) + 1)
                .with("connected_node", states.name(owner).to_string())
                .with("connected_device_number", u64::from(disk))
                .with("type", code(0, "disk"))
                .with("serial_number", format!("SIM-{owner:02}-{disk:02}"))
                .with("paths", u64::from(!died));
            devices.push(device);
        }
    }
    devices
}

/// What the NVMe drives of a node say of themselves: the same as their counters. One that is worn out has less to spare, and warns of nothing
/// as long as it has enough.
fn nvme_health(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    let own = states
        .each_disk()
        .filter(|on| on.node == node && !cluster::is_spinning(states, *on));
    own.map(|on| {
        let worn = cluster::is_worn(states, on, at);
        let serial = format!("SIM-{:02}-{:02}", on.node, on.disk);
        states
            .observation(node, Kind::NvmeHealth, serial.as_str(), at)
            .with("serial_number", serial)
            .with("disk_number", u64::from(on.disk))
            .with("critical_warnings", Value::List(Vec::new()))
            .with("temperature_celsius", 35 + u64::from(on.disk % 4))
            .with("available_spare_percent", if worn { 40_u64 } else { 100 })
            .with("available_spare_limit_percent", 10_u64)
            .with("used_percent", if worn { 97_u64 } else { 3 })
            .with("media_errors", 0_u64)
    })
    .collect()
}

/// Volumes that a node writes, encrypted where that is what slows it.
fn encryption(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    let encrypts = states
        .faults(at)
        .any(|fault| matches!(fault.what, FaultKind::Bitlocker { node: at, .. } if at == node));
    let own = states
        .simulated
        .config
        .volumes
        .iter()
        .filter(|volume| volume.initiators.contains(&node));
    own.map(|volume| {
        let (protection, conversion) = if encrypts {
            (code(1, "On"), code(1, "FullyEncrypted"))
        } else {
            (code(0, "Off"), code(0, "FullyDecrypted"))
        };
        states
            .observation(node, Kind::Bitlocker, volume.label(), at)
            .with("volume", volume.label())
            .with("protection", protection)
            .with("conversion", conversion)
    })
    .collect()
}
