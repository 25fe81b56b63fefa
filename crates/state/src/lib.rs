//! What Windows says of disks, networks and jobs as observations, and what follows from them.
//!
//! # Architecture
//!
//! ```text
//! ConvertTo-Json ─▶ json ─┐
//! CLIXML (SDDC)  ─▶ clixml├─▶ bag::Bag (name → raw value) ─▶ decode (tables in schema) ─▶ model::state::Observation
//! text of cmdlets─▶ text ─┘        ▲                                                          │
//!                            WMI instances (sources, Windows)                     picture, rdma, qos, jobs
//! ```
//!
//! One table a class says which property becomes which attribute, and of what type ([`schema`]); one function decodes all of them.
//!
//! # What it is not
//!
//! No I/O, no clock, no Windows: whoever reads files or asks WMI fills a bag.
//!
//! # Errors
//!
//! A file that is no JSON, no CLIXML and no text of a cmdlet is refused ([`Error`]). A property that is missing, null, of the wrong type
//! or cut off makes the attribute unavailable with that reason, and the others stay. An object without an identity is refused alone.

pub mod bag;
pub mod clixml;
pub mod codes;
pub mod conditions;
pub mod counters;
pub mod decode;
pub mod disks;
pub mod essence;
pub mod history;
pub mod integrity;
pub mod jobs;
pub mod json;
pub mod performance;
pub mod pools;
pub mod qos;
pub mod rdma;
pub mod schema;
pub mod shared_volumes;
pub mod support;
pub mod text;
pub mod vms;
pub mod within;
mod xml;

pub use bag::{Bag, Raw};
pub use decode::{Decoded, Refused, decode, decode_all, decode_each};

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a text holds no objects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not JSON.
    #[error("not JSON: {cause}")]
    Json {
        /// What the parser says.
        cause: String,
    },
    /// Not XML, or cut off.
    #[error("not XML at byte {at}: {cause}")]
    Xml {
        /// Where.
        at: usize,
        /// What is wrong.
        cause: &'static str,
    },
    /// Neither UTF-8 nor UTF-16.
    #[error("not text in UTF-8 or UTF-16")]
    Encoding,
    /// Nothing at all, where what writes such a file writes something even of nothing.
    #[error("the file is empty: even of no object CLIXML has a document")]
    Empty,
    /// Nothing that is known.
    #[error("no JSON, no CLIXML and no table or list of a cmdlet")]
    NoObjects,
}
