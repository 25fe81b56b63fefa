//! What can be wrong with a configuration.

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a cluster cannot be simulated. Every variant names what has to be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A field has a value that it cannot have.
    #[error("{field} is {value}; it must be {allowed}")]
    Field {
        /// The field, by its path in the configuration.
        field: String,
        /// What it is.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// The volumes need more slabs than the disks have room for.
    #[error(
        "volume {volume} does not fit: node n{node} has no disk with {slab_bytes} free bytes; make volumes smaller, or disks.count or disks.capacity-bytes larger"
    )]
    Space {
        /// The volume that was being placed.
        volume: String,
        /// The node that ran out of room.
        node: u32,
        /// Bytes that one slab needs.
        slab_bytes: u64,
    },
    /// The extent map would be too large to be of use.
    #[error(
        "the extent map would have {rows} rows, more than {most}; make volumes with columns smaller, or their interleave-bytes larger"
    )]
    TooManyExtents {
        /// Rows needed.
        rows: u64,
        /// Rows allowed.
        most: u64,
    },
    /// The run would never end.
    #[error("nothing ends the run: give seconds, or writes together with a volume that writes")]
    Endless,
    /// There is no scenario of this name.
    #[error("there is no scenario `{name}` (known: {known})")]
    NoScenario {
        /// What was asked for.
        name: String,
        /// All names.
        known: String,
    },
}

impl Error {
    pub(crate) fn field(field: impl Into<String>, value: impl std::fmt::Display, allowed: impl Into<String>) -> Self {
        Self::Field {
            field: field.into(),
            value: value.to_string(),
            allowed: allowed.into(),
        }
    }
}
