//! Adapters of storage that carry about as much as their link takes, whatever it is that they carry. That is nothing wrong by itself: a link
//! is there to be used; where copies that go over it take longer, it is why.
//!
//! It is held against the link's own speed and not against other nodes': what all links of a cluster carry is too much all the same.

use std::collections::BTreeMap;

use fathom_model::NodeId;
use fathom_model::condition::{Condition, Sign};

use super::Scene;
use super::network::storage_adapters;
use super::ports::{Odd, adapter_of, adapters, by_node};
use super::rates::{Of, RECEIVED, SENT};

/// From this part of its speed on a link is used up. Chosen: queues grow without bound towards all of it, headers and acknowledgements
/// of what is counted take some, and means of a minute hide what is full for seconds; a number is not published.
const FULL: f64 = 0.90;

/// It is so since readings have reached so much of that.
const ABOUT: f64 = 0.9;

/// What a direction of an adapter carries.
#[derive(Default)]
struct Carried {
    /// In bits a second.
    sum: f64,
    all: Vec<(&'static str, Of)>,
}

/// Adapters of storage of which one direction is used up.
pub(super) fn saturated(scene: &Scene<'_>) -> Vec<Condition> {
    let storage = storage_adapters(scene.picture);
    let adapters = adapters(scene.picture);
    let mut odd = Vec::new();
    for (counters, verb, speed) in [
        (SENT, "sends", "transmit_bits_per_s"),
        (RECEIVED, "receives", "receive_bits_per_s"),
    ] {
        let mut carried: BTreeMap<(NodeId, String), Carried> = BTreeMap::new();
        for counter in counters {
            for one in scene.rates.of(counter) {
                let adapter = adapter_of(&adapters, &one.node, &one.id);
                let Some(name) = adapter.and_then(|adapter| adapter.text("name")) else {
                    continue;
                };
                let own = carried.entry((one.node.clone(), name.to_owned())).or_default();
                own.sum += one.mean * 8.0;
                own.all.push((counter, one));
            }
        }
        for ((node, name), own) in carried {
            let of_it = adapters
                .iter()
                .find(|adapter| adapter.node == node && adapter.text("name") == Some(&name));
            let speed = of_it
                .and_then(|adapter| adapter.number(speed))
                .filter(|speed| *speed > 0);
            let Some(speed) = speed.map(|speed| speed as f64) else {
                continue;
            };
            if own.sum < speed * FULL || !storage.contains(&(node.clone(), name.clone())) {
                continue;
            }
            // What carries next to nothing says nothing of since when.
            let part = speed * FULL / own.sum * ABOUT;
            let since = own.all.iter().filter(|(_, one)| one.mean * 8.0 >= own.sum / 2.0);
            let since = since.map(|(counter, one)| scene.rates.since(counter, one, one.mean * part));
            let from = own.all.iter().map(|(_, one)| one.from).min().unwrap_or(i64::MIN);
            odd.push(Odd {
                text: format!(
                    "{name} {verb} {:.1} Gbit/s, {:.0} % of what its link takes",
                    own.sum / 1e9,
                    own.sum / speed * 100.0
                ),
                node,
                name,
                is_loud: false,
                since: since.min().unwrap_or(from),
                observations: own
                    .all
                    .iter()
                    .filter(|(_, one)| one.mean > 0.0)
                    .map(|(_, one)| one.cited())
                    .collect(),
            });
        }
    }
    by_node(Sign::Saturated, odd)
}

#[cfg(test)]
mod tests;
