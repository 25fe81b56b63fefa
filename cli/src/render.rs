//! Showing answers: tables for people, one document for programs.

pub(crate) mod dated;
pub(crate) mod import;
pub(crate) mod json;
pub(crate) mod report;
pub(crate) mod table;
pub(crate) mod units;
pub(crate) mod usual;
pub(crate) mod waterfall;
