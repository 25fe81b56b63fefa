//! Objects of Windows' management classes.

use std::collections::BTreeMap;

use fathom_state::{Bag, Raw};
use wmi::{AuthLevel, IWbemClassWrapper, Variant, WMIConnection, WMIError};

use super::walks::{self, Asks, MOST, Method, Objects, PATH};
use crate::check::known::is_guarded;
use crate::check::wmi::reason;

/// Objects within objects beyond this are not read.
const DEEPEST: u32 = 4;

/// Why a property that holds something else is not read.
const ODD: &str = "of a type that is not read";

/// A namespace; the connection is made and used on one thread.
pub struct Namespace {
    path: &'static str,
    connection: Option<WMIConnection>,
    /// Others that were asked beside it.
    others: BTreeMap<&'static str, Self>,
}

// The connection is opened by the thread that reads, never before.
impl std::fmt::Debug for Namespace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Namespace")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Namespace {
    /// Nothing is opened yet.
    #[must_use]
    pub const fn new(path: &'static str) -> Self {
        Self {
            path,
            connection: None,
            others: BTreeMap::new(),
        }
    }

    /// The objects of a class.
    ///
    /// # Errors
    ///
    /// As [`super::live::Reader::read`].
    pub fn read(&mut self, class: &'static str) -> Result<Objects, String> {
        // A query for a class that is not there fails only at its first row, and not with every provider.
        let there = self.connected().and_then(|connection| connection.get_object(class));
        let read = match there {
            Ok(_) => walks::read(self, class),
            Err(error) => Err(reason(&error)),
        };
        if read.is_err() {
            // A service that was restarted does not know the old connection.
            self.connection = None;
        }
        read
    }

    fn connected(&mut self) -> Result<&WMIConnection, WMIError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let connection = WMIConnection::with_namespace_path(self.path)?;
                if is_guarded(self.path) {
                    connection.set_proxy_blanket(AuthLevel::PktPrivacy)?;
                }
                connection
            }
        };
        Ok(self.connection.insert(connection))
    }

    fn query(&mut self, query: &str) -> Result<Vec<Bag>, WMIError> {
        let mut bags = Vec::new();
        for row in self.connected()?.exec_query(query)? {
            let row = row?;
            let mut bag = bag(&row, 0)?;
            if let Ok(path) = row.path() {
                bag.set(PATH, Raw::Text(path));
            }
            bags.push(bag);
            // Of more than are taken nothing is said anyway.
            if bags.len() > MOST {
                break;
            }
        }
        Ok(bags)
    }

    fn execute(&mut self, method: &Method<'_>) -> Result<Option<Bag>, WMIError> {
        let connection = self.connected()?;
        let given = match method.given {
            [] => None,
            given => {
                // The types of what it is given stand in the class's definition.
                let signature = connection.get_object(method.class)?.get_method(method.name)?;
                let instance = signature.map(|signature| signature.spawn_instance()).transpose()?;
                if let Some(instance) = &instance {
                    for (name, value) in given {
                        instance.put_property(name, variant(value))?;
                    }
                }
                instance
            }
        };
        let out = connection.exec_method(method.path, method.name, given.as_ref())?;
        out.map(|out| bag(&out, 0)).transpose()
    }
}

/// What a method is given.
fn variant(value: &Raw) -> Variant {
    match value {
        Raw::Text(text) => Variant::String(text.clone()),
        // Numbers of methods that are called here have 32 bits.
        Raw::Integer(number) => u32::try_from(*number).map_or(Variant::Null, Variant::UI4),
        Raw::Bool(value) => Variant::Bool(*value),
        _ => Variant::Null,
    }
}

impl Asks for Namespace {
    fn rows(&mut self, query: &str) -> Result<Vec<Bag>, String> {
        self.query(query).map_err(|error| reason(&error))
    }

    fn rows_of(&mut self, namespace: &'static str, query: &str) -> Result<Vec<Bag>, String> {
        // Kept: what drivers do not count is asked for with each reading of what they do.
        let other = self.others.entry(namespace).or_insert_with(|| Self::new(namespace));
        let rows = other.query(query).map_err(|error| reason(&error));
        if rows.is_err() {
            self.others.remove(namespace);
        }
        rows
    }

    fn call(&mut self, method: &Method<'_>) -> Result<Bag, String> {
        let out = self.execute(method).map_err(|error| reason(&error))?;
        out.ok_or_else(|| "it gave nothing out".to_owned())
    }
}

fn bag(object: &IWbemClassWrapper, depth: u32) -> Result<Bag, WMIError> {
    let mut bag = Bag::default();
    bag.class = object.class().ok();
    for name in object.list_properties()? {
        // One that cannot be read costs itself alone.
        let value = object
            .get_property(&name)
            .map_or(Raw::Broken(ODD), |value| raw(value, depth));
        bag.set(&name, value);
    }
    Ok(bag)
}

fn raw(value: Variant, depth: u32) -> Raw {
    match value {
        Variant::Empty | Variant::Null => Raw::Null,
        Variant::String(text) => Raw::Text(text),
        Variant::I1(value) => Raw::Integer(value.into()),
        Variant::I2(value) => Raw::Integer(value.into()),
        Variant::I4(value) => Raw::Integer(value.into()),
        Variant::I8(value) => Raw::Integer(value.into()),
        Variant::UI1(value) => Raw::Integer(value.into()),
        Variant::UI2(value) => Raw::Integer(value.into()),
        Variant::UI4(value) => Raw::Integer(value.into()),
        Variant::UI8(value) => Raw::Integer(value.into()),
        Variant::R4(value) => Raw::Real(value.into()),
        Variant::R8(value) => Raw::Real(value),
        Variant::Bool(value) => Raw::Bool(value),
        Variant::Array(values) => Raw::List(values.into_iter().map(|value| raw(value, depth)).collect()),
        Variant::Object(_) | Variant::Unknown(_) if depth >= DEEPEST => Raw::Broken(ODD),
        Variant::Object(object) => bag(&object, depth + 1).map_or(Raw::Broken(ODD), Raw::Object),
        Variant::Unknown(unknown) => {
            let object = unknown.to_wbem_class_obj().and_then(|object| bag(&object, depth + 1));
            object.map_or(Raw::Broken(ODD), Raw::Object)
        }
    }
}
