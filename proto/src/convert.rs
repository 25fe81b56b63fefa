//! Between wire messages and domain types, in one place.
//!
//! Every conversion from the wire checks what it gets and names the field that is wrong; none fills in a default for
//! something that was not said.

pub mod batch;
pub mod collect;
pub mod durable;
pub mod findings;
pub mod health;
pub mod query;
pub mod rollup;
pub mod sketches;
pub mod state;

/// `Result` with this module's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a message is not what it should be. All are faults of the sender.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A field that has to be there is not.
    #[error("{field} is missing")]
    Missing {
        /// The field's path.
        field: &'static str,
    },
    /// An enumeration has a number that this version does not know.
    #[error("{field} has the number {value}, which this version does not know")]
    UnknownNumber {
        /// The field's path.
        field: &'static str,
        /// The number.
        value: i64,
    },
    /// A name stands for nothing.
    #[error("{field}: {source}")]
    UnknownName {
        /// The field's path.
        field: &'static str,
        /// Which name.
        source: fathom_model::tap::UnknownName,
    },
    /// A text cannot be the name of a cluster or a node.
    #[error("{field} {source}")]
    Name {
        /// The field's path.
        field: &'static str,
        /// What is wrong with it.
        source: fathom_model::NameFault,
    },
    /// A list or a byte string has the wrong length.
    #[error("{field} has {found} values, {expected} are needed")]
    Length {
        /// The field's path.
        field: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// Something is larger than the contract allows.
    #[error("{field} is {found}, the limit is {limit}")]
    TooLarge {
        /// The field's path.
        field: &'static str,
        /// The limit.
        limit: u64,
        /// What it is.
        found: u64,
    },
    /// A value cannot be.
    #[error("{field} cannot be {value}")]
    Impossible {
        /// The field's path.
        field: &'static str,
        /// The value.
        value: i128,
    },
    /// Compressed bytes do not decompress to what was announced.
    #[error("{field} does not decompress: {cause}")]
    Compressed {
        /// The field's path.
        field: &'static str,
        /// What the decompressor said.
        cause: String,
    },
    /// A sketch is none.
    #[error("{field} is no sketch: {source}")]
    Sketch {
        /// The field's path.
        field: &'static str,
        /// Why not.
        source: fathom_model::sketch::Fault,
    },
    /// Bytes that should hold a message do not.
    #[error("{field} is not the message that it should be: {cause}")]
    Encoding {
        /// The field's path.
        field: &'static str,
        /// What the decoder said.
        cause: String,
    },
    /// The extents contradict each other.
    #[error("topology.extents: {0}")]
    Extents(#[from] fathom_model::extent::ExtentError),
}
