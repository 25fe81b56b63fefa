//! An object of Windows before it means anything: properties by name.

use std::collections::BTreeMap;

/// A value as a source gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum Raw {
    /// The source says that it does not know.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// A number with a fraction.
    Real(f64),
    /// A text.
    Text(String),
    /// Several.
    List(Vec<Raw>),
    /// An object within the object.
    Object(Bag),
    /// What was printed was cut off, or its type cannot be read; with the reason.
    Broken(&'static str),
}

impl Raw {
    /// What it is, for a reason that names a wrong type.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) => "a whole number",
            Self::Real(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
            Self::Broken(_) => "broken",
        }
    }
}

/// An object: its class where the source says it, and its properties. Names are compared without case and blanks, which tables for
/// people write differently.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bag {
    /// The class, such as `MSFT_PhysicalDisk`.
    pub class: Option<String>,
    /// The computer that the object was read on.
    pub computer: Option<String>,
    properties: BTreeMap<String, Raw>,
    /// Columns of the printed table that it was read of, as they were printed; none of what was not read of one.
    columns: Vec<String>,
}

/// A name to compare by.
fn key(name: &str) -> String {
    let letters = name.chars().filter(|letter| !letter.is_whitespace());
    letters.flat_map(char::to_lowercase).collect()
}

impl Bag {
    /// Adds a property; the last of one name counts.
    pub fn set(&mut self, name: &str, value: Raw) {
        self.properties.insert(key(name), value);
    }

    /// Adds a property that was a column of a printed table.
    pub(crate) fn set_column(&mut self, name: &str, value: Raw) {
        self.columns.push(name.to_owned());
        self.set(name, value);
    }

    /// The columns of the table that it was read of, as they were printed.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Columns that were read as something else are none any more.
    pub(crate) fn forget_columns(&mut self) {
        self.columns.clear();
    }

    /// The same with a property more.
    #[must_use]
    pub fn with(mut self, name: &str, value: Raw) -> Self {
        self.set(name, value);
        self
    }

    /// Takes a property out. None where it was not given.
    pub fn take(&mut self, name: &str) -> Option<Raw> {
        self.properties.remove(&key(name))
    }

    /// A property, of an object within by names with dots between. None where it was not given.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Raw> {
        if let Some(found) = self.properties.get(&key(name)) {
            return Some(found);
        }
        let (outer, inner) = name.split_once('.')?;
        match self.properties.get(&key(outer))? {
            Raw::Object(bag) => bag.get(inner),
            Raw::Null => Some(&Raw::Null),
            _ => None,
        }
    }

    /// A property as a text that is not empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Raw::Text(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Raw::Integer(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Names, as they are compared.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.properties.keys().map(String::as_str)
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.properties.is_empty()
    }

    /// Takes class and computer from the properties that cmdlets put beside an object's own.
    pub(crate) fn find_out(&mut self) {
        let class = [
            "CimSystemProperties.ClassName",
            "CimClass.CimSystemProperties.ClassName",
            "CimClass.CimClassName",
            "__CLASS",
        ];
        let class = class.into_iter().find_map(|name| self.text(name));
        // In lists for people: `ROOT/Microsoft/Windows/SMB:MSFT_SmbMultichannelConnection`.
        let class = class.or_else(|| {
            self.text("CimClass")?
                .rsplit_once(':')
                .map(|(_, class)| class.to_owned())
        });
        self.class = self.class.take().or(class);
        let computer = [
            "PSComputerName",
            "ComputerName",
            "CimSystemProperties.ServerName",
            "__SERVER",
        ];
        let computer = computer.into_iter().find_map(|name| self.text(name));
        self.computer = self
            .computer
            .take()
            .or_else(|| computer.filter(|name| !name.eq_ignore_ascii_case("localhost")));
    }
}
