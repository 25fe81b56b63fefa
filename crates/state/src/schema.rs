//! Which property of which class becomes which attribute: one table a class.

use fathom_model::state::Kind;

use crate::bag::Bag;
use crate::codes::Codes;

mod cluster;
mod network;
mod nvme;
mod sbl;
mod storage;
pub(crate) mod vm;

/// What a property holds and how it is read.
#[derive(Clone, Copy, Debug)]
pub enum Take {
    /// Yes or no.
    Bool,
    /// A whole number that is not below zero: a count, or in a unit that needs no conversion.
    Count,
    /// A whole number that may be below zero.
    Number,
    /// Bytes; of a text with a unit only what is exact.
    Bytes,
    /// Bits a second; of a text such as `32 Gbps` too.
    BitsPerSecond,
    /// A share of at most so many percent.
    Percent(u64),
    /// Flags within an object, each with what it is called: those that are set.
    Flags(&'static [(&'static str, &'static str)]),
    /// Degrees; 0 means that the drive does not say.
    Celsius,
    /// Kelvin, taken as degrees; 0 means that the drive does not say.
    Kelvin,
    /// Units of 512,000 bytes, taken as bytes; 0 means that the drive does not count.
    DataUnits,
    /// Bits of a number, each with what it means; those that are set.
    Bits(&'static Codes),
    /// A text; blank is none.
    Text,
    /// Several texts.
    Texts,
    /// A number of an enumeration, or its name.
    Code(&'static Codes),
    /// Several of them.
    Codes(&'static Codes),
    /// A length of time, as CIM interval, `hh:mm:ss` or ISO 8601: nanoseconds.
    Interval,
    /// Several whole numbers.
    Counts,
    /// Several yes or no.
    Bools,
}

/// A property.
#[derive(Debug)]
pub struct Property {
    /// Its names, the class's own first; then those of cmdlets and tables for people.
    pub from: &'static [&'static str],
    /// The attribute.
    pub to: &'static str,
    /// How it is read.
    pub take: Take,
}

/// What makes the identity.
#[derive(Clone, Copy, Debug)]
pub enum Identity {
    /// The first of these that is there.
    First(&'static [&'static str]),
    /// Those of these that are there, joined; one has to be. Names with a bar between are of one and the same.
    All(&'static [&'static str]),
}

/// What stands for a namespace where drives themselves are asked.
pub const DRIVES: &str = "drives";

/// What stands for a namespace of a class that no namespace has, though a node should be heard of it: a cmdlet makes its objects.
pub const CMDLETS: &str = "cmdlets";

/// A class.
#[derive(Debug)]
pub struct Class {
    /// Its names: of the class itself first, then of what cmdlets make of it.
    pub names: &'static [&'static str],
    /// The namespace that it is asked in, [`DRIVES`] of what drives are asked themselves, [`CMDLETS`] of what cannot be asked; empty of one
    /// that only files give.
    pub namespace: &'static str,
    /// What its objects are.
    pub kind: Kind,
    /// What makes their identity.
    pub identity: Identity,
    /// Properties by which an object without a class is known: it has all of one list.
    pub marks: &'static [&'static [&'static str]],
    /// The properties.
    pub properties: &'static [Property],
    /// A list within the object: each of its items is an object of its own with this object's properties beside.
    pub each: Option<&'static str>,
}

const fn property(from: &'static [&'static str], to: &'static str, take: Take) -> Property {
    Property { from, to, take }
}

/// All classes.
pub fn classes() -> impl Iterator<Item = &'static Class> {
    storage::CLASSES
        .iter()
        .chain(nvme::CLASSES)
        .chain(sbl::CLASSES)
        .chain(network::CLASSES)
        .chain(cluster::CLASSES)
        .chain(vm::CLASSES)
}

/// The class of an object: the one it names, else the one whose marks it has most of.
#[must_use]
pub fn class_of(bag: &Bag) -> Option<&'static Class> {
    let named = bag.class.as_deref().and_then(|name| {
        let is_it = |class: &&Class| class.names.iter().any(|known| known.eq_ignore_ascii_case(name));
        classes().find(is_it)
    });
    named.or_else(|| {
        let marked = classes().filter_map(|class| {
            let most = class
                .marks
                .iter()
                .filter(|marks| marks.iter().all(|mark| bag.get(mark).is_some()))
                .map(|marks| marks.len());
            most.max().map(|most| (most, class))
        });
        // Of equals the first in the tables.
        marked
            .fold(None, |best: Option<(usize, &Class)>, new| match best {
                Some(best) if best.0 >= new.0 => Some(best),
                _ => Some(new),
            })
            .map(|(_, class)| class)
    })
}

/// The names of all attributes that a kind may have, by name.
#[must_use]
pub fn attributes(kind: Kind) -> Vec<&'static str> {
    let mut names: Vec<&str> = classes()
        .filter(|class| class.kind == kind)
        .flat_map(|class| class.properties.iter().map(|property| property.to))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}
