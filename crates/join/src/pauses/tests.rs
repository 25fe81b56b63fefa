//! Where legs are missing is said only where many were lost in one place, and few elsewhere.

use fathom_model::{IoEvent, Op};

use super::*;

const US: i64 = 1_000;
const MS: i64 = 1_000_000;
