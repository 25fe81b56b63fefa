//! Tables of a cluster's validation, as they are copied from its report: cells with a bar between them, the node's name above the table.

use crate::bag::{Bag, Raw};
use crate::decode::node_name;

/// The objects of all tables with bars.
pub(super) fn bags(lines: &[&str]) -> Vec<Bag> {
    let mut bags: Vec<Bag> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let rows: Vec<Vec<&str>> = lines[at..].iter().map_while(cells).collect();
        let above = at.checked_sub(1).and_then(|above| host(lines[above]));
        at += rows.len().max(1);
        let Some((heads, values)) = rows.split_first() else {
            continue;
        };
        let found = if heads.len() == 2 {
            pairs(&rows).into_iter().collect()
        } else {
            values.iter().map(|row| object(heads, row)).collect::<Vec<Bag>>()
        };
        for mut bag in found {
            if let Some(node) = above {
                bag.set("Node", Raw::Text(node.to_owned()));
                bag.computer = Some(node.to_owned());
            }
            add(bag, &mut bags);
        }
    }
    bags
}

fn cells<'a>(line: &&'a str) -> Option<Vec<&'a str>> {
    line.contains(" | ").then(|| line.split('|').map(str::trim).collect())
}

/// A name with a domain that stands alone.
fn host(line: &str) -> Option<&str> {
    let line = line.trim();
    let is_part = |part: &str| !part.is_empty() && part.chars().all(|letter| letter.is_alphanumeric() || letter == '-');
    (line.contains('.') && line.split('.').all(is_part)).then(|| node_name(line))
}

fn object(heads: &[&str], row: &[&str]) -> Bag {
    let mut bag = Bag::default();
    for (head, cell) in heads.iter().zip(row) {
        let value = match *cell {
            "" | "<unknown>" => Raw::Null,
            text => match text.strip_suffix("bit/s") {
                Some(number) => Raw::Text(format!("{number}bps")),
                None => Raw::Text(text.to_owned()),
            },
        };
        bag.set_column(head, value);
    }
    if bag.get("NetworkConnection").is_some() && bag.get("RdmaCapable").is_some() {
        bag.class = Some("MSFT_SmbClientNetworkInterface".to_owned());
        if let Some(name) = bag.take("NetworkConnection") {
            bag.set("FriendlyName", name);
        }
    }
    bag
}

/// Names and values of one object: of data center bridging whether the host takes the switch's settings.
fn pairs(rows: &[Vec<&str>]) -> Option<Bag> {
    let said = rows.iter().find(|row| row.first() == Some(&"DCB Willing Status"))?;
    let willing = match *said.get(1)? {
        "Enabled" => true,
        "Disabled" => false,
        _ => return None,
    };
    let mut bag = Bag::default();
    bag.class = Some("MSFT_NetQosDcbxSettingData".to_owned());
    Some(bag.with("Willing", Raw::Bool(willing)))
}

/// A drive that a later table has again, without its node, is the one before: what that table has more is said of it.
fn add(bag: Bag, bags: &mut Vec<Bag>) {
    let drive = |bag: &Bag| Some((bag.text("VPDPage83hIdentifier"), bag.text("VPDSerialNumber")?));
    let of_node =
        |own: &Bag| bag.get("Node").is_none() || own.get("Node").is_none() || own.get("Node") == bag.get("Node");
    let known = drive(&bag).and_then(|wanted| {
        let mut own = bags.iter().enumerate();
        own.find(|(_, own)| drive(own).as_ref() == Some(&wanted) && of_node(own))
    });
    match known.map(|(at, _)| at) {
        None => bags.push(bag),
        Some(at) => {
            let names: Vec<String> = bag.names().map(str::to_owned).collect();
            for name in names {
                if let (None, Some(value)) = (bags[at].get(&name), bag.get(&name)) {
                    let value = value.clone();
                    bags[at].set(&name, value);
                }
            }
        }
    }
}
