//! Certificates: a throw-away authority that issues them, and PEM files that are loaded and explained.
//!
//! # Purpose
//!
//! Everything in Fathom speaks mutual TLS, so the first contact of most operators with it is a certificate that does
//! not fit. [`files`] therefore names the file, says what is wrong with it and what to do; [`authority`] makes the
//! certificates for tests, demonstrations and sites that have no authority of their own; [`holder`] says which names a
//! peer's certificate gives it.
//!
//! ```
//! use std::time::{Duration, UNIX_EPOCH};
//!
//! use fathom_identity::{authority::{Authority, Leaf}, files::Credentials};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
//! let day = Duration::from_secs(86_400);
//! let authority = Authority::throw_away("demo", now, day)?;
//! let leaf = Leaf { common_name: "n01".into(), client: true, not_before: now, valid: day, ..Leaf::default() };
//!
//! let ca = authority.write_to(folder, "ca")?;
//! let (certificate, key) = authority.issue(&leaf)?.write_to(folder, "n01")?;
//! Credentials::load(&ca, &certificate, &key)?.verify(now)?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it is not
//!
//! No protocol: it opens no connection, knows no roles and reads no clock (time comes in as a value). It does not
//! revoke, and it cannot take up an authority again from its files.
//!
//! # Errors
//!
//! One enum a module, since their callers differ: [`authority::Error`] is met by whoever makes certificates,
//! [`files::Error`] by whoever runs a daemon. Keys never appear in an error or a debug output.

pub mod authority;
pub mod explain;
pub mod files;
pub mod holder;
mod private;
