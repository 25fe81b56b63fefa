//! Identities: names that mean the same thing for ever.
//!
//! An I/O event is identified by its stream and its ordinal in it; nothing else survives re-sending, restarts and
//! rewriting of files. See `docs/design/0002-identities-and-ordinals.md`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a name as it is.
            pub fn new(name: impl Into<Arc<str>>) -> Self {
                Self(name.into())
            }

            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.into())
            }
        }
    };
}

name_type!(
    /// A cluster. On a real cluster this will be its GUID; names are for display, since every customer has a CLUSTER01.
    ClusterId
);
name_type!(
    /// A node's name within its cluster.
    NodeId
);
name_type!(
    /// A virtual disk or volume within its cluster.
    VolumeId
);
name_type!(
    /// A physical disk within its cluster: its unique id where one is known, in recordings `node/disk`.
    /// Never a device number, which is each node's own.
    PhysicalDiskId
);

/// Longest name of a cluster or a node, in bytes: with each byte escaped it still fits a folder's name on every system (255).
pub const LONGEST_NAME: usize = 80;

/// Checks that a text can be the name of a cluster or a node: names become folders and stand in logs, so they have 1 to
/// [`LONGEST_NAME`] bytes and no control characters.
///
/// # Errors
///
/// What is wrong; it does not repeat the name, which may not be fit to be shown.
pub fn check_name(name: &str) -> Result<(), NameFault> {
    if name.is_empty() {
        return Err(NameFault::Empty);
    }
    if name.len() > LONGEST_NAME {
        return Err(NameFault::Long { bytes: name.len() });
    }
    match name.char_indices().find(|(_, character)| character.is_control()) {
        Some((at, character)) => Err(NameFault::Control {
            code: u32::from(character),
            at,
        }),
        None => Ok(()),
    }
}

/// Why a text cannot be the name of a cluster or a node. Reads as what the name does: "cluster" + fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// There is none.
    #[error("is empty; a name has 1 to {LONGEST_NAME} bytes")]
    Empty,
    /// It does not fit a folder's name.
    #[error("has {bytes} bytes; a name has 1 to {LONGEST_NAME}")]
    Long {
        /// How long it is.
        bytes: usize,
    },
    /// It would break lines of logs and tables.
    #[error("has the control character U+{code:04X} at byte {at}; a name has none")]
    Control {
        /// The character's number in Unicode.
        code: u32,
        /// Where it stands, in bytes from 0.
        at: usize,
    },
}

/// One life of one spool, so that (stream, ordinal) is never used twice: of a live source new for every start, of a recording made
/// from its content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Incarnation([u8; 16]);

impl Incarnation {
    /// From its 16 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The first 4 bytes, as they stand in an [`IoId`].
    #[must_use]
    pub const fn prefix(&self) -> u32 {
        u32::from_be_bytes([self.0[0], self.0[1], self.0[2], self.0[3]])
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Incarnation {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = || ParseError::Incarnation { text: text.to_owned() };
        if text.len() != 32 || !text.is_ascii() {
            return Err(wrong());
        }
        let mut bytes = [0; 16];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Incarnation {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Incarnation {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Which of a daemon's two streams an event travels on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamKind {
    /// I/O events.
    Io,
    /// Observations and samples.
    State,
}

impl StreamKind {
    /// `io` or `state`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Io => "io",
            Self::State => "state",
        }
    }
}

/// One stream of one daemon: together with an ordinal, the identity of an event for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StreamId {
    /// The cluster.
    pub cluster: ClusterId,
    /// The node whose daemon speaks.
    pub node: NodeId,
    /// I/O events or state.
    pub kind: StreamKind,
    /// Which life of the node's spool.
    pub incarnation: Incarnation,
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}/{}/{}",
            self.cluster,
            self.node,
            self.kind.as_str(),
            self.incarnation
        )
    }
}

/// The name of one I/O within its cluster: `node.incarnation.ordinal.second`.
///
/// It is the identity of the I/O's event at its highest tap, plus the second of its completion on its node's clock, by
/// which the store finds the file without a search. The incarnation is cut to its first 32 bits: enough among the
/// incarnations that one node had around one second.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IoId {
    /// The initiating node.
    pub node: NodeId,
    /// First 32 bits of the incarnation.
    pub incarnation_prefix: u32,
    /// Ordinal in the node's `io` stream.
    pub ordinal: u64,
    /// Second since the Unix epoch in which the I/O completed, on its node's clock: its window.
    pub second: i64,
}

impl fmt::Display for IoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{:08x}.{}.{}",
            self.node, self.incarnation_prefix, self.ordinal, self.second
        )
    }
}

impl FromStr for IoId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = || ParseError::IoId { text: text.to_owned() };
        // From the right: a node's name may itself hold dots.
        let mut fields = text.rsplitn(4, '.');
        let (Some(second), Some(ordinal), Some(incarnation), Some(node)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(wrong());
        };
        if incarnation.len() != 8 || node.is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            node: NodeId::new(node),
            incarnation_prefix: u32::from_str_radix(incarnation, 16).map_err(|_| wrong())?,
            ordinal: ordinal.parse().map_err(|_| wrong())?,
            second: second.parse().map_err(|_| wrong())?,
        })
    }
}

/// A text that is no identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not 32 hexadecimal digits.
    #[error("`{text}` is not an incarnation: expected 32 hexadecimal digits")]
    Incarnation {
        /// What was given.
        text: String,
    },
    /// Not of the form that `fathom writes` prints.
    #[error(
        "`{text}` is not an I/O id: expected NODE.INCARNATION.ORDINAL.SECOND as `fathom writes` prints it, such as i0.1f3c9a7e.38.1790046805"
    )]
    IoId {
        /// What was given.
        text: String,
    },
}

#[cfg(test)]
mod tests;
