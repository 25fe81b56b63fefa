//! What Show-SddcDiagnosticReport prints: reports one after the other, in each what it says of every node.
//!
//! Of StorageBusConnectivity and StorageBusCache each node has a sentence; StorageLatency and StorageFirmware are tables.

use std::collections::BTreeMap;

use crate::bag::{Bag, Raw};
use crate::decode::node_name;

/// Whether these are reports.
pub(super) fn is_one(lines: &[&str]) -> bool {
    lines.iter().any(|line| title(line).is_some())
}

/// The objects of all reports.
pub(super) fn bags(lines: &[&str]) -> Vec<Bag> {
    let mut buses = BTreeMap::new();
    let mut bags = Vec::new();
    let mut report = "";
    let mut node: Option<&str> = None;
    let mut own: Vec<&str> = Vec::new();
    for line in lines {
        if let Some(name) = title(line) {
            bags.extend(of_node(&std::mem::take(&mut own), node));
            (report, node) = (name, None);
        } else if let Some(name) = line.strip_prefix("Node: ") {
            bags.extend(of_node(&std::mem::take(&mut own), node));
            node = Some(node_name(name));
        } else if is_rule(line) || (line.starts_with("Report ") && line.ends_with("seconds")) {
            own.push("");
        } else if !of_bus(report, node, line, &mut buses) {
            own.push(line);
        }
    }
    bags.extend(of_node(&own, node));
    bags.extend(buses.into_iter().map(|(node, bus)| of_computer(bus, node)));
    bags
}

/// `Report: StorageLatency`.
fn title<'a>(line: &&'a str) -> Option<&'a str> {
    let name = line.strip_prefix("Report: ")?.trim();
    (!name.is_empty() && !name.contains(' ')).then_some(name)
}

/// A line of one sign alone, between reports and under a node's name: no column of a table.
fn is_rule(line: &str) -> bool {
    line.len() >= 20 && (line.chars().all(|sign| sign == '*') || line.chars().all(|sign| sign == '-'))
}

fn of_computer(mut bag: Bag, node: &str) -> Bag {
    bag.computer = Some(node.to_owned());
    bag
}

/// Takes what a line says of a node's bus, if it does.
fn of_bus<'a>(report: &str, node: Option<&'a str>, line: &'a str, buses: &mut BTreeMap<&'a str, Bag>) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut numbers = |node: &'a str, said: &[(&str, &str)]| -> bool {
        let parsed: Option<Vec<(&str, i128)>> = said
            .iter()
            .map(|(name, number)| Some((*name, number.parse().ok()?)))
            .collect();
        let Some(parsed) = parsed else { return false };
        let bus = buses.entry(node).or_insert_with(empty_bus);
        for (name, number) in parsed {
            bus.set(name, Raw::Integer(number));
        }
        true
    };
    match (report, words.as_slice(), node) {
        ("StorageBusConnectivity", [node, "has", disks, "disks,", enclosures, "enclosures,", "and", units, _], _) => {
            numbers(
                node_name(node),
                &[("Disks", *disks), ("Enclosures", *enclosures), ("ScaleUnits", *units)],
            )
        }
        ("StorageBusCache", ["Device", "counts:", "cache", cache, "capacity", capacity], Some(node)) => {
            numbers(node, &[("CacheDevices", *cache), ("CapacityDevices", *capacity)])
        }
        ("StorageBusCache", [_, ..], Some(node)) => {
            let bus = buses.entry(node).or_insert_with(empty_bus);
            let mut said = match bus.take("CacheSaid") {
                Some(Raw::List(said)) => said,
                _ => Vec::new(),
            };
            said.push(Raw::Text(line.trim().to_owned()));
            bus.set("CacheSaid", Raw::List(said));
            true
        }
        _ => false,
    }
}

fn empty_bus() -> Bag {
    let mut bus = Bag::default();
    bus.class = Some("SddcStorageBus".to_owned());
    bus.with("Identifier", Raw::Text("storage bus".to_owned()))
}

/// Tables and lists under a node's name are that node's.
fn of_node(lines: &[&str], node: Option<&str>) -> Vec<Bag> {
    let mut bags = super::plain(lines);
    for bag in &mut bags {
        if bag.get("OpStat").is_some() && bag.get("Device").is_some() {
            let periods = periods(bag);
            bag.set("SamplePeriods", Raw::List(periods));
            bag.forget_columns();
        }
        if let Some(node) = node {
            if bag.get("Node").is_none() {
                bag.set("Node", Raw::Text(node.to_owned()));
            }
            bag.computer = Some(node.to_owned());
        }
    }
    bags
}

/// The columns that are buckets of latency, by their bounds: `16ms`, `5120+ms`.
fn periods(bag: &Bag) -> Vec<Raw> {
    let bound = |name: &str| -> Option<(u64, bool)> {
        let bound = name.strip_suffix("ms")?;
        let above = bound.strip_suffix('+');
        Some((above.unwrap_or(bound).parse().ok()?, above.is_some()))
    };
    let mut buckets: Vec<((u64, bool), String)> = bag
        .names()
        .filter_map(|name| Some((bound(name)?, format!("{name}: {}", bag.text(name)?))))
        .collect();
    buckets.sort();
    buckets.into_iter().map(|(_, said)| Raw::Text(said)).collect()
}
