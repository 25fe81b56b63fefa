//! Cluster shared volumes: I/O that goes by way of another node, and encryption.

use std::collections::BTreeMap;

use fathom_model::condition::{Condition, Sign};
use fathom_model::state::{Kind, Observation, Value};

use super::disks::number;
use super::{Scene, cited};
use crate::history::Fact;
use crate::shared_volumes::{name_of, named};

/// StateInfo of a cluster shared volume at a node.
const FILE_SYSTEM_REDIRECTED: i64 = 3;
const BLOCK_REDIRECTED: i64 = 4;

/// Bits of FileSystemRedirectedIOReason, with whether one is nothing wrong by itself: ReFS sends all I/O of nodes that do not own the volume to
/// the one that does (domain/counters.md, Cluster CSVFS Redirected IO), and tiers of NTFS the same of what is moved.
const FILE_SYSTEM_REASONS: &[(i64, &str, Usual)] = &[
    (1, "somebody has asked for it", Usual::No),
    (2, "a file system filter is not compatible", Usual::No),
    (4, "a volume filter is not compatible", Usual::No),
    (8, "tiers of the file system", Usual::WhereNobodyWaits),
    (16, "BitLocker is being set up", Usual::No),
    (32, "the file system is ReFS", Usual::Always),
];

/// Bits of BlockRedirectedIOReason.
const BLOCK_REASONS: &[(i64, &str, Usual)] = &[
    (1, "the node has no connection to the disk", Usual::No),
    (2, "the storage space is not attached at the node", Usual::No),
    (4, "the volume is replicated", Usual::WhereNobodyWaits),
];

/// Whether a reason is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Usual {
    No,
    WhereNobodyWaits,
    Always,
}

/// A volume as a node reaches it, where that is not directly.
struct Redirected {
    volume: String,
    node: String,
    how: &'static str,
    why: String,
    is_loud: bool,
    fact: Fact,
}

/// Volumes that nodes reach by way of another one though they need not: one condition a volume.
pub(super) fn redirected(scene: &Scene<'_>) -> Vec<Condition> {
    let mut by_volume: BTreeMap<String, Vec<Redirected>> = BTreeMap::new();
    for one in scene.picture.of(Kind::Csv).filter_map(redirection) {
        // Of a node that is worked on it is expected.
        let is_worked_on = scene.worked_on.iter().any(|node| node.as_str() == one.node);
        if !is_worked_on {
            by_volume.entry(one.volume.clone()).or_default().push(one);
        }
    }
    let of_volume = |(volume, all): (String, Vec<Redirected>)| {
        let mut ways: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for one in &all {
            ways.entry((one.how, &one.why)).or_default().push(&one.node);
        }
        let ways: Vec<String> = ways
            .iter()
            .map(|((how, why), nodes)| format!("{how} at {} ({why})", nodes.join(", ")))
            .collect();
        Condition {
            resource: Some(volume),
            nodes: all.iter().map(|one| one.node.clone()).collect(),
            only_if_felt: !all.iter().any(|one| one.is_loud),
            since_unix_ns: all.iter().map(|one| one.fact.since_unix_nanos).min(),
            text: format!("its I/O goes by way of another node: {}", ways.join("; ")),
            observations: cited(all.iter().map(|one| &one.fact.observation)),
            ..Condition::new(Sign::CsvRedirected, "volume", "")
        }
    };
    by_volume.into_iter().map(of_volume).collect()
}

fn redirection(fact: Fact) -> Option<Redirected> {
    let own = &fact.observation;
    let node = own.text("node")?.to_owned();
    let (how, reasons, why) = match number(own.get("state"))? {
        FILE_SYSTEM_REDIRECTED => (
            "file system redirected",
            FILE_SYSTEM_REASONS,
            number(own.get("file_system_redirected_reason")),
        ),
        BLOCK_REDIRECTED => (
            "block redirected",
            BLOCK_REASONS,
            number(own.get("block_redirected_reason")),
        ),
        _ => return None,
    };
    let bits = why.unwrap_or(0);
    let given: Vec<&(i64, &str, Usual)> = reasons.iter().filter(|(bit, _, _)| bits & bit != 0).collect();
    let is_usual = given.iter().all(|(_, _, usual)| *usual == Usual::Always);
    // With ReFS it is as it should be: of a file system whose reason is not known it is not known that it is not.
    if is_usual && (!given.is_empty() || how == "file system redirected") {
        return None;
    }
    let words: Vec<&str> = given.iter().map(|(_, words, _)| *words).collect();
    Some(Redirected {
        volume: name_of(own).to_owned(),
        node,
        how,
        why: if words.is_empty() {
            "why is not known".to_owned()
        } else {
            words.join(", ")
        },
        is_loud: given.is_empty() || given.iter().any(|(_, _, usual)| *usual == Usual::No),
        fact,
    })
}

/// ProtectionStatus on; ConversionStatus while a volume is encrypted or decrypted, which reads and writes all of it.
const PROTECTED: i64 = 1;
const CONVERTS: [i64; 2] = [2, 3];

/// Nodes that encrypt cluster shared volumes. What that takes of a processor no class says.
pub(super) fn encrypted(scene: &Scene<'_>) -> Vec<Condition> {
    let csvs: Vec<Observation> = scene.picture.of(Kind::Csv).map(|fact| fact.observation).collect();
    let mut by_node: BTreeMap<String, Vec<(String, Fact)>> = BTreeMap::new();
    for fact in scene.picture.of(Kind::Bitlocker) {
        let own = &fact.observation;
        let is_on = number(own.get("protection")) == Some(PROTECTED)
            || number(own.get("conversion")).is_some_and(|state| CONVERTS.contains(&state));
        let Some(volume) = own.text("volume").filter(|_| is_on) else {
            continue;
        };
        // The system's own volume is of no concern here.
        if let Some(name) = named(volume, &csvs) {
            by_node.entry(own.node.to_string()).or_default().push((name, fact));
        }
    }
    let of_node = |(node, volumes): (String, Vec<(String, Fact)>)| {
        let said: Vec<String> = volumes
            .iter()
            .map(|(name, fact)| {
                let conversion = fact.observation.get("conversion").map(Value::to_string);
                format!("{name} ({})", conversion.as_deref().unwrap_or("how far is not known"))
            })
            .collect();
        Condition {
            // The last that changed is what something that began lately can be for.
            since_unix_ns: volumes.iter().map(|(_, fact)| fact.since_unix_nanos).max(),
            text: format!("BitLocker encrypts what the node writes to {}", said.join(", ")),
            observations: cited(volumes.iter().map(|(_, fact)| &fact.observation)),
            ..Condition::new(Sign::Encrypted, "initiator", &node)
        }
    };
    by_node.into_iter().map(of_node).collect()
}

#[cfg(test)]
mod tests;
