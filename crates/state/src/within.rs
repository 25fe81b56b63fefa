//! Objects within objects that are resources of their own: ways of a bus device, caches of a node, drives bound to a cache.

use crate::bag::{Bag, Raw};
use crate::schema;

/// A class whose objects hold others.
struct Holds {
    /// The class that holds, with the name that a cmdlet gives it.
    outer: &'static [&'static str],
    /// The property with the list.
    list: &'static str,
    /// The class of what is in it.
    inner: &'static str,
    /// Properties of the outer object by which it is known whose the inner one is.
    of: &'static [&'static str],
}

const HOLDS: &[Holds] = &[
    Holds {
        outer: &["ClusPortDeviceInformation", "StorageBusClientDevice"],
        list: "Paths",
        inner: "ClusPortPathInformation",
        of: &["DeviceGuid", "DeviceNumber"],
    },
    Holds {
        outer: &["ClusBfltCacheStoresInformation"],
        list: "CacheStoreInfo",
        inner: "ClusBfltCacheStoreInformation",
        of: &[],
    },
    Holds {
        outer: &["ClusBfltSsdBindingRecords"],
        list: "BindingRecords",
        inner: "ClusBfltHddBindingRecord",
        of: &[],
    },
];

/// The class to ask for the objects of another one that only its objects hold; none of one that is asked itself.
pub fn outer(class: &str) -> impl Iterator<Item = &'static str> {
    let holds = HOLDS.iter().filter(move |holds| holds.inner == class);
    holds.filter_map(|holds| holds.outer.first().copied())
}

/// What stands within objects, each as an object of its own that says whose it is.
#[must_use]
pub fn parts(bags: &[Bag]) -> Vec<Bag> {
    let mut parts = Vec::new();
    for bag in bags {
        for holds in HOLDS.iter().filter(|holds| is_of(bag, holds)) {
            let items = match bag.get(holds.list) {
                Some(Raw::List(items)) => items.as_slice(),
                // Lists of one are given as the one.
                Some(one @ Raw::Object(_)) => std::slice::from_ref(one),
                _ => &[],
            };
            for item in items {
                let mut part = match item {
                    Raw::Object(item) => item.clone(),
                    // What was cut off where it was written is a text: nothing says which one it is, and so it is counted as left out.
                    _ => Bag::default(),
                };
                let is_object = !part.is_empty();
                part.class = Some(holds.inner.to_owned());
                part.computer = part.computer.or_else(|| bag.computer.clone());
                if !is_object {
                    parts.push(part);
                    continue;
                }
                for name in holds.of {
                    if let (None, Some(value)) = (part.get(name), bag.get(name)) {
                        part.set(name, value.clone());
                    }
                }
                parts.push(part);
            }
        }
    }
    parts
}

/// Whether an object is of a class that holds; one without a class, or of one that nobody knows, is known by its list.
fn is_of(bag: &Bag, holds: &Holds) -> bool {
    let has_list = || bag.get(holds.list).is_some() && holds.of.iter().all(|name| bag.get(name).is_some());
    let is = |known: &&str, class: &str| known.eq_ignore_ascii_case(class);
    match bag.class.as_deref() {
        Some(class) if holds.outer.iter().any(|known| is(known, class)) => true,
        Some(class) if schema::classes().any(|of| of.names.iter().any(|known| is(known, class))) => false,
        _ => has_list(),
    }
}
