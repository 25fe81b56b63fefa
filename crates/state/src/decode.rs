//! From an object to an observation, by the tables of [`crate::schema`].

use fathom_model::NodeId;
use fathom_model::state::{Kind, Observation, Value};

use crate::bag::{Bag, Raw};
use crate::jobs;
use crate::schema::{self, Class, Identity};

mod take;

use take::take;

/// What became of many objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// The observations, in the objects' order.
    pub observations: Vec<Observation>,
    /// Objects that are none, each with its class and why.
    pub refused: Vec<Refused>,
}

/// Why an object is no observation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Of a class that has no table.
    #[error("{class} is not decoded")]
    Class {
        /// The class.
        class: String,
    },
    /// Of no class, and its properties tell none.
    #[error("an object without a class, of properties that no class has")]
    Unknown,
    /// A null or a plain value where an object should be.
    #[error("a null or a plain value, and no object")]
    NoObject,
    /// Of a class that has a table, but not what the table is about.
    #[error("{class} that is {what}")]
    Other {
        /// The class.
        class: String,
        /// What it is.
        what: &'static str,
    },
    /// Nothing says which one it is.
    #[error("{class} without an identity")]
    NoIdentity {
        /// The class.
        class: String,
    },
}

/// Decodes objects that `node` answered at a time. Where an object names the computer that it was read on, that one is the node.
#[must_use]
pub fn decode_all(bags: &[Bag], node: &NodeId, observed_unix_nanos: i64) -> Decoded {
    let mut decoded = Decoded::default();
    for bag in bags {
        for one in decode_each(bag, node, observed_unix_nanos) {
            match one {
                Ok(observation) => decoded.observations.push(observation),
                Err(refused) => decoded.refused.push(refused),
            }
        }
    }
    decoded
}

/// Decodes one object; of a class with a list within it each item is an observation.
///
/// # Errors
///
/// When its class has no table or nothing says which one it is; of several the first that is none.
pub fn decode(bag: &Bag, node: &NodeId, observed_unix_nanos: i64) -> Result<Vec<Observation>, Refused> {
    decode_each(bag, node, observed_unix_nanos).into_iter().collect()
}

/// Decodes one object; of a class with a list within it each item is an observation, or is refused alone.
#[must_use]
pub fn decode_each(bag: &Bag, node: &NodeId, observed_unix_nanos: i64) -> Vec<Result<Observation, Refused>> {
    if bag.is_empty() && bag.class.is_none() {
        return vec![Err(Refused::NoObject)];
    }
    let Some(class) = schema::class_of(bag) else {
        let named = bag.class.as_ref().map(|class| Refused::Class { class: class.clone() });
        return vec![Err(named.unwrap_or(Refused::Unknown))];
    };
    let node = bag
        .computer
        .as_deref()
        .map_or_else(|| node.clone(), |name| NodeId::new(node_name(name)));
    if matches!(class.kind, Kind::Vm | Kind::Vhd) {
        // A machine may have its drives within it.
        return match schema::vm::objects(bag, class) {
            Ok(objects) => objects
                .into_iter()
                .map(|(class, bag)| one(&bag, class, node.clone(), observed_unix_nanos))
                .collect(),
            Err(refused) => vec![Err(refused)],
        };
    }
    if class.kind == Kind::JobObject {
        return vec![one(&jobs::ends(bag), class, node, observed_unix_nanos)];
    }
    let each = class.each.map(|list| bag.get(list));
    match each {
        None => vec![one(bag, class, node, observed_unix_nanos)],
        Some(Some(Raw::List(items))) => items
            .iter()
            .map(|item| match item {
                Raw::Object(item) => one(item, class, node.clone(), observed_unix_nanos),
                _ => Err(Refused::NoObject),
            })
            .collect(),
        Some(Some(Raw::Object(item))) => vec![one(item, class, node, observed_unix_nanos)],
        // One that says that it has none holds none.
        Some(None | Some(Raw::Null)) if is_empty(bag) => Vec::new(),
        Some(_) => vec![Err(Refused::Other {
            class: class.names[0].to_owned(),
            what: "without what it holds",
        })],
    }
}

/// Whether an object says itself that it holds nothing.
fn is_empty(bag: &Bag) -> bool {
    matches!(bag.get("NumberOfPaths"), Some(Raw::Integer(0)))
}

/// A computer's name as clusters use it: without domain and without the `N:` that some views put in front. Case stays.
#[must_use]
pub fn node_name(name: &str) -> &str {
    let name = name.trim();
    let name = name.strip_prefix("N:").unwrap_or(name);
    // An address is no name with a domain.
    if name.parse::<std::net::IpAddr>().is_ok() {
        return name;
    }
    name.split('.').next().unwrap_or(name)
}

fn one(bag: &Bag, class: &Class, node: NodeId, observed_unix_nanos: i64) -> Result<Observation, Refused> {
    let id = identity(bag, class.identity).ok_or_else(|| Refused::NoIdentity {
        class: class.names[0].to_owned(),
    })?;
    let mut observation = Observation::new(node, class.kind, id, observed_unix_nanos);
    let is_whole = is_whole(bag, class);
    for property in class.properties {
        // Of several names the first that holds something; a null of one does not hide another.
        let given: Vec<&Raw> = property.from.iter().filter_map(|name| bag.get(name)).collect();
        let Some(raw) = given
            .iter()
            .find(|raw| !matches!(raw, Raw::Null))
            .or_else(|| given.first())
        else {
            if is_whole {
                let reason = "not given".to_owned();
                observation.unavailable.insert(property.to.to_owned(), reason);
            }
            continue;
        };
        match take(raw, property.take) {
            Ok(value) => {
                observation.attributes.insert(property.to.to_owned(), value);
            }
            Err(reason) => {
                observation.unavailable.insert(property.to.to_owned(), reason);
            }
        }
    }
    let others = other_columns(bag, class);
    if !others.is_empty() {
        let others = others.into_iter().map(Value::from).collect();
        observation
            .attributes
            .insert(OTHER_COLUMNS.to_owned(), Value::List(others));
    }
    // Names of nodes are compared with names of nodes.
    for attribute in ["connected_node", "node", "owner"] {
        if let Some(Value::Text(name)) = observation.attributes.get_mut(attribute) {
            *name = node_name(name).to_owned();
        }
    }
    if class.kind == Kind::Node {
        observation.id = node_name(&observation.id).to_owned();
    }
    Ok(observation)
}

/// Where columns of a printed table stand that no attribute is made of.
const OTHER_COLUMNS: &str = "other_columns";

/// Those that hold something, as `NAME: VALUE`.
fn other_columns(bag: &Bag, class: &Class) -> Vec<String> {
    let of_identity = match class.identity {
        Identity::First(names) | Identity::All(names) => names,
    };
    let used = class
        .properties
        .iter()
        .flat_map(|property| property.from)
        .chain(of_identity)
        .flat_map(|name| name.split('|'));
    // Names are compared as a bag does.
    let mut known = Bag::default();
    used.for_each(|name| known.set(name.split('.').next().unwrap_or(name), Raw::Null));
    let others = bag.columns().iter().filter(|name| known.get(name).is_none());
    others
        .filter_map(|name| match bag.get(name)? {
            Raw::Null => None,
            Raw::Broken(why) => Some(format!("{name}: {why}")),
            raw => Some(format!("{name}: {}", printed(raw)?)),
        })
        .collect()
}

/// What was printed.
fn printed(raw: &Raw) -> Option<String> {
    match raw {
        Raw::Text(text) => Some(text.clone()),
        Raw::List(items) => {
            let items: Vec<String> = items.iter().filter_map(printed).collect();
            Some(items.join(", "))
        }
        Raw::Integer(number) => Some(number.to_string()),
        Raw::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// Whether an object is one of the class itself, so that what it does not have its source did not give. What is printed shows a few columns
/// of many, and of machines and their files an object is made of what was found.
fn is_whole(bag: &Bag, class: &Class) -> bool {
    let named = bag.class.as_deref();
    let is_named = named.is_some_and(|named| class.names.iter().any(|name| name.eq_ignore_ascii_case(named)));
    is_named && !matches!(class.kind, Kind::Vm | Kind::Vhd)
}

fn identity(bag: &Bag, identity: Identity) -> Option<String> {
    match identity {
        Identity::First(names) => names.iter().find_map(|name| shown(bag, name)),
        Identity::All(names) => {
            // Of names with a bar between the first that is there.
            let part = |names: &&str| names.split('|').find_map(|name| shown(bag, name));
            let parts: Vec<String> = names.iter().filter_map(part).collect();
            (!parts.is_empty()).then(|| parts.join("/"))
        }
    }
}

/// What identifies: a text, a number, a flag, or the number of an enumeration.
fn shown(bag: &Bag, name: &str) -> Option<String> {
    match bag.get(name)? {
        Raw::Object(inner) => inner.text("value").or_else(|| inner.text("Name")),
        Raw::Bool(_) => Some("host".to_owned()),
        _ => bag.text(name),
    }
}
