//! Virtual machines: whoever writes to a volume is one, on the node that writes, with its files on that volume.
//!
//! Which of a machine's files an I/O is in is not simulated: a volume's writes go to offsets of the volume.

use fathom_model::state::{Kind, Observation, Value};

use super::{States, code};

/// The files of a machine.
const FILES: &[&str] = &["os", "data"];

/// A machine: its volume, what it is called, and its GUID, which is made of the volume's number and the node's.
struct Machine {
    volume: String,
    name: String,
    id: String,
}

fn of(states: &States<'_>, node: u32) -> Vec<Machine> {
    let volumes = states.simulated.config.volumes.iter().enumerate();
    let own = volumes.filter(|(_, volume)| volume.initiators.contains(&node));
    own.map(|(number, volume)| Machine {
        volume: volume.label().to_owned(),
        name: format!("{}-{}", volume.label(), states.name(node)),
        id: format!("{number:08X}-0000-4000-8000-{node:012X}"),
    })
    .collect()
}

pub(super) fn machines(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    let machine = |machine: Machine| {
        states
            .observation(node, Kind::Vm, machine.id.clone(), at)
            .with("name", machine.name)
            .with("vm_id", machine.id)
            .with("state", code(2, "Running"))
            .with("health", code(5, "OK"))
            .with("operational_status", Value::List(vec![code(2, "OK")]))
    };
    of(states, node).into_iter().map(machine).collect()
}

pub(super) fn files(states: &States<'_>, node: u32, at: u64) -> Vec<Observation> {
    let mut files = Vec::new();
    for machine in of(states, node) {
        for (number, file) in FILES.iter().enumerate() {
            let Machine { volume, name, id } = &machine;
            let path = format!(r"C:\ClusterStorage\{volume}\{name}\{file}.vhdx");
            let file = states
                .observation(node, Kind::Vhd, format!(r"{id}\SIMULATED\0\{number}"), at)
                .with("path", path)
                .with("vm_id", id.as_str())
                // 0 is no limit.
                .with("iops_limit", 0_u64)
                .with("caching", code(2, "Default"))
                .with("ignores_flushes", false);
            files.push(file);
        }
    }
    files
}
