//! Where along the path of a write an event was seen ([`Tap`]), and what the I/O was ([`Op`]).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A place on the path of a write where I/O is observed, in the order of the path.
///
/// Commands, columns and spans use [`Tap::as_str`] and no other spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tap {
    /// Hyper-V StorageVSP: the guest's request as the host receives it. Has no offset.
    Guest,
    /// VHDMP: the request on the virtual disk file.
    Vhdx,
    /// CSVFS (CsvFs): the request on the cluster volume.
    Csv,
    /// ReFS: the request in the file system.
    Refs,
    /// Storage Spaces (spaceport): the request on the virtual disk.
    Volume,
    /// Storage bus layer, initiator side (ClusPort): one leg, from hand-over until its reply. On Windows without offset.
    Initiator,
    /// Storage bus layer, target side (ClusBflt): arrival until the drive's answer. No per-I/O event on Windows today.
    Target,
    /// The drive (disk.sys, StorPort, stornvme): issue until completion.
    Device,
}

impl Tap {
    /// All taps in the order of the path.
    pub const ALL: [Self; 8] = [
        Self::Guest,
        Self::Vhdx,
        Self::Csv,
        Self::Refs,
        Self::Volume,
        Self::Initiator,
        Self::Target,
        Self::Device,
    ];

    /// The one spelling used in recordings, columns, commands and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Vhdx => "vhdx",
            Self::Csv => "csv",
            Self::Refs => "refs",
            Self::Volume => "volume",
            Self::Initiator => "initiator",
            Self::Target => "target",
            Self::Device => "device",
        }
    }

    /// Whether events of this tap are seen on the node that holds the copy (rather than on the node that wrote).
    #[must_use]
    pub const fn is_far_side(self) -> bool {
        matches!(self, Self::Target | Self::Device)
    }
}

impl fmt::Display for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Tap {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|tap| tap.as_str() == text)
            .ok_or_else(|| UnknownName {
                what: "tap",
                name: text.to_owned(),
                known: "guest, vhdx, csv, refs, volume, initiator, target, device",
            })
    }
}

/// What an I/O does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Data from one copy.
    Read,
    /// Data to every copy.
    Write,
    /// Make durable what was written before: no offset, no length.
    Flush,
    /// Give back a range (TRIM).
    Unmap,
}

impl Op {
    /// All operations.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Flush, Self::Unmap];

    /// The one spelling used in recordings, columns, commands and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Flush => "flush",
            Self::Unmap => "unmap",
        }
    }

    /// Whether every copy has to take part (a read asks one copy alone).
    #[must_use]
    pub const fn goes_to_every_copy(self) -> bool {
        !matches!(self, Self::Read)
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Op {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|op| op.as_str() == text)
            .ok_or_else(|| UnknownName {
                what: "op",
                name: text.to_owned(),
                known: "read, write, flush, unmap",
            })
    }
}

/// A name that stands for none of the values of an enumeration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a known {what} (known: {known})")]
pub struct UnknownName {
    /// What was looked for.
    pub what: &'static str,
    /// What was given.
    pub name: String,
    /// What would have been accepted.
    pub known: &'static str,
}
