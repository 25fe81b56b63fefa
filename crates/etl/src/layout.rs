//! The layout of an event's payload: fields with their names and kinds, and reading some of them out of bytes.
//!
//! A layout comes from the exact lists of a manifest ([`crate::manifest`]), from this system (its manifest, read at start-up), or from
//! a configuration. Fields are found by name; a payload that is not exactly as long as its layout says is not read at all.

use std::fmt;
use std::str::FromStr;

use crate::bytes::Bytes;
use crate::event::Guid;

/// What a field is in bytes. Integers are little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// So many bytes as one unsigned number: 1, 2, 4 or 8. Numbers with a sign keep their bits; a Boolean has four.
    Number(u8),
    /// As many bytes as the machine's pointers.
    Pointer,
    /// 16 bytes.
    Guid,
    /// Bytes up to and with a zero.
    Ansi,
    /// UTF-16 up to and with a zero.
    Unicode,
    /// So many units of UTF-16, without a zero at the end, as the field at this place says.
    UnicodeOf(u16),
    /// So many bytes as the field at this place says.
    BytesOf(u16),
    /// So many bytes, always.
    Bytes(u16),
    /// All bytes that are left: only last.
    Rest,
}

/// A field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// As the manifest calls it.
    pub name: String,
    /// What it is in bytes.
    pub kind: Kind,
}

/// The fields of one version of one event, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// All fields.
    pub fields: Vec<Field>,
}

/// Most fields that a layout may have: the longest of the known manifests has 77.
const MOST_FIELDS: usize = 512;

/// Why a text is no layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLayout {
    /// A field is not `name:kind`.
    #[error(
        "`{0}` is no field: write name:kind with one of u8 u16 u32 u64 bool pointer guid ansi unicode unicode[FIELD] bytes[FIELD or COUNT] rest"
    )]
    Field(String),
    /// A length that no number before it gives.
    #[error("`{field}` takes its length from `{length}`, and no number of that name stands before it")]
    Length {
        /// The field.
        field: String,
        /// The one that should give its length.
        length: String,
    },
    /// Something follows what takes all bytes that are left.
    #[error("`{0}` takes all bytes that are left, and must be last")]
    NotLast(String),
    /// There is none, or there are too many.
    #[error("{0} fields, where 1 to {MOST_FIELDS} are allowed")]
    Count(usize),
}

impl FromStr for Layout {
    type Err = NoLayout;

    /// Out of `name:kind name:kind …`, as it stands in a configuration.
    fn from_str(text: &str) -> Result<Self, NoLayout> {
        let mut layout = Self::default();
        for word in text.split_ascii_whitespace() {
            let (name, kind) = word.split_once(':').ok_or_else(|| NoLayout::Field(word.to_owned()))?;
            let kind = layout.kind(name, kind)?;
            layout.fields.push(Field {
                name: name.to_owned(),
                kind,
            });
        }
        layout.checked()
    }
}

impl Layout {
    /// The same, when it can be one.
    ///
    /// # Errors
    ///
    /// When a length comes from no number before it, something follows [`Kind::Rest`], or the count is beyond bounds.
    pub fn checked(self) -> Result<Self, NoLayout> {
        if self.fields.is_empty() || self.fields.len() > MOST_FIELDS {
            return Err(NoLayout::Count(self.fields.len()));
        }
        for (at, field) in self.fields.iter().enumerate() {
            match field.kind {
                Kind::UnicodeOf(from) | Kind::BytesOf(from) => {
                    let from = usize::from(from);
                    if from >= at || !matches!(self.fields[from].kind, Kind::Number(_)) {
                        let length = self
                            .fields
                            .get(from)
                            .map_or_else(|| from.to_string(), |of| of.name.clone());
                        return Err(NoLayout::Length {
                            field: field.name.clone(),
                            length,
                        });
                    }
                }
                Kind::Rest if at + 1 < self.fields.len() => return Err(NoLayout::NotLast(field.name.clone())),
                _ => {}
            }
        }
        Ok(self)
    }

    fn kind(&self, name: &str, text: &str) -> Result<Kind, NoLayout> {
        let no_field = || NoLayout::Field(format!("{name}:{text}"));
        if let Some((kind, rest)) = text.split_once('[') {
            let length = rest.strip_suffix(']').ok_or_else(no_field)?;
            if kind == "bytes"
                && let Ok(count) = length.parse()
            {
                return Ok(Kind::Bytes(count));
            }
            let from = self.position(length).and_then(|at| u16::try_from(at).ok());
            let from = from.ok_or_else(|| NoLayout::Length {
                field: name.to_owned(),
                length: length.to_owned(),
            })?;
            return match kind {
                "unicode" => Ok(Kind::UnicodeOf(from)),
                "bytes" => Ok(Kind::BytesOf(from)),
                _ => Err(no_field()),
            };
        }
        match text {
            "u8" => Ok(Kind::Number(1)),
            "u16" => Ok(Kind::Number(2)),
            "u32" | "bool" => Ok(Kind::Number(4)),
            "u64" => Ok(Kind::Number(8)),
            "pointer" => Ok(Kind::Pointer),
            "guid" => Ok(Kind::Guid),
            "ansi" => Ok(Kind::Ansi),
            "unicode" => Ok(Kind::Unicode),
            "rest" => Ok(Kind::Rest),
            _ => Err(no_field()),
        }
    }

    /// Where a field of this name stands: case and everything but letters and digits do not matter.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| same_name(&field.name, name))
    }
}

fn same_name(one: &str, other: &str) -> bool {
    let plain = |text: &str| -> Vec<u8> {
        text.bytes()
            .filter(u8::is_ascii_alphanumeric)
            .map(|byte| byte.to_ascii_lowercase())
            .collect()
    };
    plain(one) == plain(other)
}

impl fmt::Display for Layout {
    /// As [`Layout::from_str`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |at: u16| {
            self.fields
                .get(usize::from(at))
                .map_or("?", |field| field.name.as_str())
        };
        for (at, field) in self.fields.iter().enumerate() {
            let blank = if at == 0 { "" } else { " " };
            write!(f, "{blank}{}:", field.name)?;
            match field.kind {
                Kind::Number(bytes) => write!(f, "u{}", u32::from(bytes) * 8)?,
                Kind::Pointer => f.write_str("pointer")?,
                Kind::Guid => f.write_str("guid")?,
                Kind::Ansi => f.write_str("ansi")?,
                Kind::Unicode => f.write_str("unicode")?,
                Kind::UnicodeOf(from) => write!(f, "unicode[{}]", name(from))?,
                Kind::BytesOf(from) => write!(f, "bytes[{}]", name(from))?,
                Kind::Bytes(count) => write!(f, "bytes[{count}]")?,
                Kind::Rest => f.write_str("rest")?,
            }
        }
        Ok(())
    }
}

/// A value that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Not asked for, or not in the layout.
    Absent,
    /// A number or a pointer.
    Number(u64),
    /// A GUID.
    Guid(Guid),
    /// Bytes of text, without the zero.
    Ansi(&'a [u8]),
    /// UTF-16, little-endian, without the zero.
    Unicode(&'a [u8]),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl Value<'_> {
    /// The number, where it is one.
    #[must_use]
    #[inline]
    pub const fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// As text: numbers as such, GUIDs without braces, text without blanks at either end.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Absent => String::new(),
            Self::Number(number) => number.to_string(),
            Self::Guid(guid) => guid.to_string(),
            Self::Ansi(bytes) => String::from_utf8_lossy(bytes).trim().to_owned(),
            Self::Unicode(bytes) => bytes.utf16_at(0, bytes.len() / 2).unwrap_or_default().trim().to_owned(),
            Self::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

/// A layout with the fields that are wanted of it: what is read of each payload. Fields are asked for by slot.
#[derive(Clone, Debug)]
pub struct Plan {
    steps: Vec<Step>,
    /// Bytes of a payload whose fields all have a fixed size, with pointers of 4 and of 8 bytes.
    fixed: Option<(usize, usize)>,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    kind: Kind,
    /// The slot that its value goes to.
    slot: Option<u8>,
    /// Whether a later field takes its length from it.
    gives_length: bool,
}

/// What a payload is not: as long as its layout says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit;

impl Plan {
    /// Wants the fields at these places; the slot of each is its place in `wanted`.
    #[must_use]
    pub fn new(layout: &Layout, wanted: &[Option<usize>]) -> Self {
        let lengths: Vec<usize> = layout
            .fields
            .iter()
            .filter_map(|field| match field.kind {
                Kind::UnicodeOf(from) | Kind::BytesOf(from) => Some(usize::from(from)),
                _ => None,
            })
            .collect();
        let steps: Vec<Step> = layout
            .fields
            .iter()
            .enumerate()
            .map(|(at, field)| Step {
                kind: field.kind,
                slot: wanted.iter().position(|&want| want == Some(at)).map(|slot| slot as u8),
                gives_length: lengths.contains(&at),
            })
            .collect();
        let size = |pointer: usize| {
            steps
                .iter()
                .map(|step| fixed_size(step.kind, pointer))
                .sum::<Option<usize>>()
        };
        let fixed = size(4).zip(size(8));
        Self { steps, fixed }
    }

    /// Reads the wanted fields of a payload, each to its slot; slots beyond `N` are not read.
    ///
    /// # Errors
    ///
    /// When the payload is shorter or longer than the layout.
    pub fn read<'a, const N: usize>(&self, payload: &'a [u8], pointer: u8) -> Result<[Value<'a>; N], Misfit> {
        let mut values = [Value::Absent; N];
        let pointer = if pointer == 4 { 4 } else { 8 };
        if let Some((four, eight)) = self.fixed
            && payload.len() != if pointer == 4 { four } else { eight }
        {
            return Err(Misfit);
        }
        // Lengths are few; where one is needed it stands shortly before.
        let mut lengths: [(u16, u64); 8] = [(u16::MAX, 0); 8];
        let mut known = 0;
        let mut at = 0;
        for (place, step) in self.steps.iter().enumerate() {
            let length = |from: u16| {
                let found = lengths.iter().find(|(place, _)| *place == from);
                found
                    .and_then(|&(_, length)| usize::try_from(length).ok())
                    .ok_or(Misfit)
            };
            let rest = payload.get(at..).ok_or(Misfit)?;
            let (value, bytes) = match step.kind {
                Kind::Number(1) => (Value::Number(u64::from(*rest.first().ok_or(Misfit)?)), 1),
                Kind::Number(2) => (Value::Number(u64::from(rest.u16_at(0).ok_or(Misfit)?)), 2),
                Kind::Number(4) => (Value::Number(u64::from(rest.u32_at(0).ok_or(Misfit)?)), 4),
                Kind::Number(_) => (Value::Number(rest.u64_at(0).ok_or(Misfit)?), 8),
                Kind::Pointer => (Value::Number(rest.pointer_at(0, pointer).ok_or(Misfit)?), pointer),
                Kind::Guid => (Value::Guid(Guid(rest.array(0).ok_or(Misfit)?)), 16),
                Kind::Ansi => {
                    let end = rest.iter().position(|&byte| byte == 0).ok_or(Misfit)?;
                    (Value::Ansi(&rest[..end]), end + 1)
                }
                Kind::Unicode => {
                    let end = rest.chunks_exact(2).position(|unit| unit == [0, 0]).ok_or(Misfit)? * 2;
                    (Value::Unicode(&rest[..end]), end + 2)
                }
                Kind::UnicodeOf(from) => {
                    let bytes = length(from)?.checked_mul(2).ok_or(Misfit)?;
                    (Value::Unicode(rest.get(..bytes).ok_or(Misfit)?), bytes)
                }
                Kind::BytesOf(from) => {
                    let bytes = length(from)?;
                    (Value::Bytes(rest.get(..bytes).ok_or(Misfit)?), bytes)
                }
                Kind::Bytes(count) => {
                    let bytes = usize::from(count);
                    (Value::Bytes(rest.get(..bytes).ok_or(Misfit)?), bytes)
                }
                Kind::Rest => (Value::Bytes(rest), rest.len()),
            };
            at += bytes;
            if step.gives_length
                && let (Some(number), Some(place_for)) = (value.number(), lengths.get_mut(known))
            {
                *place_for = (place as u16, number);
                known += 1;
            }
            if let Some(slot) = step.slot
                && let Some(wanted) = values.get_mut(usize::from(slot))
            {
                *wanted = value;
            }
        }
        if at == payload.len() { Ok(values) } else { Err(Misfit) }
    }
}

#[inline]
const fn fixed_size(kind: Kind, pointer: usize) -> Option<usize> {
    match kind {
        Kind::Number(bytes) => Some(bytes as usize),
        Kind::Pointer => Some(pointer),
        Kind::Guid => Some(16),
        Kind::Bytes(count) => Some(count as usize),
        Kind::Ansi | Kind::Unicode | Kind::UnicodeOf(_) | Kind::BytesOf(_) | Kind::Rest => None,
    }
}

#[cfg(test)]
mod tests;
