//! What Get-NetAdapterQos prints as blocks for people, as the settings that its class has.
//!
//! A priority's class, a class' share and the flow control of each priority stand in such blocks alone. What a block does not say in full
//! is left out: the text itself stays in any case.

use crate::bag::{Bag, Raw};

/// How a class is chosen to send next, as it is printed.
const ALGORITHMS: [&str; 2] = ["ETS", "Strict"];

/// Priorities of a port.
const PRIORITIES: usize = 8;

/// The same object with the settings that its blocks say.
pub(super) fn with_settings(mut bag: Bag) -> Bag {
    for (side, inner) in [("Operational", "OperationalSettings"), ("Remote", "RemoteSettings")] {
        let mut settings = Bag::default();
        if let Some(text) = bag.text(&format!("{side}TrafficClasses")) {
            classes(&text, &mut settings);
        }
        let flow = bag.text(&format!("{side}FlowControl"));
        if let Some(enabled) = flow.and_then(|text| flow_control(&text)) {
            let enabled = enabled.into_iter().map(Raw::Bool).collect();
            settings.set("PriorityFlowControlEnableArray", Raw::List(enabled));
        }
        if !settings.is_empty() && bag.get(inner).is_none() {
            bag.set(inner, Raw::Object(settings));
        }
    }
    let blocks = bag.text("Capabilities").map(|text| capabilities(&text));
    for (inner, said) in ["HardwareCapabilities", "CurrentCapabilities"]
        .into_iter()
        .zip(blocks.into_iter().flatten())
    {
        if !said.is_empty() && bag.get(inner).is_none() {
            bag.set(inner, Raw::Object(said));
        }
    }
    bag
}

/// Lines of number, algorithm, share where it has one, and priorities.
fn classes(text: &str, settings: &mut Bag) {
    let mut of_priority = [None; PRIORITIES];
    let mut shares = Vec::new();
    let mut algorithms = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(class) = words.first().and_then(|word| word.parse::<u8>().ok()) else {
            continue;
        };
        let share = words.iter().find_map(|word| word.strip_suffix('%')?.parse::<u8>().ok());
        shares.push((class, share));
        algorithms.push(words.get(1).copied().filter(|word| ALGORITHMS.contains(word)));
        for priority in words.last().and_then(|word| ranges(word)).into_iter().flatten() {
            if let Some(place) = of_priority.get_mut(usize::from(priority)) {
                *place = Some(class);
            }
        }
    }
    let list = |numbers: Vec<u8>| Raw::List(numbers.into_iter().map(|number| Raw::Integer(number.into())).collect());
    if let Some(table) = of_priority.into_iter().collect::<Option<Vec<u8>>>() {
        settings.set("PriorityAssignmentTable", list(table));
    }
    // By the class' number, which is its place: one that is left out, or has no share, makes the others' places unsure.
    let in_order = shares
        .iter()
        .enumerate()
        .all(|(at, (class, _))| usize::from(*class) == at);
    let algorithms: Option<Vec<Raw>> = algorithms
        .into_iter()
        .map(|word| Some(Raw::Text(word?.to_owned())))
        .collect();
    if let Some(algorithms) = algorithms.filter(|algorithms| in_order && !algorithms.is_empty()) {
        settings.set("TsaAssignmentTable", Raw::List(algorithms));
    }
    let shares: Option<Vec<u8>> = shares.into_iter().map(|(_, share)| share).collect();
    if let Some(shares) = shares.filter(|shares| in_order && !shares.is_empty()) {
        settings.set("BandwidthAssignmentTable", list(shares));
    }
}

/// `All Priorities Disabled`, `Priority 3 Enabled`, `Priorities 3-4 Enabled`.
fn flow_control(text: &str) -> Option<[bool; PRIORITIES]> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        ["All", "Priorities", "Disabled"] => Some([false; PRIORITIES]),
        ["All", "Priorities", "Enabled"] => Some([true; PRIORITIES]),
        ["Priority" | "Priorities", which, "Enabled"] => {
            let mut enabled = [false; PRIORITIES];
            for priority in ranges(which)? {
                *enabled.get_mut(usize::from(priority))? = true;
            }
            Some(enabled)
        }
        _ => None,
    }
}

/// `0-3,5-7`.
fn ranges(text: &str) -> Option<Vec<u8>> {
    let mut numbers = Vec::new();
    for part in text.split(',') {
        let (from, until) = part.split_once('-').unwrap_or((part, part));
        let (from, until): (u8, u8) = (from.parse().ok()?, until.parse().ok()?);
        if from > until {
            return None;
        }
        numbers.extend(from..=until);
    }
    Some(numbers)
}

/// Lines of `what : hardware current`.
fn capabilities(text: &str) -> [Bag; 2] {
    let mut both = [Bag::default(), Bag::default()];
    for line in text.lines() {
        let Some((what, values)) = line.split_once(':') else {
            continue;
        };
        let values: Vec<&str> = values.split_whitespace().collect();
        if values.len() != both.len() {
            continue;
        }
        for (bag, value) in both.iter_mut().zip(values) {
            capability(what.trim(), value, bag);
        }
    }
    both
}

fn capability(what: &str, value: &str, bag: &mut Bag) {
    match (what, value) {
        ("MacSecBypass", "Supported" | "NotSupported") => {
            bag.set("MacSecBypassSupported", Raw::Bool(value == "Supported"));
        }
        ("DcbxSupport", "None" | "IEEE" | "CEE") => {
            bag.set("IeeeDcbxSupported", Raw::Bool(value == "IEEE"));
            bag.set("CeeDcbxSupported", Raw::Bool(value == "CEE"));
        }
        ("NumTCs(Max/ETS/PFC)", numbers) => {
            let names = [
                "NumberOfTrafficClasses",
                "NumberOfEtsCapableTrafficClasses",
                "NumberOfPfcEnabledTrafficClasses",
            ];
            for (name, number) in names.into_iter().zip(numbers.split('/')) {
                if let Ok(number) = number.parse() {
                    bag.set(name, Raw::Integer(number));
                }
            }
        }
        _ => {}
    }
}
