//! Objects from CLIXML, as `Export-Clixml` writes it: the files of an SDDC diagnostic folder.
//!
//! The elements are those of [MS-PSRP] 2.2.5: `Obj` with `TN` (type names), `Props` and `MS` (properties), `LST`, `IE`, `DCT`, and the
//! primitive values by the letters of their types. An enumeration is an `Obj` with its number and its `ToString`.

use std::collections::HashMap;

use crate::bag::{Bag, Raw};
use crate::xml::{Reader, Token};
use crate::{Error, Result};

/// Objects within objects beyond this are not read: `Export-Clixml` writes 2 levels unless told otherwise.
const DEEPEST: usize = 64;

/// The objects of a document.
///
/// # Errors
///
/// When it is not CLIXML or is cut off.
pub fn bags(text: &str) -> Result<Vec<Bag>> {
    let mut parser = Parser {
        reader: Reader::new(text.trim_start_matches('\u{feff}')),
        types: HashMap::new(),
        objects: HashMap::new(),
    };
    match parser.reader.next()? {
        Some(Token::Open {
            name: "Objs", empty, ..
        }) => {
            let mut bags = Vec::new();
            if !empty {
                for (_, value) in parser.children("Objs", 0)? {
                    flatten(value, &mut bags);
                }
            }
            Ok(bags)
        }
        _ => Err(Error::NoObjects),
    }
}

fn flatten(value: Raw, bags: &mut Vec<Bag>) {
    match value {
        Raw::Object(bag) => bags.push(bag),
        Raw::List(values) => values.into_iter().for_each(|value| flatten(value, bags)),
        // A null or a plain value is no object: it is left out, and counted as that.
        _ => bags.push(Bag::default()),
    }
}

struct Parser<'a> {
    reader: Reader<'a>,
    /// Type names by reference: said once, then referred to.
    types: HashMap<String, Vec<String>>,
    objects: HashMap<String, Raw>,
}

impl<'a> Parser<'a> {
    /// The values up to an end tag, each with the name that it has as a property.
    fn children(&mut self, end: &str, depth: usize) -> Result<Vec<(Option<String>, Raw)>> {
        if depth > DEEPEST {
            return Err(self.reader.wrong("objects within objects beyond all measure"));
        }
        let mut values = Vec::new();
        loop {
            match self.reader.next()? {
                None => return Err(self.reader.wrong("cut off within an object")),
                Some(Token::Close(name)) if name == end => return Ok(values),
                Some(Token::Close(_)) => return Err(self.reader.wrong("an end tag of something else")),
                Some(Token::Text(_)) => {}
                Some(Token::Open {
                    name,
                    attributes,
                    empty,
                }) => {
                    let property = attribute(&attributes, "N").map(str::to_owned);
                    values.push((property, self.value(name, &attributes, empty, depth + 1)?));
                }
            }
        }
    }

    fn value(&mut self, name: &str, attributes: &[(&str, String)], empty: bool, depth: usize) -> Result<Raw> {
        match name {
            "Obj" => self.object(attributes, empty, depth),
            "Ref" => {
                if !empty {
                    self.text("Ref")?;
                }
                let known = attribute(attributes, "RefId").and_then(|id| self.objects.get(id));
                Ok(known
                    .cloned()
                    .unwrap_or(Raw::Broken("refers to an object that is not there")))
            }
            "LST" | "IE" | "QUE" | "STK" if empty => Ok(Raw::List(Vec::new())),
            "LST" | "IE" | "QUE" | "STK" => {
                let values = self.children(name, depth)?;
                Ok(Raw::List(values.into_iter().map(|(_, value)| value).collect()))
            }
            "Nil" => {
                if !empty {
                    self.text("Nil")?;
                }
                Ok(Raw::Null)
            }
            primitive => {
                let text = if empty { String::new() } else { self.text(primitive)? };
                Ok(of_primitive(primitive, text))
            }
        }
    }

    fn object(&mut self, attributes: &[(&str, String)], empty: bool, depth: usize) -> Result<Raw> {
        if depth > DEEPEST {
            return Err(self.reader.wrong("objects within objects beyond all measure"));
        }
        let mut bag = Bag::default();
        let mut whole: Option<Raw> = None;
        let mut shown: Option<String> = None;
        let mut open = !empty;
        while open {
            match self.reader.next()? {
                None => return Err(self.reader.wrong("cut off within an object")),
                Some(Token::Close("Obj")) => open = false,
                Some(Token::Close(_)) => return Err(self.reader.wrong("an end tag of something else")),
                Some(Token::Text(_)) => {}
                Some(Token::Open {
                    name: "TN",
                    attributes,
                    empty,
                }) => {
                    let names = if empty {
                        Vec::new()
                    } else {
                        self.children("TN", depth + 1)?
                    };
                    let names: Vec<String> = names.into_iter().filter_map(|(_, name)| text_of(name)).collect();
                    bag.class = class_of(&names);
                    if let Some(id) = attribute(&attributes, "RefId") {
                        self.types.insert(id.to_owned(), names);
                    }
                }
                Some(Token::Open {
                    name: "TNRef",
                    attributes,
                    empty,
                }) => {
                    if !empty {
                        self.text("TNRef")?;
                    }
                    let names = attribute(&attributes, "RefId").and_then(|id| self.types.get(id));
                    bag.class = names.and_then(|names| class_of(names));
                }
                Some(Token::Open {
                    name: "ToString",
                    empty,
                    ..
                }) => {
                    shown = Some(if empty { String::new() } else { self.text("ToString")? });
                }
                Some(Token::Open {
                    name: name @ ("Props" | "MS"),
                    empty,
                    ..
                }) => {
                    let values = if empty {
                        Vec::new()
                    } else {
                        self.children(name, depth + 1)?
                    };
                    for (property, value) in values {
                        if let Some(property) = property {
                            bag.set(&property, value);
                        }
                    }
                }
                Some(Token::Open { name: "DCT", empty, .. }) => {
                    if !empty {
                        self.dictionary(&mut bag, depth + 1)?;
                    }
                }
                Some(Token::Open {
                    name,
                    attributes,
                    empty,
                }) => {
                    whole = Some(self.value(name, &attributes, empty, depth + 1)?);
                }
            }
        }
        bag.find_out();
        let value = match whole {
            // An enumeration: what it shows is a name of the number.
            Some(Raw::Integer(number)) => match shown.filter(|text| !text.is_empty()) {
                Some(name) => Raw::Object(
                    Bag::default()
                        .with("value", Raw::Integer(number))
                        .with("name", Raw::Text(name)),
                ),
                None => Raw::Integer(number),
            },
            Some(other) => other,
            None => Raw::Object(bag),
        };
        if let Some(id) = attribute(attributes, "RefId") {
            self.objects.insert(id.to_owned(), value.clone());
        }
        Ok(value)
    }

    fn dictionary(&mut self, bag: &mut Bag, depth: usize) -> Result<()> {
        loop {
            match self.reader.next()? {
                Some(Token::Close("DCT")) => return Ok(()),
                Some(Token::Open {
                    name: "En",
                    empty: false,
                    ..
                }) => {
                    let pair = self.children("En", depth)?;
                    let of = |wanted: &str| pair.iter().find(|(name, _)| name.as_deref() == Some(wanted));
                    if let (Some((_, key)), Some((_, value))) = (of("Key"), of("Value"))
                        && let Some(key) = text_of(key.clone())
                    {
                        bag.set(&key, value.clone());
                    }
                }
                Some(Token::Text(_) | Token::Open { empty: true, .. }) => {}
                _ => return Err(self.reader.wrong("a dictionary that is cut off")),
            }
        }
    }

    /// The text up to an end tag.
    fn text(&mut self, end: &str) -> Result<String> {
        let mut text = String::new();
        loop {
            match self.reader.next()? {
                Some(Token::Text(more)) => text.push_str(&more),
                Some(Token::Close(name)) if name == end => return Ok(text),
                _ => return Err(self.reader.wrong("a value that is cut off")),
            }
        }
    }
}

fn attribute<'a>(attributes: &'a [(&str, String)], name: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|(key, _)| *key == name);
    found.map(|(_, value)| value.as_str())
}

fn text_of(value: Raw) -> Option<String> {
    match value {
        Raw::Text(text) => Some(text),
        Raw::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What objects of WMI are called in front of their class: by Get-CimInstance, and by Get-WmiObject with what is within its objects.
const OF_WMI: [&str; 3] = ["CimInstance", "ManagementObject", "ManagementBaseObject"];

/// The class behind type names such as `Deserialized.Microsoft.Management.Infrastructure.CimInstance#ROOT/…/MSFT_PhysicalDisk`,
/// `System.Management.ManagementObject#root\wmi\ClusPortDeviceInformation` or `Microsoft.FailoverClusters.PowerShell.ClusterNode`.
fn class_of(names: &[String]) -> Option<String> {
    let cim = names.iter().find_map(|name| {
        let (of, path) = name.split_once('#')?;
        let class = path.rsplit(['/', '\\']).next().filter(|class| !class.is_empty());
        let is_of_wmi = OF_WMI.contains(&of.rsplit('.').next()?);
        class.filter(|_| is_of_wmi).map(str::to_owned)
    });
    cim.or_else(|| {
        let first = names.first()?;
        let first = first.strip_prefix("Deserialized.").unwrap_or(first);
        first.rsplit('.').next().map(str::to_owned)
    })
}

/// A value by the letters of its type.
fn of_primitive(name: &str, text: String) -> Raw {
    let number = |text: &str| {
        text.trim()
            .parse::<i128>()
            .map_or(Raw::Broken("a number that cannot be read"), Raw::Integer)
    };
    match name {
        "B" => match text.trim() {
            "true" | "True" => Raw::Bool(true),
            "false" | "False" => Raw::Bool(false),
            _ => Raw::Broken("a boolean that cannot be read"),
        },
        "By" | "SB" | "I16" | "U16" | "I32" | "U32" | "I64" | "U64" => number(&text),
        "Sg" | "Db" | "D" => {
            let parsed = text.trim().parse::<f64>().ok().filter(|value| value.is_finite());
            parsed.map_or(Raw::Broken("a number that cannot be read"), Raw::Real)
        }
        // Texts, times, durations, versions, identities: read where their meaning is known.
        _ => Raw::Text(text),
    }
}
