//! Counters of RDMA, which the driver of an adapter supplies one by one: of one that it does not the class shows a zero like any other.
//!
//! Which it does not is said by RdmaMissingCounterInfo of MSFT_NetAdapterRdmaSettingData. Where that is not known a zero is not taken for a
//! count; what is more than zero somebody has counted.

use fathom_state::{Bag, Raw, counters};

use super::{Asks, Objects, all};

/// Where adapters say it.
const ADAPTERS: &str = r"root\StandardCimv2";

const NOT_SUPPLIED: &str = "the driver does not supply it";
const NOT_KNOWN: &str = "0, and whether the driver supplies it is not known";

/// The counters of each adapter, without those that are no counts.
pub(super) fn rdma(asks: &mut impl Asks) -> Result<Objects, String> {
    let mut objects = all(asks, counters::RDMA)?;
    let adapters = asks.rows_of(ADAPTERS, "SELECT * FROM MSFT_NetAdapterRdmaSettingData");
    let mut notes = Vec::new();
    if let Err(why) = &adapters {
        notes.push(format!("whether drivers supply what is 0 is not known: {why}"));
    }
    let adapters = adapters.unwrap_or_default();
    for object in &mut objects {
        let Some(name) = object.text("Name").filter(|name| name != "_Total") else {
            continue;
        };
        let is_its = |adapter: &&Bag| {
            let names = ["InterfaceDescription", "Name"].into_iter();
            let mut names = names.filter_map(|property| adapter.text(property));
            names.any(|own| instance(&own) == instance(&name))
        };
        let adapter = adapters.iter().find(is_its);
        let (mut missing, mut unknown) = (Vec::new(), 0);
        for (flag, property) in counters::MISSING {
            let said = adapter.and_then(|adapter| adapter.get(&format!("RdmaMissingCounterInfo.{flag}")));
            match said {
                Some(Raw::Bool(true)) => {
                    object.set(property, Raw::Broken(NOT_SUPPLIED));
                    missing.push(*property);
                }
                Some(Raw::Bool(false)) => {}
                _ if is_zero(object.get(property)) => {
                    object.set(property, Raw::Broken(NOT_KNOWN));
                    unknown += 1;
                }
                _ => {}
            }
        }
        if !missing.is_empty() {
            notes.push(format!("the driver of {name} does not supply {}", missing.join(", ")));
        }
        if unknown > 0 && !adapters.is_empty() {
            notes.push(format!("whether the driver of {name} supplies what is 0 is not known"));
        }
    }
    Ok(Objects {
        bags: objects,
        note: (!notes.is_empty()).then(|| notes.join("; ")),
    })
}

fn is_zero(raw: Option<&Raw>) -> bool {
    match raw {
        Some(Raw::Integer(number)) => *number == 0,
        Some(Raw::Text(text)) => text.trim() == "0",
        _ => false,
    }
}

/// A name as an instance of counters has it: signs that paths of counters are made of are written otherwise.
fn instance(name: &str) -> String {
    let sign = |sign: char| match sign {
        '(' => '[',
        ')' => ']',
        '#' | '/' | '\\' => '_',
        other => other,
    };
    name.trim().chars().map(sign).flat_map(char::to_lowercase).collect()
}
