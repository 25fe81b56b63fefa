//! Whole-system tests: builders for processes, certificates, recordings and damage.
//!
//! Tests use loopback, free ports and temporary folders only. Real recordings come from the repository; more of them from the
//! folder that `FATHOM_CAPTURES` names, and a test says when it could not look there.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test fails by panicking"
)]

pub mod damage;
pub mod fixture;
pub mod fleet;
pub mod process;
pub mod schema;
pub mod stored;
